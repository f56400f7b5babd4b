"""Reads and checks keys, URLs and clients. Each `UserError` names the parameter or the environment variable."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Literal, cast, overload
from urllib.parse import urlsplit

from ..exceptions import UserError
from ..transport.called_keys import ApiKey, CalledKey

__all__ = (
    'NO_KEY',
    'MissingVariableError',
    'check_alone',
    'check_any_http_client',
    'check_client',
    'check_http_client',
    'check_key',
    'check_url',
    'find_value',
    'hide_password',
    'make_called_key',
    'read_key',
    'read_url',
    'read_variable',
)


class MissingVariableError(UserError):
    """Raised if a key or an address is neither given nor in the environment. An agent defers it to its first run."""


NO_KEY = 'api-key-not-set'
"""The key sent to servers that need none: the clients of the vendors' SDKs cannot be made without a key."""


def find_value(value: str | None, variables: Sequence[str], *, parameter: str) -> tuple[str, str | None]:
    """Return where a value comes from, and the value: from `parameter`, or from the first variable that is set."""
    if value is not None and not isinstance(cast('object', value), str):
        raise UserError(f'{parameter} takes text, not an object of type {type(value).__name__!r}')
    if value is None:
        variable = next((variable for variable in variables if os.environ.get(variable)), None)
        if variable is not None:
            return variable, os.environ[variable]
    return parameter, value


def read_variable(variables: Sequence[str]) -> str | None:
    """Return the value of the first of the environment variables that is set."""
    return find_value(None, variables, parameter='')[1]


@overload
def read_key(api_key: str | None, *, variables: Sequence[str], provider: str, needed: bool = True) -> str: ...
@overload
def read_key(
    api_key: ApiKey | None, *, variables: Sequence[str], provider: str, needed: bool = True
) -> str | CalledKey: ...
def read_key(
    api_key: ApiKey | None, *, variables: Sequence[str], provider: str, needed: bool = True
) -> str | CalledKey:
    """Return `api_key`, or the first of the environment variables that is set.

    If none is, raises a `UserError`, or returns `NO_KEY` if no key is `needed`.
    """
    if callable(api_key):
        return make_called_key(api_key, provider=provider)
    where, key = find_value(api_key or None, variables, parameter='api_key=')
    if key:
        return check_key(key, where=where, provider=provider)
    if not needed:
        return NO_KEY
    names = ' or '.join(variables)
    problem = 'empty' if api_key == '' else 'missing'
    raise MissingVariableError(
        f'The key of {provider!r} is {problem}: set the environment variable {names}, or give api_key='
    )


def make_called_key(function: Callable[[], object], *, provider: str, parameter: str = 'api_key=') -> CalledKey:
    """Return the key that a function returns for each request, checked as a fixed one is."""
    if isinstance(function, type):
        raise UserError(f'{parameter} takes a key or a function that returns it, not the class {function.__name__}')
    return CalledKey(function, partial(check_key, where=f'the function of {parameter}', provider=provider), parameter)


def check_key(key: str, *, where: str, provider: str) -> str:
    """Return the key if an HTTP header can carry it. The `UserError` for any other key does not show the key."""
    position = next((index for index, character in enumerate(key) if not '!' <= character <= '~'), None)
    if position is None:
        return key
    kinds = {'\n': 'a line break', '\r': 'a line break', ' ': 'a space', '\t': 'a tab'}
    kind = kinds.get(key[position], 'a character that is not printable ASCII')
    raise UserError(
        f'The key of {provider!r} in {where} cannot be sent: character {position + 1} of {len(key)} is {kind}. '
        'Give the key alone, without what may have been copied around it'
    )


def read_url(
    base_url: str | None, *, variables: Sequence[str], provider: str, drop: tuple[str, ...] = ()
) -> str | None:
    """Return `base_url`, or the first of the environment variables that is set; `None` if none is.

    The paths `drop` are removed from its end, since the paths of requests begin with them. Raises a `UserError` for an
    invalid URL.
    """
    where, url = find_value(base_url, variables, parameter='base_url=')
    if url is None:
        return None
    url = check_url(url, where=where, provider=provider)
    for path in drop:
        url = url.rstrip('/').removesuffix(path)
    return url


def check_alone(parameter: str, *others: object) -> None:
    """Raise a `UserError` if any of the other parameters is given together with a ready client."""
    if any(other is not None for other in others):
        raise UserError(f'{parameter} brings its own key, URL and connection: give nothing else with it')


def check_client(client: Any, kind: type, *, expected: str) -> Any:
    """Return a ready client if it is of the kind, which `expected` describes. Raises a `UserError` if not."""
    if not isinstance(client, kind):
        raise UserError(f'{expected}, not an object of type {type(client).__name__!r}')
    return client


def check_http_client(client: Any, *, library: Literal['httpx', 'httpx2'], package: str) -> Any:
    """Return the client if it is `None` or of the library that the SDK `package` uses. Raises a `UserError` if not."""
    if client is not None and not isinstance(client, import_module(library).AsyncClient):
        kind = _describe_kind(client)
        article = 'an' if kind[0] in 'aeiouh' else 'a'
        raise UserError(
            f'http_client= takes an {library}.AsyncClient, which the {package} package needs, not {article} {kind}'
        )
    return client


def check_any_http_client(client: Any) -> Any:
    """Return the client if it is `None` or asynchronous, of `httpx2` or `httpx`. Raises a `UserError` if not."""
    if client is not None and not hasattr(client, 'aclose'):
        kind = _describe_kind(client)
        raise UserError(f'http_client= takes an httpx2.AsyncClient or an httpx.AsyncClient, not an object of {kind}')
    return client


def _describe_kind(client: Any) -> str:
    """Return the package and the class of an object: 'httpx.Client'."""
    return f'{type(client).__module__.partition(".")[0]}.{type(client).__name__}'


def check_url(url: str, *, where: str, provider: str) -> str:
    """Return the base URL if paths can be appended to it. Raises a `UserError` that describes the problem if not."""
    shown = hide_password(url)
    try:
        parts = urlsplit(url)
        reachable = parts.scheme in ('http', 'https') and bool(parts.hostname) and parts.port != 0 and ' ' not in url
    except ValueError as error:
        raise UserError(f'{where} of {provider!r} is {shown!r}, which is not a valid URL: {error}') from None
    if not (reachable and url.isprintable()):
        local = url.startswith(('localhost', '127.', '0.0.0.0', '192.168.', '10.'))
        example = f'http{"" if local else "s"}://{shown}' if '://' not in url else 'https://host/v1'
        raise UserError(f'{where} of {provider!r} is {shown!r}, which is not a valid URL: write it like {example!r}')
    if parts.query or parts.fragment:
        raise UserError(
            f"{where} of {provider!r} is {shown!r}: paths are added at its end, so it can hold no '?' or '#'. Give a "
            'query to a client of your own, as its default_query='
        )
    if parts.path.endswith('/chat/completions'):
        raise UserError(f"{where} of {provider!r} is {shown!r}: leave out '/chat/completions', which is added to it")
    return url


def hide_password(url: str) -> str:
    """Return the URL without the user name and password that may precede its host."""
    return re.sub(r'//[^/@?#]*@', '//', url)
