"""The names of embedding models: `'openai:text-embedding-3-small'` is a prefix, a colon and a model's name."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal, cast

from .._extras import check_extra
from .._suggestions import suggest_or_list
from .._type_checks import raise_wrong_type
from ..exceptions import UserError
from .model import EmbeddingModel

__all__ = ('KnownEmbeddingModelName', 'infer_embedding_model')

KnownEmbeddingModelName = Literal[
    'openai:text-embedding-3-small',
    'openai:text-embedding-3-large',
    'openai:text-embedding-ada-002',
    'google-gla:gemini-embedding-2',
    'google-gla:gemini-embedding-001',
    'google-vertex:gemini-embedding-2',
    'google-vertex:gemini-embedding-001',
    'google-vertex:text-embedding-005',
    'google-vertex:text-multilingual-embedding-002',
    'cohere:embed-v4.0',
    'cohere:embed-english-v3.0',
    'cohere:embed-english-light-v3.0',
    'cohere:embed-multilingual-v3.0',
    'cohere:embed-multilingual-light-v3.0',
    'mistral:mistral-embed',
    'mistral:codestral-embed',
    'bedrock:amazon.titan-embed-text-v1',
    'bedrock:amazon.titan-embed-text-v2:0',
    'bedrock:amazon.nova-2-multimodal-embeddings-v1:0',
    'bedrock:cohere.embed-english-v3',
    'bedrock:cohere.embed-multilingual-v3',
    'bedrock:cohere.embed-v4:0',
    'ollama:nomic-embed-text',
    'sentence-transformers:all-MiniLM-L6-v2',
    'sentence-transformers:Qwen/Qwen3-Embedding-0.6B',
]
"""Names of embedding models, for completion in editors. Every other `prefix:name` works too."""

CLASSES: dict[str, tuple[str, str, str | None]] = {
    'cohere': ('cohere', 'CohereEmbeddingModel', None),
    'mistral': ('mistral', 'MistralEmbeddingModel', None),
    'google-gla': ('google', 'GoogleEmbeddingModel', None),
    'google-vertex': ('google', 'GoogleEmbeddingModel', 'google'),
    'bedrock': ('bedrock', 'BedrockEmbeddingModel', 'bedrock'),
    'huggingface': ('huggingface', 'HuggingFaceEmbeddingModel', None),
    'sentence-transformers': (
        'sentence_transformers',
        'SentenceTransformerEmbeddingModel',
        'sentence-transformers',
    ),
}
"""The module, the class and the extra of each prefix. The other prefixes have OpenAI's API."""


IN_THIS_PROCESS = frozenset({'sentence-transformers'})
"""The prefixes of models that have no provider."""


def infer_embedding_model(model: EmbeddingModel | KnownEmbeddingModelName | str, **options: Any) -> EmbeddingModel:
    """Return the model for a string like `'openai:text-embedding-3-small'`; an `EmbeddingModel` is returned unchanged.

    `options` are passed to the class (`provider=`, `settings=`, ...). Raises `UserError` if the prefix is unknown, or
    if an extra or an API key is missing.
    """
    if isinstance(model, EmbeddingModel):
        return model
    if not isinstance(cast('object', model), str):
        raise_wrong_type('model', "an EmbeddingModel or a name such as 'openai:text-embedding-3-small'", model)
    if model == 'test':
        from .test import TestEmbeddingModel

        return TestEmbeddingModel(**options)
    prefix, colon, name = model.partition(':')
    if not colon or not name:
        raise UserError(f"{model!r} names no embedding model: write 'openai:text-embedding-3-small'")
    return _build(prefix, name, options)


def _build(prefix: str, name: str, options: dict[str, Any]) -> EmbeddingModel:
    from ..providers.registry import ALIASES, SERVICES

    prefix = ALIASES.get(prefix, prefix)
    if prefix not in CLASSES and prefix not in SERVICES and prefix not in ('openai', 'azure'):
        hint = suggest_or_list(prefix, sorted([*CLASSES, *SERVICES, 'openai', 'azure']), most=2)
        raise UserError(f'There is no prefix {prefix!r} of embedding models{hint}')
    module, class_name, extra = CLASSES.get(prefix, ('openai', 'OpenAIEmbeddingModel', None))
    if extra:
        check_extra(extra, what=f'The prefix {prefix!r}')
    model_class = getattr(import_module(f'.{module}', __package__), class_name)
    provider = {} if prefix in IN_THIS_PROCESS else {'provider': prefix}
    return cast('EmbeddingModel', model_class(name, **{**provider, **options}))
