"""Decodes the messages of a request body: the inverse of `encode`, `encode_response` and `content`."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    AudioUrl,
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
    UserContent,
    VideoUrl,
)
from ...messages.media_types import FORMATS
from ...messages.request import ModelRequestPart
from ...messages.response import ModelResponsePart
from ...streaming.draft import ResponseDraft
from ...wire.serving import add_system_prompts, user_prompts
from .content import DOCUMENT_FIELDS, GUARD_CONTENT, SEARCH_RESULT
from .decode_blocks import BlockDecoder

URL_CLASSES = {'image': ImageUrl, 'document': DocumentUrl, 'video': VideoUrl, 'audio': AudioUrl}

MEDIA_TYPES: dict[str, dict[str, str]] = {
    'document': {
        'csv': 'text/csv',
        'html': 'text/html',
        **{short: media_type for media_type, short in reversed(FORMATS.items()) if not media_type.startswith('video/')},
    },
    'video': {short: media_type for media_type, short in FORMATS.items() if media_type.startswith('video/')},
    'audio': {'mp3': 'audio/mpeg'},
}
"""The media types of formats, by the kind of file, unless they are `kind/format`."""


def decode_messages(body: Json, provider_name: str) -> list[ModelMessage]:
    """Decode the conversation. The last system prompt becomes instructions."""
    decoder = ConversationDecoder(provider_name)
    for message in cast('list[Json]', body['messages']):
        decoder.decode(message)
    prompts = [block['text'] for block in body.get('system') or () if 'text' in block]
    return add_system_prompts(decoder.history, prompts[:-1], prompts[-1] if prompts else None)


class ConversationDecoder:
    """Decodes messages in order, and keeps what later messages refer to."""

    def __init__(self, provider_name: str) -> None:
        self.history: list[ModelMessage] = []
        self._provider_name = provider_name
        self._tool_names: dict[str, str] = {}  # by the id of the tool call
        self._pending_cache_point: CachePoint | None = None

    def decode(self, message: Json) -> None:
        """Decode one message and add it to `history`."""
        blocks: list[Json] = message['content']
        match message['role']:
            case 'user':
                self.history.append(ModelRequest(list(self._decode_user(blocks))))
            case 'assistant':
                if blocks and 'cachePoint' in blocks[-1]:
                    self._pending_cache_point = _decode_cache_point(blocks[-1])  # responses have no cache points
                parts = self._decode_assistant([block for block in blocks if 'cachePoint' not in block])
                self.history.append(ModelResponse(parts, provider_name=self._provider_name))
            case 'system':
                prompts = [SystemPromptPart(block['text']) for block in blocks if 'text' in block]
                self.history.append(ModelRequest(prompts))
            case role:
                raise UserError(f"messages: a message has the role {role!r}, not 'user', 'assistant' or 'system'")

    def _decode_user(self, blocks: Iterable[Json]) -> Iterator[ModelRequestPart]:
        content: list[UserContent] = [] if self._pending_cache_point is None else [self._pending_cache_point]
        self._pending_cache_point = None
        for block in blocks:
            if 'toolResult' in block:
                yield from user_prompts(content)
                content = []
                yield self._decode_tool_result(block['toolResult'])
            else:
                content.append(decode_content(block))
        yield from user_prompts(content)

    def _decode_tool_result(self, result: Json) -> ToolReturnPart:
        items = [_decode_result_item(item) for item in cast('list[Json]', result['content'])]
        content: Any = items[0] if len(items) == 1 else items or ''
        id = result['toolUseId']
        failed = result.get('status') == 'error'
        return ToolReturnPart(self._tool_names.get(id, ''), content, id, outcome='failed' if failed else 'success')

    def _decode_assistant(self, blocks: Iterable[Json]) -> Sequence[ModelResponsePart]:
        """Decode a past response with the client's decoder."""
        draft = ResponseDraft('', self._provider_name)
        decoder = BlockDecoder(draft)
        for index, block in enumerate(blocks):
            decoder.decode(index, block)
        parts = draft.parts.get()
        self._tool_names |= {part.tool_call_id: part.tool_name for part in parts if isinstance(part, ToolCallPart)}
        return parts


def decode_content(block: Json) -> UserContent:
    """Decode a block of a user's message or of a tool result. Raises `UserError` for an unknown kind."""
    match block:
        case {'text': str() as text}:
            return text
        case {'cachePoint': _}:
            return _decode_cache_point(block)
        case {'image': file} | {'document': file} | {'video': file} | {'audio': file}:
            return decode_file(next(kind for kind in URL_CLASSES if kind in block), file)
        case {'guardContent': {'text': {'text': str() as text, **fields}}}:
            return _text_file(text, {GUARD_CONTENT: fields.get('qualifiers') or True})
        case {'guardContent': {'image': image}}:
            return replace(cast('BinaryContent', decode_file('image', image)), vendor_metadata={GUARD_CONTENT: True})
        case {'searchResult': {'content': pieces, **result}}:
            return _text_file(_join_text(pieces), {SEARCH_RESULT: result})
        case _:
            raise UserError(f'A message holds content of the kind {next(iter(block), None)!r}, which is not known here')


def decode_file(kind: str, file: Json) -> UserContent:
    """Decode a file of a kind. Raises `UserError` for an unknown source."""
    format = file.get('format') or 'txt'
    media_type = MEDIA_TYPES.get(kind, {}).get(format) or f'{"application" if kind == "document" else kind}/{format}'
    metadata = {name: file[name] for name in ('name', *DOCUMENT_FIELDS) if file.get(name) is not None}
    match file['source']:
        case {'bytes': data}:
            return BinaryContent(
                b64decode(data, validate=True), media_type=media_type, vendor_metadata=metadata or None
            )
        case {'s3Location': {'uri': uri, **location}}:
            owner = {'bucket_owner': location['bucketOwner']} if location.get('bucketOwner') else {}
            url_class: Any = URL_CLASSES[kind]
            url = url_class(uri, media_type=media_type, vendor_metadata={**metadata, **owner} or None)
            return cast('UserContent', url)
        case {'text': str() as text}:
            return _text_file(text, metadata)
        case {'content': pieces}:
            return _text_file(_join_text(pieces), metadata)
        case _:
            raise UserError(f'A {kind} has a source that is not known here: {", ".join(file["source"])}')


def _text_file(text: str, metadata: Json) -> BinaryContent:
    return BinaryContent(text.encode(), media_type='text/plain', vendor_metadata=metadata or None)


def _join_text(pieces: Iterable[Json]) -> str:
    return '\n\n'.join(piece['text'] for piece in pieces)


def _decode_cache_point(block: Json) -> CachePoint:
    return CachePoint(ttl=block['cachePoint'].get('ttl') or '5m')


def _decode_result_item(item: Json) -> Any:
    return item['json'] if 'json' in item else decode_content(item)
