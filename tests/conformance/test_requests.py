"""Tests of requests: arguments never change, each setting has an effect, any vendor accepts any other's responses."""

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
from pydantic_llm.native_tools import (
    CodeExecutionTool,
    FileSearchTool,
    MCPServerTool,
    NativeTool,
    WebFetchTool,
    WebSearchTool,
)
from pydantic_llm.settings import TRANSPORT_SETTINGS, ModelSettings
from pydantic_llm.testing.room import SHARED, Fields, Json, Room
from pydantic_llm.testing.strategies import conversations, responses, tools
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.wire.prepare import PreparedRequest
from tests.conformance.rooms import PAIRS, ROOMS

rooms = pytest.mark.parametrize('room', ROOMS, ids=repr)
few = hypothesis_settings(max_examples=30)
fewer = hypothesis_settings(max_examples=6)  # of each of the many pairs
CITY: Json = {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}
LOOK = ToolDefinition('look', CITY, 'Look at a city.')


def encode(room: Room, request: PreparedRequest) -> Json:
    """Return the body of the request, with its own headers."""
    body: Json = from_json(to_json(room.build().encode(request)))
    return body | {'headers': dict(room.build()._encode_request(request).headers)}


# ---------------------------------------------------------------------- arguments do not change

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
def test_encoding_a_request_does_not_change_it(room: Room) -> None:
    own = {name: value for name, (value, _) in room.own_fields.items() if name != 'anthropic_cache_messages'}
    given: Any = (EVERYTHING, {**SHARED, **own, 'thinking': True, 'tool_choice': 'auto'}, PARAMETERS)
    before = deepcopy(given)
    encode(room, room.prepare(*given))
    assert given == before


@rooms
@few
@given(data=st.data())
def test_encoding_any_conversation_does_not_change_it(room: Room, data: st.DataObject) -> None:
    given = (data.draw(conversations(room)), {'max_tokens': 9}, ModelRequestParameters(data.draw(tools)))
    before = deepcopy(given)
    encode(room, room.prepare(*given))
    assert given == before


@rooms
def test_encoding_a_request_is_deterministic(room: Room) -> None:
    first, second = (encode(room, room.prepare(EVERYTHING, {}, PARAMETERS)) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


# ---------------------------------------------------------------------- settings


def history_of(room: Room) -> list[ModelMessage]:
    """Return a conversation with thinking of the room's vendor."""
    name = room.build().system
    thinking = ThinkingPart('Hm.', id='rs_1', signature='s', provider_name=name)
    return [
        ModelRequest([SystemPromptPart('Be kind.'), UserPromptPart('Hello.')], instructions='Be brief.'),
        ModelResponse([thinking, TextPart('Hello.', id='msg_1', provider_name=name)], provider_name=name),
        ModelRequest([UserPromptPart('Go on.')], instructions='Be brief.'),
    ]


def find_changed_fields(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the paths of the fields that differ, as deep as both sides have them."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            if name in before and name in after:
                yield from find_changed_fields(before[name], after[name], (*path, name))
            else:
                yield '.'.join((*path, name))
    elif before != after:
        yield '.'.join(path)


def effect_of(room: Room, name: str, value: Any) -> tuple[Fields, list[str]]:
    """Return the request fields that a setting changes, and the warnings about it."""
    settings: Any = {'max_tokens': 50_000}
    plain = room.prepare(history_of(room), settings, ModelRequestParameters([LOOK]))
    request = room.prepare(history_of(room), {**settings, name: value}, ModelRequestParameters([LOOK]))
    before, after = ({**encode(room, each), 'path': room.build().path(each)} for each in (plain, request))
    return tuple(sorted(find_changed_fields(before, after))), [
        each for each in request.warnings if each not in plain.warnings
    ]


@rooms
@pytest.mark.parametrize('name', SHARED)
def test_a_shared_setting_changes_its_field_or_is_listed(room: Room, name: str) -> None:
    fields = room.shared_fields[name]
    found, warnings = effect_of(room, name, SHARED[name])
    warnings = [warning for warning in warnings if ' became ' not in warning]
    assert found == tuple(sorted(fields))
    is_silent = bool(fields) or (
        name == 'cache' and room.prepare([ModelRequest([UserPromptPart('Hi')])]).caches_automatically
    )
    assert [name in warning for warning in warnings] == ([] if is_silent else [True])


OWN = [
    pytest.param(room, name, value, fields, id=f'{room.name}-{name}')
    for room in ROOMS
    for name, (value, fields) in room.own_fields.items()
]


@pytest.mark.parametrize(('room', 'name', 'value', 'fields'), OWN)
def test_a_setting_of_the_room_changes_its_field(room: Room, name: str, value: Any, fields: Fields) -> None:
    assert effect_of(room, name, value) == (tuple(sorted(fields)), [])


@rooms
def test_every_setting_is_in_the_tables(room: Room) -> None:
    shared = ModelSettings.__annotations__.keys() - TRANSPORT_SETTINGS
    assert SHARED.keys() == room.shared_fields.keys() == shared
    assert room.own_fields.keys() == room.own_settings.__annotations__.keys() - ModelSettings.__annotations__.keys()


@pytest.mark.filterwarnings('ignore::pydantic_llm.exceptions.UnknownSettingWarning')
@rooms
def test_an_unsupported_setting_is_listed_refused_or_dropped(room: Room) -> None:
    prefix = room.build().settings_prefix
    for name in (f'{prefix}no_such_thing', 'temprature', 'constraint'):
        value: Any = SHARED.get(name, 1)
        if room.shared_fields.get(name):
            continue
        assert [name in warning for warning in effect_of(room, name, value)[1]] == [True]
        for choice, count in (('warn', 1), ('drop', 0)):
            settings: Any = {name: value, 'unsupported_settings': choice}
            assert len(room.prepare(history_of(room), settings, None).warnings) == count
        with pytest.raises(UserError, match=name):
            encode(room, room.prepare(history_of(room), {name: value, 'unsupported_settings': 'error'}, None))


@rooms
def test_settings_of_other_vendors_are_ignored(room: Room) -> None:
    others = {
        'mistral_safe_prompt': True,
        'bedrock_guardrail_config': {},
        'vllm_min_p': 0.1,
        'openrouter_usage': {},
        'router_key': 'k',
    }
    foreign: Any = {name: others[name] for name in others if not name.startswith(room.build().settings_prefix)}
    plain, request = room.prepare(history_of(room), {}, None), room.prepare(history_of(room), foreign, None)
    assert (encode(room, request), request.warnings) == (encode(room, plain), plain.warnings)


@rooms
def test_streaming_changes_only_the_stream_fields(room: Room) -> None:
    model, request = room.build(), room.prepare(history_of(room), {}, None)
    streamed = room.prepare(history_of(room), {}, None, stream=True)
    fields = set(find_changed_fields(encode(room, request), encode(room, streamed)))
    assert fields <= {'stream', 'stream_options'}
    assert fields or model.path(request) != model.path(streamed)


# ---------------------------------------------------------------------- from one vendor to another

pairs = pytest.mark.parametrize(
    ('source', 'target'),
    [pytest.param(source, target, id=f'{source}-to-{target}') for source, target in PAIRS],
)

SECRET = 'SIGNATURE'
"""The start of data that only the vendor that made it may get."""

ODD_IDS = ('', 'x' * 300, 'functions.look:0', 'call|1', 'ключ', 'a b', 'call_1')


def parts_made_by(room: Room) -> dict[str, list[Any]]:
    """Return parts of all kinds, as a vendor makes them. Their content is in capitals."""
    name = room.build().system
    details = {'thought_signature': f'{SECRET}3', 'phase': f'{SECRET}4', 'extra_content': {'s': f'{SECRET}5'}}
    own: Any = {'provider_name': name, 'provider_details': details}
    return {
        'text': [TextPart('SAMPLE_TEXT', id=f'{SECRET}0', **own)],
        'thinking': [ThinkingPart('SAMPLE_THINKING', id=f'{SECRET}1', signature=f'{SECRET}2', **own)],
        'redacted thinking': [ThinkingPart('', id='redacted_thinking', signature=f'{SECRET}2', **own)],
        'a tool call': [ToolCallPart('look', '{"city": "ARGUMENTS"}', 'a', id=f'{SECRET}1', **own)],
        'a native tool call': [
            NativeToolCallPart('web_search', {'query': 'ARGUMENTS'}, 'n', id=f'{SECRET}1', **own),
            NativeToolReturnPart('web_search', [{'url': 'RESULT'}], 'n', **own),
        ],
        'a file': [FilePart(BinaryContent(b'FILE', media_type='image/png'), id=f'{SECRET}1', **own)],
    }


CONTENTS = {
    'text': ['SAMPLE_TEXT'],
    'thinking': ['SAMPLE_THINKING'],
    'redacted thinking': [],
    'a tool call': ['ARGUMENTS'],
    'a native tool call': ['ARGUMENTS', 'RESULT'],
    'a file': ['RklMRQ=='],
}
"""The content of the parts of each kind."""


def make_conversation(*parts: Any, source: Room) -> list[ModelMessage]:
    results = [
        ToolReturnPart('look', 'SAMPLE_OUTPUT', part.tool_call_id) for part in parts if isinstance(part, ToolCallPart)
    ]
    return [
        ModelRequest([UserPromptPart('Hello.')]),
        ModelResponse([*parts, TextPart('Well.')], provider_name=source.build().system),
        ModelRequest([*results, UserPromptPart('Go on.')]),
    ]


@pairs
@pytest.mark.parametrize('kind', parts_made_by(ROOMS[0]))
def test_parts_of_one_vendor_are_sent_to_another_or_listed(source: Room, target: Room, kind: str) -> None:
    parts = parts_made_by(source)[kind]
    request = target.prepare(make_conversation(*parts, source=source), {}, ModelRequestParameters([LOOK]))
    body = json.dumps(encode(target, request))
    lost = [text for text in CONTENTS[kind] if text not in body]
    if kind in ('text', 'a tool call'):
        added = [note for note in request.warnings if 'was added between tool results' in note]  # for Mistral
        assert (lost, request.warnings) == ([], added)
    elif lost and source.build().system != target.build().system:
        assert len(request.warnings) == 1


@pairs
@pytest.mark.parametrize('kind', parts_made_by(ROOMS[0]))
def test_data_for_one_vendor_is_not_sent_to_another(source: Room, target: Room, kind: str) -> None:
    if source.build().system == target.build().system:
        return
    request = target.prepare(
        make_conversation(*parts_made_by(source)[kind], source=source), {}, ModelRequestParameters([LOOK])
    )
    assert SECRET not in json.dumps(encode(target, request))


@pairs
@fewer
@given(data=st.data())
def test_any_response_of_any_vendor_can_be_sent_to_any_other(source: Room, target: Room, data: st.DataObject) -> None:
    history = data.draw(conversations(source))
    history[-1:-1] = [data.draw(responses(source)), ModelRequest([UserPromptPart('And then?')])]
    assert_consistent(target, target.prepare(history, {}, ModelRequestParameters([LOOK])))


@rooms
@pytest.mark.parametrize('id', ODD_IDS)
@pytest.mark.parametrize('args', ['', '{"a', '[1]', '"x"', None, {}])
def test_tool_calls_with_any_id_and_any_arguments_can_be_sent(room: Room, id: str, args: Any) -> None:
    calls = [ToolCallPart('look', args, id), ToolCallPart('look', {'city': 'Rome'}, f'{id}!')]
    history = make_conversation(*calls, source=room)
    assert_consistent(room, room.prepare(history, {}, ModelRequestParameters([LOOK])))


def assert_consistent(room: Room, request: PreparedRequest) -> None:
    """Assert that the server decodes a history that needs no repair, with the same tool calls and valid ids."""
    served = room.decode_request({**encode(room, request), 'model': 'm'})
    messages, notes = repair(served.messages)
    assert notes == []
    calls = [part for message in messages if isinstance(message, ModelResponse) for part in message.tool_calls]
    sent = [part for message in request.messages if isinstance(message, ModelResponse) for part in message.tool_calls]
    assert [call.tool_name for call in calls] == [call.tool_name for call in sent]
    ids = [call.tool_call_id for call in calls]
    assert len(set(ids)) == len(ids)
    assert [id for id in ids if not re.fullmatch(room.features.tool_call_ids, id)] == []


@rooms
@pytest.mark.parametrize('content', ['', ' ', '\n'])
def test_blank_texts_can_be_sent(room: Room, content: str) -> None:
    history = [
        ModelRequest([SystemPromptPart(content), UserPromptPart(['Hello.', content])], instructions=content or None),
        ModelResponse([TextPart(content), ThinkingPart(content)], provider_name=room.build().system),
        ModelRequest([UserPromptPart(content), UserPromptPart('Go on.')]),
    ]
    body = json.dumps(encode(room, room.prepare(history, {}, None)))
    assert 'Go on.' in body


@rooms
def test_a_truncated_response_can_be_sent(room: Room) -> None:
    name = room.build().system
    truncated = [
        ThinkingPart('Hm', provider_name=name),
        TextPart('Let me'),
        NativeToolCallPart('web_search', '{"q', 'n', provider_name=name),
        ToolCallPart('look', '{"city": "Ro', 'a'),
    ]
    history = [
        ModelRequest([UserPromptPart('Hello.')]),
        ModelResponse(truncated, provider_name=name, state='interrupted'),
        ModelRequest([UserPromptPart('Go on.')]),
    ]
    request = room.prepare(history, {}, ModelRequestParameters([LOOK]))
    assert_consistent(room, request)
    assert [text for text in ('web_search', 'look') if any(text in warning for warning in request.warnings)] == [
        'web_search',
        'look',
    ]


@rooms
def test_every_output_mode_sends_the_schema(room: Room) -> None:
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
        assert 'MARK' in json.dumps(encode(room, request))


# ---------------------------------------------------------------------- cache points


CACHES = {
    'anthropic': '"cache_control"',
    'bedrock': '"cachePoint"',
    'openai-chat': '"prompt_cache_breakpoint"',
    'openai-responses': '"prompt_cache_breakpoint"',
}
"""The rooms that mark the end of a prefix, with the names of their marks."""

CACHING_MODELS = {'openai-chat': 'gpt-5.6', 'openai-responses': 'gpt-6'}


@rooms
def test_a_cache_point_is_sent_or_reported(room: Room) -> None:
    model = room.build()
    if name := CACHING_MODELS.get(room.name):
        model = type(model)(name, api_key='k')  # type: ignore[call-arg]
    request = model.prepare([ModelRequest([UserPromptPart(['A long text.', CachePoint(), 'A question.'])])])
    body = to_json(model.encode(request)).decode()
    if mark := CACHES.get(room.name):
        assert body.index('A long text.') < body.index(mark) < body.index('A question.')
        assert request.warnings == []
    else:
        assert 'cache' not in body.lower()
        expected = [] if request.caches_automatically else ['CachePoint() was not sent']
        assert [warning.partition(':')[0] for warning in request.warnings] == expected


# ---------------------------------------------------------------------- a tool choice for native tools alone

NATIVE_TOOLS: list[NativeTool] = [
    WebSearchTool(),
    WebFetchTool(),
    CodeExecutionTool(),
    FileSearchTool(['s']),
    MCPServerTool('m', 'https://mcp.example'),
]


@rooms
@pytest.mark.parametrize('tool', NATIVE_TOOLS, ids=lambda tool: tool.kind)
@pytest.mark.parametrize('choice', ['required', 'none'])
def test_a_tool_choice_for_native_tools_alone_is_sent_or_reported(room: Room, tool: NativeTool, choice: Any) -> None:
    parameters, model = ModelRequestParameters(native_tools=[tool]), room.build()
    history = [ModelRequest.user_text_prompt('Hi')]
    try:
        free = encode(room, model.prepare(history, None, parameters))
    except UserError:
        return  # the room has no such tool
    request = model.prepare(history, {'tool_choice': choice}, parameters)
    assert encode(room, request) != free or request.warnings
