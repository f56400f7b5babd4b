"""A model around another model, to change one thing about it.

```python
class LoggedModel(WrapperModel):
    async def request(self, messages, model_settings=None, model_request_parameters=None):
        print(f'request to {self.model_name}')
        return await super().request(messages, model_settings, model_request_parameters)
```
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..messages import (
    FinalResultEvent,
    ModelMessage,
    ModelResponse,
    ModelResponseStreamEvent,
    PartStartEvent,
    StreamRestartEvent,
)
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..usage import RequestUsage
from . import BufferedStream, Model, ModelRequestParameters, StreamedResponse, infer_model

if TYPE_CHECKING:
    from .description import RequestDescription
    from .known_names import KnownModelName

__all__ = ('WrapperModel', 'WrapperStream')


class WrapperModel(Model):
    """Passes everything on to another model. A subclass overrides what it changes.

    Attributes that the wrapper does not have are looked up on the wrapped model.
    """

    wrapped: Model
    """The model that gets the requests."""

    def __init__(self, wrapped: Model | KnownModelName | str) -> None:
        super().__init__()
        self.wrapped = infer_model(wrapped)

    @property
    def model_name(self) -> str:
        """The name of the wrapped model."""
        return self.wrapped.model_name

    @property
    def system(self) -> str:
        """The vendor of the wrapped model."""
        return self.wrapped.system

    @property
    def model_id(self) -> str:
        """The id of the wrapped model; if a subclass overrides `system` or `model_name`, an id made of these."""
        own = type(self)
        is_own = (own.system, own.model_name) != (WrapperModel.system, WrapperModel.model_name)
        return super().model_id if is_own else self.wrapped.model_id

    @property
    def base_url(self) -> str | None:
        """The URL of the wrapped model; `None` for a model in this process."""
        return self.wrapped.base_url

    @property
    def members(self) -> Sequence[Model]:
        """The wrapped model."""
        return (self.wrapped,)

    @property
    def settings(self) -> ModelSettings | None:
        """The settings of the wrapped model."""
        return self.wrapped.settings

    @property
    def profile(self) -> ModelProfile:
        """The profile of the wrapped model: the features that it supports."""
        return self.wrapped.profile

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Send the request to the wrapped model."""
        return await self.wrapped.request(messages, model_settings, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Open a stream of the wrapped model."""
        async with self.wrapped.request_stream(messages, model_settings, model_request_parameters) as stream:
            yield stream

    async def count_tokens(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestUsage:
        """Return what the wrapped model counts."""
        return await self.wrapped.count_tokens(messages, model_settings, model_request_parameters)

    def describe_request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestDescription:
        """Return the description of the wrapped model."""
        return self.wrapped.describe_request(messages, model_settings, model_request_parameters)

    async def compact_messages(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        *,
        instructions: str | None = None,
    ) -> ModelResponse:
        """Ask the vendor of the wrapped model for a summary."""
        return await self.wrapped.compact_messages(
            messages, model_settings, model_request_parameters, instructions=instructions
        )

    async def aclose(self) -> None:
        """Close the wrapped model's connections."""
        await self.wrapped.aclose()

    def __getattr__(self, name: str) -> Any:
        if name == 'wrapped':  # not set yet while a copy or a pickle is being restored
            raise AttributeError(f'{type(self).__name__} wraps no model yet: call super().__init__(wrapped) first')
        return getattr(self.wrapped, name)

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.wrapped!r})'


class WrapperStream(BufferedStream):
    """Passes the events of another stream on. A subclass overrides `read_event`, or what else it changes."""

    wrapped: StreamedResponse
    """The stream that the events come from."""

    def __init__(self, wrapped: StreamedResponse) -> None:
        super().__init__(wrapped.draft, wrapped.parameters)
        self.wrapped = wrapped

    @property
    def model_name(self) -> str:
        """The model that responds."""
        return self.wrapped.model_name

    @property
    def provider_name(self) -> str | None:
        """The vendor that responds."""
        return self.wrapped.provider_name

    @property
    def cancelled(self) -> bool:
        """True if the stream was cancelled before its end."""
        return self.wrapped.cancelled

    def get(self) -> ModelResponse:
        """Return the response of the wrapped stream so far."""
        return self.wrapped.get()

    def usage(self) -> RequestUsage:
        """Return the usage of the wrapped stream so far."""
        return self.wrapped.usage()

    async def read_event(self) -> ModelResponseStreamEvent:
        """Return the next event. Raises `StopAsyncIteration` at the end of the stream."""
        return await anext(self.wrapped)

    async def cancel(self) -> None:
        """Stop the wrapped stream."""
        await self.wrapped.cancel()

    async def close(self) -> None:
        """Release the resources of the wrapped stream."""
        await self.wrapped.close()

    async def _read_more(self) -> None:
        event = await self.read_event()
        if isinstance(event, FinalResultEvent):
            self.final_result_event = event
        elif isinstance(event, StreamRestartEvent):
            self.final_result_event = None
        self._ready.append(event)

    def _emit_final_result(self, event: PartStartEvent) -> None:
        """Do nothing: the wrapped stream emits it."""
