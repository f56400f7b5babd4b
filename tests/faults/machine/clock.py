"""`VirtualLoop`: an event loop whose time passes at once, when nothing else is left to do.

`time.monotonic` shows the same time while the loop runs. A test moves the time by `run_for`, runs what is due now by
`settle`, or only some steps of it by `step`, so that a cancellation can hit every await.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Generator
from contextlib import contextmanager
from math import inf

TICK = 1e-6
"""Seconds that an iteration of the loop takes: a wait that is too short for a float must end too."""

MAX_STEPS = 200_000
"""The most iterations of one run: more are a loop that waits for nothing."""


class _Selector(selectors.DefaultSelector):
    """Waits for no file: it moves the clock to the next timer instead, and stops the loop at the horizon."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        loop = self.loop
        loop.now += TICK
        loop.steps_left -= 1
        if loop.steps_left < 0:
            loop.stop()
        elif not events and timeout != 0:
            due = inf if timeout is None else loop.now + timeout
            if due > loop.horizon:
                loop.now = max(loop.now, loop.horizon)
                loop.stop()
            else:
                loop.now = max(loop.now, due)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with its own clock, `now`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.horizon = 0.0
        self.steps_left = 0
        self.errors: list[str] = []
        """What the loop's exception handler was called with."""
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        self.set_exception_handler(lambda loop, context: self.errors.append(repr(context)))

    def time(self) -> float:
        return self.now

    def run_for(self, seconds: float) -> None:
        """Let this time pass."""
        self._run(self.now + seconds, MAX_STEPS)
        assert self.steps_left >= 0, 'the loop is busy without end'

    def settle(self) -> None:
        """Run everything that is due now."""
        self._run(self.now, MAX_STEPS)
        assert self.steps_left >= 0, 'the loop is busy without end'

    def step(self, steps: int) -> None:
        """Run this number of the loop's iterations, without letting time pass."""
        self._run(self.now, steps)

    def _run(self, horizon: float, steps: int) -> None:
        self.horizon, self.steps_left = horizon, steps
        with self._replace_clock():
            self.run_forever()

    @contextmanager
    def _replace_clock(self) -> Generator[None]:
        original = time.monotonic
        time.monotonic = self.time
        try:
            yield
        finally:
            time.monotonic = original
