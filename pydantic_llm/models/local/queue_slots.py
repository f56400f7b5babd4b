"""Queue slots: the callers that wait to put a job into a full queue, first come, first served, from any event loop.

Call every method under the lock of the queue; only `QueueSlot.granted` is awaited without it.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ('QueueSlot', 'QueueSlots')


class QueueSlot:
    """Room for one job in the queue, which a caller waits for."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.granted: asyncio.Future[None] = self._loop.create_future()
        """Done when the caller may use the slot."""
        self.is_reserved: bool = False
        """True once the slot is kept free for the caller."""

    def grant(self) -> bool:
        """Grant the slot; return False if the waiter is gone, because its event loop is closed."""
        try:
            self._loop.call_soon_threadsafe(self._resolve)
        except RuntimeError:  # the loop is closed
            return False
        self.is_reserved = True
        return True

    def _resolve(self) -> None:
        if not self.granted.done():
            self.granted.set_result(None)


class QueueSlots:
    """The queue slots that callers wait for. A granted slot stays reserved until it is used or released."""

    def __init__(self) -> None:
        self._waiting: deque[QueueSlot] = deque()
        self.reserved: int = 0
        """The number of granted slots that are not used yet."""

    def __len__(self) -> int:
        return len(self._waiting)

    def request(self) -> QueueSlot:
        """Return a new slot to wait for, after all others."""
        slot = QueueSlot()
        self._waiting.append(slot)
        return slot

    def grant_next(self) -> bool:
        """Grant the slot of the first waiter that is not gone; return False if there is no such waiter."""
        while self._waiting:
            if self._waiting.popleft().grant():
                self.reserved += 1
                return True
        return False

    def use(self) -> None:
        self.reserved -= 1

    def release(self, slot: QueueSlot) -> None:
        """Give up a slot, granted or not."""
        if slot.is_reserved:
            self.reserved -= 1
        elif slot in self._waiting:
            self._waiting.remove(slot)
