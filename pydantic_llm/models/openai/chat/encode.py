"""Encodes a request as the body of `POST /chat/completions`.

Start at `encode`, then read `encode_messages`. Past responses are in `encode_response`, user content is in `content`;
tools, output and settings are in `options`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

from pydantic_core import to_json

from ....exceptions import UserError
from ....json_types import Json
from ....messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    ToolReturnPart,
    UserPromptPart,
)
from ....messages.request import ModelRequestPart
from ....profiles.openai import OpenAIModelProfile
from ....wire.json_body import JsonItems
from ....wire.prepare import PreparedRequest
from ..cache import has_marks, mark_prefix
from .content import encode_content, find_name, flatten_content
from .dialect import OPENAI, Dialect
from .encode_response import encode_response
from .options import encode_output, encode_settings, encode_tools


def encode(request: PreparedRequest, profile: OpenAIModelProfile, dialect: Dialect = OPENAI) -> Json:
    """Encode the body of a request."""
    messages: Sequence[Json] | JsonItems | None = None
    if not (dialect.encode_body and dialect.changes_messages) and not has_marks(request, profile):
        messages = encode_known_messages(request, profile)
    if messages is None:
        messages = mark_prefix(list(encode_messages(request, profile)), request, profile)
    if not messages:
        raise UserError('messages has no content of the user: all of its texts are blank')
    body: Json = {'model': request.model_name, 'messages': messages}
    body.update(encode_tools(request, profile, dialect))
    body.update(encode_output(request, profile))
    body.update(encode_settings(request, profile, dialect))
    if request.stream:
        body['stream'] = True
        if profile.openai_stream_usage:
            body['stream_options'] = {'include_usage': True}
    return dialect.encode_body(body, request) if dialect.encode_body else body


def encode_known_messages(request: PreparedRequest, profile: OpenAIModelProfile) -> JsonItems | None:
    """Return the messages, of which those after the first request were written before; `None` if one is not known.

    The first request begins with the system prompts, which depend on the instructions.
    """
    if (known := request.get_written()) is None:
        return None

    def encode_message(message: ModelMessage) -> list[Json]:
        return [_adapt_to_server(each, profile) for each in _encode_history((message,), request, profile)]

    first = list(encode_messages(request, profile, request.messages[:1]))
    return JsonItems(first, known.encode(request, encode_message, 1))


def encode_messages(
    request: PreparedRequest, profile: OpenAIModelProfile, messages: Sequence[ModelMessage] | None = None
) -> Iterator[Json]:
    """Yield the messages. Instructions follow the system prompts at the beginning of the conversation."""
    history = list(_encode_history(request.messages if messages is None else messages, request, profile))
    start = next((index for index, message in enumerate(history) if message['role'] != 'system'), len(history))
    system = [*history[:start], *({'role': 'system', 'content': text} for text in request.instructions)]
    if profile.openai_joins_system_messages and len(system) > 1:
        system = [{'role': 'system', 'content': '\n\n'.join(message['content'] for message in system)}]
    for message in (*system, *history[start:]):
        yield _adapt_to_server(message, profile)


def _encode_history(
    messages: Iterable[ModelMessage], request: PreparedRequest, profile: OpenAIModelProfile
) -> Iterator[Json]:
    for message in messages:
        match message:
            case ModelRequest():
                yield from encode_request(message, request, profile)
            case ModelResponse():
                if encoded := encode_response(message, request, profile):
                    yield {'role': 'assistant', **encoded}
            case _:
                assert_never(message)


def _adapt_to_server(message: Json, profile: OpenAIModelProfile) -> Json:
    """Return the message with the role and the form of content that the server accepts."""
    if message['role'] == 'system':
        message = {**message, 'role': profile.openai_system_prompt_role}
    if conversions := profile.openai_role_conversions:
        message = _convert_role(message, conversions)
    return flatten_content(message) if profile.openai_flatten_content else message


def _convert_role(message: Json, conversions: Mapping[str, str]) -> Json:
    """Return the message with the role that replaces its own.

    If the role `tool` is replaced, tool calls become text, and tool results lose the id of their call.
    """
    role = message['role']
    if 'tool' in conversions and (calls := message.get('tool_calls')):
        text = f'Calling tools: {to_json([call["function"] for call in calls]).decode()}'
        content = f'{message["content"]}\n{text}' if message['content'] else text
        message = {key: value for key, value in message.items() if key != 'tool_calls'} | {'content': content}
    if role == 'tool' and role in conversions:
        message = {key: value for key, value in message.items() if key != 'tool_call_id'}
    return {**message, 'role': conversions.get(role, role)}


def encode_request(message: ModelRequest, request: PreparedRequest, profile: OpenAIModelProfile) -> Iterator[Json]:
    """Yield the messages of one request."""
    for part in message.parts:
        yield from encode_request_part(part, request, profile)


def encode_request_part(
    part: ModelRequestPart, request: PreparedRequest, profile: OpenAIModelProfile
) -> Iterator[Json]:
    """Yield the message of one part."""
    match part:
        case SystemPromptPart(content=content):
            yield {'role': 'system', 'content': content}
        case UserPromptPart(content=str() as content):
            yield {'role': 'user', 'content': content}
        case UserPromptPart(content=content):
            if encoded := encode_content(content, profile, request):
                yield {'role': 'user', **find_name(content), 'content': encoded}
        case ToolReturnPart():
            yield {'role': 'tool', 'tool_call_id': part.tool_call_id, 'content': encode_tool_return(part)}
        case RetryPromptPart(tool_name=None):
            yield {'role': 'user', 'content': part.model_response()}
        case RetryPromptPart():
            yield {'role': 'tool', 'tool_call_id': part.tool_call_id, 'content': part.model_response()}
        case _:
            assert_never(part)


def encode_tool_return(part: ToolReturnPart) -> str:
    """Return a tool result as text. Its files are in the user's prompt (`files_in_results`)."""
    return '' if part.content is None else part.model_response_str()
