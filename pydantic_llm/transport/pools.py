"""The connections inside a client: where `httpx2`, `httpx` and `aiohttp` keep them, how to copy a client without them,
and how to close them. Start at `SdkClients`; below it come http clients, their transports, and last the sockets.

None of this is public in those libraries, which is why everything here is `Any`: `tests/faults/test_loops.py` runs
each kind of client through it, and would see a change.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any, cast

__all__ = ('HttpClients', 'SdkClients', 'fork_transport', 'pool_of')

PATHS_TO_A_SOCKET = (
    '_connection',
    '_network_stream',
    '_stream',
    'transport_stream',
    'transport',
    '_transport',
    '_ssl_protocol',
)
"""Attributes that lead from a connection down to asyncio's transport."""

DEPTH = 6
"""How many of these attributes may stand in a row."""


class SdkClients:
    """A client of an SDK made by Stainless: `AsyncOpenAI`, `AsyncAzureOpenAI`, `AsyncAnthropic`, `AsyncGroq`, ..."""

    _http: HttpClients

    def __init__(self) -> None:
        self._http = HttpClients()

    def is_fresh(self, client: Any) -> bool:
        """Whether the client has no connection."""
        return self._http.is_fresh(client._client)

    def fork(self, client: Any) -> Any:
        """A client with the same configuration and no connection."""
        http_client = self._http.fork(client._client)
        try:
            return client.copy(http_client=http_client)
        except TypeError:  # a subclass whose constructor takes other arguments than the SDK's
            twin = copy.copy(client)
            twin._client = http_client
            return twin

    async def release(self, client: Any) -> None:
        """Close the connections, in their own loop. The client stays usable."""
        await self._http.release(client._client)

    def abandon(self, client: Any) -> None:
        """Close the sockets of a client whose loop is closed."""
        self._http.abandon(client._client)


class HttpClients:
    """An `httpx2.AsyncClient` or `httpx.AsyncClient`, with any transport.

    A transport that holds a connection pool is copied with an empty pool. One that holds none (`MockTransport`,
    `ASGITransport`, the user's own) is shared.
    """

    def is_fresh(self, client: Any) -> bool:
        """Whether the client has no connection."""
        return all(_is_fresh(transport) for transport in _transports(client))

    def fork(self, client: Any) -> Any:
        """A client with the same configuration and no connection."""
        twin = copy.copy(client)
        twin._transport = fork_transport(client._transport)
        twin._mounts = {pattern: fork_transport(transport) for pattern, transport in client._mounts.items()}
        return twin

    async def release(self, client: Any) -> None:
        """Close the connections, in their own loop. The client stays usable."""
        async with AsyncExitStack() as stack:
            for transport in _transports(client):
                stack.push_async_callback(_release, transport)

    def abandon(self, client: Any) -> None:
        """Close the sockets of a client whose loop is closed."""
        for transport in _transports(client):
            _abandon(transport)


# ---------------------------------------------------------------------- transports


def _transports(http_client: Any) -> Iterator[Any]:
    yield http_client._transport
    yield from (transport for transport in http_client._mounts.values() if transport is not None)


def _nested(transport: Any) -> Iterator[tuple[str, Any]]:
    """The transports inside a transport: those that retry, record or measure wrap another one."""
    for name, value in _attributes(transport).items():
        if callable(getattr(value, 'handle_async_request', None)) and name != '_pool':
            yield name, value


def _attributes(value: object) -> Mapping[str, Any]:
    return cast('dict[str, Any]', getattr(value, '__dict__', {}))


def pool_of(transport: Any) -> Any:
    """The connection pool of an httpx or httpx2 transport, or None."""
    pool = _attributes(transport).get('_pool')
    return pool if hasattr(pool, '_connections') else None


def _empty(pool: Any) -> Any:
    twin = copy.copy(pool)
    twin._connections = []
    twin._requests = []
    return twin


def _is_aiohttp(transport: Any) -> bool:
    return 'client' in _attributes(transport) and hasattr(transport, 'get_client')


def _has_session(transport: Any) -> bool:
    """Whether an aiohttp transport has opened its session, which belongs to a loop."""
    return _is_aiohttp(transport) and hasattr(transport.client, 'closed')


def _is_fresh(transport: Any) -> bool:
    pool = pool_of(transport)
    if (pool is not None and pool._connections) or _has_session(transport):
        return False
    return all(_is_fresh(inner) for _, inner in _nested(transport))


def fork_transport(transport: Any) -> Any:
    """A transport of the same configuration without connections; the same one if it holds none."""
    pool = pool_of(transport)
    forked = {name: fork_transport(inner) for name, inner in _nested(transport)}
    if pool is not None:
        forked['_pool'] = _empty(pool)
    elif _has_session(transport):
        forked['client'] = None  # the next session is made from the transport's own configuration
    changed = {name: value for name, value in forked.items() if value is not _attributes(transport)[name]}
    if not changed and not _is_aiohttp(transport):
        return transport
    twin = copy.copy(transport)
    for name, value in changed.items():
        setattr(twin, name, value)
    return twin


async def _release(transport: Any) -> None:
    """Close the connections of a transport, which stays usable, and of those inside it, whatever becomes of each."""
    async with AsyncExitStack() as stack:
        for _, inner in _nested(transport):
            stack.push_async_callback(_release, inner)
        await _release_own(transport)


async def _release_own(transport: Any) -> None:
    pool = pool_of(transport)
    if pool is not None:
        transport._pool = _empty(pool)
        connections = list(pool._connections)
        try:
            await pool.aclose()
        except BaseException:  # above all a loop that is ending, and cancels what is still to be closed
            for connection in connections:
                for socket in _sockets(connection):
                    socket.abort()
            raise
    elif _has_session(transport):
        session, transport.client = transport.client, None
        await session.close()


def _abandon(transport: Any) -> None:
    """Close the sockets of a transport whose loop is closed."""
    pool = pool_of(transport)
    if pool is not None:
        transport._pool = _empty(pool)
        for connection in pool._connections:
            _close_sockets(connection)
        pool._connections = []
    elif _has_session(transport):
        session, transport.client = transport.client, None
        _abandon_session(session)
    for _, inner in _nested(transport):
        _abandon(inner)


def _abandon_session(session: Any) -> None:
    connector = session.connector
    for waiting in list(connector._conns.values()):
        for protocol, *_ in waiting:
            _close_sockets(protocol)
    session.detach()
    connector._conns.clear()
    connector._closed = True


# ---------------------------------------------------------------------- sockets


def _close_sockets(holder: Any) -> None:
    """Close the sockets under a connection without their loop."""
    for socket in _sockets(holder):
        _close_without_loop(socket)


def _sockets(holder: Any, depth: int = DEPTH) -> Iterator[Any]:
    """The asyncio transports under a connection."""
    if isinstance(holder, asyncio.BaseTransport):
        yield holder
        return
    for name in PATHS_TO_A_SOCKET:
        inner = getattr(holder, name, None)
        if inner is not None and depth:
            yield from _sockets(inner, depth - 1)


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
