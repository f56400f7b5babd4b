"""One client per event loop, closed when its loop ends.

A connection belongs to the loop that opened it. `LoopClients` gives every loop a client of its own with the same
configuration; the first loop gets the original. When a loop ends, its connections are closed: `asyncio.run` closes every async
generator that is still open in its loop, so we keep one open whose `finally` closes the client. Loops that are closed without
that (a bare `loop.close()`) are found on the next use, and their sockets are closed without the loop.
"""

from __future__ import annotations

import asyncio
import atexit
import copy
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar, cast

__all__ = ('HttpClients', 'Kind', 'LoopClients', 'SdkClients')

Client = TypeVar('Client')


class Kind(Protocol[Client]):
    """What `LoopClients` must know about a kind of client."""

    def is_fresh(self, client: Client) -> bool:
        """Whether the client has no connection, which would belong to we do not know which loop."""
        ...

    def fork(self, client: Client) -> Client:
        """A client with the same configuration and no connection."""
        ...

    def release(self, client: Client) -> Awaitable[None]:
        """Close the connections, in their own loop. The client stays usable for the next loop."""
        ...

    def abandon(self, client: Client) -> None:
        """Close the sockets of a client whose loop is closed."""
        ...


class LoopClients(Generic[Client]):
    """The clients of one provider, one for each running loop."""

    def __init__(self, original: Client, kind: Kind[Client]) -> None:
        self._original = original
        self._kind = kind
        self._pristine = kind.fork(original)  # before its first use; every other loop's client is forked from it
        self._original_is_free = True
        self._clients: dict[asyncio.AbstractEventLoop, tuple[Client, AsyncGenerator[None]]] = {}
        self._lock = threading.Lock()
        _everyone.add(self)

    def get(self) -> Client:
        """The client of the running loop."""
        loop = asyncio.get_running_loop()
        entry = self._clients.get(loop)
        if entry is not None:
            return entry[0]
        with self._lock:
            self._forget_closed_loops()
            client = self._take()
            keeper = _keep_until_loop_ends(weakref.ref(self), loop, client, self._kind)
            self._clients[loop] = (client, keeper)
        _start(keeper)
        return client

    def _take(self) -> Client:
        if self._original_is_free and self._kind.is_fresh(self._original):
            self._original_is_free = False
            return self._original
        return self._kind.fork(self._pristine)

    async def aclose(self) -> None:
        """Close the connections of the running loop. Its next use opens new ones."""
        entry = self._clients.get(asyncio.get_running_loop())
        if entry is not None:
            await entry[1].aclose()

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop has ended and its connections are closed."""
        with self._lock:
            entry = self._clients.pop(loop, None)
            if entry is not None and entry[0] is self._original:
                self._original_is_free = True

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in self._clients if loop.is_closed()]:
            client, _ = self._clients.pop(loop)
            self._kind.abandon(client)
            if client is self._original:
                self._original_is_free = True

    def forget_closed_loops(self) -> None:
        """Close what belongs to loops that were closed without telling anyone."""
        with self._lock:
            self._forget_closed_loops()


_everyone: weakref.WeakSet[LoopClients[Any]] = weakref.WeakSet()


@atexit.register
def _forget_at_exit() -> None:
    for clients in list(_everyone):
        clients.forget_closed_loops()


async def _keep_until_loop_ends(
    owner: weakref.ref[LoopClients[Client]], loop: asyncio.AbstractEventLoop, client: Client, kind: Kind[Client]
) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await kind.release(client)
        clients = owner()
        if clients is not None:
            clients.forget(loop)


def _start(generator: AsyncGenerator[None]) -> None:
    """Run an async generator to its first `yield`, which awaits nothing. This registers it with the running loop."""
    with suppress(StopIteration):
        generator.asend(None).send(None)


# ---------------------------------------------------------------------- httpx2, httpx and aiohttp under them


class HttpClients:
    """An `httpx2.AsyncClient` or `httpx.AsyncClient`, with any transport.

    A transport that holds a connection pool is copied with an empty pool. One that holds none (`MockTransport`,
    `ASGITransport`, the user's own) is shared.
    """

    def is_fresh(self, client: Any) -> bool:
        return all(is_fresh_transport(transport) for transport in transports(client))

    def fork(self, client: Any) -> Any:
        twin = copy.copy(client)
        twin._transport = fork_transport(client._transport)
        twin._mounts = {pattern: fork_transport(transport) for pattern, transport in client._mounts.items()}
        return twin

    async def release(self, client: Any) -> None:
        for transport in transports(client):
            await release_transport(transport)

    def abandon(self, client: Any) -> None:
        for transport in transports(client):
            abandon_transport(transport)


class SdkClients:
    """A client of an SDK made by Stainless: `AsyncOpenAI`, `AsyncAzureOpenAI`, `AsyncAnthropic`, `AsyncGroq`, ..."""

    _http = HttpClients()

    def is_fresh(self, client: Any) -> bool:
        return self._http.is_fresh(client._client)

    def fork(self, client: Any) -> Any:
        return client.copy(http_client=self._http.fork(client._client))

    async def release(self, client: Any) -> None:
        await self._http.release(client._client)

    def abandon(self, client: Any) -> None:
        self._http.abandon(client._client)


def transports(http_client: Any) -> Iterator[Any]:
    yield http_client._transport
    yield from (transport for transport in http_client._mounts.values() if transport is not None)


def _nested(transport: Any) -> Iterator[tuple[str, Any]]:
    """The transports inside a transport: those that retry, record or measure wrap another one."""
    for name, value in attributes(transport).items():
        if callable(getattr(value, 'handle_async_request', None)) and name != '_pool':
            yield name, value


def attributes(value: object) -> Mapping[str, Any]:
    return cast('dict[str, Any]', getattr(value, '__dict__', {}))


def _pool(transport: Any) -> Any:
    """The connection pool of an httpx or httpx2 transport, or None."""
    pool = attributes(transport).get('_pool')
    return pool if hasattr(pool, '_connections') else None


def _empty_pool(pool: Any) -> Any:
    twin = copy.copy(pool)
    twin._connections = []
    twin._requests = []
    return twin


def _is_aiohttp(transport: Any) -> bool:
    return 'client' in attributes(transport) and hasattr(transport, 'get_client')


def is_fresh_transport(transport: Any) -> bool:
    pool = _pool(transport)
    if pool is not None and pool._connections:
        return False
    if _is_aiohttp(transport) and hasattr(transport.client, 'closed'):
        return False
    return all(is_fresh_transport(inner) for _, inner in _nested(transport))


def fork_transport(transport: Any) -> Any:
    """A transport of the same configuration without connections; the same one if it holds none."""
    pool = _pool(transport)
    nested = {name: fork_transport(inner) for name, inner in _nested(transport)}
    if pool is not None:
        nested['_pool'] = _empty_pool(pool)
    elif _is_aiohttp(transport) and hasattr(transport.client, 'closed'):
        nested['client'] = None  # an open session: the next one is made from the transport's own configuration
    changed = {name: value for name, value in nested.items() if value is not attributes(transport)[name]}
    if not changed and not _is_aiohttp(transport):
        return transport
    twin = copy.copy(transport)
    for name, value in changed.items():
        setattr(twin, name, value)
    return twin


async def release_transport(transport: Any) -> None:
    """Close the connections of a transport, which stays usable."""
    pool = _pool(transport)
    if pool is not None:
        transport._pool = _empty_pool(pool)  # streams that are still open keep the old one, and leave it in peace
        await pool.aclose()
    elif _is_aiohttp(transport) and hasattr(transport.client, 'closed'):
        session, transport.client = transport.client, None
        await session.close()
    for _, inner in _nested(transport):
        await release_transport(inner)


def abandon_transport(transport: Any) -> None:
    """Close the sockets of a transport whose loop is closed."""
    pool = _pool(transport)
    if pool is not None:
        transport._pool = _empty_pool(pool)
        for connection in pool._connections:
            close_sockets(connection)
        pool._connections = []
    elif _is_aiohttp(transport) and hasattr(transport.client, 'closed'):
        session, transport.client = transport.client, None
        connector = session.connector
        for waiting in list(connector._conns.values()):
            for protocol, *_ in waiting:
                close_sockets(protocol)
        session.detach()
        connector._conns.clear()
        connector._closed = True
    for _, inner in _nested(transport):
        abandon_transport(inner)


def close_sockets(holder: Any, depth: int = 6) -> None:
    """Find the asyncio transports under a connection and close their sockets without their loop."""
    if isinstance(holder, asyncio.BaseTransport):
        _close_without_loop(holder)
        return
    names = (
        '_connection',
        '_network_stream',
        '_stream',
        'transport_stream',
        'transport',
        '_transport',
        '_ssl_protocol',
    )
    for name in names:
        inner = getattr(holder, name, None)
        if inner is not None and depth:
            close_sockets(inner, depth - 1)


def _close_without_loop(transport: Any) -> None:
    inner = getattr(getattr(transport, '_ssl_protocol', None), '_transport', None)
    if inner is not None:  # TLS of asyncio's own: the socket is one transport further down
        transport._closed = True
        _close_without_loop(inner)
        return
    with suppress(Exception):
        transport.abort()  # RuntimeError: its loop is closed
    with suppress(Exception):
        transport._call_connection_lost(None)
