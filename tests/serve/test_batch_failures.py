"""Batches of the gateway whose files disappear, whose clients go away or send nonsense, and whose keys must wait."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pydantic_llm.messages import ModelMessage, ModelResponse, TextPart
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.serve import BatchOptions, GatewayKey, LocalServer, create_app
from tests.serve.models import text_model
from tests.serve.test_batches import BODY, make_lines, make_rows, wait_for

Client = httpx2.AsyncClient


@contextmanager
def serve(model: Any = None, **options: Any) -> Iterator[str]:
    with LocalServer(create_app(model or text_model('Hello'), **options)) as url:
        yield url


def slow_model(seconds: float) -> FunctionModel:
    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        await asyncio.sleep(seconds)
        return ModelResponse([TextPart('ok')], finish_reason='stop')

    return FunctionModel(respond)


async def upload(client: Client, rows: bytes, **options: Any) -> str:
    file = {'file': ('a.jsonl', rows)}
    return (await client.post('/v1/files', files=file, data={'purpose': 'batch'}, **options)).json()['id']


async def create(client: Client, file: str, **options: Any) -> str:
    body = {'endpoint': '/v1/chat/completions', 'input_file_id': file}
    return (await client.post('/v1/batches', json=body, **options)).json()['id']


async def wait_for_end(client: Client, id: str, **options: Any) -> Any:
    async def fetch() -> Any:
        return (await client.get(f'/v1/batches/{id}', **options)).json()

    return await wait_for(fetch, lambda found: found['status'] in ('completed', 'failed', 'cancelled', 'expired'))


async def test_the_files_of_a_batch_that_runs_cannot_be_deleted() -> None:
    with serve(slow_model(0.1), batches=BatchOptions(concurrency=1)) as url:
        async with Client(base_url=url) as client:
            file = await upload(client, make_rows(2))
            id = await create(client, file)
            refused = await client.delete(f'/v1/files/{file}')
            ended = await wait_for_end(client, id)
            assert (refused.status_code, ended['status']) == (400, 'completed')
            assert id in refused.json()['error']['message']
            assert (await client.delete(f'/v1/files/{file}')).status_code == 200


async def test_a_deleted_batch_stays_deleted_with_all_its_files(tmp_path: Path) -> None:
    contents = [{'role': 'user', 'parts': [{'text': 'Hi'}]}]
    requests = [{'key': str(index), 'request': {'contents': contents}} for index in range(3)]
    with serve(slow_model(0.05), batches=BatchOptions(folder=tmp_path, concurrency=1)) as url:
        async with Client(base_url=url) as client:
            file = await upload(client, make_lines(*requests))
            for config in ({'fileName': f'files/{file}'}, {'requests': {'requests': requests}}):
                batch = {'batch': {'inputConfig': config}}
                name = (await client.post('/v1beta/models/m:batchGenerateContent', json=batch)).json()['name']
                await asyncio.sleep(0.08)
                assert (await client.delete(f'/v1beta/{name}')).status_code == 200
                await asyncio.sleep(0.05)
                assert (await client.get(f'/v1beta/{name}')).status_code == 404
    assert list_ids(tmp_path) == {file}


def list_ids(folder: Path) -> set[str]:
    return {path.stem for path in folder.iterdir()}


def lose(folder: Path, file: str) -> None:
    [job] = folder.glob('*.job')
    (folder / f'{json.loads(job.read_bytes())[file]}.data').unlink()


@pytest.mark.parametrize('lost', ['input_file', 'output_file'])
async def test_a_batch_whose_file_is_lost_fails(lost: str, tmp_path: Path) -> None:
    options = BatchOptions(folder=tmp_path, concurrency=1)
    with serve(slow_model(0.05), batches=options) as url:
        async with Client(base_url=url) as client:
            id = await create(client, await upload(client, make_rows(200)))
            await asyncio.sleep(0.08)
    lose(tmp_path, lost)
    with serve(slow_model(0.0), batches=options) as url:
        async with Client(base_url=url) as client:
            assert (await wait_for_end(client, id))['status'] == 'failed'


async def test_a_result_that_cannot_be_written_fails_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk: the batch does not end with fewer results than requests."""
    path_open = Path.open

    def open_full(self: Path, mode: str = 'r', **options: Any) -> Any:
        if mode == 'ab':
            raise OSError(28, 'No space left on device')
        return path_open(self, mode, **options)

    with serve(batches=BatchOptions(folder=tmp_path)) as url:
        async with Client(base_url=url) as client:
            file = await upload(client, make_rows(2))
            monkeypatch.setattr(Path, 'open', open_full)
            ended = await wait_for_end(client, await create(client, file))
    assert ended['status'] == 'failed'


async def test_prompts_and_responses_on_disk_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / 'batches'
    with serve(batches=BatchOptions(folder=folder)) as url:
        async with Client(base_url=url) as client:
            await wait_for_end(client, await create(client, await upload(client, make_rows(1))))
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in [folder, *folder.iterdir()]} == {
        path.name: '0o0' for path in [folder, *folder.iterdir()]
    }


START = {'x-goog-upload-command': 'start'}


@pytest.mark.parametrize(
    ('path', 'body'),
    [
        ('/upload/v1beta/files', {'file': 'mine'}),
        ('/upload/v1beta/files', {'file': [1]}),
        ('/v1/batch/jobs', {'endpoint': '/v1/chat/completions', 'model': {'a': 1}}),
        ('/v1/batch/jobs', {'endpoint': '/v1/chat/completions', 'model': 5}),
    ],
)
async def test_a_value_of_another_type_is_a_bad_request(path: str, body: Any) -> None:
    with serve() as url:
        async with Client(base_url=url) as client:
            file = await upload(client, make_rows(1))
            response = await client.post(path, json={'input_files': [file], **body}, headers=START)
    assert response.status_code == 400, response.text


async def test_a_row_whose_metadata_is_no_object_has_no_id() -> None:
    with serve() as url:
        async with Client(base_url=url) as client:
            file = await upload(client, make_lines({'metadata': 'x', 'request': {}}, {'metadata': [1], 'request': {}}))
            batch = {'batch': {'inputConfig': {'fileName': f'files/{file}'}}}
            name = (await client.post('/v1beta/models/m:batchGenerateContent', json=batch)).json()['name']

            async def fetch() -> Any:
                return (await client.get(f'/v1beta/{name}')).json()

            ended = await wait_for(fetch, lambda found: found.get('done', False))
    assert ended['error']['message'] == 'The row has no id'


async def test_a_piece_of_an_upload_that_broke_off_can_be_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    data = make_lines({'key': 'a', 'request': {'contents': []}})

    async def break_off() -> AsyncIterator[bytes]:
        yield data[:10]
        await asyncio.sleep(0.05)
        raise ConnectionError

    with serve() as url:
        async with Client(base_url=url) as client:
            begun = await client.post('/upload/v1beta/files', json={}, headers=START)
            target = begun.headers['x-goog-upload-url']
            whole = {'x-goog-upload-command': 'upload, finalize', 'x-goog-upload-offset': '0'}
            with pytest.raises(ConnectionError):
                await client.post(target, content=break_off(), headers=whole)
            await asyncio.sleep(0.05)
            done = (await client.post(target, content=data, headers=whole)).json()['file']
            assert done['sizeBytes'] == str(len(data))
            assert (await client.get(f'/v1beta/{done["name"]}:download')).content == data
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_key_that_must_wait_does_not_stop_the_batches_of_others() -> None:
    keys = [GatewayKey('slow', 'secret-1', requests_per_minute=1), GatewayKey('fast', 'secret-2')]
    slow, fast = ({'authorization': f'Bearer secret-{number}'} for number in (1, 2))
    with serve(keys=keys, batches=BatchOptions(concurrency=2)) as url:
        async with Client(base_url=url) as client:
            await create(client, await upload(client, make_rows(5), headers=slow), headers=slow)
            await asyncio.sleep(0.1)
            id = await create(client, await upload(client, make_rows(5), headers=fast), headers=fast)
            assert (await wait_for_end(client, id, headers=fast))['request_counts']['completed'] == 5


async def test_a_number_that_is_not_finite_is_a_bad_row() -> None:
    row = make_rows(1, {**BODY, 'temperature': 'NAN'}).replace(b'"NAN"', b'NaN')
    with serve() as url:
        async with Client(base_url=url) as client:
            ended = await wait_for_end(client, await create(client, await upload(client, row)))
    assert (ended['status'], ended['errors']['data'][0]['line']) == ('failed', 1)
