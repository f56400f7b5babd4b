"""`Repeats`: decodes the events of a stream that differ from the event before them in their text alone.

Most events of a stream are such repeats. A room decodes the first of them in full, and remembers it with the place of
its text and a function that adds text. An event that is equal to it in all other fields has no other effect, so that
only its text is added. After some repeats, a template is made of its bytes (`templates`), and the next ones are
compared without being parsed. Measured per chunk, from bytes to events: chat 16, 8 and 5 µs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, cast

from ..json_types import Json
from .templates import EventTemplate, Path, make_template

__all__ = ('Repeats',)

REPEATS = 8
"""The number of repeats after which a template is made: that takes as long as parsing some 10 events."""

MORE_REPEATS = 1000
"""The number of repeats after which a template is tried again, if none could be made."""


class Repeats:
    """The last event that only added text, if the last event was one."""

    __slots__ = (
        *('_add', '_event', '_holder', '_name', '_numbers', '_path', '_repeat_count', '_unread'),
        *('separator', 'template'),
    )

    def __init__(self) -> None:
        self._event: Json | None = None  # a copy, in which `add` replaces the text
        self._holder: Any = None  # the object in the copy that holds the text
        self._path: Path = ()  # leads to this object
        self._name: str | int = ''
        self._unread: Sequence[tuple[Path, Json, str]] = ()  # the path of an object, its copy, the name of a field
        self._numbers: Sequence[tuple[Path, type]] | None = None  # and their types, from the first repeat on
        self._add: Callable[[str], object] = str
        self._repeat_count = 0
        self.template: EventTemplate | None = None
        """The bytes of the event that was remembered, after some repeats."""
        self.separator: bytes = b''
        """The bytes after each event."""

    def remember(
        self, event: Json, path: Path, add: Callable[[str], object] | None, *, unread: Collection[str] = ()
    ) -> None:
        """Remember an event that was decoded in full, and had no other effect than `add` has with the text at `path`.

        The effect of all other fields must be the same a second time. Fields named in `unread` may have any value.
        Without `add`, the event is not remembered.
        """
        if add is None:
            return
        holder: Any = event.copy()
        self._event, self._unread, self._numbers = holder, [], None
        for depth, key in enumerate(path):
            self._unread += [(path[:depth], holder, name) for name in unread if name in holder]
            if depth < len(path) - 1:
                holder[key] = holder = holder[key].copy()
        self._holder, self._path, self._name, self._add = holder, path[:-1], path[-1], add

    def forget(self) -> None:
        """Forget the event: the next one is not compared with it."""
        self._event = self.template = None
        self._repeat_count = 0

    def add(self, event: Any) -> bool:
        """Add the text of an event that repeats the remembered one; return False for any other, which has no effect."""
        known = self._event
        if known is None:
            return False
        holder = event
        try:
            for key in self._path:
                holder = holder[key]
            text = self._holder[self._name] = holder[self._name]
            for path, copy, name in self._unread:
                holder = event
                for key in path:
                    holder = holder[key]
                copy[name] = holder[name]
        except (LookupError, TypeError):
            return False
        if type(text) is not str or not text or event != known or not self._has_same_types(event):
            return False
        self._add(text)
        self._repeat_count += 1
        return True

    def _has_same_types(self, event: Any) -> bool:
        """Return whether the numbers of an equal event have the same types: `1`, `1.0` and `True` are equal."""
        if self._numbers is None:
            unread = {(*path, name) for path, _, name in self._unread}
            self._numbers = list(_list_numbers(self._event, unread))
        for path, kind in self._numbers:
            number = event
            for key in path:
                number = number[key]
            if type(number) is not kind:
                return False
        return True

    def learn(self, chunk: bytes, data: bytes) -> None:
        """Make the template of the last event of a chunk, whose JSON is `data`, if there were enough repeats of it."""
        if self._repeat_count < REPEATS or self._event is None:
            return
        self._repeat_count = -MORE_REPEATS  # if no template can be made
        self.separator = b'\r\n\r\n' if chunk.endswith(b'\r\n\r\n') else b'\n\n'
        frame = chunk.removesuffix(self.separator).rpartition(self.separator)[2]
        head = frame.removesuffix(data)
        name = head.removesuffix(b'data: ')
        # no other line than the event's name: an id would differ each time, and a comment may mean something
        if name != head and (not name or (name.startswith(b'event: ') and name.find(b'\n') == len(name) - 1)):
            self.template = make_template(frame, data, self._event, self._list_paths())

    def _list_paths(self) -> list[Path]:
        """Return the paths of the values in which events may differ, that of the text first."""
        return [(*self._path, self._name), *((*path, name) for path, _, name in self._unread)]

    def read(self, chunk: bytes) -> tuple[int, bytes]:
        """Add the texts of the events at the start of a chunk that repeat the remembered one by their bytes.

        Return the number of these events, and the bytes after them.
        """
        separator, template = self.separator, self.template
        assert template is not None, 'the caller has looked'
        *frames, rest = chunk.split(separator)
        for position, frame in enumerate(frames):
            values = template.read(frame)
            if values is None or type(text := values[0]) is not str or not text or not self._accept(values):
                return position, separator.join((*frames[position:], rest))
            self._add(text)
        return len(frames), rest

    def _accept(self, values: Sequence[Any]) -> bool:
        """Return whether the values after the text have no effect, or record it."""
        return True


def _list_numbers(value: object, unread: Collection[Path], path: Path = ()) -> Iterator[tuple[Path, type]]:
    """Yield the path and the type of each number and boolean in a JSON value, except those at the paths `unread`."""
    if path in unread:
        return
    if isinstance(value, (int, float)):
        yield path, type(value)
    elif isinstance(value, dict):
        for name, item in cast('Json', value).items():
            yield from _list_numbers(item, unread, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(cast('list[object]', value)):
            yield from _list_numbers(item, unread, (*path, index))
