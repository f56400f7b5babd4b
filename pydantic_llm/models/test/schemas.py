"""What a JSON schema says: where references lead, what a node is in one piece, which values it accepts.

Formats, conditions (`if`, `dependentSchemas`), `contains` and `unevaluated...` are not looked at.
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

JsonValue = Any
Schema = Mapping[str, Any] | bool
Node = dict[str, Any]
Path = tuple[str, ...]

IMPLIED_TYPES = {
    **dict.fromkeys(('properties', 'required', 'additionalProperties', 'patternProperties'), 'object'),
    **dict.fromkeys(('propertyNames', 'minProperties'), 'object'),
    **dict.fromkeys(('items', 'prefixItems', 'minItems', 'uniqueItems'), 'array'),
    **dict.fromkeys(('minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'), 'number'),
}
"""What a schema without a type is about, by its keywords; a text where none of them says more."""


class NoValueError(Exception):
    """No value was found for the schema in `args[0]`."""


class Schemas:
    """A schema and everything in it. A reference may be followed inside itself `recursions` times."""

    def __init__(self, root: Mapping[str, Any], recursions: int = 1) -> None:
        self.root = root
        self.recursions = recursions

    def resolve(self, reference: str) -> Schema:
        """The node that a reference such as `#/$defs/City` points to."""
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

    def flatten(self, schema: Schema, path: Path = ()) -> tuple[Node, Path]:
        """A node that says the same without `$ref` and `allOf`, and the references that led there.

        What cannot be said in one piece stays under `allOf`. Raises `NoValueError` where no value can follow.
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
            node, reached = _merge(node, other), (*reached, *inner[len(path) :])
        return node, reached

    def of_property(self, node: Mapping[str, Any], name: str) -> Schema:
        """What a node says of the property with this name."""
        found: list[Schema] = [node['properties'][name]] if name in node.get('properties', {}) else []
        found += [schema for pattern, schema in node.get('patternProperties', {}).items() if _matches(name, pattern)]
        if not found:
            found = [node.get('additionalProperties', True)]
        return found[0] if len(found) == 1 else {'allOf': found}

    def accepts(self, schema: Schema, value: JsonValue) -> bool:
        """Whether a value is what the schema asks for."""
        if isinstance(schema, bool):
            return schema
        checks = CHECKS | CHECKS_OF_TYPE[_type_of(value)]
        return (
            all(check(value, schema[key]) for key, check in checks.items() if key in schema)
            and ('$ref' not in schema or self.accepts(self.resolve(schema['$ref']), value))
            and all(self.accepts(part, value) for part in schema.get('allOf', ()))
            and ('anyOf' not in schema or any(self.accepts(part, value) for part in schema['anyOf']))
            and ('oneOf' not in schema or sum(self.accepts(part, value) for part in schema['oneOf']) == 1)
            and ('not' not in schema or not self.accepts(schema['not'], value))
            and all(self.accepts(part, child) for part, child in self._children(schema, value))
        )

    def _children(self, schema: Mapping[str, Any], value: JsonValue) -> list[tuple[Schema, JsonValue]]:
        """What is inside a value, each with what the schema says of it."""
        match value:
            case [*items]:
                prefix: list[Schema] = schema.get('prefixItems', [])
                others = [schema.get('items', True)] * (len(items) - len(prefix))
                return [*zip([*prefix, *others], items, strict=False)]
            case {**properties}:
                names = [(schema.get('propertyNames', True), name) for name in properties]
                return names + [(self.of_property(schema, str(name)), item) for name, item in properties.items()]
            case _:
                return []


def types_of(node: Mapping[str, Any]) -> list[str]:
    """The types that a node allows; without a word about it, the one that its other keywords are about."""
    match node.get('type'):
        case None:
            return [next((kind for key, kind in IMPLIED_TYPES.items() if key in node), 'string')]
        case str() as kind:
            return [kind]
        case kinds:
            return list(kinds)


def fraction(number: float) -> Fraction:
    """The number that is meant by what is written: 0.1 is a tenth."""
    return Fraction(str(number))


def frozen(value: JsonValue) -> object:
    """A hashable stand-in that is equal exactly where JSON values are: 1 and 1.0, but not 1 and true."""
    match value:
        case bool():
            return 'boolean', value
        case [*items]:
            return 'array', *map(frozen, items)
        case {**properties}:
            return 'object', frozenset((name, frozen(item)) for name, item in properties.items())
        case _:
            return value


# ------------------------------------------------------------------------------------------------------- two as one


def _both(first: Schema, second: Schema) -> Schema:
    return {'allOf': [first, second]}


def _both_by_name(first: Mapping[str, Schema], second: Mapping[str, Schema]) -> dict[str, Schema]:
    shared = {name: _both(first[name], second[name]) for name in first if name in second}
    return {**first, **second, **shared}


def _both_by_index(first: Sequence[Schema], second: Sequence[Schema]) -> list[Schema]:
    return [_both(*pair) for pair in zip_longest(first, second, fillvalue=True)]


def _both_types(first: str | list[str], second: str | list[str]) -> list[str]:
    ours, theirs = types_of({'type': first}), types_of({'type': second})
    common = {kind for kind in (*ours, *theirs) if _is_among(kind, ours) and _is_among(kind, theirs)}
    return [kind for kind in dict.fromkeys((*ours, *theirs)) if kind in common]


def _both_enums(first: list[JsonValue], second: list[JsonValue]) -> list[JsonValue]:
    theirs = {*map(frozen, second)}
    return [value for value in first if frozen(value) in theirs]


MERGES: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(('minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties', 'uniqueItems'), max),
    **dict.fromkeys(('maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'), min),
    **dict.fromkeys(('items', 'additionalProperties', 'propertyNames'), _both),
    **dict.fromkeys(('properties', 'patternProperties'), _both_by_name),
    **dict.fromkeys(('required', 'allOf'), operator.add),
    'prefixItems': _both_by_index,
    'type': _both_types,
    'enum': _both_enums,
}
"""How two values of a keyword are said as one."""


def _merge(first: Node, second: Node) -> Node:
    """Both nodes as one; what two of a keyword cannot say as one, the second says under `allOf`."""
    node = dict(first)
    apart: list[Node] = []
    for key, value in second.items():
        if key not in node:
            node[key] = value
        elif key in MERGES:
            node[key] = MERGES[key](node[key], value)
        elif node[key] != value:
            apart.append({key: value})
    return {**node, 'allOf': [*node.get('allOf', ()), *apart]} if apart else node


# ------------------------------------------------------------------------------------------------------- the checks


def _type_of(value: JsonValue) -> str:
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
    """Whether the pattern is in the text; one that Python cannot read is given the benefit of the doubt."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def _is_multiple(number: float, step: float) -> bool:
    """Also by the measure of validators that divide floats, to which 0.07 is no multiple of 0.01."""
    return number % step == 0 if isinstance(step, int) else number / step % 1 == 0


CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    'type': lambda value, kinds: _is_among(_type_of(value), types_of({'type': kinds})),
    'enum': lambda value, options: frozen(value) in {*map(frozen, options)},
    'const': lambda value, constant: frozen(value) == frozen(constant),
}
"""What keywords ask of every value."""

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
        'uniqueItems': lambda items, wanted: not wanted or len({*map(frozen, items)}) == len(items),
    },
    'object': {
        'minProperties': lambda properties, least: len(properties) >= least,
        'maxProperties': lambda properties, most: len(properties) <= most,
        'required': lambda properties, names: all(name in properties for name in names),
    },
}
"""What keywords ask of the values of one type; values of other types pass."""
