"""`SurrogateJoiner`: characters whose two halves arrive in two events of a stream.

Servers that cut text by UTF-16 code units send half of an emoji at the end of an event, and the other half at the
beginning of the next event with the same text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from ..json_types import repair_text

LONGEST_WAIT = 16
"""The most events that are held for the other half of a character."""

NUMBERS = ('index', 'output_index', 'content_index', 'summary_index', 'contentBlockIndex')
"""Fields of events that distinguish texts in the same position."""

HIGH = ('\ud800', '\udbff')
"""The range of first halves. Second halves follow it, up to U+DFFF."""

Path = tuple[object, ...]
Place = tuple[Any, Any]
"""A list or an object, and the position or the name of a string in it."""


class SurrogateJoiner:
    """Holds events whose text ends with the first half of a character until the second half has arrived."""

    __slots__ = ('_halves', 'held')

    def __init__(self) -> None:
        self.held: list[Any] = []
        """The events that wait for the second half of a character, and those that arrived after them."""
        self._halves: dict[Path, Place] = {}

    def feed(self, event: Any) -> list[Any]:
        """Add an event, and return the events that are complete now."""
        for path, place in list(_find_strings(event)):
            if path in self._halves:
                _join_pair(self._halves.pop(path), place)
            if _is_between(_read(place)[-1:], *HIGH):
                self._halves[path] = place
        self.held.append(event)
        return [] if self._halves and len(self.held) < LONGEST_WAIT else self.flush()

    def flush(self) -> list[Any]:
        """Return all events that are held, with U+FFFD for each half whose other half did not arrive."""
        events = [repair_text(event) for event in self.held]
        self.held, self._halves = [], {}
        return events


def _find_strings(value: Any, path: Path = ()) -> Iterator[tuple[Path, Place]]:
    """Yield the path and the place of each string that is not empty."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        fields = cast('dict[str, Any]', value)
        path = (*path, *(fields.get(name) for name in NUMBERS if isinstance(fields.get(name), int)))
        items = list(fields.items())
    elif isinstance(value, list):
        items = list(enumerate(cast('list[Any]', value)))  # type: ignore[redundant-cast]  # pyright needs it
    for key, item in items:
        if isinstance(item, str) and item:
            yield (*path, key), (value, key)
        else:
            yield from _find_strings(item, (*path, key))


def _join_pair(first: Place, second: Place) -> None:
    """Move the second half of a character to the first one, if the second text begins with it."""
    text = _read(second)
    if _is_between(text[0], '\udc00', '\udfff'):
        first[0][first[1]] += text[0]
        second[0][second[1]] = text[1:]


def _read(place: Place) -> str:
    text: str = place[0][place[1]]
    return text


def _is_between(character: str, first: str, last: str) -> bool:
    return first <= character <= last
