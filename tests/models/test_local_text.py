"""From tokens to text: whole characters as soon as they are whole, and nothing of a stop sequence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from pydantic_llm.models.local.detokenize import MAX_HELD_TOKENS, Detokenizer
from pydantic_llm.models.local.stops import StopMatcher
from pydantic_llm.models.local.token_decoder import TokenDecoder


def of_bytes(tokens: Sequence[int]) -> str:
    """A tokenizer whose tokens are bytes."""
    return bytes(tokens).decode('utf-8', 'replace')


def of_words(tokens: Sequence[int]) -> str:
    """A tokenizer in the way of sentencepiece: a space before every token but the first."""
    words = ['one', 'two', 'three']
    return ' '.join(words[token % 3] for token in tokens)


@given(st.text())
def test_the_pieces_are_the_text(text: str) -> None:
    detokenizer = Detokenizer(of_bytes)
    pieces = [detokenizer.feed(token) for token in text.encode()]
    assert ''.join([*pieces, detokenizer.close()]) == text


@given(st.text(alphabet=st.characters(exclude_characters='\ufffd', exclude_categories=['Cs'])))
def test_a_character_comes_with_its_last_byte(text: str) -> None:
    detokenizer = Detokenizer(of_bytes)
    for character in text:
        *before, last = character.encode()
        assert [detokenizer.feed(token) for token in before] == [''] * len(before)
        assert detokenizer.feed(last) == character


@given(st.binary())
def test_bytes_that_are_no_text_are_shown_as_what_they_are(data: bytes) -> None:
    detokenizer = Detokenizer(of_bytes)
    text = ''.join([*map(detokenizer.feed, data), detokenizer.close()])
    assert text.replace('\ufffd', '') == data.decode('utf-8', 'ignore').replace('\ufffd', '')


def test_bytes_that_never_become_a_character_are_not_held_for_ever() -> None:
    detokenizer = Detokenizer(of_bytes)
    pieces = [detokenizer.feed(0x80) for _ in range(2 * MAX_HELD_TOKENS)]
    assert sum(map(bool, pieces)) >= 1


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_a_space_that_depends_on_what_is_before_is_kept(tokens: list[int]) -> None:
    detokenizer = Detokenizer(of_words)
    assert ''.join([*map(detokenizer.feed, tokens), detokenizer.close()]) == of_words(tokens)


def stopped(text: str, sequences: Sequence[str]) -> str:
    """The text before the sequence that is complete first."""
    places = [(place + len(sequence), place) for sequence in sequences if (place := text.find(sequence)) >= 0]
    return text[: min(places)[1]] if places else text


LETTERS = st.text(alphabet='ab', max_size=20)


@given(st.data(), LETTERS, st.lists(st.text(alphabet='ab', min_size=1, max_size=4), max_size=3))
def test_text_ends_before_the_first_stop_sequence_wherever_it_is_cut(
    data: st.DataObject, text: str, sequences: list[str]
) -> None:
    places = data.draw(st.sets(st.integers(0, len(text)), max_size=8))
    matcher = StopMatcher(sequences)
    shown = ''
    for a, b in pairwise(sorted({0, *places, len(text)})):
        shown += matcher.feed(text[a:b])
        assert stopped(text, sequences).startswith(shown)
    assert shown + matcher.close() == stopped(text, sequences)
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


def write(decoder: TokenDecoder, tokens: Sequence[int]) -> list[str]:
    return [decoder.feed(token) for token in tokens]


def test_an_end_token_ends_the_text_and_hidden_tokens_are_not_shown() -> None:
    decoder = TokenDecoder(of_bytes, eos=frozenset([0]), hidden=frozenset([1]))
    assert write(decoder, [*b'hi', 1, 0]) == ['h', 'i', '', '']
    assert decoder.end_reason == 'eos'


def test_a_stop_sequence_across_tokens_is_not_shown() -> None:
    decoder = TokenDecoder(of_bytes, stop_sequences=['STOP'])
    assert ''.join(write(decoder, b'one STOP two')) + decoder.close() == 'one '
    assert (decoder.end_reason, decoder.stop_sequence) == ('stop_sequence', 'STOP')


def test_what_looked_like_a_stop_sequence_is_shown_at_the_end() -> None:
    decoder = TokenDecoder(of_bytes, stop_sequences=['STOP'])
    assert ''.join(write(decoder, b'one STO')) == 'one '
    assert decoder.close() == 'STO'


@pytest.mark.parametrize('stop', ['é', '🙂', '\ufffd'])
def test_a_stop_sequence_of_many_bytes_is_found(stop: str) -> None:
    decoder = TokenDecoder(of_bytes, stop_sequences=[stop])
    text = ''.join(write(decoder, f'a{stop}b'.encode()))
    assert text + decoder.close() == 'a'
    assert decoder.end_reason == 'stop_sequence'
