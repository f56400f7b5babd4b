"""Compares concurrent requests over real sockets: the vendors' own clients, and our models on top of them.

This measures the connection pools, which are searched whenever a request starts or ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from statistics import median
from time import process_time
from typing import Any

import groq
import openai

from benchmarks.loopback import server
from pydantic_llm.messages import ModelMessage, ModelRequest
from pydantic_llm.models import Model
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.providers.groq import GroqProvider
from pydantic_llm.providers.openai import OpenAIProvider

CROWDS = (16, 128, 512)
"""The numbers of requests in progress at the same time."""

ROUNDS = 3
"""The number of measurements per way, after one warm-up."""

LATENCY = 0.2
"""The delay of the server before a response, in seconds."""

MESSAGES: list[ModelMessage] = [ModelRequest.user_text_prompt('How is the weather?')]
THEIRS: Any = [{'role': 'user', 'content': 'How is the weather?'}]

Way = Callable[[], Awaitable[None]]


def run() -> Iterator[str]:
    """Compare crowds of each size, with and without streaming."""
    with server('benchmarks.chat_server', LATENCY) as url:
        clients: dict[str, tuple[Any, Model]] = {
            'openai': (
                openai.AsyncOpenAI(api_key='k', base_url=url, max_retries=0),
                OpenAIChatModel('m', provider=OpenAIProvider(api_key='k', base_url=url)),
            ),
            'groq': (
                groq.AsyncGroq(api_key='k', base_url=url, max_retries=0),
                GroqModel('m', provider=GroqProvider(api_key='k', base_url=url)),
            ),
        }
        yield from asyncio.run(_compare(clients))


async def _compare(clients: Mapping[str, tuple[Any, Model]]) -> list[str]:
    """Return a line for each crowd, with and without streaming."""
    lines: list[str] = []
    for name, (client, model) in clients.items():
        for ours, theirs, kind in ((_request, _request_of_client, 'whole'), (_stream, _stream_of_client, 'streamed')):
            for crowd in CROWDS:
                title = f'{name}, {crowd} at once, {kind}'
                lines.append(await _compare_pair(title, crowd, lambda: theirs(client), lambda: ours(model)))  # noqa: B023
    return lines


async def _compare_pair(title: str, crowd: int, theirs: Way, ours: Way) -> str:
    measured: list[tuple[float, float]] = []
    for round_ in range(ROUNDS + 1):
        pair = (await _measure_cpu(theirs, crowd), await _measure_cpu(ours, crowd))
        if round_:
            measured.append(pair)
    client_time, our_time = (median(column) / crowd * 1e6 for column in zip(*measured, strict=True))
    ratios = [our / client for client, our in measured]
    ratio = f'{median(ratios):.2f} of it ({min(ratios):.2f} to {max(ratios):.2f})'
    return f"{title}: the vendor's client {client_time:,.0f} µs of CPU each, ours {ratio}, {our_time:,.0f} µs"


async def _measure_cpu(way: Way, crowd: int) -> float:
    started = process_time()
    await asyncio.gather(*(way() for _ in range(crowd)))
    return process_time() - started


# ---------------------------------------------------------------------- the ways


async def _request(model: Model) -> None:
    assert (await model.request(MESSAGES)).finish_reason == 'stop'


async def _stream(model: Model) -> None:
    async with model.request_stream(MESSAGES) as stream:
        async for _ in stream:
            pass
        assert stream.get().state == 'complete'


async def _request_of_client(client: Any) -> None:
    completion = await client.chat.completions.create(model='m', messages=THEIRS)
    assert completion.choices[0].finish_reason == 'stop'


async def _stream_of_client(client: Any) -> None:
    last = None
    async for chunk in await client.chat.completions.create(model='m', messages=THEIRS, stream=True):
        last = chunk
    assert last is not None
