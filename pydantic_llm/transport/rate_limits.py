"""Reads the rate-limit headers of vendors: `RateLimits.from_headers`, `seconds_until_reset`. Pure.

OpenAI, Groq, Cerebras, Azure and others: https://platform.openai.com/docs/guides/rate-limits.
Anthropic: https://docs.anthropic.com/en/api/rate-limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ('RateLimit', 'RateLimits', 'seconds_until_reset')

HEADER_NAMES: tuple[tuple[str, str], ...] = (
    ('x-ratelimit-limit-{}', 'x-ratelimit-remaining-{}'),
    ('anthropic-ratelimit-{}-limit', 'anthropic-ratelimit-{}-remaining'),
)
"""The names of the headers with a limit and what remains of it; `{}` is `requests` or `tokens`."""

TOKENS = ('tokens', 'input-tokens')
"""The names of the limit on tokens. The first one in the headers is used."""

RESETS: tuple[tuple[str, str], ...] = (
    ('x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests'),
    ('x-ratelimit-remaining-tokens', 'x-ratelimit-reset-tokens'),
    ('x-ratelimit-remaining', 'x-ratelimit-reset'),
    *(
        (f'anthropic-ratelimit-{kind}-remaining', f'anthropic-ratelimit-{kind}-reset')
        for kind in ('requests', 'tokens', 'input-tokens', 'output-tokens')
    ),
)
"""The headers with what remains of a limit, and the time of its reset."""

DURATION = re.compile(r'(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?')
"""A duration as OpenAI writes it: `6m0s`, `20ms`."""

UNITS = (86_400, 3_600, 60, 1, 0.001)
"""The seconds in one unit of each group of `DURATION`."""

EPOCH, EPOCH_IN_MILLISECONDS = 1e9, 1e11
"""A number above these is not a duration but a time: seconds or milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit, per minute. `None` if the headers do not contain the number."""

    limit: float | None = None
    """The amount that may be used in a minute."""
    remaining: float | None = None
    """The amount that remains now."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The limits in the headers of a response. `None` if the headers do not contain the limit."""

    requests: RateLimit | None = None
    tokens: RateLimit | None = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> RateLimits:
        """Return the limits in these headers. Names are lower case; the case matters if the mapping is a dict."""
        limits = (limit for kind in TOKENS if (limit := _read_limit(headers, kind)) is not None)
        return cls(_read_limit(headers, 'requests'), next(limits, None))


def _read_limit(headers: Mapping[str, str], kind: str) -> RateLimit | None:
    for limit, remaining in HEADER_NAMES:
        found = RateLimit(
            _parse_amount(headers.get(limit.format(kind))), _parse_amount(headers.get(remaining.format(kind)))
        )
        if found != RateLimit():
            return found
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
    resets = (headers.get(reset) for remaining, reset in RESETS if _parse_amount(headers.get(remaining)) == 0)
    waits = [wait for text in resets if text and (wait := _parse_reset(text)) is not None]
    return max(waits, default=None)


def _parse_reset(text: str) -> float | None:
    """Return seconds from a duration, a number (of seconds, or a time since 1970) or a date."""
    now = datetime.now(UTC)
    if (number := _parse_amount(text)) is not None:
        if number > EPOCH:
            number = (number / 1000 if number > EPOCH_IN_MILLISECONDS else number) - now.timestamp()
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
    return max((when - now).total_seconds(), 0.0) if when.tzinfo else None
