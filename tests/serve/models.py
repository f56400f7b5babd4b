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


def says(*pieces: str, name: str = 'speaker') -> FunctionModel:
    """Says these pieces, whatever it is asked; streamed, one event each."""

    def whole(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        usage = RequestUsage(input_tokens=3, output_tokens=len(pieces))
        return ModelResponse([TextPart(''.join(pieces))], usage=usage, finish_reason='stop')

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        for piece in pieces:
            yield piece

    return FunctionModel(whole, stream_function=stream, model_name=name)


def calls(*calls: tuple[str, str]) -> FunctionModel:
    """Calls these tools, by name and arguments; streamed, the arguments come in two fragments."""

    def whole(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        parts = [ToolCallPart(name, args, f'id_{number}') for number, (name, args) in enumerate(calls)]
        return ModelResponse(parts, finish_reason='tool_call')

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        for number, (name, args) in enumerate(calls):
            yield {number: DeltaToolCall(name, args[:4], tool_call_id=f'id_{number}')}
            yield {number: DeltaToolCall(None, args[4:])}

    return FunctionModel(whole, stream_function=stream, model_name='caller')


def fails(error: Exception, *, after: int = 0) -> FunctionModel:
    """Fails with this error; streamed, after so many pieces."""

    def whole(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise error

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        for number in range(after):
            yield f'{number} '
        raise error

    return FunctionModel(whole, stream_function=stream, model_name='failing')


class Watched(Model):
    """Begins an answer, and comes to its end only if told to. Tells when it has begun, and when it was left."""

    def __init__(self, *, ends: bool = False) -> None:
        super().__init__()
        self.ends = ends
        self.begun = threading.Event()
        self.left = threading.Event()

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
            self.begun.set()
            if not self.ends:
                await asyncio.Event().wait()

        try:
            async with FunctionModel(stream_function=stream).request_stream(messages) as answer:
                yield answer
        finally:
            await asyncio.sleep(0.02)  # leaving takes a while, and must not be cut short
            self.left.set()
