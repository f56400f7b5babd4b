"""Who and where: credentials, base URLs and connections. A fact that changes with the URL or the key has its home here.

A provider owns the vendor's own client, or takes yours. `registry` holds one row for each OpenAI-compatible service.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from ..exceptions import UserError
from ..profiles import ModelProfile
from ..transport import Connection

__all__ = ('Provider', 'infer_provider', 'infer_provider_class', 'read_key')

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
    """The key that was given, or the one in the environment. Raises a `UserError` that names both where there is none."""
    if api_key:
        return api_key
    for variable in variables:
        if value := os.environ.get(variable):
            return value
    said = ' or '.join(variables)
    given = 'empty' if api_key == '' else 'missing'
    raise UserError(f'The key of {provider!r} is {given}: set the environment variable {said}, or give api_key=')


def infer_provider_class(name: str) -> type[Provider[Any]]:
    """The class of the provider with this name. Raises `UserError` with the nearest names where there is none."""
    from .registry import provider_class

    return provider_class(name)


def infer_provider(name: str) -> Provider[Any]:
    """The provider with this name, with its key from the environment."""
    return infer_provider_class(name)()
