"""LiteLLM from end to end: our model on the real package, with a server that speaks the vendors' own APIs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from pydantic_llm import Agent, NativeOutput
from pydantic_llm.exceptions import AuthenticationError, OverloadedError, RateLimitError
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
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_llm.models.litellm import LiteLLMModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.litellm_connection import LITELLM
from pydantic_llm.serve import Fault, LocalServer, create_app

KEY = 'sk-0123456789'
VENDORS = {
    'openai/gpt-4o': '/v1',
    'anthropic/claude-sonnet-4-5': '',
    'gemini/gemini-2.5-flash': '/v1beta',
    'mistral/mistral-small-latest': '/v1',
}
"""LiteLLM's names of models, and the paths of their APIs on our server."""

vendors = pytest.mark.parametrize('name', VENDORS)
pytestmark = pytest.mark.filterwarnings(
    'ignore:Items? .* on TypedDict class:UserWarning',
    'ignore:Pydantic serializer warnings:UserWarning',
    "ignore:Accessing the 'model_:DeprecationWarning",
)
"""The warnings of pydantic about LiteLLM's own code."""


class City(BaseModel):
    name: str


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Return a city if there is a schema, else call the weather tool if there is one, else describe the content."""
    parts = [part for message in messages for part in message.parts]
    known = [part.content for part in parts if isinstance(part, ToolReturnPart)]
    files = [item for part in parts if isinstance(part, UserPromptPart) for item in part.items()]
    pictures = sum(isinstance(item, BinaryContent) for item in files)
    if info.model_request_parameters.output_mode == 'native':
        return ModelResponse([TextPart('{"name": "Oslo"}')], finish_reason='stop')
    if info.function_tools and not known:
        thoughts = ThinkingPart('Hm.', signature='c2lnbmVk')
        call = ToolCallPart('weather', '{"city": "Oslo"}', 'call_1')
        return ModelResponse([thoughts, call], finish_reason='tool_call')
    received = ', '.join(map(str, known)) or f'{pictures} pictures'
    return ModelResponse([TextPart(f'Known: {received}.')], finish_reason='stop')


async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    for number, part in enumerate(respond(messages, info).parts):
        match part:
            case ToolCallPart():
                yield {number: DeltaToolCall(part.tool_name, part.args_as_json_str(), tool_call_id=part.tool_call_id)}
            case ThinkingPart():
                yield {number: DeltaThinkingPart(content=part.content)}
                yield {number: DeltaThinkingPart(signature=part.signature)}
            case _:
                for word in str(getattr(part, 'content', '')).split(' '):
                    yield f'{word} '


NAMES = [name.partition('/')[2] for name in VENDORS]
MODELS: dict[str, Model] = {name: FunctionModel(respond, stream_function=stream, model_name=name) for name in NAMES}
FAULTS = {'busy': Fault(status=529), 'limited': Fault(status=429, headers={'retry-after': '3'})}


def faults(body: Any) -> Fault | None:
    """Return the fault of a request, by its content."""
    return next((fault for word, fault in FAULTS.items() if f'Be {word}!' in json.dumps(body)), None)


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    LITELLM.wait()
    with LocalServer(create_app(MODELS, key=KEY, faults=faults)) as url:
        yield url


def litellm(url: str, name: str, key: str = KEY) -> LiteLLMModel:
    return LiteLLMModel(name, api_base=url + VENDORS[name], api_key=key)


def weather(city: str) -> str:
    """The weather in a city."""
    return f'rain in {city}'


@vendors
async def test_an_agent_calls_its_tools(url: str, name: str) -> None:
    result = await Agent(litellm(url, name), tools=[weather]).run('Hello?')
    assert 'rain in Oslo' in result.output


@vendors
async def test_an_agent_calls_its_tools_in_a_stream(url: str, name: str) -> None:
    async with Agent(litellm(url, name), tools=[weather]).run_stream('Hello?') as result:
        assert 'rain in Oslo' in await result.get_output()
    assert result.response.state == 'complete'


@pytest.mark.parametrize('name', ['openai/gpt-4o', 'gemini/gemini-2.5-flash', 'mistral/mistral-small-latest'])
async def test_an_output_has_its_schema(url: str, name: str) -> None:
    result = await Agent(litellm(url, name), output_type=NativeOutput(City)).run('Hello?')
    assert result.output == City(name='Oslo')


@vendors
async def test_an_image_arrives(url: str, name: str) -> None:
    picture = BinaryContent(b'\x89PNG\r\n\x1a\n', media_type='image/png')
    response = await litellm(url, name).request([ModelRequest([UserPromptPart(['Look.', picture])])])
    assert response.text == 'Known: 1 pictures.'


@vendors
async def test_an_error_has_the_same_type_as_with_other_providers(url: str, name: str) -> None:
    model = litellm(url, name)
    with pytest.raises(RateLimitError) as caught:
        await model.request([ModelRequest.user_text_prompt('Be limited!')])
    assert caught.value.retry_after == 3
    with pytest.raises(OverloadedError):
        await model.request([ModelRequest.user_text_prompt('Be busy!')])


@vendors
async def test_a_wrong_key_is_rejected(url: str, name: str) -> None:
    with pytest.raises(AuthenticationError):
        await litellm(url, name, 'sk-9876543210').request([ModelRequest.user_text_prompt('Hello?')])


async def test_a_conversation_continues_without_litellm_and_back(url: str) -> None:
    """Claude's signed thinking is sent to Claude through LiteLLM, and not to other vendors."""
    agent = Agent(tools=[weather])
    of_anthropic = AnthropicModel('claude-sonnet-4-5', provider=AnthropicProvider(base_url=url, api_key=KEY))
    first = await agent.run('Hello?', model=litellm(url, 'anthropic/claude-sonnet-4-5'))
    [thoughts] = [part for part in first.all_messages()[1].parts if isinstance(part, ThinkingPart)]
    assert (thoughts.content, thoughts.signature) == ('Hm.', 'c2lnbmVk')
    second = await agent.run('And?', model=of_anthropic, message_history=first.all_messages())
    third = await agent.run('And?', model=litellm(url, 'openai/gpt-4o'), message_history=second.all_messages())
    assert third.output == 'Known: rain in Oslo.'
