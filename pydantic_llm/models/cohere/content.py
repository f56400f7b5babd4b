"""What a user sends, and what a tool returned → the content of a message."""

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

IMAGES = ('image/jpeg', 'image/png', 'image/webp', 'image/gif')
"""The images that the API takes."""

WHAT_IT_TAKES = 'the Chat API takes text, and JPEG, PNG, WebP and GIF images'

DOCUMENT_KEYS = ({'data'}, {'id', 'data'})
"""What an object holds that is a document in the API's words: what the model reads, and the id that citations name."""


def encode_content(content: Iterable[UserContent], system: str) -> list[Json]:
    """A block for each item. Raises `UserError` for what the API cannot take."""
    return [block for item in content for block in encode_item(item, system)]


def encode_item(item: UserContent, system: str) -> Iterator[Json]:
    """The block for one item; none for an empty text, which the API refuses, and for a cache point."""
    match item:
        case str():
            yield from text(item)
        case TextContent(content=words):
            yield from text(words)
        case CachePoint():
            pass
        case _:
            yield encode_file(item, system)


def encode_file(file: MultiModalContent, system: str) -> Json:
    """The block for a file: an image, or the text that is in it."""
    match file:
        case ImageUrl(url=url):
            return _image(url, file.vendor_metadata)
        case BinaryContent(media_type=media_type) if media_type in IMAGES:
            return _image(file.data_uri, file.vendor_metadata)
        case BinaryContent() if file.is_text:
            return {'type': 'text', 'text': _text_file(file)}
        case DocumentUrl(url=url) if url.startswith('data:'):
            return encode_file(BinaryContent.from_data_uri(url), system)
        case AudioUrl() | DocumentUrl() | VideoUrl() | BinaryContent() | UploadedFile():
            raise UserError(f'{system!r} cannot take {file!r}: {WHAT_IT_TAKES}')
        case _:
            assert_never(file)


def encode_file_of_tool(file: MultiModalContent, system: str) -> Iterator[Json]:
    """The blocks for a file that a tool returned: its name, by which the tool's answer speaks of it, and the file."""
    yield {'type': 'text', 'text': f'This is file {file.identifier}:'}
    yield encode_file(file, system)


def text(words: str) -> Iterator[Json]:
    """The block for a text; none for an empty one, which the API refuses."""
    if words:
        yield {'type': 'text', 'text': words}


def _image(url: str, vendor_metadata: Json | None) -> Json:
    detail = (vendor_metadata or {}).get('detail')
    return {'type': 'image_url', 'image_url': {'url': url, **({'detail': detail} if detail else {})}}


def _text_file(file: BinaryContent) -> str:
    """A text file with lines around it that say where it begins and ends."""
    mark = f'FILE id="{file.identifier}" type="{file.media_type}"'
    return f'-----BEGIN {mark}-----\n{file.data.decode("utf-8", "replace")}\n-----END FILE id="{file.identifier}"-----'


# ---------------------------------------------------------------------- what a tool returned


def encode_tool_return(part: ToolReturnPart) -> str | list[Json]:
    """What a tool returned: a list of objects as documents, each of which can be cited, and anything else as text.

    Its files are named here, and follow in a message of the user's.
    """
    if part.content is None:
        return ''
    if files := part.files():
        named = [*part.without_files(), *(f'See file {file.identifier}.' for file in files)]
        part = replace(part, content=named[0] if len(named) == 1 else named)
    if isinstance(part.content, (list, tuple)):
        items: list[Any] = part.model_response_object()['return_value']
        if items and all(isinstance(item, dict) for item in items):
            return [encode_document(item) for item in items]
    return part.model_response_str()


def encode_document(item: Json) -> Json:
    """The block for an object: the data of a document, or a document with its id."""
    is_document = (
        item.keys() in DOCUMENT_KEYS and isinstance(item['data'], dict) and isinstance(item.get('id', ''), str)
    )
    return {'type': 'document', 'document': item if is_document else {'data': item}}
