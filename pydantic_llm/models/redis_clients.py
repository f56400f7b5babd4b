"""Clients of a Redis server, one for each event loop: `make_redis_clients`."""

from __future__ import annotations

from typing import Any

from .._extras import import_extra
from ..exceptions import UserError
from ..transport.loops import LoopClients

__all__ = ('REDIS_PAUSE', 'REDIS_TIMEOUT', 'make_redis_clients')

REDIS_TIMEOUT = 1.0
"""Seconds that Redis may take for one command."""

REDIS_PAUSE = 5.0
"""Seconds without commands to Redis after one has failed."""


class RedisOperations:
    """The operations on a Redis client that `LoopClients` needs."""

    def is_fresh(self, client: Any) -> bool:
        return True

    def fork(self, client: Any) -> Any:
        pool = client.connection_pool
        twin = type(pool)(pool.connection_class, pool.max_connections, **pool.connection_kwargs)
        return type(client)(connection_pool=twin)

    async def release(self, client: Any) -> None:
        await client.connection_pool.disconnect()

    def abandon(self, client: Any) -> None:
        client.connection_pool.reset()


def make_redis_clients(url: str, *, what: str, decode_responses: bool) -> LoopClients[Any]:
    """Return clients for a URL. Nothing is connected yet. `what` is the feature that needs Redis.

    Raises `UserError` if the extra is not installed or the URL is not that of a Redis.
    """
    redis: Any = import_extra('redis.asyncio', extra='redis', what=what)
    timeouts = {'socket_timeout': REDIS_TIMEOUT, 'socket_connect_timeout': REDIS_TIMEOUT}
    try:
        client = redis.Redis.from_url(url, decode_responses=decode_responses, **timeouts)
    except (AttributeError, TypeError, ValueError):  # its message may repeat the URL, which may have a password
        message = f"{what} needs a URL such as 'redis://localhost:6379', 'rediss://...' or 'unix://...'"
        raise UserError(message) from None
    return LoopClients[Any](client, RedisOperations())
