"""`HuggingFaceEmbeddingModel`: the task *feature extraction* of Hugging Face, and Text Embeddings Inference.

Source: `HFInferenceFeatureExtractionTask` of the huggingface_hub package,
https://huggingface.co/docs/inference-providers/tasks/feature-extraction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from .._type_checks import check_type
from ..json_types import Json
from ..providers import ApiKey, Provider, choose_provider
from ..providers.huggingface import HuggingFaceProvider
from ..transport import Connection
from ..wire.counts import decode_count
from .settings import EmbeddingSettings
from .wire import DecodedEmbeddings, EmbeddingRequest, RequestLimits, WireEmbeddingModel, read_vector

__all__ = ('HuggingFaceEmbeddingModel', 'HuggingFaceEmbeddingSettings')

TOKENS_HEADER = 'x-compute-tokens'
"""The header in which Text Embeddings Inference counts tokens."""


class HuggingFaceEmbeddingSettings(EmbeddingSettings, total=False):
    """Settings of embedding models at Hugging Face."""

    huggingface_normalize: bool
    """True to get vectors of the length 1. Only servers of Text Embeddings Inference have it."""

    huggingface_query_prompt: str
    """The name of the prompt before queries, one of those in the configuration of the model."""

    huggingface_document_prompt: str
    """The name of the prompt before documents."""


class HuggingFaceEmbeddingModel(WireEmbeddingModel):
    """An embedding model at Hugging Face's own servers (`hf-inference`), or at an endpoint of yours (`base_url=`).

    `provider` is a `HuggingFaceProvider` or `'huggingface'`; `api_key` is a shortcut for the provider's. Raises
    `UserError` if the key is missing, and for a provider of another service: those are `OpenAIEmbeddingModel`s.
    """

    supported_settings: ClassVar[frozenset[str]] = frozenset({'truncate'})
    settings_prefix = 'huggingface_'
    settings_type = HuggingFaceEmbeddingSettings
    # The default of MAX_CLIENT_BATCH_SIZE: text-embeddings-inference#378
    limits: RequestLimits = RequestLimits(inputs=32)

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str = 'huggingface',
        api_key: ApiKey | None = None,
        settings: HuggingFaceEmbeddingSettings | None = None,
    ) -> None:
        chosen = choose_provider(provider, api_key)
        check_type(chosen, HuggingFaceProvider, parameter='provider')
        super().__init__(model_name, provider=chosen, settings=settings)
        self._connection = cast('HuggingFaceProvider', chosen).connect_for('feature-extraction')

    @property
    def connection(self) -> Connection:
        return self._connection

    def path(self, settings: Mapping[str, Any]) -> str:
        return ''  # the connection has the URL of the model

    def encode(self, request: EmbeddingRequest) -> Json:
        settings = request.settings
        prompt = settings.get(f'huggingface_{request.input_type}_prompt')
        fields = {
            'normalize': settings.get('huggingface_normalize'),
            'prompt_name': prompt,
            'truncate': settings.get('truncate'),
        }
        return {'inputs': list(request.inputs)} | {name: value for name, value in fields.items() if value is not None}

    def decode(self, body: Json, headers: Mapping[str, str]) -> DecodedEmbeddings:
        vectors = cast('list[Any]', body['data'])
        return DecodedEmbeddings([read_vector(vector) for vector in vectors], decode_count(headers.get(TOKENS_HEADER)))
