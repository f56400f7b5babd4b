"""Files as bodies, through every kind of client: the server gets each byte, and retries begin at the start."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

import anthropic
import groq
import httpx
import httpx2
import openai
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pydantic_llm.json_types import Json
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.groq import GroqProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.providers.provider import Provider
from pydantic_llm.serve import LocalServer
from pydantic_llm.transport import FileBody, RawRequest

PROVIDERS: dict[str, Callable[[str], Provider[object]]] = {
    'own': lambda url: OpenAIProvider(base_url=url, api_key='k'),
    'httpx2': lambda url: OpenAIProvider(base_url=url, api_key='k', http_client=httpx2.AsyncClient()),
    'httpx': lambda url: OpenAIProvider(base_url=url, api_key='k', http_client=httpx.AsyncClient()),
    'openai': lambda url: OpenAIProvider(openai_client=openai.AsyncOpenAI(base_url=url, api_key='k')),
    'groq': lambda url: GroqProvider(groq_client=groq.AsyncGroq(base_url=url, api_key='k')),
    'anthropic': lambda url: AnthropicProvider(anthropic_client=anthropic.AsyncAnthropic(base_url=url, api_key='k')),
}
each = pytest.mark.parametrize('name', PROVIDERS)


async def receive(request: Request) -> JSONResponse:
    length = request.headers.get('content-length')
    if request.method == 'DELETE':
        return JSONResponse({'deleted': request.url.path})
    if request.headers['content-type'].startswith('multipart/form-data'):
        async with request.form() as form:
            file = form['file']
            assert not isinstance(file, str)
            text = (await file.read()).decode()
            described = {'purpose': form['purpose'], 'name': file.filename, 'type': file.content_type}
        return JSONResponse({**described, 'end': text[-22:], 'size': len(text), 'has_length': length is not None})
    data = await request.body()
    return JSONResponse({'type': request.headers['content-type'], 'size': len(data), 'length': length})


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    app = Starlette(routes=[Route('/{path:path}', receive, methods=['POST', 'DELETE'])])
    with LocalServer(app) as url:
        yield url


def make_file(size: int) -> tuple[BinaryIO, int]:
    data = b'{"row": 1}\n' * (size // 11)
    return cast('BinaryIO', io.BytesIO(data)), len(data)


async def send(provider: Provider[object], request: RawRequest) -> Json:
    response = await provider.connection.send(request)
    return cast('Json', httpx2.Response(200, content=response.body).json())


@each
async def test_a_form_arrives_as_a_whole_each_time_that_it_is_sent(name: str, url: str) -> None:
    provider = PROVIDERS[name](url)
    file, size = make_file(300_000)
    body = FileBody(file, size, 'application/jsonl', {'purpose': 'batch'})
    answers = [await send(provider, RawRequest('/files', b'', 'm', file=body)) for _ in range(2)]
    await provider.aclose()
    described = {'purpose': 'batch', 'name': 'requests.jsonl', 'type': 'application/jsonl'}
    assert answers == [{**described, 'end': '{"row": 1}\n{"row": 1}\n', 'size': size, 'has_length': True}] * 2


@each
async def test_a_file_is_the_body_itself_without_a_form(name: str, url: str) -> None:
    provider = PROVIDERS[name](url)
    file, size = make_file(200_000)
    answer = await send(provider, RawRequest('/batches', b'', 'm', file=FileBody(file, size)))
    await provider.aclose()
    assert answer == {'type': 'application/json', 'size': size, 'length': str(size)}


@each
async def test_every_client_can_delete(name: str, url: str) -> None:
    provider = PROVIDERS[name](url)
    answer = await send(provider, RawRequest('/files/a', b'', 'm', method='DELETE'))
    await provider.aclose()
    assert answer == {'deleted': '/files/a'}


async def test_a_path_with_two_slashes_is_below_the_host(url: str) -> None:
    provider = OpenAIProvider(base_url=f'{url}/v1beta', api_key='k')
    answers = [await send(provider, RawRequest(path, b'', 'm', method='DELETE')) for path in ('/a', '//upload/v1beta')]
    await provider.aclose()
    assert answers == [{'deleted': '/v1beta/a'}, {'deleted': '/upload/v1beta'}]
