"""`Embedder`, names of models, models for tests and around models."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pydantic_llm.embeddings import (
    Embedder,
    EmbeddingModel,
    EmbeddingResult,
    WrapperEmbeddingModel,
    infer_embedding_model,
)
from pydantic_llm.embeddings.cohere import CohereEmbeddingModel
from pydantic_llm.embeddings.google import GoogleEmbeddingModel
from pydantic_llm.embeddings.openai import OpenAIEmbeddingModel
from pydantic_llm.embeddings.test import TestEmbeddingModel
from pydantic_llm.exceptions import UserError


async def test_queries_and_documents_are_told_apart() -> None:
    embedder = Embedder('test')
    query = await embedder.embed_query('blue sky')
    documents = await embedder.embed_documents(['blue sky', 'snow'])
    assert (query.input_type, documents.input_type) == ('query', 'document')
    assert query[0] == documents['blue sky'] != documents['snow']
    assert (len(documents), documents.usage.input_tokens) == (2, 3)
    with pytest.raises(ValueError, match="'rain' is not one of the 2 texts"):
        documents['rain']


def test_everything_works_without_await() -> None:
    embedder = Embedder('test')
    assert embedder.embed_query_sync('a')[0] == embedder.embed_documents_sync('a')['a']
    assert embedder.embed_sync('a', input_type='query').inputs == ['a']
    assert (embedder.max_input_tokens_sync(), embedder.count_tokens_sync('two words')) == (1024, 2)


async def test_the_newest_settings_win_and_none_takes_one_back() -> None:
    model = TestEmbeddingModel(settings={'dimensions': 2, 'truncate': True})
    embedder = Embedder(model, settings={'dimensions': 3})
    assert len((await embedder.embed_query('a'))[0]) == 3
    result = await embedder.embed_query('a', settings={'dimensions': 4, 'truncate': cast('Any', None)})
    assert (len(result[0]), model.last_settings) == (4, {'dimensions': 4})


async def test_another_model_can_be_used_in_a_block() -> None:
    embedder = Embedder(TestEmbeddingModel(dimensions=2))
    with embedder.override(model=TestEmbeddingModel(dimensions=5)):
        assert len((await embedder.embed_query('a'))[0]) == 5
    assert len((await embedder.embed_query('a'))[0]) == 2


async def test_a_wrapper_passes_everything_on() -> None:
    class Loud(WrapperEmbeddingModel):
        async def embed(self, inputs: Any, **options: Any) -> EmbeddingResult:
            return await super().embed([text.upper() for text in inputs], **options)

    wrapped = TestEmbeddingModel('inner')
    loud = Loud(wrapped)
    assert (loud.model_name, loud.system, loud.base_url, loud.settings) == ('inner', 'test', None, None)
    assert (await Embedder(loud).embed_query(['a'])).inputs == ['A']
    assert await loud.count_tokens('a b') == 2


@pytest.mark.parametrize(
    ('name', 'kind', 'system'),
    [
        ('openai:text-embedding-3-small', OpenAIEmbeddingModel, 'openai'),
        ('ollama:nomic-embed-text', OpenAIEmbeddingModel, 'ollama'),
        ('together:BAAI/bge-m3', OpenAIEmbeddingModel, 'together'),
        ('cohere:embed-v4.0', CohereEmbeddingModel, 'cohere'),
        ('google:gemini-embedding-001', GoogleEmbeddingModel, 'google-gla'),
        ('test', TestEmbeddingModel, 'test'),
    ],
)
def test_a_name_is_a_prefix_and_a_model(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: type[EmbeddingModel], system: str
) -> None:
    for variable in ('OPENAI_API_KEY', 'TOGETHER_API_KEY', 'CO_API_KEY', 'COHERE_API_KEY', 'GEMINI_API_KEY'):
        monkeypatch.setenv(variable, 'a-key')
    monkeypatch.setenv('OLLAMA_BASE_URL', 'http://127.0.0.1:11434/v1')
    model = infer_embedding_model(name)
    assert (type(model), model.system) == (kind, system)
    assert infer_embedding_model(model) is model


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('opnai:x', "did you mean 'openai'"),
        ('text-embedding-3-small', 'names no embedding model'),
        ('openai:', 'names no embedding model'),
        (5, 'takes an EmbeddingModel'),
        (TestEmbeddingModel, 'takes an EmbeddingModel'),
    ],
)
def test_an_unknown_name_is_explained(name: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Embedder(name)


def test_a_model_of_ones_own_needs_three_members() -> None:
    class Own(EmbeddingModel):
        model_name = 'own'
        system = 'home'

        async def embed(self, inputs: Any, *, input_type: Any, settings: Any = None) -> EmbeddingResult:
            texts, _ = self.prepare_embed(inputs, settings)
            vectors = [[1.0] for _ in texts]
            return EmbeddingResult(
                vectors, inputs=texts, input_type=input_type, model_name=self.model_name, provider_name=self.system
            )

    assert Embedder(Own()).embed_query_sync('a').embeddings == [[1.0]]
