from __future__ import annotations

import asyncio
import socket
import traceback
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from pydantic_llm.exceptions import (
    AuthenticationError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    StreamInterruptedError,
    UserError,
)
from pydantic_llm.transport import RawRequest
from tests.transport.clients import (
    KEY,
    SDK_CLIENTS,
    Make,
    anthropic_httpx2,
    openai_aiohttp,
    openai_httpx2,
    plain_httpx2,
    raw_request,
    through,
)
from tests.transport.conftest import Serve
from tests.transport.server import Exchange, send_completion


def all_texts_of(error: BaseException) -> str:
    """Return all texts that a log, a traceback or a debugger could show of an error."""
    shown = [*traceback.format_exception(error)]
    link: BaseException | None = error
    for link in iterate_links(error):
        shown += [repr(link), str(link), repr(link.args), repr({k: v for k, v in vars(link).items() if k != 'request'})]
    return '\n'.join(shown)


def iterate_links(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception with its causes and contexts, including those that a traceback does not show."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and link not in seen:
            seen.append(link)
            waiting += [link.__cause__, link.__context__]
    yield from seen


async def drop(exchange: Exchange) -> None:
    exchange.drop()


async def reset(exchange: Exchange) -> None:
    exchange.reset()


async def truncate_the_body(exchange: Exchange) -> None:
    await exchange.head(200, {'content-type': 'application/json', 'content-length': '1000'})
    await exchange.write(b'{"a": ')
    exchange.drop()


async def truncate_the_stream(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.event({'n': 1})
    exchange.drop()


async def send_garbage(exchange: Exchange) -> None:
    await exchange.write(b'\x00\x01\x02 hello\r\n\r\n')
    exchange.drop()


# ---------------------------------------------------------------------- no response


@pytest.mark.parametrize('broken', [drop, reset, send_garbage])
@pytest.mark.parametrize('way', ['send', 'open'])
async def test_a_missing_response_is_a_connection_error(serve: Serve, connect: Make, broken: Any, way: str) -> None:
    server = await serve(broken)
    with pytest.raises(ModelConnectionError, match=r'No answer from the-model: .') as caught:
        await getattr(connect(server.url), way)(raw_request())
    assert (caught.value.model_name, caught.value.provider_name, caught.value.retryable) == (
        'the-model',
        'vendor',
        True,
    )
    assert KEY not in all_texts_of(caught.value)


async def test_a_connection_error_has_no_chain_below_it(serve: Serve) -> None:
    dropped, garbled = await serve(drop), await serve(send_garbage)
    for make, server in ((openai_aiohttp, dropped), (openai_httpx2, garbled), (openai_aiohttp, garbled)):
        with pytest.raises(ModelConnectionError) as caught:
            await make(server.url).send(raw_request())
        assert caught.value.__cause__ is caught.value.__context__ is None


async def test_a_refused_connection_is_a_connection_error(connect: Make) -> None:
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        url = f'http://127.0.0.1:{unused.getsockname()[1]}'
    with pytest.raises(ModelConnectionError, match=r'(?i)connect'):
        await connect(url).send(raw_request())


async def test_a_name_that_does_not_resolve_is_a_connection_error(
    connect: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, 'Name or service not known')

    monkeypatch.setattr(asyncio.get_running_loop(), 'getaddrinfo', resolve)
    with pytest.raises(ModelConnectionError, match='Name or service not known'):
        await connect('http://nowhere.invalid').send(raw_request())


async def test_tls_to_a_server_without_tls_is_a_connection_error(connect: Make) -> None:
    async def respond_without_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b'HTTP/1.1 400 Bad Request\r\n\r\n')
        writer.close()

    async with await asyncio.start_server(respond_without_tls, '127.0.0.1', 0) as server:
        with pytest.raises(ModelConnectionError, match=r'(?i)ssl'):
            await connect(f'https://127.0.0.1:{server.sockets[0].getsockname()[1]}').send(raw_request())


async def test_a_truncated_response_is_a_connection_error(serve: Serve, connect: Make) -> None:
    server = await serve(truncate_the_body)
    with pytest.raises(ModelConnectionError, match=r'No answer from the-model: .'):
        await connect(server.url).send(raw_request())


async def test_a_truncated_stream_is_interrupted(serve: Serve, connect: Make) -> None:
    server = await serve(truncate_the_stream)
    stream = await connect(server.url).open(raw_request())
    assert await stream.read() == b'data: {"n": 1}\n\n'
    with pytest.raises(StreamInterruptedError, match=r'The answer of the-model broke off: .') as caught:
        await stream.read()
    assert (caught.value.model_name, caught.value.provider_name, caught.value.retryable) == (
        'the-model',
        'vendor',
        True,
    )
    await stream.aclose()


async def test_an_error_response_with_a_truncated_body_is_translated(serve: Serve, connect: Make) -> None:
    async def fail(exchange: Exchange) -> None:
        await exchange.head(500, {'content-length': '1000'})
        await exchange.write(b'{"error": ')
        exchange.drop()

    server = await serve(fail)
    with pytest.raises(ModelAPIError):
        await connect(server.url).send(raw_request())


async def test_endless_redirects_are_translated(serve: Serve, connect_sdk: Make) -> None:
    async def redirect(exchange: Exchange) -> None:
        await exchange.respond(b'', status=307, headers={'location': '/chat'})

    server = await serve(redirect)
    with pytest.raises(ModelAPIError):
        await connect_sdk(server.url).send(raw_request())


@pytest.mark.parametrize('make', [openai_httpx2, openai_aiohttp, anthropic_httpx2])
async def test_the_clients_own_limit_is_a_timeout(serve: Serve, make: Make) -> None:
    async def hang(exchange: Exchange) -> None:
        await exchange.wait_until_gone()

    server = await serve(hang)
    connection = make(server.url)
    connection._clients.get().timeout = httpx2.Timeout(5, read=0.05)  # pyright: ignore[reportPrivateUsage] -- the client that the connection uses
    with pytest.raises(ModelTimeoutError, match="did not answer within the connection's own limit") as caught:
        await connection.send(raw_request())
    assert (caught.value.deadline, caught.value.seconds, caught.value.retryable) == ('timeout', None, True)


# ---------------------------------------------------------------------- error responses


async def refuse(exchange: Exchange) -> None:
    body = {'error': {'message': f'no such key: {KEY}', 'type': 'authentication_error'}}
    await exchange.respond(body, status=401, headers={'set-cookie': 'session=1', 'x-request-id': 'r1'})


@pytest.mark.parametrize('way', ['send', 'open'])
async def test_an_error_status_keeps_the_vendors_body_and_headers(serve: Serve, connect: Make, way: str) -> None:
    server = await serve(refuse)
    with pytest.raises(AuthenticationError) as caught:
        await getattr(connect(server.url), way)(raw_request())
    error = caught.value
    assert error.body == {'error': {'message': 'no such key: [key]', 'type': 'authentication_error'}}
    assert (error.status_code, error.request_id, error.provider_name) == (401, 'r1', 'vendor')
    assert error.headers['content-type'] == 'application/json'
    assert 'set-cookie' not in error.headers
    assert KEY not in all_texts_of(error)
    assert error.__cause__ is error.__context__ is None


@pytest.mark.parametrize(
    ('body', 'seen'),
    [
        (b'<html>Bad gateway</html>', '<html>Bad gateway</html>'),
        (b'', None),
        (b'{"error": {"message": "cut', '{"error": {"message": "cut'),
        (b'\xff\xfe', '\ufffd\ufffd'),
        (b'[1, 2]', [1, 2]),
        (b'"words"', 'words'),
    ],
)
async def test_an_error_body_of_any_shape_is_kept(serve: Serve, connect: Make, body: bytes, seen: object) -> None:
    async def fail(exchange: Exchange) -> None:
        await exchange.respond(body, status=502)

    server = await serve(fail)
    with pytest.raises(ModelHTTPError, match='the-model answered 502') as caught:
        await connect(server.url).send(raw_request())
    assert caught.value.body == seen


# ---------------------------------------------------------------------- mistakes of the caller


@pytest.mark.parametrize('key', [f'{KEY}\n', f'{KEY}\r\nX-Evil: 1', f'{KEY}\x00'])
@pytest.mark.parametrize('way', ['send', 'open'])
@pytest.mark.parametrize('make', SDK_CLIENTS)
async def test_a_key_with_invalid_characters_is_not_shown(serve: Serve, make: Make, key: str, way: str) -> None:
    server = await serve(send_completion)
    connection = make(server.url)
    connection._clients.get().api_key = key  # pyright: ignore[reportPrivateUsage] -- the client that the connection uses
    with pytest.raises(UserError, match='api_key=') as caught:
        await getattr(connection, way)(raw_request())
    assert KEY not in all_texts_of(caught.value)
    assert server.requests == []


@pytest.mark.parametrize('make', [openai_httpx2, openai_aiohttp])
async def test_a_key_that_is_not_ascii_is_not_shown(serve: Serve, make: Make) -> None:
    server = await serve(send_completion)
    connection = make(server.url)
    connection._clients.get().api_key = f'{KEY}ü'  # pyright: ignore[reportPrivateUsage] -- the client that the connection uses
    with pytest.raises(UserError, match='not ASCII: look at api_key=') as caught:
        await connection.send(raw_request())
    assert KEY not in all_texts_of(caught.value)


async def test_an_invalid_extra_header_is_a_user_error(serve: Serve, connect: Make) -> None:
    server = await serve(send_completion)
    with pytest.raises(UserError, match='extra_headers='):
        await connect(server.url).send(RawRequest('/chat', b'{}', 'm', {'X-Token': 'a secret\n'}))


async def test_a_missing_key_is_a_user_error(serve: Serve) -> None:
    server = await serve(send_completion)
    with pytest.raises(UserError, match='has no key: give api_key='):
        await through(anthropic.AsyncAnthropic(base_url=server.url), anthropic).send(raw_request())


@pytest.mark.parametrize('url', ['ftp://127.0.0.1/v1', 'nowhere'])
async def test_an_invalid_url_is_a_user_error(connect: Make, url: str) -> None:
    with pytest.raises(UserError, match=r'base_url=.*not a valid URL'):
        await connect(url).send(raw_request())


@pytest.mark.parametrize('make', [*SDK_CLIENTS, plain_httpx2])
async def test_a_client_that_the_user_has_closed_is_a_user_error(serve: Serve, make: Make) -> None:
    server = await serve(send_completion)
    connection = make(server.url)
    client = connection._clients.get()  # pyright: ignore[reportPrivateUsage] -- the user's own client
    await (getattr(client, 'close', None) or client.aclose)()
    with pytest.raises(UserError, match='has been closed: give an open one'):
        await connection.send(raw_request())


# ---------------------------------------------------------------------- exceptions of other code


class OutOfOrder(Exception):
    """Raised by the user's own code."""


async def fail_to_get_a_key() -> str:
    raise OutOfOrder('the vault is closed')


@pytest.mark.parametrize('way', ['send', 'open'])
async def test_an_exception_of_the_users_code_is_not_translated(serve: Serve, way: str) -> None:
    server = await serve(send_completion)
    connection = through(openai.AsyncOpenAI(api_key=fail_to_get_a_key, base_url=server.url), openai)
    with pytest.raises(OutOfOrder, match='the vault is closed') as caught:
        await getattr(connection, way)(raw_request())
    assert caught.value.__cause__ is None


async def no_token(*, force_refresh: bool = False) -> Any:
    return 'a string'


async def test_an_error_of_the_sdk_itself_is_translated(serve: Serve) -> None:
    server = await serve(send_completion)
    client = anthropic.AsyncAnthropic(credentials=no_token, base_url=server.url)
    with pytest.raises(
        ModelAPIError, match='the-model could not be asked: credentials provider returned str'
    ) as caught:
        await through(client, anthropic).send(raw_request())
    assert not caught.value.retryable
