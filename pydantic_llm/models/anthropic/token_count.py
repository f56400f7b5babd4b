"""Encodes a request that counts tokens: `POST /v1/messages/count_tokens`.

https://platform.claude.com/docs/en/build-with-claude/token-counting
"""

from __future__ import annotations

from ...json_types import Json
from ...wire.token_count import select_fields

FIELDS = tuple(
    'model messages system tools tool_choice thinking cache_control output_config context_management mcp_servers '
    'speed'.split()
)
"""The fields of `anthropic.types.beta.message_count_tokens_params` that requests of this room have."""


def encode_token_count(path: str, body: Json) -> tuple[str, Json]:
    """Return the path and the body of the count, from those of a request for a response."""
    return f'{path}/count_tokens', select_fields(body, FIELDS)
