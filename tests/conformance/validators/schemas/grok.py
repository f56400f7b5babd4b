"""xAI: no lengths of texts and lists, no `allOf`. https://docs.x.ai/docs/guides/structured-outputs."""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.validators.rules import Json
from tests.conformance.validators.schemas import openai


def validate(schema: Json) -> Iterator[str]:
    """Yield what is refused or ignored."""
    yield from openai.validate(schema, keywords=openai.KEYWORDS - {'minItems', 'maxItems'})
