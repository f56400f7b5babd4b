"""Thoughts between tags, told from text wherever the fragments are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from pydantic_llm.streaming.thinking import ThinkTags


def split(*fragments: str, tags: tuple[str, str] = ('<think>', '</think>')) -> list[tuple[str, str]]:
    """What comes out, with neighbours of the same kind joined."""
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
def test_a_block_begins_an_answer_or_follows_another(content: str, pieces: list[tuple[str, str]]) -> None:
    assert split(content) == pieces
    assert split(*content) == pieces


def test_tags_can_be_any_text() -> None:
    assert split('◁think▷Hm.◁/think▷Hello.', tags=('◁think▷', '◁/think▷')) == [('thinking', 'Hm.'), ('text', 'Hello.')]


def test_what_is_decided_is_not_held_back() -> None:
    tags = ThinkTags()
    heard = [list(tags.feed(piece)) for piece in ('<thi', 'nk>Hm', ' <', '/b', '</', 'think>', 'Hel', '<think>')]
    assert heard == [
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
def test_any_cut_gives_what_the_whole_gives(content: str, cuts: list[int]) -> None:
    borders = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    fragments = [content[a:b] for a, b in pairwise(borders)]
    assert split(*fragments) == split(content)


@given(pieces.map(''.join))
def test_nothing_but_tags_and_whitespace_before_them_is_lost(content: str) -> None:
    said = ''.join(piece for _, piece in split(content))
    for tag in ('<think>', '</think>'):
        said, content = said.replace(tag, ''), content.replace(tag, '')
    assert ''.join(said.split()) in ''.join(content.split())
