"""What is sent: nothing that was given changes, every setting counts, any vendor's answer can go to any other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from pydantic_core import from_json, to_json

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    BinaryContent,
    CachePoint,
    FilePart,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.messages.history import repair
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.settings import TRANSPORT_SETTINGS, ModelSettings
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.wire.prepare import PreparedRequest
from tests.conformance.room import SHARED, Fields, Json, Room
from tests.conformance.rooms import ROOMS
from tests.conformance.strategies import conversations, responses, tools

rooms = pytest.mark.parametrize('room', ROOMS, ids=repr)
few = hypothesis_settings(max_examples=30)
fewer = hypothesis_settings(max_examples=6)  # of each of the many pairs
LOOK = ToolDefinition('look', {'type': 'object', 'properties': {'city': {'type': 'string'}}}, 'Look at a city.')


def encoded(room: Room, request: PreparedRequest) -> Json:
    """The request as it goes over the wire: the body, and the headers of its own."""
    body: Json = from_json(to_json(room.build().encode(request)))
    return body | {'headers': dict(room.build()._call(request).headers)}


# ---------------------------------------------------------------------- nothing changes

EVERYTHING: list[ModelMessage] = [
    ModelRequest(
        [
            SystemPromptPart('Be kind.'),
            UserPromptPart(
                [
                    'Look:',
                    ImageUrl('https://example.com/a.png', vendor_metadata={'detail': 'low'}),
                    BinaryContent(b'x', media_type='image/png', vendor_metadata={'detail': 'low'}),
                    TextContent('A note.', metadata={'a': [1]}),
                    CachePoint(),
                ]
            ),
        ],
        instructions='Be brief.',
    ),
    ModelResponse(
        [
            ThinkingPart('Hm.', id='rs_1', signature='sig', provider_name='openai', provider_details={'a': [1]}),
            TextPart('Let me see.', id='msg_1', provider_name='openai', provider_details={'annotations': [{'x': 1}]}),
            ToolCallPart('look', {'city': {'name': 'Rome'}}, 'odd id!'),
            ToolCallPart('look', '{"city": "Bonn"}', 'b', id='fc_1', provider_name='openai'),
            NativeToolCallPart('web_search', {'q': ['x']}, 'n', provider_name='openai', provider_details={'a': 1}),
            NativeToolReturnPart('web_search', [{'url': 'u'}], 'n', provider_name='openai', provider_details={'a': 1}),
            FilePart(BinaryContent(b'x', media_type='image/png'), provider_name='openai'),
        ],
        provider_name='openai',
        provider_response_id='resp_1',
        provider_details={'container_id': 'c'},
    ),
    ModelRequest(
        [
            ToolReturnPart('look', [{'sea': [1]}, BinaryContent(b'y', media_type='image/png')], 'odd id!'),
            RetryPromptPart('Closer.', tool_name='look', tool_call_id='b'),
            UserPromptPart('Go on.'),
        ],
        instructions='Be brief.',
    ),
]
PARAMETERS = ModelRequestParameters(
    [LOOK], output_tools=[ToolDefinition('done', {'type': 'object', 'properties': {'a': {'type': 'string'}}})]
)


@rooms
def test_sending_a_request_changes_nothing_of_it(room: Room) -> None:
    own = {name: value for name, (value, _) in room.own_moves.items() if name != 'anthropic_cache_messages'}
    given: Any = (EVERYTHING, {**SHARED, **own, 'thinking': True, 'tool_choice': 'auto'}, PARAMETERS)
    before = deepcopy(given)
    encoded(room, room.prepare(*given))
    assert given == before


@rooms
@few
@given(data=st.data())
def test_sending_any_conversation_changes_nothing_of_it(room: Room, data: st.DataObject) -> None:
    given = (data.draw(conversations(room)), {'max_tokens': 9}, ModelRequestParameters(data.draw(tools)))
    before = deepcopy(given)
    encoded(room, room.prepare(*given))
    assert given == before


@rooms
def test_the_same_request_is_encoded_the_same_each_time(room: Room) -> None:
    first, second = (encoded(room, room.prepare(EVERYTHING, {}, PARAMETERS)) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


# ---------------------------------------------------------------------- settings


def own_past(room: Room) -> list[ModelMessage]:
    """A conversation in which the room's vendor has thought."""
    name = room.build().system
    thoughts = ThinkingPart('Hm.', id='rs_1', signature='s', provider_name=name)
    return [
        ModelRequest([SystemPromptPart('Be kind.'), UserPromptPart('Hello.')], instructions='Be brief.'),
        ModelResponse([thoughts, TextPart('Hello.', id='msg_1', provider_name=name)], provider_name=name),
        ModelRequest([UserPromptPart('Go on.')], instructions='Be brief.'),
    ]


def moved(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The fields that differ, each as far down as both sides have it."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            if name in before and name in after:
                yield from moved(before[name], after[name], (*path, name))
            else:
                yield '.'.join((*path, name))
    elif before != after:
        yield '.'.join(path)


def effect(room: Room, name: str, value: Any) -> tuple[Fields, list[str]]:
    """What a setting moves, and what is said of it."""
    settings: Any = {'max_tokens': 50_000}
    plain = room.prepare(own_past(room), settings, ModelRequestParameters([LOOK]))
    request = room.prepare(own_past(room), {**settings, name: value}, ModelRequestParameters([LOOK]))
    before, after = ({**encoded(room, each), 'path': room.build().path(each)} for each in (plain, request))
    return tuple(sorted(moved(before, after))), request.warnings


@rooms
@pytest.mark.parametrize('name', SHARED)
def test_a_shared_setting_moves_its_field_or_is_listed(room: Room, name: str) -> None:
    fields = room.shared_moves[name]
    found, warnings = effect(room, name, SHARED[name])
    assert found == tuple(sorted(fields))
    assert [name in warning for warning in warnings] == ([] if fields else [True])


OWN = [
    pytest.param(room, name, value, fields, id=f'{room.name}-{name}')
    for room in ROOMS
    for name, (value, fields) in room.own_moves.items()
]


@pytest.mark.parametrize(('room', 'name', 'value', 'fields'), OWN)
def test_a_rooms_own_setting_moves_its_field(room: Room, name: str, value: Any, fields: Fields) -> None:
    assert effect(room, name, value) == (tuple(sorted(fields)), [])


@rooms
def test_every_setting_is_in_the_tables(room: Room) -> None:
    shared = ModelSettings.__annotations__.keys() - TRANSPORT_SETTINGS
    assert SHARED.keys() == room.shared_moves.keys() == shared
    assert room.own_moves.keys() == room.own_settings.__annotations__.keys() - ModelSettings.__annotations__.keys()


@rooms
def test_a_setting_that_the_room_has_not_is_listed_refused_or_dropped_as_you_like(room: Room) -> None:
    prefix = room.build().settings_prefix
    for name in (f'{prefix}no_such_thing', 'temprature', 'constraint'):
        value: Any = SHARED.get(name, 1)
        if room.shared_moves.get(name):
            continue
        assert [name in warning for warning in effect(room, name, value)[1]] == [True]
        for wish, sentences in (('warn', 1), ('drop', 0)):
            settings: Any = {name: value, 'unsupported_settings': wish}
            assert len(room.prepare(own_past(room), settings, None).warnings) == sentences
        with pytest.raises(UserError, match=name):
            encoded(room, room.prepare(own_past(room), {name: value, 'unsupported_settings': 'error'}, None))


@rooms
def test_settings_of_other_vendors_are_passed_over(room: Room) -> None:
    others = {'mistral_safe_prompt': True, 'bedrock_guardrail_config': {}, 'vllm_x': 1}
    foreign: Any = {name: others[name] for name in others if not name.startswith(room.build().settings_prefix)}
    plain, request = room.prepare(own_past(room), {}, None), room.prepare(own_past(room), foreign, None)
    assert (encoded(room, request), request.warnings) == (encoded(room, plain), [])


@rooms
def test_a_stream_is_asked_for_and_nothing_else_changes(room: Room) -> None:
    model, request = room.build(), room.prepare(own_past(room), {}, None)
    streamed = room.prepare(own_past(room), {}, None, stream=True)
    fields = set(moved(encoded(room, request), encoded(room, streamed)))
    assert fields <= {'stream', 'stream_options'}
    assert fields or model.path(request) != model.path(streamed)


# ---------------------------------------------------------------------- from one vendor to another

pairs = pytest.mark.parametrize(
    ('maker', 'taker'),
    [pytest.param(maker, taker, id=f'{maker}-to-{taker}') for maker in ROOMS for taker in ROOMS],
)

SECRET = 'SIGNATURE'
"""What only its maker may see again."""

ODD_IDS = ('', 'x' * 300, 'functions.look:0', 'call|1', 'ключ', 'a b', 'call_1')


def made_by(room: Room) -> dict[str, list[Any]]:
    """Parts of all kinds, as a vendor makes them; what they say is in capitals."""
    name = room.build().system
    details = {'thought_signature': f'{SECRET}3', 'phase': f'{SECRET}4', 'extra_content': {'s': f'{SECRET}5'}}
    own: Any = {'provider_name': name, 'provider_details': details}
    return {
        'text': [TextPart('WORDS', id=f'{SECRET}0', **own)],
        'thoughts': [ThinkingPart('THOUGHTS', id=f'{SECRET}1', signature=f'{SECRET}2', **own)],
        'thoughts without words': [ThinkingPart('', id='redacted_thinking', signature=f'{SECRET}2', **own)],
        'a call': [ToolCallPart('look', '{"city": "ARGUMENTS"}', 'a', id=f'{SECRET}1', **own)],
        'a call of a tool of the vendor': [
            NativeToolCallPart('web_search', {'query': 'ARGUMENTS'}, 'n', id=f'{SECRET}1', **own),
            NativeToolReturnPart('web_search', [{'url': 'RESULT'}], 'n', **own),
        ],
        'a file': [FilePart(BinaryContent(b'FILE', media_type='image/png'), id=f'{SECRET}1', **own)],
    }


SAYS = {
    'text': ['WORDS'],
    'thoughts': ['THOUGHTS'],
    'thoughts without words': [],
    'a call': ['ARGUMENTS'],
    'a call of a tool of the vendor': ['ARGUMENTS', 'RESULT'],
    'a file': ['RklMRQ=='],
}
"""What of the parts of each kind a reader would miss."""


def conversation(*parts: Any, maker: Room) -> list[ModelMessage]:
    answers = [ToolReturnPart('look', 'GIVEN', part.tool_call_id) for part in parts if isinstance(part, ToolCallPart)]
    return [
        ModelRequest([UserPromptPart('Hello.')]),
        ModelResponse([*parts, TextPart('Well.')], provider_name=maker.build().system),
        ModelRequest([*answers, UserPromptPart('Go on.')]),
    ]


@pairs
@pytest.mark.parametrize('kind', made_by(ROOMS[0]))
def test_what_one_vendor_made_is_sent_to_another_or_listed(maker: Room, taker: Room, kind: str) -> None:
    parts = made_by(maker)[kind]
    request = taker.prepare(conversation(*parts, maker=maker), {}, ModelRequestParameters([LOOK]))
    body = json.dumps(encoded(taker, request))
    lost = [word for word in SAYS[kind] if word not in body]
    if kind in ('text', 'a call'):
        assert (lost, request.warnings) == ([], [])
    elif lost and maker.build().system != taker.build().system:
        assert len(request.warnings) == 1


@pairs
@pytest.mark.parametrize('kind', made_by(ROOMS[0]))
def test_what_is_for_its_maker_alone_is_not_sent_to_another(maker: Room, taker: Room, kind: str) -> None:
    if maker.build().system == taker.build().system:
        return
    request = taker.prepare(conversation(*made_by(maker)[kind], maker=maker), {}, ModelRequestParameters([LOOK]))
    assert SECRET not in json.dumps(encoded(taker, request))


@pairs
@fewer
@given(data=st.data())
def test_any_answer_of_any_vendor_can_be_sent_to_any_other(maker: Room, taker: Room, data: st.DataObject) -> None:
    history = data.draw(conversations(maker))
    history[-1:-1] = [data.draw(responses(maker)), ModelRequest([UserPromptPart('And then?')])]
    assert_consistent(taker, taker.prepare(history, {}, ModelRequestParameters([LOOK])))


@rooms
@pytest.mark.parametrize('id', ODD_IDS)
@pytest.mark.parametrize('args', ['', '{"a', '[1]', '"x"', None, {}])
def test_calls_with_any_id_and_any_arguments_can_be_sent(room: Room, id: str, args: Any) -> None:
    calls = [ToolCallPart('look', args, id), ToolCallPart('look', {'city': 'Rome'}, f'{id}!')]
    history = conversation(*calls, maker=room)
    assert_consistent(room, room.prepare(history, {}, ModelRequestParameters([LOOK])))


def assert_consistent(room: Room, request: PreparedRequest) -> None:
    """Whoever reads what is sent finds for each call its answer, and nothing else to mend."""
    served = room.decode_request({**encoded(room, request), 'model': 'm'})
    messages, notes = repair(served.messages)
    assert notes == []
    calls = [part for message in messages if isinstance(message, ModelResponse) for part in message.tool_calls]
    sent = [part for message in request.messages if isinstance(message, ModelResponse) for part in message.tool_calls]
    assert [call.tool_name for call in calls] == [call.tool_name for call in sent]
    ids = [call.tool_call_id for call in calls]
    assert len(set(ids)) == len(ids)
    assert [id for id in ids if not re.fullmatch(room.says.ids, id)] == []


@rooms
@pytest.mark.parametrize('content', ['', ' ', '\n'])
def test_texts_that_say_nothing_can_be_sent(room: Room, content: str) -> None:
    history = [
        ModelRequest([SystemPromptPart(content), UserPromptPart(['Hello.', content])], instructions=content or None),
        ModelResponse([TextPart(content), ThinkingPart(content)], provider_name=room.build().system),
        ModelRequest([UserPromptPart(content), UserPromptPart('Go on.')]),
    ]
    body = json.dumps(encoded(room, room.prepare(history, {}, None)))
    assert 'Go on.' in body


@rooms
def test_an_answer_that_was_cut_can_be_sent(room: Room) -> None:
    name = room.build().system
    cut = [
        ThinkingPart('Hm', provider_name=name),
        TextPart('Let me'),
        NativeToolCallPart('web_search', '{"q', 'n', provider_name=name),
        ToolCallPart('look', '{"city": "Ro', 'a'),
    ]
    history = [
        ModelRequest([UserPromptPart('Hello.')]),
        ModelResponse(cut, provider_name=name, state='interrupted'),
        ModelRequest([UserPromptPart('Go on.')]),
    ]
    request = room.prepare(history, {}, ModelRequestParameters([LOOK]))
    assert_consistent(room, request)
    assert [word for word in ('web_search', 'look') if any(word in warning for warning in request.warnings)] == [
        'web_search',
        'look',
    ]


@rooms
def test_an_output_is_asked_for_in_every_way_that_the_room_has(room: Room) -> None:
    output = OutputObjectDefinition({'type': 'object', 'properties': {'MARK': {'type': 'string'}}}, 'answer')
    for parameters in (
        ModelRequestParameters(output_mode='prompted', output_object=output),
        ModelRequestParameters(output_mode='native', output_object=output),
        ModelRequestParameters(
            output_mode='tool', output_tools=[ToolDefinition('done', output.json_schema)], allow_text_output=False
        ),
    ):
        try:
            request = room.prepare([ModelRequest([UserPromptPart('Go.')])], {}, parameters)
        except UserError:
            assert not room.build().profile.supports_json_schema_output
            continue
        assert 'MARK' in json.dumps(encoded(room, request))
