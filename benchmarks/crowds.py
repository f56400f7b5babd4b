"""Many requests at once over real sockets: the vendors' own clients, and ours on top of them.

The pools of connections are what this is about: each is looked at whenever a request begins or ends.
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
"""How many requests are under way at the same time."""

ROUNDS = 3
"""How often each way is measured, after one time that warms up."""

LATENCY = 0.2
"""How long the server takes to begin an answer, in seconds."""

MESSAGES: list[ModelMessage] = [ModelRequest.user_text_prompt('How is the weather?')]
THEIRS: Any = [{'role': 'user', 'content': 'How is the weather?'}]

Way = Callable[[], Awaitable[None]]


def run() -> Iterator[str]:
    """Compare crowds of each size, whole and streamed."""
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
    """A line for each crowd, whole and streamed."""
    lines: list[str] = []
    for name, (client, model) in clients.items():
        for ours, theirs, how in ((_whole, _whole_of, 'whole'), (_streamed, _streamed_of, 'streamed')):
            for crowd in CROWDS:
                title = f'{name}, {crowd} at once, {how}'
                lines.append(await _side_by_side(title, crowd, lambda: theirs(client), lambda: ours(model)))  # noqa: B023
    return lines


async def _side_by_side(title: str, crowd: int, theirs: Way, ours: Way) -> str:
    measured: list[tuple[float, float]] = []
    for round_ in range(ROUNDS + 1):
        pair = (await _cpu(theirs, crowd), await _cpu(ours, crowd))
        if round_:
            measured.append(pair)
    of_client, of_ours = (median(column) / crowd * 1e6 for column in zip(*measured, strict=True))
    ratios = [mine / other for other, mine in measured]
    said = f'{median(ratios):.2f} of it ({min(ratios):.2f} to {max(ratios):.2f})'
    return f"{title}: the vendor's client {of_client:,.0f} µs of CPU each, ours {said}, {of_ours:,.0f} µs"


async def _cpu(way: Way, crowd: int) -> float:
    begun = process_time()
    await asyncio.gather(*(way() for _ in range(crowd)))
    return process_time() - begun


# ---------------------------------------------------------------------- the ways


async def _whole(model: Model) -> None:
    assert (await model.request(MESSAGES)).finish_reason == 'stop'


async def _streamed(model: Model) -> None:
    async with model.request_stream(MESSAGES) as stream:
        async for _ in stream:
            pass
        assert stream.get().state == 'complete'


async def _whole_of(client: Any) -> None:
    answer = await client.chat.completions.create(model='m', messages=THEIRS)
    assert answer.choices[0].finish_reason == 'stop'


async def _streamed_of(client: Any) -> None:
    last = None
    async for chunk in await client.chat.completions.create(model='m', messages=THEIRS, stream=True):
        last = chunk
    assert last is not None
