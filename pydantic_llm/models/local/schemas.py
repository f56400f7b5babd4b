"""Fit the JSON schemas of outputs and tools to llguidance: close objects, and drop limits that it cannot compile. Pure.

`fit_schema` does both. Outputs and arguments of tools are validated after they are generated, so that a dropped limit
holds there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, cast

from ..._extras import import_extra
from ...exceptions import UserError
from ...json_schemas import NAMED_CHILDREN
from ...json_types import Json
from .grammars import dump_schema

__all__ = ('close_objects', 'fit_schema')

DECIDES_PROPERTIES = frozenset(
    {'additionalProperties', 'patternProperties', 'unevaluatedProperties', 'allOf', 'anyOf', 'oneOf', '$ref'}
)
"""The keywords, other than `properties`, that decide which properties an object has."""

COMBINES_SCHEMAS = ('allOf', 'if', 'then', 'else', 'not', 'dependentSchemas')
"""The keywords that apply several schemas to one value, none of which knows the properties of the others."""

PLAIN_VALUES = ('const', 'enum', 'default', 'examples')
"""The keywords whose value is not a schema."""

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


def fit_schema(schema: Any, note: Callable[[str], None]) -> Any:
    """Return a schema that llguidance compiles. `note` takes a sentence for each limit that is dropped.

    What has no values at all, such as a number between 6 and 3, stays: compiling it raises `UserError`.
    """
    return _loosen(close_objects(schema), note)


# ---------------------------------------------------------------------- open objects


def close_objects(schema: Any) -> Any:
    """Return the schema with `additionalProperties: false` for each object that leaves it open.

    A small model that may add properties adds them without end. Where several schemas apply to one object, all of
    them stay open.
    """
    return schema if any(map(_combines_schemas, _iter_nodes(schema))) else _close(schema)


def _combines_schemas(node: Json) -> bool:
    if '$ref' in node and 'properties' in node:
        return True
    return any(keyword in node and (keyword != 'allOf' or _is_list_of_more(node)) for keyword in COMBINES_SCHEMAS)


def _is_list_of_more(node: Json) -> bool:
    """Return whether `allOf` adds to other schemas. Alone, with one schema, it stands for this schema."""
    options = node['allOf']
    return 'properties' in node or not isinstance(options, list) or len(cast('list[object]', options)) > 1


def _close(schema: Any) -> Any:
    match schema:
        case {'properties': dict(), **rest} if rest.keys().isdisjoint(DECIDES_PROPERTIES):
            closed = _map_schemas(cast('Json', schema), _close)
            is_complete = {*_as_list(rest.get('required'))} <= closed['properties'].keys()
            return {**closed, 'additionalProperties': False} if is_complete else closed
        case dict():
            return _map_schemas(cast('Json', schema), _close)
        case list():
            return [_close(item) for item in cast('list[object]', schema)]
        case _:
            return schema


def _as_list(value: object) -> list[object]:
    return cast('list[object]', value) if isinstance(value, list) else []


# ---------------------------------------------------------------------- limits that cannot be compiled


def _loosen(schema: Any, note: Callable[[str], None]) -> Any:
    match schema:
        case dict():
            kept = {**cast('Json', schema)}
            for limit in [name for name in LIMITS if name in kept]:
                if reason := _find_failure(kept, limit):
                    note(f'the constraint does not enforce {limit} {_show(kept.pop(limit))}: {reason}')
                    if limit == 'patternProperties':
                        kept.pop('additionalProperties', None)  # it is for the names that match no pattern
            return _map_schemas(kept, lambda value: _loosen(value, note))
        case list():
            return [_loosen(item, note) for item in cast('list[object]', schema)]
        case _:
            return schema


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


# ---------------------------------------------------------------------- the nodes of a schema


def _map_schemas(schema: Json, change: Callable[[Any], Any]) -> Json:
    """Return a schema with each schema in it changed."""
    changed: Json = {}
    for key, value in schema.items():
        if key in NAMED_CHILDREN and isinstance(value, dict):
            changed[key] = {name: change(item) for name, item in cast('Json', value).items()}
        else:
            changed[key] = value if key in PLAIN_VALUES else change(value)
    return changed


def _iter_nodes(schema: Any) -> Iterator[Json]:
    """Yield all schemas in a schema, itself included."""
    pending: list[Any] = [schema]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += cast('list[object]', value)
        elif isinstance(value, dict):
            yield (node := cast('Json', value))
            for key, item in node.items():
                if key in NAMED_CHILDREN and isinstance(item, dict):
                    pending += cast('Json', item).values()
                elif key not in PLAIN_VALUES:
                    pending.append(item)
