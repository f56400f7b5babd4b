"""`Drain`: the end of an app. Requests in progress may finish for a while, then each gets an error in its own form."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ('Drain',)


class Drain:
    """The requests in progress of an app, and whether it is stopping. It belongs to one event loop at a time."""

    def __init__(self) -> None:
        self.is_draining: bool = False
        """True from the moment that the server accepts no connections."""
        self.has_ended: bool = False
        """True when the time for requests in progress is over."""
        self._tasks: set[asyncio.Task[object]] = set()

    def reset(self) -> None:
        """Begin again: an app can be started after it was stopped."""
        self.is_draining = self.has_ended = False

    def begin(self) -> None:
        """Report from now on that the app is not ready."""
        self.is_draining = True

    def end(self) -> None:
        """Interrupt the requests in progress."""
        self.is_draining = self.has_ended = True
        for task in self._tasks:
            task.cancel()

    @property
    def in_progress(self) -> int:
        """The number of requests in progress."""
        return len(self._tasks)

    @contextmanager
    def hold(self) -> Generator[None]:
        """Count the current task as a request in progress during the block."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)
