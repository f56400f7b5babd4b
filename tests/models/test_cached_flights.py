"""Equal requests at the same time are sent once, and no request fails or waits because of another one."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from pydantic_llm.exceptions import ModelHTTPError, ModelTimeoutError
from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse
from pydantic_llm.models.cached import CachedModel, MemoryCache
from tests.models.scripted import Scripted, overloaded
from tests.models.test_cached import ask

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello?')]

ways = pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])
leaders = pytest.mark.parametrize('first', [False, True], ids=['whole-first', 'streamed-first'])


def start(model: CachedModel, settings: Any = None, *, stream: bool = False) -> asyncio.Task[ModelResponse]:
    return asyncio.create_task(ask(model, settings, stream=stream))


def count_flights(model: CachedModel) -> int:
    assert model._flights is not None
    return len(model._flights)


@leaders
@ways
async def test_equal_requests_at_the_same_time_are_sent_once(first: bool, stream: bool) -> None:
    inner = Scripted('a', ['Hel', 0.02, 'lo!'], usage=5)
    model = CachedModel(inner)
    tasks = [start(model, stream=first), *(start(model, stream=stream) for _ in range(5))]
    responses = await asyncio.gather(*tasks)
    assert [response.text for response in responses] == ['Hello!'] * 6
    assert len(inner.requests) == 1
    assert [response.usage.total_tokens for response in responses] == [10, 0, 0, 0, 0, 0]
    assert [response.from_cache is not None for response in responses] == [False, True, True, True, True, True]
    assert len({id(response.parts[0]) for response in responses}) == 6
    assert count_flights(model) == 0


async def test_other_requests_are_sent_at_once() -> None:
    inner = Scripted('a', [0.05, 'Hi'])
    model = CachedModel(inner)
    began = time.monotonic()
    await asyncio.gather(
        model.request(HELLO),
        model.request(HELLO, {'max_tokens': 3}),
        model.request(HELLO, {'response_cache_scope': 'x'}),
        model.request(HELLO, {'response_cache_mode': 'bypass'}),
        model.request(HELLO, {'response_cache_mode': 'refresh'}),
    )
    assert time.monotonic() - began < 0.1
    assert len(inner.requests) == 5


async def test_without_single_flight_each_request_is_sent() -> None:
    inner = Scripted('a', [0.01, 'Hi'])
    model = CachedModel(inner, single_flight=False)
    await asyncio.gather(model.request(HELLO), model.request(HELLO))
    assert len(inner.requests) == 2


@leaders
@ways
async def test_a_leader_that_is_cancelled_fails_no_follower(first: bool, stream: bool) -> None:
    inner = Scripted('a', [0.05, 'Hi'])
    model = CachedModel(inner)
    leader = start(model, stream=first)
    await asyncio.sleep(0)
    followers = [start(model, stream=stream) for _ in range(3)]
    await asyncio.sleep(0.01)
    leader.cancel()
    assert [response.text for response in await asyncio.gather(*followers)] == ['Hi'] * 3
    assert len(inner.requests) == 2
    assert count_flights(model) == 0


@leaders
@ways
@pytest.mark.parametrize('script', [[0.01, overloaded()], ['Hi', 0.01, overloaded()], ['Hi', 0.01, ('truncate', '')]])
async def test_a_leader_that_fails_fails_no_follower(script: Any, first: bool, stream: bool) -> None:
    inner = Scripted('a', script, [0.05, 'Good'])
    model = CachedModel(inner)
    leader = start(model, stream=first)
    await asyncio.sleep(0)
    followers = [start(model, stream=stream) for _ in range(3)]
    began = time.monotonic()
    with suppress(ModelHTTPError):
        assert (await leader).state == 'incomplete'
    assert [response.text for response in await asyncio.gather(*followers)] == ['Good'] * 3
    assert time.monotonic() - began < 0.12, 'they are sent at the same time'
    assert len(inner.requests) == 4
    assert count_flights(model) == 0


@leaders
async def test_the_timeout_of_a_leader_is_its_own(first: bool) -> None:
    inner = Scripted('a', [0.08, 'Hi'])
    model = CachedModel(inner)
    leader = start(model, {'timeout': 0.03}, stream=first)
    await asyncio.sleep(0)
    followers = [start(model) for _ in range(3)]
    with pytest.raises(ModelTimeoutError):
        await leader
    assert [response.text for response in await asyncio.gather(*followers)] == ['Hi'] * 3
    assert len(inner.requests) == 2


@ways
async def test_a_follower_keeps_its_own_deadline(stream: bool) -> None:
    inner = Scripted('a', [10.0, 'Hi'])
    model = CachedModel(inner)
    leader = start(model)
    await asyncio.sleep(0)
    began = time.monotonic()
    deadline = 'first_token_timeout' if stream else 'timeout'
    with pytest.raises(ModelTimeoutError) as caught:
        await ask(model, {deadline: 0.1}, stream=stream)
    assert caught.value.deadline == deadline
    assert 0.08 < time.monotonic() - began < 0.2
    leader.cancel()


async def test_a_follower_with_little_time_sends_its_own_request() -> None:
    inner = Scripted('a', [10.0, 'Slow'], [0.03, 'Fast'])
    model = CachedModel(inner)
    leader = start(model)
    await asyncio.sleep(0)
    assert (await model.request(HELLO, {'timeout': 0.1})).text == 'Fast'
    leader.cancel()


async def test_a_follower_that_is_cancelled_changes_nothing() -> None:
    inner = Scripted('a', [0.03, 'Hi'])
    model = CachedModel(inner)
    leader, first, second = start(model), start(model), start(model)
    await asyncio.sleep(0.01)
    first.cancel()
    assert ((await leader).text, (await second).text) == ('Hi', 'Hi')
    assert len(inner.requests) == 1


async def test_a_reader_that_stands_still_stops_no_follower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('pydantic_llm.models.cached.flights.STALL_SECONDS', 0.05)
    inner = Scripted('a', ['Hel', 'lo!'])
    model = CachedModel(inner)
    opened, go_on = asyncio.Event(), asyncio.Event()

    async def read_slowly() -> ModelResponse:
        async with model.request_stream(HELLO) as stream:
            await anext(stream)
            opened.set()
            await go_on.wait()
            async for _ in stream:
                pass
            return stream.get()

    reader = asyncio.create_task(read_slowly())
    await opened.wait()
    began = time.monotonic()
    assert (await model.request(HELLO)).text == 'Hello!'
    assert time.monotonic() - began < 0.2
    go_on.set()
    assert (await reader).text == 'Hello!'


@ways
async def test_a_request_inside_the_stream_of_an_equal_one_is_sent(stream: bool) -> None:
    inner = Scripted('a', ['Hel', 'lo!'])
    model = CachedModel(inner)
    async with model.request_stream(HELLO) as outer:
        await anext(outer)
        async with asyncio.timeout(0.5):
            assert (await ask(model, stream=stream)).text == 'Hello!'


async def test_the_end_of_a_stream_serves_followers_before_its_block_is_left() -> None:
    inner = Scripted('a', [0.01, 'Hi'])
    model = CachedModel(inner)
    async with model.request_stream(HELLO) as stream:
        follower = start(model)
        async for _ in stream:
            pass
        assert (await asyncio.wait_for(follower, 0.5)).from_cache is not None


async def test_a_request_that_comes_while_a_response_is_stored_finds_it() -> None:
    class Slow(MemoryCache):
        async def set(self, key: str, value: bytes, ttl: float | None) -> None:
            await asyncio.sleep(0.03)
            await super().set(key, value, ttl)

    inner = Scripted('a', [0.01, 'Hi'])
    model = CachedModel(inner, Slow())
    leader = start(model)
    await asyncio.sleep(0.02)
    began = time.monotonic()
    assert (await model.request(HELLO)).from_cache is not None
    assert time.monotonic() - began < 0.015
    await leader
    assert len(inner.requests) == 1


async def test_a_response_that_is_stored_between_reading_and_leading_is_found() -> None:
    class Late(MemoryCache):
        """The result of its first `get` arrives late."""

        gets = 0

        async def get(self, key: str) -> bytes | None:
            self.gets += 1
            found = await super().get(key)
            if self.gets == 1:
                await asyncio.sleep(0.03)
            return found

    inner = Scripted('a')
    model = CachedModel(inner, Late())
    slow = start(model)
    await asyncio.sleep(0.01)
    await model.request(HELLO)
    assert (await slow).from_cache is not None
    assert len(inner.requests) == 1
    assert count_flights(model) == 0


def test_threads_share_a_request() -> None:
    inner = Scripted('a', [0.1, 'Hi'])
    model = CachedModel(inner)
    found: list[ModelResponse] = []
    barrier = threading.Barrier(8)

    def run(number: int) -> None:
        barrier.wait()
        found.append(asyncio.run(ask(model, stream=bool(number % 2))))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [response.text for response in found] == ['Hi'] * 8
    assert len(inner.requests) == 1
    assert count_flights(model) == 0


def test_a_loop_that_is_closed_in_the_middle_of_a_request_stops_no_other() -> None:
    inner = Scripted('a', [10.0, 'Slow'], ['Fast'])
    model = CachedModel(inner)
    loop = asyncio.new_event_loop()
    task = loop.create_task(ask(model))
    loop.run_until_complete(asyncio.sleep(0.01))
    assert count_flights(model) == 1
    began = time.monotonic()
    assert asyncio.run(ask(model, {'timeout': 5})).text == 'Fast'
    assert time.monotonic() - began < 0.5
    task.cancel()
    with suppress(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='the system cannot fork')
@pytest.mark.filterwarnings('ignore:.*multi-threaded.*:DeprecationWarning')
def test_a_forked_child_does_not_wait_for_its_parent() -> None:
    inner = Scripted('a', [0.3, 'Slow'], ['Fast'])
    model = CachedModel(inner)
    thread = threading.Thread(target=lambda: asyncio.run(ask(model)))
    thread.start()
    while not inner.requests:
        time.sleep(0.001)
    child = os.fork()
    if child == 0:
        os._exit(0 if asyncio.run(ask(model)).text == 'Fast' else 1)
    _, status = os.waitpid(child, 0)
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0


async def test_a_stream_that_is_abandoned_leaves_its_flight() -> None:
    model = CachedModel(Scripted('a', ['Hel', 'lo!']))
    context = model.request_stream(HELLO)
    stream = await context.__aenter__()
    await anext(stream)
    del stream, context
    gc.collect()
    await asyncio.sleep(0.01)
    assert count_flights(model) == 0


async def test_many_requests_with_random_ends_all_get_a_response() -> None:
    """Requests that fail, time out or are cancelled, next to equal ones that do not."""
    scripts: list[Any] = [
        [0.003, overloaded()],
        [0.005, 'Hi'],
        ['H', 0.004, 'i'],
        ['Hi', ('truncate', '')],
        [0.002, 'Hi'],
    ]
    inner = Scripted('a', *(scripts[number * 7 % 5] for number in range(500)))
    model = CachedModel(inner, MemoryCache(max_entries=2))

    async def one(number: int) -> str | None:
        await asyncio.sleep(number % 13 / 1000)
        settings = {'max_tokens': 1 + number % 5, **({'timeout': 0.004} if number % 11 == 0 else {})}
        try:
            async with asyncio.timeout(0.003 if number % 7 == 0 else 5):
                return (await ask(model, settings, stream=bool(number % 2))).text
        except (ModelHTTPError, ModelTimeoutError, TimeoutError) as error:
            return type(error).__name__

    found = await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(300))), 10)
    assert set(found) <= {'Hi', 'H', 'ModelHTTPError', 'ModelTimeoutError', 'TimeoutError'}
    assert found.count('Hi') > 150
    assert count_flights(model) == 0
