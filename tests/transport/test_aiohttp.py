"""The client on aiohttp sends what the one on httpx2 sends, and loses nothing that it has."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from pydantic_llm.exceptions import (
    ModelHTTPError,
    ModelTimeoutError,
    StreamInterruptedError,
    UserError,
)
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.transport import ByteStream, RawRequest
from pydantic_llm.transport.clients import LIBRARY_VARIABLE, make_client
from tests.transport.clients import KEY, raw_request
from tests.transport.conftest import LIBRARIES, ConnectOwn, Serve
from tests.transport.server import Exchange, send_completion, serve_in_thread

pytest.importorskip('aiohttp')


async def read_all(stream: ByteStream) -> bytes:
    chunks: list[bytes] = []
    while chunk := await stream.read():
        chunks.append(chunk)
    return b''.join(chunks)


# ---------------------------------------------------------------------- the same bytes


async def record_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, received: list[bytes]) -> None:
    """Record one request as it arrives, and respond."""
    head = await reader.readuntil(b'\r\n\r\n')
    lengths = [line for line in head.lower().split(b'\r\n') if line.startswith(b'content-length:')]
    body = await reader.readexactly(int(lengths[0].partition(b':')[2])) if lengths else b''
    received.append(head + body)
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}')
    writer.close()


REQUESTS: dict[str, tuple[str, dict[str, str] | None, RawRequest]] = {
    'plain': ('http://{}', None, raw_request()),
    'in a folder': ('http://{}/v1', None, raw_request()),
    'with a query': ('http://{}', None, RawRequest('/m/x:stream?alt=sse&a=b%20c', b'{}', 'm')),
    'with characters to encode': ('http://{}', None, RawRequest('/models/ä b"{}|^%41%2Fé/../x', b'{}', 'm')),
    'with a fragment': ('http://{}', None, RawRequest('/x#y', b'{}', 'm')),
    'with a password in the URL': ('http://me%40x:p%3Aw@{}', None, raw_request()),
    'with a password and without a key': ('http://me:secret@{}', {}, raw_request()),
    'with headers': ('http://{}', None, RawRequest('/x', b'{}', 'm', {'X-B': '1', 'x-a': '2', 'X-Empty': ''})),
    'with other defaults': (
        'http://{}',
        None,
        RawRequest('/x', b'{}', 'm', {'user-agent': 'me', 'Accept': 'text/event-stream', 'Connection': 'close'}),
    ),
    'with an encoding': ('http://{}', None, RawRequest('/x', b'{}', 'm', {'Accept-Encoding': 'br'})),
    'with another content type': ('http://{}', None, RawRequest('/x', b'{}', 'm', {'content-type': 'text/plain'})),
    'large': ('http://{}', None, RawRequest('/x', b'x' * 3_000_000, 'm')),
}


@pytest.mark.parametrize('case', REQUESTS)
async def test_both_libraries_send_the_bytes_that_a_client_of_httpx2_sends(case: str, connect_with: ConnectOwn) -> None:
    url, headers, request = REQUESTS[case]
    received: list[bytes] = []
    server = await asyncio.start_server(
        lambda reader, writer: record_request(reader, writer, received), '127.0.0.1', 0, limit=2**23
    )
    host = f'127.0.0.1:{server.sockets[0].getsockname()[1]}'
    async with server:
        for library in (*LIBRARIES, 'a client of httpx2'):
            await connect_with(library, url.format(host), headers).send(request)
    from_httpx2, from_aiohttp, expected = received
    assert from_httpx2 == expected
    assert from_aiohttp == expected
    assert expected.startswith(b'POST /')


@pytest.mark.parametrize(
    'headers', [{'X-A': 'a\n'}, {'X-A': ' a'}, {'X-A': 'a\r\nX-Evil: 1'}, {'X A': 'a'}, {'X-A': 'ä'}, {'': 'a'}]
)
async def test_a_header_that_cannot_be_sent_is_a_user_error(
    headers: dict[str, str], connect_own: ConnectOwn, serve: Serve
) -> None:
    server = await serve(send_completion)
    with pytest.raises(UserError, match='extra_headers='):
        await connect_own(server.url).send(RawRequest('/x', b'{}', 'm', headers))
    assert not server.requests


# ---------------------------------------------------------------------- the same responses


async def test_headers_of_a_response_are_the_same(connect_with: ConnectOwn, serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.write(
            b'HTTP/1.1 200 OK\r\nX-Twice: 1\r\nx-twice: 2\r\nX-Latin: caf\xe9\r\n'
            b'X-Long: ' + b'x' * 50_000 + b'\r\n' + b''.join(b'X-%d: 1\r\n' % n for n in range(500)) + b'\r\n{}'
        )
        exchange.drop()

    server = await serve(answer)
    first, second = [(await connect_with(library, server.url).send(raw_request())).headers for library in LIBRARIES]
    assert dict(second) == dict(first)
    assert len(second) == len(dict(first))
    assert second.get('X-TWICE') == '1, 2'
    assert second['x-latin'] == 'café'
    assert 'X-Latin' in second
    assert second.get('x-none') is None


async def test_bytes_that_arrived_before_the_connection_broke_are_read(connect_own: ConnectOwn, serve: Serve) -> None:
    is_reset = asyncio.Event()

    async def break_off(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(b'data: 1\n\n')
        await exchange.chunk(b'data: 2\n\n')
        exchange.drop()
        is_reset.set()

    server = await serve(break_off)
    stream = await connect_own(server.url).open(raw_request())
    await is_reset.wait()
    await server.wait_until_closed()
    await asyncio.sleep(0.05)
    assert b''.join([await stream.read()]).startswith(b'data: 1\n\n')
    with pytest.raises(StreamInterruptedError):
        await read_all(stream)
    await stream.aclose()


async def test_a_refusal_before_the_body_was_read_is_reported(connect_with: ConnectOwn) -> None:
    """A server that finds a body too large may not read it. httpx2 waits until it does."""

    is_read = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b'\r\n\r\n')
        writer.write(b'HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}')
        await is_read.wait()
        writer.transport.abort()

    async with await asyncio.start_server(refuse, '127.0.0.1', 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ModelHTTPError) as caught:
            await connect_with('aiohttp', f'http://127.0.0.1:{port}').send(RawRequest('/x', b'x' * 20_000_000, 'm'))
        is_read.set()
        await asyncio.sleep(0.01)
    assert caught.value.status_code == 413


async def test_a_read_timeout_limits_each_wait(connect_own: ConnectOwn, serve: Serve) -> None:
    async def pause(exchange: Exchange) -> None:
        await exchange.begin()
        for _ in range(3):
            await asyncio.sleep(0.15)
            await exchange.event({})
        await exchange.wait_until_gone()

    server = await serve(pause)
    stream = await connect_own(server.url, read_timeout=0.3).open(raw_request())
    started = time.monotonic()
    with pytest.raises(ModelTimeoutError, match="did not answer within the connection's own limit"):
        await read_all(stream)
    assert 0.7 < time.monotonic() - started < 1.2
    await stream.aclose()
    await server.wait_until_closed()


async def test_a_read_timeout_limits_the_wait_for_a_response(connect_own: ConnectOwn, serve: Serve) -> None:
    server = await serve(Exchange.wait_until_gone)
    with pytest.raises(ModelTimeoutError, match="did not answer within the connection's own limit"):
        await connect_own(server.url, read_timeout=0.1).send(raw_request())
    await server.wait_until_closed()


# ---------------------------------------------------------------------- connections


async def test_a_connection_that_the_server_closed_is_not_used_again(connect_own: ConnectOwn, serve: Serve) -> None:
    """The event loop has not seen the end of the connection: it was blocked."""
    server = await serve(send_completion)
    connection = connect_own(server.url)
    await connection.send(raw_request())
    [writer] = server._writers
    closed_by_server: Any = writer.transport.get_extra_info('socket')
    closed_by_server.shutdown(socket.SHUT_RDWR)
    time.sleep(0.1)  # noqa: ASYNC251 -- the loop is blocked on purpose
    await connection.send(raw_request())
    assert server.connections == 2


async def test_cancelling_drops_the_rest_of_a_body_that_the_server_does_not_read(connect_own: ConnectOwn) -> None:
    size = 50_000_000
    read: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    is_cancelled = asyncio.Event()

    async def read_later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await is_cancelled.wait()
        count = 0
        with suppress(ConnectionError):
            while chunk := await reader.read(2**20):
                count += len(chunk)
        read.set_result(count)
        writer.close()

    async with await asyncio.start_server(read_later, '127.0.0.1', 0, limit=1024) as server:
        port = server.sockets[0].getsockname()[1]
        task = asyncio.ensure_future(connect_own(f'http://127.0.0.1:{port}').send(RawRequest('/x', b'x' * size, 'm')))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        is_cancelled.set()
        async with asyncio.timeout(5):
            assert await read < size


PROGRAM = """
import asyncio, gc, sys
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.transport import RawRequest

def connect():
    loop = asyncio.new_event_loop()
    connection = GoogleGLAProvider(api_key='k' * 9, base_url=sys.argv[1]).connection
    loop.run_until_complete(connection.send(RawRequest('/x', b'{}', 'm')))
    return loop, connection

open_loop, open_connection = connect()
loop, connection = connect()
loop.close()
del connection
gc.collect()
loop, connection = connect()
loop.close()
"""


def test_a_program_that_closes_nothing_ends_without_a_word() -> None:
    with serve_in_thread(send_completion) as server:
        done = subprocess.run(
            [sys.executable, '-c', PROGRAM, server.url],
            capture_output=True,
            text=True,
            env={**os.environ, LIBRARY_VARIABLE: 'aiohttp'},
            check=True,
        )
        assert len(server.requests) == 3
    assert done.stdout + done.stderr == ''


# ---------------------------------------------------------------------- the choice


def class_of_client() -> str:
    return type(make_client()[0]).__name__


@pytest.mark.parametrize(
    ('value', 'expected'), [('', 'AiohttpClient'), ('aiohttp', 'AiohttpClient'), ('httpx2', 'Httpx2Client')]
)
def test_a_variable_chooses_the_library(value: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, value)
    assert class_of_client() == expected


def test_an_unknown_library_is_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, 'requests')
    with pytest.raises(UserError, match=r"PYDANTIC_LLM_HTTP is 'requests': set it to one of \('aiohttp', 'httpx2'\)"):
        make_client()


def hide_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'aiohttp', None)


def age_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('aiohttp.__version__', '3.9.1')


@pytest.mark.parametrize(
    ('obstruct', 'message'),
    [
        (hide_aiohttp, "'aiohttp' is not installed: pip install 'pydantic-llm[fast]'"),
        (age_aiohttp, 'aiohttp 3.9.1 is too old'),
    ],
)
def test_httpx2_takes_the_place_of_an_unsuitable_aiohttp(
    obstruct: Callable[[pytest.MonkeyPatch], None], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(LIBRARY_VARIABLE, raising=False)
    obstruct(monkeypatch)
    assert class_of_client() == 'Httpx2Client'
    monkeypatch.setenv(LIBRARY_VARIABLE, 'aiohttp')
    with pytest.raises(UserError) as caught:
        make_client()
    assert message in str(caught.value)


async def test_a_client_that_is_abandoned_while_its_loop_runs_leaves_no_error_in_the_loop(serve: Serve) -> None:
    """At the end of a process, the loop of the synchronous functions may still run, in a thread of its own."""
    server = await serve(send_completion)
    errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
    for in_thread in (False, True):
        provider = OpenAIProvider(api_key=KEY, base_url=server.url)
        await provider.connection.send(raw_request())
        connection: Any = provider.connection
        (client,) = (entry[0] for entry in connection._clients._clients.values())
        await asyncio.to_thread(client.abandon) if in_thread else client.abandon()
        await asyncio.sleep(0.05)
    await server.wait_until_closed()
    assert errors == []
