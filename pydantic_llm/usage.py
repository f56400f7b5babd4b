"""Token counts of one request and of a run, and the limits of a run.

Which count contains which: `input_tokens` contains those of the cache and of audio, `cache_audio_read_tokens` belongs
to both, and `output_tokens` contains those of thinking and of audio. `Usage.split` returns classes without overlap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from decimal import Decimal
from operator import not_
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from pydantic_core import CoreSchema

from ._checks import check_flag, check_number
from ._deferred_schemas import add_before_validator, add_older_names
from .exceptions import UsageLimitExceeded

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

__all__ = ('AttemptUsage', 'CountSource', 'RequestUsage', 'RunUsage', 'TokenClass', 'Usage', 'UsageLimits')


CountSource = Literal['exact', 'estimated', 'missing']
"""The origin of a count: the vendor or the engine counted, this package estimated, or no count arrived."""

TokenClass = Literal[
    'input',
    'cache_read',
    'cache_write',
    'cache_write_1h',
    'input_audio',
    'cache_audio_read',
    'input_image',
    'output',
    'output_reasoning',
    'output_audio',
    'output_image',
]
"""A class of tokens that has a price of its own. No token is in two classes."""

REPORTED = ('input_tokens', 'output_tokens')
"""The counts that every vendor reports. A vendor that does not have one of the others leaves it 0."""

CACHE_WRITE_1H = ('ephemeral_1h_input_tokens', 'cache_write_1h_tokens')
"""The names in `details` of the tokens that were written to the cache for one hour instead of five minutes."""

INPUT_IMAGE = ('image_prompt_tokens', 'input_image_tokens')
OUTPUT_IMAGE = ('image_candidates_tokens', 'image_tokens')
"""The names in `details` of the tokens of images: Gemini's, then those of OpenAI."""

OLDER_NAMES = {'input_tokens': 'request_tokens', 'output_tokens': 'response_tokens'}
"""Fields → their names in older histories of pydantic-ai."""


def _drop_nulls(value: object) -> object:
    """Return the fields without those that are null, which have their default."""
    if not isinstance(value, dict):
        return value
    fields = cast('dict[str, object]', value)
    return {name: item for name, item in fields.items() if item is not None} if None in fields.values() else fields


@dataclass(repr=False, kw_only=True, slots=True)
class Usage:
    """Base of the usage of requests and runs. All counts are tokens."""

    input_tokens: int = 0
    """All tokens of the prompt, including those read from and written to the cache."""

    cache_write_tokens: int = 0
    """The input tokens that were written to the vendor's cache."""

    cache_read_tokens: int = 0
    """The input tokens that were read from the vendor's cache."""

    output_tokens: int = 0
    """All generated tokens, including thinking."""

    output_reasoning_tokens: int = 0
    """The output tokens of thinking, if the vendor counts them."""

    input_audio_tokens: int = 0
    """The input tokens of audio."""

    cache_audio_read_tokens: int = 0
    """The input tokens of audio that were read from the cache."""

    output_audio_tokens: int = 0
    """The output tokens of audio."""

    details: dict[str, int] = field(default_factory=dict[str, int])
    """Other counts of the vendor, by the vendor's names; counts of zero are omitted."""

    estimated: tuple[str, ...] = field(default=(), compare=False, metadata={'exclude_if': not_})
    """The names of the counts that are estimates, such as `('input_tokens', 'output_tokens')` of a `TestModel`."""

    missing: tuple[str, ...] = field(default=(), compare=False, metadata={'exclude_if': not_})
    """The names of the counts that did not arrive, or not to the end: the true number is larger.

    They are missing if the vendor sends none, or if the stream broke or was left before its end."""

    def source(self, count: str) -> CountSource:
        """Return the origin of a count such as `'output_tokens'`. In a sum, one missing count makes the sum missing."""
        return 'missing' if count in self.missing else 'estimated' if count in self.estimated else 'exact'

    def split(self) -> dict[TokenClass, int]:
        """Return the tokens by class, without classes of 0. The classes are disjoint: their sum is `total_tokens`.

        If a vendor reports parts that are larger than the whole, the last ones are reduced to what is left.
        """
        cached_audio = min(self.cache_audio_read_tokens, self.cache_read_tokens)
        hour = min(self._find_detail(CACHE_WRITE_1H), self.cache_write_tokens)
        input: dict[TokenClass, int] = {
            'cache_audio_read': cached_audio,
            'cache_read': self.cache_read_tokens - cached_audio,
            'cache_write_1h': hour,
            'cache_write': self.cache_write_tokens - hour,
            'input_audio': max(self.input_audio_tokens - cached_audio, 0),
            'input_image': self._find_detail(INPUT_IMAGE),
        }
        output: dict[TokenClass, int] = {
            'output_reasoning': self.output_reasoning_tokens,
            'output_audio': self.output_audio_tokens,
            'output_image': self._find_detail(OUTPUT_IMAGE),
        }
        return _take_parts('input', self.input_tokens, input) | _take_parts('output', self.output_tokens, output)

    def _find_detail(self, names: tuple[str, ...]) -> int:
        """Return the count of the first of these details that there is, or 0."""
        return next((self.details[name] for name in names if name in self.details), 0)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return add_before_validator(add_older_names(handler(source), OLDER_NAMES), _drop_nulls)

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def reasoning_tokens(self) -> int:
        """A shorter name of `output_reasoning_tokens`."""
        return self.output_reasoning_tokens

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
        """Return whether a count is not 0."""
        return any(getattr(self, item.name) for item in fields(self) if item.name not in _MARKS)

    def incr(self, other: Usage) -> None:
        """Add another usage to this one, in place."""
        for name in _TOKENS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name, count in other.details.items():
            self.details[name] = self.details.get(name, 0) + count
        self._add_marks(other)

    def _add_marks(self, other: Usage) -> None:
        if other.missing:
            self.missing = tuple(dict.fromkeys(self.missing + other.missing))
        if other.estimated:
            self.estimated = tuple(dict.fromkeys(self.estimated + other.estimated))

    def __add__(self, other: Usage) -> Self:
        total = type(self)(**{item.name: getattr(self, item.name) for item in fields(self)})
        total.details = dict(self.details)
        total.incr(other)
        return total

    def __repr__(self) -> str:
        shown = ((item.name, getattr(self, item.name)) for item in fields(self) if item.name != 'estimated')
        return f'{type(self).__name__}({", ".join(f"{name}={value!r}" for name, value in shown if value)})'


_MARKS = ('estimated', 'missing')
_TOKENS = tuple(item.name for item in fields(Usage) if item.name not in ('details', *_MARKS))


def _take_parts(rest: TokenClass, total: int, parts: dict[TokenClass, int]) -> dict[TokenClass, int]:
    """Return the parts of a total, each at most what the parts before it leave, and the rest. Zeros are omitted."""
    found: dict[TokenClass, int] = {}
    for name, count in parts.items():
        if part := min(count, total):
            found[name] = part
            total -= part
    return {rest: total, **found} if total else found


@dataclass(repr=False, kw_only=True, slots=True)
class RequestUsage(Usage):
    """The usage of one request."""

    @classmethod
    def without_counts(cls) -> Self:
        """Return the usage of a request whose response has none: the counts are 0 and `missing`."""
        return cls(missing=REPORTED)

    @property
    def requests(self) -> int:
        """Always 1, for adding requests to a `RunUsage`."""
        return 1

    @property
    def unmeasured_requests(self) -> int:
        """1 if the response had no usage at all, else 0."""
        return int(all(name in self.missing for name in REPORTED) and not self.has_values())


PRICE_DETAILS = ('service_tier', 'speed', 'processing', 'traffic_type')
"""The fields of `ModelResponse.provider_details` that select other prices."""


@dataclass(kw_only=True, slots=True)
class AttemptUsage:
    """The usage of one request to one model, of a response that took several."""

    usage: RequestUsage
    """The tokens that the request used, as far as they are known; `usage.missing` names the counts that are not."""

    model_name: str | None = None
    """The model that used them, as in `ModelResponse.model_name`."""

    provider_name: str | None = None
    """The vendor, as in `ModelResponse.provider_name`."""

    provider_url: str | None = None
    """The base URL of the request."""

    provider_details: dict[str, Any] | None = None
    """The details of the vendor that select other prices, such as the `service_tier`."""

    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
    """The time of the request."""


@dataclass(repr=False, kw_only=True, slots=True)
class RunUsage(Usage):
    """The usage of a run. Calling it returns itself, so that `result.usage()` works as well."""

    requests: int = 0
    """The number of requests that were sent."""

    tool_calls: int = 0
    """The number of executed tool calls."""

    unmeasured_requests: int = field(default=0, metadata={'exclude_if': not_})
    """The number of responses that had no usage at all. The counts do not contain them, so they are too low."""

    cost: Decimal | None = None
    """The price of the requests in US dollars; `None` unless `UsageLimits.cost_limit` is set."""

    def incr(self, other: Usage) -> None:
        """Add a request's or another run's usage to this one, in place."""
        self.add_counts(other)
        if isinstance(other, (RunUsage, RequestUsage)):
            self.requests += other.requests
        if isinstance(other, RunUsage):
            self.tool_calls += other.tool_calls
            self.add_cost(other.cost)

    def add_counts(self, other: Usage) -> None:
        """Add the tokens of another usage, in place, but not its requests, which are counted when they are sent."""
        Usage.incr(self, other)
        if isinstance(other, (RunUsage, RequestUsage)):
            self.unmeasured_requests += other.unmeasured_requests

    def add_cost(self, cost: Decimal | None) -> None:
        """Add the price of a request, in US dollars."""
        if cost is not None:
            self.cost = cost + (self.cost or 0)

    def __call__(self) -> RunUsage:
        return self


def add_usages(usages: Iterable[Usage]) -> RunUsage:
    """Return the sum of the usage of several requests or runs."""
    total = RunUsage()
    for usage in usages:
        total.incr(usage)
    return total


@dataclass(repr=False, kw_only=True, slots=True)
class UsageLimits:
    """The limits of a run; `None` is no limit. Exceeding a limit raises `UsageLimitExceeded`.

    All limits are checked before each request, tool calls also before they are made, tokens and cost also after each
    response.
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

    per_request_input_tokens_limit: int | None = None
    """The maximum number of input tokens of one request."""

    cost_limit: Decimal | float | None = None
    """The maximum price of all requests in US dollars. The prices are those of `genai-prices` (extra `prices`).

    A model whose price is unknown is a `UserError` before anything is sent."""

    count_tokens_before_request: bool = False
    """Count the input tokens of each request before it is sent (`Model.count_tokens`, which is a request of its own),
    so that one that would exceed a limit of tokens or of the cost is not sent."""

    final_answer: bool = False
    """If the limit of requests or of tool calls is reached, request the output without function tools.

    The last allowed request, or the one after the last allowed tool call, is that request. So the run ends with an
    output and not with an error."""

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            if (value := getattr(self, name)) is not None:
                check_number(name, value, least=0)
        if not (isinstance(self.cost_limit, Decimal) and self.cost_limit.is_finite() and self.cost_limit >= 0):
            check_number('cost_limit', self.cost_limit, least=0)
        check_flag('count_tokens_before_request', self.count_tokens_before_request)
        check_flag('final_answer', self.final_answer)

    def has_token_limits(self) -> bool:
        limits = (self.input_tokens_limit, self.output_tokens_limit, self.total_tokens_limit)
        return any(limit is not None for limit in limits)

    def must_answer(self, usage: RunUsage) -> bool:
        """Return whether the next request must be for the final answer, by `final_answer`."""
        if not self.final_answer:
            return False
        is_last = self.request_limit is not None and usage.requests + 1 >= self.request_limit
        return is_last or (self.tool_calls_limit is not None and usage.tool_calls >= self.tool_calls_limit)

    def check_before_request(self, usage: RunUsage) -> None:
        """Raise `UsageLimitExceeded` if one more request would exceed a limit."""
        _check_limit('request_limit', self.request_limit, usage.requests + 1, 'requests')
        self.check_tokens(usage)
        self.check_cost(usage.cost)

    def check_counted_request(self, usage: RunUsage, counted: Usage, cost: Decimal | None) -> None:
        """Raise `UsageLimitExceeded` if the counted tokens of the next request, or their price, exceed a limit."""
        self.check_request_tokens(counted)
        self.check_tokens(usage + counted)
        self.check_cost(None if cost is None else cost + (usage.cost or 0))

    def check_before_tool_calls(self, usage: RunUsage, count: int = 1) -> None:
        """Raise `UsageLimitExceeded` if `count` more tool calls would exceed the limit."""
        _check_limit('tool_calls_limit', self.tool_calls_limit, usage.tool_calls + count, 'tool calls')

    def check_tokens(self, usage: Usage) -> None:
        """Raise `UsageLimitExceeded` if the tokens used so far exceed a limit."""
        _check_limit('input_tokens_limit', self.input_tokens_limit, usage.input_tokens, 'input tokens')
        _check_limit('output_tokens_limit', self.output_tokens_limit, usage.output_tokens, 'output tokens')
        _check_limit('total_tokens_limit', self.total_tokens_limit, usage.total_tokens, 'tokens')

    def check_request_tokens(self, usage: Usage) -> None:
        """Raise `UsageLimitExceeded` if the tokens of one request exceed a limit."""
        limit, count = self.per_request_input_tokens_limit, usage.input_tokens
        if limit is not None and count > limit:
            raise UsageLimitExceeded(f'A request has {count} input tokens, over per_request_input_tokens_limit={limit}')

    def check_cost(self, cost: Decimal | None) -> None:
        """Raise `UsageLimitExceeded` if the price, in US dollars, exceeds the limit."""
        if self.cost_limit is not None and cost is not None and cost > self.cost_limit:
            raise UsageLimitExceeded(f'The run costs {cost} US dollars, over cost_limit={self.cost_limit}')

    def __repr__(self) -> str:
        shown = ((item.name, getattr(self, item.name), item.default) for item in fields(self))
        given = [f'{name}={value!r}' for name, value, default in shown if value != default or name == 'request_limit']
        return f'UsageLimits({", ".join(text for text in given if not text.endswith("=None"))})'


def _check_limit(name: str, limit: int | None, count: int, what: str) -> None:
    if limit is not None and count > limit:
        raise UsageLimitExceeded(f'The next step would bring the run to {count} {what}, over {name}={limit}')


_NUMBERS = tuple({each.name for each in fields(UsageLimits) if each.name.endswith('_limit')} - {'cost_limit'})
"""The limits that are counts."""
