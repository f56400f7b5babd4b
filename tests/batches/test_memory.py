"""A large batch takes little memory: neither its requests nor its results are held."""

from __future__ import annotations

import asyncio
import gc
import sys
import tracemalloc
from collections.abc import AsyncGenerator, Iterator
from subprocess import PIPE

import pytest

from pydantic_llm.batches import BatchRequest, batch_requests
from tests.batches.vendors import openai_chat

COUNT = 1000
SIZE = 10_000

SERVER = """
import sys, time
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route
from pydantic_llm.serve import LocalServer

COUNT, TEXT = int(sys.argv[1]), 'y' * int(sys.argv[2])
JOB = {'id': 'b', 'status': 'completed', 'output_file_id': 'out', 'request_counts': {'total': COUNT}}

async def upload(request):
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return JSONResponse({'id': 'in', 'bytes': size})

def rows():
    for index in range(COUNT):
        message = {'role': 'assistant', 'content': TEXT}
        body = {'id': 'c', 'model': 'm', 'choices': [{'index': 0, 'message': message, 'finish_reason': 'stop'}]}
        response = {'status_code': 200, 'body': body}
        yield to_json({'custom_id': f'id-{index}', 'response': response, 'error': None}) + b'\\n'

async def job(request):
    return JSONResponse(JOB)

app = Starlette(routes=[
    Route('/v1/files', upload, methods=['POST']),
    Route('/v1/batches', job, methods=['POST']),
    Route('/v1/batches/b', job),
    Route('/v1/files/out/content', lambda request: StreamingResponse(rows())),
    Route('/v1/files/{id}', job, methods=['DELETE']),
])
with LocalServer(app) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
async def url() -> AsyncGenerator[str]:
    """Run a server in a process of its own, so that its memory is not measured."""
    arguments = (sys.executable, '-c', SERVER, str(COUNT), str(SIZE))
    process = await asyncio.create_subprocess_exec(*arguments, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


def make_requests() -> Iterator[BatchRequest]:
    for index in range(COUNT):
        yield BatchRequest(f'{index} {"x" * SIZE}', id=f'id-{index}')


async def test_neither_requests_nor_results_are_in_memory(url: str) -> None:
    async with openai_chat(url) as model:
        warm = await batch_requests(model, ['a'])
        assert warm.id == 'b'
        gc.collect()
        tracemalloc.start()
        try:
            batch = await batch_requests(model, make_requests())
            count = 0
            async for result in batch.results(poll_every=0.01):
                count += result.response is not None
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert count == COUNT
    assert peak < COUNT * SIZE / 4  # of what is sent, and again of what is received
