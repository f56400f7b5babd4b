"""A connection that fails is one sentence: what happened, where, and what to look at. Its traceback is short."""

from __future__ import annotations

import asyncio
import socket
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import httpx2
import pytest

from pydantic_llm import Agent
from pydantic_llm.direct import model_request_stream, model_request_sync
from pydantic_llm.exceptions import ModelConnectionError, UserError
from pydantic_llm.many import map_requests
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.providers import infer_provider_class
from pydantic_llm.transport.errors import error_from_response
from pydantic_llm.transport.failure_reasons import explain_failure

NO_RETRIES: Any = {'retries': 0}

PAGE = (
    '<!DOCTYPE html><html><head><title>502 Bad &amp; Gateway</title><style>p {}</style></head>'
    f'<body><h1>Sorry</h1><p>nginx {"x" * 3000}</p></body></html>'
)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        port: int = unused.getsockname()[1]
        return port


@pytest.mark.parametrize('client', [None, httpx2.AsyncClient], ids=['our client', 'httpx2'])
def test_a_refused_connection_names_the_address_and_the_server(
    closed_port: int, client: Callable[[], Any] | None
) -> None:
    address = f'http://localhost:{closed_port}'
    options = {} if client is None else {'http_client': client()}
    provider: Any = infer_provider_class('ollama')(base_url=address, **options)
    with pytest.raises(ModelConnectionError) as caught:
        model_request_sync(OpenAIChatModel('qwen3', provider=provider), 'Hi', model_settings=NO_RETRIES)
    message = str(caught.value)
    assert message == f'No answer from qwen3: connection refused ({address}); is Ollama running there?'
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    ('error', 'sentence'),
    [
        (ConnectionRefusedError(111, 'Connect call failed'), 'connection refused (at); is a server running there?'),
        (OSError('Temporary failure in name resolution'), 'does this machine reach a name server (DNS)?'),
        (OSError('certificate verify failed: self-signed certificate'), 'Name it by SSL_CERT_FILE'),
        (OSError('[SSL: WRONG_VERSION_NUMBER] wrong version number'), 'base_url= begins with http://'),
        (OSError('Network is unreachable'), 'is this machine connected to the network?'),
        (OSError('407 Proxy Authentication Required'), 'look at the proxy in HTTP_PROXY'),
        (OSError('something new'), 'something new (at)'),
    ],
)
def test_a_failure_has_its_likely_reason(error: OSError, sentence: str) -> None:
    assert sentence in explain_failure(str(error), [error], ' (at)', 'openai')


# ---------------------------------------------------------------------- tracebacks


def fail(closed_port: int) -> None:
    model = AnthropicModel('claude', base_url=f'http://127.0.0.1:{closed_port}', api_key='k')
    Agent(model).run_sync('Hi', model_settings=NO_RETRIES)


def fail_async(closed_port: int) -> None:
    model = AnthropicModel('claude', base_url=f'http://127.0.0.1:{closed_port}', api_key='k')
    asyncio.run(Agent(model).run('Hi', model_settings=NO_RETRIES))


def fail_directly(closed_port: int) -> None:
    model = AnthropicModel('claude', base_url=f'http://127.0.0.1:{closed_port}', api_key='k')
    model_request_sync(model, 'Hi', model_settings=NO_RETRIES)


@pytest.mark.parametrize('start', [fail, fail_async, fail_directly])
def test_the_traceback_of_an_error_is_short(closed_port: int, start: Callable[[int], None]) -> None:
    with pytest.raises(ModelConnectionError) as caught:
        start(closed_port)
    lines = ''.join(traceback.format_exception(caught.value)).splitlines()
    assert len(lines) < 25
    assert any(start.__name__ in line for line in lines)


async def iterate(agent: Agent[Any, Any]) -> None:
    async with agent.iter('Hi'):
        pass


async def stream(agent: Agent[Any, Any]) -> None:
    async with agent.run_stream('Hi'):
        pass


async def stream_events(agent: Agent[Any, Any]) -> None:
    async with agent.run_stream_events('Hi'):
        pass


async def stream_one_response(agent: Agent[Any, Any]) -> None:
    async with model_request_stream('openai:gpt-5.4-mini', 'Hi'):
        pass


async def run(agent: Agent[Any, Any]) -> None:
    await agent.run('Hi')


async def map_rows(agent: Agent[Any, Any]) -> None:
    async for _ in map_requests('openai:gpt-5.4-mini', ['Hi']):
        pass


@pytest.mark.parametrize('start', [run, stream, stream_events, iterate, stream_one_response, map_rows])
def test_the_traceback_of_a_missing_key_is_short(
    start: Callable[[Agent[Any, Any]], Coroutine[Any, Any, None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv('OPENAI_API_KEY', raising=False)
    with pytest.raises(UserError, match='set the environment variable OPENAI_API_KEY') as caught:
        asyncio.run(start(Agent('openai:gpt-5.4-mini')))
    lines = ''.join(traceback.format_exception(caught.value)).splitlines()
    assert len(lines) < 25
    assert any(f'in {start.__name__}' in line for line in lines)


def test_a_traceback_has_the_lines_of_the_application_in_between() -> None:
    agent = Agent(TestModel())

    @agent.tool_plain
    def ask_another(question: str) -> str:
        wrong: Any = 7
        return Agent(TestModel()).run_sync(wrong).output

    with pytest.raises(UserError) as caught:
        agent.run_sync('Hi')
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert 'ask_another' in names
    assert names[0] == 'test_a_traceback_has_the_lines_of_the_application_in_between'


def test_the_whole_traceback_is_kept_on_request(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PYDANTIC_LLM_FULL_TRACEBACKS', '1')
    with pytest.raises(ModelConnectionError) as caught:
        fail(closed_port)
    assert len(traceback.extract_tb(caught.value.__traceback__)) > 10


# ---------------------------------------------------------------------- web pages


@pytest.mark.parametrize(
    ('body', 'text'),
    [
        (
            PAGE,
            'a web page, not an error of the API: 502 Bad & Gateway: Sorry nginx x',
        ),
        ('<html><body>Blocked by policy</body></html>', 'a web page, not an error of the API: Blocked by policy'),
        ('<HTML><script>go()', 'a web page, not an error of the API: without text'),
        ('upstream <connect> error', 'upstream <connect> error'),
    ],
)
def test_a_web_page_in_place_of_an_error_is_summarized(body: str, text: str) -> None:
    error = error_from_response(502, {}, body.encode(), model_name='m', provider_name='p')
    assert str(error).startswith(f'm answered 502: {text}')
    assert len(str(error)) < 300
