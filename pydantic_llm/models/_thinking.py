"""Tell thinking from text where a model writes its thoughts between tags, usually `<think>` and `</think>`.

Tags may arrive in pieces or glued to other words; what could still become a tag is held back until it is decided.
A block that is never closed is thinking to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal['text', 'thinking']


@dataclass(slots=True)
class ThinkTags:
    """Splits text as it streams in; yields `('text', ...)` and `('thinking', ...)`."""

    start: str = '<think>'
    """What opens a block of thinking."""
    end: str = '</think>'
    """What closes it."""
    kind: Kind = 'text'
    """What the next character is, unless a tag begins with it."""
    _held: str = ''

    def feed(self, content: str) -> Iterator[tuple[Kind, str]]:
        """Add text, and get what is decided."""
        self._held += content
        while True:
            tag = self.start if self.kind == 'text' else self.end
            before, found, after = self._held.partition(tag)
            if not found:
                break
            if before:
                yield self.kind, before
            self._held = after
            self.kind = 'thinking' if self.kind == 'text' else 'text'
        sure = len(self._held) - _overlap(self._held, tag)
        if sure:
            decided, self._held = self._held[:sure], self._held[sure:]
            yield self.kind, decided

    def close(self) -> Iterator[tuple[Kind, str]]:
        """The text is over: what was held back is no tag."""
        if self._held:
            yield self.kind, self._held
            self._held = ''


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` are the beginning of `tag`."""
    longest = min(len(text), len(tag) - 1)
    return next((length for length in range(longest, 0, -1) if tag.startswith(text[-length:])), 0)
