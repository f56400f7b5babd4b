"""The budget of one request: how many retries and how many seconds are left, across all layers of models.

The outermost model opens the `Budget` and is the only one that retries. A model inside another one (of a
`FallbackModel`, a deployment of a `RouterModel`) is awaited by `without_retries` and raises its errors at once, so
retries do not multiply, however models are nested.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from ..exceptions import FallbackExceptionGroup, LLMError, ModelAPIError, ModelHTTPError, UserError
from ..observers import AttemptFailed, notify
from ..settings import ModelSettings
from .policy import RetryPolicy

T = TypeVar('T')

logger: logging.Logger = logging.getLogger('pydantic_llm.retries')

DEFAULT_POLICY = RetryPolicy()
"""The policy of a request without a `retries` setting."""

NO_RETRIES = RetryPolicy(retries=0)
"""The policy of a model inside another one."""

MAX_DOUBLINGS = 1023
"""The largest exponent of a wait: `2.0 ** 1024` raises `OverflowError`."""

MIN_TIMEOUT = 0.001
"""The shortest timeout that is passed on to a model inside another one, in seconds: 0 would be invalid."""

_is_nested: ContextVar[bool] = ContextVar('pydantic_llm_is_nested', default=False)


class Budget:
    """The retries and the seconds that one request may use, and what it has used of them."""

    def __init__(self, policy: RetryPolicy, timeout: float | None = None, *, is_nested: bool = False) -> None:
        self.policy = policy
        self.timeout = timeout
        """The limit of `spent`, in seconds; `None` for no limit."""
        self.is_nested = is_nested
        """True for the budget of a model inside another one."""
        self.failures: list[Exception] = []
        """The errors of the attempts that were followed by another one."""
        self._spent = 0.0
        self._began: float | None = None  # the start of the block that is tracked now

    @classmethod
    def of(cls, settings: ModelSettings) -> Budget:
        """Return the budget of a request with these settings. Raises `UserError` if `retries` is invalid."""
        if _is_nested.get():
            return cls(NO_RETRIES, settings.get('timeout'), is_nested=True)
        if 'retries' not in settings:
            return cls(DEFAULT_POLICY, settings.get('timeout'))
        retries: Any = settings.get('retries')
        is_number = isinstance(retries, int) and not isinstance(retries, bool) and retries >= 0
        if not (retries is None or is_number or isinstance(retries, RetryPolicy)):
            raise UserError(f'retries is {retries!r}: give a number from 0 on, or a RetryPolicy')
        if not isinstance(retries, RetryPolicy):
            retries = DEFAULT_POLICY if retries is None else RetryPolicy(retries=retries)
        return cls(retries, settings.get('timeout'))

    @property
    def spent(self) -> float:
        """Seconds spent on attempts and waits. The time between two events of a stream is the caller's: not counted."""
        return self._spent if self._began is None else self._spent + time.monotonic() - self._began

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the timeout, at least 0; `None` without a timeout."""
        return None if self.timeout is None else max(self.timeout - self.spent, 0.0)

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Await an attempt, and retry it while the policy allows. Raises the error of the last attempt."""
        while True:
            is_outermost = self._began is None
            if is_outermost:  # as `track_time` does it, without the cost of its generator
                self._began = time.monotonic()
            try:
                return await attempt()
            except LLMError as error:
                failure = error
            finally:
                if is_outermost:
                    self._spent, self._began = self.spent, None
            if not await self.pause(failure):
                raise self.with_failures(failure)

    async def pause(self, error: Exception) -> bool:
        """Wait before the next attempt. Return `False`, without waiting, if there must not be another one."""
        wait = self._wait_before_retry(error)
        if wait is None:
            return False
        self.failures.append(error)
        notify(AttemptFailed(error, wait))
        logger.debug('attempt %d failed, the next one begins in %.2f s: %s', len(self.failures), wait, error)
        with self.track_time():
            await asyncio.sleep(wait)
        return True

    @contextmanager
    def track_time(self) -> Generator[None]:
        """Add the duration of the block to `spent`. A block inside another one is not counted twice."""
        if self._began is not None:
            yield
            return
        self._began = time.monotonic()
        try:
            yield
        finally:
            self._spent, self._began = self.spent, None

    def with_failures(self, error: LLMError) -> LLMError:
        """Attach the errors of the earlier attempts to that of the last one, and return it."""
        attach_earlier_attempts(error, self.failures)
        return error

    def warnings(self) -> list[str]:
        """Return a warning for each failed attempt that was followed by another one, for the response."""
        return [f'The request was sent again, since an attempt failed: {error}' for error in self.failures]

    def _wait_before_retry(self, error: Exception) -> float | None:
        """Return the seconds to wait before the next attempt; `None` if a retry is not allowed or cannot help."""
        if len(self.failures) >= self.policy.retries or not is_retryable(error):
            return None
        requested = retry_after(error)
        if requested is not None and requested > self.policy.longest_retry_after:
            return None
        wait = self._choose_wait() if requested is None else requested
        left = self.seconds_left
        return None if left is not None and wait >= left else wait

    def _choose_wait(self) -> float:
        policy, doublings = self.policy, min(len(self.failures), MAX_DOUBLINGS)
        return min(policy.first_wait * 2.0**doublings + random.uniform(0, policy.first_wait), policy.longest_wait)


def attach_earlier_attempts(error: Exception, earlier: Sequence[Exception]) -> None:
    """Attach the errors of attempts before that of an error, each once."""
    if isinstance(error, LLMError):
        known = {id(each) for each in (error, *error.earlier_attempts)}
        added = [each for each in earlier if id(each) not in known]
        if added:
            error.earlier_attempts = (*added, *error.earlier_attempts)


def is_retryable(error: Exception) -> bool:
    """Return whether the same request could succeed later. A group is retryable if one of its errors is."""
    if isinstance(error, FallbackExceptionGroup):
        return any(is_retryable(each) for each in error.exceptions)
    return isinstance(error, ModelAPIError) and error.retryable


def retry_after(error: Exception) -> float | None:
    """Return the seconds that the vendor asks to wait, or `None`.

    For a group, it is the shortest wait of its retryable errors, or `None` if one of them names no wait.
    """
    if isinstance(error, FallbackExceptionGroup):
        waits = [retry_after(each) for each in error.exceptions if is_retryable(each)]
        known = [wait for wait in waits if wait is not None]
        return min(known) if known and len(known) == len(waits) else None
    return error.retry_after if isinstance(error, ModelHTTPError) else None


async def without_retries(request: Awaitable[T]) -> T:
    """Await a request to a model inside another one, so that only the outer model retries."""
    token = _is_nested.set(True)
    try:
        return await request
    finally:
        _is_nested.reset(token)
