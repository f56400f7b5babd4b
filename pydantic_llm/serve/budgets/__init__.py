"""Budgets of keys: what each may spend in a day and in a month, and what it has spent.

`amounts` has the values with their days and months, `store` the interface of stores and the one in memory. `sqlite` and
`redis` have the stores that survive a restart and that processes share; `open_store` in `choice` chooses one.
"""

from __future__ import annotations

from .amounts import Amount, PeriodLimit, Spent
from .choice import open_store
from .store import BudgetStore, MemoryStore

__all__ = ('Amount', 'BudgetStore', 'MemoryStore', 'PeriodLimit', 'Spent', 'open_store')
