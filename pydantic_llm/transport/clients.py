"""Makes the HTTP client of a provider that is given none: `make_client`. Every connection of our own stands on it."""

from __future__ import annotations

import socket
from typing import Any

import httpx2

from .download import USER_AGENT
from .loops import ClientOperations
from .pools import HttpClients, pool_of
from .spread import spread_over_pools

__all__ = ('CONNECT_TIMEOUT', 'READ_TIMEOUT', 'make_client')

READ_TIMEOUT = 600.0
"""The default read timeout in seconds: that of the clients of OpenAI's and Anthropic's SDKs."""

CONNECT_TIMEOUT = 5.0
"""The default timeout for connecting, in seconds: that of the clients of all vendors' SDKs."""

MAX_CONNECTIONS, MAX_IDLE_CONNECTIONS = 1000, 100
"""Connections of each pool: those of the clients of OpenAI's and Anthropic's SDKs. httpx2 itself allows 100 and 20."""

KEEPALIVE_SECONDS, KEEPALIVE_PROBES = 60, 5

KEEPALIVE: tuple[tuple[int, int, int], ...] = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (
            ('TCP_KEEPIDLE', KEEPALIVE_SECONDS),  # Linux, Windows
            ('TCP_KEEPALIVE', KEEPALIVE_SECONDS),  # macOS
            ('TCP_KEEPINTVL', KEEPALIVE_SECONDS),
            ('TCP_KEEPCNT', KEEPALIVE_PROBES),
        )
        if hasattr(socket, name)
    ),
)
"""Socket options, as Anthropic's SDK sets them (anthropic/_base_client.py): while a model thinks, no byte is sent, and
some networks drop an idle connection silently."""


def make_client(
    *, read_timeout: float = READ_TIMEOUT, connect_timeout: float = CONNECT_TIMEOUT
) -> tuple[Any, ClientOperations[Any]]:
    """Return a client for `HTTPConnection`, and the operations on it for `LoopClients`.

    Proxies and certificates come from the environment, as for every `httpx2.AsyncClient`.
    """
    client: Any = httpx2.AsyncClient(
        timeout=httpx2.Timeout(read_timeout, connect=connect_timeout),
        limits=httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_IDLE_CONNECTIONS),
        headers={'User-Agent': USER_AGENT},
    )
    for transport in (client._transport, *client._mounts.values()):
        if (pool := pool_of(transport)) is not None:
            pool._socket_options = KEEPALIVE  # as an argument of a transport, it would replace the proxies
    return spread_over_pools(client), HttpClients()
