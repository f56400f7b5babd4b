"""The provider of the Generative Language API: keys, addresses, clients."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import httpx2
import pytest

from pydantic_llm.exceptions import AuthenticationError, ModelConnectionError, ModelHTTPError, UserError
from pydantic_llm.messages import TextPart
from pydantic_llm.models import infer_model
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from tests.providers.google_cloud import ANSWER, HELLO, Cloud, ask, google_cloud

PATH = '/v1beta/models/gemini-2.5-flash:generateContent'
KEY = 'AIza-a-key-that-nobody-may-see'


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('GEMINI_API_KEY', 'GOOGLE_API_KEY', 'GOOGLE_GEMINI_BASE_URL', 'HTTP_PROXY', 'http_proxy'):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with google_cloud() as cloud:
        yield cloud


# ---------------------------------------------------------------------- who and where


def test_a_missing_key_is_reported_at_once_with_what_to_set() -> None:
    with pytest.raises(UserError, match=r"key of 'google-gla' is missing.*GEMINI_API_KEY or GOOGLE_API_KEY.*api_key="):
        GeminiModel('gemini-2.5-flash')


def test_an_empty_key_is_refused_even_with_a_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match='is empty'):
        GoogleGLAProvider(api_key='')


async def test_a_key_travels_in_a_header_and_is_shown_nowhere(cloud: Cloud) -> None:
    provider = GoogleGLAProvider(api_key=KEY, base_url=cloud.url)
    assert (await ask(provider)).parts == [TextPart('Hi.')]
    [(path, headers, _)] = cloud.requests
    assert (path, headers['x-goog-api-key']) == (PATH, KEY)
    assert KEY not in repr(provider)
    assert 'authorization' not in headers


async def test_a_key_that_a_server_repeats_is_not_shown(cloud: Cloud, caplog: Any) -> None:
    cloud.answer = lambda *_: (400, {'error': {'code': 400, 'message': f'API key {KEY} not valid'}})  # type: ignore[method-assign]
    with pytest.raises(ModelHTTPError) as caught:
        await ask(GoogleGLAProvider(api_key=KEY, base_url=cloud.url))
    assert KEY not in f'{caught.value!s} {caught.value.body!r} {caught.value.__cause__!r}'


@pytest.mark.parametrize('variable', ['GEMINI_API_KEY', 'GOOGLE_API_KEY'])
async def test_the_environment_has_the_key(cloud: Cloud, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, 'of-the-environment')
    await ask(GoogleGLAProvider(base_url=cloud.url))
    assert cloud.keys == ['of-the-environment']


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GEMINI_API_KEY', 'secret\n')
    with pytest.raises(UserError, match='line break') as caught:
        GoogleGLAProvider()
    assert 'secret' not in str(caught.value)


async def test_another_server_needs_no_key(cloud: Cloud) -> None:
    await ask(GoogleGLAProvider(base_url=cloud.url))
    assert cloud.keys == [None]


@pytest.mark.parametrize(
    ('ending', 'path'),
    [
        ('', PATH),
        ('/', PATH),
        ('/v1beta', PATH),
        ('/v1beta/', PATH),
        ('/v1', PATH.replace('v1beta', 'v1')),
        ('/team/gemini', f'/team/gemini{PATH}'),
    ],
)
async def test_an_address_may_end_in_a_version_or_not(cloud: Cloud, ending: str, path: str) -> None:
    await ask(GoogleGLAProvider(base_url=cloud.url + ending))
    assert cloud.paths == [path]


async def test_the_base_url_is_read_from_the_environment(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GOOGLE_GEMINI_BASE_URL', cloud.url)
    model = infer_model('google-gla:gemini-2.5-flash')
    assert (await model.request(HELLO)).text == 'Hi.'
    assert cloud.paths == [PATH]


def test_the_default_url_is_googles() -> None:
    provider = GoogleGLAProvider(api_key='k')
    assert provider.base_url == 'https://generativelanguage.googleapis.com/v1beta'
    assert provider.name == 'google-gla'


@pytest.mark.parametrize(
    ('url', 'words'),
    [
        ('', 'not a valid URL'),
        ('localhost:8000', "write it like 'http://localhost:8000'"),
        ('ftp://host', 'not a valid URL'),
        ('http://host/v1beta?key=k', r"no '\?'"),
        ('https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent', "'/models'"),
        ('https://generativelanguage.googleapis.com/v1beta/openai/', 'OpenAIModel'),
    ],
)
def test_an_invalid_base_url_is_refused(url: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        GoogleGLAProvider(api_key='k', base_url=url)


def test_a_password_in_an_address_is_not_shown() -> None:
    provider = GoogleGLAProvider(base_url='https://me:secret@host/v1beta')
    assert (provider.base_url, 'secret' in repr(provider)) == ('https://host/v1beta', False)


@pytest.mark.parametrize(
    ('name', 'path'),
    [
        ('models/gemini-2.5-flash', '/v1beta/models/gemini-2.5-flash'),
        ('tunedModels/mine', '/v1beta/tunedModels/mine'),
    ],
)
async def test_a_name_may_have_the_kind_of_the_model(cloud: Cloud, name: str, path: str) -> None:
    await ask(GoogleGLAProvider(base_url=cloud.url), name=name)
    assert cloud.paths == [f'{path}:generateContent']


@pytest.mark.parametrize('name', ['../x', 'a?b', 'a&b', 'a#b', 'a%2fb', 'a b', 'a\n', 'a\\b', ''])
def test_a_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(UserError):
        GeminiModel(name, api_key='k')


# ---------------------------------------------------------------------- clients


@pytest.mark.parametrize('library', [httpx, httpx2])
async def test_a_client_of_either_library_is_used(cloud: Cloud, library: Any) -> None:
    client = library.AsyncClient(timeout=30, headers={'x-mine': 'yes'})
    provider = GoogleGLAProvider(api_key='k', base_url=cloud.url, http_client=client)
    assert provider.client is client
    assert (await ask(provider)).text == 'Hi.'
    assert cloud.requests[0][1]['x-mine'] == 'yes'
    await provider.aclose()


@pytest.mark.parametrize('wrong', [httpx.Client, httpx2.Client, dict])
def test_what_is_no_asynchronous_client_is_refused(wrong: Any) -> None:
    with pytest.raises(UserError, match=r'takes an httpx2\.AsyncClient or an httpx\.AsyncClient, not an '):
        GoogleGLAProvider(api_key='k', http_client=wrong())


@pytest.mark.parametrize('library', [httpx, httpx2])
async def test_a_redirect_does_not_take_the_key_along(cloud: Cloud, library: Any) -> None:
    def redirect(request: Any) -> Any:
        return library.Response(307, headers={'location': f'{cloud.url}/elsewhere'})

    client = library.AsyncClient(transport=library.MockTransport(redirect), follow_redirects=True)
    with pytest.raises(ModelHTTPError, match='answered 307'):
        await ask(GoogleGLAProvider(api_key='k', http_client=client))
    assert cloud.requests == []


async def test_a_key_that_is_refused_is_not_tried_again(cloud: Cloud) -> None:
    cloud.takes_only = 'another'
    with pytest.raises(AuthenticationError, match='token has been revoked'):
        await ask(GoogleGLAProvider(api_key='k', base_url=cloud.url))
    assert len(cloud.requests) == 1


@pytest.mark.parametrize('library', [httpx, httpx2])
async def test_no_response_is_a_connection_error(library: Any) -> None:
    def break_off(request: Any) -> Any:
        raise library.ConnectError('All connection attempts failed')

    client = library.AsyncClient(transport=library.MockTransport(break_off))
    with pytest.raises(ModelConnectionError, match='connection attempts failed'):
        await ask(GoogleGLAProvider(api_key='k', http_client=client))


def test_one_provider_works_from_one_event_loop_after_another(cloud: Cloud) -> None:
    provider = GoogleGLAProvider(base_url=cloud.url)

    async def twice() -> list[Any]:
        return await asyncio.gather(ask(provider), ask(provider))

    for _ in range(2):
        assert [response.text for response in asyncio.run(twice())] == ['Hi.', 'Hi.']
    assert len(cloud.requests) == 4
    assert ANSWER['modelVersion'] == 'gemini-2.5-flash'


def test_a_client_is_made_when_it_is_read() -> None:
    provider = GoogleGLAProvider(api_key=KEY)
    client = provider.client
    assert isinstance(client, httpx2.AsyncClient)
    assert client.timeout == httpx2.Timeout(600, connect=5)
    assert provider.client is client
