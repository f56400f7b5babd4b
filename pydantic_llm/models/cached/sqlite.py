"""A store in a SQLite file, shared by the processes of one machine: `SQLiteCache`.

Each operation runs in a thread, so a slow disk does not stop the event loop. The file has one table of entries, and
triggers that keep the sum of their sizes.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from os import PathLike, fspath
from pathlib import Path
from typing import TypeVar

from ..._checks import check_number
from ..._threads import run_in_thread
from ..._type_checks import check_type
from ...exceptions import UserError
from .forks import reset_after_fork

__all__ = ('SQLiteCache',)

T = TypeVar('T')

APPLICATION_ID = 0x70_4C_4C_4D
"""The mark of our files: https://sqlite.org/pragma.html#pragma_application_id."""

SCHEMA_VERSION = 1
"""The version of the tables. A file of an older version is emptied, one of a newer version is refused."""

SCHEMA = """
CREATE TABLE entries (
  key TEXT PRIMARY KEY, value BLOB NOT NULL, size INTEGER NOT NULL, ends_at REAL, used_at REAL NOT NULL
);
CREATE INDEX entries_by_use ON entries (used_at);
CREATE INDEX entries_by_end ON entries (ends_at) WHERE ends_at IS NOT NULL;
CREATE TABLE total (size INTEGER NOT NULL);
INSERT INTO total VALUES (0);
CREATE TRIGGER entry_added AFTER INSERT ON entries BEGIN UPDATE total SET size = size + NEW.size; END;
CREATE TRIGGER entry_removed AFTER DELETE ON entries BEGIN UPDATE total SET size = size - OLD.size; END;
"""

BUSY_SECONDS = 0.5
"""Seconds that an operation waits for another process that writes."""

OPEN_ATTEMPTS = 20
"""The number of attempts to open a file that other processes create at the same time."""

USE_SECONDS = 60.0
"""The precision of the time of the last use, so that not every hit is written to the file."""

OVERHEAD = 200
"""Bytes that an entry takes in addition to its value."""

ROOM = 0.9
"""The part of `max_bytes` that is left after entries were removed."""

_inherited: list[sqlite3.Connection] = []
"""Connections of a parent process. A forked child must neither use nor close them: https://sqlite.org/howtocorrupt.html."""


class SQLiteCache:
    """Keeps entries in a SQLite file, for all processes of this machine. Can be used from any thread and event loop.

    The entries take at most `max_bytes` (default: 1 GiB; `None` is no limit); those that were not used for the longest
    time are removed. A new file can be read by its owner alone. The folder must be on a local disk.

    Raises `UserError` if the path cannot be opened, or is a file of something else, which is left as it is.
    """

    def __init__(self, path: str | PathLike[str], *, max_bytes: int | None = 2**30) -> None:
        check_type(path, (str, PathLike), parameter='path', expected='a path', required=True)
        check_number('max_bytes', max_bytes, least=1, whole=True)
        if fspath(path) in ('', ':memory:'):
            raise UserError(f'path is {fspath(path)!r}: give the path of a file, or use MemoryCache()')
        self.path: Path = Path(path).expanduser().absolute()
        self.max_bytes = max_bytes
        self._open: list[sqlite3.Connection] = []  # none or one
        self._lock = threading.Lock()
        weakref.finalize(self, _close_all, self._open)
        reset_after_fork(self)
        self._connect()

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key. Raises `sqlite3.Error` if the file is damaged or busy."""
        return await self._run(lambda connection: _read(connection, key))

    async def set(self, key: str, value: bytes, ttl: float | None) -> None:
        """Store a value, and remove others if there is no room. Raises `sqlite3.Error`, also if the disk is full."""
        limit = self.max_bytes
        if limit is None or len(value) + OVERHEAD <= limit:
            await self._run(lambda connection: _write(connection, key, value, ttl, limit))

    async def clear(self) -> None:
        """Remove all entries of the file."""
        await self._run(lambda connection: _execute(connection, 'DELETE FROM entries'))

    async def aclose(self) -> None:
        """Close the file. The next operation opens it again."""
        await run_in_thread(self._close)

    def reset(self) -> None:
        """Give up the connection of the parent, in a forked child."""
        self._lock = threading.Lock()
        _inherited.extend(self._open)
        self._open.clear()

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            with self._lock:
                return work(self._connect())

        return await run_in_thread(run)

    def _connect(self) -> sqlite3.Connection:
        if not self._open:
            self._open.append(_open_file(self.path))
        return self._open[0]

    def _close(self) -> None:
        with self._lock:
            _close_all(self._open)

    def __repr__(self) -> str:
        return f'SQLiteCache({str(self.path)!r})'


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


# ---------------------------------------------------------------------- the file


def _open_file(path: Path) -> sqlite3.Connection:
    """Return a connection to a file of ours, which is created if it is missing. Raises `UserError`."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except (OSError, ValueError) as error:  # ValueError: a character that no path has
        raise UserError(f'The cache {str(path)!r} cannot be opened: {getattr(error, "strerror", error)}') from error
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _retry_while_locked(lambda: _prepare(connection, path))
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.DatabaseError):
            what = 'is locked by another process' if _is_locked(error) else 'is damaged, or is no SQLite file'
            raise UserError(f'The cache {str(path)!r} {what} ({error}): delete it, or give another path') from error
        raise
    return connection


def _retry_while_locked(work: Callable[[], None]) -> None:
    """Run the work again while another process changes the mode of the file, for which SQLite does not wait."""
    for _ in range(OPEN_ATTEMPTS):
        try:
            work()
        except sqlite3.OperationalError as error:
            if not _is_locked(error):
                raise
            time.sleep(0.05)
        else:
            return
    work()


def _is_locked(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, 'sqlite_errorcode', 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Create the tables unless they are there. Raises `UserError` for a file of another program or a newer version."""
    with _transaction(connection):
        application, version, tables = (
            connection.execute(question).fetchone()[0]
            for question in ('PRAGMA application_id', 'PRAGMA user_version', 'SELECT count(*) FROM sqlite_master')
        )
        if application != APPLICATION_ID and tables:
            raise UserError(f'{str(path)!r} is the database of another program: give another path for the cache')
        if version > SCHEMA_VERSION:
            raise UserError(f'The cache {str(path)!r} is of a newer version of pydantic_llm: give another path')
        if version < SCHEMA_VERSION:
            _create_tables(connection)
    connection.execute('PRAGMA journal_mode = WAL')
    connection.execute('PRAGMA synchronous = NORMAL')


def _create_tables(connection: sqlite3.Connection) -> None:
    for name in ('entries', 'total'):
        connection.execute(f'DROP TABLE IF EXISTS {name}')
    for statement in SCHEMA.split(';\n'):
        if statement.strip():
            connection.execute(statement)
    connection.execute(f'PRAGMA application_id = {APPLICATION_ID}')
    connection.execute(f'PRAGMA user_version = {SCHEMA_VERSION}')


class _transaction:  # noqa: N801 -- used like a function
    """Run the block as one transaction that writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute('BEGIN IMMEDIATE')

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._connection.execute('COMMIT')
        elif self._connection.in_transaction:
            self._connection.execute('ROLLBACK')


# ---------------------------------------------------------------------- the operations


def _execute(connection: sqlite3.Connection, statement: str) -> None:
    connection.execute(statement)


def _read(connection: sqlite3.Connection, key: str) -> bytes | None:
    now = time.time()
    row = connection.execute('SELECT value, ends_at, used_at FROM entries WHERE key = ?', (key,)).fetchone()
    if row is None or (row[1] is not None and row[1] <= now):
        return None
    value, _, used_at = row
    if abs(now - used_at) > USE_SECONDS:
        connection.execute('UPDATE entries SET used_at = ? WHERE key = ?', (now, key))
    return value if isinstance(value, bytes) else None


def _write(connection: sqlite3.Connection, key: str, value: bytes, ttl: float | None, limit: int | None) -> None:
    now = time.time()
    ends_at = None if ttl is None else now + ttl
    with _transaction(connection):
        connection.execute('DELETE FROM entries WHERE key = ?', (key,))
        row = (key, value, len(value) + OVERHEAD, ends_at, now)
        connection.execute('INSERT INTO entries (key, value, size, ends_at, used_at) VALUES (?, ?, ?, ?, ?)', row)
        if limit is not None and _get_total(connection) > limit:
            _make_room(connection, limit, now)


def _get_total(connection: sqlite3.Connection) -> int:
    total: int = connection.execute('SELECT size FROM total').fetchone()[0]
    return total


def _make_room(connection: sqlite3.Connection, limit: int, now: float) -> None:
    """Remove the entries whose time is over, and then those that were not used for the longest time."""
    connection.execute('DELETE FROM entries WHERE ends_at <= ?', (now,))
    excess = _get_total(connection) - limit
    if excess <= 0:
        return
    excess += limit - int(limit * ROOM)
    rows = connection.execute('SELECT rowid, size FROM entries ORDER BY used_at')
    removed: list[tuple[int]] = []
    for rowid, size in rows:
        if excess <= 0:
            break
        removed.append((rowid,))
        excess -= size
    rows.close()
    connection.executemany('DELETE FROM entries WHERE rowid = ?', removed)
