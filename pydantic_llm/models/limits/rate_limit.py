"""A limit of requests and tokens per minute: a request waits until the limits have room for it.

```python
model = RateLimitedModel('openai:gpt-5.4-mini', requests_per_minute=500, tokens_per_minute=30_000)
```
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from ..._checks import check_number
from ...exceptions import LLMError, ModelHTTPError, RateLimitError, UserError
from ...messages import ModelMessage
from ...observers import HeadersReceived, listen
from ...rate_limits import RateLimits
from ...settings import ModelSettings
from ...usage import RequestUsage
from .. import Model
from ..estimate import estimate_usage
from ..fallback.rules import FallbackRules
from ..fallback.sequence import Attempt, ModelSequence, Outcome, SequenceRequest, Start
from ..fallback.sequence_model import SequencedRequests
from ..wrapper import WrapperModel
from .token_bucket import MINUTE, TokenBucket, take_from_all
from .wait_queue import NotYet, QueueFullError, QueueTimeoutError, WaitQueue

if TYPE_CHECKING:
    from ..known_names import KnownModelName

__all__ = ('RateLimitedModel',)

DEFAULT_OUTPUT_TOKENS = 1_000
"""The expected number of tokens of a response if `max_tokens` is not set."""

MAX_RETRY_AFTER = 600.0
"""The longest `retry_after`, in seconds, that is obeyed for other requests: a server may send a date, or nonsense."""

ANY_FAILURE = FallbackRules(LLMError)
"""Every error of the wrapped model ends its attempt; whether it is retried is for the budget to decide."""

T = TypeVar('T')


class RateLimitedModel(SequencedRequests, WrapperModel):
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

    def new_sequence(self, request: SequenceRequest) -> ModelSequence:
        return _LimitedSequence(self, request)

    async def reserve_tokens(
        self, messages: Sequence[ModelMessage], settings: ModelSettings, longest_wait: float | None
    ) -> float:
        """Wait until the limits have room for a request. Return the number of tokens that were taken for it."""
        tokens = 0.0
        if self._tokens is not None:
            output_tokens = settings.get('max_tokens') or DEFAULT_OUTPUT_TOKENS
            tokens = estimate_usage(messages, ()).input_tokens + output_tokens

        async def take() -> float | NotYet:
            return self._take_request(tokens)

        try:
            return await self._queue.acquire(take, seconds=longest_wait)
        except QueueFullError:
            message = f'max_queue={self._queue.max_size} requests to {self.model_name} wait already'
        except QueueTimeoutError:
            message = f'The limits per minute of {self.model_name} left no room for a request within {longest_wait:g} s'
        raise RateLimitError(429, self.model_name, message=message, provider_name=self.system, retryable=False)

    def _take_request(self, tokens: float) -> float | NotYet:
        """Take one request and `tokens` from the limits. Return the tokens, or the delay before the next attempt."""
        amounts = [(bucket, amount) for bucket, amount in ((self._requests, 1.0), (self._tokens, tokens)) if bucket]
        with self._lock:
            wait = take_from_all(amounts, time.monotonic())
        return NotYet(wait) if wait > 0 else tokens

    def settle_tokens(self, reserved: float, used: RequestUsage | None) -> None:
        """Replace the estimate by the reported usage. Without one, the estimate stays: the vendor read the request."""
        if self._tokens is not None and used is not None and used.has_values():
            with self._lock:
                self._tokens.take(used.total_tokens - reserved, time.monotonic())
            self._queue.notify()

    def apply_headers(self, event: object) -> None:
        """Lower the levels to what the vendor's headers report."""
        if not isinstance(event, HeadersReceived):
            return
        limits, now = RateLimits.from_headers(event.headers), time.monotonic()
        with self._lock:
            for bucket, reported in ((self._requests, limits.requests), (self._tokens, limits.tokens)):
                if bucket is not None and reported is not None:
                    bucket.lower_to(reported.remaining, reported.limit, now)

    def apply_retry_after(self, error: ModelHTTPError) -> None:
        """Lower the levels so that no request is let through before the vendor's `retry_after` is over."""
        if error.status_code == 429 and error.retry_after:
            seconds, now = min(error.retry_after, MAX_RETRY_AFTER), time.monotonic()
            with self._lock:
                for bucket in (self._requests, self._tokens):
                    if bucket is not None:
                        bucket.lower_to(-bucket.limit * seconds / MINUTE, None, now)


class _LimitedSequence(ModelSequence):
    """The wrapped model, once in each pass, as soon as the limits have room for the request."""

    reaction = 'it was asked again'

    def __init__(self, owner: RateLimitedModel, request: SequenceRequest) -> None:
        super().__init__(request, ANY_FAILURE, 'raise')
        self._owner = owner
        self._request = request

    @property
    def name(self) -> str:
        return self._owner.model_id

    async def next_attempt(self, *, stream: bool) -> Attempt | None:
        """Return the attempt of this pass after its tokens were reserved. Its end corrects the reservation."""
        if self.failed.errors:
            return None
        owner, longest_wait = self._owner, self.longest_wait(stream=stream)
        reserved = await owner.reserve_tokens(self.messages, self._request.settings, longest_wait)

        async def on_end(outcome: Outcome) -> None:
            if isinstance(outcome.error, ModelHTTPError):
                owner.apply_retry_after(outcome.error)
            owner.settle_tokens(reserved, outcome.response.usage if outcome.response is not None else None)

        return Attempt(owner.wrapped, self.limit_time(owner.wrapped, 1, stream=stream), on_end)

    async def start_next(self, start: Start[T], *, stream: bool) -> tuple[Attempt, T]:
        with listen(self._owner.apply_headers):
            return await super().start_next(start, stream=stream)

    def final_error(self) -> Exception:
        return self.failed.errors[-1]
