"""The output of a run while the model writes it.

`StreamedRunResult` is for callers that await, `StreamedRunResultSync` for callers that do not. `AgentRunEvents` yields
all events of a run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from typing import Any, Final, Generic, Self
from weakref import finalize

from pydantic import ValidationError
from typing_extensions import TypeVar

from .._threads import BlockingContext
from ..exceptions import UserError
from ..messages import (
    FinalResultEvent,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    StreamRestartEvent,
    TextPart,
    TextPartDelta,
)
from ..usage import RunUsage, Usage
from .background_run import BackgroundRun
from .event_channel import ChannelClosed, ResponseStartEvent, RunEvent
from .loop import return_value, validate_output
from .output_reader import IncompleteOutput, Rejected, extract_json
from .partial_response import PartialResponse
from .result import AgentRunResult, AgentRunResultEvent, AgentStreamEvent, ConversationView

__all__ = ('AgentRunEvents', 'StreamedRunResult', 'StreamedRunResultSync')

DepsT = TypeVar('DepsT', default=None)
OutputT = TypeVar('OutputT', default=str)
T = TypeVar('T')

_NO_OUTPUT: Final = object()
"""The value of an output that cannot be validated yet."""


class StreamedRunResult(ConversationView, Generic[DepsT, OutputT]):
    """The output of a run while the model writes it.

    The stream begins when the model starts to write a possible output; tool calls before that have been executed by
    then. If the model calls tools afterwards, or its output is rejected, the run and the stream continue.
    """

    def __init__(self, background: BackgroundRun[OutputT]) -> None:
        self._background = background
        self._conversation = background.run.conversation
        self._partial_response = PartialResponse()
        self._unread: list[RunEvent] = []
        self._is_read = False

    # ------------------------------------------------------------------------------------------------------ streams

    async def stream_text(self, *, delta: bool = False, debounce_by: float | None = 0.1) -> AsyncIterator[str]:
        """Yield the text so far, each time that it grows, or with `delta` only the new text.

        Pieces that arrive within `debounce_by` seconds are yielded together; `None` yields each piece separately.
        Output validators check only the complete text, at the end. The text of a response that calls tools is included:
        with `delta`, a blank line separates it from the next text; without, the text starts again from the beginning.
        Raises `UserError` if the output is not text.
        """
        if not self._background.run.spec.output.allows_text:
            raise UserError('stream_text() is for text; the output_type of this run is not text: use stream_output()')
        pieces = self._stream_deltas(debounce_by) if delta else self._stream_texts(debounce_by)
        async for piece in pieces:
            yield piece

    async def stream_output(self, *, debounce_by: float | None = 0.1) -> AsyncIterator[OutputT]:
        """Yield the output so far, each time that it changes. The last value is the output itself.

        A partial output must contain all required fields. Output validators check it with `RunContext.partial_output`
        set, and a rejected one is skipped. Output functions are called once, at the end.
        """
        value: object = _NO_OUTPUT
        last: object = _NO_OUTPUT
        async for _ in self._event_groups(debounce_by):
            before, value = value, self._read_partial_value()
            output: Any = _NO_OUTPUT if _is_equal(value, before) else await self._validate_partial(value)
            if output is not _NO_OUTPUT and not _is_equal(output, last):
                yield (last := output)
        if not self._background.cancelled:
            output = await self.get_output()
            if not _is_equal(output, last):
                yield output

    async def stream_responses(self, *, debounce_by: float | None = 0.1) -> AsyncIterator[tuple[ModelResponse, bool]]:
        """Yield the response so far, and whether it is the complete last response."""
        async for _ in self._event_groups(debounce_by):
            yield self.response, False
        if not self._background.cancelled:
            yield self.response, True

    async def get_output(self) -> OutputT:
        """Wait for the end of the run and return its output. Raises the run's error."""
        self._unread, self._is_read = [], True
        return (await self._background.finish()).output

    @property
    def result(self) -> AgentRunResult[OutputT]:
        """The result of the run. Raises `UserError` if the run is not complete."""
        if self._background.result is None:
            raise UserError('The run is not complete; read it to its end, or await get_output()')
        return self._background.result

    # -------------------------------------------------------------------------------------------------------- state

    @property
    def is_complete(self) -> bool:
        """True if the run has ended with an output."""
        return self._background.result is not None

    @property
    def cancelled(self) -> bool:
        """True if the run was cancelled before it was complete."""
        return self._background.cancelled

    @property
    def response(self) -> ModelResponse:
        """The last response, as far as you have read it."""
        if self._is_read or self._background.cancelled:
            return super().response
        stream = self._background.run.stream
        newest = super().response if stream is None else stream.get()
        return replace(newest, parts=self._partial_response.get().parts, state='incomplete', finish_reason=None)

    @property
    def usage(self) -> RunUsage:
        """The usage of the run so far, including the response that is being streamed. `usage()` works too."""
        stream, usage = self._background.run.stream, self._conversation.usage
        if stream is None:
            return usage
        total = replace(usage, details=dict(usage.details))
        Usage.incr(total, stream.usage())
        return total

    async def cancel(self) -> None:
        """Cancel the run. The messages keep the partial response, with state `'interrupted'`."""
        self._is_read = True
        await self._background.cancel()

    # ------------------------------------------------------------------------------------------------------- events

    async def wait_for_output_start(self) -> None:
        """Wait until the model starts to write a possible output. Its events are kept for the reader."""
        with suppress(ChannelClosed):
            while True:
                event = await self._background.receive()
                if event is not None:
                    self._unread.append(event)
                    self._partial_response.add(event)
                    if self._is_output_start(event):
                        return

    def _is_output_start(self, event: RunEvent) -> bool:
        match event:
            case FinalResultEvent():
                return True
            case PartStartEvent(part=TextPart()):
                return self._background.run.spec.output.allows_text
            case _:
                return False

    async def _event_groups(self, debounce_by: float | None) -> AsyncGenerator[list[RunEvent]]:
        """Yield the events in groups, after adding them to the partial response."""
        if self._unread:
            unread, self._unread = self._unread, []
            yield unread
        try:
            async for group in self._background.event_groups(debounce_by):
                for event in group:
                    self._partial_response.add(event)
                yield group
        except GeneratorExit:
            raise
        except BaseException:
            self._is_read = True
            raise
        self._is_read = True

    async def _stream_texts(self, debounce_by: float | None) -> AsyncGenerator[str]:
        last = ''
        async for _ in self._event_groups(debounce_by):
            text = self._partial_response.get().text
            if text and text != last:
                yield (last := text)
        if not last and self._background.result is not None and (text := self.response.text):
            yield text

    async def _stream_deltas(self, debounce_by: float | None) -> AsyncGenerator[str]:
        is_new_paragraph = has_text = False
        async for group in self._event_groups(debounce_by):
            pieces: list[str] = []
            for event in group:
                is_new_paragraph = is_new_paragraph or _ends_paragraph(event)
                if piece := _get_new_text(event):
                    pieces.append(f'\n\n{piece}' if is_new_paragraph and has_text else piece)
                    is_new_paragraph, has_text = False, True
            if pieces:
                yield ''.join(pieces)

    # ---------------------------------------------------------------------------------------------- partial outputs

    def _read_partial_value(self) -> object:
        """Return the validated value so far, or `_NO_OUTPUT` if it cannot be validated yet."""
        spec = self._background.run.spec
        reader, mode = spec.output, spec.output_mode
        response = self._partial_response.get()
        calls = [call for call in response.tool_calls if call.tool_name in reader.tools]
        if (files := reader.find_files(response)) is not None:
            return files
        try:
            if mode in ('native', 'prompted'):
                json = extract_json(response, allow_partial=True)
                form, value = reader.combined.validate(json, allow_partial=True)
                return value if form.signature is None else _NO_OUTPUT
            if calls and (form := reader.tools[calls[0].tool_name]).signature is None:
                return form.validate(calls[0].args_as_json_str(), allow_partial=True)
        except (ValidationError, IncompleteOutput):
            return _NO_OUTPUT
        is_plain_text = reader.allows_text and reader.text_function is None and not calls
        return response.text if is_plain_text and response.text else _NO_OUTPUT

    async def _validate_partial(self, value: object) -> Any:
        """Return a partial output after the output validators, or `_NO_OUTPUT` if they reject it."""
        if value is _NO_OUTPUT:
            return value
        run = self._background.run
        try:
            return await validate_output(run, return_value(value), run.output_context(None, is_partial=True))
        except Rejected:
            return _NO_OUTPUT


def _is_equal(output: object, last: object) -> bool:
    try:
        return bool(output == last)
    except (TypeError, ValueError):  # the comparison of arrays is an array, which has no truth value
        return output is last


def _ends_paragraph(event: RunEvent) -> bool:
    """Return whether the next text does not continue the text before this event."""
    match event:
        case ResponseStartEvent() | StreamRestartEvent():
            return True
        case PartStartEvent(part=part):
            return not isinstance(part, TextPart)
        case _:
            return False


def _get_new_text(event: RunEvent) -> str:
    match event:
        case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
        case _:
            return ''


class StreamedRunResultSync(ConversationView, Generic[DepsT, OutputT]):
    """A `StreamedRunResult` for callers that do not await: its methods and properties are the same.

    Use it in a `with` block, or read it to its end: both close it.
    """

    def __init__(self, manager: AbstractAsyncContextManager[StreamedRunResult[DepsT, OutputT]]) -> None:
        self._context = BlockingContext(manager, name='run_stream_sync')
        self._result = self._context.__enter__()
        self._conversation = self._result._conversation
        self._finalize = finalize(self, self._context.abandon)
        self._finalize.atexit = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def stream_text(self, *, delta: bool = False, debounce_by: float | None = 0.1) -> Iterator[str]:
        return self._iterate(self._result.stream_text(delta=delta, debounce_by=debounce_by))

    def stream_output(self, *, debounce_by: float | None = 0.1) -> Iterator[OutputT]:
        return self._iterate(self._result.stream_output(debounce_by=debounce_by))

    def stream_responses(self, *, debounce_by: float | None = 0.1) -> Iterator[tuple[ModelResponse, bool]]:
        return self._iterate(self._result.stream_responses(debounce_by=debounce_by))

    def get_output(self) -> OutputT:
        if not self.is_complete:
            self._context.call(self._result.get_output)
            self.close()
        return self._result.result.output

    @property
    def is_complete(self) -> bool:
        return self._result.is_complete

    @property
    def cancelled(self) -> bool:
        return self._result.cancelled

    @property
    def response(self) -> ModelResponse:
        return self._read_in_loop(lambda: self._result.response)

    @property
    def usage(self) -> RunUsage:
        return self._read_in_loop(lambda: self._result.usage)

    def cancel(self) -> None:
        self._context.call(self._result.cancel)

    def close(self) -> None:
        """Cancel the run, if it is not complete, and close its connection."""
        self._finalize.detach()
        self._context.close()

    def _read_in_loop(self, read: Callable[[], T]) -> T:
        """Call a function in the event loop of the run, which changes the values that it reads."""

        async def call() -> T:
            return read()

        return self._context.call(call) if self._context.is_open else read()

    def _iterate(self, stream: AsyncIterator[T]) -> Iterator[T]:
        yield from self._context.iterate(stream)
        if self.is_complete:
            self.close()


class AgentRunEvents(Generic[OutputT]):
    """All events of a run, with its result as the last event.

    Read it with `async for` or `anext`. As an async context manager, or with `aclose`, it also cancels a run that is
    not read to its end.
    """

    def __init__(self, background: BackgroundRun[OutputT]) -> None:
        self._background = background
        self._iterator = self._read_events()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AgentStreamEvent | AgentRunResultEvent[OutputT]:
        return await anext(self._iterator)

    async def aclose(self) -> None:
        """Cancel the run, if it is not complete."""
        await self._iterator.aclose()

    async def _read_events(self) -> AsyncGenerator[AgentStreamEvent | AgentRunResultEvent[OutputT]]:
        async with self._background as background:
            async for event in background.events():
                yield event
            result: AgentRunResult[OutputT] = await background.finish()
            yield AgentRunResultEvent(result)
