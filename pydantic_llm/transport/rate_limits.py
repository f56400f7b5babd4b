"""What vendors say in their headers of how much may still be asked. Pure.

https://platform.openai.com/docs/guides/rate-limits (also Groq, Cerebras, Azure and others),
https://docs.anthropic.com/en/api/rate-limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ('RateLimit', 'RateLimits', 'seconds_until_reset')

FORMS: tuple[tuple[str, str], ...] = (
    ('x-ratelimit-limit-{}', 'x-ratelimit-remaining-{}'),
    ('anthropic-ratelimit-{}-limit', 'anthropic-ratelimit-{}-remaining'),
)
"""The names of the headers, with the kind of limit left out."""

TOKENS = ('tokens', 'input-tokens')
"""What vendors call the limit on tokens; the first that is there counts."""


RESETS: tuple[tuple[str, str], ...] = (
    ('x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests'),
    ('x-ratelimit-remaining-tokens', 'x-ratelimit-reset-tokens'),
    ('x-ratelimit-remaining', 'x-ratelimit-reset'),
    *(
        (f'anthropic-ratelimit-{kind}-remaining', f'anthropic-ratelimit-{kind}-reset')
        for kind in ('requests', 'tokens', 'input-tokens', 'output-tokens')
    ),
)
"""The headers that say that nothing is left, and when there will be again."""

DURATION = re.compile(r'(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?')
"""A time as OpenAI writes it: `6m0s`, `20ms`."""

UNITS = (86_400, 3_600, 60, 1, 0.001)
"""The seconds in its parts."""

EPOCH, EPOCH_IN_MILLISECONDS = 1e9, 1e11
"""A number above these is no time to wait but a time, in seconds or milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One kind of limit."""

    limit: float | None = None
    """How much may be used in a minute."""
    remaining: float | None = None
    """How much of it is left now."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What an answer says of limits; `None` where it says nothing."""

    requests: RateLimit | None = None
    """Requests per minute."""
    tokens: RateLimit | None = None
    """Tokens per minute."""

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> RateLimits:
        """The limits that headers speak of. Names are found in any case where the mapping does so."""
        found = (limit for kind in TOKENS if (limit := _limit(headers, kind)) is not None)
        return cls(_limit(headers, 'requests'), next(found, None))


def _limit(headers: Mapping[str, str], kind: str) -> RateLimit | None:
    for limit, remaining in FORMS:
        found = RateLimit(_number(headers.get(limit.format(kind))), _number(headers.get(remaining.format(kind))))
        if found != RateLimit():
            return found
    return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or '')
    except ValueError:
        return None
    return number if 0 <= number < float('inf') else None


def seconds_until_reset(headers: Mapping[str, str]) -> float | None:
    """How long nothing will be left of a limit that has been reached; `None` where the headers do not say."""
    resets = (headers.get(reset) for remaining, reset in RESETS if _number(headers.get(remaining)) == 0)
    waits = [wait for text in resets if text and (wait := _seconds(text)) is not None]
    return max(waits, default=None)


def _seconds(text: str) -> float | None:
    """A time to wait, from a duration, a number or a date."""
    now = datetime.now(UTC)
    if (number := _number(text)) is not None:
        if number > EPOCH:
            number = (number / 1000 if number > EPOCH_IN_MILLISECONDS else number) - now.timestamp()
        return max(number, 0.0)
    if found := DURATION.fullmatch(text):
        try:
            return sum(float(part) * unit for part, unit in zip(found.groups(), UNITS, strict=True) if part)
        except ValueError:
            return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max((when - now).total_seconds(), 0.0) if when.tzinfo else None
