"""What vendors say in their headers of how much may still be asked. Pure.

https://platform.openai.com/docs/guides/rate-limits (also Groq, Cerebras, Azure and others),
https://docs.anthropic.com/en/api/rate-limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ('RateLimit', 'RateLimits')

FORMS: tuple[tuple[str, str], ...] = (
    ('x-ratelimit-limit-{}', 'x-ratelimit-remaining-{}'),
    ('anthropic-ratelimit-{}-limit', 'anthropic-ratelimit-{}-remaining'),
)
"""The names of the headers, with the kind of limit left out."""

TOKENS = ('tokens', 'input-tokens')
"""What vendors call the limit on tokens; the first that is there counts."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One kind of limit."""

    limit: float | None = None
    """How much may be used in a minute."""
    left: float | None = None
    """How much of it is left now."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What an answer says of limits; `None` where it says nothing."""

    requests: RateLimit | None = None
    """Requests per minute."""
    tokens: RateLimit | None = None
    """Tokens per minute."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> RateLimits:
        """The limits that headers speak of. Names are found in any case where the mapping does so."""
        found = (limit for kind in TOKENS if (limit := _limit(headers, kind)) is not None)
        return cls(_limit(headers, 'requests'), next(found, None))


def _limit(headers: Mapping[str, str], kind: str) -> RateLimit | None:
    for limit, left in FORMS:
        found = RateLimit(_number(headers.get(limit.format(kind))), _number(headers.get(left.format(kind))))
        if found != RateLimit():
            return found
    return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or '')
    except ValueError:
        return None
    return number if 0 <= number < float('inf') else None
