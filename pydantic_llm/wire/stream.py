"""`WireStream`: the streamed response of a model behind an API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from ..exceptions import LLMError, ModelHTTPError, StreamInterruptedError
from ..messages import ModelResponse
from ..models import BufferedStream, ModelRequestParameters
from ..retries.budget import Budget
from ..streaming.draft import ResponseDraft
from ..transport import ByteStream
from ..transport.keys import hide_keys_in_error
from ..usage import RequestUsage
from .reader import EVENT_LINE, JSON_START, ResponseReader

__all__ = ('JSON_HEADERS', 'BodyStream', 'WireStream')

USAGE_TIMEOUT = 5.0
"""Seconds that a server gets after the end of a response, for the usage and the end of the stream."""

JSON_HEADERS: Mapping[str, str] = {'content-type': 'application/json'}
"""The headers of a body that is not a stream."""


class WireStream(BufferedStream):
    """Reads the bytes of a stream and emits events.

    The request is sent again if the stream breaks before its first event was emitted and the budget allows it;
    `new_reader` and `open_bytes` make what a new attempt needs.
    """

    def __init__(
        self,
        bytes_: ByteStream,
        parameters: ModelRequestParameters,
        *,
        budget: Budget,
        new_reader: Callable[[], ResponseReader],
        open_bytes: Callable[[], Awaitable[ByteStream]],
    ) -> None:
        self._new_reader = new_reader
        self._open_bytes = open_bytes
        self._budget = budget
        self._has_emitted = False  # the response cannot be taken back from then on
        self._lost_usage = RequestUsage()  # of attempts that broke before their first event
        self._reader = new_reader()
        super().__init__(self._reader.draft, parameters)
        self._start_reading(bytes_)

    def _start_reading(self, bytes_: ByteStream) -> None:
        self._reader.begin(bytes_.headers)
        self._bytes = bytes_
        self._body: list[bytes] | None = None
        self._has_begun = False
        self._ended = False
        self._finish_by: float | None = None
        self._went_on = False  # content followed a finish reason

    def get(self) -> ModelResponse:
        response, usage = self.draft.get(), self.usage()
        return response if response.usage is usage else replace(response, usage=usage)

    def usage(self) -> RequestUsage:
        """Return the usage so far. Before the end of the response, `missing` contains the output."""
        draft = self.draft
        usage = draft.usage
        if not (draft.has_ended or draft.finish_reason or 'output_tokens' in usage.missing):
            usage = replace(usage, missing=(*usage.missing, 'output_tokens'))
        return usage + self._lost_usage if self._lost_usage.has_values() else usage

    async def close(self) -> None:
        await self._bytes.aclose()

    async def _read_more(self) -> None:
        if self._ended:
            raise StopAsyncIteration
        try:
            if self._has_emitted:
                await self._read_events()
            else:
                with self._budget.track_time():
                    await self._read_events()
        except LLMError as error:
            if self._cancelled:  # another task closed the connection that this one reads
                raise StopAsyncIteration from None
            await self._recover(error)
        if events := self.draft.parts.take_events():
            self._has_emitted = True
            self._ready.extend(events)

    async def _read_events(self) -> None:
        """Read until there is an event, or the stream has ended."""
        draft, reader, parts = self.draft, self._reader, self.draft.parts
        while not parts.events and not self._ended:
            is_over = reader.saw_done or draft.has_ended
            chunk = await (self._read_after_end() if is_over else self._bytes.read())
            if not chunk:
                await self._end()
                continue
            if self._has_begun and self._body is None:
                self._decode_events(chunk)
            else:
                self._take_chunk(chunk)
            if not parts.events:
                self._bytes.keep_waiting()

    async def _recover(self, error: LLMError) -> None:
        """Send the request again if that is allowed; otherwise end the response."""
        try:
            if not self._has_emitted and await self._retry(error):
                return
        except LLMError as failure:
            error = failure
        self._end_broken(error)

    async def _retry(self, error: LLMError) -> bool:
        """Send the request again while the budget allows it; return whether it was sent."""
        await self._bytes.aclose()
        if self.draft.has_ended or not await self._budget.pause(error):
            return False
        bytes_ = await self._budget.run(self._open_bytes)
        if self._cancelled:
            await bytes_.aclose()
            raise StopAsyncIteration
        self._lost_usage = self.usage()
        self._reader = self._new_reader()
        self.draft: ResponseDraft = self._reader.draft
        self._start_reading(bytes_)
        return True

    async def _read_after_end(self) -> bytes:
        """Return the next bytes of a response that has ended; nothing after `[DONE]`, or if the server sends no end.

        A finish reason before or between content is not the end: servers put one into every event (one-api#1477,
        one-hub#402), or into empty events while the model thinks (CLIProxyAPI#5651).
        """
        if self._reader.saw_done:
            return b''
        if not self._has_emitted or self._went_on:
            return await self._bytes.read()
        now = asyncio.get_running_loop().time()
        if self._finish_by is None:
            self._finish_by = now + USAGE_TIMEOUT
        if now > self._finish_by:
            return b''
        try:
            async with asyncio.timeout_at(self._finish_by):
                return await self._bytes.read()
        except TimeoutError:
            return b''

    def _take_chunk(self, chunk: bytes) -> None:
        if not self._has_begun:
            if not chunk.strip():
                return  # blank lines, by which some servers keep the connection open
            self._has_begun = True
            self._bytes.begin()
            self._body = [] if self._is_whole_body(chunk) else None
        if self._body is None:
            self._decode_events(chunk)
        else:
            self._body.append(chunk)

    def _is_whole_body(self, start: bytes) -> bool:
        """Return whether a server sends a whole body although a stream was requested."""
        is_json = self._bytes.headers.get('content-type', '').partition(';')[0].strip().lower() == 'application/json'
        return JSON_START.match(start) is not None or (is_json and EVENT_LINE.match(start) is None)

    def _decode_events(self, chunk: bytes) -> None:
        draft = self.draft
        had_ended = draft.has_ended
        try:
            self._reader.feed(chunk)
        finally:
            if draft.parts.events:
                self._went_on |= had_ended
                self._bytes.progress()
            elif draft.has_ended:
                self._bytes.progress()

    async def _end(self) -> None:
        """Finish the response after the server ended the stream."""
        self._ended = True
        if self._body is not None:
            self._reader.read_body(b''.join(self._body), self._bytes.headers)
        else:
            self._reader.end_stream(self._bytes.headers)
        await self._bytes.finish()

    def _end_broken(self, error: LLMError) -> None:
        """Finish the response after a connection error.

        If the vendor had completed the response, add a warning. Otherwise raise, with the partial response attached.
        """
        self._ended = True
        hide_keys_in_error(error, self._bytes.find_keys())
        if self.draft.has_ended and not isinstance(error, ModelHTTPError):
            self.draft.warnings.append(
                f'The stream broke after the end of the response; usage may be missing ({error})'
            )
            with suppress(LLMError):  # what follows the end is not part of the response
                self._reader.end()
            self.draft.parts.end()
            return
        self.draft.state = 'interrupted'
        if isinstance(error, StreamInterruptedError):
            error.response = self.get()
        raise self._budget.with_failures(error)


class BodyStream(ByteStream):
    """A body that is already here, in place of a stream."""

    def __init__(self, body: bytes, headers: Mapping[str, str] = JSON_HEADERS) -> None:
        self.headers = headers
        self._chunks = [b'', body]

    async def read(self) -> bytes:
        return self._chunks.pop() if self._chunks else b''

    def progress(self) -> None:
        """Do nothing: no deadline is running."""

    async def aclose(self) -> None:
        """Do nothing: no connection is open."""
