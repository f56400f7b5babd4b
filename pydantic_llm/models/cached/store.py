"""The interface of a store, `CacheStore`, and `open_cache`, which makes a store from a text."""

from __future__ import annotations

from typing import Protocol, cast, runtime_checkable

from ..._type_checks import raise_wrong_type
from ...exceptions import UserError

__all__ = ('CacheStore', 'open_cache')


@runtime_checkable
class CacheStore(Protocol):
    """A place for responses. A store of your own needs these three methods.

    It is used from several event loops and threads. It may fail and it may forget: both are misses, and a store that
    fails or is slow is not used for a few seconds.
    """

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key (64 hexadecimal digits); `None` if it is missing, or if its time is over."""
        ...

    async def set(self, key: str, value: bytes, ttl: float | None) -> None:
        """Store a value for `ttl` seconds; `None` for as long as there is room."""
        ...

    async def aclose(self) -> None:
        """Close the connections or files. The store can be used again."""
        ...


KINDS = "'memory', 'sqlite:PATH' or 'redis://HOST:PORT'"


def open_cache(spec: str) -> CacheStore:
    """Return the store for a text: `'memory'`, `'sqlite:PATH'`, or the URL of a Redis.

    Raises `UserError` if the text is another one, or if the store cannot be opened.
    """
    if not isinstance(cast('object', spec), str):
        raise_wrong_type('cache', f'a text such as {KINDS}', spec)
    kind, _, rest = spec.partition(':')
    if spec == 'memory':
        from .memory import MemoryCache

        return MemoryCache()
    if kind == 'sqlite':
        from .sqlite import SQLiteCache

        return SQLiteCache(rest.removeprefix('//'))
    if kind in ('redis', 'rediss', 'unix'):
        from .redis import RedisCache

        return RedisCache(spec)
    raise UserError(f'{spec!r} is not a cache: give {KINDS}')


def check_store(store: object) -> CacheStore:
    """Return the store, opened if it is a text. Raises `UserError` for anything else."""
    if isinstance(store, str):
        return open_cache(store)
    if isinstance(store, type) or not isinstance(store, CacheStore):
        raise_wrong_type('store', f'{KINDS}, or an object with the methods of CacheStore', store)
    return store
