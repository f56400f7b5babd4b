"""A failed request is retried: how often, how soon, after which errors, and never beyond its `timeout`."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from pydantic_llm.exceptions import (
    AuthenticationError,
    LLMError,
    ModelConnectionError,
    ModelTimeoutError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    StreamInterruptedError,
    UserError,
)
from pydantic_llm.messages import ModelResponse
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.retries.policy import RetryPolicy
from tests.transport.clients import HISTORY, KEY
from tests.transport.conftest import Serve
from tests.transport.server import Exchange, Handler, Server, chunk, send_completion

pytestmark = pytest.mark.retries

FAST: Any = {'retries': RetryPolicy(first_wait=0.001, longest_wait=0.002)}

ways = pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])


def handle_in_turn(*handlers: Handler) -> Handler:
    """Handle each request with the next handler; the last one handles all others."""
    count = 0

    async def handle(exchange: Exchange) -> None:
        nonlocal count
        count += 1
        await handlers[min(count, len(handlers)) - 1](exchange)

    return handle


def status(code: int, headers: dict[str, str] | None = None, error: Any = None) -> Handler:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond({'error': error or {'message': 'no'}}, status=code, headers=headers)

    return answer


async def reset(exchange: Exchange) -> None:
    exchange.reset()


async def silent(exchange: Exchange) -> None:
    await exchange.wait_until_gone()


async def error_event_first(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.event({'error': {'message': 'busy', 'type': 'server_error', 'code': 503}})
    await exchange.end()


async def reset_before_the_first_event(exchange: Exchange) -> None:
    await exchange.begin()
    exchange.reset()


async def reset_after_the_first_event(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.event(chunk('Hel'))
    exchange.reset()


def model(server: Server, settings: Any = None) -> OpenAIChatModel:
    return OpenAIChatModel('m', provider=OpenAIProvider(api_key=KEY, base_url=server.url), settings=settings)


async def ask(model: OpenAIChatModel, *, stream: bool, settings: Any = None) -> ModelResponse:
    if not stream:
        return await model.request(HISTORY, settings)
    async with model.request_stream(HISTORY, settings) as streamed:
        assert [event async for event in streamed]
        return streamed.get()


@ways
@pytest.mark.parametrize(
    'failure', [status(503), status(429), status(500), status(408), reset], ids=lambda f: f.__name__
)
async def test_a_retryable_error_is_retried(serve: Serve, stream: bool, failure: Handler) -> None:
    server = await serve(handle_in_turn(failure, failure, send_completion))
    assert (await ask(model(server, FAST), stream=stream)).text == 'Hello!'
    assert len(server.requests) == 3
    assert len({exchange.body for exchange in server.requests}) == 1


@ways
async def test_after_two_retries_the_last_error_is_raised(serve: Serve, stream: bool) -> None:
    server = await serve(handle_in_turn(status(500), status(500), status(503)))
    with pytest.raises(OverloadedError):
        await ask(model(server, FAST), stream=stream)
    assert len(server.requests) == 3


@ways
async def test_the_response_lists_the_attempts_that_failed(serve: Serve, stream: bool) -> None:
    server = await serve(handle_in_turn(status(503), reset, send_completion))
    response = await ask(model(server, FAST), stream=stream)
    assert [warning.partition(':')[0] for warning in response.warnings] == [
        'The request was sent again, since an attempt failed'
    ] * 2


@ways
async def test_the_last_error_has_those_of_the_attempts_before_it(serve: Serve, stream: bool) -> None:
    server = await serve(handle_in_turn(status(503), error_event_first if stream else reset, status(500)))
    with pytest.raises(LLMError) as caught:
        await ask(model(server, FAST), stream=stream)
    second = OverloadedError if stream else ModelConnectionError
    assert [type(error) for error in caught.value.earlier_attempts] == [OverloadedError, second]


@ways
@pytest.mark.parametrize('retries', [0, 1, 4])
async def test_the_setting_limits_the_number_of_retries(serve: Serve, stream: bool, retries: int) -> None:
    server = await serve(status(429, {'retry-after-ms': '1'}))
    with pytest.raises(RateLimitError):
        await ask(model(server), stream=stream, settings={'retries': retries})
    assert len(server.requests) == 1 + retries


@ways
@pytest.mark.parametrize(
    ('failure', 'error'),
    [
        (status(401), AuthenticationError),
        (status(400), LLMError),
        (status(429, error={'message': 'no credit', 'code': 'insufficient_quota'}), QuotaExceededError),
        (status(503, {'x-should-retry': 'false'}), OverloadedError),
    ],
)
async def test_an_error_that_is_not_retryable_is_raised_at_once(
    serve: Serve, stream: bool, failure: Handler, error: type[Exception]
) -> None:
    server = await serve(failure)
    with pytest.raises(error):
        await ask(model(server, FAST), stream=stream)
    assert len(server.requests) == 1


@pytest.mark.parametrize('failure', [error_event_first, reset_before_the_first_event], ids=['error', 'broken'])
async def test_a_stream_that_fails_before_its_first_event_is_retried(serve: Serve, failure: Handler) -> None:
    server = await serve(handle_in_turn(failure, failure, send_completion))
    response = await ask(model(server, FAST), stream=True)
    assert (response.text, response.state) == ('Hello!', 'complete')
    await server.until(lambda: server.open <= 1)


async def test_a_stream_that_fails_after_its_first_event_is_not_retried(serve: Serve) -> None:
    server = await serve(handle_in_turn(reset_after_the_first_event, send_completion))
    with pytest.raises(StreamInterruptedError) as caught:
        await ask(model(server, FAST), stream=True)
    assert caught.value.response is not None
    assert (caught.value.response.text, len(server.requests)) == ('Hel', 1)


async def test_a_stream_whose_retries_all_fail_is_interrupted(serve: Serve) -> None:
    server = await serve(error_event_first)
    async with model(server, FAST).request_stream(HISTORY) as stream:
        with pytest.raises(OverloadedError):
            await anext(stream)
        assert stream.get().state == 'interrupted'
    assert len(server.requests) == 3


@ways
async def test_the_wait_is_the_one_that_the_vendor_names(serve: Serve, stream: bool) -> None:
    server = await serve(handle_in_turn(status(429, {'retry-after-ms': '150'}), send_completion))
    began = time.monotonic()
    await ask(model(server, FAST), stream=stream)
    assert 0.15 <= time.monotonic() - began < 5


@ways
@pytest.mark.parametrize('settings', [{}, {'timeout': 20}])
async def test_a_wait_that_is_too_long_is_not_started(serve: Serve, stream: bool, settings: Any) -> None:
    server = await serve(status(429, {'retry-after': '61' if not settings else '21'}))
    began = time.monotonic()
    with pytest.raises(RateLimitError) as caught:
        await ask(model(server), stream=stream, settings=settings)
    assert caught.value.retry_after in (61, 21)
    assert time.monotonic() - began < 5


@ways
async def test_all_attempts_share_the_timeout(serve: Serve, stream: bool) -> None:
    server = await serve(handle_in_turn(status(503, {'retry-after-ms': '100'}), silent))
    began = time.monotonic()
    with pytest.raises(ModelTimeoutError) as caught:
        await ask(model(server), stream=stream, settings={'timeout': 0.4})
    assert 0.35 < time.monotonic() - began < 2
    assert (caught.value.deadline, caught.value.seconds, len(server.requests)) == ('timeout', 0.4, 2)


async def test_each_attempt_has_its_own_first_token_timeout(serve: Serve) -> None:
    server = await serve(handle_in_turn(silent, silent, send_completion))
    settings: Any = {**FAST, 'first_token_timeout': 0.2, 'timeout': 30}
    assert (await ask(model(server), stream=True, settings=settings)).text == 'Hello!'


@ways
async def test_cancelling_during_a_wait_ends_the_request(serve: Serve, stream: bool) -> None:
    server = await serve(status(503, {'retry-after': '30'}))
    task = asyncio.ensure_future(ask(model(server), stream=stream))
    await server.until(lambda: len(server.requests) == 1)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(server.requests) == 1


@pytest.mark.parametrize('retries', [-1, True, 1.5, '2'])
async def test_an_invalid_number_of_retries_is_an_error(serve: Serve, retries: Any) -> None:
    server = await serve(send_completion)
    with pytest.raises(UserError, match='retries'):
        await model(server).request(HISTORY, {'retries': retries})
    assert not server.requests


async def test_an_unreachable_server_is_a_connection_error() -> None:
    provider = OpenAIProvider(api_key=KEY, base_url='http://127.0.0.1:1')
    with pytest.raises(ModelConnectionError):
        await OpenAIChatModel('m', provider=provider).request(HISTORY, FAST)
