"""Sends with aiohttp: `AiohttpClient`, and `AiohttpClients`, the operations on it for `LoopClients`.

A request costs about a quarter of the CPU time that it costs with httpx2, and the same bytes reach the server. aiohttp
sends, receives and keeps connections. The URL, the headers, proxies and certificates are prepared as httpx2 does it
(`outgoing`, `proxies`). Reading order: `AiohttpClient.send_once`, `_Connector`, `_Response`.
"""

from __future__ import annotations

import asyncio
import copy
import io
import socket
import ssl
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import cached_property, lru_cache, partial
from math import inf
from typing import Any

import aiohttp
import httpx2
from multidict import CIMultiDictProxy
from yarl import URL

from .file_body import FileBody
from .outgoing import OutgoingRequest, Target
from .own_client import OwnClient, OwnResponse
from .pools import abandon_session
from .proxies import Proxies

__all__ = ('AiohttpClient', 'AiohttpClients')

KEEPALIVE_EXPIRY = 5.0
"""Seconds that an idle connection is kept open, as in httpx2. Servers keep idle connections longer."""

MAX_HEAD = 100 * 1024
"""The number of bytes of a line in the head of a response, and of its lines. httpx2 allows a head of this size."""

LARGE_BODY = 2**20
"""Bytes above which aiohttp wants a body as a file, to write it in pieces, and warns about `bytes`."""

IDLE = 0.05
"""Seconds without a request after which the event loop may not have noticed that a server has closed a connection."""

SocketOption = tuple[int, int, int]


_opened: ContextVar[list[asyncio.Transport]] = ContextVar('pydantic_llm_opened')
"""The asyncio transports of the request that is being sent. aiohttp hides them if the request fails."""


class AiohttpClient(OwnClient):
    """A client of aiohttp. It opens its session, which belongs to one event loop, at the first request."""

    def __init__(
        self, *, timeout: httpx2.Timeout, user_agent: str, proxies: Proxies, socket_options: Iterable[SocketOption] = ()
    ) -> None:
        super().__init__(timeout=timeout, user_agent=user_agent)
        self._socket_options = tuple(socket_options)
        self._routes = _Routes(proxies)
        self._session: aiohttp.ClientSession | None = None
        self._finalizer: weakref.finalize[..., AiohttpClient] | None = None
        self._last_request = inf

    async def send_once(self, request: OutgoingRequest, *, connect_timeout: float | None) -> OwnResponse:
        await self._notice_closed_connections()
        opened: list[asyncio.Transport] = []
        token = _opened.set(opened)
        try:
            response = await self._request(request, connect_timeout)
        except aiohttp.ClientError as error:
            _abort(opened)
            failure = _prepare_error(error, request)
        except BaseException:
            _abort(opened)
            raise
        else:
            return _Response(request, response, opened)
        finally:
            _opened.reset(token)
        raise failure  # here, because aiohttp's own error, which may hold the headers, would be its context

    @property
    def is_fresh(self) -> bool:
        """True if the client has no session, and so no connection."""
        return self._session is None

    def fork(self) -> AiohttpClient:
        """Return a client with the same configuration and no session."""
        twin = copy.copy(self)
        twin._session = twin._finalizer = None
        return twin

    async def release(self) -> None:
        """Close the connections. The next request opens a new session."""
        session, self._session = self._session, None
        if session is not None and self._finalizer is not None:
            self._finalizer.detach()
            await session.close()

    def abandon(self) -> None:
        """Close the sockets of a client whose loop is closed."""
        self._session = None
        if self._finalizer is not None:
            self._finalizer()

    async def _request(self, request: OutgoingRequest, connect_timeout: float | None) -> aiohttp.ClientResponse:
        session = self._session or self._open_session()
        return await session.request(
            request.method,
            _parse_url(request.target.url),
            headers=request.fields,
            data=_make_payload(request.body),
            timeout=_make_timeout(connect_timeout),
            allow_redirects=False,
            **self._routes.find(request.target),
        )

    def _open_session(self) -> aiohttp.ClientSession:
        connector = _Connector(
            limit=0,
            keepalive_timeout=KEEPALIVE_EXPIRY,
            resolver=aiohttp.ThreadedResolver(),  # the system's, as in httpx2, also if `aiodns` is installed
            socket_factory=partial(_open_socket, options=self._socket_options),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=MAX_HEAD,
            max_field_size=MAX_HEAD,
            max_headers=MAX_HEAD,
        )
        # A session that is not closed complains when it is collected. This also runs at the end of the process.
        self._finalizer = weakref.finalize(self, abandon_session, self._session)
        return self._session

    async def _notice_closed_connections(self) -> None:
        """Let the event loop read what has arrived while it was busy or stopped: perhaps the end of a connection.

        httpx2 looks at the socket instead. Reading takes one turn of the loop, and being called before this again a
        second one.
        """
        now = asyncio.get_running_loop().time()
        is_idle, self._last_request = now > self._last_request + IDLE, now
        if is_idle:
            await asyncio.sleep(0)
            await asyncio.sleep(0)


class AiohttpClients:
    """The operations on `AiohttpClient` for `LoopClients`."""

    def is_fresh(self, client: AiohttpClient) -> bool:
        return client.is_fresh

    def fork(self, client: AiohttpClient) -> AiohttpClient:
        return client.fork()

    async def release(self, client: AiohttpClient) -> None:
        await client.release()

    def abandon(self, client: AiohttpClient) -> None:
        client.abandon()


def _make_payload(body: bytes | FileBody) -> Any:
    """Return the body in a form that aiohttp sends piece by piece if it is large."""
    if isinstance(body, FileBody):
        return aiter(body)
    return io.BytesIO(body) if len(body) > LARGE_BODY else body or None


class _Routes:
    """The proxy and the certificates for each host, as arguments of aiohttp's `request`."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies
        self._found: dict[str, dict[str, Any]] = {}

    def find(self, target: Target) -> dict[str, Any]:
        """Return the arguments for a target. They depend on its scheme, host and port."""
        origin = f'{target.parsed.scheme}://{target.host}'
        if origin not in self._found:
            proxy = self._proxies.find(target.parsed)
            has_tls = target.parsed.scheme == 'https' or (proxy or '').lower().startswith('https')
            self._found[origin] = {'proxy': proxy, 'ssl': self._tls_context if has_tls else True}
        return self._found[origin]

    @cached_property
    def _tls_context(self) -> ssl.SSLContext:
        """The certificates that httpx2 trusts, read at the first request that needs them."""
        context = httpx2.create_ssl_context()
        context.set_alpn_protocols(['http/1.1'])
        return context


class _Connector(aiohttp.TCPConnector):
    """Reports the transport of each connection to `AiohttpClient.send_once`."""

    async def connect(self, *args: Any, **options: Any) -> Any:
        connection = await super().connect(*args, **options)
        if connection.transport is not None:
            _opened.get().append(connection.transport)
        return connection


def _abort(transports: Iterable[asyncio.Transport]) -> None:
    """Close connections at once. aiohttp closes them when the server has read all, or has agreed to end TLS."""
    for transport in transports:
        transport.abort()


def _prepare_error(error: aiohttp.ClientError, request: OutgoingRequest) -> aiohttp.ClientError:
    """Return the error with the request, whose address a message shows, and without headers, which hold the key."""
    if isinstance(error, aiohttp.ClientResponseError):  # a response that is not HTTP, or the refusal of a proxy
        error = aiohttp.ClientConnectionError(f'{error.status}, {error.message}')
    vars(error)['request'] = request
    return error


def _open_socket(address: tuple[Any, ...], *, options: Iterable[SocketOption]) -> socket.socket:
    """Return a socket for an entry of `getaddrinfo`."""
    family, kind, protocol, *_ = address
    opened = socket.socket(family, kind, protocol)
    for option in options:
        opened.setsockopt(*option)
    return opened


@lru_cache(maxsize=256)
def _parse_url(url: str) -> URL:
    return URL(url, encoded=True)


@lru_cache(maxsize=16)
def _make_timeout(connect: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(connect=connect, ceil_threshold=inf)


class _Response(OwnResponse):
    def __init__(
        self, request: OutgoingRequest, response: aiohttp.ClientResponse, transports: Sequence[asyncio.Transport]
    ) -> None:
        super().__init__(request, response.status, JoinedHeaders(response.headers), _Chunks(response.content))
        self._response = response
        self._transports = transports

    @property
    def is_closed(self) -> bool:
        return self._response.connection is None

    async def aclose(self) -> None:
        if not self.is_closed:
            _abort(self._transports)
            self._response.close()


class _Chunks:
    """The chunks of a body as they arrive."""

    __slots__ = ('_content', '_taken')

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content
        self._taken = 0  # the number of bytes

    def take(self) -> bytes:
        """Return the bytes that have arrived, without waiting; empty before the first, or if the connection broke."""
        content = self._content
        if content.total_bytes <= self._taken or content.exception() is not None:
            return b''
        self._taken = content.total_bytes
        return content.read_nowait()

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._content.readany()
        except Exception:
            content: Any = self._content
            chunk = content._read_nowait(-1)  # what arrived before the connection broke; aiohttp drops it
            if not chunk:
                raise
        if not chunk:
            raise StopAsyncIteration
        self._taken += len(chunk)
        return chunk


class JoinedHeaders(Mapping[str, str]):
    """The headers of a response, as httpx2 shows them: names in lower case, values of the same name joined."""

    __slots__ = ('_headers',)

    def __init__(self, headers: CIMultiDictProxy[str]) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        return ', '.join(map(_decode_header, self._headers.getall(name)))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name in self._headers))

    def __len__(self) -> int:
        return len(dict.fromkeys(name.lower() for name in self._headers))

    def __contains__(self, name: object) -> bool:
        return name in self._headers


def _decode_header(value: str) -> str:
    """Return a value in Latin-1 as text. aiohttp decodes values as UTF-8, with surrogates for invalid bytes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode('utf-8', 'surrogateescape').decode('latin-1')
    return value
