"""Groq's strict mode: all properties are required, and objects are closed.

https://console.groq.com/docs/structured-outputs
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.validators.rules import Json
from tests.conformance.validators.schemas import openai


def validate(schema: Json) -> Iterator[str]:
    """Yield what strict mode refuses: the rules are OpenAI's."""
    yield from openai.validate(schema)
