"""A streamed response of a `ModelSequence`: if a model fails, even after its first events, the next one takes over.

`_read_more` reads the stream of the current model; `_handle_end` and `_fall_back` handle its end and its errors;
`_open_next` opens the stream of the next model.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from ...exceptions import LLMError, RejectedResponseError, StreamInterruptedError
from ...messages import (
    FinalResultEvent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    StreamRestartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    UserPromptPart,
)
from ...messages.response import is_truncated
from ...retries.budget import attach_earlier_attempts
from ...streaming.draft import ResponseDraft
from ...usage import RequestUsage
from .. import BufferedStream, StreamedResponse
from .open_stream import OpenStream, close_block, open_stream
from .sequence import TRUNCATED, Attempt, ModelSequence, Start

CONTINUE_PROMPT = (
    'Your answer was cut off. Go on exactly where it ends, without repeating any of it and without a remark.'
)
"""The user prompt that asks the next model to continue an interrupted text."""


class SequenceStream(BufferedStream):
    """The stream of whichever model of the sequence responds."""

    def __init__(self, sequence: ModelSequence) -> None:
        super().__init__(ResponseDraft(''), sequence.parameters)
        self._sequence = sequence
        self._failed = sequence.failed
        self._attempt: Attempt | None = None
        self._context: AbstractAsyncContextManager[StreamedResponse] | None = None
        self._inner: StreamedResponse | None = None
        self._kept: list[ModelResponsePart] = []
        """Parts of interrupted responses that the current response continues."""
        self._joined: int | None = None
        """The index of the part of the current response that continues the last kept text."""
        self._can_join = False
        """`True` until the current response begins a part that is neither text nor thinking."""
        self._interrupted: ModelResponse | None = None
        """The last response that failed, without its usage, until the next one is opened."""
        self._first_token: float | None = None
        self._first_event: ModelResponseStreamEvent | None = None
        """The first event of the current stream, if it was read when the stream was opened."""

    def get(self) -> ModelResponse:
        """Return the response so far, with the text that it continues and a warning per failed attempt."""
        response = self._inner.get() if self._inner is not None else self._interrupted or self.draft.get()
        if self._kept:
            response = replace(response, parts=self._join_parts(response.parts))
        return self._failed.with_failures(response)

    def usage(self) -> RequestUsage:
        return (self._inner.usage() if self._inner is not None else RequestUsage()) + self._failed.usage

    def _join_parts(self, parts: Sequence[ModelResponsePart]) -> list[ModelResponsePart]:
        """Return the kept parts followed by these; text that continues a kept text is joined with it."""
        joined = self._joined
        if joined is None or joined >= len(parts):
            return [*self._kept, *parts]
        text, at = parts[joined], self._kept_text
        assert isinstance(text, TextPart), 'only text is joined'
        return [*self._kept[:at], self._join_text(text), *self._kept[at + 1 :], *parts[:joined], *parts[joined + 1 :]]

    @property
    def _kept_text(self) -> int:
        """The index of the last kept text."""
        return max(index for index, part in enumerate(self._kept) if isinstance(part, TextPart))

    def _join_text(self, part: TextPart) -> TextPart:
        kept = self._kept[self._kept_text]
        assert isinstance(kept, TextPart), 'it is the index of a text'
        return replace(kept, content=kept.content + part.content)

    async def _read_more(self) -> None:
        inner = self._inner
        if inner is None:
            raise StopAsyncIteration
        if (first := self._first_event) is not None:
            self._first_event = None
            self._emit(first)
            return
        failure, event = None, None
        try:
            with self._sequence.budget.track_time():
                event = await anext(inner, None)
        except Exception as error:  # noqa: BLE001 -- handled below, after its time was tracked
            failure = error
        if event is not None:
            self._emit(event)
            return
        if self._cancelled:  # another task closed the connection, which ended or failed for that reason
            raise StopAsyncIteration
        try:
            await (self._handle_end(inner) if failure is None else self._fall_back(failure))
        except LLMError as error:
            self._sequence.budget.with_failures(error)
            raise

    def _emit(self, event: ModelResponseStreamEvent) -> None:
        """Queue an event for the caller. Only the first `FinalResultEvent` of a response is kept."""
        if self._first_token is None and self._attempt is not None:
            self._first_token = time.monotonic() - self._attempt.began
        self._sequence.has_emitted = True
        if isinstance(event, StreamRestartEvent):
            self._restart(event)
            return
        if isinstance(event, FinalResultEvent):
            if self.final_result_event is not None:
                return
            self.final_result_event = event
        self._ready.append(self._shift_index(event) if self._kept else event)

    def _restart(self, event: StreamRestartEvent) -> None:
        """Queue an event that voids all earlier ones, and the parts that the current response still continues."""
        self._ready.append(event)
        self.final_result_event = None
        self._joined, self._can_join = None, bool(self._kept)
        for index, part in enumerate(self._kept):
            self._ready.append(PartStartEvent(index, part))
            if index != self._kept_text:
                self._ready.append(PartEndEvent(index, part))

    def _shift_index(self, event: ModelResponseStreamEvent) -> ModelResponseStreamEvent:
        """Return an event of the current response as an event of the response that it continues.

        Its first text continues the last kept text, also if the model thinks before it.
        """
        match event:
            case PartStartEvent(index=index, part=TextPart(content=content)) if self._can_join:
                self._joined, self._can_join = index, False
                return PartDeltaEvent(self._kept_text, TextPartDelta(content))
            case PartStartEvent(part=ThinkingPart()):
                pass
            case PartStartEvent():
                self._can_join = False
            case PartEndEvent(part=TextPart() as part) if event.index == self._joined:
                return replace(event, index=self._kept_text, part=self._join_text(part))
            case PartDeltaEvent() | PartEndEvent():
                pass
            case _:
                return event
        return replace(event, index=self._shift(event.index))

    def _shift(self, index: int) -> int:
        if self._joined is None or index < self._joined:
            return len(self._kept) + index
        return self._kept_text if index == self._joined else len(self._kept) + index - 1

    async def _handle_end(self, inner: StreamedResponse) -> None:
        """Handle the end of the stream. Raises `StopAsyncIteration` if the response is accepted.

        A truncated response is a failure if another model can still be tried, and a rejected one always.
        """
        response = inner.get()
        if is_truncated(response) and (self._sequence.mid_stream != 'raise' or not self._sequence.has_emitted):
            await self._fall_back(StreamInterruptedError(inner.model_name, TRUNCATED, response=response))
        elif await self._sequence.rules.accepts_response(response):
            await self._report_outcome(response, None)
            raise StopAsyncIteration
        else:
            await self._fall_back(RejectedResponseError(inner.model_name, response))

    async def open_first(self) -> None:
        """Open the stream of the first available model. Models that failed before are tried again."""
        self._failed.begin_pass()
        await self._open_next(self._sequence.messages)

    async def _fall_back(self, error: Exception) -> None:
        """Let the next model take over. Raises the error if it must not, and `FallbackExceptionGroup` if all failed."""
        inner, attempt = self._inner, self._attempt
        assert inner is not None, 'its stream failed'
        should_fall_back = await self._sequence.rules.should_fall_back(error)
        broken = inner.get()
        await self._close_inner()
        await self._report_outcome(broken, error)
        if not should_fall_back or (self._sequence.has_emitted and self._sequence.mid_stream == 'raise'):
            attach_earlier_attempts(error, self._failed.errors)
            raise error
        assert attempt is not None, 'its stream was opened'
        self._failed.add(attempt.model.model_id, error, broken.list_attempts())
        self._inner, self._interrupted = None, replace(broken, usage=RequestUsage(), attempts=())
        parts = self._join_parts(broken.parts) if self._kept else broken.parts
        if not self._sequence.has_emitted:
            await self._open_next_or_restart_sequence()
        elif self._sequence.mid_stream == 'continue' and _can_be_continued(parts, error):
            self._kept = [*parts]
            self._joined, self._can_join = None, True
            self._interrupted = replace(self._interrupted, parts=[])
            await self._open_next(_ask_to_continue(self._sequence.messages, self._kept))
        else:
            await self._open_next(self._sequence.messages)  # if that fails, the response so far stays
            self._kept = []
            self._restart(StreamRestartEvent(self.model_name, str(error)))

    async def _open_next_or_restart_sequence(self) -> None:
        """Open the next model, before any event. If none is left, retry the sequence while the budget allows."""
        try:
            await self._open_next(self._sequence.messages)
        except LLMError as error:
            if not await self._sequence.budget.pause(error):
                raise
            await self._sequence.budget.run(self.open_first)

    async def _open_next(self, messages: Sequence[ModelMessage]) -> None:
        """Open the stream of the next model. Raises `FallbackExceptionGroup` if no model is left."""

        async def start(attempt: Attempt) -> OpenStream:
            context = attempt.model.request_stream(messages, attempt.settings, self._sequence.parameters)
            return await open_stream(context, waits_for_event=self._sequence.waits_for_event)

        attempt, opened = await self._sequence.start_next(Start(start, OpenStream.discard), stream=True)
        self._attempt, self._context, self._inner = attempt, opened.context, opened.stream
        self.draft: ResponseDraft = opened.stream.draft
        self._first_event, self._first_token = opened.first_event, None
        if self._cancelled:  # by another task, while the stream was being opened
            await self.close()
            raise StopAsyncIteration

    async def close(self) -> None:
        try:
            await self._close_inner()
        finally:
            if self._inner is not None:
                await self._report_outcome(self._inner.get(), None)

    async def _close_inner(self) -> None:
        context, self._context = self._context, None
        if context is not None:
            await close_block(context)

    async def _report_outcome(self, response: ModelResponse, error: Exception | None) -> None:
        """Report the attempt's outcome, at most once."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            await attempt.end(response, error, self._first_token)


def _can_be_continued(parts: Sequence[ModelResponsePart], error: Exception) -> bool:
    """Return whether another model can continue a response: one that was not rejected, of text and thinking only."""
    is_text = all(isinstance(part, (TextPart, ThinkingPart)) for part in parts)
    has_text = any(isinstance(part, TextPart) and part.content for part in parts)
    return is_text and has_text and not isinstance(error, RejectedResponseError)


def _ask_to_continue(messages: Sequence[ModelMessage], kept: Sequence[ModelResponsePart]) -> list[ModelMessage]:
    """Return the conversation followed by the kept text, and a prompt to continue it."""
    texts = [part for part in kept if isinstance(part, TextPart) and part.content]
    begun = ModelResponse(texts, state='interrupted')
    newest = next((message for message in reversed(messages) if isinstance(message, ModelRequest)), None)
    prompt = ModelRequest([UserPromptPart(CONTINUE_PROMPT)], instructions=newest.instructions if newest else None)
    return [*messages, begun, prompt]
