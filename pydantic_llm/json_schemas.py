"""JSON schemas as data: their children, their references, and the check of schemas that callers give.

`normalize_schema` is the door: every schema of a tool or an output passes it before a profile rewrites it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from json import dumps
from math import isfinite
from typing import Any, TypeGuard, cast
from urllib.parse import unquote

from pydantic_core import from_json, to_json

from .exceptions import UserError
from .json_types import Json

__all__ = (
    'LISTED_CHILDREN',
    'NAMED_CHILDREN',
    'SINGLE_CHILDREN',
    'flatten_root',
    'is_local_reference',
    'iter_children',
    'map_children',
    'normalize_schema',
    'resolve_reference',
    'resolve_root',
)

NAMED_CHILDREN = ('properties', '$defs', 'definitions', 'patternProperties', 'dependentSchemas')
"""Keywords whose value is an object of schemas."""

SINGLE_CHILDREN = (
    'items',
    'additionalProperties',
    'not',
    'if',
    'then',
    'else',
    'contains',
    'propertyNames',
    'additionalItems',
    'unevaluatedItems',
    'unevaluatedProperties',
    'contentSchema',
)
"""Keywords whose value is a schema."""

LISTED_CHILDREN = ('anyOf', 'oneOf', 'allOf', 'prefixItems')
"""Keywords whose value is a list of schemas."""

MAY_BE_NULL = frozenset({'const', 'default'})
"""Keywords whose value may be null."""

MAX_DEPTH = 128
"""The maximum nesting of lists and objects in a schema: 64 levels of objects. No vendor enforces more than 10."""


def iter_children(node: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield the keyword, the name (or index) and the schema of each child that is an object."""
    for key in NAMED_CHILDREN:
        if isinstance(named := node.get(key), dict):
            for name, child in cast('Json', named).items():
                if isinstance(child, dict):
                    yield key, name, cast('Json', child)
    for key in SINGLE_CHILDREN:
        if isinstance(child := node.get(key), dict):
            yield key, key, cast('Json', child)
    for key in LISTED_CHILDREN:
        if isinstance(listed := node.get(key), list):
            for index, child in enumerate(cast('list[object]', listed)):
                if isinstance(child, dict):
                    yield key, str(index), cast('Json', child)


# ---------------------------------------------------------------------- references


def is_local_reference(reference: object) -> TypeGuard[str]:
    """Return whether a reference is a JSON pointer into the same schema: `#`, `#/$defs/City`."""
    return reference == '#' or (isinstance(reference, str) and reference.startswith('#/'))


def resolve_reference(root: Json, reference: str) -> Json | None:
    """Return the schema that a local reference points to, or `None`.

    https://datatracker.ietf.org/doc/html/rfc6901
    """
    found: Any = root
    for token in reference.split('/')[1:]:
        key = unquote(token).replace('~1', '/').replace('~0', '~')
        if isinstance(found, dict) and key in found:
            found = cast('Json', found)[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(cast('list[object]', found)):
            found = cast('list[object]', found)[int(key)]
        else:
            return None
    return cast('Json', found) if isinstance(found, dict) else None


def resolve_root(schema: Json) -> Json:
    """Return a schema whose root is no reference: the schema of a class that contains itself is one.

    Keywords next to the reference override those of the definition.
    """
    seen: set[str] = set()
    while is_local_reference(reference := schema.get('$ref')) and reference not in seen:
        seen.add(reference)
        target = resolve_reference(schema, reference)
        if target is None:
            return schema
        schema = {**target, **{key: value for key, value in schema.items() if key != '$ref'}}
        if '$ref' in target:
            schema['$ref'] = target['$ref']
    return schema


def flatten_root(schema: Json) -> tuple[Json, tuple[str, ...]]:
    """Return a schema without unions and intersections at its root, and those that it had.

    Anthropic refuses them ("input_schema does not support oneOf, allOf, or anyOf at the top level",
    makenotion/notion-mcp-server#341), and so do Google and Azure OpenAI (DeusData/codebase-memory-mcp#1524). The
    properties of all members become those of the root, and are required if all members of a union require them.
    """
    found = tuple(key for key in ROOT_CHOICES if key in schema)
    if not found:
        return schema, ()
    flat: Json = {key: value for key, value in schema.items() if key not in ROOT_CHOICES}
    children: dict[str, list[Any]] = {name: [child] for name, child in flat.get('properties', {}).items()}
    required = dict.fromkeys(flat.get('required', ()))
    for key in found:
        members = [_resolve_member(schema, member) for member in schema[key]]
        for member in members:
            for name, child in member.get('properties', {}).items():
                children.setdefault(name, []).append(child)
        names = [set(member.get('required', ())) for member in members]
        shared = set[str]().union(*names) if key == 'allOf' else set(children).intersection(*names)
        required |= dict.fromkeys(name for name in children if name in shared)
    flat['properties'] = {name: _join_children(schemas) for name, schemas in children.items()}
    return {**flat, 'required': [*required]} if required else flat, found


ROOT_CHOICES = ('anyOf', 'oneOf', 'allOf')


def _resolve_member(root: Json, member: Any) -> Json:
    if not isinstance(member, dict):
        return {}
    reference = cast('Json', member).get('$ref')
    target = resolve_reference(root, reference) if is_local_reference(reference) else None
    return cast('Json', member) if target is None else target


def _join_children(schemas: Sequence[Any]) -> Any:
    """Return the schema of a property that several members of a union have: the union of its schemas."""
    if len({_name_schema(schema) for schema in schemas}) == 1:
        return schemas[0]
    first = cast('Json', schemas[0]) if isinstance(schemas[0], dict) else {}
    members: list[Any] = first['anyOf'] if first.keys() == {'anyOf'} else [schemas[0]]
    members = [*members, *schemas[1:]]
    return {'anyOf': list({_name_schema(member): member for member in members}.values())}


def _name_schema(schema: object) -> str:
    """Return a text that equal schemas share."""
    return dumps(schema, sort_keys=True)


# ---------------------------------------------------------------------- the check


def normalize_schema(schema: object, owner: str) -> Json:
    """Return a schema whose root is an object and no reference, without keywords that are null.

    Raises `UserError`, naming the owner (`"tool 'look'"`), if the value is not a JSON schema of an object. The result
    is shared between requests and must not be changed.
    """
    try:
        text = to_json(schema, inf_nan_mode='constants')
    except (ValueError, RecursionError) as error:
        raise UserError(f'The schema of {owner} cannot be written as JSON: {error}') from error
    normalized, problem = _normalize_json(text)
    if problem is not None:
        raise UserError(f'The schema of {owner} is not a valid JSON schema: {problem}')
    return normalized


@lru_cache(maxsize=512)
def _normalize_json(text: bytes) -> tuple[Json, str | None]:
    """Return a normalized schema, or the first problem of it."""
    if _measure_depth(text) > MAX_DEPTH:
        return {}, f'it is nested deeper than {MAX_DEPTH} levels'
    schema: Any = from_json(text)
    if not isinstance(schema, dict):
        return {}, f'it is {schema!r}, not an object'
    cleaned = _rename_definitions(_modernize(cast('Json', schema)))
    if problem := next(_find_problems(cleaned, '$', cleaned, set()), None):
        return {}, problem
    root = resolve_root(cleaned)
    kind = root.get('type', 'object')
    if kind != 'object' and not (isinstance(kind, list) and 'object' in kind):
        return {}, f'it describes a value of the type {kind!r}, and must describe an object'
    return {**root, 'type': 'object'}, None


def _rename_definitions(schema: Json) -> Json:
    """Return a schema with `$defs` for `definitions`, the older name."""
    if 'definitions' not in schema or '$defs' in schema:
        return schema
    renamed: Json = _replace_prefix(schema, '#/definitions/', '#/$defs/')
    return {'$defs' if key == 'definitions' else key: value for key, value in renamed.items()}


def _replace_prefix(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        node: Json = {key: _replace_prefix(item, old, new) for key, item in cast('Json', value).items()}
        if isinstance(reference := node.get('$ref'), str) and reference.startswith(old):
            node['$ref'] = new + reference.removeprefix(old)
        return node
    if isinstance(value, list):
        return [_replace_prefix(item, old, new) for item in cast('list[object]', value)]
    return value


def _measure_depth(text: bytes) -> int:
    """Return the deepest nesting of brackets in JSON, without recursion."""
    depth = deepest = 0
    in_text = escaped = False
    for byte in text:
        if in_text:
            in_text, escaped = escaped or byte != 0x22, byte == 0x5C and not escaped
        elif byte == 0x22:
            in_text = True
        elif byte in b'{[':
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b'}]':
            depth -= 1
    return deepest


def _modernize(node: Json) -> Json:
    """Return a node without keywords that are null, with the keyword for tuples of draft 2020-12.

    MCP servers written in Go send `"required": null`, older generators a list as `items`, and Google's write types in
    upper case (`"OBJECT"`).
    """
    modern: Json = {key: value for key, value in node.items() if value is not None or key in MAY_BE_NULL}
    if isinstance(kind := modern.get('type'), str) and kind.isupper():
        modern['type'] = kind.lower()
    if isinstance(modern.get('items'), list):
        modern['prefixItems'] = modern.pop('items')
        if 'additionalItems' in modern:
            modern['items'] = modern.pop('additionalItems')
    return map_children(modern, lambda _, child: _modernize(child))


def map_children(node: Json, change: Callable[[str, Json], Json]) -> Json:
    """Return a node with changed children. `change` gets the name, or the index, of a child, and its schema."""
    changed: dict[str, dict[str, Json]] = {}
    for key, name, child in iter_children(node):
        changed.setdefault(key, {})[name] = change(name, child)
    mapped = dict(node)
    for key, children in changed.items():
        if key in NAMED_CHILDREN:
            mapped[key] = node[key] | children
        elif key in LISTED_CHILDREN:
            mapped[key] = [children.get(str(index), child) for index, child in enumerate(node[key])]
        else:
            mapped[key] = children[key]
    return mapped


def _find_problems(node: Json, path: str, root: Json, sound: set[str]) -> Iterator[str]:
    """Yield the problems of a node and of its children. `sound` are the references that were checked already."""
    for key, value in node.items():
        if (wanted := _find_wrong_type(key, value)) is not None:
            yield f'{key!r} of {path} must be {wanted}, not {value!r}'
    if problem := _find_broken_reference(node, root, sound):
        yield f'{path} refers to {node["$ref"]!r}, {problem}'
    for _, name, child in iter_children(node):
        yield from _find_problems(child, f'{path}.{name}', root, sound)


def _find_broken_reference(node: Json, root: Json, sound: set[str]) -> str | None:
    seen: set[str] = set()
    while is_local_reference(reference := node.get('$ref')) and reference not in sound:
        target = resolve_reference(root, reference)
        if target is None:
            return f'and there is no {reference!r}'
        if reference in seen:
            return 'which refers to itself'
        seen.add(reference)
        node = target
    sound |= seen
    return None


def _find_wrong_type(key: str, value: Any) -> str | None:
    """Return what the value of a keyword must be, if it is something else."""
    if key in NAMED_CHILDREN:
        return None if _is_dict_of_schemas(value) else 'an object of schemas'
    if key in LISTED_CHILDREN:
        return (
            None if isinstance(value, list) and all(map(_is_schema, cast('list[Any]', value))) else 'a list of schemas'  # type: ignore[redundant-cast]  # pyright needs it
        )
    if key in SINGLE_CHILDREN:
        return None if _is_schema(value) else 'a schema'
    match key:
        case 'required':
            return None if _is_list_of_text(value) else 'a list of names'
        case 'type':
            return (
                None if isinstance(value, str) or _is_list_of_text(value) else 'the name of a type, or a list of names'
            )
        case '$ref' | 'description' | 'title' | 'pattern' | 'format':
            return None if isinstance(value, str) else 'text'
        case 'enum':
            return None if isinstance(value, list) else 'a list of values'
        case _:
            return 'a number of JSON' if isinstance(value, float) and not isfinite(value) else None


def _is_schema(value: Any) -> bool:
    return isinstance(value, (dict, bool))


def _is_dict_of_schemas(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_schema, cast('Json', value).values()))


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in cast('list[Any]', value))  # type: ignore[redundant-cast]  # pyright needs it
