from __future__ import annotations

import asyncio
import gc
import gzip
import json
import zlib
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from pydantic_llm.exceptions import AuthenticationError, ModelHTTPError, UnexpectedModelBehavior
from pydantic_llm.transport import RawRequest, response as response_module
from tests.transport.clients import HISTORY, KEY, Make, call, chat_model, through
from tests.transport.conftest import Serve
from tests.transport.server import Exchange, completion, streamed, whole


async def read_all(connection: Any, a_call: RawRequest) -> list[bytes]:
    stream = await connection.open(a_call)
    chunks: list[bytes] = []
    while data := await stream.read():
        chunks.append(data)
    await stream.aclose()
    return chunks


# ---------------------------------------------------------------------- what is sent


async def test_the_body_goes_out_as_the_bytes_that_it_is(serve: Serve, connect: Make) -> None:
    server = await serve(whole)
    await connect(server.url).send(RawRequest('/chat', b'{"a":  1}', 'm', {'X-Extra': 'yes'}))
    [request] = server.requests
    assert request.body == b'{"a":  1}'
    assert request.path == '/chat'
    assert request.headers['content-type'] == 'application/json'
    assert request.headers['authorization'] == f'Bearer {KEY}'
    assert request.headers['x-extra'] == 'yes'


async def test_headers_of_the_call_win_over_those_of_the_client(serve: Serve, connect: Make) -> None:
    server = await serve(whole)
    await connect(server.url).send(
        RawRequest('/chat', b'{}', 'm', {'User-Agent': 'me', 'content-type': 'application/x'})
    )
    assert server.requests[0].headers['user-agent'] == 'me'
    assert server.requests[0].headers['content-type'] == 'application/x'


@pytest.mark.parametrize('status', [408, 409, 429, 500, 503])
async def test_nothing_is_sent_twice(serve: Serve, status: int) -> None:
    async def fail(exchange: Exchange) -> None:
        await exchange.answer({'error': {'message': 'no'}}, status=status, headers={'retry-after': '0'})

    server = await serve(fail)
    client = openai.AsyncOpenAI(api_key=KEY, base_url=server.url, max_retries=5)
    with pytest.raises(ModelHTTPError):
        await through(client).send(call())
    assert len(server.requests) == 1


async def test_a_connection_is_used_again(serve: Serve, connect: Make) -> None:
    server = await serve(whole)
    connection = connect(server.url)
    for _ in range(3):
        await connection.send(call())
    assert server.connections == 1


async def test_a_stream_that_is_read_to_its_end_leaves_its_connection_to_the_next(serve: Serve, connect: Make) -> None:
    server = await serve(streamed)
    connection = connect(server.url)
    for _ in range(3):
        await read_all(connection, call())
    assert server.connections == 1


async def test_a_stream_of_a_model_leaves_its_connection_to_the_next(serve: Serve) -> None:
    server = await serve(streamed)
    model = chat_model(server.url)
    for _ in range(3):
        async with model.request_stream(HISTORY) as stream:
            assert [event async for event in stream]
    assert server.connections == 1


async def test_a_server_that_never_ends_a_stream_is_left_after_the_last_event(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_end(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\n')
        await exchange.chunk(b'data: [DONE]\n\n')
        await exchange.gone()

    monkeypatch.setattr(response_module, 'FINISHING_TIMEOUT', 0.05)
    server = await serve(never_end)
    async with asyncio.timeout(2), chat_model(server.url).request_stream(HISTORY) as stream:
        assert [event async for event in stream]
    assert stream.get().state == 'complete'
    await server.all_closed()


# ---------------------------------------------------------------------- what comes back


async def test_a_whole_answer_comes_with_its_headers_in_any_case(serve: Serve, connect: Make) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.answer({'ok': True}, headers={'X-Request-Id': 'r1'})

    server = await serve(answer)
    reply = await connect(server.url).send(call())
    assert json.loads(reply.body) == {'ok': True}
    assert reply.headers['x-request-id'] == reply.headers['X-Request-Id'] == 'r1'


async def test_a_compressed_answer_is_unpacked(serve: Serve, connect: Make) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.answer(gzip.compress(b'{"ok": 1}'), headers={'content-encoding': 'gzip'})

    server = await serve(answer)
    assert (await connect(server.url).send(call())).body == b'{"ok": 1}'


async def test_a_compressed_stream_is_unpacked_as_it_comes(serve: Serve, connect: Make) -> None:
    go_on = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        packer = zlib.compressobj(wbits=31)
        await exchange.begin(headers={'content-encoding': 'gzip'})
        await exchange.chunk(packer.compress(b'data: 1\n\n') + packer.flush(zlib.Z_SYNC_FLUSH))
        await go_on.wait()
        await exchange.chunk(packer.compress(b'data: 2\n\n') + packer.flush())
        await exchange.end()

    server = await serve(answer)
    stream = await connect(server.url).open(call())
    assert await stream.read() == b'data: 1\n\n'
    go_on.set()
    assert [await stream.read(), await stream.read()] == [b'data: 2\n\n', b'']
    await stream.aclose()


async def test_reading_after_the_end_gives_nothing(serve: Serve, connect: Make) -> None:
    server = await serve(streamed)
    stream = await connect(server.url).open(call())
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
    stream = await connect(server.url).open(call())
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
            await exchange.answer(b'', status=status, headers={'location': '/elsewhere'})
        else:
            await exchange.answer({'path': exchange.path, 'body': exchange.json})

    server = await serve(redirect)
    reply = await connect_sdk(server.url).send(call())
    assert json.loads(reply.body) == {'path': '/elsewhere', 'body': {'hello': 1}}


async def test_the_key_is_not_taken_to_another_host(serve: Serve, connect_sdk: Make) -> None:
    other = await serve(whole)

    async def redirect(exchange: Exchange) -> None:
        await exchange.answer(b'', status=307, headers={'location': f'http://localhost:{other.port}/chat'})

    server = await serve(redirect)
    await connect_sdk(server.url).send(call())
    assert 'authorization' in server.requests[0].headers
    assert 'authorization' not in other.requests[0].headers


async def test_an_answer_without_an_end_is_given_up(
    serve: Serve, connect: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def flood(exchange: Exchange) -> None:
        await exchange.begin('application/json')
        while True:
            await exchange.chunk(b' ' * 10_000)

    monkeypatch.setattr(response_module, 'MAX_BODY_BYTES', 100_000)
    server = await serve(flood)
    with pytest.raises(UnexpectedModelBehavior, match='the-model is longer than 100000 bytes'):
        await connect(server.url).send(call())
    await server.all_closed()


async def test_an_answer_as_long_as_allowed_is_read(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.answer(b'x' * 100_000)

    monkeypatch.setattr(response_module, 'MAX_BODY_BYTES', 100_000)
    server = await serve(answer)
    client = openai.AsyncOpenAI(api_key=KEY, base_url=server.url)
    assert len((await through(client).send(call())).body) == 100_000


# ---------------------------------------------------------------------- credentials that the client renews


class Tokens:
    """A source of tokens, a new one each time."""

    def __init__(self) -> None:
        self.made = 0

    async def __call__(self, *, force_refresh: bool = False) -> anthropic.AccessToken:
        self.made += 1
        return anthropic.AccessToken(f'token-{self.made}', expires_at=None)


async def accept_the_second_token(exchange: Exchange) -> None:
    if exchange.headers['authorization'] == 'Bearer token-2':
        await exchange.answer({'ok': True})
    else:
        await exchange.answer({'error': {'type': 'authentication_error', 'message': 'stale'}}, status=401)


async def accept_no_token(exchange: Exchange) -> None:
    await exchange.answer({'error': {'type': 'authentication_error', 'message': 'never'}}, status=401)


async def test_a_token_that_was_revoked_is_renewed_once(serve: Serve) -> None:
    server = await serve(accept_the_second_token)
    client = anthropic.AsyncAnthropic(credentials=Tokens(), base_url=server.url)
    reply = await through(client, anthropic).send(call())
    assert reply.body == b'{"ok": true}'
    assert len(server.requests) == 2


async def test_a_token_that_is_refused_twice_is_an_authentication_error(serve: Serve) -> None:
    server = await serve(accept_no_token)
    client = anthropic.AsyncAnthropic(credentials=Tokens(), base_url=server.url)
    with pytest.raises(AuthenticationError, match='never'):
        await through(client, anthropic).send(call())
    assert len(server.requests) == 2


async def test_a_key_that_is_refused_is_not_tried_again(serve: Serve, connect: Make) -> None:
    server = await serve(accept_no_token)
    with pytest.raises(AuthenticationError, match='never'):
        await connect(server.url).send(call())
    assert len(server.requests) == 1


async def test_the_clients_middleware_sees_the_request(serve: Serve) -> None:
    seen: list[str] = []

    async def watch(request: Any, call_next: Any) -> Any:
        seen.append(request.options.url)
        return await call_next(request)

    server = await serve(whole)
    client = anthropic.AsyncAnthropic(api_key=KEY, base_url=server.url, middleware=[watch])
    reply = await through(client, anthropic).send(call())
    assert json.loads(reply.body) == completion()
    assert seen == ['/chat']


async def test_the_http_clients_hooks_see_the_request(serve: Serve) -> None:
    seen: list[str] = []

    async def watch(request: httpx2.Request) -> None:
        seen.append(request.url.path)

    server = await serve(whole)
    http_client = httpx2.AsyncClient(event_hooks={'request': [watch]})
    await through(openai.AsyncOpenAI(api_key=KEY, base_url=server.url, http_client=http_client)).send(call())
    assert seen == ['/chat']


async def test_a_key_that_is_a_function_is_asked_for_each_request(serve: Serve) -> None:
    keys = iter(('first', 'second'))

    async def next_key() -> str:
        return next(keys)

    server = await serve(whole)
    connection = through(openai.AsyncOpenAI(api_key=next_key, base_url=server.url))
    await connection.send(call())
    await connection.send(call())
    assert [request.headers['authorization'] for request in server.requests] == ['Bearer first', 'Bearer second']
