"""State of a router in Redis, shared by many processes. If Redis fails, each process uses its own state for a while.

All times are those of the Redis server. A slot is a lease: the slots of a process that dies become free when their
leases expire. Each method of `RedisState` runs one of the scripts below; Redis runs a script as one atomic step.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from math import isfinite
from typing import Any
from uuid import uuid4

from ..._extras import import_extra
from ...transport.loops import LoopClients
from ..limits.wait_queue import NotYet
from .state import LOCAL_SLOT, SLOT_POLL_SECONDS, SMOOTHING, DeploymentStatus, Limits, MemoryState, RouterState

logger = logging.getLogger('pydantic_llm.router')

LEASE_SECONDS = 600.0
"""Seconds after which a slot becomes free even if it was not released. No request takes longer."""

REDIS_TIMEOUT = 1.0
"""Seconds that Redis may take for one command."""

SETTLE_SECONDS = 0.1
"""Seconds that the end of a request waits for Redis. After that, Redis is updated in the background."""

REDIS_PAUSE = 5.0
"""Seconds without commands to Redis after one has failed."""

NOW = "local t = redis.call('TIME') local now = t[1] + t[2] / 1000000 "

RESERVE = (
    NOW
    + """
local slots, concurrency, lease, id = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
if concurrency >= 0 and redis.call('ZCARD', slots) >= concurrency then return tostring(tonumber(ARGV[4])) end
local wait, levels = 0, {}
for i = 1, 2 do
  local limit, amount = tonumber(ARGV[3 + 2 * i]), tonumber(ARGV[4 + 2 * i])
  if limit > 0 then
    local known = redis.call('HMGET', KEYS[1 + i], 'level', 'time')
    local level, since = tonumber(known[1] or '') or limit, tonumber(known[2] or '') or now
    level = math.min(limit, level + math.max(now - since, 0) * limit / 60)
    levels[i] = {limit, level, amount}
    wait = math.max(wait, (math.min(amount, limit) - level) * 60 / limit)
  end
end
if wait > 0 then return tostring(wait) end
for i, l in pairs(levels) do
  redis.call('HSET', KEYS[1 + i], 'level', tostring(l[2] - l[3]), 'time', tostring(now))
  redis.call('EXPIRE', KEYS[1 + i], 600)
end
redis.call('ZADD', slots, now + lease, id)
redis.call('PEXPIRE', slots, math.ceil(lease * 1000))
return '0'
"""
)
"""Reserve a slot and tokens. Returns '0', or the seconds to wait. Keys: slots, requests, tokens.

The buckets are those of `token_bucket.TokenBucket`, as hashes of their level and the time of its last update."""

RELEASE = """
redis.call('ZREM', KEYS[1], ARGV[1])
local level = redis.call('HGET', KEYS[2], 'level')
if level then
  level = math.min((tonumber(level) or tonumber(ARGV[3])) + tonumber(ARGV[2]), tonumber(ARGV[3]))
  redis.call('HSET', KEYS[2], 'level', tostring(level))
end
return 1
"""
"""Release a slot and refund tokens. Keys: slots, tokens."""

COOL_DOWN = """
local left = redis.call('PTTL', KEYS[1])
if left < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], '1', 'PX', ARGV[1]) end
return 1
"""
"""Start a cooldown, or extend one that would end earlier. Keys: cooldown."""

RECORD_LATENCY = """
local before = tonumber(redis.call('GET', KEYS[1]) or '') or tonumber(ARGV[1])
redis.call('SET', KEYS[1], tostring(before + tonumber(ARGV[2]) * (tonumber(ARGV[1]) - before)), 'EX', 3600)
return 1
"""
"""Add a measurement to the smoothed latency. Keys: latency."""

STATUS = (
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
"""Return slots taken, cooldown in milliseconds and latency in seconds of each deployment, in one flat list.

Keys: slots, cooldown and latency of each."""


class _RedisConnections:
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


class RedisState(RouterState):
    """State shared by all processes with the same Redis and the same `prefix`."""

    def __init__(self, url: str, *, prefix: str) -> None:
        redis: Any = import_extra('redis.asyncio', extra='redis', what='A RouterModel with state_url=')
        timeouts = {'socket_timeout': REDIS_TIMEOUT, 'socket_connect_timeout': REDIS_TIMEOUT}
        client = redis.Redis.from_url(url, decode_responses=True, **timeouts)
        self._clients = LoopClients[Any](client, _RedisConnections())
        self._prefix = prefix
        self._local = MemoryState()
        self._paused_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._unreleased: deque[tuple[Sequence[str], Sequence[Any]]] = deque()
        """Keys and values of slots that could not be released, since Redis failed."""

    async def status(self, names: Sequence[str]) -> dict[str, DeploymentStatus]:
        """Return the status of each deployment, with the longer of its shared and its local cooldown."""
        keys = [self._key(name, field) for name in names for field in ('slots', 'cooldown', 'latency')]
        local = await self._local.status(names)
        found: list[Any] | None = await self._run_script(STATUS, keys)
        if found is None:
            return local
        if self._unreleased:
            self._run_in_background(self._release_all())
        # the cooldown is negative if there is none: https://redis.io/commands/pttl/
        rows = zip(names, found[0::3], found[1::3], found[2::3], strict=True)
        return {
            name: DeploymentStatus(under_way, max(left / 1000, local[name].cooldown, 0.0), _parse_latency(latency))
            for name, under_way, left, latency in rows
        }

    async def reserve(self, name: str, limits: Limits, tokens: float) -> str | NotYet:
        """Reserve one slot and `tokens`; in the state of this process if Redis fails."""
        slot = uuid4().hex
        concurrency = -1 if limits.concurrency is None else limits.concurrency
        values = [concurrency, LEASE_SECONDS, slot, SLOT_POLL_SECONDS]
        values += [limits.requests_per_minute or 0, 1, limits.tokens_per_minute or 0, tokens]
        keys = [self._key(name, field) for field in ('slots', 'requests', 'tokens')]
        try:
            wait: str | None = await self._run_script(RESERVE, keys, values)
        except asyncio.CancelledError:  # Redis may have reserved it
            self._unreleased.append(self._release_arguments(name, slot, limits, tokens))
            self._run_in_background(self._release_all())
            raise
        if wait is None:
            return await self._local.reserve(name, limits, tokens)
        return NotYet(float(wait)) if float(wait) else slot

    async def release(self, name: str, slot: str, limits: Limits, tokens: float) -> None:
        """Release the slot and refund the tokens, in the state that reserved them; later if Redis fails now."""
        if slot == LOCAL_SLOT:
            await self._local.release(name, slot, limits, tokens)
            return
        self._unreleased.append(self._release_arguments(name, slot, limits, tokens))
        await self._settle(self._release_all())

    async def cool_down(self, name: str, seconds: float) -> None:
        """Exclude the deployment for `seconds`, in all processes; in this one even if Redis fails."""
        await self._local.cool_down(name, seconds)
        await self._settle(self._run_script(COOL_DOWN, [self._key(name, 'cooldown')], [max(int(seconds * 1000), 1)]))

    async def record_latency(self, name: str, seconds: float) -> None:
        await self._local.record_latency(name, seconds)
        await self._settle(self._run_script(RECORD_LATENCY, [self._key(name, 'latency')], [seconds, SMOOTHING]))

    def _release_arguments(
        self, name: str, slot: str, limits: Limits, tokens: float
    ) -> tuple[Sequence[str], Sequence[Any]]:
        keys = [self._key(name, 'slots'), self._key(name, 'tokens')]
        return keys, [slot, tokens, limits.tokens_per_minute or 0]

    async def _release_all(self) -> None:
        """Release every slot of `_unreleased`. Those that Redis refuses now stay there."""
        for _ in range(len(self._unreleased)):
            keys, values = self._unreleased.popleft()
            if await self._run_script(RELEASE, keys, values) is None:
                self._unreleased.append((keys, values))
                return

    async def _settle(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for Redis, but not longer than `SETTLE_SECONDS`, and go on in the background then."""
        await asyncio.wait({self._run_in_background(work)}, timeout=SETTLE_SECONDS)

    def _run_in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def aclose(self) -> None:
        loop = asyncio.get_running_loop()
        if tasks := [task for task in self._tasks if task.get_loop() is loop]:
            await asyncio.wait(tasks, timeout=REDIS_TIMEOUT)
        await self._clients.aclose()

    def _key(self, name: str, field: str) -> str:
        return f'{self._prefix}:{name}:{field}'

    async def _run_script(self, script: str, keys: Sequence[str], values: Sequence[Any] = ()) -> Any:
        """Return the result of a script; `None` if Redis fails, or failed in the last `REDIS_PAUSE` seconds."""
        if time.monotonic() < self._paused_until:
            return None
        try:
            async with asyncio.timeout(REDIS_TIMEOUT):
                return await self._clients.get().eval(script, len(keys), *keys, *values)
        except Exception as error:  # noqa: BLE001 -- no request may fail because Redis does
            self._paused_until = time.monotonic() + REDIS_PAUSE
            logger.warning('Redis failed, so this process uses its own state for %s s: %s', REDIS_PAUSE, error)
            return None


def _parse_latency(text: str) -> float | None:
    """Return a latency in seconds; `None` for an empty text, or for a value that another program stored."""
    try:
        latency = float(text)
    except ValueError:
        return None
    return latency if isfinite(latency) else None
