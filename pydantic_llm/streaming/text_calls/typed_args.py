"""`fit_args`: the arguments of a tool call as JSON, with the types of the tool's schema.

Some formats write the values of arguments without quotes, so that `12` may be a number or a text: the schema decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from .elements import Element
from .json_text import to_args
from .reader import ArgsPiece, ToolCall
from .unquoted import decode_unquoted

__all__ = ('fit_args', 'fit_piece')

Schema = Mapping[str, Any]

MOST_REFERENCES = 20
"""The most references that are followed for one value."""


def fit_args(call: ToolCall, schema: Schema) -> str:
    """Return the arguments of a call as JSON. `schema` is that of the tool's arguments."""
    if call.unquoted is None:
        return call.args
    known = _as_schema(schema.get('properties'))
    return to_args(
        {name: _choose(value, text, known.get(name), schema) for name, (value, text) in call.unquoted.items()}
    )


def fit_piece(piece: ArgsPiece, schema: Schema, *, is_first: bool) -> str:
    """Return a piece of arguments as the next text of their JSON. `schema` is that of the tool's arguments."""
    if isinstance(piece, str):
        return piece
    name, value, text = piece
    fitted = to_args({name: _choose(value, text, _as_schema(schema.get('properties')).get(name), schema)})
    return f'{"{" if is_first else ", "}{fitted[1:-1]}'


def _choose(value: Any, text: str, schema: object, root: Schema) -> Any:
    """Return the value as it was parsed, or its text if the schema accepts a text, and no value of this type."""
    if isinstance(value, Element):
        return _fit_element(value, schema, root)
    types = set(_iter_types(schema, root, MOST_REFERENCES))
    return text if 'string' in types and _find_type(value) not in types else value


def _fit_element(element: Element, schema: object, root: Schema) -> Any:
    """Return the value of an element: a list, an object or what its text is, as the schema says."""
    types = set(_iter_types(schema, root, MOST_REFERENCES))
    if not element.children:
        if not element.text.strip() and 'string' not in types and types & {'array', 'object'}:
            return [] if 'array' in types else {}
        return _choose(decode_unquoted(element.text), element.text, schema, root)
    options = list(_iter_options(schema, root, MOST_REFERENCES))
    nested = types & {'array', 'object'}
    if 'array' in nested if len(nested) == 1 else element.is_list:
        items = next((option['items'] for option in options if 'items' in option), None)
        return [_fit_element(child, items, root) for _, child in element.children]
    fields = element.fields.items()
    return {name: _fit_element(field, _find_property(name, options), root) for name, field in fields}


def _find_property(name: str, options: Sequence[Schema]) -> object:
    """Return the schema of a property in the first of these schemas that has one."""
    named = [_as_schema(option.get('properties')).get(name) for option in options]
    others = [option.get('additionalProperties') for option in options]
    return next((found for found in (*named, *others) if found is not None), None)


def _find_type(value: Any) -> str:
    match value:
        case None:
            return 'null'
        case bool():
            return 'boolean'
        case int() | float():
            return 'number'
        case str():
            return 'string'
        case Mapping():
            return 'object'
        case _:
            return 'array'


def _iter_types(schema: object, root: Schema, depth: int) -> Iterator[str]:
    """Yield the types that a schema accepts; an integer is a number."""
    for option in _iter_options(schema, root, depth):
        named = option.get('type')
        for name in _read_items(named) or [named]:
            if isinstance(name, str):
                yield 'number' if name == 'integer' else name
        if named is None:
            yield from map(_find_type, _read_items(option.get('enum')))
            yield from (_find_type(option['const']),) if 'const' in option else ()


def _iter_options(schema: object, root: Schema, depth: int) -> Iterator[Schema]:
    """Yield a schema and those that it consists of or refers to."""
    if not isinstance(schema, Mapping) or depth < 0:
        return
    found = cast('Schema', schema)
    yield found
    for keyword in ('anyOf', 'oneOf', 'allOf'):
        for option in _read_items(found.get(keyword)):
            yield from _iter_options(option, root, depth - 1)
    yield from _iter_options(_resolve(found.get('$ref'), root), root, depth - 1)


def _as_schema(value: object) -> Schema:
    return cast('Schema', value) if isinstance(value, Mapping) else {}


def _read_items(value: object) -> list[object]:
    return cast('list[object]', value) if isinstance(value, list) else []


def _resolve(reference: object, root: Schema) -> object:
    """Return the definition that a reference such as `#/$defs/City` names, if there is one."""
    if not isinstance(reference, str) or not reference.startswith('#/'):
        return None
    found: Any = root
    for name in reference[2:].split('/'):
        found = found.get(name) if isinstance(found, Mapping) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] -- JSON
    return found  # pyright: ignore[reportUnknownVariableType] -- JSON
