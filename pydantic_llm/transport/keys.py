"""Finds API keys in the headers of a request, and hides them in what an exception shows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar, cast

from ..exceptions import LLMError

__all__ = ('KEY_HEADERS', 'MIN_KEY_LENGTH', 'HasHeaders', 'find_keys', 'hide_keys', 'hide_keys_in_error')

T = TypeVar('T')

KEY_HEADERS = ('authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'x-amz-security-token')
"""The headers that hold a key, in lower case."""

AWS_KEY = re.compile(r'^AWS4-HMAC-SHA256 Credential=([^/]+)/')
"""The id of the key in the header of a request that Amazon's algorithm signed. The secret is not sent."""

MIN_KEY_LENGTH = 8
"""A shorter value is not treated as a key, because it could occur in any message."""

HIDDEN = '[key]'


class HasHeaders(Protocol):
    """A request of any HTTP library."""

    headers: Mapping[str, str]


def find_keys(request: HasHeaders) -> Iterator[str]:
    """Yield the keys in the headers of a request."""
    for name in KEY_HEADERS:
        value = request.headers.get(name, '')
        found = AWS_KEY.findall(value)
        yield from (key for key in (*found, value.rpartition(' ')[2]) if len(key) >= MIN_KEY_LENGTH)


def hide_keys(value: T, keys: Iterable[str]) -> T:
    """Return text, bytes or a JSON value without the keys, which some servers repeat."""
    for key in keys:
        value = _hide(value, key)
    return value


def hide_keys_in_error(error: LLMError, keys: Iterable[str]) -> None:
    """Hide keys in all that an error shows of a response: its message, its body, its headers.

    If a key was there, the traceback so far is dropped too: its frames hold the response in local variables.
    """
    keys = tuple(keys)
    before = repr(error.args), repr(vars(error))
    error.args = hide_keys(error.args, keys)
    for name, value in vars(error).items():
        if isinstance(value, (str, bytes, dict, list)):
            setattr(error, name, hide_keys(cast('object', value), keys))
    if before != (repr(error.args), repr(vars(error))):
        error.__cause__ = None
        error.__suppress_context__ = True
        error.__traceback__ = None


def _hide(value: Any, key: str) -> Any:
    match value:
        case str():
            return value.replace(key, HIDDEN)
        case bytes():
            return value.replace(key.encode(), HIDDEN.encode())
        case list() | tuple():
            items = [_hide(item, key) for item in cast('Iterable[Any]', value)]
            return tuple(items) if isinstance(value, tuple) else items
        case dict():
            return {_hide(name, key): _hide(item, key) for name, item in cast('dict[Any, Any]', value).items()}  # type: ignore[redundant-cast]  # pyright needs it
        case _:
            return value
