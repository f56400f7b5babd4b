"""The Messages API from the server's side: what is served is read as it was meant, by us and by the SDK."""

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
from pydantic_llm.models import ResponseDraft
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.anthropic.decode import decode_event
from pydantic_llm.models.anthropic.serve import EventWriter, decode_request, encode_error, encode_response
from pydantic_llm.wire.serving import ServedRequest, sse
from tests.models.anthropic_messages import (
    CITY,
    CONTENT,
    MIDDLE,
    NEW_KINDS,
    PIXEL,
    SONNET,
    Json,
    Sdk,
    Sent,
    cached,
    call,
    read,
    read_whole,
    result,
    say,
    slots,
    streamed,
    text,
    with_parsed_args,
)

pytestmark = pytest.mark.filterwarnings('ignore:TypedDict class:UserWarning')


ASKED = ServedRequest('served', [])


def passed_on(content: list[Json]) -> list[Json]:
    """The events that a gateway writes while it reads Anthropic's."""
    draft, writer = ResponseDraft('asked', 'anthropic'), EventWriter(ASKED)
    events = list(writer.begin())
    for event in streamed(content):
        decode_event(event, draft)
        events += [written for happened in draft.parts.take_events() for written in writer.event(happened)]
    draft.parts.end()
    return [*events, *writer.end(draft.get())]


def told_at_once(response: ModelResponse) -> list[Json]:
    """The events that are written for parts that come whole."""
    writer = EventWriter(ASKED)
    events = list(writer.begin())
    for index, part in enumerate(response.parts):
        for happened in (PartStartEvent(index, part), PartEndEvent(index, part)):
            events += writer.event(happened)
    return [*events, *writer.end(response)]


def what_it_says(response: ModelResponse) -> tuple[Any, ...]:
    parts = [
        {name: getattr(part, name) for name in slots(part) if name != 'timestamp'}
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


@pytest.mark.parametrize('content', [CONTENT, NEW_KINDS, []], ids=['known', 'unknown', 'empty'])
def test_what_is_served_is_read_as_it_was_meant(content: list[Json]) -> None:
    response = read_whole(content, **FACTS)
    body = encode_response(response, ASKED)
    assert what_it_says(read_whole(**from_json(to_json(body)))) == what_it_says(response)
    assert what_it_says(read(*told_at_once(response))) == what_it_says(response)


@pytest.mark.parametrize('content', [CONTENT, NEW_KINDS], ids=['known', 'unknown'])
def test_a_stream_that_is_passed_on_says_the_same(content: list[Json]) -> None:
    direct, over_two = read(*streamed(content)), read(*passed_on(content))
    assert what_it_says(over_two)[0] == what_it_says(direct)[0]
    assert over_two.finish_reason == 'stop'


async def test_the_sdk_reads_what_is_served_whole_and_streamed() -> None:
    response = read_whole(CONTENT, **FACTS)

    def answer(request: httpx2.Request) -> httpx2.Response:
        if from_json(request.content).get('stream'):
            data = b''.join(sse(event, name=event['type']) for event in told_at_once(response))
            return httpx2.Response(200, headers={'content-type': 'text/event-stream'}, content=data)
        return httpx2.Response(200, json=encode_response(response, ASKED))

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
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


def test_what_the_api_cannot_say_is_left_out_of_an_answer() -> None:
    response = ModelResponse(
        [
            FilePart(PIXEL),
            NativeToolCallPart('web_search', {}, 'x', provider_name='openai'),
            ThinkingPart('hm'),
            TextPart('a', provider_name='openai', provider_details={'citations': ['x']}),
        ],
        finish_reason='error',
    )
    blocks = encode_response(response, ASKED)['content']
    assert blocks == [{'type': 'thinking', 'thinking': 'hm', 'signature': ''}, text('a', citations=None)]
    starts = [
        event['content_block']['type'] for event in told_at_once(response) if event['type'] == 'content_block_start'
    ]
    assert starts == ['thinking', 'text']
    assert encode_response(response, ASKED)['stop_reason'] is None


def test_an_answer_that_was_cut_is_served_cut() -> None:
    response = say(TextPart('half'), state='incomplete')
    assert [event['type'] for event in told_at_once(response)][-1] == 'content_block_stop'
    assert read(*told_at_once(response)).state == 'incomplete'


def test_a_pause_is_served_as_a_pause() -> None:
    assert encode_response(read_whole([], stop_reason='pause_turn'), ASKED)['stop_reason'] == 'pause_turn'
    assert encode_response(ModelResponse([], finish_reason='length'), ASKED)['stop_reason'] == 'max_tokens'


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
            {'role': 'user', 'content': [text('hi')]},
            {'role': 'assistant', 'content': CONTENT},
            {
                'role': 'user',
                'content': [
                    result('toolu_1', 'x', is_error=True),
                    {**result('toolu_2', 'y', 'z'), **cached()},
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
def test_a_request_says_the_same_after_it_was_read(name: str) -> None:
    body = {'model': SONNET, 'max_tokens': 4000, **BODIES[name]}
    Sdk.check(body)
    served = decode_request(from_json(to_json({**body, 'stream': True, 'new_field': 1})))
    assert (served.stream, served.model_name, served.settings.get('extra_body')) == (True, SONNET, {'new_field': 1})
    model = AnthropicModel(SONNET, api_key='k')
    again = model.encode(model.prepare(served.messages, served.settings, served.parameters))
    assert from_json(to_json(again)) == from_json(to_json(body))


def test_the_tool_of_a_server_is_known_when_its_result_comes_a_turn_later() -> None:
    asked = {'type': 'mcp_tool_use', 'id': 'm', 'name': 'ask', 'server_name': 'wiki', 'input': {}}
    given = {'type': 'mcp_tool_result', 'tool_use_id': 'm', 'is_error': False, 'content': 'x'}
    messages: list[Json] = [
        {'role': 'user', 'content': 'hi'},
        {'role': 'assistant', 'content': [asked, call('a')]},
        {'role': 'user', 'content': [result('a', 'rain')]},
        {'role': 'assistant', 'content': [given, text('so')]},
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


def test_a_system_prompt_in_the_middle_is_read_where_it_stands() -> None:
    opus = AnthropicModel('claude-opus-4-8', api_key='k')
    body = opus.encode(opus.prepare(MIDDLE))
    served = decode_request(body)
    assert opus.encode(opus.prepare(served.messages, served.settings)) == body


@pytest.mark.parametrize(
    ('thinking', 'effort', 'level'),
    [
        ({'type': 'enabled', 'budget_tokens': 1500}, None, 'minimal'),
        ({'type': 'enabled', 'budget_tokens': 20000}, None, 'high'),
        ({'type': 'adaptive'}, None, True),
        ({'type': 'adaptive'}, 'max', 'xhigh'),
        ({'type': 'disabled'}, None, False),
        ({}, 'high', None),
    ],
)
def test_other_models_hear_how_long_to_think_too(thinking: Json, effort: str | None, level: Any) -> None:
    body = {
        'model': 'm',
        'max_tokens': 1,
        'messages': [{'role': 'user', 'content': 'hi'}],
        'output_config': {'effort': effort},
    }
    settings: Json = dict(decode_request({**body, **({'thinking': thinking} if thinking else {})}).settings)
    assert (settings.get('thinking'), settings.get('anthropic_thinking')) == (level, thinking or None)


def test_content_that_other_clients_send_is_read_as_text() -> None:
    blocks = [
        {'type': 'search_result', 'title': 'T', 'source': 'https://x.org', 'content': [text('found')]},
        {'type': 'document', 'source': {'type': 'content', 'content': [text('a'), text('b')]}},
    ]
    served = decode_request({'model': 'm', 'max_tokens': 1, 'messages': [{'role': 'user', 'content': blocks}]})
    [prompt] = served.messages[0].parts
    assert isinstance(prompt, UserPromptPart)
    assert list(prompt.content) == ['T (https://x.org):\nfound', BinaryContent(b'a\n\nb', media_type='text/plain')]


@pytest.mark.parametrize(
    ('change', 'words'),
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
def test_what_is_no_request_is_refused_with_a_reason(change: Json, words: str) -> None:
    with pytest.raises(UserError, match=words):
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
def test_errors_are_told_in_the_apis_words(status: int, kind: str) -> None:
    error = ModelHTTPError(status, 'm', message='Sorry.')
    assert encode_error(error) == (status, {'type': 'error', 'error': {'type': kind, 'message': 'Sorry.'}})
