"""Encodes a request that counts tokens: `POST /responses/input_tokens`."""

from __future__ import annotations

from ....json_types import Json
from ....wire.token_count import select_fields

FIELDS = tuple(
    'model input instructions conversation previous_response_id parallel_tool_calls reasoning text tool_choice tools '
    'truncation'.split()
)
"""The fields of `openai.types.responses.input_token_count_params`."""


def encode_token_count(path: str, body: Json) -> tuple[str, Json]:
    """Return the path and the body of the count, from those of a request for a response."""
    return f'{path}/input_tokens', select_fields(body, FIELDS)
