"""A limit of requests and tokens per minute: a request waits until the limits have room for it.

```python
model = RateLimitedModel('openai:gpt-4o', requests_per_minute=500, tokens_per_minute=30_000)
```
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from ..._checks import check_number
from ...exceptions import ModelHTTPError, RateLimitError, UserError
from ...messages import ModelMessage, ModelResponse
from ...retries.budget import Budget, without_retries
from ...settings import ModelSettings
from ...transport.rate_limits import RateLimits
from ...usage import RequestUsage
from ...wire.header_listeners import listen
from .. import Model, ModelRequestParameters, StreamedResponse
from ..estimate import estimate_usage
from ..wrapper import WrapperModel
from .token_bucket import MINUTE, TokenBucket, take_from_all
from .wait_queue import NotYet, QueueFullError, QueueTimeoutError, WaitQueue

if TYPE_CHECKING:
    from ..known_names import KnownModelName

__all__ = ('RateLimitedModel',)

DEFAULT_OUTPUT_TOKENS = 1_000
"""The expected number of tokens of a response if `max_tokens` is not set."""

MIN_TIMEOUT = 0.001
"""The shortest timeout that is passed on, in seconds. 0 would end the request before it is sent."""


class RateLimitedModel(WrapperModel):
    """Passes requests on to a model as fast as the limits allow.

    Each request reserves tokens: an estimate of the conversation plus `max_tokens` for the response (1,000 if it is not
    set). Afterwards, the reported usage replaces this estimate. If the vendor's headers report less left, that counts.
    A request waits as long as its `timeout` allows and then raises a `RateLimitError`; with `max_queue` requests
    waiting already, it raises one at once.
    """

    def __init__(
        self,
        wrapped: Model | KnownModelName | str,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        max_queue: int | None = None,
    ) -> None:
        super().__init__(wrapped)
        check_number('requests_per_minute', requests_per_minute, above=0)
        check_number('tokens_per_minute', tokens_per_minute, above=0)
        if requests_per_minute is None and tokens_per_minute is None:
            raise UserError('A RateLimitedModel needs requests_per_minute=, tokens_per_minute= or both')
        self._requests = TokenBucket(requests_per_minute) if requests_per_minute is not None else None
        self._tokens = TokenBucket(tokens_per_minute) if tokens_per_minute is not None else None
        self._lock = threading.Lock()
        self._queue: WaitQueue[float] = WaitQueue(max_queue)

    @property
    def waiting(self) -> int:
        """The number of requests in the queue."""
        return len(self._queue)

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        settings = self.merged_settings(model_settings)
        budget = Budget.of(settings)

        async def attempt() -> ModelResponse:
            reserved = await self._reserve_tokens(messages, settings, budget)
            used: RequestUsage | None = None
            try:
                with listen(self._apply_headers):
                    passed = _with_time_left(model_settings, budget)
                    request = super(RateLimitedModel, self).request(messages, passed, model_request_parameters)
                    response = await without_retries(request)
                used = response.usage
                return response
            except ModelHTTPError as error:
                self._apply_retry_after(error)
                raise
            finally:
                self._settle_tokens(reserved, used)

        return await budget.run(attempt)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        settings = self.merged_settings(model_settings)
        budget = Budget.of(settings)
        reserved = await self._reserve_tokens(messages, settings, budget)
        try:
            with listen(self._apply_headers):
                passed = _with_time_left(model_settings, budget)
                opened = super().request_stream(messages, passed, model_request_parameters)
                stream = await opened.__aenter__()
        except ModelHTTPError as error:
            self._apply_retry_after(error)
            self._settle_tokens(reserved, None)
            raise
        except BaseException:
            self._settle_tokens(reserved, None)
            raise
        async with AsyncExitStack() as stack:
            stack.callback(lambda: self._settle_tokens(reserved, stream.usage()))
            stack.push_async_exit(opened)
            yield stream

    async def _reserve_tokens(self, messages: Sequence[ModelMessage], settings: ModelSettings, budget: Budget) -> float:
        """Wait until the limits have room for a request. Return the number of tokens that were taken for it."""
        tokens = 0.0
        if self._tokens is not None:
            tokens = estimate_usage(messages, ()).input_tokens + settings.get('max_tokens', DEFAULT_OUTPUT_TOKENS)

        async def take() -> float | NotYet:
            return self._take_request(tokens)

        try:
            with budget.track_time():
                return await self._queue.acquire(take, seconds=budget.seconds_left)
        except QueueFullError:
            message = f'max_queue={self._queue.max_size} requests to {self.model_name} wait already'
        except QueueTimeoutError:
            seconds = f'{budget.timeout:g} s'
            message = f'The limits per minute of {self.model_name} left no room for a request within {seconds}'
        raise RateLimitError(429, self.model_name, message=message, provider_name=self.system, retryable=False)

    def _take_request(self, tokens: float) -> float | NotYet:
        """Take one request and `tokens` from the limits. Return the tokens, or the delay before the next attempt."""
        amounts = [(bucket, amount) for bucket, amount in ((self._requests, 1.0), (self._tokens, tokens)) if bucket]
        with self._lock:
            wait = take_from_all(amounts, time.monotonic())
        return NotYet(wait) if wait > 0 else tokens

    def _settle_tokens(self, reserved: float, used: RequestUsage | None) -> None:
        """Replace the estimate by the reported usage. Without one, the estimate stays: the vendor read the request."""
        if self._tokens is not None and used is not None and used.has_values():
            with self._lock:
                self._tokens.take(used.total_tokens - reserved, time.monotonic())
            self._queue.notify()

    def _apply_headers(self, headers: Mapping[str, str]) -> None:
        """Lower the levels to what the vendor's headers report."""
        limits, now = RateLimits.from_headers(headers), time.monotonic()
        with self._lock:
            for bucket, reported in ((self._requests, limits.requests), (self._tokens, limits.tokens)):
                if bucket is not None and reported is not None:
                    bucket.lower_to(reported.remaining, reported.limit, now)

    def _apply_retry_after(self, error: ModelHTTPError) -> None:
        """Lower the levels so that no request is let through before the vendor's `retry_after` is over."""
        if error.status_code == 429 and error.retry_after:
            now = time.monotonic()
            with self._lock:
                for bucket in (self._requests, self._tokens):
                    if bucket is not None:
                        bucket.lower_to(-bucket.limit * error.retry_after / MINUTE, None, now)


def _with_time_left(settings: ModelSettings | None, budget: Budget) -> ModelSettings:
    """Return the settings with the rest of the budget's time as their timeout."""
    passed: ModelSettings = {**(settings or {})}
    if budget.seconds_left is not None:
        passed['timeout'] = max(budget.seconds_left, MIN_TIMEOUT)
    return passed
