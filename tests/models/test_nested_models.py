"""Nested models count each attempt once, share their deadlines, and let the next model go on."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from pydantic_llm.exceptions import (
    FallbackExceptionGroup,
    LLMError,
    ModelTimeoutError,
    StreamInterruptedError,
    UnexpectedModelBehavior,
)
from pydantic_llm.messages import FinalResultEvent, ModelRequest, ModelResponse, StreamRestartEvent
from pydantic_llm.models import Model
from pydantic_llm.models.concurrency import ConcurrencyLimitedModel
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.rate_limit import RateLimitedModel
from pydantic_llm.models.router import Deployment, RouterModel
from pydantic_llm.retries.policy import RetryPolicy
from tests.models.scripted import Scripted, overloaded, unauthorized
from tests.replay import replay

HELLO = [ModelRequest.user_text_prompt('Hello?')]
FAST = RetryPolicy(retries=2, first_wait=0.001, longest_wait=0.002)
HANG = [60.0]
ways = pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])


def broken(text: str = 'broke') -> StreamInterruptedError:
    return StreamInterruptedError('m', text)


async def ask(model: Model, settings: Any = None, *, stream: bool) -> ModelResponse:
    if not stream:
        return await model.request(HELLO, settings)
    return (await read(model, settings))[1]


async def read(model: Model, settings: Any = None) -> tuple[list[Any], ModelResponse]:
    async with model.request_stream(HELLO, settings) as streamed:
        events = [event async for event in streamed]
        return events, streamed.get()


async def fail(model: Model, settings: Any = None, *, stream: bool = False) -> LLMError:
    with pytest.raises(LLMError) as caught:
        await ask(model, settings, stream=stream)
    return caught.value


# ---------------------------------------------------------------------- counting


@pytest.mark.retries
@ways
async def test_usage_and_warnings_of_earlier_passes_count(stream: bool) -> None:
    first = Scripted('a', [('truncate', '')], usage=100)
    second = Scripted('b', [overloaded()], ['Hi'], usage=1)
    response = await ask(FallbackModel(first, second), {'retries': FAST}, stream=stream)
    assert (response.text, response.usage.input_tokens) == ('Hi', 201)
    assert len(response.warnings) == 3


async def test_the_usage_of_a_group_of_failures_counts() -> None:
    inner = FallbackModel(Scripted('a', [('truncate', '')], usage=100), Scripted('b', [('truncate', '')], usage=10))
    response = await FallbackModel(inner, Scripted('c', usage=1)).request(HELLO)
    assert response.usage.input_tokens == 111


async def test_the_usage_of_a_rejected_response_in_a_group_counts() -> None:
    def reject(response: ModelResponse) -> bool:
        return True

    inner = FallbackModel(Scripted('a', usage=100), fallback_on=[reject])
    response = await FallbackModel(inner, Scripted('b', usage=1), fallback_on=FallbackExceptionGroup).request(HELLO)
    assert response.usage.input_tokens == 101


@pytest.mark.retries
@ways
async def test_an_error_has_the_errors_of_the_attempts_before_it(stream: bool) -> None:
    model = FallbackModel(Scripted('a', [overloaded()]), Scripted('b', [overloaded()], [unauthorized()]))
    error = await fail(model, {'retries': RetryPolicy(retries=1, first_wait=0.001)}, stream=stream)
    assert isinstance(error, FallbackExceptionGroup)
    assert [type(each).__name__ for each in error.exceptions] == ['ModelHTTPError', 'ModelHTTPError']
    [earlier] = error.earlier_attempts
    assert isinstance(earlier, FallbackExceptionGroup)
    assert len(earlier.exceptions) == 2


@ways
async def test_an_error_that_ends_a_sequence_has_the_failures_before_it(stream: bool) -> None:
    unexpected = UnexpectedModelBehavior('odd')
    model = FallbackModel(Scripted('a', [overloaded()]), Scripted('b', [0.0, unexpected]), Scripted('c'))
    error = await fail(model, stream=stream)
    assert error is unexpected
    assert [str(each) for each in error.earlier_attempts] == ['overloaded']


@ways
async def test_failures_are_kept_if_no_other_deployment_becomes_free(stream: bool) -> None:
    router = RouterModel(
        [Deployment(Scripted('a', [overloaded()]))],
        fallbacks=[[Deployment(Scripted('b', HANG), concurrency=1)]],
        max_wait=0,
    )
    hog = asyncio.ensure_future(router.groups[1][0].built.request(HELLO))
    await router.state.reserve('test:b', router.groups[1][0].limits, 0)
    error = await fail(router, {'retries': 0}, stream=stream)
    hog.cancel()
    assert isinstance(error, FallbackExceptionGroup)
    assert [str(each).partition(' within')[0] for each in error.exceptions] == ['overloaded', 'No deployment is free']


@pytest.mark.retries
async def test_time_is_counted_once_in_a_retried_sequence() -> None:
    model = FallbackModel(Scripted('a', [0.3, overloaded()], [overloaded()], ['Hi']))
    response = await model.request(HELLO, {'timeout': 0.59, 'retries': RetryPolicy(retries=2, first_wait=0.02)})
    assert response.text == 'Hi'


# ---------------------------------------------------------------------- deadlines


@ways
async def test_nested_models_leave_time_for_the_next_model(stream: bool) -> None:
    inner = FallbackModel(Scripted('a', HANG), Scripted('b', HANG), Scripted('c', HANG))
    model = FallbackModel(inner, Scripted('d', ['Hi']))
    assert (await ask(model, {'timeout': 0.4, 'retries': 0}, stream=stream)).text == 'Hi'


@ways
async def test_an_attempt_timeout_is_the_time_of_a_whole_nested_model(stream: bool) -> None:
    inner = FallbackModel(Scripted('a', HANG), Scripted('b', HANG), Scripted('c', HANG))
    began = time.monotonic()
    model = FallbackModel(inner, Scripted('d', ['Hi']), attempt_timeout=0.2)
    assert (await ask(model, {'retries': 0}, stream=stream)).text == 'Hi'
    assert time.monotonic() - began < 0.55


def full_rate() -> Model:
    model = RateLimitedModel(Scripted('a'), requests_per_minute=1)
    assert model._requests is not None
    model._requests.level = 0
    return model


def full_router() -> Model:
    return RouterModel([Deployment(Scripted('a'), requests_per_minute=0.5)], max_wait=60)


@pytest.mark.parametrize('make', [full_rate, full_router])
@ways
async def test_a_queue_leaves_time_for_the_next_model(make: Any, stream: bool) -> None:
    full = make()
    if isinstance(full, RouterModel):
        await full.request(HELLO)
    began = time.monotonic()
    model = FallbackModel(full, Scripted('b', ['Next']), attempt_timeout=0.1)
    assert (await ask(model, {'timeout': 5, 'retries': 0}, stream=stream)).text == 'Next'
    assert time.monotonic() - began < 4


async def test_a_wait_in_a_queue_is_part_of_the_first_token_timeout() -> None:
    wrapped = Scripted('a', HANG)
    model = RateLimitedModel(wrapped, requests_per_minute=600)
    assert model._requests is not None
    model._requests.level = 0
    assert isinstance(await fail(model, {'first_token_timeout': 0.15, 'retries': 0}, stream=True), ModelTimeoutError)
    assert wrapped.requests[0][1]['first_token_timeout'] < 0.1


@pytest.mark.parametrize('between', ['a fallback', 'a rate limit', 'a later model of a stream'])
@ways
async def test_a_nested_router_does_not_wait_if_an_outer_model_has_another_one(between: str, stream: bool) -> None:
    router: Model = RouterModel([Deployment(Scripted('a', [overloaded()]))])
    assert isinstance(await fail(router, {'retries': 0}), FallbackExceptionGroup)
    wrapped = {
        'a fallback': FallbackModel(router),
        'a rate limit': RateLimitedModel(router, requests_per_minute=100),
        'a later model of a stream': FallbackModel(Scripted('0', [0.0, broken()]), router),
    }[between]
    began = time.monotonic()
    assert (await ask(FallbackModel(wrapped, Scripted('b', ['Two'])), stream=stream)).text == 'Two'
    assert time.monotonic() - began < 5


async def test_the_error_of_a_queue_names_the_queue() -> None:
    model = ConcurrencyLimitedModel(Scripted('a', HANG), limit=1)
    hog = asyncio.ensure_future(model.request(HELLO))
    await asyncio.sleep(0)
    error = await fail(model, {'timeout': 0.02})
    hog.cancel()
    assert str(error) == 'No slot of a became free within timeout of 0.02 s: 1 requests are under way'


# ---------------------------------------------------------------------- the middle of a stream


async def test_a_restart_inside_a_continued_response_repeats_the_text_that_it_continues() -> None:
    inner = FallbackModel(Scripted('b', [', tw', broken()]), Scripted('c', [', two.']), mid_stream='restart')
    outer = FallbackModel(Scripted('a', ['One', broken()]), inner, mid_stream='continue')
    events, response = await read(outer)
    assert (response.text, replay(events)) == ('One, two.', response.parts)
    assert sum(isinstance(event, StreamRestartEvent) for event in events) == 1
    assert sum(isinstance(event, FinalResultEvent) for event in events) == 2


async def test_the_text_stays_if_no_model_is_left_to_start_again() -> None:
    models = [Scripted('a', ['One', broken()]), Scripted('b', [', two', ('call', 'look'), broken()])]
    events: list[Any] = []

    async def listen(stream: Any) -> None:
        async for event in stream:
            events.append(event)  # noqa: PERF401 -- the events before the error count

    async with FallbackModel(*models, mid_stream='continue').request_stream(HELLO) as stream:
        with pytest.raises(FallbackExceptionGroup):
            await listen(stream)
    assert replay(events) == stream.get().parts
    assert stream.get().text == 'One, two'


async def test_a_model_without_text_does_not_end_a_continued_response() -> None:
    models = [Scripted('a', ['One', broken()]), Scripted('b', [0.0, broken()]), Scripted('c', [', two'])]
    events, response = await read(FallbackModel(*models, mid_stream='continue'))
    assert (response.text, replay(events)) == ('One, two', response.parts)


async def test_a_stream_is_closed_before_its_slot_is_released() -> None:
    first = Scripted('a', ['One', broken()])
    router = RouterModel([Deployment(first, concurrency=1)])
    released: list[int] = []

    async def release(*arguments: Any) -> None:
        released.append(first.open_streams)
        raise asyncio.CancelledError

    router.state.release = release  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        async with router.request_stream(HELLO) as stream:
            await anext(stream)
    assert (released, first.open_streams) == ([0], 0)
