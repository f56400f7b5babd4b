"""What is sent through a boto3 client's credentials, address and hooks is what boto3 would send."""

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
    ANSWER,
    HELLO,
    PATH,
    SECRET,
    Json,
    Source,
    by_boto3,
    call,
    client,
    connection,
    is_signed,
)
from tests.transport.conftest import Serve
from tests.transport.server import Exchange, Server, serve_in_thread

TIMED = {'authorization', 'x-amz-date', 'amz-sdk-invocation-id', 'amz-sdk-request', 'x-amz-content-sha256'}
"""The headers that differ each time."""

OF_HTTP = {'accept', 'accept-encoding', 'connection', 'content-length', 'host'}
"""The headers of the client that sends."""


async def answer(exchange: Exchange) -> None:
    await exchange.answer(ANSWER)


def said(exchange: Exchange) -> dict[str, str]:
    """What a request's headers say, whoever sends it and when."""
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
async def test_a_request_is_the_one_that_boto3_sends(serve: Serve, credentials: Any, config: Json) -> None:
    server = await serve(answer)
    aws = client(server.url, credentials, **config)
    await asyncio.to_thread(by_boto3, aws)
    await connection(aws).send(call())
    theirs, ours = server.requests
    assert (ours.path, ours.json) == (theirs.path, theirs.json)
    assert said(ours) == said(theirs)
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
def test_the_address_is_the_one_that_boto3_sends_to(region: str, config: Json) -> None:
    aws: Any = boto3.client(
        'bedrock-runtime',
        region_name=region,
        aws_access_key_id='id',
        aws_secret_access_key='secret',
        config=Config(**config),
    )
    signed = connection(aws).sign(call()).url
    sent: list[str] = []

    def stop(request: Any, **more: Any) -> None:
        sent.append(request.url)
        raise InterruptedError

    aws.meta.events.register('before-send', stop)
    with pytest.raises(InterruptedError):
        by_boto3(aws)
    assert [signed] == sent


async def test_a_signature_is_the_right_one(serve: Serve) -> None:
    server = await serve(answer)
    aws = client(server.url)
    await connection(aws).send(call(**{'X-Extra': 'yes'}))
    [request] = server.requests
    assert is_signed(server.url, request.path, request.headers, request.body)
    assert not is_signed(server.url, request.path, request.headers, request.body + b' ')
    assert 'x-extra' in request.headers['authorization']
    assert (request.path, request.body, request.headers['x-extra']) == (PATH, HELLO, 'yes')
    assert request.headers['content-type'] == 'application/json'


async def test_a_bearer_token_is_sent_where_the_client_has_one(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_BEARER_TOKEN_BEDROCK', 'a-token')
    server = await serve(answer)
    aws = client(server.url)
    with pytest.raises(UserError, match='only over https, and the endpoint of bedrock_client= is not https'):
        await connection(aws).send(call())
    https = client(server.url.replace('http:', 'https:'))
    signed = connection(https).sign(call())
    assert signed.headers['Authorization'] in ('Bearer a-token', b'Bearer a-token')


async def test_a_client_for_tokens_without_one_says_so(serve: Serve) -> None:
    server = await serve(answer)
    aws = client(server.url.replace('http:', 'https:'), signature_version='bearer')
    aws._request_signer._auth_token = None
    with pytest.raises(UserError, match='has no token'):
        await connection(aws).send(call())


async def test_a_redirect_is_not_followed(serve: Serve) -> None:
    async def redirect(exchange: Exchange) -> None:
        await exchange.answer({}, status=307, headers={'location': '/elsewhere'})

    server = await serve(redirect)
    with pytest.raises(ModelHTTPError):
        await connection(client(server.url)).send(call())
    assert len(server.requests) == 1


# ---------------------------------------------------------------------- hooks

HOOKS = ('before-call', 'request-created', 'choose-signer', 'before-sign', 'before-send')


async def test_the_clients_hooks_are_called_as_boto3_calls_them(serve: Serve) -> None:
    server = await serve(answer)
    aws = client(server.url)
    called: list[tuple[str, frozenset[str]]] = []
    for hook in HOOKS:
        aws.meta.events.register(
            f'{hook}.bedrock-runtime.Converse',
            lambda hook=hook, **more: called.append((hook, frozenset(more))),
        )
    await asyncio.to_thread(by_boto3, aws)
    theirs = called[:]
    called.clear()
    await connection(aws).send(call())
    assert called == theirs
    assert [name for name, _ in called] == [*HOOKS]


async def test_what_hooks_change_is_sent_and_signed(serve: Serve) -> None:
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
    await connection(aws).send(call())
    [request] = server.requests
    assert [request.headers[f'x-before-{name}'] for name in ('call', 'sign', 'send')] == ['a', 'b', 'c']
    assert 'x-before-call;x-before-sign' in request.headers['authorization']
    assert is_signed(server.url, request.path, request.headers, request.body)


async def test_a_hook_can_choose_not_to_sign(serve: Serve) -> None:
    server = await serve(answer)
    aws = client(server.url)
    aws.meta.events.register('choose-signer.bedrock-runtime', lambda **more: UNSIGNED)
    await connection(aws).send(call())
    assert 'authorization' not in server.requests[0].headers


async def test_a_hook_that_answers_itself_is_refused(serve: Serve) -> None:
    server = await serve(answer)
    aws = client(server.url)
    aws.meta.events.register('before-send.bedrock-runtime', lambda **more: object())
    with pytest.raises(UserError, match=r"handler of 'before-send' that returns a response"):
        await connection(aws).send(call())
    stubbed = client(server.url)
    with Stubber(stubbed) as stubber:
        stubber.add_response('converse', ANSWER)
        with pytest.raises(UserError, match='as stubs and mocks do'):
            await connection(stubbed).send(call())
    assert server.requests == []


async def test_what_a_hook_raises_comes_back(serve: Serve) -> None:
    aws = client((await serve(answer)).url)

    def refuse(**more: Any) -> None:
        raise PermissionError('Not today')

    aws.meta.events.register('before-sign.bedrock-runtime', refuse)
    with pytest.raises(Exception, match='Not today'):
        await connection(aws).send(call())


# ---------------------------------------------------------------------- credentials


async def test_credentials_are_fetched_once_for_all_who_wait_and_off_the_loop(serve: Serve) -> None:
    server = await serve(answer)
    source = Source(seconds=0.3)
    speaking = connection(client(server.url, source.credentials()))
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
    tasks = [asyncio.ensure_future(speaking.send(call())) for _ in range(128)]
    await asyncio.sleep(0.25)
    assert threading.active_count() == threads + 1
    assert max(delays) < 0.2
    await asyncio.gather(*tasks)
    watching.cancel()
    assert source.fetches == 1
    assert threading.current_thread().name not in source.threads
    assert {request.headers['x-amz-security-token'] for request in server.requests} == {'token-1'}
    await speaking.send(call())
    assert source.fetches == 1


async def test_credentials_that_run_out_are_fetched_again(serve: Serve) -> None:
    server = await serve(answer)
    source = Source(lasts=1.0)  # less than what botocore wants to have left
    speaking = connection(client(server.url, source.credentials()))
    for _ in range(3):
        await speaking.send(call())
    assert [request.headers['x-amz-security-token'] for request in server.requests] == ['token-1', 'token-2', 'token-3']


async def test_whoever_gives_up_does_not_end_the_fetch_for_the_others(serve: Serve) -> None:
    server = await serve(answer)
    source = Source(seconds=0.4)
    speaking = connection(client(server.url, source.credentials()))
    leaving, staying = (asyncio.ensure_future(speaking.send(call())) for _ in range(2))
    await asyncio.sleep(0.1)
    leaving.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert time.monotonic() - began < 0.2
    await staying
    assert (source.fetches, len(server.requests)) == (1, 1)


async def test_a_deadline_ends_the_wait_for_credentials(serve: Serve) -> None:
    server = await serve(answer)
    speaking = connection(client(server.url, Source(seconds=2).credentials()))
    began = time.monotonic()
    with pytest.raises(ModelTimeoutError):
        await speaking.send(RawRequest(PATH, HELLO, 'the-model', deadlines=Deadlines(timeout=0.1)))
    assert time.monotonic() - began < 1


def test_one_fetch_serves_all_loops() -> None:
    with serve_in_thread(answer) as server:
        source = Source(seconds=0.5)
        speaking = connection(client(server.url, source.credentials()))
        threads = [threading.Thread(target=asyncio.run, args=(speaking.send(call()),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (source.fetches, len(server.requests)) == (1, 4)
        asyncio.run(speaking.send(call()))
        assert source.fetches == 1


async def test_a_fetch_that_failed_is_an_error_and_is_tried_again(serve: Serve) -> None:
    server = await serve(answer)
    source = Source()
    speaking = connection(client(server.url, source.credentials()))
    source.error = MetadataRetrievalError(error_msg='Unreachable')
    with pytest.raises(ModelAPIError, match='Unreachable'):
        await speaking.send(call())
    source.error = None
    await speaking.send(call())
    assert (source.fetches, len(server.requests)) == (2, 1)


async def test_missing_credentials_are_the_callers_mistake(serve: Serve) -> None:
    server = await serve(answer)
    source = Source()
    source.error = NoCredentialsError()
    with pytest.raises(UserError, match='AWS credentials were not found: set AWS_BEARER_TOKEN_BEDROCK'):
        await connection(client(server.url, source.credentials())).send(call())
    aws = client(server.url)
    aws._request_signer._credentials = None
    with pytest.raises(UserError, match='AWS credentials were not found'):
        await connection(aws).send(call())


async def test_a_token_is_fetched_off_the_loop_too(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
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
    speaking = connection(aws)
    assert await speaking._credentials.get() is None
    assert threading.current_thread().name not in threads
    assert len(threads) == 1
    assert await speaking._credentials.get() is None
    assert len(threads) == 1


async def test_no_secret_is_told_in_an_error(serve: Serve) -> None:
    async def repeat(exchange: Exchange) -> None:
        await exchange.answer({'message': ' '.join(exchange.headers.values())}, status=403)

    server = await serve(repeat)
    credentials = Credentials('id', SECRET, 'a-session-token')
    with pytest.raises(AuthenticationError) as caught:
        await connection(client(server.url, credentials)).send(call())
    told = repr(caught.value) + str(caught.value) + repr(caught.value.__dict__)
    signature = server.requests[0].headers['authorization'].rpartition('=')[2]
    assert [secret for secret in (SECRET, 'a-session-token', signature) if secret in told] == []


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
async def test_frames_come_as_events_however_they_are_cut(serve: Serve, size: int) -> None:
    frames = event('a', b'{"b":1}') + event('c', b'{"d": [2]}')

    async def stream(exchange: Exchange) -> None:
        await exchange.begin(CONTENT_TYPE)
        for at in range(0, len(frames), size):
            await exchange.chunk(frames[at : at + size])
        await exchange.end()

    assert b''.join(await read_all(await serve(stream))) == b'data: {"a":{"b":1}}\n\ndata: {"c":{"d": [2]}}\n\n'


async def test_a_frame_that_is_damaged_ends_the_stream(serve: Serve) -> None:
    async def stream(exchange: Exchange) -> None:
        await exchange.begin(CONTENT_TYPE)
        await exchange.chunk(event('a', b'{}')[:-1] + b'x')
        await exchange.gone()

    with pytest.raises(UnexpectedModelBehavior, match='checksum'):
        await read_all(await serve(stream))


async def test_half_a_frame_is_no_progress(serve: Serve) -> None:
    async def stream(exchange: Exchange) -> None:
        await exchange.begin(CONTENT_TYPE)
        await exchange.chunk(event('a', b'{}') + event('b', b'{}')[:-1])
        await exchange.gone()

    with pytest.raises(ModelTimeoutError) as caught:
        await read_all(await serve(stream), idle_timeout=0.2, timeout=5)
    assert caught.value.deadline == 'idle_timeout'


async def test_what_is_no_stream_of_frames_stays_as_it_is(serve: Serve) -> None:
    assert b''.join(await read_all(await serve(answer))) == __import__('json').dumps(ANSWER).encode()
