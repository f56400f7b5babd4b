"""Decodes the messages of a request body: the inverse of `encode`, `encode_response` and `content`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

from pydantic_core import from_json

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelResponse,
    SystemPromptPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from ...messages.request import ModelRequestPart
from ...streaming.draft import ResponseDraft
from ...wire.serving import extend_request
from .decode import CohereDecoder


def decode_messages(body: Json, provider_name: str) -> list[ModelMessage]:
    """Decode the conversation. All messages between two of the assistant become one request."""
    history: list[ModelMessage] = []
    tool_names: dict[str, str] = {}
    for message in cast('list[Json]', body['messages']):
        if message['role'] == 'assistant':
            response = decode_assistant(message, provider_name)
            calls = (part for part in response.parts if isinstance(part, ToolCallPart))
            tool_names |= {call.tool_call_id: call.tool_name for call in calls}
            history.append(response)
            continue
        extend_request(history, [decode_part(message, tool_names)])
    return history


def decode_assistant(message: Json, provider_name: str) -> ModelResponse:
    """Decode a past response with the client's decoder."""
    decoder = CohereDecoder(ResponseDraft('', provider_name))
    decoder.decode_message(message)
    decoder.decode_end()
    return ModelResponse(decoder.draft.parts.get(), provider_name=provider_name)


def decode_part(message: Json, tool_names: dict[str, str]) -> ModelRequestPart:
    """Decode a message that is not the assistant's. `tool_names` are by the ids of the tool calls so far."""
    match message:
        case {'role': 'system', 'content': content}:
            return SystemPromptPart(_join_text(content))
        case {'role': 'user', 'content': str() as content}:
            return UserPromptPart(content)
        case {'role': 'user', 'content': list()}:
            return UserPromptPart([decode_content(item) for item in cast('list[Json]', message['content'])])
        case {'role': 'tool', 'tool_call_id': id, 'content': content}:
            return ToolReturnPart(tool_names.get(id, ''), _decode_tool_result(content), id)
        case _:
            raise UserError(f'A message has the role {message.get("role")!r} and content that does not fit it')


def decode_content(item: Json) -> UserContent:
    """Decode a block of a user's message. Raises `UserError` for an unknown type."""
    match item:
        case {'type': 'text', 'text': str() as text}:
            return text
        case {'type': 'image_url', 'image_url': {'url': str() as url} as image}:
            metadata = {'detail': image['detail']} if image.get('detail') else None
            return _decode_image(url, metadata)
        case _:
            raise UserError(
                f'A message holds content of the type {item.get("type")!r}, which this server does not know'
            )


def _decode_image(url: str, metadata: Json | None) -> UserContent:
    if not url.startswith('data:'):
        return ImageUrl(url, vendor_metadata=metadata)
    image = BinaryContent.from_data_uri(url)
    image.vendor_metadata = metadata
    return image


def _join_text(content: Any) -> str:
    return content if isinstance(content, str) else '\n'.join(block['text'] for block in cast('list[Json]', content))


def _decode_tool_result(content: Any) -> Any:
    """Decode a tool result: a text, or a list of texts and documents."""
    if isinstance(content, str):
        return content
    items = [_decode_result_item(block) for block in cast('list[Json]', content)]
    return items[0] if len(items) == 1 and isinstance(items[0], str) else items


def _decode_result_item(block: Json) -> Any:
    """Return the text of a block, or the data of its document, with its id if it has one.

    Some clients send the data as JSON text.
    """
    if block['type'] == 'text':
        return block['text']
    document: Json = block['document']
    data: Any = document['data']
    with suppress(ValueError):
        data = from_json(data) if isinstance(data, str) else data
    return {'id': document['id'], 'data': data} if document.get('id') else data
