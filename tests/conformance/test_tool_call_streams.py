"""Tool calls as servers of Chat Completions send them: shared indexes and ids, odd arguments, repeated fields."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from json import dumps
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from pydantic_llm.messages import ModelResponse, ToolCallPart
from pydantic_llm.testing.exchange import end_stream
from pydantic_llm.testing.room import Json, Room
from tests.conformance.rooms import groq, huggingface, litellm, mistral, openai_chat
from tests.replay import replay

CHAT_ROOMS = (openai_chat.ROOM, groq.ROOM, huggingface.ROOM, litellm.ROOM, mistral.ROOM)
rooms = pytest.mark.parametrize('room', CHAT_ROOMS, ids=repr)

TOOLS = ('f', 'g', 'get', 'get_weather')
MISSING: Any = object()


def fragment(index: Any = MISSING, id: Any = MISSING, name: Any = MISSING, args: Any = MISSING) -> Json:
    """Return a fragment of a tool call with the fields that are given."""
    function = {key: value for key, value in (('name', name), ('arguments', args)) if value is not MISSING}
    call: Json = {'type': 'function', 'function': function}
    return call | {key: value for key, value in (('index', index), ('id', id)) if value is not MISSING}


def decode_chunks(room: Room, deltas: list[Json]) -> ModelResponse:
    """Decode a stream of deltas, and assert that its events lead to its parts."""
    reader = room.build().new_reader(tool_names=TOOLS)
    chunks = [{'choices': [{'index': 0, 'delta': delta}]} for delta in deltas]
    for chunk in [*chunks, {'choices': [{'index': 0, 'delta': {}, 'finish_reason': 'tool_calls'}]}]:
        reader.decode_event(chunk)
    end_stream(reader)
    response = reader.draft.get()
    assert replay(reader.draft.parts.take_events()) == response.parts
    return response


def decode_message(room: Room, message: Json) -> ModelResponse:
    reader = room.build().new_reader(tool_names=TOOLS)
    reader.decode({'choices': [{'index': 0, 'message': message, 'finish_reason': 'tool_calls'}]})
    return reader.draft.get()


def list_calls(response: ModelResponse) -> list[tuple[str, Json]]:
    """Return the names and the arguments of the tool calls, and assert that each has an id of its own."""
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    ids = [call.tool_call_id for call in calls]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    return [(call.tool_name, call.args_as_dict()) for call in calls]


ONE, TWO = '{"x": "1"}', '{"x": "2"}'
BOTH = [('f', {'x': '1'}), ('g', {'x': '2'})]
SAME_TOOL = [('f', {'x': '1'}), ('f', {'x': '2'})]

PARALLEL: dict[str, tuple[list[list[Json]], list[tuple[str, Json]]]] = {
    'one index, two chunks': ([[fragment(0, 'a', 'f', ONE)], [fragment(0, 'b', 'g', TWO)]], BOTH),
    'one index, one chunk': ([[fragment(0, 'a', 'f', ONE), fragment(0, 'b', 'g', TWO)]], BOTH),
    'one index, one tool': ([[fragment(0, 'a', 'f', ONE)], [fragment(0, 'b', 'f', TWO)]], SAME_TOOL),
    'one index, no ids': ([[fragment(0, MISSING, 'f', ONE)], [fragment(0, MISSING, 'g', TWO)]], BOTH),
    'one index, no ids, one tool': ([[fragment(0, '', 'f', ONE)], [fragment(0, '', 'f', TWO)]], SAME_TOOL),
    'one index, fragments': (
        [
            [fragment(0, 'a', 'f', '')],
            [fragment(0, args=ONE[:4])],
            [fragment(0, args=ONE[4:])],
            [fragment(0, 'b', 'g', '')],
            [fragment(0, args=TWO)],
        ],
        BOTH,
    ),
    'one id, two indexes': ([[fragment(0, 'a', 'f', ONE)], [fragment(1, 'a', 'g', TWO)]], BOTH),
    'one id, two indexes, interleaved': (
        [
            [fragment(0, 'a', 'f', ''), fragment(1, 'a', 'g', '')],
            [fragment(1, 'a', args=TWO[:4]), fragment(0, 'a', args=ONE[:4])],
            [fragment(0, 'a', args=ONE[4:]), fragment(1, 'a', args=TWO[4:])],
        ],
        BOTH,
    ),
    'one id, one index, one tool': ([[fragment(0, 'a', 'f', ONE)], [fragment(0, 'a', 'f', TWO)]], SAME_TOOL),
    'one id, no index': ([[fragment(id='a', name='f', args=ONE)], [fragment(id='a', name='g', args=TWO)]], BOTH),
    'no index, interleaved by id': (
        [
            [fragment(id='a', name='f', args='')],
            [fragment(id='b', name='g', args='')],
            [fragment(id='a', args=ONE)],
            [fragment(id='b', args=TWO)],
        ],
        BOTH,
    ),
    'index null': (
        [
            [fragment(None, 'a', 'f', '')],
            [fragment(None, None, None, ONE)],
            [fragment(None, 'b', 'g', None)],
            [fragment(None, '', '', TWO)],
        ],
        BOTH,
    ),
    'indexes as text from 1': (
        [
            [fragment('1', 'a', 'f', '')],
            [fragment('2', 'b', 'g', '')],
            [fragment('1', args=ONE)],
            [fragment(2, args=TWO)],
        ],
        BOTH,
    ),
    'fragments of another index': (
        [
            [fragment(1, 'a', 'f', '')],
            [fragment(0, args=ONE)],
            [fragment(2, 'b', 'g', '')],
            [fragment(1, 'b', args=TWO)],
        ],
        BOTH,
    ),
    'interleaved by index': (
        [
            [fragment(0, 'a', 'f', ''), fragment(1, 'b', 'g', '')],
            [fragment(1, args=TWO[:3])],
            [fragment(0, args=ONE)],
            [fragment(1, args=TWO[3:])],
        ],
        BOTH,
    ),
    'a second name in pieces': (
        [[fragment(0, 'a', 'f', ONE)], [fragment(1, 'b', 'no')], [fragment(1, name='ne', args=TWO)]],
        [BOTH[0], ('none', {'x': '2'})],
    ),
    'the name after the arguments': (
        [[fragment(0, 'a', args=ONE)], [fragment(0, 'a', 'f')], [fragment(1, 'b', args=TWO)], [fragment(1, name='g')]],
        BOTH,
    ),
}


@rooms
@pytest.mark.parametrize('case', PARALLEL)
def test_parallel_tool_calls_are_told_apart(room: Room, case: str) -> None:
    deltas, calls = PARALLEL[case]
    assert list_calls(decode_chunks(room, [{'tool_calls': delta} for delta in deltas])) == calls


LONG = '{"x": {"y": [{"z": "}{"}, 2]}}'
WANTED = [('f', {'x': {'y': [{'z': '}{'}, 2]}})]

SINGLE: dict[str, tuple[list[Json], list[tuple[str, Json]]]] = {
    'id and name on every fragment': ([fragment(0, 'a', 'f', piece) for piece in LONG], WANTED),
    'name on every fragment': ([fragment(0, name='f', args=piece) for piece in LONG], WANTED),
    'another id on every fragment': (
        [fragment(0, 'a', 'f', ''), *(fragment(0, f'id{n}', args=piece) for n, piece in enumerate(LONG))],
        WANTED,
    ),
    'another id on every fragment, no index': (
        [fragment(id='a', name='f', args=''), *(fragment(id=f'id{n}', args=piece) for n, piece in enumerate(LONG))],
        WANTED,
    ),
    'empty id on continuation': ([fragment(0, 'a', 'f', LONG[:9]), fragment(0, '', '', LONG[9:])], WANTED),
    'complete arguments twice': ([fragment(0, 'a', 'f', LONG), fragment(0, 'a', 'f', LONG)], WANTED),
    'fragments and then all': (
        [fragment(0, 'a', 'f', LONG[:9]), fragment(0, args=LONG[9:]), fragment(0, args=LONG)],
        WANTED,
    ),
    'a beginning and then all': ([fragment(0, 'a', 'f', '{'), fragment(0, args=LONG)], WANTED),
    'empty object first': (
        [fragment(0, 'a', 'f', '{}'), fragment(0, args=LONG[:9]), fragment(0, args=LONG[9:])],
        WANTED,
    ),
    'only an empty object': ([fragment(0, 'a', 'f', '{}')], [('f', {})]),
    'the text null as arguments': ([fragment(0, 'a', 'f', 'null')], [('f', {})]),
    'no arguments': ([fragment(0, 'a', 'f')], [('f', {})]),
    'arguments null': ([fragment(0, 'a', 'f', None), fragment(0, 'a', None, LONG)], WANTED),
    'arguments are an object': ([fragment(0, 'a', 'f', {'x': 1})], [('f', {'x': 1})]),
    'arguments are an empty list': ([fragment(0, 'a', 'f', [])], [('f', {})]),
    'the name in pieces': (
        [fragment(0, 'a', 'get', ''), fragment(0, name='_weather'), fragment(0, args=ONE)],
        [('get_weather', {'x': '1'})],
    ),
    'a name that begins another': ([fragment(0, 'a', 'get', ''), fragment(0, args=ONE)], [('get', {'x': '1'})]),
    'a name that begins another, without arguments': ([fragment(0, 'a', 'get')], [('get', {})]),
    'an unknown name in pieces': ([fragment(0, 'a', 'no'), fragment(0, name='ne', args=ONE)], [('none', {'x': '1'})]),
    'without function': ([{'index': 0, 'id': 'a', 'name': 'f', 'arguments': ONE}], [('f', {'x': '1'})]),
}


@rooms
@pytest.mark.parametrize('case', SINGLE)
def test_a_tool_call_is_assembled_from_odd_fragments(room: Room, case: str) -> None:
    fragments, calls = SINGLE[case]
    assert list_calls(decode_chunks(room, [{'tool_calls': [piece]} for piece in fragments])) == calls


WHOLE: dict[str, list[Json]] = {
    'one index': [fragment(0, 'a', 'f', ONE), fragment(0, 'b', 'g', TWO)],
    'one id': [fragment(id='a', name='f', args=ONE), fragment(id='a', name='g', args=TWO)],
    'empty ids': [fragment(id='', name='f', args=ONE), fragment(id='', name='g', args=TWO)],
    'no ids': [fragment(0, name='f', args={'x': '1'}), fragment(0, name='g', args={'x': '2'})],
}


@rooms
@pytest.mark.parametrize('case', WHOLE)
def test_each_item_of_a_whole_response_is_a_tool_call(room: Room, case: str) -> None:
    assert list_calls(decode_message(room, {'content': None, 'tool_calls': WHOLE[case]})) == BOTH


@rooms
def test_equal_tool_calls_of_a_whole_response_are_kept(room: Room) -> None:
    call = fragment(0, 'a', 'f', ONE)
    assert list_calls(decode_message(room, {'tool_calls': [call, call]})) == [BOTH[0], BOTH[0]]


@rooms
def test_the_function_call_before_tools_becomes_a_tool_call(room: Room) -> None:
    call = {'name': 'f', 'arguments': ONE}
    assert list_calls(decode_message(room, {'content': None, 'function_call': call})) == BOTH[:1]
    pieces = [{'name': 'f', 'arguments': ''}, {'arguments': ONE[:4]}, {'name': None, 'arguments': ONE[4:]}]
    assert list_calls(decode_chunks(room, [{'function_call': piece} for piece in pieces])) == BOTH[:1]


@rooms
def test_a_function_call_that_repeats_the_tool_calls_is_ignored(room: Room) -> None:
    message = {'tool_calls': [fragment(0, 'a', 'f', ONE)], 'function_call': {'name': 'f', 'arguments': ONE}}
    assert list_calls(decode_message(room, message)) == BOTH[:1]
    assert list_calls(decode_chunks(room, [message])) == BOTH[:1]


# ---------------------------------------------------------------------- random calls in the style of random servers

arguments = st.dictionaries(
    st.sampled_from(['x', 'y', '{"']), st.integers(0, 9) | st.text('ab{}"\\', max_size=4), max_size=3
)
calls_of_responses = st.lists(st.tuples(st.sampled_from(['f', 'g']), arguments), min_size=1, max_size=4)


def stream_calls(calls: list[tuple[str, Json]], style: Json) -> Iterator[Json]:
    """Yield the fragments of tool calls as a server of this style sends them."""
    streams = [list(stream_call(number, *call, style)) for number, call in enumerate(calls)]
    if style['interleaved']:
        for pieces in zip_longest(*streams):
            yield from (piece for piece in pieces if piece is not None)
    else:
        yield from (piece for pieces in streams for piece in pieces)


def stream_call(number: int, name: str, args: Json, style: Json) -> Iterator[Json]:
    text = dumps(args)
    pieces = ['', *(text[at : at + style['size']] for at in range(0, len(text), style['size']))]
    index = {'number': number, 'text': str(number), 'zero': 0, 'none': MISSING}[style['index']]
    for position, piece in enumerate(pieces):
        id = f'call_{number}' if position == 0 or style['repeats_id'] else MISSING
        yield fragment(index, id, name if position == 0 or style['repeats_name'] else MISSING, piece)


styles = st.fixed_dictionaries(
    {
        'size': st.sampled_from([1, 3, 100]),
        'index': st.sampled_from(['number', 'text', 'zero', 'none']),
        'repeats_id': st.booleans(),
        'repeats_name': st.booleans(),
        'interleaved': st.booleans(),
    }
).filter(lambda style: not style['interleaved'] or style['repeats_id'] or style['index'] in ('number', 'text'))
"""Styles in which each fragment names its call, or follows it."""


@settings(max_examples=200)
@given(calls=calls_of_responses, style=styles)
def test_tool_calls_are_read_from_servers_of_every_style(calls: list[tuple[str, Json]], style: Json) -> None:
    deltas = [{'tool_calls': [piece]} for piece in stream_calls(calls, style)]
    assert list_calls(decode_chunks(openai_chat.ROOM, deltas)) == calls
