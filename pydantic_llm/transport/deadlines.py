"""Deadlines for one request, enforced by one timer.

The clock runs only while we wait for the vendor: the time that the caller spends between two chunks is not counted. The
timer is lazy: progress only moves a number, and a timer that fires too early is set again. When a deadline has passed,
the task that waits is cancelled, and that cancellation, and no other, becomes `DeadlineExceeded`.
"""

from __future__ import annotations

import asyncio
from math import inf
from types import TracebackType
from typing import Literal

from . import Deadlines

__all__ = ('CLOSING_TIMEOUT', 'Deadline', 'DeadlineExceeded', 'Watchdog')

Deadline = Literal['timeout', 'first_token_timeout', 'idle_timeout']
"""The setting that a deadline comes from."""

CLOSING_TIMEOUT = 0.5
"""Seconds that closing a response may take; after that, the connection is dropped."""

GRACE = 0.01
"""Seconds between seeing that a deadline has passed and cancelling: bytes that came while the loop was busy win."""


class DeadlineExceeded(Exception):
    """A deadline passed while we waited for the vendor."""

    deadline: Deadline
    """Which."""
    seconds: float
    """How long it was."""

    def __init__(self, deadline: Deadline, seconds: float) -> None:
        super().__init__(deadline, seconds)
        self.deadline = deadline
        self.seconds = seconds


class Watchdog:
    """The deadlines of one request. Every wait for the vendor stands in a `with` block of it."""

    __slots__ = (
        '_before',
        '_began',
        '_cancelling',
        '_deadlines',
        '_expired',
        '_last_progress',
        '_loop',
        '_nothing_due',
        '_seen_late',
        '_task',
        '_timer',
        '_waited',
    )

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waited = deadlines.waited  # seconds spent in waits that are over
        self._before = deadlines.waited  # of these, the seconds spent before this request
        self._last_progress: float | None = None  # `_waited` at the last progress
        self._began = 0.0  # when the present wait began, on the loop's clock
        self._task: asyncio.Task[object] | None = None  # who waits now
        self._cancelling = 0  # how many cancellations that task had when its wait began
        self._expired: DeadlineExceeded | None = None
        self._seen_late = False
        self._nothing_due = False

    def progress(self) -> None:
        """Something that counts has arrived: not a comment, not a ping."""
        if self._last_progress is None:
            self.close()  # the idle deadline may come sooner than the first token's
            self._nothing_due = False
        self._last_progress = self._waited

    def close(self) -> None:
        """Stop the timer. The request is over, however it ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> None:
        if self._expired is not None:
            raise self._expired
        task = self._task = asyncio.current_task(self._loop)
        if task is not None:
            self._cancelling = task.cancelling()
        self._began = self._loop.time()
        if self._timer is None and not self._nothing_due:
            self._arm(self._nearest(self._waited)[0])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._waited += self._loop.time() - self._began
        expired, task = self._expired, self._task
        self._task = None
        if expired is None or task is None:
            return
        others = task.uncancel() > self._cancelling
        if not (others and isinstance(error, asyncio.CancelledError)):
            raise expired from None

    def _nearest(self, waited: float) -> tuple[float, DeadlineExceeded | None]:
        """Seconds until the nearest deadline, and the error that it makes."""
        nearest: tuple[float, DeadlineExceeded | None] = (inf, None)
        begun = self._last_progress is not None
        limits: tuple[tuple[Deadline, float | None, float], ...] = (
            ('timeout', self._deadlines.timeout, 0.0),
            ('first_token_timeout', None if begun else self._deadlines.first_token_timeout, self._before),
            ('idle_timeout', self._deadlines.idle_timeout if begun else None, self._last_progress or 0.0),
        )
        for name, seconds, since in limits:
            if seconds is not None and since + seconds - waited < nearest[0]:
                nearest = since + seconds - waited, DeadlineExceeded(name, seconds)
        return nearest

    def _arm(self, remaining: float) -> None:
        if remaining == inf:
            self._nothing_due = True
        else:
            self._timer = self._loop.call_later(max(remaining, 0.0), self._fire)

    def _fire(self) -> None:
        self._timer = None
        task = self._task
        if task is None or self._expired is not None:
            return  # nobody waits for the vendor: the next wait sets the timer again
        remaining, error = self._nearest(self._waited + self._loop.time() - self._began)
        if remaining > 0 or error is None:
            self._seen_late = False
            self._arm(remaining)
        elif not self._seen_late:
            self._seen_late = True
            self._arm(GRACE)
        elif task.cancelling() <= self._cancelling:
            self._expired = error
            task.cancel('a deadline passed')
