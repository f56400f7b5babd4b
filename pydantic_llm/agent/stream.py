"""The output of a run while the model writes it.

`StreamedRunResult` is for callers that await, `StreamedRunResultSync` for callers that do not. `AgentRunEvents` yields
all events of a run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING, Generic, Self
from weakref import finalize

from typing_extensions import TypeVar

from .._threads import BlockingContext
from ..exceptions import UserError
from ..messages import (
    FinalResultEvent,
    ModelResponse,
    PartStartEvent,
    TextPart,
)
from ..usage import RunUsage
from .background_run import BackgroundRun
from .event_channel import ChannelClosed, ResponseStartEvent, RunEvent
from .response_stream import NO_OUTPUT, ResponseStream, is_equal
from .result import AgentRunResult, AgentRunResultEvent, AgentStreamEvent, ConversationView

if TYPE_CHECKING:
    from ..cost import Cost
    from ..prices import PricesOfModels

__all__ = ('AgentRunEvents', 'StreamedRunResult', 'StreamedRunResultSync')

DepsT = TypeVar('DepsT', default=None)
OutputT = TypeVar('OutputT', default=str)
T = TypeVar('T')


class StreamedRunResult(ResponseStream[DepsT, OutputT], Generic[DepsT, OutputT]):
    """The output of a run while the model writes it.

    The stream begins when the model starts to write a possible output; tool calls before that have been executed by
    then. If the model calls tools afterwards, or its output is rejected, the run and the stream continue.
    """

    _background: BackgroundRun[AgentRunResult[OutputT]]

    def __init__(self, background: BackgroundRun[AgentRunResult[OutputT]]) -> None:
        super().__init__(background)
        self._has_output_start = False

    async def stream_output(self, *, debounce_by: float | None = 0.1) -> AsyncIterator[OutputT]:
        """Yield the output so far, each time that it changes. The last value is the output itself.

        A partial output must contain all required fields. Output validators check it with `RunContext.partial_output`
        set, and a rejected one is skipped. Output functions are called once, at the end.
        """
        last: object = NO_OUTPUT
        async for output in self._partial_outputs(debounce_by):
            yield (last := output)
        if not self._background.cancelled:
            output = await self.get_output()
            if not is_equal(output, last):
                yield output

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

    @property
    def is_complete(self) -> bool:
        """True if the run has ended with an output."""
        return self._background.result is not None

    # ------------------------------------------------------------------------------------------------------- events

    async def wait_for_output_start(self) -> None:
        """Wait until the model starts to write a possible output. Its events are kept for the reader."""
        async for _ in self.events_before_output():
            pass

    async def events_before_output(self) -> AsyncGenerator[AgentStreamEvent]:
        """Yield the public events until the model starts to write a possible output. They are kept for the reader."""
        with suppress(ChannelClosed):
            while not self._has_output_start:
                event = await self._background.receive()
                if event is None:
                    continue
                self._unread.append(event)
                self._partial_response.add(event)
                self._has_output_start = self._is_output_start(event)
                if not isinstance(event, ResponseStartEvent):
                    yield event

    def _is_output_start(self, event: RunEvent) -> bool:
        spec = self._background.run.spec
        match event:
            case FinalResultEvent():
                return True
            case PartStartEvent(part=TextPart()):  # in other modes, a `FinalResultEvent` follows
                return spec.output.allows_text and spec.output_mode == 'tool'
            case _:
                return False


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

    def __repr__(self) -> str:
        return repr(self._result).replace('StreamedRunResult', type(self).__name__, 1)

    def stream_text(self, *, delta: bool = False, debounce_by: float | None = 0.1) -> Iterator[str]:
        return self._iterate(self._result.stream_text(delta=delta, debounce_by=debounce_by))

    def stream_output(self, *, debounce_by: float | None = 0.1) -> Iterator[OutputT]:
        return self._iterate(self._result.stream_output(debounce_by=debounce_by))

    def stream_response(self, *, debounce_by: float | None = 0.1) -> Iterator[ModelResponse]:
        return self._iterate(self._result.stream_response(debounce_by=debounce_by))

    def stream_responses(self, *, debounce_by: float | None = 0.1) -> Iterator[tuple[ModelResponse, bool]]:
        return self._iterate(self._result.stream_responses(debounce_by=debounce_by))

    def validate_response_output(self, message: ModelResponse, *, allow_partial: bool = False) -> OutputT:
        async def validate() -> OutputT:
            return await self._result.validate_response_output(message, allow_partial=allow_partial)

        return self._context.call(validate)

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

    def cost(self, *, prices: PricesOfModels | None = None) -> Cost:
        return self._read_in_loop(lambda: self._result.cost(prices=prices))

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


class AgentRunEvents(ConversationView, Generic[OutputT]):
    """All events of a run, with its result as the last event.

    Read it with `async for` or `anext`. As an async context manager, or with `aclose`, it also cancels a run that is
    not read to its end.
    """

    def __init__(self, background: BackgroundRun[AgentRunResult[OutputT]]) -> None:
        self._background = background
        self._conversation = background.run.conversation
        self._iterator = self._read_events()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AgentStreamEvent | AgentRunResultEvent[OutputT]:
        return await anext(self._iterator)

    @property
    def result(self) -> AgentRunResult[OutputT] | None:
        """The result; `None` before the run has ended."""
        return self._background.result

    def cancel(self) -> None:
        """Cancel the run, from any task or thread. Reading the next event raises `RunCancelled`."""
        self._background.run.context.controls.cancel()

    async def aclose(self) -> None:
        """Cancel the run, if it is not complete, without an error."""
        await self._iterator.aclose()

    async def _read_events(self) -> AsyncGenerator[AgentStreamEvent | AgentRunResultEvent[OutputT]]:
        async with self._background as background:
            async for event in background.events():
                yield event
            result: AgentRunResult[OutputT] = await background.finish()
            yield AgentRunResultEvent(result)
