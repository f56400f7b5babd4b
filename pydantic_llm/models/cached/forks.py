"""Resets what a forked child process cannot use: `reset_after_fork`."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Resettable(Protocol):
    """An object with locks, waiters or connections, which belong to the process that made them."""

    def reset(self) -> None:
        """Replace them. Called in the child, before anything else of it runs."""
        ...


_objects: WeakSet[Resettable] = WeakSet()


def reset_after_fork(value: Resettable) -> None:
    """Register an object, as long as it lives."""
    _objects.add(value)


def _reset_all() -> None:
    for value in [*_objects]:
        value.reset()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_reset_all)
