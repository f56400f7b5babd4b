"""Clients that are too slow, too large, or gone: the others are served, and memory stays bounded."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from time import perf_counter
from typing import Any

import httpx2
import pytest

from pydantic_llm.messages import ModelMessage, ModelResponse, TextPart
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.serve import LocalServer, bodies, connection, create_app
from tests.faults.test_many import memory
from tests.serve.models import WatchedModel, text_model
from tests.serve.protocols import OPENAI, Wire
from tests.serve.raw import exchange_bytes, open_connection
from tests.serve.test_server import wait_for

PIECE = 'x' * 1000
MEGABYTE = 1024 * 1024


def make_head(length: int | None, **headers: str) -> bytes:
    """Build the head of a request."""
    fields = {'host': 'localhost', 'content-type': 'application/json', **headers}
    fields |= {'content-length': str(length)} if length is not None else {}
    lines = ''.join(f'{name.replace("_", "-")}: {value}\r\n' for name, value in fields.items())
    return f'POST {OPENAI.path} HTTP/1.1\r\n{lines}\r\n'.encode()


def make_request(**more: Any) -> bytes:
    body = json.dumps(OPENAI.request() | more).encode()
    return make_head(len(body)) + body


class EndlessModel:
    """A model that streams without an end, and counts what it has produced and how many streams are open."""

    def __init__(self) -> None:
        self.pieces = 0
        self.open = 0

    def model(self) -> FunctionModel:
        async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
            self.open += 1
            try:
                while True:
                    self.pieces += 1
                    yield PIECE
                    await asyncio.sleep(0)
            finally:
                self.open -= 1

        return FunctionModel(stream_function=stream)


@asynccontextmanager
async def slow_clients(url: str, number: int, request: bytes) -> AsyncGenerator[list[socket.socket]]:
    """Open connections that send a request, or a part of it, and never read."""
    host, port = url.removeprefix('http://').split(':')
    loop = asyncio.get_running_loop()
    clients: list[socket.socket] = []
    try:
        for _ in range(number):
            client = socket.socket()
            clients.append(client)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)  # noqa: FBT003 -- positional only
            await loop.sock_connect(client, (host, int(port)))
            await loop.sock_sendall(client, request)
        yield clients
    finally:
        for client in clients:
            client.close()


async def until(condition: Any, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- the server is in another thread
            await asyncio.sleep(0.01)


@pytest.fixture
def many_files() -> Iterator[None]:
    resource = pytest.importorskip('resource', reason='this system has no limits of open files')
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip(f'this process may open no more than {hard} files')
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures('many_files')
async def test_a_thousand_slow_clients_neither_fill_the_memory_nor_stop_the_others() -> None:
    """400 send a part of a head, 400 a part of a body, and 200 never read their stream."""
    endless = EndlessModel()
    app = create_app({'endless': endless.model(), 'quick': text_model('Hello')})
    stream = make_request(stream=True, model='endless')
    async with LocalServer(app) as url, httpx2.AsyncClient(timeout=20) as client:
        before = memory()
        async with (
            slow_clients(url, 400, make_head(1000)[:60]),
            slow_clients(url, 400, make_head(100_000) + b'{"model": "' + b'x' * 50_000),
            slow_clients(url, 200, stream),
        ):
            await until(lambda: endless.open == 200)
            for _ in range(20):
                response = await client.post(url + OPENAI.path, json=OPENAI.request() | {'model': 'quick'})
                assert response.status_code == 200
            await until_still(endless)
            assert memory() - before < 300_000  # kB: 400 bodies of 50 kB, 1,000 connections, and both of their ends
        await until(lambda: endless.open == 0)


async def until_still(endless: EndlessModel) -> None:
    """Wait until the model produces nothing more, since no client reads."""
    seen = -1
    async with asyncio.timeout(20):
        while seen != endless.pieces:
            seen = endless.pieces
            await asyncio.sleep(0.2)


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_a_response_that_is_ready_arrives_in_one_piece(stream: bool) -> None:
    """Small writes one after the other would wait for each other's acknowledgement, 40 ms each."""
    async with LocalServer(create_app(text_model('Hel', 'lo'))) as url:
        reader, writer = await open_connection(url)
        for _ in range(5):
            writer.write(make_request(stream=stream))
            received = await reader.read(65536)
            assert received.startswith(b'HTTP/1.1 200 OK')
            assert received.endswith(b'0\r\n\r\n' if stream else b'}')
        writer.close()


async def test_no_connection_waits_for_acknowledgements() -> None:
    server = LocalServer(create_app(text_model('Hello')))
    async with server as url, slow_clients(url, 1, b'POST'):
        await until(lambda: count_connections(server) == 1)
        assert server._server is not None  # pyright: ignore[reportPrivateUsage]
        [connected] = server._server.server_state.connections  # pyright: ignore[reportPrivateUsage]
        of_connection = connected.transport.get_extra_info('socket')
        # the thread of the server sets the option after it has counted the connection
        await until(lambda: of_connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)


async def test_a_reader_that_stops_stops_the_model() -> None:
    """The back-pressure reaches the model: what it has produced is what the sockets hold."""
    endless = EndlessModel()
    async with LocalServer(create_app(endless.model())) as url, slow_clients(url, 1, make_request(stream=True)):
        await until(lambda: endless.pieces > 0)
        await until_still(endless)
        assert endless.pieces * len(PIECE) < 8 * connection.SEND_BUFFER
        assert endless.open == 1


async def test_a_reader_that_stays_behind_loses_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, 'SEND_TIMEOUT', 0.1)
    endless = EndlessModel()
    async with LocalServer(create_app(endless.model())) as url, slow_clients(url, 1, make_request(stream=True)):
        await until(lambda: endless.open == 1)
        await until(lambda: endless.open == 0)


async def test_a_reader_of_a_large_response_that_stops_loses_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A response that is not streamed is all in the server's memory, also after the app is done with it."""
    monkeypatch.setattr(connection, 'SEND_TIMEOUT', 0.1)

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart('x' * 20 * MEGABYTE)])

    server = LocalServer(create_app(FunctionModel(respond)))
    async with server as url, slow_clients(url, 1, make_request()):
        await until(lambda: count_connections(server) == 1)
        await until(lambda: count_connections(server) == 0)


def count_connections(server: LocalServer) -> int:
    return len(server._server.server_state.connections) if server._server else 0  # pyright: ignore[reportPrivateUsage]


async def test_a_reader_that_is_slow_but_steady_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, 'SEND_TIMEOUT', 0.2)
    text = 'x' * 3 * MEGABYTE

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart(text)])

    async with LocalServer(create_app(FunctionModel(respond))) as url:
        reader, writer = await open_connection(url, limit=1024)
        writer.write(make_request())
        received, began = 0, perf_counter()
        while received < len(text):
            received += len(await reader.read(256 * 1024))
            await asyncio.sleep(0.02)
        assert perf_counter() - began > 0.2
        writer.close()


@pytest.mark.parametrize(
    'start',
    [b'', b'P', make_head(10)[:40], make_request() + b'POST', make_head(10**9) + b'x' * 1000],
    ids=['silence', 'a byte', 'half a head', 'half of a second head', 'the rest of a refused body'],
)
async def test_a_client_that_does_not_send_a_whole_head_loses_its_connection(
    start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, 'HEAD_TIMEOUT', 0.2)
    server = LocalServer(create_app(text_model('Hello')))
    async with server as url:
        reader, writer = await open_connection(url)
        writer.write(start)
        for _ in range(15):  # a byte now and then does not help
            await asyncio.sleep(0.02)
            with suppress(ConnectionError):
                writer.write(b'x' if start else b'')
        with suppress(ConnectionError):
            async with asyncio.timeout(5):
                await reader.read()
        await until(lambda: count_connections(server) == 0)
        writer.close()


async def test_connections_beyond_the_limit_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, 'MAX_CONNECTIONS', 3)
    server = LocalServer(create_app(TestModel()))
    async with server as url, httpx2.AsyncClient() as client:
        async with slow_clients(url, 3, b'POST'):
            await until(lambda: count_connections(server) == 3)
            assert await exchange_bytes(url, make_request()) == b''
        await until(lambda: count_connections(server) == 0)
        assert (await client.get(f'{url}/health')).text == 'ok'


# ------------------------------------------------------------------------------------------------------------ bodies


async def test_a_body_that_comes_too_slowly_is_a_timeout(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, 'READ_TIMEOUT', 0.1)
    model = TestModel()
    async with LocalServer(create_app(model)) as url:
        reader, writer = await open_connection(url)
        head = make_head(10_000).replace(OPENAI.path.encode(), wire.path.encode())
        writer.write(head + b'{"model": "m"')
        response = await asyncio.wait_for(reader.readuntil(b'}'), 5)
        writer.close()
    assert response.startswith(b'HTTP/1.1 408')
    assert b'was not complete after 0.1 s and 13 bytes' in response
    assert model.last_messages is None


async def test_a_large_body_has_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, 'READ_TIMEOUT', 0.1)
    monkeypatch.setattr(bodies, 'MIN_RATE', 1000)
    body = json.dumps(OPENAI.request('x' * 2000)).encode()
    async with LocalServer(create_app(text_model('Hello'))) as url:
        reader, writer = await open_connection(url)
        writer.write(make_head(len(body)))
        for start in range(0, len(body), 200):
            writer.write(body[start : start + 200])
            await asyncio.sleep(0.03)
        assert (await asyncio.wait_for(reader.readline(), 5)) == b'HTTP/1.1 200 OK\r\n'
        writer.close()


@pytest.mark.parametrize('form', ['length', 'chunked', 'false length'])
async def test_an_oversized_body_is_refused_in_every_form(form: str) -> None:
    model = TestModel()
    app = create_app(model, max_body_bytes=100_000)
    endless = b'10000\r\n' + b'x' * 65536 + b'\r\n'
    requests = {
        'length': make_head(100_001) + b'{',
        'chunked': make_head(None, transfer_encoding='chunked') + endless * 3,
        'false length': make_head(10**30) + b'{',
    }
    async with LocalServer(app) as url:
        response = await exchange_bytes(url, requests[form])
    assert response[9:12] in (b'413', b'400')
    assert model.last_messages is None


async def test_an_endless_body_is_neither_kept_nor_read_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, 'MAX_IDLE_BYTES', 5 * MEGABYTE)
    app = create_app(TestModel(), max_body_bytes=MEGABYTE)
    sent = 0
    async with LocalServer(app) as url:
        _, writer = await open_connection(url)
        writer.write(make_head(None, transfer_encoding='chunked'))
        with suppress(ConnectionError):
            while sent < 100 * MEGABYTE:
                writer.write(b'10000\r\n' + b'x' * 65536 + b'\r\n')
                await writer.drain()
                sent += 65536
        writer.close()
    assert sent < 50 * MEGABYTE


@pytest.mark.parametrize('coding', ['gzip', 'br', 'zstd', 'deflate', 'gzip, identity', 'GZIP'])
async def test_a_compressed_body_is_refused_and_not_decompressed(coding: str) -> None:
    async with LocalServer(create_app(TestModel())) as url, httpx2.AsyncClient() as client:
        headers = {'content-type': 'application/json', 'content-encoding': coding}
        response = await client.post(url + OPENAI.path, content=b'\x1f\x8b\x08' + b'\x00' * 1000, headers=headers)
    assert response.status_code == 415
    assert 'content-encoding' in response.text


async def test_a_body_with_two_lengths_is_refused() -> None:
    request = make_head(5, transfer_encoding='chunked') + b'2\r\n{}\r\n0\r\n\r\nGET /v1/models HTTP/1.1\r\n\r\n'
    async with LocalServer(create_app(TestModel())) as url:
        assert (await exchange_bytes(url, request)).startswith(b'HTTP/1.1 400')


async def test_all_requests_in_progress_have_a_limit_of_memory_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, 'MAX_TOTAL_BYTES', 100_000)
    model = WatchedModel()
    async with LocalServer(create_app(model)) as url, httpx2.AsyncClient(base_url=url) as client:
        large = OPENAI.request('x' * 200_000)
        first = asyncio.create_task(client.post(OPENAI.path, json=large))  # the first fits always
        await wait_for(model.started)
        refused = await client.post(OPENAI.path, json=OPENAI.request())
        assert (refused.status_code, refused.headers['retry-after']) == (503, '1')
        first.cancel()
        await wait_for(model.released)
        model.ends = True
        await until_served(client)


async def until_served(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(5):
        while (await client.post(OPENAI.path, json=OPENAI.request())).status_code != 200:
            pass


async def test_large_requests_do_not_stop_the_others() -> None:
    """They are decoded in a thread: the longest wait of a small request is far shorter than a large one takes."""
    shares: list[float] = []
    async with LocalServer(create_app(text_model('Hello'))) as url, httpx2.AsyncClient(timeout=60) as client:
        while len(shares) < 3 and not (shares and shares[-1] < 0.5):  # a busy machine disturbs one measurement
            shares.append(await measure_longest_wait(client, url))
    assert shares[-1] < 0.5, shares


async def measure_longest_wait(client: httpx2.AsyncClient, url: str) -> float:
    """Return the longest wait of small requests during a large one, as a share of the time of the large one."""
    small = {'role': 'user', 'content': 'Hello'}
    body = json.dumps({'model': 'm', 'messages': [small] * 40_000}).encode()
    waits: list[float] = []
    began = perf_counter()
    headers = {'content-type': 'application/json'}
    large = asyncio.create_task(client.post(url + OPENAI.path, content=body, headers=headers))
    while not large.done():
        started = perf_counter()
        await client.get(f'{url}/health')
        waits.append(perf_counter() - started)
    assert large.result().status_code == 200
    return max(waits) / (perf_counter() - began)


# ---------------------------------------------------------------------------------------------------------- disconnects


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_a_client_may_leave_at_every_byte_of_its_request(stream: bool) -> None:
    endless = EndlessModel()
    app = create_app({'endless': endless.model(), 'm': text_model('Hello')})
    server = LocalServer(app)
    request = make_request(stream=stream)
    async with server as url:
        for sent in range(1, len(request) + 1, 7):
            _, writer = await open_connection(url)
            writer.write(request[:sent])
            writer.close()
        await until(lambda: count_connections(server) == 0)
        assert server._server is not None  # pyright: ignore[reportPrivateUsage]
        await until(lambda: not server._server.server_state.tasks)  # type: ignore[union-attr]  # pyright: ignore[reportPrivateUsage, reportOptionalMemberAccess]


async def test_a_client_may_leave_at_every_moment_of_its_response() -> None:
    """After any number of received bytes the model's stream is closed."""
    endless = EndlessModel()
    async with LocalServer(create_app(endless.model())) as url:
        for wanted in (0, 1, 100, 200, 1000, 10_000, 100_000, 1_000_000):
            reader, writer = await open_connection(url)
            writer.write(make_request(stream=True))
            await until(lambda: endless.open == 1)
            if wanted:
                await reader.readexactly(wanted)
            writer.transport.abort()
            await until(lambda: endless.open == 0)
