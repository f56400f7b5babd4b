"""`CachedModel`: responses that were requested before are returned from a cache.

Read in this order: `settings` (the settings of a request), `entry` (what is stored, and which responses are),
`store` (the interface of a store), `memory`, `sqlite` and `redis` (the stores), `flights` (equal requests at the same
time), `lookup` (one request), `stream` (responses that are streamed from the cache and into it), `model` (the class).
"""

from __future__ import annotations

from ...exceptions import CacheMissError
from .memory import MemoryCache
from .model import CachedModel
from .redis import RedisCache
from .settings import CachedModelSettings, CacheMode
from .sqlite import SQLiteCache
from .store import CacheStore, open_cache

__all__ = (
    'CacheMissError',
    'CacheMode',
    'CacheStore',
    'CachedModel',
    'CachedModelSettings',
    'MemoryCache',
    'RedisCache',
    'SQLiteCache',
    'open_cache',
)
