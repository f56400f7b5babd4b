"""Reads the input of `chat`: one line, or several; or a text from the user's editor.

A line that ends with a backslash continues in the next line. Three double quotes start and end a text of several lines.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from ..exceptions import UserError

__all__ = ('edit_text', 'read_input')


def read_input() -> str | None:
    """Read the user's next input, of one or several lines. Return `None` at the end of the input, '' after Ctrl-C."""
    with suppress(ImportError):
        import_module('readline')  # adds a history and editing keys to `input`
    is_terminal = sys.stdin.isatty()
    try:
        text = input('> ' if is_terminal else '')
        while text.endswith('\\') or _has_open_quotes(text):
            text = f'{text.removesuffix(chr(92))}\n{input("… " if is_terminal else "")}'
    except (EOFError, KeyboardInterrupt) as error:
        print('\n' if is_terminal else '', end='')
        return None if isinstance(error, EOFError) else ''
    stripped = text.strip()
    return stripped[3:-3].strip('\n') if stripped.startswith('"""') else text


def _has_open_quotes(text: str) -> bool:
    """Return whether three double quotes start the text and none end it."""
    stripped = text.strip()
    return stripped.startswith('"""') and (len(stripped) < 6 or not stripped.endswith('"""'))


def edit_text(text: str) -> str:
    """Open a text in the editor of `VISUAL` or `EDITOR`, and return what was saved. Raises `UserError`."""
    editor = os.environ.get('VISUAL') or os.environ.get('EDITOR')
    if not editor:
        raise UserError('Set the environment variable EDITOR, e.g. to nano')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'prompt.md'
        path.write_text(text, encoding='utf-8')
        try:
            subprocess.run([*shlex.split(editor), str(path)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise UserError(f'The editor {editor!r} failed: {error}') from None
        return path.read_text(encoding='utf-8').strip()
