"""Our own rooms as clients of the gateway: each gets what the model behind it gives, whole and streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pydantic import BaseModel

from pydantic_llm import Agent
from pydantic_llm.messages import ModelRequest, ModelResponse
from pydantic_llm.models import Model, ModelRequestParameters
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.bedrock import BedrockProvider
from pydantic_llm.providers.cohere import CohereProvider
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.mistral import MistralProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve import LocalServer, create_app
from pydantic_llm.tools import ToolDefinition

MakeClient = Callable[[str], Model]

CLIENTS: dict[str, MakeClient] = {
    'openai-chat': lambda url: OpenAIChatModel('m', provider=OpenAIProvider(base_url=f'{url}/v1', api_key='k')),
    'openai-responses': lambda url: OpenAIResponsesModel(
        'm', provider=OpenAIProvider(base_url=f'{url}/v1', api_key='k')
    ),
    'anthropic': lambda url: AnthropicModel('m', provider=AnthropicProvider(base_url=url, api_key='k')),
    'bedrock': lambda url: BedrockConverseModel(
        'us.amazon.nova-pro-v1:0',
        provider=BedrockProvider(
            base_url=url, region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='b'
        ),
    ),
    'cohere': lambda url: CohereModel('m', provider=CohereProvider(base_url=url, api_key='k')),
    'mistral': lambda url: MistralModel('m', provider=MistralProvider(base_url=f'{url}/mistral', api_key='k')),
    'gemini': lambda url: GeminiModel('m', provider=GoogleGLAProvider(base_url=url, api_key='k')),
}
"""Protocol → a function that builds a client for the server at a URL."""

TEXT = {'type': 'string'}
WEATHER = ToolDefinition(
    'weather',
    {'type': 'object', 'properties': {'city': TEXT, 'days': {'type': 'integer'}}, 'required': ['city', 'days']},
)
CLOCK = ToolDefinition('clock', {'type': 'object', 'properties': {}})
ANSWER = ToolDefinition('final_result', {'type': 'object', 'properties': {'answer': TEXT}, 'required': ['answer']})


@pytest.fixture(scope='module')
def server() -> Iterator[str]:
    with LocalServer(create_app(TestModel())) as url:
        yield url


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, server: str) -> Model:
    """Return a client of each protocol in turn."""
    return CLIENTS[request.param](server)


async def request(model: Model, parameters: ModelRequestParameters, *, stream: bool) -> ModelResponse:
    messages = [ModelRequest.user_text_prompt('Hello')]
    if not stream:
        return await model.request(messages, None, parameters)
    async with model.request_stream(messages, None, parameters) as response:
        async for _ in response:
            pass
        return response.get()


ways = pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])


@ways
async def test_function_tools_are_called_with_their_arguments(client: Model, stream: bool) -> None:
    response = await request(client, ModelRequestParameters([WEATHER, CLOCK]), stream=stream)
    assert [(call.tool_name, call.args_as_json_str()) for call in response.tool_calls] == [
        ('weather', '{"city":"a","days":0}'),
        ('clock', '{}'),
    ]
    assert response.state == 'complete'
    assert response.finish_reason in ('tool_call', 'stop')  # Gemini and the Responses API have one word for both


@ways
async def test_an_output_tool_is_called_with_its_arguments(client: Model, stream: bool) -> None:
    parameters = ModelRequestParameters(output_mode='tool', output_tools=[ANSWER], allow_text_output=False)
    response = await request(client, parameters, stream=stream)
    assert [(call.tool_name, call.args_as_json_str()) for call in response.tool_calls] == [
        ('final_result', '{"answer":"a"}')
    ]


@ways
async def test_a_response_without_tools_is_text(client: Model, stream: bool) -> None:
    response = await request(client, ModelRequestParameters(), stream=stream)
    assert (response.text, response.finish_reason) == ('success (no tool calls)', 'stop')


class Advice(BaseModel):
    coat: bool
    reason: str


@ways
async def test_a_run_calls_its_tools_once_and_then_its_output(client: Model, stream: bool) -> None:
    calls: list[str] = []

    def temperature(city: str) -> float:
        calls.append(city)
        return -3.0

    agent = Agent(client, tools=[temperature], output_type=Advice)
    if stream:
        async with agent.run_stream('Do I need a coat?') as streamed:
            output, messages = await streamed.get_output(), streamed.all_messages()
    else:
        result = await agent.run('Do I need a coat?')
        output, messages = result.output, result.all_messages()
    assert (output, calls) == (Advice(coat=False, reason='a'), ['a'])
    names = [
        call.tool_name for message in messages if isinstance(message, ModelResponse) for call in message.tool_calls
    ]
    assert names == ['temperature', 'final_result']
