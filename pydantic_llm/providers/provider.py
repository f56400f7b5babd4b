"""`Provider`, the base class, `ClientProvider` and `SDKProvider`, the bases of our own, and connections.

`SDKProvider` sends through a connection of its own unless it is given the client of the vendor's SDK. `choose_client`
makes the HTTP client of that connection, and `connect` the connection through any client.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any, ClassVar, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from ..exceptions import UserError
from ..profiles import ModelProfile
from ..transport import Connection
from ..transport.clients import CONNECT_TIMEOUT, READ_TIMEOUT, make_client
from ..transport.http import Access, AccessSource, HTTPConnection, make_fixed_access
from ..transport.loops import ClientOperations, LoopClients
from ..transport.pools import HttpClients, SdkClients
from ..transport.sdk import SDKConnection
from .credentials import check_any_http_client, hide_password

__all__ = ('ClientProvider', 'Provider', 'SDKProvider', 'choose_client', 'connect')

Client = TypeVar('Client')

HTTP_LIBRARIES = ('httpx2', 'httpx')


class Provider(ABC, Generic[Client]):
    """A server with its base URL, its credentials and the client that sends requests to it.

    A subclass needs `name`, `base_url` and `client`.
    """

    has_batches: bool = True
    """False if this server does not run batches, though others with the same API do."""
    url_parameter: ClassVar[str] = 'base_url'
    """The parameter of the class that takes the URL of the server."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The provider's name, as the parts of a response carry it."""

    @property
    @abstractmethod
    def base_url(self) -> str:
        """The URL that the paths of requests are appended to."""

    @property
    @abstractmethod
    def client(self) -> Client:
        """The client that sends requests, with its credentials: usually that of the vendor's own package."""

    @property
    def connection(self) -> Connection:
        """The connection through `client`, with one client for each event loop.

        `client` must be the asynchronous client of an SDK like OpenAI's (`AsyncOpenAI`, `AsyncAnthropic`, `AsyncGroq`
        or a subclass), or an `httpx2.AsyncClient` or `httpx.AsyncClient` whose headers hold the credentials. Override
        this property for any other client.
        """
        connection: Connection | None = vars(self).get('_connection')
        return connection or vars(self).setdefault('_connection', connect(self))

    @property
    def default_headers(self) -> Mapping[str, Any]:
        """The headers of every request, as far as `client` holds them."""
        client: Any = self.client
        return getattr(client, 'default_headers', None) or getattr(client, 'headers', {})  # of an SDK, or of httpx

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """Return what a model of this provider supports, or `None` if that is not known."""
        return None

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self.connection.aclose()

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name={self.name!r}, base_url={self.base_url!r})'


class ClientProvider(Provider[Client]):
    """A provider that has its client in `_client`, and the connection through it in `_connection`."""

    _client: Client

    @property
    def base_url(self) -> str:
        client: Any = self._client
        return hide_password(str(client.base_url))

    @property
    def client(self) -> Client:
        return self._client


class SDKProvider(ClientProvider[Client]):
    """A provider of a vendor that has an SDK.

    Requests go through a connection of our own (`_use_access`), or through a client of the SDK that the provider is
    given (`_use_client`).
    """

    _access: Access | None = None
    _shown: tuple[Access, str] | None = None
    _make_client: Callable[[], Client]

    @property
    def client(self) -> Client:
        """The client of the vendor's SDK.

        Without one that was given, it is made when it is first read, with the same key and URL and with network
        connections of its own. Raises a `UserError` if the SDK is not installed, or if a function returns the key.
        """
        client: Client | None = vars(self).get('_client')
        if client is None and self._access is not None and self._access.key_header is not None:
            raise UserError(
                f'{type(self).__name__}.client needs a key, and api_key= is a function: make a client of it'
            )
        return vars(self).setdefault('_client', self._make_client()) if client is None else client

    @property
    def base_url(self) -> str:
        access = self._access
        if access is None:
            return super().base_url
        if self._shown is None or self._shown[0] is not access:
            url = hide_password(access.base_url)
            self._shown = access, f'{url}/' if urlsplit(url).path else url  # as the SDKs write it
        return self._shown[1]

    @property
    def default_headers(self) -> Mapping[str, Any]:
        return super().default_headers if self._access is None else self._access.headers

    def _use_access(
        self,
        access: Access,
        http_client: Any,
        make_client: Callable[[], Client],
        *,
        source: AccessSource | None = None,
        connection: Callable[..., HTTPConnection] = HTTPConnection,
        read_timeout: float = READ_TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
        **options: bool,
    ) -> None:
        """Send through `http_client`, or through a client of our own, with `access` or with what `source` returns.

        `options` are those of `HTTPConnection`. Redirects to the same host are followed, unless they say otherwise.
        """
        client, operations = choose_client(http_client, read_timeout=read_timeout, connect_timeout=connect_timeout)
        self._access, self._make_client = access, make_client
        self._connection: Connection = connection(
            LoopClients[Any](client, operations),
            source or make_fixed_access(access),
            provider_name=self.name,
            default_timeout=(read_timeout, connect_timeout),
            **{'follow_redirects': True, **options},
        )

    def _use_client(self, client: Client, connection: Connection) -> None:
        """Send through the client of the SDK, with a connection through it."""
        self._client = client
        self._connection = connection


def choose_client(
    http_client: Any, *, read_timeout: float = READ_TIMEOUT, connect_timeout: float = CONNECT_TIMEOUT
) -> tuple[Any, ClientOperations[Any]]:
    """Return the client for `HTTPConnection`, with the operations on it: the given client, or one of our own.

    Raises a `UserError` if `http_client` is not an asynchronous client of `httpx2` or `httpx`.
    """
    if check_any_http_client(http_client) is not None:
        return http_client, HttpClients()
    return make_client(read_timeout=read_timeout, connect_timeout=connect_timeout)


def connect(provider: Provider[Any]) -> Connection:
    """Return a connection through the provider's client. Raises a `UserError` for a client of an unknown kind."""

    async def access(model_name: str, *, refused: Access | None) -> Access:
        return Access(provider.base_url.rstrip('/'))  # the client's own headers hold the credentials

    client = provider.client
    packages = dict.fromkeys(kind.__module__.partition('.')[0] for kind in type(client).__mro__)
    sdk = next((module for name in packages if _is_sdk(module := sys.modules.get(name))), None)
    if sdk is not None and iscoroutinefunction(getattr(client, 'post', None)):
        clients = LoopClients[Any](client, SdkClients())
        return SDKConnection(clients, sdk, provider_name=provider.name, http=_find_http_library(sdk))
    if not packages.keys().isdisjoint(HTTP_LIBRARIES) and hasattr(client, 'aclose'):
        return HTTPConnection(LoopClients[Any](client, HttpClients()), access, provider_name=provider.name)
    raise UserError(
        f'{type(provider).__name__}.client is an object of type {type(client).__name__!r}: return the asynchronous '
        'client of an SDK like AsyncOpenAI, an httpx2.AsyncClient or an httpx.AsyncClient, or override `connection`'
    )


def _is_sdk(module: ModuleType | None) -> bool:
    """Return whether a module is an SDK generated by Stainless, as those of OpenAI, Anthropic and Groq are."""
    return all(hasattr(module, name) for name in ('APIStatusError', 'APITimeoutError', 'APIConnectionError'))


def _find_http_library(sdk: ModuleType) -> Literal['httpx', 'httpx2']:
    httpx = sys.modules.get('httpx')
    return 'httpx' if httpx is not None and sdk.Timeout is httpx.Timeout else 'httpx2'
