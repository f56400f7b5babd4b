"""Calls that are JSON objects among text, as models write them that were shown a format in the prompt.

An object is a call where it names a tool of the request; every other one is text. Fences around a call, words that
announce it and a brace too many belong to it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, cast

from .json_text import end_of_value, read_value
from .marked import call_from
from .reader import Call, Item, overlap

__all__ = ('BlobReader',)

OPENING = re.compile(
    r'(?:(?:Action|Tool call|Call):\s*)?(?:```(?:json|tool_call|tool_code|python)?\s*)?(?=[{\[])', re.IGNORECASE
)
"""What may stand before a call and belongs to it."""

OPENINGS = ('```', '```json\n', '```tool_call\n', '```tool_code\n', '```python\n', 'Action:\n', 'Action:')
CLOSING = re.compile(r'[\s}\];,]*(?:```[\s}\];,]*)?', re.DOTALL)
"""What may stand behind one: a brace too many, the end of a fence."""


class BlobReader:
    """Reads calls that are JSON objects, or lists of them, wherever they stand.

    `only_at_start` reads them only where the answer begins with one, as Llama writes them; `prefix` is a mark that such
    an answer may begin with.
    """

    def __init__(
        self,
        tools: Collection[str],
        *,
        name_key: str = 'name',
        arguments_key: str = 'arguments',
        only_at_start: bool = False,
        prefix: str = '',
    ) -> None:
        self._tools = frozenset(tools)
        self._keys = {'name_key': name_key, 'arguments_key': arguments_key}
        self._only_at_start = only_at_start
        self._prefix = prefix
        self._held = ''
        self._said = False
        self._called = False
        self._closing = False

    def feed(self, text: str) -> Iterator[Item]:
        """Add text, and get what is decided."""
        self._held += text
        yield from self._read(over=False)

    def close(self, *, cut: bool) -> Iterator[Item]:
        """The answer is over."""
        begun = self._held.strip()
        if cut and any(opening.startswith(begun) for opening in (self._prefix, *OPENINGS)):
            return
        yield from self._read(over=True, cut=cut)
        held, self._held = self._held, ''
        yield from self._text(held)

    def _read(self, *, over: bool, cut: bool = False) -> Iterator[Item]:
        if self._closing and not self._closed(over=over):
            return
        if not self._said and not self._begun(over=over):
            return
        while self._held:
            opening = None if self._only_at_start and self._said else OPENING.search(self._held)
            if opening is None or (self._only_at_start and self._held[: opening.start()].strip()):
                yield from self._text(self._take(self._certain(over=over)))
                return
            end = end_of_value(self._held, opening.end())
            if end is None and not over:
                yield from self._text(self._take(len(self._held[: opening.start()].rstrip())))
                return
            yield from self._blob(opening, end, cut=cut)
            if self._closing and not self._closed(over=over):
                return

    def _closed(self, *, over: bool) -> bool:
        """Whether all that belongs to the call before is gone."""
        found = CLOSING.match(self._held)
        rest = self._held[found.end() :] if found else self._held
        if not over and (not rest or '```'.startswith(rest)):
            return False
        self._held, self._closing = rest, False
        return True

    def _begun(self, *, over: bool) -> bool:
        """Whether the answer's beginning is decided: its mark is taken away."""
        begun = self._held.lstrip()
        if self._prefix and begun.startswith(self._prefix):
            self._held = begun[len(self._prefix) :]
        return over or not (self._prefix and self._prefix.startswith(begun))

    def _certain(self, *, over: bool) -> int:
        """How much of what is held cannot be the beginning of a call."""
        if over or (self._only_at_start and self._said):
            return len(self._held)
        kept = overlap(self._held, OPENINGS)
        before = self._held[: len(self._held) - kept]
        return len(before.rstrip())

    def _blob(self, opening: re.Match[str], end: int | None, *, cut: bool) -> Iterator[Item]:
        """An object that is whole, or that the answer's end left open."""
        text = self._held[opening.end() : end]
        calls = self._calls_in(text) if end is not None else self._cut(text) if cut else None
        if calls is None:
            yield from self._text(self._take(end or len(self._held)))
            return
        yield from self._text(self._held[: opening.start()].rstrip())
        self._called = self._called or bool(calls)
        yield from calls
        self._held = self._held[end:] if end is not None else ''
        self._closing = True

    def _calls_in(self, text: str) -> list[Call] | None:
        """The calls that a value is; `None` where it is something else, which is text."""
        read = read_value(text)
        if read is None:
            return None
        value: Any = read[0]
        items = cast('list[object]', value) if isinstance(value, list) else [value]
        calls = [call for item in items if (call := call_from(item, **self._keys)) and call.name in self._tools]
        return calls if calls and len(calls) == len(items) else None

    def _cut(self, text: str) -> list[Call] | None:
        """What is told of an object that was cut; `None` where it cannot have been a call."""
        name_key, arguments_key = map(re.escape, self._keys.values())
        said = rf'["\']{name_key}["\']\s*:\s*["\'](?P<name>[^"\']+)["\']'
        args = rf'\s*,\s*["\'](?:{arguments_key}|arguments|parameters)["\']\s*:\s*(?P<args>.*)'
        found = re.match(rf'[\[{{\s]*(?:"function"\s*:\s*\{{\s*)?{said}(?:{args})?', text, re.DOTALL)
        if found is not None:
            return [Call(found['name'], (found['args'] or '').strip())] if found['name'] in self._tools else None
        bare = re.sub(r'\s', '', text).replace("'", '"').removeprefix('[')
        name = self._keys['name_key']
        starts = [f'{start}{{"{name}":"{tool}"' for tool in self._tools for start in ('', '{"function":')]
        return [] if any(start.startswith(bare) for start in starts) else None

    def _text(self, text: str) -> Iterator[Item]:
        if text and not (self._called and not text.strip()):
            self._said = self._said or bool(text.strip())
            yield 'text', text

    def _take(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        return taken
