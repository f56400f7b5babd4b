"""Compares our model on each HTTP library with a bare client of httpx2, over sockets on loopback.

The bare client encodes the request and decodes the response with `json`. Ours begins and ends with typed messages.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Any

import httpx2

from benchmarks.chat_server import CHUNKS
from benchmarks.loopback import server
from benchmarks.measure import Way, compare
from benchmarks.vendors import history
from pydantic_llm.messages import ModelMessage
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.transport.clients import LIBRARIES, LIBRARY_VARIABLE

CROWD = 256
"""The number of streams at the same time."""

GAP = 0.02
"""The seconds between two chunks of these streams."""

HEADERS = {'Authorization': 'Bearer not-a-key', 'Content-Type': 'application/json'}


def run() -> Iterator[str]:
    """Compare a request, a stream, and many streams at the same time."""
    messages = history(10)
    with server('benchmarks.chat_server', 0.0) as url:
        yield from compare('a request', _make_request_ways(url, messages), times=100)
        yield from compare('a streamed chunk', _make_stream_ways(url, messages, 1), times=50, per=len(CHUNKS))
    with server('benchmarks.chat_server', 0.1, GAP) as url:
        ways = _make_stream_ways(url, messages, CROWD)
        yield from compare(f'a chunk of {CROWD} streams', ways, times=1, per=CROWD * len(CHUNKS))


def _make_models(url: str) -> dict[str, OpenAIChatModel]:
    """Return a model on each HTTP library."""
    models: dict[str, OpenAIChatModel] = {}
    for library in LIBRARIES:
        os.environ[LIBRARY_VARIABLE] = library
        models[library] = OpenAIChatModel('m', provider=OpenAIProvider(api_key='not-a-key', base_url=url))
    return models


def _make_request_ways(url: str, messages: list[ModelMessage]) -> dict[str, Way]:
    models = _make_models(url)
    body: Any = models['httpx2'].encode(models['httpx2'].prepare(messages))
    client = httpx2.AsyncClient()

    async def bare() -> None:
        response = await client.post(f'{url}/chat/completions', content=json.dumps(body), headers=HEADERS)
        assert json.loads(response.content)['choices']

    def make_way(model: OpenAIChatModel) -> Way:
        async def ours() -> None:
            assert (await model.request(messages)).text

        return ours

    return {'bare httpx2': bare, **{f'ours on {library}': make_way(model) for library, model in models.items()}}


def _make_stream_ways(url: str, messages: list[ModelMessage], crowd: int) -> dict[str, Way]:
    models = _make_models(url)
    body: Any = models['httpx2'].encode(models['httpx2'].prepare(messages, stream=True))
    client = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=1000, max_keepalive_connections=1000), timeout=60)

    async def stream_bare() -> None:
        sent = client.stream('POST', f'{url}/chat/completions', content=json.dumps(body), headers=HEADERS)
        async with sent as response:
            async for line in response.aiter_lines():
                if line.startswith('data: {'):
                    assert json.loads(line[6:])['choices']

    async def stream(model: OpenAIChatModel) -> None:
        async with model.request_stream(messages) as streamed:
            async for _ in streamed:
                pass
            assert streamed.get().state == 'complete'

    async def bare() -> None:
        await asyncio.gather(*(stream_bare() for _ in range(crowd)))

    def make_way(model: OpenAIChatModel) -> Way:
        async def ours() -> None:
            await asyncio.gather(*(stream(model) for _ in range(crowd)))

        return ours

    return {'bare httpx2': bare, **{f'ours on {library}': make_way(model) for library, model in models.items()}}
