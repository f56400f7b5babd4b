"""Detokenizing with real tokenizers: the pieces add up to the text, and no piece ends inside a character."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import transformers
from hypothesis import given, settings, strategies as st
from tokenizers import Tokenizer as Backend, decoders, models, normalizers, pre_tokenizers

from pydantic_llm.models.local import Tokenizer
from pydantic_llm.models.local.detokenize import Detokenizer
from tests.local import tiny


@cache
def byte_bpe() -> Any:
    return tiny.make_tokenizer()


@cache
def sentencepiece() -> Any:
    """Return a tokenizer with a mark for leading spaces, and bytes as a fallback, like Llama's first one."""
    pieces = ['<unk>', '</s>', *(f'<0x{byte:02X}>' for byte in range(256)), '▁', 'a', 'b', '▁a', 'ab', '▁ab', '你']
    bpe = Backend(
        models.BPE(
            vocab={piece: number for number, piece in enumerate(pieces)},
            merges=[('▁', 'a'), ('a', 'b'), ('▁a', 'b')],
            unk_token='<unk>',
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    bpe.normalizer = normalizers.Sequence([normalizers.Prepend('▁'), normalizers.Replace(' ', '▁')])
    bpe.decoder = decoders.Sequence(
        [decoders.Replace('▁', ' '), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(' ', 1, 0)]
    )
    return transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token='</s>')


@cache
def whole_words() -> Any:
    """Return a tokenizer of whole words, with a space between any two."""
    backend = Backend(models.WordLevel({'<unk>': 0, 'one': 1, 'two': 2, 'three': 3}, unk_token='<unk>'))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, unk_token='<unk>')


MAKERS = {'bytes': byte_bpe, 'sentencepiece': sentencepiece, 'words': whole_words}


@pytest.mark.parametrize('name', MAKERS)
@given(st.text(max_size=30))
@settings(max_examples=60)
def test_the_pieces_add_up_to_the_text(name: str, text: str) -> None:
    tokenizer = Tokenizer(MAKERS[name]())
    tokens = tokenizer.encode(text)
    detokenizer = Detokenizer(tokenizer.decode)
    pieces = [*map(detokenizer.feed, tokens), detokenizer.close()]
    assert ''.join(pieces) == tokenizer.decode(tokens)


def test_a_character_of_several_tokens_is_returned_with_its_last_token() -> None:
    tokenizer = Tokenizer(byte_bpe())
    tokens = tokenizer.encode('🦩!')
    detokenizer = Detokenizer(tokenizer.decode)
    pieces = [*map(detokenizer.feed, tokens)]
    assert len(tokens) > 2
    assert [piece for piece in pieces if piece] == ['🦩', '!']


def test_special_tokens_are_listed_with_their_text() -> None:
    special = Tokenizer(byte_bpe()).special_tokens
    assert set(special.values()) == set(tiny.SPECIAL)
