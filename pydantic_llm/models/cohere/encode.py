"""Encodes a request as the body of `POST /v2/chat`. Start at `encode`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    CachePoint,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    ToolReturnPart,
    UserPromptPart,
)
from ...messages.request import ModelRequestPart
from ...profiles.cohere import CohereModelProfile
from ...wire.files import content_items
from ...wire.json_body import JsonItems
from ...wire.prepare import PreparedRequest
from .content import encode_content, encode_tool_return
from .encode_response import encode_message
from .options import encode_output, encode_settings, encode_thinking, encode_tools

JSON_INSTRUCTION = 'Answer with one JSON object.'
"""A system prompt for JSON output, added if no message mentions JSON.
Without one, the model may write whitespace without end: https://docs.cohere.com/docs/structured-outputs"""


def encode(request: PreparedRequest, profile: CohereModelProfile) -> Json:
    """Encode the body of a request."""
    options: Json = {
        **encode_tools(request, profile),
        **encode_output(request, profile),
        **encode_settings(request),
        **encode_thinking(request),
    }
    body: Json = {'model': request.model_name, 'messages': _encode_messages_for(request, options), **options}
    if request.stream:
        body['stream'] = True
    return body


def _encode_messages_for(request: PreparedRequest, options: Json) -> Sequence[Json] | JsonItems:
    """Encode the messages. Those after the first request are not encoded again, unless the options need their texts."""
    is_json = options.get('response_format', {}).get('type') == 'json_object'
    if not is_json and (known := request.get_written()) is not None:
        first = encode_messages(request, request.messages[:1])
        return JsonItems(first, known.encode(request, lambda message: encode_history((message,), request), 1))
    messages = encode_messages(request, request.messages)
    if not messages:
        raise UserError('messages has no content of the user: all of its texts are blank')
    if is_json and not _mentions_json(messages):
        return [{'role': 'system', 'content': JSON_INSTRUCTION}, *messages]
    return messages


def _mentions_json(messages: Iterable[Json]) -> bool:
    contents = (message['content'] for message in messages if message['role'] in ('system', 'user'))
    blocks = (
        [content] if isinstance(content, str) else [block.get('text', '') for block in content] for content in contents
    )
    return any('json' in text.lower() for texts in blocks for text in texts)


def encode_messages(request: PreparedRequest, history: Sequence[ModelMessage]) -> list[Json]:
    """Encode messages from the first one on. Instructions follow the system prompts at their start."""
    if any(isinstance(item, CachePoint) for item in content_items(history)):
        request.drop_cache_point()
    turns = list(encode_history(history, request))
    start = next((index for index, turn in enumerate(turns) if turn['role'] != 'system'), len(turns))
    instructions = [{'role': 'system', 'content': text} for text in request.instructions]
    return [*turns[:start], *instructions, *turns[start:]]


def encode_history(messages: Iterable[ModelMessage], request: PreparedRequest) -> Iterator[Json]:
    """Yield the messages of requests and responses."""
    for message in messages:
        if isinstance(message, ModelRequest):
            yield from encode_request(message, request.system)
        else:
            yield from encode_response(message, request)


def encode_request(message: ModelRequest, system: str) -> Iterator[Json]:
    """Yield the messages for a request."""
    for part in message.parts:
        yield from encode_request_part(part, system)


def encode_request_part(part: ModelRequestPart, system: str) -> Iterator[Json]:
    """Yield the message for a part, unless it is empty: the API rejects empty turns."""
    match part:
        case SystemPromptPart(content=content):
            yield {'role': 'system', 'content': content}
        case UserPromptPart(content=str() as content):
            yield {'role': 'user', 'content': content}
        case UserPromptPart(content=content):
            if blocks := [*encode_content(content, system)]:
                yield {'role': 'user', 'content': blocks}
        case ToolReturnPart():
            yield {'role': 'tool', 'tool_call_id': part.tool_call_id, 'content': encode_tool_return(part)}
        case RetryPromptPart(tool_name=None):
            yield {'role': 'user', 'content': part.model_response()}
        case RetryPromptPart():
            yield {'role': 'tool', 'tool_call_id': part.tool_call_id, 'content': part.model_response()}
        case _:
            assert_never(part)


def encode_response(message: ModelResponse, request: PreparedRequest) -> Iterator[Json]:
    """Yield the turn of the assistant, unless it is empty, and note the parts that were dropped."""
    fields, dropped = encode_message(message.parts, request.system, plans=bool(message.tool_calls))
    for part in dropped:
        request.drop_part(part)
    if fields:
        yield {'role': 'assistant', **fields}
