"""Anthropic's structured outputs, also at Bedrock.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations,
https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.validators.rules import Json
from tests.conformance.validators.schemas import nodes

KEYWORDS = frozenset(
    {'type', 'description', 'title', 'properties', 'required', 'additionalProperties', 'items', 'minItems', 'default'}
    | {'enum', 'const', 'format', 'anyOf', 'allOf', '$ref', '$defs', 'definitions'}
)
"""Numerical constraints and lengths are refused, also `maxItems`: BerriAI/litellm#21045."""

FORMATS = frozenset({'date-time', 'time', 'date', 'duration', 'email', 'hostname', 'uri', 'ipv4', 'ipv6', 'uuid'})


def validate(schema: Json) -> Iterator[str]:
    """Yield what the API refuses."""
    if schema.get('type') != 'object':
        yield '$: the root must be an object'
    yield from nodes.check_keywords(schema, KEYWORDS)
    yield from nodes.check_typed(schema, ('type', '$ref', 'anyOf', 'allOf', 'enum', 'const'))
    yield from nodes.check_closed(schema)  # BerriAI/litellm#35811
    yield from nodes.check_references(schema)
    if reference := nodes.find_cycle(schema):
        yield f'$: {reference!r} is recursive, which is not supported'
    optional = unions = 0
    for path, node in nodes.walk(schema):
        if node.get('minItems', 0) not in (0, 1):
            yield f'{path}: minItems must be 0 or 1'
        if 'format' in node and node['format'] not in FORMATS:
            yield f'{path}: {node["format"]!r} is not a supported format'
        if any(isinstance(value, (dict, list)) for value in node.get('enum', [])):
            yield f'{path}: an enum has complex values'
        if any('$ref' in member for member in node.get('allOf', [])):
            yield f'{path}: allOf with $ref is not supported'
        optional += len(set(node.get('properties', {})) - set(node.get('required', [])))
        unions += 'anyOf' in node or isinstance(node.get('type'), list)
    if optional > 24:
        yield f'$: {optional} optional parameters exceed 24'
    if unions > 16:
        yield f'$: {unions} parameters with union types exceed 16'
