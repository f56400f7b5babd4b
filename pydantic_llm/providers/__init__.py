"""Who and where: credentials, base URLs and connections. A fact that changes with the URL or the key has its home here.

A provider owns the vendor's own client, or takes yours. `registry` holds one row for each OpenAI-compatible service.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from importlib import import_module
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from ..exceptions import UserError
from ..profiles import ModelProfile
from ..transport import Connection

__all__ = (
    'Provider',
    'check_http_client',
    'check_key',
    'check_url',
    'choose_provider',
    'hide_password',
    'infer_provider',
    'infer_provider_class',
    'read_key',
)

Client = TypeVar('Client')


class Provider(ABC, Generic[Client]):
    """Who is asked, where, and through which client."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The provider's name; parts of an answer carry it."""

    @property
    @abstractmethod
    def base_url(self) -> str:
        """Where requests go."""

    @property
    @abstractmethod
    def client(self) -> Client:
        """The vendor's own client, as it was made or given. It holds the credentials."""

    @property
    @abstractmethod
    def connection(self) -> Connection:
        """The way that bytes travel: the client, one for each event loop."""

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What a model of this provider's can do; `None` where that is not known. Overridden where it is."""
        return None

    async def aclose(self) -> None:
        """Close what is open in the running event loop."""
        await self.connection.aclose()

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name={self.name!r}, base_url={self.base_url!r})'


def read_key(api_key: str | None, *, variables: tuple[str, ...], provider: str) -> str:
    """The key that was given, or the one in the environment. Raises a `UserError` that names both if there is none."""
    if api_key:
        return check_key(api_key, where='api_key=', provider=provider)
    for variable in variables:
        if value := os.environ.get(variable):
            return check_key(value, where=variable, provider=provider)
    said = ' or '.join(variables)
    given = 'empty' if api_key == '' else 'missing'
    raise UserError(f'The key of {provider!r} is {given}: set the environment variable {said}, or give api_key=')


def check_key(key: str, *, where: str, provider: str) -> str:
    """The key, if a header can carry it. The `UserError` that is raised where none can does not show it."""
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
    """The client, if it is one of the library that an SDK is built on, or none. Raises a `UserError` for any other."""
    if client is not None and not isinstance(client, import_module(library).AsyncClient):
        kind = f'{type(client).__module__.partition(".")[0]}.{type(client).__name__}'
        article = 'an' if kind[0] in 'aeiouh' else 'a'
        raise UserError(
            f'http_client= takes an {library}.AsyncClient, which the {package} package needs, not {article} {kind}'
        )
    return client


def check_url(url: str, *, where: str, provider: str) -> str:
    """The address, if requests can go below it. Raises a `UserError` that says what is wrong with it."""
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
    """The address without the name and the password that may stand before its host."""
    return re.sub(r'//[^/@?#]*@', '//', url)


def infer_provider_class(name: str) -> type[Provider[Any]]:
    """The class of the provider with this name. Raises `UserError` with the nearest names where there is none."""
    from .registry import provider_class

    return provider_class(name)


def choose_provider(provider: Provider[Any] | str, api_key: str | None) -> Provider[Any]:
    """The provider that a model is given, by value or by name; `api_key` goes to the one that is named."""
    if not isinstance(provider, Provider):
        return infer_provider_class(provider)(**({} if api_key is None else {'api_key': api_key}))
    if api_key is not None:
        raise UserError('api_key= and a ready provider= do not go together: give the key to the provider')
    return provider


def infer_provider(name: str) -> Provider[Any]:
    """The provider with this name, with its key from the environment."""
    return infer_provider_class(name)()
