"""A request that is cancelled at any moment leaves no task, socket or busy connection, in every room and wrapper."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from pydantic_llm.direct import model_request_stream_sync
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models import Model
from pydantic_llm.models.cached import CachedModel
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.models.concurrency import ConcurrencyLimitedModel
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.models.rate_limit import RateLimitedModel
from pydantic_llm.models.router import Deployment, RouterModel
from pydantic_llm.providers.cohere import CohereProvider
from pydantic_llm.providers.groq import GroqProvider
from pydantic_llm.transport.pools import iterate_pools
from tests.faults.vendors import KEY, VENDORS, Vendor
from tests.transport.server import Exchange, Server, is_closed_soon, serve_in_thread

HELLO = [ModelRequest.user_text_prompt('Hello?')]
SETTINGS: Any = {'retries': 0, 'max_tokens': 100, 'timeout': 10}
OPENAI, COHERE = VENDORS[0], next(vendor for vendor in VENDORS if vendor.name == 'cohere')

TURNS = (*range(30), *range(30, 90, 4), *range(90, 150, 10))
"""The turns of the event loop after which a request is cancelled."""

CASES: dict[str, tuple[Vendor, Callable[[str], Model]]] = {
    **{vendor.name: (vendor, vendor.make) for vendor in VENDORS if vendor.name != 'litellm'},
    'cohere over httpx': (
        COHERE,
        lambda url: CohereModel(
            'command-a-03-2025',
            provider=CohereProvider(api_key=KEY, base_url=url, http_client=httpx.AsyncClient()),
        ),
    ),
    'groq over httpx': (
        OPENAI,
        lambda url: GroqModel(
            'llama-3.3-70b-versatile',
            provider=GroqProvider(api_key=KEY, base_url=url, http_client=httpx.AsyncClient()),
        ),
    ),
    'fallback': (OPENAI, lambda url: FallbackModel(OPENAI.make(url), OPENAI.make(url), attempt_timeout=5)),
    'router': (OPENAI, lambda url: RouterModel([Deployment(OPENAI.make(url), name='a', concurrency=1)], max_wait=0)),
    'rate limit': (OPENAI, lambda url: RateLimitedModel(OPENAI.make(url), requests_per_minute=100_000)),
    'cache': (OPENAI, lambda url: CachedModel(OPENAI.make(url), ttl=1e-9)),
    'concurrency': (OPENAI, lambda url: ConcurrencyLimitedModel(OPENAI.make(url), limit=1)),
}
"""The vendor whose responses are sent, and a function that makes the model. LiteLLM keeps threads of its own."""


async def ask(model: Model, *, stream: bool) -> None:
    if not stream:
        await model.request(HELLO, SETTINGS)
        return
    async with model.request_stream(HELLO, SETTINGS) as streamed:
        async for _ in streamed:
            pass


async def cancel_after(turns: int, model: Model, *, stream: bool) -> None:
    """Cancel a request after some turns of the event loop."""
    task = asyncio.create_task(ask(model, stream=stream))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def find_busy(model: Model) -> Iterator[object]:
    """Yield the requests and the busy connections in the pools of the model's HTTP client."""
    connection = getattr(getattr(model, 'provider', None), 'connection', None)
    client = connection._clients.get() if hasattr(connection, '_clients') else None
    http_client = getattr(client, '_client', client)
    for pool in iterate_pools(http_client) if hasattr(http_client, '_mounts') else ():
        yield from pool._requests
        yield from (each for each in pool._connections if not (each.is_idle() or each.is_closed()))


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])
@pytest.mark.parametrize('case', CASES)
async def test_a_request_that_is_cancelled_at_any_moment_leaves_nothing_behind(case: str, stream: bool) -> None:
    vendor, make = CASES[case]

    async def answer(exchange: Exchange) -> None:
        if stream:
            await exchange.begin(vendor.api.stream_type)
            for frame in vendor.frames():
                await exchange.chunk(frame)
            await exchange.end()
        else:
            await exchange.respond(vendor.body())

    async with Server(answer).run() as server:
        model = make(server.url)
        await ask(model, stream=stream)
        threads = threading.active_count()
        for turns in TURNS:
            await cancel_after(turns, model, stream=stream)
        assert [*find_busy(model)] == []
        assert threading.active_count() <= threads
        await ask(model, stream=stream)  # no slot is lost
        await model.aclose()
        await server.wait_until_closed(2)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert [task for task in others if 'Server' not in repr(task.get_coro())] == []


def test_an_iterator_that_outlives_its_synchronous_stream_ends_and_closes_the_connection() -> None:
    async def drip(exchange: Exchange) -> None:
        await exchange.begin(OPENAI.api.stream_type)
        for frame in OPENAI.frames()[:3]:
            await exchange.chunk(frame)
        await exchange.wait_until_gone()

    with serve_in_thread(drip) as server:
        model = OPENAI.make(server.url)
        stream = model_request_stream_sync(model, 'Hello?')
        entered = stream.__enter__()
        iterator = iter(entered)
        next(iterator)
        del stream, entered
        next(iterator)
        del iterator
        gc.collect()
        assert is_closed_soon(server)
