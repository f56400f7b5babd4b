"""Tokens → text, one at a time: a token's text comes as soon as its bytes are whole characters, not at the next word.

A tokenizer decodes a token by its neighbours (a space before it, half a character in it), so a few tokens before the
new one are decoded again, and what they make with it beyond what they make without it is new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ('Detokenizer',)

REPLACEMENT = '\ufffd'
"""What a tokenizer shows for bytes that are no whole character."""

CONTEXT = 4
"""So many pieces of text before the new one are decoded with it. A piece begins and ends with whole characters."""

PATIENCE = 8
"""So many tokens may be held back for a character that is not whole; a character has four bytes at most."""


class Detokenizer:
    """Makes text of tokens as they come. All that it gives, joined, is what the tokenizer makes of all tokens."""

    __slots__ = ('_before', '_decode', '_held', '_shown')

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._before: list[list[int]] = []
        self._shown = ''  # what those tokens are
        self._held: list[int] = []

    def feed(self, token: int) -> str:
        """Add a token, and get the text that is whole with it."""
        self._held.append(token)
        text = self._news()
        if text.endswith(REPLACEMENT) and len(self._held) < PATIENCE:
            return ''
        self._show()
        return text

    def close(self) -> str:
        """No token comes any more: what was held back is as whole as it will be."""
        text = self._news() if self._held else ''
        self._show()
        return text

    def _news(self) -> str:
        """What the held tokens add to the text."""
        both = self._decode([token for piece in self._before for token in piece] + self._held)
        return both[len(self._shown) :] if both.startswith(self._shown) else self._decode(self._held)

    def _show(self) -> None:
        self._before = [*self._before[1 - CONTEXT :], self._held]
        self._held = []
        self._shown = self._decode([token for piece in self._before for token in piece])
