"""The lists of models of each vendor, from a server that sends two pages where the vendor has pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pydantic_llm.exceptions import AuthenticationError, ModelAPIError, UnexpectedModelBehavior, UserError
from pydantic_llm.providers import Provider
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.azure import AzureProvider
from pydantic_llm.providers.bedrock import BedrockProvider
from pydantic_llm.providers.cohere import CohereProvider
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.groq import GroqProvider
from pydantic_llm.providers.huggingface import HuggingFaceProvider
from pydantic_llm.providers.mistral import MistralProvider
from pydantic_llm.providers.model_list import list_models
from pydantic_llm.providers.ollama import OllamaProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve import LocalServer

Json = dict[str, Any]


@contextmanager
def run_server(*pages: Json | str, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """Serve the pages, each for one request. Yield the URL and the paths, with the queries, of the requests."""
    asked: list[str] = []

    async def respond(request: Request) -> Response:
        page = pages[min(len(asked), len(pages) - 1)]
        asked.append(request.url.path + (f'?{request.url.query}' if request.url.query else ''))
        return Response(page, status) if isinstance(page, str) else JSONResponse(page, status)

    with LocalServer(Starlette(routes=[Route('/{path:path}', respond)])) as url:
        yield url, asked


def openai_page(*names: str, **more: object) -> Json:
    return {'object': 'list', 'data': [{'id': name, 'object': 'model', 'type': 'base'} for name in names], **more}


PAGED = {
    'anthropic': (
        lambda url: AnthropicProvider(api_key='k', base_url=url),
        (openai_page('a', has_more=True, last_id='a/1'), openai_page('b', has_more=False, last_id='b')),
        ['/v1/models?limit=1000', '/v1/models?limit=1000&after_id=a%2F1'],
    ),
    'gemini': (
        lambda url: GoogleGLAProvider(api_key='k', base_url=f'{url}/v1beta'),
        ({'models': [{'name': 'models/a'}], 'nextPageToken': 'n='}, {'models': [{'name': 'models/b'}]}),
        ['/v1beta/models?pageSize=1000', '/v1beta/models?pageSize=1000&pageToken=n%3D'],
    ),
    'cohere': (
        lambda url: CohereProvider(api_key='k', base_url=url),
        ({'models': [{'name': 'a'}], 'next_page_token': 'n'}, {'models': [{'name': 'b'}], 'next_page_token': ''}),
        ['/v1/models?page_size=1000', '/v1/models?page_size=1000&page_token=n'],
    ),
}


@pytest.mark.parametrize('vendor', PAGED)
async def test_all_pages_are_read(vendor: str) -> None:
    make, pages, paths = PAGED[vendor]
    with run_server(*pages) as (url, asked):
        assert await list_all(make(url)) == ['a', 'b']
    assert asked == paths


async def list_all(provider: Provider[Any]) -> list[str]:
    try:
        return await list_models(provider)
    finally:
        await provider.aclose()


async def list_with_groq(client: Any) -> None:
    await client.models.list()


async def list_with_mistral(client: Any) -> None:
    await client.models.list_async()
    await client.sdk_configuration.async_client.aclose()  # which the client does not close


async def list_with_cohere(client: Any) -> None:
    await client.models.list()


async def list_in_pages(client: Any) -> None:
    assert [model.id async for model in client.models.list()] == ['a']


BY_SDK: dict[str, tuple[str, Callable[[str], Provider[Any]], Callable[[Any], Awaitable[None]]]] = {
    'openai': ('openai', lambda url: OpenAIProvider(api_key='k', base_url=f'{url}/v1'), list_in_pages),
    'azure': (
        'openai',
        lambda url: AzureProvider(api_key='k', azure_endpoint=url, api_version='2026-01-01'),
        list_in_pages,
    ),
    'azure, v1': ('openai', lambda url: AzureProvider(api_key='k', azure_endpoint=f'{url}/openai/v1'), list_in_pages),
    'ollama': ('openai', lambda url: OllamaProvider(base_url=url), list_in_pages),
    'anthropic': ('anthropic', lambda url: AnthropicProvider(api_key='k', base_url=url), list_in_pages),
    'groq': ('groq', lambda url: GroqProvider(api_key='k', base_url=url), list_with_groq),
    'mistral': ('mistralai.client', lambda url: MistralProvider(api_key='k', base_url=url), list_with_mistral),
    'cohere': ('cohere', lambda url: CohereProvider(api_key='k', base_url=url), list_with_cohere),
}


@pytest.mark.parametrize('vendor', BY_SDK)
async def test_the_list_is_where_the_vendors_sdk_finds_it(vendor: str) -> None:
    sdk, make, list_with_sdk = BY_SDK[vendor]
    pytest.importorskip(sdk)
    page = openai_page('a', has_more=False, models=[{'name': 'a'}])
    with run_server(page) as (url, asked):
        provider = make(url)
        assert await list_all(provider) == ['a']
        client: Any = provider.client
        async with client:
            await list_with_sdk(client)
    ours, theirs = (path.partition('?')[0] for path in asked)
    assert ours == theirs


async def test_the_list_of_a_hugging_face_endpoint_is_beside_its_chat() -> None:
    with run_server(openai_page('a')) as (url, asked):
        assert await list_all(HuggingFaceProvider(api_key='hf_k', base_url=f'{url}/v1')) == ['a']
    assert asked == ['/v1/models']


async def test_a_client_of_the_sdk_that_is_given_sends_the_request() -> None:
    openai = pytest.importorskip('openai')
    with run_server(openai_page('a')) as (url, asked):
        client = openai.AsyncOpenAI(api_key='k', base_url=f'{url}/v1')
        assert await list_all(OpenAIProvider(openai_client=client)) == ['a']
    assert asked == ['/v1/models']


async def test_a_vendor_without_a_list_is_a_user_error() -> None:
    with pytest.raises(UserError, match="'bedrock' cannot list its models"):
        await list_models(BedrockProvider(api_key='k', region_name='us-east-1', base_url='http://127.0.0.1:9'))


@pytest.mark.parametrize(
    'page', [{}, {'data': None}, {'data': {}}, {'data': ['a']}, {'data': [{'id': 3}]}, {'data': 3}]
)
async def test_what_is_no_list_of_models_is_an_error(page: Json) -> None:
    with run_server(page) as (url, _), pytest.raises(UnexpectedModelBehavior, match='did not send a list of models'):
        await list_all(OpenAIProvider(api_key='k', base_url=url))


@pytest.mark.parametrize('text', ['', '[]', '<html>', 'null', '{"data": ['])
async def test_what_is_no_json_object_is_an_error(text: str) -> None:
    with run_server(text) as (url, _), pytest.raises(ModelAPIError, match='whole JSON'):
        await list_all(OpenAIProvider(api_key='k', base_url=url))


async def test_a_list_without_an_end_is_an_error() -> None:
    page = openai_page('a', has_more=True, last_id='a')
    endless = pytest.raises(UnexpectedModelBehavior, match='a list of models without an end')
    with run_server(page) as (url, asked), endless:
        await list_all(AnthropicProvider(api_key='k', base_url=url))
    assert len(asked) == 100


async def test_a_refused_key_is_an_authentication_error() -> None:
    with run_server({'error': {'message': 'no'}}, status=401) as (url, _), pytest.raises(AuthenticationError):
        await list_all(OpenAIProvider(api_key='k', base_url=url))
