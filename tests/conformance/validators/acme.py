"""The rules of the example package's own API: JSON, a conversation, and results for its tool calls."""

from __future__ import annotations

from tests.conformance.validators.rules import Json, check_json


def validate(body: Json) -> list[str]:
    """Return every rule that the body breaks."""
    return [*check_json(body)]
