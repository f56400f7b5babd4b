"""From the task that runs the agent to the one that watches: events, with a limit on how far ahead the run may be.

The run may be some events of an answer ahead of its reader. Before it calls a function or asks again, it waits in
`idle` until the reader has seen all there was and asks for more, so that nothing happens behind the back of a reader
that has left.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

__all__ = ('Channel', 'Closed')

T = TypeVar('T')

LIMIT = 64
"""How many events may wait for their reader."""


class Closed(Exception):
    """There is nothing more to receive."""


class Channel(Generic[T]):
    """A queue for one reader. It belongs to one event loop."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._writers: list[asyncio.Future[None]] = []
        self._closed = False
        self._unread = False
        self._asking = False
        self._error: BaseException | None = None

    def put(self, item: T) -> None:
        """Add an item without waiting."""
        if not self._unread:
            self._items.append(item)
            _wake(self._reader)

    async def send(self, item: T) -> None:
        """Add an item; wait where too many wait already."""
        self.put(item)
        while len(self._items) >= LIMIT:
            await self._writer()

    async def idle(self) -> None:
        """Wait until the reader has everything and asks for more."""
        while not self._unread and (self._items or not self._asking):
            _wake(self._reader)  # it may be waiting for more of a group: what it has is all there is
            await self._writer()

    async def receive(self, timeout: float | None = None) -> T | None:
        """The next item. Raises `Closed` at the end, or the error that ended it.

        With a `timeout`, the reader has something in its hands: it gets `None` after so many seconds, or once it is
        plain that nothing more comes before it asks without a timeout.
        """
        if not self._items and not self._closed:
            await self._asked(timeout)
        if self._items:
            item = self._items.popleft()
            self._wake_writers()
            return item
        if not self._closed:
            return None
        raise self._error or Closed()

    def close(self, error: BaseException | None = None) -> None:
        """Nothing more will come; the reader gets the error once it has seen what there was."""
        self._closed, self._error = True, error
        _wake(self._reader)

    def ignore(self) -> None:
        """Nobody reads any more: throw away what there is and what will come."""
        self._unread = True
        self._items.clear()

    async def _asked(self, timeout: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._reader = loop.create_future()
        self._asking = timeout is None
        timer = None if timeout is None else loop.call_later(timeout, _wake, self._reader)
        self._wake_writers()
        try:
            await self._reader
        finally:
            self._reader, self._asking = None, False
            if timer is not None:
                timer.cancel()

    async def _writer(self) -> None:
        writer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writers.append(writer)
        await writer

    def _wake_writers(self) -> None:
        for writer in self._writers:
            _wake(writer)
        self._writers.clear()


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
