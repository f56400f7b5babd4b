"""One request that several models may be asked, one after the other: what `FallbackModel` and `RouterModel` share.

A `Relay` says who is asked next; `ask` asks for a whole answer, and `_relay_stream` for a streamed one. `Judge` says
which failures are a reason to ask the next, and `Failed` remembers them.
"""

from __future__ import annotations

import inspect
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ...exceptions import FallbackExceptionGroup, RejectedResponseError, UserError
from ...messages import ModelMessage, ModelResponse
from ...retries.budget import Budget, without_retries
from ...settings import ModelSettings
from ...usage import RequestUsage
from .. import Model, ModelRequestParameters

FallbackOn = type[Exception] | Callable[[Any], Any]
"""When the next model is asked: a type of exceptions, or a function, plain or async, that says whether: of the
exception, or of the response where its parameter is annotated with `ModelResponse`."""

MidStream = Literal['raise', 'restart', 'continue']
"""What happens when a model fails in the middle of an answer: the error is raised; or the next model begins anew, and a
`StreamRestartEvent` says that what was told is void; or the next model goes on where the text was cut."""

MID_STREAM: tuple[MidStream, ...] = ('raise', 'restart', 'continue')


@dataclass(slots=True)
class Outcome:
    """How one try ended."""

    seconds: float
    """How long it took."""
    response: ModelResponse | None = None
    """What was answered, as far as anything was."""
    error: Exception | None = None
    """What went wrong; `None` where nothing did, or where the caller left."""
    first_token: float | None = None
    """Seconds until the first event of a stream."""


@dataclass(slots=True)
class Candidate:
    """A model that is asked next."""

    model: Model
    """The model."""
    settings: ModelSettings
    """What it is asked with."""
    over: Callable[[Outcome], Awaitable[None]] | None = None
    """Called once, when its try is over."""
    began: float = field(default_factory=time.monotonic)
    """When its try began."""

    async def end(
        self, response: ModelResponse | None = None, error: Exception | None = None, first_token: float | None = None
    ) -> None:
        """Its try is over."""
        if self.over is not None:
            over, self.over = self.over, None
            await over(Outcome(time.monotonic() - self.began, response, error, first_token))


class Relay(ABC):
    """Who is asked, one after the other, for one request."""

    def __init__(
        self,
        budget: Budget,
        judge: Judge,
        messages: Sequence[ModelMessage],
        parameters: ModelRequestParameters | None,
        mid_stream: MidStream,
    ) -> None:
        self.budget = budget
        self.judge = judge
        self.messages = messages
        self.parameters = parameters
        self.mid_stream: MidStream = mid_stream

    @abstractmethod
    async def next(self, failed: Failed, *, stream: bool) -> Candidate | None:
        """The model to ask next; `None` where there is none left. `failed` is what has failed in this round."""


class Judge:
    """Says what is a reason to ask the next model."""

    def __init__(self, fallback_on: FallbackOn | Sequence[FallbackOn]) -> None:
        rules: list[Any] = [*fallback_on] if isinstance(fallback_on, (list, tuple)) else [fallback_on]
        self.types: tuple[type[Exception], ...] = tuple(
            rule for rule in rules if isinstance(rule, type) and issubclass(rule, Exception)
        )
        functions = [rule for rule in rules if rule not in self.types]
        if wrong := [rule for rule in functions if not callable(rule) or isinstance(rule, type)]:
            raise UserError(f'fallback_on takes types of exceptions and functions, not {wrong[0]!r}')
        self.of_response: list[Any] = [rule for rule in functions if _is_of_response(rule)]
        self.of_error: list[Any] = [rule for rule in functions if rule not in self.of_response]

    async def counts(self, error: Exception) -> bool:
        """Whether an error is a reason. A group is one where each of its errors is."""
        if isinstance(error, FallbackExceptionGroup):
            return all([await self.counts(each) for each in error.exceptions])
        if isinstance(error, (*self.types, RejectedResponseError)):
            return True
        return any([await _said(rule(error)) for rule in self.of_error])

    async def accepts(self, response: ModelResponse) -> bool:
        """Whether a response is none."""
        return not any([await _said(rule(response)) for rule in self.of_response])


async def _said(answer: Any) -> bool:
    return bool(await answer if inspect.isawaitable(answer) else answer)


def _is_of_response(rule: Callable[..., Any]) -> bool:
    """Whether the first parameter of a function is annotated with `ModelResponse`."""
    try:
        first = next(iter(inspect.signature(rule).parameters.values()), None)
    except ValueError:
        return False
    return first is not None and (
        first.annotation is ModelResponse or str(first.annotation).rpartition('.')[2] == ModelResponse.__name__
    )


class Failed:
    """The tries that failed."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.names: list[str] = []
        self.usage = RequestUsage()

    def add(self, candidate: Candidate, error: Exception, usage: RequestUsage | None = None) -> None:
        """Remember one."""
        self.errors.append(error)
        self.names.append(candidate.model.model_id)
        if usage is not None:
            self.usage = self.usage + usage

    def told_in(self, response: ModelResponse) -> ModelResponse:
        """The response, with what failed before it: the usage is added, and each failure is a warning."""
        if not self.errors:
            return response
        failures = zip(self.names, self.errors, strict=True)
        told = [f'{name} failed, and the next was asked: {error}' for name, error in failures]
        return replace(response, usage=response.usage + self.usage, warnings=[*told, *response.warnings])

    def as_group(self) -> FallbackExceptionGroup:
        """Every error, as one."""
        said = '; '.join(f'{name}: {error}' for name, error in zip(self.names, self.errors, strict=True))
        return FallbackExceptionGroup(f'All models failed ({said})', self.errors)


async def ask(relay: Relay) -> ModelResponse:
    """The first answer that is accepted. Raises a `FallbackExceptionGroup` where there is none."""
    failed = Failed()
    while (candidate := await relay.next(failed, stream=False)) is not None:
        try:
            with relay.budget.track_time():
                answer = candidate.model.request(relay.messages, candidate.settings, relay.parameters)
                response = await without_retries(answer)
        except Exception as error:
            await candidate.end(error=error)
            if not await relay.judge.counts(error):
                raise
            failed.add(candidate, error)
        except BaseException:
            await candidate.end()
            raise
        else:
            await candidate.end(response)
            if await relay.judge.accepts(response):
                return failed.told_in(response)
            failed.add(candidate, RejectedResponseError(candidate.model.model_name, response), response.usage)
    raise failed.as_group()


def limited(settings: ModelSettings, name: Literal['timeout', 'first_token_timeout'], *limits: float | None) -> None:
    """Bring a deadline down to the shortest of some limits, in place."""
    known = [limit for limit in (settings.get(name), *limits) if limit is not None]
    if known:
        settings[name] = min(known)
