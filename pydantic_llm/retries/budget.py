"""One budget for one request: how often it may be tried again, and how much time it has, through all layers.

The outermost model opens the budget, and is the only one that tries again: what stands inside (a model of a
`FallbackModel`, a deployment of a `RouterModel`) sees that there is a budget, and raises what goes wrong at once. So
retries do not multiply, however models are nested.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from ..exceptions import FallbackExceptionGroup, LLMError, ModelAPIError, ModelHTTPError, UserError
from ..settings import ModelSettings
from .policy import RetryPolicy

T = TypeVar('T')

DEFAULT = RetryPolicy()
"""The policy of a request that says nothing."""

NEVER = RetryPolicy(retries=0)
"""The policy of what stands inside."""

_inside: ContextVar[bool] = ContextVar('pydantic_llm_inside_a_budget', default=False)


class Budget:
    """What one request may still use."""

    def __init__(self, policy: RetryPolicy, timeout: float | None = None) -> None:
        self.policy = policy
        """How it is tried again."""
        self.timeout = timeout
        """Seconds that it may take in all, waits included; `None` is no limit."""
        self.waited = 0.0
        """Seconds that it has taken. The time that a caller spends between two events is not counted."""
        self._tried_again = 0

    @classmethod
    def of(cls, settings: ModelSettings) -> Budget:
        """The budget of a request with these settings. Raises a `UserError` for `retries` that are none."""
        if _inside.get():
            return cls(NEVER, settings.get('timeout'))
        wanted: Any = settings.get('retries')
        is_number = isinstance(wanted, int) and not isinstance(wanted, bool) and wanted >= 0
        if not (wanted is None or is_number or isinstance(wanted, RetryPolicy)):
            raise UserError(f'retries is {wanted!r}: give a number from 0 on, or a RetryPolicy')
        if not isinstance(wanted, RetryPolicy):
            wanted = DEFAULT if wanted is None else RetryPolicy(retries=wanted)
        return cls(wanted, settings.get('timeout'))

    @property
    def left(self) -> float | None:
        """Seconds that are left; `None` where there is no limit."""
        return None if self.timeout is None else max(self.timeout - self.waited, 0.0)

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try, and try again as the policy allows. Raises what the last try raised."""
        while True:
            try:
                with self.counted():
                    return await attempt()
            except LLMError as error:
                failure = error
            if not await self.pause(failure):
                raise failure

    async def pause(self, error: Exception) -> bool:
        """Wait before the next try, and say whether there is one."""
        wait = self._wait_after(error)
        if wait is None:
            return False
        self._tried_again += 1
        with self.counted():
            await asyncio.sleep(wait)
        return True

    @contextmanager
    def counted(self) -> Generator[None]:
        """Count the time that is spent in the block."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.waited += time.monotonic() - began

    def _wait_after(self, error: Exception) -> float | None:
        """Seconds to wait; `None` where trying again is not allowed, or not of use."""
        if self._tried_again >= self.policy.retries or not is_retryable(error):
            return None
        asked = retry_after(error)
        if asked is not None and asked > self.policy.longest_retry_after:
            return None
        wait = self._next_wait() if asked is None else asked
        left = self.left
        return None if left is not None and wait >= left else wait

    def _next_wait(self) -> float:
        from tenacity import RetryCallState, wait_exponential_jitter

        policy = self.policy
        state: Any = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- the waits read its number alone
        state.attempt_number = self._tried_again + 1
        wait = wait_exponential_jitter(multiplier=policy.first_wait, max=policy.longest_wait, jitter=policy.first_wait)
        return wait(state)


def is_retryable(error: Exception) -> bool:
    """Whether the same request could succeed later; of a group, whether one of its errors says so."""
    if isinstance(error, FallbackExceptionGroup):
        return any(is_retryable(each) for each in error.exceptions)
    return isinstance(error, ModelAPIError) and error.retryable


def retry_after(error: Exception) -> float | None:
    """Seconds that vendors ask to wait; of a group, the shortest, or `None` where one of them does not say."""
    if isinstance(error, FallbackExceptionGroup):
        waits = [retry_after(each) for each in error.exceptions if is_retryable(each)]
        known = [wait for wait in waits if wait is not None]
        return min(known) if known and len(known) == len(waits) else None
    return error.retry_after if isinstance(error, ModelHTTPError) else None


async def inside(work: Awaitable[T]) -> T:
    """Wait for a model that stands inside another one, which is not to try again by itself."""
    token = _inside.set(True)
    try:
        return await work
    finally:
        _inside.reset(token)
