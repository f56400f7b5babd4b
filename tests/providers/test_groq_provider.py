"""The provider against servers on this machine: URLs, keys and clients."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import groq
import httpx
import httpx2
import pytest

from pydantic_llm.exceptions import AuthenticationError, ModelHTTPError, ModelTimeoutError, UserError
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart
from pydantic_llm.models import infer_model
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.providers import infer_provider
from pydantic_llm.providers.groq import GroqProvider
from pydantic_llm.serve import LocalServer, create_app
from tests.providers.server import Server
from tests.transport.server import Exchange, Server as Listening, respond_together

HELLO = [ModelRequest.user_text_prompt('hello')]
MODEL = 'openai/gpt-oss-120b'

ONCE: Any = {'retries': 0}
"""Reports the first failure, without another attempt."""


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('GROQ_API_KEY', 'GROQ_BASE_URL'):
        monkeypatch.delenv(name, raising=False)


async def ask(provider: GroqProvider, settings: Any = None) -> ModelResponse:
    return await GroqModel(MODEL, provider=provider).request(HELLO, settings)


# ---------------------------------------------------------------------- who and where


def test_a_missing_key_is_reported_at_once_with_what_to_set() -> None:
    with pytest.raises(UserError, match=r"key of 'groq' is missing.*GROQ_API_KEY.*api_key="):
        GroqModel(MODEL)
    with pytest.raises(UserError, match='is empty'):
        GroqProvider(api_key='', base_url='http://localhost:1')


async def test_the_environment_has_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GROQ_API_KEY', 'the-key')
    server = Server()
    await ask(GroqProvider(http_client=server.client(httpx)))
    assert server.request.headers['authorization'] == 'Bearer the-key'
    assert str(server.request.url) == 'https://api.groq.com/openai/v1/chat/completions'
    assert infer_provider('groq').name == 'groq'


def test_a_model_is_made_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GROQ_API_KEY', 'k')
    model = infer_model(f'groq:{MODEL}')
    assert isinstance(model, GroqModel)
    assert (model.system, model.model_name, model.base_url) == ('groq', MODEL, 'https://api.groq.com')
    assert GroqModel(MODEL, api_key='other').client.api_key == 'other'


def test_a_key_is_shown_nowhere() -> None:
    assert repr(GroqProvider(api_key='gsk-secret')) == "GroqProvider(name='groq', base_url='https://api.groq.com')"


async def test_a_key_that_a_server_sends_back_is_shown_nowhere() -> None:
    server = Server({'error': {'message': 'Invalid API Key gsk-secret-key'}}, status=401)
    with pytest.raises(AuthenticationError, match=r'Invalid API Key \[key\]') as caught:
        await ask(GroqProvider(api_key='gsk-secret-key', http_client=server.client(httpx)))
    assert 'gsk-secret' not in f'{caught.value!r}{caught.value.body!r}'


async def test_another_server_needs_no_key() -> None:
    server = Server()
    await ask(GroqProvider(base_url='http://localhost:1', http_client=server.client(httpx)))
    assert server.request.headers['authorization'] == 'Bearer api-key-not-set'


@pytest.mark.parametrize('ending', ['', '/', '/openai/v1', '/openai/v1/'])
async def test_an_address_may_end_in_the_path_or_not(ending: str) -> None:
    server = Server()
    provider = GroqProvider(api_key='k', base_url=f'http://localhost:1/g{ending}', http_client=server.client(httpx))
    await ask(provider)
    assert str(server.request.url) == 'http://localhost:1/g/openai/v1/chat/completions'


def test_the_base_url_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GROQ_BASE_URL', 'http://name:word@localhost:1/openai/v1')
    assert GroqProvider().base_url == 'http://localhost:1'
    monkeypatch.setenv('GROQ_BASE_URL', 'localhost')
    with pytest.raises(UserError, match="GROQ_BASE_URL of 'groq' is 'localhost', which is not a valid URL"):
        GroqProvider()


# ---------------------------------------------------------------------- clients


def test_only_the_client_of_the_package_needs_its_http_library() -> None:
    provider = GroqProvider(api_key='k', http_client=httpx2.AsyncClient())
    with pytest.raises(UserError, match=r'takes an httpx\.AsyncClient, which the groq package needs, not an httpx2\.'):
        assert provider.client


def test_a_client_that_blocks_is_refused() -> None:
    wrong: Any = groq.Groq(api_key='k')
    with pytest.raises(UserError, match="takes an AsyncGroq, not an object of type 'Groq'"):
        GroqProvider(groq_client=wrong)


@pytest.mark.parametrize('more', [{'api_key': 'k'}, {'base_url': 'http://localhost:1'}, {'http_client': object()}])
def test_a_ready_client_takes_no_other_parameter(more: Any) -> None:
    client = groq.AsyncGroq(api_key='k')
    with pytest.raises(UserError, match='brings its own key'):
        GroqProvider(groq_client=client, **more)
    assert GroqProvider(groq_client=client).client is client


async def test_headers_of_clients_and_settings_arrive() -> None:
    server = Server()
    http_client = server.client(httpx)
    http_client.headers['x-http'] = 'a'
    client = groq.AsyncGroq(api_key='k', default_headers={'X-Team': 'b', 'X-Twice': 'c'}, http_client=http_client)
    await ask(GroqProvider(groq_client=client), {'extra_headers': {'X-Twice': 'd', 'x-extra': 'e'}})
    headers = server.request.headers
    sent = {name: headers.get_list(name) for name in ('x-http', 'x-team', 'x-twice', 'x-extra')}
    assert sent == {'x-http': ['a'], 'x-team': ['b'], 'x-twice': ['d'], 'x-extra': ['e']}
    assert headers['user-agent'].startswith('AsyncGroq/')


async def answer(exchange: Exchange) -> None:
    await exchange.respond({'choices': [{'message': {'content': 'Hi.'}, 'finish_reason': 'stop'}]})


async def never(exchange: Exchange) -> None:
    await exchange.wait_until_gone()


async def fail(exchange: Exchange) -> None:
    await exchange.respond({'error': {'message': 'busy'}}, status=503)


async def test_the_time_limit_of_the_sdks_client_holds() -> None:
    async with Listening(never).run() as server:
        client = groq.AsyncGroq(api_key='k', base_url=server.url, timeout=0.2)
        with pytest.raises(ModelTimeoutError, match="the connection's own limit"):
            await ask(GroqProvider(groq_client=client), ONCE)


async def test_the_sdk_sends_nothing_again() -> None:
    async with Listening(fail).run() as server:
        client = groq.AsyncGroq(api_key='k', base_url=server.url, max_retries=5)
        with pytest.raises(ModelHTTPError, match='busy'):
            await ask(GroqProvider(groq_client=client), ONCE)
        assert len(server.requests) == 1


def test_one_provider_works_from_one_event_loop_after_another_and_in_threads() -> None:
    with LocalServer(create_app(TestModel(custom_output_text='Hi.'))) as url:
        provider = GroqProvider(base_url=url)

        def once() -> Any:
            return asyncio.run(ask(provider)).parts

        assert [once() for _ in range(3)] == [[TextPart('Hi.')]] * 3
        with ThreadPoolExecutor(4) as pool:
            assert [future.result() for future in [pool.submit(once) for _ in range(8)]] == [[TextPart('Hi.')]] * 8


async def test_what_is_open_is_closed_on_request() -> None:
    async with Listening(respond_together(5, answer)).run() as server:
        provider = GroqProvider(base_url=server.url)
        await asyncio.gather(*(ask(provider) for _ in range(5)))
        assert server.open == 5
        await provider.aclose()
        await server.wait_until_closed()
        assert (await ask(provider)).parts == [TextPart('Hi.')]
        await provider.aclose()
