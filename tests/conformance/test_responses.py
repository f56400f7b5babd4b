"""Tests of decoding: unknown fields are ignored, truncated streams are incomplete, invalid data is an error."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from pydantic_llm.exceptions import LLMError
from pydantic_llm.messages import (
    BinaryContent,
    FilePart,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_llm.streaming.broken_off import BROKEN_OFF
from pydantic_llm.usage import RequestUsage
from tests.conformance.exchange import (
    comparable,
    decode_body,
    decode_events,
    encode_body,
    encode_events,
    encode_stream,
    object_events,
    parse_arguments,
)
from tests.conformance.room import Json, Path, Room
from tests.conformance.rooms import ROOMS
from tests.conformance.strategies import responses, splitters

rooms = pytest.mark.parametrize('room', ROOMS, ids=repr)
few = settings(max_examples=50)

UNKNOWN = 'x_unknown'
"""The start of names that no API has."""


def split_in_threes(text: str) -> list[str]:
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def make_response(room: Room, *parts: Any, **fields: Any) -> ModelResponse:
    """Return a response of the room's vendor."""
    model = room.build()
    values: Any = {
        'usage': RequestUsage(input_tokens=5, output_tokens=3),
        'model_name': 'm' if room.features.has_model_name else model.model_name,
        'provider_name': model.system,
        'provider_url': model.base_url,
        'provider_response_id': 'r' if room.features.has_response_id else None,
        'finish_reason': 'stop',
        **fields,
    }
    return ModelResponse(list(parts), **values)


def make_tool_call(room: Room, id: str, args: str = '{"city": "Rome"}') -> ToolCallPart:
    own = {'provider_name': room.build().system} if room.features.item_ids or room.features.signs_tool_calls else {}
    return ToolCallPart('look', args, id, **own, **({'id': f'item_{id}'} if room.features.item_ids else {}))


def make_text(room: Room, content: str) -> TextPart:
    own = {'id': 'item_t', 'provider_name': room.build().system} if room.features.item_ids else {}
    return TextPart(content, **own)


# ---------------------------------------------------------------------- finish reasons


@rooms
def test_every_finish_reason_is_decoded_from_bodies_and_streams(room: Room) -> None:
    for reason in room.features.finish_reasons:
        sent = make_response(room, make_text(room, 'Hello.'), finish_reason=reason)
        started, ended = encode_events(room, sent, split_in_threes)
        for read in (decode_body(room, encode_body(room, sent)), decode_events(room, [*started, *ended])[0]):
            assert (read.finish_reason, read.state) == (reason, 'complete')


@rooms
def test_the_vendors_finish_reason_is_kept_in_the_details(room: Room) -> None:
    for word, reason in room.finish_reasons.items():
        body = set_at(encode_body(room, make_response(room, make_text(room, 'Hello.'))), room.finish_reason_path, word)
        read = decode_body(room, body)
        assert (read.finish_reason, (read.provider_details or {})['finish_reason']) == (reason, word)


REASON_FIELDS = {'finish_reason', 'stop_reason', 'stopReason', 'finishReason', 'status', 'finish'}
"""The fields in which the APIs name the finish reason."""


def replace_finish_reasons(value: Any, word: str) -> Any:
    if isinstance(value, list):
        return [replace_finish_reasons(item, word) for item in value]
    if not isinstance(value, dict):
        return value
    named = {name: word for name in value if name in REASON_FIELDS and value[name]}
    return {name: replace_finish_reasons(item, word) for name, item in value.items()} | named


@rooms
@pytest.mark.parametrize('word', [*BROKEN_OFF, 'ABORT', 'Error', 'engine_error', 'request_cancelled', 'interrupted'])
def test_a_response_that_the_server_broke_off_is_never_complete(room: Room, word: str) -> None:
    sent = make_response(room, make_text(room, 'Hello.'))
    body = replace_finish_reasons(encode_body(room, sent), word)
    started, ended = encode_events(room, sent, split_in_threes)
    for read in (decode_body(room, body), decode_events(room, [*started, *replace_finish_reasons(ended, word)])[0]):
        assert (read.state, read.finish_reason) == ('incomplete', 'error')
        assert (read.provider_details or {})['finish_reason'] == word
        assert read.text == 'Hello.'


@rooms
def test_a_finish_reason_is_never_invented(room: Room) -> None:
    body = replace_finish_reasons(encode_body(room, make_response(room, make_text(room, 'Hello.'))), '')
    assert decode_body(room, body).finish_reason in (None, 'stop' if room.name == 'openai-responses' else None)


@pytest.mark.parametrize('room', [room for room in ROOMS if room.features.pauses], ids=repr)
def test_a_paused_turn_is_suspended_and_can_be_sent_back(room: Room) -> None:
    sent = make_response(room, make_text(room, 'Wait.'), finish_reason=None, state='suspended')
    started, ended = encode_events(room, sent, split_in_threes)
    for read in (decode_body(room, encode_body(room, sent)), decode_events(room, [*started, *ended])[0]):
        assert (read.state, read.finish_reason, read.text) == ('suspended', None, 'Wait.')
        assert read.must_continue
        request = room.prepare([ModelRequest.user_text_prompt('Hi'), read])
        assert 'Wait.' in str(room.build().encode(request))
        assert request.warnings == []


@rooms
def test_an_unknown_finish_reason_is_kept_in_the_details_only(room: Room) -> None:
    body = set_at(encode_body(room, make_response(room, make_text(room, 'Hello.'))), room.finish_reason_path, UNKNOWN)
    read = decode_body(room, body)
    assert (read.finish_reason, read.state) == (None, 'complete')
    assert (read.provider_details or {})['finish_reason'] == UNKNOWN
    assert read.text == 'Hello.'


@rooms
def test_a_response_without_parts_is_valid(room: Room) -> None:
    sent = make_response(room)
    started, ended = encode_events(room, sent, split_in_threes)
    for read in (decode_body(room, encode_body(room, sent)), decode_events(room, [*started, *ended])[0]):
        assert comparable(read) == comparable(sent)


@rooms
def test_arguments_that_a_model_emits_as_objects_reach_the_client(room: Room) -> None:
    arguments = ('{"city":"Rome","days":3}', '{}', '{"place":{"lat":1.5},"names":["a"]}')
    calls = [make_tool_call(room, f'id{number}abcd', args) for number, args in enumerate(arguments)]
    sent = make_response(room, *calls, finish_reason='tool_call')
    started, ended = encode_stream(room, sent, object_events(sent))
    read, _ = decode_events(room, [*started, *ended])
    assert [(call.tool_name, call.args_as_json_str()) for call in read.tool_calls] == [
        ('look', text) for text in arguments
    ]


# ---------------------------------------------------------------------- truncated streams


@rooms
@few
@given(data=st.data())
def test_a_truncated_stream_is_incomplete_and_its_parts_are_kept(room: Room, data: st.DataObject) -> None:
    sent, split = data.draw(responses(room)), data.draw(splitters())
    started, _ = encode_events(room, sent, split)
    length = data.draw(st.integers(0, len(started)))
    read, emitted = decode_events(room, started[:length])
    assert (read.state, read.finish_reason) == ('incomplete', None)
    assert sorted(event.index for event in emitted if event.event_kind == 'part_end') == list(range(len(read.parts)))
    for part, whole in zip(read.parts, sent.parts, strict=False):
        assert is_prefix(part, whole)


def is_prefix(part: Any, whole: Any) -> bool:
    """Return whether a truncated part is a prefix of the complete one."""
    assert type(part) is type(whole)
    if isinstance(part, ToolCallPart):
        same = bool(part.tool_name == whole.tool_name)
        if isinstance(part.args, dict):
            return same and part.args == whole.args_as_dict()
        return same and whole.args_as_json_str().startswith(part.args or '')
    return bool(whole.content.startswith(part.content))


@rooms
def test_a_stream_without_events_is_incomplete(room: Room) -> None:
    read, emitted = decode_events(room, [])
    assert (read.parts, read.state, emitted) == ([], 'incomplete', [])


# ---------------------------------------------------------------------- parallel tool calls


@rooms
def test_parallel_tool_calls_are_not_mixed(room: Room) -> None:
    calls = [
        make_tool_call(room, 'a', '{"city": "Rome"}'),
        make_tool_call(room, 'b', '{}'),
        make_tool_call(room, 'c', '{"city": "Ulan Bator"}'),
    ]
    sent = make_response(room, make_text(room, 'Three.'), *calls)
    for size in (1, 5, 100):
        started, ended = encode_events(
            room, sent, lambda text, size=size: [text[n : n + size] for n in range(0, len(text), size)]
        )
        read, _ = decode_events(room, [*started, *ended])
        assert parse_arguments(read).parts == parse_arguments(sent).parts


@rooms
@pytest.mark.parametrize('id', ['a', ''])
def test_tool_calls_with_the_same_id_get_ids_of_their_own(room: Room, id: str) -> None:
    calls = [replace(make_tool_call(room, name), tool_call_id=id) for name in ('x', 'y')]
    sent = make_response(room, *calls)
    started, ended = encode_events(room, sent, split_in_threes)
    for read in (decode_body(room, encode_body(room, sent)), decode_events(room, [*started, *ended])[0]):
        assert [call.args_as_dict() for call in read.tool_calls] == [{'city': 'Rome'}] * 2
        assert len({call.tool_call_id for call in read.tool_calls} - {''}) == 2


# ---------------------------------------------------------------------- whitespace


@rooms
@pytest.mark.parametrize('content', [' ', '\n', ' a', 'a\n\n', '\u2028', '\x00', '🧑‍🚀', '</think>', 'a <think> b'])
def test_every_character_of_a_text_is_kept(room: Room, content: str) -> None:
    sent = make_response(room, make_text(room, content))
    started, ended = encode_events(room, sent, list)
    assert decode_body(room, encode_body(room, sent)).text == content
    assert decode_events(room, [*started, *ended])[0].text == content


# ---------------------------------------------------------------------- unknown fields, events and parts


def objects(value: Any) -> Iterator[Json]:
    """Yield all JSON objects inside a value."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from objects(item)


def add_unknown_fields(value: Any, picked: set[int]) -> Any:
    """Return the value with unknown fields in some of its objects."""
    value = deepcopy(value)
    for number, found in enumerate(list(objects(value))):
        if number in picked:
            found[f'{UNKNOWN}_field'] = {'type': UNKNOWN, 'text': UNKNOWN, 'index': 7}
    return value


def remove_unknown_fields(value: Any) -> Any:
    """Remove unknown fields. They stay in objects of the API that parts keep as they are."""
    if isinstance(value, dict):
        return {name: remove_unknown_fields(item) for name, item in value.items() if not name.startswith(UNKNOWN)}
    return [remove_unknown_fields(item) for item in value] if isinstance(value, list) else value


def normalize(response: ModelResponse) -> Any:
    """Return the comparable fields of a response as JSON, without unknown fields."""
    fields = ModelMessagesTypeAdapter.dump_python(
        [replace(parse_arguments(response), provider_details=None)], mode='json'
    )[0]
    return remove_unknown_fields(fields | {'timestamp': None})


@rooms
@few
@given(data=st.data())
def test_unknown_fields_are_ignored(room: Room, data: st.DataObject) -> None:
    sent, split, picked = data.draw(responses(room)), data.draw(splitters()), data.draw(st.sets(st.integers(0, 40)))
    body = add_unknown_fields(encode_body(room, sent), picked)
    assert normalize(decode_body(room, body)) == normalize(sent)
    started, ended = encode_events(room, sent, split)
    events = add_unknown_fields([*started, *ended], picked)
    assert normalize(decode_events(room, events)[0]) == normalize(sent)


UNKNOWN_EVENTS: list[Json] = [
    {'type': UNKNOWN},
    {'type': UNKNOWN, 'index': 0, 'delta': {'type': UNKNOWN, 'text': UNKNOWN}, 'item_id': UNKNOWN, 'item': {}},
    {'object': UNKNOWN, UNKNOWN: [1]},
    {},
]


@rooms
@few
@given(data=st.data())
def test_unknown_events_are_ignored(room: Room, data: st.DataObject) -> None:
    sent = data.draw(responses(room))
    started, ended = encode_events(room, sent, data.draw(splitters()))
    events = [*started, *ended]
    for event in data.draw(st.lists(st.sampled_from(UNKNOWN_EVENTS), min_size=1, max_size=4)):
        events.insert(data.draw(st.integers(0, len(events))), event)
    assert normalize(decode_events(room, events)[0]) == normalize(sent)


@pytest.mark.parametrize('room', [room for room in ROOMS if room.parts_path], ids=repr)
def test_a_part_of_an_unknown_kind_does_not_hide_the_others(room: Room) -> None:
    sent = make_response(room, make_text(room, 'Hello.'), make_tool_call(room, 'a'))
    body = encode_body(room, sent)
    get_at(body, room.parts_path).insert(1, {'type': UNKNOWN, 'id': 'x', UNKNOWN: {'text': UNKNOWN}})
    read = decode_body(room, body)
    known = [part for part in read.parts if not isinstance(part, (NativeToolCallPart, NativeToolReturnPart))]
    assert parse_arguments(replace(read, parts=known)).parts == parse_arguments(sent).parts


def set_at(body: Json, path: Path, value: Any) -> Json:
    """Set the value at a path, with the objects on the way to it, and return the body."""
    *way, last = path
    target: Any = body
    for step in way:
        if isinstance(step, str) and target.get(step) is None:
            target[step] = {}
        target = target[step]
    target[last] = value
    return body


def get_at(body: Any, path: Path) -> Any:
    for step in path:
        body = body[step]
    return body


# ---------------------------------------------------------------------- invalid data

INVALID = st.sampled_from(
    [None, True, 0, -1, 2.5, 1e300, '', 'x', '\x00', [], ['x'], [{}], {}, {'x': 1}, {'type': 'x'}]
)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of all values inside a JSON value."""
    yield path
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield from paths(item, (*path, step))


def damage(data: st.DataObject, value: Any) -> Any:
    """Return the value with invalid values at a few paths."""
    value = deepcopy(value)
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(list(paths(value))))
        invalid = data.draw(INVALID)
        if not path:
            return invalid
        get_at(value, path[:-1])[path[-1]] = deepcopy(invalid)
    return value


def assert_valid(response: ModelResponse) -> None:
    """Assert that the fields of a response have their types: it can be written as JSON and read again."""
    written = ModelMessagesTypeAdapter.dump_json([response])
    assert ModelMessagesTypeAdapter.dump_json(ModelMessagesTypeAdapter.validate_json(written)) == written


def rich_response(room: Room) -> ModelResponse:
    """Return a response with a part of each kind."""
    own = {'provider_name': room.build().system}
    item = {'id': 'item_x'} if room.features.item_ids else {}
    return make_response(
        room,
        ThinkingPart('Hm.', signature='s' if room.features.signatures else None, **own, **item),
        make_text(room, 'Hello.'),
        make_tool_call(room, 'a'),
        FilePart(BinaryContent(b'x', media_type='image/png'), **own),
    )


@rooms
@settings(max_examples=300)
@given(data=st.data())
def test_an_invalid_body_raises_only_llm_errors(room: Room, data: st.DataObject) -> None:
    body = damage(data, encode_body(room, rich_response(room)))
    try:
        read = decode_body(room, body)
    except LLMError:
        return
    assert_valid(read)


@rooms
@settings(max_examples=300)
@given(data=st.data())
def test_invalid_events_raise_only_llm_errors(room: Room, data: st.DataObject) -> None:
    started, ended = encode_events(
        room, replace(rich_response(room), parts=list(rich_response(room).parts[:3])), split_in_threes
    )
    events = [*started, *ended]
    number = data.draw(st.integers(0, len(events) - 1))
    events[number] = damage(data, events[number])
    try:
        read, _ = decode_events(room, events)
    except LLMError:
        return
    assert_valid(read)
