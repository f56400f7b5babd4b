"""Decodes the messages of a request body: the inverse of `encode`, `encode_response` and `content`."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    BinaryContent,
    CachePoint,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserContent,
)
from ...messages.request import ModelRequestPart
from ...messages.response import ModelResponsePart
from ...streaming.draft import ResponseDraft
from ...wire.serving import add_system_prompts, extend_request, user_prompts
from .content import CONTAINER_UPLOAD, DOCUMENT_FIELDS, PDF
from .decode_blocks import BlockDecoder


def decode_messages(body: Json, provider_name: str) -> list[ModelMessage]:
    """Decode the conversation. The last block of a `system` that is a list becomes instructions."""
    decoder = ConversationDecoder(provider_name)
    for message in cast('list[Json]', body['messages']):
        decoder.decode(message)
    system: Any = body.get('system')
    if system is None or isinstance(system, str):
        return add_system_prompts(decoder.history, [system] if system else [])
    texts = [block['text'] for block in cast('list[Json]', system)]
    return add_system_prompts(decoder.history, texts[:-1], texts[-1] if texts else None)


class ConversationDecoder:
    """Decodes messages in order, and keeps what later messages refer to."""

    def __init__(self, provider_name: str) -> None:
        self.history: list[ModelMessage] = []
        self._provider_name = provider_name
        self._tool_names: dict[str, str] = {}  # by the id of the tool call
        self._native_tool_names: dict[str, str] = {}  # by the id of the call
        self._pending_cache_point: CachePoint | None = None

    def decode(self, message: Json) -> None:
        """Decode one message and add it to `history`."""
        content: Any = message['content']
        blocks: list[Json] = [{'type': 'text', 'text': content}] if isinstance(content, str) else content
        match message['role']:
            case 'user':
                self.history.append(ModelRequest(list(self._decode_user(blocks))))
            case 'assistant':
                self.history.append(ModelResponse(self._decode_assistant(blocks), provider_name=self._provider_name))
            case 'system':
                self._add_system_prompt(blocks)
            case role:
                raise UserError(f"messages: a message has the role {role!r}, not 'user', 'assistant' or 'system'")
        if message['role'] != 'user' and blocks and (control := blocks[-1].get('cache_control')):
            self._pending_cache_point = _decode_cache_point(control)  # responses have no cache points

    def _add_system_prompt(self, blocks: list[Json]) -> None:
        """Add a system prompt inside the conversation to the request that it follows."""
        parts = [SystemPromptPart(block['text']) for block in blocks if block['type'] == 'text']
        extend_request(self.history, parts)

    def _decode_user(self, blocks: Iterable[Json]) -> Iterator[ModelRequestPart]:
        content: list[UserContent] = [] if self._pending_cache_point is None else [self._pending_cache_point]
        self._pending_cache_point = None
        for block in blocks:
            if block['type'] == 'tool_result':
                yield from user_prompts(content)
                content = []
                yield self._decode_tool_result(block)
            else:
                content.append(decode_content(block, self._provider_name))
            if control := block.get('cache_control'):
                content.append(_decode_cache_point(control))
        yield from user_prompts(content)

    def _decode_tool_result(self, block: Json) -> ToolReturnPart:
        content: Any = block.get('content') or ''
        if isinstance(content, list):
            items = [
                item if item['type'] == 'tool_reference' else decode_content(item, self._provider_name)
                for item in cast('list[Json]', content)
            ]
            content = items[0] if len(items) == 1 else items
        id = block['tool_use_id']
        return ToolReturnPart(
            self._tool_names.get(id, ''), content, id, outcome='failed' if block.get('is_error') else 'success'
        )

    def _decode_assistant(self, blocks: Iterable[Json]) -> Sequence[ModelResponsePart]:
        """Decode a past response with the client's decoder."""
        draft = ResponseDraft('', self._provider_name)
        decoder = BlockDecoder(draft, self._native_tool_names)
        for index, block in enumerate(blocks):
            decoder.start(index, {name: value for name, value in block.items() if name != 'cache_control'})
            decoder.stop(index)
        parts = draft.parts.get()
        self._tool_names |= {part.tool_call_id: part.tool_name for part in parts if isinstance(part, ToolCallPart)}
        return parts


def decode_content(block: Json, provider_name: str) -> UserContent:
    """Decode a block of a user's message or of a tool result. Raises `UserError` for an unknown type."""
    match block:
        case {'type': 'text', 'text': str() as text}:
            return text
        case {'type': 'image', 'source': {'type': 'url', 'url': url}}:
            return ImageUrl(url)
        case {'type': 'image' | 'document' as kind, 'source': {'type': 'file', 'file_id': id}}:
            media_type = 'image/*' if kind == 'image' else None
            metadata = _decode_document_fields(block)
            return UploadedFile(id, provider_name, media_type=media_type, vendor_metadata=metadata)
        case {'type': 'image' | 'document', 'source': {'type': 'base64', 'data': data, 'media_type': media_type}}:
            metadata = _decode_document_fields(block)
            title = block.get('title')
            return BinaryContent(b64decode(data), media_type=media_type, vendor_metadata=metadata, identifier=title)
        case {'type': 'document', 'source': {'type': 'url', 'url': url}}:
            return DocumentUrl(url, media_type=PDF, vendor_metadata=_decode_document_fields(block))
        case {'type': 'document', 'source': {'type': 'text', 'data': text}}:
            return _text_file(text, block)
        case {'type': 'document', 'source': {'type': 'content', 'content': content}}:
            return _text_file(_join_text(content), block)
        case {'type': 'search_result', 'title': title, 'source': source, 'content': content}:
            return f'{title} ({source}):\n{_join_text(content)}'
        case {'type': 'container_upload', 'file_id': id}:
            return UploadedFile(id, provider_name, vendor_metadata={CONTAINER_UPLOAD: True})
        case _:
            raise UserError(
                f'A message holds content of the type {block.get("type")!r}, which this server does not know'
            )


def _text_file(text: str, block: Json) -> BinaryContent:
    metadata = _decode_document_fields(block)
    title = block.get('title')
    return BinaryContent(text.encode(), media_type='text/plain', vendor_metadata=metadata, identifier=title)


def _decode_document_fields(block: Json) -> Json | None:
    return {name: block[name] for name in DOCUMENT_FIELDS if block.get(name) is not None} or None


def _decode_cache_point(control: Json) -> CachePoint:
    return CachePoint(ttl=control.get('ttl') or '5m')


def _join_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return '\n\n'.join(block['text'] for block in cast('list[Json]', content) if block['type'] == 'text')
