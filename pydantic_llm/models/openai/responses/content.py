"""Encodes what a user sends, and what tools return, as the content of input items."""

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
    """Encode a user's content, one part per item. Raises `UserError` for content that the API does not accept."""
    return [part for item in content for part in encode_content_item(item, system)]


def encode_content_item(item: UserContent, system: str) -> Iterator[Json]:
    """Yield the part for one item. A cache point has no part: OpenAI caches prefixes without being asked.

    https://platform.openai.com/docs/guides/prompt-caching
    """
    match item:
        case str():
            yield encode_text(item)
        case TextContent(content=content):
            yield encode_text(content)
        case CachePoint():
            pass
        case _:
            yield encode_file(item, system)


def encode_file(file: MultiModalContent, system: str) -> Json:
    """Encode a file. Raises `UserError` if the API does not accept files of this kind."""
    match file:
        case ImageUrl(url=url):
            return {'type': 'input_image', 'image_url': url, 'detail': _get_detail(file)}
        case BinaryContent() if file.is_image:
            return {'type': 'input_image', 'image_url': file.data_uri, 'detail': _get_detail(file)}
        case BinaryContent() if file.is_document:
            return {'type': 'input_file', 'file_data': file.data_uri, 'filename': f'filename.{file.format}'}
        case DocumentUrl(url=url) | AudioUrl(url=url):
            return {'type': 'input_file', 'file_url': url}
        case UploadedFile(file_id=id, provider_name=name) if name == system:
            is_image = (file.media_type or '').startswith('image/')
            part: Json = {'type': 'input_image', 'detail': _get_detail(file)} if is_image else {'type': 'input_file'}
            return {**part, 'file_id': id}
        case VideoUrl() | BinaryContent() | UploadedFile():
            raise UserError(f'{system!r} cannot take {file!r}: its Responses API has no such content')
        case _:
            assert_never(file)


def encode_tool_return(part: ToolReturnPart, system: str) -> str | list[Json]:
    """Encode a tool result: as text, or as a list of parts if it contains files."""
    if part.content is None:
        return ''
    if not part.files():
        return part.model_response_str()
    return [_encode_returned_item(item, part, system) for item in part.items()]


def _encode_returned_item(item: Any, part: ToolReturnPart, system: str) -> Json:
    if is_file(item):
        return encode_file(item, system)
    return encode_text(replace(part, content=item).model_response_str())


def _get_detail(file: ImageUrl | BinaryContent | UploadedFile) -> str:
    detail: str = (file.vendor_metadata or {}).get('detail', 'auto')
    return detail


def encode_text(text: str) -> Json:
    """Encode a text as a part of its own."""
    return {'type': 'input_text', 'text': text}
