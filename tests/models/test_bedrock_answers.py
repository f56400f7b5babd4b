"""What Bedrock's room makes of answers: blocks, streams, usage, ends, errors inside a stream."""

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
from pydantic_llm.messages import (
    BinaryContent,
    FilePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_llm.models.bedrock.decode import decode_event, decode_usage
from pydantic_llm.transport.errors import error_from_response
from pydantic_llm.usage import RequestUsage
from tests.models.bedrock_converse import (
    Json,
    Sent,
    answer,
    ask,
    delta,
    draft,
    end,
    model,
    read,
    read_stream,
    start,
    stop,
)

CITATIONS: list[Json] = [{'title': 't', 'location': {'documentChar': {'documentIndex': 0}}}, {'title': 'u'}]
FOUND = [{'text': 'The sky '}, {'text': 'is blue.'}, {'json': {'a': 1}}]


def sealed(text: bytes) -> str:
    return b64encode(text).decode()


BLOCKS: list[tuple[str, Json, list[Json], list[Any]]] = [
    ('text', {'text': 'Hello'}, [delta(0, text='Hel'), delta(0, text='lo')], [TextPart('Hello')]),
    (
        'thoughts',
        {'reasoningContent': {'reasoningText': {'text': 'Hm.', 'signature': 'sig'}}},
        [
            delta(0, reasoningContent={'text': 'H'}),
            delta(0, reasoningContent={'text': 'm.'}),
            delta(0, reasoningContent={'signature': 'sig'}),
        ],
        [ThinkingPart('Hm.', signature='sig', provider_name='bedrock')],
    ),
    (
        'unsigned thoughts',
        {'reasoningContent': {'reasoningText': {'text': 'Hm.'}}},
        [delta(0, reasoningContent={'text': 'Hm.'})],
        [ThinkingPart('Hm.', provider_name='bedrock')],
    ),
    (
        'encrypted thoughts',
        {'reasoningContent': {'redactedContent': sealed(b'secret')}},
        [
            delta(0, reasoningContent={'redactedContent': sealed(b'sec')}),
            delta(0, reasoningContent={'redactedContent': sealed(b'ret')}),
        ],
        [ThinkingPart('', id='redacted_content', signature='secret', provider_name='bedrock')],
    ),
    (
        'encrypted thoughts that are no text',
        {'reasoningContent': {'redactedContent': sealed(b'\xff\xfe')}},
        [delta(0, reasoningContent={'redactedContent': sealed(b'\xff\xfe')})],
        [
            ThinkingPart(
                '',
                id='redacted_content',
                signature=sealed(b'\xff\xfe'),
                provider_name='bedrock',
                provider_details={'encoding': 'base64'},
            )
        ],
    ),
    (
        'a call',
        {'toolUse': {'toolUseId': 'a', 'name': 'weather', 'input': {'city': 'Rome'}}},
        [
            start(0, toolUse={'toolUseId': 'a', 'name': 'weather'}),
            delta(0, toolUse={'input': ''}),
            delta(0, toolUse={'input': '{"city": '}),
            delta(0, toolUse={'input': '"Rome"}'}),
        ],
        [ToolCallPart('weather', {'city': 'Rome'}, 'a')],
    ),
    (
        'a call of a type that is plain',
        {'toolUse': {'toolUseId': 'a', 'name': 'weather', 'input': {}, 'type': 'tool_use'}},
        [start(0, toolUse={'toolUseId': 'a', 'name': 'weather', 'type': 'tool_use'})],
        [ToolCallPart('weather', {}, 'a')],
    ),
    (
        'a call of the server',
        {
            'toolUse': {
                'toolUseId': 'a',
                'name': 'nova_code_interpreter',
                'input': {'snippet': '1'},
                'type': 'server_tool_use',
            }
        },
        [
            start(0, toolUse={'toolUseId': 'a', 'name': 'nova_code_interpreter', 'type': 'server_tool_use'}),
            delta(0, toolUse={'input': '{"snippet":"1"}'}),
        ],
        [NativeToolCallPart('code_execution', {'snippet': '1'}, 'a', provider_name='bedrock')],
    ),
    (
        'a result of the server',
        {
            'toolResult': {
                'toolUseId': 'a',
                'content': [{'text': 'The sky is blue.'}, {'json': {'a': 1}}],
                'status': 'success',
                'type': 'nova_code_interpreter_result',
            }
        },
        [
            start(0, toolResult={'toolUseId': 'a', 'status': 'success', 'type': 'nova_code_interpreter_result'}),
            delta(0, toolResult=FOUND[:1]),
            delta(0, toolResult=FOUND[1:]),
        ],
        [
            NativeToolReturnPart(
                'code_execution',
                [{'text': 'The sky is blue.'}, {'json': {'a': 1}}],
                'a',
                provider_name='bedrock',
                provider_details={'status': 'success', 'type': 'nova_code_interpreter_result'},
            )
        ],
    ),
    (
        'cited text',
        {'citationsContent': {'content': [{'text': 'Blue'}], 'citations': CITATIONS}},
        [delta(0, text='Blue'), *(delta(0, citation=citation) for citation in CITATIONS)],
        [TextPart('Blue', provider_name='bedrock', provider_details={'citations': CITATIONS})],
    ),
    (
        'an image',
        {'image': {'format': 'png', 'source': {'bytes': sealed(b'pngpng')}}},
        [
            start(0, image={'format': 'png'}),
            delta(0, image={'source': {'bytes': sealed(b'png')}}),
            delta(0, image={'source': {'bytes': sealed(b'png')}}),
        ],
        [FilePart(BinaryContent(b'pngpng', media_type='image/png'), provider_name='bedrock')],
    ),
]


def told(part: Any) -> Any:
    """A part, but for how its arguments were written and when it came."""
    if isinstance(part, (ToolCallPart, NativeToolCallPart)):
        return type(part), part.tool_name, part.args_as_dict(), part.tool_call_id, part.provider_name
    if isinstance(part, NativeToolReturnPart):
        return part.tool_name, part.content, part.tool_call_id, part.provider_name, part.provider_details
    return part


@pytest.mark.parametrize(('name', 'block', 'events', 'parts'), BLOCKS, ids=[row[0] for row in BLOCKS])
def test_a_block_is_read_alike_whole_and_in_pieces(
    name: str, block: Json, events: list[Json], parts: list[Any]
) -> None:
    whole, streamed = read(answer(block)), read_stream([*events, stop(0), *end()])
    assert [*map(told, whole.parts)] == [*map(told, streamed.parts)] == [*map(told, parts)]
    assert (whole.usage, whole.finish_reason, whole.state) == (streamed.usage, streamed.finish_reason, streamed.state)


@pytest.mark.parametrize(('name', 'block', 'events', 'parts'), BLOCKS, ids=[row[0] for row in BLOCKS])
def test_a_part_starts_and_ends_once_or_is_replaced(
    name: str, block: Json, events: list[Json], parts: list[Any]
) -> None:
    reading = draft()
    for event in [*events, stop(0), *end()]:
        decode_event(event, reading)
    seen = reading.parts.take_events()
    assert [type(event) for event in seen if isinstance(event, PartEndEvent)] == [PartEndEvent]
    assert isinstance(seen[0], PartStartEvent)


@pytest.mark.parametrize('block', [{'video': {'a': 1}}, {'audio': {'a': 1}}, {'surprise': {'deep': [1, None]}}])
def test_a_block_without_a_part_of_its_own_is_kept_and_goes_back(block: Json) -> None:
    got = read(answer({'text': 'a'}, block))
    assert [part.part_kind for part in got.parts] == ['text', 'builtin-tool-call']
    request = model().prepare([ask('Hi'), got, ask('Go on')])
    assert model().encode(request)['messages'][1]['content'] == [{'text': 'a'}, block]


def test_blocks_that_overlap_are_told_apart() -> None:
    got = read_stream(
        [
            {'messageStart': {'role': 'assistant', 'p': 'abc'}},
            delta(0, text='a'),
            start(1, toolUse={'toolUseId': 'x', 'name': 'weather'}),
            delta(1, toolUse={'input': '{"city":'}),
            start(2, toolUse={'toolUseId': 'y', 'name': 'time'}),
            delta(2, toolUse={'input': '{}'}),
            delta(1, toolUse={'input': ' "Rome"}'}),
            stop(1),
            stop(2),
            stop(0),
            *end('tool_use'),
        ]
    )
    assert [part.part_kind for part in got.parts] == ['text', 'tool-call', 'tool-call']
    assert [call.args_as_dict() for call in got.tool_calls] == [{'city': 'Rome'}, {}]


@pytest.mark.parametrize(
    'event',
    [
        {'surprise': {'a': 1}},
        {'contentBlockDelta': {'contentBlockIndex': 0, 'delta': {'surprise': 1}}},
        {'contentBlockStart': {'contentBlockIndex': 0, 'start': {'surprise': 1}}},
        {'contentBlockStop': {'contentBlockIndex': 7}},
    ],
)
def test_what_is_not_known_is_passed_over(event: Json) -> None:
    got = read_stream([event, delta(1, text='a'), event, stop(1), event, *end()])
    assert (got.parts, got.state) == ([TextPart('a')], 'complete')


# ---------------------------------------------------------------------- the rest of an answer


@pytest.mark.parametrize(
    ('word', 'reason'),
    [
        ('end_turn', 'stop'),
        ('stop_sequence', 'stop'),
        ('max_tokens', 'length'),
        ('model_context_window_exceeded', 'length'),
        ('tool_use', 'tool_call'),
        ('content_filtered', 'content_filter'),
        ('guardrail_intervened', 'content_filter'),
        ('malformed_model_output', 'error'),
        ('malformed_tool_use', 'error'),
        ('tomorrow', None),
    ],
)
def test_why_an_answer_ended(word: str, reason: str | None) -> None:
    for got in (read(answer({'text': 'a'}, stop=word)), read_stream([delta(0, text='a'), stop(0), *end(word)])):
        assert (got.finish_reason, (got.provider_details or {})['finish_reason']) == (reason, word)


def test_tokens_from_and_to_the_cache_are_part_of_the_input() -> None:
    usage = {
        'inputTokens': 3,
        'outputTokens': 2,
        'totalTokens': 105,
        'cacheReadInputTokens': 40,
        'cacheWriteInputTokens': 60,
        'cacheDetails': [{'ttl': '5m', 'inputTokens': 20}, {'ttl': '1h', 'inputTokens': 40}],
        'serverToolUsage': {'invocations': 2},
    }
    assert decode_usage(usage) == RequestUsage(
        input_tokens=103,
        cache_read_tokens=40,
        cache_write_tokens=60,
        output_tokens=2,
        details={'ephemeral_1h_input_tokens': 40, 'invocations': 2},
    )
    assert decode_usage({}) == RequestUsage()


def test_what_else_is_said_is_kept() -> None:
    more: Json = {
        'additionalModelResponseFields': {'stop_sequence': 'END'},
        'trace': {'guardrail': {'a': 1}},
        'performanceConfig': {'latency': 'optimized'},
        'serviceTier': {'type': 'flex'},
    }
    details = {
        'finish_reason': 'end_turn',
        'latency_ms': 9,
        'additional_model_response_fields': {'stop_sequence': 'END'},
        'trace': {'guardrail': {'a': 1}},
        'performance_config': {'latency': 'optimized'},
        'service_tier': {'type': 'flex'},
    }
    assert read(answer({'text': 'a'}, **more)).provider_details == details
    last = end()
    last[0]['messageStop']['additionalModelResponseFields'] = more.pop('additionalModelResponseFields')
    last[1]['metadata'] |= more
    assert read_stream([delta(0, text='a'), stop(0), *last]).provider_details == details


def test_an_id_comes_with_the_headers() -> None:
    reading = draft()
    model().new_decoder(reading).decode_headers({'x-amzn-requestid': 'r-1'})
    assert reading.get().provider_response_id == 'r-1'


@pytest.mark.parametrize(
    'events',
    [[], [delta(0, text='a')], [delta(0, text='a'), stop(0)], [delta(0, text='a'), stop(0), {'metadata': {}}]],
)
def test_a_stream_without_its_end_is_not_complete(events: list[Json]) -> None:
    assert read_stream(events).state != 'complete'


def test_an_answer_without_content_is_one() -> None:
    for got in (read(answer()), read_stream(end())):
        assert (got.parts, got.state, got.finish_reason) == ([], 'complete', 'stop')


@pytest.mark.parametrize(
    'body',
    [
        {},
        {'output': None},
        {'output': {'message': {'content': 'text'}}},
        {'output': {'message': {'content': [None]}}},
        answer({'text': None}),
        answer({'text': 7}),
        answer({'toolUse': {'name': 'x', 'input': {}}}),
        answer({'image': {'format': 'png', 'source': {'bytes': 7}}}),
        {**answer(), 'usage': {'inputTokens': 'many'}},
    ],
    ids=repr,
)
def test_a_body_of_a_wrong_shape_is_unexpected(body: Any) -> None:
    reader = model().new_reader()
    with pytest.raises(UnexpectedModelBehavior):
        reader.decode(body)


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ('name', 'kind', 'status', 'retryable'),
    [
        ('throttlingException', RateLimitError, 429, True),
        ('serviceUnavailableException', OverloadedError, 503, True),
        ('internalServerException', ModelHTTPError, 500, True),
        ('modelStreamErrorException', ModelHTTPError, 424, True),
        ('modelErrorException', ModelHTTPError, 424, False),
        ('validationException', ModelHTTPError, 400, False),
        ('modelTimeoutException', ModelHTTPError, 408, True),
        ('accessDeniedException', AuthenticationError, 403, False),
        ('resourceNotFoundException', NotFoundError, 404, False),
    ],
)
def test_an_exception_inside_a_stream_is_an_error(name: str, kind: type, status: int, retryable: bool) -> None:
    with pytest.raises(kind, match='Too much') as raised:
        decode_event({name: {'message': 'Too much'}}, draft())
    error: Any = raised.value
    assert (type(error), error.status_code, error.in_stream, error.retryable) == (kind, status, True, retryable)


def test_an_error_that_is_no_exception_is_an_error_too() -> None:
    with pytest.raises(ModelAPIError, match='Broken'):
        decode_event({'error': {'message': 'Broken', 'code': 'InternalError'}}, draft())


def test_a_prompt_that_is_too_long_is_told_apart_inside_a_stream() -> None:
    with pytest.raises(ContextLengthError):
        decode_event({'validationException': {'message': 'Input is too long for requested model.'}}, draft())


@pytest.mark.parametrize(
    ('status', 'name', 'message', 'kind'),
    [
        (400, 'ValidationException', 'The provided model identifier is invalid.', NotFoundError),
        (400, 'ValidationException', 'Input is too long for requested model.', ContextLengthError),
        (
            400,
            'ValidationException',
            'The model returned the following errors: prompt is too long: 200001 tokens > 200000 maximum',
            ContextLengthError,
        ),
        (400, 'ValidationException', 'Malformed input request', ModelHTTPError),
        (400, 'ServiceQuotaExceededException', 'You have reached your limit', QuotaExceededError),
        (403, 'UnrecognizedClientException', 'The security token is invalid', AuthenticationError),
        (403, 'AccessDeniedException', "You don't have access to the model", AuthenticationError),
        (404, 'ResourceNotFoundException', 'This model version has reached the end of its life.', NotFoundError),
        (408, 'ModelTimeoutException', 'Model took too long', ModelHTTPError),
        (424, 'ModelErrorException', 'The model failed', ModelHTTPError),
        (429, 'ThrottlingException', 'Too many requests', RateLimitError),
        (429, 'ModelNotReadyException', 'Model is not ready', RateLimitError),
        (503, 'ServiceUnavailableException', 'Bedrock is unable to process your request.', OverloadedError),
    ],
)
def test_an_error_is_known_by_its_status_and_the_name_in_its_header(
    status: int, name: str, message: str, kind: type
) -> None:
    headers = {'x-amzn-ErrorType': f'{name}:http://internal.amazon.com/coral/', 'x-amzn-RequestId': 'r-1'}
    body = b'{"message":"' + message.encode() + b'"}'
    error = error_from_response(status, headers, body, model_name='m', provider_name='bedrock')
    assert (type(error), error.request_id) == (kind, 'r-1')
    assert f'({name}): {message}' in str(error)


def test_a_request_is_checked_by_boto3() -> None:
    assert Sent([ask('hi')]).turns == [('user', 'hi')]
    with pytest.raises(AssertionError, match='Unknown parameter'):
        Sent([ask('hi')], {'bedrock_guardrail_config': {'guardrail': 'g'}})
