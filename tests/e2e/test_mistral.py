"""Mistral from end to end: Mistral's own client with our server, and our model with it and with one that fails."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError
from mistralai.client.models import ReferenceChunk, TextChunk, ThinkChunk
from pydantic import BaseModel

from pydantic_llm import Agent, NativeOutput
from pydantic_llm.exceptions import AuthenticationError, OverloadedError, RateLimitError, StreamInterruptedError
from pydantic_llm.messages import (
    BinaryContent,
    Citation,
    ContentCitationAnchor,
    DocumentCitationSource,
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
from pydantic_llm.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.providers.mistral import MistralProvider
from pydantic_llm.serve import Fault, LocalServer, create_app
from pydantic_llm.usage import RequestUsage
from tests.transport.server import Exchange, Server

KEY = 'the-key'
SMALL = 'mistral-small-latest'
HELLO: list[Any] = [{'role': 'user', 'content': 'Hello?'}]
WEATHER: Any = {
    'type': 'function',
    'function': {'name': 'weather', 'parameters': {'type': 'object', 'properties': {'city': {'type': 'string'}}}},
}


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Call the output tool if there is one, else the weather tool if there is no result, else return the results."""
    parts = [part for message in messages for part in message.parts]
    known = [part.content for part in parts if isinstance(part, ToolReturnPart)]
    seen = [part.content for part in parts if isinstance(part, UserPromptPart) and not isinstance(part.content, str)]
    names = [tool.name for tool in info.function_tools]
    usage = RequestUsage(input_tokens=11, cache_read_tokens=4, output_tokens=3)
    if 'final_result' in names:
        call = ToolCallPart('final_result', '{"name": "Oslo"}', 'abcdefghj')
        return ModelResponse([call], usage=usage, finish_reason='tool_call')
    if info.model_request_parameters.output_mode == 'native':
        return ModelResponse([TextPart('{"name": "Bergen"}')], usage=usage, finish_reason='stop')
    if names and not known:
        calls = [ToolCallPart('weather', json.dumps({'city': city}), id) for city, id in CITIES.items()]
        return ModelResponse(calls, usage=usage, finish_reason='tool_call')
    text = f'Known: {", ".join(map(str, known)) or len(seen)}.'
    thinking = ThinkingPart('Hm. So.', signature='s', provider_name='mistral')
    cited = TextPart(text, provider_name='mistral', provider_details={'reference_ids': [0]})
    return ModelResponse([thinking, cited], usage=usage, provider_name='mistral', finish_reason='stop')


CITIES = {'Oslo': 'abcdefghi', 'Rome': 'abcdefghk'}


async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    for number, part in enumerate(respond(messages, info).parts):
        match part:
            case ToolCallPart():
                args = part.args_as_json_str()
                yield {number: DeltaToolCall(part.tool_name, args[:5], tool_call_id=part.tool_call_id)}
                yield {number: DeltaToolCall(json_args=args[5:])}
            case ThinkingPart(content=content, signature=signature):
                yield {number: DeltaThinkingPart(content=content[:3])}
                yield {number: DeltaThinkingPart(content=content[3:], signature=signature)}
            case _:
                for word in re.findall(r'\S+ ?', str(getattr(part, 'content', ''))):
                    yield word


MODELS: dict[str, Model] = {
    name: FunctionModel(respond, stream_function=stream, model_name=name) for name in (SMALL, 'cut', 'limited', 'full')
}


def faults(body: Any) -> Fault | None:
    """Return the fault of a request, by the name of its model."""
    found = {
        'limited': Fault(status=429, headers={'retry-after': '3'}),
        'full': Fault(status=503),
        'cut': Fault(cut_after=2),
    }
    return found.get(body['model'])


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(create_app(MODELS, key=KEY, faults=faults)) as url:
        yield f'{url}/mistral'


def make_mistral_client(url: str, key: str = KEY) -> Mistral:
    return Mistral(server_url=url, api_key=key)


def make_model(url: str, name: str = SMALL, key: str = KEY) -> MistralModel:
    return MistralModel(name, provider=MistralProvider(base_url=url, api_key=key))


# ----------------------------------------------------------------------------------- Mistral's client and our server


async def test_mistrals_client_gets_a_response(url: str) -> None:
    async with make_mistral_client(url) as client:
        completion = await client.chat.complete_async(
            model=SMALL, messages=HELLO, random_seed=1, reasoning_effort='high', stop=['x']
        )
    [choice] = completion.choices
    assert choice.message is not None
    assert isinstance(choice.message.content, list)
    [thinking, text, cited] = choice.message.content
    assert isinstance(thinking, ThinkChunk)
    assert isinstance(thinking.thinking[0], TextChunk)
    assert (thinking.thinking[0].text, thinking.signature) == ('Hm. So.', 's')
    assert isinstance(text, TextChunk)
    assert text.text == 'Known: 0.'
    assert isinstance(cited, ReferenceChunk)
    assert cited.reference_ids == [0]
    assert choice.finish_reason == 'stop'
    usage = completion.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (11, 3, 14)


async def test_mistrals_client_gets_a_stream(url: str) -> None:
    async with (
        make_mistral_client(url) as client,
        await client.chat.stream_async(model=SMALL, messages=HELLO) as events,
    ):
        received = [event.data async for event in events]
    deltas = [choice.delta.content for chunk in received for choice in chunk.choices]
    thinking = [chunk for delta in deltas if isinstance(delta, list) for chunk in delta]
    pieces = [piece for chunk in thinking if isinstance(chunk, ThinkChunk) for piece in chunk.thinking]
    assert [piece.text for piece in pieces if isinstance(piece, TextChunk)] == ['Hm.', ' So.']
    assert ''.join(delta for delta in deltas if isinstance(delta, str)) == 'Known: 0.'
    assert received[-1].choices[0].finish_reason == 'stop'
    assert received[-1].usage is not None
    assert received[-1].usage.completion_tokens > 0
    assert len({chunk.id for chunk in received}) == 1


async def test_mistrals_client_gets_tool_calls_and_sends_their_results(url: str) -> None:
    async with make_mistral_client(url) as client:
        options: Any = {'model': SMALL, 'tools': [WEATHER], 'tool_choice': 'any'}
        completion = await client.chat.complete_async(messages=HELLO, **options)
        [choice] = completion.choices
        assert choice.message is not None
        calls = choice.message.tool_calls or []
        assert [(call.id, call.function.name, call.function.arguments) for call in calls] == [
            (id, 'weather', json.dumps({'city': city})) for city, id in CITIES.items()
        ]
        async with await client.chat.stream_async(messages=HELLO, **options) as events:
            received = [event.data.choices[0].delta async for event in events]
        streamed = [call for delta in received for call in delta.tool_calls or ()]
        assert streamed == calls
        results: Any = [{'role': 'tool', 'tool_call_id': id, 'content': city} for city, id in CITIES.items()]
        last = await client.chat.complete_async(messages=[*HELLO, choice.message, *results], **options)
    assert choice.finish_reason == 'tool_calls'
    assert last.choices[0].message is not None
    assert 'Known: Oslo, Rome.' in last.choices[0].message.model_dump_json()


class City(BaseModel):
    name: str


async def test_mistrals_client_gets_an_object(url: str) -> None:
    async with make_mistral_client(url) as client:
        completion = await client.chat.parse_async(City, model=SMALL, messages=HELLO)
    assert completion.choices is not None
    assert completion.choices[0].message is not None
    assert completion.choices[0].message.parsed == City(name='Bergen')


@pytest.mark.parametrize(('name', 'key', 'status'), [('limited', KEY, 429), ('full', KEY, 503), (SMALL, 'no', 401)])
async def test_mistrals_client_gets_errors(url: str, name: str, key: str, status: int) -> None:
    async with make_mistral_client(url, key) as client:
        with pytest.raises(SDKError) as whole:
            await client.chat.complete_async(model=name, messages=HELLO)
        with pytest.raises(SDKError) as streamed:
            await client.chat.stream_async(model=name, messages=HELLO)
    assert [error.value.status_code for error in (whole, streamed)] == [status] * 2
    assert json.loads(whole.value.body)['object'] == 'error'


# ------------------------------------------------------------------------------------------ our model and our server


def weather(city: str) -> str:
    """The weather in a city."""
    return f'sunny in {city}'


async def test_an_agent_calls_its_tools_and_thinks(url: str) -> None:
    agent = Agent(make_model(url), tools=[weather])
    known = 'Known: sunny in Oslo, sunny in Rome.'
    result = await agent.run('And now?')
    async with agent.run_stream('And now?') as run:
        assert await run.get_output() == result.output == known
    thinking = ThinkingPart('Hm. So.', signature='s', provider_name='mistral')
    source = Citation([DocumentCitationSource(document_id='0')], anchor=ContentCitationAnchor(start=0, end=len(known)))
    cited = TextPart(known, provider_name='mistral', provider_details={'reference_ids': [0]}, citations=[source])
    assert result.all_messages()[-1].parts == [thinking, cited]
    assert run.all_messages()[-1].parts[0] == thinking
    assert (result.usage.requests, result.usage.input_tokens, result.usage.cache_read_tokens) == (2, 22, 8)
    again = await agent.run('Sure?', message_history=result.all_messages())
    assert again.output == known


async def test_an_agent_returns_an_object(url: str) -> None:
    assert (await Agent(make_model(url), output_type=City).run('Where?')).output == City(name='Oslo')
    assert (await Agent(make_model(url), output_type=NativeOutput(City)).run('Where?')).output == City(name='Bergen')


async def test_an_image_arrives(url: str) -> None:
    image = BinaryContent(b'\x89PNG\r\n\x1a\n', media_type='image/png')
    assert (await Agent(make_model(url)).run(['What is it?', image])).output == 'Known: 1.'


async def test_errors_and_broken_streams_are_reported(url: str) -> None:
    hello = [ModelRequest.user_text_prompt('Hello?')]
    with pytest.raises(RateLimitError) as limited:
        await make_model(url, 'limited').request(hello)
    assert limited.value.retry_after == 3
    with pytest.raises(OverloadedError):
        await make_model(url, 'full').request(hello, {'retries': 0})
    with pytest.raises(AuthenticationError):
        await make_model(url, key='no').request(hello)
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

    assert [asyncio.run(several()) for _ in range(3)] == [['Known: 0.'] * 20] * 3


# ------------------------------------------------------------------------------- our model and a server that fails


def chunk(delta: Any, finish_reason: str | None = None) -> Any:
    choice = {'index': 0, 'delta': delta, 'finish_reason': finish_reason}
    return {'id': '1', 'object': 'chat.completion.chunk', 'created': 1, 'model': SMALL, 'choices': [choice]}


async def failing(exchange: Exchange) -> None:
    """Fail in the first response, and complete the second."""
    await exchange.begin()
    if not any(message['role'] == 'assistant' for message in exchange.json['messages']):
        await exchange.event(chunk({'role': 'assistant', 'content': 'May'}))
        await exchange.event(chunk({'content': 'be'}, 'error'))
    else:
        await exchange.event(chunk({'role': 'assistant', 'content': 'Oslo.'}, 'stop'))
    await exchange.chunk(b'data: [DONE]\n\n')
    await exchange.end()


async def test_a_response_that_ends_with_an_error_is_interrupted() -> None:
    async with Server(failing).run() as server:
        model = make_model(server.url)
        async with Agent(model).run_stream('Where?') as run:
            with pytest.raises(StreamInterruptedError) as caught:
                await run.get_output()
        await model.aclose()
    assert caught.value.response is not None
    assert (caught.value.response.text, caught.value.response.finish_reason) == ('Maybe', 'error')
