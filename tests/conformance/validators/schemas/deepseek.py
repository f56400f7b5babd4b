"""DeepSeek's strict mode for tools: https://api-docs.deepseek.com/guides/tool_calls."""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.validators.rules import Json
from tests.conformance.validators.schemas import nodes, openai

FORMATS = frozenset({'email', 'hostname', 'ipv4', 'ipv6', 'uuid'})
LENGTHS = frozenset({'minItems', 'maxItems'})


def validate(schema: Json) -> Iterator[str]:
    """Yield what strict mode refuses."""
    yield from openai.validate(schema, keywords=openai.KEYWORDS - LENGTHS, formats=FORMATS)
    for path, node in nodes.walk(schema):
        if path != '$' and 'object' in nodes.types_of(node) and not node.get('properties'):
            yield f'{path}: an object below the root has no properties'
