"""Bytes that two values share only if they are the same JSON, and results that are kept by them.

Settings, schemas and messages are objects that an application may change between two requests. So nothing that was
found about them is kept by their identity alone.
"""

from __future__ import annotations

from marshal import dumps
from typing import Any, Generic, TypeVar

T = TypeVar('T')


def take_snapshot(value: Any) -> bytes | None:
    """Return the value as bytes, or `None` if it contains an object, whose attributes may change unseen.

    `1`, `True` and `1.0` are equal and have different snapshots.
    """
    try:
        return dumps(value, 2)  # this version writes every value in full, as the later ones do not
    except ValueError:
        return None


class Kept(Generic[T]):
    """The results for the newest snapshots, at most `size` of them."""

    __slots__ = ('_results', '_size')

    def __init__(self, size: int) -> None:
        self._size = size
        self._results: dict[bytes, T] = {}

    def get(self, snapshot: bytes | None) -> T | None:
        """Return the result for a snapshot, if it is kept."""
        return None if snapshot is None else self._results.get(snapshot)

    def put(self, snapshot: bytes | None, result: T) -> None:
        """Keep a result, in place of the oldest one if there are too many."""
        if snapshot is None:
            return
        if len(self._results) >= self._size:
            self._results = dict([*self._results.items()][1:])
        self._results[snapshot] = result
