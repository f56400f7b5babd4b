"""Sends one response to the client, at once or as a stream.

An error before the first byte is sent as a response with its own status, a later one as an event of the stream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Send

from .._instrument import instrument_if_on
from ..exceptions import LLMError, ModelHTTPError, OverloadedError
from ..json_types import Json
from ..messages import ModelResponse
from ..models import Model, StreamedResponse
from ..wire.served_stream import EncodedStream
from ..wire.serving import ServedRequest, retry_headers
from .drain import Drain
from .faults import ConnectionBreak, Fault, inject_fault
from .protocols import Protocol
from .record import REQUEST_ID_HEADER, RequestRecord

__all__ = ('Exchange', 'json_response', 'run_while_connected')

JSON_TYPE = {'content-type': 'application/json'}

REQUEST_ID_ENDS = ('request-id', 'requestid')
"""The ends of the names of headers in which vendors send the id of a request."""

T = TypeVar('T')

OnResponse = Callable[[ModelResponse], Awaitable[None]]
"""A function that gets the response of the model."""

logger: logging.Logger = logging.getLogger('pydantic_llm.serve')


class Exchange:
    """The sending side of one request: the response or the error, once."""

    def __init__(self, protocol: Protocol, send: Send, record: RequestRecord, drain: Drain) -> None:
        self._protocol = protocol
        self._send = send
        self._record = record
        self._drain = drain
        self._has_started = False
        self._frames_sent = 0

    async def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return the result of the work; if it fails, send the error to the client."""
        try:
            return await work
        except ConnectionBreak:
            raise
        except ClientDisconnect:
            pass
        except LLMError as error:
            await self.send_error(error)
        except asyncio.CancelledError:
            if not self._drain.has_ended:
                raise
            _forget_cancellation()
            await self.send_error(OverloadedError(503, '', message='The server is stopping', retry_after=1))
        except Exception as error:
            logger.exception('The model failed')
            await self.send_error(error)
        return None

    async def send_fault(self, fault: Fault) -> bool:
        """Wait for the fault's delay, then send its body or status, if it has one. Return whether it was sent."""
        await asyncio.sleep(fault.delay)
        if fault.body is not None:
            body, headers = fault.body, {'content-type': fault.content_type}
        elif fault.status is not None:
            error = _make_injected_error(fault.status)
            body = to_json(self._protocol.encode_error(error)[1])
            headers = {**JSON_TYPE, **self._protocol.encode_headers(error)}
        else:
            return False
        await self._send_whole(fault.status or 200, {**headers, **fault.headers}, body)
        return True

    async def send_response(
        self, served: ServedRequest, model: Model, fault: Fault | None, on_response: OnResponse
    ) -> None:
        """Send the model's response. `on_response` gets it before the client gets its end."""
        model = instrument_if_on(model)
        if served.stream:
            async with model.request_stream(served.messages, served.settings, served.parameters) as stream:
                headers = {'content-type': self._protocol.stream_type, 'cache-control': 'no-cache'}
                frames = _encode_stream(self._protocol, served, stream, self._record, on_response)
                await self._send_frames(frames, headers, fault)
        else:
            response = await model.request(served.messages, served.settings, served.parameters)
            await on_response(response)
            body = to_json(self._protocol.encode_response(self._protocol.end_pause(response), served))
            if fault is None:
                await self._send_whole(200, {**JSON_TYPE, **self._protocol.encode_headers(None)}, body)
                return
            # The fault may change the length of the body, which has no place for keep-alive frames.
            await self._send_frames(_yield_once(body), JSON_TYPE, replace(fault, keep_alive=0.0))
        await self._finish()

    async def send_json(self, body: Json, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole response with the status 200."""
        await self._send_whole(
            200, {**JSON_TYPE, **self._protocol.encode_headers(None), **(headers or {})}, to_json(body)
        )

    async def send_error(self, error: BaseException) -> None:
        """Send an error: as an event if the response has started, else as a response with its own status."""
        self._record.error = type(error).__name__
        status, body = self._protocol.encode_error(error)
        if self._has_started:
            await self._send_frame(self._encode_error_event(body))
            await self._finish()
        else:
            headers = {**JSON_TYPE, **self._protocol.encode_headers(error), **retry_headers(error)}
            await self._send_whole(status, headers, to_json(body))

    async def _send_frames(
        self, frames: AsyncGenerator[bytes], headers: Mapping[str, str], fault: Fault | None
    ) -> None:
        """Send the frames of a response. The headers are sent with the first frame, or at once if there is a fault."""
        headers = {**headers, **self._protocol.encode_headers(None)}
        if fault is not None:
            headers = {**headers, **fault.headers}
            await self._start(200, headers)
            error_frame = partial(self._encode_injected_error, headers['content-type'])
            frames = inject_fault(frames, fault, self._protocol, error_frame=error_frame)
        async with aclosing(frames):
            async for frame in frames:
                if not self._has_started:
                    await self._start(200, headers)
                await self._send_frame(frame)

    def _encode_injected_error(self, content_type: str) -> bytes:
        body = self._protocol.encode_error(_make_injected_error(503))[1]
        return to_json(body) if content_type == 'application/json' else self._encode_error_event(body)

    def _encode_error_event(self, body: Json) -> bytes:
        return self._protocol.encode_frame(self._protocol.encode_error_event(body, self._frames_sent))

    async def _send_whole(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        await self._start(status, {'content-length': str(len(body)), **headers})
        self._record.bytes_out += len(body)
        await self._send({'type': 'http.response.body', 'body': body})
        self._record.is_complete = True

    async def _start(self, status: int, headers: Mapping[str, str]) -> None:
        self._has_started = True
        self._record.status = status
        if not any(name.lower().endswith(REQUEST_ID_ENDS) for name in headers):
            headers = {REQUEST_ID_HEADER: self._record.request_id, **headers}
        raw = [(name.lower().encode('latin-1'), value.encode('latin-1')) for name, value in headers.items()]
        await self._send({'type': 'http.response.start', 'status': status, 'headers': raw})

    async def _send_frame(self, data: bytes) -> None:
        self._frames_sent += 1
        self._record.bytes_out += len(data)
        await self._send({'type': 'http.response.body', 'body': data, 'more_body': True})

    async def _finish(self) -> None:
        await self._send({'type': 'http.response.body', 'body': b'', 'more_body': False})
        self._record.is_complete = True


async def _encode_stream(
    protocol: Protocol,
    served: ServedRequest,
    stream: StreamedResponse,
    record: RequestRecord,
    on_response: OnResponse,
) -> AsyncGenerator[bytes]:
    """Yield the frames of a streamed response. Until the model's first event, an error can have its own status."""
    encoded = EncodedStream(protocol.stream_encoder(served), served, stream)
    async for event in stream:
        if not encoded.has_started:
            record.record_first_token()
        for frame in encoded.event(event):
            yield protocol.encode_frame(frame)
    response = stream.get()
    await on_response(response)
    for frame in encoded.end(protocol.end_pause(response)):
        yield protocol.encode_frame(frame)
    if protocol.end_frame:
        yield protocol.end_frame


def _forget_cancellation() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()


async def _yield_once(body: bytes) -> AsyncGenerator[bytes]:
    yield body


def _make_injected_error(status: int) -> ModelHTTPError:
    """Build the error that a fault sends."""
    return ModelHTTPError(status, '', message='The server was told to fail')


async def run_while_connected(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Await the work, and cancel it if the client disconnects. The body of the request must have been read."""
    working = asyncio.current_task()
    assert working is not None
    watching = asyncio.ensure_future(_cancel_on_disconnect(working, receive))
    try:
        await work
    except asyncio.CancelledError:
        if not watching.done() or working.cancelling() > 1:
            raise  # the server cancels the request
    finally:
        if watching.done():
            working.uncancel()
        else:
            watching.cancel()


async def _cancel_on_disconnect(working: asyncio.Task[Any], receive: Receive) -> None:
    while (await receive())['type'] != 'http.disconnect':
        pass
    working.cancel()


def json_response(body: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Build a JSON response of a path that no protocol owns."""
    return Response(to_json(body), status, dict(headers or {}), 'application/json')
