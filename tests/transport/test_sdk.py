from __future__ import annotations

import asyncio
import gc
import gzip
import json
import tracemalloc
import zlib
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from pydantic_llm.exceptions import AuthenticationError, LLMError, ModelHTTPError, UnexpectedModelBehavior
from pydantic_llm.providers.azure import AzureProvider
from pydantic_llm.transport import RawRequest, guard as guard_module, response as response_module
from pydantic_llm.transport.response import ClientConnection
from tests.transport.clients import HISTORY, KEY, SDKS, Make, chat_model, raw_request, through
from tests.transport.conftest import Serve
from tests.transport.server import Exchange, completion, send_completion, send_stream


async def read_all(connection: Any, request: RawRequest) -> list[bytes]:
    stream = await connection.open(request)
    chunks: list[bytes] = []
    while data := await stream.read():
        chunks.append(data)
    await stream.aclose()
    return chunks


# ---------------------------------------------------------------------- requests


async def test_the_body_is_sent_unchanged(serve: Serve, connect: Make) -> None:
    server = await serve(send_completion)
    await connect(server.url).send(RawRequest('/chat', b'{"a":  1}', 'm', {'X-Extra': 'yes'}))
    [request] = server.requests
    assert request.body == b'{"a":  1}'
    assert request.path == '/chat'
    assert request.headers['content-type'] == 'application/json'
    assert request.headers['authorization'] == f'Bearer {KEY}'
    assert request.headers['x-extra'] == 'yes'


async def test_headers_of_the_request_override_those_of_the_client(serve: Serve, connect: Make) -> None:
    server = await serve(send_completion)
    await connect(server.url).send(
        RawRequest('/chat', b'{}', 'm', {'User-Agent': 'me', 'content-type': 'application/x'})
    )
    assert server.requests[0].headers['user-agent'] == 'me'
    assert server.requests[0].headers['content-type'] == 'application/x'


@pytest.mark.parametrize('status', [408, 409, 429, 500, 503])
async def test_the_sdk_does_not_retry(serve: Serve, status: int) -> None:
    async def fail(exchange: Exchange) -> None:
        await exchange.respond({'error': {'message': 'no'}}, status=status, headers={'retry-after': '0'})

    server = await serve(fail)
    client = openai.AsyncOpenAI(api_key=KEY, base_url=server.url, max_retries=5)
    with pytest.raises(ModelHTTPError):
        await through(client, openai).send(raw_request())
    assert len(server.requests) == 1


async def test_a_connection_is_reused(serve: Serve, connect: Make) -> None:
    server = await serve(send_completion)
    connection = connect(server.url)
    for _ in range(3):
        await connection.send(raw_request())
    assert server.connections == 1


async def test_a_connection_is_reused_after_a_finished_stream(serve: Serve, connect: Make) -> None:
    server = await serve(send_stream)
    connection = connect(server.url)
    for _ in range(3):
        await read_all(connection, raw_request())
    assert server.connections == 1


async def test_a_connection_is_reused_after_a_models_stream(serve: Serve) -> None:
    server = await serve(send_stream)
    model = chat_model(server.url)
    for _ in range(3):
        async with model.request_stream(HISTORY) as stream:
            assert [event async for event in stream]
    assert server.connections == 1


async def test_a_stream_without_an_end_is_closed_after_the_last_event(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_end(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\n')
        await exchange.chunk(b'data: [DONE]\n\n')
        await exchange.wait_until_gone()

    monkeypatch.setattr(response_module, 'FINISHING_TIMEOUT', 0.05)
    server = await serve(never_end)
    async with asyncio.timeout(2), chat_model(server.url).request_stream(HISTORY) as stream:
        assert [event async for event in stream]
    assert stream.get().state == 'complete'
    await server.wait_until_closed()


# ---------------------------------------------------------------------- responses


async def test_a_response_has_case_insensitive_headers(serve: Serve, connect: Make) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond({'ok': True}, headers={'X-Request-Id': 'r1'})

    server = await serve(answer)
    reply = await connect(server.url).send(raw_request())
    assert json.loads(reply.body) == {'ok': True}
    assert reply.headers['x-request-id'] == reply.headers['X-Request-Id'] == 'r1'


async def test_a_compressed_response_is_decompressed(serve: Serve, connect: Make) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(gzip.compress(b'{"ok": 1}'), headers={'content-encoding': 'gzip'})

    server = await serve(answer)
    assert (await connect(server.url).send(raw_request())).body == b'{"ok": 1}'


async def test_a_compressed_stream_is_decompressed_as_it_arrives(serve: Serve, connect: Make) -> None:
    go_on = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        packer = zlib.compressobj(wbits=31)
        await exchange.begin(headers={'content-encoding': 'gzip'})
        await exchange.chunk(packer.compress(b'data: 1\n\n') + packer.flush(zlib.Z_SYNC_FLUSH))
        await go_on.wait()
        await exchange.chunk(packer.compress(b'data: 2\n\n') + packer.flush())
        await exchange.end()

    server = await serve(answer)
    stream = await connect(server.url).open(raw_request())
    assert await stream.read() == b'data: 1\n\n'
    go_on.set()
    assert [await stream.read(), await stream.read()] == [b'data: 2\n\n', b'']
    await stream.aclose()


async def test_reading_after_the_end_returns_no_bytes(serve: Serve, connect: Make) -> None:
    server = await serve(send_stream)
    stream = await connect(server.url).open(raw_request())
    while await stream.read():
        pass
    assert await stream.read() == b''
    await stream.aclose()
    await stream.aclose()


async def test_a_stream_outlives_the_connection_that_opened_it(serve: Serve, connect: Make) -> None:
    go_on = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(b'one')
        await go_on.wait()
        await exchange.chunk(b'two')
        await exchange.end()

    server = await serve(answer)
    stream = await connect(server.url).open(raw_request())
    assert await stream.read() == b'one'
    gc.collect()
    await asyncio.sleep(0)
    go_on.set()
    assert await stream.read() == b'two'
    await stream.aclose()


@pytest.mark.parametrize('status', [307, 308])
async def test_a_redirect_is_followed_with_the_body(serve: Serve, connect_sdk: Make, status: int) -> None:
    async def redirect(exchange: Exchange) -> None:
        if exchange.path == '/chat':
            await exchange.respond(b'', status=status, headers={'location': '/elsewhere'})
        else:
            await exchange.respond({'path': exchange.path, 'body': exchange.json})

    server = await serve(redirect)
    reply = await connect_sdk(server.url).send(raw_request())
    assert json.loads(reply.body) == {'path': '/elsewhere', 'body': {'hello': 1}}


@pytest.mark.parametrize('status', [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_host_is_an_error(serve: Serve, connect: Make, status: int) -> None:
    other = await serve(send_completion)

    async def redirect(exchange: Exchange) -> None:
        await exchange.respond(b'', status=status, headers={'location': f'http://localhost:{other.port}/chat'})

    server = await serve(redirect)
    with pytest.raises(ModelHTTPError, match=f'answered {status}: the server redirects to .http://localhost'):
        await connect(server.url).send(raw_request())
    assert not other.requests


def own_azure(url: str) -> ClientConnection:
    connection = AzureProvider(azure_endpoint=url, api_version='1', api_key=KEY).connection
    assert isinstance(connection, ClientConnection)
    return connection


@pytest.mark.parametrize('make', [*SDKS, own_azure])
async def test_a_redirect_to_another_port_does_not_take_the_key_along(serve: Serve, make: Make) -> None:
    other = await serve(send_completion)

    async def redirect(exchange: Exchange) -> None:
        await exchange.respond(b'', status=307, headers={'location': f'{other.url}/chat'})

    server = await serve(redirect)
    await make(server.url).send(raw_request())
    assert KEY in str(server.requests[0].headers)
    assert KEY not in str(other.requests[0].headers)


async def test_a_redirect_that_loses_the_body_is_not_followed(serve: Serve, connect: Make) -> None:
    async def redirect(exchange: Exchange) -> None:
        await exchange.respond(b'', status=303, headers={'location': '/elsewhere'})

    server = await serve(redirect)
    with pytest.raises(ModelHTTPError, match='answered 303'):
        await connect(server.url).send(raw_request())
    assert len(server.requests) == 1


@pytest.mark.parametrize('status', [302, 500])
async def test_little_is_read_of_the_body_of_an_error(serve: Serve, connect: Make, status: int) -> None:
    async def flood(exchange: Exchange) -> None:
        await exchange.head(
            status, {'content-type': 'text/plain', 'transfer-encoding': 'chunked', 'location': 'http://x'}
        )
        while True:
            await exchange.chunk(b'x' * 10_000)

    server = await serve(flood)
    with pytest.raises(ModelHTTPError) as caught:
        await connect(server.url).send(raw_request())
    assert len(str(caught.value)) < 2_000
    await server.wait_until_closed()


BOMB = gzip.compress(b' ' * 50_000_000, 9)


@pytest.mark.parametrize('status', [200, 500])
async def test_a_small_body_that_decompresses_to_a_large_one_is_limited(
    serve: Serve, connect: Make, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(BOMB, status=status, headers={'content-encoding': 'gzip'})

    monkeypatch.setattr(response_module, 'MAX_BODY_BYTES', 1_000_000)
    monkeypatch.setattr(guard_module, 'STEP', 10_000)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    other = asyncio.create_task(count_turns())
    server = await serve(answer)
    tracemalloc.start()
    with pytest.raises(LLMError):
        await connect(server.url).send(raw_request())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    other.cancel()
    assert peak < 20_000_000
    assert turns > 20


@pytest.mark.parametrize(
    ('encoding', 'body'),
    [
        ('gzip', gzip.compress(b'{"a": 1}')),
        ('deflate', zlib.compress(b'{"a": 1}')),
        ('deflate', zlib.compress(b'{"a": 1}')[2:-4]),
        ('identity', b'{"a": 1}'),
    ],
    ids=['gzip', 'zlib', 'deflate', 'identity'],
)
async def test_a_compressed_body_is_decompressed(serve: Serve, connect: Make, encoding: str, body: bytes) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(body, headers={'content-encoding': encoding})

    server = await serve(answer)
    assert (await connect(server.url).send(raw_request())).body == b'{"a": 1}'
    assert server.requests[0].headers['accept-encoding'] == 'gzip, deflate'


@pytest.mark.parametrize(
    ('encoding', 'match'), [('br', 'br.*not requested'), ('gzip', 'compressed its response wrongly')]
)
async def test_a_body_in_an_encoding_that_is_wrong_is_an_error(
    serve: Serve, connect: Make, encoding: str, match: str
) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(b'{"a": 1}', headers={'content-encoding': encoding})

    server = await serve(answer)
    with pytest.raises(UnexpectedModelBehavior, match=match):
        await connect(server.url).send(raw_request())


async def test_an_endless_response_raises(serve: Serve, connect: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    async def flood(exchange: Exchange) -> None:
        await exchange.begin('application/json')
        while True:
            await exchange.chunk(b' ' * 10_000)

    monkeypatch.setattr(response_module, 'MAX_BODY_BYTES', 100_000)
    server = await serve(flood)
    with pytest.raises(UnexpectedModelBehavior, match='the-model is longer than 100000 bytes'):
        await connect(server.url).send(raw_request())
    await server.wait_until_closed()


async def test_a_response_of_the_maximum_size_is_read(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(b'x' * 100_000)

    monkeypatch.setattr(response_module, 'MAX_BODY_BYTES', 100_000)
    server = await serve(answer)
    client = openai.AsyncOpenAI(api_key=KEY, base_url=server.url)
    assert len((await through(client, openai).send(raw_request())).body) == 100_000


# ---------------------------------------------------------------------- credentials that the SDK renews


class Tokens:
    """A source of a new token for each call."""

    def __init__(self) -> None:
        self.made = 0

    async def __call__(self, *, force_refresh: bool = False) -> anthropic.AccessToken:
        self.made += 1
        return anthropic.AccessToken(f'token-{self.made}', expires_at=None)


async def accept_the_second_token(exchange: Exchange) -> None:
    if exchange.headers['authorization'] == 'Bearer token-2':
        await exchange.respond({'ok': True})
    else:
        await exchange.respond({'error': {'type': 'authentication_error', 'message': 'stale'}}, status=401)


async def accept_no_token(exchange: Exchange) -> None:
    await exchange.respond({'error': {'type': 'authentication_error', 'message': 'never'}}, status=401)


async def test_a_revoked_token_is_renewed_once(serve: Serve) -> None:
    server = await serve(accept_the_second_token)
    client = anthropic.AsyncAnthropic(credentials=Tokens(), base_url=server.url)
    reply = await through(client, anthropic).send(raw_request())
    assert reply.body == b'{"ok": true}'
    assert len(server.requests) == 2


async def test_a_token_refused_twice_is_an_authentication_error(serve: Serve) -> None:
    server = await serve(accept_no_token)
    client = anthropic.AsyncAnthropic(credentials=Tokens(), base_url=server.url)
    with pytest.raises(AuthenticationError, match='never'):
        await through(client, anthropic).send(raw_request())
    assert len(server.requests) == 2


async def test_a_refused_key_is_not_retried(serve: Serve, connect: Make) -> None:
    server = await serve(accept_no_token)
    with pytest.raises(AuthenticationError, match='never'):
        await connect(server.url).send(raw_request())
    assert len(server.requests) == 1


async def test_the_clients_middleware_sees_the_request(serve: Serve) -> None:
    seen: list[str] = []

    async def watch(request: Any, call_next: Any) -> Any:
        seen.append(request.options.url)
        return await call_next(request)

    server = await serve(send_completion)
    client = anthropic.AsyncAnthropic(api_key=KEY, base_url=server.url, middleware=[watch])
    reply = await through(client, anthropic).send(raw_request())
    assert json.loads(reply.body) == completion()
    assert seen == ['/chat']


async def test_the_http_clients_hooks_see_the_request(serve: Serve) -> None:
    seen: list[str] = []

    async def watch(request: httpx2.Request) -> None:
        seen.append(request.url.path)

    server = await serve(send_completion)
    http_client = httpx2.AsyncClient(event_hooks={'request': [watch]})
    await through(openai.AsyncOpenAI(api_key=KEY, base_url=server.url, http_client=http_client), openai).send(
        raw_request()
    )
    assert seen == ['/chat']


async def test_a_key_function_is_called_for_each_request(serve: Serve) -> None:
    keys = iter(('first', 'second'))

    async def next_key() -> str:
        return next(keys)

    server = await serve(send_completion)
    connection = through(openai.AsyncOpenAI(api_key=next_key, base_url=server.url), openai)
    await connection.send(raw_request())
    await connection.send(raw_request())
    assert [request.headers['authorization'] for request in server.requests] == ['Bearer first', 'Bearer second']
