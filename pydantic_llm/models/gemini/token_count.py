"""Encodes a request that counts tokens: `POST /models/{model}:countTokens`.

The Generative Language API takes the whole request in a field, Vertex AI its fields:
https://ai.google.dev/api/tokens, https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/count-tokens
"""

from __future__ import annotations

from ...json_types import Json
from ...wire.token_count import select_fields

VERTEX_FIELDS = ('contents', 'systemInstruction', 'tools', 'generationConfig')
VERTEX_PREFIXES = ('publishers/', 'projects/', 'endpoints/')


def encode_token_count(path: str, body: Json) -> tuple[str, Json]:
    """Return the path and the body of the count, from those of a request for a response."""
    model = path.removeprefix('/').rpartition(':')[0]
    if model.startswith(VERTEX_PREFIXES):
        return f'/{model}:countTokens', select_fields(body, VERTEX_FIELDS)
    return f'/{model}:countTokens', {'generateContentRequest': {'model': model, **body}}
