"""`BedrockEmbeddingModel`: `POST /model/{model}/invoke`, with a body that each family of models has for itself.

`Family` is what the families differ in; the families are Titan, Cohere and Nova.
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import quote

from ..exceptions import UserError
from ..json_types import Json
from ..providers import ApiKey, Provider
from ..wire.counts import decode_count
from .cohere import LIMITS, CohereInputType, CohereTruncate, decode_embeddings, encode_texts
from .settings import EmbeddingSettings
from .wire import DecodedEmbeddings, EmbeddingRequest, RequestLimits, WireEmbeddingModel, read_vector

__all__ = ('BedrockEmbeddingModel', 'BedrockEmbeddingSettings')

GEOGRAPHIES = re.compile(r'^(us|us-gov|eu|apac|jp|au|ca|global)\.')
"""The prefix of an inference profile that a region or a group of regions has."""

TOKEN_COUNT_HEADER = 'x-amzn-bedrock-input-token-count'


class BedrockEmbeddingSettings(EmbeddingSettings, total=False):
    """Settings of embedding models at Amazon Bedrock."""

    bedrock_titan_normalize: bool
    """False to get vectors of any length from Titan 2; by default they have the length 1."""

    bedrock_cohere_input_type: CohereInputType
    """What the texts are for, for Cohere's models. It replaces the one of `input_type`."""

    bedrock_cohere_truncate: CohereTruncate
    """The end that a text which is too long loses, for Cohere's models. It replaces the setting `truncate`."""

    bedrock_cohere_max_tokens: int
    """The number of tokens of each text that are embedded, for Cohere's models from version 4 on."""

    bedrock_nova_truncate: CohereTruncate
    """The end that a text which is too long loses, for Nova. It replaces the setting `truncate`."""

    bedrock_nova_embedding_purpose: Literal[
        'GENERIC_INDEX', 'GENERIC_RETRIEVAL', 'TEXT_RETRIEVAL', 'CLASSIFICATION', 'CLUSTERING'
    ]
    """What the texts are for, for Nova. It replaces the one of `input_type`."""

    bedrock_inference_profile: str
    """The id or the ARN of an inference profile, which is used in place of the model's name."""


def _encode_titan(request: EmbeddingRequest) -> Json:
    settings = request.settings
    body: Json = {'inputText': request.inputs[0]}
    if 'dimensions' in settings:
        body['dimensions'] = settings['dimensions']
    if 'bedrock_titan_normalize' in settings:
        body['normalize'] = settings['bedrock_titan_normalize']
    return body


def _decode_titan(body: Json) -> DecodedEmbeddings:
    return DecodedEmbeddings([read_vector(body['embedding'])], decode_count(body.get('inputTextTokenCount')))


def _encode_cohere(request: EmbeddingRequest) -> Json:
    return encode_texts(request, 'bedrock_cohere_')


NOVA_PURPOSES = {'query': 'GENERIC_RETRIEVAL', 'document': 'GENERIC_INDEX'}


def _encode_nova(request: EmbeddingRequest) -> Json:
    settings = request.settings
    truncate = settings.get('bedrock_nova_truncate', 'END' if settings.get('truncate') else 'NONE')
    parameters: Json = {
        'embeddingPurpose': settings.get('bedrock_nova_embedding_purpose', NOVA_PURPOSES[request.input_type]),
        'text': {'value': request.inputs[0], 'truncationMode': truncate},
    }
    if 'dimensions' in settings:
        parameters['embeddingDimension'] = settings['dimensions']
    return {'taskType': 'SINGLE_EMBEDDING', 'singleEmbeddingParams': parameters}


def _decode_nova(body: Json) -> DecodedEmbeddings:
    [item] = cast('list[Json]', body['embeddings'])
    return DecodedEmbeddings([read_vector(item['embedding'])])


ONE = RequestLimits(inputs=1)


@dataclass(frozen=True, slots=True)
class Family:
    """What the models of one family have in common."""

    name: str
    """A pattern of the beginning of their names."""
    encode: Callable[[EmbeddingRequest], Json]
    decode: Callable[[Json], DecodedEmbeddings]
    max_input_tokens: int
    limits: RequestLimits
    settings: frozenset[str]
    """The settings that some family does not have, and this one has."""


DIMENSIONS, TRUNCATE = frozenset({'dimensions'}), frozenset({'truncate'})
TITAN_2 = DIMENSIONS | {'bedrock_titan_normalize'}
COHERE_4 = DIMENSIONS | TRUNCATE | {'bedrock_cohere_max_tokens'}

FAMILIES = (
    Family(r'amazon\.titan-embed-(text-v1|g1)', _encode_titan, _decode_titan, 8192, ONE, frozenset()),
    Family(r'amazon\.titan-embed', _encode_titan, _decode_titan, 8192, ONE, TITAN_2),
    Family(r'cohere\.embed-.*v3', _encode_cohere, decode_embeddings, 512, LIMITS, TRUNCATE),
    Family(r'cohere\.embed', _encode_cohere, decode_embeddings, 128_000, LIMITS, COHERE_4),
    Family(r'amazon\.nova', _encode_nova, _decode_nova, 8192, ONE, DIMENSIONS | TRUNCATE),
)
"""The families. The first match of a model's name is used."""

VARYING = TITAN_2 | COHERE_4
"""The settings that not every family has."""


class BedrockEmbeddingModel(WireEmbeddingModel):
    """An embedding model at Amazon Bedrock, by its id or the id of an inference profile (`us.cohere.embed-v4:0`).

    `provider` is a `Provider` or the name of one; `api_key` is a shortcut for the provider's. Raises `UserError` for a
    model of an unknown family.
    """

    settings_prefix = 'bedrock_'
    settings_type = BedrockEmbeddingSettings

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str = 'bedrock',
        api_key: ApiKey | None = None,
        settings: BedrockEmbeddingSettings | None = None,
    ) -> None:
        self._family = _find_family(model_name)
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings)
        self.limits: RequestLimits = self._family.limits

    def path(self, settings: Mapping[str, Any]) -> str:
        name = settings.get('bedrock_inference_profile', self.model_name)
        return f'/model/{quote(str(name), safe="")}/invoke'

    def encode(self, request: EmbeddingRequest) -> Json:
        return self._family.encode(request)

    def decode(self, body: Json, headers: Mapping[str, str]) -> DecodedEmbeddings:
        decoded = self._family.decode(body)
        decoded.input_tokens = decode_count(headers.get(TOKEN_COUNT_HEADER)) or decoded.input_tokens
        return decoded

    def find_unsupported(self, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for name in settings:
            if name in VARYING and name not in self._family.settings:
                yield name, f'{self.model_name!r} has no such setting'

    async def max_input_tokens(self) -> int | None:
        return self._family.max_input_tokens


def _find_family(model_name: object) -> Family:
    name = GEOGRAPHIES.sub('', str(model_name).rpartition('/')[2])
    for family in FAMILIES:
        if re.match(family.name, name):
            return family
    known = 'amazon.titan-embed-..., cohere.embed-... or amazon.nova-...'
    raise UserError(f'{model_name!r} is not an embedding model that is known at Bedrock: {known}')
