from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, cast

import httpx
import httpx2
import openai
import pytest

from pydantic_llm.exceptions import ModelTimeoutError, UserError
from pydantic_llm.settings import ModelSettings
from pydantic_llm.transport import ByteStream, Deadlines
from pydantic_llm.transport.deadlines import DeadlineExceeded, Watchdog
from tests.transport.clients import (
    HISTORY,
    KEY,
    Make,
    anthropic_httpx2,
    chat_model,
    openai_httpx2,
    raw_request,
    through,
)
from tests.transport.conftest import Serve
from tests.transport.server import Exchange, Server, chunk, send_completion

SOON = 0.1
"""A deadline that passes during a test, in seconds."""
LATER = 30.0
"""A deadline that does not pass."""


async def hang(exchange: Exchange) -> None:
    await exchange.wait_until_gone()


async def hang_after_the_head(exchange: Exchange) -> None:
    await exchange.head(200, {'content-type': 'application/json', 'content-length': '100'})
    await exchange.wait_until_gone()


async def hang_in_the_body(exchange: Exchange) -> None:
    await exchange.head(200, {'content-type': 'application/json', 'content-length': '100'})
    await exchange.write(b'{"id": ')
    await exchange.wait_until_gone()


async def begin_and_hang(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.wait_until_gone()


async def stall(exchange: Exchange) -> None:
    """Send one event, then nothing."""
    await exchange.begin()
    await exchange.event(chunk('Hi'))
    await exchange.wait_until_gone()


async def comment(exchange: Exchange) -> None:
    """Send only comments."""
    await exchange.begin()
    await keep_alive(exchange)


async def comment_after_an_event(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.event(chunk('Hi'))
    await keep_alive(exchange)


async def trickle(exchange: Exchange) -> None:
    """Send events without end."""
    await exchange.begin()
    while not exchange.reader.at_eof():
        await exchange.event(chunk('Hi'))
        await asyncio.sleep(SOON / 10)


async def keep_alive(exchange: Exchange) -> None:
    while not exchange.reader.at_eof():
        await exchange.chunk(b': keep-alive\n\n')
        await asyncio.sleep(SOON / 10)


async def read_all(connect: Make, server: Server, **deadlines: float) -> list[bytes]:
    stream = await connect(server.url).open(raw_request(**deadlines))
    return [data async for data in read_to_the_end(stream)]


async def read_to_the_end(stream: ByteStream) -> AsyncIterator[bytes]:
    """Read as models do: each chunk with an event is progress."""
    try:
        while data := await stream.read():
            if b'data:' in data:
                stream.progress()
            yield data
    finally:
        await stream.aclose()


# ---------------------------------------------------------------------- each deadline


@pytest.mark.parametrize('answer', [hang, hang_after_the_head, hang_in_the_body])
async def test_the_timeout_ends_a_request(serve: Serve, connect: Make, answer: Any) -> None:
    server = await serve(answer)
    connection = connect(server.url)
    began = time.monotonic()
    with pytest.raises(ModelTimeoutError, match=r'the-model did not answer within timeout of 0\.1 s') as caught:
        await connection.send(raw_request(timeout=SOON))
    assert SOON <= time.monotonic() - began < 1
    error = caught.value
    assert (error.deadline, error.seconds, error.provider_name, error.retryable) == ('timeout', SOON, 'vendor', True)
    assert error.__cause__ is error.__context__ is None
    await server.wait_until_closed()


@pytest.mark.parametrize('answer', [begin_and_hang, stall, comment, trickle])
async def test_the_timeout_ends_a_stream(serve: Serve, connect: Make, answer: Any) -> None:
    server = await serve(answer)
    with pytest.raises(ModelTimeoutError) as caught:
        await read_all(connect, server, timeout=SOON)
    assert (caught.value.deadline, caught.value.seconds) == ('timeout', SOON)
    await server.wait_until_closed()


async def test_the_first_token_timeout_ends_a_stream_that_never_begins(serve: Serve, connect: Make) -> None:
    server = await serve(hang)
    with pytest.raises(ModelTimeoutError) as caught:
        await connect(server.url).open(raw_request(first_token_timeout=SOON, idle_timeout=LATER, timeout=LATER))
    assert (caught.value.deadline, caught.value.seconds) == ('first_token_timeout', SOON)
    await server.wait_until_closed()


@pytest.mark.parametrize('answer', [begin_and_hang, comment])
async def test_the_first_token_timeout_ends_a_stream_without_events(serve: Serve, connect: Make, answer: Any) -> None:
    server = await serve(answer)
    with pytest.raises(ModelTimeoutError) as caught:
        await read_all(connect, server, first_token_timeout=SOON, idle_timeout=LATER)
    assert (caught.value.deadline, caught.value.seconds) == ('first_token_timeout', SOON)
    await server.wait_until_closed()


async def test_the_first_token_timeout_does_not_end_a_stream_that_has_begun(serve: Serve) -> None:
    server = await serve(trickle)
    stream = await openai_httpx2(server.url).open(raw_request(first_token_timeout=SOON, timeout=4 * SOON))
    with pytest.raises(ModelTimeoutError) as caught:
        assert [data async for data in read_to_the_end(stream)]
    assert caught.value.deadline == 'timeout'


@pytest.mark.parametrize('answer', [stall, comment_after_an_event])
async def test_the_idle_timeout_ends_a_stream_that_stalls(serve: Serve, connect: Make, answer: Any) -> None:
    server = await serve(answer)
    with pytest.raises(ModelTimeoutError) as caught:
        await read_all(connect, server, idle_timeout=SOON, first_token_timeout=LATER)
    assert (caught.value.deadline, caught.value.seconds) == ('idle_timeout', SOON)
    await server.wait_until_closed()


async def test_the_idle_timeout_does_not_run_before_the_first_event(serve: Serve) -> None:
    server = await serve(begin_and_hang)
    stream = await openai_httpx2(server.url).open(raw_request(idle_timeout=SOON / 2, first_token_timeout=SOON))
    with pytest.raises(ModelTimeoutError) as caught:
        await stream.read()
    assert caught.value.deadline == 'first_token_timeout'
    await stream.aclose()


@pytest.mark.parametrize('answer', [hang, hang_in_the_body])
async def test_deadlines_of_streams_do_not_end_a_request(serve: Serve, answer: Any) -> None:
    server = await serve(answer)
    with pytest.raises(ModelTimeoutError) as caught:
        await openai_httpx2(server.url).send(raw_request(timeout=2 * SOON, first_token_timeout=SOON, idle_timeout=SOON))
    assert caught.value.deadline == 'timeout'


async def test_a_passed_deadline_stays_passed(serve: Serve) -> None:
    server = await serve(begin_and_hang)
    stream = await openai_httpx2(server.url).open(raw_request(timeout=SOON))
    for _ in range(2):
        with pytest.raises(ModelTimeoutError):
            await stream.read()
    await stream.aclose()


async def test_responses_in_time_are_not_ended(serve: Serve, connect: Make) -> None:
    server = await serve(send_completion)
    reply = await connect(server.url).send(raw_request(timeout=LATER, first_token_timeout=LATER, idle_timeout=LATER))
    assert reply.body.startswith(b'{"id"')


# ---------------------------------------------------------------------- which time counts


async def test_the_time_of_the_caller_does_not_count(serve: Serve, connect: Make) -> None:
    ask = asyncio.Queue[None]()

    async def on_demand(exchange: Exchange) -> None:
        await exchange.begin()
        for _ in range(3):
            await ask.get()
            await exchange.event(chunk('Hi'))
        await exchange.end()

    server = await serve(on_demand)
    stream = await connect(server.url).open(
        raw_request(timeout=4 * SOON, idle_timeout=2 * SOON, first_token_timeout=LATER)
    )
    for _ in range(3):
        ask.put_nowait(None)
        assert await stream.read()
        stream.progress()
        await asyncio.sleep(3 * SOON)  # the caller is slow
    assert await stream.read() == b''
    await stream.aclose()


async def test_bytes_that_arrived_while_the_loop_was_busy_count(serve: Serve) -> None:
    server = await serve(trickle)
    stream = await openai_httpx2(server.url).open(raw_request(idle_timeout=SOON))
    await stream.read()
    stream.progress()
    reading = asyncio.ensure_future(stream.read())
    await asyncio.sleep(0)
    time.sleep(3 * SOON)  # noqa: ASYNC251 -- the caller blocks the loop while bytes arrive
    assert await reading
    await stream.aclose()


# ---------------------------------------------------------------------- cancellation by others


async def test_a_cancellation_from_outside_stays_a_cancellation(serve: Serve, connect: Make) -> None:
    server = await serve(hang)
    task = asyncio.ensure_future(connect(server.url).send(raw_request(timeout=LATER)))
    await server.until(lambda: len(server.requests) == 1)
    task.cancel('enough')
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.wait_until_closed()


async def test_asyncio_timeout_around_a_request_works(serve: Serve, connect: Make) -> None:
    server = await serve(hang)
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(SOON):
            await connect(server.url).send(raw_request(timeout=LATER))
    assert not isinstance(caught.value, ModelTimeoutError)
    await server.wait_until_closed()


async def test_a_deadline_inside_asyncio_timeout_is_a_model_timeout(serve: Serve, connect: Make) -> None:
    server = await serve(hang)
    async with asyncio.timeout(LATER):
        with pytest.raises(ModelTimeoutError):
            await connect(server.url).send(raw_request(timeout=SOON))
        task = cast('asyncio.Task[None]', asyncio.current_task())
        assert task.cancelling() == 0
        await asyncio.sleep(0)


async def test_a_deadline_inside_a_task_group_fails_the_group(serve: Serve) -> None:
    server = await serve(hang)
    connection = openai_httpx2(server.url)

    async def send_both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(connection.send(raw_request(timeout=SOON)))
            group.create_task(connection.send(raw_request(timeout=LATER)))

    with pytest.raises(ExceptionGroup) as caught:
        await send_both()
    assert [type(error) for error in caught.value.exceptions] == [ModelTimeoutError]
    await server.wait_until_closed()


async def test_a_cancellation_at_the_moment_of_a_deadline_is_not_swallowed() -> None:
    """Both cancel the same wait before the task runs."""
    loop = asyncio.get_running_loop()
    watchdog = Watchdog(Deadlines(timeout=SOON))

    async def wait() -> None:
        with watchdog:
            await loop.create_future()

    task = loop.create_task(wait())
    expired = loop.create_future()
    cancel = task.cancel

    def cancel_twice(message: object = None) -> bool:
        cancel(message)
        expired.set_result(None)
        return cancel('from outside')

    guarded = _Overridden(task, cancel_twice)
    await asyncio.sleep(0)
    watchdog._task = cast('asyncio.Task[object]', guarded)  # pyright: ignore[reportPrivateUsage] -- simulates two cancellations at one moment
    await expired
    with pytest.raises(asyncio.CancelledError):
        await task


class _Overridden:
    """A task whose `cancel` is replaced by the test's."""

    def __init__(self, task: asyncio.Task[None], cancel: Any) -> None:
        self._task = task
        self.cancel = cancel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)


async def test_several_tasks_can_wait_with_one_watchdog_in_turn(serve: Serve) -> None:
    server = await serve(trickle)
    stream = await openai_httpx2(server.url).open(raw_request(idle_timeout=LATER))
    for _ in range(3):
        assert await asyncio.create_task(stream.read())
    await stream.aclose()


async def test_no_timer_is_left_behind(serve: Serve, connect: Make) -> None:
    server = await serve(send_completion)
    connection = connect(server.url)
    await connection.send(raw_request(timeout=LATER))
    stream = await connection.open(raw_request(timeout=LATER, first_token_timeout=LATER, idle_timeout=LATER))
    while await stream.read():
        stream.progress()
    await stream.aclose()
    assert our_timers() == []


def our_timers() -> list[Any]:
    scheduled: list[Any] = vars(asyncio.get_running_loop())['_scheduled']
    return [timer for timer in scheduled if not timer.cancelled() and 'Watchdog' in repr(timer)]


def test_the_error_of_a_watchdog_names_the_deadline() -> None:
    error = DeadlineExceeded('idle_timeout', 2)
    assert (error.deadline, error.seconds, error.args) == ('idle_timeout', 2, ('idle_timeout', 2))


# ---------------------------------------------------------------------- the client's own limits


def limits_of(server: Server) -> list[str | None]:
    return [request.headers.get('x-stainless-read-timeout') for request in server.requests]


@pytest.mark.parametrize('make', [openai_httpx2, anthropic_httpx2])
async def test_deadlines_override_the_clients_own_limits(serve: Serve, make: Make) -> None:
    server = await serve(send_completion)
    connection = make(server.url)
    await connection.send(raw_request())
    await connection.send(raw_request(timeout=5))
    await (await connection.open(raw_request(idle_timeout=5))).aclose()
    await (await connection.open(raw_request(idle_timeout=1200))).aclose()
    assert [float(limit) if limit else None for limit in limits_of(server)] == [600, None, 600, 1200]


@pytest.mark.parametrize(
    ('own', 'limits'),
    [
        (None, {'connect': None, 'read': None, 'write': None, 'pool': None}),
        (7.0, {'connect': 7.0, 'read': None, 'write': None, 'pool': None}),
        (httpx2.Timeout(600, connect=3), {'connect': 3, 'read': None, 'write': None, 'pool': None}),
    ],
)
@pytest.mark.parametrize('http', [httpx, httpx2])
async def test_the_limit_for_connecting_stays(own: Any, limits: dict[str, Any], http: Any) -> None:
    seen: list[Any] = []

    def answer(request: Any) -> Any:
        seen.append(request.extensions['timeout'])
        return http.Response(200, json={})

    http_client = http.AsyncClient(transport=http.MockTransport(answer))
    client = openai.AsyncOpenAI(api_key=KEY, base_url='http://x', timeout=own, http_client=http_client)
    await through(client, openai).send(raw_request(timeout=5))
    assert seen == [limits]


# ---------------------------------------------------------------------- settings


@pytest.mark.parametrize('name', ['timeout', 'first_token_timeout', 'idle_timeout'])
@pytest.mark.parametrize(
    'value', [0, 0.0, -1, -0.5, math.nan, -math.inf, '5', True, Decimal(3), [1], httpx2.Timeout(5)]
)
async def test_an_invalid_deadline_is_refused_before_anything_is_sent(serve: Serve, name: str, value: object) -> None:
    server = await serve(send_completion)
    settings = cast('ModelSettings', {name: value})
    with pytest.raises(UserError) as caught:
        await chat_model(server.url).request(HISTORY, settings)
    assert str(caught.value) == (
        f'{name} is {value!r}: give a number of seconds above 0, or leave it out to wait without a limit'
    )
    assert server.requests == []


@pytest.mark.parametrize('value', [None, 5, 0.5, math.inf])
async def test_a_deadline_can_be_any_positive_number_or_none(serve: Serve, value: float | None) -> None:
    server = await serve(send_completion)
    settings = cast('ModelSettings', {'timeout': value, 'first_token_timeout': value, 'idle_timeout': value})
    assert (await chat_model(server.url).request(HISTORY, settings)).state == 'complete'
    async with chat_model(server.url).request_stream(HISTORY, settings) as stream:
        assert [event async for event in stream]


@pytest.mark.parametrize('name', ['first_token_timeout', 'idle_timeout', 'timeout'])
async def test_a_model_counts_events_and_not_comments_as_progress(serve: Serve, name: str) -> None:
    answer = comment if name == 'first_token_timeout' else comment_after_an_event
    server = await serve(answer)
    settings = cast('ModelSettings', {name: SOON})
    async with chat_model(server.url).request_stream(HISTORY, settings) as stream:
        with pytest.raises(ModelTimeoutError) as caught:
            assert [event async for event in stream]
        assert (caught.value.deadline, caught.value.seconds) == (name, SOON)
        assert stream.get().state == 'interrupted'
    await server.wait_until_closed()


async def test_the_time_for_reading_what_holds_no_event_counts() -> None:
    """Else a decompression bomb ends when it is read, and not at the deadline."""
    watchdog = Watchdog(Deadlines(0.05))

    async def read_nothing() -> None:
        for _ in range(200):
            with watchdog:
                await asyncio.sleep(0)
            time.sleep(0.002)  # noqa: ASYNC251 -- as a decoder does, which does not await
            watchdog.keep_waiting()

    with pytest.raises(DeadlineExceeded):
        await read_nothing()
    watchdog.close()
