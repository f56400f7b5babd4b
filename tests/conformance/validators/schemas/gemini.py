"""Gemini's `responseJsonSchema` and `parametersJsonSchema`: https://ai.google.dev/api/generate-content."""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.validators.rules import Json
from tests.conformance.validators.schemas import nodes

KEYWORDS = frozenset(
    {'$id', '$defs', '$ref', '$anchor', 'type', 'format', 'title', 'description', 'enum', 'items', 'prefixItems'}
    | {'minItems', 'maxItems', 'minimum', 'maximum', 'anyOf', 'oneOf', 'properties', 'additionalProperties', 'required'}
    | {'propertyOrdering', 'default', 'minLength', 'maxLength', 'pattern', 'uniqueItems'}  # the last five in recordings
)


def validate(schema: Json) -> Iterator[str]:
    """Yield what the API refuses or ignores."""
    yield from nodes.check_keywords(schema, KEYWORDS)
    yield from nodes.check_references(schema)
    yield from nodes.check_alone(schema)  # google-gemini/gemini-cli#4758
    if reference := nodes.find_cycle(schema, through='required'):
        yield f'$: {reference!r} is recursive by required properties'
    for path, node in nodes.walk(schema):
        if any(isinstance(value, bool) or not isinstance(value, (str, int, float)) for value in node.get('enum', [])):
            yield f'{path}: enum is for texts and numbers'
        if unknown := set(node.get('required', [])) - set(node.get('properties', {})):
            yield f'{path}: required properties are not defined: {sorted(unknown)}'
