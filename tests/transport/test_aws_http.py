"""The HTTP client with boto3's settings: timeouts, certificates, proxies, and many connections."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import boto3
import httpx2
import pytest
from botocore.config import Config
from botocore.httpsession import where

from pydantic_llm.transport.aws_http import MIN_KEPT, make_http_client
from pydantic_llm.transport.pools import HttpClients
from pydantic_llm.transport.spread import FULL, POOLS, SpreadTransport
from tests.transport.boto3_clients import RESPONSE, client, connection, raw_request
from tests.transport.conftest import Serve
from tests.transport.server import Exchange, is_closed_soon, serve_in_thread

URL = 'https://bedrock-runtime.eu-central-1.amazonaws.com'


def pools(http: httpx2.AsyncClient) -> list[Any]:
    return [transport._pool for transport in http._transport._transports()]


def make(url: str = URL, *, verify: bool | str | None = None, **config: Any) -> httpx2.AsyncClient:
    aws: Any = boto3.client(
        'bedrock-runtime',
        region_name='eu-central-1',
        endpoint_url=url,
        aws_access_key_id='k',
        aws_secret_access_key='s',
        verify=verify,
        config=Config(**config),
    )
    return make_http_client(aws)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'AWS_CA_BUNDLE'):
        monkeypatch.delenv(name, raising=False)


def test_timeouts_are_those_of_the_boto3_client() -> None:
    http = make(read_timeout=7, connect_timeout=3)
    assert (http.timeout.read, http.timeout.connect) == (7, 3)


@pytest.mark.parametrize(('asked', 'kept'), [(10, MIN_KEPT), (5000, 5000)])
def test_enough_connections_are_kept_and_their_number_is_unlimited(asked: int, kept: int) -> None:
    found = pools(make(max_pool_connections=asked))
    assert len(found) == POOLS
    assert sum(pool._max_keepalive_connections for pool in found) >= kept
    assert {pool._max_connections > 10**6 for pool in found} == {True}


def test_certificates_are_checked_unless_the_boto3_client_skips_it() -> None:
    assert pools(make())[0]._ssl_context.verify_mode == ssl.CERT_REQUIRED
    assert pools(make(verify=False))[0]._ssl_context.verify_mode == ssl.CERT_NONE


def test_trusted_certificates_can_be_in_a_file_or_a_folder(tmp_path: Path) -> None:
    found = ssl.create_default_context(cafile=where()).cert_store_stats()
    assert pools(make(verify=where()))[0]._ssl_context.cert_store_stats() == found
    assert pools(make(verify=str(tmp_path)))[0]._ssl_context.cert_store_stats()['x509'] == 0


def test_the_proxy_of_the_configuration_is_used() -> None:
    [*found] = pools(make(proxies={'https': 'http://127.0.0.1:9'}))
    assert {(pool._proxy_url.host, pool._proxy_url.port) for pool in found} == {(b'127.0.0.1', 9)}
    plain = make('http://127.0.0.1:1', proxies={'https': 'http://127.0.0.1:9'})
    assert not any(hasattr(pool, '_proxy_url') for pool in pools(plain))


def test_the_proxy_of_the_environment_is_used_if_none_is_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('https_proxy', '127.0.0.1:9')
    assert pools(make())[0]._proxy_url.port == 9
    monkeypatch.setenv('no_proxy', 'amazonaws.com')
    assert not hasattr(pools(make())[0], '_proxy_url')


async def test_requests_go_to_the_proxy(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(RESPONSE)

    proxy = await serve(answer)
    aws = client('http://bedrock.test', proxies={'http': proxy.url})
    await connection(aws).send(raw_request())
    [request] = proxy.requests
    assert request.path.startswith('http://bedrock.test/model/')
    assert request.headers['host'] == 'bedrock.test'


# ---------------------------------------------------------------------- many connections


async def hold(exchange: Exchange) -> None:
    """Respond after all requests have arrived."""
    await asyncio.sleep(0.3)
    await exchange.respond(RESPONSE)


def pool() -> httpx2.AsyncHTTPTransport:
    return httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=None))


async def test_few_requests_use_one_pool_and_many_use_all(serve: Serve) -> None:
    server = await serve(hold)
    transport = SpreadTransport(pool)
    async with httpx2.AsyncClient(transport=transport, timeout=20) as http:
        pooled = [each._pool for each in transport._transports()]
        for _ in range(3):
            await http.get(server.url)
        assert [len(each._connections) for each in pooled] == [1, *[0] * (POOLS - 1)]
        await asyncio.gather(*(http.get(server.url) for _ in range(2 * FULL)))
        assert [len(each._connections) for each in pooled[:3]] == [FULL, FULL, 0]
        await asyncio.gather(*(http.get(server.url) for _ in range(3 * POOLS * FULL)))
        assert {len(each._connections) for each in pooled} == {3 * FULL}
    await server.wait_until_closed()


async def test_a_forked_client_has_its_own_pools() -> None:
    kind, original = HttpClients(), httpx2.AsyncClient(transport=SpreadTransport(pool))
    copy = kind.fork(original)
    assert {id(each) for each in pools(copy)}.isdisjoint({id(each) for each in pools(original)})
    assert kind.is_fresh(original)
    assert len(pools(copy)) == POOLS
    await original.aclose()
    await copy.aclose()


def test_all_pools_are_closed_when_a_loop_ends_during_requests() -> None:
    with serve_in_thread(hold) as server:
        connected = connection(client(server.url))

        async def send_and_leave() -> None:
            tasks = [asyncio.ensure_future(connected.send(raw_request())) for _ in range(100)]
            await asyncio.sleep(0.2)
            assert len(tasks) == 100

        for _ in range(2):
            asyncio.run(send_and_leave())
        assert is_closed_soon(server)
        assert asyncio.run(connected.send(raw_request())).body


def test_all_pools_are_closed_after_a_bare_loop_close() -> None:
    with serve_in_thread(hold) as server:
        connected = connection(client(server.url))
        loop = asyncio.new_event_loop()
        loop.run_until_complete(asyncio.wait_for(_send_100(connected), 10))
        loop.close()
        assert asyncio.run(connected.send(raw_request())).body
        assert is_closed_soon(server)


async def _send_100(connected: Any) -> None:
    await asyncio.gather(*(connected.send(raw_request()) for _ in range(100)))
