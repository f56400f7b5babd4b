"""Reads `--schema`: a short form (`name, age int: in years`), a JSON schema or its file, or `module:Class`.

In the short form, fields are separated by commas, or by line breaks if there is one. A field is a name, an optional
type (`str`, `int`, `float`, `bool`; `[]` after it makes a list) and an optional description after a colon.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, cast

from ..exceptions import UserError
from .functions import import_object

__all__ = ('read_schema',)

TYPES: dict[str, type] = {'str': str, 'int': int, 'float': float, 'bool': bool}

FIELD = re.compile(r'(?P<name>\w[\w-]*)(?:\s+(?P<type>\w+)(?P<list>\[\])?)?\s*(?::\s*(?P<description>.*))?', re.DOTALL)
"""One field of the short form."""

CLASS = re.compile(r'[\w./\\-]+:\w+')
"""`module:Class`, without spaces: a field with a description has one after its colon."""


def read_schema(text: str, *, many: bool = False) -> Any:
    """Return the output type for a schema; with `many`, that of an object whose `items` are such objects."""
    text = text.strip()
    if not text:
        raise UserError("--schema is empty: write fields, such as 'name, age int'")
    if text.startswith('{'):
        return _use_json(text, '--schema', many=many)
    if text.endswith('.json'):
        return _use_json(Path(text).read_text(encoding='utf-8'), text, many=many)
    kind = import_object(text, option='--schema') if CLASS.fullmatch(text) else _read_fields(text)
    if not many:
        return kind
    from pydantic import create_model

    fields: dict[str, Any] = {'items': (GenericAlias(list, (kind,)), ...)}
    return create_model('Items', **fields)


def _use_json(text: str, name: str, *, many: bool) -> Any:
    from ..agent import StructuredDict

    try:
        schema: object = json.loads(text)
    except ValueError as error:
        raise UserError(f'{name!r} is not a JSON schema: {error}') from None
    if not isinstance(schema, dict):
        raise UserError(f'{name!r} is not a JSON schema: it is not an object')
    found = cast('dict[str, Any]', schema)
    if many:
        definitions: dict[str, Any] = {key: found.pop(key) for key in ('$defs', 'definitions') if key in found}
        items = {'items': {'type': 'array', 'items': found}}
        found = {'type': 'object', 'properties': items, 'required': ['items'], **definitions}
    return StructuredDict(found)


def _read_fields(text: str) -> Any:
    """Return a type with the fields of the short form. Raises `UserError` for a field that has another form.

    It is a `TypedDict`, in which a field can have any name: a model has attributes such as `json` and `copy` itself.
    """
    from pydantic import Field
    from typing_extensions import TypedDict

    fields: dict[str, Any] = {}
    for line in text.split('\n' if '\n' in text else ','):
        if not (line := line.strip().rstrip(',')):
            continue
        match = FIELD.fullmatch(line)
        if match is None:
            raise UserError(f"--schema has the field {line!r}: write 'name', 'name int' or 'name int: a description'")
        if match['name'] in fields:
            raise UserError(f'--schema has the field {match["name"]!r} twice')
        if (kind := TYPES.get(match['type'] or 'str')) is None:
            raise UserError(f'--schema has the type {match["type"]!r} in {line!r}: write {", ".join(TYPES)}')
        shape = GenericAlias(list, (kind,)) if match['list'] else kind
        fields[match['name']] = Annotated[shape, Field(description=match['description'] or None)]
    make_type: Any = TypedDict  # type checkers know only literal fields
    return make_type('Schema', fields)
