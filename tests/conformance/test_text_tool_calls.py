"""Tool calls that a server left in the text: every room finds them if the profile says so, whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given, strategies as st

from pydantic_llm.messages import (
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.streaming.draft import ResponseDraft
from pydantic_llm.streaming.parts import LAST
from pydantic_llm.streaming.text_calls.chained import make_reader
from pydantic_llm.streaming.text_calls.marked import KIMI
from pydantic_llm.streaming.text_calls.parts import find_text_calls
from pydantic_llm.streaming.text_calls.reader import PartialCall, ToolCall
from pydantic_llm.streaming.text_calls.typed_args import fit_args
from pydantic_llm.testing.exchange import encode_body, encode_events
from pydantic_llm.testing.room import Room
from pydantic_llm.testing.samples import make_response, make_text
from pydantic_llm.tools import ToolDefinition
from pydantic_llm.wire import WireModel
from tests.conformance.rooms import ROOMS, openai_chat
from tests.replay import replay

LOOK = ToolDefinition(
    'look', {'type': 'object', 'properties': {'zip': {'type': 'string'}, 'n': {'type': ['integer', 'null']}}}
)
ADD = ToolDefinition('add')
PARAMETERS = ModelRequestParameters([LOOK, ADD])

Part = tuple[str, str]

ONE: list[Part] = [('look', '{"n": 1}')]

SAMPLES: dict[str, tuple[str, list[Part]]] = {
    'hermes': ('So:\n<tool_call>\n{"name": "look", "arguments": {"n": 1}}\n</tool_call>', [('text', 'So:'), *ONE]),
    'text after': ('<tool_call>{"name": "look", "arguments": {"n": 1}}</tool_call>Done.', [*ONE, ('text', 'Done.')]),
    'qwen': (
        '<tool_call>\n<function=look>\n<parameter=zip>\n01234\n</parameter><parameter=n>5</parameter></function></tool_call>',
        [('look', '{"zip": "01234", "n": 5}')],
    ),
    'qwen without its special token': (
        '<function=look>\n<parameter=zip>\n12345\n</parameter>\n</function>',
        [('look', '{"zip": "12345"}')],
    ),
    'glm': ('<tool_call>look\n<arg_key>n</arg_key>\n<arg_value>1</arg_value>\n</tool_call>', ONE),
    'llama': ('<|python_tag|>{"name": "look", "parameters": {"n": 1}}', ONE),
    'llama with a custom tool': ('<function=look>{"n": 1}</function>', ONE),
    'pythonic': ('[look(n=1), add()]', [*ONE, ('add', '{}')]),
    'mistral': ('[TOOL_CALLS]look[ARGS]{"n": 1}', ONE),
    'older mistral': ('[TOOL_CALLS][{"name": "look", "arguments": {"n": 1}}]', ONE),
    'deepseek': (
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>look<｜tool▁sep｜>{"n": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        ONE,
    ),
    'kimi': (
        KIMI.start + '<|tool_call_begin|>functions.look:0<|tool_call_argument_begin|>{"n": 1}<|tool_call_end|>',
        ONE,
    ),
    'json': (
        'Sure.\n```json\n{"name": "look", "arguments": {"n": 1}}\n```\nOk?',
        [('text', 'Sure.'), *ONE, ('text', 'Ok?')],
    ),
    'text': ('Use <tool_call> or [look] {x}.', [('text', 'Use <tool_call> or [look] {x}.')]),
    'another tool': (
        '<tool_call>{"name": "other", "arguments": {}}</tool_call>',
        [('text', '<tool_call>{"name": "other", "arguments": {}}</tool_call>')],
    ),
    'data': ('{"name": "look", "price": 5}', [('text', '{"name": "look", "price": 5}')]),
}

samples = pytest.mark.parametrize('sample', SAMPLES.values(), ids=SAMPLES)


def with_facts(room: Room, **facts: Any) -> WireModel:
    model = copy(room.build())
    model._profile = model.profile.merge(facts)  # pyright: ignore[reportPrivateUsage] -- rooms build models alike
    return model


def list_parts(parts: Sequence[ModelResponsePart]) -> list[Part]:
    """Return each part as its kind, or the name of the tool, and its content; neighbouring texts are joined."""
    listed: list[Part] = []
    for part in parts:
        match part:
            case ToolCallPart(tool_name=name):
                listed.append((name, part.args_as_json_str()))
            case TextPart(content=text) if listed and listed[-1][0] == 'text':
                listed[-1] = ('text', listed[-1][1] + text)
            case TextPart(content=text):
                listed.append(('text', text))
            case _:
                pass
    return listed


def receive(
    model: WireModel, room: Room, sent: ModelResponse, parameters: ModelRequestParameters = PARAMETERS
) -> list[ModelResponse]:
    """Return the response as the client decodes it: whole, and streamed character by character."""
    whole = model.new_reader(parameters=parameters, records_events=False)
    whole.decode(encode_body(room, sent))
    started, ended = encode_events(room, sent, list)
    stream = model.new_reader(parameters=parameters)
    for event in [*started, *ended]:
        stream.decode_event(event)
    stream.end()
    stream.draft.parts.end(complete=stream.draft.has_ended)
    events = stream.draft.parts.take_events()
    assert replay(events) == stream.draft.parts.get()
    return [whole.draft.get(), stream.draft.get()]


@samples
@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_calls_in_the_text_are_found_whole_and_streamed(room: Room, sample: tuple[str, list[Part]]) -> None:
    text, expected = sample
    has_calls = any(kind != 'text' for kind, _ in expected)
    for response in receive(with_facts(room, text_tool_calls=True), room, make_response(room, make_text(room, text))):
        assert list_parts(response.parts) == expected
        assert response.finish_reason == ('tool_call' if has_calls else 'stop')
        assert [warning for warning in response.warnings if 'looks like' in warning] == []


@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_by_default_the_text_stays_and_the_warning_names_the_fact_to_set(room: Room) -> None:
    text = SAMPLES['hermes'][0]
    for response in receive(room.build(), room, make_response(room, make_text(room, text))):
        assert list_parts(response.parts) == [('text', text)]
        assert any("profile={'text_tool_calls': True}" in warning for warning in response.warnings)


@samples
def test_a_truncated_call_is_never_a_valid_one(sample: tuple[str, list[Part]]) -> None:
    """Each prefix of a text has the calls that are complete in it, perhaps one with malformed arguments, and text."""
    text, expected = sample
    calls = [part for part in expected if part[0] != 'text']
    for size in range(len(text)):
        draft = ResponseDraft('m', finish_reason='length')
        find_text_calls(draft, [LOOK, ADD], format=True)
        draft.parts.text(LAST, text[:size])
        draft.parts.end()
        found = [part for part in list_parts(draft.parts.get()) if part[0] != 'text']
        assert all(call in calls for call in found[:-1])
        assert all(call in calls or is_malformed(call[1]) for call in found[-1:]), text[:size]


def is_malformed(args: str) -> bool:
    try:
        json.loads(args)
    except ValueError:
        return True
    return False


@given(st.sampled_from([text for text, _ in SAMPLES.values()]), st.lists(st.integers(0, 200), max_size=5))
def test_the_pieces_of_a_text_make_no_difference(text: str, cuts: list[int]) -> None:
    borders = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    results: list[list[Part]] = []
    for pieces in ([text], [text[start:end] for start, end in pairwise(borders)]):
        reader = make_reader(None, ['look', 'add'])
        items = [item for piece in pieces for item in reader.feed(piece)] + [*reader.close(truncated=False)]
        results.append(list_parts([to_part(item) for item in items if not isinstance(item, PartialCall)]))
    assert results[0] == results[1]


def to_part(item: Any) -> ModelResponsePart:
    return ToolCallPart(item.name, item.args) if isinstance(item, ToolCall) else TextPart(item[1])


def test_every_format_with_marks_is_read_and_warned_of() -> None:
    from pydantic_llm.profiles import TextToolCalls
    from pydantic_llm.streaming.text_calls.formats import CALL_FORMATS, CallFormatName
    from pydantic_llm.wire.unparsed_calls import find_unparsed_call

    assert set(get_args(CallFormatName)) == CALL_FORMATS.keys()
    assert set(get_args(TextToolCalls)) == CALL_FORMATS.keys() - {'harmony'}
    assert {name for name, each in CALL_FORMATS.items() if not each.calls} == {'harmony', 'llama', 'pythonic', 'json'}
    starts = {marks.start for each in CALL_FORMATS.values() for marks in each.calls}
    assert {start for start in starts if not find_unparsed_call(f'{start}\nlook', ['look'])} == set()


@pytest.mark.parametrize(
    ('name', 'sample'), [('hermes', 'qwen'), ('mistral', 'mistral'), ('pythonic', 'pythonic'), ('json', 'json')]
)
def test_a_format_can_be_named_and_the_others_are_text(name: str, sample: str) -> None:
    room = openai_chat.ROOM
    for key, (text, expected) in SAMPLES.items():
        for response in receive(
            with_facts(room, text_tool_calls=name), room, make_response(room, make_text(room, text))
        ):
            if key == sample:
                assert list_parts(response.parts) == expected
            elif key in ('kimi', 'deepseek'):
                assert list_parts(response.parts) == [('text', text)]


def test_the_sections_of_a_named_format_are_split() -> None:
    room = openai_chat.ROOM
    call = (
        '<|open|>tools<|sep|><|open|>call tool="look" index="1"<|sep|><|open|>argument key="zip" type="string"<|sep|>'
        '01234<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>'
    )
    text = f'<|open|>response<|sep|>So:<|close|>response<|sep|><|open|>think<|sep|>Hm.<|close|>think<|sep|>{call}Done.'
    for response in receive(
        with_facts(room, text_tool_calls='kimi_k3'), room, make_response(room, make_text(room, text))
    ):
        assert [part.part_kind for part in response.parts] == ['text', 'thinking', 'tool-call', 'text']
        assert list_parts(response.parts) == [('text', 'So:'), ('look', '{"zip": "01234"}'), ('text', 'Done.')]


def test_a_response_that_must_be_json_is_not_a_call() -> None:
    room, text = openai_chat.ROOM, '{"name": "look", "arguments": {"n": 1}}'
    output = OutputObjectDefinition({'type': 'object'})
    parameters = replace(PARAMETERS, output_mode='native', output_object=output)
    sent = make_response(room, make_text(room, text))
    for model in (with_facts(room, text_tool_calls=True), room.build()):
        for response in receive(model, room, sent, parameters):
            assert (list_parts(response.parts), response.warnings) == ([('text', text)], [])


@pytest.mark.parametrize(
    'text',
    [
        '{"name": "look", "price": 5}',
        'The tools are [{"name": "look", "id": 1}, {"name": "add", "arguments": null}].',
        '{"answers": [{"action": "look", "input": 5}]}',
    ],
)
def test_a_plain_json_response_is_not_warned_of(text: str) -> None:
    room = openai_chat.ROOM
    for response in receive(room.build(), room, make_response(room, make_text(room, text))):
        assert response.warnings == []


def test_thinking_before_a_call_stays_thinking() -> None:
    room = openai_chat.ROOM
    text = f'<think>Where?</think>{SAMPLES["hermes"][0]}'
    for response in receive(with_facts(room, text_tool_calls=True), room, make_response(room, make_text(room, text))):
        assert isinstance(response.parts[0], ThinkingPart)
        assert list_parts(response.parts) == SAMPLES['hermes'][1]


def test_whitespace_inside_of_a_call_is_kept_where_leading_whitespace_is_noise() -> None:
    room = openai_chat.ROOM
    model = with_facts(room, text_tool_calls=True, ignore_streamed_leading_whitespace=True)
    text = '<function=look><parameter=zip>a b</parameter></function>'
    for response in receive(model, room, make_response(room, make_text(room, text))):
        assert list_parts(response.parts) == [('look', '{"zip": "a b"}')]


SCHEMA: dict[str, Any] = {
    'type': 'object',
    'properties': {
        'text': {'$ref': '#/$defs/Text'},
        'either': {'anyOf': [{'type': 'string'}, {'type': 'integer'}]},
        'perhaps': {'type': ['string', 'null']},
        'word': {'enum': ['1', '2']},
        'flag': {'type': 'boolean'},
        'loop': {'$ref': '#/$defs/Loop'},
    },
    '$defs': {'Text': {'type': 'string'}, 'Loop': {'$ref': '#/$defs/Loop'}},
}


@pytest.mark.parametrize(
    ('name', 'value', 'text', 'args'),
    [
        ('text', 12, '12', '{"text": "12"}'),
        ('text', {'a': 1}, '{"a": 1}', '{"text": "{\\"a\\": 1}"}'),
        ('either', 12, '12', '{"either": 12}'),
        ('perhaps', None, 'null', '{"perhaps": null}'),
        ('perhaps', 12, '12', '{"perhaps": "12"}'),
        ('word', 1, '1', '{"word": "1"}'),
        ('flag', True, 'True', '{"flag": true}'),
        ('loop', 1, '1', '{"loop": 1}'),
        ('unknown', 1, '1', '{"unknown": 1}'),
    ],
)
def test_arguments_without_quotes_have_the_types_of_the_schema(name: str, value: Any, text: str, args: str) -> None:
    assert fit_args(ToolCall('look', '', {name: (value, text)}), SCHEMA) == args
