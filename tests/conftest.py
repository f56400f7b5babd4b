"""For every test: the network is closed but for this machine, and hypothesis takes its time."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

import pytest
from hypothesis import settings

from pydantic_llm.retries import budget as _budget
from pydantic_llm.retries.policy import RetryPolicy

LOOPBACK = ('127.', '::1', '0.0.0.0', 'localhost')
"""What the addresses of this machine begin with."""

settings.register_profile('default', deadline=None)
settings.register_profile('ci', deadline=None, derandomize=True, print_blob=True, max_examples=40)
settings.load_profile('ci' if os.environ.get('CI') else 'default')


def refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    """Fail the test that looks up or connects to anything but this machine.

    It is no `OSError`, which the code under test would take for a network that is down.
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
os.environ['HF_HUB_DISABLE_TELEMETRY'] = '1'  # the package asks its Hub for a list of agents otherwise


def pytest_collection_finish() -> None:
    """What is there before the first test stays to the end: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_retries(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error is told at once, but where a test is about retries and says so: `@pytest.mark.retries`."""
    if 'retries' not in request.keywords:
        monkeypatch.setattr(_budget, 'DEFAULT_POLICY', RetryPolicy(retries=0))
