"""Decode tokens to text one by one: return the text of a token as soon as its bytes are complete characters.

The text of a token depends on its neighbours (a space before it, half a character in it). So the last few tokens are
decoded again with the new one, and the text that this adds is the text of the new token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ('Detokenizer',)

REPLACEMENT = '\ufffd'
"""The character that a tokenizer returns for an incomplete character."""

CONTEXT = 4
"""Number of pieces to decode again with the new tokens. A piece begins and ends with complete characters."""

MAX_HELD_TOKENS = 8
"""Maximum number of tokens to hold back for an incomplete character, which has four bytes at most."""


class Detokenizer:
    """Decodes tokens as they come. The returned texts, joined, are what `decode` returns for all tokens."""

    __slots__ = ('_before', '_before_text', '_decode', '_held')

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._before: list[list[int]] = []
        self._before_text = ''  # the text of `_before`
        self._held: list[int] = []

    def feed(self, token: int) -> str:
        """Add a token; return the text that is complete with it."""
        self._held.append(token)
        text = self._decode_held()
        if text.endswith(REPLACEMENT) and len(self._held) < MAX_HELD_TOKENS:
            return ''
        self._flush_held()
        return text

    def close(self) -> str:
        """End the text; return the text of the tokens that were held back, with incomplete characters."""
        text = self._decode_held() if self._held else ''
        self._flush_held()
        return text

    def _decode_held(self) -> str:
        """Return the text that the held tokens add."""
        both = self._decode([token for piece in self._before for token in piece] + self._held)
        return both[len(self._before_text) :] if both.startswith(self._before_text) else self._decode(self._held)

    def _flush_held(self) -> None:
        """Make the held tokens the newest piece of the context."""
        self._before = [*self._before[1 - CONTEXT :], self._held]
        self._held = []
        self._before_text = self._decode([token for piece in self._before for token in piece])
