"""The log of requests, through every kind of client: what is in it, and that no key is."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from pydantic_llm.direct import model_request
from pydantic_llm.exceptions import ModelAPIError
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.serve import Fault, LocalServer, create_app
from pydantic_llm.transport import RawRequest
from pydantic_llm.transport.log import start_log

from .clients import KEY, Make, chat_model, raw_request
from .conftest import Serve
from .server import Exchange

NUMBERS = re.compile(r'^\[\d+\] |127\.0\.0\.1:\d+|\d+\.\d+')


@pytest.fixture(autouse=True)
def debug(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('PYDANTIC_LLM_LOG_BODIES', raising=False)
    caplog.set_level(logging.DEBUG, 'pydantic_llm')


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of our loggers, without what differs between runs."""
    records = [record for record in caplog.records if record.name.startswith('pydantic_llm')]
    return [NUMBERS.sub('', record.getMessage()) for record in records]


async def echo_key(exchange: Exchange) -> None:
    await exchange.respond({'sent': exchange.headers.get('authorization') or exchange.headers.get('x-api-key')})


async def test_a_request_has_its_method_url_sizes_and_times(
    serve: Serve, connect: Make, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(echo_key)
    response = await connect(server.url).send(raw_request())
    sent, status, received = lines(caplog)
    assert sent == 'POST /chat of the-model: sending 12 bytes'
    assert re.fullmatch(r'200 from http:///(chat|model/chat/converse-stream) after  s', status)
    assert received == f'received {len(response.body)} bytes in  s'
    assert KEY not in caplog.text
    assert len({record.getMessage().partition(' ')[0] for record in caplog.records if 'llm' in record.name}) == 1


async def test_bodies_are_logged_only_if_asked_for_and_without_keys(
    serve: Serve, connect: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve(echo_key)
    for value in ('0', '1'):
        monkeypatch.setenv('PYDANTIC_LLM_LOG_BODIES', value)
        await connect(server.url).send(raw_request())
    logged = [line for line in lines(caplog) if 'body' in line]
    assert logged[0] == 'request body: {"hello": 1}'
    assert logged[1].startswith('response body: {"sent": ')
    assert len(logged) == 2
    assert KEY not in caplog.text


async def test_a_stream_is_logged_to_its_end_also_if_it_is_left_early(
    serve: Serve, connect: Make, caplog: pytest.LogCaptureFixture
) -> None:
    async def stream(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.event(1)
        await exchange.event(2)
        await exchange.end()

    server = await serve(stream)
    for is_read in (True, False):
        caplog.clear()
        opened = await connect(server.url).open(raw_request())
        while is_read and await opened.read():
            pass
        await opened.aclose()
        assert re.fullmatch(r'received (18|0) bytes in  s', lines(caplog)[-1])


async def test_a_failure_has_its_error(serve: Serve, connect: Make, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(exchange: Exchange) -> None:
        key = exchange.headers.get('authorization') or exchange.headers.get('x-api-key')
        await exchange.respond({'error': {'message': f'no: {key}'}}, status=401)

    server = await serve(fail)
    with pytest.raises(ModelAPIError) as caught:
        await connect(server.url).send(raw_request())
    assert lines(caplog)[-1] == NUMBERS.sub('', f'failed after 0.1 s: {type(caught.value).__name__}: {caught.value}')
    assert KEY not in caplog.text


async def test_a_url_has_no_password_and_no_query(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = await serve(echo_key)
    url = server.url.replace('http://', 'http://user:password@')
    log = start_log(RawRequest('/chat', b'{}', 'm'))
    assert log is not None

    class Sent:
        url: Any
        headers: dict[str, str]

    class Response:
        status_code = 200
        request = Sent()

    Response.request.url = f'{url}/chat?key=a-secret-of-the-query#x'
    Response.request.headers = {}
    log.begin(Response())
    assert lines(caplog)[-1] == '200 from http:///chat after  s'


@pytest.mark.retries
async def test_retries_and_fallbacks_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    faults = iter([Fault(status=503, headers={'retry-after': '0'}), None, Fault(status=401)])
    with LocalServer(create_app(TestModel(), faults=lambda body: next(faults))) as url:
        async with chat_model(f'{url}/v1') as model:
            await model_request(model, 'hello')
            await model_request(FallbackModel(model, TestModel()), 'hello')
    assert [line[:50] for line in lines(caplog) if 'the next' in line] == [
        'attempt 1 failed, the next one begins in  s: the-m',
        'openai:the-model failed, and the next was asked: t',
    ]
    assert KEY not in caplog.text


async def test_above_debug_nothing_is_logged_and_nothing_is_counted(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, 'pydantic_llm')
    server = await serve(echo_key)
    assert start_log(raw_request()) is None
    stream = await chat_model(server.url).provider.connection.open(raw_request())
    assert getattr(stream, '_log') is None  # noqa: B009 -- the cost of a stream that is not logged
    await stream.aclose()
    assert lines(caplog) == []


async def test_long_bodies_are_shortened(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PYDANTIC_LLM_LOG_BODIES', '1')
    start_log(RawRequest('/chat', b'x' * 300_000, 'm'))
    assert len(lines(caplog)[-1]) < 100_100
    assert lines(caplog)[-1].endswith('… (300000 bytes)')
