"""Fixtures of all tests: connections to other machines fail the test, and retries are off unless marked."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

import pytest
from hypothesis import settings

from pydantic_llm.retries import budget as _budget
from pydantic_llm.retries.policy import RetryPolicy

pytest_plugins = ['pytester']

LOOPBACK = ('127.', '::1', '0.0.0.0', 'localhost')
"""The prefixes of this machine's addresses."""

settings.register_profile('default', deadline=None)
settings.register_profile('ci', deadline=None, derandomize=True, print_blob=True, max_examples=25)
settings.load_profile('ci' if os.environ.get('CI') else 'default')


def refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    """Fail a test that resolves or connects to another machine.

    Not with an `OSError`, which the code under test would handle as a network failure.
    """
    match event, arguments:
        case 'socket.getaddrinfo', (bytes() | str() as host, *_):
            name = host.decode() if isinstance(host, bytes) else host
        case 'socket.connect' | 'socket.sendto', (_, (str() as name, *_)):
            pass
        case _:
            return
    if name and not name.startswith(LOOPBACK):
        pytest.fail(f'A test may not reach {name!r} ({event}): serve what it needs on 127.0.0.1')


sys.addaudithook(refuse_other_machines)
os.environ['HF_HUB_DISABLE_TELEMETRY'] = '1'  # otherwise huggingface_hub requests a list of agents from the Hub


def pytest_collection_finish() -> None:
    """Exclude the objects of the collection from garbage collection: they live until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_retries(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn retries off, except in tests marked with `@pytest.mark.retries`."""
    if 'retries' not in request.keywords:
        monkeypatch.setattr(_budget, 'DEFAULT_POLICY', RetryPolicy(retries=0))
