"""`BudgetStore`, the interface of what keeps the spendings of keys, and `MemoryStore`, for one process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence

from .amounts import Amount, PeriodLimit, Spent

__all__ = ('BudgetStore', 'MemoryStore')


class BudgetStore(ABC):
    """The spendings of keys, by name and period.

    A request reserves an estimate, which counts as spent at once; `add` corrects it when the usage is known. So the
    estimate of a request whose process was killed stays: the vendor may have billed it.
    """

    @abstractmethod
    async def reserve(self, key: str, periods: Sequence[PeriodLimit], amount: Amount) -> PeriodLimit | None:
        """Add an amount to all periods, if all have room for it. Return the first period that has none."""

    @abstractmethod
    async def add(self, key: str, periods: Sequence[PeriodLimit], amount: Amount) -> None:
        """Add an amount to all periods; negative parts give something back."""

    @abstractmethod
    async def read(self, key: str, periods: Sequence[PeriodLimit]) -> list[Spent]:
        """Return what the key has spent in each of the periods."""

    async def check(self) -> None:
        """Raise an exception if the store cannot be reached."""
        await self.read('', ())

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""


class MemoryStore(BudgetStore):
    """Spendings that are lost when the process ends."""

    def __init__(self) -> None:
        self._spent: defaultdict[tuple[str, str], Amount] = defaultdict(Amount)

    async def reserve(self, key: str, periods: Sequence[PeriodLimit], amount: Amount) -> PeriodLimit | None:
        for period in periods:
            if period.find_exceeded(self._spent[key, period.id] + amount):
                return period
        await self.add(key, periods, amount)
        return None

    async def add(self, key: str, periods: Sequence[PeriodLimit], amount: Amount) -> None:
        for period in periods:
            self._spent[key, period.id] += amount

    async def read(self, key: str, periods: Sequence[PeriodLimit]) -> list[Spent]:
        return [Spent(period, self._spent[key, period.id]) for period in periods]
