"""Decode the tokens of one response to text: end tokens and hidden tokens, `detokenize`, then `stops`.

This runs in the engine's thread, so that a response ends at its stop sequence even if its caller does not read it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from ...streaming.stops import StopMatcher
from .detokenize import Detokenizer

__all__ = ('TokenDecoder',)


class TokenDecoder:
    """Decodes the tokens of one response, as they come. `hidden` are the ids of the tokens without text."""

    __slots__ = ('_detokenizer', '_eos', '_hidden', '_stops', 'end_reason', 'has_stop_sequences')

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
        self.has_stop_sequences: bool = any(stop_sequences)
        """True if each token must be decoded at once, to look for stop sequences."""
        self._eos = eos
        self._hidden = hidden
        self.end_reason: Literal['eos', 'stop_sequence'] | None = None
        """The reason for the end of the text, if a token or a stop sequence ended it."""

    @property
    def stop_sequence(self) -> str | None:
        return self._stops.found

    def feed(self, token: int) -> str:
        """Add a token; return the text that is complete with it. Sets `end_reason` at the end of the response."""
        if token in self._eos:
            self.end_reason = 'eos'
            return ''
        if token in self._hidden:
            return ''
        return self._find_stop(self._detokenizer.feed(token))

    def close(self) -> str:
        if self._stops.found is not None:
            return ''
        return self._find_stop(self._detokenizer.close()) + self._stops.close()

    def _find_stop(self, text: str) -> str:
        """Return the text before a stop sequence. Sets `end_reason` if there is one."""
        if not text:
            return ''
        before = self._stops.feed(text)
        if self._stops.found is not None:
            self.end_reason = 'stop_sequence'
        return before
