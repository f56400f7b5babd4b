"""What Google's two APIs share: a plain HTTP client, addresses, and the profiles of Google's models."""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import httpx2

from ..exceptions import UserError
from ..profiles import ModelProfile
from ..profiles.gemini import gemini_model_profile
from ..transport import Connection
from ..transport.http import Access, HTTPConnection
from ..transport.loops import LoopClients
from ..transport.pools import HttpClients
from ..transport.spread import spread_over_pools
from .credentials import check_url, hide_password
from .provider import Provider

if TYPE_CHECKING:
    import httpx

__all__ = ('GoogleProvider', 'read_address')

VERSION = re.compile(r'/v\d+\w*$')
"""What the address of an API may end in; the version of ours is added where it does not."""

TOO_LONG = (
    ('/models', 'the rest from there on is added to it'),
    ('/openai', 'that is where Google speaks the API of OpenAI, which OpenAIModel speaks too'),
)
"""What an address may not hold, and why."""


class GoogleProvider(Provider[Any]):
    """One of Google's APIs, over `httpx2` or `httpx`. Subclasses say how a request is authorized.

    Raises `UserError` where `http_client` is no `AsyncClient`.
    """

    def __init__(
        self, address: str, http_client: httpx2.AsyncClient | httpx.AsyncClient | None, *, can_renew: bool
    ) -> None:
        self._address = address
        self._client = _asynchronous(http_client) or spread_over_pools(
            httpx2.AsyncClient(timeout=httpx2.Timeout(600, connect=5))
        )
        clients = LoopClients[Any](self._client, HttpClients())
        self._connection = HTTPConnection(clients, self.access, provider_name=self.name, can_renew=can_renew)

    @abstractmethod
    async def access(self, model_name: str, *, refused: Access | None) -> Access:
        """Where to send, and with which credentials; `refused` is what the server did not take."""

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return hide_password(self._address)

    @property
    def client(self) -> Any:
        """The HTTP client."""
        return self._client

    @property
    def connection(self) -> Connection:
        """The client as a connection."""
        return self._connection

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What one of Google's models can do."""
        return gemini_model_profile(model_name)


def read_address(base_url: str | None, *, variable: str, version: str, provider: str) -> str | None:
    """The address that was given, or the one in the environment, with the API's version; `None` for neither.

    Raises `UserError` for one that requests cannot go below.
    """
    where, url = ('base_url=', base_url) if base_url is not None else (variable, os.environ.get(variable))
    if not url and base_url is None:
        return None
    url = check_url(url or '', where=where, provider=provider).rstrip('/')
    for part, reason in TOO_LONG:
        if re.search(f'{part}(/|$)', url):
            raise UserError(f'{where} of {provider!r} is {hide_password(url)!r}: leave out {part!r}, {reason}')
    return url if VERSION.search(url) else f'{url}/{version}'


def _asynchronous(client: Any) -> Any:
    if client is not None and not hasattr(client, 'aclose'):
        kind = f'{type(client).__module__.partition(".")[0]}.{type(client).__name__}'
        raise UserError(f'http_client= takes an httpx2.AsyncClient or an httpx.AsyncClient, not an {kind}')
    return client
