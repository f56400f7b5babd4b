"""Token counts of one request and of a run, and the limits of a run."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Annotated, Self

from pydantic import AliasChoices, BeforeValidator, Field

from ._checks import check_number
from .exceptions import UsageLimitExceeded

__all__ = ('RequestUsage', 'RunUsage', 'Usage', 'UsageLimits')


Count = Annotated[int, BeforeValidator(lambda value: 0 if value is None else value)]
InputCount = Annotated[Count, Field(validation_alias=AliasChoices('input_tokens', 'request_tokens'))]
OutputCount = Annotated[Count, Field(validation_alias=AliasChoices('output_tokens', 'response_tokens'))]
Details = Annotated[dict[str, int], BeforeValidator(lambda value: {} if value is None else value)]


@dataclass(repr=False, kw_only=True, slots=True)
class Usage:
    """Base of the usage of requests and runs. All counts are tokens."""

    input_tokens: InputCount = 0
    """All tokens of the prompt, including those read from and written to the cache."""

    cache_write_tokens: Count = 0
    """The input tokens that were written to the vendor's cache."""

    cache_read_tokens: Count = 0
    """The input tokens that were read from the vendor's cache."""

    output_tokens: OutputCount = 0
    """All generated tokens, including thinking."""

    input_audio_tokens: Count = 0
    """The input tokens of audio."""

    cache_audio_read_tokens: Count = 0
    """The input tokens of audio that were read from the cache."""

    output_audio_tokens: Count = 0
    """The output tokens of audio."""

    details: Details = field(default_factory=dict[str, int])
    """Other counts of the vendor, by the vendor's names; counts of zero are omitted."""

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def request_tokens(self) -> int:
        """An older name of `input_tokens`."""
        return self.input_tokens

    @property
    def response_tokens(self) -> int:
        """An older name of `output_tokens`."""
        return self.output_tokens

    def check(self) -> None:
        """Raise `TypeError` if a count is not an integer: decoders copy counts from the wire without validation."""
        for name in _TOKENS:
            if not isinstance(getattr(self, name), int):
                raise TypeError(f'{name} is {getattr(self, name)!r}, not a number of tokens')
        counts = self.details.values()
        if not all(isinstance(count, int) for count in counts):  # pyright: ignore[reportUnnecessaryIsInstance] -- unchecked JSON
            raise TypeError(f'the details of the usage are {self.details!r}, not numbers')

    def has_values(self) -> bool:
        return any(getattr(self, item.name) for item in fields(self))

    def incr(self, other: Usage) -> None:
        """Add another usage to this one, in place."""
        for name in _TOKENS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name, count in other.details.items():
            self.details[name] = self.details.get(name, 0) + count

    def __add__(self, other: Usage) -> Self:
        total = type(self)(**{item.name: getattr(self, item.name) for item in fields(self)})
        total.details = dict(self.details)
        total.incr(other)
        return total

    def __repr__(self) -> str:
        shown = ((item.name, getattr(self, item.name)) for item in fields(self))
        return f'{type(self).__name__}({", ".join(f"{name}={value!r}" for name, value in shown if value)})'


_TOKENS = tuple(item.name for item in fields(Usage) if item.name != 'details')


@dataclass(repr=False, kw_only=True, slots=True)
class RequestUsage(Usage):
    """The usage of one request."""

    @property
    def requests(self) -> int:
        """Always 1, for adding requests to a `RunUsage`."""
        return 1


@dataclass(repr=False, kw_only=True, slots=True)
class RunUsage(Usage):
    """The usage of a run. Calling it returns itself, so that `result.usage()` works as well."""

    requests: Count = 0
    """The number of requests that were sent."""

    tool_calls: Count = 0
    """The number of executed tool calls."""

    def incr(self, other: Usage) -> None:
        """Add a request's or another run's usage to this one, in place."""
        Usage.incr(self, other)
        if isinstance(other, (RunUsage, RequestUsage)):
            self.requests += other.requests
        if isinstance(other, RunUsage):
            self.tool_calls += other.tool_calls

    def __call__(self) -> RunUsage:
        return self


@dataclass(repr=False, kw_only=True, slots=True)
class UsageLimits:
    """The limits of a run; `None` is no limit. Exceeding a limit raises `UsageLimitExceeded`.

    Requests and tool calls are checked before they are made, tokens after each response.
    """

    request_limit: int | None = 50
    """The maximum number of requests. It stops a run that loops."""

    tool_calls_limit: int | None = None
    """The maximum number of executed tool calls."""

    input_tokens_limit: int | None = None
    """The maximum number of input tokens of all requests."""

    output_tokens_limit: int | None = None
    """The maximum number of output tokens of all requests."""

    total_tokens_limit: int | None = None
    """The maximum number of input and output tokens of all requests."""

    def __post_init__(self) -> None:
        for each in fields(self):
            check_number(each.name, getattr(self, each.name), least=0)

    def has_token_limits(self) -> bool:
        limits = (self.input_tokens_limit, self.output_tokens_limit, self.total_tokens_limit)
        return any(limit is not None for limit in limits)

    def check_before_request(self, usage: RunUsage) -> None:
        """Raise `UsageLimitExceeded` if one more request would exceed a limit."""
        _check_limit('request_limit', self.request_limit, usage.requests + 1, 'requests')
        self.check_tokens(usage)

    def check_before_tool_calls(self, usage: RunUsage, count: int = 1) -> None:
        """Raise `UsageLimitExceeded` if `count` more tool calls would exceed the limit."""
        _check_limit('tool_calls_limit', self.tool_calls_limit, usage.tool_calls + count, 'tool calls')

    def check_tokens(self, usage: Usage) -> None:
        """Raise `UsageLimitExceeded` if the tokens used so far exceed a limit."""
        _check_limit('input_tokens_limit', self.input_tokens_limit, usage.input_tokens, 'input tokens')
        _check_limit('output_tokens_limit', self.output_tokens_limit, usage.output_tokens, 'output tokens')
        _check_limit('total_tokens_limit', self.total_tokens_limit, usage.total_tokens, 'tokens')

    def __repr__(self) -> str:
        shown = ((item.name, getattr(self, item.name)) for item in fields(self))
        return f'UsageLimits({", ".join(f"{name}={value!r}" for name, value in shown if value is not None)})'


def _check_limit(name: str, limit: int | None, count: int, what: str) -> None:
    if limit is not None and count > limit:
        raise UsageLimitExceeded(f'The next step would bring the run to {count} {what}, over {name}={limit}')
