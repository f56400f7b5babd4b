"""From the tokens of one answer to its text: special tokens, detokenizer, stop sequences, in this order.

This runs in the engine's thread, so that an answer ends at a stop sequence even where nobody reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from .detokenize import Detokenizer
from .stops import StopMatcher

__all__ = ('TokenWriter',)


class TokenWriter:
    """Writes the text of one answer. `hidden` are the tokens that are never shown."""

    __slots__ = ('_detokenizer', '_eos', '_hidden', '_stops', 'ended_by', 'has_stop_sequences')

    def __init__(
        self,
        decode: Callable[[Sequence[int]], str],
        *,
        eos: frozenset[int] = frozenset(),
        hidden: frozenset[int] = frozenset(),
        stop_sequences: Sequence[str] = (),
    ) -> None:
        self._detokenizer = Detokenizer(decode)
        self._stops = StopMatcher(stop_sequences)
        self.has_stop_sequences = any(stop_sequences)
        """Whether there are stop sequences, so that the text must be read while it is written."""
        self._eos = eos
        self._hidden = hidden
        self.ended_by: Literal['eos', 'stop_sequence'] | None = None
        """Why the text is over, where a token or a stop sequence ended it."""

    @property
    def stop_sequence(self) -> str | None:
        """The stop sequence that ended the text."""
        return self._stops.found

    def feed(self, token: int) -> str:
        """Add a token, and get the text that can be shown now."""
        if token in self._eos:
            self.ended_by = 'eos'
            return ''
        if token in self._hidden:
            return ''
        return self._stopped(self._detokenizer.feed(token))

    def close(self) -> str:
        """The answer is over: the rest of its text."""
        if self._stops.found is not None:
            return ''
        return self._stopped(self._detokenizer.close()) + self._stops.close()

    def _stopped(self, text: str) -> str:
        if not text:
            return ''
        shown = self._stops.feed(text)
        if self._stops.found is not None:
            self.ended_by = 'stop_sequence'
        return shown
