"""Embeddings: texts become vectors, whose distances say how alike the texts are. And reranking of search results.

`Embedder` is the simplest way; an `EmbeddingModel` is what it calls. Each vendor's class is in its own module:
`openai`, `google`, `cohere`, `mistral`, `bedrock`, `huggingface`; `wire` is the framework for an API of your own,
`test` has a model for tests. `rerank` sorts documents by how well they answer a query.
"""

from __future__ import annotations

from .embedder import Embedder
from .model import EmbeddingModel, WrapperEmbeddingModel
from .names import KnownEmbeddingModelName, infer_embedding_model
from .result import EmbeddingResult, EmbedInputType
from .settings import EmbeddingSettings, merge_embedding_settings

__all__ = (
    'EmbedInputType',
    'Embedder',
    'EmbeddingModel',
    'EmbeddingResult',
    'EmbeddingSettings',
    'KnownEmbeddingModelName',
    'WrapperEmbeddingModel',
    'infer_embedding_model',
    'merge_embedding_settings',
)
