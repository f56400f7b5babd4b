"""Tell thinking from text where a model writes its thoughts between tags, usually `<think>` and `</think>`.

A block of thinking begins an answer, or follows another block; a tag in the middle of a sentence is text. Tags may
arrive in pieces; what could still become one is held back until it is decided. A block that is never closed is thinking
to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal['start', 'text', 'thinking']


@dataclass(slots=True)
class ThinkTags:
    """Splits text as it streams in; yields `('text', ...)` and `('thinking', ...)`."""

    start: str = '<think>'
    """What opens a block of thinking."""
    end: str = '</think>'
    """What closes it."""
    kind: Kind = 'start'
    """Where we are: before anything is decided, in text (for good), or in a block of thinking."""
    _held: str = ''
    _thought: bool = False

    def feed(self, content: str) -> Iterator[tuple[Kind, str]]:
        """Add text, and get what is decided."""
        self._held += content
        while self._held:
            if self.kind == 'start' and not self._decide():
                return
            if self.kind == 'text':
                yield 'text', self._take(len(self._held))
            elif self.kind == 'thinking':
                length = self._held.find(self.end)
                if length < 0:
                    sure = len(self._held) - _overlap(self._held, self.end)
                    if sure:
                        yield 'thinking', self._take(sure)
                    return
                if length:
                    yield 'thinking', self._take(length)
                self._take(len(self.end))
                self.kind, self._thought = 'start', True

    def close(self) -> Iterator[tuple[Kind, str]]:
        """The text is over: what was held back is no tag, and whitespace after a block is nothing."""
        rest = self._take(len(self._held))
        if self.kind == 'thinking' and rest:
            yield 'thinking', rest
        elif rest.strip() or (rest and not self._thought):
            yield 'text', rest

    def _decide(self) -> bool:
        """Whether what is held back begins a block or text; whitespace before a block is dropped."""
        begun = self._held.lstrip()
        if begun.startswith(self.start):
            self._held = begun[len(self.start) :]
            self.kind = 'thinking'
            return True
        if self.start.startswith(begun):
            return False
        self.kind = 'text'
        return True

    def _take(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        return taken


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` are the beginning of `tag`."""
    longest = min(len(text), len(tag) - 1)
    return next((length for length in range(longest, 0, -1) if tag.startswith(text[-length:])), 0)
