"""Embeddings: texts become vectors, whose distances say how alike the texts are. And reranking of search results.

`Embedder` is the simplest way; an `EmbeddingModel` is what it calls. Each vendor's class is in its own module:
`openai`, `google`, `cohere`, `mistral`, `bedrock`, `huggingface`; `wire` is the framework for an API of your own,
`test` has a model for tests. `rerank` sorts documents by how well they answer a query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy_names import import_lazily
from .embedder import Embedder
from .model import EmbeddingModel, WrapperEmbeddingModel
from .names import KnownEmbeddingModelName, infer_embedding_model
from .result import EmbeddingResult, EmbedInputType
from .settings import EmbeddingSettings, merge_embedding_settings

if TYPE_CHECKING:
    from .test import TestEmbeddingModel

__all__ = (
    'EmbedInputType',
    'Embedder',
    'EmbeddingModel',
    'EmbeddingResult',
    'EmbeddingSettings',
    'KnownEmbeddingModelName',
    'TestEmbeddingModel',
    'WrapperEmbeddingModel',
    'infer_embedding_model',
    'merge_embedding_settings',
)

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name
    __getattr__ = import_lazily(__name__, {'TestEmbeddingModel': 'test'})
