"""Enforces `timeout`, `first_token_timeout` and `idle_timeout` with one timer per request: `Watchdog`.

The clock runs only while the request waits for the vendor: time that the caller spends between two chunks does not
count. The timer is lazy: progress only updates a number, and a timer that fires too early is set again. When a deadline
has passed, the watchdog cancels the waiting task and turns that cancellation, and no other, into `DeadlineExceeded`.
"""

from __future__ import annotations

import asyncio
from math import inf
from types import TracebackType
from typing import Literal

from . import Deadlines

__all__ = ('CLOSING_TIMEOUT', 'Deadline', 'DeadlineExceeded', 'Watchdog')

Deadline = Literal['timeout', 'first_token_timeout', 'idle_timeout']
"""The name of the setting that a deadline comes from."""

CLOSING_TIMEOUT = 0.5
"""Seconds that closing a response may take; after that, the connection is dropped."""

GRACE = 0.01
"""Seconds between noticing a passed deadline and cancelling. Bytes that arrived while the loop was busy win."""


class DeadlineExceeded(Exception):
    """Raised when a deadline passes while the request waits for the vendor."""

    deadline: Deadline
    seconds: float | None
    """The configured limit, in seconds; `None` for the client's own limit."""

    def __init__(self, deadline: Deadline, seconds: float | None) -> None:
        super().__init__(deadline, seconds)
        self.deadline = deadline
        self.seconds = seconds


class Watchdog:
    """The deadlines of one request. Each wait for the vendor runs inside `with watchdog:`.

    `silence` is the limit of each single wait, in seconds, for clients that have no read timeout themselves.
    """

    __slots__ = (
        '_cancelling',
        '_deadline_passed',
        '_deadlines',
        '_expired',
        '_has_content',
        '_is_unlimited',
        '_last_progress',
        '_loop',
        '_nothing_due',
        '_silence',
        '_task',
        '_timer',
        '_wait_began',
        '_wait_ended',
        '_waited',
        '_waited_before',
    )

    def __init__(self, deadlines: Deadlines, *, silence: float | None = None) -> None:
        self._deadlines = deadlines
        self._silence = silence
        limits = (deadlines.timeout, deadlines.first_token_timeout, deadlines.idle_timeout, silence)
        self._is_unlimited = not any(limits)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waited = deadlines.waited  # seconds spent in finished waits, including earlier attempts
        self._waited_before = deadlines.waited  # seconds that earlier attempts have used
        self._has_content = False
        self._last_progress: float | None = None  # the value of `_waited` at the last progress
        self._wait_began = 0.0  # the start of the current wait, on the loop's clock
        self._wait_ended = 0.0  # the end of the last one
        self._task: asyncio.Task[object] | None = None  # the task that waits now
        self._cancelling = 0  # the number of cancellations of that task when its wait began
        self._expired: DeadlineExceeded | None = None
        self._deadline_passed = False  # noticed once; the task is cancelled after `GRACE`
        self._nothing_due = False

    def begin(self) -> None:
        """Start the idle deadline: the response has begun, perhaps without content yet."""
        if self._last_progress is None:
            self.progress(has_content=False)

    def progress(self, *, has_content: bool = True) -> None:
        """Restart the idle deadline: content has arrived, not a comment or a ping."""
        if self._last_progress is None:
            self.close()  # the idle deadline can be nearer than the first token's
            self._nothing_due = False
        if has_content:
            self._has_content = True
        self._last_progress = self._waited

    def keep_waiting(self) -> None:
        """Count the time since the last wait too: what arrived held nothing, and reading it took that time."""
        if not self._is_unlimited:
            now = self._loop.time()
            self._waited += now - self._wait_ended
            self._wait_ended = now

    def close(self) -> None:
        """Stop the timer, because the request has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> None:
        if self._is_unlimited:
            return
        if self._expired is not None:
            raise self._expired
        task = self._task = asyncio.current_task(self._loop)
        if task is not None:
            self._cancelling = task.cancelling()
        self._wait_began = self._loop.time()
        if self._timer is None and not self._nothing_due:
            self._set_timer(self._find_nearest(self._waited)[0])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_unlimited:
            return
        self._wait_ended = self._loop.time()
        self._waited += self._wait_ended - self._wait_began
        expired, task = self._expired, self._task
        self._task = None
        if expired is None or task is None:
            return
        cancelled_by_others = task.uncancel() > self._cancelling
        if not (cancelled_by_others and isinstance(error, asyncio.CancelledError)):
            raise expired from None

    def _find_nearest(self, waited: float) -> tuple[float, DeadlineExceeded | None]:
        """Return the seconds until the nearest deadline, and its error. `(inf, None)` if there is no deadline."""
        nearest: tuple[float, DeadlineExceeded | None] = (inf, None)
        has_begun = self._last_progress is not None
        limits: tuple[tuple[Deadline, float | None, float], ...] = (
            ('timeout', self._deadlines.timeout, 0.0),
            (
                'first_token_timeout',
                None if self._has_content else self._deadlines.first_token_timeout,
                self._waited_before,
            ),
            ('idle_timeout', self._deadlines.idle_timeout if has_begun else None, self._last_progress or 0.0),
        )
        for name, seconds, since in limits:
            if seconds is not None and since + seconds - waited < nearest[0]:
                nearest = since + seconds - waited, DeadlineExceeded(name, seconds)
        if self._silence is not None and self._waited + self._silence - waited < nearest[0]:
            nearest = self._waited + self._silence - waited, DeadlineExceeded('timeout', None)
        return nearest

    def _set_timer(self, remaining: float) -> None:
        if remaining == inf:
            self._nothing_due = True
        else:
            self._timer = self._loop.call_later(max(remaining, 0.0), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        task = self._task
        if task is None or self._expired is not None:
            return  # no task waits for the vendor now: the next wait sets the timer again
        remaining, error = self._find_nearest(self._waited + self._loop.time() - self._wait_began)
        if remaining > 0 or error is None:
            self._deadline_passed = False
            self._set_timer(remaining)
        elif not self._deadline_passed:
            self._deadline_passed = True
            self._set_timer(GRACE)
        elif task.cancelling() <= self._cancelling:
            self._expired = error
            task.cancel('a deadline passed')
