"""Cerebras' strict mode: https://inference-docs.cerebras.ai/capabilities/structured-outputs."""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.validators.rules import Json
from tests.conformance.validators.schemas import nodes, openai

LENGTHS = frozenset({'minItems', 'maxItems'})
""""Unsupported JSON schema fields: {'minItems', 'items'}": musistudio/claude-code-router#708."""


def validate(schema: Json) -> Iterator[str]:
    """Yield what strict mode refuses. Objects must be closed: agno-agi/agno#6013."""
    yield from openai.validate(schema, keywords=openai.KEYWORDS - LENGTHS)
    if reference := nodes.find_cycle(schema):
        yield f'$: {reference!r} is recursive, which is not supported'
