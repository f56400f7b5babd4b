"""One model works in any loop and thread, in turn, at once and after a fork, and leaves no connection open."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pydantic_llm.messages import ModelRequest
from pydantic_llm.models import Model
from pydantic_llm.providers.litellm_connection import load_litellm
from tests.faults.test_faults import pytestmark as litellms_warnings, respond_without_fault
from tests.faults.vendors import RESPONSE, VENDORS, Vendor
from tests.transport.server import Exchange, Server, is_closed_soon, serve_in_thread

pytestmark = litellms_warnings

HELLO = [ModelRequest.user_text_prompt('Hello?')]

vendors = pytest.mark.parametrize('vendor', VENDORS, ids=repr)


@pytest.fixture
def server(vendor: Vendor) -> Iterator[Server]:
    """Run a server in its own thread."""
    if vendor.name == 'litellm':
        load_litellm()

    async def answer(exchange: Exchange) -> None:
        await respond_without_fault(exchange, vendor)

    with serve_in_thread(answer) as server:
        yield server


async def ask(model: Model) -> list[str | None]:
    """Send several requests at once, with and without streaming, and return their texts."""

    async def streamed() -> str | None:
        async with model.request_stream(HELLO, {'max_tokens': 100}) as stream:
            async for _ in stream:
                pass
            return stream.get().text

    async def whole() -> str | None:
        return (await model.request(HELLO, {'max_tokens': 100})).text

    return list(await asyncio.gather(whole(), streamed(), whole(), streamed()))


EXPECTED = [RESPONSE.text] * 4


@vendors
def test_a_model_works_in_one_loop_after_the_other(vendor: Vendor, server: Server) -> None:
    model = vendor.make(server.url)
    for _ in range(3):
        assert asyncio.run(ask(model)) == EXPECTED
        gc.collect()
        assert is_closed_soon(server)


@vendors
def test_a_model_works_in_several_threads_at_once(vendor: Vendor, server: Server) -> None:
    model = vendor.make(server.url)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: asyncio.run(ask(model)), range(4))) == [EXPECTED] * 4
    assert is_closed_soon(server)


@vendors
def test_connections_of_a_bare_loop_close_are_closed(vendor: Vendor, server: Server) -> None:
    if vendor.name == 'litellm':
        pytest.skip('LiteLLM keeps the connections of such a loop')
    model = vendor.make(server.url)
    for _ in range(2):
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(ask(model)) == EXPECTED
        loop.close()
    assert asyncio.run(ask(model)) == EXPECTED
    del model
    gc.collect()
    assert is_closed_soon(server)


@vendors
def test_the_models_block_closes_its_connections(vendor: Vendor, server: Server) -> None:
    async def work() -> None:
        async with vendor.make(server.url) as model:
            assert await ask(model) == EXPECTED
        if vendor.name != 'litellm':  # LiteLLM's connections are shared by the whole loop
            assert await asyncio.to_thread(is_closed_soon, server)
        assert await ask(model) == EXPECTED

    asyncio.run(work())
    assert is_closed_soon(server)


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system does not fork')
@vendors
def test_parent_and_child_work_after_a_fork(vendor: Vendor, server: Server) -> None:
    """The child process uses a model that its parent has used."""
    model = vendor.make(server.url)
    assert asyncio.run(ask(model)) == EXPECTED
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)  # the server has a thread
        child = os.fork()
    if not child:
        signal.alarm(20)
        os._exit(0 if asyncio.run(ask(model)) == EXPECTED else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert asyncio.run(ask(model)) == EXPECTED
