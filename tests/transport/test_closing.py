"""Leaving a response early closes its connection within a second, observed by the server."""

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
from tests.transport.clients import HISTORY, KEY, Make, raw_request, through
from tests.transport.conftest import Serve
from tests.transport.server import Exchange, chunk, send_completion, send_stream


async def stall(exchange: Exchange) -> None:
    """Send one event, then nothing."""
    await exchange.begin()
    await exchange.event(chunk('Hi'))
    await exchange.wait_until_gone()


async def flood(exchange: Exchange) -> None:
    """Send events without end, as fast as they are read."""
    await exchange.begin()
    while True:
        await exchange.event(chunk('x' * 1000))


async def hang(exchange: Exchange) -> None:
    await exchange.wait_until_gone()


ENDLESS = pytest.mark.parametrize('answer', [stall, flood])


@pytest.fixture(params=['httpx2', 'aiohttp'])
def model(request: pytest.FixtureRequest) -> Any:
    """Return a function that makes a model over each HTTP library."""

    def make(url: str) -> OpenAIChatModel:
        http_client = openai.DefaultAioHttpClient() if request.param == 'aiohttp' else None
        client = openai.AsyncOpenAI(api_key=KEY, base_url=url, http_client=http_client)
        return OpenAIChatModel('m', provider=OpenAIProvider(openai_client=client))

    return make


# ---------------------------------------------------------------------- connections


@ENDLESS
async def test_closing_a_stream_closes_its_connection(serve: Serve, connect: Make, answer: Any) -> None:
    server = await serve(answer)
    stream = await connect(server.url).open(raw_request())
    assert await stream.read()
    began = time.monotonic()
    await stream.aclose()
    assert time.monotonic() - began < 0.5
    await server.wait_until_closed()


async def test_closing_an_unread_stream_closes_its_connection(serve: Serve, connect: Make) -> None:
    server = await serve(stall)
    stream = await connect(server.url).open(raw_request())
    await stream.aclose()
    await server.wait_until_closed()


async def test_closing_a_stream_ends_a_read_in_another_task(serve: Serve, connect: Make) -> None:
    server = await serve(stall)
    stream = await connect(server.url).open(raw_request())
    await stream.read()
    reading = asyncio.ensure_future(stream.read())
    await asyncio.sleep(0)
    await stream.aclose()
    with pytest.raises(ModelAPIError):
        await asyncio.wait_for(reading, 1)
    await server.wait_until_closed()


@pytest.mark.parametrize('answer', [hang, stall])
async def test_cancelling_a_request_closes_its_connection(serve: Serve, connect: Make, answer: Any) -> None:
    server = await serve(answer)
    task = asyncio.ensure_future(connect(server.url).send(raw_request()))
    await server.until(lambda: len(server.requests) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.wait_until_closed()


async def test_cancelling_a_read_closes_the_connection(serve: Serve, connect: Make) -> None:
    server = await serve(stall)
    stream = await connect(server.url).open(raw_request())
    await stream.read()
    task = asyncio.ensure_future(stream.read())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await stream.aclose()
    await server.wait_until_closed()


async def test_a_closed_provider_has_no_idle_connections_and_can_be_used_again(serve: Serve, connect: Make) -> None:
    server = await serve(send_completion)
    connection = connect(server.url)
    await connection.send(raw_request())
    await connection.aclose()
    await server.wait_until_closed()
    await connection.send(raw_request())
    assert server.connections == 2
    await connection.aclose()
    await server.wait_until_closed()


async def test_closing_the_provider_ends_its_streams(serve: Serve, connect: Make) -> None:
    server = await serve(stall)
    connection = connect(server.url)
    stream = await connection.open(raw_request())
    await stream.read()
    await connection.aclose()
    await server.wait_until_closed()
    with pytest.raises(ModelAPIError):
        await stream.read()
    await stream.aclose()


async def test_a_provider_can_be_closed_twice_at_once(serve: Serve, connect: Make) -> None:
    server = await serve(send_completion)
    connection = connect(server.url)
    await connection.send(raw_request())
    await asyncio.gather(connection.aclose(), connection.aclose())
    await connection.aclose()
    await server.wait_until_closed()


async def test_an_unused_provider_can_be_closed(connect: Make) -> None:
    await connect('http://127.0.0.1:1').aclose()


async def test_a_garbage_collected_connection_is_closed(serve: Serve, connect: Make) -> None:
    server = await serve(send_completion)
    await connect(server.url).send(raw_request())
    gc.collect()
    await server.wait_until_closed()


async def test_requests_during_closing_open_new_connections(serve: Serve, connect: Make) -> None:
    server = await serve(send_completion)
    connection = connect(server.url)
    await connection.send(raw_request())
    await asyncio.gather(connection.aclose(), *(connection.send(raw_request()) for _ in range(5)))
    await connection.aclose()
    await server.wait_until_closed()


# ---------------------------------------------------------------------- models


@ENDLESS
async def test_leaving_the_stream_block_closes_its_connection(serve: Serve, model: Any, answer: Any) -> None:
    server = await serve(answer)
    async with model(server.url).request_stream(HISTORY) as stream:
        async for _ in stream:
            break
    await server.wait_until_closed()
    response = stream.get()
    assert (response.state, stream.cancelled) == ('interrupted', True)
    assert response.text


async def test_leaving_the_stream_block_with_an_error_closes_its_connection(serve: Serve, model: Any) -> None:
    server = await serve(stall)
    with pytest.raises(ZeroDivisionError):
        await fail_inside(model(server.url))
    await server.wait_until_closed()


async def fail_inside(model: OpenAIChatModel) -> None:
    async with model.request_stream(HISTORY):
        raise ZeroDivisionError


@ENDLESS
async def test_cancel_closes_the_connection(serve: Serve, model: Any, answer: Any) -> None:
    server = await serve(answer)
    async with model(server.url).request_stream(HISTORY) as stream:
        await anext(stream)
        await stream.cancel()
        await server.wait_until_closed()
        assert stream.get().state == 'interrupted'
        events = [event async for event in stream]
    assert stream.get().state == 'interrupted'
    assert stream.get().text
    assert all(type(event).__name__ != 'PartEndEvent' for event in events)


async def test_cancel_from_another_task_ends_the_iteration_and_raises_nothing(serve: Serve, model: Any) -> None:
    server = await serve(stall)
    begun = asyncio.Event()

    async def read_stream(stream: StreamedResponse) -> int:
        count = 0
        async for _ in stream:
            count += 1
            begun.set()
        return count

    async with model(server.url).request_stream(HISTORY) as stream:
        reading = asyncio.ensure_future(read_stream(stream))
        await begun.wait()
        await asyncio.sleep(0)
        await stream.cancel()
        assert await asyncio.wait_for(reading, 1) > 0
        await server.wait_until_closed()
        assert stream.get().state == 'interrupted'


async def test_cancelling_the_reading_task_closes_the_connection(serve: Serve, model: Any) -> None:
    server = await serve(stall)
    streams: list[StreamedResponse] = []
    begun = asyncio.Event()

    async def read_stream() -> None:
        async with model(server.url).request_stream(HISTORY) as stream:
            streams.append(stream)
            async for _ in stream:
                begun.set()

    task = asyncio.ensure_future(read_stream())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.wait_until_closed()
    assert streams[0].get().state == 'interrupted'


async def test_a_complete_stream_stays_complete_after_cancel(serve: Serve, model: Any) -> None:
    server = await serve(send_stream)
    async with model(server.url).request_stream(HISTORY) as stream:
        assert [event async for event in stream]
        await stream.cancel()
    assert (stream.get().state, stream.cancelled) == ('complete', False)


async def test_a_thousand_concurrent_streams_all_complete(serve: Serve) -> None:
    """A thousand is the maximum of connections in the SDKs' clients."""
    everyone = asyncio.Event()
    waiting = 0

    async def wait_for_all_streams(exchange: Exchange) -> None:
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
    server = await serve(wait_for_all_streams)
    client = openai.AsyncOpenAI(api_key=KEY, base_url=server.url, timeout=60)  # its own limit for connecting is 5 s
    model = OpenAIChatModel('m', provider=OpenAIProvider(openai_client=client))

    async def read_stream() -> str:
        async with model.request_stream(HISTORY) as stream:
            assert [event async for event in stream]
        return stream.get().state

    states = await asyncio.gather(*(read_stream() for _ in range(count)))
    assert states == ['complete'] * count
    assert server.connections == count
    await model.aclose()


async def test_closing_the_users_own_client_closes_its_connections(serve: Serve) -> None:
    server = await serve(send_completion)
    for client, sdk in (
        (openai.AsyncOpenAI(api_key=KEY, base_url=server.url), openai),
        (anthropic.AsyncAnthropic(api_key=KEY, base_url=server.url), anthropic),
    ):
        await through(client, sdk).send(raw_request())
        await client.close()
    await server.wait_until_closed()
