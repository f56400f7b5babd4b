"""Tests of the rules of histories: what models invent and runs leave is sent in a form that every vendor accepts."""

from __future__ import annotations

import json
import math
import re
from copy import deepcopy
from typing import Any

import pytest

from pydantic_llm.messages import (
    CachePoint,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.testing.room import Json, Room
from pydantic_llm.tools.definition import ToolDefinition
from tests.conformance.histories import Case, find_problems
from tests.conformance.rooms import ROOMS
from tests.conformance.validators import VALIDATORS
from tests.conformance.validators.rules import parse_strictly

rooms = pytest.mark.parametrize('room', ROOMS, ids=repr)
LOOK = ToolDefinition('look', {'type': 'object', 'properties': {'city': {'type': 'string'}}})
START = ModelRequest([UserPromptPart('Hello.')])


def send(room: Room, history: list[ModelMessage], *tools: ToolDefinition) -> tuple[Json, list[str]]:
    """Return the body that the transport would send, and the warnings."""
    request = room.prepare(history, None, ModelRequestParameters(tools))
    content = room.build()._encode_request(request).body
    body: Json = parse_strictly(content.decode())
    assert VALIDATORS[room.name](body) == []
    return body, request.warnings


def call(name: str, args: Any = '{}', id: str = 'abcdefghi') -> list[ModelMessage]:
    """Return a conversation with one tool call, which failed."""
    retry = RetryPromptPart('There is no such tool.', tool_name=name, tool_call_id=id)
    return [START, ModelResponse([ToolCallPart(name, args, id)]), ModelRequest([retry])]


@rooms
@pytest.mark.parametrize('name', ['search.evidence', 'multi tool', 'functions.f:0', 'x' * 80, '', 'météo', '日本'])
def test_names_that_a_model_invented_are_sent_in_a_form_that_is_accepted(room: Room, name: str) -> None:
    history = call(name)
    body, warnings = send(room, history, LOOK)
    assert name == '' or json.dumps(f'"{name}"')[1:-1] not in json.dumps(body).replace(', "name"', '')
    assert any(repr(name) in warning for warning in warnings)
    assert history[1].parts[0] == ToolCallPart(name, '{}', 'abcdefghi')


@rooms
def test_an_invented_name_does_not_become_that_of_a_given_tool(room: Room) -> None:
    body, _ = send(room, call('lo.ok'), ToolDefinition('lo_ok', LOOK.parameters_json_schema))
    assert 'lo_ok_2' in json.dumps(body)


@rooms
@pytest.mark.parametrize(
    'args',
    [
        *('{"x": NaN}', '{"x": [1e999, -Infinity]}', '{"city": ', '[1, 2]', '"text"', '{"a": 1, "a": 2}', ' ', 'null'),
        *('{"x": "\\ud83d"}', '{"x": "\ud83d"}', {'x': float('nan')}, {'x': [{'y': float('inf')}]}, {'\ud83d': 1}),
    ],
)
def test_malformed_arguments_are_sent_as_json(room: Room, args: Any) -> None:
    history = call('look', args)
    before = deepcopy(args)
    send(room, history, LOOK)
    part = history[1].parts[0]
    assert isinstance(part, ToolCallPart)
    assert repr(part.args) == repr(before)


@rooms
@pytest.mark.parametrize('text', ['half \ud83d', '\ude00', 'both \ud83d\ude00'])
def test_halves_of_characters_are_sent_as_characters(room: Room, text: str) -> None:
    history: list[ModelMessage] = [
        ModelRequest([UserPromptPart([text])], instructions=text),
        ModelResponse([TextPart(text), ToolCallPart('look', {'city': text}, 'abcdefghi')]),
        ModelRequest([ToolReturnPart('look', {'sky': [text]}, 'abcdefghi')], instructions=text),
    ]
    body, warnings = send(room, history, LOOK)
    sent = json.dumps(body, ensure_ascii=False)
    assert ('😀' if 'both' in text else '\ufffd') in sent
    assert warnings.count('characters that cannot be encoded were replaced') == 1


@rooms
def test_replaced_characters_of_the_instructions_alone_are_a_warning_each_time(room: Room) -> None:
    history: list[ModelMessage] = [ModelRequest([UserPromptPart('Hi')], instructions='half \ud83d')]
    for _ in range(2):
        assert send(room, history)[1] == ['characters that cannot be encoded were replaced']


@rooms
def test_results_that_are_spread_over_requests_follow_their_response(room: Room) -> None:
    calls = [ToolCallPart('look', '{}', 'aaaaaaaaa'), ToolCallPart('look', '{}', 'bbbbbbbbb')]
    results = [ToolReturnPart('look', 'rain', 'bbbbbbbbb'), ToolReturnPart('look', 'sun', 'aaaaaaaaa')]
    history: list[ModelMessage] = [START, ModelResponse(calls), *(ModelRequest([result]) for result in results)]
    spread, _ = send(room, [*history, ModelRequest([UserPromptPart('And?')])], LOOK)
    together, _ = send(room, [*history[:2], ModelRequest(results), ModelRequest([UserPromptPart('And?')])], LOOK)
    assert spread == together


@rooms
def test_the_same_history_is_sent_as_the_same_bytes_when_it_grows(room: Room) -> None:
    history = [*call('a.b', '{"x": NaN}', 'x' * 80), ModelResponse([TextPart('\n\n'), TextPart('Done.')])]
    history += [ModelRequest([UserPromptPart(['Go on.', ' '])]), ModelResponse([TextPart('I did.')])]
    first = json.dumps(send(room, [*history[:-1]], LOOK)[0])
    longer = json.dumps(send(room, [*history, ModelRequest([UserPromptPart('Thanks.')])], LOOK)[0])
    start = re.split(r'Go on\.', first)[0]
    assert longer.startswith(start)


@rooms
def test_instructions_are_sent_again_with_tool_results(room: Room) -> None:
    history: list[ModelMessage] = [
        ModelRequest([UserPromptPart('Hello.')], instructions='Be helpful.'),
        ModelResponse([ToolCallPart('look', '{}', 'abcdefghi')]),
        ModelRequest([ToolReturnPart('look', 'rain', 'abcdefghi')]),
    ]
    assert 'Be helpful.' in json.dumps(send(room, history, LOOK)[0])
    follow_up: list[ModelMessage] = [*history, ModelResponse([TextPart('Rain.')]), ModelRequest([UserPromptPart('?')])]
    assert 'Be helpful.' not in json.dumps(send(room, follow_up, LOOK)[0])


@rooms
@pytest.mark.parametrize('first', [True, False])
def test_a_conversation_may_begin_and_end_with_a_response(room: Room, first: bool) -> None:
    said = ModelResponse([TextPart('The answer is \n')])
    history: list[ModelMessage] = [said, START] if first else [START, said]
    assert 'The answer is' in json.dumps(send(room, history)[0])


EMPTY = ModelRequest([UserPromptPart([CachePoint()])])


@rooms
@pytest.mark.parametrize(
    'history',
    [
        *([ModelResponse([TextPart('So ')]), EMPTY], [START, ModelResponse([TextPart('So ')]), EMPTY]),
        [ModelRequest([UserPromptPart([CachePoint()])], instructions='Be brief.')],
    ],
    ids=['after the only response', 'after the last response', 'with instructions'],
)
def test_a_request_of_cache_points_alone_is_no_turn(room: Room, history: list[ModelMessage]) -> None:
    assert find_problems(room, Case(history, {}, ModelRequestParameters(), stream=False)) == []


@rooms
@pytest.mark.parametrize('vendor', ['bedrock', 'google-gla', None])
def test_an_empty_text_is_not_sent_with_the_signature_of_another_vendor(room: Room, vendor: str | None) -> None:
    text = TextPart('', provider_name=vendor, provider_details={'thought_signature': 'c2ln'})
    send(room, [START, ModelResponse([text], provider_name=vendor), START], LOOK)


@rooms
@pytest.mark.parametrize('value', [math.nan, math.inf, [{'deep': -math.inf}]], ids=repr)
def test_results_of_native_tools_are_sent_as_json(room: Room, value: Any) -> None:
    own: Any = {'provider_name': room.build().system}
    call = NativeToolCallPart('web_search', {'query': 'x'}, 'srvtoolu_1', **own)
    result = NativeToolReturnPart('web_search', {'content': value, 'x': value}, 'srvtoolu_1', **own)
    history: list[ModelMessage] = [START, ModelResponse([call, result, TextPart('Done.')], **own), START]
    content = room.build()._encode_request(room.prepare(history, None, None)).body
    parse_strictly(content.decode())


THOUGHT = 'c2lnbmF0dXJl'


def make_long_conversation(system: str) -> list[ModelMessage]:
    """Return a conversation with parallel calls, retries and signed thinking, at several vendors and back again."""
    history: list[ModelMessage] = [ModelRequest([SystemPromptPart('Help.'), *START.parts], instructions='Be brief.')]
    for turn, vendor in enumerate([system, 'anthropic', 'openai', 'google-gla', 'bedrock', 'mistral', system]):
        details = {'thought_signature': THOUGHT}
        own: Any = {'provider_name': vendor}
        thinking = ThinkingPart('Hm.', id=f'rs_{turn}', signature=THOUGHT, provider_details=details, **own)
        calls = [
            ToolCallPart('look', '{"city": "Oslo"}', f'call_{turn}', id=f'fc_{turn}', provider_details=details, **own),
            ToolCallPart('bad name', '{"city', 'call_1', **own),
        ]
        results = [
            ToolReturnPart('look', {'sky': 'blue'}, f'call_{turn}'),
            RetryPromptPart('There is no such tool.', tool_name='bad name', tool_call_id='call_1'),
        ]
        text = TextPart('Let me look.\n', id=f'msg_{turn}', **own)
        history += [ModelResponse([thinking, text, *calls], **own), ModelRequest(results, instructions='Be brief.')]
        history += [ModelResponse([TextPart(f'Done {turn}.', **own)], **own)]
        history += [ModelRequest([UserPromptPart('And?')], instructions='Be brief.')]
    return history


@rooms
def test_a_longer_conversation_begins_with_the_messages_of_the_shorter_one(room: Room) -> None:
    history = make_long_conversation(room.build().system)
    body, _ = send(room, history, LOOK)
    field = next(name for name in ('messages', 'input', 'contents', 'turns') if name in body)
    for length in range(1, len(history), 2):
        start, _ = send(room, history[:length], LOOK)
        assert body[field][: len(start[field])] == start[field]
        assert {**start, field: []} == {**body, field: []}


@rooms
def test_signatures_go_back_unchanged_after_turns_of_other_vendors(room: Room) -> None:
    if not room.features.signatures:
        return
    history = make_long_conversation(room.build().system)
    body = json.dumps(send(room, history, LOOK)[0])
    assert body.count(THOUGHT) >= 2
