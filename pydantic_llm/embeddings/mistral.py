"""`MistralEmbeddingModel`: `POST /v1/embeddings`.

Source: `EmbeddingRequest` and `EmbeddingResponse` of the mistralai package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ..json_types import Json
from ..providers import ApiKey, Provider
from ..wire.counts import decode_count, get_object
from .settings import EmbeddingSettings
from .wire import DecodedEmbeddings, EmbeddingRequest, RequestLimits, WireEmbeddingModel, read_vector, sort_by_index

__all__ = ('MistralEmbeddingModel', 'MistralEmbeddingSettings')


class MistralEmbeddingSettings(EmbeddingSettings, total=False):
    """Settings of Mistral's embedding models."""

    mistral_output_dtype: str
    """The type of the numbers: `'float'` (the default), `'int8'`, `'uint8'`, `'binary'` or `'ubinary'`."""


class MistralEmbeddingModel(WireEmbeddingModel):
    """An embedding model of Mistral, such as `mistral-embed` and `codestral-embed`.

    `provider` is a `Provider` or the name of one; `api_key` is a shortcut for the provider's. Raises `UserError` if the
    key is missing.
    """

    settings_prefix = 'mistral_'
    settings_type = MistralEmbeddingSettings
    # edgequake-llm#74: 512 inputs; semantic-router#297: "Too many tokens in batch. Max is 16384"
    limits: RequestLimits = RequestLimits(inputs=512, tokens=16_384)

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str = 'mistral',
        api_key: ApiKey | None = None,
        settings: MistralEmbeddingSettings | None = None,
    ) -> None:
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings)

    def path(self, settings: Mapping[str, Any]) -> str:
        return '/v1/embeddings'

    def encode(self, request: EmbeddingRequest) -> Json:
        settings = request.settings
        body: Json = {'model': self.model_name, 'input': list(request.inputs)}
        if 'dimensions' in settings:
            body['output_dimension'] = settings['dimensions']
        if 'mistral_output_dtype' in settings:
            body['output_dtype'] = settings['mistral_output_dtype']
        return body

    def decode(self, body: Json, headers: Mapping[str, str]) -> DecodedEmbeddings:
        items = sort_by_index(cast('list[Json]', body['data']))
        usage = get_object(body.get('usage'))
        return DecodedEmbeddings(
            [read_vector(item['embedding']) for item in items],
            decode_count(usage.get('prompt_tokens')),
            model_name=cast('str | None', body.get('model')),
            response_id=cast('str | None', body.get('id')),
        )

    async def max_input_tokens(self) -> int | None:
        """Return 8192: https://docs.mistral.ai/capabilities/embeddings/overview/."""
        return 8192
