"""Routers of several processes share their state in Redis, and lose no request if Redis or a process dies."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest

from pydantic_llm.exceptions import LLMError
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.limits.wait_queue import NotYet
from pydantic_llm.models.router.model import RouterModel
from pydantic_llm.models.router.redis_state import RedisState
from pydantic_llm.models.router.state import Limits
from tests.models.redis_server import Redis, needs_redis, redis as redis  # a fixture
from tests.models.scripted import Scripted, overloaded
from tests.transport.server import Exchange, Server

ROOT = Path(__file__).parents[2]

pytestmark = needs_redis

HELLO = [ModelRequest.user_text_prompt('Hello?')]


def new_state(redis: Redis, prefix: str = '') -> RedisState:
    return RedisState(redis.url, prefix=prefix or uuid4().hex)


# ---------------------------------------------------------------------- shared state


async def test_cooldowns_are_shared_and_the_longest_counts(redis: Redis) -> None:
    here, there = new_state(redis, 'x'), new_state(redis, 'x')
    await here.cool_down('a', 30)
    await there.cool_down('a', 1)
    for each in (here, there):
        assert 25 < (await each.status(['a', 'b']))['a'].cooldown <= 30
        assert (await each.status(['a', 'b']))['b'].cooldown == 0
        await each.aclose()


async def test_slots_and_limits_are_shared(redis: Redis) -> None:
    here, there = new_state(redis, 'x'), new_state(redis, 'x')
    limits = Limits(concurrency=2, requests_per_minute=3, tokens_per_minute=100)
    one, two = await here.reserve('a', limits, 40), await there.reserve('a', limits, 40)
    assert isinstance(one, str)
    assert isinstance(two, str)
    assert await there.reserve('a', limits, 1) == NotYet(1.0)
    assert (await there.status(['a']))['a'].under_way == 2
    await here.release('a', one, limits, 0)
    waits = await there.reserve('a', limits, 40)
    assert isinstance(waits, NotYet)
    assert waits.seconds == pytest.approx(12, abs=1)
    await there.release('a', two, limits, 30)
    three = await here.reserve('a', limits, 40)
    assert isinstance(three, str)
    await here.release('a', three, limits, 40)
    assert isinstance(await here.reserve('a', limits, 1), NotYet)
    for each in (here, there):
        await each.aclose()


async def test_latencies_are_shared(redis: Redis) -> None:
    here, there = new_state(redis, 'x'), new_state(redis, 'x')
    await here.record_latency('a', 1.0)
    await there.record_latency('a', 2.0)
    assert (await here.status(['a']))['a'].latency == pytest.approx(1.3)
    for each in (here, there):
        await each.aclose()


async def test_the_slots_of_a_dead_process_become_free(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('pydantic_llm.models.router.redis_state.LEASE_SECONDS', 0.05)
    here = new_state(redis)
    assert isinstance(await here.reserve('a', Limits(concurrency=1), 0), str)
    assert isinstance(await here.reserve('a', Limits(concurrency=1), 0), NotYet)
    await asyncio.sleep(0.06)
    assert isinstance(await here.reserve('a', Limits(concurrency=1), 0), str)
    await here.aclose()


def test_a_router_works_over_repeated_loops(redis: Redis) -> None:
    router = RouterModel([Scripted('a', ['One'])], state_url=redis.url)

    async def ask() -> str | None:
        return (await router.request(HELLO)).text

    assert [asyncio.run(ask()) for _ in range(3)] == ['One'] * 3


# ---------------------------------------------------------------------- without Redis


async def test_without_redis_a_router_uses_its_own_state(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    bad = Scripted('a', [overloaded()])
    router = RouterModel([bad], fallbacks=[[Scripted('b', ['Two'])]], state_url=redis.url)
    assert (await router.request(HELLO)).text == 'Two'
    redis.kill()
    for _ in range(5):
        assert (await router.request(HELLO)).text == 'Two'
    assert len(bad.requests) == 1
    assert 'Redis failed, so this process uses its own state' in caplog.text
    redis.start()
    assert (await router.request(HELLO)).text == 'Two'
    await router.aclose()


async def test_a_router_works_with_an_unreachable_redis() -> None:
    router = RouterModel([Scripted('a', ['One'])], state_url='redis://127.0.0.1:1')
    assert (await router.request(HELLO)).text == 'One'
    await router.aclose()


# ---------------------------------------------------------------------- several processes


class Routers:
    """Several processes, each with a router."""

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

    async def responses(self) -> list[list[str]]:
        found: list[list[str]] = []
        for process in self.processes:
            out, errors = await process.communicate()
            assert process.returncode in (0, -9), errors.decode()
            found.append(out.decode().split())
        return found


async def test_four_processes_share_a_token_budget_and_a_cooldown(redis: Redis) -> None:
    requests: Counter[str] = Counter()

    async def handle(exchange: Exchange) -> None:
        name = exchange.path.split('/')[1]
        requests[name] += 1
        await exchange.respond({'name': name, 'tokens': 100})

    async with Server(handle).run() as server:
        routers = Routers(redis, server, number=20, limit=1000)
        await routers.start(4)
        found = await routers.responses()
    assert [len(each) for each in found] == [20] * 4
    assert requests['a'] + requests['b'] == 80
    assert 8 <= requests['a'] <= 14  # 1,000 tokens, 100 each, and what is refilled in a second or two
    assert all('b' in each for each in found)


async def test_a_cooldown_applies_in_all_processes(redis: Redis) -> None:
    requests: Counter[str] = Counter()

    async def handle(exchange: Exchange) -> None:
        name = exchange.path.split('/')[1]
        requests[name] += 1
        await (exchange.respond({'name': name, 'tokens': 1}) if name == 'b' else exchange.respond({}, status=503))

    async with Server(handle).run() as server:
        routers = Routers(redis, server, number=20, limit=10**9)
        await routers.start(4)
        found = await routers.responses()
    assert found == [['b'] * 20] * 4
    assert requests['a'] <= 4


@pytest.mark.parametrize('victim', ['a process', 'redis'])
async def test_killing_one_loses_no_request(redis: Redis, victim: str) -> None:
    async def handle(exchange: Exchange) -> None:
        await exchange.respond({'name': 'b', 'tokens': 1})

    async with Server(handle).run() as server:
        routers = Routers(redis, server, number=60, limit=10**9)
        await routers.start(4)
        await server.until(lambda: len(server.requests) > 30, 20)
        if victim == 'redis':
            redis.kill()
        else:
            routers.processes[0].kill()
        found = await routers.responses()
    whole = found if victim == 'redis' else found[1:]
    assert [len(each) for each in whole] == [60] * len(whole)


# ---------------------------------------------------------------------- slots, values and clocks


async def count_slots(state: RedisState, name: str = 'a') -> int:
    return (await state.status([name]))[name].under_way


async def test_a_slot_that_could_not_be_released_is_released_later(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, limits = new_state(redis), Limits(concurrency=1)
    slot = await state.reserve('a', limits, 0)
    assert isinstance(slot, str)
    monkeypatch.setattr(state._pausing, 'paused_until', time.monotonic() + 0.05)
    await state.release('a', slot, limits, 0)
    await asyncio.sleep(0.06)
    assert await count_slots(state) == 1
    await state.aclose()
    assert await count_slots(state) == 0


async def test_a_cancelled_reservation_is_released(redis: Redis) -> None:
    state, limits = new_state(redis), Limits(concurrency=1000)
    await state.reserve('a', limits, 0)
    for number in range(30):
        task = asyncio.ensure_future(state.reserve('a', limits, 0))
        for _ in range(number % 10):
            await asyncio.sleep(0)
        if task.cancel():
            await asyncio.wait([task])
        if not task.cancelled():
            await state.release('a', str(task.result()), limits, 0)
    await state.aclose()
    assert await count_slots(state) == 1


@pytest.mark.parametrize('poison', ['', 'abc', 'nan', 'inf', '-inf', '1e999'])
async def test_values_that_another_program_stored_are_no_error(redis: Redis, poison: str) -> None:
    state, limits = new_state(redis, 'p'), Limits(requests_per_minute=60, tokens_per_minute=1000)
    client = state._clients.get()
    await client.set('p:a:latency', poison)
    for field in ('requests', 'tokens'):
        await client.hset(f'p:a:{field}', mapping={'level': poison, 'time': poison})
    assert (await state.status(['a']))['a'].latency is None
    slot = await state.reserve('a', limits, 10)
    await state.release('a', slot if isinstance(slot, str) else '', limits, 5)
    await state.record_latency('a', 0.5)
    await state.cool_down('a', 1e-9)
    await state.aclose()


async def test_a_clock_that_goes_back_does_not_empty_a_limit(redis: Redis) -> None:
    state, limits = new_state(redis, 'c'), Limits(requests_per_minute=600)
    assert isinstance(await state.reserve('a', limits, 0), str)
    await state._clients.get().hincrbyfloat('c:a:requests', 'time', 3600)
    assert isinstance(await state.reserve('a', limits, 0), str)
    await state.aclose()


@pytest.mark.parametrize('field', ['requests', 'tokens'])
async def test_a_limit_refills_although_the_clock_went_back(redis: Redis, field: str) -> None:
    limits = Limits(requests_per_minute=6000) if field == 'requests' else Limits(tokens_per_minute=6000)
    state = new_state(redis, 'c')
    assert isinstance(await state.reserve('a', limits, 100), str)
    client = state._clients.get()
    await client.hset(f'c:a:{field}', 'level', '0')
    await client.hincrbyfloat(f'c:a:{field}', 'time', 3600)
    assert isinstance(await state.reserve('a', limits, 1), NotYet)
    await asyncio.sleep(0.05)
    assert isinstance(await state.reserve('a', limits, 1), str)
    await state.aclose()


async def test_a_cooldown_lasts_as_long_as_declared_although_the_clock_went_back(redis: Redis) -> None:
    state = new_state(redis, 'c')
    await state.cool_down('a', 0.5)
    await state._clients.get().pexpire('c:a:cooldown', 3_600_000)  # this is how Redis keeps it after such a step
    state._local._records.clear()
    assert (await state.status(['a']))['a'].cooldown <= 0.5
    await state.aclose()


async def test_a_lease_ends_although_the_clock_went_back(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('pydantic_llm.models.router.redis_state.LEASE_SECONDS', 0.05)
    state = new_state(redis, 'c')
    assert isinstance(await state.reserve('a', Limits(concurrency=1), 0), str)
    await state._clients.get().zincrby('c:a:slots', 3600, (await state._clients.get().zrange('c:a:slots', 0, 0))[0])
    assert await count_slots(state) == 1
    await asyncio.sleep(0.06)
    assert await count_slots(state) == 0
    await state.aclose()


@pytest.mark.parametrize('poison', ['nan', '-inf', 'inf', '-1e300'])
async def test_a_poisoned_limit_is_used_again(redis: Redis, poison: str) -> None:
    state, limits = new_state(redis, 'p'), Limits(requests_per_minute=60)
    await state._clients.get().hset('p:a:requests', mapping={'level': poison, 'time': poison})
    found = [await state.reserve('a', limits, 0) for _ in range(61)]
    waits = [each.seconds for each in found if isinstance(each, NotYet)]
    assert waits
    assert max(seconds for seconds in waits if seconds is not None) <= 3601
    await state.aclose()


class LosingResults:
    """Connections on which Redis executes a command, and its result is lost."""

    def __init__(self, clients: object) -> None:
        self.clients = clients

    def get(self) -> LosingResults:
        return self

    async def eval(self, *arguments: object) -> object:
        await self.clients.get().eval(*arguments)  # type: ignore[attr-defined]
        raise ConnectionError('the result is lost')


async def test_a_slot_whose_reservation_was_lost_is_released(redis: Redis) -> None:
    state, limits = new_state(redis), Limits(concurrency=1, tokens_per_minute=1000)
    clients, state._clients = state._clients, LosingResults(state._clients)  # type: ignore[assignment]
    slot = await state.reserve('a', limits, 100)
    assert slot == 'local'
    await state.release('a', slot, limits, 0)
    state._clients, state._pausing.paused_until = clients, 0.0
    assert await count_slots(state) == 1
    await state.aclose()
    assert await count_slots(state) == 0


async def test_a_repeated_release_refunds_tokens_once(redis: Redis) -> None:
    state, limits = new_state(redis, 'r'), Limits(tokens_per_minute=1000)
    slot = await state.reserve('a', limits, 500)
    assert isinstance(slot, str)
    for _ in range(2):
        await state.release('a', slot, limits, 200)
    level = float(await state._clients.get().hget('r:a:tokens', 'level'))
    assert level == pytest.approx(700, abs=5)
    await state.aclose()


async def test_a_slot_that_redis_refuses_to_release_is_forgotten_with_its_lease(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('pydantic_llm.models.router.redis_state.LEASE_SECONDS', 0.2)
    state, limits = new_state(redis, 'f'), Limits(concurrency=1)
    slot = await state.reserve('a', limits, 0)
    assert isinstance(slot, str)
    client = state._clients.get()
    await client.delete('f:a:slots')
    await client.lpush('f:a:slots', 'x')
    await state.release('a', slot, limits, 0)
    assert len(state._unreleased) == 1
    await client.delete('f:a:slots')
    await asyncio.sleep(0.21)
    state._pausing.paused_until = 0.0
    await state.status(['a'])
    await state.aclose()
    assert not state._unreleased


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])
async def test_a_router_that_does_not_wait_asks_its_deployment(redis: Redis, stream: bool) -> None:
    """Also inside a fallback, where the time for a queue is zero, and that for Redis is not."""
    router = RouterModel([Scripted('a', ['One'])], state_url=redis.url)
    model = FallbackModel(router, Scripted('b', ['Two']))
    if stream:
        async with model.request_stream(HELLO) as streamed:
            assert [event async for event in streamed]
            assert streamed.get().text == 'One'
    else:
        assert (await model.request(HELLO)).text == 'One'
    await router.aclose()


class SlowRedis:
    """Connections to a Redis that needs longer than any deadline of these tests."""

    def get(self) -> SlowRedis:
        return self

    async def eval(self, *arguments: object) -> object:
        await asyncio.sleep(0.4)
        raise ConnectionError

    async def aclose(self) -> None: ...


@pytest.mark.parametrize('slow_from', ['the first command', 'the end of the request'])
async def test_a_slow_redis_is_part_of_the_timeout(redis: Redis, slow_from: str) -> None:
    bad = [Scripted(name, [0.05, overloaded()]) for name in 'abc']
    router = RouterModel([*bad], state_url=redis.url)
    state = router.state
    assert isinstance(state, RedisState)
    if slow_from == 'the first command':
        state._clients = SlowRedis()  # type: ignore[assignment]
    else:
        await state.status(['a'])
        release = state.release

        async def release_slowly(*arguments: object) -> None:
            state._clients = SlowRedis()  # type: ignore[assignment]
            await release(*arguments)  # type: ignore[arg-type]

        state.release = release_slowly  # type: ignore[method-assign]
    began = time.monotonic()
    with pytest.raises(LLMError):
        await router.request(HELLO, {'timeout': 0.2, 'retries': 0})
    assert time.monotonic() - began < 0.5
    await router.aclose()
