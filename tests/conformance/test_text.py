"""Tests of text that is no text: halves of surrogate pairs, bytes that are not UTF-8, byte order marks, NUL characters.

What is no character becomes U+FFFD. No response is lost, and each can be stored and sent again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic_core import to_json

from pydantic_llm.exceptions import UnexpectedModelBehavior
from pydantic_llm.json_types import parse_json
from pydantic_llm.messages import (
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_llm.testing.exchange import encode_body, encode_events
from pydantic_llm.testing.room import Room
from pydantic_llm.testing.samples import make_response, make_text, make_tool_call
from pydantic_llm.transport.sse import EventSplitter
from pydantic_llm.wire.surrogates import SurrogateJoiner
from tests.conformance.rooms import ROOMS

rooms = pytest.mark.parametrize('room', ROOMS, ids=repr)
kinds = pytest.mark.parametrize('kind', ['text', 'thinking', 'arguments'])

FIRST, SECOND = '\ue000', '\ue001'
"""Characters that stand for the two halves of an emoji until the JSON is written."""

JSON_HEADERS = {'content-type': 'application/json'}


def make_part(room: Room, kind: str, content: str) -> Any:
    if kind == 'text':
        return make_text(room, content)
    if kind == 'arguments':
        return make_tool_call(room, 'tool00001', json.dumps({'city': content}, ensure_ascii=False))
    thinking = ThinkingPart(content, provider_name=room.build().system)
    if room.features.item_ids:
        thinking.id = 'item_r'
    elif not room.features.signatures:
        thinking.id = room.features.thinking_ids[0]
    return thinking


def read_content(part: Any) -> str:
    return part.args_as_dict()['city'] if isinstance(part, ToolCallPart) else part.content


def write(value: object) -> bytes:
    """Write JSON as JavaScript does: halves of characters are escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace(FIRST, r'\ud83d').replace(SECOND, r'\ude00').encode()


def cut(text: str) -> list[str]:
    """Split text between two halves."""
    return [piece for piece in text.replace(FIRST + SECOND, f'{FIRST}|{SECOND}').split('|') if piece]


def read_whole(room: Room, body: bytes) -> ModelResponse:
    reader = room.build().new_reader()
    reader.read_body(body, JSON_HEADERS)
    return reader.draft.get()


def read_stream(room: Room, events: Iterable[bytes]) -> ModelResponse:
    reader = room.build().new_reader()
    for event in events:
        reader.read_event(event)
    reader.end()
    reader.draft.parts.end(complete=reader.draft.state == 'complete')
    return reader.draft.get()


def read_both(room: Room, *parts: Any) -> list[ModelResponse]:
    """Return the response as it is decoded from a body and from a stream."""
    sent = make_response(room, *parts, finish_reason='tool_call' if isinstance(parts[-1], ToolCallPart) else 'stop')
    started, ended = encode_events(room, sent, cut)
    return [
        read_whole(room, write(encode_body(room, sent))),
        read_stream(room, map(write, [*started, *ended])),
    ]


def assert_portable(room: Room, response: ModelResponse) -> None:
    """Assert that the response can be stored, and sent again."""
    stored = ModelMessagesTypeAdapter.dump_json([response])
    assert ModelMessagesTypeAdapter.validate_json(stored) == [response]
    results = [
        ToolReturnPart(part.tool_name, 'ok', part.tool_call_id)
        for part in response.parts
        if isinstance(part, ToolCallPart)
    ]
    follow_up = ModelRequest([*results]) if results else ModelRequest.user_text_prompt('Go on.')
    request = room.prepare([ModelRequest.user_text_prompt('Hello.'), response, follow_up], None, None)
    to_json(room.build().encode(request))


# ---------------------------------------------------------------------- surrogate pairs


@rooms
@kinds
def test_two_halves_of_a_character_in_two_events_are_joined(room: Room, kind: str) -> None:
    for response in read_both(room, make_part(room, kind, f'a{FIRST}{SECOND}b')):
        assert read_content(response.parts[0]) == 'a😀b'
        assert response.state == 'complete'
        assert_portable(room, response)


@rooms
@kinds
@pytest.mark.parametrize('content', [f'a{FIRST}', f'a{SECOND}b', f'{FIRST}{FIRST}', f'{FIRST}b', f'{SECOND}{FIRST}c'])
def test_half_of_a_character_becomes_a_replacement_character(room: Room, kind: str, content: str) -> None:
    expected = content.replace(FIRST, '\ufffd').replace(SECOND, '\ufffd')
    for response in read_both(room, make_part(room, kind, content)):
        assert read_content(response.parts[0]) == expected
        assert response.state == 'complete'
        assert_portable(room, response)


@rooms
def test_a_half_in_any_other_field_does_not_lose_the_response(room: Room) -> None:
    sent = make_response(room, make_text(room, 'Hello.'), model_name=f'm{FIRST}')
    started, ended = encode_events(room, sent, cut)
    for response in (
        read_whole(room, write(encode_body(room, sent))),
        read_stream(room, map(write, [*started, *ended])),
    ):
        assert response.text == 'Hello.'
        assert_portable(room, response)


def test_halves_of_parallel_texts_are_joined_with_their_own_other_halves() -> None:
    joiner = SurrogateJoiner()
    events = [
        {'index': 0, 'delta': {'text': 'a\ud83d'}},
        {'type': 'ping'},
        {'index': 1, 'delta': {'text': 'b\ud83d'}},
        {'index': 0, 'delta': {'text': '\ude00c'}},
        {'index': 1, 'delta': {'text': '\ude01d'}},
    ]
    ready = [joiner.feed(event) for event in events]
    assert ready[:4] == [[], [], [], []]
    assert [event.get('delta', {}).get('text') for event in ready[4]] == ['a😀', None, 'b😁', 'c', 'd']
    assert joiner.held == []


def test_the_other_half_of_a_character_is_not_awaited_for_ever() -> None:
    joiner = SurrogateJoiner()
    ready = [joiner.feed({'text': 'a\ud83d'}), *(joiner.feed({'ping': number}) for number in range(30))]
    assert ready[15][0] == {'text': 'a\ufffd'}
    assert sum(map(len, ready)) == 31


# ---------------------------------------------------------------------- bytes that are not JSON's


DAMAGE = {
    'a byte order mark': (lambda data: b'\xef\xbb\xbf' + data, 'Hello.'),
    'a NUL after the end': (lambda data: data + b'\x00\n', 'Hello.'),
    'a byte that is not UTF-8': (lambda data: data.replace(b'Hello', b'He\xffllo'), 'He\ufffdllo.'),
    'a truncated character': (lambda data: data.replace(b'Hello', b'Hello\xe2\x82'), 'Hello\ufffd.'),
    'halves as UTF-8': (lambda data: data.replace(b'Hello', b'Hello\xed\xa0\xbd\xed\xb8\x80'), 'Hello😀.'),
    'a NUL': (lambda data: data.replace(b'Hello', b'Hel\x00lo'), 'Hel\x00lo.'),
    'an escaped NUL': (lambda data: data.replace(b'Hello', b'Hel\\u0000lo'), 'Hel\x00lo.'),
    'a control character': (lambda data: data.replace(b'Hello', b'Hel\tlo'), 'Hel\tlo.'),
}


@rooms
@pytest.mark.parametrize('damage', DAMAGE)
def test_damaged_bytes_do_not_lose_a_response(room: Room, damage: str) -> None:
    change, expected = DAMAGE[damage]
    sent = make_response(room, make_text(room, 'Hello.'))
    started, ended = encode_events(room, sent, lambda text: [text])
    for response in (
        read_whole(room, change(write(encode_body(room, sent)))),
        read_stream(room, (change(write(event)) for event in [*started, *ended])),
    ):
        assert (response.text, response.state) == (expected, 'complete')
        assert_portable(room, response)


def test_a_byte_order_mark_at_the_start_of_a_stream_is_skipped() -> None:
    data = b'\xef\xbb\xbfdata: {"a": 1}\n\ndata: {"b": 2}\n\n'
    for size in (1, 2, 5, 100):
        splitter = EventSplitter()
        found = [event for at in range(0, len(data), size) for event in splitter.feed(data[at : at + size])]
        assert found == [b'{"a": 1}', b'{"b": 2}']


@rooms
@pytest.mark.parametrize('data', [b'', b'{"a": "b', b'[' * 100_000, b'{"a":' * 5_000, rb'{"a": "\ud83d', b'\xff\xfe'])
def test_what_is_not_json_is_still_an_error(room: Room, data: bytes) -> None:
    with pytest.raises(UnexpectedModelBehavior):
        room.build().new_reader().read_event(data)
    with pytest.raises(ValueError, match=r'line|position|column'):
        parse_json(data)


def test_arguments_with_half_of_a_character_can_be_read_and_sent_again() -> None:
    call = ToolCallPart('f', r'{"a": "x\ud83d", "b": "\\ud83d", "c": "\ud83d\ude00"}')
    assert call.args_as_dict() == {'a': 'x\ufffd', 'b': r'\ud83d', 'c': '😀'}
    assert json.loads(call.args_as_json_str().encode()) == call.args_as_dict()
    whole = ToolCallPart('f', r'{"c": "\ud83d\ude00"}')
    assert whole.args_as_json_str() == whole.args
