"""`RecordingModel`: passes requests on to a model, and writes them with their responses into a file."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..._type_checks import check_callable, check_type
from ...exceptions import LLMError, UserError
from ...json_types import Json
from ...messages import (
    FinalResultEvent,
    ModelMessage,
    ModelResponse,
    ModelResponseStreamEvent,
)
from ...observers import HeadersReceived, listen
from ...settings import ModelSettings
from ...usage import RequestUsage
from .. import Model, ModelRequestParameters, StreamedResponse
from ..wrapper import WrapperModel, WrapperStream
from .exchange import Exchange, Kind, Outcome
from .matching import describe, keep_json
from .recording import Recording
from .redaction import Redact, Redactor, find_secrets

if TYPE_CHECKING:
    from ..known_names import KnownModelName

__all__ = ('RecordingModel',)


class RecordingModel(WrapperModel):
    """Records the requests to a model, with their responses, events and errors, into a file for `ReplayModel`.

    The first response replaces an earlier file; models with the same path at the same time write into one. The file
    holds the conversation, without credentials: no keys of the provider, the environment, headers or URLs.
    `redact` hides more: it is called with each text, and must be given to `ReplayModel` too. Errors that are raised
    before anything is sent (`UserError`) are not recorded.
    """

    recording: Recording
    """The file, and what was recorded so far."""

    def __init__(
        self,
        wrapped: Model | KnownModelName | str,
        path: str | os.PathLike[str] | Recording,
        *,
        redact: Redact | None = None,
    ) -> None:
        super().__init__(wrapped)
        check_type(path, (str, os.PathLike, Recording), parameter='path', expected='the path of a file', required=True)
        check_callable(redact, parameter='redact')
        self._redactor = Redactor(redact, find_secrets())
        self.recording = path if isinstance(path, Recording) else Recording.open(path)
        self.recording.add_model(self.wrapped, self._redactor)

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        with self._begin('request', messages, model_settings, model_request_parameters) as entry:
            entry.outcome.response = await super().request(messages, model_settings, model_request_parameters)
            return entry.outcome.response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        entry = self._begin('request', messages, model_settings, model_request_parameters)
        async with AsyncExitStack() as stack:
            opened = super().request_stream(messages, model_settings, model_request_parameters)
            inner = await entry.open(stack, opened)
            stream = _RecordedStream(inner, entry)
            try:
                yield stream
            finally:
                await stream.cancel()
                stream.save()

    async def count_tokens(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestUsage:
        with self._begin('count_tokens', messages, model_settings, model_request_parameters) as entry:
            entry.outcome.usage = await super().count_tokens(messages, model_settings, model_request_parameters)
            return entry.outcome.usage

    async def compact_messages(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        *,
        instructions: str | None = None,
    ) -> ModelResponse:
        arguments = messages, model_settings, model_request_parameters
        with self._begin('compact_messages', *arguments, instructions=instructions) as entry:
            entry.outcome.response = await super().compact_messages(*arguments, instructions=instructions)
            return entry.outcome.response

    def _begin(
        self,
        kind: Kind,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
        *,
        instructions: str | None = None,
    ) -> _Entry:
        own = keep_json(self.wrapped.settings)
        request = describe(messages, settings, own, parameters, self._redactor, instructions=instructions)
        wire = self._describe_wire(messages, settings, parameters) if kind == 'request' else None
        return _Entry(self, kind, request, wire)

    def _describe_wire(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
    ) -> Json | None:
        """Return the request as it is sent; `None` for a model without a wire format, or if it cannot be sent."""
        try:
            sent = self.wrapped.describe_request(messages, settings, parameters)
        except LLMError:  # the request raises it
            return None
        if sent.path is None:
            return None
        headers: Json = {'headers': dict(sent.headers)} if sent.headers else {}
        return {'path': sent.path, **headers, 'body': sent.json()}

    def save(self, number: int, kind: Kind, request: Json, wire: Json | None, outcome: Outcome) -> None:
        """Write the exchange of a request that is over."""
        redactor = self._redactor.with_secrets(outcome.keys)
        exchange = Exchange.make(kind, self.wrapped.model_id, request, wire, outcome, redactor)
        self.recording.add(number, exchange)


class _Entry:
    """A request that is being recorded. As a context, it is saved at the end of the block, unless nothing was sent."""

    def __init__(self, model: RecordingModel, kind: Kind, request: Json, wire: Json | None) -> None:
        self.outcome = Outcome()
        self._model = model
        self._sent = kind, request, wire
        self._number = model.recording.begin()
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    @contextmanager
    def watch(self) -> Generator[None]:
        """Collect the keys that are sent in the block, and the error of the model if it raises one."""
        try:
            with listen(self._collect_keys):
                yield
        except UserError:
            raise
        except LLMError as error:
            self.outcome.error = error
            raise

    def _collect_keys(self, event: object) -> None:
        if isinstance(event, HeadersReceived):
            self.outcome.keys.update(event.find_keys())

    async def open(
        self, stack: AsyncExitStack, stream: AbstractAsyncContextManager[StreamedResponse]
    ) -> StreamedResponse:
        """Enter a stream, and save the entry if that fails."""
        try:
            with self.watch():
                return await stack.enter_async_context(stream)
        except LLMError:
            if self.outcome.error is not None:
                self.save()
            raise

    def save(self) -> None:
        self.outcome.seconds = self.seconds
        self._model.save(self._number, *self._sent, self.outcome)

    def __enter__(self) -> Self:
        self._watching = self.watch()
        self._watching.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._watching.__exit__(kind, error, traceback)
        finally:
            if error is None or self.outcome.error is not None:
                self.save()


class _RecordedStream(WrapperStream):
    """Passes the events of a stream on, and keeps them with their times."""

    def __init__(self, wrapped: StreamedResponse, entry: _Entry) -> None:
        super().__init__(wrapped)
        self._entry = entry
        self._events = entry.outcome.events = []

    async def read_event(self) -> ModelResponseStreamEvent:
        with self._entry.watch():
            event = await anext(self.wrapped, None)
        if event is None:
            raise StopAsyncIteration
        if not isinstance(event, FinalResultEvent):  # which depends on the parameters: a replay emits its own
            self._events.append((self._entry.seconds, event))
        return event

    def save(self) -> None:
        """Write the exchange: all of it, or what was read of the stream."""
        self._entry.outcome.response = self.get()
        self._entry.save()
