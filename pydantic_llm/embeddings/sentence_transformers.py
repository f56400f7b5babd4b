"""Embedding and rerank models in this process, run by the package `sentence-transformers`.

`SentenceTransformerEmbeddingModel` embeds, `CrossEncoderRerankModel` reranks. Calls that wait at the same time run
together (`SharedBatches`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from .._checks import check_number
from .._extras import import_extra
from .._threads import Once, run_in_thread
from .._type_checks import check_model_name, check_type
from ..exceptions import ModelTimeoutError, UserError
from ..settings import ModelSettings
from ..usage import RequestUsage
from .model import EmbeddingModel
from .rerank import RankedDocument, RerankModel, RerankResult, check_rerank
from .result import EmbeddingResult, EmbedInputType
from .settings import EmbeddingSettings
from .shared_batches import SharedBatches

__all__ = (
    'CrossEncoderRerankModel',
    'SentenceTransformerEmbeddingModel',
    'SentenceTransformersEmbeddingSettings',
)

T = TypeVar('T')

PACKAGE = 'sentence_transformers'
SYSTEM = 'sentence-transformers'


class SentenceTransformersEmbeddingSettings(EmbeddingSettings, total=False):
    """Settings of embedding models in this process."""

    sentence_transformers_device: str
    """Where the model runs: `'cpu'`, `'cuda:0'`, `'mps'`. By default, where the package puts it."""

    sentence_transformers_normalize_embeddings: bool
    """True to get vectors of the length 1."""

    sentence_transformers_batch_size: int
    """The number of texts that are read together."""


class _Options(NamedTuple):
    """What texts must have in common to be embedded together."""

    input_type: EmbedInputType
    dimensions: int | None
    normalize: bool
    batch_size: int | None
    device: str | None
    truncate: bool


class SentenceTransformerEmbeddingModel(EmbeddingModel):
    """An embedding model in this process: a name on the Hugging Face Hub, a folder, or a `SentenceTransformer`.

    The model is loaded with the first call, or by `load`. `options` are those of `SentenceTransformer`
    (`trust_remote_code=`, `revision=`, ...). Prompts for queries and documents, pooling and normalization are those of
    the model's own configuration. Raises `UserError` if the package is missing.
    """

    settings_type = SentenceTransformersEmbeddingSettings

    def __init__(
        self,
        model: Any,
        *,
        device: str | None = None,
        settings: SentenceTransformersEmbeddingSettings | None = None,
        **options: Any,
    ) -> None:
        super().__init__(settings=settings)
        package = import_extra(PACKAGE, extra=SYSTEM, what='SentenceTransformerEmbeddingModel')
        self._model_name, make = _resolve_model(model, package.SentenceTransformer, {'device': device, **options})
        self._loaded: Once[Any] = Once(make)
        self._batches = SharedBatches[str, tuple[list[float], int]](self._embed, name=self._model_name)

    @property
    def model_name(self) -> str:
        return self._model_name

    @property
    def system(self) -> str:
        return SYSTEM

    async def load(self) -> Any:
        """Load the model now, instead of with the first call. Returns the object of the package."""
        return await self._loaded.get()

    async def embed(
        self,
        inputs: str | Sequence[str],
        *,
        input_type: EmbedInputType,
        settings: EmbeddingSettings | None = None,
    ) -> EmbeddingResult:
        texts, merged = self.prepare_embed(inputs, settings)
        own = cast('Mapping[str, Any]', merged)
        options = _Options(
            input_type,
            merged.get('dimensions'),
            own.get('sentence_transformers_normalize_embeddings', False),
            own.get('sentence_transformers_batch_size'),
            own.get('sentence_transformers_device'),
            merged.get('truncate', False),
        )
        await self.load()
        results = await _limit_time(self._batches.run(texts, options), merged, self._model_name)
        return EmbeddingResult(
            [vector for vector, _ in results],
            inputs=texts,
            input_type=input_type,
            model_name=self._model_name,
            provider_name=SYSTEM,
            usage=RequestUsage(input_tokens=sum(count for _, count in results)),
        )

    def _embed(self, texts: Sequence[str], options: _Options) -> Sequence[tuple[list[float], int]]:
        """Return the vector and the number of tokens of each text. Runs in the thread of the model."""
        model: Any = self._loaded.wait()
        counts = _count_tokens(model, texts)
        limit: int | None = model.get_max_seq_length()
        if limit is not None and not options.truncate and max(counts) > limit:
            message = (
                f'A text has {max(counts)} tokens, and {self._model_name!r} reads {limit}: split it, or set truncate'
            )
            raise UserError(message)
        encode = model.encode_query if options.input_type == 'query' else model.encode_document
        vectors = encode(
            list(texts),
            show_progress_bar=False,
            normalize_embeddings=options.normalize,
            truncate_dim=options.dimensions,
            device=options.device,
            **({} if options.batch_size is None else {'batch_size': options.batch_size}),
        )
        return [
            (vector, count if limit is None else min(count, limit))
            for vector, count in zip(vectors.tolist(), counts, strict=True)
        ]

    async def max_input_tokens(self) -> int | None:
        model: Any = await self.load()
        return cast('int | None', model.get_max_seq_length())

    async def count_tokens(self, text: str) -> int:
        """Return the number of tokens, with the special ones of the tokenizer."""
        model = await self.load()
        return (await run_in_thread(lambda: _count_tokens(model, [text])))[0]

    async def aclose(self) -> None:
        """Stop the thread of the model. The next call starts it again."""
        self._batches.close()


class CrossEncoderRerankModel(RerankModel):
    """A rerank model in this process: a name on the Hugging Face Hub, a folder, or a `CrossEncoder`.

    It is loaded with the first call, or by `load`. `options` are those of `CrossEncoder`. Raises `UserError` if the
    package is missing. Of the settings, `timeout` is used.
    """

    def __init__(
        self,
        model: Any,
        *,
        device: str | None = None,
        batch_size: int | None = None,
        settings: ModelSettings | None = None,
        **options: Any,
    ) -> None:
        check_number('batch_size', batch_size, least=1, whole=True)
        super().__init__(settings=settings)
        package = import_extra(PACKAGE, extra=SYSTEM, what='CrossEncoderRerankModel')
        self._model_name, make = _resolve_model(model, package.CrossEncoder, {'device': device, **options})
        self._loaded: Once[Any] = Once(make)
        self._batches = SharedBatches[tuple[str, str], float](self._score, name=self._model_name)
        self._batch_size = batch_size

    @property
    def model_name(self) -> str:
        return self._model_name

    @property
    def system(self) -> str:
        return SYSTEM

    async def load(self) -> Any:
        """Load the model now, instead of with the first call. Returns the object of the package."""
        return await self._loaded.get()

    async def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        top_n: int | None = None,
        settings: ModelSettings | None = None,
    ) -> RerankResult:
        texts = check_rerank(query, documents, top_n)
        merged = self.merged_settings(settings)
        await self.load()
        pairs = [(query, text) for text in texts]
        scores = await _limit_time(self._batches.run(pairs, None), merged, self._model_name)
        ranked = [RankedDocument(index, texts[index], score) for index, score in enumerate(scores)]
        best = sorted(ranked, key=lambda each: -each.score)[:top_n]
        return RerankResult(best, model_name=self._model_name, provider_name=SYSTEM)

    def _score(self, pairs: Sequence[tuple[str, str]], options: None) -> Sequence[float]:
        """Return the score of each pair of a query and a document. Runs in the thread of the model."""
        model: Any = self._loaded.wait()
        size = {} if self._batch_size is None else {'batch_size': self._batch_size}
        scores: list[Any] = model.predict(list(pairs), show_progress_bar=False, **size).tolist()
        if any(isinstance(score, list) for score in scores):
            raise UserError(f'{self._model_name!r} gives each document several scores: use a model with one label')
        return scores

    async def aclose(self) -> None:
        """Stop the thread of the model. The next call starts it again."""
        self._batches.close()


def _resolve_model(model: Any, kind: type[Any], options: dict[str, Any]) -> tuple[str, Callable[[], Any]]:
    """Return the name of a model, and a function that returns it or loads it."""
    if isinstance(model, kind):
        card = model.model_card_data
        return card.model_id or card.base_model or kind.__name__, lambda: model
    check_type(model, str, parameter='model', expected=f'a name, the path of a folder, or a {kind.__name__}')
    check_model_name(model)

    def load() -> Any:
        from ..models.local.load_errors import translate_errors
        from ..models.local.loading import Source

        source = Source(name=model, trust_remote_code=bool(options.get('trust_remote_code')))
        with translate_errors(source, engine=SYSTEM):
            return kind(model, **options)

    return model, load


def _count_tokens(model: Any, texts: Sequence[str]) -> list[int]:
    tokens = model.tokenizer(list(texts), truncation=False, padding=False, verbose=False)['input_ids']
    return [len(ids) for ids in tokens]


async def _limit_time(results: Awaitable[T], settings: Mapping[str, Any], model_name: str) -> T:
    timeout = settings.get('timeout')
    try:
        async with asyncio.timeout(timeout):
            return await results
    except TimeoutError:
        error = ModelTimeoutError(model_name, deadline='timeout', seconds=timeout, provider_name=SYSTEM)
    raise error
