"""OpenAI's strict mode: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.conformance.validators.rules import Json
from tests.conformance.validators.schemas import nodes

STRUCTURE = frozenset(
    {
        'type',
        'description',
        'title',
        'properties',
        'required',
        'additionalProperties',
        'items',
        'anyOf',
        '$ref',
        '$defs',
    }
)
CONSTRAINTS = frozenset(
    {'enum', 'const', 'pattern', 'format', 'multipleOf', 'maximum', 'exclusiveMaximum', 'minimum', 'exclusiveMinimum'}
)
KEYWORDS = STRUCTURE | CONSTRAINTS | {'minItems', 'maxItems'}
"""Others are refused: `default` (dottxt-ai/outlines#1254), `examples` and `prefixItems` (pydantic-ai#7315)."""

FORMATS = frozenset({'date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'})


def validate(schema: Json, *, keywords: frozenset[str] = KEYWORDS, formats: frozenset[str] = FORMATS) -> Iterator[str]:
    """Yield what strict mode refuses. Services that follow it give their own keywords and formats."""
    if schema.get('type') != 'object' or 'anyOf' in schema:
        yield '$: the root must be an object, and not use anyOf'
    yield from nodes.check_keywords(schema, keywords)
    yield from nodes.check_typed(schema, ('type', '$ref', 'anyOf'))
    yield from nodes.check_closed(schema)
    yield from nodes.check_required(schema)
    yield from nodes.check_references(schema)
    yield from nodes.check_alone(schema)
    yield from _check_values(schema, formats)
    yield from _check_size(schema)


def _check_values(schema: Json, formats: frozenset[str]) -> Iterator[str]:
    for path, node in nodes.walk(schema):
        if 'array' in nodes.types_of(node) and not isinstance(node.get('items'), dict):
            yield f'{path}: array schema missing items'
        if 'object' in nodes.types_of(node) and not isinstance(node.get('properties'), dict):
            yield f'{path}: object schema missing properties'
        if 'format' in node and node['format'] not in formats:
            yield f'{path}: {node["format"]!r} is not a valid format'
        if re.search(r'\(\?<?[=!]', node.get('pattern', '')):
            yield f'{path}: lookaround is not supported'


def _check_size(schema: Json) -> Iterator[str]:
    found = [node for _, node in nodes.walk(schema)]
    enums = [node['enum'] for node in found if 'enum' in node]
    texts = [name for node in found for key in ('properties', '$defs') for name in node.get(key, {})]
    texts += [value for values in enums for value in values if isinstance(value, str)]
    texts += [node['const'] for node in found if isinstance(node.get('const'), str)]
    if (depth := nodes.measure_depth(schema)) > 10:
        yield f'$: {depth} levels of nesting exceed 10'
    if (count := sum(len(node.get('properties', {})) for node in found)) > 5000:
        yield f'$: {count} properties exceed 5000'
    if (count := sum(map(len, enums))) > 1000:
        yield f'$: {count} values of enums exceed 1000'
    if (count := sum(map(len, texts))) > 120_000:
        yield f'$: {count} characters exceed 120000'
    for values in enums:
        if len(values) > 250 and sum(len(value) for value in values if isinstance(value, str)) > 15_000:
            yield '$: an enum of more than 250 values has more than 15000 characters'
