"""Encodes what a user sends, and what tools return, as the content of input items."""

from __future__ import annotations

from collections.abc import Sequence
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
from ....profiles.openai import IMAGE_TYPES, OpenAIModelProfile
from ....wire.file_names import choose_file_name
from ....wire.prepare import PreparedRequest
from ..cache import mark_last_part


def encode_content(content: Sequence[UserContent], request: PreparedRequest, profile: OpenAIModelProfile) -> list[Json]:
    """Encode one part for each item of a user's content. A cache point marks the part before it.

    Raises `UserError` for content that the API does not accept.
    """
    parts: list[Json] = []
    for item in content:
        match item:
            case str(text) | TextContent(content=text):
                parts.append(_encode_text(text))
            case CachePoint():
                mark_last_part(parts, item, request, profile)
            case _:
                parts.append(_encode_file(item, request.system))
    return parts


def _encode_file(file: MultiModalContent, system: str) -> Json:
    match file:
        case ImageUrl(url=url) | DocumentUrl(url=url) | AudioUrl(url=url) if url.startswith('data:'):
            return _encode_file(file.decode_data(), system)
        case ImageUrl(url=url):
            return {'type': 'input_image', 'image_url': url, 'detail': _get_detail(file)}
        case BinaryContent() if file.is_image and file.media_type in IMAGE_TYPES:
            return {'type': 'input_image', 'image_url': file.data_uri, 'detail': _get_detail(file)}
        case BinaryContent() if file.is_document:
            return {'type': 'input_file', 'file_data': file.data_uri, 'filename': choose_file_name(file)}
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
    if not part.files:
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
