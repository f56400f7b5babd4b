"""Files inside what a tool returned, in JSON and back.

A tool returns any data, and data may look like the JSON of a file. So a stored tool return lists the digests of the
files that its content holds, and only what is listed becomes a file again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from json import dumps
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from .content import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    FileUrl,
    ImageUrl,
    MultiModalContent,
    UploadedFile,
    VideoUrl,
)

Digests = frozenset[str] | None
"""The digests of the files in a tool return; `None` where it was stored without them."""

FILES = (ImageUrl, AudioUrl, DocumentUrl, VideoUrl, BinaryContent, UploadedFile)
"""The types of files."""

DIGESTS = 'content_file_digests'
"""The name under which a stored tool return lists its files."""

_BOTH = frozenset({'vendor_metadata', 'media_type', 'identifier', 'kind'})
FIELDS: dict[str, frozenset[str]] = {
    **dict.fromkeys(('image-url', 'audio-url', 'document-url', 'video-url'), _BOTH | {'url', 'force_download'}),
    'binary': _BOTH | {'data'},
    'uploaded-file': _BOTH | {'file_id', 'provider_name'},
}
"""The fields of each kind of file; an object with others is no file."""

_adapter: TypeAdapter[MultiModalContent] = TypeAdapter(MultiModalContent, config=ConfigDict(defer_build=True))


def with_digests(stored: dict[str, Any], content: object) -> dict[str, Any]:
    """The stored form of a tool return, with the digests of the files in its content."""
    if content is None or isinstance(content, (str, int, float)):
        return stored
    return {**stored, DIGESTS: sorted({_digest(_stored(file)) for file in _files(content)})}


def with_files(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The stored form of a tool return, with files in its content where it has their stored form."""
    part = dict(stored)
    digests = part.pop(DIGESTS, None)
    if 'content' in part:
        part['content'] = _revive(part['content'], None if digests is None else frozenset(digests))
    return part


def _stored(file: MultiModalContent) -> Any:
    return _adapter.dump_python(file, mode='json')


def _digest(stored: object) -> str:
    """The digest of a file's stored form; empty for an object that has no JSON."""
    try:
        text = dumps(to_jsonable_python(stored), sort_keys=True, separators=(',', ':'))
    except (PydanticSerializationError, TypeError, ValueError):
        return ''
    return sha256(text.encode()).hexdigest()


def _files(content: object) -> Iterator[MultiModalContent]:
    if isinstance(content, FILES):
        yield content
    elif isinstance(content, Mapping):
        for item in cast('Mapping[object, object]', content).values():
            yield from _files(item)
    elif isinstance(content, (list, tuple)):
        for item in cast('Sequence[object]', content):
            yield from _files(item)


def _revive(value: object, digests: Digests) -> object:
    if isinstance(value, Mapping):
        stored = cast('Mapping[str, Any]', value)
        return _file(stored, digests) or {key: _revive(item, digests) for key, item in stored.items()}
    if isinstance(value, list):
        return [_revive(item, digests) for item in cast('Sequence[object]', value)]
    return value


def _file(stored: Mapping[str, Any], digests: Digests) -> MultiModalContent | None:
    """The file of which this is the stored form. Without digests, a file by its bytes or by a public address alone."""
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
        case _ if digests and not digests.isdisjoint({_digest(stored), _digest(_stored(file))}):
            return file
        case _:
            return None
