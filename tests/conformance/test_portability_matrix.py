"""A conversation with tools, thinking, an image and a native tool moves between every pair of rooms."""

from __future__ import annotations

from pathlib import Path

import pytest

from pydantic_llm.messages import ModelMessagesTypeAdapter
from pydantic_llm.testing.room import Room
from tests.conformance.portability import PARAMETERS, find_words, make_history, read, render, report
from tests.conformance.rooms import PAIRS, ROOMS
from tests.conformance.validators import VALIDATORS
from tests.conformance.validators.rules import parse_strictly

DOCS = Path(__file__).parents[2] / 'docs'
ALWAYS = {'wQUESTION1', 'wIMAGE1', 'wTEXT1', 'wCITY1', 'wSKY1', 'wTEXT2', 'wQUESTION2', 'wTEXT3', 'wQUESTION3'}
"""What every room can represent."""


@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_a_room_produces_the_whole_conversation(room: Room) -> None:
    words = find_words(ModelMessagesTypeAdapter.dump_python(make_history(room), mode='json'))
    native = (
        {'wQUERY1', 'wFOUND1'} if room.name in ('anthropic', 'openai-responses', 'gemini', 'bedrock', 'groq') else set()
    )
    assert words >= ALWAYS | native | {'wTHINKING1'}


@pytest.mark.parametrize(('source', 'target'), PAIRS, ids=repr)
def test_the_server_of_the_other_side_reads_each_part_that_the_report_does_not_drop(source: Room, target: Room) -> None:
    history = make_history(source)
    arrived = read(target, history)
    assert arrived >= ALWAYS
    issues = report(source, target).issues
    assert [issue for issue in issues if issue.effect == 'refused'] == []
    dropped = {(issue.message_index, issue.part_index) for issue in issues if issue.effect == 'dropped'}
    for index, message in enumerate(history):
        for number, part in enumerate(message.parts):
            words = find_words(part)
            if (index, number) in dropped:
                assert arrived.isdisjoint(words), part
            else:
                assert words <= arrived, part


@pytest.mark.parametrize(('source', 'target'), PAIRS, ids=repr)
def test_the_vendor_of_the_other_side_accepts_the_conversation(source: Room, target: Room) -> None:
    request = target.prepare(make_history(source), None, PARAMETERS)
    content = target.build()._encode_request(request).body
    assert VALIDATORS[target.name](parse_strictly(content.decode())) == []
    assert {*request.warnings} <= {issue.description for issue in report(source, target).issues}


def test_the_table_of_the_documentation_is_the_one_of_this_run() -> None:
    """`python -m tests.conformance.portability` prints it."""
    assert render() in (DOCS / 'messages.md').read_text(encoding='utf-8')
