"""Compares concurrent requests to Bedrock: boto3 in threads, and an asynchronous client that sends what boto3 signed.

boto3 decodes its responses into dicts; our model goes from typed messages to typed responses.
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

CONCURRENCY = 128
"""The number of requests in progress at the same time."""

ROUNDS = 3
"""The number of measurements per way, after one warm-up."""

SERVER_DELAYS = ((0.2, 0.01), (0.0, 0.0))
"""The delays of each server, in seconds: before a response, and between two events of it."""

TICK = 0.005
"""The interval at which the delay of the event loop is measured, in seconds."""

NAME = 'us.anthropic.claude-sonnet-5-5'
MESSAGES: list[ModelMessage] = [ModelRequest.user_text_prompt('How is the weather?')]
THEIRS: Any = [{'role': 'user', 'content': [{'text': 'How is the weather?'}]}]

Way = Callable[[], Awaitable[object]]


class Cost(NamedTuple):
    """The cost of one round, in seconds."""

    wall: float
    cpu: float
    blocked: float
    """The longest time for which the event loop was blocked."""


def run() -> Iterator[str]:
    """Compare the ways for each server, with and without streaming."""
    for latency, gap in SERVER_DELAYS:
        with server('benchmarks.bedrock_server', latency, gap) as url:
            title = f'{CONCURRENCY} at once, {latency * 1000:.0f} ms latency'
            yield from asyncio.run(_compare(f'{title}, whole', _request_ways(url)))
            yield from asyncio.run(_compare(f'{title}, streams', _stream_ways(url)))


# ---------------------------------------------------------------------- the ways


def _make_boto3(url: str) -> Any:
    config = Config(max_pool_connections=CONCURRENCY, retries={'total_max_attempts': 1})
    keys = {'aws_access_key_id': 'id', 'aws_secret_access_key': 'secret'}
    return boto3.client('bedrock-runtime', region_name='us-east-1', endpoint_url=url, config=config, **keys)


def _make_model(url: str, http_client: Any = None) -> BedrockConverseModel:
    return BedrockConverseModel(
        NAME, provider=BedrockProvider(bedrock_client=_make_boto3(url), http_client=http_client)
    )


def _make_single_pool() -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=1000)
    return httpx2.AsyncClient(limits=limits, timeout=60)


def _request_ways(url: str) -> dict[str, Way]:
    client = _make_boto3(url)

    def theirs() -> None:
        assert client.converse(modelId=NAME, messages=THEIRS)['stopReason'] == 'end_turn'

    async def ours(model: BedrockConverseModel) -> None:
        assert (await model.request(MESSAGES)).finish_reason == 'stop'

    return _make_ways(url, theirs, ours)


def _stream_ways(url: str) -> dict[str, Way]:
    client = _make_boto3(url)

    def theirs() -> None:
        events = [*client.converse_stream(modelId=NAME, messages=THEIRS)['stream']]
        assert 'metadata' in events[-1]

    async def ours(model: BedrockConverseModel) -> None:
        async with model.request_stream(MESSAGES) as stream:
            async for _ in stream:
                pass
            assert stream.get().state == 'complete'

    return _make_ways(url, theirs, ours)


def _make_ways(
    url: str, theirs: Callable[[], None], ours: Callable[[BedrockConverseModel], Awaitable[None]]
) -> dict[str, Way]:
    threads, spread, pooled = ThreadPoolExecutor(CONCURRENCY), _make_model(url), _make_model(url, _make_single_pool())

    async def run_in_threads(pool: Executor | None) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, theirs) for _ in range(CONCURRENCY)))

    async def request_all(model: BedrockConverseModel) -> None:
        await asyncio.gather(*(ours(model) for _ in range(CONCURRENCY)))

    return {
        'boto3 in asyncio.to_thread': lambda: run_in_threads(None),
        f'boto3 in {CONCURRENCY} threads': lambda: run_in_threads(threads),
        'signed by boto3, sent by httpx2 with one pool': lambda: request_all(pooled),
        'BedrockConverseModel': lambda: request_all(spread),
    }


# ---------------------------------------------------------------------- measuring


async def _compare(title: str, ways: Mapping[str, Way]) -> list[str]:
    """Measure the ways in turns, and return a title and a line for each way."""
    measured: dict[str, list[Cost]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            cost = await _measure(way)
            if round_:
                measured[name].append(cost)
    return [f'{title}:', *(f'    {name}: {_format_costs(costs)}' for name, costs in measured.items())]


async def _measure(way: Way) -> Cost:
    delays: list[float] = [0.0]
    measuring = asyncio.ensure_future(_measure_delays(delays))
    wall, cpu = perf_counter(), process_time()
    await way()
    cost = Cost(perf_counter() - wall, process_time() - cpu, max(delays))
    measuring.cancel()
    return cost


async def _measure_delays(delays: list[float]) -> None:
    while True:
        started = perf_counter()
        await asyncio.sleep(TICK)
        delays.append(perf_counter() - started - TICK)


def _format_costs(costs: list[Cost]) -> str:
    wall, cpu, blocked = (median(column) for column in zip(*costs, strict=True))
    each = cpu / CONCURRENCY * 1e6
    return f'{wall * 1000:,.0f} ms, {each:,.0f} µs of CPU each, the event loop was blocked for {blocked * 1000:,.0f} ms'
