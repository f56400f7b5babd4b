"""Routers of several processes share what they know in Redis, and lose no request when it, or one of them, dies."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from pydantic_llm.messages import ModelRequest
from pydantic_llm.models.limits.wait_queue import NotYet
from pydantic_llm.models.router.model import RouterModel
from pydantic_llm.models.router.redis_state import RedisState
from pydantic_llm.models.router.state import Limits
from tests.models.scripted import Scripted, overloaded
from tests.transport.server import Exchange, Server

ROOT = Path(__file__).parents[2]
SERVER = shutil.which('redis-server')

pytestmark = pytest.mark.skipif(SERVER is None, reason='there is no redis-server on this machine')

HELLO = [ModelRequest.user_text_prompt('Hello?')]


class Redis:
    """A Redis of the test's own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port: int = probe.getsockname()[1]
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f'redis://127.0.0.1:{self.port}'

    def start(self) -> None:
        assert SERVER is not None
        options = f'--port {self.port} --bind 127.0.0.1 --appendonly no --dir {self.folder}'.split()
        self.process = subprocess.Popen([SERVER, *options, '--save', ''], stdout=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                socket.create_connection(('127.0.0.1', self.port), 0.1).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise TimeoutError('redis-server does not answer')

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.kill()


def state(redis: Redis, prefix: str = '') -> RedisState:
    return RedisState(redis.url, prefix=prefix or uuid4().hex)


# ---------------------------------------------------------------------- what is shared


async def test_a_cooldown_is_shared_and_the_longest_counts(redis: Redis) -> None:
    here, there = state(redis, 'x'), state(redis, 'x')
    await here.cool('a', 30)
    await there.cool('a', 1)
    for each in (here, there):
        assert 25 < (await each.look(['a', 'b']))['a'].cooling <= 30
        assert (await each.look(['a', 'b']))['b'].cooling == 0
        await each.aclose()


async def test_places_and_limits_are_shared(redis: Redis) -> None:
    here, there = state(redis, 'x'), state(redis, 'x')
    limits = Limits(concurrency=2, requests_per_minute=3, tokens_per_minute=100)
    first, second = await here.take('a', limits, 40), await there.take('a', limits, 40)
    assert isinstance(first, str)
    assert isinstance(second, str)
    assert await there.take('a', limits, 1) == NotYet(1.0)
    assert (await there.look(['a']))['a'].under_way == 2
    await here.give_back('a', first, limits, 0)
    waits = await there.take('a', limits, 40)
    assert isinstance(waits, NotYet)
    assert waits.seconds == pytest.approx(12, abs=1)
    await there.give_back('a', second, limits, 30)
    third = await here.take('a', limits, 40)
    assert isinstance(third, str)
    await here.give_back('a', third, limits, 40)
    assert isinstance(await here.take('a', limits, 1), NotYet)
    for each in (here, there):
        await each.aclose()


async def test_latencies_are_shared(redis: Redis) -> None:
    here, there = state(redis, 'x'), state(redis, 'x')
    await here.measured('a', 1.0)
    await there.measured('a', 2.0)
    assert (await here.look(['a']))['a'].latency == pytest.approx(1.3)
    for each in (here, there):
        await each.aclose()


async def test_what_a_dead_process_held_is_free_again_in_time(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('pydantic_llm.models.router.redis_state.LEASE', 0.05)
    here = state(redis)
    assert isinstance(await here.take('a', Limits(concurrency=1), 0), str)
    assert isinstance(await here.take('a', Limits(concurrency=1), 0), NotYet)
    await asyncio.sleep(0.06)
    assert isinstance(await here.take('a', Limits(concurrency=1), 0), str)
    await here.aclose()


def test_a_router_works_over_repeated_loops(redis: Redis) -> None:
    router = RouterModel([Scripted('a', ['One'])], state_url=redis.url)

    async def ask() -> str | None:
        return (await router.request(HELLO)).text

    assert [asyncio.run(ask()) for _ in range(3)] == ['One'] * 3


# ---------------------------------------------------------------------- without it


async def test_without_redis_a_router_goes_on_by_itself(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    bad = Scripted('a', [overloaded()])
    router = RouterModel([bad], fallbacks=[[Scripted('b', ['Two'])]], state_url=redis.url)
    assert (await router.request(HELLO)).text == 'Two'
    redis.kill()
    for _ in range(5):
        assert (await router.request(HELLO)).text == 'Two'
    assert len(bad.asked) == 1
    assert 'Redis cannot be asked' in caplog.text
    redis.start()
    assert (await router.request(HELLO)).text == 'Two'
    await router.aclose()


async def test_a_redis_that_was_never_there_is_no_obstacle() -> None:
    router = RouterModel([Scripted('a', ['One'])], state_url='redis://127.0.0.1:1')
    assert (await router.request(HELLO)).text == 'One'
    await router.aclose()


# ---------------------------------------------------------------------- several processes


class Routers:
    """Processes with a router each."""

    def __init__(self, redis: Redis, server: Server, *, number: int, limit: float) -> None:
        command = [sys.executable, '-m', 'tests.models.router_process', redis.url, server.url, str(number), str(limit)]
        self.processes: list[asyncio.subprocess.Process] = []
        self.command = command

    async def start(self, count: int) -> None:
        for _ in range(count):
            process = await asyncio.create_subprocess_exec(
                *self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
            )
            self.processes.append(process)
        for process in self.processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == b'ready\n'

    async def answers(self) -> list[list[str]]:
        found: list[list[str]] = []
        for process in self.processes:
            out, errors = await process.communicate()
            assert process.returncode in (0, -9), errors.decode()
            found.append(out.decode().split())
        return found


async def test_four_processes_share_a_token_budget_and_a_cooldown(redis: Redis) -> None:
    asked: Counter[str] = Counter()

    async def answer(exchange: Exchange) -> None:
        name = exchange.path.split('/')[1]
        asked[name] += 1
        await exchange.answer({'name': name, 'tokens': 100})

    async with Server(answer).run() as server:
        routers = Routers(redis, server, number=20, limit=1000)
        await routers.start(4)
        found = await routers.answers()
    assert [len(each) for each in found] == [20] * 4
    assert asked['a'] + asked['b'] == 80
    assert 8 <= asked['a'] <= 14  # 1,000 tokens, 100 each, and what a second or two fill up
    assert all('b' in each for each in found)


async def test_one_process_tells_the_others_to_leave_a_deployment_alone(redis: Redis) -> None:
    asked: Counter[str] = Counter()

    async def answer(exchange: Exchange) -> None:
        name = exchange.path.split('/')[1]
        asked[name] += 1
        await (exchange.answer({'name': name, 'tokens': 1}) if name == 'b' else exchange.answer({}, status=503))

    async with Server(answer).run() as server:
        routers = Routers(redis, server, number=20, limit=10**9)
        await routers.start(4)
        found = await routers.answers()
    assert found == [['b'] * 20] * 4
    assert asked['a'] <= 4


@pytest.mark.parametrize('victim', ['a process', 'redis'])
async def test_killing_one_loses_no_request(redis: Redis, victim: str) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.answer({'name': 'b', 'tokens': 1})

    async with Server(answer).run() as server:
        routers = Routers(redis, server, number=60, limit=10**9)
        await routers.start(4)
        await server.until(lambda: len(server.requests) > 30, 20)
        if victim == 'redis':
            redis.kill()
        else:
            routers.processes[0].kill()
        found = await routers.answers()
    whole = found if victim == 'redis' else found[1:]
    assert [len(each) for each in whole] == [60] * len(whole)
