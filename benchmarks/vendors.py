"""The requests of the benchmarks, and clients whose HTTP transport returns fixed responses without a network."""

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
"""The number of text chunks in a stream."""

CALLS = 10
"""The number of tool calls in a response that has any."""


def history(messages: int) -> list[ModelMessage]:
    """Build a conversation of `messages` messages, in which every fourth is about a tool."""
    conversation: list[ModelMessage] = [
        ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart('What is the weather?')])
    ]
    while len(conversation) < messages - 1:
        number = len(conversation)
        if number % 4 == 1:
            call = ToolCallPart('weather', json.dumps({'city': 'Paris', 'days': number}), f'call_{number}')
            conversation += [
                ModelResponse([call]),
                ModelRequest([ToolReturnPart('weather', 'sunny', f'call_{number}')]),
            ]
        else:
            conversation += [
                ModelResponse([TextPart('It is sunny. ' * 5)]),
                ModelRequest([UserPromptPart('And tomorrow? ' * 5)]),
            ]
    return conversation


def tools(count: int) -> ModelRequestParameters:
    """Build request parameters with `count` tools."""
    schema = {
        'type': 'object',
        'properties': {'city': {'type': 'string'}, 'days': {'type': 'integer'}},
        'required': ['city', 'days'],
        'additionalProperties': False,
    }
    return ModelRequestParameters([ToolDefinition(f'tool_{n}', schema, 'Does something.') for n in range(count)])


USAGE = {'prompt_tokens': 100, 'completion_tokens': 50, 'total_tokens': 150}


def chat_body(*, calls: int = 0) -> Json:
    """Build a chat completion with `calls` tool calls."""
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
    """Build the chunks of a streamed chat completion."""
    base = {'id': 'chatcmpl-1', 'object': 'chat.completion.chunk', 'created': 1700000000, 'model': 'gpt-4o-2024-08-06'}
    deltas: list[Json] = [{'role': 'assistant', 'content': ''}, *({'content': ' sunny'} for _ in range(CHUNKS))]
    chunks = [{**base, 'choices': [{'index': 0, 'delta': delta, 'finish_reason': None}]} for delta in deltas]
    last = {**base, 'choices': [{'index': 0, 'delta': {}, 'finish_reason': 'stop'}]}
    return [*chunks, last, {**base, 'choices': [], 'usage': USAGE}]


ANTHROPIC_USAGE = {'input_tokens': 100, 'output_tokens': 50}


def message_body() -> Json:
    """Build a response of the Messages API."""
    return {
        'id': 'msg_1',
        'type': 'message',
        'role': 'assistant',
        'model': 'claude-sonnet-5-5',
        'content': [{'type': 'text', 'text': 'It is sunny.'}],
        'stop_reason': 'end_turn',
        'stop_sequence': None,
        'usage': ANTHROPIC_USAGE,
    }


def message_events() -> list[Json]:
    """Build the events of a streamed response of the Messages API."""
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
    """Encode the events as server-sent events, one `bytes` each."""
    named = ((event.get('type'), json.dumps(event)) for event in events)
    lines = [f'event: {name}\ndata: {data}\n\n' if name else f'data: {data}\n\n' for name, data in named]
    return [line.encode() for line in (*lines, *(['data: [DONE]\n\n'] if done else []))]


class _ChunkStream(httpx2.AsyncByteStream):
    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks

    async def __aiter__(self) -> Any:
        for chunk in self.chunks:
            yield chunk


def make_http_client(body: Json, chunks: list[bytes]) -> httpx2.AsyncClient:
    """Build an HTTP client that returns `body` for every request, or `chunks` if the request asks for a stream."""
    content = json.dumps(body).encode()

    def respond(request: httpx2.Request) -> httpx2.Response:
        if b'"stream":true' in request.content.replace(b' ', b''):
            return httpx2.Response(200, headers={'content-type': 'text/event-stream'}, stream=_ChunkStream(chunks))
        return httpx2.Response(200, headers={'content-type': 'application/json'}, content=content)

    return httpx2.AsyncClient(transport=httpx2.MockTransport(respond))


def openai(body: Json) -> tuple[AsyncOpenAI, OpenAIModel]:
    """Build OpenAI's client, and our model over the same client."""
    http = make_http_client(body, frames(chat_chunks(), done=True))
    client = AsyncOpenAI(api_key='not-a-key', http_client=http)
    return client, OpenAIModel('gpt-4o', provider=OpenAIProvider(openai_client=client))


def anthropic() -> tuple[AsyncAnthropic, AnthropicModel]:
    """Build Anthropic's client, and our model over the same client."""
    http = make_http_client(message_body(), frames(message_events(), done=False))
    client = AsyncAnthropic(api_key='not-a-key', http_client=http)
    return client, AnthropicModel('claude-sonnet-5-5', provider=AnthropicProvider(anthropic_client=client))
