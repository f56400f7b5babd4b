"""A router asks one of several deployments: by a strategy, within their limits, and not one that has just failed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
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
from pydantic_llm.models.router.model import Deployment, RouterModel, cooldown_after
from pydantic_llm.models.router.state import Limits, MemoryState
from pydantic_llm.retries.policy import RetryPolicy
from tests.models.scripted import Scripted, overloaded, refused, unreachable
from tests.replay import replay

HELLO = [ModelRequest.user_text_prompt('Hello?')]
FAST = RetryPolicy(retries=2, first_wait=0.001, longest_wait=0.002)


def answering(name: str, *scripts: Any, **options: Any) -> Deployment:
    return Deployment(Scripted(name, *(scripts or ([name],))), name=name, **options)


def scripted(deployment: Deployment) -> Scripted:
    assert isinstance(deployment.model, Scripted)
    return deployment.model


async def asked(router: RouterModel, times: int, settings: Any = None) -> Counter[str | None]:
    return Counter([(await router.request(HELLO, settings)).text for _ in range(times)])


async def read(router: RouterModel, settings: Any = None) -> ModelResponse:
    async with router.request_stream(HELLO, settings) as stream:
        events = [event async for event in stream]
        if not any(isinstance(event, StreamRestartEvent) for event in events):
            assert replay(events) == stream.get().parts
        return stream.get()


# ---------------------------------------------------------------------- strategies


async def test_chance_chooses_by_weight() -> None:
    router = RouterModel([answering('a', weight=9), answering('b', weight=1)])
    count = await asked(router, 400)
    assert 320 < count['a'] < 395


async def test_the_least_busy_is_asked() -> None:
    busy, free = answering('a', [60.0]), answering('b')
    router = RouterModel([busy, free], strategy='least_busy')
    waiting = asyncio.ensure_future(router.state.take('a', Limits(), 0))
    await waiting
    assert await asked(router, 10) == {'b': 10}


async def test_the_fastest_is_asked_once_all_are_known() -> None:
    router = RouterModel([answering('a', [0.02, 'a']), answering('b')], strategy='lowest_latency')
    assert await asked(router, 10) == {'a': 1, 'b': 9}


async def test_the_cheapest_is_asked() -> None:
    router = RouterModel(
        [answering('a', cost=(5, 20)), answering('b', cost=(1, 5)), answering('c')], strategy='lowest_cost'
    )
    assert await asked(router, 10) == {'b': 10}


async def test_a_conversation_stays_where_it_is() -> None:
    router = RouterModel([answering(name) for name in 'abcdef'], strategy='sticky')
    assert len(await asked(router, 20)) == 1
    by_key = {key: (await router.request(HELLO, {'router_key': key})).text for key in map(str, range(60))}  # type: ignore[typeddict-unknown-key]
    assert len(set(by_key.values())) > 3
    fewer = RouterModel([answering(name) for name in 'abcde'], strategy='sticky')
    for key, name in by_key.items():
        moved = (await fewer.request(HELLO, {'router_key': key})).text  # type: ignore[typeddict-unknown-key]
        assert moved == name or name == 'f'


# ---------------------------------------------------------------------- failures


async def test_one_that_failed_is_left_alone_and_another_is_asked() -> None:
    bad, good = answering('a', [overloaded()]), answering('b')
    router = RouterModel([bad, good])
    assert await asked(router, 20) == {'b': 20}
    assert len(scripted(bad).asked) <= 1
    response = await RouterModel([bad, good]).request(HELLO)
    assert response.model_name == 'b'


async def test_it_is_asked_again_after_its_time() -> None:
    router = RouterModel([answering('a', [overloaded()], ['back'])], cooldown=0.05)
    with pytest.raises(FallbackExceptionGroup):
        await router.request(HELLO)
    began = time.monotonic()
    assert (await router.request(HELLO)).text == 'back'
    assert 0.03 < time.monotonic() - began < 5


async def test_of_two_cooldowns_the_one_that_ends_later_counts() -> None:
    state = MemoryState()
    await state.cool('a', 30)
    await state.cool('a', 1)
    assert (await state.look(['a']))['a'].cooling > 25


@pytest.mark.parametrize(
    ('error', 'seconds'),
    [
        (overloaded(), 10),
        (overloaded(retry_after=2), 10),
        (overloaded(retry_after=40), 40),
        (RateLimitError(429, 'm', retry_after=2), 2),
        (RateLimitError(429, 'm'), 10),
        (refused(), 100),
        (ModelHTTPError(400, 'm'), 0),
        (unreachable(), 10),
        (FallbackExceptionGroup('x', [overloaded(), refused()]), 100),
        (ValueError(), 0),
    ],
)
def test_an_error_says_how_long_to_leave_a_deployment_alone(error: Exception, seconds: float) -> None:
    assert cooldown_after(error, 10) == seconds


async def test_where_all_fail_every_error_is_told() -> None:
    router = RouterModel([answering('a', [overloaded()]), answering('b', [refused()])])
    with pytest.raises(FallbackExceptionGroup) as caught:
        await router.request(HELLO)
    assert len(caught.value.exceptions) == 2


async def test_the_next_group_is_asked_where_the_first_is_not_free() -> None:
    first, second = answering('a', [overloaded()]), answering('b')
    router = RouterModel([first], fallbacks=[[second]])
    assert await asked(router, 5) == {'b': 5}
    assert len(scripted(first).asked) == 1


async def test_a_stream_moves_on_too() -> None:
    assert (await read(RouterModel([answering('a', [overloaded()])], fallbacks=[[answering('b')]]))).text == 'b'
    broken = answering('a', ['Beg', ModelAPIError('m', 'broke')])
    router = RouterModel([broken], fallbacks=[[answering('b')]], mid_stream='continue')
    assert (await read(router)).text == 'Begb'
    assert (await router.state.look(['a']))['a'].cooling > 0
    assert {name: standing.under_way for name, standing in (await router.state.look('ab')).items()} == {'a': 0, 'b': 0}


@pytest.mark.retries
async def test_a_router_tries_again_when_its_deployments_may_be_asked_again() -> None:
    router = RouterModel(
        [answering('a', [overloaded()], ['back']), answering('b', [overloaded()])],
        cooldown=0.03,
        settings={'retries': FAST},
    )
    assert (await router.request(HELLO)).text == 'back'


# ---------------------------------------------------------------------- waiting


async def test_a_request_waits_for_the_next_that_is_free() -> None:
    router = RouterModel([answering('a', [0.01, 'a'], concurrency=2)])
    assert await asyncio.gather(*(asked(router, 1) for _ in range(8))) == [{'a': 1}] * 8
    assert (await router.state.look('a'))['a'].under_way == 0


async def test_requests_with_a_lower_number_go_first() -> None:
    router = RouterModel([answering('a', [0.01, 'a'], concurrency=1)])
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
async def test_a_wait_that_would_be_too_long_is_not_begun(settings: Any) -> None:
    router = RouterModel([answering('a', [overloaded()])], max_wait=20)
    with pytest.raises(FallbackExceptionGroup):
        await router.request(HELLO)
    began = time.monotonic()
    with pytest.raises(OverloadedError, match='No deployment is free within') as caught:
        await router.request(HELLO, settings)
    assert time.monotonic() - began < 1
    assert not caught.value.retryable


async def test_a_router_inside_a_fallback_gives_way() -> None:
    router = RouterModel([answering('a', [overloaded()])], max_wait=0)
    model = FallbackModel(router, Scripted('b', ['Two']))
    assert (await model.request(HELLO)).text == (await model.request(HELLO)).text == 'Two'


async def test_the_line_can_be_full() -> None:
    router = RouterModel([answering('a', [60.0], concurrency=1)], max_queue=0)
    waiting = asyncio.ensure_future(router.request(HELLO))
    await asyncio.sleep(0.01)
    with pytest.raises(OverloadedError, match='max_queue=0'):
        await router.request(HELLO)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert (await router.state.look('a'))['a'].under_way == 0


async def test_limits_of_a_deployment_send_requests_elsewhere() -> None:
    router = RouterModel([answering('a', requests_per_minute=3)], fallbacks=[[answering('b')]])
    assert await asked(router, 10) == {'a': 3, 'b': 7}
    router = RouterModel([answering('a', tokens_per_minute=2_000)], fallbacks=[[answering('b')]])
    assert await asked(router, 4, {'max_tokens': 1_900}) == {'a': 1, 'b': 3}


async def test_tokens_that_were_not_needed_are_free_again() -> None:
    deployment = answering('a', tokens_per_minute=10_000)
    scripted(deployment).usage.output_tokens = 10
    assert await asked(RouterModel([deployment], max_wait=0.01), 4, {'max_tokens': 9_000}) == {'a': 4}


async def test_cancelling_gives_the_place_back() -> None:
    router = RouterModel([answering('a', [60.0], concurrency=1)])
    waiting = [asyncio.ensure_future(router.request(HELLO)) for _ in range(3)]
    await asyncio.sleep(0.01)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert ((await router.state.look('a'))['a'].under_way, len(router.line)) == (0, 0)


# ---------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ('make', 'words'),
    [
        (lambda: RouterModel([]), 'at least one deployment'),
        (lambda: RouterModel([answering('a')], fallbacks=[[]]), 'at least one deployment'),
        (lambda: RouterModel([answering('a'), answering('a')]), "'a'"),
        (lambda: RouterModel([answering('a')], strategy='best'), 'strategy'),  # type: ignore[arg-type]
        (lambda: RouterModel([answering('a')], mid_stream='x'), 'mid_stream'),  # type: ignore[arg-type]
        (lambda: RouterModel([answering('a')], state=MemoryState(), state_url='redis://x'), 'state'),
        (lambda: answering('a', weight=0), 'weight'),
        (lambda: answering('a', concurrency=0), 'concurrency'),
        (lambda: answering('a', tokens_per_minute=-1), 'tokens_per_minute'),
    ],
)
def test_mistakes_are_named(make: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        make()


async def test_a_model_alone_is_a_deployment() -> None:
    router = RouterModel([Scripted('a', ['One'])])
    assert (await router.request(HELLO)).text == 'One'
    assert (router.model_name, router.system, router.model_id) == ('router:a', 'router:test', 'router:test:a')
