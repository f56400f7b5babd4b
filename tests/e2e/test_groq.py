"""Groq from end to end: Groq's own client with our server, and our model with our server and with Groq's own events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from groq import APIStatusError, AsyncGroq, AuthenticationError as GroqAuthenticationError
from pydantic import BaseModel

from pydantic_llm import Agent
from pydantic_llm.exceptions import AuthenticationError, RateLimitError, StreamInterruptedError
from pydantic_llm.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_llm.models import Model
from pydantic_llm.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.native_tools import WebSearchTool
from pydantic_llm.providers.groq import GroqProvider
from pydantic_llm.serve import Fault, LocalServer, create_app
from tests.transport.server import Exchange, Server

KEY = 'gsk_key'
HELLO: list[Any] = [{'role': 'user', 'content': 'Hello?'}]
WEATHER: Any = {
    'type': 'function',
    'function': {'name': 'weather', 'parameters': {'type': 'object', 'properties': {'city': {'type': 'string'}}}},
}


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Call the output tool if there is one, else the weather tool if there is no result, else return the results."""
    known = [part.content for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    names = [tool.name for tool in info.function_tools]
    if 'final_result' in names:
        return ModelResponse([ToolCallPart('final_result', '{"name": "Oslo"}', 'call_2')], finish_reason='tool_call')
    if names and not known:
        return ModelResponse([ToolCallPart('weather', '{"city": "Oslo"}', 'call_1')], finish_reason='tool_call')
    thinking = ThinkingPart('Hm.', id='reasoning')
    return ModelResponse(
        [thinking, TextPart(f'Known: {", ".join(map(str, known)) or "nothing"}.')], finish_reason='stop'
    )


async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    for number, part in enumerate(respond(messages, info).parts):
        match part:
            case ToolCallPart():
                yield {number: DeltaToolCall(part.tool_name, part.args_as_json_str(), tool_call_id=part.tool_call_id)}
            case ThinkingPart():
                yield {number: DeltaThinkingPart(content=part.content)}
            case _:
                for word in str(getattr(part, 'content', '')).split(' '):
                    yield f'{word} '


MODELS: dict[str, Model] = {
    name: FunctionModel(respond, stream_function=stream, model_name=name)
    for name in ('openai/gpt-oss-120b', 'cut', 'limited')
}


def faults(body: Any) -> Fault | None:
    """Return the fault of a request, by the name of its model."""
    return {'limited': Fault(status=429, headers={'retry-after': '3'}), 'cut': Fault(cut_after=2)}.get(body['model'])


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(create_app(MODELS, key=KEY, faults=faults)) as url:
        yield url


def make_groq_client(url: str, key: str = KEY) -> AsyncGroq:
    return AsyncGroq(base_url=url, api_key=key, max_retries=0)


def make_model(url: str, name: str = 'openai/gpt-oss-120b', key: str = KEY) -> GroqModel:
    return GroqModel(name, provider=GroqProvider(base_url=url, api_key=key))


# ------------------------------------------------------------------------------------- Groq's client and our server


async def test_groqs_client_gets_a_response(url: str) -> None:
    async with make_groq_client(url) as client:
        completion = await client.chat.completions.create(model='openai/gpt-oss-120b', messages=HELLO, seed=1)
    assert completion.choices[0].message.content == 'Known: nothing.'
    assert completion.choices[0].message.reasoning == 'Hm.'
    assert completion.choices[0].finish_reason == 'stop'
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


async def test_groqs_client_gets_a_stream(url: str) -> None:
    async with make_groq_client(url) as client:
        events = await client.chat.completions.create(model='openai/gpt-oss-120b', messages=HELLO, stream=True)
        deltas = [choice.delta async for event in events for choice in event.choices]
    assert ''.join(delta.content or '' for delta in deltas) == 'Known: nothing. '
    assert [delta.reasoning or (delta.model_extra or {}).get('reasoning_content') for delta in deltas][1] == 'Hm.'


async def test_groqs_client_gets_tool_calls(url: str) -> None:
    async with make_groq_client(url) as client:
        completion = await client.chat.completions.create(
            model='openai/gpt-oss-120b', messages=HELLO, tools=[WEATHER], tool_choice='required'
        )
    [call] = completion.choices[0].message.tool_calls or []
    assert (call.function.name, call.function.arguments, call.id) == ('weather', '{"city": "Oslo"}', 'call_1')


async def test_groqs_client_gets_errors(url: str) -> None:
    async with make_groq_client(url) as client, make_groq_client(url, 'gsk_no') as unauthorized:
        with pytest.raises(APIStatusError) as limited:
            await client.chat.completions.create(model='limited', messages=HELLO)
        with pytest.raises(GroqAuthenticationError):
            await unauthorized.chat.completions.create(model='openai/gpt-oss-120b', messages=HELLO)
    assert limited.value.status_code == 429


# ------------------------------------------------------------------------------------------ our model and our server


def weather(city: str) -> str:
    """The weather in a city."""
    return f'sunny in {city}'


class City(BaseModel):
    name: str


async def test_an_agent_calls_its_tools_and_returns_an_object(url: str) -> None:
    assert (await Agent(make_model(url), tools=[weather]).run('And now?')).output == 'Known: sunny in Oslo.'
    assert (await Agent(make_model(url), output_type=City).run('Where?')).output == City(name='Oslo')
    async with Agent(make_model(url), tools=[weather]).run_stream('And now?') as run:
        assert await run.get_output() == 'Known: sunny in Oslo. '
        [thinking, _] = run.all_messages()[-1].parts
    assert thinking == ThinkingPart('Hm.', id='reasoning_content', provider_name='groq')


async def test_errors_and_broken_streams_are_reported(url: str) -> None:
    hello = [ModelRequest.user_text_prompt('Hello?')]
    with pytest.raises(RateLimitError) as limited:
        await make_model(url, 'limited').request(hello)
    assert limited.value.retry_after == 3
    with pytest.raises(AuthenticationError):
        await make_model(url, key='gsk_no').request(hello)
    async with make_model(url, 'cut').request_stream(hello) as stream:
        with pytest.raises(StreamInterruptedError):
            async for _ in stream:
                pass
    assert stream.get().state == 'interrupted'


def test_one_model_works_in_several_event_loops(url: str) -> None:
    model = make_model(url)

    async def several() -> Sequence[str | None]:
        hello = [ModelRequest.user_text_prompt('Hello?')]
        return [response.text for response in await asyncio.gather(*(model.request(hello) for _ in range(20)))]

    assert [asyncio.run(several()) for _ in range(3)] == [['Known: nothing.'] * 20] * 3


# ------------------------------------------------------------------------------- our model and Groq's own events


USAGE = {'prompt_tokens': 5, 'completion_tokens': 7, 'total_tokens': 12}
FAILED = {'message': 'Failed to call a function.', 'type': 'invalid_request_error', 'code': 'tool_use_failed'}


def chunk(delta: Any, finish_reason: str | None = None, **more: Any) -> Any:
    return {
        'id': 'chatcmpl-1',
        'object': 'chat.completion.chunk',
        'created': 1_760_000_000,
        'model': 'groq/compound',
        'choices': [{'index': 0, 'delta': delta, 'finish_reason': finish_reason}],
        **more,
    }


async def groq(exchange: Exchange) -> None:
    """Respond as a compound system that searches, or as a model whose first tool call fails."""
    asked = exchange.json
    retried = any(message['role'] == 'assistant' for message in asked['messages'])
    await exchange.begin()
    if 'compound' in asked['model']:
        used = {'type': 'search', 'index': 0, 'arguments': '{"query": "weather"}'}
        await exchange.event(chunk({'role': 'assistant', 'content': None}, x_groq={'id': 'req_1'}))
        await exchange.event(chunk({'executed_tools': [used]}))
        await exchange.event(chunk({'executed_tools': [{**used, 'output': 'Sunny'}]}))
        await exchange.event(chunk({'content': 'It is sunny.'}))
        await exchange.event(chunk({}, 'stop', x_groq={'id': 'req_1', 'usage': USAGE}))
    elif not retried:
        await exchange.event(chunk({'role': 'assistant', 'content': 'may'}))
        await exchange.event(chunk({'content': 'be'}))
        error = {**FAILED, 'failed_generation': 'maybe', 'status_code': 400}
        await exchange.chunk(f'event: error\ndata: {json.dumps({"error": error})}\n\n'.encode())
    else:
        call = {'index': 0, 'id': 'fc_1', 'type': 'function'}
        function = {'name': 'final_result', 'arguments': '{"name": "Oslo"}'}
        await exchange.event(chunk({'role': 'assistant', 'tool_calls': [{**call, 'function': function}]}))
        await exchange.event(chunk({}, 'tool_calls', x_groq={'id': 'req_2', 'usage': USAGE}))
    await exchange.chunk(b'data: [DONE]\n\n')
    await exchange.end()


async def test_a_search_is_streamed_to_our_model_and_to_groqs_client() -> None:
    async with Server(groq).run() as server:
        model = make_model(server.url, 'groq/compound')
        async with Agent(model, native_tools=[WebSearchTool()]).run_stream('And the weather?') as run:
            assert await run.get_output() == 'It is sunny.'
            response = run.all_messages()[-1]
        async with make_groq_client(server.url) as client:
            events = await client.chat.completions.create(model='groq/compound', messages=HELLO, stream=True)
            told = [tool async for event in events for tool in event.choices[0].delta.executed_tools or ()]
        await model.aclose()
    assert isinstance(response, ModelResponse)
    [(call, result)] = response.native_tool_calls
    assert result is not None
    assert (call.args, result.content) == (told[0].arguments, told[1].output)
    assert (response.usage.input_tokens, response.usage.output_tokens) == (5, 7)


async def test_an_error_in_a_stream_is_retried_by_the_agent() -> None:
    async with Server(groq).run() as server:
        model = make_model(server.url)
        async with Agent(model, output_type=City).run_stream('Where?') as run:
            assert await run.get_output() == City(name='Oslo')
            [_, failed, retry, _, *_] = run.all_messages()
        await model.aclose()
        assert len(server.requests) == 2
    assert isinstance(failed, ModelResponse)
    assert (failed.text, failed.finish_reason) == ('maybe', 'error')
    assert failed.provider_details == {'finish_reason': 'tool_use_failed', 'error': 'Failed to call a function.'}
    assert 'Failed to call a function' in str(retry.parts[0].content)
