"""Stop sequences: the answer ends before the one that is complete first, wherever tokens are cut.

No piece of one is ever shown.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ('StopMatcher',)


class StopMatcher:
    """Finds the first stop sequence in text as it comes. What could still become one is held back."""

    __slots__ = ('_held', '_longest', '_sequences', 'found')

    def __init__(self, sequences: Sequence[str] = ()) -> None:
        self._sequences = tuple(sequence for sequence in sequences if sequence)
        self._longest = max(map(len, self._sequences), default=0)
        self._held = ''
        self.found: str | None = None
        """The sequence that ended the text."""

    def feed(self, text: str) -> str:
        """Add text, and get what is certainly none of a stop sequence. Nothing comes after one was found."""
        if not self._longest:
            return text
        if self.found is not None:
            return ''
        held = self._held + text
        position, self.found = self._first(held)
        if self.found is not None:
            self._held = ''
            return held[:position]
        kept = self._undecided(held)
        self._held = held[len(held) - kept :]
        return held[: len(held) - kept]

    def close(self) -> str:
        """The text is over: what was held back is none."""
        held, self._held = self._held, ''
        return held

    def _first(self, text: str) -> tuple[int, str | None]:
        """Where the sequence begins that is complete first, and which it is; of two, the longer one."""
        places = ((text.find(sequence), sequence) for sequence in self._sequences)
        found = min(((at + len(sequence), at, sequence) for at, sequence in places if at >= 0), default=None)
        return (-1, None) if found is None else (found[1], found[2])

    def _undecided(self, text: str) -> int:
        """How many characters at the end of the text could be the beginning of a sequence."""
        for length in range(min(len(text), self._longest - 1), 0, -1):
            end = text[len(text) - length :]
            if any(sequence.startswith(end) for sequence in self._sequences):
                return length
        return 0
