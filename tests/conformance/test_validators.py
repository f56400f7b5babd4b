"""The validators report what breaks a rule, and accept every recorded request that was answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from math import inf, nan
from typing import Any

import pytest

from tests.conformance.rooms import ROOMS
from tests.conformance.validators import VALIDATORS
from tests.conformance.validators.rules import Json
from tests.wire.folder import FOLDER, FOUND, MISSING

LONG = 'x' * 65
PDF = 'data:application/pdf;base64,eA=='
B64 = 'aGVsbG8='

# ---------------------------------------------------------------------- a valid body for each API


def chat(*, id: str = 'call_1') -> Json:
    call = {'id': id, 'type': 'function', 'function': {'name': 'look', 'arguments': '{"city": "Oslo"}'}}
    schema = {'type': 'object', 'properties': {}}
    return {
        'model': 'm',
        'messages': [
            {'role': 'system', 'content': 'Be brief.'},
            {'role': 'user', 'content': [{'type': 'text', 'text': 'Weather?'}]},
            {'role': 'assistant', 'content': 'I look.', 'tool_calls': [call]},
            {'role': 'tool', 'tool_call_id': id, 'content': 'sunny'},
        ],
        'tools': [{'type': 'function', 'function': {'name': 'look', 'description': 'Look.', 'parameters': schema}}],
    }


def responses() -> Json:
    return {
        'model': 'm',
        'input': [
            {'role': 'user', 'content': 'Weather?'},
            {'type': 'reasoning', 'id': 'rs_1', 'summary': [], 'encrypted_content': 'x'},
            {'type': 'function_call', 'id': 'fc_1', 'call_id': 'call_1', 'name': 'look', 'arguments': '{}'},
            {'type': 'function_call_output', 'call_id': 'call_1', 'output': 'sunny'},
            {
                'type': 'message',
                'role': 'user',
                'content': [{'type': 'input_file', 'file_data': PDF, 'filename': 'a.pdf'}],
            },
        ],
        'tools': [{'type': 'function', 'name': 'look', 'parameters': {}, 'strict': False}],
    }


def anthropic() -> Json:
    return {
        'model': 'm',
        'max_tokens': 4096,
        'system': [{'type': 'text', 'text': 'Be brief.'}],
        'messages': [
            {'role': 'user', 'content': [{'type': 'text', 'text': 'Weather?'}]},
            {
                'role': 'assistant',
                'content': [
                    {'type': 'thinking', 'thinking': 'Hm.', 'signature': 's'},
                    {'type': 'server_tool_use', 'id': 'srvtoolu_1', 'name': 'web_search', 'input': {}},
                    {'type': 'web_search_tool_result', 'tool_use_id': 'srvtoolu_1', 'content': []},
                    {'type': 'tool_use', 'id': 'toolu_1', 'name': 'look', 'input': {}},
                ],
            },
            {
                'role': 'user',
                'content': [
                    {'type': 'tool_result', 'tool_use_id': 'toolu_1', 'content': [{'type': 'text', 'text': 'sunny'}]},
                    {'type': 'text', 'text': 'And?'},
                ],
            },
        ],
        'tools': [{'name': 'look', 'input_schema': {'type': 'object'}}],
    }


def gemini() -> Json:
    return {
        'systemInstruction': {'parts': [{'text': 'Be brief.'}]},
        'contents': [
            {'role': 'user', 'parts': [{'text': 'Weather?'}]},
            {'role': 'model', 'parts': [{'functionCall': {'name': 'look', 'args': {}}, 'thoughtSignature': B64}]},
            {'role': 'user', 'parts': [{'functionResponse': {'name': 'look', 'response': {'sky': 'blue'}}}]},
        ],
        'tools': [{'functionDeclarations': [{'name': 'look'}]}],
    }


def bedrock() -> Json:
    document = {'format': 'pdf', 'name': 'Report 1', 'source': {'bytes': B64}}
    result = {'toolUseId': 'tooluse_1', 'content': [{'text': 'sunny'}], 'status': 'success'}
    return {
        'system': [{'text': 'Be brief.'}],
        'messages': [
            {'role': 'user', 'content': [{'text': 'Weather?'}, {'document': document}]},
            {'role': 'assistant', 'content': [{'toolUse': {'toolUseId': 'tooluse_1', 'name': 'look', 'input': {}}}]},
            {'role': 'user', 'content': [{'toolResult': result}]},
        ],
        'toolConfig': {'tools': [{'toolSpec': {'name': 'look', 'inputSchema': {'json': {'type': 'object'}}}}]},
    }


def cohere() -> Json:
    body = chat()
    body['messages'][2] |= {'tool_plan': body['messages'][2].pop('content')}
    return body


VALID: dict[str, Callable[[], Json]] = {
    'openai-chat': chat,
    'anthropic': anthropic,
    'openai-responses': responses,
    'gemini': gemini,
    'bedrock': bedrock,
    'cohere': cohere,
    'groq': chat,
    'huggingface': chat,
    'litellm': chat,
    'mistral': lambda: chat(id='abcdefghi'),
    'acme': lambda: {'conversation': []},
    'acme_chat': chat,
}

# ---------------------------------------------------------------------- how each rule is broken

Place = tuple[Any, ...]
DELETE: Any = object()
ASSISTANT: Place = ('messages', 2)
CALL: Place = ('messages', 2, 'tool_calls', 0)
TURN: Place = ('messages', 1, 'content')
THOUGHT = {'type': 'thinking', 'thinking': 'Hm.', 'signature': 's'}
EMPTY_IMAGE = {'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': ''}}
BLANK_TURN = [{'type': 'text', 'text': ' \n'}]

CHAT: tuple[tuple[Place, Any, str], ...] = (
    (('messages',), [], 'empty'),
    (('messages', 1, 'content', 0, 'text'), nan, 'not JSON'),
    (('messages', 0, 'content'), '\ud83d', 'lone surrogate'),
    ((*ASSISTANT, 'tool_calls'), [], 'empty'),
    (ASSISTANT, {'role': 'assistant', 'content': None}, 'null, without tool calls'),
    (('messages', 1, 'content'), [], 'empty'),
    ((*CALL, 'id'), '', 'does not match'),
    ((*CALL, 'function', 'name'), 'a.b', 'does not match'),
    ((*CALL, 'function', 'name'), LONG, 'does not match'),
    ((*CALL, 'function', 'arguments'), '{"a"', 'not JSON'),
    ((*CALL, 'function', 'arguments'), '', 'not JSON'),
    ((*CALL, 'function', 'arguments'), '[]', 'not a JSON object'),
    ((*CALL, 'function', 'arguments'), '{"a": NaN}', 'not JSON'),
    ((*CALL, 'function', 'arguments'), '{"a": 1e999}', 'not JSON'),
    ((*CALL, 'function', 'arguments'), '{"a": "\\ud83d"}', 'lone surrogate'),
    (('messages', 3), DELETE, 'no result right after it'),
    (('messages', 3, 'tool_call_id'), 'other', 'no tool call right before it'),
    (('messages', 2), DELETE, 'no tool call right before it'),
    (('messages', 4), {'role': 'tool', 'tool_call_id': 'call_1', 'content': 'again'}, '2 times'),
    (('messages', 3, 'content'), None, 'messages[3].content'),
    (('messages', 1, 'role'), 'robot', 'robot'),
    (('messages', 1, 'colour'), 'red', 'no field'),
    (('tools', 0, 'function', 'name'), 'a b', 'does not match'),
    (('tools', 0, 'function', 'description'), 'x' * 1025, 'over 1024'),
)

TOO_LONG = ((*CALL, 'id'), 'x' * 41, 'does not match')

BROKEN: dict[str, tuple[tuple[Place, Any, str], ...]] = {
    'openai-chat': (*CHAT, TOO_LONG, (('colour',), 'red', 'no parameter'), (('tools',), [], 'tools: empty')),
    'acme_chat': (*CHAT, TOO_LONG),
    'groq': (*CHAT, (('messages', 0, 'content'), [{'type': 'text', 'text': 'Be brief.'}], 'not a string')),
    'huggingface': tuple(row for row in CHAT if row[1] is not None),
    'litellm': CHAT,
    'mistral': (
        (('messages',), [], 'empty'),
        ((*CALL, 'id'), 'call_1234', 'does not match'),
        (('messages', 3, 'tool_call_id'), 'x', 'does not match'),
        ((*CALL, 'function', 'name'), 'a.b', 'does not match'),
        ((*CALL, 'function', 'arguments'), 'x', 'not JSON'),
        (('messages', 4), {'role': 'user', 'content': 'And?'}, "'user' after role 'tool'"),
        (('messages', 2), {'role': 'system', 'content': 'Stop.'}, "'tool' after role 'system'"),
        (('messages', 4), {'role': 'assistant', 'content': 'So.'}, "last role is 'assistant'"),
        (('messages',), [{'role': 'assistant', 'content': 'So.', 'prefix': True}], 'the only role'),
        (ASSISTANT, {'role': 'assistant', 'content': ''}, 'neither content nor tool calls'),
        (('messages', 3), DELETE, 'no result right after it'),
        (('messages', 3, 'name'), 'a b', 'does not match'),
        (('messages', 0, 'content'), None, 'null'),
        (('messages', 0, 'colour'), 'red', 'no field'),
        (('colour',), 'red', 'no field'),
        (('tools', 0, 'function', 'name'), 'a.b', 'does not match'),
    ),
    'cohere': (
        (('messages',), [], 'empty'),
        ((*CALL, 'id'), '', 'does not match'),
        ((*CALL, 'function', 'name'), 'a.b', 'does not match'),
        ((*CALL, 'function', 'arguments'), '7', 'not a JSON object'),
        (('messages', 3), DELETE, 'no result right after it'),
        (('messages', 1, 'content'), '', 'neither content nor tool calls'),
        (('messages', 0, 'colour'), 'red', 'no field'),
        (('colour',), 'red', 'no parameter'),
        (('tools', 0, 'function', 'name'), 'a.b', 'does not match'),
    ),
    'openai-responses': (
        (('input',), [], 'empty'),
        (('input', 0, 'content'), inf, 'not JSON'),
        (('input', 2, 'id'), 'item_1', 'does not begin with'),
        (('input', 2, 'id'), f'fc_{LONG}', 'too long'),
        (('input', 5), {'type': 'reasoning', 'id': 'rs_1', 'summary': []}, '2 times'),
        (('input', 2, 'name'), 'a.b', 'does not match'),
        (('input', 2, 'call_id'), LONG, 'does not match'),
        (('input', 2, 'arguments'), '{', 'not JSON'),
        (('input', 3), DELETE, 'no output'),
        (('input', 2), DELETE, 'no tool call waits'),
        (('input', 3, 'call_id'), 'x', 'no tool call waits'),
        (('input', 5), {'type': 'function_call_output', 'call_id': 'call_1', 'output': 'x'}, 'no tool call waits'),
        (('input', 4), responses()['input'][2] | {'id': 'fc_2'}, 'was there before'),
        (('input', 5), {'type': 'reasoning', 'id': 'rs_2', 'summary': []}, 'without its following item'),
        (('input', 4, 'content'), [], 'empty'),
        (('input', 4, 'content', 0, 'file_data'), 'data:audio/mpeg;base64,eA==', 'not a data URL'),
        (('input', 0, 'role'), 'robot', 'robot'),
        (('input', 0, 'colour'), 'red', 'no field'),
        (('colour',), 'red', 'no parameter'),
        (('tools', 0, 'name'), 'a.b', 'does not match'),
    ),
    'anthropic': (
        (('messages',), [], 'empty'),
        (('max_tokens',), DELETE, 'missing'),
        (('messages', 0, 'content', 0, 'text'), nan, 'not JSON'),
        (('system', 0, 'text'), ' \n', 'blank'),
        (('system',), '', 'blank'),
        (('messages', 0, 'content'), [], 'empty'),
        (('messages', 0, 'content'), BLANK_TURN, 'blank'),
        (('messages', 0, 'content'), '\n', 'blank'),
        (('messages', 2, 'content', 0, 'content', 0, 'text'), '\n', 'blank'),
        ((*TURN, 0, 'signature'), '', 'empty'),
        ((*TURN, 0), {'type': 'redacted_thinking', 'data': ''}, 'empty'),
        (TURN, [THOUGHT], 'its last block'),
        ((*TURN, 3, 'id'), 'a.b', 'does not match'),
        ((*TURN, 3, 'name'), 'a.b', 'does not match'),
        ((*TURN, 3, 'input'), [], 'not an object'),
        ((*TURN, 1, 'id'), 'x', 'does not match'),
        ((*TURN, 1), DELETE, 'no call before it'),
        (('messages', 2), DELETE, 'have no results'),
        (('messages', 2, 'content', 0), DELETE, 'no result right after it'),
        ((*TURN, 3), DELETE, 'no tool call right before it'),
        (('messages', 2, 'content', 2), {'type': 'tool_result', 'tool_use_id': 'toolu_1'}, 'follows other content'),
        (('messages', 3), {'role': 'assistant', 'content': 'So '}, 'ends with whitespace'),
        (('messages', 3), {'role': 'assistant', 'content': [THOUGHT, {'type': 'text', 'text': 'So'}]}, 'disables'),
        (('messages', 0, 'role'), 'tool', "'tool'"),
        (('messages', 0, 'content', 0, 'colour'), 'red', 'no field'),
        (('messages', 0, 'content', 0, 'type'), 'texts', 'texts'),
        (('messages', 0, 'content', 0), EMPTY_IMAGE, 'empty'),
        (('thinking',), {'type': 'enabled', 'budget_tokens': 1000}, 'budget'),
        (('thinking',), {'type': 'enabled', 'budget_tokens': 5000}, 'budget'),
        (('colour',), 'red', 'no parameter'),
        (('tools', 0, 'name'), 'a b', 'does not match'),
        (('tools', 1), {'name': 'look', 'input_schema': {}}, '2 times'),
    ),
    'gemini': (
        (('contents',), [], 'empty'),
        (('contents', 1, 'parts', 0, 'functionCall', 'args'), {'a': nan}, 'not JSON'),
        (('contents', 0, 'parts'), [], 'empty'),
        (('contents', 0, 'parts', 0), {}, 'one kind of data'),
        (('contents', 0, 'parts', 0), {'text': 'x', 'inlineData': {}}, 'one kind of data'),
        (('contents', 0, 'parts', 0, 'text'), '', 'empty'),
        (('contents', 0, 'parts', 0), {'inlineData': {'mimeType': '', 'data': B64}}, 'no media type'),
        (('contents', 0, 'parts', 0), {'inlineData': {'mimeType': 'image/png', 'data': '!'}}, 'not base64'),
        (('contents', 0, 'parts', 0), {'fileData': {'mimeType': 'image/png'}}, 'empty'),
        (('contents', 0, 'parts', 0), {'executableCode': {'code': 'x'}}, 'no language'),
        (('contents', 0, 'parts', 0), {'codeExecutionResult': {'output': 'x'}}, 'empty'),
        (('contents', 0, 'role'), 'assistant', 'neither user nor model'),
        (('contents', 0, 'colour'), 'red', 'no field'),
        (('contents', 0, 'parts', 0, 'colour'), 'red', 'no field'),
        (('contents', 1, 'parts', 0, 'functionCall', 'colour'), 'red', 'no field'),
        (('contents', 1, 'parts', 0, 'functionCall', 'name'), '1 a', 'does not match'),
        (('contents', 1, 'parts', 0, 'functionCall', 'name'), 'find', 'other functions'),
        (('contents', 1, 'parts', 0, 'functionCall', 'args'), [], 'not an object'),
        (('contents', 1, 'parts', 0, 'thoughtSignature'), {'a': 1}, 'not base64'),
        (('contents', 2, 'parts', 0, 'functionResponse', 'response'), 'sunny', 'not an object'),
        (('contents', 2), DELETE, 'without responses'),
        (('contents', 1), DELETE, '1 responses to 0'),
        (('contents', 2, 'parts', 1), {'functionResponse': {'name': 'look', 'response': {}}}, '2 responses to 1'),
        (('contents', 0), DELETE, 'no turn of the user'),
        (('contents', 2, 'role'), 'model', 'wrong role'),
        (('systemInstruction', 'parts', 0, 'text'), '', 'empty'),
        (('colour',), 'red', 'no field'),
        (('tools', 0, 'functionDeclarations', 0, 'name'), 'a b', 'does not match'),
    ),
    'bedrock': (
        (('messages', 0, 'content', 0, 'text'), ' ', 'blank'),
        (('messages', 2, 'content', 0, 'toolResult', 'content', 0, 'text'), '', 'blank'),
        (('messages', 0, 'content'), [], 'empty'),
        (('system', 0, 'text'), '', 'not between'),
        (('system', 0, 'text'), ' ', 'blank'),
        (('messages', 1, 'content', 0, 'toolUse', 'toolUseId'), 'a b', 'does not match'),
        (('messages', 1, 'content', 0, 'toolUse', 'name'), 'a.b', 'does not match'),
        (('messages', 1, 'content', 0, 'toolUse', 'name'), LONG, 'not between'),
        (('messages', 1, 'content', 0, 'toolUse', 'input'), 'x', 'not an object'),
        (('messages', 2, 'content', 0, 'toolResult', 'content', 0), {'json': []}, 'not an object'),
        (('messages', 2), DELETE, 'have no results'),
        (('messages', 1, 'content', 0), {'text': 'So.'}, 'no tool call right before it'),
        (('messages', 1), DELETE, 'twice'),
        (('messages', 1, 'content', 1), {'reasoningContent': {'reasoningText': {'text': 'Hm.'}}}, 'its last block'),
        (('messages', 3), {'role': 'assistant', 'content': [{'text': 'So '}]}, 'ends with whitespace'),
        (('messages', 0, 'content', 1, 'document', 'name'), 'report.pdf', 'other characters'),
        (('messages', 0, 'content', 1, 'document', 'name'), 'a  b', 'other characters'),
        (('messages', 0, 'content', 2), bedrock()['messages'][0]['content'][1], '2 times'),
        (('messages', 0, 'content', 0), DELETE, 'without text'),
        (('messages', 0, 'content', 1, 'document', 'source', 'bytes'), '!', 'not base64'),
        (('messages', 0, 'content', 1, 'document', 'format'), 'exe', 'none of'),
        (('messages', 1, 'content', 1), bedrock()['messages'][0]['content'][1], 'in a turn of the assistant'),
        (('messages', 0, 'content', 0), {'text': 'x', 'image': {}}, 'one member'),
        (('messages', 0, 'colour'), 'red', 'no field'),
        (('messages', 0, 'role'), 'tool', 'none of'),
        (('toolConfig',), DELETE, 'missing'),
        (('toolConfig', 'tools', 1), {'toolSpec': {'name': 'look', 'inputSchema': {'json': {}}}}, '2 times'),
        (('colour',), 'red', 'no field'),
    ),
    'acme': ((('a',), nan, 'not JSON'),),
}


def change(body: Json, place: Place, value: Any) -> Json:
    """Return the body with the value at a place; one past the end of a list is appended."""
    body = deepcopy(body)
    holder: Any = body
    for key in place[:-1]:
        holder = holder[key]
    if value is DELETE:
        del holder[place[-1]]
    elif isinstance(holder, list) and place[-1] == len(holder):
        holder.append(value)
    else:
        holder[place[-1]] = value
    return body


def test_every_room_has_a_validator() -> None:
    assert [room.name for room in ROOMS if room.name not in VALIDATORS] == []


@pytest.mark.parametrize('room', VALIDATORS)
def test_a_valid_body_breaks_no_rule(room: str) -> None:
    assert VALIDATORS[room](VALID[room]()) == []


CASES = [(room, *row) for room, rows in BROKEN.items() for row in rows]


@pytest.mark.parametrize(('room', 'place', 'value', 'problem'), CASES)
def test_a_broken_rule_is_reported(room: str, place: Place, value: Any, problem: str) -> None:
    found = VALIDATORS[room](change(VALID[room](), place, value))
    assert [line for line in found if problem in line], found


def test_too_many_cache_points_are_reported() -> None:
    body = anthropic()
    marked = {'type': 'text', 'text': 'x', 'cache_control': {'type': 'ephemeral'}}
    body['messages'][0]['content'] = [marked] * 5
    assert VALIDATORS['anthropic'](body) == ['body: 5 blocks have cache_control']
    body = bedrock()
    body['messages'][0]['content'] += [{'cachePoint': {'type': 'default'}}] * 5
    assert VALIDATORS['bedrock'](body) == ['body: 5 cache points']


def test_a_turn_that_continues_without_its_thinking_is_reported() -> None:
    body = anthropic() | {'thinking': {'type': 'enabled', 'budget_tokens': 2000}}
    assert VALIDATORS['anthropic'](body) == []
    del body['messages'][1]['content'][0]
    assert VALIDATORS['anthropic'](body) == ['messages: the last turn of the assistant does not begin with thinking']


# ---------------------------------------------------------------------- recorded requests

VENDORS = {
    'anthropic': 'anthropic',
    'openai-chat': 'openai-chat',
    'azure-chat': 'openai-chat',
    'openai-responses': 'openai-responses',
    'azure-responses': 'openai-responses',
    'groq': 'groq',
    'mistral': 'mistral',
    'cohere': 'cohere',
    'huggingface': 'huggingface',
    'gemini': 'gemini',
    'vertex': 'gemini',
    'bedrock-converse': 'bedrock',
    'bedrock-converse-stream': 'bedrock',
}
"""Vendor of a recording → room."""

STRICTER = {
    # NousResearch/hermes-agent#63983 and #60628 (July 2026): blank text is refused since then
    ('bedrock-converse__test_bedrock_cache_write_and_read__', '.text: blank'),
    # botocore's model does not have the value; that Nova reads it is not documented
    ('bedrock-converse__test_video_url_input__1_7e1b66', "'video/mp4' is none of"),
}
"""Beginnings of recordings' names, and the rule that they break, which is kept."""


def recorded_requests() -> Iterator[tuple[str, str, Json]]:
    """Yield (name, room, body) of each recorded request that was answered."""
    seen: set[str] = set()
    for corpus in ('corpus', 'pool'):
        for file in sorted((FOLDER / corpus / 'shared' / 'exchanges').glob('*.json')):
            recording = json.loads(file.read_text(encoding='utf-8'))
            if recording['id'] in seen or recording['vendor'] not in VENDORS:
                continue
            seen.add(recording['id'])
            for exchange in recording['exchanges']:
                body = exchange['request']['body']
                if exchange['response']['status'] == 200 and isinstance(body, dict):
                    yield recording['id'], VENDORS[recording['vendor']], body


def is_stricter(name: str, line: str) -> bool:
    return any(name.startswith(known) and problem in line for known, problem in STRICTER)


@pytest.mark.skipif(not FOUND, reason=MISSING)
def test_recorded_requests_that_were_answered_break_no_rule() -> None:
    found: list[tuple[str, str]] = []
    count = 0
    for name, room, body in recorded_requests():
        count += 1
        found += [(name, line) for line in VALIDATORS[room](body) if not is_stricter(name, line)]
    assert count > 500
    assert found == []
