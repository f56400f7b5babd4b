"""How much was used: by one request, by a run of many, and how much a run may use."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Annotated, Self

from pydantic import AliasChoices, BeforeValidator, Field

from .exceptions import UsageLimitExceeded

__all__ = ('RequestUsage', 'RunUsage', 'Usage', 'UsageLimits')


def _none_is_zero(value: object) -> object:
    return 0 if value is None else value


def _none_is_empty(value: object) -> object:
    return {} if value is None else value


Count = Annotated[int, BeforeValidator(_none_is_zero)]
InputCount = Annotated[Count, Field(validation_alias=AliasChoices('input_tokens', 'request_tokens'))]
OutputCount = Annotated[Count, Field(validation_alias=AliasChoices('output_tokens', 'response_tokens'))]
Details = Annotated[dict[str, int], BeforeValidator(_none_is_empty)]


@dataclass(repr=False, kw_only=True, slots=True)
class Usage:
    """What requests and runs both count. All counts are tokens."""

    input_tokens: InputCount = 0
    """Everything that the model read, tokens from and to the cache included."""

    cache_write_tokens: Count = 0
    """The part of the input that was written to the vendor's cache."""

    cache_read_tokens: Count = 0
    """The part of the input that came from the vendor's cache."""

    output_tokens: OutputCount = 0
    """Everything that the model wrote, its thinking included."""

    input_audio_tokens: Count = 0
    """The part of the input that was sound."""

    cache_audio_read_tokens: Count = 0
    """The part of the input that was sound from the cache."""

    output_audio_tokens: Count = 0
    """The part of the output that was sound."""

    details: Details = field(default_factory=dict[str, int])
    """Counts of one vendor's own, under the vendor's names; zeros are left out."""

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def request_tokens(self) -> int:
        """The same as `input_tokens`."""
        return self.input_tokens

    @property
    def response_tokens(self) -> int:
        """The same as `output_tokens`."""
        return self.output_tokens

    def check(self) -> None:
        """Raise `TypeError` where a count is no whole number, as what came over the wire may be."""
        for name in _TOKENS:
            if not isinstance(getattr(self, name), int):
                raise TypeError(f'{name} is {getattr(self, name)!r}, not a number of tokens')
        counts = self.details.values()
        if not all(isinstance(count, int) for count in counts):  # pyright: ignore[reportUnnecessaryIsInstance] -- unchecked JSON
            raise TypeError(f'the details of the usage are {self.details!r}, not numbers')

    def has_values(self) -> bool:
        """Whether anything was counted."""
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
    """What one request used."""

    @property
    def requests(self) -> int:
        """Always 1, so that a request can be added to a run."""
        return 1


@dataclass(repr=False, kw_only=True, slots=True)
class RunUsage(Usage):
    """What a run of many requests used. Calling it gives itself, so that `result.usage()` works as well."""

    requests: Count = 0
    """How many requests were sent."""

    tool_calls: Count = 0
    """How many tools ran."""

    def incr(self, other: Usage) -> None:
        """Add a request's or another run's usage to this one, in place."""
        Usage.incr(self, other)
        if isinstance(other, (RunUsage, RequestUsage)):
            self.requests += other.requests
        if isinstance(other, RunUsage):
            self.tool_calls += other.tool_calls

    def __call__(self) -> RunUsage:
        return self


@dataclass(repr=False, slots=True)
class UsageLimits:
    """How much a run may use; `None` is no limit. Passing a limit raises `UsageLimitExceeded`.

    Requests and tool calls are checked before they are made, tokens after each response.
    """

    _: KW_ONLY

    request_limit: int | None = 50
    """How many requests may be sent. A run that loops stops here."""

    tool_calls_limit: int | None = None
    """How many tools may run."""

    input_tokens_limit: int | None = None
    """How many tokens the model may read, over all requests."""

    output_tokens_limit: int | None = None
    """How many tokens the model may write, over all requests."""

    total_tokens_limit: int | None = None
    """How many tokens may be read and written, over all requests."""

    def has_token_limits(self) -> bool:
        """Whether any kind of token is limited."""
        limits = (self.input_tokens_limit, self.output_tokens_limit, self.total_tokens_limit)
        return any(limit is not None for limit in limits)

    def check_before_request(self, usage: RunUsage) -> None:
        """Raise where one more request would pass a limit."""
        _check('request_limit', self.request_limit, usage.requests + 1, 'requests')
        self.check_tokens(usage)

    def check_before_tool_calls(self, usage: RunUsage, count: int = 1) -> None:
        """Raise where `count` more tool calls would pass a limit."""
        _check('tool_calls_limit', self.tool_calls_limit, usage.tool_calls + count, 'tool calls')

    def check_tokens(self, usage: Usage) -> None:
        """Raise where the tokens used so far pass a limit."""
        _check('input_tokens_limit', self.input_tokens_limit, usage.input_tokens, 'input tokens')
        _check('output_tokens_limit', self.output_tokens_limit, usage.output_tokens, 'output tokens')
        _check('total_tokens_limit', self.total_tokens_limit, usage.total_tokens, 'tokens')

    def __repr__(self) -> str:
        shown = ((item.name, getattr(self, item.name)) for item in fields(self))
        return f'UsageLimits({", ".join(f"{name}={value!r}" for name, value in shown if value is not None)})'


def _check(name: str, limit: int | None, count: int, what: str) -> None:
    if limit is not None and count > limit:
        raise UsageLimitExceeded(f'The next step would bring the run to {count} {what}, over {name}={limit}')
