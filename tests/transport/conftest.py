from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from types import FrameType
from typing import Any

import pytest

from pydantic_llm.transport.clients import LIBRARY_VARIABLE, make_client, make_httpx2_client
from pydantic_llm.transport.http import Access, HTTPConnection
from pydantic_llm.transport.loops import LoopClients
from pydantic_llm.transport.pools import HttpClients
from tests.transport.clients import KEY, PLAIN, SDKS, Make
from tests.transport.server import Handler, Server

VARIABLES = 'OPENAI_API_KEY OPENAI_BASE_URL ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN HTTP_PROXY http_proxy'.split()

LIBRARIES = ('httpx2', 'aiohttp')
"""The libraries of the clients that providers make."""

ConnectOwn = Callable[..., HTTPConnection]

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


@pytest.fixture
def connect_with(monkeypatch: pytest.MonkeyPatch) -> ConnectOwn:
    """Connect through the client that a provider makes, with the library that is the first argument."""

    def connect(library: str, url: str, headers: dict[str, str] | None = None, **options: Any) -> HTTPConnection:
        client: Any
        if library in LIBRARIES:
            monkeypatch.setenv(LIBRARY_VARIABLE, library)
            client, operations = make_client(**options)
        else:
            client, operations = make_httpx2_client(), HttpClients()
        access = Access(url, {'Authorization': f'Bearer {KEY}'} if headers is None else headers)

        async def get_access(model_name: str, *, refused: Access | None) -> Access:
            return access

        return HTTPConnection(LoopClients(client, operations), get_access, provider_name='vendor')

    return connect


@pytest.fixture(params=LIBRARIES)
def connect_own(request: pytest.FixtureRequest, connect_with: ConnectOwn) -> ConnectOwn:
    """Connect through the client that a provider makes, with each library."""
    return partial(connect_with, request.param)


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
