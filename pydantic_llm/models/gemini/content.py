"""Encodes a user's prompt, and the files that tools return, as parts of a content.

Start at `encode_content`. The rules for files are in https://ai.google.dev/gemini-api/docs/file-input-methods.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeGuard, assert_never

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
from ...messages.media_types import is_text
from ...profiles.gemini import VERTEX
from ...wire.prepare import PreparedRequest

PROVIDER_NAMES: dict[str, frozenset[str]] = {
    'google-gla': frozenset({'google-gla', 'google'}),
    VERTEX: frozenset({VERTEX, 'google-cloud'}),
}
"""Each API's provider name -> all names for this API in stored histories, pydantic-ai's included."""

DEFAULT_MEDIA_TYPES = {
    'video-url': 'video/mp4',
    'image-url': 'image/jpeg',
    'audio-url': 'audio/mpeg',
    'document-url': 'application/pdf',
}
"""The media types of URLs that have no file extension. The API requires one."""

ACCEPTED_TYPES = frozenset({'image/png', 'image/jpeg', 'image/webp', 'image/heic', 'image/heif', 'application/pdf'})
"""The media types of images and documents that the API accepts, in addition to text:
https://ai.google.dev/gemini-api/docs/image-understanding, microsoft/vscode#286628, Mai-with-u/MaiBot#1435."""

ACCEPTED_FILES = 'PNG, JPEG, WebP, HEIC and HEIF images, audio, videos, PDF and text'

OTHER_KINDS = ('audio/', 'video/', 'text/')
"""The kinds of which the API accepts too many types to list here."""

FILE_URL_PREFIXES = {'google-gla': 'https://', VERTEX: 'gs://'}
"""The first characters of the URLs of files that are stored at each API."""

FILES_BASE_URL = 'https://generativelanguage.googleapis.com/v1beta/'
"""The URL below which files are stored: a file named `files/abc` is at this URL and its name."""

BASE64 = re.compile('[A-Za-z0-9+/_-]+')
"""The digits of both base64 alphabets, without padding."""

VIDEO_METADATA = {
    'startOffset': 'startOffset',
    'endOffset': 'endOffset',
    'fps': 'fps',
    'start_offset': 'startOffset',
    'end_offset': 'endOffset',
}
"""Keys of `vendor_metadata` -> fields of `videoMetadata`."""


def provider_names(system: str) -> frozenset[str]:
    """Return the provider names of parts that this API made."""
    return PROVIDER_NAMES.get(system, frozenset({system}))


def encode_content(content: Sequence[UserContent], request: PreparedRequest) -> Iterator[Json]:
    """Yield one part for each item. Raises `UserError` if the API cannot read a file."""
    for item in content:
        match item:
            case str():
                yield {'text': item}
            case TextContent(content=text):
                yield {'text': text}
            case CachePoint():
                request.drop_cache_point()
            case _:
                yield encode_user_file(item, request.system)


def encode_user_file(file: MultiModalContent, system: str) -> Json:
    """Encode a file of a user or a tool. Raises `UserError` if the API accepts no such file."""
    if isinstance(file, FileUrl) and file.url.startswith('data:'):
        file = file.decode_data()
    media_type = None if isinstance(file, UploadedFile) else file.media_type
    if media_type and not media_type.startswith(OTHER_KINDS) and media_type not in ACCEPTED_TYPES:
        if not is_text(media_type):
            raise UserError(f'{system!r} cannot take {file!r}: the Gemini API takes {ACCEPTED_FILES}')
        file = replace(file, media_type='text/plain')  # QuantumNous/new-api#1139: it refuses application/json
    return encode_file(file, system)


def encode_file(file: MultiModalContent, system: str) -> Json:
    """Encode a file as a part with its bytes, or with its URL."""
    metadata = _encode_metadata(file.vendor_metadata or {})
    if isinstance(file, FileUrl) and file.url.startswith('data:'):
        file = file.decode_data()
    match file:
        case BinaryContent():
            data = urlsafe_b64encode(file.data).decode()
            return {'inlineData': {'mimeType': file.media_type, 'data': data}, **metadata}
        case UploadedFile():
            kind = {'mimeType': file.media_type} if file.media_type else {}
            return {'fileData': {'fileUri': _build_file_url(file, system), **kind}, **metadata}
        case ImageUrl() | AudioUrl() | DocumentUrl() | VideoUrl():
            media_type = file.media_type or DEFAULT_MEDIA_TYPES[file.kind]
            return {'fileData': {'fileUri': file.url, 'mimeType': media_type}, **metadata}
        case _:
            assert_never(file)


def to_urlsafe(base64: str) -> str:
    """Translate base64 text to the URL-safe alphabet, as Google's own clients send it."""
    return base64.replace('+', '-').replace('/', '_')


def is_base64(value: object) -> TypeGuard[str]:
    """Return whether a value is base64 text of either alphabet: the type of bytes in JSON, such as a signature."""
    digits = value.rstrip('=') if isinstance(value, str) else ''
    return len(digits) % 4 != 1 and BASE64.fullmatch(digits) is not None


def _build_file_url(file: UploadedFile, system: str) -> str:
    if file.provider_name not in provider_names(system):
        raise UserError(f'{system!r} cannot take {file!r}: another vendor holds it')
    url = FILES_BASE_URL + file.file_id if file.file_id.startswith('files/') and system != VERTEX else file.file_id
    if not url.startswith(FILE_URL_PREFIXES.get(system, '')):
        raise UserError(
            f"{system!r} cannot take {file!r}: file_id is the file's URL there, and begins with "
            f'{FILE_URL_PREFIXES[system]!r}'
        )
    return url


def _encode_metadata(metadata: Mapping[str, Any]) -> Json:
    """Encode `vendor_metadata` as fields of the part. Keys for other vendors are skipped."""
    resolution = metadata.get('media_resolution', metadata.get('mediaResolution'))
    if isinstance(resolution, str):
        resolution = {'level': resolution}
    video = {VIDEO_METADATA[name]: value for name, value in metadata.items() if name in VIDEO_METADATA}
    fields = {'mediaResolution': resolution, 'videoMetadata': video}
    return {name: value for name, value in fields.items() if value}
