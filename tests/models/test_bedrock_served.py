"""The serving half of Bedrock's room. Its responses are decoded by this package and by boto3."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from botocore.eventstream import EventStream
from botocore.exceptions import EventStreamError
from botocore.parsers import EventStreamJSONParser
from pydantic_core import from_json, to_json

from pydantic_llm.exceptions import (
    AuthenticationError,
    ModelConnectionError,
    ModelHTTPError,
    NotFoundError,
    RateLimitError,
    UserError,
)
from pydantic_llm.messages import (
    BinaryContent,
    CachePoint,
    FilePart,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    PartStartEvent,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models.bedrock import serve
from pydantic_llm.models.bedrock.decode import BedrockDecoder
from pydantic_llm.models.bedrock.serve import (
    StreamEncoder,
    decode_request,
    encode_error,
    encode_event,
    encode_response,
)
from pydantic_llm.usage import RequestUsage
from pydantic_llm.wire.serving import ServedRequest
from tests.models.bedrock_converse import (
    CITY,
    CLAUDE,
    NOVA,
    PIXEL,
    POINT,
    Json,
    block_delta,
    block_start,
    block_stop,
    check_request,
    decode_stream,
    decode_whole,
    image,
    load_service_model,
    make_model,
    new_draft,
    parse_with_boto3,
    response_body,
    stream_end,
    tool_call,
    tool_result,
)
from tests.models.test_bedrock_answers import BLOCKS, with_parsed_args

REQUEST = ServedRequest('served', [])

# ---------------------------------------------------------------------- requests

HOUR = {'cachePoint': {'type': 'default', 'ttl': '1h'}}
TOOL = {'toolSpec': {'name': 'weather', 'description': 'd', 'inputSchema': {'json': CITY}, 'strict': True}}
FULL: Json = {
    'system': [{'text': 'Be brief.'}, {'text': 'Be kind.'}, HOUR],
    'messages': [
        {
            'role': 'user',
            'content': [
                {'text': 'Look'},
                image(),
                {
                    'image': {
                        'format': 'png',
                        'source': {'s3Location': {'uri': 's3://b/a.png', 'bucketOwner': '1' * 12}},
                    }
                },
                {'video': {'format': 'three_gp', 'source': {'bytes': 'eA=='}}},
                {'guardContent': {'text': {'text': 'secret', 'qualifiers': ['guard_content']}}},
                {'searchResult': {'source': 's', 'title': 't', 'content': [{'text': 'fact'}]}},
                POINT,
                {
                    'document': {
                        'name': 'Paper',
                        'format': 'docx',
                        'source': {'bytes': 'eA=='},
                        'citations': {'enabled': True},
                    }
                },
                {'document': {'name': 'Page', 'format': 'html', 'source': {'bytes': 'eA=='}}},
            ],
        },
        {
            'role': 'assistant',
            'content': [
                {'reasoningContent': {'reasoningText': {'text': 'Hm.', 'signature': 's'}}},
                {'reasoningContent': {'redactedContent': 'c2VjcmV0'}},
                {'text': 'I look.'},
                tool_call('a', city='Rome'),
                tool_call('b', city='Oslo'),
            ],
        },
        {
            'role': 'user',
            'content': [
                tool_result('a', {'text': 'sunny'}),
                tool_result('b', {'text': 'It failed.'}, status='error'),
                {'text': 'And?'},
            ],
        },
    ],
    'toolConfig': {'tools': [TOOL, HOUR], 'toolChoice': {'tool': {'name': 'weather'}}},
    'outputConfig': {
        'textFormat': {
            'type': 'json_schema',
            'structure': {'jsonSchema': {'schema': '{"type":"object"}', 'name': 'n', 'description': 'd'}},
        }
    },
    'inferenceConfig': {'maxTokens': 9, 'temperature': 0.5, 'stopSequences': ['x']},
    'additionalModelRequestFields': {'top_k': 3},
    'additionalModelResponseFieldPaths': ['/a'],
    'guardrailConfig': {'guardrailIdentifier': 'g', 'guardrailVersion': '1'},
    'performanceConfig': {'latency': 'optimized'},
    'requestMetadata': {'a': 'b'},
    'serviceTier': {'type': 'reserved'},
}


def serve_and_encode(body: Json, name: str = CLAUDE) -> Json:
    """Return the body that the client encodes from a request that the server decoded."""
    served = decode_request({**body, 'model': name, 'stream': False})
    model = make_model(name)
    encoded: Json = from_json(to_json(model.encode(model.prepare(served.messages, served.settings, served.parameters))))
    return encoded


def without_schemas(body: Json) -> Json:
    """Return the body without the fields that strict schemas change."""
    return {name: value for name, value in body.items() if name not in ('outputConfig', 'toolConfig')}


def test_a_request_with_everything_is_decoded_and_encoded_again() -> None:
    check_request(FULL)
    encoded = serve_and_encode(FULL)
    check_request(encoded)
    assert without_schemas(encoded) == without_schemas(FULL)
    spec = encoded['toolConfig']['tools'][0]['toolSpec']
    assert (spec['name'], spec['description'], spec['strict']) == ('weather', 'd', True)
    assert encoded['toolConfig']['tools'][1] == HOUR
    assert encoded['toolConfig']['toolChoice'] == FULL['toolConfig']['toolChoice']
    format = encoded['outputConfig']['textFormat']['structure']['jsonSchema']
    assert (format['name'], format['description']) == ('n', 'd')


def test_a_request_is_decoded_as_messages() -> None:
    served = decode_request(FULL | {'model': 'm', 'stream': True})
    assert (served.model_name, served.stream) == ('m', True)
    first, second, third = served.messages
    assert isinstance(first, ModelRequest)
    assert first.parts[0] == SystemPromptPart('Be brief.', timestamp=first.parts[0].timestamp)
    assert isinstance(first.parts[1], UserPromptPart)
    content = [*first.parts[1].content]
    assert content[:3] == [
        'Look',
        PIXEL,
        ImageUrl('s3://b/a.png', media_type='image/png', vendor_metadata={'bucket_owner': '1' * 12}),
    ]
    assert content[6] == CachePoint()
    assert [item.media_type for item in content if isinstance(item, BinaryContent)] == [
        'image/png',
        'video/3gpp',
        'text/plain',
        'text/plain',
        'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
        'text/html',
    ]
    assert isinstance(second, ModelResponse)
    assert second.parts[:2] == [
        ThinkingPart('Hm.', signature='s', provider_name='bedrock'),
        ThinkingPart('', id='redacted_content', signature='secret', provider_name='bedrock'),
    ]
    assert [part.args for part in second.parts if isinstance(part, ToolCallPart)] == [
        {'city': 'Rome'},
        {'city': 'Oslo'},
    ]
    assert isinstance(third, ModelRequest)
    returned = [part for part in third.parts if isinstance(part, ToolReturnPart)]
    assert [(part.tool_name, part.content, part.outcome) for part in returned] == [
        ('weather', 'sunny', 'success'),
        ('weather', 'It failed.', 'failed'),
    ]
    assert third.instructions == 'Be kind.'


@pytest.mark.parametrize(
    ('body', 'settings'),
    [
        ({'inferenceConfig': {}}, {}),
        (
            {'inferenceConfig': {'maxTokens': 3}, 'unknown': {'a': 1}},
            {'max_tokens': 3, 'extra_body': {'unknown': {'a': 1}}},
        ),
        ({'serviceTier': {'type': 'flex'}}, {'bedrock_service_tier': {'type': 'flex'}}),
        ({'outputConfig': {'effort': 'low'}}, {'bedrock_effort': 'low'}),
    ],
)
def test_settings_are_decoded(body: Json, settings: Json) -> None:
    full_body = {'messages': [{'role': 'user', 'content': [{'text': 'hi'}]}], **body}
    assert decode_request(full_body).settings == settings


@pytest.mark.parametrize(
    ('fields', 'settings'),
    [
        ({'top_k': 3}, {'top_k': 3}),
        ({'inferenceConfig': {'topK': 3}}, {'top_k': 3}),
        ({'thinking': {'type': 'enabled', 'budget_tokens': 3000}}, {'thinking': 3000}),
        ({'thinking': {'type': 'adaptive'}}, {'thinking': True}),
        ({'thinking': {'type': 'disabled'}}, {'thinking': False}),
        ({'reasoningConfig': {'type': 'enabled', 'maxReasoningEffort': 'high'}}, {'thinking': 'high'}),
        ({'reasoning_effort': 'medium'}, {'thinking': 'medium'}),
        ({'reasoning_config': 'low'}, {'thinking': 'low'}),
        ({'reasoning': {'effort': 'xhigh'}}, {'thinking': 'xhigh'}),
        ({'reasoning': {'effort': 'none'}}, {'thinking': False}),
        ({'tool_choice': {'type': 'none'}}, {'tool_choice': 'none'}),
        ({'tool_choice': {'disable_parallel_tool_use': True}}, {'parallel_tool_calls': False}),
        ({'anthropic_beta': ['x']}, {}),
    ],
)
def test_the_models_own_fields_are_decoded_as_shared_settings_too(fields: Json, settings: Json) -> None:
    body = {'messages': [{'role': 'user', 'content': [{'text': 'hi'}]}], 'additionalModelRequestFields': fields}
    assert decode_request(body).settings == {**settings, 'bedrock_additional_model_requests_fields': fields}


@pytest.mark.parametrize(
    'body',
    [
        {},
        {'messages': []},
        {'messages': 'Hello'},
        {'messages': ['Hello']},
        {'messages': [{'role': 'user'}]},
        {'messages': [{'role': 'nobody', 'content': []}]},
        {'messages': [{'role': 'user', 'content': [{'smell': {}}]}]},
        {'messages': [{'role': 'user', 'content': [{'image': {'format': 'png', 'source': {'bytes': '?'}}}]}]},
        {'messages': [{'role': 'user', 'content': [{'image': {'format': 'png', 'source': {'cloud': 'x'}}}]}]},
        {'messages': [{'role': 'user', 'content': [{'toolResult': {'content': []}}]}]},
        {'messages': [{'role': 'user', 'content': [{'text': 'hi'}]}], 'toolConfig': {'tools': [{'smell': {}}]}},
        {
            'messages': [{'role': 'user', 'content': [{'text': 'hi'}]}],
            'toolConfig': {'tools': [{'systemTool': {'name': 'x'}}]},
        },
        {'messages': [{'role': 'user', 'content': [{'text': 'hi'}]}], 'toolConfig': 7},
        {
            'messages': [{'role': 'user', 'content': [{'text': 'hi'}]}],
            'outputConfig': {'textFormat': {'structure': {'jsonSchema': {'schema': '{'}}}},
        },
    ],
    ids=repr,
)
def test_a_malformed_request_is_rejected(body: Json) -> None:
    with pytest.raises(UserError):
        decode_request(body)


# ---------------------------------------------------------------------- responses


def reencode_stream(events: Iterable[Json]) -> list[Json]:
    """Return the events that a gateway encodes while it decodes those of Bedrock."""
    decoder, encoder = BedrockDecoder(new_draft(NOVA)), StreamEncoder(REQUEST)
    parts = decoder.draft.parts
    encoded = [*encoder.begin()]
    for event in events:
        decoder.decode_event(event)
        for part_event in parts.take_events():
            encoded += encoder.event(part_event)
    parts.end()
    for part_event in parts.take_events():
        encoded += encoder.event(part_event)
    return [*encoded, *encoder.end(decoder.draft.get())]


class RawBody:
    """The body of a response, with the interface that botocore needs."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def stream(self) -> Iterator[bytes]:
        yield from self._chunks

    def close(self) -> None:
        """Do nothing: there is no connection."""


def parse_stream_with_boto3(events: Iterable[Json]) -> list[Json]:
    """Return the events of a stream as boto3 returns them. Raises `EventStreamError` for an error among them."""
    shape = load_service_model().operation_model('ConverseStream').output_shape.members['stream']
    return [*EventStream(RawBody(map(encode_event, events)), shape, EventStreamJSONParser(), 'ConverseStream')]


@pytest.mark.parametrize(('name', 'block', 'events', 'parts'), BLOCKS, ids=[row[0] for row in BLOCKS])
def test_each_block_of_bedrock_is_encoded_again(name: str, block: Json, events: list[Json], parts: list[Any]) -> None:
    original = response_body(block)
    whole = encode_response(decode_whole(original), REQUEST)
    is_lossy = name == 'a tool call with a type'
    assert whole['output'] == original['output'] or is_lossy
    assert parse_with_boto3(whole)['output'] == parse_with_boto3(original)['output'] or is_lossy
    encoded = reencode_stream([*events, block_stop(0), *stream_end()])
    assert [*map(with_parsed_args, decode_stream(encoded).parts)] == [*map(with_parsed_args, parts)]
    assert len(parse_stream_with_boto3(encoded)) == len(encoded)


def test_the_facts_about_a_response_are_encoded_again() -> None:
    usage = {
        'inputTokens': 3,
        'outputTokens': 2,
        'totalTokens': 105,
        'cacheReadInputTokens': 40,
        'cacheWriteInputTokens': 60,
        'cacheDetails': [{'ttl': '1h', 'inputTokens': 40}],
    }
    more = {'trace': {'guardrail': {}}, 'serviceTier': {'type': 'flex'}, 'additionalModelResponseFields': {'a': 1}}
    body = response_body({'text': 'a'}, stop='guardrail_intervened', **more) | {'usage': usage}
    encoded = encode_response(decode_whole(body), REQUEST)
    assert {name: encoded[name] for name in body} == body | {'trace': {'guardrail': {}}}
    assert parse_with_boto3(encoded)['usage'] == usage


def test_a_stream_ends_with_the_finish_reason_and_the_usage() -> None:
    encoded = reencode_stream([block_delta(0, text='a'), block_stop(0), *stream_end('max_tokens')])
    assert [next(iter(event)) for event in encoded] == [
        'messageStart',
        'contentBlockDelta',
        'contentBlockStop',
        'messageStop',
        'metadata',
    ]
    assert encoded[3] == {'messageStop': {'stopReason': 'max_tokens'}}
    assert encoded[4]['metadata']['usage']['outputTokens'] == 2


def test_a_truncated_stream_ends_without_last_events() -> None:
    encoded = reencode_stream([block_delta(0, text='a'), block_start(1, toolUse={'toolUseId': 'a', 'name': 'weather'})])
    assert 'messageStop' not in repr(encoded)
    assert decode_stream(encoded).state != 'complete'


def test_a_response_of_another_vendor_is_encoded_as_far_as_the_api_allows() -> None:
    response = ModelResponse(
        [
            ThinkingPart('Hm.', signature='theirs', provider_name='openai'),
            ThinkingPart(''),
            NativeToolCallPart('web_search', {'q': 'x'}, 'n', provider_name='openai'),
            TextPart('a', provider_name='openai', provider_details={'citations': [{'x': 1}]}),
            ToolCallPart('weather', '', 'call_1'),
            ToolCallPart('weather', '{"city": ', 'call_2'),
            FilePart(PIXEL),
            FilePart(BinaryContent(b'x', media_type='audio/wav')),
        ],
        usage=RequestUsage(input_tokens=3, output_tokens=2),
        provider_name='openai',
        provider_details={'trace': 'theirs', 'finish_reason': 'tool_calls'},
        finish_reason='tool_call',
    )
    encoded = encode_response(response, REQUEST)
    kinds = [next(iter(block)) for block in encoded['output']['message']['content']]
    assert kinds == ['reasoningContent', 'text', 'toolUse', 'toolUse', 'image']
    assert (encoded['stopReason'], 'trace' in encoded) == ('tool_use', False)
    assert parse_with_boto3(encoded)['stopReason'] == 'tool_use'


@pytest.mark.parametrize(
    ('reason', 'parts', 'raw'),
    [
        ('stop', [], 'end_turn'),
        ('length', [], 'max_tokens'),
        ('content_filter', [], 'content_filtered'),
        ('error', [], 'malformed_model_output'),
        ('tool_call', [], 'tool_use'),
        (None, [], 'end_turn'),
        (None, [ToolCallPart('weather', '{}', 'a')], 'tool_use'),
    ],
)
def test_each_finish_reason_is_encoded(reason: Any, parts: list[Any], raw: str) -> None:
    assert encode_response(ModelResponse(parts, finish_reason=reason), REQUEST)['stopReason'] == raw


def test_arguments_that_are_an_object_are_sent_when_the_part_ends() -> None:
    encoder = StreamEncoder(REQUEST)
    part = ToolCallPart('weather', {'city': 'Rome'}, 'a')
    first = [*encoder.event(PartStartEvent(0, part))]
    last = [*encoder.end(ModelResponse([part]))]
    assert first == [block_start(0, toolUse={'toolUseId': 'a', 'name': 'weather'})]
    assert last[:2] == [block_delta(0, toolUse={'input': '{"city":"Rome"}'}), block_stop(0)]


# ---------------------------------------------------------------------- errors and paths

ERRORS = [
    (UserError('No.'), 400, 'ValidationException', 'validationException'),
    (AuthenticationError(401, 'm', message='No.'), 401, 'UnrecognizedClientException', 'modelStreamErrorException'),
    (NotFoundError(404, 'm', message='No.'), 404, 'ResourceNotFoundException', 'modelStreamErrorException'),
    (RateLimitError(429, 'm', message='No.'), 429, 'ThrottlingException', 'throttlingException'),
    (ModelHTTPError(500, 'm', message='No.'), 500, 'InternalServerException', 'internalServerException'),
    (ModelHTTPError(529, 'm', message='No.'), 529, 'ServiceUnavailableException', 'serviceUnavailableException'),
    (ModelConnectionError('m', 'No.'), 502, 'InternalServerException', 'internalServerException'),
    (RuntimeError('secret'), 500, 'InternalServerException', 'internalServerException'),
]


@pytest.mark.parametrize(('error', 'status', 'name', 'event'), ERRORS, ids=[row[2] + str(row[1]) for row in ERRORS])
def test_an_error_has_the_name_that_boto3_expects(error: Exception, status: int, name: str, event: str) -> None:
    code, body = encode_error(error)
    assert (code, serve.encode_headers(error)['x-amzn-errortype']) == (status, name)
    assert 'secret' not in repr(body)
    with pytest.raises(EventStreamError, match=event):
        parse_stream_with_boto3([{'messageStart': {'role': 'assistant'}}, body])


def test_the_path_has_the_model_and_whether_to_stream() -> None:
    assert serve.decode_path({'model': 'a/b:0', 'verb': 'converse-stream'}) == {'model': 'a/b:0', 'stream': True}
    assert serve.decode_path({'model': 'm', 'verb': 'converse'}) == {'model': 'm', 'stream': False}
    with pytest.raises(NotFoundError, match='invoke'):
        serve.decode_path({'model': 'm', 'verb': 'invoke'})


def test_encrypted_thinking_in_pieces_is_sent_in_one_delta() -> None:
    pieces = [
        block_delta(0, reasoningContent={'redactedContent': b64encode(piece).decode()}) for piece in (b'sec', b'ret')
    ]
    encoded = reencode_stream([*pieces, block_stop(0), *stream_end()])
    encrypted = [event for event in encoded if 'redactedContent' in repr(event)]
    assert encrypted == [block_delta(0, reasoningContent={'redactedContent': b64encode(b'secret').decode()})]
