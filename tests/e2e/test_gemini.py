"""Gemini from end to end: our model, through both of its providers, with our server; and responses in the exact form of
Google's servers, with their line ends and truncated streams.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from pydantic import BaseModel

from pydantic_llm import Agent, NativeOutput
from pydantic_llm.exceptions import (
    AuthenticationError,
    ModelConnectionError,
    ModelTimeoutError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    StreamInterruptedError,
    UnexpectedModelBehavior,
)
from pydantic_llm.messages import (
    BinaryContent,
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    PartDeltaEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_llm.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.providers import Provider
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.google_vertex import GoogleVertexProvider
from pydantic_llm.serve import Fault, LocalServer, create_app
from pydantic_llm.usage import RequestUsage
from tests.models.gemini_contents import chunk
from tests.providers.google_cloud import google_cloud, service_account

KEY = 'token-1'
"""The key of the server, and the first token of the token endpoint."""

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello?')]
PIXEL = BinaryContent(b'\x89PNG', media_type='image/png')


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Call two tools if there are tools and no results, else respond with the results."""
    known = [part.content for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    usage = RequestUsage(input_tokens=5, output_tokens=7, output_reasoning_tokens=2)
    if info.function_tools and not known:
        calls = [ToolCallPart('weather', {'city': city}, f'id_{city}') for city in ('Oslo', 'Bergen')]
        return ModelResponse([ThinkingPart('Hm.'), *calls], usage=usage, finish_reason='tool_call')
    if info.model_request_parameters.output_object is not None:
        return ModelResponse([TextPart('{"city": "Oslo", "degrees": -3}')], usage=usage, finish_reason='stop')
    text = TextPart(f'Known: {", ".join(map(str, known)) or "nothing"}.')
    return ModelResponse([ThinkingPart('Hm.'), text, FilePart(PIXEL)], usage=usage, finish_reason='stop')


async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    """Yield the same response in fragments."""
    for number, part in enumerate(respond(messages, info).parts):
        match part:
            case ThinkingPart():
                yield {number: DeltaThinkingPart(content=part.content)}
            case ToolCallPart():
                args = part.args_as_json_str()
                yield {number: DeltaToolCall(part.tool_name, args[:4], tool_call_id=part.tool_call_id)}
                yield {number: DeltaToolCall(json_args=args[4:])}
            case TextPart():
                for word in part.content.split(' '):
                    yield f'{word} '
            case _:
                yield {number: part}


MODEL = FunctionModel(respond, stream_function=stream, model_name='gemini-2.5-flash')

FAULTS = {
    'limited': Fault(status=429, headers={'retry-after': '3'}),
    'cut': Fault(cut_after=2),
    'ended': Fault(end_after=2),
    'broken': Fault(garbage_after=1),
    'failing': Fault(error_after=2),
    'silent': Fault(stall_after=1),
    'slow': Fault(delay=5),
}


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    models = dict.fromkeys(('gemini-2.5-flash', *FAULTS), MODEL)
    with LocalServer(create_app(models, key=KEY, faults=lambda body: FAULTS.get(body['model']))) as url:
        yield url


@pytest.fixture(params=['google-gla', 'google-vertex', 'express'])
def provider(request: pytest.FixtureRequest, url: str) -> Iterator[Provider[Any]]:
    """Return a provider for each of Google's APIs."""
    if request.param == 'google-gla':
        yield GoogleGLAProvider(api_key=KEY, base_url=url)
    elif request.param == 'express':
        yield GoogleVertexProvider(api_key=KEY, base_url=url)
    else:
        with google_cloud() as cloud:
            yield GoogleVertexProvider(service_account_info=service_account(cloud), base_url=url)


def make_model(provider: Provider[Any], name: str = 'gemini-2.5-flash') -> GeminiModel:
    return GeminiModel(name, provider=provider, settings={'retries': 0})


async def read_stream(model: GeminiModel, settings: Any = None) -> tuple[ModelResponse, list[Any]]:
    async with model.request_stream(HELLO, settings) as streamed:
        events = [event async for event in streamed]
        return streamed.get(), events


# ---------------------------------------------------------------------- responses


async def test_a_response_is_the_same_with_and_without_streaming(provider: Provider[Any]) -> None:
    whole, (streamed, events) = await make_model(provider).request(HELLO), await read_stream(make_model(provider))
    name = provider.name
    assert whole.parts == [
        ThinkingPart('Hm.', provider_name=name),
        TextPart('Known: nothing.'),
        FilePart(PIXEL, provider_name=name),
    ]
    assert [part.part_kind for part in streamed.parts] == ['thinking', 'text', 'file']
    assert (streamed.text or '').strip() == whole.text
    assert [whole.state, streamed.state, whole.finish_reason, streamed.finish_reason] == ['complete'] * 2 + ['stop'] * 2
    assert (whole.usage.input_tokens, whole.usage.output_tokens, whole.usage.details) == (5, 7, {'thoughts_tokens': 2})
    assert (whole.model_name, whole.provider_name, whole.provider_url) == ('gemini-2.5-flash', name, provider.base_url)
    assert sum(isinstance(event, PartDeltaEvent) for event in events) >= 1


@pytest.mark.parametrize('streams', [False, True])
async def test_tools_run_in_parallel_and_their_results_are_sent_back(provider: Provider[Any], streams: bool) -> None:
    async def weather(city: str) -> str:
        return f'snow in {city}'

    agent = Agent(make_model(provider), tools=[weather])
    if streams:
        async with agent.run_stream('How is it?') as result:
            text = await result.get_output()
    else:
        text = (await agent.run('How is it?')).output
    assert text.strip() == 'Known: snow in Oslo, snow in Bergen.'


async def test_an_output_has_its_schema(provider: Provider[Any]) -> None:
    class Place(BaseModel):
        city: str
        degrees: int

    result = await Agent(make_model(provider), output_type=NativeOutput(Place)).run('Where?')
    assert result.output == Place(city='Oslo', degrees=-3)


def test_one_model_works_in_several_event_loops(provider: Provider[Any]) -> None:
    model = make_model(provider)

    async def five() -> list[str | None]:
        return [response.text for response in await asyncio.gather(*(model.request(HELLO) for _ in range(5)))]

    for _ in range(3):
        assert asyncio.run(five()) == ['Known: nothing.'] * 5


# ---------------------------------------------------------------------- errors


async def test_errors_are_typed_and_have_the_retry_delay(provider: Provider[Any]) -> None:
    with pytest.raises(RateLimitError) as caught:
        await make_model(provider, 'limited').request(HELLO)
    assert (caught.value.status_code, caught.value.retry_after) == (429, 3.0)
    with pytest.raises(NotFoundError, match='There is no model'):
        await make_model(provider, 'nobody').request(HELLO)
    with pytest.raises(OverloadedError, match='told to fail') as failed:
        await read_stream(make_model(provider, 'failing'))
    assert failed.value.in_stream


async def test_another_key_is_rejected(url: str) -> None:
    with pytest.raises(AuthenticationError, match='key of this server'):
        await make_model(GoogleGLAProvider(api_key='another', base_url=url)).request(HELLO)


async def test_a_broken_stream_raises_with_the_partial_response(provider: Provider[Any]) -> None:
    with pytest.raises(StreamInterruptedError) as cut:
        await read_stream(make_model(provider, 'cut'))
    assert cut.value.response is not None
    assert (cut.value.response.thinking, cut.value.response.state) == ('Hm.', 'interrupted')
    with pytest.raises(UnexpectedModelBehavior, match='not JSON'):
        await read_stream(make_model(provider, 'broken'))
    ended, _ = await read_stream(make_model(provider, 'ended'))
    assert (ended.state, ended.finish_reason, ended.thinking) == ('incomplete', None, 'Hm.')


async def test_a_truncated_body_is_an_error() -> None:
    app = create_app(MODEL, faults=lambda body: Fault(cut_after=0))
    async with LocalServer(app) as url:
        with pytest.raises(ModelConnectionError):
            await make_model(GoogleGLAProvider(base_url=url)).request(HELLO)


async def test_deadlines_hold(provider: Provider[Any]) -> None:
    with pytest.raises(ModelTimeoutError):
        await make_model(provider, 'slow').request(HELLO, {'timeout': 0.1})
    with pytest.raises(ModelTimeoutError, match='idle_timeout'):
        await read_stream(make_model(provider, 'silent'), {'idle_timeout': 0.1})


async def test_leaving_a_stream_early_closes_it(provider: Provider[Any]) -> None:
    async with make_model(provider, 'silent').request_stream(HELLO) as streamed:
        async for _ in streamed:
            break
    assert streamed.get().state == 'interrupted'


# ---------------------------------------------------------------------- the exact form of Google's servers


async def read_bytes(content: bytes, content_type: str = 'text/event-stream') -> ModelResponse:
    app = create_app(MODEL, faults=lambda body: Fault(body=content, content_type=content_type))
    async with LocalServer(app) as url:
        response, _ = await read_stream(
            make_model(GoogleVertexProvider(credentials=AnonymousCredentials(), project_id='p', base_url=url))
        )
        return response


CHUNKS = [chunk({'text': 'Hel'}), chunk({'text': 'lo\u2028.'}), chunk(finish='STOP', usage={'promptTokenCount': 1})]


async def test_lines_may_end_with_crlf() -> None:
    content = ''.join(f'data: {json.dumps(each, ensure_ascii=False)}\r\n\r\n' for each in CHUNKS)
    response = await read_bytes(content.encode())
    assert (response.text, response.state, response.usage.input_tokens) == ('Hello\u2028.', 'complete', 1)


async def test_a_stream_without_its_last_chunk_is_incomplete() -> None:
    content = ''.join(f'data: {json.dumps(each)}\r\n\r\n' for each in CHUNKS[:2])
    response = await read_bytes(content.encode())
    assert (response.text, response.state) == ('Hello\u2028.', 'incomplete')


async def test_a_server_may_send_a_stream_as_a_list() -> None:
    response = await read_bytes(json.dumps(CHUNKS).encode(), 'application/json; charset=UTF-8')
    assert (response.text, response.state) == ('Hello\u2028.', 'complete')


@pytest.mark.parametrize('content', [b'', b'<html>', b': comment\n\n'])
async def test_a_stream_without_events_is_an_error(content: bytes) -> None:
    with pytest.raises(UnexpectedModelBehavior, match='holds no event'):
        await read_bytes(content)
