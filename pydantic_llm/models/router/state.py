"""What a router knows of its deployments: how busy, how fast and how well they are.

`RouterState` is the contract. `MemoryState` is for one process; `_router_redis.RedisState` is shared by many.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..limits.token_bucket import Meter
from ..limits.wait_queue import NotYet

SMOOTHING = 0.3
"""How much the newest measurement of a latency counts."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a deployment takes; `None` is no limit."""

    concurrency: int | None = None
    """Requests at once."""
    requests_per_minute: float | None = None
    """Requests in a minute."""
    tokens_per_minute: float | None = None
    """Tokens in a minute."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a deployment is doing."""

    under_way: int = 0
    """How many requests it is answering."""
    cooling: float = 0.0
    """Seconds until it may be asked again."""
    latency: float | None = None
    """How long it lets one wait, in seconds; `None` where nobody knows."""


class RouterState(ABC):
    """What is known of deployments, by their names."""

    @abstractmethod
    async def look(self, names: Sequence[str]) -> dict[str, Standing]:
        """How they are doing."""

    @abstractmethod
    async def take(self, name: str, limits: Limits, tokens: float) -> str | NotYet:
        """Take a place and so many tokens: what the place is called, or when to look again."""

    @abstractmethod
    async def give_back(self, name: str, place: str, limits: Limits, tokens: float) -> None:
        """Give the place back, and so many tokens that were not needed; fewer than none where more were."""

    @abstractmethod
    async def cool(self, name: str, seconds: float) -> None:
        """Leave it alone for so long; of two such wishes, the one that ends later counts."""

    @abstractmethod
    async def measured(self, name: str, seconds: float) -> None:
        """It let somebody wait for so long."""

    async def aclose(self) -> None:
        """Close what is open in the running event loop. Overridden where there is anything."""


HERE = 'here'
"""What a place is called that only this process knows of."""

UNTIL_SOMEBODY_LEAVES = 1.0
"""Seconds until it is worth while to look again for a place; who leaves one tells sooner."""


@dataclass(slots=True)
class _Known:
    under_way: int = 0
    cool_at: float = 0.0
    latency: float | None = None
    requests: Meter | None = None
    tokens: Meter | None = None


@dataclass(slots=True)
class MemoryState(RouterState):
    """For one process. May be used from any thread."""

    _known: dict[str, _Known] = field(default_factory=dict[str, _Known])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def look(self, names: Sequence[str]) -> dict[str, Standing]:
        """How they are doing."""
        now = time.monotonic()
        with self._lock:
            found = {name: self._of(name) for name in names}
            return {
                name: Standing(known.under_way, max(known.cool_at - now, 0.0), known.latency)
                for name, known in found.items()
            }

    async def take(self, name: str, limits: Limits, tokens: float) -> str | NotYet:
        """Take a place and so many tokens."""
        now = time.monotonic()
        with self._lock:
            known = self._of(name)
            if limits.concurrency is not None and known.under_way >= limits.concurrency:
                return NotYet(UNTIL_SOMEBODY_LEAVES)
            wanted = list(_meters(known, limits, tokens))
            wait = max((meter.wait_for(amount, now) for meter, amount in wanted), default=0.0)
            if wait > 0:
                return NotYet(wait)
            for meter, amount in wanted:
                meter.take(amount, now)
            known.under_way += 1
            return HERE

    async def give_back(self, name: str, place: str, limits: Limits, tokens: float) -> None:
        """Give the place back, and the tokens that were not needed."""
        with self._lock:
            known = self._of(name)
            known.under_way = max(known.under_way - 1, 0)
            if known.tokens is not None:
                known.tokens.take(-tokens, time.monotonic())

    async def cool(self, name: str, seconds: float) -> None:
        """Leave it alone for so long."""
        with self._lock:
            known = self._of(name)
            known.cool_at = max(known.cool_at, time.monotonic() + seconds)

    async def measured(self, name: str, seconds: float) -> None:
        """It let somebody wait for so long."""
        with self._lock:
            known = self._of(name)
            before = seconds if known.latency is None else known.latency
            known.latency = before + SMOOTHING * (seconds - before)

    def _of(self, name: str) -> _Known:
        return self._known.setdefault(name, _Known())


def _meters(known: _Known, limits: Limits, tokens: float) -> list[tuple[Meter, float]]:
    """The meters of a deployment that has limits, and what is taken from each."""
    if limits.requests_per_minute is not None and known.requests is None:
        known.requests = Meter(limits.requests_per_minute)
    if limits.tokens_per_minute is not None and known.tokens is None:
        known.tokens = Meter(limits.tokens_per_minute)
    pairs = ((known.requests, 1.0), (known.tokens, tokens))
    return [(meter, amount) for meter, amount in pairs if meter is not None]
