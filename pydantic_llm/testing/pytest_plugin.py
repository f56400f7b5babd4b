"""The pytest plugin: `--llm=replay|record|live`, and the fixtures for tests that call models.

pytest imports this module in every project, so that it imports nothing else before a fixture is used.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..models.recorded import Redact
    from ..models.test import TestModel
    from .recordings import Mode, RecordedModels
    from .server import LLMServer

MODES: tuple[Mode, ...] = ('replay', 'record', 'live')

MODE_VARIABLE = 'PYDANTIC_LLM_TESTS'
"""The environment variable for the value of `--llm`, if the option is not given."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--llm` and the ini option `block_model_requests`."""
    parser.getgroup('pydantic_llm').addoption(
        '--llm',
        choices=MODES,
        help='replay recorded responses (default), record them again, or send each request and record nothing; also '
        f'{MODE_VARIABLE}',
    )
    blocking = 'forbid requests over the network in all tests, and while they are collected'
    parser.addini('block_model_requests', blocking, 'bool', default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Block requests during the session if the ini option is set. Raises `UsageError` for an invalid mode."""
    _find_mode(config)
    if config.getini('block_model_requests'):
        from ..models import override_allow_model_requests

        blocked = ExitStack()
        blocked.enter_context(override_allow_model_requests(allow_model_requests=False))
        config.add_cleanup(blocked.close)


def _find_mode(config: pytest.Config) -> Mode:
    chosen = config.getoption('--llm', default=None) or os.environ.get(MODE_VARIABLE) or 'replay'
    for mode in MODES:
        if mode == chosen:
            return mode
    raise pytest.UsageError(f'{MODE_VARIABLE} is {chosen!r}: set it to one of {", ".join(MODES)}')


@pytest.fixture
def block_model_requests() -> Iterator[None]:
    """Make every request over the network raise `UserError` during the test.

    `recorded_model` and `llm_server` allow requests if they need them. The ini option of this name blocks requests in
    all tests of a project, and while its modules are imported, so that `Agent('openai:gpt-5.4-mini')` needs no key.
    """
    from ..models import override_allow_model_requests

    with override_allow_model_requests(allow_model_requests=False):
        yield


@pytest.fixture(scope='session')
def llm_mode(pytestconfig: pytest.Config) -> Mode:
    """The value of `--llm`: `'replay'`, `'record'` or `'live'`."""
    return _find_mode(pytestconfig)


@pytest.fixture
def llm_redact() -> Redact | None:
    """The function that hides texts in recordings. Override it in `conftest.py`; the default hides keys only."""
    return None


@pytest.fixture
def recorded_model(
    request: pytest.FixtureRequest, llm_mode: Mode, llm_redact: Redact | None
) -> Generator[RecordedModels]:
    """A function that returns a model by its name: `recorded_model('openai:gpt-5.4-mini')`.

    The model replays the recording of the test, or records it with `--llm=record`. The recording is in the folder
    `recordings` next to the file of the test.
    """
    from ..models import override_allow_model_requests
    from .recordings import RecordedModels, find_recording

    path = find_recording(request.node.path, request.node.nodeid)
    with ExitStack() as stack:
        if llm_mode != 'replay':
            stack.enter_context(override_allow_model_requests(allow_model_requests=True))
        yield RecordedModels(path, llm_mode, redact=llm_redact)


@pytest.fixture
def test_model() -> TestModel:
    """A `TestModel`, which calls every tool once and generates its output."""
    from ..models.test import TestModel

    return TestModel()


@pytest.fixture(scope='session')
def _llm_server() -> Iterator[LLMServer]:
    from .server import LLMServer

    server = LLMServer()
    with server:
        yield server


@pytest.fixture
def llm_server(_llm_server: LLMServer) -> Iterator[LLMServer]:
    """A server on this machine with the vendors' protocols. Set its `model`, `models` and `faults`; read its `url`."""
    from ..models import override_allow_model_requests

    _llm_server.reset()
    with override_allow_model_requests(allow_model_requests=True):
        yield _llm_server
