"""OpenAI's path of embeddings, over any embedding model: https://platform.openai.com/docs/api-reference/embeddings."""

from __future__ import annotations

from array import array
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ..embeddings import EmbeddingModel, EmbeddingResult, EmbeddingSettings
from ..embeddings.result import EmbedInputType
from ..exceptions import UserError
from ..json_types import Json

__all__ = ('EMBEDDING_PATHS', 'embed')

EMBEDDING_PATHS = (
    '/v1/embeddings',
    '/embeddings',
    '/openai/v1/embeddings',
    '/openai/deployments/{model:path}/embeddings',
)
"""The paths of requests; Azure's has the model."""

FORMATS = ('float', 'base64')
INPUT_TYPES: Mapping[object, EmbedInputType] = {
    None: 'document',
    'document': 'document',
    'query': 'query',
    'passage': 'document',
    'search_document': 'document',
    'search_query': 'query',
}
"""The field `input_type`, which OpenAI does not have, and other vendors' clients send."""

KNOWN_FIELDS = frozenset({'model', 'input', 'encoding_format', 'dimensions', 'user', 'input_type'})


async def embed(model: EmbeddingModel, body: Json) -> tuple[EmbeddingResult, Json]:
    """Return the result of a request, and the body of the response. Raises `UserError` for an invalid body."""
    texts = _read_texts(body.get('input'))
    encoding = body.get('encoding_format') or 'float'
    if encoding not in FORMATS:
        raise UserError(f'encoding_format is {encoding!r}: give {" or ".join(FORMATS)}')
    input_type = INPUT_TYPES.get(body.get('input_type') if isinstance(body.get('input_type'), str) else None)
    if input_type is None:
        raise UserError(f'input_type is {body["input_type"]!r}: give query or document')
    result = await model.embed(texts, input_type=input_type, settings=_read_settings(body))
    return result, _encode_result(result, str(encoding))


def _read_texts(value: object) -> list[str]:
    """Return the texts. Raises `UserError` for tokens: their meaning depends on the tokenizer of one model."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts:
        raise UserError("'input' is missing from the request: give a text or a list of texts")
    for text in cast('Sequence[object]', texts):
        if not isinstance(text, str):
            raise UserError('input holds tokens or other values: this server embeds texts')
    return cast('list[str]', texts)


def _read_settings(body: Json) -> EmbeddingSettings:
    settings: EmbeddingSettings = {}
    if body.get('dimensions') is not None:
        settings['dimensions'] = body['dimensions']
    if unknown := {name: value for name, value in body.items() if name not in KNOWN_FIELDS}:
        settings['extra_body'] = unknown
    return settings


def _encode_result(result: EmbeddingResult, encoding: str) -> Json:
    vectors: list[Any] = [*result.embeddings]
    if encoding == 'base64':  # 32-bit floats, the smallest byte first: what OpenAI's client asks for and decodes
        vectors = [b64encode(array('f', vector).tobytes()).decode() for vector in vectors]
    data = [{'object': 'embedding', 'index': index, 'embedding': vector} for index, vector in enumerate(vectors)]
    usage = {'prompt_tokens': result.usage.input_tokens, 'total_tokens': result.usage.input_tokens}
    return {'object': 'list', 'data': data, 'model': result.model_name, 'usage': usage}
