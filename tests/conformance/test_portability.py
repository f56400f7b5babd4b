"""Tests that every room accepts the history of every other room, and does not change it."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from pydantic_llm.messages import (
    BinaryContent,
    CompactionPart,
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.testing.room import Room
from pydantic_llm.testing.strategies import conversations, tools
from tests.conformance.rooms import PAIRS, ROOMS

SECRET = 'a-secret-that-no-other-vendor-may-see'
ODD_IDS = ('call_0', 'toolu_01A', 'functions.look:0', 'a b/ü', 'x' * 80)
"""Tool call ids as vendors make them, and ids that no vendor makes."""


def history_from(room: Room, tool_call_id: str) -> list[ModelMessage]:
    """Return a history with a response that has every type of part, from a room."""
    system = room.build().system
    response = ModelResponse(
        [
            ThinkingPart('Let me see.', id='thought-1', signature=SECRET, provider_name=system),
            ThinkingPart('', id='redacted_thinking', signature=SECRET, provider_name=system),
            NativeToolCallPart('web_search', {'query': 'weather'}, 'srv_1', provider_name=system),
            NativeToolReturnPart('web_search', [{'url': 'https://example.com'}], 'srv_1', provider_name=system),
            FilePart(BinaryContent(b'\x89PNG', media_type='image/png'), provider_name=system),
            TextPart('I shall look.', id='text-1', provider_name=system, provider_details={'sealed': SECRET}),
            ToolCallPart('look', '{"city": "Oslo"}', tool_call_id, provider_details={'thought_signature': SECRET}),
        ],
        provider_name=system,
        provider_details={'container_id': SECRET},
    )
    return [
        ModelRequest([UserPromptPart('How is the weather?')]),
        response,
        ModelRequest([ToolReturnPart('look', {'sky': 'blue'}, tool_call_id)]),
    ]


def ids_in(body: Any, names: tuple[str, ...]) -> list[str]:
    """Return the values of these keys at any depth."""
    match body:
        case dict():
            own = [value for name, value in body.items() if name in names and isinstance(value, str)]
            return own + [id for value in body.values() for id in ids_in(value, names)]
        case list():
            return [id for value in body for id in ids_in(value, names)]
        case _:
            return []


OTHERS = [(source, target) for source, target in PAIRS if source is not target]


@pytest.mark.parametrize('tool_call_id', ODD_IDS)
@pytest.mark.parametrize(('source', 'target'), OTHERS, ids=repr)
def test_a_response_of_one_room_is_accepted_by_another(source: Room, target: Room, tool_call_id: str) -> None:
    request = target.prepare(history_from(source, tool_call_id), None, ModelRequestParameters())
    body = json.dumps(target.build().encode(request))
    assert 'I shall look.' in body
    assert 'Oslo' in body
    assert 'blue' in body
    if source.build().system != target.build().system:
        assert SECRET not in body


@pytest.mark.parametrize('room', ROOMS, ids=repr)
@pytest.mark.parametrize('content', ['They met.', None], ids=['readable', 'encrypted'])
def test_a_summary_of_another_vendor_is_text_or_missed(room: Room, content: str | None) -> None:
    part = CompactionPart(content, provider_name='another', provider_details={'encrypted_content': SECRET})
    messages = [
        ModelRequest([UserPromptPart('We meet.')]),
        ModelResponse([part, TextPart('Yes?')], provider_name='another'),
        ModelRequest([UserPromptPart('Where?')]),
    ]
    request = room.prepare(messages, None, ModelRequestParameters())
    body = json.dumps(room.build().encode(request))
    assert 'We meet.' in body
    assert SECRET not in body
    assert ('A summary of the conversation so far:\\n\\nThey met.' in body) == (content is not None)
    noted = (
        'a summary of another vendor was sent as text' if content else "an encrypted summary of 'another' was dropped"
    )
    assert any(warning.startswith(noted) for warning in request.warnings)


@pytest.mark.parametrize('tool_call_id', ODD_IDS)
@pytest.mark.parametrize(('source', 'target'), OTHERS, ids=repr)
def test_a_tool_call_and_its_result_have_the_same_id(source: Room, target: Room, tool_call_id: str) -> None:
    request = target.prepare(history_from(source, tool_call_id), None, ModelRequestParameters())
    body = target.build().encode(request)
    result_ids = ids_in(body, ('tool_call_id', 'tool_use_id', 'call_id', 'toolUseId')) or ids_in(body, ('id',))
    call_ids = ids_in(body, ('id', 'call_id', 'toolUseId'))
    assert result_ids
    assert set(result_ids) <= set(call_ids)


@pytest.mark.parametrize('room', ROOMS, ids=repr)
@given(data=st.data())
def test_preparing_and_encoding_change_no_argument(room: Room, data: st.DataObject) -> None:
    messages, parameters = data.draw(conversations(room)), ModelRequestParameters(data.draw(tools))
    settings: Any = {'max_tokens': 50, 'temperature': 0.5, 'unknown': 1, 'stop_sequences': ['END']}
    before = deepcopy((messages, parameters, settings))
    room.build().encode(room.prepare(messages, settings, parameters))
    assert (messages, parameters, settings) == before


@pytest.mark.parametrize(('source', 'target'), PAIRS, ids=repr)
@settings(max_examples=6)  # of each of the many pairs
@given(data=st.data())
def test_every_conversation_can_continue_in_another_room(source: Room, target: Room, data: st.DataObject) -> None:
    messages = data.draw(conversations(source))
    assert target.build().encode(target.prepare(messages, None, ModelRequestParameters()))


pytestmark = pytest.mark.filterwarnings('ignore::pydantic_llm.exceptions.UnknownSettingWarning')
