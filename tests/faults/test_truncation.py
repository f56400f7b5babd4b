"""A stream that ends too early, or with an error of a proxy: what arrived and what was said are kept, in every room."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable

import pytest

from pydantic_llm.exceptions import LLMError, ModelAPIError, StreamInterruptedError, UnexpectedModelBehavior
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models import Model
from pydantic_llm.models.fallback import FallbackModel
from tests.faults.vendors import RESPONSE, VENDORS, Vendor
from tests.models.scripted import Scripted
from tests.transport.server import Exchange, Server

HELLO = [ModelRequest.user_text_prompt('Hello?')]
DIRECT = [vendor for vendor in VENDORS if vendor.name != 'litellm']
"""The vendors whose bytes this library reads itself. LiteLLM drops truncated events and text between events."""

vendors = pytest.mark.parametrize('vendor', DIRECT, ids=repr)


async def read(model: Model) -> str:
    async with model.request_stream(HELLO, {'retries': 0, 'max_tokens': 100}) as stream:
        async for _ in stream:
            pass
        return stream.get().state


async def catch(model: Model) -> LLMError | str:
    """Return the error of a stream, or the state of its response."""
    try:
        return await read(model)
    except LLMError as error:
        return error


# ---------------------------------------------------------------------- the end is missing


async def end_regularly(exchange: Exchange, data: bytes, stream_type: str) -> None:
    await exchange.begin(stream_type)
    await exchange.chunk(data)
    await exchange.end()


async def end_by_closing(exchange: Exchange, data: bytes, stream_type: str) -> None:
    await exchange.head(200, {'content-type': stream_type, 'connection': 'close'})
    await exchange.write(data)
    exchange.drop()


async def end_inside_a_chunk(exchange: Exchange, data: bytes, stream_type: str) -> None:
    await exchange.begin(stream_type)
    await exchange.write(b'%x\r\n%s' % (len(data) + 10, data))
    exchange.drop()


async def end_inside_gzip(exchange: Exchange, data: bytes, stream_type: str) -> None:
    await exchange.begin(stream_type, {'content-encoding': 'gzip'})
    await exchange.chunk(gzip.compress(data)[:-4])
    await exchange.end()


End = Callable[[Exchange, bytes, str], Awaitable[None]]


@vendors
@pytest.mark.parametrize('end', [end_regularly, end_by_closing, end_inside_a_chunk, end_inside_gzip])
async def test_a_stream_that_ends_inside_an_event_is_interrupted(vendor: Vendor, end: End) -> None:
    frames = vendor.frames()
    data = b''
    words = next(number for number, frame in enumerate(frames) if b'look.' in frame) + 1
    border = len(b''.join(frames[:words]))
    lengths = [*range(3, len(frames[0]) - 2, 49), *range(border + 3, border + len(frames[words]) - 2, 29)]

    async def answer(exchange: Exchange) -> None:
        await end(exchange, data, vendor.api.stream_type)

    async with Server(answer).run() as server:
        model = vendor.make(server.url)
        for length in lengths:
            data = b''.join(frames)[:length]
            error = await catch(model)
            assert isinstance(error, StreamInterruptedError), (data[-50:], error)
            assert error.retryable
            assert error.response is not None
            assert error.response.state == 'interrupted'
            assert error.response.text == (RESPONSE.text if length > border else None)
            assert error.response.usage.source('output_tokens') == 'missing'
        fallback = FallbackModel(model, Scripted('b', ['Two']), mid_stream='restart')
        assert await read(fallback) == 'complete'


@vendors
async def test_a_stream_that_ends_inside_a_character_is_interrupted(vendor: Vendor) -> None:
    frame = vendor.frames()[3].replace(b'me', '\N{WAVING HAND SIGN}'.encode())

    async def answer(exchange: Exchange) -> None:
        start = frame[: frame.index(b'\xf0') + 2] if b'\xf0' in frame else frame[:-9]
        await end_regularly(exchange, b''.join(vendor.frames()[:3]) + start, vendor.api.stream_type)

    async with Server(answer).run() as server:
        model = vendor.make(server.url)
        assert isinstance(await catch(model), StreamInterruptedError)


# ---------------------------------------------------------------------- the end is an error in some other form

SAID = 'Zebra is overloaded'
ERROR = {'error': {'message': SAID, 'type': 'overloaded_error', 'code': 503}}
JSON = json.dumps(ERROR).encode()

ERRORS = {
    'JSON': JSON,
    'JSON and a line end': JSON + b'\n',
    'JSON on several lines': json.dumps(ERROR, indent=2).encode(),
    'JSON on several lines and an empty one': json.dumps(ERROR, indent=2).encode() + b'\n\n',
    'a list': b'[' + JSON + b']',
    'an event': b'data: ' + JSON + b'\n\n',
    'an event without an end': b'data: ' + JSON,
    'an event with a name': b'event: error\ndata: ' + JSON + b'\n\n',
    'an event with a text': b'event: error\ndata: ' + SAID.encode() + b'\n\n',
    'an error that is a text': b'data: {"error": "Zebra is overloaded"}\n\n',
    'a detail': b'data: {"detail": "Zebra is overloaded"}\n\n',
    'a message': b'data: {"message": "Zebra is overloaded"}\n\n',
    'an error of Amazon': b'{"__type": "x", "Message": "Zebra is overloaded"}',
    'text': b'upstream connect error: Zebra is overloaded',
    'HTML': b'<html>\n<h1>Zebra is overloaded</h1>\n</html>\n',
}
"""Errors with status 200, in place of a stream or in the middle of one."""


@vendors
@pytest.mark.parametrize('events', [0, 4])
async def test_an_error_in_a_stream_keeps_what_the_vendor_said(vendor: Vendor, events: int) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.begin(vendor.api.stream_type)
        await exchange.chunk(b''.join(vendor.frames()[:events]) + said[:9])
        await exchange.chunk(said[9:])
        await exchange.end()

    said = b''
    async with Server(answer).run() as server:
        model = vendor.make(server.url)
        for name in ERRORS:
            said = ERRORS[name]
            error = await catch(model)
            assert isinstance(error, (ModelAPIError, UnexpectedModelBehavior)), name
            assert SAID in str(error) + str(getattr(error, 'body', '')), name


@pytest.mark.parametrize('vendor', [vendor for vendor in DIRECT if vendor.name != 'bedrock'], ids=repr)
async def test_a_line_that_is_no_event_does_not_harm_a_complete_response(vendor: Vendor) -> None:
    """Bedrock's frames have no lines."""

    async def answer(exchange: Exchange) -> None:
        data = b''.join([b'junk: 1\n', *vendor.frames(), b'junk'])
        await end_regularly(exchange, data, vendor.api.stream_type)

    async with Server(answer).run() as server:
        model = vendor.make(server.url)
        assert await catch(model) == 'complete'
