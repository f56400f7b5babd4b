"""Checks of keys, addresses and HTTP clients. Each raises a `UserError` that names the parameter or the variable."""

from __future__ import annotations

import os
import re
from importlib import import_module
from typing import Any, Literal
from urllib.parse import urlsplit

from ..exceptions import UserError

__all__ = ('NO_KEY', 'check_http_client', 'check_key', 'check_url', 'hide_password', 'read_key')

NO_KEY = 'api-key-not-set'
"""The key sent to servers that need none: the clients of the vendors' SDKs cannot be made without a key."""


def read_key(api_key: str | None, *, variables: tuple[str, ...], provider: str) -> str:
    """Return `api_key`, or the first of the environment variables that is set. Raises a `UserError` if none is."""
    if api_key:
        return check_key(api_key, where='api_key=', provider=provider)
    for variable in variables:
        if value := os.environ.get(variable):
            return check_key(value, where=variable, provider=provider)
    names = ' or '.join(variables)
    problem = 'empty' if api_key == '' else 'missing'
    raise UserError(f'The key of {provider!r} is {problem}: set the environment variable {names}, or give api_key=')


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


def check_http_client(client: Any, *, library: Literal['httpx', 'httpx2'], package: str) -> Any:
    """Return the client if it is `None` or of the library that the SDK `package` uses. Raises a `UserError` if not."""
    if client is not None and not isinstance(client, import_module(library).AsyncClient):
        kind = f'{type(client).__module__.partition(".")[0]}.{type(client).__name__}'
        article = 'an' if kind[0] in 'aeiouh' else 'a'
        raise UserError(
            f'http_client= takes an {library}.AsyncClient, which the {package} package needs, not {article} {kind}'
        )
    return client


def check_url(url: str, *, where: str, provider: str) -> str:
    """Return the base URL if paths can be appended to it. Raises a `UserError` that describes the problem if not."""
    shown = hide_password(url)
    try:
        parts = urlsplit(url)
        reachable = parts.scheme in ('http', 'https') and bool(parts.hostname) and parts.port != 0 and ' ' not in url
    except ValueError as error:
        raise UserError(f'{where} of {provider!r} is {shown!r}, which is no address: {error}') from None
    if not (reachable and url.isprintable()):
        local = url.startswith(('localhost', '127.', '0.0.0.0', '192.168.', '10.'))
        example = f'http{"" if local else "s"}://{shown}' if '://' not in url else 'https://host/v1'
        raise UserError(f'{where} of {provider!r} is {shown!r}, which is no http address: write it like {example!r}')
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
