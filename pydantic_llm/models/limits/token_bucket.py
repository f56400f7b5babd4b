"""Limits per minute, as token buckets: https://en.wikipedia.org/wiki/Token_bucket. Pure: the caller passes the time.

An estimated amount is taken before a request, and corrected after it, when the real usage is known. The correction may
leave the level below zero; later requests wait until it is refilled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MINUTE = 60.0
"""Seconds in which an empty bucket fills up."""


@dataclass(slots=True)
class TokenBucket:
    """A limit per minute, of requests or of tokens, and how much of it is left. It starts full."""

    limit: float
    """The amount that may be used in a minute, and the highest level."""
    level: float = field(init=False)
    """The amount that was left at `updated_at`; negative if more was used than taken."""
    updated_at: float | None = None
    """Time of the last update in seconds; `None` before the first one."""

    def __post_init__(self) -> None:
        self.level = self.limit

    def seconds_until(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` is available (0 if it is now). More than the limit needs a full bucket."""
        self._refill(now)
        missing = min(amount, self.limit) - self.level
        return 0.0 if missing <= 0 else missing * MINUTE / self.limit

    def take(self, amount: float, now: float) -> None:
        """Lower the level by `amount`, below zero if necessary. A negative amount is given back, up to the limit."""
        self._refill(now)
        self.level = min(self.level - amount, self.limit)

    def lower_to(self, left: float | None, limit: float | None, now: float) -> None:
        """Lower the level and the limit to the values that the vendor reports, if ours are higher.

        The vendor also counts other users of the same account. `None` is a value that it does not report.
        """
        self._refill(now)
        if limit is not None and 0 < limit < self.limit:
            self.level = min(self.level, limit)
            self.limit = limit
        if left is not None and left < self.level:
            self.level = left

    def _refill(self, now: float) -> None:
        if self.updated_at is not None and now > self.updated_at:
            self.level = min(self.limit, self.level + (now - self.updated_at) * self.limit / MINUTE)
        self.updated_at = now if self.updated_at is None else max(self.updated_at, now)


def take_from_all(amounts: Sequence[tuple[TokenBucket, float]], now: float) -> float:
    """Take an amount from each bucket, or nothing. Return 0, or the seconds until all amounts are available."""
    wait = max((bucket.seconds_until(amount, now) for bucket, amount in amounts), default=0.0)
    if wait <= 0:
        for bucket, amount in amounts:
            bucket.take(amount, now)
    return wait
