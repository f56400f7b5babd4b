"""`BackgroundRun`: a run, or one step of a run, in a task of its own, with its events in a channel.

The task that opens a model's stream or a resource of a tool also closes it, whichever task reads the events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

from ..exceptions import UserError
from .event_channel import ChannelClosed, EventChannel, ResponseStartEvent, RunEvent
from .result import AgentStreamEvent
from .run_state import RunState

__all__ = ('BackgroundRun',)

ResultT = TypeVar('ResultT')


class BackgroundRun(Generic[ResultT]):
    """Executes a run or a step in a task of its own. Leaving the `async with` block cancels it.

    `execute` returns the result of the run, or the next node.
    """

    def __init__(self, run: RunState, execute: Callable[[], Awaitable[ResultT]]) -> None:
        self.run = run
        self.result: ResultT | None = None
        self.cancelled: bool = False
        self._execute = execute
        self._channel = EventChannel()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> BackgroundRun[ResultT]:
        self.run.channel = self._channel
        self._task = asyncio.create_task(self._execute_and_close_channel(), name='pydantic_llm agent')
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.cancel()
        self.run.channel = None

    async def _execute_and_close_channel(self) -> None:
        try:
            self.result = await self._execute()
        except BaseException as error:
            self._channel.close(None if self.cancelled and isinstance(error, asyncio.CancelledError) else error)
            if not isinstance(error, Exception):
                raise
        else:
            self._channel.close()

    async def cancel(self) -> None:
        """Cancel the run, if it is not complete. Its messages are still valid to continue."""
        if self._task is None or self._task.done():
            return
        self.cancelled = True
        self._task.cancel()
        await asyncio.wait({self._task})

    async def receive(self, timeout: float | None = None) -> RunEvent | None:
        """Return the next event, or `None` on timeout. Raises `ChannelClosed` at the end, or the run's error."""
        if self.cancelled:
            raise ChannelClosed
        return await self._channel.receive(timeout)

    async def events(self) -> AsyncGenerator[AgentStreamEvent]:
        """Yield the public events until the end. Raises the run's error."""
        while True:
            try:
                event = await self.receive()
            except ChannelClosed:
                return
            if event is not None and not isinstance(event, ResponseStartEvent):
                yield event

    async def event_groups(self, debounce_by: float | None) -> AsyncGenerator[list[RunEvent]]:
        """Yield all events until the end, grouped with those that arrive less than `debounce_by` seconds later."""
        while True:
            try:
                group = await self._receive_group(debounce_by)
            except ChannelClosed:
                return
            yield group

    async def _receive_group(self, debounce_by: float | None) -> list[RunEvent]:
        clock = asyncio.get_running_loop().time
        group = [event] if (event := await self.receive()) is not None else []
        end = clock() + (debounce_by or 0)
        while debounce_by and (remaining := end - clock()) > 0:
            try:
                event = await self.receive(remaining)
            except Exception:  # noqa: BLE001 -- the next `receive` raises it again, after the reader got this group
                break
            if event is None:
                break
            group.append(event)
        return group

    async def finish(self) -> ResultT:
        """Drop all further events and wait for the end. Returns the result, or raises the error."""
        self._channel.discard()
        async for _ in self.events():
            pass
        if self.result is None:
            raise UserError('The run was cancelled, so that it has no output')
        return self.result
