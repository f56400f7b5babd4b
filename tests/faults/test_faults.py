"""Every fault leads to one of our errors or to an incomplete response, in time, and the connection is closed.

Each vendor's own client is tested with each fault.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from pydantic_llm.exceptions import (
    AuthenticationError,
    LLMError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    StreamInterruptedError,
    UnexpectedModelBehavior,
)
from pydantic_llm.messages import ModelRequest, ModelResponse
from pydantic_llm.models import Model
from pydantic_llm.providers.litellm_connection import CLIENTS, load_litellm
from tests.faults.vendors import KEY, RESPONSE, SECRET, VENDORS, Vendor
from tests.transport.server import Exchange, Server

HELLO = [ModelRequest.user_text_prompt('Hello?')]
SETTINGS: Any = {'timeout': 5.0, 'max_tokens': 100}
SOON = 0.25
"""The deadline of requests to a silent server, in seconds."""

STATUSES = {
    400: ModelHTTPError,
    401: AuthenticationError,
    402: QuotaExceededError,
    403: AuthenticationError,
    404: NotFoundError,
    408: ModelHTTPError,
    413: ModelHTTPError,
    422: ModelHTTPError,
    429: RateLimitError,
    500: ModelHTTPError,
    502: ModelHTTPError,
    503: OverloadedError,
    504: ModelHTTPError,
    529: OverloadedError,
}

BODIES = {
    'html': (b'<html><body>Bad gateway</body></html>', 'text/html'),
    'empty': (b'', ''),
    'not utf-8': (b'\xff\xfe\x00 {"error"', 'application/json'),
    'cut': (b'{"error": {"message": "It we', 'application/json'),
    'a list': (b'[1, 2]', 'application/json'),
    'null': (b'null', 'application/json'),
}

SHAPES = (
    '[]',
    '{}',
    'null',
    '7',
    '"x"',
    'true',
    '{"x": 1}',
    '[{"x": null}]',
    '{"error": null}',
    '{"choices": 7, "output": 7, "content": 7}',
)
"""Bodies that are JSON and not a response."""

Fault = Callable[[Exchange, Vendor], Awaitable[None]]

pytestmark = pytest.mark.filterwarnings(
    'ignore:Items? .* on TypedDict class:UserWarning',
    'ignore:Pydantic serializer warnings:UserWarning',
    "ignore:Accessing the 'model_:DeprecationWarning",
)
"""The warnings that LiteLLM's own code causes in pydantic."""

vendors = pytest.mark.parametrize('vendor', VENDORS, ids=repr)
ways = pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])


async def ask(model: Model, *, stream: bool, settings: Any = None) -> ModelResponse:
    if not stream:
        return await model.request(HELLO, settings or SETTINGS)
    async with model.request_stream(HELLO, settings or SETTINGS) as streamed:
        async for _ in streamed:
            pass
        return streamed.get()


async def run_fault(vendor: Vendor, fault: Fault, *, stream: bool, settings: Any = None) -> ModelResponse | LLMError:
    """Return the result of a request with a fault. Checks time, secrets, and that the connection is closed."""

    async def answer(exchange: Exchange) -> None:
        await fault(exchange, vendor)

    async with Server(answer).run() as server:
        model = vendor.make(server.url)
        began = time.monotonic()
        try:
            result: ModelResponse | LLMError = await ask(model, stream=stream, settings=settings)
        except LLMError as error:
            assert_shows_no_secret(error)
            result = error
        assert time.monotonic() - began < (settings or SETTINGS)['timeout'] + 2
        await model.aclose()
        await CLIENTS.aclose()  # LiteLLM's clients are shared by the whole event loop
        await server.wait_until_closed(2)
    return result


def is_marked_incomplete(found: ModelResponse | LLMError, vendor: Vendor) -> bool:
    """Return whether the response is incomplete. LiteLLM skips invalid events, so its response is empty then."""
    return isinstance(found, ModelResponse) and found.state == 'incomplete' and vendor.name == 'litellm'


def assert_shows_no_secret(error: LLMError) -> None:
    texts = ''.join(traceback.format_exception(error)) + repr(error.__dict__)
    assert KEY not in texts
    assert SECRET not in texts


@pytest.fixture(scope='session', autouse=True)
def load_litellm_first() -> None:
    """Import LiteLLM first, which takes longer than the deadlines of these tests."""
    load_litellm()


@pytest.fixture(autouse=True)
def check_logs_for_secrets(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG, 'pydantic_llm')
    yield
    assert KEY not in caplog.text
    assert SECRET not in caplog.text


# ---------------------------------------------------------------------- without a fault


async def respond_without_fault(exchange: Exchange, vendor: Vendor) -> None:
    if is_streamed(exchange):
        await exchange.begin(vendor.api.stream_type)
        for frame in vendor.frames():
            await exchange.chunk(frame)
        await exchange.end()
    else:
        await exchange.respond(vendor.body())


def is_streamed(exchange: Exchange) -> bool:
    return 'stream' in exchange.path.lower() or b'"stream":true' in exchange.body.replace(b' ', b'')


@vendors
@ways
async def test_without_a_fault_the_response_is_complete(vendor: Vendor, stream: bool) -> None:
    response = await run_fault(vendor, respond_without_fault, stream=stream)
    assert isinstance(response, ModelResponse)
    assert (response.text, response.state) == (RESPONSE.text, 'complete')
    assert [call.args_as_dict() for call in response.tool_calls] == [{'city': 'Oslo'}]


# ---------------------------------------------------------------------- statuses


@vendors
@ways
@pytest.mark.parametrize('status', STATUSES)
async def test_an_error_status_is_translated(vendor: Vendor, stream: bool, status: int) -> None:
    async def fault(exchange: Exchange, vendor: Vendor) -> None:
        await exchange.respond(vendor.error(status), status=status, headers={'x-request-id': 'req_1'})

    error = await run_fault(vendor, fault, stream=stream)
    assert isinstance(error, STATUSES[status])
    assert isinstance(error, ModelHTTPError)
    assert error.status_code == status


@vendors
@ways
@pytest.mark.parametrize('status', [400, 429, 502])
@pytest.mark.parametrize('body', BODIES)
async def test_an_error_status_is_translated_for_any_body(vendor: Vendor, stream: bool, status: int, body: str) -> None:
    async def fault(exchange: Exchange, vendor: Vendor) -> None:
        content, content_type = BODIES[body]
        await exchange.respond(content, status=status, headers={'content-type': content_type})

    error = await run_fault(vendor, fault, stream=stream)
    assert isinstance(error, ModelHTTPError)
    assert error.status_code == status


# ---------------------------------------------------------------------- bodies


@vendors
@ways
@pytest.mark.parametrize('body', ['html', 'empty', 'not utf-8', 'cut', *SHAPES])
async def test_a_success_status_with_an_invalid_body_raises(vendor: Vendor, stream: bool, body: str) -> None:
    async def fault(exchange: Exchange, vendor: Vendor) -> None:
        content, content_type = BODIES.get(body, (body.encode(), 'application/json'))
        await exchange.respond(content, headers={'content-type': content_type})

    found = await run_fault(vendor, fault, stream=stream)
    assert isinstance(found, (ModelAPIError, UnexpectedModelBehavior)) or is_marked_incomplete(found, vendor)


@vendors
async def test_a_truncated_body_raises(vendor: Vendor) -> None:
    body = vendor.body()

    async def fault(exchange: Exchange, vendor: Vendor) -> None:
        await exchange.head(200, {'content-type': 'application/json', 'content-length': str(len(body))})
        await exchange.write(body[: len(body) // 2])
        exchange.drop()

    assert isinstance(await run_fault(vendor, fault, stream=False), ModelAPIError)


# ---------------------------------------------------------------------- broken connections


async def reset_at_once(exchange: Exchange, vendor: Vendor) -> None:
    exchange.reset()


async def reset_after_headers(exchange: Exchange, vendor: Vendor) -> None:
    await exchange.begin(vendor.api.stream_type if is_streamed(exchange) else 'application/json')
    exchange.reset()


async def reset_in_the_middle(exchange: Exchange, vendor: Vendor) -> None:
    await exchange.begin(vendor.api.stream_type if is_streamed(exchange) else 'application/json')
    pieces = vendor.frames()[:4] if is_streamed(exchange) else [vendor.body()[:20]]
    for piece in pieces:
        await exchange.chunk(piece)
    exchange.reset()


async def close_in_the_middle(exchange: Exchange, vendor: Vendor) -> None:
    await reset_in_the_middle(exchange, vendor)
    exchange.drop()


@vendors
@ways
@pytest.mark.parametrize('fault', [reset_at_once, reset_after_headers, reset_in_the_middle, close_in_the_middle])
async def test_a_broken_connection_is_translated(vendor: Vendor, stream: bool, fault: Fault) -> None:
    error = await run_fault(vendor, fault, stream=stream)
    assert isinstance(error, (ModelConnectionError, StreamInterruptedError))
    assert error.retryable


async def silent_before_headers(exchange: Exchange, vendor: Vendor) -> None:
    await exchange.wait_until_gone()


async def silent_after_headers(exchange: Exchange, vendor: Vendor) -> None:
    await exchange.begin(vendor.api.stream_type if is_streamed(exchange) else 'application/json')
    await exchange.wait_until_gone()


async def silent_in_the_middle(exchange: Exchange, vendor: Vendor) -> None:
    await exchange.begin(vendor.api.stream_type if is_streamed(exchange) else 'application/json')
    for piece in vendor.frames()[:4] if is_streamed(exchange) else [vendor.body()[:20]]:
        await exchange.chunk(piece)
    await exchange.wait_until_gone()


@vendors
@ways
@pytest.mark.parametrize('fault', [silent_before_headers, silent_after_headers, silent_in_the_middle])
async def test_a_silent_server_ends_with_the_deadline(vendor: Vendor, stream: bool, fault: Fault) -> None:
    began = time.monotonic()
    error = await run_fault(vendor, fault, stream=stream, settings={'timeout': SOON, 'max_tokens': 100})
    assert isinstance(error, ModelTimeoutError)
    assert (error.deadline, error.seconds) == ('timeout', SOON)
    assert time.monotonic() - began < SOON + 3


@vendors
async def test_a_silent_stream_ends_with_the_deadlines_of_streams(vendor: Vendor) -> None:
    settings = {'timeout': 60.0, 'first_token_timeout': SOON, 'idle_timeout': SOON, 'max_tokens': 100}
    for fault, deadline in ((silent_after_headers, 'first_token_timeout'), (silent_in_the_middle, 'idle_timeout')):
        error = await run_fault(vendor, fault, stream=True, settings=settings)
        assert isinstance(error, ModelTimeoutError)
        # the middle of a stream of the Responses API has no content yet
        assert error.deadline == deadline or (vendor.name == 'openai-responses' and deadline == 'idle_timeout')


async def send_byte_by_byte(exchange: Exchange, vendor: Vendor) -> None:
    """Send one byte at a time, 10,000 times."""
    await exchange.begin(vendor.api.stream_type if is_streamed(exchange) else 'application/json')
    for byte in b'data: ' + b'x' * 10_000:
        await exchange.chunk(bytes([byte]))
        await asyncio.sleep(0.01)


@vendors
@ways
async def test_a_slow_response_ends_with_the_deadline(vendor: Vendor, stream: bool) -> None:
    found = await run_fault(vendor, send_byte_by_byte, stream=stream, settings={'timeout': SOON, 'max_tokens': 100})
    assert isinstance(found, (ModelTimeoutError, UnexpectedModelBehavior, ModelAPIError))


# ---------------------------------------------------------------------- streams


async def send(exchange: Exchange, vendor: Vendor, frames: list[bytes]) -> None:
    await exchange.begin(vendor.api.stream_type)
    for frame in frames:
        await exchange.chunk(frame)
    await exchange.end()


@vendors
async def test_a_truncated_stream_is_never_complete(vendor: Vendor) -> None:
    """Truncated after each of its events: an error, or an incomplete response before the event that completes it."""
    frames = vendor.frames()
    states: list[str] = []
    for length in range(len(frames) + 1):

        async def fault(exchange: Exchange, vendor: Vendor, length: int = length) -> None:
            await send(exchange, vendor, frames[:length])

        found = await run_fault(vendor, fault, stream=True)
        states.append(found.state if isinstance(found, ModelResponse) else 'error')
        if states[-1] == 'complete':
            assert isinstance(found, ModelResponse)
            assert found.text == RESPONSE.text
            assert [call.args_as_dict() for call in found.tool_calls] == [{'city': 'Oslo'}]
    assert states[0] == ('incomplete' if vendor.name == 'litellm' else 'error')
    assert states[-1] == 'complete'
    assert states == sorted(states, key=('error', 'incomplete', 'complete').index)


@vendors
@pytest.mark.parametrize('place', [0, 1, 3, 5])
async def test_an_error_event_is_translated(vendor: Vendor, place: int) -> None:
    async def fault(exchange: Exchange, vendor: Vendor) -> None:
        await send(exchange, vendor, [*vendor.frames()[:place], vendor.error_frame(place)])

    error = await run_fault(vendor, fault, stream=True)
    assert isinstance(error, ModelAPIError)
    assert error.retryable


@vendors
@pytest.mark.parametrize('place', [0, 2, 4])
async def test_an_invalid_event_raises(vendor: Vendor, place: int) -> None:
    async def fault(exchange: Exchange, vendor: Vendor) -> None:
        frames = vendor.frames()
        await send(exchange, vendor, [*frames[:place], vendor.api.garbage, *frames[place:]])

    assert isinstance(await run_fault(vendor, fault, stream=True), LLMError)


@vendors
@pytest.mark.parametrize('shape', ['7', '"x"', '[]', 'null', '{}', '{"x": 1}', '{"type": 7}', '{"choices": [7]}'])
async def test_an_event_of_a_wrong_shape_is_skipped_or_raises(vendor: Vendor, shape: str) -> None:
    async def fault(exchange: Exchange, vendor: Vendor) -> None:
        frames = vendor.frames()
        odd = vendor.api.frame(json.loads(shape)) if shape.startswith('{') else f'data: {shape}\n\n'.encode()
        await send(exchange, vendor, [*frames[:3], odd, *frames[3:]])

    found = await run_fault(vendor, fault, stream=True)
    assert isinstance(found, LLMError) or (found.text, found.state) == (RESPONSE.text, 'complete')


def orders(frames: list[bytes]) -> list[list[bytes]]:
    """Return the events with one repeated, two swapped, one missing, and all reversed."""
    twice = [[*frames[: n + 1], *frames[n:]] for n in range(len(frames))]
    swapped = [[*frames[:n], frames[n + 1], frames[n], *frames[n + 2 :]] for n in range(len(frames) - 1)]
    without = [[*frames[:n], *frames[n + 1 :]] for n in range(len(frames))]
    return [*twice, *swapped, *without, frames[::-1]]


@vendors
async def test_repeated_swapped_or_missing_events_give_a_response_or_raise(vendor: Vendor) -> None:
    for frames in orders(vendor.frames()):

        async def fault(exchange: Exchange, vendor: Vendor, frames: list[bytes] = frames) -> None:
            await send(exchange, vendor, frames)

        found = await run_fault(vendor, fault, stream=True)
        assert isinstance(found, (ModelResponse, LLMError))


@vendors
async def test_an_endless_line_raises(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('pydantic_llm.transport.sse.MAX_EVENT_BYTES', 100_000)
    monkeypatch.setattr('pydantic_llm.transport.response.MAX_BODY_BYTES', 100_000)

    async def fault(exchange: Exchange, vendor: Vendor) -> None:
        await exchange.begin(vendor.api.stream_type)
        while True:
            await exchange.chunk(b'data: ' + b'x' * 10_000)

    assert isinstance(await run_fault(vendor, fault, stream=True), LLMError)
