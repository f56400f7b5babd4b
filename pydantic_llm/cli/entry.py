"""Runs one command and returns its exit code: 0 for success, 1 for an error, 2 for wrong usage."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from ..exceptions import LLMError
from .errors import UsageError, describe_error
from .parser import COMMANDS, OF_LOGS_SHOW, build_parser

__all__ = ('run_command',)

OF_THE_PROGRAM = ('-h', '--help', '--version')
"""The options that come before a command."""


def run_command(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. For wrong usage, argparse exits the process with 2."""
    _prepare_streams()
    try:
        with _flush_output():
            _parse_and_run([*(sys.argv[1:] if argv is None else argv)])
    except BrokenPipeError:
        return 0
    except (LLMError, OSError) as error:
        print(f'pydantic-llm: {describe_error(error)}', file=sys.stderr)
        return 1
    return 0


def _parse_and_run(argv: list[str]) -> None:
    """Run the command that the arguments name, or else `ask`."""
    parser = build_parser()
    if not argv and sys.stdin.isatty():
        parser.print_help()
        raise SystemExit(2)
    if not argv or argv[0] not in (*COMMANDS, *OF_THE_PROGRAM):
        if (meant := _find_misspelt_command(argv)) is not None:
            parser.error(f'{argv[0]!r} is not a command; did you mean {meant!r}? To ask it: pydantic-llm ask {argv[0]}')
        argv = ['ask', *argv]
    if argv[0] == 'logs' and argv[1:2] and argv[1].startswith('-') and argv[1] not in OF_THE_PROGRAM:
        argv = ['logs', 'show' if argv[1] in OF_LOGS_SHOW else 'list', *argv[1:]]
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        arguments.parser.error(f'unknown arguments: {" ".join(unknown)}')
    try:
        arguments.command(arguments)
    except UsageError as error:
        arguments.parser.error(str(error))


@contextmanager
def _flush_output() -> Generator[None]:
    """Write the rest of the output at the end of a command, where an error of it can still be handled.

    Python writes it at exit again, which must not fail: https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise


def _prepare_streams() -> None:
    """Make the output replace characters that its encoding does not have, such as one of a Latin-1 terminal.

    A stream that is closed, as cron and some service managers start programs, is that from or to nowhere.
    """
    for name, mode in (('stdin', 'r'), ('stdout', 'w'), ('stderr', 'w')):
        if (
            stream := getattr(sys, name)
        ) is None or stream.closed:  # https://docs.python.org/3/library/sys.html#sys.__stdin__
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 -- until the process ends
    if (reconfigure := getattr(sys.stdout, 'reconfigure', None)) is not None:
        reconfigure(errors='replace')


def _find_misspelt_command(argv: Sequence[str]) -> str | None:
    """Return the command that a first word was meant to be, so that a misspelling is not sent to a model."""
    return next(iter(get_close_matches(argv[0], COMMANDS, 1, 0.75)), None) if argv else None
