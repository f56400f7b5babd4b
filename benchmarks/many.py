"""`map_requests` and a loop over `model.request` with a semaphore: requests per second, in turns.

`python -m benchmarks.many` sends 2,000 requests in each turn to a server on loopback, in another process.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from benchmarks.loopback import server
from pydantic_llm.many import map_requests
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models import Model
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.providers.openai import OpenAIProvider

REQUESTS = 2_000
CONCURRENCY = 32
ROUNDS = 5


async def loop(model: Model) -> None:
    """Send all requests as tasks, which a semaphore limits."""
    room = asyncio.Semaphore(CONCURRENCY)

    async def send(number: int) -> str | None:
        async with room:
            return (await model.request([ModelRequest.user_text_prompt(f'row {number}')])).text

    texts = await asyncio.gather(*(send(number) for number in range(REQUESTS)))
    assert len(texts) == REQUESTS


async def mapped(model: Model, checkpoint: Path | None = None) -> None:
    """Send all requests by `map_requests`."""
    rows = ({'number': number} for number in range(REQUESTS))
    results = map_requests(model, rows, prompt='row {number}', concurrency=CONCURRENCY, checkpoint=checkpoint)
    assert len([result.get_output() async for result in results]) == REQUESTS


async def saved(model: Model) -> None:
    """Send all requests by `map_requests` with a checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        await mapped(model, Path(folder) / 'rows.jsonl')


WAYS: dict[str, Callable[[Model], Awaitable[None]]] = {'loop': loop, 'map_requests': mapped, 'with checkpoint': saved}


async def measure(url: str) -> None:
    """Run the ways in turns, and print the medians and the ratios to the first way."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    cpu: dict[str, list[float]] = {name: [] for name in WAYS}
    async with OpenAIChatModel('m', provider=OpenAIProvider(api_key='k', base_url=f'{url}/v1')) as model:
        for round_ in range(ROUNDS + 1):
            for name, way in WAYS.items():
                started, used = perf_counter(), process_time()
                await way(model)
                if round_:  # the first round warms up
                    seconds[name].append(perf_counter() - started)
                    cpu[name].append(process_time() - used)
    for name in WAYS:
        speed = [theirs / ours for ours, theirs in zip(seconds[name], seconds['loop'], strict=True)]
        work = [ours / theirs for ours, theirs in zip(cpu[name], cpu['loop'], strict=True)]
        rate = REQUESTS / median(seconds[name])
        print(f'{name}: {rate:,.0f} requests/s, {median(speed):.2f} of the speed, {median(work):.2f} of the CPU time')


def main() -> None:
    latency = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    with server('benchmarks.chat_server', latency) as url:
        asyncio.run(measure(url))


if __name__ == '__main__':
    main()
