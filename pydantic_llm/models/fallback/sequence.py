"""One request that is sent to several models, one after the other, until one succeeds.

A `ModelSequence` chooses the model of the next `Attempt`, and `FailedAttempts` collects the failures. `request` returns
a whole response; `stream.py` does the same for streams.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, TypeVar, cast

from ...exceptions import LLMError, RejectedResponseError, StreamInterruptedError
from ...messages import ModelMessage, ModelResponse
from ...messages.response import is_truncated
from ...retries.budget import MIN_TIMEOUT, Budget, attach_earlier_attempts, without_retries
from ...settings import ModelSettings
from .. import Model, ModelRequestParameters
from .failed_attempts import FailedAttempts, find_attempts
from .rules import FallbackRules

T = TypeVar('T')

MidStream = Literal['raise', 'restart', 'continue']
"""The reaction to a model that fails after its first event.

`raise`: raise the error. `restart`: the next model starts again, and a `StreamRestartEvent` voids all earlier events.
`continue`: the next model continues the text at its end."""

MID_STREAM: tuple[MidStream, ...] = ('raise', 'restart', 'continue')

TRUNCATED = 'The response ended before it was complete'
"""The message of the error for a truncated response."""

has_alternative: ContextVar[bool] = ContextVar('pydantic_llm_has_alternative', default=False)
"""`True` while a model is asked that another one can replace: then it is better to fail than to wait in a queue."""

BUDGET_SETTINGS = ('timeout', 'retries')
"""Settings that `Budget` applies to the request as a whole."""


@dataclass(slots=True)
class Outcome:
    """The end of an attempt."""

    seconds: float
    """The duration of the attempt."""
    response: ModelResponse | None = None
    """The response, complete or not, if there is one."""
    error: Exception | None = None
    """The failure; `None` if the attempt succeeded, or if the caller left."""
    first_token: float | None = None
    """Seconds until the first event of a stream."""
    was_outrun: bool = False
    """True if another attempt at the same request started to respond earlier, so that this one was cancelled."""


@dataclass(slots=True)
class Attempt:
    """A request to one model of a sequence."""

    model: Model
    settings: ModelSettings
    on_end: Callable[[Outcome], Awaitable[None]] | None = None
    """Callback, called once with the outcome of the attempt."""
    has_alternative: bool = False
    """`True` if another model can be tried if this one fails."""
    began: float = field(default_factory=time.monotonic)

    async def end(
        self,
        response: ModelResponse | None = None,
        error: Exception | None = None,
        first_token: float | None = None,
        *,
        was_outrun: bool = False,
    ) -> None:
        """Report the outcome of this attempt, if it was not reported before."""
        if self.on_end is not None:
            on_end, self.on_end = self.on_end, None
            await on_end(Outcome(time.monotonic() - self.began, response, error, first_token, was_outrun))


@dataclass(frozen=True, slots=True)
class Start(Generic[T]):
    """How an attempt begins: with a whole response, or with the start of a stream."""

    call: Callable[[Attempt], Awaitable[T]]
    """Sends the request; returns when the response has started."""
    discard: Callable[[T], Awaitable[ModelResponse]]
    """Closes a result that is not needed, and returns its response so far."""


@dataclass(slots=True)
class SequenceRequest:
    """A request that every model of a sequence may get."""

    messages: Sequence[ModelMessage]
    settings: ModelSettings
    parameters: ModelRequestParameters | None
    budget: Budget


class ModelSequence(ABC):
    """The models to try for one request, in order."""

    reaction: ClassVar[str] = 'the next was asked'
    """What follows a failure, for warnings."""

    def __init__(self, request: SequenceRequest, rules: FallbackRules, mid_stream: MidStream) -> None:
        self.messages: Sequence[ModelMessage] = request.messages
        self.parameters: ModelRequestParameters | None = request.parameters
        self.budget: Budget = request.budget
        self.rules = rules
        self.mid_stream: MidStream = mid_stream
        self.failed: FailedAttempts = FailedAttempts(self.reaction)
        self.has_emitted = False
        """True after the first event of a stream."""
        self._has_other_model = has_alternative.get()  # read now: a stream opens its next models in another context
        self._attempt_began = 0.0  # the value of `budget.spent` at the end of the last attempt
        own = {key: value for key, value in request.settings.items() if key not in BUDGET_SETTINGS}
        self.settings: ModelSettings = cast('ModelSettings', own)
        """The settings of the request without those that the budget applies."""

    @property
    def waits_for_event(self) -> bool:
        """True if a stream has started with its first event, instead of its headers."""
        return False

    @property
    @abstractmethod
    def name(self) -> str:
        """The id of the model that the sequence belongs to."""

    @abstractmethod
    async def next_attempt(self, *, stream: bool) -> Attempt | None:
        """Return the next attempt of the current pass, or `None` if no model is left.

        Raises an error if models are left, and none of them can be asked now.
        """

    async def request(self) -> ModelResponse:
        """Return the first response that the rules accept. Raises `FallbackExceptionGroup` if all models fail."""
        self.failed.begin_pass()
        while True:
            attempt, response = await self.start_next(Start(self._send, _return_response), stream=False)
            await attempt.end(response)
            if await self.rules.accepts_response(response):
                return self.failed.with_failures(response)
            rejected = RejectedResponseError(attempt.model.model_name, response)
            self.failed.add(attempt.model.model_id, rejected, response.list_attempts())

    async def start_next(
        self,
        start: Start[T],
        *,
        stream: bool,
    ) -> tuple[Attempt, T]:
        """Return the next attempt for which `start` succeeds, with its result. Others are ended and added to `failed`.

        Raises `FallbackExceptionGroup` if no model is left, and an error that must not trigger a fallback at once.
        """
        with self.budget.track_time():
            while (attempt := await self._choose_next(stream=stream)) is not None:
                if (started := await self.start_attempt(attempt, start, stream=stream)) is not None:
                    return started
            raise self.final_error()

    async def start_attempt(
        self,
        attempt: Attempt,
        start: Start[T],
        *,
        stream: bool,
    ) -> tuple[Attempt, T] | None:
        """Return the attempt and its result; `None` if it failed and another one may be tried."""
        try:
            return attempt, await self.call(start, attempt)
        except Exception as error:  # noqa: BLE001 -- raised again if it must not trigger a fallback
            await self.record_failure(attempt, error)
            return None
        except BaseException:
            await attempt.end()
            raise

    async def call(self, start: Start[T], attempt: Attempt) -> T:
        """Call `start` for an attempt, as a request inside this one."""
        with _set(has_alternative, attempt.has_alternative or self._has_other_model):
            return await without_retries(start.call(attempt))

    async def record_failure(self, attempt: Attempt, error: Exception) -> None:
        """End a failed attempt and add it to `failed`. Raises the error if it must not trigger a fallback."""
        await attempt.end(error=error)
        if not await self.rules.should_fall_back(error):
            attach_earlier_attempts(error, self.failed.errors)
            raise error
        self.failed.add(attempt.model.model_id, error, find_attempts(error))

    async def _choose_next(self, *, stream: bool) -> Attempt | None:
        """Return the next attempt. If models are left and none can be asked, that is one more failure."""
        self._attempt_began = self.budget.spent
        try:
            return await self.next_attempt(stream=stream)
        except LLMError as error:
            if not self.failed.errors:
                raise
            self.failed.add(self.name, error, ())
            return None

    def final_error(self) -> Exception:
        """Return the error of a request for which all attempts failed."""
        return self.failed.as_group()

    async def _send(self, attempt: Attempt) -> ModelResponse:
        """Return the response of a model. Raises `StreamInterruptedError` if it is truncated."""
        response = await attempt.model.request(self.messages, attempt.settings, self.parameters)
        if is_truncated(response):
            raise StreamInterruptedError(attempt.model.model_name, TRUNCATED, response=response)
        return response

    def limit_time(
        self, model: Model, attempts_left: int, *, stream: bool, attempt_timeout: float | None = None
    ) -> ModelSettings:
        """Return the settings for a model, with deadlines that leave an equal part of the time for each attempt."""
        settings: ModelSettings = {**self.settings}
        own, left = model.settings or {}, self.budget.seconds_left
        left = None if left is None else max(left, MIN_TIMEOUT)
        share = None if left is None else left / attempts_left
        if stream:
            first = self.first_token_left
            if first is not None and self.budget.is_nested and not self.has_emitted:
                first /= attempts_left
            _cap_deadline(settings, 'timeout', own.get('timeout'), left)
            _cap_deadline(
                settings, 'first_token_timeout', own.get('first_token_timeout'), attempt_timeout, share, first
            )
        else:
            _cap_deadline(settings, 'timeout', own.get('timeout'), attempt_timeout, share)
        return settings

    @property
    def first_token_left(self) -> float | None:
        """Seconds until the first event of a stream must arrive; `None` without a limit.

        The limit is one for each attempt, with its wait in a queue. Inside another model it is one for all attempts:
        for that model, they are one attempt.
        """
        limit = self.settings.get('first_token_timeout')
        if limit is None or self.has_emitted:
            return limit
        began = 0.0 if self.budget.is_nested else self._attempt_began
        return max(limit - (self.budget.spent - began), MIN_TIMEOUT)

    def longest_wait(self, *, stream: bool) -> float | None:
        """Return the seconds that a request may wait in a queue; `None` without a limit."""
        limits = (self.budget.seconds_left, self.first_token_left if stream else None)
        return min((limit for limit in limits if limit is not None), default=None)


async def _return_response(response: ModelResponse) -> ModelResponse:
    return response


def cannot_continue(model: Model, messages: Sequence[ModelMessage]) -> bool:
    """Return whether the last message is a paused response of another vendor or model: only its own continues it."""
    last = messages[-1] if messages else None
    if not isinstance(last, ModelResponse) or not last.must_continue:
        return False
    # a vendor may report a longer name than the requested one: 'claude-sonnet-4-5-20250929'
    return model.system != last.provider_name or not (last.model_name or '').startswith(model.model_name)


def _cap_deadline(
    settings: ModelSettings, name: Literal['timeout', 'first_token_timeout'], *limits: float | None
) -> None:
    """Lower a deadline of the settings, in place, to the shortest of these limits. `None` is no limit."""
    known = [limit for limit in (settings.get(name), *limits) if limit is not None]
    if known:
        settings[name] = min(known)


@contextmanager
def _set(variable: ContextVar[T], value: T) -> Generator[None]:
    """Set a context variable inside the block."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
