"""Keys that a function returns: it is called for each request, so that a key can be rotated or fetched from a vault."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import isawaitable, iscoroutinefunction

from ..exceptions import UserError

__all__ = ('ApiKey', 'CalledKey', 'FunctionFailure', 'KeyHeader', 'call_key_function')

ApiKey = str | Callable[[], str | Awaitable[str]]
"""A key, or a function, plain or async, that returns the key of the next request. A plain function runs in a thread."""


class FunctionFailure(Exception):
    """Carries an exception of a caller's function past the HTTP client, since it could look like a network error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


@dataclass(frozen=True, slots=True)
class CalledKey:
    """A function that returns a key, with the check of what it returns."""

    function: Callable[[], object] = field(repr=False)
    check: Callable[[str], str] = field(repr=False)
    """Returns the key, or raises a `UserError` if it cannot be sent."""
    parameter: str = 'api_key='
    noun: str = 'key'

    async def get(self) -> str:
        """Return the key for a request. Raises a `UserError` if it is not a key, `FunctionFailure` of the function."""
        with _wrap_exceptions():
            key = await call_key_function(self.function)
        if not isinstance(key, str) or not key:
            problem = 'an empty string' if key == '' else f'an object of type {type(key).__name__!r}'
            raise UserError(f'{self.parameter} gave {problem}, and must give a {self.noun}')
        return self.check(key)


@dataclass(frozen=True, slots=True)
class KeyHeader:
    """The header of a key that is called for each request."""

    name: str
    form: str
    """The value of the header, with the key at `{}`."""
    key: CalledKey


async def call_key_function(function: Callable[[], object]) -> object:
    """Call the function, in a thread unless it is async, since a plain one may block on the network."""
    is_async = iscoroutinefunction(function) or iscoroutinefunction(getattr(function, '__call__', None))  # noqa: B004 -- the kind of the method is checked, not its presence
    value = function() if is_async else await asyncio.to_thread(_call_in_thread, function)
    return await value if isawaitable(value) else value


def _call_in_thread(function: Callable[[], object]) -> object:
    with _wrap_exceptions():  # `to_thread` would replace a `TimeoutError` with one of its own
        return function()


@contextmanager
def _wrap_exceptions() -> Generator[None]:
    """Raise each exception of the function inside a `FunctionFailure`, from which the connection takes it out again."""
    try:
        yield
    except FunctionFailure:
        raise
    except Exception as error:  # noqa: BLE001 -- raised unchanged by the connection
        raise FunctionFailure(error) from None
