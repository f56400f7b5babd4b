"""Work that may fail or be slow, such as commands to Redis, and is then not attempted for a while: `Pausing`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from logging import Logger
from typing import TypeVar

T = TypeVar('T')


@dataclass
class Pausing:
    """Awaits work for at most `timeout` seconds. After a failure, nothing is attempted for `pause` seconds.

    A failure is logged as a warning, once for each pause.
    """

    name: str
    """What fails, for the warning."""
    consequence: str
    """What happens without it, for the warning."""
    logger: Logger
    timeout: float
    pause: float
    paused_until: float = 0.0
    """The end of the pause, by `time.monotonic`."""

    @property
    def is_paused(self) -> bool:
        return time.monotonic() < self.paused_until

    async def run(self, work: Callable[[], Awaitable[T]], *, seconds_left: float | None = None) -> T | None:
        """Return the result of the work; `None` if it fails, takes too long, or during a pause.

        `seconds_left` is the time that the request has left: work that needs longer is stopped, and is no failure.
        """
        if self.is_paused:
            return None
        limit = self.timeout if seconds_left is None else min(self.timeout, seconds_left)
        deadline = asyncio.timeout(limit)
        try:
            async with deadline:
                return await work()
        except Exception as error:  # noqa: BLE001 -- no request may fail because of it
            if not (deadline.expired() and limit < self.timeout):
                self.paused_until = time.monotonic() + self.pause
                self.logger.warning('%s failed, so %s for %s s: %r', self.name, self.consequence, self.pause, error)
            return None
