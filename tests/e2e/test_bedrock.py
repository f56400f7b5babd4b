"""Bedrock from end to end: boto3 with our server, and our model with our server and with Bedrock's own frames."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError
from pydantic import BaseModel
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from pydantic_llm import Agent
from pydantic_llm.exceptions import (
    AuthenticationError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    StreamInterruptedError,
    UnexpectedModelBehavior,
)
from pydantic_llm.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import Model
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_llm.providers.bedrock import BedrockProvider
from pydantic_llm.serve import Fault, LocalServer, create_app
from pydantic_llm.transport.eventstream import CONTENT_TYPE, encode_frame
from tests.transport.server import Exchange, Server, serve_in_thread

Json = dict[str, Any]

KEY = 'a-key-that-nobody-may-see'
CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'
ARN = f'arn:aws:bedrock:us-east-1:123456789012:inference-profile/{CLAUDE}'
HELLO: list[Any] = [{'role': 'user', 'content': [{'text': 'Hello?'}]}]
WEATHER: Any = {
    'tools': [
        {
            'toolSpec': {
                'name': 'weather',
                'inputSchema': {'json': {'type': 'object', 'properties': {'city': {'type': 'string'}}}},
            }
        }
    ]
}


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Call the output tool if there is one, else the weather tool if there is no result, else return the results."""
    known = [part.content for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    names = [tool.name for tool in (*info.function_tools, *info.output_tools)]
    if 'weather' in names and not known:
        calls = [ToolCallPart('weather', f'{{"city": "{city}"}}', f'call_{city}') for city in ('Oslo', 'Rome')]
        return ModelResponse(calls, finish_reason='tool_call')
    if 'final_result' in names:
        return ModelResponse([ToolCallPart('final_result', '{"name": "Oslo"}', 'call_2')], finish_reason='tool_call')
    thinking = ThinkingPart('Hm.', signature='s', provider_name='bedrock')
    text = TextPart(f'Known: {", ".join(map(str, known)) or "nothing"}.')
    return ModelResponse([thinking, text], finish_reason='stop')


async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    for number, part in enumerate(respond(messages, info).parts):
        match part:
            case ToolCallPart(args=str() as args):
                yield {number: DeltaToolCall(part.tool_name, args[:4], tool_call_id=part.tool_call_id)}
                yield {number: DeltaToolCall(None, args[4:])}
            case ThinkingPart():
                yield {number: DeltaThinkingPart(content=part.content, signature=part.signature)}
            case _:
                for word in str(getattr(part, 'content', '')).split(' '):
                    yield f'{word} '


FAULTS = {
    'limited': Fault(status=429, headers={'retry-after': '3'}),
    'overloaded': Fault(status=503),
    'failing': Fault(error_after=2),
    'cut': Fault(cut_after=2),
    'garbled': Fault(garbage_after=2),
    'stalled': Fault(stall_after=2),
    'slow': Fault(delay=30),
}
MODELS: dict[str, Model] = {
    name: FunctionModel(respond, stream_function=stream, model_name=name) for name in (CLAUDE, ARN, *FAULTS)
}


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(create_app(MODELS, key=KEY, faults=lambda body: FAULTS.get(body['model']))) as url:
        yield url


@pytest.fixture(scope='module')
def open_url() -> Iterator[str]:
    """Run a server without a key, since it cannot check signatures."""
    with LocalServer(create_app(MODELS)) as url:
        yield url


def make_boto3_client(url: str, key: str | None = KEY, **config: Any) -> Any:
    """Build a boto3 client, with an API key or with signed requests."""
    client = boto3.client(
        'bedrock-runtime',
        region_name='us-east-1',
        endpoint_url=url,
        aws_access_key_id='id',
        aws_secret_access_key='secret',
        config=Config(retries={'total_max_attempts': 1}, **config),
    )
    if key is not None:  # boto3 sends tokens over https alone

        def bear(request: Any, **more: Any) -> None:
            request.headers['Authorization'] = f'Bearer {key}'

        client.meta.events.register('before-send.bedrock-runtime', bear)
    return client


def make_model(url: str, name: str = CLAUDE, key: str = KEY) -> BedrockConverseModel:
    return BedrockConverseModel(name, provider=BedrockProvider(base_url=url, api_key=key))


# ------------------------------------------------------------------------------------------- boto3 and our server


@pytest.mark.parametrize('name', [CLAUDE, ARN])
def test_boto3_gets_a_response(url: str, name: str) -> None:
    response = make_boto3_client(url).converse(modelId=name, messages=HELLO, inferenceConfig={'maxTokens': 9})
    assert response['output']['message'] == {
        'role': 'assistant',
        'content': [
            {'reasoningContent': {'reasoningText': {'text': 'Hm.', 'signature': 's'}}},
            {'text': 'Known: nothing.'},
        ],
    }
    assert response['stopReason'] == 'end_turn'
    assert response['usage']['totalTokens'] == response['usage']['inputTokens'] + response['usage']['outputTokens']
    assert len(response['ResponseMetadata']['RequestId']) == 36


def read_events(response: Any) -> list[Any]:
    """Return the events of a stream, and close it."""
    with closing(response['stream']) as events:
        return [*events]


def test_boto3_gets_a_stream(url: str) -> None:
    events = read_events(make_boto3_client(url).converse_stream(modelId=ARN, messages=HELLO))
    kinds = [next(iter(event)) for event in events]
    assert (kinds[0], kinds[-2:]) == ('messageStart', ['messageStop', 'metadata'])
    deltas = [event['contentBlockDelta']['delta'] for event in events if 'contentBlockDelta' in event]
    assert ''.join(delta.get('text', '') for delta in deltas) == 'Known: nothing. '
    assert [delta['reasoningContent'] for delta in deltas if 'reasoningContent' in delta] == [
        {'text': 'Hm.'},
        {'signature': 's'},
    ]


def test_boto3_gets_tool_calls_and_sends_their_results(url: str) -> None:
    client = make_boto3_client(url)
    response = client.converse(modelId=CLAUDE, messages=HELLO, toolConfig=WEATHER)
    message = response['output']['message']
    assert [block['toolUse']['input'] for block in message['content']] == [{'city': 'Oslo'}, {'city': 'Rome'}]
    assert response['stopReason'] == 'tool_use'
    results = [
        {'toolResult': {'toolUseId': block['toolUse']['toolUseId'], 'content': [{'text': sky}]}}
        for block, sky in zip(message['content'], ('blue', 'grey'), strict=True)
    ]
    again = client.converse(
        modelId=CLAUDE, messages=[*HELLO, message, {'role': 'user', 'content': results}], toolConfig=WEATHER
    )
    assert again['output']['message']['content'][1] == {'text': 'Known: blue, grey.'}


def test_boto3_gets_the_arguments_of_tool_calls_in_fragments(url: str) -> None:
    events = read_events(make_boto3_client(url).converse_stream(modelId=CLAUDE, messages=HELLO, toolConfig=WEATHER))
    starts = [event['contentBlockStart'] for event in events if 'contentBlockStart' in event]
    assert [start['start']['toolUse']['name'] for start in starts] == ['weather', 'weather']
    pieces = [
        event['contentBlockDelta']['delta']['toolUse']['input']
        for event in events
        if event.get('contentBlockDelta', {}).get('contentBlockIndex') == 1
    ]
    assert pieces == ['{"ci', 'ty": "Rome"}']
    assert events[-2] == {'messageStop': {'stopReason': 'tool_use'}}


def find_prompt(messages: list[ModelMessage]) -> Any:
    """Return the content of the only prompt in a conversation."""
    [prompt] = [part for message in messages for part in message.parts if isinstance(part, UserPromptPart)]
    return prompt.content


def test_boto3_sends_files(url: str) -> None:
    content = [
        {'text': 'Look'},
        {'image': {'format': 'png', 'source': {'bytes': b'png'}}},
        {'document': {'name': 'Page', 'format': 'pdf', 'source': {'bytes': b'pdf'}}},
        {'cachePoint': {'type': 'default'}},
    ]
    seen: list[ModelMessage] = []

    def look(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.extend(messages)
        return ModelResponse([TextPart('Seen.')])

    with LocalServer(create_app(FunctionModel(look))) as server:
        make_boto3_client(server).converse(modelId='m', messages=[{'role': 'user', 'content': content}])
    assert [item.data for item in find_prompt(seen) if isinstance(item, BinaryContent)] == [b'png', b'pdf']


@pytest.mark.parametrize(
    ('name', 'code', 'status'),
    [
        ('limited', 'ThrottlingException', 429),
        ('overloaded', 'ServiceUnavailableException', 503),
        ('nobody', 'ResourceNotFoundException', 404),
    ],
)
def test_boto3_raises_its_own_errors(url: str, name: str, code: str, status: int) -> None:
    client = make_boto3_client(url)
    for ask in (client.converse, client.converse_stream):
        with pytest.raises(getattr(client.exceptions, code)) as caught:
            ask(modelId=name, messages=HELLO)
        assert caught.value.response['ResponseMetadata']['HTTPStatusCode'] == status
        assert len(caught.value.response['ResponseMetadata']['RequestId']) == 36


def test_boto3_raises_an_error_for_an_invalid_request(url: str) -> None:
    client = make_boto3_client(url)
    with pytest.raises(client.exceptions.ValidationException, match='system tool'):
        client.converse(modelId=CLAUDE, messages=HELLO, toolConfig={'tools': [{'systemTool': {'name': 'magic'}}]})


def test_boto3_needs_the_key_of_the_server(url: str, open_url: str) -> None:
    for key in ('wrong', None):
        with pytest.raises(ClientError) as caught:
            make_boto3_client(url, key).converse(modelId=CLAUDE, messages=HELLO)
        assert caught.value.response['Error']['Code'] == 'UnrecognizedClientException'
    assert make_boto3_client(open_url, None).converse(modelId=CLAUDE, messages=HELLO)['stopReason'] == 'end_turn'


@pytest.mark.parametrize(
    ('name', 'kind', 'words'),
    [
        ('failing', EventStreamError, 'serviceUnavailableException'),
        ('cut', ProtocolError, 'ended prematurely'),
        ('stalled', ReadTimeoutError, 'timed out'),
    ],
)
def test_boto3_raises_errors_inside_a_stream(url: str, name: str, kind: type[Exception], words: str) -> None:
    response = make_boto3_client(url, read_timeout=0.5).converse_stream(modelId=name, messages=HELLO)
    with pytest.raises(kind, match=words):
        read_events(response)


def test_an_operation_that_is_not_served_is_an_error_of_boto3(url: str) -> None:
    with pytest.raises(ClientError, match='converse and converse-stream are'):
        make_boto3_client(url).invoke_model(modelId=CLAUDE, body=b'{}', contentType='application/json')


def test_the_frames_have_the_form_of_amazon(url: str) -> None:
    """Compare each frame, decoded by botocore's parser."""
    import httpx2

    with httpx2.Client(headers={'authorization': f'Bearer {KEY}'}) as client:
        path = f'{url}/model/{CLAUDE.replace(":", "%3A")}/converse-stream'
        response = client.post(path, json={'messages': HELLO})
    assert response.headers['content-type'] == CONTENT_TYPE
    buffer = EventStreamBuffer()
    buffer.add_data(response.content)
    frames = [*buffer]
    assert {frame.headers[':message-type'] for frame in frames} == {'event'}
    assert {frame.headers[':content-type'] for frame in frames} == {'application/json'}
    assert frames[-1].headers[':event-type'] == 'metadata'


# ------------------------------------------------------------------------------------------- our model and our server


class Place(BaseModel):
    """A city or region."""

    name: str


async def test_an_agent_calls_tools_and_returns_its_output(url: str) -> None:
    agent = Agent(make_model(url), output_type=Place)
    cities: list[str] = []

    @agent.tool_plain
    def weather(city: str) -> str:
        """Return the weather."""
        cities.append(city)
        return 'blue'

    result = await agent.run('Hello?')
    assert (result.output, sorted(cities)) == (Place(name='Oslo'), ['Oslo', 'Rome'])
    async with agent.run_stream('Hello?') as streamed:
        assert await streamed.get_output() == Place(name='Oslo')


async def test_thinking_is_sent_back_with_its_signature(url: str) -> None:
    agent = Agent(make_model(url))
    first = await agent.run('Hello?')
    assert isinstance(first.all_messages()[-1].parts[0], ThinkingPart)
    second = await agent.run('And?', message_history=first.all_messages())
    assert second.output == 'Known: nothing.'


@pytest.mark.parametrize('streams', [False, True])
async def test_concurrent_requests_get_their_own_responses(streams: bool) -> None:
    """Send 128 concurrent requests with different texts, and check that each gets its own response."""

    def repeat(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart(str(find_prompt(messages)))])

    async def slowly(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        for letter in str(find_prompt(messages)):
            yield letter
            await asyncio.sleep(0.01)

    async def one(model: Model, number: int) -> str:
        messages: list[ModelMessage] = [ModelRequest([UserPromptPart(f'number {number}')])]
        if not streams:
            return (await model.request(messages)).text or ''
        async with model.request_stream(messages) as stream:
            async for _ in stream:
                pass
            return stream.get().text or ''

    with LocalServer(create_app(FunctionModel(repeat, stream_function=slowly))) as server:
        model = make_model(server)
        threads = threading.active_count()
        answers = await asyncio.gather(*(one(model, number) for number in range(128)))
        assert answers == [f'number {number}' for number in range(128)]
        assert threading.active_count() <= threads + 1
        await model.aclose()


@pytest.mark.parametrize('streams', [False, True])
async def test_cancelling_ends_a_request_at_once(url: str, streams: bool) -> None:
    model = make_model(url, 'stalled' if streams else 'slow')
    messages: list[ModelMessage] = [ModelRequest([UserPromptPart('Hello?')])]

    async def work() -> None:
        if streams:
            async with model.request_stream(messages) as stream:
                async for _ in stream:
                    pass
        else:
            await model.request(messages)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0.3)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ('name', 'kind'),
    [('limited', RateLimitError), ('overloaded', OverloadedError), ('nobody', NotFoundError)],
)
async def test_errors_are_ours(url: str, name: str, kind: type[Exception]) -> None:
    messages: list[ModelMessage] = [ModelRequest([UserPromptPart('Hello?')])]
    with pytest.raises(kind) as caught:
        await make_model(url, name).request(messages)
    assert getattr(caught.value, 'retry_after', None) == (3.0 if name == 'limited' else None)
    assert len(getattr(caught.value, 'request_id', '')) == 36
    with pytest.raises(kind):
        async with make_model(url, name).request_stream(messages):
            pass
    with pytest.raises(AuthenticationError):
        await make_model(url, key='wrong').request(messages)


@pytest.mark.parametrize(
    ('name', 'kind'),
    [('failing', OverloadedError), ('cut', StreamInterruptedError), ('garbled', UnexpectedModelBehavior)],
)
async def test_errors_inside_a_stream_are_ours(url: str, name: str, kind: type[Exception]) -> None:
    messages: list[ModelMessage] = [ModelRequest([UserPromptPart('Hello?')])]
    async with make_model(url, name).request_stream(messages) as stream:
        with pytest.raises(kind):
            async for _ in stream:
                pass
        assert stream.get().state != 'complete'


# ----------------------------------------------------------------------------------- our model and Bedrock's frames


def event(name: str, kind: str = 'event', **payload: Any) -> bytes:
    from pydantic_core import to_json

    headers = {f':{kind}-type': name, ':content-type': 'application/json', ':message-type': kind}
    return encode_frame(headers, to_json({**payload, 'p': 'abcdefghijk'}))


RECORDED = [
    event('messageStart', role='assistant'),
    event('contentBlockDelta', contentBlockIndex=0, delta={'reasoningContent': {'text': 'Hm.'}}),
    event('contentBlockDelta', contentBlockIndex=0, delta={'reasoningContent': {'signature': 'sig'}}),
    event('contentBlockStop', contentBlockIndex=0),
    event('contentBlockDelta', contentBlockIndex=1, delta={'text': 'Hel'}),
    event('contentBlockDelta', contentBlockIndex=1, delta={'text': 'lo'}),
    event('contentBlockStop', contentBlockIndex=1),
    event('messageStop', stopReason='guardrail_intervened'),
    event('metadata', usage={'inputTokens': 3, 'outputTokens': 2, 'totalTokens': 5}, metrics={'latencyMs': 7}),
]


async def amazon(exchange: Exchange) -> None:
    await exchange.begin(CONTENT_TYPE, {'x-amzn-RequestId': 'r-1'})
    for frame in RECORDED:
        await exchange.chunk(frame)
    await exchange.end()


@pytest.fixture
def recorded() -> Iterator[Server]:
    with serve_in_thread(amazon) as server:
        yield server


async def test_a_stream_of_bedrock_is_decoded(recorded: Server) -> None:
    messages: list[ModelMessage] = [ModelRequest([UserPromptPart('Hello?')])]
    async with make_model(recorded.url).request_stream(messages) as stream:
        async for _ in stream:
            pass
        response = stream.get()
    assert response.parts == [ThinkingPart('Hm.', signature='sig', provider_name='bedrock'), TextPart('Hello')]
    assert (response.finish_reason, response.provider_response_id) == ('content_filter', 'r-1')
    assert (response.usage.input_tokens, response.usage.output_tokens) == (3, 2)
    assert response.provider_details == {'finish_reason': 'guardrail_intervened', 'latency_ms': 7}


def test_one_model_works_in_several_event_loops(recorded: Server) -> None:
    model = make_model(recorded.url)

    async def ask() -> str | None:
        async with model.request_stream([ModelRequest([UserPromptPart('Hello?')])]) as stream:
            async for _ in stream:
                pass
            return stream.get().text

    assert [asyncio.run(ask()) for _ in range(3)] == ['Hello'] * 3
