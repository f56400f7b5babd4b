"""Fixtures for the tests of the server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest

from pydantic_llm.serve import create_app
from tests.serve.protocols import WIRES, Wire

Connect = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture(params=WIRES, ids=repr)
def wire(request: pytest.FixtureRequest) -> Wire:
    """Return each protocol in turn."""
    return request.param


@pytest.fixture
def connect() -> Connect:
    """Return a context manager that builds an app and a client that calls it without a network."""

    @asynccontextmanager
    async def connect(*arguments: Any, **options: Any) -> AsyncGenerator[httpx2.AsyncClient]:
        transport = httpx2.ASGITransport(create_app(*arguments, **options))
        async with httpx2.AsyncClient(transport=transport, base_url='http://localhost') as client:
            yield client

    return connect
