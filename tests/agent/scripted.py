"""`Scripted`: a model that returns given responses, streamed or not, and records its requests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic_llm.messages import (
    ModelMessage,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import Model, ModelRequestParameters, ResponseDraft, StreamedResponse
from pydantic_llm.profiles import ModelProfile
from pydantic_llm.settings import ModelSettings
from pydantic_llm.usage import RequestUsage

ScriptedResponse = str | ModelResponsePart | Sequence[ModelResponsePart] | ModelResponse | Exception
Script = ScriptedResponse | Callable[[list[ModelMessage], ModelRequestParameters], ScriptedResponse]


@dataclass
class SentRequest:
    """A request that the model received."""

    messages: list[ModelMessage]
    settings: ModelSettings | None
    parameters: ModelRequestParameters


class Scripted(Model):
    """Returns its responses in order, then repeats the last one."""

    def __init__(
        self, *responses: Script, profile: ModelProfile | None = None, settings: ModelSettings | None = None
    ) -> None:
        super().__init__(profile=profile, settings=settings)
        self.responses = responses
        self.requests: list[SentRequest] = []
        self.streams: list[ScriptedStream] = []
        self.closed = False

    @property
    def model_name(self) -> str:
        return 'scripted'

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        parameters = model_request_parameters or ModelRequestParameters()
        self.requests.append(SentRequest(list(messages), model_settings, parameters))
        script = self.responses[min(len(self.requests), len(self.responses)) - 1]
        response = script(list(messages), parameters) if callable(script) else script
        match response:
            case Exception():
                raise response
            case ModelResponse():
                return response
            case str():
                parts: Sequence[ModelResponsePart] = [TextPart(response)]
            case list() | tuple():
                parts = response
            case _:
                parts = [response]  # type: ignore[list-item]
        return ModelResponse(parts, usage=RequestUsage(input_tokens=10, output_tokens=5), model_name='scripted')

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        response = await self.request(messages, model_settings, model_request_parameters)
        stream = ScriptedStream(response, model_request_parameters)
        self.streams.append(stream)
        try:
            yield stream
        finally:
            await stream.cancel()

    async def aclose(self) -> None:
        self.closed = True


class ScriptedStream(StreamedResponse):
    """Streams a response word by word, and arguments in pieces of four characters.

    If the response has `metadata={'breaks': error}`, the stream raises the error before its end.
    """

    def __init__(self, response: ModelResponse, parameters: ModelRequestParameters | None) -> None:
        super().__init__(ResponseDraft('scripted'), parameters)
        self.response = response
        self.emitted = 0

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        draft = self.draft
        draft.usage = RequestUsage(input_tokens=self.response.usage.input_tokens)
        for piece in pieces_of(self.response):
            feed(draft, *piece)
            for event in draft.parts.take_events():
                self.emitted += 1
                yield event
        if self.response.metadata:
            raise self.response.metadata['breaks']
        draft.parts.end(complete=False)
        draft.usage = self.response.usage
        draft.finish_reason = self.response.finish_reason
        draft.provider_details = dict(self.response.provider_details or {})
        draft.state = self.response.state
        for event in draft.parts.take_events():
            yield event


def pieces_of(response: ModelResponse) -> list[tuple[int, ModelResponsePart, str]]:
    pieces: list[tuple[int, ModelResponsePart, str]] = []
    for index, part in enumerate(response.parts):
        match part:
            case TextPart(content=text):
                words = text.split(' ')
                pieces += [(index, part, word if n == 0 else f' {word}') for n, word in enumerate(words)]
            case ToolCallPart():
                args = part.args_as_json_str()
                pieces += [(index, part, ''), *((index, part, args[at : at + 4]) for at in range(0, len(args), 4))]
            case _:
                pieces.append((index, part, ''))
    return pieces


def feed(draft: ResponseDraft, index: int, part: ModelResponsePart, piece: str) -> None:
    match part:
        case TextPart():
            draft.parts.text(index, piece)
        case ToolCallPart() if not piece:
            draft.parts.tool_call(index, name=part.tool_name, args='', tool_call_id=part.tool_call_id)
        case ToolCallPart():
            draft.parts.tool_call(index, args=piece)
        case _:
            draft.parts.whole(index, part)


def outline(messages: Sequence[ModelMessage]) -> list[list[tuple[Any, ...]]]:
    """Return messages as lists of tuples, one per part, without timestamps and ids of the run."""
    return [[outline_part(part) for part in message.parts] for message in messages]


def outline_part(part: ModelRequestPart | ModelResponsePart) -> tuple[Any, ...]:
    match part:
        case ToolReturnPart():
            return ('return', part.tool_name, part.content, part.tool_call_id, part.outcome)
        case RetryPromptPart(tool_name=str()):
            return ('retry', part.tool_name, retry_message(part), part.tool_call_id)
        case RetryPromptPart():
            return ('retry', retry_message(part))
        case ToolCallPart():
            return ('call', part.tool_name, part.args, part.tool_call_id)
        case TextPart() | ThinkingPart() | SystemPromptPart() | UserPromptPart():
            return (part.part_kind.removesuffix('-prompt'), part.content)
        case _:
            return (part.part_kind,)


def retry_message(part: RetryPromptPart) -> str | list[tuple[Any, str]]:
    """Return the message of a retry prompt, or the location and message of each error."""
    if isinstance(part.content, str):
        return part.content
    return [(error['loc'], error['msg']) for error in part.content]


def call(name: str, args: str | dict[str, Any] | None = None, id: str | None = None) -> ToolCallPart:
    """Return a tool call."""
    return ToolCallPart(name, args, id or f'call_{name}')


def results_of(result: Any) -> list[tuple[str | None, Any]]:
    """Return the name and the content of each tool result in the messages of a run."""
    parts = [part for message in result.all_messages() for part in message.parts]
    return [(part.tool_name, part.content) for part in parts if isinstance(part, (ToolReturnPart, RetryPromptPart))]
