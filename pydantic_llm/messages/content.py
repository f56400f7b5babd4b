"""What a user can send beside text: files by URL, files as bytes, files that a vendor already holds, cache points."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import KW_ONLY
from mimetypes import guess_type
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote_to_bytes, urlsplit

from pydantic import BeforeValidator, Discriminator, PlainSerializer
from pydantic.dataclasses import dataclass

from ._value import repr_of_what_is_set

__all__ = (
    'AudioUrl',
    'BinaryContent',
    'CachePoint',
    'DocumentUrl',
    'FileUrl',
    'ImageUrl',
    'MultiModalContent',
    'TextContent',
    'UploadedFile',
    'UserContent',
    'VideoUrl',
)

FORMATS: dict[str, str] = {
    'audio/mpeg': 'mp3',
    'audio/x-wav': 'wav',
    'audio/wave': 'wav',
    'audio/x-flac': 'flac',
    'audio/x-aiff': 'aiff',
    'audio/x-m4a': 'm4a',
    'application/pdf': 'pdf',
    'application/msword': 'doc',
    'application/vnd.ms-excel': 'xls',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
    'text/plain': 'txt',
    'text/markdown': 'md',
    'text/x-markdown': 'md',
    'image/jpg': 'jpeg',
    'image/svg+xml': 'svg',
    'video/quicktime': 'mov',
    'video/x-matroska': 'mkv',
    'video/x-flv': 'flv',
    'video/x-ms-wmv': 'wmv',
    'video/3gpp': 'three_gp',
}
"""The short name of a media type, where it is not the part after the slash."""

MEDIA_TYPES: dict[str, str] = {
    '.flac': 'audio/flac',
    '.m4a': 'audio/mp4',
    '.oga': 'audio/ogg',
    '.ogg': 'audio/ogg',
    '.wav': 'audio/wav',
    '.webp': 'image/webp',
    '.md': 'text/markdown',
    '.mkv': 'video/x-matroska',
    '.docx': 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    '.xlsx': 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
}
"""The media types that the standard library does not know on every machine."""

TEXT_MEDIA_TYPES = frozenset(
    {'application/json', 'application/xml', 'application/yaml', 'application/x-yaml', 'application/toml'}
)
"""Media types that are text though their name does not begin with `text/`."""


def media_type_of(name: str) -> str | None:
    """The media type that a path or URL has by its ending."""
    path = urlsplit(name).path if '://' in name else name
    return MEDIA_TYPES.get(Path(path).suffix.lower()) or guess_type(path)[0]


def format_of(media_type: str) -> str:
    """The short name of a media type: `'png'`, `'mp3'`, `'pdf'`."""
    return FORMATS.get(media_type) or media_type.partition('/')[2].removeprefix('x-')


def is_text(media_type: str) -> bool:
    """Whether a file of this media type can be sent as text."""
    return media_type.startswith('text/') or media_type in TEXT_MEDIA_TYPES


def _identify(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()[:6]


@dataclass(repr=False)
class FileUrl:
    """A file that is sent as its address. Use one of its subclasses."""

    url: str
    """Where the file is."""

    _: KW_ONLY

    force_download: bool | Literal['allow-local'] = False
    """Download the file here and send its bytes, even where the vendor could read the address itself."""

    vendor_metadata: dict[str, Any] | None = None
    """What one vendor wants to know about the file: `{'detail': 'high'}` for an image of OpenAI's."""

    media_type: str | None = None
    """The file's media type; read off the address where it is not given. `None` where it cannot be told."""

    identifier: str | None = None
    """A short name by which a prompt can speak of the file; made from the address where it is not given."""

    def __post_init__(self) -> None:
        self.media_type = self.media_type or media_type_of(self.url)
        self.identifier = self.identifier or _identify(self.url.encode())

    @property
    def format(self) -> str:
        """The short name of the media type, e.g. `'png'`; empty where the media type is not known."""
        return format_of(self.media_type) if self.media_type else ''

    __repr__ = repr_of_what_is_set


@dataclass(repr=False)
class ImageUrl(FileUrl):
    """An image by its address. `vendor_metadata={'detail': 'low'}` sets OpenAI's level of detail."""

    kind: Literal['image-url'] = 'image-url'
    """The kind of content, for telling contents apart."""


@dataclass(repr=False)
class AudioUrl(FileUrl):
    """A sound file by its address."""

    kind: Literal['audio-url'] = 'audio-url'
    """The kind of content, for telling contents apart."""


@dataclass(repr=False)
class DocumentUrl(FileUrl):
    """A document (PDF, text, ...) by its address."""

    kind: Literal['document-url'] = 'document-url'
    """The kind of content, for telling contents apart."""


@dataclass(repr=False)
class VideoUrl(FileUrl):
    """A video by its address."""

    kind: Literal['video-url'] = 'video-url'
    """The kind of content, for telling contents apart."""

    @property
    def is_youtube(self) -> bool:
        """Whether the address is one of YouTube's, which some vendors can read by themselves."""
        host = urlsplit(self.url).hostname or ''
        return host == 'youtu.be' or host == 'youtube.com' or host.endswith('.youtube.com')


def _bytes_from_base64(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value.replace('-', '+').replace('_', '/'), validate=True)
    except ValueError as error:
        raise ValueError(f'the data is not base64: {error}') from error


def _bytes_to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


Base64Bytes = Annotated[
    bytes, BeforeValidator(_bytes_from_base64), PlainSerializer(_bytes_to_base64, return_type=str, when_used='json')
]
"""Bytes that are base64 text in JSON."""


@dataclass(repr=False)
class BinaryContent:
    """A file as its bytes."""

    data: Base64Bytes
    """The file's bytes."""

    _: KW_ONLY

    media_type: str
    """The file's media type, e.g. `'image/png'`."""

    vendor_metadata: dict[str, Any] | None = None
    """What one vendor wants to know about the file: `{'detail': 'high'}` for an image of OpenAI's."""

    identifier: str | None = None
    """A short name by which a prompt can speak of the file; made from the bytes where it is not given."""

    kind: Literal['binary'] = 'binary'
    """The kind of content, for telling contents apart."""

    def __post_init__(self) -> None:
        self.identifier = self.identifier or _identify(self.data)

    @classmethod
    def from_path(cls, path: str | PathLike[str]) -> Self:
        """Read a file; its media type comes from its ending, `application/octet-stream` where that says nothing."""
        file = Path(path)
        return cls(file.read_bytes(), media_type=media_type_of(file.name) or 'application/octet-stream')

    @classmethod
    def from_data_uri(cls, data_uri: str) -> Self:
        """Read a `data:image/png;base64,...` address; `ValueError` where it is not one."""
        head, comma, data = data_uri.partition(',')
        if not (comma and head.startswith('data:') and head.endswith(';base64')):
            raise ValueError(f"A data URI starts with 'data:<media type>;base64,', not with {data_uri[:40]!r}")
        media_type = head.removeprefix('data:').partition(';')[0] or 'text/plain'
        return cls(base64.b64decode(unquote_to_bytes(data), validate=True), media_type=media_type)

    @property
    def base64(self) -> str:
        """The bytes as base64 text."""
        return _bytes_to_base64(self.data)

    @property
    def data_uri(self) -> str:
        """The bytes as a `data:` address."""
        return f'data:{self.media_type};base64,{self.base64}'

    @property
    def is_image(self) -> bool:
        """Whether this is an image."""
        return self.media_type.startswith('image/')

    @property
    def is_audio(self) -> bool:
        """Whether this is sound."""
        return self.media_type.startswith('audio/')

    @property
    def is_video(self) -> bool:
        """Whether this is a video."""
        return self.media_type.startswith('video/')

    @property
    def is_document(self) -> bool:
        """Whether this is a document: anything that is neither image nor sound nor video."""
        return not (self.is_image or self.is_audio or self.is_video)

    @property
    def is_text(self) -> bool:
        """Whether the bytes can be sent as text."""
        return is_text(self.media_type)

    @property
    def format(self) -> str:
        """The short name of the media type: `'png'`, `'mp3'`, `'pdf'`."""
        return format_of(self.media_type)

    def __repr__(self) -> str:
        return (
            f'BinaryContent(<{len(self.data)} bytes>, media_type={self.media_type!r}, identifier={self.identifier!r})'
        )


@dataclass(repr=False)
class UploadedFile:
    """A file that a vendor holds already, by the id which the vendor gave it."""

    file_id: str
    """The vendor's id of the file."""

    provider_name: str
    """The vendor that holds the file; it cannot be sent to another."""

    _: KW_ONLY

    media_type: str | None = None
    """The file's media type, where the vendor needs it."""

    vendor_metadata: dict[str, Any] | None = None
    """What one vendor wants to know about the file."""

    identifier: str | None = None
    """A short name by which a prompt can speak of the file."""

    kind: Literal['uploaded-file'] = 'uploaded-file'
    """The kind of content, for telling contents apart."""

    __repr__ = repr_of_what_is_set


@dataclass(repr=False)
class TextContent:
    """Text with metadata of yours that is kept in the history and never sent."""

    content: str
    """The text."""

    _: KW_ONLY

    metadata: Any = None
    """Whatever you want to keep beside the text."""

    kind: Literal['text-content'] = 'text-content'
    """The kind of content, for telling contents apart."""

    __repr__ = repr_of_what_is_set


@dataclass(repr=False)
class CachePoint:
    """Marks the end of a prefix that the vendor should cache, where it caches on demand (Anthropic, Bedrock)."""

    kind: Literal['cache-point'] = 'cache-point'
    """The kind of content, for telling contents apart."""

    ttl: Literal['5m', '1h'] = '5m'
    """How long the vendor keeps the prefix after its last use."""

    __repr__ = repr_of_what_is_set


MultiModalContent = Annotated[
    ImageUrl | AudioUrl | DocumentUrl | VideoUrl | BinaryContent | UploadedFile, Discriminator('kind')
]
"""A file in one of its forms."""

UserContent = (
    str
    | Annotated[
        ImageUrl | AudioUrl | DocumentUrl | VideoUrl | BinaryContent | UploadedFile | TextContent | CachePoint,
        Discriminator('kind'),
    ]
)
"""One piece of a user's message."""
