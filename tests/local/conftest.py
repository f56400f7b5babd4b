"""Tiny models for the engines' tests, made once per run. Without torch, nothing here can be tested."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.local.engines import Engine

os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ['HF_HUB_OFFLINE'] = '1'

if importlib.util.find_spec('torch') is None or importlib.util.find_spec('transformers') is None:
    collect_ignore_glob = ['test_*.py', 'tiny.py']

WITHOUT_TORCH = 'the engines need torch and transformers: `make test-local` makes an environment with them'


def pytest_report_header() -> str | None:
    """Report why there are no tests."""
    return f'tests/local: skipped, {WITHOUT_TORCH}' if 'collect_ignore_glob' in globals() else None


@pytest.fixture(scope='session')
def random_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model with random weights."""
    from tests.local import tiny

    return tiny.make_random(tmp_path_factory.mktemp('models') / 'random')


@pytest.fixture(scope='session')
def trained_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that was trained on a few responses and tool calls."""
    from tests.local import tiny

    return tiny.make_trained(tmp_path_factory.mktemp('models') / 'trained')


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Engine:
    """The engine under test: Transformers', unless the test is marked with `engines.on`."""
    from tests.local.engines import ENGINES, skip_if_missing

    found = ENGINES[getattr(request, 'param', 'transformers')]
    skip_if_missing(found)
    return found


@pytest.fixture(scope='module')
def keep_vllm_running() -> Iterator[Callable[[Path | str], None]]:
    """Keep vLLM's engine of a model for all tests of a module: starting one takes seconds."""
    from tests.local.engines import ENGINES

    kept: dict[str, Any] = {}

    def keep(path: Path | str) -> None:
        if f'{path}' not in kept:
            kept[f'{path}'] = ENGINES['vllm'].make(path)
            assert kept[f'{path}'].engine is not None  # from now on it is shared by models with the same options

    yield keep
    for model in kept.values():
        model.cleanup()


@pytest.fixture
async def make(
    engine: Engine, random_path: Path, keep_vllm_running: Callable[[Path | str], None]
) -> AsyncIterator[Callable[..., Any]]:
    """Make models that are closed after the test: the random one, unless a path is given."""
    made: list[Any] = []

    def maker(path: Path | str = random_path, **options: Any) -> Any:
        if engine.system == 'vllm':
            keep_vllm_running(path)
            options.pop('max_batch_size', None)  # the engine that is kept has one size
        made.append(engine.make(path, **options))
        return made[-1]

    yield maker
    for model in made:
        await model.aclose()
