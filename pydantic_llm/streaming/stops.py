"""Stop sequences: end the text before the sequence that is complete first, even if it is split over several tokens.

No part of a stop sequence is ever returned.
"""

from __future__ import annotations

from collections.abc import Sequence

from .thinking import count_overlap

__all__ = ('StopMatcher',)


class StopMatcher:
    """Finds the first stop sequence in streamed text. Holds back text that may be the beginning of one."""

    __slots__ = ('_held', '_sequences', 'found')

    def __init__(self, sequences: Sequence[str] = ()) -> None:
        self._sequences = tuple(sequence for sequence in sequences if sequence)
        self._held = ''
        self.found: str | None = None
        """The stop sequence that ended the text."""

    def feed(self, text: str) -> str:
        """Add text; return the text that cannot belong to a stop sequence. Returns nothing after one was found."""
        if not self._sequences:
            return text
        if self.found is not None:
            return ''
        held = self._held + text
        position, self.found = self._find_first(held)
        if self.found is not None:
            self._held = ''
            return held[:position]
        safe = len(held) - count_overlap(held, self._sequences)
        self._held = held[safe:]
        return held[:safe]

    def close(self) -> str:
        """End the text; return what was held back, as it is not a stop sequence."""
        held, self._held = self._held, ''
        return held

    def _find_first(self, text: str) -> tuple[int, str | None]:
        """Return the start of the sequence that ends first (of several, the longest), and it; else `(-1, None)`."""
        positions = ((text.find(sequence), sequence) for sequence in self._sequences)
        found = min(((at + len(sequence), at, sequence) for at, sequence in positions if at >= 0), default=None)
        return (-1, None) if found is None else (found[1], found[2])
