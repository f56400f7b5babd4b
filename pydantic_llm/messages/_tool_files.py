"""Keeps files inside tool results as files when a history is stored as JSON and read again.

A tool returns any data, and data may look like the JSON of a file. So a stored tool result lists the digests of the
files that its content holds (`_add_digests`), and only objects with a listed digest become files again
(`_restore_files`). `keep_files` adds both to the schema of a tool result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from json import dumps
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

from pydantic_core import CoreSchema, PydanticSerializationError, ValidationError, to_jsonable_python
from pydantic_core.core_schema import (
    SerializerFunctionWrapHandler,
    any_schema,
    dict_schema,
    str_schema,
    wrap_serializer_function_ser_schema,
)

from .._deferred_schemas import add_before_validator
from .content import AudioUrl, BinaryContent, DocumentUrl, FileUrl, ImageUrl, MultiModalContent, UploadedFile, VideoUrl

if TYPE_CHECKING:
    from pydantic import TypeAdapter

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


class _HasContent(Protocol):
    content: Any


def keep_files(schema: CoreSchema) -> CoreSchema:
    """Change the schema of a tool result: it is stored with the digests of its files, and read with them."""
    stored = dict_schema(str_schema(), any_schema())
    cast('Any', schema)['serialization'] = wrap_serializer_function_ser_schema(_add_digests, return_schema=stored)
    return add_before_validator(schema, _restore_files)


@cache
def _get_adapter() -> TypeAdapter[MultiModalContent]:
    import pydantic

    return pydantic.TypeAdapter(MultiModalContent)


def _restore_files(value: object) -> object:
    """Turn the stored files in the content of a tool result into files."""
    if not isinstance(value, Mapping):
        return value
    part = dict(cast('Mapping[str, Any]', value))
    digests = part.pop(DIGESTS, None)
    if 'content' in part:
        part['content'] = _restore(part['content'], None if digests is None else frozenset(digests))
    return part


def _add_digests(self: _HasContent, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
    """Serialize a tool result, with the digests of the files in its content."""
    stored: dict[str, Any] = serialize(self)
    if self.content is None or isinstance(self.content, (str, int, float)):
        return stored
    return {**stored, DIGESTS: sorted({_digest(_dump(file)) for file in _find_files(self.content)})}


def _dump(file: MultiModalContent) -> Any:
    return _get_adapter().dump_python(file, mode='json')


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
        file = _get_adapter().validate_python(stored)
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
