"""The decoding half of Bedrock's room: blocks, streams, usage, finish reasons, errors inside a stream."""

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
from pydantic_llm.models.bedrock.decode import BedrockDecoder, decode_usage
from pydantic_llm.transport.errors import error_from_response
from pydantic_llm.usage import RequestUsage
from tests.models.bedrock_converse import (
    Json,
    Sent,
    ask,
    block_delta,
    block_start,
    block_stop,
    decode_stream,
    decode_whole,
    make_model,
    new_draft,
    response_body,
    stream_end,
)
from tests.models.cited import cite

CITATIONS: list[Json] = [{'title': 't', 'location': {'documentChar': {'documentIndex': 0}}}, {'title': 'u'}]
RESULT_PIECES = [{'text': 'The sky '}, {'text': 'is blue.'}, {'json': {'a': 1}}]


def to_base64(data: bytes) -> str:
    return b64encode(data).decode()


BLOCKS: list[tuple[str, Json, list[Json], list[Any]]] = [
    ('text', {'text': 'Hello'}, [block_delta(0, text='Hel'), block_delta(0, text='lo')], [TextPart('Hello')]),
    (
        'thinking',
        {'reasoningContent': {'reasoningText': {'text': 'Hm.', 'signature': 'sig'}}},
        [
            block_delta(0, reasoningContent={'text': 'H'}),
            block_delta(0, reasoningContent={'text': 'm.'}),
            block_delta(0, reasoningContent={'signature': 'sig'}),
        ],
        [ThinkingPart('Hm.', signature='sig', provider_name='bedrock')],
    ),
    (
        'thinking without a signature',
        {'reasoningContent': {'reasoningText': {'text': 'Hm.'}}},
        [block_delta(0, reasoningContent={'text': 'Hm.'})],
        [ThinkingPart('Hm.', provider_name='bedrock')],
    ),
    (
        'encrypted thinking',
        {'reasoningContent': {'redactedContent': to_base64(b'secret')}},
        [
            block_delta(0, reasoningContent={'redactedContent': to_base64(b'sec')}),
            block_delta(0, reasoningContent={'redactedContent': to_base64(b'ret')}),
        ],
        [ThinkingPart('', id='redacted_content', signature='secret', provider_name='bedrock')],
    ),
    (
        'encrypted thinking that is not text',
        {'reasoningContent': {'redactedContent': to_base64(b'\xff\xfe')}},
        [block_delta(0, reasoningContent={'redactedContent': to_base64(b'\xff\xfe')})],
        [
            ThinkingPart(
                '',
                id='redacted_content',
                signature=to_base64(b'\xff\xfe'),
                provider_name='bedrock',
                provider_details={'encoding': 'base64'},
            )
        ],
    ),
    (
        'a tool call',
        {'toolUse': {'toolUseId': 'a', 'name': 'weather', 'input': {'city': 'Rome'}}},
        [
            block_start(0, toolUse={'toolUseId': 'a', 'name': 'weather'}),
            block_delta(0, toolUse={'input': ''}),
            block_delta(0, toolUse={'input': '{"city": '}),
            block_delta(0, toolUse={'input': '"Rome"}'}),
        ],
        [ToolCallPart('weather', {'city': 'Rome'}, 'a')],
    ),
    (
        'a tool call with a type',
        {'toolUse': {'toolUseId': 'a', 'name': 'weather', 'input': {}, 'type': 'tool_use'}},
        [block_start(0, toolUse={'toolUseId': 'a', 'name': 'weather', 'type': 'tool_use'})],
        [ToolCallPart('weather', {}, 'a')],
    ),
    (
        'a call that the server runs',
        {
            'toolUse': {
                'toolUseId': 'a',
                'name': 'nova_code_interpreter',
                'input': {'snippet': '1'},
                'type': 'server_tool_use',
            }
        },
        [
            block_start(0, toolUse={'toolUseId': 'a', 'name': 'nova_code_interpreter', 'type': 'server_tool_use'}),
            block_delta(0, toolUse={'input': '{"snippet":"1"}'}),
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
            block_start(0, toolResult={'toolUseId': 'a', 'status': 'success', 'type': 'nova_code_interpreter_result'}),
            block_delta(0, toolResult=RESULT_PIECES[:1]),
            block_delta(0, toolResult=RESULT_PIECES[1:]),
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
        'text with citations',
        {'citationsContent': {'content': [{'text': 'Blue'}], 'citations': CITATIONS}},
        [block_delta(0, text='Blue'), *(block_delta(0, citation=citation) for citation in CITATIONS)],
        [cite(TextPart('Blue', provider_name='bedrock', provider_details={'citations': CITATIONS}))],
    ),
    (
        'an image',
        {'image': {'format': 'png', 'source': {'bytes': to_base64(b'pngpng')}}},
        [
            block_start(0, image={'format': 'png'}),
            block_delta(0, image={'source': {'bytes': to_base64(b'png')}}),
            block_delta(0, image={'source': {'bytes': to_base64(b'png')}}),
        ],
        [FilePart(BinaryContent(b'pngpng', media_type='image/png'), provider_name='bedrock')],
    ),
]


def with_parsed_args(part: Any) -> Any:
    """Return what a part contains, with its arguments as an object, without its timestamp."""
    if isinstance(part, (ToolCallPart, NativeToolCallPart)):
        return type(part), part.tool_name, part.args_as_dict(), part.tool_call_id, part.provider_name
    if isinstance(part, NativeToolReturnPart):
        return part.tool_name, part.content, part.tool_call_id, part.provider_name, part.provider_details
    return part


@pytest.mark.parametrize(('name', 'block', 'events', 'parts'), BLOCKS, ids=[row[0] for row in BLOCKS])
def test_a_block_is_decoded_alike_whole_and_streamed(
    name: str, block: Json, events: list[Json], parts: list[Any]
) -> None:
    whole, streamed = decode_whole(response_body(block)), decode_stream([*events, block_stop(0), *stream_end()])
    assert (
        [*map(with_parsed_args, whole.parts)]
        == [*map(with_parsed_args, streamed.parts)]
        == [*map(with_parsed_args, parts)]
    )
    assert (whole.usage, whole.finish_reason, whole.state) == (streamed.usage, streamed.finish_reason, streamed.state)


@pytest.mark.parametrize(('name', 'block', 'events', 'parts'), BLOCKS, ids=[row[0] for row in BLOCKS])
def test_a_part_starts_and_ends_once_or_is_replaced(
    name: str, block: Json, events: list[Json], parts: list[Any]
) -> None:
    decoder = BedrockDecoder(new_draft())
    for event in [*events, block_stop(0), *stream_end()]:
        decoder.decode_event(event)
    part_events = decoder.draft.parts.take_events()
    assert [type(event) for event in part_events if isinstance(event, PartEndEvent)] == [PartEndEvent]
    assert isinstance(part_events[0], PartStartEvent)


@pytest.mark.parametrize('block', [{'video': {'a': 1}}, {'audio': {'a': 1}}, {'surprise': {'deep': [1, None]}}])
def test_a_block_of_an_unknown_kind_is_kept_and_sent_back(block: Json) -> None:
    response = decode_whole(response_body({'text': 'a'}, block))
    assert [part.part_kind for part in response.parts] == ['text', 'builtin-tool-call']
    request = make_model().prepare([ask('Hi'), response, ask('Go on')])
    assert make_model().encode(request)['messages'][1]['content'] == [{'text': 'a'}, block]


def test_blocks_that_overlap_are_distinguished() -> None:
    response = decode_stream(
        [
            {'messageStart': {'role': 'assistant', 'p': 'abc'}},
            block_delta(0, text='a'),
            block_start(1, toolUse={'toolUseId': 'x', 'name': 'weather'}),
            block_delta(1, toolUse={'input': '{"city":'}),
            block_start(2, toolUse={'toolUseId': 'y', 'name': 'time'}),
            block_delta(2, toolUse={'input': '{}'}),
            block_delta(1, toolUse={'input': ' "Rome"}'}),
            block_stop(1),
            block_stop(2),
            block_stop(0),
            *stream_end('tool_use'),
        ]
    )
    assert [part.part_kind for part in response.parts] == ['text', 'tool-call', 'tool-call']
    assert [call.args_as_dict() for call in response.tool_calls] == [{'city': 'Rome'}, {}]


@pytest.mark.parametrize(
    'event',
    [
        {'surprise': {'a': 1}},
        {'contentBlockDelta': {'contentBlockIndex': 0, 'delta': {'surprise': 1}}},
        {'contentBlockStart': {'contentBlockIndex': 0, 'start': {'surprise': 1}}},
        {'contentBlockStop': {'contentBlockIndex': 7}},
    ],
)
def test_unknown_events_and_deltas_are_skipped(event: Json) -> None:
    response = decode_stream([event, block_delta(1, text='a'), event, block_stop(1), event, *stream_end()])
    assert (response.parts, response.state) == ([TextPart('a')], 'complete')


# ---------------------------------------------------------------------- facts about a response


@pytest.mark.parametrize(
    ('raw', 'reason'),
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
def test_each_finish_reason_is_decoded(raw: str, reason: str | None) -> None:
    for response in (
        decode_whole(response_body({'text': 'a'}, stop=raw)),
        decode_stream([block_delta(0, text='a'), block_stop(0), *stream_end(raw)]),
    ):
        assert (response.finish_reason, (response.provider_details or {})['finish_reason']) == (reason, raw)


def test_input_tokens_include_tokens_from_and_to_the_cache() -> None:
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


def test_other_fields_are_kept_in_the_details() -> None:
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
    assert decode_whole(response_body({'text': 'a'}, **more)).provider_details == details
    last = stream_end()
    last[0]['messageStop']['additionalModelResponseFields'] = more.pop('additionalModelResponseFields')
    last[1]['metadata'] |= more
    assert decode_stream([block_delta(0, text='a'), block_stop(0), *last]).provider_details == details


def test_the_headers_have_the_id() -> None:
    response_draft = new_draft()
    make_model().new_decoder(response_draft).decode_headers({'x-amzn-requestid': 'r-1'})
    assert response_draft.get().provider_response_id == 'r-1'


@pytest.mark.parametrize(
    'events',
    [
        [],
        [block_delta(0, text='a')],
        [block_delta(0, text='a'), block_stop(0)],
        [block_delta(0, text='a'), block_stop(0), {'metadata': {}}],
    ],
)
def test_a_stream_without_its_end_is_not_complete(events: list[Json]) -> None:
    assert decode_stream(events).state != 'complete'


def test_a_response_may_have_no_content() -> None:
    for response in (decode_whole(response_body()), decode_stream(stream_end())):
        assert (response.parts, response.state, response.finish_reason) == ([], 'complete', 'stop')


@pytest.mark.parametrize(
    'body',
    [
        {},
        {'output': None},
        {'output': {'message': {'content': 'text'}}},
        {'output': {'message': {'content': [None]}}},
        response_body({'text': None}),
        response_body({'text': 7}),
        response_body({'toolUse': {'name': 'x', 'input': {}}}),
        response_body({'image': {'format': 'png', 'source': {'bytes': 7}}}),
    ],
    ids=repr,
)
def test_a_malformed_body_is_unexpected_behavior(body: Any) -> None:
    reader = make_model().new_reader()
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
def test_an_exception_inside_a_stream_is_raised(name: str, kind: type, status: int, retryable: bool) -> None:
    with pytest.raises(kind, match='Too much') as raised:
        BedrockDecoder(new_draft()).decode_event({name: {'message': 'Too much'}})
    error: Any = raised.value
    assert (type(error), error.status_code, error.in_stream, error.retryable) == (kind, status, True, retryable)


def test_an_error_event_inside_a_stream_is_raised() -> None:
    with pytest.raises(ModelAPIError, match='Broken'):
        BedrockDecoder(new_draft()).decode_event({'error': {'message': 'Broken', 'code': 'InternalError'}})


def test_a_prompt_that_is_too_long_is_recognized_inside_a_stream() -> None:
    with pytest.raises(ContextLengthError):
        BedrockDecoder(new_draft()).decode_event(
            {'validationException': {'message': 'Input is too long for requested model.'}}
        )


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
def test_an_error_is_recognized_by_its_status_and_the_name_in_its_header(
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
