"""`EventChannel`: passes events from the task that executes a run to the task that reads them.

The run may be `MAX_QUEUED_EVENTS` events of a response ahead of its reader. Before it calls a function or sends the
next request, it waits in `flush` until the reader has consumed all events and asks for more. So no tool runs after the
reader has left.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from .result import AgentStreamEvent

__all__ = ('ChannelClosed', 'EventChannel', 'ResponseStartEvent', 'RunEvent')

MAX_QUEUED_EVENTS = 64


@dataclass(frozen=True, slots=True)
class ResponseStartEvent:
    """A new response begins. This event is internal: users never see it."""


RunEvent = AgentStreamEvent | ResponseStartEvent
"""An event of a run, public or internal."""


class ChannelClosed(Exception):
    """The channel is closed and all of its events were received."""


class EventChannel:
    """A bounded queue of events with one reader. It belongs to one event loop."""

    def __init__(self) -> None:
        self._events: deque[RunEvent] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._writers: list[asyncio.Future[None]] = []
        self._is_closed = False
        self._is_discarding = False
        self._reader_is_idle = False
        self._error: BaseException | None = None

    def put(self, event: RunEvent) -> None:
        if not self._is_discarding:
            self._events.append(event)
            _wake(self._reader)

    async def send(self, event: RunEvent) -> None:
        """Add an event, then wait while the queue is full."""
        self.put(event)
        while len(self._events) >= MAX_QUEUED_EVENTS:
            await self._wait_for_reader()

    async def flush(self) -> None:
        """Wait until the reader has received all events and asks for another one."""
        while not self._is_discarding and (self._events or not self._reader_is_idle):
            _wake(self._reader)  # it may wait for more events of a group, but no more come before it asks again
            await self._wait_for_reader()

    async def receive(self, timeout: float | None = None) -> RunEvent | None:
        """Return the next event. Raises `ChannelClosed` after the last one, or the error that closed the channel.

        A reader that still holds events passes a `timeout` in seconds. It gets `None` when the time is over, or as soon
        as the run waits for the reader to ask without a timeout.
        """
        if not self._events and not self._is_closed:
            await self._wait_for_event(timeout)
        if self._events:
            event = self._events.popleft()
            self._wake_writers()
            return event
        if not self._is_closed:
            return None
        raise self._error or ChannelClosed()

    def close(self, error: BaseException | None = None) -> None:
        """Close the channel. The reader gets the queued events first, then the error."""
        self._is_closed, self._error = True, error
        _wake(self._reader)

    def discard(self) -> None:
        """Drop the queued events and all later ones: the reader has left."""
        self._is_discarding = True
        self._events.clear()

    async def _wait_for_event(self, timeout: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._reader = loop.create_future()
        self._reader_is_idle = timeout is None
        timer = None if timeout is None else loop.call_later(timeout, _wake, self._reader)
        self._wake_writers()
        try:
            await self._reader
        finally:
            self._reader, self._reader_is_idle = None, False
            if timer is not None:
                timer.cancel()

    async def _wait_for_reader(self) -> None:
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
