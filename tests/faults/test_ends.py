"""The beginning and the end of a stream: what counts as content, and what cannot harm a response that is complete."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pydantic_llm.exceptions import LLMError, ModelTimeoutError
from pydantic_llm.messages import ImageUrl, ModelRequest, ModelResponse, UserPromptPart
from pydantic_llm.models import Model
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.wire import stream as stream_module
from tests.faults.vendors import KEY, RESPONSE, VENDORS, Vendor
from tests.models.scripted import Scripted
from tests.transport.server import Exchange, Server

HELLO = [ModelRequest.user_text_prompt('Hello?')]
BY_HTTP = [vendor for vendor in VENDORS if vendor.name not in ('bedrock', 'litellm')]
PINGS = {
    'anthropic': {'type': 'ping'},
    'openai': {'id': 'c', 'object': 'chat.completion.chunk', 'model': 'm', 'choices': [{'index': 0, 'delta': {}}]},
    'openai-responses': {'type': 'response.in_progress', 'response': {'id': 'r', 'object': 'response', 'output': []}},
}
"""Events that keep a connection open and have no content."""


async def read(model: Model, settings: Any) -> ModelResponse:
    async with model.request_stream(HELLO, {'retries': 0, **settings}) as stream:
        async for _ in stream:
            pass
        return stream.get()


async def serve_stream(exchange: Exchange, frames: list[bytes]) -> None:
    await exchange.begin()
    for frame in frames:
        await exchange.chunk(frame)


# ---------------------------------------------------------------------- the beginning


@pytest.mark.parametrize('deadline', ['first_token_timeout', 'idle_timeout'])
@pytest.mark.parametrize('pings', [True, False], ids=['pings', 'silence'])
@pytest.mark.parametrize('vendor', [vendor for vendor in VENDORS if vendor.name in PINGS], ids=repr)
async def test_events_without_content_stop_no_deadline(vendor: Vendor, deadline: str, pings: bool) -> None:
    async def begin(exchange: Exchange) -> None:
        await serve_stream(exchange, vendor.frames()[:1])
        while pings:
            await exchange.event(PINGS[vendor.name])
            await asyncio.sleep(0.02)
        await exchange.wait_until_gone()

    async with Server(begin).run() as server:
        with pytest.raises(ModelTimeoutError) as caught:
            await asyncio.wait_for(read(vendor.make(server.url), {deadline: 0.2}), 20)
        assert caught.value.deadline == deadline
        fallback = FallbackModel(vendor.make(server.url), Scripted('b', ['Two']), attempt_timeout=0.2)
        assert (await read(fallback, {})).text == 'Two'


async def test_a_download_is_part_of_the_deadlines() -> None:
    async def drip(exchange: Exchange) -> None:
        await exchange.begin('image/png')
        while True:
            await exchange.chunk(b'x')
            await asyncio.sleep(0.02)

    async with Server(drip).run() as server:
        image = ImageUrl(f'{server.url}/x.png', force_download='allow-local')
        model = VENDORS[0].make(server.url)
        history = [ModelRequest([UserPromptPart(['Look', image])])]
        for settings in ({'timeout': 0.2}, {'timeout': 9, 'first_token_timeout': 0.2}):
            with pytest.raises(ModelTimeoutError) as caught:
                async with model.request_stream(history, {'retries': 0, **settings}):  # type: ignore[typeddict-item]
                    pass
            assert caught.value.seconds == 0.2
        with pytest.raises(ModelTimeoutError, match=r'timeout of 0\.2 s'):
            await model.request(history, {'retries': 0, 'timeout': 0.2})
        await server.wait_until_closed()


# ---------------------------------------------------------------------- the end


async def stay_open(exchange: Exchange) -> None:
    await exchange.wait_until_gone()


async def send_junk(exchange: Exchange) -> None:
    await exchange.chunk(b'data: {"junk\n\ndata: [1]\n\n')
    await exchange.end()


async def reset(exchange: Exchange) -> None:
    exchange.reset()


async def send_comments(exchange: Exchange) -> None:
    for _ in range(200):
        await exchange.chunk(b': comment\n\n')
        await asyncio.sleep(0.01)


@pytest.mark.parametrize('after', [stay_open, send_junk, reset, send_comments], ids=lambda way: way.__name__)
@pytest.mark.parametrize('vendor', BY_HTTP, ids=repr)
async def test_nothing_after_the_end_harms_a_complete_response(
    vendor: Vendor, after: Callable[[Exchange], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, 'USAGE_TIMEOUT', 0.2)

    async def answer(exchange: Exchange) -> None:
        await serve_stream(exchange, vendor.frames())
        exchange.drop()
        await after(exchange)

    async with Server(answer).run() as server:
        response = await asyncio.wait_for(read(vendor.make(server.url), {'timeout': 60}), 20)
    assert (response.state, response.text) == ('complete', RESPONSE.text)
    assert response.usage.output_tokens == RESPONSE.usage.output_tokens


# ---------------------------------------------------------------------- keys


async def echo_headers(exchange: Exchange) -> None:
    await exchange.respond(exchange.headers)


async def echo_in_an_error(exchange: Exchange) -> None:
    await exchange.respond({'error': {'message': json.dumps(exchange.headers)}}, status=400, headers={'x-echo': KEY})


async def echo_in_an_event(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.event({'type': 'error', 'error': {'message': json.dumps(exchange.headers), 'type': 'x'}})
    await exchange.end()


async def echo_in_a_redirect(exchange: Exchange) -> None:
    await exchange.respond(b'{}', status=307, headers={'location': f'http://other.example/?key={KEY}'})


async def echo_as_an_encoding(exchange: Exchange) -> None:
    await exchange.respond(b'{}', headers={'content-encoding': KEY})


async def echo_as_a_type(exchange: Exchange) -> None:
    await exchange.respond(b'<html>' + KEY.encode(), headers={'content-type': f'text/html; {KEY}'})


async def echo_as_text(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(f'data: {{}}\n\nThe key {KEY} is invalid\n'.encode())
    await exchange.end()


ECHOES = (echo_headers, echo_in_an_error, echo_in_an_event, echo_in_a_redirect)
ECHOES += (echo_as_an_encoding, echo_as_a_type, echo_as_text)


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
@pytest.mark.parametrize('way', [*ECHOES, None])
@pytest.mark.parametrize('vendor', BY_HTTP, ids=repr)
async def test_no_error_shows_the_key(
    vendor: Vendor,
    way: Callable[[Exchange], Awaitable[None]] | None,
    stream: bool,
) -> None:
    """Not in its text, its fields, or the local variables of its traceback. Without a `way`, nothing listens."""

    async def answer(exchange: Exchange) -> None:
        assert way is not None
        await way(exchange)

    async with Server(answer).run() as server:
        model = vendor.make(server.url if way else 'http://127.0.0.1:1')
        try:
            await (read(model, {}) if stream else model.request(HELLO, {'retries': 0}))
        except LLMError as error:
            caught = error
        else:
            return
    shown = ''.join(traceback.TracebackException.from_exception(caught, capture_locals=True).format())
    assert KEY not in shown
    assert KEY not in repr(vars(caught))
