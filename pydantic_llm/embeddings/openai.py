"""`OpenAIEmbeddingModel`: `POST /embeddings`, at OpenAI, Azure, Ollama and every compatible service.

https://platform.openai.com/docs/api-reference/embeddings/create
"""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, cast

from ..json_types import Json
from ..providers import ApiKey, Provider
from ..wire.counts import decode_count, get_object, select_counts
from .result import EmbedInputType
from .settings import EmbeddingSettings
from .wire import DecodedEmbeddings, EmbeddingRequest, RequestLimits, WireEmbeddingModel, read_vector, sort_by_index

__all__ = ('OpenAIEmbeddingModel', 'OpenAIEmbeddingSettings')

OWN_LIMITS = RequestLimits(inputs=2048, tokens=300_000)
"""The limits at OpenAI and Azure: `EmbeddingCreateParams` of the openai package."""

COMPATIBLE_LIMITS = RequestLimits(inputs=96, tokens=100_000)
"""Limits that other services accept. Gemini's endpoint takes 100 texts (LEANN#214)."""

FIXED_DIMENSIONS = ('text-embedding-ada-002',)
"""Models without a choice of dimensions: "Only supported in `text-embedding-3` and later models"."""


class OpenAIEmbeddingSettings(EmbeddingSettings, total=False):
    """Settings of OpenAI's embedding models."""

    openai_user: str
    """The id of the end user, by which OpenAI detects abuse."""

    openai_query_fields: dict[str, Any]
    """Fields of the body for queries: servers such as vLLM and Jina take `{'input_type': 'query'}`."""

    openai_document_fields: dict[str, Any]
    """Fields of the body for documents."""


class OpenAIEmbeddingModel(WireEmbeddingModel):
    """An embedding model of OpenAI, or of a service with the same API.

    `provider` is a `Provider` or the name of one (`'openai'`, `'azure'`, `'ollama'`, `'together'`, ...); `api_key` is a
    shortcut for the provider's. Raises `UserError` if the key is missing.
    """

    settings_prefix = 'openai_'
    settings_type = OpenAIEmbeddingSettings

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str = 'openai',
        api_key: ApiKey | None = None,
        settings: OpenAIEmbeddingSettings | None = None,
    ) -> None:
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings)
        self._is_own = self.system in ('openai', 'azure')
        self.limits: RequestLimits = OWN_LIMITS if self._is_own else COMPATIBLE_LIMITS

    def path(self, settings: Mapping[str, Any]) -> str:
        return '/embeddings'

    def encode(self, request: EmbeddingRequest) -> Json:
        settings = request.settings
        body: Json = {'model': self.model_name, 'input': list(request.inputs)}
        if self._is_own:
            body['encoding_format'] = 'base64'  # a quarter of the bytes; not every service has it
        if 'dimensions' in settings:
            body['dimensions'] = settings['dimensions']
        if 'openai_user' in settings:
            body['user'] = settings['openai_user']
        return {**body, **settings.get(FIELDS[request.input_type], {})}

    def decode(self, body: Json, headers: Mapping[str, str]) -> DecodedEmbeddings:
        items = sort_by_index(cast('list[Json]', body['data']))
        usage = get_object(body.get('usage'))
        model_name = body.get('model')
        return DecodedEmbeddings(
            [decode_vector(item['embedding']) for item in items],
            decode_count(usage.get('prompt_tokens')) or decode_count(usage.get('total_tokens')),
            model_name=model_name if isinstance(model_name, str) else None,
            details=select_counts(usage, without=('prompt_tokens', 'total_tokens', 'completion_tokens')),
        )

    def find_unsupported(self, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        yield from super().find_unsupported(settings)
        if 'dimensions' in settings and self.model_name.startswith(FIXED_DIMENSIONS):
            yield 'dimensions', f'{self.model_name!r} has a fixed number of them'

    async def max_input_tokens(self) -> int | None:
        """Return 8192 for OpenAI's own models: https://platform.openai.com/docs/guides/embeddings."""
        return 8192 if self._is_own else None


FIELDS: Mapping[EmbedInputType, str] = {'query': 'openai_query_fields', 'document': 'openai_document_fields'}


def decode_vector(value: object) -> list[float]:
    """Return a vector from a list of numbers, or from 32-bit floats in base64, little-endian."""
    if not isinstance(value, str):
        return read_vector(value)
    numbers = array('f', b64decode(value, validate=True))
    if sys.byteorder == 'big':
        numbers.byteswap()
    return read_vector(numbers.tolist())
