from __future__ import annotations

import asyncio
import json

import httpx2
import pytest

from pydantic_llm.exceptions import AuthenticationError, ModelHTTPError
from pydantic_llm.transport import RawRequest
from pydantic_llm.transport.http import Access, HTTPConnection
from pydantic_llm.transport.loops import LoopClients
from pydantic_llm.transport.pools import HttpClients
from tests.transport.clients import plain_httpx2, raw_request
from tests.transport.conftest import Serve
from tests.transport.server import Exchange, send_completion


class Tokens:
    """A source of a new token for each refused one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.number = 1

    async def __call__(self, model_name: str, *, refused: Access | None) -> Access:
        self.number += refused is not None
        return Access(self.url, {'Authorization': f'Bearer token-{self.number}'})


def connect_with_tokens(tokens: Tokens, *, can_renew: bool = True) -> HTTPConnection:
    clients = LoopClients(httpx2.AsyncClient(), HttpClients())
    return HTTPConnection(clients, tokens, provider_name='vendor', can_renew=can_renew)


async def accept_the_second(exchange: Exchange) -> None:
    if exchange.headers['authorization'] == 'Bearer token-2':
        await exchange.respond({'ok': True})
    else:
        await exchange.respond({'error': {'message': 'stale'}}, status=401)


async def test_refused_credentials_are_renewed_once(serve: Serve) -> None:
    server = await serve(accept_the_second)
    reply = await connect_with_tokens(Tokens(server.url)).send(raw_request())
    assert json.loads(reply.body) == {'ok': True}
    assert [request.headers['authorization'] for request in server.requests] == ['Bearer token-1', 'Bearer token-2']


@pytest.mark.parametrize(('number', 'can_renew', 'requests'), [(1, False, 1), (2, True, 1), (3, True, 2)])
async def test_credentials_are_renewed_only_if_refused(
    serve: Serve, number: int, can_renew: bool, requests: int
) -> None:
    server = await serve(accept_the_second)
    tokens = Tokens(server.url)
    tokens.number = number
    if number == 2:
        await connect_with_tokens(tokens, can_renew=can_renew).send(raw_request())
    else:
        with pytest.raises(AuthenticationError, match='stale'):
            await connect_with_tokens(tokens, can_renew=can_renew).send(raw_request())
    assert len(server.requests) == requests


@pytest.mark.parametrize('way', ['send', 'open'])
async def test_a_redirect_is_an_error_and_does_not_forward_the_key(serve: Serve, way: str) -> None:
    other = await serve(send_completion)

    async def redirect(exchange: Exchange) -> None:
        await exchange.respond(b'', status=307, headers={'location': other.url})

    server = await serve(redirect)
    with pytest.raises(ModelHTTPError, match='the-model answered 307') as caught:
        await getattr(plain_httpx2(server.url), way)(raw_request())
    assert caught.value.headers['location'] == other.url
    assert other.requests == []


async def test_the_path_is_appended_to_the_base_url(serve: Serve) -> None:
    server = await serve(send_completion)
    await plain_httpx2(f'{server.url}/v1beta').send(RawRequest('/models/m:generate?alt=sse', b'{}', 'm'))
    assert [request.path for request in server.requests] == ['/v1beta/models/m:generate?alt=sse']


async def test_cancelling_ends_an_endless_error_body(serve: Serve) -> None:
    async def refuse_slowly(exchange: Exchange) -> None:
        await exchange.head(500, {'content-length': '100'})
        await exchange.wait_until_gone()

    server = await serve(refuse_slowly)
    task = asyncio.ensure_future(plain_httpx2(server.url).send(raw_request()))
    await server.until(lambda: len(server.requests) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.wait_until_closed()
