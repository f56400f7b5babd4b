"""One model works from any loop and thread, one after the other and at once, after a fork, and leaves nothing open."""

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
from tests.faults.test_faults import pytestmark as litellms_warnings, well
from tests.faults.vendors import ANSWER, VENDORS, Vendor
from tests.transport.server import Exchange, Server, closed, serve_in_thread

pytestmark = litellms_warnings

HELLO = [ModelRequest.user_text_prompt('Hello?')]

vendors = pytest.mark.parametrize('vendor', VENDORS, ids=repr)


@pytest.fixture
def server(vendor: Vendor) -> Iterator[Server]:
    """A server in a thread of its own."""
    if vendor.name == 'litellm':
        load_litellm()

    async def answer(exchange: Exchange) -> None:
        await well(exchange, vendor)

    with serve_in_thread(answer) as server:
        yield server


async def ask(model: Model) -> list[str | None]:
    """Ask for a whole answer and for a stream, several at once."""

    async def streamed() -> str | None:
        async with model.request_stream(HELLO, {'max_tokens': 100}) as stream:
            async for _ in stream:
                pass
            return stream.get().text

    async def whole() -> str | None:
        return (await model.request(HELLO, {'max_tokens': 100})).text

    return list(await asyncio.gather(whole(), streamed(), whole(), streamed()))


WELL = [ANSWER.text] * 4


@vendors
def test_one_loop_after_the_other(vendor: Vendor, server: Server) -> None:
    model = vendor.make(server.url)
    for _ in range(3):
        assert asyncio.run(ask(model)) == WELL
        gc.collect()
        assert closed(server)


@vendors
def test_several_threads_at_once(vendor: Vendor, server: Server) -> None:
    model = vendor.make(server.url)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: asyncio.run(ask(model)), range(4))) == [WELL] * 4
    assert closed(server)


@vendors
def test_loops_that_are_closed_without_a_word(vendor: Vendor, server: Server) -> None:
    if vendor.name == 'litellm':
        pytest.skip('LiteLLM keeps what it opened in such a loop')
    model = vendor.make(server.url)
    for _ in range(2):
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(ask(model)) == WELL
        loop.close()
    assert asyncio.run(ask(model)) == WELL
    del model
    gc.collect()
    assert closed(server)


@vendors
def test_a_block_closes_what_was_opened(vendor: Vendor, server: Server) -> None:
    async def work() -> None:
        async with vendor.make(server.url) as model:
            assert await ask(model) == WELL
        if vendor.name != 'litellm':  # whose connections are everybody's in this loop
            assert await asyncio.to_thread(closed, server)
        assert await ask(model) == WELL

    asyncio.run(work())
    assert closed(server)


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system does not fork')
@vendors
def test_after_a_fork_both_go_on(vendor: Vendor, server: Server) -> None:
    """The child asks with a model that its parent has used, and is using in another thread."""
    model = vendor.make(server.url)
    assert asyncio.run(ask(model)) == WELL
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)  # there are threads: the server's
        child = os.fork()
    if not child:
        signal.alarm(20)
        os._exit(0 if asyncio.run(ask(model)) == WELL else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert asyncio.run(ask(model)) == WELL
