"""The provider against servers on this machine: URLs, keys and clients.

What the `mistralai` package itself sends says how its clients are meant.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mistralai.azure.client import MistralAzure
from mistralai.client import Mistral
from mistralai.client.utils import BackoffStrategy, RetryConfig
from mistralai.gcp.client import MistralGCP

from pydantic_llm.exceptions import AuthenticationError, ModelHTTPError, ModelTimeoutError, UserError
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart
from pydantic_llm.models import infer_model
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.profiles.openai import OpenAIModelProfile
from pydantic_llm.providers import infer_provider
from pydantic_llm.providers.mistral import MistralProvider
from pydantic_llm.serve import LocalServer, create_app
from tests.providers.server import Server
from tests.transport.server import Exchange, Server as Listening, respond_together

HELLO = [ModelRequest.user_text_prompt('hello')]
MODEL = 'mistral-large-2512'

ONCE: Any = {'retries': 0}
"""Reports the first failure, without another attempt."""


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('MISTRAL_API_KEY', 'MISTRAL_BASE_URL', 'MISTRAL_SA_TOKEN_PATH'):
        monkeypatch.delenv(name, raising=False)


async def ask(provider: MistralProvider, settings: Any = None) -> ModelResponse:
    return await MistralModel(MODEL, provider=provider).request(HELLO, settings)


async def stream(provider: MistralProvider) -> None:
    async with MistralModel(MODEL, provider=provider).request_stream(HELLO) as stream:
        async for _ in stream:
            pass


# ---------------------------------------------------------------------- who and where


def test_a_missing_key_is_reported_at_once_with_what_to_set() -> None:
    with pytest.raises(UserError, match=r"key of 'mistral' is missing.*MISTRAL_API_KEY.*api_key="):
        MistralModel(MODEL)
    with pytest.raises(UserError, match='is empty'):
        MistralProvider(api_key='', base_url='http://localhost:1')
    with pytest.raises(UserError, match='MISTRAL_API_KEY'):
        infer_model(f'mistral:{MODEL}')


async def test_the_environment_has_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MISTRAL_API_KEY', 'the-key')
    server = Server()
    await ask(MistralProvider(http_client=server.client()))
    assert server.request.headers['authorization'] == 'Bearer the-key'
    assert str(server.request.url) == 'https://api.mistral.ai/v1/chat/completions'
    assert infer_provider('mistral').name == 'mistral'


def test_a_model_is_made_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MISTRAL_API_KEY', 'k')
    model = infer_model(f'mistral:{MODEL}')
    assert isinstance(model, MistralModel)
    assert (model.system, model.model_name, model.base_url) == ('mistral', MODEL, 'https://api.mistral.ai')
    assert isinstance(model.client, Mistral)
    assert MistralModel(MODEL, api_key='other').client.sdk_configuration.security.api_key == 'other'


def test_a_key_is_shown_nowhere() -> None:
    shown = repr(MistralProvider(api_key='the-secret'))
    assert shown == "MistralProvider(name='mistral', base_url='https://api.mistral.ai')"


async def test_a_key_that_a_server_sends_back_is_shown_nowhere() -> None:
    server = Server({'message': 'Invalid key the-secret-key'}, status=401)
    with pytest.raises(AuthenticationError, match=r'Invalid key \[key\]') as caught:
        await ask(MistralProvider(api_key='the-secret-key', http_client=server.client()))
    assert 'the-secret' not in f'{caught.value!r}{caught.value.body!r}'


@pytest.mark.parametrize('key', ['a\nb', 'ключ'])
def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(UserError) as caught:
        MistralProvider(api_key=key)
    assert key not in str(caught.value)


async def test_another_server_needs_no_key() -> None:
    server = Server()
    await ask(MistralProvider(base_url='http://localhost:1', http_client=server.client()))
    assert 'authorization' not in server.request.headers


@pytest.mark.parametrize('ending', ['', '/', '/v1', '/v1/'])
async def test_an_address_may_end_in_the_path_or_not(ending: str) -> None:
    server = Server()
    await ask(MistralProvider(api_key='k', base_url=f'http://localhost:1/m{ending}', http_client=server.client()))
    assert str(server.request.url) == 'http://localhost:1/m/v1/chat/completions'


def test_the_base_url_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MISTRAL_BASE_URL', 'http://name:word@localhost:1/v1')
    assert MistralProvider().base_url == 'http://localhost:1'
    monkeypatch.setenv('MISTRAL_BASE_URL', 'localhost')
    with pytest.raises(UserError, match="MISTRAL_BASE_URL of 'mistral' is 'localhost', which is not a valid URL"):
        MistralProvider()
    monkeypatch.setenv('MISTRAL_BASE_URL', '')
    assert MistralProvider(api_key='k').base_url == 'https://api.mistral.ai'


# ---------------------------------------------------------------------- service accounts


async def test_the_token_of_a_service_account_is_read_for_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / 'token'
    monkeypatch.setenv('MISTRAL_SA_TOKEN_PATH', str(file))
    monkeypatch.setenv('MISTRAL_API_KEY', 'not-this-one')
    server = Server()
    provider = MistralProvider(http_client=server.client())
    for token in ('first', 'second\n'):
        file.write_text(token)
        await ask(provider)
    assert [request.headers['authorization'] for request in server.requests] == ['Bearer first', 'Bearer second']
    await ask(MistralProvider(api_key='given', http_client=server.client()))
    assert server.requests[-1].headers['authorization'] == 'Bearer given'


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (None, 'cannot be read: FileNotFoundError'),
        (b' \n', 'is empty'),
        (b'\xff', 'cannot be read'),
        (b'a\nb', 'MISTRAL_SA_TOKEN_PATH'),
    ],
)
async def test_a_file_without_a_token_is_reported(
    content: bytes | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / 'token'
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv('MISTRAL_SA_TOKEN_PATH', str(file))
    server = Server()
    with pytest.raises(UserError, match=words):
        await ask(MistralProvider(http_client=server.client()))
    assert server.requests == []


# ---------------------------------------------------------------------- clients


def test_only_the_client_of_the_package_needs_its_http_library() -> None:
    provider = MistralProvider(api_key='k', http_client=httpx.AsyncClient())
    with pytest.raises(UserError, match=r'takes an httpx2\.AsyncClient, which the mistralai package needs'):
        assert provider.client


@pytest.mark.parametrize('wrong', [object(), httpx2.AsyncClient(), 'mistral'])
def test_only_clients_of_mistral_are_accepted(wrong: Any) -> None:
    with pytest.raises(UserError, match=f'not an object of type {type(wrong).__name__!r}'):
        MistralProvider(mistral_client=wrong)


@pytest.mark.parametrize('more', [{'api_key': 'k'}, {'base_url': 'http://localhost:1'}, {'http_client': object()}])
def test_a_ready_client_takes_no_other_parameter(more: Any) -> None:
    client = Mistral(api_key='k')
    with pytest.raises(UserError, match='brings its own key'):
        MistralProvider(mistral_client=client, **more)
    assert MistralProvider(mistral_client=client).client is client


async def test_a_client_that_was_closed_is_refused() -> None:
    async with Mistral(api_key='k') as client:
        pass
    with pytest.raises(UserError, match='has been closed'):
        MistralProvider(mistral_client=client)


def own(url: str, **more: Any) -> Mistral:
    return Mistral(api_key='k', server_url=url, **more)


def azure(url: str, **more: Any) -> MistralAzure:
    return MistralAzure(api_key='k', server_url=url, **more)


def google(url: str, **more: Any) -> MistralGCP:
    return MistralGCP(project_id='p', region='europe-west9', access_token='k', server_url=url, **more)


def called(name: str) -> Callable[[], str]:
    return lambda: name


CLIENTS: dict[str, Callable[[str], Any]] = {
    'own': own,
    'own, with a key that is made for each request': lambda url: Mistral(api_key=called('made'), server_url=url),
    'own, with a key that says what it is': lambda url: Mistral(api_key='Bearer told', server_url=url),
    'own, without a key': lambda url: Mistral(server_url=url),
    'own, with an address made of parts': lambda url: Mistral(
        api_key='k', server_url='{start}/a', url_params={'start': url}
    ),
    'own, over a client with headers': lambda url: own(
        url, async_client=httpx2.AsyncClient(headers={'X-Team': 'a'}, params={'region': 'eu'})
    ),
    'azure': azure,
    'azure, in another version': lambda url: azure(url, api_version='2026-01-01'),
    'azure, with a key that is made for each request': lambda url: MistralAzure(api_key=called('made'), server_url=url),
    'google': google,
}


@pytest.mark.parametrize('make', CLIENTS.values(), ids=CLIENTS)
@pytest.mark.parametrize('streams', [False, True])
async def test_a_ready_client_sends_the_same_as_its_own_methods(make: Callable[[str], Any], streams: bool) -> None:
    async with Listening(both).run() as server:
        client = make(server.url)
        provider = MistralProvider(mistral_client=client)
        said: Any = [{'role': 'user', 'content': 'hello'}]
        if streams:
            await stream(provider)
            async with await client.chat.stream_async(model=MODEL, messages=said) as events:
                async for _ in events:
                    pass
        else:
            await ask(provider)
            await client.chat.complete_async(model=MODEL, messages=said)
        await provider.aclose()
        await client.sdk_configuration.async_client.aclose()
        ours, theirs = server.requests
    assert ours.path == theirs.path
    theirs.headers.pop('cookie', None)
    left = {'content-length', 'idempotency-key', 'x-request-id'}
    assert {name: value for name, value in ours.headers.items() if name not in left} == {
        name: value for name, value in theirs.headers.items() if name not in left
    }
    assert {**theirs.json, **ours.json} == theirs.json


async def test_the_addresses_of_clouds() -> None:
    async with Listening(both).run() as server:
        for client in (azure(server.url), google(server.url)):
            provider = MistralProvider(mistral_client=client)
            assert (await ask(provider)).parts == [TextPart('Hi.')]
            await stream(provider)
            await provider.aclose()
        found = [exchange.path for exchange in server.requests]
    where = f'/v1/projects/p/locations/europe-west9/publishers/mistralai/models/{MODEL}'
    assert found == [
        *['/models/chat/completions?api-version=2024-05-01-preview'] * 2,
        f'{where}:rawPredict',
        f'{where}:streamRawPredict',
    ]


async def test_headers_of_clients_and_settings_arrive() -> None:
    server = Server()
    http_client = server.client()
    http_client.headers |= {'x-http': 'a', 'x-twice': 'b'}
    client = own('http://localhost:1', async_client=http_client)
    await ask(MistralProvider(mistral_client=client), {'extra_headers': {'X-Twice': 'c', 'x-extra': 'd'}})
    headers = server.request.headers
    sent = {name: headers.get_list(name) for name in ('x-http', 'x-twice', 'x-extra', 'accept')}
    assert sent == {'x-http': ['a'], 'x-twice': ['c'], 'x-extra': ['d'], 'accept': ['application/json']}
    assert headers['user-agent'].startswith('mistral-client-python/')


# ---------------------------------------------------------------------- the connection


async def answer(exchange: Exchange) -> None:
    await exchange.respond({'choices': [{'message': {'content': 'Hi.'}, 'finish_reason': 'stop'}]})


FACTS: Any = {'id': '1', 'object': 'chat.completion', 'model': MODEL, 'created': 1}
USAGE: Any = {'prompt_tokens': 1, 'completion_tokens': 1, 'total_tokens': 2}


async def both(exchange: Exchange) -> None:
    """Respond with a whole response or a stream, as requested; the SDK accepts both."""
    if not exchange.json.get('stream'):
        choice = {'index': 0, 'message': {'role': 'assistant', 'content': 'Hi.'}, 'finish_reason': 'stop'}
        await exchange.respond({**FACTS, 'choices': [choice], 'usage': USAGE})
        return
    await exchange.begin()
    choice = {'index': 0, 'delta': {'role': 'assistant', 'content': 'Hi.'}, 'finish_reason': 'stop'}
    await exchange.event({**FACTS, 'choices': [choice], 'usage': USAGE})
    await exchange.chunk(b'data: [DONE]\n\n')
    await exchange.end()


async def never(exchange: Exchange) -> None:
    await exchange.wait_until_gone()


async def fail(exchange: Exchange) -> None:
    await exchange.respond({'message': 'busy'}, status=503, headers={'retry-after': '0'})


async def elsewhere(exchange: Exchange) -> None:
    await exchange.respond({}, status=307, headers={'location': 'http://127.0.0.1:1/'})


@pytest.mark.parametrize(
    'limited',
    [
        lambda url: own(url, timeout_ms=200),
        lambda url: own(url, async_client=httpx2.AsyncClient(timeout=0.2)),
        lambda url: own(url, async_client=httpx2.AsyncClient(timeout=60), timeout_ms=200),
    ],
)
async def test_the_time_limit_of_a_ready_client_holds(limited: Any) -> None:
    async with Listening(never).run() as server:
        with pytest.raises(ModelTimeoutError, match="the connection's own limit"):
            await ask(MistralProvider(mistral_client=limited(server.url)), ONCE)


async def test_a_slow_response_is_accepted_if_no_timeout_is_set() -> None:
    found: list[Any] = []

    def look(request: Any) -> Any:
        found.append(request.extensions['timeout'])
        return httpx2.Response(200, json={'choices': [{'message': {'content': 'Hi.'}, 'finish_reason': 'stop'}]})

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(look)) as http_client:
        await ask(MistralProvider(api_key='k', http_client=http_client))
    assert (found[0]['read'], found[0]['connect']) == (300, 5)


async def test_the_time_limit_of_a_request_holds() -> None:
    async with Listening(never).run() as server:
        with pytest.raises(ModelTimeoutError, match=r'0\.2'):
            await ask(MistralProvider(base_url=server.url), {**ONCE, 'timeout': 0.2})


async def test_the_sdk_sends_nothing_again() -> None:
    often = RetryConfig('backoff', BackoffStrategy(1, 2, 1.0, 5000), retry_connection_errors=True)
    async with Listening(fail).run() as server:
        with pytest.raises(ModelHTTPError, match='busy'):
            await ask(MistralProvider(mistral_client=own(server.url, retry_config=often)), ONCE)
        assert len(server.requests) == 1


async def test_a_key_does_not_follow_a_redirect() -> None:
    async with Listening(elsewhere).run() as server:
        with pytest.raises(ModelHTTPError) as caught:
            await ask(MistralProvider(api_key='k', base_url=server.url), ONCE)
        assert caught.value.status_code == 307


async def test_the_environment_names_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Listening(answer).run() as server:
        monkeypatch.setenv('HTTP_PROXY', server.url)
        monkeypatch.setenv('NO_PROXY', '')
        provider = MistralProvider(api_key='k', base_url='http://mistral.invalid')
        assert (await ask(provider)).parts == [TextPart('Hi.')]
        assert server.requests[0].path == 'http://mistral.invalid/v1/chat/completions'
        await provider.aclose()


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(create_app(TestModel(custom_output_text='Hi.'))) as url:
        yield f'{url}/mistral'


@pytest.mark.parametrize(
    'make', [lambda url: MistralProvider(base_url=url), lambda url: MistralProvider(mistral_client=own(url))]
)
def test_one_provider_works_from_one_event_loop_after_another_and_in_threads(make: Any, url: str) -> None:
    provider = make(url)

    def once() -> Any:
        return asyncio.run(ask(provider)).parts

    assert [once() for _ in range(3)] == [[TextPart('Hi.')]] * 3
    with ThreadPoolExecutor(4) as pool:
        assert [future.result() for future in [pool.submit(once) for _ in range(8)]] == [[TextPart('Hi.')]] * 8


async def test_what_is_open_is_closed_on_request() -> None:
    async with Listening(respond_together(5, answer)).run() as server:
        provider = MistralProvider(base_url=server.url)
        await asyncio.gather(*(ask(provider) for _ in range(5)))
        assert server.open == 5
        await provider.aclose()
        await server.wait_until_closed()
        assert (await ask(provider)).parts == [TextPart('Hi.')]
        await provider.aclose()


async def test_a_stream_goes_on_when_its_provider_is_forgotten() -> None:
    """The SDK closes its HTTP client when its own client is collected: what is under way must hold it."""
    more = asyncio.Event()

    async def slowly(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.event({**FACTS, 'choices': [{'index': 0, 'delta': {'content': 'H'}, 'finish_reason': None}]})
        await more.wait()
        await exchange.event({**FACTS, 'choices': [{'index': 0, 'delta': {'content': 'i.'}, 'finish_reason': 'stop'}]})
        await exchange.chunk(b'data: [DONE]\n\n')
        await exchange.end()

    async with Listening(slowly).run() as server:
        provider = MistralProvider(base_url=server.url)
        forgotten = weakref.ref(provider)
        model = MistralModel(MODEL, provider=provider)
        async with model.request_stream(HELLO) as stream:
            del provider, model
            gc.collect()
            more.set()
            async for _ in stream:
                pass
            assert stream.get().parts == [TextPart('Hi.')]
        del stream
        gc.collect()
        assert forgotten() is None


async def test_the_providers_profile_is_used_for_unknown_models() -> None:
    profile = MistralProvider(api_key='k').model_profile('a-model-of-tomorrow')
    assert isinstance(profile, OpenAIModelProfile)
    assert profile.openai_thinking_back == 'chunks'
