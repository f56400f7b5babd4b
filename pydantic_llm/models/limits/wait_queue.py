"""A queue of requests that wait for a resource: by priority, and first in, first out within a priority.

Several event loops and threads may share a queue. Only the first waiter tries to acquire the resource: when `notify` is
called, or after the delay that its last attempt returned. A waiter whose event loop does not run is passed over until
its loop runs again.
"""

from __future__ import annotations

import asyncio
import threading
from bisect import insort
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from math import inf
from typing import Generic, TypeVar

from ..._checks import check_number

T = TypeVar('T')

POLL_SECONDS = 5.0
"""The longest time that a waiter sleeps: one whose loop stood still has missed the calls of `notify`."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """The result of an attempt that acquired nothing."""

    seconds: float | None = None
    """The delay before the next attempt; `None` to wait for `notify`."""


class QueueFullError(Exception):
    """The queue has `max_size` waiters already."""


class QueueTimeoutError(Exception):
    """The resource was not acquired in time."""


class _Waiter:
    """One request in the queue, with the event loop that it waits in."""

    def __init__(self, priority: int, number: int) -> None:
        self.order = (priority, number)
        self.loop = asyncio.get_running_loop()
        self.woken = asyncio.Event()

    def wake(self) -> None:
        with suppress(RuntimeError):  # the loop is closed, and the request in it gone
            self.loop.call_soon_threadsafe(self.woken.set)


class WaitQueue(Generic[T]):
    """A queue of waiters. `T` is the type of the acquired resource."""

    def __init__(self, max_size: int | None = None) -> None:
        check_number('max_queue', max_size, least=0)
        self.max_size = max_size
        """The maximum number of waiters; `None` for no maximum."""
        self._waiters: list[_Waiter] = []
        self._numbers = count()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiters)

    def notify(self) -> None:
        """Wake the first waiter for another attempt."""
        with self._lock:
            first = self._find_first_waiter()
        if first is not None:
            first.wake()

    async def acquire(
        self,
        attempt: Callable[[], Awaitable[T | NotYet]],
        *,
        priority: int = 0,
        seconds: float | None = None,
        longest_wait: float | None = None,
    ) -> T:
        """Wait until `attempt` returns something other than `NotYet`, and return that.

        Waiters with a lower `priority` go first. Raises `QueueFullError`, and `QueueTimeoutError` after `seconds`, or
        after `longest_wait` seconds in the queue; with 0, there is one attempt, which may itself take some time.
        """
        deadline, wait = asyncio.timeout(seconds), asyncio.timeout(longest_wait)
        try:
            async with deadline:
                if not self._waiters:
                    acquired = await attempt()
                    if not isinstance(acquired, NotYet):
                        return acquired
                async with self._join(priority) as waiter, wait:
                    return await self._attempt_when_first(waiter, attempt)
        except TimeoutError:
            if not (deadline.expired() or wait.expired()):
                raise
            raise QueueTimeoutError from None

    async def _attempt_when_first(self, waiter: _Waiter, attempt: Callable[[], Awaitable[T | NotYet]]) -> T:
        while True:
            waiter.woken.clear()
            delay = inf
            with self._lock:
                is_first = self._find_first_waiter() is waiter
            if is_first:
                acquired = await attempt()
                if not isinstance(acquired, NotYet):
                    return acquired
                delay = inf if acquired.seconds is None else acquired.seconds
            with suppress(TimeoutError):
                async with asyncio.timeout(min(delay, POLL_SECONDS)):
                    await waiter.woken.wait()

    @asynccontextmanager
    async def _join(self, priority: int) -> AsyncGenerator[_Waiter]:
        """Stand in the queue for the duration of the block, and wake the next waiter after it."""
        with self._lock:
            if self.max_size is not None and len(self._waiters) >= self.max_size:
                raise QueueFullError
            waiter = _Waiter(priority, next(self._numbers))
            insort(self._waiters, waiter, key=lambda one: one.order)
        try:
            yield waiter
        finally:
            with self._lock:
                self._waiters.remove(waiter)
            self.notify()

    def _find_first_waiter(self) -> _Waiter | None:
        return next((waiter for waiter in self._waiters if waiter.loop.is_running()), None)
