"""Hedging: a second deployment is asked if the first is slow to respond, and the first that responds is used.

`Race.run` starts the attempts, each in a task of its own, and stops the ones that are not needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Generic, TypeVar

from ...observers import HedgeStarted, notify
from ...usage import AttemptUsage, RequestUsage
from ..fallback.failed_attempts import find_attempts
from ..fallback.sequence import Attempt, ModelSequence, Start

__all__ = ('Race',)

T = TypeVar('T')

CANCEL_SECONDS = 0.2
"""Seconds that an attempt gets to end after it was cancelled. One that takes longer ends in the background."""

_late: set[asyncio.Task[Any]] = set()
"""Attempts that are still ending. The set keeps them from being garbage collected."""


class Race(Generic[T]):
    """The attempts of one request that are under way at the same time."""

    def __init__(self, sequence: ModelSequence, start: Start[T]) -> None:
        self._sequence = sequence
        self._start = start
        self._running: dict[asyncio.Task[T], Attempt] = {}  # in the order of their starts

    async def run(
        self, first: Attempt, hedge_after: float, choose_hedge: Callable[[], Awaitable[Attempt | None]]
    ) -> tuple[Attempt, T] | None:
        """Return the first attempt that starts to respond, with its result; `None` if all failed.

        `choose_hedge` is called after `hedge_after` seconds, and returns the second attempt, if there can be one.
        """
        self._launch(first)
        winner = None
        try:
            winner = await self._find_winner(first, hedge_after, choose_hedge)
            await self._stop(were_outrun=winner is not None)
        except BaseException:
            async with AsyncExitStack() as stack:
                stack.push_async_callback(self._stop, were_outrun=False)
                if winner is not None:  # cancelled while the others were stopped
                    attempt, result = winner
                    stack.push_async_callback(attempt.end)
                    stack.push_async_callback(self._start.discard, result)
            raise
        return winner

    async def _find_winner(
        self, first: Attempt, hedge_after: float, choose_hedge: Callable[[], Awaitable[Attempt | None]]
    ) -> tuple[Attempt, T] | None:
        wait: float | None = hedge_after
        while self._running:
            await asyncio.wait(self._running, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            if (task := self._find_done()) is None:
                wait = None
                await self._hedge(first, hedge_after, choose_hedge)
            elif (error := task.exception()) is None:
                return self._running.pop(task), task.result()
            else:
                await self._record_failure(task, error)
        return None

    def _launch(self, attempt: Attempt) -> None:
        task = asyncio.ensure_future(self._sequence.call(self._start, attempt))
        self._running[task] = attempt

    def _find_done(self) -> asyncio.Task[T] | None:
        return next((task for task in self._running if task.done()), None)

    async def _hedge(
        self, first: Attempt, seconds: float, choose_hedge: Callable[[], Awaitable[Attempt | None]]
    ) -> None:
        """Start the second attempt, unless no deployment is free or the first has responded meanwhile."""
        attempt = await choose_hedge()
        if attempt is None:
            return
        if self._find_done() is not None:
            await attempt.end()
            return
        self._launch(attempt)
        notify(HedgeStarted(attempt.model.model_id, first.model.model_id, seconds))

    async def _record_failure(self, task: asyncio.Task[T], error: BaseException) -> None:
        if not isinstance(error, Exception):
            raise error
        await self._sequence.record_failure(self._running.pop(task), error)

    async def _stop(self, *, were_outrun: bool) -> None:
        """Cancel the attempts that are still running, release their slots, and count their usage."""
        stopped, self._running = self._running, {}
        if not stopped:
            return
        async with AsyncExitStack() as stack:  # all of them, also if this task is cancelled meanwhile
            for task, attempt in stopped.items():
                stack.push_async_callback(attempt.end, was_outrun=were_outrun)
                stack.push_async_callback(self._add_usage, task, attempt)
                task.cancel()
            await asyncio.wait(stopped, timeout=CANCEL_SECONDS)

    async def _add_usage(self, task: asyncio.Task[T], attempt: Attempt) -> None:
        self._sequence.failed.add_usage(await self._collect(task, attempt))

    async def _collect(self, task: asyncio.Task[T], attempt: Attempt) -> list[AttemptUsage]:
        """Return the usage of a stopped attempt, as far as it is known."""
        found: list[AttemptUsage] = []
        if not task.done():
            _late.add(task)
            task.add_done_callback(self._end_late)
        elif not task.cancelled():
            error = task.exception()
            if error is None:
                found = (await self._start.discard(task.result())).list_attempts()
            elif isinstance(error, Exception):
                found = find_attempts(error)
        return found or [_unknown_usage(attempt)]

    def _end_late(self, task: asyncio.Task[T]) -> None:
        """Discard the result of an attempt that ended long after it was cancelled."""
        _late.discard(task)
        if not task.cancelled() and task.exception() is None:
            discarded = asyncio.ensure_future(self._start.discard(task.result()))
            _late.add(discarded)
            discarded.add_done_callback(_late.discard)


def _unknown_usage(attempt: Attempt) -> AttemptUsage:
    """Return the usage of a request that was cancelled before its vendor reported any."""
    model = attempt.model
    return AttemptUsage(
        usage=RequestUsage.without_counts(),
        model_name=model.model_name,
        provider_name=model.system,
        provider_url=model.base_url,
    )
