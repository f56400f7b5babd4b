"""The provider against servers on this machine: URLs, keys and clients."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cohere
import httpx
import httpx2
import pytest

from pydantic_llm.exceptions import (
    AuthenticationError,
    ContextLengthError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    NotFoundError,
    QuotaExceededError,
    RateLimitError,
    UserError,
)
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart
from pydantic_llm.models import infer_model
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.providers import infer_provider
from pydantic_llm.providers.cohere import KEY_VARIABLES, URL_VARIABLES, CohereProvider
from pydantic_llm.serve import LocalServer, create_app
from tests.providers.server import Server
from tests.transport.server import Exchange, Server as Listening, respond_together

HELLO = [ModelRequest.user_text_prompt('hello')]
MODEL = 'command-a-plus-05-2026'

ONCE: Any = {'retries': 0}
"""Reports the first failure, without another attempt."""

ANSWER = {
    'id': 'r',
    'finish_reason': 'COMPLETE',
    'message': {'role': 'assistant', 'content': [{'type': 'text', 'text': 'Hi.'}]},
}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KEY_VARIABLES, *URL_VARIABLES):
        monkeypatch.delenv(name, raising=False)


async def ask(provider: CohereProvider, settings: Any = None) -> ModelResponse:
    return await CohereModel(MODEL, provider=provider).request(HELLO, settings)


# ---------------------------------------------------------------------- who and where


def test_a_missing_key_is_reported_at_once_with_what_to_set() -> None:
    with pytest.raises(UserError, match=r"key of 'cohere' is missing.*CO_API_KEY or COHERE_API_KEY.*api_key="):
        CohereModel(MODEL)
    with pytest.raises(UserError, match='is empty'):
        CohereProvider(api_key='')


@pytest.mark.parametrize('variable', KEY_VARIABLES)
async def test_the_environment_has_the_key(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, 'the-key')
    server = Server(ANSWER)
    await ask(CohereProvider(http_client=server.client(httpx)))
    assert server.request.headers['authorization'] == 'Bearer the-key'
    assert str(server.request.url) == 'https://api.cohere.com/v2/chat'
    assert infer_provider('cohere').name == 'cohere'


def test_a_model_is_made_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CO_API_KEY', 'k')
    model = infer_model(f'cohere:{MODEL}')
    assert isinstance(model, CohereModel)
    assert (model.system, model.model_name, model.base_url) == ('cohere', MODEL, 'https://api.cohere.com')
    with pytest.raises(UserError, match=f"did you mean 'cohere:{MODEL}'"):
        infer_model(MODEL)


def test_a_key_is_shown_nowhere() -> None:
    provider = CohereProvider(api_key='co-secret')
    assert repr(provider) == "CohereProvider(name='cohere', base_url='https://api.cohere.com')"


async def test_a_key_that_a_server_sends_back_is_shown_nowhere() -> None:
    server = Server({'message': 'invalid api token: co-secret-key'}, status=401)
    with pytest.raises(AuthenticationError, match=r'invalid api token: \[key\]') as caught:
        await ask(CohereProvider(api_key='co-secret-key', http_client=server.client(httpx)))
    assert 'co-secret' not in f'{caught.value!r}{caught.value.body!r}'


async def test_another_server_needs_no_key() -> None:
    server = Server(ANSWER)
    response = await ask(CohereProvider(base_url='http://localhost:1', http_client=server.client(httpx)))
    assert response.parts == [TextPart('Hi.')]


@pytest.mark.parametrize('ending', ['', '/', '/v2', '/v2/', '/v1'])
async def test_an_address_may_end_in_the_version_or_not(ending: str) -> None:
    server = Server(ANSWER)
    provider = CohereProvider(base_url=f'http://localhost:1/co{ending}', http_client=server.client(httpx))
    await ask(provider)
    assert str(server.request.url) == 'http://localhost:1/co/v2/chat'
    assert provider.base_url == 'http://localhost:1/co'


@pytest.mark.parametrize('variable', URL_VARIABLES)
async def test_the_base_url_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, 'http://localhost:1/v2')
    assert CohereProvider().base_url == 'http://localhost:1'
    monkeypatch.setenv(variable, 'localhost')
    with pytest.raises(UserError, match=f"{variable} of 'cohere' is 'localhost', which is not a valid URL"):
        CohereProvider()


@pytest.mark.parametrize('status', [498, 499])
async def test_coheres_own_statuses_are_errors(status: int) -> None:
    server = Server({'id': 'x', 'message': 'no'}, status=status)
    with pytest.raises(ModelHTTPError, match=f'answered {status}: no') as caught:
        await ask(CohereProvider(api_key='k', http_client=server.client(httpx)))
    assert caught.value.body == {'id': 'x', 'message': 'no'}


@pytest.mark.parametrize(
    ('status', 'message', 'kind'),
    [
        (
            400,
            'too many tokens: total number of tokens in the prompt cannot exceed 1 - received 2.',
            ContextLengthError,
        ),
        (400, 'too many tokens: size limit exceeded by 11326 tokens.', ContextLengthError),
        (400, 'too many tokens: max tokens must be less than or equal to 4096', ModelHTTPError),
        (401, 'invalid api token', AuthenticationError),
        (402, 'Maximum billing reached for this API key', QuotaExceededError),
        (404, "model 'xyz' not found", NotFoundError),
        (429, 'You are using a Trial key, which is limited to 40 API calls / minute.', RateLimitError),
        (429, 'You are using a Trial key, which is limited to 1000 API calls / month.', QuotaExceededError),
    ],
)
async def test_coheres_message_determines_the_error(status: int, message: str, kind: type[ModelHTTPError]) -> None:
    server = Server({'message': message}, status=status)
    with pytest.raises(ModelHTTPError) as caught:
        await ask(CohereProvider(api_key='k', http_client=server.client(httpx)))
    assert type(caught.value) is kind


# ---------------------------------------------------------------------- clients


def test_only_the_client_of_the_package_needs_its_http_library() -> None:
    provider = CohereProvider(api_key='k', http_client=httpx2.AsyncClient())
    with pytest.raises(UserError, match=r'takes an httpx\.AsyncClient, which the cohere package needs, not an httpx2'):
        assert provider.client


def test_a_client_that_blocks_is_refused() -> None:
    for kind in (cohere.ClientV2, cohere.Client):
        wrong: Any = kind(api_key='k')
        with pytest.raises(UserError, match=f'takes an AsyncClientV2, not an object of type {kind.__name__!r}'):
            CohereProvider(cohere_client=wrong)


def test_a_ready_client_takes_no_other_parameter() -> None:
    client = cohere.AsyncClientV2(api_key='k')
    with pytest.raises(UserError, match='brings its own key'):
        CohereProvider(api_key='k', cohere_client=client)
    assert CohereProvider(cohere_client=client).client is client


async def test_headers_of_clients_and_settings_arrive() -> None:
    server = Server(ANSWER)
    http_client = server.client(httpx)
    http_client.headers['x-http'] = 'a'
    client = cohere.AsyncClientV2(api_key='k', client_name='my-app', httpx_client=http_client)
    client._client_wrapper._headers = {'X-Team': 'b', 'X-Twice': 'c'}
    await ask(CohereProvider(cohere_client=client), {'extra_headers': {'x-twice': 'd', 'x-extra': 'e'}})
    headers = server.request.headers
    sent = {name: headers.get_list(name) for name in ('x-http', 'x-team', 'x-twice', 'x-extra', 'x-client-name')}
    assert sent == {'x-http': ['a'], 'x-team': ['b'], 'x-twice': ['d'], 'x-extra': ['e'], 'x-client-name': ['my-app']}
    assert headers['user-agent'].startswith('cohere/')
    assert headers.get_list('content-type') == ['application/json']


@pytest.mark.parametrize('kind', [cohere.AsyncClientV2, cohere.AsyncClient])
async def test_a_key_may_be_fetched_for_each_request(kind: Any) -> None:
    keys: Iterator[str] = iter(('one', 'two'))
    server = Server(ANSWER)
    provider = CohereProvider(cohere_client=kind(lambda: next(keys), httpx_client=server.client(httpx)))
    await ask(provider)
    await ask(provider)
    assert [request.headers['authorization'] for request in server.requests] == ['Bearer one', 'Bearer two']


async def answer(exchange: Exchange) -> None:
    await exchange.respond(ANSWER)


async def never(exchange: Exchange) -> None:
    await exchange.wait_until_gone()


async def fail(exchange: Exchange) -> None:
    await exchange.respond({'message': 'busy'}, status=503)


OWN_LIMIT = "the connection's own limit"


async def test_the_time_limit_of_the_sdks_client_holds() -> None:
    async with Listening(never).run() as server:
        client = cohere.AsyncClientV2(api_key='k', base_url=server.url, timeout=0.2)
        with pytest.raises(ModelTimeoutError, match=OWN_LIMIT):
            await ask(CohereProvider(cohere_client=client), ONCE)


async def test_the_time_limit_of_an_http_client_holds() -> None:
    async with Listening(never).run() as server:
        provider = CohereProvider(base_url=server.url, http_client=httpx.AsyncClient(timeout=0.2))
        with pytest.raises(ModelTimeoutError, match=OWN_LIMIT):
            await ask(provider, ONCE)


async def test_a_deadline_is_reported_with_its_name() -> None:
    async with Listening(never).run() as server:
        with pytest.raises(ModelTimeoutError, match=r'timeout of 0\.1 s'):
            await ask(CohereProvider(base_url=server.url), {'timeout': 0.1, **ONCE})


async def test_an_unreachable_server_is_reported() -> None:
    with pytest.raises(ModelConnectionError):
        await ask(CohereProvider(base_url='http://127.0.0.1:9'), ONCE)


async def test_the_sdk_sends_nothing_again() -> None:
    async with Listening(fail).run() as server:
        client = cohere.AsyncClientV2(api_key='k', base_url=server.url, max_retries=5)
        with pytest.raises(ModelHTTPError, match='busy'):
            await ask(CohereProvider(cohere_client=client), ONCE)
        assert len(server.requests) == 1


async def test_a_proxy_of_the_http_client_is_used() -> None:
    async with Listening(answer).run() as proxy, httpx.AsyncClient(proxy=proxy.url) as http_client:
        response = await ask(CohereProvider(base_url='http://cohere.invalid', http_client=http_client))
        assert response.parts == [TextPart('Hi.')]
        assert proxy.requests[0].path == 'http://cohere.invalid/v2/chat'


def test_one_provider_works_from_one_event_loop_after_another_and_in_threads() -> None:
    with LocalServer(create_app(TestModel(custom_output_text='Hi.'))) as url:
        provider = CohereProvider(base_url=url)

        def once() -> Any:
            return asyncio.run(ask(provider)).parts

        assert [once() for _ in range(3)] == [[TextPart('Hi.')]] * 3
        with ThreadPoolExecutor(4) as pool:
            assert [future.result() for future in [pool.submit(once) for _ in range(8)]] == [[TextPart('Hi.')]] * 8


async def test_what_is_open_is_closed_on_request() -> None:
    async with Listening(respond_together(5, answer)).run() as server:
        provider = CohereProvider(base_url=server.url)
        await asyncio.gather(*(ask(provider) for _ in range(5)))
        assert server.open == 5
        await provider.aclose()
        await server.wait_until_closed()
        assert (await ask(provider)).parts == [TextPart('Hi.')]
        await provider.aclose()
