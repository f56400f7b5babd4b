"""An HTTP transport with several pools of connections.

A pool of `httpx2` looks at all of its connections whenever a request begins or ends, so that what a request costs grows
with the number of those that are under way. Several small pools are looked at one at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2

__all__ = ('SpreadTransport',)

POOLS = 16
"""How many pools there are."""

ENOUGH = 8
"""How many requests a pool serves before the next one gets any: few requests share few connections."""


class SpreadTransport(httpx2.AsyncBaseTransport):
    """Sends each request through one of several transports, which `make` makes."""

    def __init__(self, make: Callable[[], httpx2.AsyncHTTPTransport]) -> None:
        for number in range(POOLS):
            setattr(self, f'pool_{number}', make())  # attributes: `HttpClients` looks for transports there

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request."""
        return await self._choose().handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in vars(self).values():
            await transport.aclose()

    def _choose(self) -> httpx2.AsyncHTTPTransport:
        """The first that is not busy, or else the one that is least so."""
        transports: list[httpx2.AsyncHTTPTransport] = list(vars(self).values())
        return next((one for one in transports if _load(one) < ENOUGH), None) or min(transports, key=_load)


def _load(transport: Any) -> int:
    """How many requests are under way or wait, and answers that are read."""
    return len(transport._pool._requests)
