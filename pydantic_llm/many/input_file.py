"""`InputFile`: a file of rows, which is read once before anything is sent, to find every mistake in it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import Any

from ..exceptions import UserError
from .columns import Kind, kind_of_value, merge_kinds
from .files import NamedRow, find_format, read_rows
from .requests import RowRequests

__all__ = ('InputFile', 'InputSummary')

DEFAULT_ID = 'id'
"""The column with the ids of rows if none is named. Without it, rows have no ids."""


@dataclass(frozen=True)
class InputSummary:
    """The facts about a file of rows."""

    count: int
    """The number of rows to send, at most the limit."""
    digest: str
    """A hash of the whole file."""
    kinds: dict[str, Kind]
    """The columns and the kinds of their values."""


@dataclass(frozen=True)
class InputFile:
    """A file of rows. Only one row at a time is in memory."""

    path: Path
    limit: int | None = None
    """The number of rows to read; `None` for all."""

    def check(self, requests: RowRequests, *, id_column: str | None = None) -> InputSummary:
        """Read all rows once.

        Raises `UserError`, naming the row, for one that cannot be read, that lacks a field of the prompt, or that has
        the id of an earlier one; and `OSError` if the file cannot be read.
        """
        find_format(self.path, option='--input')
        if self.path.exists() and not self.path.is_file():
            raise UserError(f'--input {str(self.path)!r} is not a file: it is read several times, which a pipe is not')
        kinds: dict[str, Kind] = {}
        count = 0
        with closing(_Ids(id_column)) as ids:
            for name, row in self._iter_rows():
                requests.check_row(row, name)
                ids.add(name, row, is_first=not count)
                for column, value in row.items():
                    kind = kind_of_value(value)
                    known = kinds.get(column, 'empty')
                    if kind != known:
                        kinds[column] = merge_kinds((known, kind))
                count += 1
        if not count:
            raise UserError(f'{self.path} has no rows')
        with self.path.open('rb') as file:
            return InputSummary(count, file_digest(file, 'sha256').hexdigest(), kinds)

    def read_missing(self, is_done: Callable[[int], bool]) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Yield the rows that are not done: their positions, names and fields."""
        for index, (name, row) in enumerate(self._iter_rows()):
            if not is_done(index):
                yield index, name, row

    async def stream_missing(self, is_done: Callable[[int], bool]) -> AsyncIterator[tuple[int, object]]:
        """Yield the rows that are not done: their positions and fields."""
        for index, _, row in self.read_missing(is_done):
            yield index, row

    def _iter_rows(self) -> Iterator[NamedRow]:
        return islice(read_rows(self.path), self.limit)


class _Ids:
    """The ids of rows, in a temporary database, which is on disk if they are many."""

    def __init__(self, column: str | None) -> None:
        self._column = column
        self._database = sqlite3.connect('')
        self._database.execute('CREATE TABLE ids (id TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID')

    def add(self, name: str, row: dict[str, Any], *, is_first: bool) -> None:
        """Add the id of a row. Raises `UserError` if the row has none, or that of an earlier row."""
        if is_first and self._column is None and row.get(DEFAULT_ID) is not None:
            self._column = DEFAULT_ID
        if not self._column:
            return
        id = row.get(self._column)
        if id is None:
            raise UserError(f'{name}: the id {self._column!r} is missing; --id names another column, --id "" none')
        try:
            self._database.execute('INSERT INTO ids VALUES (?, ?)', (str(id), name))
        except sqlite3.IntegrityError:
            [earlier] = self._database.execute('SELECT name FROM ids WHERE id = ?', (str(id),)).fetchone()
            raise UserError(
                f'{name}: the id {id!r} is that of {earlier} too; --id names another column, --id "" none'
            ) from None

    def close(self) -> None:
        self._database.close()
