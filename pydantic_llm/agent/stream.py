"""The output of a run while it is being written.

`StreamedRunResult` is for callers that await, `StreamedRunResultSync` for those that do not, `AgentRunEvents` for those
that want everything that happens.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from types import TracebackType
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
from .background_run import LiveRun
from .event_channel import Closed
from .loop import Refused, judge
from .output_reader import Incomplete, json_of
from .partial_response import Mirror, Watched
from .result import AgentRunResult, AgentRunResultEvent, AgentStreamEvent, ConversationView
from .run_state import ResponseBegins

__all__ = ('AgentRunEvents', 'StreamedRunResult', 'StreamedRunResultSync')

DepsT = TypeVar('DepsT', default=None)
OutputT = TypeVar('OutputT', default=str)
T = TypeVar('T')

_NOTHING: Final = object()
"""Stands for an output of which there is nothing yet."""


class StreamedRunResult(ConversationView, Generic[DepsT, OutputT]):
    """The output of a run while it is being written.

    It begins where the model begins to write what can be the output; tools that it called before have run by then. If
    the model goes on to call tools after all, or if its output is refused, the run goes on, and so does the stream.
    """

    def __init__(self, live: LiveRun[OutputT]) -> None:
        self._live = live
        self._conversation = live.run.conversation
        self._mirror = Mirror()
        self._seen: list[Watched] = []
        self._ended = False

    # ---------------------------------------------------------------------------------------------- what it gives

    async def stream_text(self, *, delta: bool = False, debounce_by: float | None = 0.1) -> AsyncIterator[str]:
        """The text as the model writes it: all of it so far each time, or with `delta` what is new.

        What comes within `debounce_by` seconds comes at once; `None` gives each piece by itself. Output validators
        judge the whole text, at the end. Text of a response that turns out not to be the last is given too: with
        `delta`, a blank line parts it from what follows; without it, the text begins anew. Raises `UserError` where the
        output is not text.
        """
        if not self._live.run.task.output.allows_text:
            raise UserError('stream_text() is for text; the output_type of this run is not text: use stream_output()')
        pieces = self._deltas(debounce_by) if delta else self._texts(debounce_by)
        async for piece in pieces:
            yield piece

    async def stream_output(self, *, debounce_by: float | None = 0.1) -> AsyncIterator[OutputT]:
        """The output as far as it is written, each time it is more; the last one is the output itself.

        What is validated in part: a field that a type requires must be there. Validators see what is there with
        `RunContext.partial_output` set; what they refuse is left out. Output functions are called once, at the end.
        """
        value: Any = _NOTHING
        last: Any = _NOTHING
        async for _ in self._groups(debounce_by):
            before, value = value, self._partial_value()
            output: Any = _NOTHING if _same(value, before) else await self._judged(value)
            if output is not _NOTHING and not _same(output, last):
                yield (last := output)
        if not self._live.cancelled:
            output = await self.get_output()
            if not _same(output, last):
                yield output

    async def stream_responses(self, *, debounce_by: float | None = 0.1) -> AsyncIterator[tuple[ModelResponse, bool]]:
        """The response so far, and whether it is the whole of the last one."""
        async for _ in self._groups(debounce_by):
            yield self.response, False
        if not self._live.cancelled:
            yield self.response, True

    async def get_output(self) -> OutputT:
        """The output, once the run is over; raises what the run raised."""
        self._seen, self._ended = [], True
        return (await self._live.finish()).output

    @property
    def result(self) -> AgentRunResult[OutputT]:
        """What the run gave. Raises `UserError` before it is complete."""
        if self._live.result is None:
            raise UserError('The run is not complete; read it to its end, or await get_output()')
        return self._live.result

    # ------------------------------------------------------------------------------------------------ how it stands

    @property
    def is_complete(self) -> bool:
        """Whether the run is over and has its output."""
        return self._live.result is not None

    @property
    def cancelled(self) -> bool:
        """Whether the run was ended before it was over."""
        return self._live.cancelled

    @property
    def response(self) -> ModelResponse:
        """The response as far as you have seen it written."""
        if self._ended or self._live.cancelled:
            return super().response
        stream = self._live.run.stream
        newest = super().response if stream is None else stream.get()
        return replace(newest, parts=self._mirror.response().parts, state='incomplete', finish_reason=None)

    @property
    def usage(self) -> RunUsage:
        """What the run used so far, with what the response that is being written used. `usage()` works too."""
        stream, usage = self._live.run.stream, self._conversation.usage
        if stream is None:
            return usage
        total = replace(usage, details=dict(usage.details))
        Usage.incr(total, stream.usage())
        return total

    async def cancel(self) -> None:
        """End the run where it is. What was written is kept in the messages, marked `'interrupted'`."""
        self._ended = True
        await self._live.stop()

    # ------------------------------------------------------------------------------------------------------- inside

    async def begin(self) -> None:
        """Wait until the model writes what can be the output."""
        with suppress(Closed):
            while True:
                event = await self._live.receive()
                if event is not None:
                    self._seen.append(event)
                    self._mirror.see(event)
                    if self._is_output(event):
                        return

    def _is_output(self, event: Watched) -> bool:
        match event:
            case FinalResultEvent():
                return True
            case PartStartEvent(part=TextPart()):
                return self._live.run.task.output.allows_text
            case _:
                return False

    async def _groups(self, debounce_by: float | None) -> AsyncGenerator[list[Watched]]:
        if self._seen:
            seen, self._seen = self._seen, []
            yield seen
        try:
            async for group in self._live.groups(debounce_by):
                for event in group:
                    self._mirror.see(event)
                yield group
        except GeneratorExit:
            raise
        except BaseException:
            self._ended = True
            raise
        self._ended = True

    async def _texts(self, debounce_by: float | None) -> AsyncGenerator[str]:
        last = ''
        async for _ in self._groups(debounce_by):
            text = self._mirror.response().text
            if text and text != last:
                yield (last := text)
        if not last and self._live.result is not None and (text := self.response.text):
            yield text

    async def _deltas(self, debounce_by: float | None) -> AsyncGenerator[str]:
        paragraph = False
        said = False
        async for group in self._groups(debounce_by):
            pieces: list[str] = []
            for event in group:
                paragraph = paragraph or isinstance(event, (ResponseBegins, StreamRestartEvent)) or _is_apart(event)
                if piece := _text_of(event):
                    pieces.append(f'\n\n{piece}' if paragraph and said else piece)
                    paragraph, said = False, True
            if pieces:
                yield ''.join(pieces)

    async def _judged(self, value: Any) -> Any:
        """A partial output that has passed the validators; `_NOTHING` for one that has not."""
        if value is _NOTHING:
            return value
        run = self._live.run
        try:
            return await judge(run, _ready(value), run.output_context(None, partial=True))
        except Refused:
            return _NOTHING

    def _partial_value(self) -> Any:
        """What is written of the output; `_NOTHING` where it cannot be validated yet."""
        output, mode = self._live.run.task.output, self._live.run.task.mode
        response = self._mirror.response()
        calls = [call for call in response.tool_calls if call.tool_name in output.tools]
        try:
            if mode in ('native', 'prompted'):
                form, value = output.object.validate(json_of(response, allow_partial=True), allow_partial=True)
                return value if form.signature is None else _NOTHING
            if calls and output.tools[calls[0].tool_name].signature is None:
                return output.tools[calls[0].tool_name].validate(calls[0].args_as_json_str(), allow_partial=True)
        except (ValidationError, Incomplete):
            return _NOTHING
        is_plain = output.allows_text and output.text_function is None and not calls
        return response.text if is_plain and response.text else _NOTHING


async def _ready(value: T) -> T:
    return value


def _same(output: Any, last: Any) -> bool:
    try:
        return bool(output == last)
    except (TypeError, ValueError):  # arrays do not compare to a bool
        return output is last


def _is_apart(event: Watched) -> bool:
    """Whether a part begins that is no text."""
    return isinstance(event, PartStartEvent) and not isinstance(event.part, TextPart)


def _text_of(event: Watched) -> str:
    match event:
        case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
        case _:
            return ''


class StreamedRunResultSync(ConversationView, Generic[DepsT, OutputT]):
    """The output of a run while it is being written, for callers that do not await.

    Use it in a `with` block, or read it to its end: either closes it.
    """

    def __init__(self, manager: AbstractAsyncContextManager[StreamedRunResult[DepsT, OutputT]]) -> None:
        self._context = BlockingContext(manager, name='run_stream_sync')
        self._result = self._context.__enter__()
        self._conversation = self._result._conversation
        self._finalize = finalize(self, self._context.abandon)
        self._finalize.atexit = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def stream_text(self, *, delta: bool = False, debounce_by: float | None = 0.1) -> Iterator[str]:
        """See `StreamedRunResult.stream_text`."""
        return self._read(self._result.stream_text(delta=delta, debounce_by=debounce_by))

    def stream_output(self, *, debounce_by: float | None = 0.1) -> Iterator[OutputT]:
        """See `StreamedRunResult.stream_output`."""
        return self._read(self._result.stream_output(debounce_by=debounce_by))

    def stream_responses(self, *, debounce_by: float | None = 0.1) -> Iterator[tuple[ModelResponse, bool]]:
        """See `StreamedRunResult.stream_responses`."""
        return self._read(self._result.stream_responses(debounce_by=debounce_by))

    def get_output(self) -> OutputT:
        """The output, once the run is over; raises what the run raised."""
        if not self.is_complete:
            self._context.call(self._result.get_output)
            self.close()
        return self._result.result.output

    @property
    def is_complete(self) -> bool:
        """Whether the run is over and has its output."""
        return self._result.is_complete

    @property
    def cancelled(self) -> bool:
        """Whether the run was ended before it was over."""
        return self._result.cancelled

    @property
    def response(self) -> ModelResponse:
        """The response as far as you have seen it written."""
        return self._look(lambda: self._result.response)

    @property
    def usage(self) -> RunUsage:
        """See `StreamedRunResult.usage`."""
        return self._look(lambda: self._result.usage)

    def cancel(self) -> None:
        """End the run where it is. What was written is kept in the messages, marked `'interrupted'`."""
        self._context.call(self._result.cancel)

    def close(self) -> None:
        """End the run where it is, and let go of its connection."""
        self._finalize.detach()
        self._context.close()

    def _look(self, at: Callable[[], T]) -> T:
        """Look at what the run is writing, in the thread that writes it."""

        async def look() -> T:
            return at()

        return self._context.call(look) if self._context.is_open else at()

    def _read(self, stream: AsyncIterator[T]) -> Iterator[T]:
        yield from self._context.iterate(stream)
        if self.is_complete:
            self.close()


class AgentRunEvents(Generic[OutputT]):
    """Everything that happens in a run, and its result as the last event.

    Read it with `async for`; as an async context manager it also ends a run that is not read to its end.
    """

    def __init__(self, live: LiveRun[OutputT]) -> None:
        self._live = live
        self._iterator: AsyncGenerator[AgentStreamEvent | AgentRunResultEvent[OutputT]] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._iterator is not None:
            await self._iterator.aclose()

    def __aiter__(self) -> AsyncGenerator[AgentStreamEvent | AgentRunResultEvent[OutputT]]:
        if self._iterator is None:
            self._iterator = self._events()
        return self._iterator

    async def _events(self) -> AsyncGenerator[AgentStreamEvent | AgentRunResultEvent[OutputT]]:
        async with self._live as live:
            async for event in live.events():
                yield event
            result: AgentRunResult[OutputT] = await live.finish()
            yield AgentRunResultEvent(result)
