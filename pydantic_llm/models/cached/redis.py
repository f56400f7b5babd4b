"""A store in Redis, shared by processes and machines: `RedisCache`."""

from __future__ import annotations

from math import ceil
from typing import Any

from ..._checks import LONGEST
from ..._type_checks import check_type
from ..redis_clients import make_redis_clients

__all__ = ('RedisCache',)


class RedisCache:
    """Stores entries in a Redis, for all processes with the same URL and `prefix`. Needs the extra `redis`.

    Redis removes entries by the policy that it is configured with (`maxmemory-policy`); entries with a time also then.
    """

    def __init__(self, url: str, *, prefix: str = 'pydantic_llm:cache') -> None:
        check_type(url, str, parameter='url', required=True)
        check_type(prefix, str, parameter='prefix', required=True)
        self._clients = make_redis_clients(url, what='A RedisCache', decode_responses=False)
        self.prefix = prefix

    async def get(self, key: str) -> bytes | None:
        found: Any = await self._clients.get().get(f'{self.prefix}:{key}')
        return found if isinstance(found, bytes) else None

    async def set(self, key: str, value: bytes, ttl: float | None) -> None:
        # Redis refuses a time that has too many digits
        milliseconds = None if ttl is None or ttl > LONGEST else max(ceil(ttl * 1000), 1)
        await self._clients.get().set(f'{self.prefix}:{key}', value, px=milliseconds)

    async def clear(self) -> None:
        """Remove all entries with this prefix."""
        client = self._clients.get()
        async for key in client.scan_iter(f'{self.prefix}:*', count=1000):
            await client.unlink(key)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._clients.aclose()

    def __repr__(self) -> str:
        return f'RedisCache(prefix={self.prefix!r})'
