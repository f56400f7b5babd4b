"""A thousand streams at once, a tenth of which fail in one way or another: all are told of, and nothing is left."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
from collections import Counter
from pathlib import Path

import openai
import pytest

from pydantic_llm.exceptions import LLMError
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.providers.openai import OpenAIProvider
from tests.transport.server import Exchange, chunk, serve_in_thread, streamed

HELLO = [ModelRequest.user_text_prompt('Hello?')]
STREAMS = 1000
ROUNDS = 3
STATUS, FILES = Path('/proc/self/status'), Path('/proc/self/fd')


async def reset(exchange: Exchange) -> None:
    exchange.reset()


async def reset_later(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.event(chunk('Hel'))
    exchange.reset()


async def busy(exchange: Exchange) -> None:
    await exchange.answer({'error': {'message': 'busy'}}, status=503)


async def garbage(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(b'data: {"no JSON\n\n')
    await exchange.end()


async def cut(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.event(chunk('Hel'))
    await exchange.end()


async def silent(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.gone()


FAULTS = (reset, reset_later, busy, garbage, cut, silent)


def one_in_ten(chance: random.Random) -> object:
    numbers = itertools.count()

    async def answer(exchange: Exchange) -> None:
        number = next(numbers)
        fault = chance.choice(FAULTS) if number % 10 == 0 else streamed
        await fault(exchange)

    return answer


async def listen(model: OpenAIChatModel) -> str:
    try:
        async with model.request_stream(HELLO, {'first_token_timeout': 5, 'idle_timeout': 5}) as stream:
            async for _ in stream:
                pass
            return stream.get().state
    except LLMError as error:
        return type(error).__name__


def open_files() -> int:
    return len([*FILES.iterdir()])


def memory() -> int:
    """What the process holds, in kB."""
    gc.collect()
    [line] = [line for line in STATUS.read_text().splitlines() if line.startswith('VmRSS')]
    return int(line.split()[1])


@pytest.mark.skipif(not STATUS.exists(), reason='this system does not tell what a process holds')
async def test_a_thousand_streams_with_faults_leave_nothing_behind() -> None:
    with serve_in_thread(one_in_ten(random.Random(1))) as server:  # type: ignore[arg-type]
        patient = openai.AsyncOpenAI(api_key='k', base_url=server.url, timeout=60)
        model = OpenAIChatModel('m', provider=OpenAIProvider(openai_client=patient))
        files, held = [], []
        for _ in range(ROUNDS):
            ends = Counter(await asyncio.gather(*(listen(model) for _ in range(STREAMS))))
            await model.aclose()
            assert ends.total() == STREAMS
            assert ends['complete'] >= STREAMS * 0.88
            assert len(ends) > 3
            assert asyncio.all_tasks() == {asyncio.current_task()}
            files.append(open_files())
            held.append(memory())
        await asyncio.to_thread(lambda: None)
    assert max(files[1:]) <= files[0] + 2
    assert held[-1] <= held[1] * 1.1, held
