"""Tests of separating thinking from text, for text that is split anywhere."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from pydantic_llm.streaming.thinking import ThinkTags


def split(*fragments: str, tags: tuple[str, str] = ('<think>', '</think>')) -> list[tuple[str, str]]:
    """Return the pieces, with adjacent pieces of the same kind joined."""
    splitter = ThinkTags(*tags)
    pieces = [piece for fragment in fragments for piece in splitter.feed(fragment)] + list(splitter.close())
    joined: list[tuple[str, str]] = []
    for kind, piece in pieces:
        assert piece
        if joined and joined[-1][0] == kind:
            joined[-1] = (kind, joined[-1][1] + piece)
        else:
            joined.append((kind, piece))
    return joined


@pytest.mark.parametrize(
    ('content', 'pieces'),
    [
        ('', []),
        ('Hello.', [('text', 'Hello.')]),
        ('<think>Hm.</think>Hello.', [('thinking', 'Hm.'), ('text', 'Hello.')]),
        ('\n <think>\nHm.\n</think>\n\nHello.', [('thinking', '\nHm.\n'), ('text', '\n\nHello.')]),
        ('<think>Hm.</think> <think>Yes.</think>Hello.', [('thinking', 'Hm.Yes.'), ('text', 'Hello.')]),
        ('Hello <think>Hm.</think>', [('text', 'Hello <think>Hm.</think>')]),
        ('<think>Hm.</think>Say <think>.', [('thinking', 'Hm.'), ('text', 'Say <think>.')]),
        ('<think>Hm.', [('thinking', 'Hm.')]),
        ('<think>Hm.</thi', [('thinking', 'Hm.</thi')]),
        ('<think></think>Hello.', [('text', 'Hello.')]),
        ('<think></think>', []),
        ('<think>', []),
        ('<thin', [('text', '<thin')]),
        ('<thinking>Hm.', [('text', '<thinking>Hm.')]),
        ('</think>Hello.', [('text', '</think>Hello.')]),
        ('<think><think>Hm.</think>Hello.', [('thinking', '<think>Hm.'), ('text', 'Hello.')]),
        ('<think>a < b </ c</think>x', [('thinking', 'a < b </ c'), ('text', 'x')]),
        ('  ', [('text', '  ')]),
        ('<think>Hm.</think>\n', [('thinking', 'Hm.')]),
    ],
)
def test_a_block_starts_a_response_or_follows_another_block(content: str, pieces: list[tuple[str, str]]) -> None:
    assert split(content) == pieces
    assert split(*content) == pieces


def test_tags_can_be_any_text() -> None:
    assert split('◁think▷Hm.◁/think▷Hello.', tags=('◁think▷', '◁/think▷')) == [('thinking', 'Hm.'), ('text', 'Hello.')]


def test_whitespace_before_a_text_is_kept_and_read_once() -> None:
    assert split(*' ' * 9, '\n', 'Hello.') == [('text', ' ' * 9 + '\nHello.')]
    assert split(*' ' * 9, '<think>Hm.</think>', *' ' * 9, 'Hi') == [('thinking', 'Hm.'), ('text', ' ' * 9 + 'Hi')]
    assert split(*' ' * 9) == [('text', ' ' * 9)]
    assert split('<think>Hm.</think>', *' ' * 9) == [('thinking', 'Hm.')]
    splitter = ThinkTags()
    start = time.process_time()
    for _ in range(200_000):
        list(splitter.feed(' '))
    assert time.process_time() - start < 5


def test_decided_pieces_are_not_held() -> None:
    tags = ThinkTags()
    found = [list(tags.feed(piece)) for piece in ('<thi', 'nk>Hm', ' <', '/b', '</', 'think>', 'Hel', '<think>')]
    assert found == [
        [],
        [('thinking', 'Hm')],
        [('thinking', ' ')],
        [('thinking', '</b')],
        [],
        [],
        [('text', 'Hel')],
        [('text', '<think>')],
    ]


pieces = st.lists(st.sampled_from(['<think>', '</think>', '<', 'th', '</thi', 'nk>', ' ', '\n', 'a', '/']), max_size=14)


@given(pieces.map(''.join), st.lists(st.integers(0, 40), max_size=6))
def test_any_split_gives_the_same_pieces(content: str, splits: list[int]) -> None:
    borders = [0, *sorted(min(split_at, len(content)) for split_at in splits), len(content)]
    fragments = [content[a:b] for a, b in pairwise(borders)]
    assert split(*fragments) == split(content)


@given(pieces.map(''.join))
def test_only_tags_and_whitespace_are_dropped(content: str) -> None:
    kept = ''.join(piece for _, piece in split(content))
    for tag in ('<think>', '</think>'):
        kept, content = kept.replace(tag, ''), content.replace(tag, '')
    assert ''.join(kept.split()) in ''.join(content.split())
