"""Mistral's API from the server's side: requests are decoded, responses are encoded."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from mistralai.client.models import ChatCompletionResponse, CompletionChunk
from pydantic_core import to_jsonable_python

from pydantic_llm.exceptions import ModelHTTPError, OverloadedError, RateLimitError, UserError
from pydantic_llm.messages import (
    BinaryContent,
    Citation,
    ContentCitationAnchor,
    DocumentCitationSource,
    DocumentUrl,
    FinishReason,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
)
from pydantic_llm.models.mistral.serve import StreamEncoder, decode_request, encode_error, encode_response
from pydantic_llm.usage import RequestUsage
from pydantic_llm.wire.serving import ServedRequest
from tests.providers.server import Json

REQUEST = ServedRequest('served', [])
OWN: Any = {'provider_name': 'mistral'}
HELLO: list[Json] = [{'role': 'user', 'content': 'Hello?'}]


def decode(*messages: Json, **fields: Any) -> ServedRequest:
    return decode_request({'model': 'served', 'messages': list(messages), **fields})


def decode_parts(*messages: Json) -> list[list[Any]]:
    return [list(message.parts) for message in decode(*messages).messages]


# ---------------------------------------------------------------------------------------------------------- the request


@pytest.mark.parametrize(
    ('chunk', 'item'),
    [
        ({'type': 'text', 'text': 'Look.'}, 'Look.'),
        ({'type': 'image_url', 'image_url': 'https://a.com/a.png'}, ImageUrl('https://a.com/a.png')),
        ({'type': 'image_url', 'image_url': {'url': 'https://a.com/a.png'}}, ImageUrl('https://a.com/a.png')),
        (
            {'type': 'document_url', 'document_url': 'https://a.com/a.pdf', 'document_name': 'a'},
            DocumentUrl('https://a.com/a.pdf', identifier='a'),
        ),
        ({'type': 'file', 'file_id': 'f'}, UploadedFile('f', 'mistral')),
    ],
)
def test_a_chunk_of_a_user_message_is_decoded(chunk: Json, item: Any) -> None:
    [[part]] = decode_parts({'role': 'user', 'content': [chunk, {'type': 'text', 'text': 'So?'}]})
    assert isinstance(part, UserPromptPart)
    assert part.content == [item, 'So?']


@pytest.mark.parametrize(
    ('start', 'media_type'),
    [
        (b'RIFF....WAVE', 'audio/wav'),
        (b'ID3', 'audio/mpeg'),
        (b'fLaC', 'audio/flac'),
        (b'OggS', 'audio/ogg'),
        (b'\xff\xfb\x90', 'audio/mpeg'),
    ],
)
def test_the_format_of_audio_is_known_by_its_first_bytes(start: bytes, media_type: str) -> None:
    data = start + bytes(64)
    [[part]] = decode_parts(
        {'role': 'user', 'content': [{'type': 'input_audio', 'input_audio': b64encode(data).decode()}]}
    )
    assert isinstance(part, UserPromptPart)
    assert part.content == [BinaryContent(data, media_type=media_type)]


def test_a_past_response_is_decoded() -> None:
    content: list[Json] = [
        {'type': 'thinking', 'thinking': [{'type': 'text', 'text': 'Hm.'}], 'signature': 's'},
        {'type': 'text', 'text': 'It is so'},
        {'type': 'reference', 'reference_ids': [0]},
    ]
    call = {'id': 'abcdefghi', 'function': {'name': 'weather', 'arguments': {'city': 'Oslo'}}}
    given = {'role': 'tool', 'tool_call_id': 'abcdefghi', 'content': [{'type': 'text', 'text': 'sunny'}]}
    [_, response, after] = decode_parts(*HELLO, {'role': 'assistant', 'content': content, 'tool_calls': [call]}, given)
    source = Citation([DocumentCitationSource(document_id='0')], anchor=ContentCitationAnchor(start=0, end=8))
    assert response == [
        ThinkingPart('Hm.', signature='s', **OWN),
        TextPart('It is so', provider_details={'reference_ids': [0]}, citations=[source], **OWN),
        ToolCallPart('weather', {'city': 'Oslo'}, 'abcdefghi'),
    ]
    [returned] = after
    assert isinstance(returned, ToolReturnPart)
    assert (returned.tool_name, returned.content) == ('weather', 'sunny')


def test_a_prefix_is_a_response_at_the_end() -> None:
    [_, response] = decode(*HELLO, {'role': 'assistant', 'content': 'It is', 'prefix': True}).messages
    assert isinstance(response, ModelResponse)
    assert (response.parts, response.provider_name) == ([TextPart('It is')], 'mistral')


def test_a_system_message_is_a_system_prompt() -> None:
    [message] = decode({'role': 'system', 'content': 'Be brief.'}, *HELLO).messages
    assert isinstance(message, ModelRequest)
    assert [type(part) for part in message.parts] == [SystemPromptPart, UserPromptPart]


@pytest.mark.parametrize(
    ('fields', 'settings'),
    [
        ({'random_seed': 3, 'stop': ['x'], 'max_tokens': 9}, {'seed': 3, 'stop_sequences': ['x'], 'max_tokens': 9}),
        ({'stop': 'x', 'top_k': 3}, {'stop_sequences': ['x'], 'top_k': 3}),
        ({'reasoning_effort': 'high'}, {'thinking': 'high'}),
        ({'reasoning_effort': 'none'}, {'thinking': False}),
        ({'reasoning_effort': 'max'}, {'thinking': 'max'}),
        ({'service_tier': 'auto'}, {'service_tier': 'priority'}),
        ({'service_tier': 'standard_only'}, {'service_tier': 'default'}),
        ({'prompt_mode': 'reasoning'}, {'mistral_prompt_mode': 'reasoning'}),
    ],
)
def test_a_field_becomes_a_setting(fields: Json, settings: Json) -> None:
    assert decode(*HELLO, **fields).settings == settings


@pytest.mark.parametrize(
    ('choice', 'setting'),
    [
        ('any', 'required'),
        ('required', 'required'),
        ('none', 'none'),
        ({'type': 'function', 'function': {'name': 'weather'}}, ['weather']),
    ],
)
def test_a_tool_choice_becomes_a_setting(choice: Any, setting: Any) -> None:
    tool = {'type': 'function', 'function': {'name': 'weather', 'parameters': {'type': 'object'}}}
    assert decode(*HELLO, tools=[tool], tool_choice=choice).settings == {'tool_choice': setting}


@pytest.mark.parametrize(
    'messages',
    [None, 'Hello?', [None], [{'role': 'user', 'content': [None]}], [{'role': 'user', 'content': [{'type': 'smell'}]}]],
)
def test_an_invalid_request_is_refused(messages: Any) -> None:
    with pytest.raises(UserError):
        decode_request({'model': 'served', 'messages': messages})


@pytest.mark.parametrize(
    'data', ['*', 'é', 'A', 'data:audio/wav;base64,eA==', 'https://a.com/a.mp3', 5, None, {'data': 'eA=='}]
)
def test_invalid_audio_is_refused(data: Any) -> None:
    with pytest.raises(UserError):
        decode({'role': 'user', 'content': [{'type': 'input_audio', 'input_audio': data}]})


# --------------------------------------------------------------------------------------------------------- the response

PARTS: list[ModelResponsePart] = [
    ThinkingPart('Hm.', signature='s', **OWN),
    TextPart('It is so', provider_details={'reference_ids': [0]}, **OWN),
    ToolCallPart('weather', '{"city": "Oslo"}', 'abcdefghi'),
    ToolCallPart('weather', {'city': 'Rome'}, 'abcdefghj'),
]
RESPONSE = ModelResponse(
    PARTS,
    usage=RequestUsage(input_tokens=10, cache_read_tokens=4, output_tokens=5),
    model_name='served',
    finish_reason='tool_call',
    provider_details={'service_tier': 'priority'},
)
CONTENT: list[Json] = [
    {'type': 'thinking', 'thinking': [{'type': 'text', 'text': 'Hm.'}], 'signature': 's'},
    {'type': 'text', 'text': 'It is so'},
    {'type': 'reference', 'reference_ids': [0]},
]
CALLS: list[Json] = [
    {'id': 'abcdefghi', 'function': {'name': 'weather', 'arguments': '{"city": "Oslo"}'}, 'index': 0},
    {'id': 'abcdefghj', 'function': {'name': 'weather', 'arguments': '{"city":"Rome"}'}, 'index': 1},
]
USAGE = {
    'prompt_tokens': 10,
    'completion_tokens': 5,
    'total_tokens': 15,
    'prompt_tokens_details': {'cached_tokens': 4},
    'service_tier': 'priority',
}


def test_a_response_is_encoded_in_mistrals_form() -> None:
    body = encode_response(RESPONSE, REQUEST)
    ChatCompletionResponse.model_validate(body)
    [choice] = body['choices']
    assert choice['message'] == {'role': 'assistant', 'content': CONTENT, 'tool_calls': CALLS}
    assert (choice['finish_reason'], body['usage'], body['model']) == ('tool_calls', USAGE, 'served')


@pytest.mark.parametrize('parts', [[], [TextPart('Hi.')], [TextPart('H'), TextPart('i.')]])
def test_text_alone_is_a_string(parts: list[Any]) -> None:
    message = encode_response(ModelResponse(parts), REQUEST)['choices'][0]['message']
    assert message == {'role': 'assistant', 'content': 'Hi.' if parts else '', 'tool_calls': None}


@pytest.mark.parametrize(
    ('reason', 'raw', 'wire'),
    [
        ('length', 'model_length', 'model_length'),
        ('length', 'MAX_TOKENS', 'length'),
        ('error', None, 'error'),
        ('stop', None, 'stop'),
        (None, None, 'stop'),
    ],
)
def test_a_finish_reason_is_one_of_mistrals(reason: FinishReason | None, raw: str | None, wire: str) -> None:
    details = {'finish_reason': raw} if raw else None
    response = ModelResponse([TextPart('Hi.')], finish_reason=reason, provider_details=details)
    body = encode_response(response, REQUEST)
    ChatCompletionResponse.model_validate(body)
    assert body['choices'][0]['finish_reason'] == wire


def encode_stream() -> list[Json]:
    """Return the chunks of a stream of the same response."""
    thinking, text, first, second = PARTS
    events: list[Any] = [
        PartStartEvent(0, ThinkingPart('H')),
        PartDeltaEvent(0, ThinkingPartDelta(content_delta='m.')),
        PartDeltaEvent(0, ThinkingPartDelta(signature_delta='s')),
        PartEndEvent(0, thinking),
        PartStartEvent(1, TextPart('It')),
        PartDeltaEvent(1, TextPartDelta(' is so')),
        PartEndEvent(1, text),
        PartStartEvent(2, ToolCallPart('weather', '', 'abcdefghi')),
        PartDeltaEvent(2, ToolCallPartDelta(args_delta='{"city": "Oslo"}')),
        PartEndEvent(2, first),
        PartStartEvent(3, second),
        PartEndEvent(3, second),
    ]
    encoder = StreamEncoder(REQUEST)
    chunks = [*(chunk for event in events for chunk in encoder.event(event)), *encoder.end(RESPONSE)]
    return [json.loads(json.dumps(to_jsonable_python(chunk))) for chunk in chunks]


def test_a_stream_is_encoded_in_mistrals_form() -> None:
    chunks = encode_stream()
    for chunk in chunks:
        CompletionChunk.model_validate(chunk)
    deltas = [chunk['choices'][0]['delta'] for chunk in chunks]
    contents = [delta['content'] for delta in deltas if delta.get('content')]
    lists = [chunk for content in contents if isinstance(content, list) for chunk in content]
    assert [chunk['type'] for chunk in lists] == ['thinking', 'thinking', 'thinking', 'reference']
    assert ''.join(content for content in contents if isinstance(content, str)) == 'It is so'
    assert [call for delta in deltas for call in delta.get('tool_calls') or ()] == CALLS
    last = chunks[-1]
    assert (last['choices'][0]['finish_reason'], last['usage']) == ('tool_calls', USAGE)
    assert [chunk for chunk in chunks[:-1] if chunk.get('usage') or chunk['choices'][0]['finish_reason']] == []


@pytest.mark.parametrize(
    ('error', 'status', 'kind'),
    [
        (RateLimitError(429, 'm', message='Slow down.'), 429, 'rate_limit_error'),
        (OverloadedError(503, 'm', message='Slow down.'), 503, 'server_error'),
        (ModelHTTPError(404, 'm', message='Slow down.'), 404, 'not_found_error'),
        (UserError('Slow down.'), 400, 'invalid_request_error'),
    ],
)
def test_an_error_is_the_body_itself(error: Exception, status: int, kind: str) -> None:
    code, body = encode_error(error)
    assert code == status
    assert {'object': 'error', 'param': None, 'code': None, 'raw_status_code': status} == {
        name: body[name] for name in ('object', 'param', 'code', 'raw_status_code')
    }
    assert 'Slow down.' in body['message']
    assert body['type'] == kind


def test_an_internal_error_is_not_sent_to_clients() -> None:
    assert 'secret' not in json.dumps(encode_error(RuntimeError('secret')))
