"""OpenAI's provider: keys, addresses, clients, and Azure behind a ready client."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import httpx
import httpx2
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI, OpenAI

from pydantic_llm.exceptions import ModelHTTPError, UserError
from pydantic_llm.messages import BinaryContent, ModelRequest, TextPart, UserPromptPart
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.providers.openai import OpenAIProvider
from tests.providers.server import Server, chunks

HELLO = [ModelRequest.user_text_prompt('Hello?')]
LIBRARIES = pytest.mark.parametrize('library', [httpx2, httpx], ids=['httpx2', 'httpx'])

CONTENT_FILTERED: dict[str, Any] = {
    'error': {
        'code': 'content_filter',
        'message': 'The response was filtered due to the prompt triggering the content management policy.',
        'status': 400,
        'innererror': {
            'code': 'ResponsibleAIPolicyViolation',
            'content_filter_result': {'violence': {'filtered': True, 'severity': 'medium'}},
        },
    }
}


# --------------------------------------------------------------------------------------------------------------- keys


async def test_the_key_of_the_parameter_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', 'from-the-environment')
    server = Server()
    await OpenAIModel('gpt-4o', provider=OpenAIProvider(api_key='given', http_client=server.client())).request(HELLO)
    assert server.request.headers['authorization'] == 'Bearer given'


async def test_the_key_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', 'from-the-environment')
    server = Server()
    await OpenAIModel('gpt-4o', provider=OpenAIProvider(http_client=server.client())).request(HELLO)
    assert server.request.headers['authorization'] == 'Bearer from-the-environment'
    assert str(server.request.url) == 'https://api.openai.com/v1/chat/completions'


@pytest.mark.parametrize(('key', 'kind'), [(None, 'missing'), ('', 'empty')])
def test_a_missing_key_is_reported_when_the_model_is_built(key: str | None, kind: str) -> None:
    with pytest.raises(UserError) as caught:
        OpenAIModel('gpt-4o', api_key=key)
    assert str(caught.value) == (
        f"The key of 'openai' is {kind}: set the environment variable OPENAI_API_KEY, or give api_key="
    )


@pytest.mark.parametrize(
    ('key', 'position', 'kind'),
    [
        ('sk-secret\n', 10, 'a line break'),
        ('\rsk-secret', 1, 'a line break'),
        ('sk-secret ', 10, 'a space'),
        ('sk-\tsecret', 4, 'a tab'),
        ('sk-sécret', 5, 'a character that is not printable ASCII'),
        ('sk-secret\u200b', 10, 'a character that is not printable ASCII'),
        ('sk-\x00secret', 4, 'a character that is not printable ASCII'),
    ],
)
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str, position: int, kind: str) -> None:
    with pytest.raises(UserError) as caught:
        OpenAIProvider(api_key=key)
    assert str(caught.value) == (
        f"The key of 'openai' in api_key= cannot be sent: character {position} of {len(key)} is {kind}. "
        'Give the key alone, without what may have been copied around it'
    )


def test_a_bad_key_in_the_environment_is_named_after_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-secret\n')
    with pytest.raises(UserError, match=r"^The key of 'openai' in OPENAI_API_KEY cannot be sent: "):
        OpenAIProvider()
    with pytest.raises(UserError, match=r"^The key of 'openai' in OPENAI_API_KEY cannot be sent: "):
        OpenAIProvider(base_url='http://localhost:8000/v1')


def test_nothing_that_can_be_printed_holds_the_key() -> None:
    model = OpenAIModel('gpt-4o', api_key='sk-secret')
    assert 'sk-secret' not in repr(model) + repr(model.provider) + repr(vars(model)) + str(model.base_url)


# ----------------------------------------------------------------------------------------------------------- addresses


async def test_a_server_of_the_users_own_needs_no_key() -> None:
    server = Server()
    provider = OpenAIProvider(base_url='http://localhost:8000/v1', http_client=server.client())
    await OpenAIModel('some-model', provider=provider).request(HELLO)
    assert str(server.request.url) == 'http://localhost:8000/v1/chat/completions'
    assert server.request.headers['authorization'] == 'Bearer api-key-not-set'


async def test_the_address_in_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_BASE_URL', 'http://proxy:4000/v1/')
    server = Server()
    provider = OpenAIProvider(http_client=server.client())
    await OpenAIModel('gpt-4o', provider=provider).request(HELLO)
    assert str(server.request.url) == 'http://proxy:4000/v1/chat/completions'
    assert provider.base_url == 'http://proxy:4000/v1/'


@pytest.mark.parametrize(
    ('url', 'message'),
    [
        (
            'localhost:8000/v1',
            (
                "base_url= of 'openai' is 'localhost:8000/v1', which is not a valid URL: write it like "
                "'http://localhost:8000/v1'"
            ),
        ),
        (
            'llm.example.com/v1',
            (
                "base_url= of 'openai' is 'llm.example.com/v1', which is not a valid URL: write it like "
                "'https://llm.example.com/v1'"
            ),
        ),
        (
            'ftp://example.com',
            "base_url= of 'openai' is 'ftp://example.com', which is not a valid URL: write it like 'https://host/v1'",
        ),
        ('http://', "base_url= of 'openai' is 'http://', which is not a valid URL: write it like 'https://host/v1'"),
        (
            'http://host/v1\n',
            "base_url= of 'openai' is 'http://host/v1\\n', which is not a valid URL: write it like 'https://host/v1'",
        ),
        (
            'http://host:port/v1',
            (
                "base_url= of 'openai' is 'http://host:port/v1', which is not a valid URL: "
                "Port could not be cast to integer value as 'port'"
            ),
        ),
        (
            'https://host/v1?api-version=1',
            (
                "base_url= of 'openai' is 'https://host/v1?api-version=1': paths are added at its end, so it can hold "
                "no '?' or '#'. Give a query to a client of your own, as its default_query="
            ),
        ),
        (
            'https://host/v1/chat/completions',
            (
                "base_url= of 'openai' is 'https://host/v1/chat/completions': leave out '/chat/completions', which is "
                'added to it'
            ),
        ),
        (
            'https://me:hunter2@host/v1?x=1',
            (
                "base_url= of 'openai' is 'https://host/v1?x=1': paths are added at its end, so it can hold no '?' or "
                "'#'. Give a query to a client of your own, as its default_query="
            ),
        ),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        OpenAIProvider(base_url=url, api_key='key')
    assert str(caught.value) == message


def test_a_bad_address_in_the_environment_is_named_after_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_BASE_URL', 'localhost:8000')
    with pytest.raises(UserError, match=r"^OPENAI_BASE_URL of 'openai' is 'localhost:8000', which is not a valid URL"):
        OpenAIProvider()


async def test_a_password_in_the_address_is_used_but_never_shown() -> None:
    server = Server()
    provider = OpenAIProvider(base_url='https://me:hunter2@host/v1', http_client=server.client())
    response = await OpenAIModel('some-model', provider=provider).request(HELLO)
    assert server.request.headers['authorization'] == 'Basic bWU6aHVudGVyMg=='
    assert repr(provider) == "OpenAIProvider(name='openai', base_url='https://host/v1/')"
    assert response.provider_url == 'https://host/v1/'


async def test_organization_and_project_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_PROJECT_ID', 'proj-1')
    server = Server()
    provider = OpenAIProvider(api_key='key', organization='org-1', http_client=server.client())
    await OpenAIModel('gpt-4o', provider=provider).request(HELLO)
    assert server.request.headers['openai-organization'] == 'org-1'
    assert server.request.headers['openai-project'] == 'proj-1'


# ------------------------------------------------------------------------------------------------------------- clients


@LIBRARIES
async def test_both_http_libraries_carry_whole_responses(library: ModuleType) -> None:
    server = Server()
    async with server.client(library) as http:
        response = await OpenAIModel('gpt-4o', provider=OpenAIProvider(api_key='key', http_client=http)).request(HELLO)
    assert response.parts == [TextPart('Hello!')]


@LIBRARIES
async def test_both_http_libraries_carry_streams(library: ModuleType) -> None:
    server = Server(chunks({'content': 'Hel'}, {'content': 'lo!'}))
    async with server.client(library) as http:
        model = OpenAIModel('gpt-4o', provider=OpenAIProvider(api_key='key', http_client=http))
        async with model.request_stream(HELLO) as stream:
            async for _ in stream:
                pass
    assert stream.get().parts == [TextPart('Hello!')]


@LIBRARIES
async def test_both_http_libraries_carry_errors(library: ModuleType) -> None:
    server = Server({'error': {'message': 'no'}}, status=400)
    async with server.client(library) as http:
        model = OpenAIModel('gpt-4o', provider=OpenAIProvider(api_key='key', http_client=http))
        with pytest.raises(ModelHTTPError) as caught:
            await model.request(HELLO)
    assert (caught.value.status_code, caught.value.body) == (400, {'error': {'message': 'no'}})


@LIBRARIES
def test_a_provider_with_a_client_of_yours_outlives_its_event_loop(library: ModuleType) -> None:
    server = Server()
    model = OpenAIModel('gpt-4o', provider=OpenAIProvider(api_key='key', http_client=server.client(library)))
    for _ in range(3):
        assert asyncio.run(model.request(HELLO)).parts == [TextPart('Hello!')]


async def test_a_ready_client_keeps_what_it_is_set_to() -> None:
    server = Server()
    client = AsyncOpenAI(
        api_key='key',
        base_url='https://gateway/v1',
        default_query={'tenant': 'a'},
        default_headers={'x-team': 'b'},
        http_client=server.client(),
    )
    provider = OpenAIProvider(openai_client=client)
    await OpenAIModel('gpt-4o', provider=provider).request(HELLO)
    assert provider.client is client
    assert str(server.request.url) == 'https://gateway/v1/chat/completions?tenant=a'
    assert server.request.headers['x-team'] == 'b'


def test_a_ready_client_takes_no_other_parameter() -> None:
    with pytest.raises(UserError, match='openai_client= brings its own key, URL and connection'):
        OpenAIProvider(openai_client=AsyncOpenAI(api_key='key'), api_key='key')


def test_a_client_that_blocks_is_refused() -> None:
    waits_for_nobody: Any = OpenAI(api_key='key')
    with pytest.raises(UserError) as caught:
        OpenAIProvider(openai_client=waits_for_nobody)
    assert (
        str(caught.value)
        == "openai_client= takes an AsyncOpenAI or an AsyncAzureOpenAI, not an object of type 'OpenAI'"
    )


# --------------------------------------------------------------------------------------------------------------- Azure


def azure(server: Server, **options: Any) -> OpenAIProvider:
    if 'base_url' not in options:
        options = {'azure_endpoint': 'https://me.openai.azure.com', **options}
    client = AsyncAzureOpenAI(api_key='key', api_version='2025-03-01-preview', http_client=server.client(), **options)
    return OpenAIProvider(openai_client=client)


@pytest.mark.parametrize(
    ('options', 'model', 'url'),
    [
        ({}, 'gpt-4o', 'https://me.openai.azure.com/openai/deployments/gpt-4o/chat/completions'),
        ({}, 'team a/gpt', 'https://me.openai.azure.com/openai/deployments/team%20a%2Fgpt/chat/completions'),
        (
            {'azure_deployment': 'mine'},
            'gpt-4o',
            'https://me.openai.azure.com/openai/deployments/mine/chat/completions',
        ),
        (
            {'base_url': 'https://me.openai.azure.com/openai/v1'},
            'gpt-4o',
            'https://me.openai.azure.com/openai/v1/chat/completions',
        ),
    ],
)
async def test_the_deployment_is_part_of_azures_path(options: dict[str, str], model: str, url: str) -> None:
    server = Server()
    await OpenAIModel(model, provider=azure(server, **options)).request(HELLO)
    assert str(server.request.url) == f'{url}?api-version=2025-03-01-preview'
    assert server.request.headers['api-key'] == 'key'
    assert server.body['model'] == model


async def test_azure_streams_below_the_deployment() -> None:
    server = Server(chunks({'content': 'Hi'}))
    async with OpenAIModel('gpt-4o', provider=azure(server)).request_stream(HELLO) as stream:
        async for _ in stream:
            pass
    assert stream.get().parts == [TextPart('Hi')]
    assert server.request.url.path == '/openai/deployments/gpt-4o/chat/completions'


async def test_azures_filter_is_a_refusal_and_no_error() -> None:
    server = Server(CONTENT_FILTERED, status=400)
    response = await OpenAIModel('gpt-4o', provider=azure(server)).request(HELLO)
    assert (response.parts, response.finish_reason, response.state) == ([], 'content_filter', 'complete')
    assert response.provider_details == {
        'finish_reason': 'content_filter',
        'content_filter_results': {'violence': {'filtered': True, 'severity': 'medium'}},
        'message': 'The response was filtered due to the prompt triggering the content management policy.',
    }


async def test_azures_filter_is_a_refusal_in_a_stream() -> None:
    server = Server({'error': {'code': 'content_filter', 'message': 'filtered'}}, status=400)
    async with OpenAIModel('gpt-4o', provider=azure(server)).request_stream(HELLO) as stream:
        assert [event async for event in stream] == []
    response = stream.get()
    assert (response.parts, response.finish_reason, response.state) == ([], 'content_filter', 'complete')


async def test_azures_other_errors_stay_errors() -> None:
    server = Server({'error': {'code': 'DeploymentNotFound', 'message': 'no such deployment'}}, status=404)
    model = OpenAIModel('gpt-4o', provider=azure(server))
    with pytest.raises(ModelHTTPError, match='no such deployment'):
        await model.request(HELLO)
    with pytest.raises(ModelHTTPError, match='no such deployment'):
        async with model.request_stream(HELLO):
            pytest.fail('there is no stream')


async def test_azure_takes_no_documents() -> None:
    server = Server()
    pdf = BinaryContent(b'%PDF-1.4', media_type='application/pdf')
    with pytest.raises(UserError, match=r'cannot take BinaryContent'):
        await OpenAIModel('gpt-4o', provider=azure(server)).request([ModelRequest([UserPromptPart([pdf])])])
    assert server.requests == []
