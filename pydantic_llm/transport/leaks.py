"""Closes the connections that `httpx` loses if a request is cancelled: `close_lost_connections`.

Its pool (httpcore 1.0.9) awaits a lock before its exception handlers begin, in
`AsyncHTTP11Connection.handle_async_request`, and while it closes a response, in `PoolByteStream.aclose`. A request that
is cancelled there stays in the pool, and so does its connection, busy for good. The pool of `httpx2` loses none.
"""

from __future__ import annotations

from typing import Any

from .pools import iterate_pools, iterate_sockets

__all__ = ('close_lost_connections',)


def close_lost_connections(client: Any, response: Any = None) -> None:
    """Close the connections of an HTTP client, or of an SDK's client, that no request uses and no request can get.

    `response` is one that is closed: its request must not be in the pool any more.
    """
    http_client = getattr(client, '_client', client)
    if not any(kind.__module__.partition('.')[0] == 'httpx' for kind in type(http_client).__mro__):
        return
    if response is not None:
        _remove_request(response.stream)
    for pool in iterate_pools(http_client):
        _close_lost(pool)


def _remove_request(stream: Any) -> None:
    """Remove the request of a closed body from its pool. `stream` wraps the body of httpcore."""
    while stream is not None and not hasattr(stream, '_pool_request'):
        stream = getattr(stream, '_stream', None) or getattr(stream, '_httpcore_stream', None)
    if stream is not None and stream._pool_request in stream._pool._requests:
        stream._pool._requests.remove(stream._pool_request)


def _close_lost(pool: Any) -> None:
    in_use = {id(request.connection) for request in pool._requests}
    for connection in [*pool._connections]:
        if id(connection) not in in_use and not connection.is_idle() and not connection.is_closed():
            pool._connections.remove(connection)
            for socket in iterate_sockets(connection):
                socket.abort()
