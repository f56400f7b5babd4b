"""`GoogleEmbeddingModel`: the Gemini API and Vertex AI, which have three requests for embeddings.

Source: `AsyncModels.embed_content` of the google-genai package, https://ai.google.dev/gemini-api/docs/embeddings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from ..exceptions import UserError
from ..json_types import Json
from ..models.gemini.model import model_path
from ..profiles.gemini import VERTEX
from ..providers import ApiKey, Provider
from ..wire.counts import decode_count, get_object
from .model import check_inputs
from .settings import EmbeddingSettings
from .wire import DecodedEmbeddings, EmbeddingRequest, RequestLimits, WireEmbeddingModel, read_vector

__all__ = ('GoogleEmbeddingModel', 'GoogleEmbeddingSettings')

GoogleEmbeddingTask = Literal[
    'search result',
    'question answering',
    'fact checking',
    'code retrieval',
    'classification',
    'clustering',
    'sentence similarity',
    'raw',
]

SYMMETRIC_TASKS = ('classification', 'clustering', 'sentence similarity')
"""Tasks for which queries and documents are the same."""

TASK_TYPES = {'query': 'RETRIEVAL_QUERY', 'document': 'RETRIEVAL_DOCUMENT'}

MAX_INPUT_TOKENS = {'gemini-embedding-2': 8192}
"""The tokens of a text, by the beginning of the model's name. The others take 2048."""


class GoogleEmbeddingSettings(EmbeddingSettings, total=False):
    """Settings of Google's embedding models."""

    google_task: GoogleEmbeddingTask
    """The task, which is a prefix of each text for `gemini-embedding-2`; `'raw'` adds none. Default: search result.

    https://ai.google.dev/gemini-api/docs/embeddings#task-types
    """

    google_task_type: str
    """The task for other models, such as `'SEMANTIC_SIMILARITY'`. It replaces the one of `input_type`."""

    google_title: str
    """The title of the documents."""


@dataclass(frozen=True, slots=True)
class Method:
    """One of the requests for embeddings."""

    verb: str
    encode: Callable[[Json, list[str]], Json]
    """Returns the body, from the fields of the settings and the texts."""
    decode: Callable[[Json], DecodedEmbeddings]
    limits: RequestLimits
    settings: frozenset[str]


def _encode_content(text: str) -> Json:
    return {'parts': [{'text': text}]}


def _encode_batch(fields: Json, texts: list[str]) -> Json:
    return {'requests': [{**fields, 'content': _encode_content(text)} for text in texts]}


def _decode_batch(body: Json) -> DecodedEmbeddings:
    return DecodedEmbeddings([read_vector(each['values']) for each in cast('list[Json]', body['embeddings'])])


def _encode_predict(fields: Json, texts: list[str]) -> Json:
    own = {'task_type': fields.get('taskType'), 'title': fields.get('title')}
    shared = {'outputDimensionality': fields.get('outputDimensionality'), 'autoTruncate': fields.get('autoTruncate')}
    body: Json = {'instances': [{'content': text, **_without_none(own)} for text in texts]}
    return {**body, 'parameters': _without_none(shared)} if _without_none(shared) else body


def _decode_predict(body: Json) -> DecodedEmbeddings:
    embeddings = [cast('Json', each['embeddings']) for each in cast('list[Json]', body['predictions'])]
    tokens = sum(decode_count(get_object(each, 'statistics').get('token_count')) for each in embeddings)
    return DecodedEmbeddings([read_vector(each['values']) for each in embeddings], tokens)


def _encode_one(fields: Json, texts: list[str]) -> Json:
    config = {name: value for name, value in fields.items() if name != 'model'}
    return {'content': _encode_content(texts[0]), **({'embedContentConfig': config} if config else {})}


def _decode_one(body: Json) -> DecodedEmbeddings:
    tokens = decode_count(get_object(body.get('usageMetadata')).get('promptTokenCount'))
    return DecodedEmbeddings([read_vector(cast('Json', body['embedding'])['values'])], tokens)


def _without_none(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


# vercel/ai#16575: "at most 100 requests can be in one batch"
BATCH = Method('batchEmbedContents', _encode_batch, _decode_batch, RequestLimits(100), frozenset({'dimensions'}))
# https://docs.cloud.google.com/vertex-ai/generative-ai/docs/embeddings/get-text-embeddings: 250 texts, 20,000 tokens
PREDICT = Method(
    'predict', _encode_predict, _decode_predict, RequestLimits(250, 20_000), frozenset({'dimensions', 'truncate'})
)
# the same page: "gemini-embedding-001 supports one instance per request"
PREDICT_ONE = Method(
    'predict', _encode_predict, _decode_predict, RequestLimits(1), frozenset({'dimensions', 'truncate'})
)
EMBED_ONE = Method('embedContent', _encode_one, _decode_one, RequestLimits(1), frozenset({'dimensions', 'truncate'}))


class GoogleEmbeddingModel(WireEmbeddingModel):
    """An embedding model of Google.

    `provider` is `'google-gla'` (the Gemini API), `'google-vertex'`, or a `Provider`; `api_key` is a shortcut for the
    provider's. Raises `UserError` if the key is missing.
    """

    settings_prefix = 'google_'
    settings_type = GoogleEmbeddingSettings

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str = 'google-gla',
        api_key: ApiKey | None = None,
        settings: GoogleEmbeddingSettings | None = None,
    ) -> None:
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings)
        self._method = _choose_method(model_name, self.system)
        self.limits: RequestLimits = self._method.limits
        self._takes_task_prefix = model_name == 'gemini-embedding-2'

    def path(self, settings: Mapping[str, Any]) -> str:
        return f'/{model_path(self.model_name, self.system)}:{self._method.verb}'

    def encode(self, request: EmbeddingRequest) -> Json:
        settings, fields = request.settings, Json()
        if self.system != VERTEX:
            fields['model'] = model_path(self.model_name, self.system)
        if not self._takes_task_prefix:
            fields['taskType'] = settings.get('google_task_type', TASK_TYPES[request.input_type])
            fields['title'] = settings.get('google_title')
        fields['outputDimensionality'] = settings.get('dimensions')
        if self.system == VERTEX:
            fields['autoTruncate'] = settings.get('truncate', False)  # the API's default loses text silently
        return self._method.encode(_without_none(fields), self._write_texts(request))

    def decode(self, body: Json, headers: Mapping[str, str]) -> DecodedEmbeddings:
        return self._method.decode(body)

    def find_unsupported(self, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        own = {
            'dimensions': self._method.settings,
            'truncate': self._method.settings,
            'google_task': {'google_task'} if self._takes_task_prefix else (),
            'google_task_type': () if self._takes_task_prefix else {'google_task_type'},
        }
        for name in settings:
            if name in own and name not in own[name]:
                yield name, f'{self.model_name!r} at {self.system!r} has no such setting'

    def _write_texts(self, request: EmbeddingRequest) -> list[str]:
        """Return the texts, with the task before each of them if the model takes it in this way."""
        texts, settings = list(request.inputs), request.settings
        task = settings.get('google_task', 'search result')
        if not self._takes_task_prefix or task == 'raw':
            return texts
        if request.input_type == 'document' and task not in SYMMETRIC_TASKS:
            return [f'title: {settings.get("google_title") or "none"} | text: {text}' for text in texts]
        return [f'task: {task} | query: {text}' for text in texts]

    async def max_input_tokens(self) -> int | None:
        return next((limit for name, limit in MAX_INPUT_TOKENS.items() if self.model_name.startswith(name)), 2048)

    async def count_tokens(self, text: str) -> int:
        """Return the number of tokens, by `:countTokens`."""
        [checked] = check_inputs(text, parameter='text')
        sender = await self.open_sender(self.settings or {})
        body = {'contents': [{'role': 'user', **_encode_content(checked)}]}
        path = f'/{model_path(self.model_name, self.system)}:countTokens'
        return await sender.post(path, body, lambda body, headers: int(body['totalTokens']))


def _choose_method(model_name: str, system: str) -> Method:
    """Return the request for a model, as `t_is_vertex_embed_content_model` of google-genai chooses it."""
    if '..' in model_name or any(each in model_name for each in '?&#%\\ '):
        raise UserError(f'{model_name!r} is not a valid model name: it would change the URL of the request')
    if system != VERTEX:
        return BATCH
    if model_name == 'gemini-embedding-001':
        return PREDICT_ONE
    return EMBED_ONE if 'gemini' in model_name or 'maas' in model_name else PREDICT
