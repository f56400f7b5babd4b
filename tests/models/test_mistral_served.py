"""Mistral's API from the server's side: what clients send is read as it was meant, and they read what it answers."""

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

ASKED = ServedRequest('served', [])
OWN: Any = {'provider_name': 'mistral'}
HELLO: list[Json] = [{'role': 'user', 'content': 'Hello?'}]


def read(*messages: Json, **fields: Any) -> ServedRequest:
    return decode_request({'model': 'served', 'messages': list(messages), **fields})


def parts_of(*messages: Json) -> list[list[Any]]:
    return [list(message.parts) for message in read(*messages).messages]


# ---------------------------------------------------------------------- the request


@pytest.mark.parametrize(
    ('chunk', 'item'),
    [
        ({'type': 'text', 'text': 'Look.'}, 'Look.'),
        ({'type': 'image_url', 'image_url': 'https://a.com/a.png'}, ImageUrl('https://a.com/a.png')),
        ({'type': 'image_url', 'image_url': {'url': 'https://a.com/a.png'}}, ImageUrl('https://a.com/a.png')),
        (
            {'type': 'document_url', 'document_url': 'https://a.com/a.pdf', 'document_name': 'a'},
            DocumentUrl('https://a.com/a.pdf'),
        ),
        ({'type': 'file', 'file_id': 'f'}, UploadedFile('f', 'mistral')),
    ],
)
def test_what_a_user_sends_is_read(chunk: Json, item: Any) -> None:
    [[part]] = parts_of({'role': 'user', 'content': [chunk, {'type': 'text', 'text': 'So?'}]})
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
def test_what_a_sound_is_its_beginning_says(start: bytes, media_type: str) -> None:
    data = start + bytes(64)
    [[part]] = parts_of({'role': 'user', 'content': [{'type': 'input_audio', 'input_audio': b64encode(data).decode()}]})
    assert isinstance(part, UserPromptPart)
    assert part.content == [BinaryContent(data, media_type=media_type)]


def test_an_answer_goes_back_as_it_came() -> None:
    told: list[Json] = [
        {'type': 'thinking', 'thinking': [{'type': 'text', 'text': 'Hm.'}], 'signature': 's'},
        {'type': 'text', 'text': 'It is so'},
        {'type': 'reference', 'reference_ids': [0]},
    ]
    call = {'id': 'abcdefghi', 'function': {'name': 'weather', 'arguments': {'city': 'Oslo'}}}
    given = {'role': 'tool', 'tool_call_id': 'abcdefghi', 'content': [{'type': 'text', 'text': 'sunny'}]}
    [_, answer, after] = parts_of(*HELLO, {'role': 'assistant', 'content': told, 'tool_calls': [call]}, given)
    assert answer == [
        ThinkingPart('Hm.', signature='s', **OWN),
        TextPart('It is so', provider_details={'reference_ids': [0]}, **OWN),
        ToolCallPart('weather', {'city': 'Oslo'}, 'abcdefghi'),
    ]
    [returned] = after
    assert isinstance(returned, ToolReturnPart)
    assert (returned.tool_name, returned.content) == ('weather', 'sunny')


def test_a_prefix_is_the_end_of_the_conversation() -> None:
    [_, answer] = read(*HELLO, {'role': 'assistant', 'content': 'It is', 'prefix': True}).messages
    assert isinstance(answer, ModelResponse)
    assert (answer.parts, answer.provider_name) == ([TextPart('It is')], 'mistral')


def test_a_system_prompt_is_one() -> None:
    [message] = read({'role': 'system', 'content': 'Be brief.'}, *HELLO).messages
    assert isinstance(message, ModelRequest)
    assert [type(part) for part in message.parts] == [SystemPromptPart, UserPromptPart]


@pytest.mark.parametrize(
    ('fields', 'settings'),
    [
        ({'random_seed': 3, 'stop': ['x'], 'max_tokens': 9}, {'seed': 3, 'stop_sequences': ['x'], 'max_tokens': 9}),
        ({'stop': 'x', 'top_k': 3}, {'stop_sequences': ['x'], 'top_k': 3}),
        ({'reasoning_effort': 'high'}, {'thinking': 'high'}),
        ({'reasoning_effort': 'none'}, {'thinking': False}),
        ({'reasoning_effort': 'max'}, {'mistral_reasoning_effort': 'max'}),
        ({'service_tier': 'auto'}, {'service_tier': 'priority'}),
        ({'service_tier': 'standard_only'}, {'service_tier': 'default'}),
        ({'prompt_mode': 'reasoning'}, {'mistral_prompt_mode': 'reasoning'}),
    ],
)
def test_a_field_is_a_setting(fields: Json, settings: Json) -> None:
    assert read(*HELLO, **fields).settings == settings


@pytest.mark.parametrize(
    ('choice', 'setting'),
    [
        ('any', 'required'),
        ('required', 'required'),
        ('none', 'none'),
        ({'type': 'function', 'function': {'name': 'weather'}}, ['weather']),
    ],
)
def test_a_choice_of_tools_is_read(choice: Any, setting: Any) -> None:
    tool = {'type': 'function', 'function': {'name': 'weather', 'parameters': {'type': 'object'}}}
    assert read(*HELLO, tools=[tool], tool_choice=choice).settings == {'tool_choice': setting}


@pytest.mark.parametrize(
    'messages',
    [None, 'Hello?', [None], [{'role': 'user', 'content': [None]}], [{'role': 'user', 'content': [{'type': 'smell'}]}]],
)
def test_what_is_no_request_is_refused(messages: Any) -> None:
    with pytest.raises(UserError):
        decode_request({'model': 'served', 'messages': messages})


@pytest.mark.parametrize(
    'data', ['*', 'é', 'A', 'data:audio/wav;base64,eA==', 'https://a.com/a.mp3', 5, None, {'data': 'eA=='}]
)
def test_what_is_no_sound_is_refused(data: Any) -> None:
    with pytest.raises(UserError):
        read({'role': 'user', 'content': [{'type': 'input_audio', 'input_audio': data}]})


# ---------------------------------------------------------------------- the answer

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


def test_an_answer_is_written_as_mistral_writes_it() -> None:
    body = encode_response(RESPONSE, ASKED)
    ChatCompletionResponse.model_validate(body)
    [choice] = body['choices']
    assert choice['message'] == {'role': 'assistant', 'content': CONTENT, 'tool_calls': CALLS}
    assert (choice['finish_reason'], body['usage'], body['model']) == ('tool_calls', USAGE, 'served')


@pytest.mark.parametrize('parts', [[], [TextPart('Hi.')], [TextPart('H'), TextPart('i.')]])
def test_text_alone_is_no_list(parts: list[Any]) -> None:
    message = encode_response(ModelResponse(parts), ASKED)['choices'][0]['message']
    assert message == {'role': 'assistant', 'content': 'Hi.' if parts else '', 'tool_calls': None}


@pytest.mark.parametrize(
    ('reason', 'raw', 'word'),
    [
        ('length', 'model_length', 'model_length'),
        ('length', 'MAX_TOKENS', 'length'),
        ('error', None, 'error'),
        ('stop', None, 'stop'),
        (None, None, 'stop'),
    ],
)
def test_the_end_has_a_word_of_mistrals(reason: FinishReason | None, raw: str | None, word: str) -> None:
    details = {'finish_reason': raw} if raw else None
    response = ModelResponse([TextPart('Hi.')], finish_reason=reason, provider_details=details)
    body = encode_response(response, ASKED)
    ChatCompletionResponse.model_validate(body)
    assert body['choices'][0]['finish_reason'] == word


def written() -> list[Json]:
    """The chunks of a stream of the same answer."""
    thought, text, first, second = PARTS
    events: list[Any] = [
        PartStartEvent(0, ThinkingPart('H')),
        PartDeltaEvent(0, ThinkingPartDelta(content_delta='m.')),
        PartDeltaEvent(0, ThinkingPartDelta(signature_delta='s')),
        PartEndEvent(0, thought),
        PartStartEvent(1, TextPart('It')),
        PartDeltaEvent(1, TextPartDelta(' is so')),
        PartEndEvent(1, text),
        PartStartEvent(2, ToolCallPart('weather', '', 'abcdefghi')),
        PartDeltaEvent(2, ToolCallPartDelta(args_delta='{"city": "Oslo"}')),
        PartEndEvent(2, first),
        PartStartEvent(3, second),
        PartEndEvent(3, second),
    ]
    writer = StreamEncoder(ASKED)
    chunks = [*(chunk for event in events for chunk in writer.event(event)), *writer.end(RESPONSE)]
    return [json.loads(json.dumps(to_jsonable_python(chunk))) for chunk in chunks]


def test_a_stream_is_written_as_mistral_writes_it() -> None:
    chunks = written()
    for chunk in chunks:
        CompletionChunk.model_validate(chunk)
    deltas = [chunk['choices'][0]['delta'] for chunk in chunks]
    contents = [delta['content'] for delta in deltas if delta.get('content')]
    thoughts = [chunk for content in contents if isinstance(content, list) for chunk in content]
    assert [chunk['type'] for chunk in thoughts] == ['thinking', 'thinking', 'thinking', 'reference']
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
def test_an_error_stands_by_itself(error: Exception, status: int, kind: str) -> None:
    code, body = encode_error(error)
    assert code == status
    assert {'object': 'error', 'param': None, 'code': None, 'raw_status_code': status} == {
        name: body[name] for name in ('object', 'param', 'code', 'raw_status_code')
    }
    assert 'Slow down.' in body['message']
    assert body['type'] == kind


def test_what_broke_inside_is_told_to_nobody() -> None:
    assert 'secret' not in json.dumps(encode_error(RuntimeError('secret')))
