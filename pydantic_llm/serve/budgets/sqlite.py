"""Spendings of keys in an SQLite file, which survive a restart and which the processes of one machine share."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ...exceptions import UserError
from .amounts import Amount, PeriodLimit, Spent
from .store import BudgetStore

__all__ = ('SQLiteStore',)

T = TypeVar('T')

BUSY_SECONDS = 5.0
"""Seconds that a process waits for the transaction of another one."""

TABLE = """
CREATE TABLE IF NOT EXISTS spent (
    key TEXT NOT NULL,
    period TEXT NOT NULL,
    nanodollars INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    PRIMARY KEY (key, period)
) WITHOUT ROWID
"""

READ = 'SELECT nanodollars, tokens FROM spent WHERE key = ? AND period = ?'

ADD = """
INSERT INTO spent VALUES (?, ?, ?, ?)
ON CONFLICT (key, period) DO UPDATE SET nanodollars = nanodollars + excluded.nanodollars,
                                        tokens = tokens + excluded.tokens
"""


class SQLiteStore(BudgetStore):
    """Spendings in a file. All statements run in one thread of their own, since a file may be slow or locked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix='budgets')
        try:
            self._connection = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise UserError(f'The budgets cannot be stored in {str(path)!r}: {error}') from error

    async def reserve(self, key: str, periods: Sequence[PeriodLimit], amount: Amount) -> PeriodLimit | None:
        return await self._execute(lambda: self._reserve(key, periods, amount))

    async def add(self, key: str, periods: Sequence[PeriodLimit], amount: Amount) -> None:
        await self._execute(lambda: self._apply(key, periods, amount))

    async def read(self, key: str, periods: Sequence[PeriodLimit]) -> list[Spent]:
        return await self._execute(lambda: [Spent(period, self._read_amount(key, period)) for period in periods])

    async def check(self) -> None:
        await self._execute(lambda: self._connection.execute('SELECT 1 FROM spent LIMIT 1').fetchone())

    async def aclose(self) -> None:
        """Write what is in the log of the database into its file. The next call opens it again."""
        await self._execute(lambda: self._connection.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone())

    async def _execute(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _reserve(self, key: str, periods: Sequence[PeriodLimit], amount: Amount) -> PeriodLimit | None:
        self._connection.execute('BEGIN IMMEDIATE')  # other processes wait before they read
        with self._connection:
            for period in periods:
                if period.find_exceeded(self._read_amount(key, period) + amount):
                    return period
            self._write_amount(key, periods, amount)
        return None

    def _apply(self, key: str, periods: Sequence[PeriodLimit], amount: Amount) -> None:
        self._connection.execute('BEGIN IMMEDIATE')
        with self._connection:
            self._write_amount(key, periods, amount)

    def _write_amount(self, key: str, periods: Sequence[PeriodLimit], amount: Amount) -> None:
        self._connection.executemany(ADD, [(key, period.id, amount.nanodollars, amount.tokens) for period in periods])

    def _read_amount(self, key: str, period: PeriodLimit) -> Amount:
        row = self._connection.execute(READ, (key, period.id)).fetchone()
        return Amount(*row) if row else Amount()


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    # A killed process loses nothing, a power failure the last transactions: https://www.sqlite.org/pragma.html
    connection.execute('PRAGMA journal_mode = WAL')
    connection.execute('PRAGMA synchronous = NORMAL')
    connection.execute(TABLE)
    return connection
