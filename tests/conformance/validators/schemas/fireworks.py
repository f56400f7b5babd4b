"""Fireworks AI: no `oneOf`, no lengths, no patterns.

https://docs.fireworks.ai/structured-responses/structured-response-formatting
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.validators.rules import Json
from tests.conformance.validators.schemas import openai


def validate(schema: Json) -> Iterator[str]:
    """Yield what is refused or ignored."""
    yield from openai.validate(schema, keywords=openai.KEYWORDS - {'minItems', 'maxItems', 'pattern'})
