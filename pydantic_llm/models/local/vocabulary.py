"""The tokens of a tokenizer as bytes, as llguidance needs them to compile constraints.

Tokenizers in Rust are read by llguidance itself. Those in Python are read token by token, unless they
have `token_bytes`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from copy import deepcopy
from typing import Any

from ..._extras import import_extra

__all__ = ('make_vocabulary',)

SPECIAL = b'\xff'
"""The byte before the text of a special token, which no text contains."""

BYTE = re.compile(r'<0x([0-9A-Fa-f]{2})>')
"""A token of SentencePiece that is one byte."""

MARK = '\x02'
"""A character that begins a text without being part of it, so that no space is added before the text."""

SPACE = '▁'
"""A space in the tokens of SentencePiece."""


def make_vocabulary(tokenizer: Any, size: int, eos: frozenset[int], *, extra: str) -> Any:
    """Return llguidance's view of a tokenizer. Raises `ValueError` or `TypeError` if it cannot be made.

    A model without an end token gets one that it cannot generate: its responses end where nothing may follow.
    """
    library = import_extra('llguidance', extra=extra, what='A constraint')
    hf = import_extra('llguidance.hf', extra=extra, what='A constraint')
    ends = sorted(eos)
    is_in_rust = hasattr(tokenizer, 'backend_tokenizer')
    if not ends:
        size, ends = size + 1, [size]
        tokenizer = _fill_up(tokenizer, size) if is_in_rust else tokenizer
    if is_in_rust:
        return hf.from_tokenizer(tokenizer, n_vocab=size, eos_token=ends)
    wrapper = import_extra('llguidance._tokenizer', extra=extra, what='A constraint').TokenizerWrapper
    return library.LLTokenizer(wrapper(_PythonTokenizer(tokenizer, size, ends)), n_vocab=size, eos_token=ends)


def _fill_up(tokenizer: Any, size: int) -> Any:
    """Return a copy of a tokenizer in Rust with special tokens for the ids up to this size."""
    filled = deepcopy(tokenizer)
    unused = [f'<|unused {id}|>' for id in range(len(tokenizer), size)]
    filled.add_tokens(unused, special_tokens=True)
    return filled


class _PythonTokenizer:
    """The tokens of a tokenizer in Python, in the form that llguidance's `TokenizerWrapper` takes."""

    def __init__(self, tokenizer: Any, size: int, ends: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        special = {*tokenizer.all_special_ids, *ends}
        self.eos_token_id = ends[0]
        self.bos_token_id = tokenizer.bos_token_id
        self.special_token_ids = sorted(special)
        own: Sequence[bytes] | None = getattr(tokenizer, 'token_bytes', None)
        read = self._read_names(size, special) if own is None else _mark_special(own, special)
        self.tokens = [*read, *(SPECIAL + b'unused' for _ in range(size - len(read)))]
        self._adds_space = b''.join([self.tokens[token] for token in self._encode('a')]) == b' a'

    def __call__(self, text: str) -> list[int]:
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] -- llguidance tries bytes
            raise TypeError('the tokenizer takes text')
        if not self._adds_space:
            return self._encode(text)
        start, tokens = self._encode(MARK), self._encode(MARK + text)
        return tokens[len(start) :] if tokens[: len(start)] == start else self._encode(text)

    def _encode(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)['input_ids']
        return tokens

    def _read_names(self, size: int, special: Collection[int]) -> Sequence[bytes]:
        """Return the tokens as bytes, by their names."""
        names: Sequence[str | None] = self._tokenizer.convert_ids_to_tokens(
            list(range(min(size, len(self._tokenizer))))
        )
        has_spaces = any(name is not None and name.startswith(SPACE) for name in names)
        return [self._read(name, has_spaces=has_spaces, is_special=id in special) for id, name in enumerate(names)]

    def _read(self, name: str | None, *, has_spaces: bool, is_special: bool) -> bytes:
        if name is None or is_special:
            return SPECIAL + (name or 'unused').encode()
        if byte := BYTE.fullmatch(name):
            return bytes([int(byte[1], 16)])
        if has_spaces:
            return name.replace(SPACE, ' ').encode()
        text: str = self._tokenizer.convert_tokens_to_string([name])
        return text.encode()


def _mark_special(tokens: Sequence[bytes], special: Collection[int]) -> Sequence[bytes]:
    """Return tokens with the mark of special ones, which those without text are too."""
    return [token if token and id not in special else SPECIAL + (token or b'unused') for id, token in enumerate(tokens)]
