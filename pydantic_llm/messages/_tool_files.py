"""Keeps files inside tool results as files when a history is stored as JSON and read again.

A tool returns any data, and data may look like the JSON of a file. So a stored tool result lists the digests of the
files that its content holds (`add_digests`), and only objects with a listed digest become files again
(`restore_files`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from json import dumps
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from pydantic import ConfigDict, SerializerFunctionWrapHandler, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from .content import AudioUrl, BinaryContent, DocumentUrl, FileUrl, ImageUrl, MultiModalContent, UploadedFile, VideoUrl

Digests = frozenset[str] | None
"""The digests of the files in a tool result; `None` if it was stored without them."""

FILES = (ImageUrl, AudioUrl, DocumentUrl, VideoUrl, BinaryContent, UploadedFile)
"""The classes of `MultiModalContent`."""

DIGESTS = 'content_file_digests'
"""The key of the list of digests in a stored tool result."""

_SHARED_FIELDS = frozenset({'vendor_metadata', 'media_type', 'identifier', 'kind'})
FIELDS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        ('image-url', 'audio-url', 'document-url', 'video-url'), _SHARED_FIELDS | {'url', 'force_download'}
    ),
    'binary': _SHARED_FIELDS | {'data'},
    'uploaded-file': _SHARED_FIELDS | {'file_id', 'provider_name'},
}
"""Kind of file → its fields. An object with any other field is data, not a file."""

_adapter: TypeAdapter[MultiModalContent] = TypeAdapter(MultiModalContent, config=ConfigDict(defer_build=True))


class _HasContent(Protocol):
    content: Any


def restore_files(cls: object, value: object) -> object:
    """Validate a tool result: turn the stored files in its content into files. Use as a `before` validator."""
    if not isinstance(value, Mapping):
        return value
    part = dict(cast('Mapping[str, Any]', value))
    digests = part.pop(DIGESTS, None)
    if 'content' in part:
        part['content'] = _restore(part['content'], None if digests is None else frozenset(digests))
    return part


def add_digests(self: _HasContent, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
    """Serialize a tool result, with the digests of the files in its content. Use as a `wrap` serializer."""
    stored: dict[str, Any] = serialize(self)
    if self.content is None or isinstance(self.content, (str, int, float)):
        return stored
    return {**stored, DIGESTS: sorted({_digest(_dump(file)) for file in _find_files(self.content)})}


def _dump(file: MultiModalContent) -> Any:
    return _adapter.dump_python(file, mode='json')


def _digest(stored: object) -> str:
    """Return the SHA-256 of the JSON of a file; an empty string if the object cannot be written as JSON."""
    try:
        text = dumps(to_jsonable_python(stored), sort_keys=True, separators=(',', ':'))
    except (PydanticSerializationError, TypeError, ValueError):
        return ''
    return sha256(text.encode()).hexdigest()


def _find_files(content: object) -> Iterator[MultiModalContent]:
    if isinstance(content, FILES):
        yield content
    elif isinstance(content, Mapping):
        for item in cast('Mapping[object, object]', content).values():
            yield from _find_files(item)
    elif isinstance(content, (list, tuple)):
        for item in cast('Sequence[object]', content):
            yield from _find_files(item)


def _restore(value: object, digests: Digests) -> object:
    if isinstance(value, Mapping):
        stored = cast('Mapping[str, Any]', value)
        return _restore_file(stored, digests) or {key: _restore(item, digests) for key, item in stored.items()}
    if isinstance(value, list):
        return [_restore(item, digests) for item in cast('Sequence[object]', value)]
    return value


def _restore_file(stored: Mapping[str, Any], digests: Digests) -> MultiModalContent | None:
    """Return the file that was stored as this object, or `None` if the object is data.

    Bytes are always a file. Without digests, so is a public address, with `force_download` off: content that a tool
    fetched must not be able to make us download from an address of its choice.
    """
    kind = stored.get('kind')
    if not isinstance(kind, str) or not stored.keys() <= FIELDS.get(kind, frozenset()):
        return None
    try:
        file = _adapter.validate_python(stored)
    except ValidationError:
        return None
    match file:
        case BinaryContent():
            return file
        case FileUrl(url=url) if digests is None and urlsplit(url).scheme in ('http', 'https'):
            return replace(file, force_download=False)
        case _ if digests and not digests.isdisjoint({_digest(stored), _digest(_dump(file))}):
            return file
        case _:
            return None
