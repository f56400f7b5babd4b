"""Decoding tokens to text: characters as soon as they are complete, and no part of a stop sequence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from pydantic_llm.models.local.detokenize import MAX_HELD_TOKENS, Detokenizer
from pydantic_llm.models.local.token_decoder import TokenDecoder
from pydantic_llm.streaming.stops import StopMatcher


def decode_bytes(tokens: Sequence[int]) -> str:
    """A tokenizer whose tokens are bytes."""
    return bytes(tokens).decode('utf-8', 'replace')


def decode_words(tokens: Sequence[int]) -> str:
    """A tokenizer like SentencePiece: a space before every token except the first."""
    words = ['one', 'two', 'three']
    return ' '.join(words[token % 3] for token in tokens)


@given(st.text())
def test_the_pieces_join_to_the_text(text: str) -> None:
    detokenizer = Detokenizer(decode_bytes)
    pieces = [detokenizer.feed(token) for token in text.encode()]
    assert ''.join([*pieces, detokenizer.close()]) == text


@given(st.text(alphabet=st.characters(exclude_characters='\ufffd', exclude_categories=['Cs'])))
def test_a_character_is_returned_with_its_last_byte(text: str) -> None:
    detokenizer = Detokenizer(decode_bytes)
    for character in text:
        *before, last = character.encode()
        assert [detokenizer.feed(token) for token in before] == [''] * len(before)
        assert detokenizer.feed(last) == character


@given(st.binary())
def test_invalid_bytes_become_replacement_characters(data: bytes) -> None:
    detokenizer = Detokenizer(decode_bytes)
    text = ''.join([*map(detokenizer.feed, data), detokenizer.close()])
    assert text.replace('\ufffd', '') == data.decode('utf-8', 'ignore').replace('\ufffd', '')


def test_bytes_that_never_complete_a_character_are_not_held_back_without_limit() -> None:
    detokenizer = Detokenizer(decode_bytes)
    pieces = [detokenizer.feed(0x80) for _ in range(2 * MAX_HELD_TOKENS)]
    assert sum(map(bool, pieces)) >= 1


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_a_space_that_depends_on_the_token_before_is_kept(tokens: list[int]) -> None:
    detokenizer = Detokenizer(decode_words)
    assert ''.join([*map(detokenizer.feed, tokens), detokenizer.close()]) == decode_words(tokens)


def cut_at_stop(text: str, sequences: Sequence[str]) -> str:
    """Return the text before the sequence that is complete first."""
    ends = [(at + len(sequence), at) for sequence in sequences if (at := text.find(sequence)) >= 0]
    return text[: min(ends)[1]] if ends else text


LETTERS = st.text(alphabet='ab', max_size=20)


@given(st.data(), LETTERS, st.lists(st.text(alphabet='ab', min_size=1, max_size=4), max_size=3))
def test_text_ends_before_the_first_stop_sequence_in_any_pieces(
    data: st.DataObject, text: str, sequences: list[str]
) -> None:
    places = data.draw(st.sets(st.integers(0, len(text)), max_size=8))
    matcher = StopMatcher(sequences)
    shown = ''
    for a, b in pairwise(sorted({0, *places, len(text)})):
        shown += matcher.feed(text[a:b])
        assert cut_at_stop(text, sequences).startswith(shown)
    assert shown + matcher.close() == cut_at_stop(text, sequences)
    assert (matcher.found is not None) == any(sequence in text for sequence in sequences)


def test_text_is_held_back_only_while_it_could_be_a_stop_sequence() -> None:
    matcher = StopMatcher(['END'])
    assert [matcher.feed(piece) for piece in ('the E', 'N', 'emy', ' EN', 'D of it')] == ['the ', '', 'ENemy', ' ', '']
    assert matcher.found == 'END'


def test_the_sequence_that_is_complete_first_ends_the_text() -> None:
    matcher = StopMatcher(['one two', 'e'])
    assert matcher.feed('one two') == 'on'
    assert matcher.found == 'e'


def test_of_two_sequences_that_end_alike_the_longer_one_ends_the_text() -> None:
    matcher = StopMatcher(['two', 'one two'])
    assert matcher.feed('one two') == ''
    assert matcher.found == 'one two'


def feed_all(decoder: TokenDecoder, tokens: Sequence[int]) -> list[str]:
    return [decoder.feed(token) for token in tokens]


def test_an_end_token_ends_the_text_and_hidden_tokens_are_dropped() -> None:
    decoder = TokenDecoder(decode_bytes, eos=frozenset([0]), hidden=frozenset([1]))
    assert feed_all(decoder, [*b'hi', 1, 0]) == ['h', 'i', '', '']
    assert decoder.end_reason == 'eos'


def test_a_stop_sequence_over_several_tokens_is_dropped() -> None:
    decoder = TokenDecoder(decode_bytes, stop_sequences=['STOP'])
    assert ''.join(feed_all(decoder, b'one STOP two')) + decoder.close() == 'one '
    assert (decoder.end_reason, decoder.stop_sequence) == ('stop_sequence', 'STOP')


def test_an_incomplete_stop_sequence_is_returned_at_the_end() -> None:
    decoder = TokenDecoder(decode_bytes, stop_sequences=['STOP'])
    assert ''.join(feed_all(decoder, b'one STO')) == 'one '
    assert decoder.close() == 'STO'


@pytest.mark.parametrize('stop', ['é', '🙂', '\ufffd'])
def test_a_stop_sequence_of_many_bytes_is_found(stop: str) -> None:
    decoder = TokenDecoder(decode_bytes, stop_sequences=[stop])
    text = ''.join(feed_all(decoder, f'a{stop}b'.encode()))
    assert text + decoder.close() == 'a'
    assert decoder.end_reason == 'stop_sequence'
