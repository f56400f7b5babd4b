"""vLLM's own processes: what happens when they die, when a script is not made for them, and when they are let go of."""

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
from tests.local.vllm_library import KWARGS, ask, bare, make_random, until
from tests.test_docs import ROOT

# vLLM and what it imports warn of one another.
pytestmark = pytest.mark.filterwarnings('ignore')

LONG: Any = {'max_tokens': 900, 'vllm_min_tokens': 900}


@pytest.fixture(scope='module')
def nonsense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_random(tmp_path_factory.mktemp('models') / 'random')


@pytest.fixture
def model(nonsense: Path) -> Iterator[VLLMModel]:
    model = VLLMModel(nonsense, model_kwargs=KWARGS, max_new_tokens=16)
    yield model
    model.cleanup()


def processes() -> list[psutil.Process]:
    """The processes that vLLM has started, and those that they have."""
    children = [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in children if 'VLLM' in ' '.join(child.cmdline())]


def kill_the_engine() -> None:
    [core] = [process for process in processes() if 'EngineCore' in ' '.join(process.cmdline())]
    os.kill(core.pid, signal.SIGKILL)


async def until_its_end(stream: StreamedResponse) -> None:
    async for _ in stream:
        pass


async def test_an_engine_that_dies_fails_its_answers_and_starts_again(model: VLLMModel, nonsense: Path) -> None:
    [expected] = bare(nonsense, ['hi'], 16)
    waiting = asyncio.create_task(model.request(ask(), LONG))
    async with model.request_stream(ask(), LONG) as stream:
        await anext(stream)
        kill_the_engine()
        with pytest.raises(StreamInterruptedError, match='broke') as interrupted:
            await until_its_end(stream)
    assert interrupted.value.response is not None
    assert interrupted.value.response.text
    with pytest.raises(ModelAPIError, match='broke') as failed:
        await waiting
    assert failed.value.retryable
    answers = await asyncio.gather(*(model.request(ask()) for _ in range(4)))
    assert [answer.text for answer in answers] == [expected] * 4

    kill_the_engine()  # while nobody asks it anything
    await until(lambda: not model.engine._core.is_alive)  # type: ignore[attr-defined]
    answers = await asyncio.gather(*(model.request(ask()) for _ in range(4)))
    assert [answer.text for answer in answers] == [expected] * 4
    await model.aclose()
    assert processes() == []


UNGUARDED = """
import os
from pydantic_llm.models.vllm import VLLMModel
from pydantic_llm.direct import model_request_sync

model = VLLMModel({path!r}, model_kwargs={kwargs!r})
print(model_request_sync(model, 'hi').text)
"""


def test_a_script_that_its_processes_cannot_import_is_told_what_to_do(nonsense: Path, tmp_path: Path) -> None:
    script = tmp_path / 'script.py'
    script.write_text(UNGUARDED.format(path=str(nonsense), kwargs=KWARGS), encoding='utf-8')
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    run = subprocess.run(
        [sys.executable, '-P', str(script)], env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert run.returncode == 1
    assert "UserError: '" in run.stderr
    assert 'cannot be loaded by a process that vLLM starts' in run.stderr
    assert run.stderr.rstrip().splitlines()[-1].endswith('because the processes that vLLM starts import it')


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'model_kwargs': {'tensor_paralel_size': 2}}, "did you mean 'tensor_parallel_size'"),
        ({'model_kwargs': {'model': 'x'}}, 'give it as model_id'),
        ({'model_kwargs': {'max_model_len': -5}}, 'cannot be loaded'),
    ],
    ids=['a slip of the fingers', 'the name twice', 'no length'],
)
async def test_what_cannot_be_loaded_is_a_user_error(nonsense: Path, options: Any, said: str) -> None:
    async with VLLMModel(nonsense, **options) as model:
        with pytest.raises(UserError, match=said):
            await model.load()


async def test_a_name_that_is_nowhere_is_a_user_error(tmp_path: Path) -> None:
    async with VLLMModel(tmp_path / 'nothing') as model:
        with pytest.raises(UserError, match='cannot be loaded'):
            await model.load()


def test_a_string_names_a_model(nonsense: Path) -> None:
    model = infer_model(f'vllm:{nonsense}')
    assert isinstance(model, VLLMModel)
    assert (model.model_name, model.system) == (str(nonsense), 'vllm')
