"""What a user sends, and the files that tools return → parts of a content."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
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
    UploadedFile,
    UserContent,
    VideoUrl,
)
from ...messages.content import FileUrl
from .native_tools import VERTEX

NAMES: dict[str, frozenset[str]] = {
    'google-gla': frozenset({'google-gla', 'google'}),
    VERTEX: frozenset({VERTEX, 'google-cloud'}),
}
"""The names of an API of Google's: ours, and those under which other libraries store what came from it."""

DEFAULT_TYPES = (
    (VideoUrl, 'video/mp4'),
    (ImageUrl, 'image/jpeg'),
    (AudioUrl, 'audio/mpeg'),
    (DocumentUrl, 'application/pdf'),
)
"""The media type of an address that does not tell its own."""

HELD_AT = {'google-gla': 'https://', VERTEX: 'gs://'}
"""What the addresses of files that an API holds itself begin with."""

FILES = 'https://generativelanguage.googleapis.com/v1beta/'
"""What stands before the short name of a file, `files/...`, in its address."""

OF_VIDEOS = {
    'startOffset': 'startOffset',
    'endOffset': 'endOffset',
    'fps': 'fps',
    'start_offset': 'startOffset',
    'end_offset': 'endOffset',
}
"""What file metadata says of a video, in the API's words."""


def names_of(system: str) -> frozenset[str]:
    """The names under which parts of past answers are known as this API's."""
    return NAMES.get(system, frozenset({system}))


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
    more = _metadata(file.vendor_metadata or {})
    match file:
        case BinaryContent():
            return {'inlineData': {'mimeType': file.media_type, 'data': urlsafe_base64(file.data)}, **more}
        case UploadedFile():
            kind = {'mimeType': file.media_type} if file.media_type else {}
            return {'fileData': {'fileUri': _held_at(file, system), **kind}, **more}
        case ImageUrl() | AudioUrl() | DocumentUrl() | VideoUrl() if file.url.startswith('data:'):
            inside = _inside(file)
            return {'inlineData': {'mimeType': inside.media_type, 'data': urlsafe_base64(inside.data)}, **more}
        case ImageUrl() | AudioUrl() | DocumentUrl() | VideoUrl():
            return {'fileData': {'fileUri': file.url, 'mimeType': _media_type(file)}, **more}
        case _:
            assert_never(file)


def urlsafe_base64(data: bytes) -> str:
    """Bytes as the API's own clients write them."""
    return urlsafe_b64encode(data).decode()


def _held_at(file: UploadedFile, system: str) -> str:
    """The address of a file that the API holds."""
    if file.provider_name not in names_of(system):
        raise UserError(f'{system!r} cannot take {file!r}: another vendor holds it')
    address = FILES + file.file_id if file.file_id.startswith('files/') and system != VERTEX else file.file_id
    if not address.startswith(HELD_AT.get(system, '')):
        raise UserError(
            f"{system!r} cannot take {file!r}: file_id is the file's address there, and begins with {HELD_AT[system]!r}"
        )
    return address


def _inside(url: FileUrl) -> BinaryContent:
    try:
        return BinaryContent.from_data_uri(url.url)
    except ValueError as error:
        raise UserError(f'The address of {type(url).__name__} holds no file: {error}') from error


def _media_type(url: FileUrl) -> str:
    default = next(name for kind, name in DEFAULT_TYPES if isinstance(url, kind))
    return url.media_type or default


def _metadata(metadata: Mapping[str, Any]) -> Json:
    """What a file's metadata says, where the API wants it. What only other vendors know is passed over."""
    resolution = metadata.get('media_resolution', metadata.get('mediaResolution'))
    if isinstance(resolution, str):
        resolution = {'level': resolution}
    video = {OF_VIDEOS[name]: value for name, value in metadata.items() if name in OF_VIDEOS}
    return {
        **({'mediaResolution': resolution} if resolution else {}),
        **({'videoMetadata': video} if video else {}),
    }
