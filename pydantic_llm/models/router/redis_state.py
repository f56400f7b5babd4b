"""What routers of many processes know of their deployments, in Redis. Without it, each goes on by what it knows itself.

All times are Redis's own. A place is a lease: a process that dies gives its places back when they run out.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from ..._extras import import_extra
from ...transport.loops import LoopClients
from ..limits.wait_queue import NotYet
from .state import HERE, SMOOTHING, UNTIL_SOMEBODY_LEAVES, Limits, MemoryState, RouterState, Standing

logger = logging.getLogger('pydantic_llm.router')

LEASE = 600.0
"""Seconds after which a place is free again, whoever had it: no answer takes longer, unless its process is gone."""

PATIENCE = 1.0
"""Seconds that Redis may take for anything."""

AWAY = 5.0
"""Seconds for which Redis is not asked after it has failed."""

NOW = "local t = redis.call('TIME') local now = t[1] + t[2] / 1000000 "

TAKE = (
    NOW
    + """
local places, concurrency, lease, id = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
redis.call('ZREMRANGEBYSCORE', places, '-inf', now)
if concurrency >= 0 and redis.call('ZCARD', places) >= concurrency then return tostring(tonumber(ARGV[4])) end
local wait, levels = 0, {}
for i = 1, 2 do
  local limit, amount = tonumber(ARGV[3 + 2 * i]), tonumber(ARGV[4 + 2 * i])
  if limit > 0 then
    local known = redis.call('HMGET', KEYS[1 + i], 'level', 'time')
    local level, since = tonumber(known[1] or limit), tonumber(known[2] or now)
    level = math.min(limit, level + (now - since) * limit / 60)
    levels[i] = {limit, level, amount}
    wait = math.max(wait, (math.min(amount, limit) - level) * 60 / limit)
  end
end
if wait > 0 then return tostring(wait) end
for i, l in pairs(levels) do
  redis.call('HSET', KEYS[1 + i], 'level', tostring(l[2] - l[3]), 'time', tostring(now))
  redis.call('EXPIRE', KEYS[1 + i], 600)
end
redis.call('ZADD', places, now + lease, id)
redis.call('PEXPIRE', places, math.ceil(lease * 1000))
return '0'
"""
)
"""Take a place and tokens, or say how long to wait. Keys: places, requests, tokens."""

GIVE_BACK = """
redis.call('ZREM', KEYS[1], ARGV[1])
local level = redis.call('HGET', KEYS[2], 'level')
if level then
  level = math.min(tonumber(level) + tonumber(ARGV[2]), tonumber(ARGV[3]))
  redis.call('HSET', KEYS[2], 'level', tostring(level))
end
return 1
"""
"""Give a place and tokens back. Keys: places, tokens."""

COOL = """
local left = redis.call('PTTL', KEYS[1])
if left < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], '1', 'PX', ARGV[1]) end
return 1
"""
"""Cool down; the longest wish counts."""

MEASURED = """
local before = tonumber(redis.call('GET', KEYS[1]) or ARGV[1])
redis.call('SET', KEYS[1], tostring(before + tonumber(ARGV[2]) * (tonumber(ARGV[1]) - before)), 'EX', 3600)
return 1
"""
"""Note a latency."""

LOOK = (
    NOW
    + """
local found = {}
for i = 1, #KEYS, 3 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  table.insert(found, redis.call('ZCARD', KEYS[i]))
  table.insert(found, redis.call('PTTL', KEYS[i + 1]))
  table.insert(found, redis.call('GET', KEYS[i + 2]) or '')
end
return found
"""
)
"""How deployments are doing. Keys: places, cooldown and latency of each."""


class _RedisClients:
    """What `LoopClients` must know of Redis's client."""

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


class RedisState(RouterState):
    """Shared by all processes that name the same Redis and the same `prefix`."""

    def __init__(self, url: str, *, prefix: str) -> None:
        redis: Any = import_extra('redis.asyncio', extra='redis', what='A RouterModel with state_url=')
        timeouts = {'socket_timeout': PATIENCE, 'socket_connect_timeout': PATIENCE}
        client = redis.Redis.from_url(url, decode_responses=True, **timeouts)
        self._clients = LoopClients[Any](client, _RedisClients())
        self._prefix = prefix
        self._own = MemoryState()
        self._away_until = 0.0

    async def look(self, names: Sequence[str]) -> dict[str, Standing]:
        """How they are doing; a cooldown that this process knows of counts as well."""
        keys = [self._key(name, what) for name in names for what in ('places', 'cool', 'latency')]
        own = await self._own.look(names)
        found: list[Any] | None = await self._run(LOOK, keys)
        if found is None:
            return own
        rows = zip(names, found[0::3], found[1::3], found[2::3], strict=True)
        return {
            name: Standing(under_way, max(left / 1000, own[name].cooling, 0.0), float(latency) if latency else None)
            for name, under_way, left, latency in rows
        }

    async def take(self, name: str, limits: Limits, tokens: float) -> str | NotYet:
        """Take a place and so many tokens. Without Redis, by what this process knows."""
        place = uuid4().hex
        concurrency = -1 if limits.concurrency is None else limits.concurrency
        values = [concurrency, LEASE, place, UNTIL_SOMEBODY_LEAVES]
        values += [limits.requests_per_minute or 0, 1, limits.tokens_per_minute or 0, tokens]
        keys = [self._key(name, what) for what in ('places', 'requests', 'tokens')]
        wait: str | None = await self._run(TAKE, keys, values)
        if wait is None:
            return await self._own.take(name, limits, tokens)
        return NotYet(float(wait)) if float(wait) else place

    async def give_back(self, name: str, place: str, limits: Limits, tokens: float) -> None:
        """Give the place back, and the tokens that were not needed."""
        if place == HERE:
            await self._own.give_back(name, place, limits, tokens)
            return
        keys = [self._key(name, 'places'), self._key(name, 'tokens')]
        await self._run(GIVE_BACK, keys, [place, tokens, limits.tokens_per_minute or 0])

    async def cool(self, name: str, seconds: float) -> None:
        """Leave it alone for so long."""
        await self._own.cool(name, seconds)
        await self._run(COOL, [self._key(name, 'cool')], [max(int(seconds * 1000), 1)])

    async def measured(self, name: str, seconds: float) -> None:
        """It let somebody wait for so long."""
        await self._own.measured(name, seconds)
        await self._run(MEASURED, [self._key(name, 'latency')], [seconds, SMOOTHING])

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._clients.aclose()

    def _key(self, name: str, what: str) -> str:
        return f'{self._prefix}:{name}:{what}'

    async def _run(self, script: str, keys: Sequence[str], values: Sequence[Any] = ()) -> Any:
        """What a script gives; `None` where Redis cannot be asked."""
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._clients.get().eval(script, len(keys), *keys, *values)
        except Exception as error:  # noqa: BLE001 -- no request may fail because Redis does
            self._away_until = time.monotonic() + AWAY
            logger.warning('Redis cannot be asked; this process goes on by itself for %s s: %s', AWAY, error)
            return None
