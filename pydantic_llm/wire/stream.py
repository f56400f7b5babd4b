"""`WireStream`: the streamed response of a remote model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic_core import from_json

from ..exceptions import LLMError, ModelTimeoutError, StreamInterruptedError, UnexpectedModelBehavior
from ..messages import ModelResponseStreamEvent
from ..models import StreamedResponse
from ..retries.budget import Budget
from ..transport import ByteStream, RawRequest
from ..transport.sse import EventSplitter
from .prepare import PreparedRequest

if TYPE_CHECKING:
    from .model import WireModel

JSON_HEADERS: Mapping[str, str] = {'content-type': 'application/json'}
"""The headers of a whole answer."""


class WireStream(StreamedResponse):
    """An answer of a remote model that is still coming."""

    def __init__(
        self,
        model: WireModel,
        request: PreparedRequest,
        bytes_: ByteStream,
        budget: Budget,
        open_again: Callable[[], Awaitable[ByteStream]],
    ) -> None:
        super().__init__(model.new_draft(request), request.parameters)
        self._model = model
        self._request = request
        self._budget = budget
        self._open_again = open_again
        self._heard = False  # from then on, nothing can be taken back
        self._begin(bytes_)

    def _begin(self, bytes_: ByteStream) -> None:
        """Begin to read."""
        self._model.decode_headers(bytes_.headers, self.draft)
        self._bytes = bytes_
        self._splitter = EventSplitter()
        self._whole: list[bytes] | None = [] if _is_json(bytes_.headers) else None
        self._count = 0
        self._done = False
        self._over = False

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """Yield what happens."""
        async for event in self:
            yield event

    async def close(self) -> None:
        """Close the connection."""
        await self._bytes.aclose()

    async def _fill(self) -> None:
        """Read until something has happened."""
        if self._over:
            raise StopAsyncIteration
        try:
            with nullcontext() if self._heard else self._budget.track_time():
                while not self.draft.parts.events and not self._over:
                    await self._read()
        except LLMError as error:
            if self._cancelled:  # by another task: what it closed breaks here
                raise StopAsyncIteration from None
            await self._mend(error)
        if events := self.draft.parts.take_events():
            self._heard = True
            self._ready.extend(events)

    async def _mend(self, error: LLMError) -> None:
        """Begin again where that is allowed; else the answer ends here."""
        try:
            if not self._heard and await self._begins_again(error):
                return
        except LLMError as failure:
            error = failure
        self._break(error)

    async def _begins_again(self, error: LLMError) -> bool:
        """Whether the request was sent once more, since nobody has heard of the answer that broke."""
        await self._bytes.aclose()
        if self.draft.state == 'complete' or not await self._budget.pause(error):
            return False
        bytes_ = await self._budget.run(self._open_again)
        if self._cancelled:
            await bytes_.aclose()
            raise StopAsyncIteration
        self.draft = self._model.new_draft(self._request)
        self._begin(bytes_)
        return True

    async def _read(self) -> None:
        chunk = b'' if self._done else await self._bytes.read()
        if not chunk:
            await self._end()
        elif self._whole is None:
            self._feed(self._splitter.feed(chunk))
        else:
            self._whole.append(chunk)

    def _feed(self, events: Iterable[bytes]) -> None:
        model, draft = self._model, self.draft
        for data in events:
            if data == b'[DONE]':
                self._done = True
                return
            self._count += 1
            self._bytes.progress()
            try:
                event = from_json(data)
            except ValueError as error:
                raise UnexpectedModelBehavior(
                    f'An event of the stream is not JSON: {error}', repr(data[:500])
                ) from None
            model.read(model.decode_event, event, draft)

    async def _end(self) -> None:
        """The stream is over, by the vendor's will."""
        self._over = True
        if self._whole is not None:
            self._model.read_whole(b''.join(self._whole), self._bytes.headers, self.draft)
        else:
            self._feed_last(self._splitter.end())
            if not self._count:
                raise self._model.not_a_stream(self._bytes.headers)
            self._model.decode_end(self.draft)
            self.draft.parts.end(complete=self.draft.state == 'complete')
        await self._bytes.finish()

    def _feed_last(self, data: bytes | None) -> None:
        """An event without the empty line after it: some servers forget that line, others were cut."""
        if data is not None and _is_whole_json(data):
            self._feed([data])

    def _break(self, error: LLMError) -> None:
        """The wire broke. An answer that the vendor had completed stays one; else what had arrived is attached."""
        self._over = True
        if self.draft.state == 'complete' and isinstance(error, (StreamInterruptedError, ModelTimeoutError)):
            self.draft.warnings.append(f'The stream broke after the end of the answer; usage may be missing ({error})')
            self._model.decode_end(self.draft)
            self.draft.parts.end()
            return
        self.draft.state = 'interrupted'
        if isinstance(error, StreamInterruptedError):
            error.response = self.draft.get()
        raise error


def with_what_is_left(call: RawRequest, budget: Budget) -> RawRequest:
    """The call, with the time that earlier tries have left it."""
    if budget.timeout is None or not budget.spent:
        return call
    return replace(call, deadlines=replace(call.deadlines, waited=budget.spent))


class HeldAnswer(ByteStream):
    """A whole answer that came with an error, where a stream was asked for."""

    def __init__(self, body: bytes) -> None:
        self.headers = JSON_HEADERS
        self._chunks = [b'', body]

    async def read(self) -> bytes:
        """The answer, and then the end."""
        return self._chunks.pop() if self._chunks else b''

    def progress(self) -> None:
        """Nobody waits for anything."""

    async def aclose(self) -> None:
        """There is nothing to close."""


def _is_json(headers: Mapping[str, str]) -> bool:
    """Whether a server that was asked for a stream answers with a whole body."""
    return headers.get('content-type', '').partition(';')[0].strip().lower() == 'application/json'


def _is_whole_json(data: bytes) -> bool:
    try:
        from_json(data)
    except ValueError:
        return False
    return True
