"""Encodes the content of user messages as the content parts of the API. Start at `encode_content`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never, cast

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
    UploadedFile,
    UserContent,
    VideoUrl,
)
from ....profiles.openai import OpenAIModelProfile
from ....wire.file_names import choose_file_name
from ....wire.prepare import PreparedRequest
from ..cache import mark_last_part

NAME = 'openai_name'
"""The key in the metadata of a text under which the name of its author is kept: the field `name` of its message."""


def find_name(content: Sequence[UserContent]) -> Json:
    """Return the field `name` of a message, if one of its texts has it."""
    for item in content:
        match item:
            case TextContent(metadata={'openai_name': str() as name}):
                return {'name': name}
            case _:
                pass
    return {}


def encode_content(content: Sequence[UserContent], profile: OpenAIModelProfile, request: PreparedRequest) -> list[Json]:
    """Encode one part per item. A cache point marks the part before it.

    Raises `UserError` for content that the API does not accept.
    """
    parts: list[Json] = []
    for item in content:
        if isinstance(item, CachePoint):
            mark_last_part(parts, item, request, profile)
        else:
            parts += encode_item(item, profile, request.system)
    return parts


def encode_item(
    item: str | TextContent | MultiModalContent, profile: OpenAIModelProfile, system: str
) -> Iterator[Json]:
    """Yield the part for one item."""
    match item:
        case str():
            yield encode_text(item)
        case TextContent(content=content):
            yield encode_text(content)
        case _:
            if profile.openai_flatten_content is True:
                raise UserError(f'{system!r} takes text alone (openai_flatten_content), and was given {item!r}')
            yield encode_file(item, profile, system)


def encode_file(file: MultiModalContent, profile: OpenAIModelProfile, system: str) -> Json:
    """Encode a file. Raises `UserError` if the server accepts no such file."""
    match file:
        case ImageUrl(url=url) | DocumentUrl(url=url) | VideoUrl(url=url) if url.startswith('data:'):
            return encode_file(file.decode_data(), profile, system)
        case ImageUrl(url=url):
            return _encode_image(url, file.vendor_metadata)
        case BinaryContent() if file.is_image:
            _check_media_type(file, profile.openai_image_types, system)
            return _encode_image(file.data_uri, file.vendor_metadata)
        case BinaryContent() if file.is_audio and profile.openai_audio:
            return _encode_audio(file, profile.openai_audio_formats)
        case BinaryContent() if file.is_text:
            return encode_text(_wrap_text_file(file))
        case BinaryContent() if file.is_document and profile.openai_documents:
            _check_media_type(file, profile.openai_document_types, system)
            return {'type': 'file', 'file': {'file_data': file.data_uri, 'filename': choose_file_name(file)}}
        case DocumentUrl(url=url) if profile.openai_documents and profile.openai_document_url:
            return {'type': 'file', 'file': {'file_data': url, 'filename': choose_file_name(file)}}
        case UploadedFile(file_id=id, provider_name=name) if name == system:
            return {'type': 'file', 'file': {'file_id': id}}
        case VideoUrl(url=url) if profile.openai_video_url:
            return {'type': 'video_url', 'video_url': {'url': url}}
        case BinaryContent() if file.is_video and profile.openai_video_url:
            return {'type': 'video_url', 'video_url': {'url': file.data_uri}}
        case AudioUrl() | DocumentUrl() | VideoUrl() | BinaryContent() | UploadedFile():
            raise UserError(f'{system!r} cannot take {file!r}: its Chat Completions API has no such content')
        case _:
            assert_never(file)


def _check_media_type(file: BinaryContent, known: Sequence[str] | None, system: str) -> None:
    """Raise `UserError` if the server is known not to accept the media type."""
    if known is not None and file.media_type not in known:
        raise UserError(f'{system!r} cannot take {file!r}: of such files it takes {", ".join(known)}')


def encode_text(content: str) -> Json:
    """Encode a text part."""
    return {'type': 'text', 'text': content}


def _encode_image(url: str, vendor_metadata: Json | None) -> Json:
    detail = (vendor_metadata or {}).get('detail')
    return {'type': 'image_url', 'image_url': {'url': url, **({'detail': detail} if detail else {})}}


def _encode_audio(file: BinaryContent, known: Sequence[str]) -> Json:
    if file.format not in known:
        formats = f'{", ".join(known[:-1])} and {known[-1]}'
        raise UserError(f'The Chat Completions API accepts audio as {formats}, not {file.media_type!r}')
    return {'type': 'input_audio', 'input_audio': {'data': file.base64, 'format': file.format}}


def _wrap_text_file(file: BinaryContent) -> str:
    """Return the content of a text file, between two lines that mark its beginning and its end."""
    mark = f'FILE id="{file.identifier}" type="{file.media_type}"'
    return f'-----BEGIN {mark}-----\n{file.data.decode("utf-8", "replace")}\n-----END FILE id="{file.identifier}"-----'


def flatten_content(message: Json) -> Json:
    """Return the message with its content as one string, unless the content has parts that are not text."""
    content = message.get('content')
    if not isinstance(content, list):
        return message
    parts = cast('list[Json]', content)
    texts = [part['text'] for part in parts if part['type'] == 'text']
    return {**message, 'content': '\n'.join(texts)} if len(texts) == len(parts) else message
