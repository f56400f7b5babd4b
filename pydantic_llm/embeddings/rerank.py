"""`Reranker`: sorts documents by their relevance to a query, with a `RerankModel`.

```python
reranker = Reranker('cohere:rerank-v3.5')
result = await reranker.rerank('Why is the sky blue?', documents, top_n=3)
```
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from math import isfinite
from typing import Any, cast

from .._checks import check_number
from .._setting_checks import check_settings, make_shared_checks
from .._suggestions import suggest
from .._threads import run_blocking
from .._type_checks import check_model_name, check_settings_type, check_type, raise_wrong_type
from ..exceptions import UserError
from ..json_types import Json
from ..providers import ApiKey, Provider, choose_provider
from ..settings import ModelSettings, merge_model_settings
from ..usage import RequestUsage
from ..wire.counts import decode_count, get_object, select_counts
from .model import check_inputs
from .sending import Sender
from .settings import VENDOR_PREFIXES

__all__ = ('CohereRerankModel', 'RankedDocument', 'RerankModel', 'RerankResult', 'Reranker', 'infer_rerank_model')


@dataclass(frozen=True, slots=True)
class RankedDocument:
    """A document with its place in the result."""

    index: int
    """The index of the document in the list that was given."""
    document: str
    score: float
    """The relevance to the query; vendors use numbers from 0 to 1. Scores of different queries cannot be compared."""


@dataclass
class RerankResult:
    """The documents, the most relevant first."""

    documents: Sequence[RankedDocument]

    _: KW_ONLY

    model_name: str
    provider_name: str
    usage: RequestUsage = field(default_factory=RequestUsage)
    """Most vendors count searches and not tokens: `usage.details['search_units']`."""
    provider_response_id: str | None = None
    warnings: list[str] = field(default_factory=list[str])
    """One sentence for each text of which only a part was read, as far as the vendor says so."""

    def __iter__(self) -> Iterator[RankedDocument]:
        return iter(self.documents)

    def __len__(self) -> int:
        return len(self.documents)


class RerankModel(ABC):
    """A model that sorts documents. Subclasses implement `model_name`, `system` and `rerank`."""

    _settings: ModelSettings | None = None

    def __init__(self, *, settings: ModelSettings | None = None) -> None:
        check_settings_type(settings, parameter='settings')
        self._settings = settings

    @property
    @abstractmethod
    def model_name(self) -> str:
        """The name of the model at its vendor."""

    @property
    @abstractmethod
    def system(self) -> str:
        """The name of the vendor."""

    @property
    def settings(self) -> ModelSettings | None:
        """The default settings of calls."""
        return self._settings

    def merged_settings(self, settings: ModelSettings | None) -> ModelSettings:
        """Return the settings of the model with those of a call merged into them. Raises `UserError` like `rerank`."""
        merged = merge_model_settings(self.settings, settings) or {}
        for name in merged:
            if name not in ModelSettings.__annotations__ and not name.startswith(VENDOR_PREFIXES):
                hint = suggest(name, ModelSettings.__annotations__)
                raise UserError(f'There is no setting {name!r} of rerank models{hint}')
        check_settings(merged, make_shared_checks())
        return merged

    @abstractmethod
    async def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        top_n: int | None = None,
        settings: ModelSettings | None = None,
    ) -> RerankResult:
        """Return the documents, the most relevant first; at most `top_n` of them.

        The settings are `timeout`, `retries`, `extra_headers` and `extra_body`. Raises `UserError` for invalid
        arguments, and the errors of `Model.request`.
        """

    async def aclose(self) -> None:
        """Close the connections that this model opened. The default has none."""

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.model_name!r})'


class CohereRerankModel(RerankModel):
    """A rerank model behind Cohere's `POST /v2/rerank`: https://docs.cohere.com/reference/rerank.

    `provider` is a `Provider` or the name of one; a server with the same API (vLLM, Jina) is a `CohereProvider` with
    its `base_url`. Documents that are too long are truncated to `max_tokens_per_document` (Cohere's default: 4096).
    """

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str = 'cohere',
        api_key: ApiKey | None = None,
        max_tokens_per_document: int | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        check_model_name(model_name)
        check_number('max_tokens_per_document', max_tokens_per_document, least=1, whole=True)
        super().__init__(settings=settings)
        self._model_name = model_name
        self._provider = choose_provider(provider, api_key)
        self._max_tokens = max_tokens_per_document

    @property
    def model_name(self) -> str:
        return self._model_name

    @property
    def system(self) -> str:
        return self._provider.name

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
        sender = Sender(self._provider.connection, self.model_name, merged, provider_name=self.system)
        await sender.load()
        body: Json = {'model': self.model_name, 'query': query, 'documents': texts}
        for name, value in (('top_n', top_n), ('max_tokens_per_doc', self._max_tokens)):
            if value is not None:
                body[name] = value
        return await sender.post('/v2/rerank', body, lambda fields, headers: self._decode(fields, texts, top_n))

    def _decode(self, body: Json, texts: Sequence[str], top_n: int | None) -> RerankResult:
        results = cast('list[Mapping[str, Any]]', body['results'])
        ranked = [_decode_ranked(result, texts) for result in results]
        if len({each.index for each in ranked}) < len(ranked):
            raise ValueError('a document is in the result twice')
        billed = get_object(get_object(body.get('meta')), 'billed_units')
        return RerankResult(
            sorted(ranked, key=lambda each: -each.score)[:top_n],
            model_name=self.model_name,
            provider_name=self.system,
            usage=RequestUsage(
                input_tokens=decode_count(billed.get('input_tokens')),
                details=select_counts(billed, without=('input_tokens',)),
            ),
            provider_response_id=cast('str | None', body.get('id')),
        )

    async def aclose(self) -> None:
        await self._provider.connection.aclose()


def _decode_ranked(result: Mapping[str, Any], texts: Sequence[str]) -> RankedDocument:
    index = result['index']
    if type(index) is not int or not 0 <= index < len(texts):
        raise ValueError(f'{index!r} is not the index of a document')
    score = result['relevance_score']
    if type(score) not in (int, float) or not isfinite(score):
        raise ValueError(f'{score!r} is not a score')
    return RankedDocument(index, texts[index], float(score))


def check_rerank(query: object, documents: object, top_n: object) -> list[str]:
    """Return the checked documents. Raises `UserError` for an invalid argument."""
    check_inputs(query if isinstance(query, str) else [query], parameter='query')
    if isinstance(documents, str):
        raise_wrong_type('documents', 'a list of texts', documents)
    check_number('top_n', top_n, least=1, whole=True)
    return check_inputs(documents, parameter='documents')


class Reranker:
    """Sorts documents by their relevance to a query."""

    def __init__(self, model: RerankModel | str) -> None:
        self.model: RerankModel = infer_rerank_model(model)

    async def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        top_n: int | None = None,
        settings: ModelSettings | None = None,
    ) -> RerankResult:
        """Return the documents, the most relevant first; at most `top_n` of them."""
        return await self.model.rerank(query, documents, top_n=top_n, settings=settings)

    def rerank_sync(
        self,
        query: str,
        documents: Sequence[str],
        *,
        top_n: int | None = None,
        settings: ModelSettings | None = None,
    ) -> RerankResult:
        """Do the same as `rerank`, for callers that do not await."""
        return run_blocking(self.rerank(query, documents, top_n=top_n, settings=settings))

    def __repr__(self) -> str:
        return f'Reranker({self.model!r})'


def infer_rerank_model(model: RerankModel | str, **options: Any) -> RerankModel:
    """Return the model for a string like `'cohere:rerank-v3.5'`; a `RerankModel` is returned unchanged."""
    if isinstance(model, RerankModel):
        return model
    check_type(model, str, parameter='model', expected="a RerankModel or a name such as 'cohere:rerank-v3.5'")
    prefix, _, name = str(model).partition(':')
    if name and prefix == 'cohere':
        return CohereRerankModel(name, **options)
    if name and prefix == 'sentence-transformers':
        from .sentence_transformers import CrossEncoderRerankModel

        return CrossEncoderRerankModel(name, **options)
    raise UserError(f"{model!r} names no rerank model: write 'cohere:rerank-v3.5' or 'sentence-transformers:<name>'")
