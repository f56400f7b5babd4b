"""Runs one command and returns its exit code: 0 for success, 1 for an error, 2 for wrong usage, 130 for Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ..exceptions import LLMError
from .errors import UsageError, describe_error
from .parser import build_parser

__all__ = ('main',)

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended: 128 + SIGINT."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. For wrong usage, argparse exits the process with 2."""
    parser = build_parser()
    argv = sys.argv[1:] if argv is None else argv
    if not argv:
        parser.print_help()
        return 2
    arguments = parser.parse_args(argv)
    try:
        arguments.command(arguments)
    except UsageError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print('Interrupted.', file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes the standard output at exit: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (LLMError, OSError) as error:
        print(f'pydantic-llm: {describe_error(error)}', file=sys.stderr)
        return 1
    return 0
