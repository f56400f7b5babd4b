"""Paths in addition to those of models: counts of tokens, and embeddings, with the vendors' own clients."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError

from pydantic_llm.embeddings.test import TestEmbeddingModel
from pydantic_llm.exceptions import UserError
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.serve import GatewayKey, LocalServer, create_app, load_config
from tests.serve.conftest import Connect
from tests.serve.models import failing_model, text_model

HELLO = [{'role': 'user', 'content': 'Hello, how are you?'}]
GEMINI_HELLO = [{'role': 'user', 'parts': [{'text': 'Hello, how are you?'}]}]
CONVERSE_HELLO = [{'role': 'user', 'content': [{'text': 'Hello, how are you?'}]}]

COUNTS: dict[str, tuple[str, Any, str]] = {
    'anthropic': ('/v1/messages/count_tokens', {'model': 'm', 'messages': HELLO}, 'input_tokens'),
    'responses': ('/v1/responses/input_tokens', {'model': 'm', 'input': 'Hello, how are you?'}, 'input_tokens'),
    'gemini': ('/v1beta/models/m:countTokens', {'contents': GEMINI_HELLO}, 'totalTokens'),
    'gemini whole': (
        '/v1beta/models/m:countTokens',
        {'generateContentRequest': {'model': 'models/m', 'contents': GEMINI_HELLO}},
        'totalTokens',
    ),
    'bedrock': ('/model/m/count-tokens', {'input': {'converse': {'messages': CONVERSE_HELLO}}}, 'inputTokens'),
}


@pytest.mark.parametrize('api', COUNTS)
async def test_a_model_counts_the_tokens_of_a_request(connect: Connect, api: str) -> None:
    path, body, field = COUNTS[api]
    async with connect(TestModel()) as client:
        response = await client.post(path, json=body)
    assert response.json()[field] == 54
    assert 'x-token-count' not in response.headers


@pytest.mark.parametrize('api', COUNTS)
async def test_a_count_of_a_model_that_cannot_count_is_a_marked_estimate(connect: Connect, api: str) -> None:
    path, body, field = COUNTS[api]
    model = failing_model(UserError('cannot'))
    model.count_tokens = super(type(model), model).count_tokens  # type: ignore[method-assign]
    async with connect(model) as client:
        response = await client.post(path, json=body)
    assert 5 < response.json()[field] < 30
    assert response.headers['x-token-count'] == 'estimate'


@pytest.mark.parametrize('api', COUNTS)
async def test_a_body_that_cannot_be_counted_gets_the_error_of_its_protocol(connect: Connect, api: str) -> None:
    path, _, _ = COUNTS[api]
    async with connect(TestModel()) as client:
        response = await client.post(path, json={'model': 'm', 'input': 5})
    assert response.status_code == 400


async def test_counting_costs_nothing_and_needs_a_key_for_the_model(connect: Connect) -> None:
    path, body, _ = COUNTS['anthropic']
    keys = [GatewayKey('alice', 'alice', tokens_per_day=1, models=['a'])]
    async with connect({'a': TestModel(), 'b': TestModel()}, keys=keys) as client:
        statuses = [
            (await client.post(path, json=body | {'model': model}, headers={'x-api-key': key})).status_code
            for model, key in (('a', 'alice'), ('b', 'alice'), ('a', 'bob'))
        ]
    assert statuses == [200, 403, 401]


# ---------------------------------------------------------------------------------------------------------- embeddings


async def test_the_openai_client_gets_embeddings() -> None:
    model = TestEmbeddingModel(dimensions=3)
    expected = (await model.embed(['a', 'b c'], input_type='document')).embeddings
    app = create_app(text_model('x'), embeddings={'small': model}, aliases={'text-embedding-*': 'small'}, key='k')
    with LocalServer(app) as url:
        async with AsyncOpenAI(base_url=f'{url}/v1', api_key='k') as client:
            result = await client.embeddings.create(model='text-embedding-3-small', input=['a', 'b c'])
            floats = await client.embeddings.create(model='small', input='a', encoding_format='float', dimensions=2)
            names = [model.id async for model in client.models.list()]
    assert [each.embedding for each in result.data] == [pytest.approx(vector) for vector in expected]
    assert result.usage.prompt_tokens == 3
    assert len(floats.data[0].embedding) == 2
    assert names == ['speaker', 'small']


async def test_a_gateway_may_have_embedding_models_alone() -> None:
    with LocalServer(create_app({}, embeddings={'small': TestEmbeddingModel()})) as url:
        async with AsyncOpenAI(base_url=f'{url}/v1', api_key='k', max_retries=0) as client:
            assert len((await client.embeddings.create(model='small', input=['a', 'b'])).data) == 2
            assert [model.id async for model in client.models.list()] == ['small']
            with pytest.raises(NotFoundError):
                await client.chat.completions.create(model='small', messages=[{'role': 'user', 'content': 'Hello'}])


async def test_invalid_requests_for_embeddings_are_errors_of_openai() -> None:
    with LocalServer(create_app(text_model('x'), embeddings={'small': TestEmbeddingModel()})) as url:
        async with AsyncOpenAI(base_url=f'{url}/v1', api_key='k', max_retries=0) as client:
            with pytest.raises(NotFoundError, match="no embedding model 'large'; there are 'small'"):
                await client.embeddings.create(model='large', input='a')
            for given in ([], [[1, 2]], [''], 5):
                with pytest.raises(BadRequestError, match='input'):
                    await client.embeddings.create(model='small', input=given)  # type: ignore[arg-type]
            with pytest.raises(BadRequestError, match='encoding_format'):
                await client.embeddings.create(model='small', input='a', encoding_format='hex')  # type: ignore[arg-type]


async def test_embeddings_count_for_the_budget_of_a_key(connect: Connect) -> None:
    options: dict[str, Any] = {'embeddings': {'small': TestEmbeddingModel()}, 'prices': {'small': (1.0, 0.0)}}
    keys = [GatewayKey('alice', 'alice', dollars_per_day=0.000_03, models=['small'])]
    async with connect(TestModel(), keys=keys, **options) as client:
        statuses = [
            (
                await client.post(
                    '/v1/embeddings', json={'model': 'small', 'input': text}, headers={'x-api-key': 'alice'}
                )
            ).status_code
            for text in ('a b c', 'a ' * 100)
        ]
        usage = (await client.get('/usage', headers={'x-api-key': 'alice'})).json()['spent'][0]
    assert statuses == [200, 429]
    assert (usage['tokens'], usage['dollars']) == (3, 0.000_003)


def test_a_name_belongs_to_one_kind_of_model() -> None:
    with pytest.raises(UserError, match="'a' is both a model and an embedding model"):
        create_app({'a': TestModel()}, embeddings={'a': TestEmbeddingModel()})
    with pytest.raises(UserError, match='embeddings takes an EmbeddingModel'):
        create_app(TestModel(), embeddings='openai:text-embedding-3-small')  # type: ignore[arg-type]


async def test_a_file_has_embedding_models(tmp_path: Any) -> None:
    path = tmp_path / 'gateway.toml'
    path.write_text(
        '[models.a]\nmodel = "test"\n[embeddings.small]\nmodel = "test"\nprice = [0.02, 0]\n'
        '[embeddings.large]\nmodel = "openai:text-embedding-3-large"\nprovider = { api_key_env = "KEY" }\n'
    )
    app = load_config(path, environment={'KEY': 'k'}).create_app()
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url='http://localhost') as client:
        response = await client.post('/v1/embeddings', json={'model': 'small', 'input': 'a'})
        listed = (await client.get('/v1/models')).json()['data']
    assert len(response.json()['data'][0]['embedding']) == 8
    assert [model['id'] for model in listed] == ['a', 'small', 'large']
