"""The engines of this process: one for each loaded model, shared by all model objects that name the same one.

An engine lives as long as a model object that used it, and is closed with the last of them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from typing import Any, cast

from .engine import Engine

__all__ = ('Lease', 'key_of')

_leases: dict[Hashable, tuple[Engine, int]] = {}
"""The engines, each with how many use it."""
_lock = threading.RLock()


class Lease:
    """The use of an engine by one model object."""

    def __init__(self, key: Hashable, make: Callable[[], Engine]) -> None:
        self._key = key
        self._ended = False
        with _lock:
            found = _leases.get(key)
            self.engine: Engine = make() if found is None else found[0]
            """The engine; a new one where nobody else uses it."""
            _leases[key] = (self.engine, 1 if found is None else found[1] + 1)

    def release(self) -> Engine | None:
        """Nothing more is wanted of the engine. Gives it to who must close it: the last one."""
        with _lock:
            if self._ended:
                return None
            self._ended = True
            engine, count = _leases[self._key]
            if count > 1:
                _leases[self._key] = (engine, count - 1)
                return None
            del _leases[self._key]
            return engine

    def abandon(self) -> None:
        """The same for a finalizer: the last one closes without waiting."""
        if (engine := self.release()) is not None:
            engine.abandon()


def key_of(*values: Any) -> Hashable:
    """A key that is the same for equal options; an option that has no hash is only equal to itself."""
    return tuple(_hashable(value) for value in values)


def _hashable(value: Any) -> Hashable:
    if isinstance(value, Mapping):
        named = cast('Mapping[object, object]', value)
        return ('mapping', frozenset((name, _hashable(item)) for name, item in named.items()))
    if isinstance(value, Set):
        return ('set', frozenset(_hashable(item) for item in cast('Set[object]', value)))
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        items = cast('Sequence[object]', value)
        return (type(items).__name__, tuple(_hashable(item) for item in items))
    try:
        hash(value)
    except TypeError:
        return ('object', id(value))
    return cast('Hashable', value)


def _new_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_new_lock)
