"""A router asks a second deployment if the first is slow: which response is used, and what becomes of the other one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from pydantic_llm import UserError
from pydantic_llm.exceptions import FallbackExceptionGroup, ModelHTTPError, ModelTimeoutError
from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse, StreamRestartEvent
from pydantic_llm.models import Model, ModelRequestParameters
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.router import Deployment, RouterModel, hedge
from pydantic_llm.models.router.redis_state import RedisState
from pydantic_llm.observers import HedgeStarted, ModelFailed, listen
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.settings import ModelSettings
from tests.models.redis_server import Redis, needs_redis, redis as redis  # a fixture
from tests.models.scripted import Scripted, overloaded, unauthorized
from tests.transport.server import Exchange, Server, chunk, send_completion, send_stream

HELLO = [ModelRequest.user_text_prompt('Hello?')]
LONG = 30.0
"""Seconds that no test waits for."""
SOON = 0.03
"""Seconds until the second deployment is asked."""

streamed = pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])


def make_router(first: Model, second: Model, **options: Any) -> RouterModel:
    """Return a router that tries the first model first. Both have room for one request."""
    groups = [Deployment(first, name='first', concurrency=1)], [Deployment(second, name='second', concurrency=1)]
    options = {'hedge_after': SOON, 'max_wait': 0, **options}
    return RouterModel(groups[0], fallbacks=[groups[1]], **options)


async def ask(router: RouterModel, *, stream: bool, settings: Any = None) -> ModelResponse:
    async def send() -> ModelResponse:
        if not stream:
            return await router.request(HELLO, settings)
        async with router.request_stream(HELLO, settings) as opened:
            async for _ in opened:
                pass
            return opened.get()

    async with asyncio.timeout(5):
        return await send()


async def count_busy(router: RouterModel) -> list[int]:
    return [status.under_way for status in (await router.state.status(['first', 'second'])).values()]


NO_RETRIES: Any = {'retries': 0}


# ---------------------------------------------------------------------- which one is used


@streamed
async def test_a_deployment_that_responds_in_time_has_no_rival(stream: bool) -> None:
    first, second = Scripted('a', ['One', 0.05, ' two'], usage=3), Scripted('b')
    events: list[object] = []
    with listen(events.append):
        response = await ask(make_router(first, second, hedge_after=0.02 if stream else 1), stream=stream)
    assert (response.text, response.usage.input_tokens, response.attempts) == ('One two', 3, ())
    assert (second.requests, events) == ([], [])


@streamed
async def test_the_second_deployment_is_used_if_it_starts_to_respond_first(stream: bool) -> None:
    first, second = Scripted('a', [LONG, 'One'], usage=3), Scripted('b', ['Two', ' three'], usage=5)
    router, events = make_router(first, second), list[object]()
    with listen(events.append):
        response = await ask(router, stream=stream)
    assert response.text == 'Two three'
    assert events == [HedgeStarted('test:b', 'test:a', SOON)]
    assert first.open_streams == 0
    assert await count_busy(router) == [0, 0]


@streamed
async def test_the_first_deployment_is_used_if_it_still_starts_to_respond_first(stream: bool) -> None:
    first, second = Scripted('a', [0.08, 'One'], usage=3), Scripted('b', [LONG, 'Two'])
    router = make_router(first, second)
    response = await ask(router, stream=stream)
    assert (response.text, len(second.requests), second.open_streams) == ('One', 1, 0)
    assert await count_busy(router) == [0, 0]


async def test_a_stream_starts_with_its_first_event_and_not_with_its_headers() -> None:
    first, second = Scripted('a', ['One', LONG, ' two']), Scripted('b', ['Two'])
    async with make_router(first, second).request_stream(HELLO) as stream:
        await anext(stream)
        assert stream.get().text == 'One'
        await asyncio.sleep(2 * SOON)
    assert second.requests == []


@streamed
async def test_the_usage_of_both_is_counted_and_the_unknown_one_is_marked(stream: bool) -> None:
    response = await ask(
        make_router(Scripted('a', [LONG]), Scripted('b', ['Two'], usage=5), mid_stream='raise'), stream=stream
    )
    assert (response.usage.input_tokens, response.usage.source('input_tokens')) == (5, 'missing')
    assert [(each.model_name, each.usage.missing) for each in response.attempts] == [
        ('a', ('input_tokens', 'output_tokens')),
        ('b', ()),
    ]


async def test_a_response_that_arrived_too_late_to_be_cancelled_is_counted() -> None:
    class Stubborn(Scripted):
        """A model that responds although it was cancelled."""

        async def request(
            self,
            messages: Sequence[ModelMessage],
            model_settings: ModelSettings | None = None,
            model_request_parameters: ModelRequestParameters | None = None,
        ) -> ModelResponse:
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                return ModelResponse([], usage=self.usage, model_name='a')
            raise AssertionError('it was not cancelled')

    response = await ask(make_router(Stubborn('a', usage=7), Scripted('b', ['Two'], usage=5)), stream=False)
    assert (response.text, response.usage.input_tokens, response.usage.missing) == ('Two', 12, ())


async def test_the_latency_of_a_slow_deployment_is_recorded_although_it_lost() -> None:
    router = make_router(Scripted('a', [LONG]), Scripted('b', ['Two']))
    await ask(router, stream=False)
    statuses = await router.state.status(['first', 'second'])
    assert (statuses['first'].latency or 0) >= SOON > (statuses['second'].latency or 1)
    assert statuses['first'].cooldown == 0


# ---------------------------------------------------------------------- failures


@streamed
async def test_if_the_slow_deployment_fails_the_second_one_goes_on(stream: bool) -> None:
    router = make_router(Scripted('a', [0.06, overloaded()]), Scripted('b', [0.12, 'Two']))
    events: list[object] = []
    with listen(events.append):
        response = await ask(router, stream=stream)
    assert response.text == 'Two'
    assert 'test:a failed' in response.warnings[0]
    assert [type(event) for event in events] == [HedgeStarted, ModelFailed]
    assert (await router.state.status(['first']))['first'].cooldown > 0


@streamed
async def test_if_the_second_deployment_fails_the_slow_one_goes_on(stream: bool) -> None:
    router = make_router(Scripted('a', [0.1, 'One']), Scripted('b', [overloaded()]))
    response = await ask(router, stream=stream)
    assert response.text == 'One'
    assert 'test:b failed' in response.warnings[0]


@streamed
async def test_if_both_fail_the_error_has_both(stream: bool) -> None:
    router = make_router(Scripted('a', [0.06, overloaded()]), Scripted('b', [0.06, overloaded()]))
    with pytest.raises(FallbackExceptionGroup) as caught:
        await ask(router, stream=stream, settings=NO_RETRIES)
    assert len(caught.value.exceptions) == 2
    assert await count_busy(router) == [0, 0]


@streamed
async def test_if_both_fail_the_next_one_is_asked(stream: bool) -> None:
    models = [Scripted('a', [0.06, overloaded()]), Scripted('b', [0.06, overloaded()]), Scripted('c', ['Three'])]
    router = RouterModel([models[0]], fallbacks=[[each] for each in models[1:]], hedge_after=SOON)
    assert (await ask(router, stream=stream)).text == 'Three'


@streamed
async def test_a_failure_before_the_second_is_asked_is_a_usual_fallback(stream: bool) -> None:
    events: list[object] = []
    with listen(events.append):
        response = await ask(make_router(Scripted('a', [overloaded()]), Scripted('b', ['Two'])), stream=stream)
    assert (response.text, [type(event) for event in events]) == ('Two', [ModelFailed])


@streamed
async def test_an_error_that_allows_no_fallback_stops_both(stream: bool) -> None:
    def is_overload(error: Exception) -> bool:
        return isinstance(error, ModelHTTPError) and error.status_code == 503

    second = Scripted('b', [LONG])
    router = make_router(Scripted('a', [0.06, unauthorized()]), second, fallback_on=is_overload)
    with pytest.raises(ModelHTTPError, match='not valid'):
        await ask(router, stream=stream)
    assert (len(second.requests), second.open_streams, await count_busy(router)) == (1, 0, [0, 0])


@pytest.mark.parametrize('mid_stream', ['raise', 'restart', 'continue'])
async def test_if_the_winner_fails_in_the_middle_the_slow_one_may_take_over(mid_stream: Any) -> None:
    first, second = Scripted('a', [LONG], ['One']), Scripted('b', ['Two', overloaded()])
    router, events = make_router(first, second, mid_stream=mid_stream), list[object]()
    if mid_stream == 'raise':
        with pytest.raises(ModelHTTPError):
            await ask(router, stream=True)
        return
    async with asyncio.timeout(5), router.request_stream(HELLO) as stream:
        events = [event async for event in stream]
        response = stream.get()
    assert response.text == ('One' if mid_stream == 'restart' else 'TwoOne')
    assert any(isinstance(event, StreamRestartEvent) for event in events) == (mid_stream == 'restart')
    assert await count_busy(router) == [0, 0]


class Unstoppable(Scripted):
    """A model that ignores its cancellation for a while."""

    ended: asyncio.Event

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        self.ended, until = asyncio.Event(), time.monotonic() + 0.3
        while time.monotonic() < until:
            try:
                await asyncio.sleep(until - time.monotonic())
            except asyncio.CancelledError:
                continue
        self.ended.set()
        return ModelResponse([])


async def test_a_deployment_that_ignores_its_cancellation_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hedge, 'CANCEL_SECONDS', 0.02)
    slow = Unstoppable('a')
    router, began = make_router(slow, Scripted('b', ['Two'])), time.monotonic()
    assert (await ask(router, stream=False)).text == 'Two'
    assert time.monotonic() - began < 0.25
    assert await count_busy(router) == [0, 0]
    await slow.ended.wait()
    await asyncio.sleep(0.01)
    assert not hedge._late  # pyright: ignore[reportPrivateUsage] -- nothing is kept


# ---------------------------------------------------------------------- limits, deadlines, cancellation


@streamed
async def test_without_a_free_deployment_the_slow_one_is_awaited(stream: bool) -> None:
    first, second = Scripted('a', [0.08, 'One']), Scripted('b', ['Two'])
    router = make_router(first, second)
    assert await router.state.reserve('second', router.deployments[1].limits, 0)
    assert (await ask(router, stream=stream)).text == 'One'
    await router.state.cool_down('second', 9)
    assert (await ask(make_router(first, second, state=router.state), stream=stream)).text == 'One'
    assert second.requests == []


@streamed
async def test_a_deadline_holds_for_both(stream: bool) -> None:
    router, began = make_router(Scripted('a', [LONG]), Scripted('b', [LONG])), time.monotonic()
    with pytest.raises(FallbackExceptionGroup) as caught:
        await ask(router, stream=stream, settings={'timeout': 0.15, 'retries': 0})
    assert [type(error) for error in caught.value.exceptions] == [ModelTimeoutError, ModelTimeoutError]
    assert time.monotonic() - began < 1
    assert await count_busy(router) == [0, 0]


@streamed
async def test_if_the_caller_is_cancelled_both_are(stream: bool) -> None:
    first, second = Scripted('a', [LONG]), Scripted('b', [LONG])
    router, hedged = make_router(first, second), asyncio.Event()
    with listen(lambda event: hedged.set()):
        task = asyncio.ensure_future(ask(router, stream=stream))
    async with asyncio.timeout(5):
        await hedged.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (first.open_streams, second.open_streams, await count_busy(router)) == (0, 0, [0, 0])
    assert (await router.state.status(['first']))['first'].latency is None


async def test_a_stream_that_is_left_early_releases_the_slot_of_the_winner() -> None:
    router = make_router(Scripted('a', [LONG]), Scripted('b', ['Two', LONG]))
    async with router.request_stream(HELLO) as stream:
        await anext(stream)
        assert await count_busy(router) == [0, 1]
    assert await count_busy(router) == [0, 0]


async def test_a_router_with_hedging_works_inside_a_fallback() -> None:
    inner = make_router(Scripted('a', [0.06, overloaded()]), Scripted('b', [0.06, overloaded()]))
    model = FallbackModel(inner, Scripted('c', ['Three']))
    assert (await model.request(HELLO)).text == 'Three'


class Counting(Scripted):
    """A model that counts the tasks of its event loop."""

    tasks = 0

    def start(self, messages: Sequence[ModelMessage], settings: ModelSettings | None) -> None:
        self.tasks = len(asyncio.all_tasks())
        super().start(messages, settings)


@streamed
@pytest.mark.parametrize(('hedge_after', 'added'), [(None, 0), (LONG, 1)])
async def test_without_hedging_there_is_no_task(stream: bool, hedge_after: float | None, added: int) -> None:
    model, before = Counting('a'), len(asyncio.all_tasks())
    await ask(make_router(model, Scripted('b'), hedge_after=hedge_after), stream=stream)
    assert model.tasks == before + added


@pytest.mark.parametrize('wrong', [0, -1, 'soon', float('nan')])
def test_a_wrong_time_is_an_error(wrong: Any) -> None:
    with pytest.raises(UserError, match='hedge_after'):
        make_router(Scripted('a'), Scripted('b'), hedge_after=wrong)
    with pytest.raises(UserError, match='hedge_after needs a second deployment'):
        RouterModel([Scripted('a')], hedge_after=1)


@needs_redis
@streamed
async def test_slots_in_redis_are_released(redis: Redis, stream: bool) -> None:
    state = RedisState(redis.url, prefix=f'hedge-{stream}')
    router = make_router(Scripted('a', [LONG]), Scripted('b', ['Two']), state=state)
    assert [(await ask(router, stream=stream)).text for _ in range(2)] == ['Two', 'Two']
    assert await count_busy(router) == [0, 0]
    assert ((await state.status(['first']))['first'].latency or 0) >= SOON
    await router.aclose()


# ---------------------------------------------------------------------- over a connection


def connect(server: Server) -> Model:
    return OpenAIChatModel('gpt-4o', provider=OpenAIProvider(base_url=server.url, api_key='k'))


@streamed
async def test_the_connection_of_the_slow_deployment_is_closed(stream: bool) -> None:
    gone = asyncio.Event()

    async def stay_silent(exchange: Exchange) -> None:
        if stream:
            await exchange.begin()
        await exchange.wait_until_gone()
        gone.set()

    async with Server(stay_silent).run() as slow, Server(send_stream if stream else send_completion).run() as fast:
        router = make_router(*map(connect, (slow, fast)))
        response = await ask(router, stream=stream)
        assert response.text
        async with asyncio.timeout(2):
            await gone.wait()
        await router.aclose()


async def test_a_stream_goes_on_after_its_first_event_was_awaited_in_another_task() -> None:
    async def send_slowly(exchange: Exchange) -> None:
        await exchange.begin()
        for text in ('One', ' two', ' three'):
            await asyncio.sleep(0.05)
            await exchange.event(chunk(text))
        await exchange.event(chunk(finish='stop'))
        await exchange.chunk(b'data: [DONE]\n\n')
        await exchange.end()

    async with Server(send_slowly).run() as one, Server(send_slowly).run() as two:
        models = [
            OpenAIChatModel('gpt-4o', provider=OpenAIProvider(base_url=server.url, api_key='k'))
            for server in (one, two)
        ]
        router = make_router(*models)
        assert (await ask(router, stream=True)).text == 'One two three'
        await router.aclose()
