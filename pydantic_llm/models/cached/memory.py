"""A store in the memory of this process: `MemoryCache`."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from ..._checks import check_number
from .forks import reset_after_fork

__all__ = ('MemoryCache',)

OVERHEAD = 300
"""Bytes that an entry takes in addition to its value: its key, two objects and a row of the table."""


class MemoryCache:
    """Keeps the entries that were used last, in this process. Can be used from any thread and event loop.

    `max_entries` and `max_bytes` are limits for all entries together (default: 10,000, and 64 MiB); `None` is no limit.
    A response that is larger than `max_bytes` is not stored.
    """

    def __init__(self, *, max_entries: int | None = 10_000, max_bytes: int | None = 64 * 2**20) -> None:
        check_number('max_entries', max_entries, least=1, whole=True)
        check_number('max_bytes', max_bytes, least=1, whole=True)
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self._entries: OrderedDict[str, tuple[bytes, float | None]] = OrderedDict()  # the value, and its end
        self._size = 0
        self._lock = threading.Lock()
        reset_after_fork(self)

    @property
    def size(self) -> int:
        """The size of all entries, in bytes."""
        return self._size

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key, which is then the one that was used last."""
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                return None
            value, end = found
            if end is not None and time.monotonic() >= end:
                self._remove(key)
                return None
            self._entries.move_to_end(key)
            return value

    async def set(self, key: str, value: bytes, ttl: float | None) -> None:
        """Store a value, and remove the entries that were not used for the longest time, if there are too many."""
        if self.max_bytes is not None and len(value) + OVERHEAD > self.max_bytes:
            return
        with self._lock:
            self._remove(key)
            self._entries[key] = (value, None if ttl is None else time.monotonic() + ttl)
            self._size += len(value) + OVERHEAD
            while self._is_over():
                self._remove(next(iter(self._entries)))

    async def clear(self) -> None:
        """Remove all entries of this store."""
        with self._lock:
            self._entries.clear()
            self._size = 0

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close. The entries stay."""

    def reset(self) -> None:
        """Replace the lock in a forked child, as a thread of the parent may hold it. The child keeps the entries."""
        self._lock = threading.Lock()
        self._size = sum(len(value) + OVERHEAD for value, _ in self._entries.values())

    def _is_over(self) -> bool:
        too_many = self.max_entries is not None and len(self._entries) > self.max_entries
        return too_many or (self.max_bytes is not None and self._size > self.max_bytes)

    def _remove(self, key: str) -> None:
        if (removed := self._entries.pop(key, None)) is not None:
            self._size -= len(removed[0]) + OVERHEAD

    def __repr__(self) -> str:
        return f'MemoryCache({len(self)} entries)'
