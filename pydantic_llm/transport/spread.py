"""An HTTP transport with several pools of connections.

A pool of `httpx2` or `httpx` looks at all of its connections whenever a request begins or ends, so that what a request
costs grows with the number of those that are under way. Several small pools are looked at one at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Self, TypeVar

from .pools import fork_transport, pool_of

__all__ = ('SpreadTransport', 'spread_over_pools')

POOLS = 16
"""How many pools there are."""

ENOUGH = 8
"""How many requests a pool serves before the next one gets any: few requests share few connections."""

SECONDS = 1.0
"""How often pools that nobody asks are looked at, for connections that have been kept long enough."""


Client = TypeVar('Client')


def spread_over_pools(client: Client) -> Client:
    """Give a client that has sent nothing yet several pools in the place of each that it has.

    It is an HTTP client, or one of an SDK made by Stainless, which holds one.
    """
    http_client: Any = getattr(client, '_client', client)
    http_client._transport = _spread(http_client._transport)
    http_client._mounts = {pattern: _spread(transport) for pattern, transport in http_client._mounts.items()}
    return client


def _spread(transport: Any) -> Any:
    return transport if pool_of(transport) is None else SpreadTransport(lambda: fork_transport(transport))


class SpreadTransport:
    """Sends each request through one of several transports, which `make` makes. For `httpx2` and for `httpx`."""

    def __init__(self, make: Callable[[], Any]) -> None:
        for number in range(POOLS):
            setattr(self, f'pool_{number}', make())  # attributes: `HttpClients` looks for transports there
        self._looked = monotonic()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request."""
        if monotonic() > self._looked + SECONDS:
            self._looked = monotonic()
            await self._close_expired()
        return await self._choose().handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports():
            await transport.aclose()

    def _choose(self) -> Any:
        """The first that is not busy, or else the one that is least so."""
        transports = self._transports()
        return next((one for one in transports if _load(one) < ENOUGH), None) or min(transports, key=_load)

    def _transports(self) -> list[Any]:
        return [getattr(self, f'pool_{number}') for number in range(POOLS)]

    async def _close_expired(self) -> None:
        """Close what pools without requests keep too long; they would look at it with their next request."""
        for transport in self._transports():
            pool = transport._pool
            if pool._connections and not pool._requests:
                await pool._close_connections(pool._assign_requests_to_connections())


def _load(transport: Any) -> int:
    """How many requests are under way or wait, and answers that are read."""
    return len(transport._pool._requests)
