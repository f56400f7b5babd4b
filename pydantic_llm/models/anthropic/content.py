"""What a user can send, and what a tool can return → content blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, assert_never

from pydantic_core import to_json

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
from ...messages.request import FAILED_OUTCOMES, is_file

IMAGES = ('image/jpeg', 'image/png', 'image/gif', 'image/webp')
"""The images that the API takes."""

PDF = 'application/pdf'

ABOUT_DOCUMENTS = ('title', 'context', 'citations')
"""What `vendor_metadata` can say of a document; `{'citations': {'enabled': True}}` makes the model cite it."""

CONTAINER_UPLOAD = 'container_upload'
"""`UploadedFile(..., vendor_metadata={'container_upload': True})` puts a file where code runs, instead of before the
model's eyes."""


def encode_content(content: Iterable[UserContent], system: str) -> Iterator[Json | CachePoint]:
    """A block for each item; a cache point stays, since it belongs to the block before it.

    Raises `UserError` for what the API cannot take.
    """
    for item in content:
        match item:
            case str():
                yield from text(item)
            case TextContent(content=words):
                yield from text(words)
            case CachePoint():
                yield item
            case _:
                yield encode_file(item, system)


def encode_file(file: MultiModalContent, system: str) -> Json:
    """The block for a file."""
    match file:
        case ImageUrl(url=url) | DocumentUrl(url=url) if url.startswith('data:'):
            return encode_file(replace(BinaryContent.from_data_uri(url), vendor_metadata=file.vendor_metadata), system)
        case ImageUrl(url=url):
            return {'type': 'image', 'source': {'type': 'url', 'url': url}}
        case BinaryContent(media_type=media_type) if media_type in IMAGES:
            return {'type': 'image', 'source': _bytes(file)}
        case DocumentUrl(url=url, media_type=media_type) if media_type == PDF:
            return _document({'type': 'url', 'url': url}, file)
        case BinaryContent(media_type=media_type) if media_type == PDF:
            return _document(_bytes(file), file)
        case BinaryContent() if file.is_text:
            words = file.data.decode('utf-8', 'replace')
            return _document({'type': 'text', 'media_type': 'text/plain', 'data': words}, file)
        case UploadedFile(provider_name=name) if name == system:
            return _uploaded(file)
        case AudioUrl() | DocumentUrl() | VideoUrl() | BinaryContent() | UploadedFile():
            raise UserError(f'{system!r} cannot take {file!r}: {WHAT_IT_TAKES}')
        case _:
            assert_never(file)


WHAT_IT_TAKES = 'the Messages API takes JPEG, PNG, GIF and WebP images, PDF and text, and files that Anthropic holds'


def _uploaded(file: UploadedFile) -> Json:
    source = {'type': 'file', 'file_id': file.file_id}
    if (file.vendor_metadata or {}).get(CONTAINER_UPLOAD):
        return {'type': CONTAINER_UPLOAD, 'file_id': file.file_id}
    if (file.media_type or '').startswith('image/'):
        return {'type': 'image', 'source': source}
    return _document(source, file)


def _bytes(file: BinaryContent) -> Json:
    return {'type': 'base64', 'media_type': file.media_type, 'data': file.base64}


def _document(source: Json, file: DocumentUrl | BinaryContent | UploadedFile) -> Json:
    metadata = file.vendor_metadata or {}
    return {'type': 'document', 'source': source, **{key: metadata[key] for key in ABOUT_DOCUMENTS if key in metadata}}


def text(words: str) -> Iterator[Json]:
    """The block for a text; none for an empty one, which the API refuses."""
    if words:
        yield {'type': 'text', 'text': words}


def encode_tool_return(part: ToolReturnPart, system: str) -> Json:
    """What a tool returned: each item of a list is a block. A result that is empty has no content."""
    content: Any = part.content
    items: list[Any] = [*content] if isinstance(content, (list, tuple)) else [content]
    blocks = [block for item in items for block in _returned(item, system)]
    return tool_result(part.tool_call_id, blocks, is_error=part.outcome in FAILED_OUTCOMES)


def tool_result(tool_call_id: str, blocks: list[Json], *, is_error: bool) -> Json:
    """The block that answers a call."""
    result: Json = {'type': 'tool_result', 'tool_use_id': tool_call_id}
    if blocks:
        result['content'] = blocks
    return {**result, 'is_error': is_error}


def _returned(item: Any, system: str) -> Iterator[Json]:
    if is_file(item):
        yield encode_file(item, system)
    else:
        yield from text(item if isinstance(item, str) else to_json(item).decode())
