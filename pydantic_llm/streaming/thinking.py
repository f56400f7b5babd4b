"""`ThinkTags`: separates thinking from text if a model writes it between tags, usually `<think>` and `</think>`.

A block of thinking starts a response or follows another block; a tag inside text is text. Tags may arrive in pieces, so
characters that can still become a tag are held until that is decided. A block without an end tag, as in a truncated
response, is thinking to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ('ThinkTags', 'count_overlap')

Kind = Literal['start', 'text', 'thinking']


@dataclass(slots=True)
class ThinkTags:
    """Splits streamed text into `('text', ...)` and `('thinking', ...)` pieces."""

    start: str = '<think>'
    end: str = '</think>'
    kind: Kind = 'start'
    """The state: before text or a block, in a block of thinking, or in text. Text is the last state."""
    _held: str = ''
    _had_block: bool = False

    def feed(self, content: str) -> Iterator[tuple[Kind, str]]:
        """Add text, and yield the pieces whose kind is decided."""
        self._held += content
        while self._held:
            if self.kind == 'start' and not self._decide_kind():
                return
            if self.kind == 'text':
                yield 'text', self._take(len(self._held))
            elif self.kind == 'thinking':
                length = self._held.find(self.end)
                if length < 0:
                    decided = len(self._held) - count_overlap(self._held, (self.end,))
                    if decided:
                        yield 'thinking', self._take(decided)
                    return
                if length:
                    yield 'thinking', self._take(length)
                self._take(len(self.end))
                self.kind, self._had_block = 'start', True

    def close(self) -> Iterator[tuple[Kind, str]]:
        """Yield the rest at the end of the text. An incomplete tag is content; whitespace after a block is dropped."""
        rest, self._held = self._held, ''
        if self.kind == 'thinking' and rest:
            yield 'thinking', rest
        elif rest.strip() or (rest and not self._had_block):
            yield 'text', rest

    def _decide_kind(self) -> bool:
        """Set `kind` to `'thinking'` or `'text'`, and return False if more characters are needed for that.

        The start tag, and whitespace before it, are dropped.
        """
        stripped = self._held.lstrip()
        if stripped.startswith(self.start):
            self._held = stripped[len(self.start) :]
            self.kind = 'thinking'
        elif not self.start.startswith(stripped):
            self.kind = 'text'
        return self.kind != 'start'

    def _take(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        return taken


def count_overlap(text: str, marks: Sequence[str]) -> int:
    """Return the number of characters at the end of the text that may be the beginning of a mark."""
    longest = min(len(text), max(map(len, marks), default=1) - 1)
    for length in range(longest, 0, -1):
        end = text[len(text) - length :]
        if any(mark.startswith(end) for mark in marks):
            return length
    return 0
