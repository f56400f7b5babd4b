"""Runs one command and returns its exit code: 0 for success, 1 for an error, 2 for wrong usage, 130 for Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from ..exceptions import LLMError
from .errors import UsageError, describe_error
from .parser import COMMANDS, build_parser

__all__ = ('main',)

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended: 128 + SIGINT."""

OF_THE_PROGRAM = ('-h', '--help', '--version')
"""The options that come before a command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. For wrong usage, argparse exits the process with 2."""
    _replace_what_cannot_be_encoded()
    parser = build_parser()
    argv = [*(sys.argv[1:] if argv is None else argv)]
    if not argv and (sys.stdin is None or sys.stdin.closed or sys.stdin.isatty()):
        parser.print_help()
        return 2
    if not argv or argv[0] not in (*COMMANDS, *OF_THE_PROGRAM):
        if (meant := _find_misspelt_command(argv)) is not None:
            parser.error(f'{argv[0]!r} is not a command; did you mean {meant!r}? To ask it: pydantic-llm ask {argv[0]}')
        argv = ['ask', *argv]
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        arguments.parser.error(f'unknown arguments: {" ".join(unknown)}')
    try:
        arguments.command(arguments)
    except UsageError as error:
        arguments.parser.error(str(error))
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


def _replace_what_cannot_be_encoded() -> None:
    """Make the output replace characters that its encoding does not have, such as one of a Latin-1 terminal.

    An output that is closed, as cron and some service managers start programs, is that to nowhere.
    """
    for name in ('stdout', 'stderr'):
        if getattr(sys, name) is None:  # https://docs.python.org/3/library/sys.html#sys.__stdin__
            setattr(sys, name, Path(os.devnull).open('w'))  # noqa: SIM115 -- until the process ends
    if (reconfigure := getattr(sys.stdout, 'reconfigure', None)) is not None:
        reconfigure(errors='replace')


def _find_misspelt_command(argv: Sequence[str]) -> str | None:
    """Return the command that a first word was meant to be, so that a misspelling is not sent to a model."""
    return next(iter(get_close_matches(argv[0], COMMANDS, 1, 0.75)), None) if argv else None
