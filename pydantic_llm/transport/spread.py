"""Spreads the requests of a client over several small connection pools: `spread_over_pools`.

A pool of `httpx2` or `httpx` looks at all of its connections whenever a request begins or ends, so the cost of a
request grows with the number of requests in flight. With several small pools, only one of them is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Self, TypeVar

from .pools import fork_transport, pool_of

__all__ = ('SpreadTransport', 'spread_over_pools')

POOLS = 16

FULL = 8
"""A pool with this many requests in flight is full, and the next pool is used. So few requests share connections."""

CLEANUP_SECONDS = 1.0
"""Seconds between two searches for expired connections in pools without requests."""


Client = TypeVar('Client')


def spread_over_pools(client: Client) -> Client:
    """Replace each pool of an unused HTTP client, or of an SDK's client, by several pools, and return the client."""
    http_client: Any = getattr(client, '_client', client)
    http_client._transport = _spread_transport(http_client._transport)
    http_client._mounts = {pattern: _spread_transport(transport) for pattern, transport in http_client._mounts.items()}
    return client


def _spread_transport(transport: Any) -> Any:
    return transport if pool_of(transport) is None else SpreadTransport(lambda: fork_transport(transport))


class SpreadTransport:
    """Sends each request through one of several transports, which `make` creates. For `httpx2` and `httpx`."""

    def __init__(self, make: Callable[[], Any]) -> None:
        for number in range(POOLS):
            setattr(self, f'pool_{number}', make())  # attributes, because `HttpClients` looks for transports there
        self._last_cleanup = monotonic()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request through one of the transports. Closes expired connections first, from time to time."""
        if monotonic() > self._last_cleanup + CLEANUP_SECONDS:
            self._last_cleanup = monotonic()
            await self._close_expired()
        return await self._choose_transport().handle_async_request(request)

    async def aclose(self) -> None:
        for transport in self._transports():
            await transport.aclose()

    def _choose_transport(self) -> Any:
        """Return the first transport that is not full, or the least busy one if all are full."""
        transports = self._transports()
        return next((one for one in transports if _count_requests(one) < FULL), None) or min(
            transports, key=_count_requests
        )

    def _transports(self) -> list[Any]:
        return [getattr(self, f'pool_{number}') for number in range(POOLS)]

    async def _close_expired(self) -> None:
        """Close expired connections of pools without requests: a pool itself checks only when it gets a request."""
        for transport in self._transports():
            pool = transport._pool
            if pool._connections and not pool._requests:
                await pool._close_connections(pool._assign_requests_to_connections())


def _count_requests(transport: Any) -> int:
    """Return the number of requests in flight or queued, including responses that are being read."""
    return len(transport._pool._requests)
