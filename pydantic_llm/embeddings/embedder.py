"""`Embedder`: embeds queries and documents with one model, with and without `await`."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from .._threads import run_blocking
from .model import EmbeddingModel
from .names import KnownEmbeddingModelName, infer_embedding_model
from .result import EmbeddingResult, EmbedInputType
from .settings import EmbeddingSettings, merge_embedding_settings

__all__ = ('Embedder',)


class Embedder:
    """Turns texts into vectors.

    ```python
    embedder = Embedder('openai:text-embedding-3-small')
    result = await embedder.embed_documents(['Air scatters blue light.', 'Snow falls in Oslo.'])
    query = await embedder.embed_query('Why is the sky blue?')
    ```
    """

    def __init__(
        self,
        model: EmbeddingModel | KnownEmbeddingModelName | str,
        *,
        settings: EmbeddingSettings | None = None,
    ) -> None:
        merge_embedding_settings(None, settings)  # raises for a wrong type
        self._model = infer_embedding_model(model)
        self._settings = settings
        self._override: ContextVar[EmbeddingModel | None] = ContextVar('pydantic_llm_embedding_model', default=None)

    @property
    def model(self) -> EmbeddingModel:
        """The model of the calls that are made now."""
        return self._override.get() or self._model

    @contextmanager
    def override(self, *, model: EmbeddingModel | KnownEmbeddingModelName | str) -> Generator[None]:
        """Use another model inside the block, in tests for example."""
        token = self._override.set(infer_embedding_model(model))
        try:
            yield
        finally:
            self._override.reset(token)

    async def embed_query(
        self, query: str | Sequence[str], *, settings: EmbeddingSettings | None = None
    ) -> EmbeddingResult:
        """Embed what is searched for."""
        return await self.embed(query, input_type='query', settings=settings)

    async def embed_documents(
        self, documents: str | Sequence[str], *, settings: EmbeddingSettings | None = None
    ) -> EmbeddingResult:
        """Embed what is searched: any number of texts, in as many requests as the vendor's limits need."""
        return await self.embed(documents, input_type='document', settings=settings)

    async def embed(
        self,
        inputs: str | Sequence[str],
        *,
        input_type: EmbedInputType,
        settings: EmbeddingSettings | None = None,
    ) -> EmbeddingResult:
        """Embed texts. `settings` override those of the embedder, which override those of the model."""
        merged = merge_embedding_settings(self._settings, settings)
        return await self.model.embed(inputs, input_type=input_type, settings=merged)

    async def max_input_tokens(self) -> int | None:
        """Return the maximum number of tokens of one text; `None` if it is not known."""
        return await self.model.max_input_tokens()

    async def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text. Raises `UserError` if the model cannot count."""
        return await self.model.count_tokens(text)

    def embed_query_sync(
        self, query: str | Sequence[str], *, settings: EmbeddingSettings | None = None
    ) -> EmbeddingResult:
        """Do the same as `embed_query`, for callers that do not await."""
        return run_blocking(self.embed_query(query, settings=settings))

    def embed_documents_sync(
        self, documents: str | Sequence[str], *, settings: EmbeddingSettings | None = None
    ) -> EmbeddingResult:
        """Do the same as `embed_documents`, for callers that do not await."""
        return run_blocking(self.embed_documents(documents, settings=settings))

    def embed_sync(
        self,
        inputs: str | Sequence[str],
        *,
        input_type: EmbedInputType,
        settings: EmbeddingSettings | None = None,
    ) -> EmbeddingResult:
        """Do the same as `embed`, for callers that do not await."""
        return run_blocking(self.embed(inputs, input_type=input_type, settings=settings))

    def max_input_tokens_sync(self) -> int | None:
        """Do the same as `max_input_tokens`, for callers that do not await."""
        return run_blocking(self.max_input_tokens())

    def count_tokens_sync(self, text: str) -> int:
        """Do the same as `count_tokens`, for callers that do not await."""
        return run_blocking(self.count_tokens(text))

    def __repr__(self) -> str:
        return f'Embedder({self._model!r})'
