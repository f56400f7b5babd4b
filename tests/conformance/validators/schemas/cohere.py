"""Cohere's structured outputs: https://docs.cohere.com/docs/structured-outputs."""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.validators.rules import Json
from tests.conformance.validators.schemas import nodes

REFUSED = frozenset(
    {'allOf', 'oneOf', 'not', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minItems'}
    | {'maxItems', 'uniqueItems', 'minLength', 'maxLength', 'prefixItems', 'patternProperties', 'discriminator'}
)
FORMATS = frozenset({'date-time', 'uuid', 'date', 'time'})


def validate(schema: Json) -> Iterator[str]:
    """Yield what the API refuses."""
    if schema.get('type') != 'object':
        yield '$: the root must be an object'
    yield from nodes.check_references(schema)
    for path, node in nodes.walk(schema):
        for key in node.keys() & REFUSED:
            yield f'{path}: {key!r} is not supported'
        if 'format' in node and node['format'] not in FORMATS:
            yield f'{path}: {node["format"]!r} is not a supported format'
        if 'object' in nodes.types_of(node) and not node.get('required'):
            yield f'{path}: every object must have at least one required property'
