"""The app on a real connection: clients that disconnect, servers that stop."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from time import perf_counter

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from pydantic_llm.exceptions import UserError
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.serve import LocalServer, create_app, run_server
from tests.serve.models import WatchedModel, text_model
from tests.serve.protocols import OPENAI, Wire


async def wait_for(event: threading.Event) -> float:
    """Wait until the server's thread sets an event. Return the seconds that this took."""
    started = perf_counter()
    assert await asyncio.to_thread(event.wait, 5), 'The event was not set'
    return perf_counter() - started


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_a_disconnect_ends_the_models_response(wire: Wire, stream: bool) -> None:
    model = WatchedModel()
    async with LocalServer(create_app(model)) as url, httpx2.AsyncClient() as client:
        requesting = asyncio.create_task(client.post(url + wire.to(body := wire.request(stream=stream)), json=body))
        await wait_for(model.started)
        requesting.cancel()
        assert await wait_for(model.released) < 1


async def test_a_request_that_is_not_complete_at_the_disconnect_is_dropped(wire: Wire) -> None:
    model = TestModel()
    async with LocalServer(create_app(model)) as url:
        host, port = url.removeprefix('http://').split(':')
        _, writer = await asyncio.open_connection(host, int(port))
        head = f'POST {wire.path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n'
        writer.write(head.encode() + b'{"model"')
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        async with httpx2.AsyncClient() as client:
            assert (await client.get(f'{url}/health')).text == 'ok'
    assert model.last_messages is None


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_the_model_is_released_before_the_response_ends(wire: Wire, stream: bool) -> None:
    """The end of the response looks like a disconnect to the server, which cancels the rest of the work."""
    model = WatchedModel(ends=True)
    async with LocalServer(create_app(model)) as url, httpx2.AsyncClient() as client:
        response = await client.post(url + wire.to(body := wire.request(stream=stream)), json=body)
        assert model.released.is_set()
    assert 'Once upon a time' in response.text


async def test_a_request_over_the_limit_is_rejected_before_it_is_read(wire: Wire) -> None:
    app = create_app(text_model('Hello'), max_body_bytes=1000)
    async with LocalServer(app) as url, httpx2.AsyncClient() as client:
        response = await client.post(url + wire.to(body := wire.request('x' * 5_000_000)), json=body)
    assert response.status_code == 413


def test_a_local_server_stops_at_once_with_open_connections() -> None:
    model = WatchedModel()
    server = LocalServer(create_app(model))
    url = server.start()
    idle = httpx2.Client()
    idle.get(f'{url}/health')
    requesting = threading.Thread(target=request_and_ignore_errors, args=(url,), daemon=True)
    requesting.start()
    asyncio.run(wait_for(model.started))
    started = perf_counter()
    server.stop()
    assert perf_counter() - started < 1
    assert model.released.is_set()
    requesting.join(5)
    assert not requesting.is_alive()
    idle.close()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f'{url}/health')


def request_and_ignore_errors(url: str) -> None:
    """Send a request, and ignore its errors."""
    with suppress(httpx2.HTTPError):
        httpx2.post(url + OPENAI.path, json=OPENAI.request(stream=True), timeout=10)


def test_a_local_server_ends_its_thread() -> None:
    before = threading.active_count()
    for _ in range(3):
        with LocalServer(create_app(TestModel())) as url:
            assert httpx2.get(f'{url}/health').text == 'ok'
    assert threading.active_count() == before


def test_a_local_server_can_be_started_again() -> None:
    server = LocalServer(create_app(TestModel()))
    for _ in range(2):
        with server as url:
            assert server.url == url
            assert httpx2.get(f'{url}/health').text == 'ok'


def test_a_local_server_has_a_url_only_while_it_runs() -> None:
    server = LocalServer(create_app(TestModel()))
    with pytest.raises(UserError, match='inside its `with` block only'):
        _ = server.url
    with server as url:
        assert repr(server) == f'LocalServer({url!r})'
        with pytest.raises(UserError, match='runs already'):
            server.start()
    assert repr(server) == "LocalServer('stopped')"
    server.stop()


def test_a_server_closes_its_models_when_it_stops() -> None:
    closed: list[str] = []

    class Closing(TestModel):
        async def aclose(self) -> None:
            closed.append(self.model_name)

    with LocalServer(create_app({'a': Closing(model_name='a'), 'b': Closing(model_name='b')})):
        pass
    assert closed == ['a', 'b']


def test_a_used_port_is_an_error() -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            UserError, match=f"The server cannot listen on host='127.0.0.1', port={port}: Address already in use"
        ):
            run_server(empty_app, port=port)


@pytest.mark.parametrize(('host', 'shown'), [('127.0.0.1', 'http://127.0.0.1:'), ('::1', 'http://[::1]:')])
def test_a_server_reports_its_url(host: str, shown: str) -> None:
    urls: list[str] = []

    def record(url: str) -> None:
        urls.append(url)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_server(empty_app, host=host, port=0, on_start=record)
    assert urls[0].startswith(shown)


async def empty_app(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that sends nothing."""
