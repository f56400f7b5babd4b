"""Several pools instead of one: which clients get them, and when idle connections are closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest

from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.azure import AzureProvider
from pydantic_llm.providers.cohere import CohereProvider
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.groq import GroqProvider
from pydantic_llm.providers.huggingface import HuggingFaceProvider
from pydantic_llm.providers.mistral import MistralProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.transport import spread
from pydantic_llm.transport.clients import LIBRARY_VARIABLE
from pydantic_llm.transport.spread import FULL, POOLS, SpreadTransport
from tests.transport.conftest import Serve
from tests.transport.server import respond_together, send_completion

PROVIDERS: dict[str, Callable[..., Any]] = {
    'anthropic': lambda **more: AnthropicProvider(api_key='k', **more),
    'azure': lambda **more: AzureProvider(
        azure_endpoint='https://a.openai.azure.com', api_version='2024-10-21', api_key='k', **more
    ),
    'cohere': lambda **more: CohereProvider(api_key='k', **more),
    'google': lambda **more: GoogleGLAProvider(api_key='k', **more),
    'groq': lambda **more: GroqProvider(api_key='k', **more),
    'huggingface': lambda **more: HuggingFaceProvider(api_key='k', **more),
    'mistral': lambda **more: MistralProvider(api_key='k', **more),
    'openai': lambda **more: OpenAIProvider(api_key='k', **more),
}


def http_client_of(provider: Any) -> Any:
    """Return the HTTP client of a provider, or of its SDK client."""
    original = provider.connection._clients._original
    return getattr(original, '_client', original)


@pytest.fixture(autouse=True)
def choose_httpx2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, 'httpx2')


@pytest.mark.parametrize('name', PROVIDERS)
def test_a_client_made_by_the_provider_has_several_pools(name: str) -> None:
    transport = http_client_of(PROVIDERS[name]())._transport
    assert isinstance(transport, SpreadTransport)
    pools = [each._pool for each in transport._transports()]
    assert len({id(pool) for pool in pools}) == POOLS


@pytest.mark.parametrize('name', PROVIDERS)
def test_a_given_client_is_not_changed(name: str) -> None:
    library = httpx if name in ('cohere', 'groq') else httpx2
    given = library.AsyncClient()
    transport = given._transport
    assert http_client_of(PROVIDERS[name](http_client=given)) is given
    assert given._transport is transport


def test_proxies_of_the_environment_are_still_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HTTPS_PROXY', 'http://proxy.example:3128')
    monkeypatch.setenv('NO_PROXY', 'localhost')
    client = http_client_of(OpenAIProvider(api_key='k'))
    by_pattern = {pattern.pattern: transport for pattern, transport in client._mounts.items()}
    assert by_pattern['all://localhost'] is None
    proxied = by_pattern['https://']
    assert isinstance(proxied, SpreadTransport)
    assert {each._pool._proxy_url.host for each in proxied._transports()} == {b'proxy.example'}
    assert client._transport_for_url(httpx2.URL('https://api.openai.com')) is proxied
    assert client._transport_for_url(httpx2.URL('https://localhost')) is client._transport


@pytest.mark.parametrize('library', [httpx, httpx2])
async def test_idle_connections_are_closed(library: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await serve(respond_together(3 * FULL, send_completion))
    monkeypatch.setattr(spread, 'CLEANUP_SECONDS', 0.0)
    limits = library.Limits(max_connections=None, keepalive_expiry=0.2)
    async with spread.spread_over_pools(library.AsyncClient(limits=limits, timeout=20)) as http:
        await asyncio.gather(*(http.get(server.url) for _ in range(3 * FULL)))
        assert server.open == 3 * FULL
        await asyncio.sleep(0.3)
        await http.get(server.url)
        await server.until(lambda: server.open == 1)
    await server.wait_until_closed()
