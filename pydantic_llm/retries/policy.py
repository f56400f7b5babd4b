"""The retry policy of a request. It applies to the request as a whole, however many models it passes through."""

from __future__ import annotations

from dataclasses import dataclass

from .._checks import check_number

__all__ = ('RetryPolicy',)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The number of retries of a failed request, and the wait before each.

    Waits grow exponentially, with jitter. If the vendor names a wait (`retry_after`), that wait is used instead. A wait
    that would exceed the request's `timeout` is not started. Only errors with `ModelAPIError.retryable` are retried,
    and a stream only until its first event has reached the caller.
    """

    retries: int = 2
    """The maximum number of retries; 0 disables them."""
    first_wait: float = 0.5
    """Seconds before the first retry; each further wait is twice as long. As much jitter, at most, is added to each."""
    longest_wait: float = 30.0
    """The upper limit of a wait in seconds, if the vendor does not name one."""
    longest_retry_after: float = 60.0
    """The longest `retry_after` to accept, in seconds. If the vendor asks for more, the error is raised at once."""

    def __post_init__(self) -> None:
        check_number('retries', self.retries, least=0, whole=True, required=True)
        for name in ('first_wait', 'longest_wait', 'longest_retry_after'):
            check_number(name, getattr(self, name), least=0, required=True)
