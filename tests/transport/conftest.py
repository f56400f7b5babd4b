from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from types import FrameType
from typing import Any

import pytest

from tests.transport.clients import PLAIN, SDKS, Make
from tests.transport.server import Handler, Server

VARIABLES = 'OPENAI_API_KEY OPENAI_BASE_URL ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN HTTP_PROXY http_proxy'.split()

Serve = Callable[[Handler], Awaitable[Server]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a server whose responses are written by a handler."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler) -> Server:
            return await stack.enter_async_context(Server(handler).run())

        yield start


@pytest.fixture(params=[*SDKS, *PLAIN])
def connect(request: pytest.FixtureRequest) -> Make:
    """Connect through each kind of client."""
    make: Make = request.param
    return make


@pytest.fixture(params=SDKS)
def connect_sdk(request: pytest.FixtureRequest) -> Make:
    """Connect through the client of each SDK."""
    make: Make = request.param
    return make


@pytest.fixture(autouse=True)
def limit_seconds() -> Iterator[None]:
    """Fail a test that hangs. The limit is high, because a machine with much other work is slow."""

    def fail(number: int, frame: FrameType | None) -> None:
        raise TimeoutError('the test hangs')

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(90)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def hide_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove keys, URLs and proxies from the environment."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def pytest_make_parametrize_id(config: pytest.Config, val: Any) -> str | None:
    return getattr(val, '__name__', None) if callable(val) else None
