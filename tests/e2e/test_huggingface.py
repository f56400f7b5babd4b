"""Hugging Face from end to end: its package's own client with our server, and our model with the same server.

The last test starts a new interpreter, in which `HF_ENDPOINT` is the address of a Hub on this machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from huggingface_hub import AsyncInferenceClient, get_async_session
from huggingface_hub.errors import HfHubHTTPError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pydantic_llm import Agent
from pydantic_llm.exceptions import AuthenticationError, RateLimitError, StreamInterruptedError
from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_llm.models import Model
from pydantic_llm.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_llm.models.huggingface import HuggingFaceModel
from pydantic_llm.providers.huggingface import HuggingFaceProvider
from pydantic_llm.serve import Fault, LocalServer, create_app

KEY = 'hf_key'
HELLO: list[Any] = [{'role': 'user', 'content': 'Hello?'}]
WEATHER: dict[str, Any] = {
    'type': 'function',
    'function': {
        'name': 'weather',
        'description': 'd',
        'parameters': {'type': 'object', 'properties': {'city': {'type': 'string'}}},
    },
}


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


MODELS: dict[str, Model] = {
    name: FunctionModel(respond, stream_function=stream, model_name=name)
    for name in ('Qwen/Qwen3-32B', 'cut', 'limited')
}


def faults(body: Any) -> Fault | None:
    """Return the fault of a request, by the name of its model."""
    return {'limited': Fault(status=429, headers={'retry-after': '3'}), 'cut': Fault(cut_after=2)}.get(body['model'])


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(create_app(MODELS, key=KEY, faults=faults)) as url:
        yield url


def make_model(url: str, name: str = 'Qwen/Qwen3-32B', key: str = KEY) -> HuggingFaceModel:
    return HuggingFaceModel(name, provider=HuggingFaceProvider(hf_client=AsyncInferenceClient(url, token=key)))


# ---------------------------------------------------------------------------- the package's client and our server


async def test_the_packages_client_gets_a_response(url: str) -> None:
    async with AsyncInferenceClient(url, token=KEY) as client:
        output = await client.chat_completion(HELLO, model='Qwen/Qwen3-32B', max_tokens=10, temperature=0.1, seed=1)
    assert (output.choices[0].message.content, output.choices[0].finish_reason) == ('Known: nothing.', 'stop')
    assert output.usage.total_tokens == output.usage.prompt_tokens + output.usage.completion_tokens


async def test_the_packages_client_gets_a_stream(url: str) -> None:
    async with AsyncInferenceClient(url, token=KEY) as client:
        events = await client.chat_completion(HELLO, model='Qwen/Qwen3-32B', stream=True)
        received = [event async for event in events]
    assert ''.join(choice.delta.content or '' for event in received for choice in event.choices) == 'Known: nothing. '
    assert received[-1].choices[0].finish_reason == 'stop'


@pytest.mark.parametrize('choice', ['auto', 'required', {'function': {'name': 'weather'}}], ids=str)
async def test_the_packages_client_gets_tool_calls(url: str, choice: Any) -> None:
    async with AsyncInferenceClient(url, token=KEY) as client:
        output = await client.chat_completion(HELLO, model='Qwen/Qwen3-32B', tools=[WEATHER], tool_choice=choice)
    [call] = output.choices[0].message.tool_calls or []
    assert (call.function.name, call.function.arguments, call.id) == ('weather', '{"city": "Oslo"}', 'call_1')
    assert output.choices[0].finish_reason == 'tool_calls'


@pytest.mark.parametrize(('name', 'key', 'status'), [('limited', KEY, 429), ('Qwen/Qwen3-32B', 'hf_no', 401)])
async def test_the_packages_client_gets_errors(url: str, name: str, key: str, status: int) -> None:
    async with AsyncInferenceClient(url, token=key) as client:
        with pytest.raises(HfHubHTTPError) as caught:
            await client.chat_completion(HELLO, model=name)
    assert caught.value.response.status_code == status


# ------------------------------------------------------------------------------------------ our model and our server


async def test_an_agent_calls_its_tools(url: str) -> None:
    def weather(city: str) -> str:
        """The weather in a city."""
        return f'rain in {city}'

    async with make_model(url) as model:
        result = await Agent(model, tools=[weather]).run('Hello?')
    assert result.output == 'Known: rain in Oslo.'


async def test_an_agent_gets_a_stream(url: str) -> None:
    async with make_model(url) as model, Agent(model).run_stream('Hello?') as result:
        assert [text async for text in result.stream_text(delta=True)]
    assert await result.get_output() == 'Known: nothing. '


async def test_a_rate_limit_has_the_retry_delay(url: str) -> None:
    with pytest.raises(RateLimitError) as caught:
        await make_model(url, 'limited').request([ModelRequest.user_text_prompt('Hello?')])
    assert caught.value.retry_after == 3


async def test_a_wrong_token_is_rejected(url: str) -> None:
    with pytest.raises(AuthenticationError):
        await make_model(url, key='hf_no').request([ModelRequest.user_text_prompt('Hello?')])


async def test_a_broken_stream_is_interrupted(url: str) -> None:
    async with make_model(url, 'cut').request_stream([ModelRequest.user_text_prompt('Hello?')]) as stream:
        with pytest.raises(StreamInterruptedError):
            async for _ in stream:
                pass
    assert stream.get().state == 'interrupted'


# -------------------------------------------------------------------------------------------- a Hub on this machine


async def respond_as_the_hub(request: Request) -> JSONResponse:
    service = {'provider': 'groq', 'providerId': 'Qwen/Qwen3-32B', 'status': 'live', 'task': 'conversational'}
    return JSONResponse({'id': 'qwen/upstream', 'inferenceProviderMapping': [service]})


PROGRAM = """
import asyncio, sys

import httpx2

from pydantic_llm import Agent
from pydantic_llm.models.huggingface import HuggingFaceModel
from pydantic_llm.providers.huggingface import HuggingFaceProvider


class Elsewhere(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request):
        print(request.url)
        server = httpx2.URL(sys.argv[1])
        request.url = server.join('/v1/chat/completions')
        return await super().handle_async_request(request)


client = httpx2.AsyncClient(transport=Elsewhere())
provider = HuggingFaceProvider(provider_name='groq', http_client=client)
for _ in range(2):
    print(Agent(HuggingFaceModel('qwen/upstream', provider=provider)).run_sync('Hello?').output)
"""
"""A program that sends a request for a model at Groq; requests to the router go to another server."""


def test_the_hub_maps_a_model_to_its_service(url: str) -> None:
    if not isinstance(get_async_session(), httpx2.AsyncClient):
        pytest.skip('this release of huggingface_hub sends with httpx, and takes no client of httpx2')
    hub = Starlette(routes=[Route('/api/models/qwen/upstream', respond_as_the_hub)])
    with LocalServer(hub) as hub_url:
        environment = {**os.environ, 'HF_ENDPOINT': hub_url, 'HF_TOKEN': KEY, 'HF_HUB_DISABLE_TELEMETRY': '1'}
        done = subprocess.run(
            [sys.executable, '-c', PROGRAM, url], env=environment, capture_output=True, text=True, check=False
        )
    address = 'https://router.huggingface.co/groq/openai/v1/chat/completions'
    assert (done.stdout.splitlines(), done.stderr) == ([address, 'Known: nothing.'] * 2, '')
