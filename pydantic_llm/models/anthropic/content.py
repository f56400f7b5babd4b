"""Encodes the content of users and the results of tools as content blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, assert_never

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    DocumentUrl,
    ImageUrl,
    MultiModalContent,
    TextContent,
    ToolReturnPart,
    UploadedFile,
    UserContent,
    VideoUrl,
)
from ...messages.content import find_file_name
from ...messages.request import FAILED_OUTCOMES, is_file

IMAGE_TYPES = ('image/jpeg', 'image/png', 'image/gif', 'image/webp')
"""The media types of images that the API accepts."""

PDF = 'application/pdf'

ACCEPTED_FILES = 'the Messages API takes JPEG, PNG, GIF and WebP images, PDF and text, and files that Anthropic holds'

DOCUMENT_FIELDS = ('title', 'context', 'citations')
"""The keys of `vendor_metadata` that go into a document; `{'citations': {'enabled': True}}` makes the model cite it."""

CONTAINER_UPLOAD = 'container_upload'
"""`UploadedFile(..., vendor_metadata={'container_upload': True})` puts the file into the container that code runs in.
The model does not read it."""

REDACTED_THINKING = 'redacted_thinking'
"""The type of a block of encrypted thinking, and the id of its part.
Recording: anthropic__test_anthropic_model_thinking_part_redacted_stream__0_421e25"""


COMPACTION_BLOCK = 'compaction'
"""The type of a block with the summary of a conversation: `anthropic.types.beta.BetaCompactionBlock`."""


def encode_content(content: Iterable[UserContent], system: str) -> Iterator[Json | CachePoint]:
    """Yield a block for each item. A cache point is yielded unchanged, since it marks the block before it.

    Raises `UserError` for a file that the API does not accept.
    """
    for item in content:
        match item:
            case str(text) | TextContent(content=text):
                yield from encode_text(text)
            case CachePoint():
                yield item
            case _:
                yield encode_file(item, system)


def encode_file(file: MultiModalContent, system: str) -> Json:
    """Encode a file as a block. Raises `UserError` if the API does not accept it."""
    match file:
        case ImageUrl(url=url) | DocumentUrl(url=url) if url.startswith('data:'):
            return encode_file(file.decode_data(), system)
        case ImageUrl(url=url):
            return {'type': 'image', 'source': {'type': 'url', 'url': url}}
        case BinaryContent(media_type=media_type) if media_type in IMAGE_TYPES:
            return {'type': 'image', 'source': _encode_bytes(file)}
        case DocumentUrl(url=url, media_type=media_type) if media_type == PDF:
            return _encode_document({'type': 'url', 'url': url}, file)
        case BinaryContent(media_type=media_type) if media_type == PDF:
            return _encode_document(_encode_bytes(file), file)
        case BinaryContent() if file.is_text:
            text = file.data.decode('utf-8', 'replace')
            return _encode_document({'type': 'text', 'media_type': 'text/plain', 'data': text}, file)
        case UploadedFile(provider_name=name) if name == system:
            return _encode_uploaded_file(file)
        case AudioUrl() | DocumentUrl() | VideoUrl() | BinaryContent() | UploadedFile():
            raise UserError(f'{system!r} cannot take {file!r}: {ACCEPTED_FILES}')
        case _:
            assert_never(file)


def _encode_uploaded_file(file: UploadedFile) -> Json:
    source = {'type': 'file', 'file_id': file.file_id}
    if (file.vendor_metadata or {}).get(CONTAINER_UPLOAD):
        return {'type': CONTAINER_UPLOAD, 'file_id': file.file_id}
    if (file.media_type or '').startswith('image/'):
        return {'type': 'image', 'source': source}
    return _encode_document(source, file)


def _encode_bytes(file: BinaryContent) -> Json:
    return {'type': 'base64', 'media_type': file.media_type, 'data': file.base64}


def _encode_document(source: Json, file: DocumentUrl | BinaryContent | UploadedFile) -> Json:
    name = find_file_name(file)
    metadata = {**({'title': name} if name else {}), **(file.vendor_metadata or {})}
    return {'type': 'document', 'source': source, **{key: metadata[key] for key in DOCUMENT_FIELDS if key in metadata}}


def encode_text(text: str) -> Iterator[Json]:
    """Yield a block for a text, unless it is empty, which the API rejects (anthropic-sdk-python#461)."""
    if text:
        yield {'type': 'text', 'text': text}


def encode_tool_return(part: ToolReturnPart, system: str) -> Json:
    """Encode the result of a tool, with a block for each item of a list."""
    blocks = [block for item in part.items() for block in _encode_result_item(item, part, system)]
    return encode_tool_result(part.tool_call_id, blocks, is_error=part.outcome in FAILED_OUTCOMES)


def encode_tool_result(tool_call_id: str, blocks: list[Json], *, is_error: bool) -> Json:
    """Return the block for a tool result. An empty one has no `content`: the API rejects empty text blocks."""
    result: Json = {'type': 'tool_result', 'tool_use_id': tool_call_id}
    if blocks:
        result['content'] = blocks
    return {**result, 'is_error': is_error}


def _encode_result_item(item: Any, part: ToolReturnPart, system: str) -> Iterator[Json]:
    if is_file(item):
        yield encode_file(item, system)
    else:
        yield from encode_text(replace(part, content=item).model_response_str())
