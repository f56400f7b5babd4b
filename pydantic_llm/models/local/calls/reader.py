"""What all readers of calls have in common: text goes in as it comes; text, thoughts and calls come out.

No piece of a call is ever told as text: what could still become one is held back until that is decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ('Call', 'CallReader', 'Item', 'Piece', 'overlap')


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool."""

    name: str
    """The tool."""
    args: str
    """The arguments: JSON where the model wrote JSON that can be read, else what it wrote."""


Piece = tuple[Literal['text', 'thinking'], str]
"""Text, or thoughts where the format has a place of their own for them."""

Item = Piece | Call
"""What an answer is made of."""


class CallReader(Protocol):
    """Reads one answer."""

    def feed(self, text: str) -> Iterator[Item]:
        """Add text, and get what is decided."""
        ...

    def close(self, *, cut: bool) -> Iterator[Item]:
        """The answer is over: get the rest.

        Where it was `cut` before the model had finished, a call is told with what there is of its arguments, and as
        nothing where its tool is not known yet; else what is no call is text.
        """
        ...


def overlap(text: str, marks: Sequence[str]) -> int:
    """How many characters at the end of the text are the beginning of a mark."""
    longest = min(len(text), max(map(len, marks), default=1) - 1)
    for length in range(longest, 0, -1):
        end = text[len(text) - length :]
        if any(mark.startswith(end) for mark in marks):
            return length
    return 0
