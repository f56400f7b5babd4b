"""The Converse API from the server's side: what is served is read as it was meant, by us and by boto3."""

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
from pydantic_llm.models.bedrock.decode import decode_event
from pydantic_llm.models.bedrock.serve import EventWriter, decode_request, encode_error, encode_response, frame
from pydantic_llm.usage import RequestUsage
from pydantic_llm.wire.serving import ServedRequest
from tests.models.bedrock_converse import (
    CITY,
    CLAUDE,
    NOVA,
    PIXEL,
    POINT,
    Json,
    answer,
    call,
    check_request,
    delta,
    draft,
    end,
    image,
    model,
    parsed,
    read,
    read_stream,
    result,
    service,
    start,
    stop,
)
from tests.models.test_bedrock_answers import BLOCKS, told

ASKED = ServedRequest('served', [])

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
                call('a', city='Rome'),
                call('b', city='Oslo'),
            ],
        },
        {
            'role': 'user',
            'content': [
                result('a', {'text': 'sunny'}),
                result('b', {'text': 'It failed.'}, status='error'),
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
    'inferenceConfig': {'maxTokens': 9, 'temperature': 0.5, 'topP': 0.5, 'stopSequences': ['x']},
    'additionalModelRequestFields': {'top_k': 3},
    'additionalModelResponseFieldPaths': ['/a'],
    'guardrailConfig': {'guardrailIdentifier': 'g', 'guardrailVersion': '1'},
    'performanceConfig': {'latency': 'optimized'},
    'requestMetadata': {'a': 'b'},
    'serviceTier': {'type': 'reserved'},
}


def again(body: Json, name: str = CLAUDE) -> Json:
    """What our client sends for a request that our server has read."""
    served = decode_request({**body, 'model': name, 'stream': False})
    speaker = model(name)
    written: Json = from_json(
        to_json(speaker.encode(speaker.prepare(served.messages, served.settings, served.parameters)))
    )
    return written


def without_schema(body: Json) -> Json:
    """The body without what strict schemas must say."""
    return {name: value for name, value in body.items() if name not in ('outputConfig', 'toolConfig')}


def test_a_request_with_everything_is_read_and_written_again() -> None:
    check_request(FULL)
    written = again(FULL)
    check_request(written)
    assert without_schema(written) == without_schema(FULL)
    spec = written['toolConfig']['tools'][0]['toolSpec']
    assert (spec['name'], spec['description'], spec['strict']) == ('weather', 'd', True)
    assert written['toolConfig']['tools'][1] == HOUR
    assert written['toolConfig']['toolChoice'] == FULL['toolConfig']['toolChoice']
    format = written['outputConfig']['textFormat']['structure']['jsonSchema']
    assert (format['name'], format['description']) == ('n', 'd')


def test_a_request_is_read_as_messages() -> None:
    served = decode_request(FULL | {'model': 'm', 'stream': True})
    assert (served.model_name, served.stream) == ('m', True)
    first, second, third = served.messages
    assert isinstance(first, ModelRequest)
    assert first.parts[0] == SystemPromptPart('Be brief.', timestamp=first.parts[0].timestamp)
    assert isinstance(first.parts[1], UserPromptPart)
    said = [*first.parts[1].content]
    assert said[:3] == [
        'Look',
        PIXEL,
        ImageUrl('s3://b/a.png', media_type='image/png', vendor_metadata={'bucket_owner': '1' * 12}),
    ]
    assert said[6] == CachePoint()
    assert [item.media_type for item in said if isinstance(item, BinaryContent)] == [
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
def test_settings_are_read(body: Json, settings: Json) -> None:
    said = {'messages': [{'role': 'user', 'content': [{'text': 'hi'}]}], **body}
    assert decode_request(said).settings == settings


@pytest.mark.parametrize(
    ('fields', 'settings'),
    [
        ({'top_k': 3}, {'top_k': 3}),
        ({'inferenceConfig': {'topK': 3}}, {'top_k': 3}),
        ({'thinking': {'type': 'enabled', 'budget_tokens': 3000}}, {'thinking': 'low'}),
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
def test_the_models_own_fields_are_read_for_models_of_others_too(fields: Json, settings: Json) -> None:
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
def test_what_is_no_request_is_refused(body: Json) -> None:
    with pytest.raises(UserError):
        decode_request(body)


# ---------------------------------------------------------------------- answers


def passed_on(events: Iterable[Json]) -> list[Json]:
    """The events that a gateway writes while it reads Bedrock's."""
    reading, writer = draft(NOVA), EventWriter(ASKED)
    written = [*writer.begin()]
    for event in events:
        decode_event(event, reading)
        for happened in reading.parts.take_events():
            written += writer.event(happened)
    reading.parts.end()
    for happened in reading.parts.take_events():
        written += writer.event(happened)
    return [*written, *writer.end(reading.get())]


class Raw:
    """The body of an answer, as botocore reads one."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def stream(self) -> Iterator[bytes]:
        yield from self._chunks

    def close(self) -> None:
        """Nothing to close."""


def by_boto3(events: Iterable[Json]) -> list[Json]:
    """The events of a stream as boto3 hands them to its users. Raises for an error among them."""
    shape = service().operation_model('ConverseStream').output_shape.members['stream']
    return [*EventStream(Raw(map(frame, events)), shape, EventStreamJSONParser(), 'ConverseStream')]


@pytest.mark.parametrize(('name', 'block', 'events', 'parts'), BLOCKS, ids=[row[0] for row in BLOCKS])
def test_what_bedrock_said_is_said_again(name: str, block: Json, events: list[Json], parts: list[Any]) -> None:
    whole = encode_response(read(answer(block)), ASKED)
    assert whole['output'] == answer(block)['output'] or name == 'a call of a type that is plain'
    assert parsed(whole)['output'] == parsed(answer(block))['output'] or name == 'a call of a type that is plain'
    written = passed_on([*events, stop(0), *end()])
    assert [*map(told, read_stream(written).parts)] == [*map(told, parts)]
    assert len(by_boto3(written)) == len(written)


def test_what_is_said_of_an_answer_is_said_again() -> None:
    usage = {
        'inputTokens': 3,
        'outputTokens': 2,
        'totalTokens': 105,
        'cacheReadInputTokens': 40,
        'cacheWriteInputTokens': 60,
        'cacheDetails': [{'ttl': '1h', 'inputTokens': 40}],
    }
    more = {'trace': {'guardrail': {}}, 'serviceTier': {'type': 'flex'}, 'additionalModelResponseFields': {'a': 1}}
    said = answer({'text': 'a'}, stop='guardrail_intervened', **more) | {'usage': usage}
    written = encode_response(read(said), ASKED)
    assert {name: written[name] for name in said} == said | {'trace': {'guardrail': {}}}
    assert parsed(written)['usage'] == usage


def test_a_stream_says_why_it_ended_and_what_it_used() -> None:
    written = passed_on([delta(0, text='a'), stop(0), *end('max_tokens')])
    assert [next(iter(event)) for event in written] == [
        'messageStart',
        'contentBlockDelta',
        'contentBlockStop',
        'messageStop',
        'metadata',
    ]
    assert written[3] == {'messageStop': {'stopReason': 'max_tokens'}}
    assert written[4]['metadata']['usage']['outputTokens'] == 2


def test_a_stream_that_was_cut_ends_without_a_word() -> None:
    written = passed_on([delta(0, text='a'), start(1, toolUse={'toolUseId': 'a', 'name': 'weather'})])
    assert 'messageStop' not in repr(written)
    assert read_stream(written).state != 'complete'


def test_answers_of_others_are_said_as_far_as_the_api_can() -> None:
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
    written = encode_response(response, ASKED)
    kinds = [next(iter(block)) for block in written['output']['message']['content']]
    assert kinds == ['reasoningContent', 'text', 'toolUse', 'toolUse', 'image']
    assert (written['stopReason'], 'trace' in written) == ('tool_use', False)
    assert parsed(written)['stopReason'] == 'tool_use'


@pytest.mark.parametrize(
    ('reason', 'parts', 'word'),
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
def test_an_answer_says_why_it_ended(reason: Any, parts: list[Any], word: str) -> None:
    assert encode_response(ModelResponse(parts, finish_reason=reason), ASKED)['stopReason'] == word


def test_an_argument_that_is_an_object_is_told_when_the_part_ends() -> None:
    writer = EventWriter(ASKED)
    part = ToolCallPart('weather', {'city': 'Rome'}, 'a')
    first = [*writer.event(PartStartEvent(0, part))]
    last = [*writer.end(ModelResponse([part]))]
    assert first == [start(0, toolUse={'toolUseId': 'a', 'name': 'weather'})]
    assert last[:2] == [delta(0, toolUse={'input': '{"city":"Rome"}'}), stop(0)]


# ---------------------------------------------------------------------- errors and addresses

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
def test_an_error_has_the_name_that_boto3_knows(error: Exception, status: int, name: str, event: str) -> None:
    code, body = encode_error(error)
    assert (code, serve.headers(error)['x-amzn-errortype']) == (status, name)
    assert 'secret' not in repr(body)
    with pytest.raises(EventStreamError, match=event):
        by_boto3([{'messageStart': {'role': 'assistant'}}, body])


def test_the_address_says_the_model_and_whether_to_stream() -> None:
    assert serve.address({'model': 'a/b:0', 'verb': 'converse-stream'}) == {'model': 'a/b:0', 'stream': True}
    assert serve.address({'model': 'm', 'verb': 'converse'}) == {'model': 'm', 'stream': False}
    with pytest.raises(NotFoundError, match='invoke'):
        serve.address({'model': 'm', 'verb': 'invoke'})


def test_encrypted_thoughts_in_pieces_are_told_in_one() -> None:
    pieces = [delta(0, reasoningContent={'redactedContent': b64encode(piece).decode()}) for piece in (b'sec', b'ret')]
    written = passed_on([*pieces, stop(0), *end()])
    sealed = [event for event in written if 'redactedContent' in repr(event)]
    assert sealed == [delta(0, reasoningContent={'redactedContent': b64encode(b'secret').decode()})]
