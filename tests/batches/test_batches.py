"""Batches of every vendor's API, from the requests to the results, against the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.batches import Batch, BatchRequest, BatchResult, batch_requests, get_batch
from pydantic_llm.exceptions import (
    BatchCancelledError,
    BatchExpiredError,
    BatchFailedError,
    ContextLengthError,
    LLMError,
    ModelHTTPError,
    NotFoundError,
    RateLimitError,
    UserError,
)
from pydantic_llm.messages import DocumentUrl, ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.concurrency import ConcurrencyLimitedModel
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.prices import Prices
from pydantic_llm.serve import BatchOptions, LocalServer, create_app
from pydantic_llm.tools import ToolDefinition
from pydantic_llm.wire.model import WireModel
from tests.batches.vendors import VENDORS, anthropic, gemini, openai_chat

each = pytest.mark.parametrize('vendor', VENDORS)

ERRORS: dict[str, tuple[type[LLMError], int, str]] = {
    'rate limit': (RateLimitError, 429, 'Too many requests'),
    'too long': (ContextLengthError, 400, 'prompt is too long: 9 tokens > 8 maximum'),
    'broken': (ModelHTTPError, 500, 'The server is broken'),
}
"""The texts of requests that fail -> the errors of their results."""


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    text = find_text(messages)
    if text in ERRORS:
        _, status, message = ERRORS[text]
        raise ModelHTTPError(status, 'm', message=message)
    return ModelResponse([TextPart(f'You said {text}')], finish_reason='stop')


async def hang(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    if find_text(messages) == 'quick':
        return ModelResponse([TextPart('done')], finish_reason='stop')
    await asyncio.sleep(60)
    raise AssertionError


def find_text(messages: list[ModelMessage]) -> str:
    request = messages[-1]
    assert isinstance(request, ModelRequest)
    prompt = request.parts[-1]
    assert isinstance(prompt, UserPromptPart)
    return ''.join(item for item in prompt.items() if isinstance(item, str))


@pytest.fixture(scope='module')
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    options = BatchOptions(folder=tmp_path_factory.mktemp('batches'))
    with LocalServer(create_app(FunctionModel(respond), batches=options)) as url:
        yield url


async def read(batch: Batch, **options: Any) -> dict[str, BatchResult]:
    return {result.id: result async for result in batch.results(poll_every=0.02, **options)}


def list_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob('*.data'))


def text_of(result: BatchResult) -> str | None:
    return result.get_response().text


def limit(model: WireModel[Any], monkeypatch: pytest.MonkeyPatch, **limits: int) -> WireModel[Any]:
    """Give a model's API lower limits."""
    api = model.get_batch_api()
    assert api is not None
    monkeypatch.setattr(model, 'get_batch_api', lambda: replace(api, **limits))
    return model


# ---------------------------------------------------------------------- results


@each
async def test_every_request_has_its_result(vendor: str, url: str) -> None:
    async with VENDORS[vendor](url) as model:
        batch = await batch_requests(model, ['a', 'b', BatchRequest('c', id='my-own')])
        results = await read(batch)
        assert {id: text_of(result) for id, result in results.items()} == {
            'request-0': 'You said a',
            'request-1': 'You said b',
            'my-own': 'You said c',
        }
        assert (batch.status, batch.has_ended, batch.warnings) == ('completed', True, [])
        assert (batch.counts.total, batch.counts.succeeded, batch.counts.failed) == (3, 3, 0)


@each
async def test_a_result_is_the_response_of_a_request(vendor: str, url: str) -> None:
    async with VENDORS[vendor](url) as model:
        expected = await model.request([ModelRequest.user_text_prompt('a')])
        result = (await read(await batch_requests(model, ['a'])))['request-0'].get_response()
        assert (result.text, len(result.parts)) == (expected.text, len(expected.parts))
        for field in ('usage', 'model_name', 'provider_name', 'provider_url', 'finish_reason', 'state'):
            assert getattr(result, field) == getattr(expected, field)


@each
async def test_the_cost_of_a_response_is_that_of_batches(vendor: str, url: str) -> None:
    async with VENDORS[vendor](url) as model:
        response = (await read(await batch_requests(model, ['a'])))['request-0'].get_response()
        assert (response.provider_details or {})['processing'] == 'batch'
        batch = replace(response, provider_name='openai', model_name='gpt-4o', provider_url=None)
        usual = replace(batch, provider_details=None)
        assert 2 * batch.cost().total_price == usual.cost().total_price > 0
        prices = {'openai:*': Prices(input=1, output=1)}
        assert "the prices of 'batch' are unknown" in batch.cost(prices=prices).unpriced[0]


@each
async def test_each_failed_request_has_the_error_of_a_request(vendor: str, url: str) -> None:
    async with VENDORS[vendor](url) as model:
        results = await read(await batch_requests(model, [*ERRORS, 'fine']))
        errors = [results[f'request-{index}'].error for index in range(len(ERRORS))]
        for error, (kind, status, message) in zip(errors, ERRORS.values(), strict=True):
            assert type(error) is kind
            assert isinstance(error, ModelHTTPError)
            assert error.status_code == status
            assert message in str(error)
            assert not error.in_stream
        assert text_of(results['request-3']) == 'You said fine'
        with pytest.raises(RateLimitError):
            results['request-0'].get_response()


@each
async def test_a_batch_is_found_by_its_id(vendor: str, url: str) -> None:
    async with VENDORS[vendor](url) as model:
        requests = ['a', 'rate limit']
        id = (await batch_requests(model, requests)).id
        assert id.isprintable()
    async with VENDORS[vendor](url) as model:
        without = await read(await get_batch(model, id), keep_files=True)
        assert text_of(without['request-0']) == 'You said a'
        assert isinstance(without['request-1'].error, RateLimitError)
        batch = await get_batch(model, id, requests=requests)
        assert (await read(batch)).keys() == without.keys()
        assert batch.warnings == []


@each
async def test_a_batch_above_the_limits_becomes_several(vendor: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with limit(VENDORS[vendor](url), monkeypatch, max_requests=2) as model:
        batch = await batch_requests(model, ['a', 'b', 'c', 'd', 'e'])
        assert len(batch.jobs) == 3
        again = await get_batch(model, batch.id, requests=['a', 'b', 'c', 'd', 'e'])
        assert (await read(again, keep_files=True)).keys() == (found := await read(batch)).keys()
        assert [text_of(found[f'request-{index}']) for index in range(5)] == [f'You said {text}' for text in 'abcde']
        assert batch.counts.total == 5


@each
async def test_the_files_of_a_batch_are_deleted_after_the_results_were_read(vendor: str, tmp_path: Path) -> None:
    with LocalServer(create_app(FunctionModel(respond), batches=BatchOptions(folder=tmp_path))) as url:
        async with VENDORS[vendor](url) as model:
            batch = await batch_requests(model, ['a'])
            assert len(await read(batch, keep_files=True)) == 1
            assert list_files(tmp_path) != []
            assert len(await read(batch)) == 1
            assert list_files(tmp_path) == []
            with pytest.raises(UserError, match='keep_files=True'):
                await read(batch)


# ---------------------------------------------------------------------- requests that were not run


@each
async def test_a_cancelled_batch_has_results_for_what_ran(vendor: str) -> None:
    with LocalServer(create_app(FunctionModel(hang))) as url:
        async with VENDORS[vendor](url) as model:
            batch = await batch_requests(model, ['quick', *['slow'] * 20])
            await asyncio.sleep(0.1)
            await batch.refresh()
            assert batch.status == 'running'
            await batch.cancel()
            results = await read(batch)
            assert batch.status == 'cancelled'
            await batch.cancel()  # which does nothing more
    if vendor != 'gemini':  # the job of Google's API has no results then
        assert text_of(results['request-0']) == 'done'
    assert len(results) == 21
    assert {type(results[f'request-{index}'].error) for index in range(1, 21)} == {BatchCancelledError}


@each
async def test_requests_that_did_not_run_in_time_are_expired(vendor: str) -> None:
    with LocalServer(create_app(FunctionModel(hang), batches=BatchOptions(expire_after=0.1))) as url:
        async with VENDORS[vendor](url) as model:
            results = await read(await batch_requests(model, ['slow', 'slow']))
    assert [type(result.error) for result in results.values()] == [BatchExpiredError, BatchExpiredError]
    assert all(result.error and getattr(result.error, 'retryable', False) for result in results.values())


async def test_a_batch_that_expired_raises_if_its_requests_are_not_known(url: str) -> None:
    with LocalServer(create_app(FunctionModel(hang), batches=BatchOptions(expire_after=0.05))) as url:
        async with gemini(url) as model:
            id = (await batch_requests(model, ['slow'])).id
            await asyncio.sleep(0.15)
            batch = await get_batch(model, id)
            with pytest.raises(BatchExpiredError):
                await read(batch)
            results = await read(await get_batch(model, id, requests=['slow']))
            assert isinstance(results['request-0'].error, BatchExpiredError)


async def test_a_batch_that_the_vendor_refuses_fails_each_request(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with openai_chat(url) as model:
        api = model.get_batch_api()
        assert api is not None
        assert api.encode_row is not None
        encode = api.encode_row

        def encode_row(id: str, body: bytes) -> bytes:
            return b'not JSON' if id == 'request-1' else encode(id, body)

        monkeypatch.setattr(model, 'get_batch_api', lambda: replace(api, encode_row=encode_row))
        batch = await batch_requests(model, ['a', 'b', 'c'])
        results = await read(batch, keep_files=True)
        assert batch.status == 'failed'
        refused = results['request-1'].error
        assert isinstance(refused, ModelHTTPError)
        assert 'not a JSON object' in str(refused)
        other = results['request-0'].error
        assert isinstance(other, BatchFailedError)
        assert other.batch_id == batch.id
        with pytest.raises(BatchFailedError, match='not a JSON object'):
            await read(await get_batch(model, batch.id))


# ---------------------------------------------------------------------- requests


@each
async def test_one_bad_request_is_named_before_anything_is_sent(vendor: str, tmp_path: Path) -> None:
    with LocalServer(create_app(FunctionModel(respond), batches=BatchOptions(folder=tmp_path))) as url:
        async with VENDORS[vendor](url) as model:
            bad = BatchRequest('b', settings={'temperature': 'hot'})  # type: ignore[typeddict-item]
            with pytest.raises(UserError, match=r'requests\[1\]: temperature'):
                await batch_requests(model, ['a', bad])
        assert list_files(tmp_path) == []


async def test_an_id_that_occurs_twice_is_refused(url: str) -> None:
    async with openai_chat(url) as model:
        with pytest.raises(UserError, match=r"requests\[1\]\.id is 'x', as that of an earlier request"):
            await batch_requests(model, [BatchRequest('a', id='x'), BatchRequest('b', id='x')])


async def test_an_id_that_the_vendor_refuses_is_refused(url: str) -> None:
    async with anthropic(url) as model:
        with pytest.raises(UserError, match=r"requests\[0\]\.id is 'a b'"):
            await batch_requests(model, [BatchRequest('a', id='a b')])


async def test_a_request_above_the_limit_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with limit(openai_chat(url), monkeypatch, max_bytes=1000) as model:
        with pytest.raises(UserError, match=r'requests\[1\] has \d+ bytes, and a batch may have at most 1000'):
            await batch_requests(model, ['a', 'b' * 1000])


@pytest.mark.parametrize(
    ('requests', 'message'),
    [([], 'is empty'), ([3], r'requests\[0\]'), ('text', 'takes a list'), (None, 'takes a list'), ({}, 'takes a list')],
)
async def test_wrong_requests_are_refused(requests: Any, message: str, url: str) -> None:
    async with openai_chat(url) as model:
        with pytest.raises(UserError, match=message):
            await batch_requests(model, requests)


@pytest.mark.parametrize('id', ['', 'a,', '../files', 'a/../b', 'a?b'])
async def test_a_text_that_is_no_id_is_refused(id: str, url: str) -> None:
    async with openai_chat(url) as model:
        with pytest.raises(UserError, match='is not the id of a batch'):
            await get_batch(model, id)


@each
async def test_an_unknown_batch_is_not_found(vendor: str, url: str) -> None:
    async with VENDORS[vendor](url) as model:
        with pytest.raises(NotFoundError):
            await get_batch(model, 'batches/unknown' if vendor == 'gemini' else 'unknown')


async def test_each_result_has_the_warnings_of_its_request(url: str) -> None:
    async with anthropic(url) as model:
        requests = [
            BatchRequest('a', settings={'seed': 1}),
            BatchRequest('b', settings={'extra_headers': {'X-Mine': 'yes'}}),
            BatchRequest('c'),
        ]
        batch = await batch_requests(model, requests)
        for found in (await get_batch(model, batch.id, requests=requests), batch):
            results = await read(found, keep_files=found is not batch)
            warnings = [results[f'request-{index}'].get_response().warnings for index in range(3)]
            assert "'seed'" in warnings[0][0]
            assert warnings[1] == ["The header 'X-Mine' was not sent: a request of a batch has no headers of its own"]
            assert warnings[2] == []


async def test_a_setting_that_cannot_work_in_a_batch_is_dropped_with_a_warning(url: str) -> None:
    async with gemini(url) as model:
        batch = await batch_requests(model, [BatchRequest('a', settings={'cache': True})])
        [result] = (await read(batch)).values()
        assert any("'cache' was not sent" in warning for warning in result.get_response().warnings)


async def test_tool_calls_are_decoded_with_the_tools_of_the_request() -> None:
    tool = ToolDefinition('weather', {'type': 'object', 'properties': {'city': {'type': 'string'}}})
    parameters = ModelRequestParameters(function_tools=[tool])
    with LocalServer(create_app(TestModel())) as url:
        async with openai_chat(url) as model:
            [result] = (await read(await batch_requests(model, [BatchRequest('a', None, parameters)]))).values()
    assert [call.tool_name for call in result.get_response().tool_calls] == ['weather']


@pytest.mark.parametrize(
    'model',
    [
        TestModel(),
        OpenAIChatModel('m', provider='deepseek', api_key='k'),
        ConcurrencyLimitedModel(OpenAIChatModel('m', api_key='k'), limit=2),
    ],
    ids=str,
)
async def test_a_model_without_batches_names_the_alternatives(model: Any) -> None:
    with pytest.raises(UserError, match='RateLimitedModel'):
        await batch_requests(model, ['a'])


async def test_files_of_a_request_are_downloaded_before_it_is_sent(url: str) -> None:
    async with anthropic(url) as model:
        document = DocumentUrl(f'{url}/health', media_type='text/plain', force_download='allow-local')
        request = BatchRequest(ModelRequest([UserPromptPart(['Read', document])]))
        batch = await batch_requests(model, [request])
        await batch.cancel()
        assert len(await read(batch)) == 1


# ---------------------------------------------------------------------- reading


async def test_a_reader_that_stops_can_read_all_results_again(url: str) -> None:
    async with openai_chat(url) as model:
        batch = await batch_requests(model, ['a', 'b', 'c'])
        async with aclosing(batch.results(poll_every=0.02)) as results:
            async for _ in results:
                break
        assert len(await read(batch)) == 3


async def test_a_reader_can_be_cancelled_while_it_waits(url: str) -> None:
    with LocalServer(create_app(FunctionModel(hang))) as url:
        async with openai_chat(url) as model:
            batch = await batch_requests(model, ['slow'])
            reader = asyncio.create_task(read(batch))
            await asyncio.sleep(0.1)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            assert (await batch.refresh()).status == 'running'
            await batch.cancel()
            assert len(await read(batch)) == 1


async def test_results_of_a_part_come_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalServer(create_app(FunctionModel(hang))) as url:
        async with limit(openai_chat(url), monkeypatch, max_requests=1) as model:
            batch = await batch_requests(model, ['slow', 'quick'])
            results: AsyncGenerator[BatchResult] = batch.results(poll_every=0.02)
            first = await anext(results)
            assert (first.id, batch.status) == ('request-1', 'running')
            await batch.cancel()
            assert [result.id async for result in results] == ['request-0']


async def test_a_batch_that_runs_cannot_be_deleted() -> None:
    with LocalServer(create_app(FunctionModel(hang))) as url:
        async with anthropic(url) as model:
            batch = await batch_requests(model, ['slow'])
            with pytest.raises(UserError, match='cancel it before'):
                await batch.delete()


@pytest.mark.parametrize('value', [0, -1, 'often', None])
async def test_a_wrong_interval_is_refused(value: Any, url: str) -> None:
    async with openai_chat(url) as model:
        batch = await batch_requests(model, ['a'])
        with pytest.raises(UserError, match='poll_every'):
            await anext(batch.results(poll_every=value))
