"""Encodes what a user sends, and what tools return, as the content of input items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import assert_never

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


def encode_content(content: Sequence[UserContent], system: str) -> Iterator[Json]:
    """Yield one part for each item of a user's content. Raises `UserError` for content that the API does not accept."""
    for item in content:
        match item:
            case str():
                yield _encode_text(item)
            case TextContent(content=text):
                yield _encode_text(text)
            case CachePoint():
                pass  # prefixes are cached without it: https://platform.openai.com/docs/guides/prompt-caching
            case _:
                yield _encode_file(item, system)


def _encode_file(file: MultiModalContent, system: str) -> Json:
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
    return [
        _encode_file(item, system) if is_file(item) else _encode_text(replace(part, content=item).model_response_str())
        for item in part.items()
    ]


def _get_detail(file: ImageUrl | BinaryContent | UploadedFile) -> str:
    detail: str = (file.vendor_metadata or {}).get('detail', 'auto')
    return detail


def _encode_text(text: str) -> Json:
    return {'type': 'input_text', 'text': text}
