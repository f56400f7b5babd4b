"""What every vendor's embedding model sends, and what it makes of responses, limits and errors."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any, cast

import httpx2
import pytest

from pydantic_llm import models
from pydantic_llm.embeddings import EmbeddingModel, EmbeddingSettings
from pydantic_llm.embeddings.bedrock import BedrockEmbeddingModel
from pydantic_llm.embeddings.google import GoogleEmbeddingModel
from pydantic_llm.exceptions import (
    AuthenticationError,
    ModelHTTPError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
    UserError,
)
from tests.embeddings.vendors import (
    KEY,
    VENDORS,
    Json,
    Server,
    Vendor,
    answer,
    bedrock,
    cohere,
    embed,
    gemini,
    mistral,
    openai,
    vertex,
)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture(params=VENDORS, ids=repr)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    if request.param.name.startswith('vertex'):
        pytest.importorskip('google.auth', reason='google-auth is not installed')
    if request.param.name in ('titan', 'bedrock-cohere', 'nova'):
        pytest.importorskip('boto3', reason='boto3 is not installed')
    return cast('Vendor', request.param)


async def test_a_query_and_a_document_are_sent_in_the_vendors_form(vendor: Vendor, server: Server) -> None:
    model = vendor.make(server)
    result = await model.embed('Hello', input_type='query')
    assert server.requests == [(vendor.path, vendor.query)]
    assert (result.inputs, result.input_type, result.provider_name) == (['Hello'], 'query', model.system)
    assert (len(result.embeddings), result.embeddings[0][1]) == (1, 1.0)
    assert (result.usage.input_tokens, result.usage.missing) == (
        vendor.tokens,
        () if vendor.tokens else ('input_tokens',),
    )
    server.requests.clear()
    await model.embed(['Hello'], input_type='document')
    assert server.body == vendor.query | vendor.document


async def test_many_texts_are_sent_in_requests_that_the_vendor_accepts(vendor: Vendor, server: Server) -> None:
    texts = ['x' * (1 + index % 50) for index in range(min(vendor.inputs * 2 + 1, 600))]
    result = await vendor.make(server).embed(texts, input_type='query')
    assert len(server.requests) == math.ceil(len(texts) / vendor.inputs)
    lengths = [vector[0] for vector in result.embeddings]
    assert [length - lengths[0] for length in lengths] == [len(text) - 1 for text in texts]
    assert result[texts[2]] == result.embeddings[2]
    assert result.usage.input_tokens == vendor.tokens * len(server.requests)


async def test_a_status_is_the_same_error_as_for_language_models(vendor: Vendor, server: Server) -> None:
    server.override = lambda path, body: httpx2.Response(401, json={'error': {'message': f'{KEY} is wrong'}})
    with pytest.raises(AuthenticationError) as caught:
        await vendor.make(server).embed(['a', 'b'] * 60, input_type='query')
    assert KEY not in f'{caught.value} {caught.value.body!r}'


@pytest.mark.parametrize('body', [b'{}', b'[]', b'no JSON', b'{"embeddings": [], "data": [], "predictions": []}'])
async def test_a_response_in_another_form_is_reported(vendor: Vendor, server: Server, body: bytes) -> None:
    server.override = lambda path, _: httpx2.Response(200, content=body)
    with pytest.raises(UnexpectedModelBehavior):
        await vendor.make(server).embed('Hello', input_type='query', settings={'retries': 0})


async def test_a_failed_request_is_sent_again(vendor: Vendor, server: Server) -> None:
    failures = [httpx2.Response(503, headers={'retry-after': '0'}, json={})]
    server.override = lambda path, body: failures.pop() if failures else None
    await vendor.make(server).embed('Hello', input_type='query', settings={'retries': 1})
    assert len(server.requests) == 2


async def test_an_unknown_setting_is_refused_before_anything_is_sent(vendor: Vendor, server: Server) -> None:
    with pytest.raises(UserError, match="did you mean 'dimensions'"):
        await vendor.make(server).embed('Hello', input_type='query', settings=cast('Any', {'dimension': 5}))
    assert server.requests == []


async def test_a_misspelled_setting_of_the_vendor_is_refused_and_those_of_others_pass(server: Server) -> None:
    for vendor in VENDORS:
        model = vendor.make(server)
        names = {*cast('Any', model.settings_type).__annotations__} - {*EmbeddingSettings.__annotations__}
        for name in names:
            with pytest.raises(UserError, match=f'no setting .*; did you mean {name!r}'):
                await model.embed('Hello', input_type='query', settings=cast('Any', {f'{name}_': 5}))
    others: Any = {'sentence_transformers_device': 'cpu', 'cohere_truncate': 'END', 'voyageai_input_type': 'query'}
    assert server.requests == []
    await openai(server).embed('Hello', input_type='query', settings=others)


@pytest.mark.parametrize(
    ('settings', 'name'),
    [
        ({'dimensions': 0}, 'dimensions'),
        ({'dimensions': 'many'}, 'dimensions'),
        ({'truncate': 'yes'}, 'truncate'),
        ({'timeout': -1}, 'timeout'),
        ({'retries': 'often'}, 'retries'),
        ({'max_concurrency': 0}, 'max_concurrency'),
        ({'extra_headers': ['x']}, 'extra_headers'),
        ({'openai_user': 5}, 'openai_user'),
        ([], 'settings'),
    ],
)
async def test_a_wrong_value_of_a_setting_is_refused(server: Server, settings: Any, name: str) -> None:
    with pytest.raises(UserError, match=name):
        await openai(server).embed('Hello', input_type='query', settings=settings)
    assert server.requests == []


@pytest.mark.parametrize('inputs', ['', [], [''], ['a', 5], None, 5, {'a': 'b'}, b'bytes', [['a']]])
async def test_wrong_texts_are_refused_before_anything_is_sent(server: Server, inputs: Any) -> None:
    with pytest.raises(UserError, match='inputs'):
        await openai(server).embed(inputs, input_type='query')
    assert server.requests == []


async def test_a_wrong_input_type_is_refused(server: Server) -> None:
    with pytest.raises(UserError, match='input_type'):
        await openai(server).embed('Hello', input_type=cast('Any', 'search'))


async def test_settings_of_every_vendor_reach_its_body() -> None:
    pytest.importorskip('boto3', reason='boto3 is not installed')
    titan, nova = 'amazon.titan-embed-text-v2:0', 'amazon.nova-2-multimodal-embeddings-v1:0'
    common: dict[str, Any] = {'dimensions': 256, 'truncate': True}
    cases: list[tuple[Any, dict[str, Any], list[Any]]] = [
        (openai, {'dimensions': 256, 'openai_user': 'u'}, ['dimensions', 256, 'user', 'u']),
        (cohere, common | {'cohere_max_tokens': 9}, ['output_dimension', 256, 'truncate', 'END', 'max_tokens', 9]),
        (
            gemini('gemini-embedding-001'),
            {'dimensions': 256, 'google_title': 't'},
            ['outputDimensionality', 'title', 't'],
        ),
        (bedrock(titan), {'dimensions': 256, 'bedrock_titan_normalize': False}, ['dimensions', 'normalize', False]),
        (bedrock(nova), common, ['embeddingDimension', 256, 'truncationMode', 'END']),
    ]
    for make, settings, expected in cases:
        server = Server()
        result = await make(server).embed('Hello', input_type='query', settings=settings)
        text = json.dumps(server.body)
        assert all(json.dumps(value) in text for value in expected), text
        assert result.warnings == ['dimensions=256 did not hold: the embeddings have 2']


async def test_a_setting_that_the_model_lacks_is_reported(server: Server) -> None:
    result = await openai(server).embed('Hello', input_type='query', settings={'truncate': True, 'dimensions': 2})
    assert result.warnings == ["'truncate' was not sent: 'openai' has no such setting"]
    assert 'truncate' not in server.body
    with pytest.raises(UserError, match='truncate'):
        await openai(server).embed(
            'Hello', input_type='query', settings={'truncate': True, 'unsupported_settings': 'error'}
        )
    quiet: EmbeddingSettings = {'truncate': True, 'unsupported_settings': 'drop'}
    assert (await openai(server).embed('Hello', input_type='query', settings=quiet)).warnings == []


async def test_extra_fields_and_headers_are_sent(server: Server) -> None:
    settings: EmbeddingSettings = {'extra_body': {'input_type': 'query'}, 'extra_headers': {'x-team': 'search'}}
    await openai(server).embed('Hello', input_type='query', settings=settings)
    assert (server.body['input_type'], server.headers[0]['x-team']) == ('query', 'search')


async def test_a_timeout_covers_all_requests_of_a_call(server: Server) -> None:
    async def respond(request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0.06)
        return httpx2.Response(200, json={'embedding': embed('x')})

    server.client = httpx2.AsyncClient(transport=httpx2.MockTransport(respond))
    model = bedrock('amazon.titan-embed-text-v2:0')(server)
    with pytest.raises(ModelTimeoutError, match=r'0\.1'):
        await model.embed(['a'] * 20, input_type='query', settings={'timeout': 0.1, 'max_concurrency': 1})


async def test_only_so_many_requests_run_at_the_same_time(server: Server) -> None:
    running, most = 0, 0

    async def respond(request: httpx2.Request) -> httpx2.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return httpx2.Response(200, json={'embedding': embed('x')})

    server.client = httpx2.AsyncClient(transport=httpx2.MockTransport(respond))
    model = bedrock('amazon.titan-embed-text-v2:0')(server)
    await model.embed(['a'] * 12, input_type='query', settings={'max_concurrency': 3})
    assert most == 3


async def test_a_failure_cancels_the_other_requests(server: Server) -> None:
    asked: list[str] = []

    async def respond(request: httpx2.Request) -> httpx2.Response:
        text = json.loads(request.content)['inputText']
        asked.append(text)
        await asyncio.sleep(0.01 if text == 'bad' else 0.05)
        return httpx2.Response(400 if text == 'bad' else 200, json={'embedding': embed('x')})

    server.client = httpx2.AsyncClient(transport=httpx2.MockTransport(respond))
    model = bedrock('amazon.titan-embed-text-v2:0')(server)
    with pytest.raises(ModelHTTPError):
        await model.embed(['bad', *['good'] * 50], input_type='query')
    assert len(asked) < 10


async def test_long_texts_do_not_exceed_the_limit_of_tokens(server: Server) -> None:
    texts = ['word ' * 8000] * 20  # about 8,000 tokens each, of 300,000
    await openai(server).embed(texts, input_type='document')
    assert [len(body['input']) for _, body in server.requests] == [20] or len(server.requests) > 1
    assert all(sum(len(text) / 5 for text in body['input']) <= 300_000 for _, body in server.requests)


async def test_half_a_surrogate_pair_is_replaced_with_a_warning(server: Server) -> None:
    result = await openai(server).embed('a\ud83d', input_type='query')
    assert (server.body['input'], len(result.warnings)) == (['a\ufffd'], 1)


async def test_requests_must_be_allowed(server: Server) -> None:
    with models.override_allow_model_requests(allow_model_requests=False), pytest.raises(UserError, match='ALLOW'):
        await openai(server).embed('Hello', input_type='query')


async def test_the_task_of_gemini_2_is_a_prefix(server: Server) -> None:
    model = gemini('gemini-embedding-2')(server)
    settings = cast('EmbeddingSettings', {'google_task': 'clustering'})
    await model.embed('Hello', input_type='document', settings=settings)
    assert 'task: clustering | query: Hello' in json.dumps(server.body)
    raw = cast('EmbeddingSettings', {'google_task': 'raw', 'google_task_type': 'CLUSTERING'})
    result = await model.embed('Hello', input_type='document', settings=raw)
    assert server.requests[-1][1]['requests'][0]['content'] == {'parts': [{'text': 'Hello'}]}
    assert 'google_task_type' in result.warnings[0]


async def test_gemini_1_at_vertex_takes_one_text_at_a_time(server: Server) -> None:
    pytest.importorskip('google.auth', reason='google-auth is not installed')
    await vertex('gemini-embedding-001')(server).embed(['a', 'b'], input_type='query')
    assert [len(body['instances']) for _, body in server.requests] == [1, 1]


async def test_tokens_are_counted_where_the_vendor_can() -> None:
    server = Server()
    server.override = lambda path, body: httpx2.Response(200, json={'tokens': [1, 2, 3], 'totalTokens': 3})
    assert await cohere(server).count_tokens('Hello') == 3
    assert await gemini('gemini-embedding-001')(server).count_tokens('Hello') == 3
    assert server.paths == ['/v1/tokenize', '/v1beta/models/gemini-embedding-001:countTokens']
    with pytest.raises(UserError, match='cannot count'):
        await openai(server).count_tokens('Hello')


async def test_the_cost_of_texts_names_what_is_unknown(server: Server) -> None:
    pytest.importorskip('genai_prices', reason='genai-prices is not installed')
    server.override = lambda path, body: httpx2.Response(
        200, json={**answer(path, body), 'model': 'text-embedding-3-small', 'usage': {'prompt_tokens': 1_000_000}}
    )
    result = await openai(server).embed('Hello', input_type='query')
    assert (float(result.cost().total_price), result.cost().is_complete) == (0.02, True)
    unpriced = (await gemini('gemini-embedding-001')(Server()).embed('Hello', input_type='query')).cost().unpriced
    assert any('were not reported' in sentence for sentence in unpriced)


async def test_the_limits_of_texts_are_known() -> None:
    server = Server()
    limits: dict[str, tuple[EmbeddingModel, int]] = {
        'openai': (openai(server), 8192),
        'cohere': (cohere(server), 128_000),
        'gemini': (gemini('gemini-embedding-001')(server), 2048),
        'gemini-2': (gemini('gemini-embedding-2')(server), 8192),
    }
    for model, limit in limits.values():
        assert await model.max_input_tokens() == limit


def test_names_that_would_change_the_url_are_refused() -> None:
    with pytest.raises(UserError, match='valid model name'):
        GoogleEmbeddingModel('../x?y', provider=cast('Any', 'google-gla'), api_key=KEY)
    with pytest.raises(UserError, match='not an embedding model'):
        BedrockEmbeddingModel('anthropic.claude-3', api_key=KEY)


def respond_with(server: Server, change: Callable[[list[Json]], list[Json]]) -> None:
    """Change the items of every response."""

    def override(path: str, body: Json) -> httpx2.Response:
        whole = answer(path, body)
        return httpx2.Response(200, json={**whole, 'data': change(whole['data'])})

    server.override = override


@pytest.mark.parametrize('make', [openai, mistral])
async def test_embeddings_are_sorted_by_their_index_and_never_guessed(
    server: Server, make: Callable[[Server], EmbeddingModel]
) -> None:
    texts = ['a', 'bb', 'ccc']
    orders: list[tuple[list[int | None], bool]] = [
        ([2, 0, 1], True),
        ([None, 1, 2], True),  # JSON of protobuf has no 0
        ([None, None, None], True),
        ([0, 0, 0], True),
        ([1, 1, 2], False),
        ([1, 2, 3], False),
        ([0, -1, 1], False),
    ]
    for indices, is_known in orders:
        values = [place if index is None or not any(indices) else index for place, index in enumerate(indices)]
        items = [{'index': index, 'embedding': [float(value)]} for index, value in zip(indices, values, strict=True)]
        respond_with(server, lambda _, items=items: items)  # type: ignore[misc]
        call = make(server).embed(texts, input_type='document', settings={'retries': 0})
        if is_known:
            assert (await call).embeddings == [[0.0], [1.0], [2.0]], indices
        else:
            with pytest.raises(UnexpectedModelBehavior, match='the items have the indices'):
                await call


async def test_embeddings_that_are_no_vectors_of_one_length_are_reported(server: Server) -> None:
    for vectors, message in [
        ([[1.0], [1.0, 2.0]], r'different numbers of dimensions: \[1, 2\]'),
        (['', ''], 'not a list of numbers'),
        (['no base64!', 'AAAA'], 'unexpected form'),
        ([[], []], 'not a list of numbers'),
    ]:
        respond_with(server, lambda items, vectors=vectors: [{'embedding': each} for each in vectors])  # type: ignore[misc]
        with pytest.raises(UnexpectedModelBehavior, match=message):
            await openai(server).embed(['a', 'b'], input_type='query', settings={'retries': 0})


async def test_dimensions_that_a_server_ignores_are_a_warning(server: Server) -> None:
    result = await openai(server).embed('Hello', input_type='query', settings={'dimensions': 256})
    assert result.warnings == ['dimensions=256 did not hold: the embeddings have 2']
    assert (await openai(server).embed('Hello', input_type='query', settings={'dimensions': 2})).warnings == []
