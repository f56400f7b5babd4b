"""A router chooses one of several deployments: by a strategy, within their limits, and none that is cooling down."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from pydantic_llm.exceptions import (
    FallbackExceptionGroup,
    ModelAPIError,
    ModelHTTPError,
    OverloadedError,
    RateLimitError,
    UserError,
)
from pydantic_llm.messages import ModelRequest, ModelResponse, StreamRestartEvent
from pydantic_llm.models.fallback.model import FallbackModel
from pydantic_llm.models.router.cooldown import cooldown_after
from pydantic_llm.models.router.model import Deployment, RouterModel
from pydantic_llm.models.router.state import Limits, MemoryState
from pydantic_llm.prices import Prices
from pydantic_llm.retries.policy import RetryPolicy
from tests.models.scripted import Scripted, overloaded, unauthorized, unreachable
from tests.replay import replay

HELLO = [ModelRequest.user_text_prompt('Hello?')]
FAST = RetryPolicy(retries=2, first_wait=0.001, longest_wait=0.002)


def deploy(name: str, *scripts: Any, **options: Any) -> Deployment:
    return Deployment(Scripted(name, *(scripts or ([name],))), name=name, **options)


def scripted(deployment: Deployment) -> Scripted:
    assert isinstance(deployment.model, Scripted)
    return deployment.model


async def count_responses(router: RouterModel, times: int, settings: Any = None) -> Counter[str | None]:
    return Counter([(await router.request(HELLO, settings)).text for _ in range(times)])


async def read_stream(router: RouterModel, settings: Any = None) -> ModelResponse:
    async with router.request_stream(HELLO, settings) as stream:
        events = [event async for event in stream]
        if not any(isinstance(event, StreamRestartEvent) for event in events):
            assert replay(events) == stream.get().parts
        return stream.get()


async def test_the_deployment_that_paused_a_turn_is_asked_to_continue_it() -> None:
    router = RouterModel([deploy('a'), deploy('b')], fallbacks=[[deploy('c')]])
    for name in 'abc':
        paused = ModelResponse([], state='suspended', model_name=name, provider_name='test')
        assert {(await router.request([*HELLO, paused])).text for _ in range(10)} == {name}


# ---------------------------------------------------------------------- strategies


async def test_shuffle_chooses_at_random_by_weight() -> None:
    router = RouterModel([deploy('a', weight=9), deploy('b', weight=1)])
    count = await count_responses(router, 400)
    assert 320 < count['a'] < 395


async def test_least_busy_chooses_the_least_busy() -> None:
    busy, free = deploy('a', [60.0]), deploy('b')
    router = RouterModel([busy, free], strategy='least_busy')
    waiting = asyncio.ensure_future(router.state.reserve('a', Limits(), 0))
    await waiting
    assert await count_responses(router, 10) == {'b': 10}


async def test_lowest_latency_chooses_the_fastest_once_all_are_measured() -> None:
    router = RouterModel([deploy('a', [0.02, 'a']), deploy('b')], strategy='lowest_latency')
    assert await count_responses(router, 10) == {'a': 1, 'b': 9}


async def test_lowest_cost_chooses_the_cheapest() -> None:
    group = [deploy('a', cost=(5, 20)), deploy('b', cost=(1, 5)), deploy('c', cost=(2, 5))]
    router = RouterModel(group, strategy='lowest_cost')
    assert await count_responses(router, 10) == {'b': 10}


async def test_a_cost_can_be_prices_by_class() -> None:
    group = [deploy('a', cost=(5, 20)), deploy('b', cost=Prices(input=1, cache_read=0.1, output=Decimal(5)))]
    assert await count_responses(RouterModel(group, strategy='lowest_cost'), 3) == {'b': 3}
    with pytest.raises(UserError, match=r'cost\[1\]'):
        deploy('a', cost=Prices(input=1))


def test_lowest_cost_needs_a_price(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="'lowest_cost' knows no price of 'a', 'b': give a Deployment of each its"):
        RouterModel([deploy('a'), deploy('b')], strategy='lowest_cost')
    with pytest.raises(UserError, match="'lowest_cost' knows no price of 'b': give a Deployment"):
        RouterModel([deploy('a', cost=(1, 2)), deploy('b')], strategy='lowest_cost')
    monkeypatch.setitem(sys.modules, 'genai_prices', None)
    with pytest.raises(UserError, match=r"'genai_prices': pip install 'pydantic-llm\[prices\]'"):
        RouterModel([deploy('a'), deploy('b')], strategy='lowest_cost')
    RouterModel([deploy('a')], strategy='lowest_cost')
    RouterModel([deploy('a', cost=(1, 2)), deploy('b', cost=(0, 0))], strategy='lowest_cost')


async def test_sticky_keeps_a_conversation_on_its_deployment() -> None:
    router = RouterModel([deploy(name) for name in 'abcdef'], strategy='sticky')
    assert len(await count_responses(router, 20)) == 1
    by_key = {key: (await router.request(HELLO, {'router_key': key})).text for key in map(str, range(60))}  # type: ignore[typeddict-unknown-key]
    assert len(set(by_key.values())) > 3
    fewer = RouterModel([deploy(name) for name in 'abcde'], strategy='sticky')
    for key, name in by_key.items():
        moved = (await fewer.request(HELLO, {'router_key': key})).text  # type: ignore[typeddict-unknown-key]
        assert moved == name or name == 'f'


# ---------------------------------------------------------------------- failures


async def test_a_failed_deployment_cools_down_and_another_is_tried() -> None:
    bad, good = deploy('a', [overloaded()]), deploy('b')
    router = RouterModel([bad, good])
    assert await count_responses(router, 20) == {'b': 20}
    assert len(scripted(bad).requests) <= 1
    response = await RouterModel([bad, good]).request(HELLO)
    assert response.model_name == 'b'


async def test_a_deployment_is_tried_again_after_its_cooldown() -> None:
    router = RouterModel([deploy('a', [overloaded()], ['back'])], cooldown=0.05)
    with pytest.raises(FallbackExceptionGroup):
        await router.request(HELLO)
    began = time.monotonic()
    assert (await router.request(HELLO)).text == 'back'
    assert 0.03 < time.monotonic() - began < 5


async def test_of_two_cooldowns_the_one_that_ends_later_counts() -> None:
    state = MemoryState()
    await state.cool_down('a', 30)
    await state.cool_down('a', 1)
    assert (await state.status(['a']))['a'].cooldown > 25


@pytest.mark.parametrize(
    ('error', 'seconds'),
    [
        (overloaded(), 10),
        (overloaded(retry_after=2), 10),
        (overloaded(retry_after=40), 40),
        (RateLimitError(429, 'm', retry_after=2), 2),
        (RateLimitError(429, 'm'), 10),
        (unauthorized(), 100),
        (ModelHTTPError(400, 'm'), 0),
        (unreachable(), 10),
        (FallbackExceptionGroup('x', [overloaded(), unauthorized()]), 100),
        (ValueError(), 0),
    ],
)
def test_the_cooldown_depends_on_the_error(error: Exception, seconds: float) -> None:
    assert cooldown_after(error, 10) == seconds


async def test_if_all_fail_the_group_holds_all_errors() -> None:
    router = RouterModel([deploy('a', [overloaded()]), deploy('b', [unauthorized()])])
    with pytest.raises(FallbackExceptionGroup) as caught:
        await router.request(HELLO)
    assert len(caught.value.exceptions) == 2


async def test_the_next_group_is_tried_if_the_first_is_not_free() -> None:
    first, second = deploy('a', [overloaded()]), deploy('b')
    router = RouterModel([first], fallbacks=[[second]])
    assert await count_responses(router, 5) == {'b': 5}
    assert len(scripted(first).requests) == 1


async def test_a_stream_falls_back_too() -> None:
    assert (await read_stream(RouterModel([deploy('a', [overloaded()])], fallbacks=[[deploy('b')]]))).text == 'b'
    broken = deploy('a', ['Beg', ModelAPIError('m', 'broke')])
    router = RouterModel([broken], fallbacks=[[deploy('b')]], mid_stream='continue')
    assert (await read_stream(router)).text == 'Begb'
    assert (await router.state.status(['a']))['a'].cooldown > 0
    assert {name: status.under_way for name, status in (await router.state.status('ab')).items()} == {'a': 0, 'b': 0}


@pytest.mark.retries
async def test_a_router_retries_after_the_cooldowns() -> None:
    router = RouterModel(
        [deploy('a', [overloaded()], ['back']), deploy('b', [overloaded()])],
        cooldown=0.03,
        settings={'retries': FAST},
    )
    assert (await router.request(HELLO)).text == 'back'


# ---------------------------------------------------------------------- waiting


async def test_a_request_waits_for_a_free_deployment() -> None:
    router = RouterModel([deploy('a', [0.01, 'a'], concurrency=2)])
    assert await asyncio.gather(*(count_responses(router, 1) for _ in range(8))) == [{'a': 1}] * 8
    assert (await router.state.status('a'))['a'].under_way == 0


async def test_requests_with_a_lower_priority_number_go_first() -> None:
    router = RouterModel([deploy('a', [0.01, 'a'], concurrency=1)])
    order: list[int] = []

    async def ask(priority: int) -> None:
        await router.request(HELLO, {'router_priority': priority})  # type: ignore[typeddict-unknown-key]
        order.append(priority)

    async with asyncio.TaskGroup() as group:
        for priority in (0, 3, 2, 1):
            group.create_task(ask(priority))
            await asyncio.sleep(0)
    assert order == [0, 1, 2, 3]


@pytest.mark.parametrize('settings', [None, {'timeout': 0.05}])
async def test_a_wait_that_would_be_too_long_is_not_started(settings: Any) -> None:
    router = RouterModel([deploy('a', [overloaded()])], max_wait=20)
    with pytest.raises(FallbackExceptionGroup):
        await router.request(HELLO)
    began = time.monotonic()
    with pytest.raises(OverloadedError, match='No deployment is free within') as caught:
        await router.request(HELLO, settings)
    assert time.monotonic() - began < 1
    assert not caught.value.retryable


async def test_a_router_that_does_not_wait_lets_a_fallback_go_on() -> None:
    router = RouterModel([deploy('a', [overloaded()])], max_wait=0)
    model = FallbackModel(router, Scripted('b', ['Two']))
    assert (await model.request(HELLO)).text == (await model.request(HELLO)).text == 'Two'


async def test_a_router_inside_a_fallback_with_a_next_model_does_not_wait() -> None:
    router = RouterModel([deploy('a', [overloaded()])])
    model = FallbackModel(router, Scripted('b', ['Two']))
    began = time.monotonic()
    assert (await model.request(HELLO)).text == (await model.request(HELLO)).text == 'Two'
    assert time.monotonic() - began < 5


@pytest.mark.parametrize('stream', [False, True])
async def test_a_deployment_leaves_time_for_the_next_one(stream: bool) -> None:
    first = [deploy(f'a{number}', [60.0]) for number in range(3)]
    router = RouterModel(first, fallbacks=[[deploy('b', ['Two'])]], max_wait=0)
    settings: Any = {'timeout': 0.4, 'retries': 0}
    if stream:
        async with router.request_stream(HELLO, settings) as answer:
            assert [event async for event in answer]
            assert answer.get().text == 'Two'
    else:
        assert (await router.request(HELLO, settings)).text == 'Two'


async def test_a_cooldown_that_a_vendor_names_is_limited() -> None:
    assert cooldown_after(overloaded(retry_after=1e300), 30) == cooldown_after(
        RateLimitError(429, 'm', retry_after=1e9), 30
    )
    assert cooldown_after(overloaded(retry_after=1e300), 30) <= 3600


async def test_a_full_queue_is_an_error() -> None:
    router = RouterModel([deploy('a', [60.0], concurrency=1)], max_queue=0)
    waiting = asyncio.ensure_future(router.request(HELLO))
    await asyncio.sleep(0.01)
    with pytest.raises(OverloadedError, match='max_queue=0'):
        await router.request(HELLO)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert (await router.state.status('a'))['a'].under_way == 0


async def test_requests_over_a_deployments_limits_go_to_the_next_group() -> None:
    router = RouterModel([deploy('a', requests_per_minute=3)], fallbacks=[[deploy('b')]])
    assert await count_responses(router, 10) == {'a': 3, 'b': 7}
    router = RouterModel([deploy('a', tokens_per_minute=2_000)], fallbacks=[[deploy('b')]])
    assert await count_responses(router, 4, {'max_tokens': 1_900}) == {'a': 1, 'b': 3}


async def test_unused_tokens_are_refunded() -> None:
    deployment = deploy('a', tokens_per_minute=10_000)
    scripted(deployment).usage.output_tokens = 10
    assert await count_responses(RouterModel([deployment], max_wait=0.01), 4, {'max_tokens': 9_000}) == {'a': 4}


async def test_cancelling_releases_the_slot() -> None:
    router = RouterModel([deploy('a', [60.0], concurrency=1)])
    waiting = [asyncio.ensure_future(router.request(HELLO)) for _ in range(3)]
    await asyncio.sleep(0.01)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert ((await router.state.status('a'))['a'].under_way, len(router.queue)) == (0, 0)


# ---------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ('make', 'words'),
    [
        (lambda: RouterModel([]), 'at least one deployment'),
        (lambda: RouterModel([deploy('a')], fallbacks=[[]]), 'at least one deployment'),
        (lambda: RouterModel([deploy('a'), deploy('a')]), "'a'"),
        (lambda: RouterModel([deploy('a')], strategy='best'), 'strategy'),  # type: ignore[arg-type]
        (lambda: RouterModel([deploy('a')], mid_stream='x'), 'mid_stream'),  # type: ignore[arg-type]
        (lambda: RouterModel([deploy('a')], state=MemoryState(), state_url='redis://x'), 'state'),
        (lambda: deploy('a', weight=0), 'weight'),
        (lambda: deploy('a', concurrency=0), 'concurrency'),
        (lambda: deploy('a', tokens_per_minute=-1), 'tokens_per_minute'),
    ],
)
def test_invalid_options_are_errors(make: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        make()


async def test_a_model_by_itself_is_a_deployment() -> None:
    router = RouterModel([Scripted('a', ['One'])])
    assert (await router.request(HELLO)).text == 'One'
    assert (router.model_name, router.system, router.model_id) == ('router:a', 'router:test', 'router:test:a')
