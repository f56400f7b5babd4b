"""A run that somebody watches: it goes in a task of its own, from its first request to its output.

All that a model's stream or a tool opens is closed by the task that opened it, whichever task the reader reads from.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Any, Generic

from typing_extensions import TypeVar

from ..exceptions import UserError
from .event_channel import Channel, Closed
from .partial_response import Watched
from .result import AgentRunResult, AgentStreamEvent
from .run_state import ResponseBegins, Run

__all__ = ('LiveRun',)

OutputT = TypeVar('OutputT', default=str)


class LiveRun(Generic[OutputT]):
    """A run in a task of its own. Leaving the block ends it where it is."""

    def __init__(self, run: Run[Any], go: Callable[[], Awaitable[AgentRunResult[OutputT]]]) -> None:
        self.run = run
        """The run."""
        self.result: AgentRunResult[OutputT] | None = None
        """What it gave, once it is over."""
        self.cancelled = False
        """Whether it was ended before it was over."""
        self._go = go
        self._channel: Channel[Watched] = Channel()
        self._task: asyncio.Task[None] | None = None
        run.channel = self._channel

    async def __aenter__(self) -> LiveRun[OutputT]:
        self._task = asyncio.create_task(self._work(), name='pydantic_llm agent')
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def _work(self) -> None:
        try:
            self.result = await self._go()
        except BaseException as error:
            self._channel.close(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._channel.close()

    async def stop(self) -> None:
        """End the run where it is; its messages stay fit to go on with."""
        if self._task is None or self._task.done():
            return
        self.cancelled = True
        self._task.cancel()
        await asyncio.wait({self._task})

    async def receive(self, timeout: float | None = None) -> Watched | None:
        """The next event, or `None` where none came in time. Raises `Closed` at the end, and what the run raised."""
        if self.cancelled:
            raise Closed
        return await self._channel.receive(timeout)

    async def events(self) -> AsyncGenerator[AgentStreamEvent]:
        """The events until the end."""
        while True:
            try:
                event = await self.receive()
            except Closed:
                return
            if event is not None and not isinstance(event, ResponseBegins):
                yield event

    async def groups(self, debounce_by: float | None) -> AsyncGenerator[list[Watched]]:
        """The events until the end; those that come within `debounce_by` seconds of one that waits come with it."""
        while True:
            try:
                group = await self._group(debounce_by)
            except Closed:
                return
            yield group

    async def _group(self, debounce_by: float | None) -> list[Watched]:
        clock = asyncio.get_running_loop().time
        group = [event] if (event := await self.receive()) is not None else []
        until = clock() + (debounce_by or 0)
        while debounce_by and (left := until - clock()) > 0:
            try:
                event = await self.receive(left)
            except Exception:  # noqa: BLE001 -- raised again when the reader, which has a group to read, asks again
                break
            if event is None:
                break
            group.append(event)
        return group

    async def finish(self) -> AgentRunResult[OutputT]:
        """Let the run go to its end, whoever listens; gives its result or raises what it raised."""
        self._channel.ignore()
        async for _ in self.events():
            pass
        if self.result is None:
            raise UserError('The run was cancelled, so that it has no output')
        return self.result
