"""Embedding and rerank models in this process, run by the package `sentence-transformers`.

`SentenceTransformerEmbeddingModel` embeds, `CrossEncoderRerankModel` reranks. Calls that wait at the same time run
together (`SharedBatches`).
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from os import PathLike, fspath
from typing import Any, NamedTuple, TypeVar, cast

from .._checks import check_number
from .._extras import import_extra
from .._suggestions import suggest
from .._threads import Once, run_in_thread
from .._type_checks import check_model_name, check_type
from ..exceptions import LLMError, ModelTimeoutError, UnexpectedModelBehavior, UserError
from ..settings import ModelSettings
from ..usage import RequestUsage
from .model import EmbeddingModel, check_input_type, check_inputs
from .rerank import RankedDocument, RerankModel, RerankResult, check_rerank
from .result import EmbeddingResult, EmbedInputType
from .settings import EmbeddingSettings
from .shared_batches import SharedBatches
from .wire import is_finite

__all__ = (
    'CrossEncoderRerankModel',
    'SentenceTransformerEmbeddingModel',
    'SentenceTransformersEmbeddingSettings',
)

T = TypeVar('T')

PACKAGE = 'sentence_transformers'
SYSTEM = 'sentence-transformers'

MOST_TOKENS = 10**9
"""A larger limit of tokens stands for none (`VERY_LARGE_INTEGER` in tokenization_utils_base.py, transformers 5.24)."""


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
        check_input_type(input_type)
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
        results = await _wait_for_results(self._run(texts, options), merged, self._model_name)
        return EmbeddingResult(
            [vector for vector, _ in results],
            inputs=texts,
            input_type=input_type,
            model_name=self._model_name,
            provider_name=SYSTEM,
            usage=RequestUsage(input_tokens=sum(count for _, count in results)),
        )

    async def _run(self, texts: Sequence[str], options: _Options) -> Sequence[tuple[list[float], int]]:
        await self.load()
        return await self._batches.run(texts, options)

    def _embed(self, texts: Sequence[str], options: _Options) -> Sequence[tuple[list[float], int]]:
        """Return the vector and the number of tokens of each text. Runs in the thread of the model."""
        model: Any = self._loaded.wait()
        prompt = _find_prompt(model, options.input_type)
        counts = _count_tokens(model, [prompt + text for text in texts])
        limit = _find_limit(model)
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
        rows: list[list[float]] = vectors.tolist()
        if not all(map(is_finite, rows)):
            raise UnexpectedModelBehavior(f'{self._model_name!r} returned an embedding with NaN or infinity')
        return [(row, count if limit is None else min(count, limit)) for row, count in zip(rows, counts, strict=True)]

    async def max_input_tokens(self) -> int | None:
        return _find_limit(await self.load())

    async def count_tokens(self, text: str) -> int:
        """Return the number of tokens, with the special ones of the tokenizer."""
        checked = check_inputs(text, parameter='text')
        model = await self.load()
        return (await run_in_thread(lambda: _count_tokens(model, checked)))[0]

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
        self._batches = SharedBatches[tuple[str, str], tuple[float, int, bool]](self._score, name=self._model_name)
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
        scored = await _wait_for_results(self._run([(query, text) for text in texts]), merged, self._model_name)
        ranked = [RankedDocument(index, texts[index], score) for index, (score, _, _) in enumerate(scored)]
        return RerankResult(
            sorted(ranked, key=lambda each: -each.score)[:top_n],
            model_name=self._model_name,
            provider_name=SYSTEM,
            usage=RequestUsage(input_tokens=sum(count for _, count, _ in scored)),
            warnings=[
                f'of documents[{index}], only the beginning was read: it is longer than the model reads'
                for index, (_, _, is_truncated) in enumerate(scored)
                if is_truncated
            ],
        )

    async def _run(self, pairs: Sequence[tuple[str, str]]) -> Sequence[tuple[float, int, bool]]:
        await self.load()
        return await self._batches.run(pairs, None)

    def _score(self, pairs: Sequence[tuple[str, str]], options: None) -> Sequence[tuple[float, int, bool]]:
        """Return the score of each pair of a query and a document, its tokens, and whether it was truncated.

        Runs in the thread of the model.
        """
        model: Any = self._loaded.wait()
        size = {} if self._batch_size is None else {'batch_size': self._batch_size}
        scores: list[Any] = model.predict(list(pairs), show_progress_bar=False, **size).tolist()
        if any(isinstance(score, list) for score in scores):
            raise UserError(f'{self._model_name!r} gives each document several scores: use a model with one label')
        if not is_finite(scores):
            raise UnexpectedModelBehavior(f'{self._model_name!r} returned a score that is NaN or infinity')
        counts, limit = _count_tokens(model, pairs), _find_limit(model) or sys.maxsize
        return [(score, min(count, limit), count > limit) for score, count in zip(scores, counts, strict=True)]

    async def aclose(self) -> None:
        """Stop the thread of the model. The next call starts it again."""
        self._batches.close()


def _resolve_model(model: Any, kind: type[Any], options: dict[str, Any]) -> tuple[str, Callable[[], Any]]:
    """Return the name of a model, and a function that returns it or loads it."""
    if isinstance(model, kind):
        card = model.model_card_data
        return card.model_id or card.base_model or kind.__name__, lambda: model
    expected = f'a name, the path of a folder, or a {kind.__name__}'
    check_type(model, (str, PathLike), parameter='model', expected=expected, required=True)
    name = fspath(cast('str | PathLike[str]', model))
    check_model_name(name)
    known = inspect.signature(kind).parameters
    for option in options:
        if option not in known:
            raise TypeError(f'{kind.__name__}() got an unexpected keyword argument {option!r}{suggest(option, known)}')

    def load() -> Any:
        from ..models.local.load_errors import translate_errors
        from ..models.local.loading import Source, one_at_a_time
        from ..models.local.options import decode_place

        place = decode_place('model', name)
        source = Source(name=place, trust_remote_code=options.get('trust_remote_code', False))
        with one_at_a_time(), translate_errors(source, engine=SYSTEM):
            return kind(place, **options)

    return name, load


def _find_prompt(model: Any, input_type: EmbedInputType) -> str:
    """Return the text that the package puts before each text (`encode_query`, `encode_document`)."""
    names = ('query',) if input_type == 'query' else ('document', 'passage', 'corpus')
    prompts: Mapping[str, str] = model.prompts
    name = next((name for name in names if name in prompts), model.default_prompt_name)
    return '' if name is None else prompts.get(name) or ''


def _find_limit(model: Any) -> int | None:
    """Return the maximum number of tokens of a text; `None` for a model without one, as that without positions."""
    limit: float | None = model.max_seq_length
    return None if limit is None or limit > MOST_TOKENS else int(limit)


def _count_tokens(model: Any, texts: Sequence[str] | Sequence[tuple[str, str]]) -> list[int]:
    """Return the number of tokens of each text, or pair of texts, with the special ones of the tokenizer."""
    tokenizer = model.tokenizer
    if hasattr(tokenizer, 'encode_batch'):  # `tokenizers.Tokenizer`, which static embeddings have
        return [len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
    tokens = tokenizer(list(texts), truncation=False, padding=False, verbose=False)['input_ids']
    return [len(ids) for ids in tokens]


async def _wait_for_results(results: Awaitable[T], settings: Mapping[str, Any], model_name: str) -> T:
    """Return the results. Raises `ModelTimeoutError` after the time of the settings, and no error of the package."""
    from ..models.local.failures import make_request_error

    timeout = settings.get('timeout')
    try:
        async with asyncio.timeout(timeout):
            return await results
    except TimeoutError:
        error: Exception = ModelTimeoutError(model_name, deadline='timeout', seconds=timeout, provider_name=SYSTEM)
    except LLMError:
        raise
    except Exception as cause:  # noqa: BLE001 -- the package and torch raise any
        error = make_request_error(model_name, cause)
    raise error
