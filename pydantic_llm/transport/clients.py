"""Makes the HTTP client of a provider that is given none: `make_client`. Every connection of our own stands on it."""

from __future__ import annotations

import os
import socket
from importlib import import_module
from typing import Any

import httpx2

from ..exceptions import UserError
from .download import USER_AGENT
from .httpx2_client import Httpx2Client, Httpx2Clients
from .loops import ClientOperations
from .pools import pool_of
from .proxies import Proxies
from .spread import spread_over_pools

__all__ = ('CONNECT_TIMEOUT', 'LIBRARIES', 'LIBRARY_VARIABLE', 'READ_TIMEOUT', 'make_client', 'make_httpx2_client')

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


LIBRARY_VARIABLE = 'PYDANTIC_LLM_HTTP'
"""The variable that chooses the library of the clients that are made here."""

LIBRARIES = ('aiohttp', 'httpx2')
"""The values of this variable."""

OLDEST_AIOHTTP = (3, 14)
"""The oldest version of aiohttp that is tested, and that the extra `fast` allows."""


def make_client(
    *, read_timeout: float = READ_TIMEOUT, connect_timeout: float = CONNECT_TIMEOUT
) -> tuple[Any, ClientOperations[Any]]:
    """Return a client for `HTTPConnection`, and the operations on it for `LoopClients`.

    It is aiohttp's if a suitable version is installed and `PYDANTIC_LLM_HTTP` is not `httpx2`, else httpx2's.
    Proxies and certificates come from the environment, as for every `httpx2.AsyncClient`. Raises a `UserError` for an
    invalid `PYDANTIC_LLM_HTTP`.
    """
    if _should_use_aiohttp():
        from .aiohttp_client import AiohttpClient, AiohttpClients

        client = AiohttpClient(
            timeout=httpx2.Timeout(read_timeout, connect=connect_timeout),
            user_agent=USER_AGENT,
            proxies=Proxies(),
            socket_options=KEEPALIVE,
        )
        return client, AiohttpClients()
    inner = make_httpx2_client(read_timeout=read_timeout, connect_timeout=connect_timeout)
    return Httpx2Client(inner, user_agent=USER_AGENT), Httpx2Clients()


def make_httpx2_client(
    *, read_timeout: float = READ_TIMEOUT, connect_timeout: float = CONNECT_TIMEOUT
) -> httpx2.AsyncClient:
    """Return a client of httpx2 for many requests at once."""
    client: Any = httpx2.AsyncClient(
        timeout=httpx2.Timeout(read_timeout, connect=connect_timeout),
        limits=httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_IDLE_CONNECTIONS),
        headers={'User-Agent': USER_AGENT},
    )
    for transport in (client._transport, *client._mounts.values()):
        if (pool := pool_of(transport)) is not None:
            pool._socket_options = KEEPALIVE  # as an argument of a transport, it would replace the proxies
    spread: httpx2.AsyncClient = spread_over_pools(client)
    return spread


def _should_use_aiohttp() -> bool:
    """Return whether a client is aiohttp's. Raises a `UserError` if the environment asks for what is impossible."""
    wanted = os.environ.get(LIBRARY_VARIABLE, '')
    if wanted not in ('', *LIBRARIES):
        raise UserError(f'{LIBRARY_VARIABLE} is {wanted!r}: set it to one of {LIBRARIES}, or unset it')
    if wanted == 'httpx2':
        return False
    obstacle = _find_obstacle()
    if wanted == 'aiohttp' and obstacle is not None:
        raise UserError(f'{LIBRARY_VARIABLE} is {wanted!r}, but {obstacle}')
    return obstacle is None


def _find_obstacle() -> str | None:
    """Return why aiohttp cannot be used; `None` if it can."""
    try:
        version: str = import_module('aiohttp').__version__
    except ImportError:
        return "the package 'aiohttp' is not installed: pip install 'pydantic-llm[fast]'"
    if tuple(int(part) for part in version.split('.')[:2] if part.isdecimal()) < OLDEST_AIOHTTP:
        return f"aiohttp {version} is too old: pip install 'pydantic-llm[fast]'"
    try:
        unsupported = Proxies().unsupported_scheme
    except ImportError:
        return 'this version of httpx2 does not tell which proxies the environment names'
    return unsupported and f'it cannot use the {unsupported} proxy that the environment names'
