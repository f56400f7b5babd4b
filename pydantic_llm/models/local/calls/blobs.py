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
CLOSING = re.compile(r'[\s}\];,]*(?:```)?', re.DOTALL)
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

    def feed(self, text: str) -> Iterator[Item]:
        """Add text, and get what is decided."""
        self._held += text
        yield from self._read(over=False)

    def close(self) -> Iterator[Item]:
        """The answer is over."""
        yield from self._read(over=True)
        held, self._held = self._held, ''
        yield from self._text(held)

    def _read(self, *, over: bool) -> Iterator[Item]:
        if not self._said and not self._begun(over=over):
            return
        while self._held:
            opening = None if self._only_at_start and self._said else OPENING.search(self._held)
            if opening is None:
                yield from self._text(self._take(self._certain(over=over)))
                return
            end = end_of_value(self._held, opening.end())
            if end is None and not over:
                yield from self._text(self._take(len(self._held[: opening.start()].rstrip())))
                return
            yield from self._blob(opening, end)

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

    def _blob(self, opening: re.Match[str], end: int | None) -> Iterator[Item]:
        """An object that is whole, or that was cut by the end of the answer."""
        calls = self._calls_in(self._held[opening.end() : end], cut=end is None)
        if calls is None:
            yield from self._text(self._take(end or len(self._held)))
            return
        yield from self._text(self._held[: opening.start()].rstrip())
        self._called = self._called or bool(calls)
        yield from calls
        rest = self._held[end:] if end is not None else ''
        self._held = rest[closing.end() :] if (closing := CLOSING.match(rest)) else rest

    def _calls_in(self, text: str, *, cut: bool) -> list[Call] | None:
        """The calls that a value is; `None` where it is something else, which is text."""
        if cut:
            return self._cut(text)
        read = read_value(text)
        if read is None:
            return None
        value: Any = read[0]
        items = cast('list[object]', value) if isinstance(value, list) else [value]
        calls = [call for item in items if (call := call_from(item, **self._keys)) and call.name in self._tools]
        return calls if calls and len(calls) == len(items) else None

    def _cut(self, text: str) -> list[Call] | None:
        """A call that the answer's end cut: told with what there is of it, and never as text."""
        pattern = rf'\{{\s*["\']{re.escape(self._keys["name_key"])}["\']\s*:\s*["\'](?P<name>[^"\']*)(?P<rest>.*)'
        found = re.match(r'\[?\s*' + pattern, text, re.DOTALL)
        if found is None or not any(tool.startswith(found['name']) for tool in self._tools):
            return None
        if found['name'] not in self._tools or not found['rest']:
            return []
        _, _, args = found['rest'].partition(':')
        return [Call(found['name'], args.strip())]

    def _text(self, text: str) -> Iterator[Item]:
        if text and not (self._called and not text.strip()):
            self._said = self._said or bool(text.strip())
            yield 'text', text

    def _take(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        return taken
