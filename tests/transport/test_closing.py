"""Leaving an answer early closes its connection within a second, as the server sees it."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import anthropic
import openai
import pytest

from pydantic_llm.exceptions import ModelAPIError
from pydantic_llm.models import StreamedResponse
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.providers.openai import OpenAIProvider
from tests.transport.clients import HISTORY, KEY, Make, call, through
from tests.transport.conftest import Serve
from tests.transport.server import Exchange, chunk, streamed, whole


async def stall(exchange: Exchange) -> None:
    """One event, then nothing."""
    await exchange.begin()
    await exchange.event(chunk('Hi'))
    await exchange.gone()


async def flood(exchange: Exchange) -> None:
    """Events as fast as they can be read, without end."""
    await exchange.begin()
    while True:
        await exchange.event(chunk('x' * 1000))


async def hang(exchange: Exchange) -> None:
    await exchange.gone()


ENDLESS = pytest.mark.parametrize('answer', [stall, flood])


@pytest.fixture(params=['httpx2', 'aiohttp'])
def model(request: pytest.FixtureRequest) -> Any:
    """Make a model over each HTTP library."""

    def make(url: str) -> OpenAIChatModel:
        http_client = openai.DefaultAioHttpClient() if request.param == 'aiohttp' else None
        client = openai.AsyncOpenAI(api_key=KEY, base_url=url, http_client=http_client)
        return OpenAIChatModel('m', provider=OpenAIProvider(openai_client=client))

    return make


# ---------------------------------------------------------------------- connections


@ENDLESS
async def test_closing_a_stream_closes_its_connection(serve: Serve, connect: Make, answer: Any) -> None:
    server = await serve(answer)
    stream = await connect(server.url).open(call())
    assert await stream.read()
    began = time.monotonic()
    await stream.aclose()
    assert time.monotonic() - began < 0.5
    await server.all_closed()


async def test_closing_a_stream_that_nobody_read_closes_its_connection(serve: Serve, connect: Make) -> None:
    server = await serve(stall)
    stream = await connect(server.url).open(call())
    await stream.aclose()
    await server.all_closed()


async def test_closing_a_stream_ends_the_read_of_another_task(serve: Serve, connect: Make) -> None:
    server = await serve(stall)
    stream = await connect(server.url).open(call())
    await stream.read()
    reading = asyncio.ensure_future(stream.read())
    await asyncio.sleep(0)
    await stream.aclose()
    with pytest.raises(ModelAPIError):
        await asyncio.wait_for(reading, 1)
    await server.all_closed()


@pytest.mark.parametrize('answer', [hang, stall])
async def test_cancelling_a_whole_request_closes_its_connection(serve: Serve, connect: Make, answer: Any) -> None:
    server = await serve(answer)
    task = asyncio.ensure_future(connect(server.url).send(call()))
    await server.until(lambda: len(server.requests) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.all_closed()


async def test_cancelling_a_read_closes_the_connection(serve: Serve, connect: Make) -> None:
    server = await serve(stall)
    stream = await connect(server.url).open(call())
    await stream.read()
    task = asyncio.ensure_future(stream.read())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await stream.aclose()
    await server.all_closed()


async def test_closing_the_provider_closes_idle_connections_and_it_works_again(serve: Serve, connect: Make) -> None:
    server = await serve(whole)
    connection = connect(server.url)
    await connection.send(call())
    await connection.aclose()
    await server.all_closed()
    await connection.send(call())
    assert server.connections == 2
    await connection.aclose()
    await server.all_closed()


async def test_closing_the_provider_ends_its_streams(serve: Serve, connect: Make) -> None:
    server = await serve(stall)
    connection = connect(server.url)
    stream = await connection.open(call())
    await stream.read()
    await connection.aclose()
    await server.all_closed()
    with pytest.raises(ModelAPIError):
        await stream.read()
    await stream.aclose()


async def test_closing_the_provider_twice_at_once_is_fine(serve: Serve, connect: Make) -> None:
    server = await serve(whole)
    connection = connect(server.url)
    await connection.send(call())
    await asyncio.gather(connection.aclose(), connection.aclose())
    await connection.aclose()
    await server.all_closed()


async def test_closing_a_provider_that_was_never_used_is_fine(connect: Make) -> None:
    await connect('http://127.0.0.1:1').aclose()


async def test_a_connection_that_is_forgotten_is_closed(serve: Serve, connect: Make) -> None:
    server = await serve(whole)
    await connect(server.url).send(call())
    gc.collect()
    await server.all_closed()


async def test_requests_while_the_provider_is_being_closed_get_connections_of_their_own(
    serve: Serve, connect: Make
) -> None:
    server = await serve(whole)
    connection = connect(server.url)
    await connection.send(call())
    await asyncio.gather(connection.aclose(), *(connection.send(call()) for _ in range(5)))
    await connection.aclose()
    await server.all_closed()


# ---------------------------------------------------------------------- models


@ENDLESS
async def test_leaving_the_block_of_a_stream_closes_its_connection(serve: Serve, model: Any, answer: Any) -> None:
    server = await serve(answer)
    async with model(server.url).request_stream(HISTORY) as stream:
        async for _ in stream:
            break
    await server.all_closed()
    response = stream.get()
    assert (response.state, stream.cancelled) == ('interrupted', True)
    assert response.text


async def test_leaving_the_block_by_an_error_closes_the_connection(serve: Serve, model: Any) -> None:
    server = await serve(stall)
    with pytest.raises(ZeroDivisionError):
        await fail_inside(model(server.url))
    await server.all_closed()


async def fail_inside(model: OpenAIChatModel) -> None:
    async with model.request_stream(HISTORY):
        raise ZeroDivisionError


@ENDLESS
async def test_cancel_closes_the_connection(serve: Serve, model: Any, answer: Any) -> None:
    server = await serve(answer)
    async with model(server.url).request_stream(HISTORY) as stream:
        await anext(stream)
        await stream.cancel()
        await server.all_closed()
        assert stream.get().state == 'interrupted'
        told = [event async for event in stream]
    assert stream.get().state == 'interrupted'
    assert stream.get().text
    assert all(type(event).__name__ != 'PartEndEvent' for event in told)


async def test_cancel_from_another_task_ends_the_iteration_and_raises_nothing(serve: Serve, model: Any) -> None:
    server = await serve(stall)
    begun = asyncio.Event()

    async def listen(stream: StreamedResponse) -> int:
        count = 0
        async for _ in stream:
            count += 1
            begun.set()
        return count

    async with model(server.url).request_stream(HISTORY) as stream:
        listening = asyncio.ensure_future(listen(stream))
        await begun.wait()
        await asyncio.sleep(0)
        await stream.cancel()
        assert await asyncio.wait_for(listening, 1) > 0
        await server.all_closed()
        assert stream.get().state == 'interrupted'


async def test_cancelling_the_task_that_listens_closes_the_connection(serve: Serve, model: Any) -> None:
    server = await serve(stall)
    streams: list[StreamedResponse] = []
    begun = asyncio.Event()

    async def listen() -> None:
        async with model(server.url).request_stream(HISTORY) as stream:
            streams.append(stream)
            async for _ in stream:
                begun.set()

    task = asyncio.ensure_future(listen())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.all_closed()
    assert streams[0].get().state == 'interrupted'


async def test_a_stream_that_was_complete_stays_complete_when_it_is_left(serve: Serve, model: Any) -> None:
    server = await serve(streamed)
    async with model(server.url).request_stream(HISTORY) as stream:
        assert [event async for event in stream]
        await stream.cancel()
    assert (stream.get().state, stream.cancelled) == ('complete', False)


async def test_a_thousand_streams_at_once_all_come_to_their_end(serve: Serve) -> None:
    """As many connections as the SDKs' clients open at most."""
    everyone = asyncio.Event()
    waiting = 0

    async def meet(exchange: Exchange) -> None:
        nonlocal waiting
        await exchange.begin()
        await exchange.event(chunk('Hi'))
        waiting += 1
        if waiting == count:
            everyone.set()
        await everyone.wait()
        await exchange.event(chunk(finish='stop'))
        await exchange.end()

    count = 1000
    server = await serve(meet)
    patient = openai.AsyncOpenAI(api_key=KEY, base_url=server.url, timeout=60)  # its own limit for connecting is 5 s
    model = OpenAIChatModel('m', provider=OpenAIProvider(openai_client=patient))

    async def listen() -> str:
        async with model.request_stream(HISTORY) as stream:
            assert [event async for event in stream]
        return stream.get().state

    states = await asyncio.gather(*(listen() for _ in range(count)))
    assert states == ['complete'] * count
    assert server.connections == count
    await model.aclose()


async def test_a_user_who_closes_a_client_of_theirs_closes_its_connections(serve: Serve) -> None:
    server = await serve(whole)
    for client, sdk in (
        (openai.AsyncOpenAI(api_key=KEY, base_url=server.url), openai),
        (anthropic.AsyncAnthropic(api_key=KEY, base_url=server.url), anthropic),
    ):
        await through(client, sdk).send(call())
        await client.close()
    await server.all_closed()
