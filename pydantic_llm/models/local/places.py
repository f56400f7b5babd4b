"""Those who wait for a place in a full queue, first come, first served, from any event loop.

Everything but awaiting a place is called under the owner's lock.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ('Place', 'Places')


class Place:
    """Somebody who waits."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.granted: asyncio.Future[None] = self._loop.create_future()
        """Done when they may come in."""
        self.is_granted = False
        """Whether a place is kept for them."""

    def grant(self) -> bool:
        """Let them in. Whether there is still somebody."""
        try:
            self._loop.call_soon_threadsafe(self._resolve)
        except RuntimeError:  # the loop is closed
            return False
        self.is_granted = True
        return True

    def _resolve(self) -> None:
        if not self.granted.done():
            self.granted.set_result(None)


class Places:
    """All who wait. A place that was granted is kept until it is used or given back."""

    def __init__(self) -> None:
        self._waiting: deque[Place] = deque()
        self.reserved = 0
        """How many places are kept for those who are on their way in."""

    def __len__(self) -> int:
        return len(self._waiting)

    def new(self) -> Place:
        """Wait at the end."""
        place = Place()
        self._waiting.append(place)
        return place

    def grant(self) -> bool:
        """Let the first one in. Whether there was anybody."""
        while self._waiting:
            if self._waiting.popleft().grant():
                self.reserved += 1
                return True
        return False

    def use(self) -> None:
        """Somebody came in."""
        self.reserved -= 1

    def give_back(self, place: Place) -> None:
        """Somebody who waited has gone."""
        if place.is_granted:
            self.reserved -= 1
        elif place in self._waiting:
            self._waiting.remove(place)
