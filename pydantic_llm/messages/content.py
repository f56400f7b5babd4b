"""The contents of a user prompt: text, files by URL, as bytes or uploaded before, and cache points."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import KW_ONLY, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import unquote_to_bytes, urlsplit

from pydantic_core import CoreSchema
from pydantic_core.core_schema import (
    no_info_before_validator_function,
    plain_serializer_function_ser_schema,
    str_schema,
)

from .._deferred_schemas import Discriminator, validate_fields
from ..exceptions import UserError
from ._value import Displayed, ShortRepr
from .media_types import detect_media_type, format_of, is_text, media_type_of, normalize_media_type

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

__all__ = (
    'AudioUrl',
    'BinaryContent',
    'BinaryImage',
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

UNSAFE_IN_NAMES = re.compile(r'[\x00-\x1f\x7f"<>]')

MUSIC = 'music.youtube.com'
"""The host of music pages, which are no videos."""


def find_file_name(file: FileUrl | BinaryContent | UploadedFile) -> str | None:
    """Return the identifier of a file if it is a file's name, with an extension: `'report.pdf'`."""
    identifier = file.identifier or ''
    return identifier if Path(identifier).suffix[1:].isalnum() else None


def _make_identifier(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()[:6]


@validate_fields
@dataclass(repr=False)
class FileUrl(ShortRepr):
    """A file that is sent as a URL. Use one of its subclasses."""

    url: str
    """The URL of the file."""

    _: KW_ONLY

    force_download: bool | Literal['allow-local'] = False
    """Download the file and send its bytes, even if the vendor could read the URL itself.

    `'allow-local'` also permits addresses of this machine and of private networks. It is for URLs that your program
    chose: a history that is loaded from JSON cannot set it, and gets `True` instead.
    """

    vendor_metadata: dict[str, Any] | None = None
    """Options of one vendor for this file, e.g. `{'detail': 'high'}` for an image at OpenAI."""

    media_type: str | None = None
    """The media type of the file; by default that of the URL's extension, `None` if that is unknown."""

    identifier: str | None = None
    """A short name by which prompts can refer to the file; by default a hash of the URL."""

    def __post_init__(self) -> None:
        given = self.media_type
        self.media_type = normalize_media_type(given) if given else media_type_of(self.url)
        self.identifier = self.identifier or _make_identifier(self.url.encode())

    @property
    def format(self) -> str:
        """The short name of the media type, e.g. `'png'`; empty if the media type is unknown."""
        return format_of(self.media_type) if self.media_type else ''

    def decode_data(self) -> BinaryContent:
        """Return the file that a `data:` URI contains. Raises `UserError` if the URI is invalid."""
        try:
            file = BinaryContent.from_data_uri(self.url)
        except ValueError as error:
            raise UserError(f'The URL of {type(self).__name__} is not a valid data URI: {error}') from error
        return replace(file, vendor_metadata=self.vendor_metadata, identifier=self.identifier)


@validate_fields
@dataclass(repr=False)
class ImageUrl(FileUrl):
    """The URL of an image. `vendor_metadata={'detail': 'low'}` sets the level of detail at OpenAI."""

    kind: Literal['image-url'] = 'image-url'


@validate_fields
@dataclass(repr=False)
class AudioUrl(FileUrl):
    """The URL of an audio file."""

    kind: Literal['audio-url'] = 'audio-url'


@validate_fields
@dataclass(repr=False)
class DocumentUrl(FileUrl):
    """The URL of a document (PDF, text, ...)."""

    kind: Literal['document-url'] = 'document-url'


@validate_fields
@dataclass(repr=False)
class VideoUrl(FileUrl):
    """The URL of a video."""

    kind: Literal['video-url'] = 'video-url'

    @property
    def is_youtube(self) -> bool:
        """True if the URL is on YouTube. Some vendors read YouTube videos by URL."""
        host = urlsplit(self.url).hostname or ''
        return host in ('youtu.be', 'youtube.com') or (host.endswith('.youtube.com') and host != MUSIC)


def _decode_base64(value: object) -> object:
    if not isinstance(value, str):
        return value
    # pydantic writes the URL-safe alphabet with `ser_json_bytes='base64'`, APIs the standard one.
    try:
        return base64.b64decode(value.replace('-', '+').replace('_', '/'), validate=True)
    except ValueError as error:
        raise ValueError(f'the data is not base64: {error}') from error


def _encode_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


class _Base64:
    """The form of bytes in JSON: base64 text."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = plain_serializer_function_ser_schema(_encode_base64, return_schema=str_schema(), when_used='json')
        return no_info_before_validator_function(_decode_base64, handler(source), serialization=text)


Base64Bytes = Annotated[bytes, _Base64()]
"""Bytes, written as base64 text in JSON. Both base64 alphabets are read."""


@validate_fields
@dataclass(repr=False)
class BinaryContent(Displayed):
    """A file that is sent as bytes. Notebooks show an image.

    ```python
    photo = BinaryContent.from_path('photo.png')
    agent.run_sync(['What is this?', photo])
    ```

    Attributes:
        data: The bytes.
        media_type: The media type, such as `'image/png'`.
        identifier: A short name by which prompts can refer to the file.
        vendor_metadata: Options of one vendor for this file.
    """

    data: Base64Bytes
    """The content of the file."""

    _: KW_ONLY

    media_type: str
    """The media type of the file, e.g. `'image/png'`. Other spellings (`'image/jpg'`) become the standard one."""

    vendor_metadata: dict[str, Any] | None = None
    """Options of one vendor for this file, e.g. `{'detail': 'high'}` for an image at OpenAI."""

    identifier: str | None = None
    """A short name by which prompts can refer to the file; by default a hash of the bytes.

    If it has an extension (`'report.pdf'`), vendors get it as the file's name, if their API has a field for that."""

    kind: Literal['binary'] = 'binary'

    def __post_init__(self) -> None:
        self.media_type = normalize_media_type(self.media_type)
        self.identifier = self.identifier or _make_identifier(self.data)

    @classmethod
    def from_path(cls, path: str | PathLike[str]) -> Self:
        """Read a file. Its identifier is its name, its media type that of its extension or else of its content.

        If neither is known, the media type is `application/octet-stream`.
        """
        file = Path(path)
        data = file.read_bytes()
        # text files are sent between marks that contain the identifier, which must not end them: mulmoclaude#2670
        name = UNSAFE_IN_NAMES.sub('_', file.name)
        return cls(data, media_type=detect_media_type(data, file.name), identifier=name)

    @classmethod
    def from_data_uri(cls, data_uri: str) -> Self:
        """Decode a `data:image/png;base64,...` URI. Raises `ValueError` if it is invalid or not base64."""
        head, comma, data = data_uri.partition(',')
        if not (comma and head.startswith('data:') and head.endswith(';base64')):
            raise ValueError(f"A data URI starts with 'data:<media type>;base64,', not with {data_uri[:40]!r}")
        media_type = head.removeprefix('data:').partition(';')[0] or 'text/plain'
        return cls(base64.b64decode(unquote_to_bytes(data), validate=True), media_type=media_type)

    @property
    def base64(self) -> str:
        """The bytes as base64 text."""
        return _encode_base64(self.data)

    @property
    def data_uri(self) -> str:
        """The file as a `data:` URI."""
        return f'data:{self.media_type};base64,{self.base64}'

    @property
    def is_image(self) -> bool:
        return self.media_type.startswith('image/')

    @property
    def is_audio(self) -> bool:
        return self.media_type.startswith('audio/')

    @property
    def is_video(self) -> bool:
        return self.media_type.startswith('video/')

    @property
    def is_document(self) -> bool:
        """True if the file is neither an image nor audio nor a video."""
        return not (self.is_image or self.is_audio or self.is_video)

    @property
    def is_text(self) -> bool:
        """True if the media type is one of text."""
        return is_text(self.media_type)

    @property
    def format(self) -> str:
        """The short name of the media type: `'png'`, `'mp3'`, `'pdf'`."""
        return format_of(self.media_type)

    def __repr__(self) -> str:
        size, name = len(self.data), type(self).__name__
        return f'{name}(<{size} bytes>, media_type={self.media_type!r}, identifier={self.identifier!r})'


@validate_fields
@dataclass(repr=False)
class BinaryImage(BinaryContent):
    """An image that is sent as bytes, or was generated. As an agent's `output_type` it is the generated image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.is_image:
            raise UserError(
                f'BinaryImage has the media type {self.media_type!r}; use BinaryContent for files that are not images'
            )

    @classmethod
    def of(cls, content: BinaryContent) -> BinaryImage:
        """Return an image as a `BinaryImage`."""
        if isinstance(content, BinaryImage):
            return content
        return cls(
            content.data,
            media_type=content.media_type,
            vendor_metadata=content.vendor_metadata,
            identifier=content.identifier,
        )


@validate_fields
@dataclass(repr=False)
class UploadedFile(ShortRepr):
    """A file that was uploaded to a vendor before, by its id."""

    file_id: str
    """The id that the vendor assigned to the file."""

    provider_name: str
    """The vendor that stores the file. The file cannot be sent to any other vendor."""

    _: KW_ONLY

    media_type: str | None = None
    """The media type of the file, if the vendor requires it."""

    vendor_metadata: dict[str, Any] | None = None
    """Options of the vendor for this file."""

    identifier: str | None = None
    """A short name by which prompts can refer to the file."""

    kind: Literal['uploaded-file'] = 'uploaded-file'


@validate_fields
@dataclass(repr=False)
class TextContent(ShortRepr):
    """Text with metadata that is kept in the history and never sent."""

    content: str
    """The text that is sent."""

    _: KW_ONLY

    metadata: Any = None
    """Any value of the application; never sent."""

    kind: Literal['text-content'] = 'text-content'


@validate_fields
@dataclass(repr=False)
class CachePoint(ShortRepr):
    """Marks the end of a prefix that the vendor should cache, if it caches on demand (Anthropic, Bedrock, OpenAI).

    Without such a mark, the response has a warning, unless the vendor caches every prompt by itself.
    """

    kind: Literal['cache-point'] = 'cache-point'

    ttl: Literal['5m', '1h'] = '5m'
    """Time that the vendor keeps the prefix after its last use: 5 minutes or 1 hour."""


MultiModalContent = Annotated[
    ImageUrl | AudioUrl | DocumentUrl | VideoUrl | BinaryContent | UploadedFile, Discriminator('kind')
]
"""A file: by URL, as bytes, or uploaded before."""

UserContent = (
    str
    | Annotated[
        ImageUrl | AudioUrl | DocumentUrl | VideoUrl | BinaryContent | UploadedFile | TextContent | CachePoint,
        Discriminator('kind'),
    ]
)
"""One item of a user prompt: text, a file, or a cache point."""
