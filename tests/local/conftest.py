"""Tiny models for the engines' tests, made once for a run. Without torch there is nothing to test here."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ['HF_HUB_OFFLINE'] = '1'

if importlib.util.find_spec('torch') is None or importlib.util.find_spec('transformers') is None:
    collect_ignore_glob = ['test_*.py', 'tiny.py']

WITHOUT_TORCH = 'the engines need torch and transformers: `make test-local` makes an environment with them'


def pytest_report_header() -> str | None:
    """Say why there are no tests."""
    return f'tests/local: skipped, {WITHOUT_TORCH}' if 'collect_ignore_glob' in globals() else None


@pytest.fixture(scope='session')
def random_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that writes nonsense."""
    from tests.local import tiny

    return tiny.make_random(tmp_path_factory.mktemp('models') / 'random')


@pytest.fixture(scope='session')
def taught_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was taught a few answers and calls."""
    from tests.local import tiny

    return tiny.make_taught(tmp_path_factory.mktemp('models') / 'taught')


@pytest.fixture
async def make(random_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Makes models that are closed after the test: of the random one, unless another is named."""
    from pydantic_llm.models.transformers import TransformersModel

    made: list[TransformersModel] = []

    def maker(path: Path | str = random_path, **options: Any) -> TransformersModel:
        made.append(TransformersModel(path, **options))
        return made[-1]

    yield maker
    for model in made:
        await model.aclose()


@pytest.fixture
async def make_mlx(random_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """The same for MLX."""
    from pydantic_llm.models.mlx import MLXModel

    made: list[MLXModel] = []

    def maker(path: Path | str = random_path, **options: Any) -> MLXModel:
        made.append(MLXModel(path, **options))
        return made[-1]

    yield maker
    for model in made:
        await model.aclose()
