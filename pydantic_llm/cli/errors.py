"""The error for wrong usage, and the text that the command line prints for any error."""

from __future__ import annotations

__all__ = ('UsageError', 'describe_error')


LONGEST = 1000
"""The most characters of a message: servers have pages as error messages."""


OF_PYTHON = ', or give api_key='
"""The end of the message about a missing key: a parameter, which a command does not have."""


class UsageError(Exception):
    """The arguments are valid one by one, but not together."""


def describe_error(error: Exception) -> str:
    """Return the error's message on one line."""
    if isinstance(error, OSError) and error.strerror:
        return f'{error.filename!r} cannot be used: {error.strerror}' if error.filename else error.strerror
    line = ' '.join(str(error).split()) or type(error).__name__
    if line.endswith(OF_PYTHON):
        line = line.removesuffix(OF_PYTHON) + ', or store it with `pydantic-llm keys set`'
    return line if len(line) <= LONGEST else f'{line[:LONGEST]}...'
