"""Mistral's strict outputs: objects are closed, as Mistral's SDK closes them (`rec_strict_json_schema`).

https://docs.mistral.ai/capabilities/structured-output/custom_structured_output
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.validators.rules import Json
from tests.conformance.validators.schemas import nodes


def validate(schema: Json) -> Iterator[str]:
    """Yield what strict mode refuses."""
    yield from nodes.check_closed(schema)
    yield from nodes.check_references(schema)
