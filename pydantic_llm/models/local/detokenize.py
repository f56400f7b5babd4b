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
"""How many tokens before the new ones are decoded with them."""

PATIENCE = 8
"""So many tokens may be held back for a character that is not whole; a character has four bytes at most."""


class Detokenizer:
    """Makes text of tokens as they come. All that it gives, joined, is what the tokenizer makes of all tokens."""

    __slots__ = ('_decode', '_shown', '_tokens')

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._shown = 0

    def feed(self, token: int) -> str:
        """Add a token, and get the text that is whole with it."""
        self._tokens.append(token)
        text = self._news()
        if text.endswith(REPLACEMENT) and len(self._tokens) - self._shown < PATIENCE:
            return ''
        return self._show(text)

    def close(self) -> str:
        """No token comes any more: what was held back is as whole as it will be."""
        return self._show(self._news())

    def _news(self) -> str:
        """What the tokens that were not shown yet add to the text."""
        shown = self._decode(self._tokens[: self._shown]) if self._shown else ''
        both = self._decode(self._tokens)
        if both.startswith(shown):
            return both[len(shown) :]
        return self._decode(self._tokens[self._shown :])

    def _show(self, text: str) -> str:
        del self._tokens[: max(0, len(self._tokens) - CONTEXT)]
        self._shown = len(self._tokens)
        return text
