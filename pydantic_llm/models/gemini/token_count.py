"""Encodes a request that counts tokens: `POST /models/{model}:countTokens`.

The Generative Language API takes the whole request in a field, Vertex AI its fields:
https://ai.google.dev/api/tokens, https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/count-tokens
"""

from __future__ import annotations

from ...json_types import Json
from ...wire.token_count import TokenCountApi, select_fields

VERTEX_FIELDS = ('contents', 'systemInstruction', 'tools', 'generationConfig')
VERTEX_PREFIXES = ('publishers/', 'projects/', 'endpoints/')


def _encode_token_count(path: str, body: Json) -> tuple[str, Json]:
    model = path.removeprefix('/').rpartition(':')[0]
    if model.startswith(VERTEX_PREFIXES):
        return f'/{model}:countTokens', select_fields(body, VERTEX_FIELDS)
    return f'/{model}:countTokens', {'generateContentRequest': {'model': model, **body}}


TOKEN_COUNT = TokenCountApi(_encode_token_count, field='totalTokens')
