"""Azure from end to end: Azure's own client with our server, and our provider with the same server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openai import APIStatusError, AsyncAzureOpenAI, AsyncOpenAI, BadRequestError, NotFoundError
from openai.types.chat import ChatCompletionMessageParam

from pydantic_llm import Agent
from pydantic_llm.exceptions import AuthenticationError, ContentFilterError, ModelHTTPError, StreamInterruptedError
from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_llm.models import Model
from pydantic_llm.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.providers.azure import AzureProvider
from pydantic_llm.serve import Fault, LocalServer, create_app

KEY, VERSION = 'a-key', '2024-10-21'
HELLO: list[ChatCompletionMessageParam] = [{'role': 'user', 'content': 'Hello?'}]


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Call the weather tool if there is one and no result, else respond with the results."""
    known = [part.content for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    if info.function_tools and not known:
        return ModelResponse([ToolCallPart('weather', '{"city": "Oslo"}', 'call_1')], finish_reason='tool_call')
    return ModelResponse([TextPart(f'Known: {", ".join(map(str, known)) or "nothing"}.')], finish_reason='stop')


async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    for part in respond(messages, info).parts:
        match part:
            case ToolCallPart():
                yield {0: DeltaToolCall(part.tool_name, part.args_as_json_str(), tool_call_id=part.tool_call_id)}
            case _:
                for word in str(getattr(part, 'content', '')).split(' '):
                    yield f'{word} '


def make_function_model(name: str) -> FunctionModel:
    return FunctionModel(respond, stream_function=stream, model_name=name)


def fail_by_filter(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    raise ContentFilterError('This is blocked')


async def fail_by_filter_in_stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
    for piece in ():
        yield piece
    raise ContentFilterError('This is blocked')


MODELS: dict[str, Model] = {
    'prod': make_function_model('gpt-4o-2024-11-20'),
    'openrouter:anthropic/claude': make_function_model('claude'),
    'cut': make_function_model('cut'),
    'filtered': FunctionModel(fail_by_filter, stream_function=fail_by_filter_in_stream, model_name='filtered'),
}


def faults(body: Any) -> Fault | None:
    """Return the fault of a request, by the name of its model."""
    limited = Fault(status=429, headers={'retry-after-ms': '1500', 'apim-request-id': 'f00d'})
    return {'limited': limited, 'cut': Fault(cut_after=2)}.get(body['model'])


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(create_app(MODELS, key=KEY, faults=faults)) as url:
        yield url


@asynccontextmanager
async def make_azure_client(url: str, **options: Any) -> AsyncGenerator[AsyncAzureOpenAI]:
    options = {'api_key': KEY, **options} if 'azure_ad_token_provider' not in options else options
    async with AsyncAzureOpenAI(azure_endpoint=url, api_version=VERSION, max_retries=0, **options) as client:
        yield client


# ----------------------------------------------------------------------------------- Azure's client and our server


@pytest.mark.parametrize('model', ['prod', 'openrouter:anthropic/claude'])
async def test_azures_client_uses_the_deployment_that_it_names(url: str, model: str) -> None:
    async with make_azure_client(url) as client:
        completion = await client.chat.completions.create(model=model, messages=HELLO)
    assert completion.choices[0].message.content == 'Known: nothing.'
    assert completion.choices[0].finish_reason == 'stop'


async def test_the_deployment_of_the_path_overrides_the_model_of_the_body(url: str) -> None:
    async with make_azure_client(url, azure_deployment='prod') as client:
        completion = await client.chat.completions.create(model='something-else', messages=HELLO)
    assert completion.model == 'gpt-4o-2024-11-20'


async def test_azures_client_gets_a_stream(url: str) -> None:
    async with make_azure_client(url) as client:
        chunks = await client.chat.completions.create(
            model='prod', messages=HELLO, stream=True, stream_options={'include_usage': True}
        )
        received = [chunk async for chunk in chunks]
    assert ''.join(choice.delta.content or '' for chunk in received for choice in chunk.choices) == 'Known: nothing. '
    assert received[-1].usage is not None


async def test_azures_client_gets_tool_calls(url: str) -> None:
    function: Any = {'name': 'weather', 'parameters': {'type': 'object', 'properties': {'city': {'type': 'string'}}}}
    async with make_azure_client(url) as client:
        completion = await client.chat.completions.create(
            model='prod', messages=HELLO, tools=[{'type': 'function', 'function': function}]
        )
    [call] = completion.choices[0].message.tool_calls or []
    assert call.type == 'function'
    assert (call.function.name, call.function.arguments) == ('weather', '{"city": "Oslo"}')


async def test_azures_client_may_send_a_token(url: str) -> None:
    async with make_azure_client(url, azure_ad_token_provider=lambda: KEY) as client:
        completion = await client.chat.completions.create(model='prod', messages=HELLO)
    assert completion.choices[0].message.content == 'Known: nothing.'


async def test_a_client_of_the_v1_api_gets_a_response(url: str) -> None:
    async with AsyncOpenAI(base_url=f'{url}/openai/v1/', api_key=KEY) as client:
        completion = await client.chat.completions.create(model='prod', messages=HELLO)
        names = [model.id async for model in client.models.list()]
    assert completion.choices[0].message.content == 'Known: nothing.'
    assert names == list(MODELS)


async def test_azures_client_lists_the_models(url: str) -> None:
    async with make_azure_client(url) as client:
        assert [model.id async for model in client.models.list()] == list(MODELS)
        assert (await client.models.retrieve('prod')).id == 'prod'


async def test_azures_client_raises_its_own_errors(url: str) -> None:
    async with make_azure_client(url) as client:
        with pytest.raises(NotFoundError, match="There is no model 'none'"):
            await client.chat.completions.create(model='none', messages=HELLO)
        with pytest.raises(APIStatusError) as limited:
            await client.chat.completions.create(model='limited', messages=HELLO)
        with pytest.raises(BadRequestError, match='This is blocked') as filtered:
            await client.chat.completions.create(model='filtered', messages=HELLO)
    assert (limited.value.status_code, limited.value.response.headers['retry-after-ms']) == (429, '1500')
    assert filtered.value.code == 'content_filter'


async def test_azures_client_gets_responses(url: str) -> None:
    async with make_azure_client(url) as client:
        response = await client.responses.create(model='prod', input='Hello?')
        stream = await client.responses.create(model='prod', input='Hello?', stream=True)
        received = [event async for event in stream]
    assert (response.output_text, response.model) == ('Known: nothing.', 'gpt-4o-2024-11-20')
    assert (
        ''.join(event.delta for event in received if event.type == 'response.output_text.delta') == 'Known: nothing. '
    )
    assert received[-1].type == 'response.completed'


async def test_a_client_of_the_v1_api_gets_responses(url: str) -> None:
    async with AsyncOpenAI(base_url=f'{url}/openai/v1/', api_key=KEY) as client:
        response = await client.responses.create(model='prod', input='Hello?')
        with pytest.raises(BadRequestError, match='This is blocked') as filtered:
            await client.responses.create(model='filtered', input='Hello?')
    assert (response.output_text, filtered.value.code) == ('Known: nothing.', 'content_filter')


# --------------------------------------------------------------------------------------- our provider and that server

PLACES = pytest.mark.parametrize('place', ['', '/openai/v1/'], ids=['dated', 'v1'])
"""The paths of both of Azure's APIs."""

Kind = type[OpenAIChatModel] | type[OpenAIResponsesModel]
KINDS = pytest.mark.parametrize('kind', [OpenAIChatModel, OpenAIResponsesModel], ids=['chat', 'responses'])
"""The classes of models for Azure's APIs."""


def make_model(url: str, place: str, deployment: str, kind: Kind = OpenAIChatModel, **options: Any) -> Model:
    version = {} if place else {'api_version': VERSION}
    key = {} if 'azure_ad_token_provider' in options else {'api_key': KEY}
    return kind(deployment, provider=AzureProvider(azure_endpoint=url + place, **version, **{**key, **options}))


@KINDS
@PLACES
async def test_an_agent_calls_its_tools_at_azure(url: str, place: str, kind: Kind) -> None:
    cities: list[str] = []

    def weather(city: str) -> str:
        cities.append(city)
        return 'snow'

    result = await Agent(make_model(url, place, 'prod', kind), tools=[weather]).run('How is the weather in Oslo?')
    assert (result.output, cities) == ('Known: snow.', ['Oslo'])
    last = result.all_messages()[-1]
    assert isinstance(last, ModelResponse)
    assert (last.model_name, last.provider_name) == ('gpt-4o-2024-11-20', 'azure')


@KINDS
@PLACES
async def test_an_agent_streams_from_azure(url: str, place: str, kind: Kind) -> None:
    agent = Agent(make_model(url, place, 'prod', kind, azure_ad_token_provider=lambda: KEY))
    async with agent.run_stream('Hello?') as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
    assert pieces == ['Known: ', 'nothing. ']


@KINDS
@PLACES
async def test_a_content_filter_ends_an_agent(url: str, place: str, kind: Kind) -> None:
    agent = Agent(make_model(url, place, 'filtered', kind))
    with pytest.raises(ContentFilterError) as whole:
        await agent.run('Hello?')
    with pytest.raises(ContentFilterError) as in_pieces:
        async with agent.run_stream('Hello?') as result:
            await result.get_output()
    body = {'finish_reason': 'content_filter', 'message': 'This is blocked'}
    assert (whole.value.body, in_pieces.value.body) == (body, body)


@KINDS
@PLACES
async def test_our_errors_have_the_messages_of_azure(url: str, place: str, kind: Kind) -> None:
    with pytest.raises(ModelHTTPError) as limited:
        await Agent(make_model(url, place, 'limited', kind)).run('Hello?')
    with pytest.raises(AuthenticationError):
        await Agent(make_model(url, place, 'prod', kind, api_key='a-guess')).run('Hello?')
    error = limited.value
    assert (error.status_code, error.retry_after, error.request_id) == (429, 1.5, 'f00d')


@PLACES
async def test_a_broken_stream_keeps_the_partial_response(url: str, place: str) -> None:
    async with make_model(url, place, 'cut').request_stream([ModelRequest.user_text_prompt('Hello?')]) as stream:
        with pytest.raises(StreamInterruptedError) as broken:
            [event async for event in stream]
    assert broken.value.response is not None
    assert (broken.value.response.text, broken.value.response.state) == ('Known: ', 'interrupted')
