"""Limits per minute: what is reserved before a request is settled after it, when its real usage is known. Pure.

A `Meter` is a bucket that fills up steadily. Taking from it may have to wait; settling may leave it below empty, which
later requests wait for. The caller says what time it is, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MINUTE = 60.0
"""Seconds in which a bucket fills up."""


@dataclass(slots=True)
class Meter:
    """A limit per minute, and what is left of it."""

    limit: float
    """How much may be used in a minute."""
    level: float = field(init=False)
    """What is left."""
    time: float | None = None
    """When that was so."""

    def __post_init__(self) -> None:
        self.level = self.limit

    def wait_for(self, amount: float, now: float) -> float:
        """Seconds until so much can be taken; 0 where it can be now. More than the whole limit takes all of it."""
        self._fill(now)
        missing = min(amount, self.limit) - self.level
        return 0.0 if missing <= 0 else missing * MINUTE / self.limit

    def take(self, amount: float, now: float) -> None:
        """Take so much, below empty where there is less; a negative amount is given back."""
        self._fill(now)
        self.level = min(self.level - amount, self.limit)

    def learn(self, left: float | None, limit: float | None, now: float) -> None:
        """What the vendor says of it: it knows of other users of the same account. A limit above ours stays ours."""
        self._fill(now)
        if limit is not None and 0 < limit < self.limit:
            self.level = min(self.level, limit)
            self.limit = limit
        if left is not None and left < self.level:
            self.level = left

    def _fill(self, now: float) -> None:
        if self.time is not None and now > self.time:
            self.level = min(self.limit, self.level + (now - self.time) * self.limit / MINUTE)
        self.time = now if self.time is None else max(self.time, now)
