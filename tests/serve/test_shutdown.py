"""The end of a gateway: a real process under load, and a real SIGTERM."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import anthropic
import httpx2
import openai
import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.serve import run_server
from tests.serve.protocols import ANTHROPIC, OPENAI, RESPONSES, Wire, data_of

PROGRAM = """
import asyncio, sys
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.messages import ModelResponse, TextPart
from pydantic_llm.serve import create_app, run_server

async def stream(messages, info):
    for number in range(int(sys.argv[1])):
        await asyncio.sleep(0.1)
        yield f'{number} '

async def respond(messages, info):
    await asyncio.sleep(int(sys.argv[1]) / 10)
    return ModelResponse([TextPart('all')])

app = create_app(FunctionModel(respond, stream_function=stream, model_name='slow'))
run_server(
    app, port=0, log_level='critical', grace=float(sys.argv[2]), metrics_port=int(sys.argv[3]),
    on_start=lambda url: print(url, flush=True),
)
"""


@dataclass
class Running:
    """A gateway in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    metrics_url: str


@contextmanager
def gateway(pieces: int, grace: float) -> Generator[Running]:
    """Run a gateway whose responses take `pieces` tenths of a second."""
    with socket.create_server(('127.0.0.1', 0)) as free:
        port: int = free.getsockname()[1]
    command = [sys.executable, '-c', PROGRAM, str(pieces), str(grace), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Running(process, process.stdout.readline().strip(), f'http://127.0.0.1:{port}')
    finally:
        process.kill()
        process.communicate()


async def start(client: httpx2.AsyncClient, url: str, wire: Wire, *, stream: bool) -> asyncio.Task[httpx2.Response]:
    body = wire.request(stream=stream)
    return asyncio.create_task(client.post(url + wire.to(body), json=body, timeout=20))


async def wait_until_busy(client: httpx2.AsyncClient, running: Running, count: int) -> None:
    for _ in range(200):
        if f'in_progress {count}.0' in (await client.get(f'{running.metrics_url}/metrics')).text:
            return
        await asyncio.sleep(0.02)
    raise TimeoutError('the requests did not arrive')


async def test_requests_in_progress_finish_and_no_others_begin() -> None:
    with gateway(8, grace=10) as running:
        async with httpx2.AsyncClient() as client:
            assert (await client.get(f'{running.url}/ready')).status_code == 200
            under_way = [
                await start(client, running.url, wire, stream=stream)
                for wire in (OPENAI, ANTHROPIC, RESPONSES)
                for stream in (False, True)
                for _ in range(5)
            ]
            await wait_until_busy(client, running, 30)
            running.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.2)
            with pytest.raises(httpx2.ConnectError):
                async with httpx2.AsyncClient() as other:
                    await other.get(f'{running.url}/ready')
            ready = await client.get(f'{running.metrics_url}/ready')
            responses = await asyncio.gather(*under_way)
        assert (ready.status_code, ready.json()) == (503, {'status': 'stopping'})
        assert {response.status_code for response in responses} == {200}
        assert all('"error"' not in response.text.replace('"error":null', '') for response in responses)
        assert all('7 ' in response.text or 'all' in response.text for response in responses)
        assert running.process.wait(5) == -signal.SIGTERM


async def test_late_requests_get_an_error_in_the_form_of_their_protocol() -> None:
    with gateway(100, grace=0.3) as running:
        async with httpx2.AsyncClient() as client:
            whole = [await start(client, running.url, wire, stream=False) for wire in (OPENAI, ANTHROPIC)]
            streams = [await start(client, running.url, wire, stream=True) for wire in (OPENAI, ANTHROPIC)]
            await wait_until_busy(client, running, 4)
            await asyncio.sleep(0.15)
            running.process.send_signal(signal.SIGTERM)
            responses = await asyncio.gather(*whole)
            streamed = await asyncio.gather(*streams)
        for wire, response in zip((OPENAI, ANTHROPIC), responses, strict=True):
            assert (response.status_code, response.headers['retry-after']) == (503, '1')
            assert wire.read_error(response.json()) == 'The server is stopping'
        for wire, response in zip((OPENAI, ANTHROPIC), streamed, strict=True):
            assert response.status_code == 200
            assert wire.read_error(json.loads(data_of(response.text)[-1])) == 'The server is stopping'
        assert running.process.wait(5) == -signal.SIGTERM


async def test_the_vendors_clients_raise_their_own_errors_when_a_gateway_stops() -> None:
    with gateway(100, grace=0.2) as running:
        options = {'api_key': 'k', 'max_retries': 0}
        async with (
            openai.AsyncOpenAI(base_url=f'{running.url}/v1', **options) as ours,
            anthropic.AsyncAnthropic(base_url=running.url, **options) as theirs,
            httpx2.AsyncClient() as client,
        ):
            first = asyncio.create_task(
                ours.chat.completions.create(model='m', messages=[{'role': 'user', 'content': 'Hi'}])
            )
            second = asyncio.create_task(
                theirs.messages.create(model='m', max_tokens=9, messages=[{'role': 'user', 'content': 'Hi'}])
            )
            await wait_until_busy(client, running, 2)
            running.process.send_signal(signal.SIGTERM)
            with pytest.raises(openai.InternalServerError):
                await first
            with pytest.raises(anthropic.InternalServerError):
                await second


def test_metrics_need_a_gateway_for_their_port() -> None:
    async def app(scope: object, receive: object, send: object) -> None: ...

    with pytest.raises(UserError, match='metrics_port= needs an app that create_app made'):
        run_server(app, port=0, metrics_port=0)
    with pytest.raises(UserError, match='grace'):
        run_server(app, grace=-1)
