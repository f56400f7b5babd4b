"""Reads JSON schemas: resolves references, flattens `allOf`, and checks values.

Formats, conditions (`if`, `dependentSchemas`), `contains` and `unevaluated...` are ignored. The keywords are those of
https://json-schema.org/draft/2020-12/json-schema-validation
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import zip_longest
from typing import Any
from urllib.parse import unquote

from ...exceptions import UserError
from ...json_types import Json

Schema = Mapping[str, Any] | bool
Path = tuple[str, ...]
"""The references that led to a node."""

IMPLIED_TYPES = {
    **dict.fromkeys(('properties', 'required', 'additionalProperties', 'patternProperties'), 'object'),
    **dict.fromkeys(('propertyNames', 'minProperties'), 'object'),
    **dict.fromkeys(('items', 'prefixItems', 'minItems', 'uniqueItems'), 'array'),
    **dict.fromkeys(('minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'), 'number'),
}
"""Keyword → the type that it implies in a schema without a type. Without any such keyword, the type is a string."""


class NoValueError(Exception):
    """No value was found for the schema in `args[0]`."""


class Schemas:
    """A schema and everything in it. A reference may be followed inside itself `recursions` times."""

    def __init__(self, root: Mapping[str, Any], recursions: int = 1) -> None:
        self.root = root
        self.recursions = recursions

    def resolve(self, reference: str) -> Schema:
        """Return the node of a reference such as `#/$defs/City`. Raises `UserError` if there is no such node."""
        target: Any = self.root
        try:
            for step in reference.removeprefix('#').split('/')[1:]:
                name = unquote(step).replace('~1', '/').replace('~0', '~')
                target = target[name if isinstance(target, Mapping) else int(name)]
        except (KeyError, IndexError, ValueError, TypeError):
            target = None
        if not reference.startswith('#') or target is None:
            raise UserError(f'The schema refers to {reference!r}, which is not in it')
        found: Schema = target
        return found

    def flatten(self, schema: Schema, path: Path = ()) -> tuple[Json, Path]:
        """Return an equivalent node without `$ref` and `allOf`, and the references that led to it.

        Keywords that cannot be merged stay in `allOf`. Raises `NoValueError` if the node cannot have a value.
        """
        if isinstance(schema, bool):
            if not schema:
                raise NoValueError(schema)
            return {}, path
        node = {key: value for key, value in schema.items() if key not in ('$ref', 'allOf')}
        parts: list[Schema] = list(schema.get('allOf', ()))
        reference = schema.get('$ref')
        if reference is not None:
            if path.count(reference) >= self.recursions:
                raise NoValueError(schema)
            path = (*path, reference)
            parts.insert(0, self.resolve(reference))
        reached = path
        for part in parts:
            other, inner = self.flatten(part, path)
            node, reached = _merge_nodes(node, other), (*reached, *inner[len(path) :])
        return node, reached

    def schema_of_property(self, node: Mapping[str, Any], name: str) -> Schema:
        """Return the schema of the property with this name."""
        found: list[Schema] = [node['properties'][name]] if name in node.get('properties', {}) else []
        found += [schema for pattern, schema in node.get('patternProperties', {}).items() if _matches(name, pattern)]
        if not found:
            found = [node.get('additionalProperties', True)]
        return found[0] if len(found) == 1 else {'allOf': found}

    def accepts(self, schema: Schema, value: Any) -> bool:
        """Return whether a value is valid. Keywords that this module ignores are not checked."""
        if isinstance(schema, bool):
            return schema
        checks = CHECKS | CHECKS_OF_TYPE[_find_type(value)]
        return (
            all(check(value, schema[key]) for key, check in checks.items() if key in schema)
            and ('$ref' not in schema or self.accepts(self.resolve(schema['$ref']), value))
            and all(self.accepts(part, value) for part in schema.get('allOf', ()))
            and ('anyOf' not in schema or any(self.accepts(part, value) for part in schema['anyOf']))
            and ('oneOf' not in schema or sum(self.accepts(part, value) for part in schema['oneOf']) == 1)
            and ('not' not in schema or not self.accepts(schema['not'], value))
            and all(self.accepts(part, child) for part, child in self._children(schema, value))
        )

    def _children(self, schema: Mapping[str, Any], value: Any) -> list[tuple[Schema, Any]]:
        """Return the items or the properties of a value, each with its schema."""
        match value:
            case [*items]:
                prefix: list[Schema] = schema.get('prefixItems', [])
                others = [schema.get('items', True)] * (len(items) - len(prefix))
                return [*zip([*prefix, *others], items, strict=False)]
            case {**properties}:
                names = [(schema.get('propertyNames', True), name) for name in properties]
                return names + [(self.schema_of_property(schema, str(name)), item) for name, item in properties.items()]
            case _:
                return []


def types_of(node: Mapping[str, Any]) -> list[str]:
    """Return the types that a node allows; without `type`, the one that its other keywords imply."""
    match node.get('type'):
        case None:
            return [next((kind for key, kind in IMPLIED_TYPES.items() if key in node), 'string')]
        case str() as kind:
            return [kind]
        case kinds:
            return list(kinds)


def to_fraction(number: float) -> Fraction:
    """Return the exact number that is written: 0.1 is a tenth, not the nearest float."""
    return Fraction(str(number))


def to_hashable(value: Any) -> object:
    """Return a hashable value. Two of them are equal if their JSON values are: 1 and 1.0 are, 1 and true are not."""
    match value:
        case bool():
            return 'boolean', value
        case [*items]:
            return 'array', *map(to_hashable, items)
        case {**properties}:
            return 'object', frozenset((name, to_hashable(item)) for name, item in properties.items())
        case _:
            return value


def _merge_schemas(first: Schema, second: Schema) -> Schema:
    return {'allOf': [first, second]}


def _merge_properties(first: Mapping[str, Schema], second: Mapping[str, Schema]) -> dict[str, Schema]:
    shared = {name: _merge_schemas(first[name], second[name]) for name in first if name in second}
    return {**first, **second, **shared}


def _merge_lists(first: Sequence[Schema], second: Sequence[Schema]) -> list[Schema]:
    return [_merge_schemas(*pair) for pair in zip_longest(first, second, fillvalue=True)]


def _merge_types(first: str | list[str], second: str | list[str]) -> list[str]:
    ours, theirs = types_of({'type': first}), types_of({'type': second})
    common = {kind for kind in (*ours, *theirs) if _is_among(kind, ours) and _is_among(kind, theirs)}
    return [kind for kind in dict.fromkeys((*ours, *theirs)) if kind in common]


def _merge_enums(first: list[Any], second: list[Any]) -> list[Any]:
    theirs = {*map(to_hashable, second)}
    return [value for value in first if to_hashable(value) in theirs]


MERGES: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(('minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties', 'uniqueItems'), max),
    **dict.fromkeys(('maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'), min),
    **dict.fromkeys(('items', 'additionalProperties', 'propertyNames'), _merge_schemas),
    **dict.fromkeys(('properties', 'patternProperties'), _merge_properties),
    **dict.fromkeys(('required', 'allOf'), operator.add),
    'prefixItems': _merge_lists,
    'type': _merge_types,
    'enum': _merge_enums,
}
"""Keyword → function that merges two of its values."""


def _merge_nodes(first: Json, second: Json) -> Json:
    """Return one node for both. If the values of a keyword cannot be merged, the second one moves to `allOf`."""
    node = dict(first)
    unmerged: list[Json] = []
    for key, value in second.items():
        if key not in node:
            node[key] = value
        elif key in MERGES:
            node[key] = MERGES[key](node[key], value)
        elif node[key] != value:
            unmerged.append({key: value})
    return {**node, 'allOf': [*node.get('allOf', ()), *unmerged]} if unmerged else node


def _find_type(value: Any) -> str:
    match value:
        case None:
            return 'null'
        case bool():
            return 'boolean'
        case int() | float():
            return 'integer' if value % 1 == 0 else 'number'
        case str():
            return 'string'
        case [*_]:
            return 'array'
        case _:
            return 'object'


def _is_among(kind: str, kinds: Sequence[str]) -> bool:
    return kind in kinds or (kind == 'integer' and 'number' in kinds)


def _matches(text: str, pattern: str) -> bool:
    """Return whether the text contains a match. A pattern that Python cannot compile counts as matching."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def _is_multiple(number: float, step: float) -> bool:
    # like `multipleOf` of the package jsonschema: it divides floats, so for it 0.07 is not a multiple of 0.01
    return number % step == 0 if isinstance(step, int) else number / step % 1 == 0


CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    'type': lambda value, kinds: _is_among(_find_type(value), types_of({'type': kinds})),
    'enum': lambda value, options: to_hashable(value) in {*map(to_hashable, options)},
    'const': lambda value, constant: to_hashable(value) == to_hashable(constant),
}
"""Keyword → check for values of all types."""

_NUMBER_CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    'minimum': operator.ge,
    'maximum': operator.le,
    'exclusiveMinimum': operator.gt,
    'exclusiveMaximum': operator.lt,
    'multipleOf': _is_multiple,
}

CHECKS_OF_TYPE: dict[str, dict[str, Callable[[Any, Any], bool]]] = {
    'null': {},
    'boolean': {},
    'integer': _NUMBER_CHECKS,
    'number': _NUMBER_CHECKS,
    'string': {
        'minLength': lambda text, least: len(text) >= least,
        'maxLength': lambda text, most: len(text) <= most,
        'pattern': _matches,
    },
    'array': {
        'minItems': lambda items, least: len(items) >= least,
        'maxItems': lambda items, most: len(items) <= most,
        'uniqueItems': lambda items, wanted: not wanted or len({*map(to_hashable, items)}) == len(items),
    },
    'object': {
        'minProperties': lambda properties, least: len(properties) >= least,
        'maxProperties': lambda properties, most: len(properties) <= most,
        'required': lambda properties, names: all(name in properties for name in names),
    },
}
"""Type → keyword → check for values of this type. Values of other types pass."""
