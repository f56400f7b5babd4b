"""A plugin for environments without the vendors' packages: a test that imports one of them is skipped, with the reason.

`make test-bare` loads it (`-p tests.without_sdks`). If the library imports one that is not `REQUIRED`, the test fails.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.exceptions import UserError

SDKS = frozenset(
    'openai anthropic groq mistralai cohere huggingface_hub litellm botocore boto3 google cryptography httpx aiohttp '
    'torch transformers'.split()
)
"""The packages that the environment does not have."""

REQUIRED = frozenset({'aiohttp', 'boto3', 'botocore', 'google', 'litellm', 'torch', 'transformers'})
"""Those that the library imports itself: for vendors and engines that are nothing without them, or on demand."""

NEEDS = re.compile(r"needs the package '([a-z0-9_]+)[.']")

TESTS = str(Path(__file__).parent)


def _iterate_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def find_missing_package(error: BaseException) -> str | None:
    """Return the name of the vendor's package that a test has tried to import, if that is the reason of the error."""
    for cause in _iterate_causes(error):
        if isinstance(cause, UserError) and (needed := NEEDS.search(str(cause))) and needed[1] in REQUIRED:
            return needed[1]
        if isinstance(cause, ModuleNotFoundError) and (cause.name or '').partition('.')[0] in SDKS:
            files: list[str] = []
            traceback = cause.__traceback__
            while traceback is not None:
                files.append(traceback.tb_frame.f_code.co_filename)
                traceback = traceback.tb_next
            own = [file for file in files if 'importlib' not in file]
            is_expected = (cause.name or '').partition('.')[0] in REQUIRED or (own and own[-1].startswith(TESTS))
            return cause.name if is_expected else None
    return None


def _skip(report: Any, error: BaseException, path: Path) -> None:
    name = find_missing_package(error)
    if name is not None:
        report.outcome, report.longrepr = 'skipped', (str(path), 0, f'Skipped: it imports {name}')


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Skip a test that imports a missing package."""
    report = yield
    if call.excinfo is not None:
        _skip(report, call.excinfo.value, item.path)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Skip a module that imports a missing package."""
    report = yield
    call = getattr(report, 'call', None)
    if report.failed and call is not None and call.excinfo is not None:
        _skip(report, call.excinfo.value, collector.path)
    return report
