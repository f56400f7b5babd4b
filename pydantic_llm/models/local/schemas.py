"""Fit the JSON schemas of outputs and tools to llguidance: close objects, and drop limits that it cannot compile. Pure.

`fit_schema` does both. Outputs and arguments of tools are validated after they are generated, so that a dropped limit
holds there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from ..._extras import import_extra
from ...exceptions import UserError
from ...json_schemas import iter_children, map_children
from ...json_types import Json
from .grammars import dump_schema

__all__ = ('close_objects', 'fit_schema')

DECIDES_PROPERTIES = frozenset(
    {'additionalProperties', 'patternProperties', 'unevaluatedProperties', 'allOf', 'anyOf', 'oneOf', '$ref'}
)
"""The keywords, other than `properties`, that decide which properties an object has."""

COMBINES_SCHEMAS = ('allOf', 'if', 'then', 'else', 'not', 'dependentSchemas')
"""The keywords that apply several schemas to one value, none of which knows the properties of the others."""

LIMITS = (
    'pattern',
    'patternProperties',
    'minimum',
    'maximum',
    'exclusiveMinimum',
    'exclusiveMaximum',
    'multipleOf',
    'minLength',
    'maxLength',
    'minItems',
    'maxItems',
)
"""The keywords that limit a value. Each of them can be dropped without a change of the value's shape."""


def fit_schema(schema: Json, note: Callable[[str], None]) -> Json:
    """Return a schema that llguidance compiles. `note` takes a sentence for each limit that is dropped.

    What has no values at all, such as a number between 6 and 3, stays: compiling it raises `UserError`.
    """
    return _loosen(close_objects(schema), note)


# ---------------------------------------------------------------------- open objects


def close_objects(schema: Json) -> Json:
    """Return the schema with `additionalProperties: false` for each object that leaves it open.

    A small model that may add properties adds them without end. Where several schemas apply to one object, all of
    them stay open.
    """
    return schema if _combines_schemas(schema) else _close(schema)


def _combines_schemas(node: Json) -> bool:
    """Return whether the schema, or a schema in it, applies several schemas to one value."""
    if '$ref' in node and 'properties' in node:
        return True
    if any(keyword in node and (keyword != 'allOf' or _is_list_of_more(node)) for keyword in COMBINES_SCHEMAS):
        return True
    return any(_combines_schemas(child) for _, _, child in iter_children(node))


def _is_list_of_more(node: Json) -> bool:
    """Return whether `allOf` adds to other schemas. Alone, with one schema, it stands for this schema."""
    options = node['allOf']
    return 'properties' in node or not isinstance(options, list) or len(cast('list[object]', options)) > 1


def _close(node: Json) -> Json:
    closed = map_children(node, lambda _, child: _close(child))
    properties: object = closed.get('properties')
    if not isinstance(properties, dict) or not DECIDES_PROPERTIES.isdisjoint(closed):
        return closed
    is_complete = {*_as_list(closed.get('required'))} <= cast('Json', properties).keys()
    return {**closed, 'additionalProperties': False} if is_complete else closed


def _as_list(value: object) -> list[object]:
    return cast('list[object]', value) if isinstance(value, list) else []


# ---------------------------------------------------------------------- limits that cannot be compiled


def _loosen(node: Json, note: Callable[[str], None]) -> Json:
    kept = {**node}
    for limit in [name for name in LIMITS if name in kept]:
        if reason := _find_failure(kept, limit):
            note(f'the constraint does not enforce {limit} {_show(kept.pop(limit))}: {reason}')
            if limit == 'patternProperties':
                kept.pop('additionalProperties', None)  # it is for the names that match no pattern
    return map_children(kept, lambda _, child: _loosen(child, note))


def _show(value: object) -> str:
    return ', '.join(map(repr, cast('Json', value))) if isinstance(value, dict) else repr(value)


def _find_failure(node: Json, limit: str) -> str:
    """Return the reason why a limit cannot be compiled; empty if it can."""
    value: Any = node[limit]
    if limit == 'patternProperties' and isinstance(value, dict):
        value = dict.fromkeys(cast('Json', value), True)
    kept: Json = {limit: value, **({'type': node['type']} if 'type' in node else {})}
    return _compile_alone(dump_schema(kept))


@lru_cache(maxsize=1024)
def _compile_alone(text: str) -> str:
    """Return the last line of llguidance's error for a schema; empty without an error, or without llguidance."""
    try:
        matcher = import_extra('llguidance', extra='transformers', what='A constraint').LLMatcher
    except UserError:
        return ''
    try:
        failure: str = matcher.validate_grammar(matcher.grammar_from_json_schema(text, overrides={'lenient': True}))
    except ValueError as error:
        failure = f'{error}'
    return failure.strip().rpartition('\n')[2].removeprefix('error: ')
