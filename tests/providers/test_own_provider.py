"""A provider from outside the package needs a name, a base URL and a client: the connection is made of the client."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import anthropic
import groq
import httpx
import httpx2
import openai
import pytest

from pydantic_llm import Agent
from pydantic_llm.exceptions import AuthenticationError, UserError
from pydantic_llm.messages import ModelRequest, TextPart
from pydantic_llm.models import Model
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.providers import Provider
from tests.providers.server import Server, chunks

HELLO = [ModelRequest.user_text_prompt('Hello?')]
MESSAGE: dict[str, Any] = {
    'id': 'msg_1',
    'type': 'message',
    'role': 'assistant',
    'model': 'some-model',
    'content': [{'type': 'text', 'text': 'Hello!'}],
    'stop_reason': 'end_turn',
    'usage': {'input_tokens': 3, 'output_tokens': 2},
}


class AcmeProvider(Provider[Any]):
    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def name(self) -> str:
        return 'acme'

    @property
    def base_url(self) -> str:
        return 'https://api.acme.example/v1/'

    @property
    def client(self) -> Any:
        return self._client


class AcmeClient(openai.AsyncOpenAI):
    """A client as the package of a vendor may have it."""


def make_sdk_client(kind: Any, server: Server, library: ModuleType) -> Any:
    return kind(api_key='key', base_url='https://api.acme.example/v1', http_client=server.client(library))


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
@pytest.mark.parametrize(
    ('kind', 'library'),
    [(openai.AsyncOpenAI, httpx2), (openai.AsyncOpenAI, httpx), (AcmeClient, httpx2), (groq.AsyncGroq, httpx)],
)
async def test_a_client_of_an_sdk_is_a_connection(kind: Any, library: ModuleType, stream: bool) -> None:
    server = Server(chunks({'content': 'Hello!'})) if stream else Server()
    provider = AcmeProvider(make_sdk_client(kind, server, library))
    assert await ask(OpenAIModel('some-model', provider=provider), stream=stream) == 'Hello!'
    assert str(server.request.url) == 'https://api.acme.example/v1/chat/completions'
    assert server.request.headers['authorization'] == 'Bearer key'


async def test_a_client_of_anthropics_sdk_is_a_connection() -> None:
    server = Server(MESSAGE)
    client = make_sdk_client(anthropic.AsyncAnthropic, server, httpx2)
    response = await AnthropicModel('some-model', provider=AcmeProvider(client)).request(HELLO)
    assert (response.parts, response.provider_name) == ([TextPart('Hello!')], 'acme')
    assert server.request.headers['authorization'] == 'Bearer key'


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
@pytest.mark.parametrize('library', [httpx2, httpx], ids=['httpx2', 'httpx'])
async def test_an_http_client_is_a_connection(library: ModuleType, stream: bool) -> None:
    server = Server(chunks({'content': 'Hello!'})) if stream else Server()
    client = server.client(library)
    client.headers['authorization'] = 'Bearer key'
    assert await ask(OpenAIModel('some-model', provider=AcmeProvider(client)), stream=stream) == 'Hello!'
    assert str(server.request.url) == 'https://api.acme.example/v1/chat/completions'
    assert server.request.headers['authorization'] == 'Bearer key'


async def test_an_http_client_is_a_connection_of_anthropics_api() -> None:
    server = Server(MESSAGE)
    response = await AnthropicModel('some-model', provider=AcmeProvider(server.client())).request(HELLO)
    assert response.parts == [TextPart('Hello!')]


@pytest.mark.parametrize('library', [httpx2, httpx], ids=['httpx2', 'httpx'])
async def test_an_error_over_an_http_client_is_one_of_ours(library: ModuleType) -> None:
    server = Server({'error': {'message': 'Wrong key: sk-secret-key'}}, status=401)
    client = server.client(library)
    client.headers['authorization'] = 'Bearer sk-secret-key'
    with pytest.raises(AuthenticationError) as caught:
        await OpenAIModel('some-model', provider=AcmeProvider(client)).request(HELLO)
    assert str(caught.value) == 'some-model answered 401: Wrong key: [key]'


def test_the_connection_is_made_once() -> None:
    provider = AcmeProvider(Server().client())
    assert provider.connection is provider.connection
    assert repr(provider) == "AcmeProvider(name='acme', base_url='https://api.acme.example/v1/')"
    assert provider.model_profile('some-model') is None


@pytest.mark.parametrize('client', [object(), openai.OpenAI(api_key='key'), httpx2.Client(), None])
def test_a_client_of_another_kind_needs_a_connection_of_its_own(client: object) -> None:
    with pytest.raises(UserError) as caught:
        _ = AcmeProvider(client).connection
    assert str(caught.value) == (
        f'AcmeProvider.client is an object of type {type(client).__name__!r}: return the asynchronous client of an SDK '
        'like AsyncOpenAI, an httpx2.AsyncClient or an httpx.AsyncClient, or override `connection`'
    )


async def ask(model: Model, *, stream: bool) -> str:
    if not stream:
        return (await Agent(model).run('Hello?')).output
    async with Agent(model).run_stream('Hello?') as result:
        return await result.get_output()
