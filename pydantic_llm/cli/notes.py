"""Notes for the user, on the standard error. The standard output is for responses alone."""

from __future__ import annotations

import sys
from contextlib import suppress

__all__ = ('LINE_WIDTH', 'print_note', 'shorten')

LINE_WIDTH = 80
"""The most columns of a line in a list: those of a narrow terminal."""


def shorten(text: str, width: int = LINE_WIDTH) -> str:
    """Return a text on one line of at most `width` characters."""
    line = ' '.join(text.split())
    return line if len(line) <= width else f'{line[: width - 3]}...'


def print_note(text: str) -> None:
    """Print a text to the standard error, dimmed on a terminal."""
    if sys.stderr.isatty():
        with suppress(ImportError):
            from rich.console import Console

            Console(stderr=True, highlight=False).print(text, style='dim', markup=False, soft_wrap=True)
            return
    print(text, file=sys.stderr)
