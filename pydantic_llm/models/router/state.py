"""Shared state of a router: load, cooldown and latency per deployment.

`RouterState` is the interface. `MemoryState` is for one process; `redis_state.RedisState` is shared by many.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..limits.token_bucket import TokenBucket, take_from_all
from ..limits.wait_queue import NotYet

SMOOTHING = 0.3
"""The weight of the newest measurement in the smoothed latency, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a deployment; `None` is no limit."""

    concurrency: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """The load, cooldown and latency of a deployment."""

    under_way: int = 0
    cooldown: float = 0.0
    """Seconds until it may be tried again."""
    latency: float | None = None
    """Smoothed latency in seconds; `None` before the first measurement."""


class RouterState(ABC):
    """The load, cooldown and latency of deployments, by their names."""

    @abstractmethod
    async def status(self, names: Sequence[str]) -> dict[str, DeploymentStatus]:
        """Return the status of each deployment."""

    @abstractmethod
    async def reserve(self, name: str, limits: Limits, tokens: float) -> str | NotYet:
        """Reserve one slot and `tokens`. Return the slot's id, or `NotYet` with the delay before the next attempt."""

    @abstractmethod
    async def release(self, name: str, slot: str, limits: Limits, tokens: float) -> None:
        """Release the slot and refund `tokens` that were not used (negative: more were used than reserved)."""

    @abstractmethod
    async def cool_down(self, name: str, seconds: float) -> None:
        """Exclude the deployment for `seconds`; overlapping cooldowns extend to the later end."""

    @abstractmethod
    async def record_latency(self, name: str, seconds: float) -> None:
        """Record the latency of a request: until the first event of a stream, or until the whole response."""

    async def aclose(self) -> None:
        """Close the connections of the running event loop, if there are any."""


LOCAL_SLOT = 'local'
"""The id of a slot that only this process knows."""

SLOT_POLL_SECONDS = 1.0
"""The delay before the next attempt if all slots are taken. A request that releases one wakes the queue earlier."""


@dataclass(slots=True)
class _Record:
    """The state of one deployment."""

    under_way: int = 0
    cooldown_end: float = 0.0
    latency: float | None = None
    requests: TokenBucket | None = None
    tokens: TokenBucket | None = None


@dataclass(slots=True)
class MemoryState(RouterState):
    """State of one process. Any thread may use it."""

    _records: dict[str, _Record] = field(default_factory=dict[str, _Record])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def status(self, names: Sequence[str]) -> dict[str, DeploymentStatus]:
        now = time.monotonic()
        with self._lock:
            found = {name: self._record_of(name) for name in names}
            return {
                name: DeploymentStatus(record.under_way, max(record.cooldown_end - now, 0.0), record.latency)
                for name, record in found.items()
            }

    async def reserve(self, name: str, limits: Limits, tokens: float) -> str | NotYet:
        with self._lock:
            record = self._record_of(name)
            if limits.concurrency is not None and record.under_way >= limits.concurrency:
                return NotYet(SLOT_POLL_SECONDS)
            wait = take_from_all(_amounts(record, limits, tokens), time.monotonic())
            if wait > 0:
                return NotYet(wait)
            record.under_way += 1
            return LOCAL_SLOT

    async def release(self, name: str, slot: str, limits: Limits, tokens: float) -> None:
        with self._lock:
            record = self._record_of(name)
            record.under_way = max(record.under_way - 1, 0)
            if record.tokens is not None:
                record.tokens.take(-tokens, time.monotonic())

    async def cool_down(self, name: str, seconds: float) -> None:
        with self._lock:
            record = self._record_of(name)
            record.cooldown_end = max(record.cooldown_end, time.monotonic() + seconds)

    async def record_latency(self, name: str, seconds: float) -> None:
        with self._lock:
            record = self._record_of(name)
            before = seconds if record.latency is None else record.latency
            record.latency = before + SMOOTHING * (seconds - before)

    def _record_of(self, name: str) -> _Record:
        return self._records.setdefault(name, _Record())


def _amounts(record: _Record, limits: Limits, tokens: float) -> list[tuple[TokenBucket, float]]:
    """Return the buckets of a deployment, with the amount that one request takes from each."""
    if limits.requests_per_minute is not None and record.requests is None:
        record.requests = TokenBucket(limits.requests_per_minute)
    if limits.tokens_per_minute is not None and record.tokens is None:
        record.tokens = TokenBucket(limits.tokens_per_minute)
    pairs = ((record.requests, 1.0), (record.tokens, tokens))
    return [(bucket, amount) for bucket, amount in pairs if bucket is not None]
