"""Leases: one engine for each loaded model, shared by all model objects with the same options.

An engine is created with its first lease and closed with the release of its last.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from typing import Any, cast

from .worker import WorkerEngine

__all__ = ('Lease', 'key_of')

_leases: dict[Hashable, tuple[WorkerEngine, int]] = {}
"""The engines and their number of leases, by key."""
_lock = threading.RLock()


class Lease:
    """The use of an engine by one model object."""

    def __init__(self, key: Hashable, make: Callable[[], WorkerEngine]) -> None:
        self._key = key
        self._is_released = False
        with _lock:
            found = _leases.get(key)
            self.engine: WorkerEngine = make() if found is None else found[0]
            _leases[key] = (self.engine, 1 if found is None else found[1] + 1)

    def release(self) -> WorkerEngine | None:
        """End the lease. Return the engine if this was its last lease: the caller must close it."""
        with _lock:
            if self._is_released:
                return None
            self._is_released = True
            engine, count = _leases[self._key]
            if count > 1:
                _leases[self._key] = (engine, count - 1)
                return None
            del _leases[self._key]
            return engine

    def abandon(self) -> None:
        """Release the engine in a finalizer; if this was its last lease, close it without waiting."""
        if (engine := self.release()) is not None:
            engine.abandon()


def key_of(*values: Any) -> Hashable:
    """Return a key that is equal for equal options. An option that has no hash is compared by identity."""
    return tuple(_make_hashable(value) for value in values)


def _make_hashable(value: Any) -> Hashable:
    if isinstance(value, Mapping):
        named = cast('Mapping[object, object]', value)
        return ('mapping', frozenset((name, _make_hashable(item)) for name, item in named.items()))
    if isinstance(value, Set):
        return ('set', frozenset(_make_hashable(item) for item in cast('Set[object]', value)))
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        items = cast('Sequence[object]', value)
        return (type(items).__name__, tuple(_make_hashable(item) for item in items))
    try:
        hash(value)
    except TypeError:
        return ('object', id(value))
    return cast('Hashable', value)


def _replace_lock() -> None:
    """Replace the lock in a forked child, as a thread of the parent may have held it."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_replace_lock)
