"""From what was typed to an exit code: 0 for success, 1 for an error, 2 for wrong usage, 130 for Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ..exceptions import LLMError
from .arguments import UsageError, build_parser

__all__ = ('main',)

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C has ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Wrong usage exits with 2, as argparse does."""
    parser = build_parser()
    words = sys.argv[1:] if arguments is None else arguments
    if not words:
        parser.print_help()
        return 2
    given = parser.parse_args(words)
    try:
        given.command(given)
    except UsageError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print('Interrupted.', file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (LLMError, OSError) as error:
        print(f'pydantic-llm: {sentence(error)}', file=sys.stderr)
        return 1
    return 0


def sentence(error: Exception) -> str:
    """An error on one line."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f'{error.filename!r} cannot be used: {error.strerror}'
    return ' '.join(str(error).split()) or type(error).__name__
