"""What comes over the wire is read for what it says: strange words pass, cut answers are told, garbage is an error."""

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
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_llm.usage import RequestUsage
from tests.conformance.exchange import parsed, read_events, read_whole, streamed, what_counts, whole_body
from tests.conformance.room import Json, Path, Room
from tests.conformance.rooms import ROOMS
from tests.conformance.strategies import cuts, responses

rooms = pytest.mark.parametrize('room', ROOMS, ids=repr)
few = settings(max_examples=50)

STRANGE = 'x_strange'
"""What the names begin with that no API has."""


def in_threes(text: str) -> list[str]:
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def answer(room: Room, *parts: Any, **fields: Any) -> ModelResponse:
    """An answer of the room's vendor."""
    model = room.build()
    facts: Any = {
        'usage': RequestUsage(input_tokens=5, output_tokens=3),
        'model_name': 'm' if room.says.names_model else model.model_name,
        'provider_name': model.system,
        'provider_url': model.base_url,
        'provider_response_id': 'r' if room.says.has_id else None,
        'finish_reason': 'stop',
        **fields,
    }
    return ModelResponse(list(parts), **facts)


def call(room: Room, id: str, args: str = '{"city": "Rome"}') -> ToolCallPart:
    own = {'provider_name': room.build().system} if room.says.item_ids or room.says.signs_calls else {}
    return ToolCallPart('look', args, id, **own, **({'id': f'item_{id}'} if room.says.item_ids else {}))


def text(room: Room, content: str) -> TextPart:
    own = {'id': 'item_t', 'provider_name': room.build().system} if room.says.item_ids else {}
    return TextPart(content, **own)


# ---------------------------------------------------------------------- the end


@rooms
def test_every_reason_to_end_comes_back_whole_and_streamed(room: Room) -> None:
    for reason in room.says.finish_reasons:
        said = answer(room, text(room, 'Hello.'), finish_reason=reason)
        begun, ended = streamed(room, said, in_threes)
        for read in (read_whole(room, whole_body(room, said)), read_events(room, [*begun, *ended])[0]):
            assert (read.finish_reason, read.state) == (reason, 'complete')


@rooms
def test_every_word_for_the_end_is_kept_beside_ours(room: Room) -> None:
    for word, reason in room.words.items():
        body = put(whole_body(room, answer(room, text(room, 'Hello.'))), room.end, word)
        read = read_whole(room, body)
        assert (read.finish_reason, (read.provider_details or {})['finish_reason']) == (reason, word)


@rooms
def test_a_word_for_the_end_that_nobody_knows_is_kept_and_means_nothing(room: Room) -> None:
    body = put(whole_body(room, answer(room, text(room, 'Hello.'))), room.end, STRANGE)
    read = read_whole(room, body)
    assert (read.finish_reason, read.state) == (None, 'complete')
    assert (read.provider_details or {})['finish_reason'] == STRANGE
    assert read.text == 'Hello.'


@rooms
def test_an_answer_without_words_is_an_answer(room: Room) -> None:
    said = answer(room)
    begun, ended = streamed(room, said, in_threes)
    for read in (read_whole(room, whole_body(room, said)), read_events(room, [*begun, *ended])[0]):
        assert what_counts(read) == what_counts(said)


# ---------------------------------------------------------------------- streams that are cut


@rooms
@few
@given(data=st.data())
def test_a_stream_that_is_cut_is_incomplete_and_what_came_is_kept(room: Room, data: st.DataObject) -> None:
    said, cut = data.draw(responses(room)), data.draw(cuts())
    begun, _ = streamed(room, said, cut)
    length = data.draw(st.integers(0, len(begun)))
    read, heard = read_events(room, begun[:length])
    assert (read.state, read.finish_reason) == ('incomplete', None)
    assert sorted(event.index for event in heard if event.event_kind == 'part_end') == list(range(len(read.parts)))
    for part, whole in zip(read.parts, said.parts, strict=False):
        assert is_beginning(part, whole)


def is_beginning(part: Any, whole: Any) -> bool:
    """Whether what came of a part is how the whole one begins."""
    assert type(part) is type(whole)
    if isinstance(part, ToolCallPart):
        same = bool(part.tool_name == whole.tool_name)
        if isinstance(part.args, dict):
            return same and part.args == whole.args_as_dict()
        return same and whole.args_as_json_str().startswith(part.args or '')
    return bool(whole.content.startswith(part.content))


@rooms
def test_a_stream_without_any_event_of_a_part_is_incomplete(room: Room) -> None:
    read, heard = read_events(room, [])
    assert (read.parts, read.state, heard) == ([], 'incomplete', [])


# ---------------------------------------------------------------------- side by side


@rooms
def test_calls_that_grow_side_by_side_stay_apart(room: Room) -> None:
    calls = [call(room, 'a', '{"city": "Rome"}'), call(room, 'b', '{}'), call(room, 'c', '{"city": "Ulan Bator"}')]
    said = answer(room, text(room, 'Three.'), *calls)
    for size in (1, 5, 100):
        begun, ended = streamed(
            room, said, lambda text, size=size: [text[n : n + size] for n in range(0, len(text), size)]
        )
        read, _ = read_events(room, [*begun, *ended])
        assert parsed(read).parts == parsed(said).parts


# ---------------------------------------------------------------------- whitespace


@rooms
@pytest.mark.parametrize('content', [' ', '\n', ' a', 'a\n\n', '\u2028', '\x00', '🧑‍🚀', '</think>', 'a <think> b'])
def test_every_character_of_a_text_is_kept(room: Room, content: str) -> None:
    said = answer(room, text(room, content))
    begun, ended = streamed(room, said, list)
    assert read_whole(room, whole_body(room, said)).text == content
    assert read_events(room, [*begun, *ended])[0].text == content


# ---------------------------------------------------------------------- what nobody knows


def objects(value: Any) -> Iterator[Json]:
    """All JSON objects inside a value."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from objects(item)


def with_strange_fields(value: Any, picked: set[int]) -> Any:
    """The value with fields in some of its objects that no API has."""
    value = deepcopy(value)
    for number, found in enumerate(list(objects(value))):
        if number in picked:
            found[f'{STRANGE}_field'] = {'type': STRANGE, 'text': STRANGE, 'index': 7}
    return value


def without_strange_fields(value: Any) -> Any:
    """The value without them, where the API's objects are kept as they are."""
    if isinstance(value, dict):
        return {name: without_strange_fields(item) for name, item in value.items() if not name.startswith(STRANGE)}
    return [without_strange_fields(item) for item in value] if isinstance(value, list) else value


def as_it_was(response: ModelResponse) -> Any:
    """What counts of an answer, as JSON without strange fields."""
    fields = ModelMessagesTypeAdapter.dump_python([replace(parsed(response), provider_details=None)], mode='json')[0]
    return without_strange_fields(fields | {'timestamp': None})


@rooms
@few
@given(data=st.data())
def test_fields_that_nobody_knows_are_passed_over(room: Room, data: st.DataObject) -> None:
    said, cut, picked = data.draw(responses(room)), data.draw(cuts()), data.draw(st.sets(st.integers(0, 40)))
    body = with_strange_fields(whole_body(room, said), picked)
    assert as_it_was(read_whole(room, body)) == as_it_was(said)
    begun, ended = streamed(room, said, cut)
    events = with_strange_fields([*begun, *ended], picked)
    assert as_it_was(read_events(room, events)[0]) == as_it_was(said)


STRANGE_EVENTS: list[Json] = [
    {'type': STRANGE},
    {'type': STRANGE, 'index': 0, 'delta': {'type': STRANGE, 'text': STRANGE}, 'item_id': STRANGE, 'item': {}},
    {'object': STRANGE, STRANGE: [1]},
    {},
]


@rooms
@few
@given(data=st.data())
def test_events_that_nobody_knows_are_passed_over(room: Room, data: st.DataObject) -> None:
    said = data.draw(responses(room))
    begun, ended = streamed(room, said, data.draw(cuts()))
    events = [*begun, *ended]
    for event in data.draw(st.lists(st.sampled_from(STRANGE_EVENTS), min_size=1, max_size=4)):
        events.insert(data.draw(st.integers(0, len(events))), event)
    assert as_it_was(read_events(room, events)[0]) == as_it_was(said)


@pytest.mark.parametrize('room', [room for room in ROOMS if room.parts], ids=repr)
def test_a_part_of_a_kind_that_nobody_knows_does_not_hide_the_others(room: Room) -> None:
    said = answer(room, text(room, 'Hello.'), call(room, 'a'))
    body = whole_body(room, said)
    at(body, room.parts).insert(1, {'type': STRANGE, 'id': 'x', STRANGE: {'text': STRANGE}})
    read = read_whole(room, body)
    known = [part for part in read.parts if not isinstance(part, (NativeToolCallPart, NativeToolReturnPart))]
    assert parsed(replace(read, parts=known)).parts == parsed(said).parts


def put(body: Json, path: Path, value: Any) -> Json:
    """The body with another value in one place; what is missing on the way is made."""
    *way, last = path
    place: Any = body
    for step in way:
        if isinstance(step, str) and place.get(step) is None:
            place[step] = {}
        place = place[step]
    place[last] = value
    return body


def at(body: Any, path: Path) -> Any:
    for step in path:
        body = body[step]
    return body


# ---------------------------------------------------------------------- garbage

GARBAGE = st.sampled_from(
    [None, True, 0, -1, 2.5, 1e300, '', 'x', '\x00', [], ['x'], [{}], {}, {'x': 1}, {'type': 'x'}]
)


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """All places inside a JSON value."""
    yield path
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield from places(item, (*path, step))


def damaged(data: st.DataObject, value: Any) -> Any:
    """The value with something else in a few places."""
    value = deepcopy(value)
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(list(places(value))))
        wrong = data.draw(GARBAGE)
        if not path:
            return wrong
        at(value, path[:-1])[path[-1]] = deepcopy(wrong)
    return value


def sane(response: ModelResponse) -> None:
    """Whatever was read, it is an answer whose fields have their types."""
    written = ModelMessagesTypeAdapter.dump_json([response])
    assert ModelMessagesTypeAdapter.dump_json(ModelMessagesTypeAdapter.validate_json(written)) == written


def rich(room: Room) -> ModelResponse:
    """An answer with a part of each kind."""
    own = {'provider_name': room.build().system}
    item = {'id': 'item_x'} if room.says.item_ids else {}
    return answer(
        room,
        ThinkingPart('Hm.', signature='s' if room.says.signatures else None, **own, **item),
        text(room, 'Hello.'),
        call(room, 'a'),
        FilePart(BinaryContent(b'x', media_type='image/png'), **own),
    )


@rooms
@settings(max_examples=300)
@given(data=st.data())
def test_a_whole_answer_of_the_wrong_shape_is_an_error_of_ours(room: Room, data: st.DataObject) -> None:
    body = damaged(data, whole_body(room, rich(room)))
    try:
        read = read_whole(room, body)
    except LLMError:
        return
    sane(read)


@rooms
@settings(max_examples=300)
@given(data=st.data())
def test_events_of_the_wrong_shape_are_an_error_of_ours(room: Room, data: st.DataObject) -> None:
    begun, ended = streamed(room, replace(rich(room), parts=list(rich(room).parts[:3])), in_threes)
    events = [*begun, *ended]
    number = data.draw(st.integers(0, len(events) - 1))
    events[number] = damaged(data, events[number])
    try:
        read, _ = read_events(room, events)
    except LLMError:
        return
    sane(read)
