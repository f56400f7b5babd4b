"""Equal requests at the same time: one of them, the leader, is sent, and the others wait for its response.

A `Flight` is a request that is under way. Its outcome is a stored entry, or how it ended without one. Leaders and
followers may be in different event loops and threads of one process.
"""

from __future__ import annotations

import asyncio
import threading
import time
from asyncio import AbstractEventLoop, Task
from concurrent.futures import Future
from typing import Any, Literal

from .forks import reset_after_fork

Ending = Literal['failed', 'left']
"""`failed`: the request failed, or its response is not stored. `left`: the caller left before its end."""

STALL_SECONDS = 1.0
"""Seconds that a stream may wait for its reader before others no longer wait for it."""


class Flight:
    """A request that is under way."""

    def __init__(self) -> None:
        self.loop: AbstractEventLoop = asyncio.get_running_loop()
        self.task: Task[Any] | None = asyncio.current_task()
        self.idle_since: float | None = None
        """The time since which a stream waits for its reader; `None` if it waits for the vendor."""
        self._outcome: Future[bytes | Ending] = Future()
        self._outcome.set_running_or_notify_cancel()  # so that a waiter that is cancelled does not cancel it

    def end(self, outcome: bytes | Ending) -> None:
        """Give the outcome to all followers, unless they have one."""
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    async def follow(self, seconds: float | None) -> bytes | Ending:
        """Return the outcome; `'failed'` if it takes longer than `seconds`, or if the leader stands still."""
        if self._outcome.done():
            return self._outcome.result()
        waiter = asyncio.wrap_future(self._outcome)
        until = None if seconds is None else time.monotonic() + seconds
        while not (waiter.done() or self._is_stalled()):
            left = STALL_SECONDS if until is None else min(until - time.monotonic(), STALL_SECONDS)
            if left <= 0:
                break
            await asyncio.wait([waiter], timeout=left)
        if waiter.done():
            return waiter.result()
        waiter.cancel()
        return 'failed'

    def _is_stalled(self) -> bool:
        """Return whether the leader does not read: its loop stands still, or the task that would have to read waits."""
        if not self.loop.is_running() or self.task is asyncio.current_task():
            return True
        idle_since = self.idle_since
        return idle_since is not None and time.monotonic() - idle_since > STALL_SECONDS


class Flights:
    """The requests of one model that are under way, by key. Can be used from any thread and event loop."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}
        self._lock = threading.Lock()
        reset_after_fork(self)

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: str) -> tuple[Flight, bool]:
        """Return the flight with this key, and whether it is a new one, which the caller must lead and remove."""
        with self._lock:
            found = self._flights.get(key)
            if found is not None:
                return found, False
            flight = self._flights[key] = Flight()
            return flight, True

    def remove(self, key: str, flight: Flight) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]

    def reset(self) -> None:
        """Forget all flights in a forked child: their leaders are in the parent."""
        self._lock = threading.Lock()
        self._flights = {}
