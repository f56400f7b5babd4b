"""How a request that failed is tried again: one policy for a request, whatever models and layers it goes through."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ('RetryPolicy',)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a request that failed may be tried again, and how long to wait before.

    Waits grow exponentially, with jitter; where a vendor says how long to wait (`retry_after`), that is what is waited.
    No wait goes beyond the `timeout` of the request. Only errors that may be gone the next time are tried again
    (`ModelAPIError.retryable`), and only as long as the caller has not been told of anything.
    """

    retries: int = 2
    """How often the request may be tried again; 0 never."""

    first_wait: float = 0.5
    """Seconds to wait before the first time, and twice as long before each time after it, with as much jitter."""

    longest_wait: float = 30.0
    """The most seconds to wait where the vendor does not say how long."""

    longest_retry_after: float = 60.0
    """A vendor that wants to be left alone for longer than this, in seconds, is not asked again."""
