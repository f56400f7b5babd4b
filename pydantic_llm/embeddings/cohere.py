"""`CohereEmbeddingModel`: `POST /v2/embed`. The encoder and the decoder are shared with Cohere's models at Bedrock.

Source: `V2Client.embed` of the cohere package, https://docs.cohere.com/reference/embed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, cast

from ..exceptions import UnexpectedModelBehavior
from ..json_types import Json
from ..providers import ApiKey, Provider
from ..wire.counts import decode_count, get_object, select_counts
from .model import check_inputs
from .result import EmbedInputType
from .settings import EmbeddingSettings
from .wire import DecodedEmbeddings, EmbeddingRequest, RequestLimits, WireEmbeddingModel, read_vector

__all__ = ('CohereEmbeddingModel', 'CohereEmbeddingSettings', 'CohereInputType', 'CohereTruncate')

CohereInputType = Literal['search_query', 'search_document', 'classification', 'clustering']
"""What the texts are for."""

CohereTruncate = Literal['NONE', 'START', 'END']
"""The end that a text which is too long loses; `'NONE'` makes such a text an error."""

INPUT_TYPES: Mapping[EmbedInputType, CohereInputType] = {'query': 'search_query', 'document': 'search_document'}

LIMITS = RequestLimits(inputs=96)
"""The limits of a request: "Maximum number of texts per call is `96`"."""

MAX_INPUT_TOKENS = {'embed-v4.0': 128_000}
"""The tokens of a text, by model: https://docs.cohere.com/docs/cohere-embed. The others take 512."""


class CohereEmbeddingSettings(EmbeddingSettings, total=False):
    """Settings of Cohere's embedding models."""

    cohere_input_type: CohereInputType
    """What the texts are for. It replaces the one of `input_type`."""

    cohere_truncate: CohereTruncate
    """The end that a text which is too long loses. It replaces the setting `truncate`; `'NONE'` makes it an error."""

    cohere_max_tokens: int
    """The number of tokens of each text that are embedded."""


class CohereEmbeddingModel(WireEmbeddingModel):
    """An embedding model of Cohere.

    `provider` is a `Provider` or the name of one; `api_key` is a shortcut for the provider's. Raises `UserError` if the
    key is missing.
    """

    supported_settings: ClassVar[frozenset[str]] = frozenset({'dimensions', 'truncate'})
    settings_prefix = 'cohere_'
    settings_type = CohereEmbeddingSettings
    limits = LIMITS

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str = 'cohere',
        api_key: ApiKey | None = None,
        settings: CohereEmbeddingSettings | None = None,
    ) -> None:
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings)

    def path(self, settings: Mapping[str, Any]) -> str:
        return '/v2/embed'

    def encode(self, request: EmbeddingRequest) -> Json:
        return {'model': self.model_name, **encode_texts(request, 'cohere_'), 'embedding_types': ['float']}

    def decode(self, body: Json, headers: Mapping[str, str]) -> DecodedEmbeddings:
        return decode_embeddings(body)

    async def max_input_tokens(self) -> int | None:
        return MAX_INPUT_TOKENS.get(self.model_name, 512)

    async def count_tokens(self, text: str) -> int:
        """Return the number of tokens, by `POST /v1/tokenize`, which takes texts of up to 65,536 characters."""
        [checked] = check_inputs(text, parameter='text')
        sender = await self.open_sender(self.settings or {})
        return await sender.post('/v1/tokenize', {'model': self.model_name, 'text': checked}, _decode_count)


def encode_texts(request: EmbeddingRequest, prefix: str) -> Json:
    """Return the fields of a body that do not depend on the server. `prefix` is that of the settings."""
    settings = request.settings
    body: Json = {
        'texts': list(request.inputs),
        'input_type': settings.get(f'{prefix}input_type', INPUT_TYPES[request.input_type]),
        'truncate': settings.get(f'{prefix}truncate', 'END' if settings.get('truncate') else 'NONE'),
    }
    if 'dimensions' in settings:
        body['output_dimension'] = settings['dimensions']
    if f'{prefix}max_tokens' in settings:
        body['max_tokens'] = settings[f'{prefix}max_tokens']
    return body


def decode_embeddings(body: Json) -> DecodedEmbeddings:
    """Decode a response: vectors in a list, or in an object by their type."""
    vectors: Any = body['embeddings']
    if isinstance(vectors, dict):
        vectors = cast('Json', vectors)['float']
    billed = get_object(get_object(body.get('meta')), 'billed_units')
    return DecodedEmbeddings(
        [read_vector(vector) for vector in vectors],
        decode_count(billed.get('input_tokens')),
        response_id=cast('str | None', body.get('id')),
        details=select_counts(billed, without=('input_tokens',)),
    )


def _decode_count(body: Json, headers: Mapping[str, str]) -> int:
    tokens: object = body.get('tokens')
    if not isinstance(tokens, list):
        raise UnexpectedModelBehavior('The response of the tokenizer has no tokens')
    return len(cast('list[object]', tokens))
