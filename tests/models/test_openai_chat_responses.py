"""Decoding of Chat Completions: responses, whole and streamed, and errors."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from pydantic_llm.exceptions import (
    AuthenticationError,
    ContextLengthError,
    ModelAPIError,
    ModelHTTPError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    UnexpectedModelBehavior,
)
from pydantic_llm.messages import BinaryContent, FilePart, TextPart, ThinkingPart, ToolCallPart
from pydantic_llm.usage import RequestUsage
from tests.models.openai_chat import HELLO, OWN, build_model, decode_response
from tests.providers.server import Json, Server, chunks, completion

# ------------------------------------------------------------------------------------------------------------ responses


@pytest.mark.parametrize(
    ('message', 'parts', 'finish_reason', 'details'),
    [
        ({'content': None}, [], 'stop', {}),
        ({'content': [{'type': 'text', 'text': 'a'}, {'type': 'text', 'text': 'b'}]}, [TextPart('ab')], 'stop', {}),
        ({'content': '', 'refusal': 'No.'}, [], 'content_filter', {'refusal': 'No.'}),
        (
            {'content': '<think>Well.</think>\nYes.'},
            [ThinkingPart('Well.', id='content', **OWN), TextPart('\nYes.')],
            'stop',
            {},
        ),
        ({'reasoning': 'Well.', 'content': 'Yes.'}, [ThinkingPart('Well.', id='reasoning', **OWN), TextPart('Yes.')],
         'stop', {}),
        (
            {'content': 'Yes.', 'annotations': [{'type': 'url_citation'}]},
            [TextPart('Yes.')],
            'stop',
            {'annotations': [{'type': 'url_citation'}]},
        ),
        (
            {'content': 'A cat.', 'images': [{'image_url': {'url': 'data:image/png;base64,iVBORw=='}}]},
            [TextPart('A cat.'), FilePart(BinaryContent(b'\x89PNG', media_type='image/png'), **OWN)],
            'stop',
            {},
        ),
        (
            {'tool_calls': [{'function': {'name': 'f', 'arguments': {'a': 1}}, 'id': 'a', 'extra_content': {'b': 2}}]},
            [ToolCallPart('f', {'a': 1}, 'a', provider_details={'extra_content': {'b': 2}}, **OWN)],
            'stop',
            {},
        ),
    ],
)  # fmt: skip
async def test_a_message_becomes_parts(message: Json, parts: Any, finish_reason: str, details: Json) -> None:
    response = await decode_response(completion(message))
    assert response.parts == parts
    assert response.finish_reason == finish_reason
    assert response.provider_details == {'finish_reason': 'stop', **details}


@pytest.mark.parametrize(
    ('audio', 'media_type'),
    [
        (b'RIFF\x00\x00\x00\x00WAVE', 'audio/wav'),
        (b'ID3\x03', 'audio/mpeg'),
        (b'\xff\xfb\x90', 'audio/mpeg'),
        (b'fLaC\x00', 'audio/flac'),
        (b'OggS\x00', 'audio/ogg'),
        (b'\x01\x00\x02\x00', 'audio/pcm'),
    ],
)
async def test_a_spoken_response_is_its_transcript_and_its_audio(audio: bytes, media_type: str) -> None:
    parts = [
        TextPart('Hello!'),
        FilePart(BinaryContent(audio, media_type=media_type), provider_details={'audio_id': 'audio_1'}, **OWN),
    ]
    spoken = {'id': 'audio_1', 'data': b64encode(audio).decode(), 'transcript': 'Hello!', 'expires_at': 1}
    assert (await decode_response(completion({'content': None, 'audio': spoken}))).parts == parts
    halves = [b64encode(audio[:2]).decode(), b64encode(audio[2:]).decode()]
    streamed = await decode_response(
        chunks(
            {'audio': {'id': 'audio_1', 'transcript': 'Hel'}},
            {'audio': {'transcript': 'lo!', 'data': halves[0]}},
            {'audio': {'data': halves[1]}},
            {'audio': {'expires_at': 1}},
        )
    )
    assert streamed.parts == parts


async def test_empty_values_are_ignored() -> None:
    empty = {
        'content': 'Hi',
        'refusal': '',
        'audio': {'id': '', 'data': '', 'expires_at': 0, 'transcript': ''},
        'function_call': {'name': '', 'arguments': ''},
        'annotations': None,
        'tool_calls': None,
        'reasoning': '',
    }
    response = await decode_response(completion(empty, finish_reason='', id='', created=0))
    assert (response.parts, response.finish_reason, response.provider_response_id) == ([TextPart('Hi')], None, None)


LOGPROBS = [{'token': 'Hi', 'logprob': -0.1, 'bytes': [72, 105], 'top_logprobs': []}]


async def test_log_probabilities_are_kept_whole_and_streamed() -> None:
    whole = completion({'content': 'Hi'})
    whole['choices'][0]['logprobs'] = {'content': LOGPROBS, 'refusal': None}
    assert ((await decode_response(whole)).provider_details or {})['logprobs'] == LOGPROBS
    choice = {'index': 0, 'delta': {'content': 'Hi'}, 'logprobs': {'content': LOGPROBS}}
    streamed = await decode_response(chunks(after=({'choices': [choice]}, {'choices': [choice]})))
    assert (streamed.provider_details or {})['logprobs'] == LOGPROBS * 2


async def test_a_refusal_streams_into_the_details() -> None:
    response = await decode_response(chunks({'refusal': 'I can'}, {'refusal': 'not.'}))
    assert (response.parts, response.finish_reason) == ([], 'content_filter')
    assert response.provider_details == {'finish_reason': 'stop', 'refusal': 'I cannot.'}


async def test_usage_has_cached_and_audio_tokens_and_costs() -> None:
    usage = {
        'prompt_tokens': 100,
        'completion_tokens': 50,
        'total_tokens': 150,
        'prompt_tokens_details': {'cached_tokens': 40, 'cache_write_tokens': 20, 'audio_tokens': 10},
        'completion_tokens_details': {'reasoning_tokens': 30, 'audio_tokens': 5, 'accepted_prediction_tokens': 0},
        'prompt_cache_miss_tokens': 60,
        'cost': 0.5,
        'is_byok': False,
        'cost_details': {'upstream_inference_cost': 0.25, 'upstream_inference_prompt_cost': None},
    }
    for content in (completion({'content': 'Hi'}, usage=usage), chunks({'content': 'Hi'}, after=({'usage': usage},))):
        response = await decode_response(content)
        assert response.usage == RequestUsage(
            input_tokens=100,
            output_tokens=50,
            cache_read_tokens=40,
            cache_write_tokens=20,
            input_audio_tokens=10,
            output_audio_tokens=5,
            output_reasoning_tokens=30,
            details={'reasoning_tokens': 30, 'audio_tokens': 5, 'prompt_cache_miss_tokens': 60},
        )
        assert response.provider_details == {
            'finish_reason': 'stop',
            'cost': 0.5,
            'is_byok': False,
            'upstream_inference_cost': 0.25,
        }


@pytest.mark.parametrize(
    'usage',
    [
        {'prompt_tokens_details': {'cached_tokens': 40}},
        {'cached_tokens': 40},
        {'prompt_tokens_details': None, 'num_cached_tokens': 40},
    ],
)
async def test_cached_tokens_are_found_in_each_of_their_fields(usage: Json) -> None:
    response = await decode_response(completion({'content': 'Hi'}, usage={'prompt_tokens': 50, **usage}))
    assert response.usage == RequestUsage(input_tokens=50, cache_read_tokens=40)


async def test_details_of_the_vendor_behind_a_gateway_are_kept() -> None:
    content = completion({'content': 'Hi'}, provider='Google', service_tier='flex', citations=['https://example.com'])
    content['choices'][0] |= {'native_finish_reason': 'STOP', 'content_filter_results': {'hate': {'filtered': False}}}
    assert (await decode_response(content)).provider_details == {
        'finish_reason': 'stop',
        'native_finish_reason': 'STOP',
        'content_filter_results': {'hate': {'filtered': False}},
        'downstream_provider': 'Google',
        'service_tier': 'flex',
        'citations': ['https://example.com'],
    }


REASONING = [
    {'type': 'reasoning.summary', 'summary': 'In ', 'index': 0, 'format': 'openai-responses-v1'},
    {'type': 'reasoning.summary', 'summary': 'short.', 'index': 0},
    {'type': 'reasoning.encrypted', 'data': 'sealed', 'id': 'rs_1', 'index': 1},
    {'type': 'reasoning.text', 'text': 'At length.', 'signature': '', 'index': 2},
    {'type': 'reasoning.text', 'signature': 'signed', 'index': 2},
]


async def test_reasoning_details_become_thinking_with_signatures() -> None:
    deltas = ({'reasoning': detail.get('summary'), 'reasoning_details': [detail]} for detail in REASONING)
    response = await decode_response(chunks(*deltas, {'content': 'Hi'}), service='openrouter', name='openai/gpt-5')
    ours: Json = {'provider_name': 'openrouter'}
    summary = {'type': 'reasoning.summary', 'index': 0, 'format': 'openai-responses-v1'}
    assert response.parts == [
        ThinkingPart('In short.', provider_details=summary, **ours),
        ThinkingPart(
            '', id='rs_1', signature='sealed', provider_details={'type': 'reasoning.encrypted', 'index': 1}, **ours
        ),
        ThinkingPart('At length.', signature='signed', provider_details={'type': 'reasoning.text', 'index': 2}, **ours),
        TextPart('Hi'),
    ]


@pytest.mark.parametrize('created', ['2025-10-09T08:53:20Z', None, 0, -1, True])
async def test_an_invalid_time_is_ignored(created: Any) -> None:
    response = await decode_response(completion({'content': 'Hi'}, created=created))
    assert response.parts == [TextPart('Hi')]


@pytest.mark.parametrize('created', [1_760_000_000, 1_760_000_000.0, 1_760_000_000_000])
async def test_the_time_of_a_response_is_in_seconds_or_milliseconds(created: float) -> None:
    response = await decode_response(completion({'content': 'Hi'}, created=created))
    assert response.timestamp.isoformat() == '2025-10-09T08:53:20+00:00'


@pytest.mark.parametrize(
    ('wire', 'ours'),
    [
        ('stop', 'stop'),
        ('length', 'length'),
        ('model_context_window_exceeded', 'length'),
        ('tool_calls', 'tool_call'),
        ('function_call', 'tool_call'),
        ('content_filter', 'content_filter'),
        ('sensitive', 'content_filter'),
        ('error', 'error'),
        ('network_error', 'error'),
        ('eos_token', 'stop'),
        ('FINISH_REASON_STOP', 'stop'),
        ('tool-calls', 'tool_call'),
        ('MAX_TOKENS', 'length'),
        ('model_length', 'length'),
        ('safety', 'content_filter'),
    ],
)
async def test_a_finish_reason_is_translated_and_kept(wire: str, ours: str) -> None:
    for content in (completion({'content': 'Hi'}, finish_reason=wire), chunks({'content': 'Hi'}, finish_reason=wire)):
        response = await decode_response(content)
        assert (response.finish_reason, response.provider_details) == (ours, {'finish_reason': wire})


async def test_a_finish_reason_that_is_a_number_is_kept() -> None:
    for content in (completion({'content': 'Hi'}, finish_reason=1), chunks({'content': 'Hi'}, finish_reason=1)):
        response = await decode_response(content)
        assert (response.text, response.state, response.provider_details) == ('Hi', 'complete', {'finish_reason': '1'})


async def test_an_unknown_finish_reason_is_kept() -> None:
    response = await decode_response(completion({'content': 'Hi'}, finish_reason='vibes'))
    assert (response.finish_reason, response.provider_details) == (None, {'finish_reason': 'vibes'})


async def test_a_whole_response_without_a_finish_reason_is_complete() -> None:
    response = await decode_response(completion({'content': 'Hi'}, finish_reason=None))
    assert (response.finish_reason, response.state, response.provider_details) == (None, 'complete', None)


async def test_a_whole_response_without_choices_is_incomplete() -> None:
    for choices in ([], None):
        response = await decode_response({**completion({'content': 'Hi'}), 'choices': choices})
        assert (response.parts, response.finish_reason, response.state) == ([], None, 'incomplete')


DONE = b'data: [DONE]\n\n'


async def test_a_stream_without_a_finish_reason_and_an_end_mark_is_incomplete() -> None:
    response = await decode_response(chunks({'content': 'Hel'}, finish_reason=None).removesuffix(DONE))
    assert (response.parts, response.finish_reason, response.state) == ([TextPart('Hel')], None, 'incomplete')


@pytest.mark.parametrize('done', [DONE, b'data: [DONE]', b'data:[DONE] \r\n\r\n', b'data: "[DONE]"\n\n'])
async def test_an_end_mark_completes_a_stream_without_a_finish_reason(done: bytes) -> None:
    response = await decode_response(chunks({'content': 'Hi'}, finish_reason=None).removesuffix(DONE) + done)
    assert (response.parts, response.finish_reason, response.state) == ([TextPart('Hi')], None, 'complete')


TRUNCATED_CALL = {'index': 0, 'id': 'a', 'function': {'name': 'f', 'arguments': '{"a": '}}


@pytest.mark.parametrize('delta', [{'role': 'assistant'}, {'content': ''}, {'tool_calls': [TRUNCATED_CALL]}])
async def test_an_end_mark_does_not_complete_a_response_without_an_end(delta: Json) -> None:
    response = await decode_response(chunks(delta, finish_reason=None))
    assert (response.finish_reason, response.state) == (None, 'incomplete')


async def test_snowflakes_streams_are_complete_without_a_finish_reason() -> None:
    how = {'service': 'snowflake', 'name': 'claude-sonnet-4-6'}
    call = {'index': 0, 'id': 'a', 'function': {'name': 'f', 'arguments': '{}'}}
    text = await decode_response(chunks({'content': 'Hi'}, finish_reason=None), **how)
    tool_call = await decode_response(chunks({'tool_calls': [call]}, finish_reason=None), **how)
    whole = await decode_response(completion({'content': '', 'tool_calls': [call]}, finish_reason=''), **how)
    assert [(r.finish_reason, r.state) for r in (text, tool_call, whole)] == [
        ('stop', 'complete'),
        ('tool_call', 'complete'),
        ('tool_call', 'complete'),
    ]


async def test_leading_whitespace_is_dropped_in_some_streams_only() -> None:
    stream = chunks({'content': '\n\n'}, {'content': '\nHi'})
    assert (await decode_response(stream)).parts == [TextPart('\n\n\nHi')]
    how = {'service': 'ollama', 'name': 'qwen3:8b'}
    assert (await decode_response(stream, **how)).parts == [TextPart('\nHi')]
    assert (await decode_response(completion({'content': '\n\n'}), **how)).parts == [TextPart('\n\n')]


async def test_a_name_starts_a_tool_call_if_there_is_no_index() -> None:
    def call(name: str | None, arguments: str, id: str | None = None) -> Json:
        return {'tool_calls': [{'id': id, 'function': {'name': name, 'arguments': arguments}}]}

    stream = chunks(call('f', '{"a":', 'x'), call(None, '1}'), call('g', '{}', 'y'))
    assert (await decode_response(stream)).parts == [ToolCallPart('f', '{"a":1}', 'x'), ToolCallPart('g', '{}', 'y')]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'id': 'x'}, r'^The response of openai has no choices'),
        ({'choices': [{}]}, r'did not answer with a chat completion \(KeyError'),
        (
            {'choices': [{'message': {'content': 7}}]},
            r'did not answer with a chat completion \(TypeError: content is 7',
        ),
        ({'choices': ['x']}, r'did not answer with a chat completion \(TypeError'),
    ],
)
async def test_an_invalid_response_is_an_error(content: Json, message: str) -> None:
    with pytest.raises(UnexpectedModelBehavior, match=message):
        await decode_response(content)


# --------------------------------------------------------------------------------------------------------------- errors


def error(message: str = 'no', **more: Any) -> Json:
    return {'error': {'message': message, **more}}


async def whole(server: Server) -> None:
    await build_model(server).request(HELLO)


async def streamed(server: Server) -> None:
    async with build_model(server).request_stream(HELLO):
        pytest.fail('there is no stream')


@pytest.mark.parametrize(
    ('status', 'content', 'kind', 'retryable'),
    [
        (400, error(), ModelHTTPError, False),
        (400, error(code='context_length_exceeded'), ContextLengthError, False),
        (401, error(code='invalid_api_key'), AuthenticationError, False),
        (402, error(), QuotaExceededError, False),
        (403, error(), AuthenticationError, False),
        (404, error(code='model_not_found'), NotFoundError, False),
        (422, {'detail': [{'msg': 'bad'}]}, ModelHTTPError, False),
        (429, error(code='rate_limit_exceeded'), RateLimitError, True),
        (429, error(code='insufficient_quota'), QuotaExceededError, False),
        (500, error(), ModelHTTPError, True),
        (502, b'<html>Bad Gateway</html>', ModelHTTPError, True),
        (503, error(), OverloadedError, True),
        (500, b'', ModelHTTPError, True),
    ],
)
async def test_a_status_becomes_an_error(
    status: int, content: Json | bytes, kind: type[ModelHTTPError], retryable: bool
) -> None:
    server = Server(content, status=status, x_request_id='req-1')
    for send in (whole, streamed):
        with pytest.raises(ModelHTTPError) as caught:
            await send(server)
        expected = content if isinstance(content, dict) else content.decode() or None
        found = caught.value
        assert (type(found), found.status_code, found.body) == (kind, status, expected)
        assert (found.retryable, found.request_id, found.provider_name) == (retryable, 'req-1', 'openai')
        assert not found.in_stream
    assert len(server.requests) == 2


async def test_the_retry_headers_is_kept() -> None:
    server = Server(error(), status=429, retry_after='7')
    with pytest.raises(RateLimitError) as caught:
        await build_model(server).request(HELLO)
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    ('event', 'kind', 'status'),
    [
        (error(type='overloaded_error', code='overloaded'), OverloadedError, 503),
        (error(code='rate_limit_exceeded'), RateLimitError, 429),
        (error(type='server_error'), ModelHTTPError, 500),
        (error(code=502), ModelHTTPError, 502),
        (error(code='context_length_exceeded'), ContextLengthError, 400),
        ({'choices': [{'index': 0, 'delta': {}, 'error': {'code': 429, 'message': 'no'}}]}, RateLimitError, 429),
    ],
)
async def test_an_error_inside_a_stream_becomes_the_same_error(
    event: Json, kind: type[ModelHTTPError], status: int
) -> None:
    server = Server(chunks({'content': 'Hel'}, finish_reason=None, after=(event,)))
    async with build_model(server).request_stream(HELLO) as stream:
        with pytest.raises(ModelHTTPError) as caught:
            [_ async for _ in stream]
    assert (type(caught.value), caught.value.status_code, caught.value.in_stream) == (kind, status, True)
    assert (stream.get().parts, stream.get().state) == ([TextPart('Hel')], 'interrupted')


async def test_an_error_without_a_kind_has_no_status() -> None:
    with pytest.raises(ModelAPIError) as caught:
        await decode_response(error('something'))
    assert type(caught.value) is ModelAPIError
    assert str(caught.value) == 'gpt-4o failed: something'


async def test_an_error_with_status_200_is_raised() -> None:
    with pytest.raises(RateLimitError):
        await decode_response({**completion({}), 'error': {'code': 429, 'message': 'no'}})
    with pytest.raises(OverloadedError):
        await decode_response({'choices': [{'message': {}, 'error': {'code': 503, 'message': 'no'}}]})
