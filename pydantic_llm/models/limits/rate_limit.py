"""At most so many requests and tokens a minute: a request waits until there is room for it.

```python
model = RateLimitedModel('openai:gpt-4o', requests_per_minute=500, tokens_per_minute=30_000)
```
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...exceptions import ModelHTTPError, RateLimitError, UserError
from ...messages import ModelMessage, ModelResponse
from ...retries.budget import Budget, without_retries
from ...settings import ModelSettings
from ...transport.rate_limits import RateLimits
from ...usage import RequestUsage
from ...wire.header_listeners import listening
from .. import Model, ModelRequestParameters, StreamedResponse
from ..estimate import estimate_usage
from ..wrapper import WrapperModel
from .token_bucket import Meter
from .wait_queue import Line, LineIsFull, NotYet, WaitedTooLong

if TYPE_CHECKING:
    from ..known_names import KnownModelName

__all__ = ('RateLimitedModel',)

DEFAULT_OUTPUT = 1_000
"""How many tokens an answer is taken to have where `max_tokens` does not say."""

LEAST_TIME = 0.001
"""Seconds that a request has in any case: 0 would be no time to wait at all."""


@dataclass(slots=True)
class _Reserved:
    """What was taken for a request."""

    tokens: float


class RateLimitedModel(WrapperModel):
    """Lets no more through to a model than its limits allow.

    For each request, tokens are reserved: those of the conversation, estimated, and `max_tokens` for the answer
    (1,000 where it is not set). After the answer, its real usage takes the place of the estimate. Where the vendor's
    headers say that less is left, that counts. A request waits for its turn as long as its `timeout` allows; then it
    gets a `RateLimitError`, as one does that finds `max_queue` others waiting.
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
        given = {'requests_per_minute': requests_per_minute, 'tokens_per_minute': tokens_per_minute}
        for name, value in given.items():
            if value is not None and not value > 0:
                raise UserError(f'{name} is {value!r}: give a number above 0')
        if requests_per_minute is None and tokens_per_minute is None:
            raise UserError('A RateLimitedModel needs requests_per_minute=, tokens_per_minute= or both')
        self._requests = Meter(requests_per_minute) if requests_per_minute is not None else None
        self._tokens = Meter(tokens_per_minute) if tokens_per_minute is not None else None
        self._lock = threading.Lock()
        self._line: Line[_Reserved] = Line(max_queue)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._line)

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Ask the model, when there is room for this request."""
        settings = self.merged_settings(model_settings)
        budget = Budget.of(settings)

        async def attempt() -> ModelResponse:
            reserved = await self._reserve(messages, settings, budget)
            used: RequestUsage | None = None
            try:
                with listening(self._learn):
                    passed = _with_time_left(model_settings, budget)
                    answer = super(RateLimitedModel, self).request(messages, passed, model_request_parameters)
                    response = await without_retries(answer)
                used = response.usage
                return response
            except ModelHTTPError as error:
                self._refused(error)
                raise
            finally:
                self._settle(reserved, used)

        return await budget.run(attempt)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Ask the model for a stream, when there is room for it. Its usage is settled when it is left."""
        settings = self.merged_settings(model_settings)
        budget = Budget.of(settings)
        reserved = await self._reserve(messages, settings, budget)
        try:
            with listening(self._learn):
                passed = _with_time_left(model_settings, budget)
                opened = super().request_stream(messages, passed, model_request_parameters)
                stream = await opened.__aenter__()
        except ModelHTTPError as error:
            self._refused(error)
            self._settle(reserved, None)
            raise
        except BaseException:
            self._settle(reserved, None)
            raise
        async with AsyncExitStack() as left:
            left.callback(lambda: self._settle(reserved, stream.usage()))
            left.push_async_exit(opened)
            yield stream

    async def _reserve(self, messages: Sequence[ModelMessage], settings: ModelSettings, budget: Budget) -> _Reserved:
        """Wait until there is room, and take it."""
        tokens = 0.0
        if self._tokens is not None:
            tokens = estimate_usage(messages, ()).input_tokens + settings.get('max_tokens', DEFAULT_OUTPUT)

        async def take() -> _Reserved | NotYet:
            return self._take(tokens)

        try:
            with budget.track_time():
                return await self._line.get(take, seconds=budget.seconds_left)
        except LineIsFull:
            said = f'max_queue={self._line.longest} requests to {self.model_name} wait already'
        except WaitedTooLong:
            said = f'The limits per minute of {self.model_name} left no room for a request within {budget.timeout:g} s'
        raise RateLimitError(429, self.model_name, message=said, provider_name=self.system, retryable=False)

    def _take(self, tokens: float) -> _Reserved | NotYet:
        now = time.monotonic()
        wanted = [(meter, amount) for meter, amount in ((self._requests, 1.0), (self._tokens, tokens)) if meter]
        with self._lock:
            wait = max(meter.wait_for(amount, now) for meter, amount in wanted)
            if wait > 0:
                return NotYet(wait)
            for meter, amount in wanted:
                meter.take(amount, now)
        return _Reserved(tokens)

    def _settle(self, reserved: _Reserved, used: RequestUsage | None) -> None:
        """Put the real usage in the place of the estimate. Without one, the estimate stands: something was read."""
        if self._tokens is not None and used is not None and used.has_values():
            with self._lock:
                self._tokens.take(used.total_tokens - reserved.tokens, time.monotonic())
            self._line.tell()

    def _learn(self, headers: Mapping[str, str]) -> None:
        limits, now = RateLimits.from_headers(headers), time.monotonic()
        with self._lock:
            for meter, told in ((self._requests, limits.requests), (self._tokens, limits.tokens)):
                if meter is not None and told is not None:
                    meter.learn(told.remaining, told.limit, now)

    def _refused(self, error: ModelHTTPError) -> None:
        """The vendor says that it is enough: nothing is left until it says there is."""
        if error.status_code == 429 and error.retry_after:
            now = time.monotonic()
            with self._lock:
                for meter in (self._requests, self._tokens):
                    if meter is not None:
                        meter.learn(-meter.limit * error.retry_after / 60, None, now)


def _with_time_left(settings: ModelSettings | None, budget: Budget) -> ModelSettings:
    """The settings for a model that is asked after a wait."""
    passed: ModelSettings = {**(settings or {})}
    if budget.seconds_left is not None:
        passed['timeout'] = max(budget.seconds_left, LEAST_TIME)
    return passed
