"""The Responses API from end to end: OpenAI's own client with our server, and our model with the same server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openai import (
    APIError,
    AsyncAzureOpenAI,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)
from openai.types.responses import FunctionToolParam, ResponseInputParam
from pydantic import BaseModel

from pydantic_llm import Agent
from pydantic_llm.exceptions import ModelHTTPError, OverloadedError, StreamInterruptedError
from pydantic_llm.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import Model
from pydantic_llm.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_llm.models.openai import OpenAIResponsesModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve import Fault, LocalServer, create_app
from tests.models.openai_responses import check_events, check_response

KEY = 'a-key'
WEATHER: FunctionToolParam = {
    'type': 'function',
    'name': 'weather',
    'description': 'Tells the weather.',
    'parameters': {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']},
    'strict': False,
}
CITIES = ('Oslo', 'Bergen')


def choose_parts(messages: list[ModelMessage], info: AgentInfo) -> list[Any]:
    """Call the weather tool for two cities if there is one and no result, else respond with the results."""
    known = [str(part.content) for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    thoughts = ThinkingPart('I must look. ', signature='c2VhbA==')
    if info.model_request_parameters.output_object is not None:
        return [TextPart('{"name": "Oslo", "rain": true}')]
    if info.function_tools and not known:
        return [thoughts, *(ToolCallPart('weather', f'{{"city": "{city}"}}', f'call_{city}') for city in CITIES)]
    return [thoughts, TextPart(f'Known: {", ".join(known) or "nothing"}.')]


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    parts = choose_parts(messages, info)
    called = any(isinstance(part, ToolCallPart) for part in parts)
    return ModelResponse(parts, finish_reason='tool_call' if called else 'stop', model_name='speaker')


async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    for number, part in enumerate(choose_parts(messages, info)):
        match part:
            case ThinkingPart():
                for word in part.content.split(' '):
                    yield {number: DeltaThinkingPart(content=f'{word} ')}
                yield {number: DeltaThinkingPart(signature=part.signature)}
            case ToolCallPart():
                yield {number: DeltaToolCall(part.tool_name, tool_call_id=part.tool_call_id)}
                for piece in part.args_as_json_str().partition(':'):
                    yield {number: DeltaToolCall(json_args=piece)}
            case TextPart():
                for word in part.content.split(' '):
                    yield f'{word} ' if word != part.content.split(' ')[-1] else word
            case _:
                raise AssertionError(part)


def fail(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    raise OverloadedError(503, 'm', message='Too busy')


async def fail_in_the_middle(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    yield 'Once upon '
    raise OverloadedError(503, 'm', message='Too busy')


def respond_with_refusal(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    return ModelResponse([], finish_reason='content_filter', provider_details={'refusal': 'I cannot do that.'})


def respond_truncated(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    return ModelResponse([TextPart('Once')], finish_reason='length')


SPEAKER = FunctionModel(respond, stream_function=stream, model_name='speaker')
MODELS: dict[str, Model] = {
    'speaker': SPEAKER,
    'limited': SPEAKER,
    'cut': SPEAKER,
    'failing': FunctionModel(fail, stream_function=fail_in_the_middle, model_name='failing'),
    'refusing': FunctionModel(respond_with_refusal, model_name='refusing'),
    'short': FunctionModel(respond_truncated, model_name='short'),
}


def faults(body: Any) -> Fault | None:
    """Return the fault of a request, by the name of its model."""
    limited = Fault(status=429, headers={'retry-after-ms': '1500', 'x-request-id': 'f00d'})
    return {'limited': limited, 'cut': Fault(cut_after=6)}.get(body['model'])


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(create_app(MODELS, key=KEY, faults=faults)) as url:
        yield url


@asynccontextmanager
async def make_openai_client(url: str, **options: Any) -> AsyncGenerator[AsyncOpenAI]:
    options = {'api_key': KEY, 'max_retries': 0, '_strict_response_validation': True, **options}
    async with AsyncOpenAI(base_url=f'{url}/v1', **options) as client:
        yield client


# ---------------------------------------------------------------------------------- OpenAI's client and our server


async def test_openais_client_gets_a_response(url: str) -> None:
    async with make_openai_client(url) as client:
        response = await client.responses.create(model='speaker', input='Hello?', instructions='Be brief.')
    assert (response.output_text, response.status, response.model) == ('Known: nothing.', 'completed', 'speaker')
    assert [item.type for item in response.output] == ['reasoning', 'message']
    assert (response.instructions, response.store) == ('Be brief.', False)
    check_response(response.to_dict())


async def test_openais_client_calls_tools_and_sends_the_response_back(url: str) -> None:
    async with make_openai_client(url) as client:
        history: ResponseInputParam = [{'role': 'user', 'content': 'Does it rain?'}]
        first = await client.responses.create(model='speaker', input=history, tools=[WEATHER])
        calls = [item for item in first.output if item.type == 'function_call']
        assert [call.arguments for call in calls] == ['{"city": "Oslo"}', '{"city": "Bergen"}']
        history += first.output  # type: ignore[arg-type] -- as OpenAI's guide shows it
        for call in calls:
            history.append({'type': 'function_call_output', 'call_id': call.call_id, 'output': f'rain in {call.name}'})
        second = await client.responses.create(model='speaker', input=history, tools=[WEATHER])
    assert second.output_text == 'Known: rain in weather, rain in weather.'
    assert second.tools[0].type == 'function'


class City(BaseModel):
    name: str
    rain: bool


async def test_openais_client_gets_an_object(url: str) -> None:
    async with make_openai_client(url) as client:
        response = await client.responses.parse(model='speaker', input='Does it rain?', text_format=City)
        async with client.responses.stream(model='speaker', input='Does it rain?', text_format=City) as events:
            streamed = await events.get_final_response()
    assert response.output_parsed == streamed.output_parsed == City(name='Oslo', rain=True)


async def test_openais_client_gets_a_stream(url: str) -> None:
    async with make_openai_client(url) as client:
        events = await client.responses.create(model='speaker', input='Hello?', stream=True)
        received = [event async for event in events]
    check_events([event.to_dict(exclude_unset=True) for event in received])
    assert [event.type for event in received[:3]] == [
        'response.created',
        'response.in_progress',
        'response.output_item.added',
    ]
    words = [event.delta for event in received if event.type == 'response.output_text.delta']
    thoughts = [event.delta for event in received if event.type == 'response.reasoning_summary_text.delta']
    assert (''.join(words), ''.join(thoughts)) == ('Known: nothing.', 'I must look.  ')
    last = received[-1]
    assert last.type == 'response.completed'
    assert last.response.output_text == 'Known: nothing.'
    assert [getattr(item, 'encrypted_content', None) for item in last.response.output] == ['c2VhbA==', None]
    assert last.response.usage is not None


async def test_openais_client_assembles_a_stream(url: str) -> None:
    async with (
        make_openai_client(url) as client,
        client.responses.stream(model='speaker', input='Does it rain?', tools=[WEATHER]) as events,
    ):
        snapshots = [event.snapshot async for event in events if event.type == 'response.function_call_arguments.delta']
        final = await events.get_final_response()
    assert snapshots[-1] == '{"city": "Bergen"}'
    calls = [item for item in final.output if item.type == 'function_call']
    assert [(call.call_id, call.arguments) for call in calls] == [
        ('call_Oslo', '{"city": "Oslo"}'),
        ('call_Bergen', '{"city": "Bergen"}'),
    ]


async def test_openais_client_gets_the_reason_of_the_end(url: str) -> None:
    async with make_openai_client(url) as client:
        refusal = await client.responses.create(model='refusing', input='Hello?')
        short = await client.responses.create(model='short', input='Hello?')
    [message] = refusal.output
    assert message.type == 'message'
    assert message.content[0].type == 'refusal'
    assert message.content[0].refusal == 'I cannot do that.'
    assert short.status == 'incomplete'
    assert short.incomplete_details is not None
    assert short.incomplete_details.reason == 'max_output_tokens'


@pytest.mark.parametrize('streams', [False, True], ids=['whole', 'stream'])
async def test_openais_client_raises_its_own_errors(url: str, streams: bool) -> None:
    async with make_openai_client(url) as client:
        create: Any = client.responses.create
        with pytest.raises(NotFoundError, match='There is no model'):
            await create(model='nobody', input='Hello?', stream=streams)
        with pytest.raises(RateLimitError) as limited:
            await create(model='limited', input='Hello?', stream=streams)
        assert (limited.value.request_id, limited.value.type) == ('f00d', 'rate_limit_error')
        with pytest.raises(BadRequestError, match='stores no responses'):
            await create(model='speaker', input='Hello?', previous_response_id='resp_1', stream=streams)
    async with make_openai_client(url, api_key='another') as stranger:
        with pytest.raises(AuthenticationError):
            await stranger.responses.create(model='speaker', input='Hello?')


async def test_openais_client_raises_errors_inside_a_stream(url: str) -> None:
    async with make_openai_client(url) as client:
        with pytest.raises(InternalServerError, match='Too busy'):
            await client.responses.create(model='failing', input='Hello?')
        events = await client.responses.create(model='failing', input='Hello?', stream=True)
        received = [await anext(events) for _ in range(5)]
        with pytest.raises(APIError, match='Too busy'):
            await anext(events)
    assert [event.delta for event in received if event.type == 'response.output_text.delta'] == ['Once upon ']


async def test_azures_client_gets_a_response(url: str) -> None:
    azure = AsyncAzureOpenAI(azure_endpoint=url, api_key=KEY, api_version='2025-03-01-preview', max_retries=0)
    async with azure as client:
        response = await client.responses.create(model='speaker', input='Hello?')
    assert response.output_text == 'Known: nothing.'


# --------------------------------------------------------------------------------------------- our model and our server


def model(url: str, name: str = 'speaker') -> OpenAIResponsesModel:
    return OpenAIResponsesModel(name, provider=OpenAIProvider(base_url=f'{url}/v1', api_key=KEY))


async def test_an_agent_calls_tools_with_and_without_streaming(url: str) -> None:
    agent = Agent(model(url))

    @agent.tool_plain
    def weather(city: str) -> str:
        """Return the weather."""
        return f'rain in {city}'

    result = await agent.run('Does it rain?')
    assert result.output == 'Known: rain in Oslo, rain in Bergen.'
    async with agent.run_stream('Does it rain?') as streamed:
        assert await streamed.get_output() == 'Known: rain in Oslo, rain in Bergen.'
    thoughts = [part for message in result.all_messages() for part in message.parts if isinstance(part, ThinkingPart)]
    assert [(part.content, part.signature) for part in thoughts] == [('I must look. ', 'c2VhbA==')] * 2


async def test_our_model_raises_its_own_errors(url: str) -> None:
    hello: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello?')]
    with pytest.raises(ModelHTTPError) as limited:
        await model(url, 'limited').request(hello)
    assert (limited.value.status_code, limited.value.retry_after) == (429, 1.5)
    async with model(url, 'failing').request_stream(hello) as failing:
        with pytest.raises(OverloadedError, match='Too busy'):
            [_ async for _ in failing]
    assert failing.get().text == 'Once upon '
    async with model(url, 'cut').request_stream(hello) as cut:
        with pytest.raises(StreamInterruptedError) as broken:
            [_ async for _ in cut]
    assert broken.value.response is not None
    assert broken.value.response.state == 'interrupted'


def respond_with_search(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Respond with a search by the vendor, and check that earlier results are sent back."""
    before = sum(isinstance(part, NativeToolReturnPart) for message in messages for part in message.parts)
    made: Any = {'provider_name': 'openai', 'provider_details': {'type': 'web_search_call'}}
    call = NativeToolCallPart('web_search', {'type': 'search', 'query': 'rain'}, 'ws_1', id='ws_1', **made)
    given = NativeToolReturnPart('web_search', {'status': 'completed'}, 'ws_1', provider_name='openai')
    return ModelResponse([call, given, TextPart(f'Searched {before} times before.')], finish_reason='stop')


async def test_a_native_tool_call_is_sent_and_returned() -> None:
    with LocalServer(create_app(FunctionModel(respond_with_search, model_name='m'))) as url:
        asked = model(url)
        history: list[ModelMessage] = [ModelRequest([UserPromptPart('Hello?')])]
        for number in range(3):
            found = await asked.request(history)
            assert found.text == f'Searched {number} times before.'
            assert len(found.native_tool_calls) == 1
            history += [found, ModelRequest([UserPromptPart('Again.')])]
