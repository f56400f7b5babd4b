"""The nodes of a JSON schema, and rules that several vendors have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.conformance.validators.rules import Json

BY_NAME = ('properties', '$defs', 'definitions', 'patternProperties', 'dependentSchemas')
SINGLE = ('items', 'additionalProperties', 'not', 'if', 'then', 'else', 'contains', 'propertyNames')
LISTED = ('anyOf', 'oneOf', 'allOf', 'prefixItems')


def walk(schema: Any, path: str = '$') -> Iterator[tuple[str, Json]]:
    """Yield every schema in a schema, with its path."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for key in BY_NAME:
        for name, child in schema.get(key, {}).items():
            yield from walk(child, f'{path}.{key}.{name}')
    for key in SINGLE:
        yield from walk(schema.get(key), f'{path}.{key}')
    for key in LISTED:
        for index, child in enumerate(schema.get(key, [])):
            yield from walk(child, f'{path}.{key}.{index}')


def types_of(node: Json) -> list[str]:
    """Return the types of a node."""
    kind = node.get('type', [])
    return kind if isinstance(kind, list) else [kind]


def follow(root: Json, reference: str) -> Json | None:
    """Return the definition that a reference names."""
    if reference == '#':
        return root
    _, _, path = reference.partition('#/')
    container, _, name = path.partition('/')
    found = root.get(container, {}).get(name) if container in ('$defs', 'definitions') else None
    return found if isinstance(found, dict) else None


def check_references(root: Json) -> Iterator[str]:
    """Yield the references that lead nowhere."""
    for path, node in walk(root):
        if '$ref' in node and follow(root, node['$ref']) is None:
            yield f'{path}: {node["$ref"]!r} leads nowhere'


def check_alone(root: Json) -> Iterator[str]:
    """Yield the references that have other keywords next to them."""
    for path, node in walk(root):
        if '$ref' in node and len([key for key in node if not key.startswith('$')]) > 0:
            yield f'{path}: $ref cannot have keywords {sorted(set(node) - {"$ref"})}'


def check_keywords(root: Json, allowed: frozenset[str]) -> Iterator[str]:
    """Yield the keywords that are not permitted."""
    for path, node in walk(root):
        for key in node.keys() - allowed:
            yield f'{path}: {key!r} is not permitted'


def check_typed(root: Json, typed: tuple[str, ...]) -> Iterator[str]:
    """Yield the nodes that allow any value."""
    for path, node in walk(root):
        if not any(key in node for key in typed):
            yield f"{path}: schema must have a 'type' key"


def check_closed(root: Json) -> Iterator[str]:
    """Yield the objects that are not closed."""
    for path, node in walk(root):
        if 'object' in types_of(node) and node.get('additionalProperties') is not False:
            yield f"{path}: 'additionalProperties' is required to be supplied and to be false"


def check_required(root: Json) -> Iterator[str]:
    """Yield the objects whose `required` is not the list of their properties."""
    for path, node in walk(root):
        if 'object' in types_of(node) and sorted(node.get('required', [])) != sorted(node.get('properties', {})):
            yield f"{path}: 'required' is required to be supplied and to include every key in properties"


def find_cycle(root: Json, *, through: str = 'all') -> str | None:
    """Return a reference that leads back to itself. With `through='required'`, by required properties alone."""

    def visit(node: Any, inside: tuple[str, ...]) -> str | None:
        if not isinstance(node, dict):
            return None
        reference = node.get('$ref')
        if reference is not None:
            if reference in inside:
                return reference
            return visit(follow(root, reference), (*inside, reference))
        required = node.get('required', [])
        children: list[Any] = [
            child for name, child in node.get('properties', {}).items() if through == 'all' or name in required
        ]
        children += [node[key] for key in SINGLE if key in node]
        children += [child for key in LISTED for child in node.get(key, [])]
        return next((found for child in children if (found := visit(child, inside))), None)

    return visit({key: value for key, value in root.items() if key not in ('$defs', 'definitions')}, ('#',))


def measure_depth(root: Json) -> int:
    """Return the number of nested objects, with definitions where they are referred to."""

    def visit(node: Any, inside: tuple[str, ...]) -> int:
        if not isinstance(node, dict):
            return 0
        reference = node.get('$ref')
        if reference is not None:
            return 0 if reference in inside else visit(follow(root, reference), (*inside, reference))
        children: list[Any] = [*node.get('properties', {}).values()]
        children += [node[key] for key in SINGLE if key in node]
        children += [child for key in LISTED for child in node.get(key, [])]
        return max((visit(child, inside) for child in children), default=0) + ('object' in types_of(node))

    return visit(root, ('#',))
