"""Encodes a request that counts tokens: `POST /model/{model}/count-tokens`.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html
"""

from __future__ import annotations

from ...json_types import Json
from ...wire.token_count import select_fields

FIELDS = ('messages', 'system', 'toolConfig', 'additionalModelRequestFields')
"""The fields of `ConverseTokensRequest` in botocore's model of the service."""


def encode_token_count(path: str, body: Json) -> tuple[str, Json]:
    """Return the path and the body of the count, from those of a request for a response."""
    return f'{path.rpartition("/")[0]}/count-tokens', {'input': {'converse': select_fields(body, FIELDS)}}
