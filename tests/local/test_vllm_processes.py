"""vLLM's own processes: when they die, when a script has no guard for them, and when they cannot be started."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pydantic_llm.exceptions import ModelAPIError, StreamInterruptedError, UserError
from pydantic_llm.models import StreamedResponse, infer_model
from pydantic_llm.models.vllm import VLLMModel
from tests.local.engines import ENGINES, MARKS, VLLM_KWARGS, ask, skip_if_missing
from tests.local.storm import until
from tests.test_docs import ROOT

VLLM = ENGINES['vllm']
skip_if_missing(VLLM)
pytestmark = [*MARKS['vllm']]

LONG: Any = {'max_tokens': 900, 'vllm_min_tokens': 900}


@pytest.fixture
def model(random_path: Path) -> Iterator[Any]:
    model = VLLM.make(random_path, max_new_tokens=16)
    yield model
    model.cleanup()


def processes() -> list[psutil.Process]:
    """Return the processes that vLLM has started, and their children."""
    children = [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in children if 'VLLM' in ' '.join(child.cmdline())]


def kill_the_engine() -> None:
    [core] = [process for process in processes() if 'EngineCore' in ' '.join(process.cmdline())]
    os.kill(core.pid, signal.SIGKILL)


async def read_to_end(stream: StreamedResponse) -> None:
    async for _ in stream:
        pass


async def test_an_engine_that_dies_fails_its_requests_and_starts_again(model: Any, random_path: Path) -> None:
    [expected] = VLLM.expected(random_path, ['hi'], 16)
    waiting = asyncio.create_task(model.request(ask(), LONG))
    async with model.request_stream(ask(), LONG) as stream:
        await anext(stream)
        kill_the_engine()
        with pytest.raises(StreamInterruptedError, match='broke') as interrupted:
            await read_to_end(stream)
    assert interrupted.value.response is not None
    assert interrupted.value.response.text
    with pytest.raises(ModelAPIError, match='broke') as failed:
        await waiting
    assert failed.value.retryable
    responses = await asyncio.gather(*(model.request(ask()) for _ in range(4)))
    assert [response.text for response in responses] == [expected] * 4

    kill_the_engine()  # while it has no request
    await until(lambda: not model.engine._core.is_alive)
    responses = await asyncio.gather(*(model.request(ask()) for _ in range(4)))
    assert [response.text for response in responses] == [expected] * 4
    await model.aclose()
    assert processes() == []


UNGUARDED = """
import os
from pydantic_llm.models.vllm import VLLMModel
from pydantic_llm.direct import model_request_sync

model = VLLMModel({path!r}, model_kwargs={kwargs!r})
print(model_request_sync(model, 'hi').text)
"""


def test_a_script_without_a_guard_gets_an_error_with_the_fix(random_path: Path, tmp_path: Path) -> None:
    script = tmp_path / 'script.py'
    script.write_text(UNGUARDED.format(path=str(random_path), kwargs=VLLM_KWARGS), encoding='utf-8')
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    run = subprocess.run(
        [sys.executable, '-P', str(script)], env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert run.returncode == 1
    assert "UserError: '" in run.stderr
    assert 'cannot be loaded by a process that vLLM starts' in run.stderr
    assert run.stderr.rstrip().splitlines()[-1].endswith('because the processes that vLLM starts import it')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'model_kwargs': {'tensor_paralel_size': 2}}, "did you mean 'tensor_parallel_size'"),
        ({'model_kwargs': {'model': 'x'}}, 'give it as model_id'),
        ({'model_kwargs': {'max_model_len': -5}}, 'cannot be loaded'),
    ],
    ids=['a misspelt name', 'the model twice', 'an invalid length'],
)
async def test_an_option_that_vllm_rejects_is_a_user_error(random_path: Path, options: Any, message: str) -> None:
    async with VLLMModel(random_path, **options) as model:
        with pytest.raises(UserError, match=message):
            await model.load()


async def test_a_folder_without_a_model_is_a_user_error(tmp_path: Path) -> None:
    async with VLLMModel(tmp_path / 'nothing') as model:
        with pytest.raises(UserError, match='cannot be loaded'):
            await model.load()


def test_a_string_names_a_model(random_path: Path) -> None:
    model = infer_model(f'vllm:{random_path}')
    assert isinstance(model, VLLMModel)
    assert (model.model_name, model.system) == (str(random_path), 'vllm')
