"""`ResponseStream`: the events of a run as text, outputs and responses, while the model writes them.

`AgentStream` is the stream of one response, in a run whose steps the caller executes. `stream` has the stream of a
whole run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Generic

from pydantic_core import PydanticCustomError, ValidationError
from typing_extensions import TypeVar

from ..exceptions import UserError
from ..messages import ModelResponse, PartDeltaEvent, PartStartEvent, StreamRestartEvent, TextPart, TextPartDelta
from ..messages._value import shorten
from ..usage import RunUsage
from .background_run import BackgroundRun
from .event_channel import ResponseStartEvent, RunEvent
from .loop import return_value, validate_output
from .output_reader import IncompleteOutput, Rejected, extract_json
from .partial_response import PartialResponse
from .result import AgentStreamEvent, ConversationView

if TYPE_CHECKING:
    from ..cost import Cost
    from ..prices import PricesOfModels

__all__ = ('NO_OUTPUT', 'AgentStream', 'ResponseStream', 'is_equal')

DepsT = TypeVar('DepsT', default=None)
OutputT = TypeVar('OutputT', default=str)

NO_OUTPUT: Final = object()
"""The value of an output that cannot be validated yet."""


class ResponseStream(ConversationView, Generic[DepsT, OutputT]):
    """The responses of a run or of one of its steps, while the model writes them."""

    def __init__(self, background: BackgroundRun[Any]) -> None:
        self._background = background
        self._conversation = background.run.conversation
        self._partial_response = PartialResponse()
        self._unread: list[RunEvent] = []
        self._is_read = False

    def __repr__(self) -> str:
        text = ''
        with suppress(UserError):  # there is no response yet
            text = self.response.text or ''
        ended = 'complete' if self._background.result is not None else 'running'
        state = 'cancelled' if self.cancelled else ended
        return f'{type(self).__name__}(state={state!r}, text={shorten(text)!r})'

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

    async def stream_response(self, *, debounce_by: float | None = 0.1) -> AsyncIterator[ModelResponse]:
        """Yield the response so far, each time that it grows. The last one is complete."""
        async for response, _ in self.stream_responses(debounce_by=debounce_by):
            yield response

    async def stream_responses(self, *, debounce_by: float | None = 0.1) -> AsyncIterator[tuple[ModelResponse, bool]]:
        """Yield the response so far, and whether it is the complete last response."""
        async for _ in self._group_events(debounce_by):
            yield self.response, False
        if not self._background.cancelled:
            yield self.response, True

    async def validate_response_output(self, message: ModelResponse, *, allow_partial: bool = False) -> OutputT:
        """Return the output in a response that `stream_response` yielded, after the output validators.

        Raises pydantic's `ValidationError` if the response has no valid output: with `allow_partial`, one that lacks
        required fields so far. The arguments of an output function are not an output: the run calls it at its end.
        """
        try:
            value: Any = self._validate_response(message, allow_partial=allow_partial)
        except IncompleteOutput:
            value = NO_OUTPUT
        if value is NO_OUTPUT:
            error = PydanticCustomError('incomplete_output', 'The response has no output that can be validated')
            raise ValidationError.from_exception_data('output', [{'type': error, 'input': message.text}])
        run = self._background.run
        try:
            context = run.output_context(None, is_partial=allow_partial)
            output: OutputT = await validate_output(run, return_value(value), context)
        except Rejected as rejected:
            raise rejected.error from None
        return output

    # -------------------------------------------------------------------------------------------------------- state

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
        total.add_counts(stream.usage())
        return total

    def cost(self, *, prices: PricesOfModels | None = None) -> Cost:
        """Return the cost of the run so far in US dollars, including the response that is being streamed."""
        cost, stream = super().cost(prices=prices), self._background.run.stream
        return cost if stream is None else cost + stream.get().cost(prices=prices)

    async def cancel(self) -> None:
        """Cancel the run. The messages keep the partial response, with state `'interrupted'`."""
        self._is_read = True
        await self._background.cancel()

    # ------------------------------------------------------------------------------------------------------- events

    async def _group_events(self, debounce_by: float | None) -> AsyncGenerator[list[RunEvent]]:
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
        async for _ in self._group_events(debounce_by):
            text = self._partial_response.get().text
            if text and text != last:
                yield (last := text)
        if not last and self._background.result is not None and (text := self.response.text):
            yield text

    async def _stream_deltas(self, debounce_by: float | None) -> AsyncGenerator[str]:
        is_new_paragraph = has_text = False
        async for group in self._group_events(debounce_by):
            pieces: list[str] = []
            for event in group:
                is_new_paragraph = is_new_paragraph or _ends_paragraph(event)
                if piece := _get_new_text(event):
                    pieces.append(f'\n\n{piece}' if is_new_paragraph and has_text else piece)
                    is_new_paragraph, has_text = False, True
            if pieces:
                yield ''.join(pieces)

    # ---------------------------------------------------------------------------------------------- partial outputs

    async def _partial_outputs(self, debounce_by: float | None) -> AsyncGenerator[OutputT]:
        """Yield each partial output that the output validators accept and that differs from the one before it."""
        value: object = NO_OUTPUT
        last: object = NO_OUTPUT
        async for _ in self._group_events(debounce_by):
            before, value = value, self._read_partial_value()
            output: Any = NO_OUTPUT if is_equal(value, before) else await self._validate_partial(value)
            if output is not NO_OUTPUT and not is_equal(output, last):
                yield (last := output)

    def _read_partial_value(self) -> object:
        """Return the validated value so far, or `NO_OUTPUT` if it cannot be validated yet."""
        try:
            return self._validate_response(self._partial_response.get(), allow_partial=True)
        except (ValidationError, IncompleteOutput):
            return NO_OUTPUT

    def _validate_response(self, response: ModelResponse, *, allow_partial: bool) -> object:
        """Return the validated value in a response, or `NO_OUTPUT` if it has none, or if it is for an output function.

        Raises pydantic's `ValidationError`, `ModelRetry`, or `IncompleteOutput`.
        """
        spec = self._background.run.spec
        reader, mode = spec.output, spec.output_mode
        calls = [call for call in response.tool_calls if call.tool_name in reader.tools]
        if (files := reader.find_files(response)) is not None:
            return files
        if mode in ('native', 'prompted'):
            json = extract_json(response, allow_partial=allow_partial)
            form, value = reader.combined.validate(json, allow_partial=allow_partial)
            return value if form.signature is None else NO_OUTPUT
        if calls and (form := reader.tools[calls[0].tool_name]).signature is None:
            return form.validate(calls[0].args_as_json_str(), allow_partial=allow_partial)
        is_plain_text = reader.allows_text and reader.text_function is None and not calls
        return response.text if is_plain_text and response.text else NO_OUTPUT

    async def _validate_partial(self, value: object) -> Any:
        """Return a partial output after the output validators, or `NO_OUTPUT` if they reject it."""
        if value is NO_OUTPUT:
            return value
        run = self._background.run
        try:
            return await validate_output(run, return_value(value), run.output_context(None, is_partial=True))
        except Rejected:
            return NO_OUTPUT


class AgentStream(ResponseStream[DepsT, OutputT], Generic[DepsT, OutputT]):
    """One response of a run, while the model writes it: an iterator of its events.

    The events are read once: after a `break`, `stream_text` and `stream_output` continue with the next ones.
    """

    async def __aiter__(self) -> AsyncIterator[AgentStreamEvent]:
        async for event in self._background.events():
            self._partial_response.add(event)
            yield event

    async def stream_output(self, *, debounce_by: float | None = 0.1) -> AsyncIterator[OutputT]:
        """Yield the output so far, each time that it changes.

        The next step validates the complete output and calls output functions.
        """
        async with aclosing(self._partial_outputs(debounce_by)) as outputs:
            async for output in outputs:
                yield output


def is_equal(output: object, last: object) -> bool:
    """Return whether two outputs are equal."""
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
