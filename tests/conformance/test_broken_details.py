"""What a server sent in the wrong form is not sent back, and breaks no later request."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pydantic_llm.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.testing.room import Room
from tests.conformance.histories import Case, find_problems
from tests.conformance.rooms import ROOMS, anthropic, gemini, openai_responses

OPENAI: dict[str, Any] = {'provider_name': 'openai'}

BROKEN: tuple[Any, ...] = (7, 'x', {'a': 1}, ['x'], [None], [{}], None)


def continue_after(*parts: ModelResponsePart) -> list[ModelMessage]:
    """Return a history in which a response with these parts was followed by tool results, or else by a question."""
    response = ModelResponse(parts, provider_name=parts[0].provider_name)
    results = [ToolReturnPart(call.tool_name, 'ok', call.tool_call_id) for call in response.tool_calls]
    follow = ModelRequest(results) if results else ModelRequest.user_text_prompt('And?')
    return [ModelRequest.user_text_prompt('Hello?'), response, follow]


def encode(room: Room, history: list[ModelMessage]) -> dict[str, Any]:
    return room.build().encode(room.prepare(history, None, ModelRequestParameters()))


@pytest.mark.parametrize('value', BROKEN, ids=repr)
@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_details_of_any_type_raise_no_error(room: Room, value: Any) -> None:
    details = dict.fromkeys(('thought_signature', 'citations', 'annotations', 'phase', 'signature', 'caller'), value)
    own: dict[str, Any] = {'provider_name': room.build().system, 'provider_details': details}
    case = Case(
        continue_after(
            ThinkingPart('Hm.', **own),
            TextPart('Let me see.', **own),
            NativeToolCallPart('web_search', {'query': 'x'}, 'srvtoolu_1', **own),
            NativeToolReturnPart('web_search', value, 'srvtoolu_1', **own),
            ToolCallPart('look', '{}', 'abcdefghi', **own),
        ),
        {},
        ModelRequestParameters(),
        stream=False,
    )
    errors = [problem for problem in find_problems(room, case) if re.match(r'\w+Error: ', problem)]
    assert errors == []


@pytest.mark.parametrize('signature', [{'a': 1}, ['x'], 7, 'not base64!', 'AAAAA'], ids=repr)
def test_a_signature_that_is_not_base64_is_not_sent_to_gemini(signature: Any) -> None:
    text = TextPart('x', provider_name='google-gla', provider_details={'thought_signature': signature})
    assert encode(gemini.ROOM, continue_after(text))['contents'][1]['parts'] == [{'text': 'x'}]


@pytest.mark.parametrize('code', ['\x00', '[]', '{}', '{"language": "PYTHON"}'])
def test_code_execution_without_code_is_not_sent_to_gemini(code: str) -> None:
    call = NativeToolCallPart('code_execution', code, 'c', provider_name='google-gla')
    result = NativeToolReturnPart('code_execution', {'output': '1'}, 'c', provider_name='google-gla')
    text = TextPart('x', provider_name='google-gla')
    assert encode(gemini.ROOM, continue_after(call, result, text))['contents'][1]['parts'] == [{'text': 'x'}]


@pytest.mark.parametrize('references', [['x'], 5, [{'tool_name': {}}], [{}], {'x': 1}], ids=repr)
def test_references_that_name_no_tool_are_not_sent_to_anthropic(references: Any) -> None:
    own = {'provider_name': 'anthropic'}
    call = NativeToolCallPart('tool_search', {'query': 'q'}, 'srvtoolu_1', **own)
    content = {'type': 'tool_search_tool_search_result', 'tool_references': references}
    result = NativeToolReturnPart('tool_search', content, 'srvtoolu_1', **own)
    blocks = encode(anthropic.ROOM, continue_after(call, result))['messages'][1]['content']
    assert blocks[1]['content']['tool_references'] in ([], references if not isinstance(references, list) else [])


@pytest.mark.parametrize('id', ['item_1', '019f629b-43ee', f'msg_{"x" * 64}'])
def test_ids_that_openai_did_not_make_are_not_sent_to_it(id: str) -> None:
    text, call = (
        TextPart('x', id=id, provider_name='openai'),
        ToolCallPart('f', '{}', 'c', id=id, provider_name='openai'),
    )
    items = encode(openai_responses.ROOM, continue_after(text, call))['input']
    assert items[1:3] == [
        {'role': 'assistant', 'content': 'x'},
        {'type': 'function_call', 'call_id': 'c', 'name': 'f', 'arguments': '{}'},
    ]


def test_an_id_of_openai_is_sent_once() -> None:
    own = {'provider_name': 'openai'}
    response = ModelResponse(
        [ThinkingPart('Hm.', id='rs_1', **own), TextPart('x', id='msg_1', **own)], provider_name='openai'
    )
    question = ModelRequest.user_text_prompt('And?')
    room = openai_responses.ROOM
    request = room.prepare([question, response, question, response, question], None, ModelRequestParameters())
    items = room.build().encode(request)['input']
    assert [item.get('id') for item in items] == [None, 'rs_1', 'msg_1', None, None, None]
    assert items[4] == {'role': 'assistant', 'content': 'x'}
    assert request.warnings == ["an item of type 'reasoning' was dropped: the API accepts its id 'rs_1' only once"]


def test_an_item_that_is_sent_without_its_id_keeps_it_in_the_history() -> None:
    item = {'type': 'computer_call', 'id': 'x' * 80, 'call_id': 'c', 'action': {}}
    details = {'openai_item': 'computer_call'}
    call = NativeToolCallPart('computer_call', item, 'c', provider_details=details, **OPENAI)
    result = NativeToolReturnPart(
        'computer_call',
        {'type': 'computer_call_output', 'call_id': 'c', 'output': {}},
        'c',
        provider_details={'openai_item': 'computer_call_output'},
        **OPENAI,
    )
    items = encode(openai_responses.ROOM, continue_after(call, result))['input']
    assert items[1] == {'type': 'computer_call', 'call_id': 'c', 'action': {}}
    assert item['id'] == 'x' * 80
