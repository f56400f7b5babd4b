"""Embedding and rerank models in this process give what the package itself gives, also for many calls at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers

from pydantic_llm.embeddings import Embedder, infer_embedding_model
from pydantic_llm.embeddings.rerank import infer_rerank_model
from pydantic_llm.embeddings.sentence_transformers import CrossEncoderRerankModel, SentenceTransformerEmbeddingModel
from pydantic_llm.embeddings.shared_batches import SharedBatches
from pydantic_llm.exceptions import ModelAPIError, ModelTimeoutError, UnexpectedModelBehavior, UserError
from tests.local import tiny

library = pytest.importorskip('sentence_transformers', reason='sentence-transformers is not installed')

TEXTS = ['Oslo is the capital of Norway.', 'Hello!', 'How can I help you?', 'At the end of a long fjord.']


def make_bert(path: Path, kind: Any, **options: Any) -> Path:
    """Save a model with random weights and a tokenizer."""
    tokenizer = tiny.make_tokenizer()
    size = {'hidden_size': 32, 'num_hidden_layers': 1, 'num_attention_heads': 2, 'intermediate_size': 64}
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), max_position_embeddings=64, pad_token_id=tokenizer.pad_token_id, **size, **options
    )
    tokenizer.model_max_length = 64
    kind(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope='module')
def embedding_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('embeddings')
    bert = make_bert(folder / 'bert', transformers.BertModel)
    model = library.SentenceTransformer(str(bert), device='cpu')
    model.prompts = {'query': 'query: ', 'document': 'passage: '}
    model.save(str(folder / 'model'))
    return folder / 'model'


@pytest.fixture(scope='module')
def rerank_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bert(tmp_path_factory.mktemp('rerank'), transformers.BertForSequenceClassification, num_labels=1)


async def test_vectors_are_those_of_the_package(embedding_path: Path) -> None:
    bare = library.SentenceTransformer(str(embedding_path), device='cpu')
    model = SentenceTransformerEmbeddingModel(str(embedding_path), device='cpu')
    embedder = Embedder(model)
    documents, query = await embedder.embed_documents(TEXTS), await embedder.embed_query(TEXTS[0])
    assert np.allclose(documents.embeddings, bare.encode_document(TEXTS), atol=1e-5)
    assert query.embeddings[0] == pytest.approx(bare.encode_query(TEXTS[0]).tolist(), abs=1e-5)
    assert query.embeddings[0] != documents.embeddings[0], 'the prompts differ'
    assert documents.usage.input_tokens == sum([await model.count_tokens(f'passage: {text}') for text in TEXTS])
    assert (documents.provider_name, await model.max_input_tokens()) == ('sentence-transformers', 64)


async def test_dimensions_and_the_length_are_chosen(embedding_path: Path) -> None:
    model = SentenceTransformerEmbeddingModel(library.SentenceTransformer(str(embedding_path), device='cpu'))
    settings: Any = {'dimensions': 8, 'sentence_transformers_normalize_embeddings': True}
    [vector] = (await model.embed('Hello!', input_type='query', settings=settings)).embeddings
    assert (len(vector), sum(each * each for each in vector)) == (8, pytest.approx(1))


async def test_many_calls_at_once_share_their_batches(embedding_path: Path) -> None:
    bare = library.SentenceTransformer(str(embedding_path), device='cpu')
    calls: list[int] = []
    encode = bare.encode_query

    def count(texts: list[str], **options: Any) -> Any:
        calls.append(len(texts))
        return encode(texts, **options)

    bare.encode_query = count
    model = SentenceTransformerEmbeddingModel(bare)
    results = await asyncio.gather(*(model.embed(TEXTS[i % 4], input_type='query') for i in range(40)))
    alone = encode(TEXTS).tolist()
    for index, result in enumerate(results):
        assert result.embeddings[0] == pytest.approx(alone[index % 4], abs=1e-5)
    assert len(calls) < 10


async def test_a_text_that_is_too_long_fails_alone_or_is_truncated(embedding_path: Path) -> None:
    model = SentenceTransformerEmbeddingModel(str(embedding_path), device='cpu')
    long = 'fjord ' * 100
    wrong, right = await asyncio.gather(
        model.embed(long, input_type='query'), model.embed('Hello!', input_type='query'), return_exceptions=True
    )
    assert isinstance(wrong, UserError)
    assert 'reads 64' in str(wrong)
    assert not isinstance(right, BaseException)
    result = await model.embed(long, input_type='query', settings={'truncate': True})
    assert result.usage.input_tokens == 64


async def test_documents_are_sorted_by_the_score_of_the_package(rerank_path: Path) -> None:
    bare = library.CrossEncoder(str(rerank_path), device='cpu')
    model = CrossEncoderRerankModel(str(rerank_path), device='cpu', batch_size=2)
    result = await model.rerank('Where is Oslo?', TEXTS, top_n=3)
    scores = bare.predict([('Where is Oslo?', text) for text in TEXTS]).tolist()
    assert [each.score for each in result] == pytest.approx(sorted(scores, reverse=True)[:3], abs=1e-5)
    assert [TEXTS[each.index] for each in result] == [each.document for each in result]


def test_names_and_blocking_calls(embedding_path: Path, rerank_path: Path) -> None:
    model = infer_embedding_model(f'sentence-transformers:{embedding_path}')
    assert len(Embedder(model).embed_query_sync('Hello!')[0]) == 32
    assert len(Embedder(model).embed_query_sync('Hello!')[0]) == 32, 'in another event loop'
    assert infer_rerank_model(f'sentence-transformers:{rerank_path}').system == 'sentence-transformers'


async def test_a_wrong_name_is_one_sentence(tmp_path: Path) -> None:
    model = SentenceTransformerEmbeddingModel(str(tmp_path / 'nothing'))
    with pytest.raises(UserError, match='cannot be loaded'):
        await model.embed('Hello!', input_type='query')
    with pytest.raises(UserError, match='model takes'):
        SentenceTransformerEmbeddingModel(5)


async def test_a_deadline_ends_the_wait_and_a_cancelled_call_is_not_run() -> None:
    started, ran = asyncio.Event(), list[str]()
    loop = asyncio.get_running_loop()

    def work(texts: Any, options: Any) -> list[str]:
        import time

        loop.call_soon_threadsafe(started.set)
        ran.extend(texts)
        time.sleep(0.05)
        return list(texts)

    batches = SharedBatches[str, str](work, name='test')
    first = asyncio.create_task(batches.run(['a'], 1))
    await started.wait()
    second = asyncio.create_task(batches.run(['b'], 2))
    await asyncio.sleep(0)
    second.cancel()
    assert await first == ['a']
    assert await batches.run(['c'], 1) == ['c']
    assert ran == ['a', 'c']
    batches.close()
    assert await batches.run(['d'], 1) == ['d']


async def test_a_slow_model_meets_the_timeout(embedding_path: Path) -> None:
    bare = library.SentenceTransformer(str(embedding_path), device='cpu')

    def sleep(texts: Any, **options: Any) -> Any:
        import time

        time.sleep(0.15)
        return None

    bare.encode_query = sleep
    model = SentenceTransformerEmbeddingModel(bare)
    with pytest.raises(ModelTimeoutError, match=r'0\.05'):
        await model.embed('Hello!', input_type='query', settings={'timeout': 0.05})


async def test_the_prompt_of_the_model_counts_as_a_part_of_each_text(embedding_path: Path) -> None:
    model = SentenceTransformerEmbeddingModel(embedding_path, device='cpu')
    bare = library.SentenceTransformer(str(embedding_path), device='cpu')
    text = next(text for text in ('x' * n for n in range(1, 99)) if len(bare.tokenizer(text)['input_ids']) == 64)
    with pytest.raises(UserError, match=r'A text has 6[5-9] tokens, and .* reads 64'):
        await model.embed(text, input_type='query')
    result = await model.embed('Hello!', input_type='document')
    assert result.usage.input_tokens == len(bare.tokenizer('passage: Hello!')['input_ids'])


async def test_static_embeddings_have_no_limit_of_tokens(tmp_path: Path) -> None:
    module = pytest.importorskip('sentence_transformers.sentence_transformer.modules').StaticEmbedding
    static = library.SentenceTransformer(modules=[module(tiny.make_tokenizer(), embedding_dim=8)], device='cpu')
    model = SentenceTransformerEmbeddingModel(static)
    result = await model.embed(['Hello!', 'fjord ' * 999], input_type='query')
    assert result.embeddings[0] == pytest.approx(static.encode_query('Hello!').tolist())
    assert (await model.max_input_tokens(), result.usage.input_tokens > 999) == (None, True)


async def test_a_failure_of_the_package_is_an_error_of_this_library(embedding_path: Path) -> None:
    bare = library.SentenceTransformer(str(embedding_path), device='cpu')
    model = SentenceTransformerEmbeddingModel(bare)
    settings: Any = {'sentence_transformers_device': 'nowhere'}
    with pytest.raises(ModelAPIError, match=r'fails on this request \(RuntimeError: .*nowhere'):
        await model.embed('Hello!', input_type='query', settings=settings)
    bare.encode_query = lambda texts, **options: np.full((len(texts), 4), np.nan)
    with pytest.raises(UnexpectedModelBehavior, match='NaN'):
        await model.embed('Hello!', input_type='query')
    with pytest.raises(UserError, match="input_type is 'query' or 'document'"):
        await model.embed('Hello!', input_type='search')  # type: ignore[arg-type]


def test_an_unknown_option_of_the_package_is_refused_with_a_suggestion(embedding_path: Path) -> None:
    for kind in (SentenceTransformerEmbeddingModel, CrossEncoderRerankModel):
        with pytest.raises(TypeError, match="'trust_remote_kode'; did you mean 'trust_remote_code'"):
            kind(embedding_path, trust_remote_kode=True)
        with pytest.raises(UserError, match='model takes a name, the path of a folder, or a'):
            kind(None)


async def test_a_document_that_is_too_long_to_rerank_is_a_warning(rerank_path: Path) -> None:
    result = await CrossEncoderRerankModel(rerank_path, device='cpu').rerank('Oslo?', ['Hello!', 'fjord ' * 99])
    assert result.warnings == ['of documents[1], only the beginning was read: it is longer than the model reads']
    assert 64 < result.usage.input_tokens < 128
