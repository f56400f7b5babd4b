"""`open_store`: the store of budgets for a path or a URL."""

from __future__ import annotations

from pathlib import Path

from ..._type_checks import raise_wrong_type
from ...exceptions import UserError
from .store import BudgetStore, MemoryStore

__all__ = ('is_redis', 'open_store')

REDIS_SCHEMES = ('redis://', 'rediss://', 'unix://')


def is_redis(state: object) -> bool:
    """Return whether a state is the URL of a Redis."""
    return isinstance(state, str) and state.startswith(REDIS_SCHEMES)


def open_store(state: str | Path | None) -> BudgetStore:
    """Return the store in the SQLite file of this path, in the Redis of this URL, or for `None` in memory.

    Raises `UserError` if the file cannot be used, or if it is another URL.
    """
    if state is None:
        return MemoryStore()
    if isinstance(state, str) and is_redis(state):
        from .redis import RedisStore

        return RedisStore(state)
    if not isinstance(state, (str, Path)):  # pyright: ignore[reportUnnecessaryIsInstance] -- a caller may pass anything
        raise_wrong_type('state', 'the path of a file or the URL of a Redis', state)
    path = _find_path(str(state))
    if '://' in path:
        scheme = path.partition('://')[0]
        raise UserError(
            f'state has the scheme {scheme!r}: give the path of a file, or redis://..., rediss://..., unix://...'
        )
    from .sqlite import SQLiteStore

    return SQLiteStore(Path(path))


def _find_path(state: str) -> str:
    """Return the path of a file, which may be written like that of a cache: `sqlite:PATH`."""
    return state.removeprefix('sqlite:').removeprefix('//') if state.startswith('sqlite:') else state
