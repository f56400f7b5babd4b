"""`WaitDeadlines`: the deadlines of a request that waits in a queue before it is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Literal

from ...retries.budget import MIN_TIMEOUT, NO_RETRIES, Budget
from ...settings import ModelSettings

DeadlineName = Literal['timeout', 'first_token_timeout']
"""The deadlines that include the wait."""


class WaitDeadlines:
    """The deadlines of a request, and the part of them that its wait has used."""

    def __init__(self, settings: ModelSettings, names: Sequence[DeadlineName]) -> None:
        limits: dict[DeadlineName, float] = {}
        for name in names:
            if (seconds := settings.get(name)) is not None:
                limits[name] = seconds
        self._limits = limits
        self._budget = Budget(NO_RETRIES)
        self.track_time: Callable[[], AbstractContextManager[None]] = self._budget.track_time
        """Returns a context manager that counts the duration of its block as waiting."""
        nearest = min(limits, key=limits.__getitem__, default=None)
        self.name: DeadlineName = nearest or 'timeout'
        """The nearest deadline."""
        self.seconds: float | None = limits.get(self.name)
        """The longest wait; `None` without a deadline."""

    def seconds_left(self, name: DeadlineName | None = None) -> float | None:
        """Return the seconds until a deadline (default: the nearest), at least 0; `None` without one."""
        limit = self._limits.get(name or self.name)
        return None if limit is None else max(limit - self._budget.spent, 0.0)

    def settings_with_time_left(self, settings: ModelSettings | None) -> ModelSettings | None:
        """Return the settings of the request with the time that the wait left."""
        if not self._limits or self._budget.spent < MIN_TIMEOUT:
            return settings
        passed: ModelSettings = {**(settings or {})}
        for name, seconds in self._limits.items():
            passed[name] = max(seconds - self._budget.spent, MIN_TIMEOUT)
        return passed
