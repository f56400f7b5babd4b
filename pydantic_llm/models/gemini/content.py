"""What a user sends, and the files that tools return → parts of a content."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from typing import Any, assert_never

from ...exceptions import UserError
from ...messages import (
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
from ...messages.content import FileUrl

Json = dict[str, Any]

DEFAULT_TYPES = (
    (VideoUrl, 'video/mp4'),
    (ImageUrl, 'image/jpeg'),
    (AudioUrl, 'audio/mpeg'),
    (DocumentUrl, 'application/pdf'),
)
"""The media type of an address that does not tell its own."""

OF_THE_PART = ('media_resolution', 'mediaResolution')
"""What file metadata says of the part."""

OF_VIDEOS = ('startOffset', 'endOffset', 'fps', 'start_offset', 'end_offset')
"""What file metadata says of a video."""


def encode_content(content: Sequence[UserContent], system: str) -> Iterator[Json]:
    """One part for each item. Raises `UserError` for what the API cannot take."""
    for item in content:
        match item:
            case str():
                yield {'text': item}
            case TextContent(content=text):
                yield {'text': text}
            case CachePoint():
                pass
            case _:
                yield encode_file(item, system)


def encode_file(file: MultiModalContent, system: str) -> Json:
    """The part for a file: its bytes, or where it is."""
    more = _metadata(file)
    match file:
        case BinaryContent():
            return {'inlineData': {'mimeType': file.media_type, 'data': urlsafe_base64(file.data)}, **more}
        case UploadedFile(file_id=uri, provider_name=name) if name == system or name == 'google':
            return {'fileData': {'fileUri': uri, 'mimeType': file.media_type}, **more}
        case UploadedFile():
            raise UserError(f'{system!r} cannot take {file!r}: another vendor holds it')
        case ImageUrl() | AudioUrl() | DocumentUrl() | VideoUrl():
            return {'fileData': {'fileUri': file.url, 'mimeType': _media_type(file)}, **more}
        case _:
            assert_never(file)


def urlsafe_base64(data: bytes) -> str:
    """Bytes as the API's own clients write them."""
    return urlsafe_b64encode(data).decode()


def _media_type(url: FileUrl) -> str:
    default = next(name for kind, name in DEFAULT_TYPES if isinstance(url, kind))
    return url.media_type or default


def _metadata(file: MultiModalContent) -> Json:
    """What a file's metadata says, where the API wants it. What only other vendors know is passed over."""
    metadata = file.vendor_metadata or {}
    resolution = next((metadata[name] for name in OF_THE_PART if name in metadata), None)
    part = {'mediaResolution': resolution} if resolution else {}
    video = {name: value for name, value in metadata.items() if name in OF_VIDEOS}
    return {**part, **({'videoMetadata': video} if video else {})}
