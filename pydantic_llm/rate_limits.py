"""Reads the rate-limit headers of vendors: `RateLimits.from_headers`, `seconds_until_reset`. Pure.

The tables of header names come first; the tests compare them with real headers of each vendor.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

__all__ = ('RateLimit', 'RateLimits', 'seconds_until_reset')


class _Names(NamedTuple):
    """The headers of one limit: the limit itself, what remains of it, and the time of its reset."""

    limit: str
    remaining: str
    reset: str


def _name_headers(template: str) -> _Names:
    return _Names(*(template.format(fact) for fact in ('limit', 'remaining', 'reset')))


REQUESTS = tuple(
    map(
        _name_headers,
        (
            # OpenAI, Azure, Groq, xAI, LiteLLM's proxy: https://platform.openai.com/docs/guides/rate-limits
            'x-ratelimit-{}-requests',
            'anthropic-ratelimit-requests-{}',  # https://docs.anthropic.com/en/api/rate-limits
            'x-ratelimit-{}-req-minute',  # Mistral, without a reset: langchain4j's recorded responses
            'x-ratelimit-{}-requests-minute',
            'x-ratelimit-{}-requests-day',  # Cerebras: https://inference-docs.cerebras.ai/support/rate-limits
            'x-trial-endpoint-call-{}',  # Cohere's trial keys, a minute: Elasticsearch's CohereResponseHandler
            'x-ratelimit-{}',  # OpenRouter, Hugging Face
        ),
    )
)
"""The headers of the limit on requests. The first row that is in the headers is used."""

TOKENS = tuple(
    map(
        _name_headers,
        (
            'x-ratelimit-{}-tokens',
            'anthropic-ratelimit-tokens-{}',
            'anthropic-ratelimit-input-tokens-{}',
            'x-ratelimit-{}-tokens-minute',  # Mistral, Cerebras
        ),
    )
)
"""The headers of the limit on tokens. The first row that is in the headers is used."""

OTHERS = (_name_headers('anthropic-ratelimit-output-tokens-{}'),)
"""The headers of other limits, which a request may have to wait for."""

DURATION = re.compile(r'(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?')
"""A duration as OpenAI writes it: `6m0s`, `20ms`."""

UNITS = (86_400, 3_600, 60, 1, 0.001)
"""The seconds in one unit of each group of `DURATION`."""

EPOCH, EPOCH_IN_MILLISECONDS = 1e9, 1e11
"""A number above these is not a duration but a time: seconds or milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit of the vendor. `None` if the headers do not contain the number."""

    limit: float | None = None
    """The amount that may be used in the vendor's period, which is a minute for most limits, or a day."""
    remaining: float | None = None
    """The amount that remained when the vendor responded."""
    reset: float | None = None
    """Seconds from the response until the whole amount is available again."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The limits in the headers of a response. `None` if the headers do not contain the limit."""

    requests: RateLimit | None = None
    tokens: RateLimit | None = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> RateLimits:
        """Return the limits in these headers. Names are lower case; the case matters if the mapping is a dict."""
        return cls(_read_limit(headers, REQUESTS), _read_limit(headers, TOKENS))


def _read_limit(headers: Mapping[str, str], rows: Iterable[_Names]) -> RateLimit | None:
    for row in rows:
        limit, remaining = _parse_amount(headers.get(row.limit)), _parse_amount(headers.get(row.remaining))
        if limit is not None or remaining is not None:
            return RateLimit(limit, remaining, _read_reset(headers, row))
    return None


def _parse_amount(text: str | None) -> float | None:
    """Return a finite number that is not negative; `None` for anything else."""
    try:
        number = float(text or '')
    except ValueError:
        return None
    return number if 0 <= number < float('inf') else None


def seconds_until_reset(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until all reached limits are reset; `None` if the headers do not show a reached limit."""
    reached = (row for row in (*REQUESTS, *TOKENS, *OTHERS) if _parse_amount(headers.get(row.remaining)) == 0)
    waits = [wait for row in reached if (wait := _read_reset(headers, row)) is not None]
    return max(waits, default=None)


def _read_reset(headers: Mapping[str, str], row: _Names) -> float | None:
    text = headers.get(row.reset)
    return _parse_reset(text, headers) if text else None


def _parse_reset(text: str, headers: Mapping[str, str]) -> float | None:
    """Return seconds from a duration, a number (of seconds, or a time since 1970) or a date."""
    if (number := _parse_amount(text)) is not None:
        if number > EPOCH:
            seconds = number / 1000 if number > EPOCH_IN_MILLISECONDS else number
            number = seconds - _find_time(headers).timestamp()
        return max(number, 0.0)
    if duration := DURATION.fullmatch(text):
        try:
            return sum(float(part) * unit for part, unit in zip(duration.groups(), UNITS, strict=True) if part)
        except ValueError:
            return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max((when - _find_time(headers)).total_seconds(), 0.0) if when.tzinfo else None


def _find_time(headers: Mapping[str, str]) -> datetime:
    """Return the time of the response by the server's clock, or the present time if the headers have no valid date."""
    from email.utils import parsedate_to_datetime  # 4 ms, which an import of the package would cost

    try:
        date = parsedate_to_datetime(headers.get('date', ''))
    except ValueError:
        return datetime.now(UTC)
    return date if date.tzinfo else date.replace(tzinfo=UTC)
