"""Encodes the content of users and the results of tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from ...profiles.history import EMPTY_RESULT

IMAGE_TYPES = ('image/jpeg', 'image/png', 'image/webp', 'image/gif')
"""The media types of images that the API accepts."""

ACCEPTED_FILES = 'the Chat API takes text, and JPEG, PNG, WebP and GIF images'

DOCUMENT_KEYS = ({'data'}, {'id', 'data'})
"""The keys of an object that is a document of the API: what the model reads, and the id that citations refer to."""


def encode_content(content: Iterable[UserContent], system: str) -> Iterator[Json]:
    """Yield a block for each item. Cache points are skipped.

    Raises `UserError` for a file that the API does not accept.
    """
    for item in content:
        match item:
            case str(text) | TextContent(content=text):
                yield {'type': 'text', 'text': text}
            case CachePoint():
                pass
            case _:
                yield encode_file(item, system)


def encode_file(file: MultiModalContent, system: str) -> Json:
    """Encode an image, or the text of a file. Raises `UserError` if the API does not accept the file."""
    match file:
        case ImageUrl(url=url) | DocumentUrl(url=url) if url.startswith('data:'):
            return encode_file(file.decode_data(), system)
        case ImageUrl(url=url):
            return _encode_image(url, file.vendor_metadata)
        case BinaryContent(media_type=media_type) if media_type in IMAGE_TYPES:
            return _encode_image(file.data_uri, file.vendor_metadata)
        case BinaryContent() if file.is_text:
            return {'type': 'text', 'text': _quote_text_file(file)}
        case AudioUrl() | DocumentUrl() | VideoUrl() | BinaryContent() | UploadedFile():
            raise UserError(f'{system!r} cannot take {file!r}: {ACCEPTED_FILES}')
        case _:
            assert_never(file)


def _encode_image(url: str, vendor_metadata: Json | None) -> Json:
    detail = (vendor_metadata or {}).get('detail')
    return {'type': 'image_url', 'image_url': {'url': url, **({'detail': detail} if detail else {})}}


def _quote_text_file(file: BinaryContent) -> str:
    """Return the text of a file between lines that mark its start and its end."""
    mark = f'FILE id="{file.identifier}" type="{file.media_type}"'
    return f'-----BEGIN {mark}-----\n{file.data.decode("utf-8", "replace")}\n-----END FILE id="{file.identifier}"-----'


def encode_tool_return(part: ToolReturnPart) -> str | list[Json]:
    """Encode a tool result: a list of objects as documents, which the model can cite, anything else as text.

    Its files are in the user's prompt (`files_in_results`).
    """
    if part.content is None:
        return EMPTY_RESULT
    if isinstance(part.content, (list, tuple)):
        items: list[Any] = part.model_response_object()['return_value']
        if items and all(isinstance(item, dict) for item in items):
            return [encode_document(item) for item in items]
    return part.model_response_str()


def encode_document(item: Json) -> Json:
    """Encode an object as a document, unchanged if it is one already."""
    is_document = (
        item.keys() in DOCUMENT_KEYS and isinstance(item['data'], dict) and isinstance(item.get('id', ''), str)
    )
    return {'type': 'document', 'document': item if is_document else {'data': item}}
