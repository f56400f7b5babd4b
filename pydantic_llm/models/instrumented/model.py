"""`InstrumentedModel`: a model whose requests are recorded by OpenTelemetry."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..._type_checks import check_type
from ...messages import ModelMessage, ModelResponse, ModelResponseStreamEvent
from ...messages.events import FinalResultEvent
from ...settings import ModelSettings
from .. import Model, ModelRequestParameters, StreamedResponse
from ..wrapper import WrapperModel, WrapperStream
from .settings import InstrumentationSettings

if TYPE_CHECKING:
    from ..known_names import KnownModelName
    from .request import ModelOperation

__all__ = ('InstrumentedModel', 'InstrumentedStream')


class InstrumentedModel(WrapperModel):
    """Records each request to a model as a span `chat {model}`, with metrics and events.

    Retries, fallbacks and hits of a cache inside the model are events of the span. A model that sends requests to
    others (`FallbackModel`, `RouterModel`) has one span for all of them; instrument these too for a span of each.

    Args:
        wrapped: The model.
        options: Where telemetry goes, and what it may contain.
    """

    def __init__(self, wrapped: Model | KnownModelName | str, options: InstrumentationSettings | None = None) -> None:
        check_type(options, InstrumentationSettings, parameter='options')
        super().__init__(wrapped)
        self.instrumentation_settings: InstrumentationSettings = options or InstrumentationSettings()

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Send the request, with a span."""
        operation = self._begin(messages, model_request_parameters)
        try:
            with operation.active():
                operation.describe_request(self.wrapped.merged_settings(model_settings))
                response = await self.wrapped.request(messages, model_settings, model_request_parameters)
            operation.finish(response)
        finally:
            operation.end()
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Open a stream, with a span until its end, or until it fails, is cancelled or is left.

        The span is the current one while the model works, not for the code that reads the stream.
        """
        operation = self._begin(messages, model_request_parameters, is_streaming=True)
        try:
            async with AsyncExitStack() as stack:
                with operation.active():
                    operation.describe_request(self.wrapped.merged_settings(model_settings))
                    opened = self.wrapped.request_stream(messages, model_settings, model_request_parameters)
                    inner = await stack.enter_async_context(opened)
                stream = InstrumentedStream(inner, operation)
                try:
                    yield stream
                finally:
                    await stream.cancel()
        finally:
            operation.end()

    async def compact_messages(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        *,
        instructions: str | None = None,
    ) -> ModelResponse:
        """Ask for a summary, with a span."""
        operation = self._begin(messages, model_request_parameters)
        try:
            with operation.active():
                response = await self.wrapped.compact_messages(
                    messages, model_settings, model_request_parameters, instructions=instructions
                )
            operation.finish(response)
        finally:
            operation.end()
        return response

    def _begin(
        self,
        messages: Sequence[ModelMessage],
        parameters: ModelRequestParameters | None,
        *,
        is_streaming: bool = False,
    ) -> ModelOperation:
        from .request import ModelOperation  # imports OpenTelemetry

        settings = self.instrumentation_settings
        return ModelOperation(settings, self.wrapped, messages, parameters, is_streaming=is_streaming)


class InstrumentedStream(WrapperStream):
    """The stream of a model, whose chunks are timed."""

    def __init__(self, wrapped: StreamedResponse, operation: ModelOperation) -> None:
        super().__init__(wrapped)
        self._operation = operation

    async def __anext__(self) -> ModelResponseStreamEvent:
        wrapped = self.wrapped
        event = await (anext(wrapped) if wrapped._ready else self.read_event())
        self.final_result_event: FinalResultEvent | None = wrapped.final_result_event
        return event

    async def read_event(self) -> ModelResponseStreamEvent:
        """Return the first event of a chunk that has not arrived yet."""
        operation = self._operation
        try:
            with operation.active():
                event = await super().read_event()
        except StopAsyncIteration:
            operation.finish(self.get())
            raise
        if not operation.has_ended:
            operation.record_chunk()
        return event

    async def cancel(self) -> None:
        with self._operation.active():
            await super().cancel()
        self._operation.finish(self.get())
