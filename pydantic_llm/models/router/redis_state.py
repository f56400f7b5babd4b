"""State of a router in Redis, shared by many processes. If Redis fails, each process uses its own state for a while.

All times are those of the Redis server. A slot is a lease: the slots of a process that dies become free when their
leases expire. Each method of `RedisState` runs one of `redis_scripts`; Redis runs a script as one atomic step.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any
from uuid import uuid4

from ..limits.wait_queue import NotYet
from ..pausing import Pausing
from ..redis_clients import REDIS_PAUSE, REDIS_TIMEOUT, make_redis_clients
from .redis_scripts import COOL_DOWN, RECORD_LATENCY, RELEASE, RESERVE, STATUS
from .state import LOCAL_SLOT, SLOT_POLL_SECONDS, SMOOTHING, DeploymentStatus, Limits, MemoryState, RouterState

logger: logging.Logger = logging.getLogger('pydantic_llm.router')

LEASE_SECONDS = 600.0
"""Seconds after which a slot becomes free even if it was not released. No request takes longer."""

SETTLE_SECONDS = 0.1
"""Seconds that the end of a request waits for Redis. After that, Redis is updated in the background."""


@dataclass(frozen=True, slots=True)
class _Release:
    """A slot that must be released: the keys and values of the script, and the time at which its lease ends."""

    keys: Sequence[str]
    values: Sequence[Any]
    lease_end: float


class RedisState(RouterState):
    """State shared by all processes with the same Redis and the same `prefix`."""

    def __init__(self, url: str, *, prefix: str) -> None:
        self._clients = make_redis_clients(url, what='A RouterModel with state_url=', decode_responses=True)
        self._pausing = Pausing('Redis', 'this process uses its own state', logger, REDIS_TIMEOUT, REDIS_PAUSE)
        self._prefix = prefix
        self._local = MemoryState()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unreleased: deque[_Release] = deque()
        """Slots that must be released. Those that Redis failed to release stay until their leases end."""

    async def status(self, names: Sequence[str]) -> dict[str, DeploymentStatus]:
        """Return the status of each deployment, with the longer of its shared and its local cooldown."""
        keys = [self._key(name, field) for name in names for field in ('slots', 'cooldown', 'latency')]
        local = await self._local.status(names)
        found: list[Any] | None = await self._run_script(STATUS, keys, [LEASE_SECONDS])
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
        if self._pausing.is_paused:
            return await self._local.reserve(name, limits, tokens)
        slot = uuid4().hex
        concurrency = -1 if limits.concurrency is None else limits.concurrency
        values = [concurrency, LEASE_SECONDS, slot, SLOT_POLL_SECONDS]
        values += [limits.requests_per_minute or 0, 1, limits.tokens_per_minute or 0, tokens]
        keys = [self._key(name, field) for field in ('slots', 'requests', 'tokens')]
        try:
            wait: str | None = await self._run_script(RESERVE, keys, values)
        except asyncio.CancelledError:  # Redis may have reserved it
            self._plan_release(name, slot, limits, tokens)
            self._run_in_background(self._release_all())
            raise
        if wait is None:  # here too: only the result may be lost
            self._plan_release(name, slot, limits, tokens)
            return await self._local.reserve(name, limits, tokens)
        return NotYet(float(wait)) if float(wait) else slot

    async def release(self, name: str, slot: str, limits: Limits, tokens: float) -> None:
        """Release the slot and refund the tokens, in the state that reserved them; later if Redis fails now."""
        if slot == LOCAL_SLOT:
            await self._local.release(name, slot, limits, tokens)
            return
        self._plan_release(name, slot, limits, tokens)
        await self._settle(self._release_all())

    async def cool_down(self, name: str, seconds: float) -> None:
        """Exclude the deployment for `seconds`, in all processes; in this one even if Redis fails."""
        await self._local.cool_down(name, seconds)
        await self._settle(self._run_script(COOL_DOWN, [self._key(name, 'cooldown')], [max(int(seconds * 1000), 1)]))

    async def record_latency(self, name: str, seconds: float) -> None:
        await self._local.record_latency(name, seconds)
        await self._settle(self._run_script(RECORD_LATENCY, [self._key(name, 'latency')], [seconds, SMOOTHING]))

    def _plan_release(self, name: str, slot: str, limits: Limits, tokens: float) -> None:
        """Add a slot to those that must be released, and forget slots whose leases have ended."""
        now = time.monotonic()
        while self._unreleased and self._unreleased[0].lease_end < now:
            self._unreleased.popleft()
        keys = (self._key(name, 'slots'), self._key(name, 'tokens'))
        values = (slot, tokens, limits.tokens_per_minute or 0)
        self._unreleased.append(_Release(keys, values, now + LEASE_SECONDS))

    async def _release_all(self) -> None:
        """Release every slot of `_unreleased`. If Redis fails, or this is cancelled, the rest stays there."""
        for _ in range(len(self._unreleased)):
            if not self._unreleased:  # another task was faster
                return
            released, release = None, self._unreleased.popleft()
            if release.lease_end < time.monotonic():
                continue
            try:
                released = await self._run_script(RELEASE, release.keys, release.values)
            finally:
                if released is None:
                    self._unreleased.append(release)
            if released is None:
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
        return await self._pausing.run(lambda: self._clients.get().eval(script, len(keys), *keys, *values))


def _parse_latency(text: str) -> float | None:
    """Return a latency in seconds; `None` for an empty text, or for a value that another program stored."""
    try:
        latency = float(text)
    except ValueError:
        return None
    return latency if isfinite(latency) else None
