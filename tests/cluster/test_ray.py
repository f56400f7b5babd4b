"""`RayEngine`: models are built on the workers, keys stay in their environments, and a worker may be killed."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.cli.map_models import ModelRecipe
from pydantic_llm.exceptions import AuthenticationError, UserError
from pydantic_llm.many import map_requests
from pydantic_llm.many.ray import RayEngine
from pydantic_llm.messages import ModelMessage, ModelResponse, TextPart
from pydantic_llm.models import Model
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.test import TestModel

ray: Any = pytest.importorskip('ray')

KEY = 'sk-of-the-nodes-5f2c'


@pytest.fixture(scope='module', autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run a cluster on this machine, whose nodes have a key in their environment."""
    variables = {'OPENAI_API_KEY': KEY, 'RAY_USAGE_STATS_ENABLED': '0', 'PYTHONPATH': str(Path.cwd())}
    before = dict(os.environ)
    os.environ.update(variables)
    ray.init(address='local', num_cpus=4, num_gpus=5, logging_level='error', log_to_driver=False)
    yield
    ray.shutdown()
    os.environ.clear()
    os.environ.update(before)


def get_maker() -> Callable[[], Model]:
    """Return a function that makes a model that responds with the number of its process and the prompt."""

    def make() -> Model:
        def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            text = f'{os.getpid()} {messages[-1].parts[-1].content}'  # type: ignore[union-attr]
            return ModelResponse([TextPart(text)])

        return FunctionModel(respond)

    return make  # a function in a function is sent by its value: workers need not import this module


async def test_rows_are_shared_by_workers_in_other_processes() -> None:
    engine = RayEngine(workers=2)
    results = [result async for result in map_requests(get_maker(), map(str, range(200)), engine=engine)]
    pids, prompts = zip(*((result.output or '').split() for result in results), strict=True)
    assert prompts == tuple(map(str, range(200)))
    assert len({*pids}) == 2
    assert str(os.getpid()) not in pids


async def test_the_rows_of_a_worker_that_is_killed_are_done_once_more_and_each_row_once() -> None:
    seen: list[str] = []
    pids: set[str] = set()
    rows = map_requests(get_maker(), map(str, range(2000)), engine=RayEngine(workers=2), ordered=False)
    async for result in rows:
        pid, prompt = result.get_output().split()
        pids.add(pid)
        seen.append(prompt)
        if len(seen) == 300:
            os.kill(int(pid), signal.SIGKILL)
    assert sorted(seen, key=int) == list(map(str, range(2000)))
    assert len(pids) == 3


async def test_a_row_that_ends_every_worker_fails_alone() -> None:
    def make() -> Model:
        def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            if messages[-1].parts[-1].content == 'die':  # type: ignore[union-attr]
                os.kill(os.getpid(), signal.SIGKILL)
            return ModelResponse([TextPart('alive')])

        return FunctionModel(respond)

    rows = ['a', 'die', 'b']
    results = [result async for result in map_requests(make, rows, engine=RayEngine(workers=1), concurrency=1)]
    assert [result.output for result in results] == ['alive', None, 'alive']
    error = results[1].error
    assert error is not None
    assert (error.retryable, 'The worker ended, 2 times' in error.message) == (True, True)


async def test_rows_are_taken_only_as_far_as_results_are_read() -> None:
    taken = 0

    async def rows() -> AsyncIterator[str]:
        nonlocal taken
        for number in range(100_000):
            taken += 1
            yield str(number)

    results = map_requests(get_maker(), rows(), engine='ray', concurrency=4)
    for _ in range(20):
        await anext(results)
    await results.aclose()
    assert taken <= 20 + 16 + 1


def list_files_of_the_session() -> list[Path]:
    """Return the files that Ray has on this machine: logs, and the memory of the object store."""
    session = Path(ray._private.worker._global_node.get_session_dir_path())
    return [path for path in [*session.rglob('*'), *Path('/dev/shm').glob('plasma*')] if path.is_file()]


async def test_keys_are_read_by_the_workers_and_are_not_in_the_object_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> Model:
        key = os.environ['OPENAI_API_KEY']  # of the worker

        def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            return ModelResponse([TextPart(str(len(key)))])

        return FunctionModel(respond)

    monkeypatch.delenv('OPENAI_API_KEY')  # of this process
    [result] = [result async for result in map_requests(make, ['a'], engine=RayEngine(workers=1))]
    assert result.output == str(len(KEY))
    model = ModelRecipe(names=['openai:gpt-5.4-mini'], base_url='http://127.0.0.1:9/v1')
    [result] = [
        result
        async for result in map_requests(model, ['a'], engine=RayEngine(workers=1), model_settings={'retries': 0})
    ]
    assert (result.error and result.error.type) == 'ModelConnectionError'
    files = list_files_of_the_session()
    assert files
    assert [str(file) for file in files if KEY.encode() in file.read_bytes()] == []


async def test_an_error_of_building_the_model_is_raised_as_it_is() -> None:
    with pytest.raises(UserError, match='nosuchvendor'):
        [result async for result in map_requests('nosuchvendor:m', ['a'], engine='ray')]
    with pytest.raises(UserError, match='A model object is not sent to other processes'):
        [result async for result in map_requests(TestModel(), ['a'], engine='ray')]


async def test_an_error_that_every_row_would_get_is_raised_from_the_workers() -> None:
    def make() -> Model:
        def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            raise AuthenticationError(401, 'm', message='the key is wrong')

        return FunctionModel(respond)

    with pytest.raises(AuthenticationError, match='the key is wrong'):
        [result async for result in map_requests(make, ['a'], engine='ray')]


async def test_a_checkpoint_is_kept_by_the_process_of_the_job(tmp_path: Path) -> None:
    for is_restored in (False, True):
        results = map_requests(get_maker(), ['a', 'b'], engine='ray', checkpoint=tmp_path / 'c')
        assert [result.is_restored async for result in results] == [is_restored] * 2


async def test_a_worker_for_vllm_has_a_group_of_gpus_and_reserves_all_that_the_cluster_has() -> None:
    def make() -> Model:
        def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            group = ray.util.get_current_placement_group()
            return ModelResponse([TextPart(f'{os.getpid()} {[bundle["GPU"] for bundle in group.bundle_specs]}')])

        return FunctionModel(respond)

    results = {result.output async for result in map_requests(make, ['a'] * 50, engine=RayEngine(gpus=2))}
    assert {(output or '').partition(' ')[2] for output in results} == {'[1.0, 1.0]'}
    assert len(results) == 2  # of 5 GPUs
    with pytest.raises(UserError, match='1 workers with 8 GPUs each need 8; the cluster has 5'):
        [result async for result in map_requests(make, ['a'], engine=RayEngine(gpus=8))]


@pytest.mark.parametrize('options', [{'workers': 0}, {'gpus': -1}, {'address': 3}, {'options': 3}])
def test_options_are_checked(options: Any) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        RayEngine(**options)
