"""Encodes a request into the body of `POST /generate`. Start at `encode`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_never

from pydantic_llm import UserError
from pydantic_llm.messages import (
    BinaryContent,
    CachePoint,
    FilePart,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_llm.wire import PreparedRequest

Json = dict[str, Any]

SETTINGS = {'max_tokens': 'limit', 'temperature': 'temperature', 'stop_sequences': 'stop'}
"""Shared settings -> fields of the body."""

OWN_SETTINGS = {'acme_tone': 'tone'}
"""Settings of Acme -> fields of the body."""


def encode(request: PreparedRequest) -> Json:
    """Encode the body."""
    fields = SETTINGS | OWN_SETTINGS
    body: Json = {
        'model': request.model_name,
        'system': [text for text in [*_system_prompts(request), *request.instructions] if text.strip()],
        'turns': [turn for turn in _encode_turns(request) if turn['parts']],
        **{field: request.options[name] for name, field in fields.items() if name in request.options},
    }
    if request.parameters.native_tools:
        raise UserError(f'{request.system!r} runs no tools itself')
    if tools := request.parameters.tools:
        body['tools'] = [
            {'name': tool.name, 'about': tool.description or '', 'schema': tool.parameters_json_schema}
            for tool in tools
        ]
        body['use_tools'] = request.tool_choice
    if request.parameters.output_mode == 'native' and (output := request.parameters.output_object):
        body['schema'] = output.json_schema
    if request.stream:
        body['stream'] = True
    return body


def _system_prompts(request: PreparedRequest) -> Iterator[str]:
    for message in request.messages:
        if isinstance(message, ModelRequest):
            yield from (part.content for part in message.parts if isinstance(part, SystemPromptPart))


def _encode_turns(request: PreparedRequest) -> Iterator[Json]:
    for message in request.messages:
        if isinstance(message, ModelRequest):
            yield {'from': 'user', 'parts': list(_encode_request(message, request))}
        else:
            yield {'from': 'model', 'parts': list(_encode_response(message, request))}


def _encode_request(message: ModelRequest, request: PreparedRequest) -> Iterator[Json]:
    for part in message.parts:
        match part:
            case SystemPromptPart():
                pass  # the API has one place for all of them: the field `system`
            case UserPromptPart(content=str() as text):
                yield from _encode_text(text)
            case UserPromptPart(content=items):
                for item in items:
                    yield from encode_item(item, request)
            case ToolReturnPart():
                result = part.model_response_str()
                yield {
                    'result': result,
                    'id': part.tool_call_id,
                    'tool': part.tool_name,
                    'failed': part.outcome != 'success',
                }
            case RetryPromptPart(tool_name=None):
                yield from _encode_text(part.model_response())
            case RetryPromptPart():
                yield {'result': part.model_response(), 'id': part.tool_call_id, 'tool': part.tool_name, 'failed': True}
            case _:
                assert_never(part)


def encode_item(item: UserContent, request: PreparedRequest) -> Iterator[Json]:
    """Encode an item of a prompt. Raises `UserError` for a file that is not an image."""
    match item:
        case str() as text:
            yield from _encode_text(text)
        case TextContent(content=text):
            yield from _encode_text(text)
        case CachePoint():
            request.drop_cache_point()
        case ImageUrl(url=url):
            yield {'image': url}
        case BinaryContent() if item.is_image:
            yield {'image': item.data_uri}
        case _:
            raise UserError(f'{request.system!r} does not accept {item!r}: its API accepts text and images')


def _encode_text(text: str) -> Iterator[Json]:
    if text.strip():  # the API refuses blank text
        yield {'text': text}


def _encode_response(message: ModelResponse, request: PreparedRequest) -> Iterator[Json]:
    for part in message.parts:
        match part:
            case TextPart(content=text):
                yield from _encode_text(text)
            case ThinkingPart(content=text, signature=str() as seal) if part.provider_name == request.system:
                yield {'thinking': text, 'seal': seal}
            case ToolCallPart():
                yield {'call': part.tool_name, 'id': part.tool_call_id, 'arguments': part.args_as_json_str()}
            case ThinkingPart() | NativeToolCallPart() | NativeToolReturnPart() | FilePart():
                request.drop_part(part)
            case _:
                assert_never(part)
