"""Faults of the vendor's server behind a gateway, as the gateway's client sees them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from pydantic_llm.serve import LocalServer, create_app
from tests.faults.vendors import VENDORS, Vendor
from tests.serve.protocols import Wire, events_of
from tests.transport.server import Exchange, Server

UPSTREAMS = [
    vendor for vendor in VENDORS if vendor.name in ('openai', 'openai-responses', 'anthropic', 'gemini', 'cohere')
]
BEGINNING = 6
"""Frames of a stream that contain the first text, and not the last of the response."""

Fault = Callable[[Exchange], Awaitable[None]]


async def reset(exchange: Exchange) -> None:
    exchange.reset()


async def truncate(exchange: Exchange) -> None:
    await exchange.end()


async def send_garbage(exchange: Exchange) -> None:
    await exchange.chunk(b'data: {"no JSON\n\n')
    await exchange.end()


async def stay_silent(exchange: Exchange) -> None:
    await exchange.wait_until_gone()


def begin_with(vendor: Vendor, fault: Fault) -> Callable[[Exchange], Awaitable[None]]:
    async def respond(exchange: Exchange) -> None:
        await exchange.begin()
        for frame in vendor.frames()[: 2 if vendor.protocol in ('gemini', 'openai-chat') else BEGINNING]:
            await exchange.chunk(frame)
        await asyncio.sleep(0.05)  # what is read together is decoded together
        await fault(exchange)

    return respond


@pytest.mark.parametrize('fault', [reset, truncate, send_garbage], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize('vendor', UPSTREAMS, ids=repr)
async def test_a_fault_in_the_middle_of_a_stream_is_an_error_of_the_clients_protocol(
    wire: Wire, vendor: Vendor, fault: Fault
) -> None:
    """And no end of a complete response."""
    async with Server(begin_with(vendor, fault)).run() as upstream:
        app = create_app(vendor.make(upstream.url))
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url='http://localhost') as client:
            body = wire.request(stream=True)
            response = await client.post(wire.to(body), json=body)
    assert response.status_code == 200
    *before, last = events_of(response.text)
    assert 'Let ' in ''.join(wire.read_delta(event) for event in before)
    assert wire.read_error(last)
    assert not any(is_end(wire, event) for event in before)
    assert '[DONE]' not in response.text


def is_end(wire: Wire, event: dict[str, Any]) -> bool:
    """Return whether an event ends a complete response in this protocol."""
    text = json.dumps(event)
    return wire.done in text or '"finish_reason": "' in text or '"stop_reason": "' in text


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
@pytest.mark.parametrize('vendor', UPSTREAMS, ids=repr)
async def test_a_client_that_leaves_closes_the_vendors_connection(vendor: Vendor, stream: bool) -> None:
    async with (
        Server(begin_with(vendor, stay_silent)).run() as upstream,
        LocalServer(create_app(vendor.make(upstream.url))) as url,
        httpx2.AsyncClient() as client,
    ):
        body = {'model': 'm', 'messages': [{'role': 'user', 'content': 'Hello'}], 'stream': stream}
        sending = asyncio.create_task(client.post(f'{url}/v1/chat/completions', json=body))
        await upstream.until(lambda: len(upstream.requests) == 1, 5)
        sending.cancel()
        await upstream.wait_until_closed(5)
