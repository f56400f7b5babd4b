"""The values of budgets: amounts, and the limits of a key in the running day and month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from ..keys import GatewayKey

NANO = 1_000_000_000
"""The nanodollars of a US dollar. Sums of integers are exact; the cheapest token costs some nanodollars."""

LARGEST = 10**15
"""The most that one request counts for, so that sums fit into the whole numbers of SQLite and Redis (64 bits)."""

PeriodName = Literal['day', 'month']


@dataclass(frozen=True, slots=True)
class Amount:
    """A price and a number of tokens."""

    nanodollars: int = 0
    tokens: int = 0

    @classmethod
    def of(cls, dollars: Decimal | float | None, tokens: int) -> Amount:
        """Return an amount from a price in US dollars; an unknown price counts as zero, a count of less than 0 too."""
        nanodollars = 0 if dollars is None else round(Decimal(dollars) * NANO)
        return cls(*(min(max(value, 0), LARGEST) for value in (nanodollars, tokens)))

    @property
    def dollars(self) -> float:
        return self.nanodollars / NANO

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.nanodollars + other.nanodollars, self.tokens + other.tokens)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.nanodollars - other.nanodollars, self.tokens - other.tokens)


@dataclass(frozen=True, slots=True)
class PeriodLimit:
    """The running day or month of a key, and what the key may spend in it."""

    name: PeriodName
    id: str
    """The period in stores: `'2026-11-30'`, `'2026-11'`."""
    ends: datetime
    nanodollars: int | None
    """The limit of the price; `None` is no limit."""
    tokens: int | None
    """The limit of the tokens; `None` is no limit."""

    def find_exceeded(self, total: Amount) -> Literal['dollars', 'tokens'] | None:
        """Return which limit a total would exceed, if any."""
        if self.nanodollars is not None and total.nanodollars > self.nanodollars:
            return 'dollars'
        return 'tokens' if self.tokens is not None and total.tokens > self.tokens else None


@dataclass(frozen=True, slots=True)
class Spent:
    """The spending of a key in a period, with what is reserved for requests in progress."""

    period: PeriodLimit
    amount: Amount


def list_periods(key: GatewayKey, now: datetime | None = None) -> Sequence[PeriodLimit]:
    """Return the day and the month, in UTC, with the limits of the key."""
    now = now or datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    next_month = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
    day = PeriodLimit(
        'day', f'{now:%Y-%m-%d}', midnight + timedelta(days=1), _to_nano(key.dollars_per_day), key.tokens_per_day
    )
    month = PeriodLimit('month', f'{now:%Y-%m}', next_month, _to_nano(key.dollars_per_month), key.tokens_per_month)
    return (day, month)


def _to_nano(dollars: float | None) -> int | None:
    return None if dollars is None else round(Decimal(str(dollars)) * NANO)
