"""Limited models: requests wait for a slot or for room in a minute, in order, across loops and threads."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from pydantic_llm.exceptions import (
    ModelTimeoutError,
    OverloadedError,
    RateLimitError,
    StreamInterruptedError,
    UserError,
)
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models import Model
from pydantic_llm.models.concurrency import ConcurrencyLimitedModel
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.limits.token_bucket import TokenBucket
from pydantic_llm.models.limits.wait_queue import NotYet, QueueFullError, QueueTimeoutError, WaitQueue
from pydantic_llm.models.rate_limit import RateLimitedModel
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.observers import HeadersReceived, notify
from pydantic_llm.rate_limits import RateLimit, RateLimits
from pydantic_llm.retries.policy import RetryPolicy
from tests.models.scripted import Scripted, overloaded

HELLO = [ModelRequest.user_text_prompt('Hello?')]
FAST = RetryPolicy(retries=2, first_wait=0.001, longest_wait=0.002)


# ---------------------------------------------------------------------- the bucket


def test_a_bucket_starts_full_and_refills_in_a_minute() -> None:
    bucket = TokenBucket(60)
    assert bucket.seconds_until(60, 0) == 0
    bucket.take(60, 0)
    assert bucket.seconds_until(1, 0) == 1
    assert bucket.seconds_until(30, 10) == 20
    assert bucket.seconds_until(60, 60) == 0
    assert bucket.seconds_until(60, 1000) == 0


def test_a_negative_amount_is_given_back_and_an_overdraft_is_owed() -> None:
    bucket = TokenBucket(60)
    bucket.take(50, 0)
    bucket.take(-40, 0)
    assert bucket.level == 50
    bucket.take(110, 0)
    assert bucket.seconds_until(1, 0) == 61
    bucket.take(-1000, 0)
    assert bucket.level == 60


def test_an_amount_above_the_limit_needs_a_full_bucket() -> None:
    bucket = TokenBucket(60)
    assert bucket.seconds_until(1000, 0) == 0
    bucket.take(1000, 0)
    assert bucket.seconds_until(1000, 0) == 1000


def test_a_vendors_values_lower_the_bucket_and_never_raise_it() -> None:
    bucket = TokenBucket(60)
    bucket.lower_to(10, 600, 0)
    assert (bucket.limit, bucket.level) == (60, 10)
    bucket.lower_to(50, 30, 0)
    assert (bucket.limit, bucket.level) == (30, 10)
    bucket.lower_to(None, 0, 0)
    assert bucket.limit == 30


def test_a_clock_that_goes_back_changes_nothing() -> None:
    bucket = TokenBucket(60)
    bucket.take(60, 100)
    assert bucket.seconds_until(1, 50) == 1


@pytest.mark.parametrize(
    ('headers', 'limits'),
    [
        ({}, RateLimits()),
        (
            {
                'x-ratelimit-limit-requests': '60',
                'x-ratelimit-remaining-requests': '59',
                'x-ratelimit-remaining-tokens': '9',
            },
            RateLimits(RateLimit(60, 59), RateLimit(None, 9)),
        ),
        (
            {'anthropic-ratelimit-requests-remaining': '0', 'anthropic-ratelimit-input-tokens-limit': '100'},
            RateLimits(RateLimit(None, 0), RateLimit(100, None)),
        ),
        ({'x-ratelimit-remaining-requests': 'many', 'x-ratelimit-limit-tokens': '-1'}, RateLimits()),
    ],
)
def test_limits_are_read_from_headers(headers: dict[str, str], limits: RateLimits) -> None:
    assert RateLimits.from_headers(headers) == limits


# ---------------------------------------------------------------------- the queue


class Gate:
    """A resource with a number of free slots."""

    def __init__(self, free: int) -> None:
        self.free = free

    async def try_take(self) -> int | NotYet:
        if not self.free:
            return NotYet()
        self.free -= 1
        return self.free


async def test_the_queue_is_ordered_by_priority_then_by_arrival() -> None:
    queue, gate, order = WaitQueue[int](), Gate(0), list[str]()

    async def wait(name: str, priority: int) -> None:
        await queue.acquire(gate.try_take, priority=priority)
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for name, priority in (('a', 1), ('b', 1), ('c', 0), ('d', 2)):
            group.create_task(wait(name, priority))
            await asyncio.sleep(0)
        gate.free = 4
        queue.notify()
    assert order == ['c', 'a', 'b', 'd']
    assert len(queue) == 0


async def test_a_waiter_that_leaves_wakes_the_next() -> None:
    queue, gate = WaitQueue[int](), Gate(0)
    first = asyncio.ensure_future(queue.acquire(gate.try_take))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(queue.acquire(gate.try_take))
    await asyncio.sleep(0)
    gate.free = 1
    first.cancel()
    assert await asyncio.wait_for(second, 1) == 0
    assert len(queue) == 0


async def test_the_first_waiter_tries_again_after_the_delay() -> None:
    results: list[Any] = [NotYet(0.001), NotYet(0.001), NotYet(0.001), 7]

    async def take() -> Any:
        return results.pop(0)

    assert await asyncio.wait_for(WaitQueue[int]().acquire(take), 1) == 7


async def test_the_queue_and_the_wait_are_limited() -> None:
    queue, gate = WaitQueue[int](max_size=1), Gate(0)
    waiting = asyncio.ensure_future(queue.acquire(gate.try_take, seconds=0.05))
    await asyncio.sleep(0)
    with pytest.raises(QueueFullError):
        await queue.acquire(gate.try_take)
    with pytest.raises(QueueTimeoutError):
        await waiting
    assert len(queue) == 0


# ---------------------------------------------------------------------- concurrent requests


class Busy(Model):
    """Counts concurrent requests: now, at most, and all requests."""

    model_name = 'busy'  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = self.total = 0
        self.lock = threading.Lock()

    async def request(self, *_: Any) -> Any:
        with self.lock:
            self.now += 1
            self.total += 1
            self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.002)
        finally:
            with self.lock:
                self.now -= 1
        return await TestModel().request(HELLO)


async def test_at_most_the_limit_of_requests_are_under_way() -> None:
    busy = Busy()
    model = ConcurrencyLimitedModel(busy, limit=3)
    await asyncio.gather(*(model.request(HELLO) for _ in range(20)))
    assert (busy.most, busy.total, model.under_way, model.waiting) == (3, 20, 0, 0)


def test_several_threads_share_a_limit() -> None:
    busy = Busy()
    model = ConcurrencyLimitedModel(busy, limit=3)

    async def many() -> None:
        await asyncio.gather(*(model.request(HELLO) for _ in range(20)))

    threads = [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (busy.most, busy.total, model.under_way, model.waiting) == (3, 80, 0, 0)


async def test_a_stream_counts_until_it_is_left() -> None:
    model = ConcurrencyLimitedModel(Scripted('a', ['Hi', 60.0]), limit=1)
    async with model.request_stream(HELLO) as stream:
        await anext(stream)
        second = asyncio.ensure_future(model.request(HELLO))
        await asyncio.sleep(0)
        assert (model.under_way, model.waiting) == (1, 1)
        second.cancel()
        await asyncio.wait([second])
        assert model.waiting == 0
    assert model.under_way == 0


async def test_a_full_queue_is_a_retryable_error() -> None:
    model = ConcurrencyLimitedModel(Scripted('a', [60.0]), limit=1, max_queue=0)
    first = asyncio.ensure_future(model.request(HELLO))
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError, match='max_queue=0') as caught:
        await model.request(HELLO)
    assert caught.value.retryable
    first.cancel()
    await asyncio.wait([first])
    assert model.under_way == 0


async def occupy(model: ConcurrencyLimitedModel) -> asyncio.Task[Any]:
    """Take the only slot of a model whose first response never comes."""
    task = asyncio.ensure_future(model.request(HELLO))
    await asyncio.sleep(0)
    assert model.under_way == 1
    return task


@pytest.mark.parametrize('name', ['timeout', 'first_token_timeout'])
async def test_a_wait_for_a_slot_is_part_of_the_deadlines(name: str) -> None:
    model = ConcurrencyLimitedModel(Scripted('a', [60.0]), limit=1)
    first = await occupy(model)
    with pytest.raises(ModelTimeoutError) as caught:
        async with model.request_stream(HELLO, {name: 0.02}):  # type: ignore[misc]
            pass
    assert (caught.value.deadline, caught.value.seconds) == (name, 0.02)
    with pytest.raises(ModelTimeoutError):
        await model.request(HELLO, {'timeout': 0.02})
    assert model.waiting == 0
    first.cancel()
    await asyncio.wait([first])


async def test_a_request_that_waited_for_a_slot_gets_the_time_that_is_left() -> None:
    wrapped = Scripted('a', [0.05, 'One'], ['Two'])
    model = ConcurrencyLimitedModel(wrapped, limit=1)
    await asyncio.gather(model.request(HELLO, {'timeout': 20}), model.request(HELLO, {'timeout': 20}))
    assert wrapped.requests[1][1]['timeout'] < 19.96


async def test_a_fallback_is_asked_if_no_slot_becomes_free() -> None:
    busy = ConcurrencyLimitedModel(Scripted('a', [60.0]), limit=1)
    first = await occupy(busy)
    model = FallbackModel(busy, Scripted('b', ['Two']), attempt_timeout=0.02)
    assert (await model.request(HELLO)).text == 'Two'
    async with model.request_stream(HELLO) as stream:
        assert [event async for event in stream]
        assert stream.get().text == 'Two'
    first.cancel()
    await asyncio.wait([first])


async def test_a_waiter_whose_loop_stands_still_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('pydantic_llm.models.limits.wait_queue.POLL_SECONDS', 0.1)
    model = ConcurrencyLimitedModel(Scripted('a', [60.0], ['Two']), limit=1)
    first = await occupy(model)
    stopped: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    def wait_in_a_loop_that_stops() -> None:
        loop = asyncio.new_event_loop()
        task = loop.create_task(model.request(HELLO))
        loop.run_until_complete(asyncio.sleep(0.01))
        stopped.append((loop, task))

    await asyncio.to_thread(wait_in_a_loop_that_stops)
    assert model.waiting == 1
    second = asyncio.ensure_future(model.request(HELLO))
    await asyncio.sleep(0)
    first.cancel()
    assert (await asyncio.wait_for(second, 5)).text == 'Two'
    [(loop, task)] = stopped
    assert (await asyncio.to_thread(loop.run_until_complete, task)).text == 'Two'
    loop.close()


@pytest.mark.parametrize('options', [{'limit': 0}, {'limit': -1}, {'limit': 1, 'max_queue': -1}])
def test_invalid_concurrency_limits_are_errors(options: Any) -> None:
    with pytest.raises(UserError, match='give a number from'):
        ConcurrencyLimitedModel(TestModel(), **options)


# ---------------------------------------------------------------------- limits per minute


@pytest.mark.parametrize('options', [{}, {'requests_per_minute': 0}, {'tokens_per_minute': -1}])
def test_invalid_limits_per_minute_are_errors(options: Any) -> None:
    with pytest.raises(UserError, match='per_minute'):
        RateLimitedModel(TestModel(), **options)


async def test_a_request_waits_for_room_in_the_minute() -> None:
    model = RateLimitedModel(Scripted('a'), requests_per_minute=1200)  # one each 50 ms
    clock = asyncio.get_running_loop().time
    for _ in range(2):
        await model.request(HELLO)
    assert model._requests is not None
    model._requests.level = 0
    began = clock()
    await asyncio.gather(model.request(HELLO), model.request(HELLO))
    assert 0.08 < clock() - began < 5


async def test_the_reported_usage_replaces_the_estimate() -> None:
    model = RateLimitedModel(Scripted('a', usage=100), tokens_per_minute=10_000)
    assert model._tokens is not None
    await model.request(HELLO, {'max_tokens': 5000})
    assert model._tokens.level == pytest.approx(9_800, abs=200)
    async with model.request_stream(HELLO, {'max_tokens': 5000}) as stream:
        assert model._tokens.level < 5_000
        async for _ in stream:
            pass
    assert model._tokens.level == pytest.approx(9_600, abs=200)


async def test_a_request_without_time_to_wait_is_an_error() -> None:
    model = RateLimitedModel(Scripted('a'), requests_per_minute=1)
    await model.request(HELLO)
    with pytest.raises(RateLimitError, match='no room for a request within') as caught:
        await model.request(HELLO, {'timeout': 0.02})
    assert not caught.value.retryable
    with pytest.raises(RateLimitError):
        async with model.request_stream(HELLO, {'timeout': 0.02}):
            pass


async def test_the_queue_of_a_minute_can_be_full() -> None:
    model = RateLimitedModel(Scripted('a'), requests_per_minute=1, max_queue=1)
    await model.request(HELLO)
    waiting = asyncio.ensure_future(model.request(HELLO))
    await asyncio.sleep(0)
    with pytest.raises(RateLimitError, match='max_queue=1'):
        await model.request(HELLO)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert model.waiting == 0


async def test_what_the_vendors_headers_report_as_left_counts() -> None:
    class WithHeaders(Scripted):
        def start(self, *arguments: Any) -> None:
            super().start(*arguments)
            notify(HeadersReceived({'x-ratelimit-remaining-requests': '0', 'x-ratelimit-remaining-tokens': '5'}))

    model = RateLimitedModel(WithHeaders('a'), requests_per_minute=100, tokens_per_minute=10_000)
    await model.request(HELLO)
    assert model._requests is not None
    assert model._tokens is not None
    assert model._requests.level == pytest.approx(0, abs=1)
    assert model._tokens.level < 2_000


async def test_a_retry_after_empties_the_bucket_for_that_time() -> None:
    error = RateLimitError(429, 'm', retry_after=30, retryable=False)
    model = RateLimitedModel(Scripted('a', [error], ['Hi']), requests_per_minute=60)
    with pytest.raises(RateLimitError):
        await model.request(HELLO)
    with pytest.raises(RateLimitError, match='no room'):
        await model.request(HELLO, {'timeout': 0.02})


async def test_a_retried_stream_counts_each_attempt() -> None:
    wrapped = Scripted('a', [overloaded()], [overloaded()], ['Hi'], usage=5)
    model = RateLimitedModel(wrapped, requests_per_minute=2)
    with pytest.raises(RateLimitError, match='no room'):
        async with model.request_stream(HELLO, {'timeout': 0.2, 'retries': FAST}):
            pass
    assert len(wrapped.requests) == 2


async def test_the_usage_of_a_stream_that_was_begun_again_counts() -> None:
    wrapped = Scripted('a', [0.0, StreamInterruptedError('m', 'broke')], ['Hi'], usage=5)
    model = RateLimitedModel(wrapped, requests_per_minute=100, tokens_per_minute=10_000)
    async with model.request_stream(HELLO, {'retries': FAST}) as stream:
        assert [event async for event in stream]
    assert (stream.usage().input_tokens, stream.get().usage.input_tokens) == (10, 10)
    assert stream.get().warnings == ['test:a failed, and it was asked again: broke']


async def test_a_retry_after_of_a_year_does_not_end_the_model() -> None:
    error = RateLimitError(429, 'm', retry_after=31_536_000, retryable=False)
    model = RateLimitedModel(Scripted('a', [error], ['Hi']), requests_per_minute=60)
    with pytest.raises(RateLimitError):
        await model.request(HELLO)
    assert model._requests is not None
    assert model._requests.seconds_until(1, time.monotonic()) < 700


async def test_a_setting_of_none_takes_that_of_the_limited_model_back() -> None:
    wrapped = Scripted('a', settings={'max_tokens': 7, 'seed': 3})
    model = RateLimitedModel(wrapped, tokens_per_minute=100_000)
    await model.request(HELLO, {'max_tokens': None})  # type: ignore[typeddict-item]
    assert wrapped.requests[0][1] == {'seed': 3}
