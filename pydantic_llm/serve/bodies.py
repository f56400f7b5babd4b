"""Reads the body of a request within limits of size, time and memory, and parses it.

`BodyReader` belongs to an app, and counts the bytes of all requests in progress: `hold` begins one request. `Body.read`
reads its bytes, `Body.parse` parses them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from pydantic_core import from_json, to_json
from starlette.requests import Request

from .._checks import check_number
from .._type_checks import check_type
from ..exceptions import ModelHTTPError, OverloadedError, UserError
from ..json_types import Json, parse_damaged_json

__all__ = ('MAX_BODY_BYTES', 'Body', 'BodyReader')

A = TypeVar('A')
R = TypeVar('R')

MAX_BODY_BYTES = 64 * 1024 * 1024
"""The size of the largest request that is accepted."""

MAX_TOTAL_BYTES = 512 * 1024 * 1024
"""The size of all requests in progress together: a request beyond it gets the status 503. At least one always fits."""

READ_TIMEOUT = 30.0
"""Seconds that a client has to send a body, in addition to those that `MIN_RATE` allows."""

MIN_RATE = 16 * 1024
"""The bytes per second that a client must send on average, after `READ_TIMEOUT` seconds."""

MAX_VALUES = 1_000_000
"""The most values in a JSON body. A body of 64 MiB could hold 20 times more, and needs 25 bytes of memory for each."""

THREAD_BYTES = 1024 * 1024
"""The size of a body from which it is decoded in a thread, so that the other requests need not wait."""


class BodyReader:
    """Reads the bodies of an app's requests, and counts their bytes until each request is over."""

    def __init__(self, max_body_bytes: int) -> None:
        check_type(max_body_bytes, int, parameter='max_body_bytes', required=True)
        check_number('max_body_bytes', max_body_bytes, least=1, whole=True)
        self.max_body_bytes = max_body_bytes
        self.held_bytes: int = 0

    @contextmanager
    def hold(self) -> Generator[Body]:
        """Begin a request. Its bytes count until the block ends."""
        body = Body(self)
        try:
            yield body
        finally:
            self.held_bytes -= body.size


class Body:
    """The body of one request."""

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader
        self._data = bytearray()
        self.size: int = 0
        """The number of bytes that were read."""

    async def read(self, request: Request) -> None:
        """Read all bytes. Raises `ModelHTTPError` if it breaks a limit, or `ClientDisconnect`."""
        self._check_headers(request)
        try:
            async with asyncio.timeout(READ_TIMEOUT) as deadline:
                ends = deadline.when() or 0.0
                async for chunk in request.stream():
                    self._add(chunk)
                    deadline.reschedule(ends + self.size / MIN_RATE)
        except TimeoutError:
            message = f'The request was not complete after {READ_TIMEOUT:g} s and {self.size} bytes'
            raise ModelHTTPError(408, '', message=message) from None

    async def parse(self) -> Json:
        """Parse what was read, once. Raises `UserError` if it is not a JSON object, or holds too many values."""
        data, self._data = bytes(self._data), bytearray()
        return await self.run(_parse_body, data)

    async def run(self, function: Callable[[A], R], argument: A) -> R:
        """Call a function whose time grows with the body: in a thread if that is large."""
        return await asyncio.to_thread(function, argument) if self.size >= THREAD_BYTES else function(argument)

    def _check_headers(self, request: Request) -> None:
        headers = request.headers
        # Any web page can make a visitor's browser send requests here, but not with this content type:
        # https://developer.mozilla.org/docs/Glossary/CORS-safelisted_request_header
        if headers.get('content-type', '').partition(';')[0].strip().lower() != 'application/json':
            raise ModelHTTPError(415, '', message="The request's content-type must be 'application/json'")
        if (coding := headers.get('content-encoding', 'identity')).lower() != 'identity':
            raise ModelHTTPError(
                415, '', message=f'The content-encoding {coding[:20]!r} is unsupported: send plain JSON'
            )
        length = headers.get('content-length')
        # Two lengths for one body, which a proxy may read otherwise: https://www.rfc-editor.org/rfc/rfc9112#section-6.1
        if length is not None and 'transfer-encoding' in headers:
            raise ModelHTTPError(400, '', message='The request has both a content-length and a transfer-encoding')
        if length is not None and length.isdecimal() and len(length) < 20:
            self._check_size(int(length))

    def _add(self, chunk: bytes) -> None:
        self._check_size(self.size + len(chunk))
        others = self._reader.held_bytes - self.size
        if others and self._reader.held_bytes + len(chunk) > MAX_TOTAL_BYTES:
            raise OverloadedError(503, '', message='The server has too many large requests', retry_after=1)
        self.size += len(chunk)
        self._reader.held_bytes += len(chunk)
        self._data += chunk

    def _check_size(self, size: int) -> None:
        if size > self._reader.max_body_bytes:
            message = f'The request is larger than {self._reader.max_body_bytes} bytes'
            raise ModelHTTPError(413, '', message=message)


def _parse_body(data: bytes) -> Json:
    if len(data) > MAX_VALUES and sum(map(data.count, (b',', b'[', b'{'))) > MAX_VALUES:
        raise UserError(f'The request holds more than {MAX_VALUES} values')
    try:
        body = _parse_json(data)
    except ValueError as error:
        raise UserError(f'The request is not JSON: {error}') from None
    if not isinstance(body, dict):
        raise UserError('The request is not a JSON object')
    return body  # pyright: ignore[reportUnknownVariableType] -- JSON


def _parse_json(data: bytes) -> object:
    """Parse JSON. Damaged text is repaired; NaN, infinity and more than 200 levels are refused, with a `ValueError`."""
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as error:
        repaired = parse_damaged_json(data, error)
        return from_json(to_json(repaired, inf_nan_mode='constants'), allow_inf_nan=False)
