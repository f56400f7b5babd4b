"""Many requests to Bedrock at once: boto3 in threads, and an asynchronous client that sends what boto3 has signed.

boto3's own side reads its answers into dicts; ours goes all the way from typed messages to typed answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple

import boto3
import httpx2
from botocore.config import Config

from benchmarks.loopback import server
from pydantic_llm.messages import ModelMessage, ModelRequest
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.providers.bedrock import BedrockProvider

AT_ONCE = 128
"""How many requests are under way at the same time."""

ROUNDS = 3
"""How often each way is measured, after one time that warms up."""

PLACES = ((0.2, 0.01), (0.0, 0.0))
"""How long the server takes to begin an answer, and between two events of it, in seconds."""

TICK = 0.005
"""How often the loop is asked whether it still goes on, in seconds."""

NAME = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'
MESSAGES: list[ModelMessage] = [ModelRequest.user_text_prompt('How is the weather?')]
THEIRS: Any = [{'role': 'user', 'content': [{'text': 'How is the weather?'}]}]

Way = Callable[[], Awaitable[object]]


class Cost(NamedTuple):
    """What one round took, in seconds."""

    wall: float
    cpu: float
    stood_still: float
    """The longest time that the event loop did nothing else."""


def run() -> Iterator[str]:
    """Compare at each place, whole and streamed."""
    for latency, gap in PLACES:
        with server('benchmarks.bedrock_server', latency, gap) as url:
            title = f'{AT_ONCE} at once, {latency * 1000:.0f} ms latency'
            yield from asyncio.run(_compare(f'{title}, whole', _whole(url)))
            yield from asyncio.run(_compare(f'{title}, streams', _streams(url)))


# ---------------------------------------------------------------------- the ways


def _boto3(url: str) -> Any:
    config = Config(max_pool_connections=AT_ONCE, retries={'total_max_attempts': 1})
    keys = {'aws_access_key_id': 'id', 'aws_secret_access_key': 'secret'}
    return boto3.client('bedrock-runtime', region_name='us-east-1', endpoint_url=url, config=config, **keys)


def _ours(url: str, http_client: Any = None) -> BedrockConverseModel:
    return BedrockConverseModel(NAME, provider=BedrockProvider(bedrock_client=_boto3(url), http_client=http_client))


def _one_pool() -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=1000)
    return httpx2.AsyncClient(limits=limits, timeout=60)


def _whole(url: str) -> dict[str, Way]:
    client = _boto3(url)

    def theirs() -> None:
        assert client.converse(modelId=NAME, messages=THEIRS)['stopReason'] == 'end_turn'

    async def ours(model: BedrockConverseModel) -> None:
        assert (await model.request(MESSAGES)).finish_reason == 'stop'

    return _ways(url, theirs, ours)


def _streams(url: str) -> dict[str, Way]:
    client = _boto3(url)

    def theirs() -> None:
        events = [*client.converse_stream(modelId=NAME, messages=THEIRS)['stream']]
        assert 'metadata' in events[-1]

    async def ours(model: BedrockConverseModel) -> None:
        async with model.request_stream(MESSAGES) as stream:
            async for _ in stream:
                pass
            assert stream.get().state == 'complete'

    return _ways(url, theirs, ours)


def _ways(
    url: str, theirs: Callable[[], None], ours: Callable[[BedrockConverseModel], Awaitable[None]]
) -> dict[str, Way]:
    many, spread, pooled = ThreadPoolExecutor(AT_ONCE), _ours(url), _ours(url, _one_pool())

    async def in_threads(pool: Executor | None) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, theirs) for _ in range(AT_ONCE)))

    async def through(model: BedrockConverseModel) -> None:
        await asyncio.gather(*(ours(model) for _ in range(AT_ONCE)))

    return {
        'boto3 in asyncio.to_thread': lambda: in_threads(None),
        f'boto3 in {AT_ONCE} threads': lambda: in_threads(many),
        'signed by boto3, sent by httpx2 with one pool': lambda: through(pooled),
        'BedrockConverseModel': lambda: through(spread),
    }


# ---------------------------------------------------------------------- measuring


async def _compare(title: str, ways: Mapping[str, Way]) -> list[str]:
    """A line for each way."""
    measured: dict[str, list[Cost]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            cost = await _cost(way)
            if round_:
                measured[name].append(cost)
    return [f'{title}:', *(f'    {name}: {_said(costs)}' for name, costs in measured.items())]


async def _cost(way: Way) -> Cost:
    late: list[float] = [0.0]
    watching = asyncio.ensure_future(_watch(late))
    wall, cpu = perf_counter(), process_time()
    await way()
    cost = Cost(perf_counter() - wall, process_time() - cpu, max(late))
    watching.cancel()
    return cost


async def _watch(late: list[float]) -> None:
    while True:
        begun = perf_counter()
        await asyncio.sleep(TICK)
        late.append(perf_counter() - begun - TICK)


def _said(costs: list[Cost]) -> str:
    wall, cpu, stood_still = (median(column) for column in zip(*costs, strict=True))
    each = cpu / AT_ONCE * 1e6
    return f'{wall * 1000:,.0f} ms, {each:,.0f} µs of CPU each, the loop stood still for {stood_still * 1000:,.0f} ms'
