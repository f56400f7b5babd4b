"""Connections through each kind of client. What not all environments have is imported when a connection needs it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import httpx2

from pydantic_llm.messages import ModelMessage, ModelRequest, UserPromptPart
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.providers.bedrock import BedrockProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.transport import Deadlines, RawRequest
from pydantic_llm.transport.aws import AwsConnection
from pydantic_llm.transport.aws_http import make_http_client
from pydantic_llm.transport.clients import make_httpx2_client
from pydantic_llm.transport.http import Access, HTTPConnection
from pydantic_llm.transport.httpx2_client import Httpx2Client, Httpx2Clients
from pydantic_llm.transport.loops import LoopClients
from pydantic_llm.transport.pools import HttpClients, SdkClients
from pydantic_llm.transport.proxies import Proxies
from pydantic_llm.transport.response import ClientConnection
from pydantic_llm.transport.sdk import SDKConnection

KEY = 'sk-a-key-that-must-not-be-shown'
HISTORY: list[ModelMessage] = [ModelRequest([UserPromptPart('Hi')])]

Make = Callable[[str], ClientConnection]


def through(client: Any, sdk: ModuleType) -> SDKConnection:
    """Return a connection through the client of an SDK."""
    return SDKConnection(LoopClients[Any](client, SdkClients()), sdk, provider_name='vendor')


def through_openai(url: str, make_http_client: Callable[[ModuleType], Any] | None = None) -> SDKConnection:
    openai = import_module('openai')
    http_client = None if make_http_client is None else make_http_client(openai)
    return through(openai.AsyncOpenAI(api_key=KEY, base_url=url, http_client=http_client), openai)


def openai_httpx2(url: str) -> SDKConnection:
    return through_openai(url)


def openai_own_httpx2(url: str) -> SDKConnection:
    return through_openai(url, lambda _: httpx2.AsyncClient())


def openai_httpx(url: str) -> SDKConnection:
    return through_openai(url, lambda _: import_module('httpx').AsyncClient())


def openai_aiohttp(url: str) -> SDKConnection:
    return through_openai(url, lambda openai: openai.DefaultAioHttpClient())


def anthropic_httpx2(url: str) -> SDKConnection:
    anthropic = import_module('anthropic')
    return through(anthropic.AsyncAnthropic(api_key=KEY, base_url=url), anthropic)


def anthropic_aiohttp(url: str) -> SDKConnection:
    anthropic = import_module('anthropic')
    client = anthropic.AsyncAnthropic(api_key=KEY, base_url=url, http_client=anthropic.DefaultAioHttpClient())
    return through(client, anthropic)


def plain_httpx2(url: str) -> HTTPConnection:
    return through_http(httpx2.AsyncClient(), url)


def plain_httpx(url: str) -> HTTPConnection:
    return through_http(import_module('httpx').AsyncClient(), url)


def boto3_httpx2(url: str) -> AwsConnection:
    aws = BedrockProvider(base_url=url, api_key=KEY).client
    clients = LoopClients[Any](make_http_client(aws), HttpClients())
    return AwsConnection(clients, aws, {'chat': 'ConverseStream'}, provider_name='vendor')


def own_httpx2(url: str) -> HTTPConnection:
    """Return the connection that a provider makes when it is given no client."""
    client = Httpx2Client(make_httpx2_client(), user_agent='pydantic-llm')
    return through_http(client, url, Httpx2Clients(), follow_redirects=True)


def own_aiohttp(url: str) -> HTTPConnection:
    """Return the connection that a provider makes where aiohttp is installed."""
    aiohttp_client = import_module('pydantic_llm.transport.aiohttp_client')
    timeout = httpx2.Timeout(600, connect=5)
    client = aiohttp_client.AiohttpClient(timeout=timeout, user_agent='pydantic-llm', proxies=Proxies())
    return through_http(client, url, aiohttp_client.AiohttpClients(), follow_redirects=True)


def through_http(client: Any, url: str, operations: Any = None, **options: Any) -> HTTPConnection:
    """Return a connection through a client of an HTTP library."""

    async def access(model_name: str, *, refused: Access | None) -> Access:
        return Access(url, {'Authorization': f'Bearer {KEY}'})

    clients = LoopClients[Any](client, operations or HttpClients())
    return HTTPConnection(clients, access, provider_name='vendor', **options)


SDK_CLIENTS = (openai_httpx2, openai_own_httpx2, openai_httpx, openai_aiohttp, anthropic_httpx2, anthropic_aiohttp)
"""Connections through the client of an SDK."""

SDKS = (*SDK_CLIENTS, own_httpx2, own_aiohttp)
"""Connections through the client of an SDK, and those that take its place."""

PLAIN = (plain_httpx2, plain_httpx, boto3_httpx2)
"""Connections through the client of an HTTP library."""


def raw_request(**deadlines: float) -> RawRequest:
    """Return a request with these deadlines."""
    return RawRequest('/chat', b'{"hello": 1}', 'the-model', deadlines=Deadlines(**deadlines))


def chat_model(url: str, **more: Any) -> OpenAIChatModel:
    """Return a model for a local server."""
    return OpenAIChatModel('the-model', provider=OpenAIProvider(api_key=KEY, base_url=url, **more))
