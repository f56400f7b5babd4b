"""The provider of Bedrock: credentials, regions, URLs and clients."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import httpx2
import pytest
from openai import DefaultAioHttpClient

from pydantic_llm.exceptions import AuthenticationError, UserError
from pydantic_llm.messages import ModelRequest, TextPart
from pydantic_llm.models import infer_model
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.profiles.bedrock import bedrock_model_profile
from pydantic_llm.providers import infer_provider
from pydantic_llm.providers.bedrock import BedrockProvider
from tests.transport.boto3_clients import ID, REGION, RESPONSE, SECRET, is_signed
from tests.transport.server import Exchange, Server, serve_in_thread

MODEL = 'eu.amazon.nova-lite-v1:0'
HELLO = [ModelRequest.user_text_prompt('hello')]
VARIABLES = (
    'AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_BEARER_TOKEN_BEDROCK AWS_REGION AWS_DEFAULT_REGION '
    'AWS_PROFILE AWS_DEFAULT_PROFILE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_BEDROCK_RUNTIME http_proxy HTTP_PROXY'
).split()


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which nothing of Amazon's is set up."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('AWS_CONFIG_FILE', str(tmp_path / 'config'))
    monkeypatch.setenv('AWS_SHARED_CREDENTIALS_FILE', str(tmp_path / 'credentials'))
    monkeypatch.setenv('AWS_EC2_METADATA_DISABLED', 'true')
    return tmp_path


async def answer(exchange: Exchange) -> None:
    await exchange.respond(RESPONSE)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(answer) as server:
        yield server


def ask(provider: BedrockProvider, server: Server) -> dict[str, str]:
    """Ask something, and see what the headers of the request were."""
    response = asyncio.run(BedrockConverseModel(MODEL, provider=provider).request(HELLO))
    assert response.parts == [TextPart('Hello')]
    request = server.requests[-1]
    assert json.loads(request.body) == {'messages': [{'role': 'user', 'content': [{'text': 'hello'}]}]}
    return request.headers


def is_signed_for(server: Server, secret: str = SECRET) -> bool:
    request = server.requests[-1]
    return is_signed(server.url, request.path, request.headers, request.body, secret)


# ---------------------------------------------------------------------- credentials


def test_keys_that_are_given_sign(server: Server) -> None:
    provider = BedrockProvider(
        region_name=REGION, aws_access_key_id=ID, aws_secret_access_key=SECRET, base_url=server.url
    )
    headers = ask(provider, server)
    assert f'Credential={ID}/' in headers['authorization']
    assert f'/{REGION}/bedrock/aws4_request' in headers['authorization']
    assert 'x-amz-security-token' not in headers
    assert is_signed_for(server)


def test_session_credentials_have_a_token(server: Server) -> None:
    keys: Any = {'aws_access_key_id': ID, 'aws_secret_access_key': SECRET, 'aws_session_token': 'token'}
    headers = ask(BedrockProvider(region_name=REGION, base_url=server.url, **keys), server)
    assert headers['x-amz-security-token'] == 'token'
    assert is_signed_for(server)


def test_keys_that_are_given_win_over_an_api_key_of_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('AWS_BEARER_TOKEN_BEDROCK', 'a-token')
    keys: Any = {'aws_access_key_id': ID, 'aws_secret_access_key': SECRET}
    ask(BedrockProvider(region_name=REGION, base_url=server.url, **keys), server)
    assert is_signed_for(server)


def test_an_api_key_needs_no_signature(server: Server) -> None:
    headers = ask(BedrockProvider(api_key='a-key', base_url=server.url), server)
    assert headers['authorization'] == 'Bearer a-key'
    assert 'x-amz-date' not in headers


def test_an_api_key_of_the_environment_is_enough(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_BEARER_TOKEN_BEDROCK', 'a-token')
    monkeypatch.setenv('AWS_ACCESS_KEY_ID', ID)
    monkeypatch.setenv('AWS_SECRET_ACCESS_KEY', SECRET)
    assert ask(BedrockProvider(base_url=server.url), server)['authorization'] == 'Bearer a-token'


def test_credentials_of_the_environment_are_searched_when_they_are_needed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = BedrockProvider(region_name=REGION, base_url=server.url)
    monkeypatch.setenv('AWS_ACCESS_KEY_ID', ID)
    monkeypatch.setenv('AWS_SECRET_ACCESS_KEY', SECRET)
    ask(provider, server)
    assert is_signed_for(server)


def test_a_profile_has_credentials_and_a_region(server: Server, home: Path) -> None:
    (home / 'config').write_text(f'[profile mine]\nregion = {REGION}\n')
    (home / 'credentials').write_text(f'[mine]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n')
    ask(BedrockProvider(profile_name='mine', base_url=server.url), server)
    assert is_signed_for(server)


def test_a_profile_wins_over_an_api_key_of_the_environment(
    server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / 'credentials').write_text(f'[mine]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n')
    monkeypatch.setenv('AWS_BEARER_TOKEN_BEDROCK', 'a-token')
    ask(BedrockProvider(profile_name='mine', region_name=REGION, base_url=server.url), server)
    assert is_signed_for(server)


def test_a_program_can_give_credentials_that_run_out(server: Server, home: Path) -> None:
    """Every request finds them run out, and they are fetched again, in a thread of its own."""
    script = home / 'credentials.py'
    said = {'Version': 1, 'AccessKeyId': ID, 'SecretAccessKey': SECRET, 'SessionToken': 't'}
    script.write_text(
        'import datetime, json\n'
        'until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=5)\n'
        f'print(json.dumps({said} | {{"Expiration": until.isoformat()}}))\n'
    )
    (home / 'config').write_text(f'[default]\ncredential_process = {sys.executable} {script}\n')
    provider = BedrockProvider(region_name=REGION, base_url=server.url)
    for _ in range(2):
        assert ask(provider, server)['x-amz-security-token'] == 't'
        assert is_signed_for(server)


def test_missing_credentials_are_reported_at_the_first_request(server: Server) -> None:
    provider = BedrockProvider(region_name=REGION, base_url=server.url)
    with pytest.raises(UserError, match=r'AWS credentials were not found: set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS'):
        ask(provider, server)
    assert server.requests == []


def test_searching_credentials_does_not_block_the_event_loop(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = BedrockProvider(region_name=REGION, base_url=server.url)
    asking = threading.Event()

    looks: list[object] = []

    def look(self: object) -> Any:
        looks.append(self)
        asking.set()
        raise_when.wait(5)
        from botocore.credentials import Credentials

        return Credentials(ID, SECRET)

    raise_when = threading.Event()
    monkeypatch.setattr('botocore.credentials.CredentialResolver.load_credentials', look)

    async def work() -> None:
        task = asyncio.ensure_future(BedrockConverseModel(MODEL, provider=provider).request(HELLO))
        await asyncio.to_thread(asking.wait, 5)
        raise_when.set()  # only a loop that goes on comes here
        await asyncio.wait_for(task, 5)

    asyncio.run(work())
    assert is_signed_for(server)
    ask(provider, server)
    assert len(looks) == 1


def test_handlers_can_read_the_secrets_of_the_client(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_ACCESS_KEY_ID', ID)
    monkeypatch.setenv('AWS_SECRET_ACCESS_KEY', SECRET)
    client: Any = BedrockProvider(region_name=REGION, base_url=server.url).client
    assert client._request_signer._credentials.access_key == ID
    with pytest.raises(AttributeError):
        client._request_signer._credentials.nothing  # noqa: B018


def test_the_clients_own_methods_work(server: Server) -> None:
    keys: Any = {'aws_access_key_id': ID, 'aws_secret_access_key': SECRET}
    client: Any = BedrockProvider(region_name=REGION, base_url=server.url, **keys).client
    said = client.converse(modelId=MODEL, messages=[{'role': 'user', 'content': [{'text': 'hello'}]}])
    assert said['output']['message']['content'] == [{'text': 'Hello'}]


# ---------------------------------------------------------------------- a client of one's own


def own_client(url: str, service: str = 'bedrock-runtime') -> Any:
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=ID,
        aws_secret_access_key=SECRET,
    )


def test_the_configuration_of_a_client_is_kept(server: Server) -> None:
    client = own_client(server.url)
    provider = BedrockProvider(bedrock_client=client)
    ask(provider, server)
    assert is_signed_for(server)
    assert (provider.client, provider.base_url, provider.name) == (client, server.url, 'bedrock')


@pytest.mark.parametrize(
    'more',
    [
        {'region_name': REGION},
        {'api_key': 'k'},
        {'base_url': 'http://127.0.0.1:1'},
        {'aws_read_timeout': 3},
        {'profile_name': 'mine'},
        {'aws_access_key_id': ID},
    ],
)
def test_a_ready_client_takes_no_other_parameter(more: Any) -> None:
    with pytest.raises(UserError, match='brings its own'):
        BedrockProvider(bedrock_client=own_client('http://127.0.0.1:1'), **more)


@pytest.mark.parametrize(
    ('client', 'what'),
    [
        (object(), "of type 'object'"),
        ('bedrock-runtime', "of type 'str'"),
        (own_client('http://127.0.0.1:1', service='bedrock'), "for 'bedrock'"),
    ],
    ids=['object', 'name', 'another'],
)
def test_what_is_no_client_is_refused(client: Any, what: str) -> None:
    with pytest.raises(UserError, match=what):
        BedrockProvider(bedrock_client=client)


@pytest.mark.parametrize('make', [httpx2.AsyncClient, httpx.AsyncClient])
def test_requests_go_through_a_given_http_client(server: Server, make: Any) -> None:
    http = make(headers={'x-own': 'yes'}, timeout=3)
    headers = ask(BedrockProvider(bedrock_client=own_client(server.url), http_client=http), server)
    assert headers['x-own'] == 'yes'
    assert is_signed_for(server)
    headers = ask(BedrockProvider(api_key='a-key', base_url=server.url, http_client=http), server)
    assert headers['x-own'] == 'yes'


def test_aiohttp_takes_requests_that_are_not_signed(server: Server) -> None:
    http: Any = DefaultAioHttpClient()
    assert ask(BedrockProvider(api_key='a-key', base_url=server.url, http_client=http), server)
    with pytest.raises(UserError, match='goes through aiohttp, which rewrites URLs'):
        ask(BedrockProvider(bedrock_client=own_client(server.url), http_client=http), server)


@pytest.mark.parametrize('client', [httpx2.Client(), object()])
def test_a_blocking_http_client_is_refused(client: Any) -> None:
    with pytest.raises(UserError, match=r'http_client= takes an httpx2\.AsyncClient'):
        BedrockProvider(api_key='k', region_name=REGION, http_client=client)


# ---------------------------------------------------------------------- where


@pytest.mark.parametrize(
    ('variables', 'options', 'region'),
    [
        ({}, {'region_name': 'eu-west-1'}, 'eu-west-1'),
        ({'AWS_DEFAULT_REGION': 'eu-west-2'}, {}, 'eu-west-2'),
        ({'AWS_REGION': 'eu-west-3'}, {}, 'eu-west-3'),
        ({'AWS_REGION': 'eu-west-3', 'AWS_DEFAULT_REGION': 'eu-west-2'}, {'region_name': 'eu-west-1'}, 'eu-west-1'),
        ({'AWS_REGION': 'eu-west-3', 'AWS_DEFAULT_REGION': 'eu-west-2'}, {}, 'eu-west-2'),
    ],
)
def test_a_region_is_given_or_found(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], options: Any, region: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    provider = BedrockProvider(**options)
    assert provider.base_url == f'https://bedrock-runtime.{region}.amazonaws.com'


def test_boto3_reads_the_url_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_ENDPOINT_URL_BEDROCK_RUNTIME', 'http://127.0.0.1:7')
    assert BedrockProvider(region_name=REGION).base_url == 'http://127.0.0.1:7'


def test_a_missing_region_is_the_callers_mistake() -> None:
    for options in ({}, {'api_key': 'k'}, {'base_url': 'http://127.0.0.1:1'}):
        with pytest.raises(UserError, match=r"The region of 'bedrock' is missing: give region_name="):
            BedrockProvider(**options)


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'api_key': ''}, 'is empty'),
        ({'api_key': 'a key\n'}, 'api_key='),
        ({'api_key': 'k', 'aws_access_key_id': ID}, 'not both'),
        ({'api_key': 'k', 'profile_name': 'mine'}, 'not both'),
        ({'base_url': 'nowhere'}, 'base_url='),
        ({'profile_name': 'nobody'}, 'profile_name= names a profile that is not configured'),
        ({'region_name': 'no region'}, 'boto3 cannot make a client'),
        ({'aws_access_key_id': ID}, 'boto3 cannot make a client'),
    ],
    ids=repr,
)
def test_what_cannot_be_used_is_the_callers_mistake(options: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        BedrockProvider(**{'region_name': REGION, **options})


def test_a_missing_profile_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_PROFILE', 'nobody')
    with pytest.raises(UserError, match='AWS_PROFILE names a profile'):
        BedrockProvider(region_name=REGION)


def test_timeouts_are_those_that_are_given() -> None:
    client: Any = BedrockProvider(region_name=REGION, aws_read_timeout=7, aws_connect_timeout=3).client
    assert (client.meta.config.read_timeout, client.meta.config.connect_timeout) == (7, 3)
    client = BedrockProvider(region_name=REGION).client
    assert (client.meta.config.read_timeout, client.meta.config.connect_timeout) == (600, 10)


def test_the_name_makes_a_provider_and_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_DEFAULT_REGION', REGION)
    provider = infer_provider('bedrock')
    assert isinstance(provider, BedrockProvider)
    assert provider.model_profile(MODEL) == bedrock_model_profile(MODEL)
    model = infer_model(f'bedrock:{MODEL}')
    assert isinstance(model, BedrockConverseModel)
    assert (model.model_name, model.system) == (MODEL, 'bedrock')
    assert model.base_url == f'https://bedrock-runtime.{REGION}.amazonaws.com'
    keyed = BedrockConverseModel(MODEL, api_key='a-key')
    assert keyed.base_url == model.base_url


def test_the_headers_of_a_request_can_be_replaced(server: Server) -> None:
    provider = BedrockProvider(api_key='a-key', base_url=server.url)
    settings: Any = {'extra_headers': {'X-Amzn-Bedrock-Trace': 'ENABLED', 'authorization': 'Bearer another'}}
    asyncio.run(BedrockConverseModel(MODEL, provider=provider).request(HELLO, settings))
    headers = server.requests[-1].headers
    assert (headers['x-amzn-bedrock-trace'], headers['authorization']) == ('ENABLED', 'Bearer another')


def test_no_error_shows_a_key() -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.respond({'message': f'No: {exchange.headers["authorization"]}'}, status=403)

    with serve_in_thread(refuse) as server:
        provider = BedrockProvider(api_key='a-key-of-some-length', base_url=server.url)
        with pytest.raises(AuthenticationError) as caught:
            asyncio.run(BedrockConverseModel(MODEL, provider=provider).request(HELLO))
    assert 'a-key-of-some-length' not in f'{caught.value!r} {caught.value} {caught.value.__dict__}'
    assert 'a-key' not in repr(provider)
