"""What a user sends, and what tools return → the content of input items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, assert_never

from ....exceptions import UserError
from ....json_types import Json
from ....messages import (
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
from ....messages.request import is_file


def encode_content(content: Sequence[UserContent], system: str) -> list[Json]:
    """One part for each item. Raises `UserError` for what the API cannot take."""
    return [part for item in content for part in encode_item(item, system)]


def encode_item(item: UserContent, system: str) -> Iterator[Json]:
    """The part for one item; a cache point is none, since caching needs no asking here."""
    match item:
        case str():
            yield text(item)
        case TextContent(content=content):
            yield text(content)
        case CachePoint():
            pass
        case _:
            yield encode_file(item, system)


def encode_file(file: MultiModalContent, system: str) -> Json:
    """The part for a file."""
    match file:
        case ImageUrl(url=url):
            return {'type': 'input_image', 'image_url': url, 'detail': _detail(file)}
        case BinaryContent() if file.is_image:
            return {'type': 'input_image', 'image_url': file.data_uri, 'detail': _detail(file)}
        case BinaryContent() if file.is_document:
            return {'type': 'input_file', 'file_data': file.data_uri, 'filename': f'filename.{file.format}'}
        case DocumentUrl(url=url) | AudioUrl(url=url):
            return {'type': 'input_file', 'file_url': url}
        case UploadedFile(file_id=id, provider_name=name) if name == system:
            image = (file.media_type or '').startswith('image/')
            kind: Json = {'type': 'input_image', 'detail': _detail(file)} if image else {'type': 'input_file'}
            return {**kind, 'file_id': id}
        case VideoUrl() | BinaryContent() | UploadedFile():
            raise UserError(f'{system!r} cannot take {file!r}: its Responses API has no such content')
        case _:
            assert_never(file)


def encode_tool_return(part: ToolReturnPart, system: str) -> str | list[Json]:
    """What a tool returned: text, or the list of its texts and files."""
    if part.content is None:
        return ''
    if not part.files():
        return part.model_response_str()
    return [_returned(item, part, system) for item in part.items()]


def _returned(item: Any, part: ToolReturnPart, system: str) -> Json:
    if is_file(item):
        return encode_file(item, system)
    return text(replace(part, content=item).model_response_str())


def _detail(file: ImageUrl | BinaryContent | UploadedFile) -> str:
    detail: str = (file.vendor_metadata or {}).get('detail', 'auto')
    return detail


def text(content: str) -> Json:
    """A part that is text."""
    return {'type': 'input_text', 'text': content}
