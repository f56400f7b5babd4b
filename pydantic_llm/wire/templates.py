"""`EventTemplate`: the bytes that the events of a stream have in common, around the values in which they differ.

An event that consists of these bytes with a JSON value in each gap is equal to the event that the template was made of,
but for these values. So nothing else of it must be parsed and compared.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pydantic_core import from_json, to_json

from ..json_types import Json
from ..transport.sse import NEWLINE

__all__ = ('EventTemplate', 'make_template')

Path = tuple[str | int, ...]

VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+')
"""The values that can be replaced: strings and whole numbers."""

SCALARS = (str, int)

MOST_FIELDS = 8
"""The most fields with the name of a value that are looked at to find it."""


class EventTemplate:
    """Reads the values of events. `literals` are the bytes around them, `order` the order of their paths."""

    __slots__ = ('_end', '_middle', '_order', '_start')

    def __init__(self, literals: Sequence[bytes], order: Sequence[int]) -> None:
        self._start, *self._middle, self._end = literals
        self._order = None if [*order] == sorted(order) else [order.index(position) for position in sorted(order)]

    def read(self, frame: bytes) -> list[Any] | None:
        """Return the values of an event in the order of their paths; `None` if it differs in anything else."""
        if not (frame.startswith(self._start) and frame.endswith(self._end)):
            return None
        rest = frame[len(self._start) : len(frame) - len(self._end)]
        if NEWLINE in rest:
            return None
        if not self._middle:
            return None if (value := _parse(rest)) is None else [value]
        pieces: list[bytes] = []
        for literal in self._middle:
            piece, found, rest = rest.partition(literal)
            if not found:
                return None
            pieces.append(piece)
        pieces.append(rest)
        values = _parse_pieces(pieces)
        return values if values is None or self._order is None else [values[position] for position in self._order]


def _parse_pieces(pieces: Sequence[bytes]) -> list[Any] | None:
    """Return the values of pieces that are a string or a number each; `None` if a piece is anything else.

    They are parsed as one list. No string of it can reach from one piece into the next, since it would have a newline.
    So if all its items are strings and numbers, and as many as the pieces, each piece is one of them.
    """
    values: list[Any] | None = _parse(b'[%b]' % b',\n'.join(pieces))
    if values is None or len(values) != len(pieces):
        return None
    for value in values:
        if type(value) not in SCALARS:
            return None
    return values


def make_template(frame: bytes, data: bytes, event: Json, paths: Sequence[Path]) -> EventTemplate | None:
    """Return the template of an event, with gaps for the values at the paths; `None` if a value is not found.

    `frame` is the event as it was sent. `data`, its end, is the JSON of `event`.
    """
    found = [_find_value(data, event, path) for path in paths]
    spans = [span for span in found if span is not None]
    if len(spans) < len(paths):
        return None
    order = sorted(range(len(spans)), key=spans.__getitem__)
    literals: list[bytes] = []
    begin, offset = 0, len(frame) - len(data)
    for position in order:
        start, end = spans[position]
        literals.append(frame[begin : offset + start])
        begin = offset + end
    return EventTemplate([*literals, frame[begin:]], order)


def _find_value(data: bytes, event: Json, path: Path) -> tuple[int, int] | None:
    """Return the start and the end of the value at a path: where another value changes the event at the path only."""
    holder: Any = event
    for key in path[:-1]:
        holder = holder[key]
    known: object = holder[path[-1]]
    sentinel = 'the place of a value' if isinstance(known, str) else 7310956248 if type(known) is int else None
    if sentinel is None:
        return None
    expected = _replace(event, path, sentinel)
    for number, name in enumerate(_compile_name(str(path[-1])).finditer(data)):
        value = VALUE.match(data, name.end())
        if value is not None:
            start, end = value.span()
            if _parse(data[:start] + to_json(sentinel) + data[end:]) == expected:
                return start, end
        if number == MOST_FIELDS:
            break
    return None


def _replace(value: Any, path: Path, new: Any) -> Any:
    """Return a copy of a value with another one at a path in it."""
    if not path:
        return new
    copied = value.copy()
    copied[path[0]] = _replace(value[path[0]], path[1:], new)
    return copied


def _parse(data: bytes) -> Any:
    try:
        return from_json(data)
    except ValueError:
        return None


@lru_cache(maxsize=64)
def _compile_name(name: str) -> re.Pattern[bytes]:
    return re.compile(re.escape(to_json(name)) + rb'\s*:\s*')
