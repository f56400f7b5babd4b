"""The app on a real connection: clients that leave, servers that stop."""

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
from tests.serve.models import Watched, says
from tests.serve.protocols import OPENAI, Wire


async def happens(event: threading.Event) -> float:
    """Wait for something that the server's thread tells; gives how long that took."""
    started = perf_counter()
    assert await asyncio.to_thread(event.wait, 5), 'It did not happen'
    return perf_counter() - started


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_a_client_that_leaves_ends_the_models_answer(wire: Wire, stream: bool) -> None:
    model = Watched()
    async with LocalServer(create_app(model)) as url, httpx2.AsyncClient() as client:
        asking = asyncio.create_task(client.post(url + wire.to(body := wire.request(stream=stream)), json=body))
        await happens(model.begun)
        asking.cancel()
        assert await happens(model.left) < 1


async def test_a_client_that_leaves_in_the_middle_of_its_request_is_forgotten(wire: Wire) -> None:
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
async def test_the_model_is_left_in_peace_before_the_answer_ends(wire: Wire, stream: bool) -> None:
    """The end of the answer looks to the server as if the client left, which cancels what is still to do."""
    model = Watched(ends=True)
    async with LocalServer(create_app(model)) as url, httpx2.AsyncClient() as client:
        answer = await client.post(url + wire.to(body := wire.request(stream=stream)), json=body)
        assert model.left.is_set()
    assert 'Once upon a time' in answer.text


async def test_a_request_over_the_limit_is_told_so_although_it_is_not_read(wire: Wire) -> None:
    app = create_app(says('Hello'), max_body_bytes=1000)
    async with LocalServer(app) as url, httpx2.AsyncClient() as client:
        answer = await client.post(url + wire.to(body := wire.request('x' * 5_000_000)), json=body)
    assert answer.status_code == 413


def test_a_local_server_stops_at_once_although_clients_hang_on() -> None:
    model = Watched()
    server = LocalServer(create_app(model))
    url = server.start()
    idle = httpx2.Client()
    idle.get(f'{url}/health')
    asking = threading.Thread(target=swallow, args=(url,), daemon=True)
    asking.start()
    asyncio.run(happens(model.begun))
    started = perf_counter()
    server.stop()
    assert perf_counter() - started < 1
    assert model.left.is_set()
    asking.join(5)
    assert not asking.is_alive()
    idle.close()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f'{url}/health')


def swallow(url: str) -> None:
    """Ask, and take no interest in how it ends."""
    with suppress(httpx2.HTTPError):
        httpx2.post(url + OPENAI.path, json=OPENAI.request(stream=True), timeout=10)


def test_a_local_server_leaves_no_thread_behind() -> None:
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


def test_a_local_server_has_an_address_only_while_it_runs() -> None:
    server = LocalServer(create_app(TestModel()))
    with pytest.raises(UserError, match='inside its `with` block only'):
        _ = server.url
    with server as url:
        assert repr(server) == f'LocalServer({url!r})'
        with pytest.raises(UserError, match='runs already'):
            server.start()
    assert repr(server) == "LocalServer('stopped')"
    server.stop()


def test_a_server_lets_its_models_go_when_it_stops() -> None:
    closed: list[str] = []

    class Closing(TestModel):
        async def aclose(self) -> None:
            closed.append(self.model_name)

    with LocalServer(create_app({'a': Closing(model_name='a'), 'b': Closing(model_name='b')})):
        pass
    assert closed == ['a', 'b']


def test_a_port_that_is_taken_is_told_in_one_sentence() -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            UserError, match=f"The server cannot listen on host='127.0.0.1', port={port}: Address already in use"
        ):
            run_server(nothing, port=port)


@pytest.mark.parametrize(('host', 'shown'), [('127.0.0.1', 'http://127.0.0.1:'), ('::1', 'http://[::1]:')])
def test_a_server_says_where_it_listens(host: str, shown: str) -> None:
    urls: list[str] = []

    def note(url: str) -> None:
        urls.append(url)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_server(nothing, host=host, port=0, on_start=note)
    assert urls[0].startswith(shown)


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that says nothing."""
