"""The provider of Vertex AI: credentials and their tokens, projects, regions, addresses."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from google.auth import jwt
from google.auth.credentials import AnonymousCredentials
from google.oauth2.credentials import Credentials
from google.oauth2.service_account import Credentials as ServiceAccount

from pydantic_llm.exceptions import (
    AuthenticationError,
    LLMError,
    ModelConnectionError,
    ModelTimeoutError,
    UserError,
)
from pydantic_llm.models import infer_model
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.providers.google_vertex import GoogleVertexProvider
from tests.providers.google_cloud import HELLO, Cloud, Json, ask, google_cloud, private_key, service_account

GEMINI = '/publishers/google/models/gemini-2.5-flash:generateContent'
VARIABLES = """
    GOOGLE_CLOUD_PROJECT GCLOUD_PROJECT GOOGLE_CLOUD_LOCATION GOOGLE_CLOUD_REGION GOOGLE_VERTEX_BASE_URL
    GOOGLE_APPLICATION_CREDENTIALS GOOGLE_API_KEY GEMINI_API_KEY GOOGLE_CLOUD_QUOTA_PROJECT HTTP_PROXY http_proxy
""".split()


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('CLOUDSDK_CONFIG', str(tmp_path / 'no-gcloud'))
    monkeypatch.setenv('NO_GCE_CHECK', 'true')
    monkeypatch.setenv('PATH', str(tmp_path))


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with google_cloud() as cloud:
        yield cloud


def with_account(cloud: Cloud, **options: Any) -> GoogleVertexProvider:
    return GoogleVertexProvider(service_account_info=service_account(cloud), base_url=cloud.url, **options)


def place(project: str = 'the-project', region: str = 'global') -> str:
    return f'/v1beta1/projects/{project}/locations/{region}'


def expire(provider: GoogleVertexProvider, *, minutes: int = -1) -> None:
    """Set the minutes until the provider's token expires."""
    tokens: Any = provider._tokens
    tokens._credentials.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=minutes)


# ---------------------------------------------------------------------- who asks


async def test_a_service_account_may_be_given_as_a_mapping(cloud: Cloud) -> None:
    assert (await ask(with_account(cloud))).text == 'Hi.'
    assert (cloud.paths, cloud.keys) == ([place() + GEMINI], ['Bearer token-1'])


@pytest.mark.parametrize('kind', [str, Path])
async def test_a_service_account_may_be_given_as_a_file(cloud: Cloud, tmp_path: Path, kind: Any) -> None:
    file = tmp_path / 'key.json'
    file.write_text(json.dumps(service_account(cloud)))
    await ask(GoogleVertexProvider(service_account_file=kind(file), base_url=cloud.url))
    assert cloud.keys == ['Bearer token-1']


async def test_credentials_may_be_given_and_get_the_scope_that_they_need(cloud: Cloud) -> None:
    credentials = ServiceAccount.from_service_account_info(service_account(cloud))
    await ask(GoogleVertexProvider(credentials=credentials, base_url=cloud.url))
    assert cloud.keys == ['Bearer token-1']
    claims: Any = jwt.decode(cloud.assertions[0], verify=False)
    assert claims['scope'] == 'https://www.googleapis.com/auth/cloud-platform'


async def test_a_quota_project_goes_along(cloud: Cloud) -> None:
    credentials = Credentials('a-token', quota_project_id='who-pays')
    await ask(GoogleVertexProvider(credentials=credentials, project_id='p', base_url=cloud.url))
    assert cloud.requests[0][1]['x-goog-user-project'] == 'who-pays'


async def test_default_credentials_are_looked_for_at_the_first_request(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    provider = GoogleVertexProvider(project_id='the-project', base_url=cloud.url)
    file = tmp_path / 'adc.json'
    file.write_text(json.dumps(service_account(cloud)))
    monkeypatch.setenv('GOOGLE_APPLICATION_CREDENTIALS', str(file))
    await ask(provider)
    assert (cloud.paths, cloud.keys) == ([place() + GEMINI], ['Bearer token-1'])


async def test_missing_credentials_are_reported_and_searched_again_by_the_next_request(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    provider = GoogleVertexProvider(project_id='the-project', base_url=cloud.url)
    with pytest.raises(UserError, match=r'gcloud auth application-default login.*service_account_file='):
        await ask(provider)
    file = tmp_path / 'adc.json'
    file.write_text(json.dumps(service_account(cloud)))
    monkeypatch.setenv('GOOGLE_APPLICATION_CREDENTIALS', str(file))
    assert (await ask(provider)).text == 'Hi.'


async def test_a_key_is_express_mode(cloud: Cloud) -> None:
    provider = GoogleVertexProvider(api_key='the-key', base_url=cloud.url)
    await ask(provider)
    assert (cloud.paths, cloud.keys) == ([f'/v1beta1{GEMINI}'], ['the-key'])
    assert 'the-key' not in repr(provider)
    await GeminiModel('gemini-2.5-flash', provider=provider).request(HELLO)
    with pytest.raises(UserError, match='is empty'):
        GoogleVertexProvider(api_key='')


async def test_a_key_with_a_project_asks_in_that_project(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GOOGLE_CLOUD_PROJECT', 'of-the-environment')
    await ask(GoogleVertexProvider(api_key='k', project_id='p', region='europe-west4', base_url=cloud.url))
    assert cloud.paths == [place('p', 'europe-west4') + GEMINI]


async def test_another_server_gets_no_credentials_but_those_that_are_given(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / 'adc.json'
    file.write_text(json.dumps(service_account(cloud)))
    monkeypatch.setenv('GOOGLE_APPLICATION_CREDENTIALS', str(file))
    monkeypatch.setenv('GOOGLE_CLOUD_PROJECT', 'the-project')
    monkeypatch.setenv('GOOGLE_VERTEX_BASE_URL', cloud.url)
    await infer_model('google-vertex:gemini-2.5-flash').request(HELLO)
    assert (cloud.paths, cloud.keys, cloud.assertions) == ([f'/v1beta1{GEMINI}'], [None], [])


async def test_anonymous_credentials_send_nothing(cloud: Cloud) -> None:
    provider = GoogleVertexProvider(credentials=AnonymousCredentials(), project_id='p', base_url=cloud.url)
    await ask(provider)
    assert (cloud.paths, cloud.keys) == ([place('p') + GEMINI], [None])
    cloud.takes_only = 'x'
    with pytest.raises(AuthenticationError, match='token has been revoked'):
        await ask(provider)


# ---------------------------------------------------------------------- what cannot be used


def test_only_one_kind_of_credentials_may_be_given(cloud: Cloud) -> None:
    with pytest.raises(UserError, match='not several'):
        GoogleVertexProvider(api_key='k', service_account_info=service_account(cloud))


def test_what_is_no_credentials_is_refused() -> None:
    wrong: Any = 'a-token'
    with pytest.raises(UserError, match=r"credentials= takes credentials of google-auth, not one of 'str'"):
        GoogleVertexProvider(credentials=wrong, project_id='p')


def write_broken_file(changes: Json) -> Callable[[Cloud], Any]:
    return lambda cloud: service_account(cloud, **changes)


@pytest.mark.parametrize(
    ('info', 'words'),
    [
        (write_broken_file({'client_email': None}), 'missing fields client_email'),
        (write_broken_file({'private_key': None}), 'private_key'),
        (write_broken_file({'private_key': 'no-key'}), 'cannot be read'),
        (write_broken_file({'private_key': 7}), ''),
        (
            write_broken_file({'type': 'authorized_user', 'client_email': None, 'token_uri': None}),
            'go into credentials=',
        ),
        (lambda _: {}, 'missing fields'),
        (lambda _: [], ''),
        (lambda _: 'text', ''),
    ],
)
def test_a_broken_service_account_is_reported_at_once_by_the_parameters_name(
    cloud: Cloud, info: Any, words: str
) -> None:
    with pytest.raises(UserError, match=rf'^service_account_info= .*{words}') as caught:
        GoogleVertexProvider(service_account_info=info(cloud))
    assert_hidden(caught.value, private_key().splitlines()[1])


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (None, 'No such file'),
        (b'', 'holds no JSON'),
        (b'{"private_key": "s3cret-s3cret"', 'holds no JSON'),
        (b'[]', ''),
        (b'\xff\xfe\x00', ''),
        (b'{"type": "service_account"}', 'missing fields'),
    ],
)
def test_a_file_that_cannot_be_used_is_reported_at_once(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / 'key.json'
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=rf'^service_account_file= .*{words}') as caught:
        GoogleVertexProvider(service_account_file=file)
    assert_hidden(caught.value, 's3cret-s3cret')


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='service_account_file= cannot be read'):
        GoogleVertexProvider(service_account_file=tmp_path)


def assert_hidden(error: BaseException, secret: str) -> None:
    assert secret not in ''.join(traceback.format_exception(error))


# ---------------------------------------------------------------------- projects and regions


def test_a_project_that_differs_from_the_credentials_is_an_error(cloud: Cloud) -> None:
    with pytest.raises(UserError, match=r"project_id='another' is not the project of the credentials, 'the-project'"):
        with_account(cloud, project_id='another')


async def test_default_credentials_are_refused_at_the_first_request(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / 'adc.json'
    file.write_text(json.dumps(service_account(cloud)))
    monkeypatch.setenv('GOOGLE_APPLICATION_CREDENTIALS', str(file))
    with pytest.raises(UserError, match="project_id='another'"):
        await ask(GoogleVertexProvider(project_id='another', base_url=cloud.url))
    assert cloud.requests == []


@pytest.mark.parametrize('variable', ['GOOGLE_CLOUD_PROJECT', 'GCLOUD_PROJECT'])
async def test_the_environment_names_the_project_where_the_credentials_do_not(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    with pytest.raises(UserError, match=r'project_id=, or set GOOGLE_CLOUD_PROJECT'):
        GoogleVertexProvider(credentials=Credentials('t'), base_url=cloud.url)
    monkeypatch.setenv(variable, 'of-the-environment')
    await ask(GoogleVertexProvider(credentials=Credentials('t'), base_url=cloud.url))
    assert cloud.paths == [place('of-the-environment') + GEMINI]


async def test_default_credentials_use_the_environments_project_without_a_conflict(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / 'adc.json'
    file.write_text(json.dumps(service_account(cloud, project_id=None)))
    monkeypatch.setenv('GOOGLE_APPLICATION_CREDENTIALS', str(file))
    monkeypatch.setenv('GOOGLE_CLOUD_PROJECT', 'of-the-environment')
    await ask(GoogleVertexProvider(project_id='mine', base_url=cloud.url))
    assert cloud.paths == [place('mine') + GEMINI]


@pytest.mark.parametrize(
    ('region', 'host'),
    [
        (None, 'aiplatform.googleapis.com'),
        ('global', 'aiplatform.googleapis.com'),
        ('us', 'aiplatform.us.rep.googleapis.com'),
        ('eu', 'aiplatform.eu.rep.googleapis.com'),
        ('asia-east1', 'asia-east1-aiplatform.googleapis.com'),
    ],
)
def test_a_region_has_an_address_of_its_own(cloud: Cloud, region: str | None, host: str) -> None:
    provider = GoogleVertexProvider(service_account_info=service_account(cloud), region=region)
    assert provider.base_url == f'https://{host}/v1beta1'


@pytest.mark.parametrize('variable', ['GOOGLE_CLOUD_LOCATION', 'GOOGLE_CLOUD_REGION'])
async def test_the_environment_may_name_the_region(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, 'europe-west1')
    await ask(with_account(cloud))
    await ask(with_account(cloud, region='asia-east1'))
    assert cloud.paths == [place(region='europe-west1') + GEMINI, place(region='asia-east1') + GEMINI]


@pytest.mark.parametrize(
    ('name', 'path'),
    [
        ('meta/llama-3', f'{place()}/publishers/meta/models/llama-3'),
        ('publishers/google/models/gemini-2.5-pro', f'{place()}/publishers/google/models/gemini-2.5-pro'),
        ('endpoints/123', f'{place()}/endpoints/123'),
        ('projects/p/locations/us-east1/endpoints/7', '/v1beta1/projects/p/locations/us-east1/endpoints/7'),
    ],
)
async def test_a_name_may_have_the_path_of_the_model(cloud: Cloud, name: str, path: str) -> None:
    await ask(with_account(cloud), name=name)
    assert cloud.paths == [f'{path}:generateContent']


@pytest.mark.parametrize('library', [httpx, httpx2])
async def test_a_client_of_either_library_is_used(cloud: Cloud, library: Any) -> None:
    client = library.AsyncClient(timeout=30, headers={'x-mine': 'yes'})
    provider = with_account(cloud, http_client=client)
    await ask(provider)
    assert cloud.requests[0][1]['x-mine'] == 'yes'
    await provider.aclose()


# ---------------------------------------------------------------------- tokens


async def test_a_token_is_used_until_it_expires(cloud: Cloud) -> None:
    provider = with_account(cloud)
    await ask(provider)
    await ask(provider)
    expire(provider)
    await ask(provider)
    assert cloud.keys == ['Bearer token-1', 'Bearer token-1', 'Bearer token-2']


@pytest.mark.parametrize('found', [False, True], ids=['no token yet', 'an expired token'])
async def test_a_hundred_requests_at_once_get_one_token(cloud: Cloud, found: bool) -> None:
    provider = with_account(cloud)
    if found:
        await ask(provider)
        expire(provider)
    responses = await asyncio.gather(*(ask(provider) for _ in range(100)))
    assert {response.text for response in responses} == {'Hi.'}
    assert len(cloud.assertions) == 1 + found
    assert set(cloud.keys[found:]) == {f'Bearer token-{1 + found}'}


def test_requests_in_many_event_loops_and_threads_get_one_token(cloud: Cloud) -> None:
    provider = with_account(cloud)
    cloud.may_answer.clear()
    texts: list[str | None] = []
    begun = threading.Barrier(9)

    async def ten() -> None:
        begun.wait()
        texts.extend(response.text for response in await asyncio.gather(*(ask(provider) for _ in range(10))))

    threads = [threading.Thread(target=asyncio.run, args=(ten(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    begun.wait()
    assert cloud.asked.wait(10)
    cloud.may_answer.set()
    for thread in threads:
        thread.join(20)
    assert (texts, len(cloud.assertions)) == (['Hi.'] * 80, 1)


def test_a_token_outlives_the_event_loop_that_waited_for_it(cloud: Cloud) -> None:
    provider = with_account(cloud)
    for _ in range(3):
        assert asyncio.run(ask(provider)).text == 'Hi.'
    assert len(cloud.assertions) == 1


async def test_a_cancelled_waiter_does_not_end_it_for_the_others(cloud: Cloud) -> None:
    provider = with_account(cloud)
    cloud.may_answer.clear()
    impatient, patient = (asyncio.ensure_future(ask(provider)) for _ in range(2))
    await asyncio.to_thread(cloud.asked.wait, 10)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    cloud.may_answer.set()
    assert (await patient).text == 'Hi.'
    assert len(cloud.assertions) == 1


async def test_the_deadline_of_a_request_holds_for_its_token_too(cloud: Cloud) -> None:
    provider = with_account(cloud)
    cloud.may_answer.clear()
    with pytest.raises(ModelTimeoutError, match='timeout of'):
        await ask(provider, {'timeout': 0.1})
    cloud.may_answer.set()
    assert (await ask(provider)).text == 'Hi.'
    assert (len(cloud.assertions), cloud.keys) == (1, ['Bearer token-1'])


# ---------------------------------------------------------------------- tokens that are refused


async def test_a_token_that_is_refused_is_renewed_once(cloud: Cloud) -> None:
    provider = with_account(cloud)
    cloud.takes_only = 'token-2'
    assert (await ask(provider)).text == 'Hi.'
    assert cloud.keys == ['Bearer token-1', 'Bearer token-2']
    cloud.takes_only = 'another'
    with pytest.raises(AuthenticationError, match='token has been revoked'):
        await ask(provider)
    assert cloud.keys[2:] == ['Bearer token-2', 'Bearer token-3']


async def test_a_hundred_that_are_refused_at_once_get_one_new_token(cloud: Cloud) -> None:
    provider = with_account(cloud)
    await ask(provider)
    cloud.takes_only = 'token-2'
    responses = await asyncio.gather(*(ask(provider) for _ in range(100)))
    assert {response.text for response in responses} == {'Hi.'}
    assert len(cloud.assertions) == 2


async def test_a_token_that_cannot_be_renewed_is_refused_with_the_servers_message(cloud: Cloud) -> None:
    provider = GoogleVertexProvider(credentials=Credentials('old-token'), project_id='p', base_url=cloud.url)
    cloud.takes_only = 'another'
    with pytest.raises(AuthenticationError, match='token has been revoked') as caught:
        await ask(provider)
    assert 'refresh' in str(caught.value.__cause__)
    assert len(cloud.requests) == 1


# ---------------------------------------------------------------------- tokens that are not given


async def test_credentials_that_google_does_not_take_are_an_authentication_error(cloud: Cloud) -> None:
    provider = with_account(cloud)
    cloud.token_error = (400, {'error': 'invalid_grant', 'error_description': 'Invalid JWT Signature.'})
    results: Any = await asyncio.gather(*(ask(provider) for _ in range(10)), return_exceptions=True)
    assert {type(error) for error in results} == {AuthenticationError}
    assert len({id(error) for error in results}) == 10
    error = results[0]
    assert (error.status_code, error.retryable, error.provider_name) == (401, False, 'google-vertex')
    assert 'invalid_grant: Invalid JWT Signature.' in str(error)
    assert pickle.loads(pickle.dumps(error)).message == error.message
    assert (len(cloud.assertions), cloud.requests) == (1, [])
    cloud.token_error = None
    assert (await ask(provider)).text == 'Hi.'


async def test_the_error_shows_nothing_of_what_was_sent_for_a_token(cloud: Cloud) -> None:
    provider = with_account(cloud)

    def repeat(form: str) -> tuple[int, Json]:
        return 400, {'error': 'invalid_grant', 'error_description': f'Refused: {form} or ya29.{"a" * 40}'}

    cloud.token = repeat  # type: ignore[method-assign]
    with pytest.raises(AuthenticationError, match='invalid_grant: Refused') as caught:
        await ask(provider)
    shown = ''.join(traceback.format_exception(caught.value))
    assert 'eyJ' not in shown
    assert 'ya29' not in shown


async def test_no_response_is_a_connection_error(cloud: Cloud) -> None:
    info = service_account(cloud, token_uri='http://127.0.0.1:9/token')
    provider = GoogleVertexProvider(service_account_info=info, base_url=cloud.url)
    with pytest.raises(ModelConnectionError, match='No token for') as caught:
        await ask(provider)
    assert caught.value.retryable


async def test_an_old_token_is_used_if_there_is_no_new_one(cloud: Cloud) -> None:
    provider = with_account(cloud)
    await ask(provider)
    expire(provider, minutes=1)
    cloud.token_error = (400, {'error': 'invalid_grant'})
    assert (await ask(provider)).text == 'Hi.'
    expire(provider)
    with pytest.raises(AuthenticationError):
        await ask(provider)
    assert cloud.keys == ['Bearer token-1', 'Bearer token-1']


async def test_an_exception_of_the_users_own_credentials_is_raised_unchanged(cloud: Cloud) -> None:
    class Own(Credentials):
        def refresh(self, request: Any) -> None:
            raise RuntimeError('my vault is closed')

    provider = GoogleVertexProvider(credentials=Own(None), project_id='p', base_url=cloud.url)
    with pytest.raises(RuntimeError, match='my vault is closed'):
        await ask(provider)


async def test_streams_get_the_same_errors(cloud: Cloud) -> None:
    provider = with_account(cloud)
    cloud.token_error = (400, {'error': 'invalid_grant'})
    with pytest.raises(LLMError, match='invalid_grant'):
        async with GeminiModel('gemini-2.5-flash', provider=provider).request_stream(HELLO, {'retries': 0}):
            pass
