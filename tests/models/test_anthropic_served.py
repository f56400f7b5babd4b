"""The server's side of the Messages API: both this library and the SDK decode what it encodes."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from anthropic import AsyncAnthropic
from pydantic_core import from_json, to_json

from pydantic_llm.exceptions import ModelHTTPError, UserError
from pydantic_llm.messages import (
    BinaryContent,
    FilePart,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    UserPromptPart,
)
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.anthropic.serve import StreamEncoder, decode_request, encode_error, encode_response
from pydantic_llm.wire.serving import ServedRequest, sse
from tests.models.anthropic_messages import (
    CITY,
    CONTENT,
    MIDDLE,
    PIXEL,
    SONNET,
    UNKNOWN_BLOCKS,
    Json,
    Sdk,
    Sent,
    cached,
    decode_stream,
    decode_whole,
    field_names,
    new_decoder,
    say,
    stream_blocks,
    text,
    tool_call,
    tool_result,
    with_parsed_args,
)

pytestmark = pytest.mark.filterwarnings('ignore:TypedDict class:UserWarning')


REQUEST = ServedRequest('served', [])


def forward_stream(content: list[Json]) -> list[Json]:
    """Return the events that a gateway sends while it decodes Anthropic's."""
    decoder, encoder = new_decoder(), StreamEncoder(REQUEST)
    draft = decoder.draft
    events = list(encoder.begin())
    for event in stream_blocks(content):
        decoder.decode_event(event)
        events += [encoded for decoded in draft.parts.take_events() for encoded in encoder.event(decoded)]
    draft.parts.end()
    return [*events, *encoder.end(draft.get())]


def encode_at_once(response: ModelResponse) -> list[Json]:
    """Return the events of a stream whose parts arrive whole."""
    encoder = StreamEncoder(REQUEST)
    events = list(encoder.begin())
    for index, part in enumerate(response.parts):
        for event in (PartStartEvent(index, part), PartEndEvent(index, part)):
            events += encoder.event(event)
    return [*events, *encoder.end(response)]


def comparable(response: ModelResponse) -> tuple[Any, ...]:
    parts = [
        {name: getattr(part, name) for name in field_names(part) if name != 'timestamp'}
        for part in with_parsed_args(response)
    ]
    known = [
        {**part, 'tool_call_id': None} if str(part.get('tool_call_id')).startswith('call_') else part for part in parts
    ]
    return (
        known,
        response.usage,
        response.finish_reason,
        response.provider_details,
        response.provider_response_id,
        response.state,
    )


FACTS: Json = {
    'stop_reason': 'refusal',
    'stop_details': {'type': 'refusal', 'category': None, 'explanation': 'No.'},
    'container': {'id': 'container_1', 'expires_at': '2026-01-01T00:00:00Z'},
    'usage': {
        'input_tokens': 1,
        'cache_read_input_tokens': 2,
        'cache_creation_input_tokens': 5,
        'output_tokens': 4,
        'service_tier': 'batch',
        'cache_creation': {'ephemeral_1h_input_tokens': 3},
        'server_tool_use': {'web_search_requests': 2},
        'output_tokens_details': {'thinking_tokens': 3},
    },
}


@pytest.mark.parametrize('content', [CONTENT, UNKNOWN_BLOCKS, []], ids=['known', 'unknown', 'empty'])
def test_an_encoded_response_is_decoded_unchanged(content: list[Json]) -> None:
    response = decode_whole(content, **FACTS)
    body = encode_response(response, REQUEST)
    assert comparable(decode_whole(**from_json(to_json(body)))) == comparable(response)
    assert comparable(decode_stream(*encode_at_once(response))) == comparable(response)


@pytest.mark.parametrize('content', [CONTENT, UNKNOWN_BLOCKS], ids=['known', 'unknown'])
def test_a_forwarded_stream_is_decoded_unchanged(content: list[Json]) -> None:
    direct, forwarded = decode_stream(*stream_blocks(content)), decode_stream(*forward_stream(content))
    assert comparable(forwarded)[0] == comparable(direct)[0]
    assert forwarded.finish_reason == 'stop'


async def test_the_sdk_decodes_whole_and_streamed_responses() -> None:
    response = decode_whole(CONTENT, **FACTS)

    def respond(request: httpx2.Request) -> httpx2.Response:
        if from_json(request.content).get('stream'):
            data = b''.join(sse(event, name=event['type']) for event in encode_at_once(response))
            return httpx2.Response(200, headers={'content-type': 'text/event-stream'}, content=data)
        return httpx2.Response(200, json=encode_response(response, REQUEST))

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(respond))
    client = AsyncAnthropic(api_key='k', http_client=http, _strict_response_validation=True)
    prompt: Any = {'model': 'claude-opus-5', 'max_tokens': 9, 'messages': [{'role': 'user', 'content': 'hi'}]}
    whole = await client.beta.messages.create(**prompt)
    async with client.beta.messages.stream(**prompt) as stream:
        final = await stream.get_final_message()
    wire = [block.to_dict(mode='json') for block in whole.content]
    assert [{name: value for name, value in block.items() if value is not None} for block in wire] == CONTENT
    assert [block.type for block in final.content] == [block['type'] for block in CONTENT]
    assert (final.stop_reason, final.usage.output_tokens, final.usage.input_tokens) == ('refusal', 4, 1)
    assert [getattr(block, 'input', None) for block in final.content] == [block.get('input') for block in CONTENT]


def test_parts_that_the_api_has_no_block_for_are_skipped() -> None:
    response = ModelResponse(
        [
            FilePart(PIXEL),
            NativeToolCallPart('web_search', {}, 'x', provider_name='openai'),
            ThinkingPart('hm'),
            TextPart('a', provider_name='openai', provider_details={'citations': ['x']}),
        ],
        finish_reason='error',
    )
    blocks = encode_response(response, REQUEST)['content']
    assert blocks == [{'type': 'thinking', 'thinking': 'hm', 'signature': ''}, text('a', citations=None)]
    starts = [
        event['content_block']['type'] for event in encode_at_once(response) if event['type'] == 'content_block_start'
    ]
    assert starts == ['thinking', 'text']
    assert encode_response(response, REQUEST)['stop_reason'] is None


def test_a_truncated_response_is_sent_truncated() -> None:
    response = say(TextPart('half'), state='incomplete')
    assert [event['type'] for event in encode_at_once(response)][-1] == 'content_block_stop'
    assert decode_stream(*encode_at_once(response)).state == 'incomplete'


def test_a_pause_is_encoded_as_a_pause() -> None:
    paused = decode_whole([{'type': 'text', 'text': 'Wait.'}], stop_reason='pause_turn')
    assert encode_response(paused, REQUEST)['stop_reason'] == 'pause_turn'
    assert decode_stream(*encode_at_once(paused)).state == 'suspended'
    summed = decode_whole([{'type': 'compaction', 'content': 'So far.'}], stop_reason='compaction')
    assert encode_response(summed, REQUEST)['stop_reason'] == 'compaction'
    assert encode_response(ModelResponse([], finish_reason='length'), REQUEST)['stop_reason'] == 'max_tokens'


BODIES: dict[str, Json] = {
    'files': {
        'messages': [
            {
                'role': 'user',
                'content': [
                    text('a', **cached('1h')),
                    {'type': 'image', 'source': {'type': 'url', 'url': 'https://x.org/a'}},
                    {'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': 'cG5n'}},
                    {'type': 'image', 'source': {'type': 'file', 'file_id': 'f'}},
                    {'type': 'document', 'source': {'type': 'file', 'file_id': 'f'}, 'title': 'T'},
                    {
                        'type': 'document',
                        'source': {'type': 'url', 'url': 'https://x.org/b'},
                        'citations': {'enabled': True},
                    },
                    {
                        'type': 'document',
                        'source': {'type': 'text', 'media_type': 'text/plain', 'data': 'ä'},
                        **cached(),
                    },
                    {'type': 'container_upload', 'file_id': 'f'},
                ],
            }
        ]
    },
    'history': {
        'context_management': {'edits': [{'type': 'compact_20260112'}]},
        'tools': [{'name': 'weather', 'description': '', 'input_schema': CITY}],
        'tool_choice': {'type': 'auto'},
        'system': [text('A'), text('B', **cached())],
        'messages': [
            {'role': 'assistant', 'content': CONTENT},
            {
                'role': 'user',
                'content': [
                    tool_result('toolu_1', 'x', is_error=True),
                    {**tool_result('toolu_2', 'y', 'z'), **cached()},
                    text('so'),
                ],
            },
            {'role': 'assistant', 'content': [text('b', **cached())]},
            {'role': 'user', 'content': [text('c')]},
            {'role': 'user', 'content': [text('d')]},
        ],
    },
    'options': {
        'system': 'S',
        'messages': [{'role': 'user', 'content': [text('hi')]}],
        'tools': [
            {'name': 'weather', 'description': '', 'input_schema': CITY, 'eager_input_streaming': True},
            {
                'type': 'web_search_20250305',
                'name': 'web_search',
                'max_uses': 1,
                'user_location': {'type': 'approximate', 'city': 'X'},
            },
            {'type': 'web_fetch_20250910', 'name': 'web_fetch', 'citations': {'enabled': True}},
            {'type': 'code_execution_20250825', 'name': 'code_execution'},
            {'type': 'memory_20250818', 'name': 'memory', **cached()},
        ],
        'mcp_servers': [
            {
                'type': 'url',
                'name': 'm',
                'url': 'https://m.org',
                'tool_configuration': {'enabled': True, 'allowed_tools': ['a']},
            }
        ],
        'tool_choice': {'type': 'auto', 'disable_parallel_tool_use': True},
        'thinking': {'type': 'enabled', 'budget_tokens': 2000},
        'output_config': {
            'effort': 'low',
            'format': {'type': 'json_schema', 'schema': {**CITY, 'additionalProperties': False}},
        },
        'cache_control': cached()['cache_control'],
        'stop_sequences': ['x'],
        'metadata': {'user_id': 'u'},
        'service_tier': 'auto',
        'container': 'c',
        'context_management': {'edits': []},
        'speed': 'fast',
    },
    'forced': {
        'messages': [{'role': 'user', 'content': [text('hi')]}],
        'tools': [
            {
                'name': 'weather',
                'description': 'd',
                'input_schema': {**CITY, 'additionalProperties': False},
                'strict': True,
            }
        ],
        'tool_choice': {'type': 'tool', 'name': 'weather'},
        'temperature': 0.5,
        'top_k': 3,
    },
}


@pytest.mark.parametrize('name', BODIES)
def test_a_decoded_request_is_encoded_unchanged(name: str) -> None:
    body = {'model': SONNET, 'max_tokens': 4000, **BODIES[name]}
    Sdk.check(body)
    served = decode_request(from_json(to_json({**body, 'stream': True, 'new_field': 1})))
    assert (served.stream, served.model_name, served.settings.get('extra_body')) == (True, SONNET, {'new_field': 1})
    model = AnthropicModel(SONNET, api_key='k')
    again = model.encode(model.prepare(served.messages, served.settings, served.parameters))
    assert from_json(to_json(again)) == from_json(to_json(body))


def test_the_tool_of_an_mcp_result_is_known_one_turn_later() -> None:
    mcp_call = {'type': 'mcp_tool_use', 'id': 'm', 'name': 'ask', 'server_name': 'wiki', 'input': {}}
    mcp_result = {'type': 'mcp_tool_result', 'tool_use_id': 'm', 'is_error': False, 'content': 'x'}
    messages: list[Json] = [
        {'role': 'user', 'content': 'hi'},
        {'role': 'assistant', 'content': [mcp_call, tool_call('a')]},
        {'role': 'user', 'content': [tool_result('a', 'rain')]},
        {'role': 'assistant', 'content': [mcp_result, text('so')]},
        {'role': 'user', 'content': 'and?'},
    ]
    served = decode_request({'model': 'm', 'max_tokens': 1, 'messages': messages})
    part = served.messages[3].parts[0]
    assert isinstance(part, NativeToolReturnPart)
    assert part.tool_name == 'mcp_server:wiki'
    sent = Sent(served.messages)
    assert [message['content'] for message in sent.body['messages'][1:4:2]] == [
        messages[1]['content'],
        messages[3]['content'],
    ]


def test_a_system_prompt_inside_a_conversation_is_decoded_in_its_place() -> None:
    opus = AnthropicModel('claude-opus-4-8', api_key='k')
    body = opus.encode(opus.prepare(MIDDLE))
    served = decode_request(body)
    assert opus.encode(opus.prepare(served.messages, served.settings)) == body


@pytest.mark.parametrize(
    ('thinking', 'effort', 'level'),
    [
        ({'type': 'enabled', 'budget_tokens': 1500}, None, 1500),
        ({'type': 'enabled', 'budget_tokens': 20000}, None, 20000),
        ({'type': 'adaptive'}, None, True),
        ({'type': 'adaptive'}, 'max', 'max'),
        ({'type': 'disabled'}, None, False),
        ({}, 'high', None),
    ],
)
def test_the_level_of_thinking_is_decoded_for_other_models_too(thinking: Json, effort: str | None, level: Any) -> None:
    body = {
        'model': 'm',
        'max_tokens': 1,
        'messages': [{'role': 'user', 'content': 'hi'}],
        'output_config': {'effort': effort},
    }
    settings: Json = dict(decode_request({**body, **({'thinking': thinking} if thinking else {})}).settings)
    assert (settings.get('thinking'), settings.get('anthropic_thinking')) == (level, thinking or None)


def test_content_that_only_other_clients_send_is_decoded_as_text() -> None:
    blocks = [
        {'type': 'search_result', 'title': 'T', 'source': 'https://x.org', 'content': [text('found')]},
        {'type': 'document', 'source': {'type': 'content', 'content': [text('a'), text('b')]}},
    ]
    served = decode_request({'model': 'm', 'max_tokens': 1, 'messages': [{'role': 'user', 'content': blocks}]})
    [prompt] = served.messages[0].parts
    assert isinstance(prompt, UserPromptPart)
    assert list(prompt.content) == ['T (https://x.org):\nfound', BinaryContent(b'a\n\nb', media_type='text/plain')]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'max_tokens': None}, 'max_tokens: Field required'),
        ({'messages': []}, 'messages: Field required'),
        ({'model': ''}, 'model: Field required'),
        ({'messages': [{'role': 'robot', 'content': ''}]}, "role 'robot'"),
        ({'messages': [{'content': 'x'}]}, 'KeyError'),
        ({'messages': [{'role': 'user', 'content': [{'type': 'video'}]}]}, "type 'video'"),
        ({'tools': [{'type': 'bash_20250124', 'name': 'bash'}]}, "type 'bash_20250124'"),
    ],
)
def test_an_invalid_request_is_rejected_with_a_reason(change: Json, message: str) -> None:
    with pytest.raises(UserError, match=message):
        decode_request({'model': 'm', 'max_tokens': 1, 'messages': [{'role': 'user', 'content': 'hi'}], **change})


@pytest.mark.parametrize(
    ('status', 'kind'),
    [
        (400, 'invalid_request_error'),
        (401, 'authentication_error'),
        (403, 'permission_error'),
        (404, 'not_found_error'),
        (429, 'rate_limit_error'),
        (500, 'api_error'),
        (503, 'overloaded_error'),
        (529, 'overloaded_error'),
    ],
)
def test_error_types(status: int, kind: str) -> None:
    error = ModelHTTPError(status, 'm', message='Sorry.')
    assert encode_error(error) == (status, {'type': 'error', 'error': {'type': kind, 'message': 'Sorry.'}})
