"""A streamed answer that several models may be asked for: where one fails, also in its middle, the next goes on.

`RelayModel` is a model that asks by a relay, whole or streamed.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace

from ...exceptions import FallbackExceptionGroup, RejectedResponseError, StreamInterruptedError
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
from ...retries.budget import Budget, without_retries
from ...settings import ModelSettings
from ...streaming.draft import ResponseDraft
from ...usage import RequestUsage
from .. import Model, ModelRequestParameters, StreamedResponse
from .sequence import Candidate, Failed, Relay, ask

GO_ON = 'Your answer was cut off. Go on exactly where it ends, without repeating any of it and without a remark.'
"""What the next model is told after the beginning of an answer that it is to finish."""


class RelayModel(Model):
    """A model that asks others. Subclasses say whom, by `relay`."""

    @abstractmethod
    def relay(
        self,
        budget: Budget,
        settings: ModelSettings,
        messages: Sequence[ModelMessage],
        parameters: ModelRequestParameters | None,
    ) -> Relay:
        """Who is asked for one request."""

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Ask one model after the other until one answers."""
        settings = self.merged_settings(model_settings)
        budget = Budget.of(settings)
        return await budget.run(lambda: ask(self.relay(budget, settings, messages, model_request_parameters)))

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Ask one model after the other until one begins to answer; `mid_stream` says what happens then."""
        settings = self.merged_settings(model_settings)
        budget = Budget.of(settings)
        stream = RelayStream(self.relay(budget, settings, messages, model_request_parameters))
        try:
            await budget.run(stream.open_first)
            yield stream
        finally:
            await stream.cancel()


class RelayStream(StreamedResponse):
    """An answer of whichever model gives one."""

    def __init__(self, relay: Relay) -> None:
        super().__init__(ResponseDraft(''), relay.parameters)
        self._relay = relay
        self._failed = Failed()
        self._candidate: Candidate | None = None
        self._opened: AbstractAsyncContextManager[StreamedResponse] | None = None
        self._inner: StreamedResponse | None = None
        self._kept: list[ModelResponsePart] = []  # of answers that broke, and that are being continued
        self._joins = False  # whether the first part of the present answer goes on with the last that was kept
        self._heard = False
        self._first_token: float | None = None

    # ---------------------------------------------------------------------- what it says

    def get(self) -> ModelResponse:
        """The answer so far."""
        response = self._inner.get() if self._inner is not None else self.draft.get()
        if self._kept:
            response = replace(response, parts=self._joined(response.parts))
        return self._failed.told_in(response)

    def usage(self) -> RequestUsage:
        """The usage so far, that of answers that broke included."""
        return (self._inner.usage() if self._inner is not None else RequestUsage()) + self._failed.usage

    def _joined(self, parts: Sequence[ModelResponsePart]) -> list[ModelResponsePart]:
        if self._joins and parts and isinstance(parts[0], TextPart):
            return [*self._kept[:-1], self._whole_text(parts[0]), *parts[1:]]
        return [*self._kept, *parts]

    def _whole_text(self, part: TextPart) -> TextPart:
        begun = self._kept[-1]
        assert isinstance(begun, TextPart), 'only then are they joined'
        return replace(begun, content=begun.content + part.content)

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """Yield what happens."""
        async for event in self:
            yield event

    # ---------------------------------------------------------------------- reading

    async def _fill(self) -> None:
        inner = self._inner
        if inner is None:
            raise StopAsyncIteration
        began, failure, event = time.monotonic(), None, None
        try:
            event = await anext(inner, None)
        except Exception as error:  # noqa: BLE001 -- looked at below, where the time that it took is counted
            failure = error
        finally:
            self._relay.budget.spent += time.monotonic() - began
        if event is not None:
            self._take(event)
        elif failure is None:
            await self._end(inner)
        elif self._cancelled:  # by another task: what it closed broke here
            raise StopAsyncIteration
        else:
            await self._move_on(failure)

    def _take(self, event: ModelResponseStreamEvent) -> None:
        if self._first_token is None and self._candidate is not None:
            self._first_token = time.monotonic() - self._candidate.began
        self._heard = True
        if isinstance(event, FinalResultEvent):
            if self.final_result_event is not None:
                return
            self.final_result_event = event
        self._ready.append(self._shifted(event) if self._kept else event)

    def _shifted(self, event: ModelResponseStreamEvent) -> ModelResponseStreamEvent:
        """An event of an answer that goes on with what was kept."""
        match event:
            case PartStartEvent(index=0, part=TextPart(content=content)) if isinstance(self._kept[-1], TextPart):
                self._joins = True
                return PartDeltaEvent(len(self._kept) - 1, TextPartDelta(content))
            case PartEndEvent(index=0, part=TextPart() as part) if self._joins:
                return replace(event, index=len(self._kept) - 1, part=self._whole_text(part))
            case PartStartEvent() | PartDeltaEvent() | PartEndEvent():
                return replace(event, index=event.index + len(self._kept) - self._joins)
            case _:
                return event

    async def _end(self, inner: StreamedResponse) -> None:
        """The answer is over. One that was cut, or is refused, counts as a failure, where that changes anything."""
        response = inner.get()
        cut = response.state == 'incomplete' and response.finish_reason is None
        if cut and (self._relay.mid_stream != 'raise' or not self._heard):
            name, said = inner.model_name, 'The answer ended before it was complete'
            await self._move_on(StreamInterruptedError(name, said, response=response))
        elif await self._relay.judge.accepts(response):
            await self._let_go(response, None)
            raise StopAsyncIteration
        else:
            await self._move_on(RejectedResponseError(inner.model_name, response))

    # ---------------------------------------------------------------------- one after the other

    async def open_first(self) -> None:
        """Begin with the first model that can be asked, as if nothing had been tried."""
        self._failed = Failed()
        await self._open_next(self._relay.messages)

    async def _move_on(self, error: Exception) -> None:
        """Ask the next model. Raises where none is to be asked."""
        inner = self._inner
        assert inner is not None, 'it failed'
        counts = await self._relay.judge.counts(error)
        broken, usage = inner.get(), inner.usage()
        candidate = self._candidate
        await self._let_go(broken, error)
        if not counts or (self._heard and self._relay.mid_stream == 'raise'):
            raise error
        assert candidate is not None, 'it was asked'
        await self._leave()
        self._failed.add(candidate, error, usage)
        if not self._heard:
            await self._open_next_or_again()
        elif self._relay.mid_stream == 'continue' and _can_go_on(broken, error):
            self._kept = [part for part in self._joined(broken.parts) if part.has_content()]
            self._joins = False
            await self._open_next(_with_beginning(self._relay.messages, self._kept))
        else:
            self._kept, self.final_result_event = [], None
            await self._open_next(self._relay.messages)
            self._ready.append(StreamRestartEvent(self.model_name, str(error)))

    async def _open_next_or_again(self) -> None:
        """The next model; or, where nobody has heard anything, all of them again, as often as the budget allows."""
        try:
            await self._open_next(self._relay.messages)
        except FallbackExceptionGroup as group:
            if not await self._relay.budget.pause(group):
                raise
            await self._relay.budget.run(self.open_first)

    async def _open_next(self, messages: Sequence[ModelMessage]) -> None:
        while (candidate := await self._relay.next(self._failed, stream=True)) is not None:
            opened = candidate.model.request_stream(messages, candidate.settings, self._relay.parameters)
            try:
                with self._relay.budget.track_time():
                    inner = await without_retries(opened.__aenter__())
            except Exception as error:
                await candidate.end(error=error)
                if not await self._relay.judge.counts(error):
                    raise
                self._failed.add(candidate, error)
            except BaseException:
                await candidate.end()
                raise
            else:
                await self._take_over(candidate, opened, inner)
                return
        raise self._failed.as_group()

    async def _take_over(
        self, candidate: Candidate, opened: AbstractAsyncContextManager[StreamedResponse], inner: StreamedResponse
    ) -> None:
        self._candidate, self._opened, self._inner, self.draft = candidate, opened, inner, inner.draft
        self._first_token = None
        if self._cancelled:  # by another task, while it was being opened
            await self.close()
            raise StopAsyncIteration

    # ---------------------------------------------------------------------- closing

    async def close(self) -> None:
        """Close the connection."""
        if self._inner is not None:
            await self._let_go(self._inner.get(), None)
        await self._leave()

    async def _leave(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            with suppress(Exception):  # thrown away: what is left of an answer that is over
                await opened.__aexit__(None, None, None)

    async def _let_go(self, response: ModelResponse, error: Exception | None) -> None:
        """Tell of the end of a try, once."""
        candidate, self._candidate = self._candidate, None
        if candidate is not None:
            await candidate.end(response, error, self._first_token)


def _can_go_on(broken: ModelResponse, error: Exception) -> bool:
    """Whether another model can go on with what there is: thoughts and text, which nobody has refused."""
    is_told = all(isinstance(part, (TextPart, ThinkingPart)) for part in broken.parts)
    return is_told and bool(broken.text) and not isinstance(error, RejectedResponseError)


def _with_beginning(messages: Sequence[ModelMessage], kept: Sequence[ModelResponsePart]) -> list[ModelMessage]:
    """The conversation, the beginning of the answer, and the wish to go on with it."""
    begun = ModelResponse([part for part in kept if isinstance(part, TextPart)], state='interrupted')
    newest = next((message for message in reversed(messages) if isinstance(message, ModelRequest)), None)
    wish = ModelRequest([UserPromptPart(GO_ON)], instructions=newest.instructions if newest else None)
    return [*messages, begun, wish]
