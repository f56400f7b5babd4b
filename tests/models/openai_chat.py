"""Models of the chat completions room in front of a server that answers for any service, and what goes between them."""

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
SAID_HELLO = {'role': 'user', 'content': 'Hello?'}

OURS: Json = {'provider_name': 'openai'}
"""What a part of ours says of where it came from."""

PLACES = {'snowflake': {'account': 'a-b'}, 'bedrock-mantle': {'region_name': 'us-east-1'}}
"""What the services with an address for each customer want to know."""

CITY = {'type': 'object', 'properties': {'name': {'type': 'string'}}, 'required': ['name']}
STRICT_CITY = {**CITY, 'additionalProperties': False}
WEATHER, TIME = (ToolDefinition(name, dict(CITY)) for name in ('weather', 'time'))
ANSWER = ToolDefinition('answer', dict(CITY), kind='output')


def model(server: Server, name: str = 'gpt-4o', service: str = 'openai', **options: Any) -> OpenAIModel:
    """A model of a service that the server answers for."""
    make: Any = infer_provider_class(service)
    provider = make(api_key='key', http_client=server.client(), **PLACES.get(service, {}))
    return OpenAIModel(name, provider=provider, **options)


async def body(
    settings: Any = None,
    *,
    messages: Sequence[ModelMessage] = HELLO,
    parameters: ModelRequestParameters | None = None,
    **how: Any,
) -> Json:
    """The body of a request, without the model and, where it is `HELLO`, without the messages."""
    server = Server()
    await model(server, **how).request(messages, settings, parameters)
    sent = server.body
    assert sent.pop('model') == how.get('name', 'gpt-4o')
    if messages is HELLO:
        assert sent.pop('messages') == [SAID_HELLO]
    return sent


async def warnings(settings: Any, *, messages: Sequence[ModelMessage] = HELLO, **how: Any) -> list[str]:
    """What the response of a request warns of."""
    return (await model(Server(), **how).request(messages, settings)).warnings


async def sent_messages(messages: Sequence[ModelMessage], **how: Any) -> list[Json]:
    """The messages of a request."""
    found: list[Json] = (await body(messages=messages, **how))['messages']
    return found


async def answered(answer: Json | bytes, **how: Any) -> ModelResponse:
    """What we make of an answer, whole or streamed."""
    server = Server(answer)
    if isinstance(answer, dict):
        return await model(server, **how).request(HELLO)
    async with model(server, **how).request_stream(HELLO) as stream:
        async for _ in stream:
            pass
        return stream.get()
