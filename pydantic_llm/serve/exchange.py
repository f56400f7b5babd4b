"""One answer on its way to the client: whole or as a stream, with the errors that come up on the way.

An error before anything was sent has a status of its own; one that comes later is an event of the stream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Send

from ..exceptions import LLMError, ModelAPIError, ModelHTTPError
from ..json_types import Json
from ..messages import StreamRestartEvent
from ..models import Model, StreamedResponse
from ..wire.serving import ServedRequest, retry_after_header
from .faults import Broken, Fault, misbehave
from .protocols import Protocol

__all__ = ('Exchange', 'json_response', 'while_connected')


logger = logging.getLogger('pydantic_llm.serve')


class Exchange:
    """One answer on its way to the client."""

    def __init__(self, protocol: Protocol, send: Send) -> None:
        self._protocol = protocol
        self._send = send
        self._begun = False
        self._sent = 0

    async def guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work; tell the client of what goes wrong with it."""
        try:
            await work
        except Broken:
            raise
        except LLMError as error:
            await self.fail(error)
        except Exception as error:
            logger.exception('The model failed')
            await self.fail(error)

    async def refuse(self, fault: Fault) -> bool:
        """Send what a fault puts in the place of the real answer, if it does."""
        await asyncio.sleep(fault.delay)
        if fault.body is not None:
            await self._begin(fault.status or 200, {'content-type': fault.content_type, **fault.headers})
            await self._frame(fault.body)
            await self._end()
        elif fault.status is not None:
            error = _told_to_fail(fault.status)
            headers = {'content-type': 'application/json', **self._protocol.headers(error), **fault.headers}
            await self._begin(fault.status, headers)
            await self._frame(to_json(self._protocol.encode_error(error)[1]))
            await self._end()
        return fault.body is not None or fault.status is not None

    async def answer(self, served: ServedRequest, model: Model, fault: Fault | None) -> None:
        """Let the model answer, and send its answer."""
        if served.stream:
            async with model.request_stream(served.messages, served.settings, served.parameters) as stream:
                headers = {'content-type': self._protocol.stream_type, 'cache-control': 'no-cache'}
                await self._frames(_events(self._protocol, served, stream), headers, fault)
        else:
            response = await model.request(served.messages, served.settings, served.parameters)
            body = to_json(self._protocol.encode_response(response, served))
            length = {} if fault else {'content-length': str(len(body))}
            fault = fault and replace(fault, keep_alive=0.0)
            await self._frames(_alone(body), {'content-type': 'application/json', **length}, fault)
        await self._end()

    async def fail(self, error: BaseException) -> None:
        """Tell of an error."""
        status, body = self._protocol.encode_error(error)
        if self._begun:
            await self._frame(self._error(body))
        else:
            own = self._protocol.headers(error)
            await self._begin(status, {'content-type': 'application/json', **own, **retry_after_header(error)})
            await self._frame(to_json(body))
        await self._end()

    async def _frames(self, frames: AsyncGenerator[bytes], headers: Mapping[str, str], fault: Fault | None) -> None:
        """Send the parts of an answer. The headers go out with the first of them, when it is there."""
        headers = {**headers, **self._protocol.headers(None)}
        if fault is not None:
            headers = {**headers, **fault.headers}
            await self._begin(200, headers)
            error_frame = partial(self._error_frame, headers['content-type'])
            frames = misbehave(frames, fault, self._protocol, error_frame=error_frame)
        async with aclosing(frames):
            async for frame in frames:
                if not self._begun:
                    await self._begin(200, headers)
                await self._frame(frame)

    def _error_frame(self, content_type: str) -> bytes:
        body = self._protocol.encode_error(_told_to_fail(503))[1]
        return to_json(body) if content_type == 'application/json' else self._error(body)

    def _error(self, body: Json) -> bytes:
        """An error as an event of the stream."""
        return self._protocol.frame(self._protocol.error_event(body, self._sent))

    async def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self._begun = True
        raw = [(name.lower().encode('latin-1'), value.encode('latin-1')) for name, value in headers.items()]
        await self._send({'type': 'http.response.start', 'status': status, 'headers': raw})

    async def _frame(self, data: bytes) -> None:
        self._sent += 1
        await self._send({'type': 'http.response.body', 'body': data, 'more_body': True})

    async def _end(self) -> None:
        await self._send({'type': 'http.response.body', 'body': b'', 'more_body': False})


async def _events(protocol: Protocol, served: ServedRequest, stream: StreamedResponse) -> AsyncGenerator[bytes]:
    """The events of an answer. None comes before the model has said something: until then it can fail with a status."""
    writer = protocol.writer(served)
    begun = False
    async for happened in stream:
        if not begun:
            begun = True
            served.begun = stream.get()
            for event in writer.begin():
                yield protocol.frame(event)
        if isinstance(happened, StreamRestartEvent):
            raise ModelAPIError(served.model_name, f'The answer broke off, and cannot be taken back: {happened.reason}')
        for event in writer.event(happened):
            yield protocol.frame(event)
    for event in [*(() if begun else writer.begin()), *writer.end(stream.get())]:
        yield protocol.frame(event)
    if protocol.done:
        yield protocol.done


async def _alone(body: bytes) -> AsyncGenerator[bytes]:
    """A whole answer, which is one event."""
    yield body


def _told_to_fail(status: int) -> ModelHTTPError:
    return ModelHTTPError(status, '', message='The server was told to fail')


async def while_connected(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Do the work for a client whose request was read; stop when the client leaves."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait((working, leaving))
    with suppress(asyncio.CancelledError):
        working.result()


async def _gone(receive: Receive) -> None:
    while (await receive())['type'] != 'http.disconnect':
        pass


def json_response(body: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A whole answer outside the protocols' own paths."""
    return Response(to_json(body), status, dict(headers or {}), 'application/json')
