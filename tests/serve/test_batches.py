"""The batch APIs of the gateway, through the vendors' own clients: files, batches, results, and what ends them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import groq
import httpx2
import openai
import pytest
from mistralai.client import Mistral

from pydantic_llm.batches import batch_requests, get_batch
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ModelMessage, ModelResponse, TextPart
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.serve import BatchOptions, GatewayKey, LocalServer, create_app
from tests.batches.vendors import anthropic as anthropic_model, openai_chat
from tests.serve.models import failing_model, text_model

BODY = {'model': 'm', 'messages': [{'role': 'user', 'content': 'Hi'}]}
RESPONSES_BODY = {'model': 'm', 'input': 'Hi'}


def make_lines(*rows: Any) -> bytes:
    return b''.join(json.dumps(row).encode() + b'\n' for row in rows)


def make_rows(count: int, body: Any = BODY, url: str = '/v1/chat/completions') -> bytes:
    rows = [{'custom_id': f'id-{index}', 'method': 'POST', 'url': url, 'body': body} for index in range(count)]
    return make_lines(*rows)


async def wait_for(fetch: Callable[[], Awaitable[Any]], is_done: Callable[[Any], bool]) -> Any:
    for _ in range(1000):
        if is_done(found := await fetch()):
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(found)


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(create_app(text_model('Hello'))) as url:
        yield url


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url) as client:
        yield client


# ---------------------------------------------------------------------- the vendors' clients


@pytest.mark.parametrize(('endpoint', 'body'), [('/v1/chat/completions', BODY), ('/v1/responses', RESPONSES_BODY)])
async def test_the_client_of_openai_runs_a_batch(endpoint: str, body: Any, url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f'{url}/v1', api_key='k', max_retries=0) as client:
        file = await client.files.create(file=('a.jsonl', make_rows(3, body, endpoint)), purpose='batch')
        assert (file.purpose, file.filename) == ('batch', 'a.jsonl')
        batch = await client.batches.create(
            input_file_id=file.id,
            endpoint=endpoint,  # type: ignore[arg-type]
            completion_window='24h',
            metadata={'mine': 'yes'},
        )
        batch = await wait_for(lambda: client.batches.retrieve(batch.id), lambda found: found.status == 'completed')
        assert batch.request_counts
        assert (batch.request_counts.total, batch.request_counts.completed, batch.metadata) == (3, 3, {'mine': 'yes'})
        assert batch.output_file_id
        content = await client.files.content(batch.output_file_id)
        rows = [json.loads(line) for line in content.text.splitlines()]
        assert {row['custom_id'] for row in rows} == {'id-0', 'id-1', 'id-2'}
        assert all('Hello' in json.dumps(row['response']['body']) for row in rows)
        assert batch.id in [each.id async for each in client.batches.list()]
        assert (await client.files.delete(batch.output_file_id)).deleted
        with pytest.raises(openai.NotFoundError):
            await client.files.content(batch.output_file_id)


async def test_the_client_of_azure_runs_a_batch(url: str) -> None:
    async with openai.AsyncAzureOpenAI(azure_endpoint=url, api_version='2025-04-01-preview', api_key='k') as client:
        file = await client.files.create(file=('a.jsonl', make_rows(1, BODY, '/chat/completions')), purpose='batch')
        batch = await client.batches.create(
            input_file_id=file.id,
            endpoint='/chat/completions',  # type: ignore[arg-type]
            completion_window='24h',
        )
        batch = await wait_for(lambda: client.batches.retrieve(batch.id), lambda found: found.status == 'completed')
        assert batch.output_file_id
        assert 'Hello' in (await client.files.content(batch.output_file_id)).text


async def test_the_client_of_groq_runs_a_batch(url: str) -> None:
    async with groq.AsyncGroq(base_url=url, api_key='k', max_retries=0) as client:
        file = await client.files.create(file=('a.jsonl', make_rows(2)), purpose='batch')
        assert file.id
        created = await client.batches.create(
            input_file_id=file.id, endpoint='/v1/chat/completions', completion_window='24h'
        )
        batch = await wait_for(lambda: client.batches.retrieve(created.id), lambda found: found.status == 'completed')
        assert batch.output_file_id
        content = await client.files.content(batch.output_file_id)
        assert (await content.text()).count('Hello') == 2


async def test_the_client_of_mistral_runs_a_batch(url: str) -> None:
    async with Mistral(api_key='k', server_url=f'{url}/mistral') as client:
        rows = make_lines(*[{'custom_id': str(index), 'body': {'messages': BODY['messages']}} for index in range(2)])
        file = await client.files.upload_async(file={'file_name': 'a.jsonl', 'content': rows}, purpose='batch')
        job = await client.batch.jobs.create_async(
            input_files=[str(file.id)], model='m', endpoint='/v1/chat/completions'
        )
        done = await wait_for(
            lambda: client.batch.jobs.get_async(job_id=job.id), lambda found: found.status == 'SUCCESS'
        )
        assert (done.total_requests, done.succeeded_requests, done.failed_requests) == (2, 2, 0)
        content = await client.files.download_async(file_id=done.output_file)
        assert (await content.aread()).count(b'Hello') == 2
        await client.files.delete_async(file_id=done.output_file)


async def test_the_client_of_anthropic_runs_a_batch(url: str) -> None:
    async with anthropic.AsyncAnthropic(base_url=url, api_key='k', max_retries=0) as client:
        params: Any = {'model': 'm', 'max_tokens': 9, 'messages': BODY['messages']}
        created = await client.messages.batches.create(
            requests=[{'custom_id': f'id-{index}', 'params': params} for index in range(3)]
        )
        assert created.processing_status == 'in_progress'
        assert created.request_counts.processing == 3
        await wait_for(
            lambda: client.messages.batches.retrieve(created.id), lambda found: found.processing_status == 'ended'
        )
        results = [row async for row in await client.messages.batches.results(created.id)]
        assert {row.custom_id for row in results} == {'id-0', 'id-1', 'id-2'}
        assert {row.result.type for row in results} == {'succeeded'}
        assert created.id in [each.id async for each in client.messages.batches.list()]
        await client.messages.batches.delete(created.id)
        with pytest.raises(anthropic.NotFoundError):
            await client.messages.batches.retrieve(created.id)


async def test_errors_of_requests_are_in_the_form_of_each_client() -> None:
    with LocalServer(create_app(failing_model(UserError('This is wrong')))) as url:
        async with openai.AsyncOpenAI(base_url=f'{url}/v1', api_key='k') as client:
            file = await client.files.create(file=('a.jsonl', make_rows(1)), purpose='batch')
            batch = await client.batches.create(
                input_file_id=file.id, endpoint='/v1/chat/completions', completion_window='24h'
            )
            batch = await wait_for(lambda: client.batches.retrieve(batch.id), lambda found: found.status == 'completed')
            assert batch.output_file_id is None
            assert batch.error_file_id
            [row] = [json.loads(line) for line in (await client.files.content(batch.error_file_id)).text.splitlines()]
            assert row['response']['status_code'] == 400
            assert row['response']['body']['error']['message'] == 'This is wrong'
        async with anthropic.AsyncAnthropic(base_url=url, api_key='k') as client:
            params: Any = {'model': 'm', 'max_tokens': 9, 'messages': BODY['messages']}
            created = await client.messages.batches.create(requests=[{'custom_id': 'a', 'params': params}])
            await wait_for(
                lambda: client.messages.batches.retrieve(created.id), lambda found: found.processing_status == 'ended'
            )
            [result] = [row async for row in await client.messages.batches.results(created.id)]
            assert result.result.type == 'errored'
            assert result.result.error.error.message == 'This is wrong'


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        (b'', 'There are no requests'),
        (b'{"custom_id": "a", "body": {}}\nnot JSON\n', 'not a JSON object'),
        (make_lines({'body': BODY}), 'no id'),
        (make_lines({'custom_id': 'a'}), 'no request'),
        (make_lines({'custom_id': 'a', 'body': BODY}, {'custom_id': 'a', 'body': BODY}), 'occurs twice'),
    ],
)
async def test_a_file_with_an_invalid_row_fails_as_a_whole(rows: bytes, message: str, url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f'{url}/v1', api_key='k') as client:
        file = await client.files.create(file=('a.jsonl', rows), purpose='batch')
        batch = await client.batches.create(
            input_file_id=file.id, endpoint='/v1/chat/completions', completion_window='24h'
        )
        batch = await wait_for(lambda: client.batches.retrieve(batch.id), lambda found: found.status == 'failed')
        assert batch.errors
        assert batch.errors.data
        assert message in str(batch.errors.data[0].message)


@pytest.mark.parametrize(
    ('path', 'body', 'message'),
    [
        ('/v1/batches', {'endpoint': '/v1/embeddings', 'input_file_id': 'x'}, 'endpoint is'),
        ('/v1/batches', {'endpoint': '/v1/responses'}, 'input_file_id'),
        ('/v1/batch/jobs', {'endpoint': '/v1/chat/completions', 'input_files': []}, 'input_files is'),
        ('/v1/messages/batches', {'requests': []}, 'requests'),
        ('/v1/messages/batches', {'requests': 3}, 'requests'),
        ('/v1beta/models/m:batchGenerateContent', {'batch': {'inputConfig': {'requests': 3}}}, 'inputConfig'),
        ('/v1beta/models/m:batchGenerateContent', {'batch': 3}, 'inputConfig'),
    ],
)
async def test_an_invalid_batch_is_refused(path: str, body: Any, message: str, http: httpx2.AsyncClient) -> None:
    response = await http.post(path, json=body)
    assert response.status_code == 400
    assert message in response.text


@pytest.mark.parametrize(
    'form', [{'data': {'purpose': 'batch'}, 'files': {'other': b'x'}}, {'data': {'purpose': 'vision'}}, {}]
)
async def test_an_invalid_upload_is_refused(form: Any, http: httpx2.AsyncClient) -> None:
    options = {'files': {'file': ('a', b'x')}, **form} if form else {'json': {}}
    response = await http.post('/v1/files', **options)
    assert response.status_code in (400, 415)


@pytest.mark.parametrize('path', ['/v1/files/..%2Fsecret', '/v1/batches/unknown', '/v1beta/files/a:download'])
async def test_an_unknown_id_is_not_found(path: str, http: httpx2.AsyncClient) -> None:
    assert (await http.get(path)).status_code == 404


async def test_a_file_above_the_limit_is_refused() -> None:
    options = BatchOptions(max_file_bytes=1000)
    with LocalServer(create_app(TestModel(), batches=options)) as url:
        async with httpx2.AsyncClient(base_url=url) as client:
            file = {'file': ('a.jsonl', b'x' * 200_000)}
            whole = await client.post('/v1/files', files=file, data={'purpose': 'batch'})
            assert whole.status_code == 413
            form: Any = client.build_request('POST', '/v1/files', files=file, data={'purpose': 'batch'})

            async def chunks() -> AsyncIterator[bytes]:
                yield await form.aread()

            headers = {'content-type': form.headers['content-type']}
            chunked = await client.post('/v1/files', content=chunks(), headers=headers)
            assert chunked.status_code == 413


async def test_a_request_of_a_batch_cannot_be_streamed(url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f'{url}/v1', api_key='k') as client:
        file = await client.files.create(file=('a.jsonl', make_rows(1, {**BODY, 'stream': True})), purpose='batch')
        batch = await client.batches.create(
            input_file_id=file.id, endpoint='/v1/chat/completions', completion_window='24h'
        )
        batch = await wait_for(lambda: client.batches.retrieve(batch.id), lambda found: found.status == 'completed')
        assert batch.error_file_id
        assert 'cannot be streamed' in (await client.files.content(batch.error_file_id)).text


# ---------------------------------------------------------------------- keys, folders, limits


async def test_a_key_sees_its_own_batches_alone() -> None:
    keys = [GatewayKey('one', 'secret-1'), GatewayKey('two', 'secret-2')]
    with LocalServer(create_app(text_model('Hello'), keys=keys)) as url:
        async with httpx2.AsyncClient(base_url=url) as client:
            first, second = ({'authorization': f'Bearer secret-{number}'} for number in (1, 2))
            file = {'file': ('a.jsonl', make_rows(1))}
            created = await client.post('/v1/files', files=file, data={'purpose': 'batch'}, headers=first)
            id = created.json()['id']
            assert (await client.get(f'/v1/files/{id}/content', headers=first)).status_code == 200
            assert (await client.get(f'/v1/files/{id}/content', headers=second)).status_code == 404
            body = {'endpoint': '/v1/chat/completions', 'input_file_id': id}
            assert (await client.post('/v1/batches', json=body, headers=second)).status_code == 404
            batch = (await client.post('/v1/batches', json=body, headers=first)).json()
            assert (await client.get(f'/v1/batches/{batch["id"]}', headers=second)).status_code == 404
            assert (await client.get(f'/v1/batches/{batch["id"]}')).status_code == 401
            assert (await client.get('/v1/batches', headers=second)).json()['data'] == []


async def test_requests_of_a_batch_count_for_the_budget_of_its_key() -> None:
    keys = [GatewayKey('one', 'secret', tokens_per_day=4000, requests_per_minute=100_000)]
    with LocalServer(create_app(text_model('Hello'), keys=keys)) as url:
        async with openai.AsyncOpenAI(base_url=f'{url}/v1', api_key='secret') as client:
            body = {**BODY, 'max_tokens': 3000}
            file = await client.files.create(file=('a.jsonl', make_rows(3, body)), purpose='batch')
            batch = await client.batches.create(
                input_file_id=file.id, endpoint='/v1/chat/completions', completion_window='24h'
            )
            batch = await wait_for(lambda: client.batches.retrieve(batch.id), lambda found: found.status == 'completed')
            assert batch.error_file_id
            assert 'budget' in (await client.files.content(batch.error_file_id)).text


async def test_no_more_requests_than_allowed_run_at_once() -> None:
    running = most = 0

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return ModelResponse([TextPart('ok')], finish_reason='stop')

    with LocalServer(create_app(FunctionModel(respond), batches=BatchOptions(concurrency=3))) as url:
        async with openai_chat(url) as model:
            batches = [await batch_requests(model, ['a'] * 10) for _ in range(2)]
            for batch in batches:
                assert len([row async for row in batch.results(poll_every=0.02)]) == 10
    assert most == 3


@pytest.mark.parametrize('make', [openai_chat, anthropic_model])
async def test_a_server_that_is_started_again_goes_on_with_its_batches(make: Any, tmp_path: Path) -> None:
    answered: list[str] = []
    is_stuck = True

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        text = str(messages[-1].parts[-1].content)  # type: ignore[union-attr]
        if is_stuck and len(answered) >= 5:
            await asyncio.sleep(60)
        answered.append(text)
        return ModelResponse([TextPart(text)], finish_reason='stop')

    options = BatchOptions(folder=tmp_path, concurrency=2)
    app = create_app(FunctionModel(respond), batches=options)
    texts = [f'text {index}' for index in range(12)]
    with LocalServer(app) as url:
        async with make(url) as model:
            id = (await batch_requests(model, texts)).id
            await wait_for(lambda: asyncio.sleep(0, len(answered)), lambda count: count >= 5)
    is_stuck = False
    with LocalServer(create_app(FunctionModel(respond), batches=options)) as url:
        async with make(url) as model:
            batch = await get_batch(model, id)
            results = [row async for row in batch.results(poll_every=0.02)]
    assert sorted(row.get_response().text or '' for row in results) == sorted(texts)
    assert len(answered) == 12  # no request ran twice


async def test_a_truncated_line_of_results_is_run_again(tmp_path: Path) -> None:
    options = BatchOptions(folder=tmp_path)
    with LocalServer(create_app(text_model('Hello'), batches=options)) as url:
        async with openai_chat(url) as model:
            batch = await batch_requests(model, ['a', 'b'])
            assert len([row async for row in batch.results(poll_every=0.02, keep_files=True)]) == 2
    damage(tmp_path)
    with LocalServer(create_app(text_model('Hello'), batches=options)) as url:
        async with openai_chat(url) as model:
            again = await get_batch(model, batch.id)
            results = [row async for row in again.results(poll_every=0.02)]
    assert sorted(row.id for row in results) == ['request-0', 'request-1']
    assert all(row.response for row in results)


def damage(folder: Path) -> None:
    """Make a folder look as if the server had been killed while it wrote the last result."""
    [job] = folder.glob('*.job')
    fields = json.loads(job.read_bytes())
    job.write_text(json.dumps({**fields, 'status': 'in_progress', 'ended': None}))
    output = folder / f'{fields["output_file"]}.data'
    output.write_bytes(output.read_bytes()[:-40])
    (folder / 'broken.job').write_bytes(b'{"id": ')


async def test_old_files_and_batches_are_deleted() -> None:
    with LocalServer(create_app(text_model('Hello'), batches=BatchOptions(keep_for=0.2))) as url:
        async with openai_chat(url) as model:
            batch = await batch_requests(model, ['a'])
            assert len([row async for row in batch.results(poll_every=0.02, keep_files=True)]) == 1
            await asyncio.sleep(0.45)
            async with httpx2.AsyncClient(base_url=url) as client:
                file = {'file': ('a.jsonl', b'x')}
                await client.post('/v1/files', files=file, data={'purpose': 'batch'})
                assert (await client.get(f'/v1/batches/{batch.id}')).status_code == 404


@pytest.mark.parametrize(
    'options', [{'concurrency': 0}, {'expire_after': 0}, {'keep_for': -1}, {'folder': 3}, {'max_file_bytes': 'big'}]
)
def test_invalid_options_are_refused(options: Any) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        BatchOptions(**options)


@pytest.mark.parametrize('version', ['v1beta', 'v1'])
async def test_a_client_of_google_uploads_a_file_in_pieces(version: str, http: httpx2.AsyncClient) -> None:
    """As `google.genai` does it (`_upload_fd` in google/genai/_api_client.py), with version `v1` of the API too."""
    contents = [{'role': 'user', 'parts': [{'text': 'Hi'}]}]
    data = make_lines(*[{'key': str(index), 'request': {'contents': contents}} for index in range(3)])
    begun = await http.post(
        f'/upload/{version}/files',
        json={'file': {'displayName': 'mine'}},
        headers={
            'x-goog-upload-command': 'start',
            'x-goog-upload-header-content-length': str(len(data)),
            'x-goog-upload-header-content-type': 'jsonl',
        },
    )
    upload, half = begun.headers['x-goog-upload-url'], len(data) // 2
    first = {'x-goog-upload-command': 'upload', 'x-goog-upload-offset': '0'}
    assert (await http.post(upload, content=data[:half], headers=first)).headers['x-goog-upload-status'] == 'active'
    assert (await http.post(upload, content=data[:half], headers=first)).status_code == 400  # sent already
    last = {'x-goog-upload-command': 'upload, finalize', 'x-goog-upload-offset': str(half)}
    done = await http.post(upload, content=data[half:], headers=last)
    assert done.headers['x-goog-upload-status'] == 'final'
    file = done.json()['file']
    assert (file['sizeBytes'], file['displayName'], file['mimeType']) == (str(len(data)), 'mine', 'jsonl')
    batch = {'displayName': 'b', 'inputConfig': {'fileName': file['name']}}
    created = await http.post(f'/{version}/models/m:batchGenerateContent', json={'batch': batch})
    name = created.json()['name']

    async def fetch() -> Any:
        return (await http.get(f'/{version}/{name}')).json()

    ended = await wait_for(fetch, lambda found: found.get('done', False))
    assert ended['metadata']['state'] == 'BATCH_STATE_SUCCEEDED'
    assert ended['metadata']['batchStats']['successfulRequestCount'] == '3'
    results = await http.get(f'/{version}/{ended["response"]["responsesFile"]}:download', params={'alt': 'media'})
    assert results.text.count('Hello') == 3
    assert (await http.delete(f'/{version}/{name}')).status_code == 200
    assert (await http.get(f'/{version}/{name}')).status_code == 404
    assert (await http.delete(f'/{version}/{file["name"]}')).status_code == 200
