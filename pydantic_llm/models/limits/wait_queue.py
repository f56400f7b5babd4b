"""A line of requests that wait for something: the first to come is the first to go, of those with the same priority.

It may be stood in from several event loops and threads at once. Only the first in the line looks whether it can go on;
it is woken when somebody says that something is free, or after the seconds that it named.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

T = TypeVar('T')


@dataclass(frozen=True, slots=True)
class NotYet:
    """Nothing is free."""

    seconds: float | None = None
    """When to look again; `None` when somebody tells."""


class LineIsFull(Exception):
    """There is no more room in the line."""


class WaitedTooLong(Exception):
    """The first in the line did not get on in time."""


class _Place:
    """Where one request stands."""

    def __init__(self, priority: int, number: int) -> None:
        self.order = (priority, number)
        self.loop = asyncio.get_running_loop()
        self.woken = asyncio.Event()

    def wake(self) -> None:
        with suppress(RuntimeError):  # its loop is closed: nobody waits there any more
            self.loop.call_soon_threadsafe(self.woken.set)


class Line(Generic[T]):
    """A line. `T` is what those who stand in it get."""

    def __init__(self, longest: int | None = None) -> None:
        self.longest = longest
        """How many may stand in it."""
        self._places: list[_Place] = []
        self._numbers = count()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._places)

    def tell(self) -> None:
        """Something may be free now."""
        with self._lock:
            first = self._first()
        if first is not None:
            first.wake()

    async def get(
        self,
        take: Callable[[], Awaitable[T | NotYet]],
        *,
        priority: int = 0,
        seconds: float | None = None,
    ) -> T:
        """What `take` gives, as soon as it gives something.

        Those with a lower `priority` go first. Raises `LineIsFull`, and `WaitedTooLong` after so many `seconds`.
        """
        if not self._places:
            got = await take()
            if not isinstance(got, NotYet):
                return got
        async with self._standing(priority) as place:
            try:
                async with asyncio.timeout(seconds):
                    return await self._stand(place, take)
            except TimeoutError:
                raise WaitedTooLong from None

    async def _stand(self, place: _Place, take: Callable[[], Awaitable[T | NotYet]]) -> T:
        while True:
            place.woken.clear()
            wait: float | None = None
            with self._lock:
                is_first = self._first() is place
            if is_first:
                got = await take()
                if not isinstance(got, NotYet):
                    return got
                wait = got.seconds
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await place.woken.wait()

    @asynccontextmanager
    async def _standing(self, priority: int) -> AsyncGenerator[_Place]:
        with self._lock:
            if self.longest is not None and len(self._places) >= self.longest:
                raise LineIsFull
            place = _Place(priority, next(self._numbers))
            self._places.append(place)
        try:
            yield place
        finally:
            with self._lock:
                self._places.remove(place)
            self.tell()

    def _first(self) -> _Place | None:
        return min(self._places, key=lambda place: place.order, default=None)
