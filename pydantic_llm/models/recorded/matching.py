"""Describes a request for matching: messages, settings and parameters as JSON, in the same form for every model.

The form does not depend on the wire format, so that a recording is replayed without the model: its package, its key and
its encoder are not needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, cast

from pydantic_core import from_json, to_json

from ...json_types import Json
from ...messages import ModelMessage
from ...settings import ModelSettings, merge_model_settings
from .. import ModelRequestParameters
from ..description import encode_description
from .redaction import Redactor
from .responses import drop_nulls, drop_unset

__all__ = ('describe', 'find_key', 'keep_json', 'replace_files')

FILE = re.compile(r'(?P<start>data:[^,;]*(?:;[^,;]*)*;base64,)?(?P<data>[A-Za-z0-9+/_-]{1000,}={0,2})')
"""The content of a file, as base64."""

TOOLS = ('function_tools', 'output_tools', 'native_tools')


def describe(
    messages: Sequence[ModelMessage],
    settings: Mapping[str, object] | None,
    own_settings: Mapping[str, object] | None,
    parameters: ModelRequestParameters | None,
    redactor: Redactor,
    *,
    instructions: str | None = None,
) -> Json:
    """Return a request as JSON, without secrets. `own_settings` are those of the model; files become hashes.

    Raises `UserError` if an item is not a message.
    """
    merged = merge_model_settings(cast('ModelSettings', own_settings), cast('ModelSettings', settings)) or {}
    described = from_json(encode_description(messages, merged, parameters or ModelRequestParameters()))
    described['messages'] = [_shorten_message(message) for message in described['messages']]
    described['parameters'] = _shorten_parameters(described['parameters'])
    described['settings'] = redactor.redact_fields(drop_nulls(described['settings']))
    if instructions is not None:
        described['instructions'] = instructions
    return cast('Json', redactor.redact(replace_files(described)))


def find_key(kind: str, model_id: str, request: Json) -> str:
    """Return a hash in hexadecimal digits that is equal for equal requests."""
    return sha256(to_json([kind, model_id, _sort(request)])).hexdigest()


def keep_json(settings: Mapping[str, object] | None) -> Json:
    """Return the settings whose values are JSON: they can be written to the recording, and read from it."""
    kept: Json = {}
    for name, value in (settings or {}).items():
        try:
            if from_json(to_json(value)) == value:
                kept[name] = value
        except ValueError:  # it cannot be written: PydanticSerializationError
            pass
    return kept


def replace_files(value: Any) -> Any:
    """Return a JSON value with the size and the hash of each file in place of its content."""
    match value:
        case str():
            return FILE.sub(_describe_file, value) if len(value) >= 1000 else value
        case list():
            return [replace_files(item) for item in cast('list[object]', value)]
        case dict():
            return {name: replace_files(item) for name, item in cast('Json', value).items()}
        case _:
            return value


def _describe_file(match: re.Match[str]) -> str:
    data = match['data']
    size = len(data.rstrip('=')) * 3 // 4
    return f'{match["start"] or ""}[{size} bytes, sha256 {sha256(data.encode()).hexdigest()[:32]}]'


def _shorten_message(message: Json) -> Json:
    return drop_unset({**message, 'parts': [drop_unset(part) for part in message['parts']]})


def _shorten_parameters(parameters: Json) -> Json:
    tools = {name: [drop_unset(tool) for tool in parameters.get(name) or ()] for name in TOOLS}
    output = drop_unset(parameters.get('output_object') or {}) or None
    return drop_unset({**parameters, **tools, 'output_object': output})


def _sort(value: Any) -> Any:
    match value:
        case list():
            return [_sort(item) for item in cast('list[object]', value)]
        case dict():
            return sorted((name, _sort(item)) for name, item in cast('Json', value).items())
        case _:
            return value
