"""What the benchmarks ask, and vendors in this process that answer it at once: an HTTP transport and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx2
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from pydantic_llm.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.tools.definition import ToolDefinition

Json = dict[str, Any]

CHUNKS = 200
"""How many pieces of text a stream has."""

CALLS = 10
"""How many tools an answer calls, where it calls any."""


def history(messages: int) -> list[ModelMessage]:
    """A conversation of so many messages, every fourth of which is about a tool."""
    found: list[ModelMessage] = [ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart('What is the weather?')])]
    while len(found) < messages - 1:
        number = len(found)
        if number % 4 == 1:
            call = ToolCallPart('weather', json.dumps({'city': 'Paris', 'days': number}), f'call_{number}')
            found += [ModelResponse([call]), ModelRequest([ToolReturnPart('weather', 'sunny', f'call_{number}')])]
        else:
            found += [
                ModelResponse([TextPart('It is sunny. ' * 5)]),
                ModelRequest([UserPromptPart('And tomorrow? ' * 5)]),
            ]
    return found


def tools(count: int) -> ModelRequestParameters:
    """So many tools."""
    schema = {
        'type': 'object',
        'properties': {'city': {'type': 'string'}, 'days': {'type': 'integer'}},
        'required': ['city', 'days'],
        'additionalProperties': False,
    }
    return ModelRequestParameters([ToolDefinition(f'tool_{n}', schema, 'Does something.') for n in range(count)])


USAGE = {'prompt_tokens': 100, 'completion_tokens': 50, 'total_tokens': 150}


def chat_body(*, calls: int = 0) -> Json:
    """A chat completion."""
    message: Json = {'role': 'assistant', 'content': None if calls else 'It is sunny.'}
    if calls:
        function = {'name': 'weather', 'arguments': '{"city": "Paris", "days": 3}'}
        message['tool_calls'] = [{'id': f'call_{n}', 'type': 'function', 'function': function} for n in range(calls)]
    choice = {'index': 0, 'message': message, 'finish_reason': 'tool_calls' if calls else 'stop', 'logprobs': None}
    return {
        'id': 'chatcmpl-1',
        'object': 'chat.completion',
        'created': 1700000000,
        'model': 'gpt-4o-2024-08-06',
        'choices': [choice],
        'usage': USAGE,
    }


def chat_chunks() -> list[Json]:
    """A chat completion in pieces."""
    base = {'id': 'chatcmpl-1', 'object': 'chat.completion.chunk', 'created': 1700000000, 'model': 'gpt-4o-2024-08-06'}
    deltas: list[Json] = [{'role': 'assistant', 'content': ''}, *({'content': ' sunny'} for _ in range(CHUNKS))]
    chunks = [{**base, 'choices': [{'index': 0, 'delta': delta, 'finish_reason': None}]} for delta in deltas]
    last = {**base, 'choices': [{'index': 0, 'delta': {}, 'finish_reason': 'stop'}]}
    return [*chunks, last, {**base, 'choices': [], 'usage': USAGE}]


ANTHROPIC_USAGE = {'input_tokens': 100, 'output_tokens': 50}


def message_body() -> Json:
    """A message of Anthropic's."""
    return {
        'id': 'msg_1',
        'type': 'message',
        'role': 'assistant',
        'model': 'claude-sonnet-4-5',
        'content': [{'type': 'text', 'text': 'It is sunny.'}],
        'stop_reason': 'end_turn',
        'stop_sequence': None,
        'usage': ANTHROPIC_USAGE,
    }


def message_events() -> list[Json]:
    """A message of Anthropic's in pieces."""
    delta = {'type': 'content_block_delta', 'index': 0, 'delta': {'type': 'text_delta', 'text': ' sunny'}}
    return [
        {'type': 'message_start', 'message': {**message_body(), 'content': [], 'stop_reason': None}},
        {'type': 'content_block_start', 'index': 0, 'content_block': {'type': 'text', 'text': ''}},
        *(delta for _ in range(CHUNKS)),
        {'type': 'content_block_stop', 'index': 0},
        {
            'type': 'message_delta',
            'delta': {'stop_reason': 'end_turn', 'stop_sequence': None},
            'usage': ANTHROPIC_USAGE,
        },
        {'type': 'message_stop'},
    ]


def frames(events: Sequence[Json], *, done: bool) -> list[bytes]:
    """The events as bytes, one at a time, as a network brings them."""
    named = ((event.get('type'), json.dumps(event)) for event in events)
    lines = [f'event: {name}\ndata: {data}\n\n' if name else f'data: {data}\n\n' for name, data in named]
    return [line.encode() for line in (*lines, *(['data: [DONE]\n\n'] if done else []))]


class _Pieces(httpx2.AsyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    async def __aiter__(self) -> Any:
        for piece in self.pieces:
            yield piece


def answering(body: Json, pieces: list[bytes]) -> httpx2.AsyncClient:
    """An HTTP client whose every request is answered with a body, or with pieces of a stream."""
    content = json.dumps(body).encode()

    def answer(request: httpx2.Request) -> httpx2.Response:
        if b'"stream":true' in request.content.replace(b' ', b''):
            return httpx2.Response(200, headers={'content-type': 'text/event-stream'}, stream=_Pieces(pieces))
        return httpx2.Response(200, headers={'content-type': 'application/json'}, content=content)

    return httpx2.AsyncClient(transport=httpx2.MockTransport(answer))


def openai(body: Json) -> tuple[AsyncOpenAI, OpenAIModel]:
    """OpenAI's client, and a model of ours over the same client."""
    http = answering(body, frames(chat_chunks(), done=True))
    client = AsyncOpenAI(api_key='not-a-key', http_client=http)
    return client, OpenAIModel('gpt-4o', provider=OpenAIProvider(openai_client=client))


def anthropic() -> tuple[AsyncAnthropic, AnthropicModel]:
    """Anthropic's client, and a model of ours over the same client."""
    http = answering(message_body(), frames(message_events(), done=False))
    client = AsyncAnthropic(api_key='not-a-key', http_client=http)
    return client, AnthropicModel('claude-sonnet-4-5', provider=AnthropicProvider(anthropic_client=client))
