"""Requests that wait: for a slot, for room in a minute; in order, over loops and threads, and for not too long."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from pydantic_llm.exceptions import OverloadedError, RateLimitError, UserError
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models import Model
from pydantic_llm.models.concurrency import ConcurrencyLimitedModel
from pydantic_llm.models.limits.token_bucket import Meter
from pydantic_llm.models.limits.wait_queue import Line, LineIsFull, NotYet, WaitedTooLong
from pydantic_llm.models.rate_limit import RateLimitedModel
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.transport.rate_limits import RateLimit, RateLimits
from pydantic_llm.wire.header_listeners import tell_headers
from tests.models.scripted import Scripted

HELLO = [ModelRequest.user_text_prompt('Hello?')]


# ---------------------------------------------------------------------- the meter


def test_a_meter_starts_full_and_fills_up_in_a_minute() -> None:
    meter = Meter(60)
    assert meter.wait_for(60, 0) == 0
    meter.take(60, 0)
    assert meter.wait_for(1, 0) == 1
    assert meter.wait_for(30, 10) == 20
    assert meter.wait_for(60, 60) == 0
    assert meter.wait_for(60, 1000) == 0


def test_what_was_not_needed_is_given_back_and_what_was_is_owed() -> None:
    meter = Meter(60)
    meter.take(50, 0)
    meter.take(-40, 0)
    assert meter.level == 50
    meter.take(110, 0)
    assert meter.wait_for(1, 0) == 61
    meter.take(-1000, 0)
    assert meter.level == 60


def test_more_than_the_limit_takes_all_of_it() -> None:
    meter = Meter(60)
    assert meter.wait_for(1000, 0) == 0
    meter.take(1000, 0)
    assert meter.wait_for(1000, 0) == 1000


def test_a_meter_learns_what_others_have_taken() -> None:
    meter = Meter(60)
    meter.learn(10, 600, 0)
    assert (meter.limit, meter.level) == (60, 10)
    meter.learn(50, 30, 0)
    assert (meter.limit, meter.level) == (30, 10)
    meter.learn(None, 0, 0)
    assert meter.limit == 30


def test_time_that_goes_back_changes_nothing() -> None:
    meter = Meter(60)
    meter.take(60, 100)
    assert meter.wait_for(1, 50) == 1


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
def test_headers_tell_of_limits(headers: dict[str, str], limits: RateLimits) -> None:
    assert RateLimits.from_headers(headers) == limits


# ---------------------------------------------------------------------- the line


class Gate:
    """Something that is free for so many."""

    def __init__(self, free: int) -> None:
        self.free = free

    async def take(self) -> int | NotYet:
        if not self.free:
            return NotYet()
        self.free -= 1
        return self.free


async def test_the_first_to_come_is_the_first_to_go_of_those_with_the_same_priority() -> None:
    line, gate, order = Line[int](), Gate(0), list[str]()

    async def stand(name: str, priority: int) -> None:
        await line.get(gate.take, priority=priority)
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for name, priority in (('a', 1), ('b', 1), ('c', 0), ('d', 2)):
            group.create_task(stand(name, priority))
            await asyncio.sleep(0)
        gate.free = 4
        line.tell()
    assert order == ['c', 'a', 'b', 'd']
    assert len(line) == 0


async def test_who_leaves_the_line_lets_the_next_look() -> None:
    line, gate = Line[int](), Gate(0)
    first = asyncio.ensure_future(line.get(gate.take))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(line.get(gate.take))
    await asyncio.sleep(0)
    gate.free = 1
    first.cancel()
    assert await asyncio.wait_for(second, 1) == 0
    assert len(line) == 0


async def test_the_first_in_the_line_looks_again_after_the_seconds_that_it_was_told() -> None:
    answers: list[Any] = [NotYet(0.001), NotYet(0.001), NotYet(0.001), 7]

    async def take() -> Any:
        return answers.pop(0)

    assert await asyncio.wait_for(Line[int]().get(take), 1) == 7


async def test_a_line_has_an_end_and_a_wait_too() -> None:
    line, gate = Line[int](longest=1), Gate(0)
    waiting = asyncio.ensure_future(line.get(gate.take, seconds=0.05))
    await asyncio.sleep(0)
    with pytest.raises(LineIsFull):
        await line.get(gate.take)
    with pytest.raises(WaitedTooLong):
        await waiting
    assert len(line) == 0


# ---------------------------------------------------------------------- at once


class Busy(Model):
    """Counts how many ask at once."""

    model_name = 'busy'  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = self.asked = 0
        self.lock = threading.Lock()

    async def request(self, *_: Any) -> Any:
        with self.lock:
            self.now += 1
            self.asked += 1
            self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.002)
        finally:
            with self.lock:
                self.now -= 1
        return await TestModel().request(HELLO)


async def test_no_more_than_the_limit_are_under_way() -> None:
    busy = Busy()
    model = ConcurrencyLimitedModel(busy, limit=3)
    await asyncio.gather(*(model.request(HELLO) for _ in range(20)))
    assert (busy.most, busy.asked, model.under_way, model.waiting) == (3, 20, 0, 0)


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
    assert (busy.most, busy.asked, model.under_way, model.waiting) == (3, 80, 0, 0)


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


async def test_a_full_queue_is_an_error_that_may_be_tried_again() -> None:
    model = ConcurrencyLimitedModel(Scripted('a', [60.0]), limit=1, max_queue=0)
    first = asyncio.ensure_future(model.request(HELLO))
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError, match='max_queue=0') as caught:
        await model.request(HELLO)
    assert caught.value.retryable
    first.cancel()
    await asyncio.wait([first])
    assert model.under_way == 0


@pytest.mark.parametrize('options', [{'limit': 0}, {'limit': -1}, {'limit': 1, 'max_queue': -1}])
def test_limits_that_are_none_are_refused(options: Any) -> None:
    with pytest.raises(UserError, match='give a number from'):
        ConcurrencyLimitedModel(TestModel(), **options)


# ---------------------------------------------------------------------- in a minute


@pytest.mark.parametrize('options', [{}, {'requests_per_minute': 0}, {'tokens_per_minute': -1}])
def test_limits_per_minute_that_are_none_are_refused(options: Any) -> None:
    with pytest.raises(UserError, match='per_minute'):
        RateLimitedModel(TestModel(), **options)


async def test_a_request_waits_until_the_minute_has_room() -> None:
    model = RateLimitedModel(Scripted('a'), requests_per_minute=1200)  # one each 50 ms
    clock = asyncio.get_running_loop().time
    for _ in range(2):
        await model.request(HELLO)
    assert model._requests is not None
    model._requests.level = 0
    began = clock()
    await asyncio.gather(model.request(HELLO), model.request(HELLO))
    assert 0.08 < clock() - began < 5


async def test_the_real_usage_takes_the_place_of_the_estimate() -> None:
    model = RateLimitedModel(Scripted('a', usage=100), tokens_per_minute=10_000)
    assert model._tokens is not None
    await model.request(HELLO, {'max_tokens': 5000})
    assert model._tokens.level == pytest.approx(9_800, abs=200)
    async with model.request_stream(HELLO, {'max_tokens': 5000}) as stream:
        assert model._tokens.level < 5_000
        async for _ in stream:
            pass
    assert model._tokens.level == pytest.approx(9_600, abs=200)


async def test_a_request_that_has_no_time_to_wait_is_refused() -> None:
    model = RateLimitedModel(Scripted('a'), requests_per_minute=1)
    await model.request(HELLO)
    with pytest.raises(RateLimitError, match='no room for a request within') as caught:
        await model.request(HELLO, {'timeout': 0.02})
    assert not caught.value.retryable
    with pytest.raises(RateLimitError):
        async with model.request_stream(HELLO, {'timeout': 0.02}):
            pass


async def test_a_queue_can_be_full() -> None:
    model = RateLimitedModel(Scripted('a'), requests_per_minute=1, max_queue=1)
    await model.request(HELLO)
    waiting = asyncio.ensure_future(model.request(HELLO))
    await asyncio.sleep(0)
    with pytest.raises(RateLimitError, match='max_queue=1'):
        await model.request(HELLO)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert model.waiting == 0


async def test_what_the_vendor_says_is_left_counts() -> None:
    class Telling(Scripted):
        def start(self, *arguments: Any) -> None:
            super().start(*arguments)
            tell_headers({'x-ratelimit-remaining-requests': '0', 'x-ratelimit-remaining-tokens': '5'})

    model = RateLimitedModel(Telling('a'), requests_per_minute=100, tokens_per_minute=10_000)
    await model.request(HELLO)
    assert model._requests is not None
    assert model._tokens is not None
    assert model._requests.level == pytest.approx(0, abs=1)
    assert model._tokens.level < 2_000


async def test_a_refusal_empties_the_minute_for_as_long_as_the_vendor_says() -> None:
    error = RateLimitError(429, 'm', retry_after=30, retryable=False)
    model = RateLimitedModel(Scripted('a', [error], ['Hi']), requests_per_minute=60)
    with pytest.raises(RateLimitError):
        await model.request(HELLO)
    with pytest.raises(RateLimitError, match='no room'):
        await model.request(HELLO, {'timeout': 0.02})
