"""Helpers of the Chat Completions tests: models of any service behind one server, and the exchange with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.providers import infer_provider_class
from pydantic_llm.tools.definition import ToolDefinition
from tests.providers.server import Json, Server

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello?')]
HELLO_MESSAGE = {'role': 'user', 'content': 'Hello?'}

OWN: Json = {'provider_name': 'openai'}
"""The fields of a part that the vendor made itself."""

ACCOUNTS = {'snowflake': {'account': 'a-b'}, 'bedrock-mantle': {'region_name': 'us-east-1'}}
"""Options of the services whose URL contains the account."""

CITY = {'type': 'object', 'properties': {'name': {'type': 'string'}}, 'required': ['name']}
STRICT_CITY = {**CITY, 'additionalProperties': False}
WEATHER, TIME = (ToolDefinition(name, dict(CITY)) for name in ('weather', 'time'))
OUTPUT_TOOL = ToolDefinition('answer', dict(CITY), kind='output')


def build_model(server: Server, name: str = 'gpt-4o', service: str = 'openai', **options: Any) -> OpenAIModel:
    """Build a model of a service, in front of the server."""
    make: Any = infer_provider_class(service)
    provider = make(api_key='key', http_client=server.client(), **ACCOUNTS.get(service, {}))
    return OpenAIModel(name, provider=provider, **options)


async def encode_body(
    settings: Any = None,
    *,
    messages: Sequence[ModelMessage] = HELLO,
    parameters: ModelRequestParameters | None = None,
    **how: Any,
) -> Json:
    """Send a request; return its body without the model, and without the messages if they are `HELLO`."""
    server = Server()
    await build_model(server, **how).request(messages, settings, parameters)
    sent = server.body
    assert sent.pop('model') == how.get('name', 'gpt-4o')
    if messages is HELLO:
        assert sent.pop('messages') == [HELLO_MESSAGE]
    return sent


async def collect_warnings(settings: Any, *, messages: Sequence[ModelMessage] = HELLO, **how: Any) -> list[str]:
    """Send a request; return the warnings of its response."""
    return (await build_model(Server(), **how).request(messages, settings)).warnings


async def encode_messages(messages: Sequence[ModelMessage], **how: Any) -> list[Json]:
    """Send a request; return its messages."""
    found: list[Json] = (await encode_body(messages=messages, **how))['messages']
    return found


async def decode_response(content: Json | bytes, **how: Any) -> ModelResponse:
    """Return the response that is decoded from a body or from a stream."""
    server = Server(content)
    if isinstance(content, dict):
        return await build_model(server, **how).request(HELLO)
    async with build_model(server, **how).request_stream(HELLO) as stream:
        async for _ in stream:
            pass
        return stream.get()
