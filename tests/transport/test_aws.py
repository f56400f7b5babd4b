"""Requests with a boto3 client's credentials, URL and hooks are identical to those that boto3 sends."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import MetadataRetrievalError, NoCredentialsError
from botocore.stub import Stubber
from botocore.tokens import FrozenAuthToken

from pydantic_llm.exceptions import (
    AuthenticationError,
    ModelAPIError,
    ModelHTTPError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_llm.transport import Deadlines, RawRequest
from pydantic_llm.transport.eventstream import CONTENT_TYPE, encode_frame
from tests.transport.boto3_clients import (
    HELLO,
    PATH,
    RESPONSE,
    SECRET,
    CredentialSource,
    Json,
    client,
    connection,
    is_signed,
    raw_request,
    send_by_boto3,
)
from tests.transport.conftest import Serve
from tests.transport.server import Exchange, Server, serve_in_thread

TIMED = {'authorization', 'x-amz-date', 'amz-sdk-invocation-id', 'amz-sdk-request', 'x-amz-content-sha256'}
"""The headers that differ in each request."""

OF_HTTP = {'accept', 'accept-encoding', 'connection', 'content-length', 'host'}
"""The headers of the HTTP client."""


async def answer(exchange: Exchange) -> None:
    await exchange.respond(RESPONSE)


def headers_of(exchange: Exchange) -> dict[str, str]:
    """Return the headers that do not depend on the HTTP client and the time."""
    return {name: value for name, value in exchange.headers.items() if name not in TIMED | OF_HTTP}


# ---------------------------------------------------------------------- the same request


@pytest.mark.parametrize(
    ('credentials', 'config'),
    [
        (None, {}),
        (Credentials('id', 'secret', 'a-session-token'), {}),
        (None, {'user_agent_extra': 'mine/1.0', 'user_agent_appid': 'app'}),
        (None, {'signature_version': UNSIGNED}),
    ],
    ids=['keys', 'session', 'agent', 'unsigned'],
)
async def test_a_request_is_identical_to_boto3s(serve: Serve, credentials: Any, config: Json) -> None:
    server = await serve(answer)
    aws = client(server.url, credentials, **config)
    await asyncio.to_thread(send_by_boto3, aws)
    await connection(aws).send(raw_request())
    theirs, ours = server.requests
    assert (ours.path, ours.json) == (theirs.path, theirs.json)
    assert headers_of(ours) == headers_of(theirs)
    assert ('authorization' in ours.headers) == ('authorization' in theirs.headers)
    scope = [each.headers.get('authorization', '').partition('/')[2].partition(',')[0] for each in (ours, theirs)]
    assert scope[0] == scope[1]


@pytest.mark.parametrize(
    ('region', 'config'),
    [
        ('us-east-1', {}),
        ('us-east-1', {'use_fips_endpoint': True}),
        ('eu-west-1', {'use_dualstack_endpoint': True}),
        ('us-gov-west-1', {}),
        ('cn-north-1', {}),
    ],
)
def test_the_url_is_identical_to_boto3s(region: str, config: Json) -> None:
    aws: Any = boto3.client(
        'bedrock-runtime',
        region_name=region,
        aws_access_key_id='id',
        aws_secret_access_key='secret',
        config=Config(**config),
    )
    signed = connection(aws).sign(raw_request()).url
    sent: list[str] = []

    def stop(request: Any, **more: Any) -> None:
        sent.append(request.url)
        raise InterruptedError

    aws.meta.events.register('before-send', stop)
    with pytest.raises(InterruptedError):
        send_by_boto3(aws)
    assert [signed] == sent


async def test_a_signature_is_valid(serve: Serve) -> None:
    server = await serve(answer)
    aws = client(server.url)
    await connection(aws).send(raw_request(**{'X-Extra': 'yes'}))
    [request] = server.requests
    assert is_signed(server.url, request.path, request.headers, request.body)
    assert not is_signed(server.url, request.path, request.headers, request.body + b' ')
    assert 'x-extra' in request.headers['authorization']
    assert (request.path, request.body, request.headers['x-extra']) == (PATH, HELLO, 'yes')
    assert request.headers['content-type'] == 'application/json'


async def test_a_bearer_token_is_sent_if_the_client_has_one(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_BEARER_TOKEN_BEDROCK', 'a-token')
    server = await serve(answer)
    aws = client(server.url)
    with pytest.raises(UserError, match='only over https, and the endpoint of bedrock_client= is not https'):
        await connection(aws).send(raw_request())
    https = client(server.url.replace('http:', 'https:'))
    signed = connection(https).sign(raw_request())
    assert signed.headers['Authorization'] in ('Bearer a-token', b'Bearer a-token')


async def test_a_bearer_client_without_a_token_is_a_user_error(serve: Serve) -> None:
    server = await serve(answer)
    aws = client(server.url.replace('http:', 'https:'), signature_version='bearer')
    aws._request_signer._auth_token = None
    with pytest.raises(UserError, match='has no token'):
        await connection(aws).send(raw_request())


async def test_a_redirect_is_not_followed(serve: Serve) -> None:
    async def redirect(exchange: Exchange) -> None:
        await exchange.respond({}, status=307, headers={'location': '/elsewhere'})

    server = await serve(redirect)
    with pytest.raises(ModelHTTPError):
        await connection(client(server.url)).send(raw_request())
    assert len(server.requests) == 1


# ---------------------------------------------------------------------- hooks

HOOKS = ('before-call', 'request-created', 'choose-signer', 'before-sign', 'before-send')


async def test_hooks_are_called_as_by_boto3(serve: Serve) -> None:
    server = await serve(answer)
    aws = client(server.url)
    called: list[tuple[str, frozenset[str]]] = []
    for hook in HOOKS:
        aws.meta.events.register(
            f'{hook}.bedrock-runtime.Converse',
            lambda hook=hook, **more: called.append((hook, frozenset(more))),
        )
    await asyncio.to_thread(send_by_boto3, aws)
    theirs = called[:]
    called.clear()
    await connection(aws).send(raw_request())
    assert called == theirs
    assert [name for name, _ in called] == [*HOOKS]


async def test_changes_by_hooks_are_sent_and_signed(serve: Serve) -> None:
    server = await serve(answer)
    aws = client(server.url)

    def before_call(params: Json, **more: Any) -> None:
        params['headers']['X-Before-Call'] = 'a'

    def before_sign(request: Any, **more: Any) -> None:
        request.headers['X-Before-Sign'] = 'b'

    def before_send(request: Any, **more: Any) -> None:
        request.headers['X-Before-Send'] = 'c'

    aws.meta.events.register('before-call.bedrock-runtime', before_call)
    aws.meta.events.register('before-sign.bedrock-runtime.*', before_sign)
    aws.meta.events.register('before-send', before_send)
    await connection(aws).send(raw_request())
    [request] = server.requests
    assert [request.headers[f'x-before-{name}'] for name in ('call', 'sign', 'send')] == ['a', 'b', 'c']
    assert 'x-before-call;x-before-sign' in request.headers['authorization']
    assert is_signed(server.url, request.path, request.headers, request.body)


async def test_a_hook_can_choose_not_to_sign(serve: Serve) -> None:
    server = await serve(answer)
    aws = client(server.url)
    aws.meta.events.register('choose-signer.bedrock-runtime', lambda **more: UNSIGNED)
    await connection(aws).send(raw_request())
    assert 'authorization' not in server.requests[0].headers


async def test_a_hook_that_returns_a_response_is_a_user_error(serve: Serve) -> None:
    server = await serve(answer)
    aws = client(server.url)
    aws.meta.events.register('before-send.bedrock-runtime', lambda **more: object())
    with pytest.raises(UserError, match=r"handler of 'before-send' that returns a response"):
        await connection(aws).send(raw_request())
    stubbed = client(server.url)
    with Stubber(stubbed) as stubber:
        stubber.add_response('converse', RESPONSE)
        with pytest.raises(UserError, match='as stubs and mocks do'):
            await connection(stubbed).send(raw_request())
    assert server.requests == []


async def test_an_exception_of_a_hook_is_raised(serve: Serve) -> None:
    aws = client((await serve(answer)).url)

    def refuse(**more: Any) -> None:
        raise PermissionError('Not today')

    aws.meta.events.register('before-sign.bedrock-runtime', refuse)
    with pytest.raises(Exception, match='Not today'):
        await connection(aws).send(raw_request())


# ---------------------------------------------------------------------- credentials


async def test_credentials_are_fetched_once_for_all_waiters_in_a_thread(serve: Serve) -> None:
    server = await serve(answer)
    source = CredentialSource(seconds=2.0)
    connected = connection(client(server.url, source.credentials()))
    delays: list[float] = []

    async def watch() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            delays.append(time.monotonic() - began)

    watching = asyncio.ensure_future(watch())
    await asyncio.sleep(0.05)
    delays.clear()
    threads = threading.active_count()
    tasks = [asyncio.ensure_future(connected.send(raw_request())) for _ in range(128)]
    await asyncio.sleep(0.25)
    assert threading.active_count() == threads + 1
    assert max(delays) < 1.5
    await asyncio.gather(*tasks)
    watching.cancel()
    assert source.fetches == 1
    assert threading.current_thread().name not in source.threads
    assert {request.headers['x-amz-security-token'] for request in server.requests} == {'token-1'}
    await connected.send(raw_request())
    assert source.fetches == 1


async def test_expiring_credentials_are_fetched_again(serve: Serve) -> None:
    server = await serve(answer)
    source = CredentialSource(lifetime=1.0)  # shorter than the remaining lifetime that botocore requires
    connected = connection(client(server.url, source.credentials()))
    for _ in range(3):
        await connected.send(raw_request())
    assert [request.headers['x-amz-security-token'] for request in server.requests] == ['token-1', 'token-2', 'token-3']


async def test_a_cancelled_waiter_does_not_end_the_fetch_for_the_others(serve: Serve) -> None:
    server = await serve(answer)
    source = CredentialSource(seconds=0.4)
    connected = connection(client(server.url, source.credentials()))
    cancelled, waiting = (asyncio.ensure_future(connected.send(raw_request())) for _ in range(2))
    await asyncio.sleep(0.1)
    cancelled.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert time.monotonic() - began < 0.2
    await waiting
    assert (source.fetches, len(server.requests)) == (1, 1)


async def test_a_deadline_ends_the_wait_for_credentials(serve: Serve) -> None:
    server = await serve(answer)
    connected = connection(client(server.url, CredentialSource(seconds=2).credentials()))
    began = time.monotonic()
    with pytest.raises(ModelTimeoutError):
        await connected.send(RawRequest(PATH, HELLO, 'the-model', deadlines=Deadlines(timeout=0.1)))
    assert time.monotonic() - began < 1


def test_one_fetch_serves_all_loops() -> None:
    with serve_in_thread(answer) as server:
        source = CredentialSource(seconds=0.5)
        connected = connection(client(server.url, source.credentials()))
        threads = [threading.Thread(target=asyncio.run, args=(connected.send(raw_request()),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (source.fetches, len(server.requests)) == (1, 4)
        asyncio.run(connected.send(raw_request()))
        assert source.fetches == 1


async def test_a_failed_fetch_is_an_error_and_is_retried(serve: Serve) -> None:
    server = await serve(answer)
    source = CredentialSource()
    connected = connection(client(server.url, source.credentials()))
    source.error = MetadataRetrievalError(error_msg='Unreachable')
    with pytest.raises(ModelAPIError, match='Unreachable'):
        await connected.send(raw_request())
    source.error = None
    await connected.send(raw_request())
    assert (source.fetches, len(server.requests)) == (2, 1)


async def test_missing_credentials_are_a_user_error(serve: Serve) -> None:
    server = await serve(answer)
    source = CredentialSource()
    source.error = NoCredentialsError()
    with pytest.raises(UserError, match='AWS credentials were not found: set AWS_BEARER_TOKEN_BEDROCK'):
        await connection(client(server.url, source.credentials())).send(raw_request())
    aws = client(server.url)
    aws._request_signer._credentials = None
    with pytest.raises(UserError, match='AWS credentials were not found'):
        await connection(aws).send(raw_request())


async def test_a_token_is_fetched_in_a_thread_too(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_BEARER_TOKEN_BEDROCK', 'a-token')
    aws = client((await serve(answer)).url)
    threads: list[str] = []

    class Tokens:
        def get_frozen_token(self) -> FrozenAuthToken:
            threads.append(threading.current_thread().name)
            return FrozenAuthToken('fetched')

        def _should_refresh(self) -> str | None:
            return None if threads else 'mandatory'

    aws._request_signer._auth_token = Tokens()
    connected = connection(aws)
    assert await connected._credentials.get() is None
    assert threading.current_thread().name not in threads
    assert len(threads) == 1
    assert await connected._credentials.get() is None
    assert len(threads) == 1


async def test_an_error_shows_no_secret(serve: Serve) -> None:
    async def repeat(exchange: Exchange) -> None:
        await exchange.respond({'message': ' '.join(exchange.headers.values())}, status=403)

    server = await serve(repeat)
    credentials = Credentials('id', SECRET, 'a-session-token')
    with pytest.raises(AuthenticationError) as caught:
        await connection(client(server.url, credentials)).send(raw_request())
    texts = repr(caught.value) + str(caught.value) + repr(caught.value.__dict__)
    signature = server.requests[0].headers['authorization'].rpartition('=')[2]
    assert [secret for secret in (SECRET, 'a-session-token', signature) if secret in texts] == []


# ---------------------------------------------------------------------- streams


def event(name: str, payload: bytes, kind: str = 'event') -> bytes:
    return encode_frame({f':{kind}-type': name, ':message-type': kind, ':content-type': 'application/json'}, payload)


async def read_all(server: Server, **deadlines: float) -> list[bytes]:
    path = f'{PATH}-stream'
    stream = await connection(client(server.url)).open(
        RawRequest(path, HELLO, 'the-model', deadlines=Deadlines(**deadlines))
    )
    read: list[bytes] = []
    try:
        while data := await stream.read():
            stream.progress()
            read.append(data)
    finally:
        await stream.aclose()
    return read


@pytest.mark.parametrize('size', [1, 7, 1000])
async def test_frames_become_events_for_any_chunks(serve: Serve, size: int) -> None:
    frames = event('a', b'{"b":1}') + event('c', b'{"d": [2]}')

    async def stream(exchange: Exchange) -> None:
        await exchange.begin(CONTENT_TYPE)
        for at in range(0, len(frames), size):
            await exchange.chunk(frames[at : at + size])
        await exchange.end()

    assert b''.join(await read_all(await serve(stream))) == b'data: {"a":{"b":1}}\n\ndata: {"c":{"d": [2]}}\n\n'


async def test_a_damaged_frame_ends_the_stream(serve: Serve) -> None:
    async def stream(exchange: Exchange) -> None:
        await exchange.begin(CONTENT_TYPE)
        await exchange.chunk(event('a', b'{}')[:-1] + b'x')
        await exchange.wait_until_gone()

    with pytest.raises(UnexpectedModelBehavior, match='checksum'):
        await read_all(await serve(stream))


async def test_half_a_frame_is_not_progress(serve: Serve) -> None:
    async def stream(exchange: Exchange) -> None:
        await exchange.begin(CONTENT_TYPE)
        await exchange.chunk(event('a', b'{}') + event('b', b'{}')[:-1])
        await exchange.wait_until_gone()

    with pytest.raises(ModelTimeoutError) as caught:
        await read_all(await serve(stream), idle_timeout=0.2, timeout=5)
    assert caught.value.deadline == 'idle_timeout'


async def test_a_response_of_another_type_is_unchanged(serve: Serve) -> None:
    assert b''.join(await read_all(await serve(answer))) == __import__('json').dumps(RESPONSE).encode()
