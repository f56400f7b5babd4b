"""Decodes the messages of a request body. Start at `decode_messages`, which undoes `encode.encode_messages`."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator
from typing import cast

from ....exceptions import UserError
from ....json_types import Json
from ....messages import (
    BinaryContent,
    CachePoint,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelResponse,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from ....messages.request import ModelRequestPart
from ....messages.response import ModelResponsePart
from ....streaming.draft import ResponseDraft
from ....streaming.parts import LAST
from ....wire.file_names import is_file_name, with_file_name
from ....wire.serving import extend_request
from ..thinking import THINKING_FIELDS
from .content import NAME
from .decode_chunks import ChunkDecoder
from .decode_thinking import decode_reasoning_detail

TEXT_TYPES = (None, 'text', 'refusal')
"""The types of content parts that are text."""


def decode_messages(messages: Iterable[Json], provider_name: str) -> list[ModelMessage]:
    """Decode the conversation. All messages between two of the assistant's become one request."""
    history: list[ModelMessage] = []
    tool_names: dict[str, str] = {}  # by the id of the tool call
    for message in messages:
        if message['role'] == 'assistant':
            message = _with_tool_calls(message, len(history))
            response = ModelResponse(decode_response_parts(message, provider_name), provider_name=provider_name)
            tool_names |= {call.tool_call_id: call.tool_name for call in response.tool_calls}
            history.append(response)
            continue
        extend_request(history, [decode_request_part(message, tool_names, provider_name)])
    return history


def decode_request_part(message: Json, tool_names: dict[str, str], provider_name: str) -> ModelRequestPart:
    """Decode a message that is not the assistant's."""
    match message:
        case {'role': 'system' | 'developer', 'content': content}:
            return SystemPromptPart(_join_texts(content))
        case {'role': 'user', 'name': str() as name, 'content': str() as content}:
            return UserPromptPart([TextContent(content, metadata={NAME: name})])
        case {'role': 'user', 'content': str() as content}:
            return UserPromptPart(content)
        case {'role': 'user', 'content': list()}:
            items = cast('list[Json]', message['content'])
            content = [each for item in items for each in _decode_marked(item, provider_name)]
            return UserPromptPart(_with_name(content, message.get('name')))
        case {'role': 'function', 'name': name}:  # the API before tools, whose calls have no ids
            id = next((id for id, known in reversed(tool_names.items()) if known == name), name)
            return ToolReturnPart(name, _join_texts(message.get('content')), id)
        case {'role': 'tool', 'tool_call_id': id}:
            return ToolReturnPart(tool_names.get(id, ''), _decode_result(message.get('content'), provider_name), id)
        case _:
            raise UserError(f'A message has the role {message.get("role")!r} and content that does not fit it')


def _decode_result(content: object, provider_name: str) -> str | list[UserContent]:
    """Decode the content of a tool result: a text, or a list if it has files, which some servers accept there."""
    if not isinstance(content, list):
        return _join_texts(content)
    items = cast('list[Json]', content)
    has_files = any(item.get('type') not in TEXT_TYPES for item in items)
    return [decode_content(item, provider_name) for item in items] if has_files else _join_texts(items)


def _with_name(content: list[UserContent], name: str | None) -> list[UserContent]:
    """Return the content with the name of its author at its first text."""
    for index, item in enumerate(content):
        if name and isinstance(item, str):
            return [*content[:index], TextContent(item, metadata={NAME: name}), *content[index + 1 :]]
    return content


def _with_tool_calls(message: Json, number: int) -> Json:
    """Return a message with the only call of the API before tools as one of its tool calls.

    https://platform.openai.com/docs/api-reference/chat/object
    """
    function: Json | None = message.get('function_call')
    if not function or message.get('tool_calls'):
        return message
    return {**message, 'tool_calls': [{'id': f'call_{number}', 'type': 'function', 'function': function}]}


def _decode_marked(item: Json, provider_name: str) -> Iterator[UserContent]:
    """Yield what a part contains, and a cache point after it, if the part has a mark of OpenAI's or of OpenRouter's."""
    yield decode_content(item, provider_name)
    if item.get('prompt_cache_breakpoint') or item.get('cache_control'):
        yield CachePoint()


def decode_content(item: Json, provider_name: str) -> UserContent:
    """Decode one part of a user message."""
    match item:
        case {'type': 'text', 'text': str() as text}:
            return text
        case {'type': 'image_url', 'image_url': {'url': url} as image}:
            metadata = {'detail': image['detail']} if image.get('detail') else None
            return _decode_image(url, metadata)
        case {'type': 'input_audio', 'input_audio': {'data': data, 'format': format}}:
            media_type = 'audio/mpeg' if format == 'mp3' else f'audio/{format}'
            return BinaryContent(b64decode(data), media_type=media_type)
        case {'type': 'file', 'file': {'file_id': id}}:
            return UploadedFile(id, provider_name)
        case {'type': 'file', 'file': {'file_data': str() as data, **names}} if data.startswith('data:'):
            return with_file_name(BinaryContent.from_data_uri(data), names.get('filename'))
        case {'type': 'file', 'file': {'file_data': url, **names}}:
            name = names.get('filename')
            return DocumentUrl(url, identifier=name if is_file_name(name) else None)  # type: ignore[arg-type]  # for pyright
        case {'type': 'video_url', 'video_url': {'url': url}}:
            return BinaryContent.from_data_uri(url) if url.startswith('data:') else VideoUrl(url)
        case _:
            raise UserError(f'A message holds content of the type {item.get("type")!r}, which is unsupported')


def _decode_image(url: str, metadata: Json | None) -> UserContent:
    if not url.startswith('data:'):
        return ImageUrl(url, vendor_metadata=metadata)
    image = BinaryContent.from_data_uri(url)
    image.vendor_metadata = metadata
    return image


def _join_texts(content: object) -> str:
    if content is None or isinstance(content, str):
        return content or ''
    return ''.join(item.get('text') or item.get('refusal') or '' for item in cast('list[Json]', content))


def decode_response_parts(message: Json, provider_name: str) -> list[ModelResponsePart]:
    """Decode the parts of a past response."""
    parts: list[ModelResponsePart] = [
        *(decode_reasoning_detail(detail, provider_name) for detail in message.get('reasoning_details') or ()),
        *(
            ThinkingPart(message[name], id=name, provider_name=provider_name)
            for name in THINKING_FIELDS
            if isinstance(message.get(name), str) and message[name]
        ),
    ]
    if isinstance(content := message.get('content'), list):
        parts += _decode_chunks(cast('list[Json]', content), provider_name)
    elif content is not None:
        parts.append(TextPart(_join_texts(content)))
    if refusal := message.get('refusal'):
        parts.append(TextPart(refusal))
    for call in message.get('tool_calls') or ():
        fields: Json = {}
        if extra := call.get('extra_content'):
            fields = {'provider_name': provider_name, 'provider_details': {'extra_content': extra}}
        function = call['function']
        parts.append(ToolCallPart(function['name'], function.get('arguments') or '', call['id'], **fields))
    return parts


def _decode_chunks(content: Iterable[Json], provider_name: str) -> list[ModelResponsePart]:
    """Decode a content that is a list with the decoder of such responses."""
    content = [
        {'type': 'text', 'text': item.get('refusal')} if item.get('type') == 'refusal' else item for item in content
    ]
    draft = ResponseDraft('', provider_name)
    ChunkDecoder(draft, lambda text: draft.parts.text(LAST, cast('str', text))).decode(content)
    return draft.parts.get()
