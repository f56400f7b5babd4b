"""Models for a server to serve."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic_llm.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_llm.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_llm.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_llm.settings import ModelSettings
from pydantic_llm.usage import RequestUsage


def text_model(*pieces: str, name: str = 'speaker') -> FunctionModel:
    """Build a model that responds with these pieces of text; a stream has one event for each."""

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        usage = RequestUsage(input_tokens=3, output_tokens=len(pieces))
        return ModelResponse([TextPart(''.join(pieces))], usage=usage, finish_reason='stop')

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        for piece in pieces:
            yield piece

    return FunctionModel(respond, stream_function=stream, model_name=name)


def tool_call_model(*calls: tuple[str, str]) -> FunctionModel:
    """Build a model that calls these tools (name, arguments); a stream has the arguments in two fragments."""

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        parts = [ToolCallPart(name, args, f'id_{number}') for number, (name, args) in enumerate(calls)]
        return ModelResponse(parts, finish_reason='tool_call')

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        for number, (name, args) in enumerate(calls):
            yield {number: DeltaToolCall(name, args[:4], tool_call_id=f'id_{number}')}
            yield {number: DeltaToolCall(None, args[4:])}

    return FunctionModel(respond, stream_function=stream, model_name='caller')


def failing_model(error: Exception, *, after: int = 0) -> FunctionModel:
    """Build a model that raises this error; a stream does so after `after` pieces."""

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise error

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        for number in range(after):
            yield f'{number} '
        raise error

    return FunctionModel(respond, stream_function=stream, model_name='failing')


class WatchedModel(Model):
    """A model whose response ends only if `ends`. Sets an event when it has started, and one when it is released."""

    def __init__(self, *, ends: bool = False) -> None:
        super().__init__()
        self.ends = ends
        self.started = threading.Event()
        self.released = threading.Event()

    @property
    def model_name(self) -> str:
        return 'watched'

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        async with self.request_stream(messages, model_settings, model_request_parameters) as stream:
            async for _ in stream:
                pass
            return stream.get()

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
            yield 'Once upon a time'
            self.started.set()
            if not self.ends:
                await asyncio.Event().wait()

        try:
            async with FunctionModel(stream_function=stream).request_stream(messages) as response:
                yield response
        finally:
            await asyncio.sleep(0.02)  # releasing takes a while, and must not be interrupted
            self.released.set()
