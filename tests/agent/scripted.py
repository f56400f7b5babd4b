"""A model that says what a test wants it to say, whole or in pieces, and remembers what it was asked."""

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

Said = str | ModelResponsePart | Sequence[ModelResponsePart] | ModelResponse | Exception
Answer = Said | Callable[[list[ModelMessage], ModelRequestParameters], Said]


@dataclass
class Asked:
    """One request."""

    messages: list[ModelMessage]
    settings: ModelSettings | None
    parameters: ModelRequestParameters


class Scripted(Model):
    """Gives its answers one after the other; the last one again and again."""

    def __init__(
        self, *answers: Answer, profile: ModelProfile | None = None, settings: ModelSettings | None = None
    ) -> None:
        super().__init__(profile=profile, settings=settings)
        self.answers = answers
        self.asked: list[Asked] = []
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
        self.asked.append(Asked(list(messages), model_settings, parameters))
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        told = answer(list(messages), parameters) if callable(answer) else answer
        match told:
            case Exception():
                raise told
            case ModelResponse():
                return told
            case str():
                parts: Sequence[ModelResponsePart] = [TextPart(told)]
            case list() | tuple():
                parts = told
            case _:
                parts = [told]  # type: ignore[list-item]
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
    """Tells a response word by word, and arguments four characters at a time.

    `metadata={'breaks': error}` of the response breaks the wire before its end.
    """

    def __init__(self, response: ModelResponse, parameters: ModelRequestParameters | None) -> None:
        super().__init__(ResponseDraft('scripted'), parameters)
        self.response = response
        self.told = 0

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        draft = self.draft
        draft.usage = RequestUsage(input_tokens=self.response.usage.input_tokens)
        for piece in pieces_of(self.response):
            feed(draft, *piece)
            for event in draft.parts.take_events():
                self.told += 1
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


def said(messages: Sequence[ModelMessage]) -> list[list[tuple[Any, ...]]]:
    """What was said, message by message and part by part, without times and ids of the run."""
    return [[outline(part) for part in message.parts] for message in messages]


def outline(part: ModelRequestPart | ModelResponsePart) -> tuple[Any, ...]:
    match part:
        case ToolReturnPart():
            return ('return', part.tool_name, part.content, part.tool_call_id, part.outcome)
        case RetryPromptPart(tool_name=str()):
            return ('retry', part.tool_name, complaint(part), part.tool_call_id)
        case RetryPromptPart():
            return ('retry', complaint(part))
        case ToolCallPart():
            return ('call', part.tool_name, part.args, part.tool_call_id)
        case TextPart() | ThinkingPart() | SystemPromptPart() | UserPromptPart():
            return (part.part_kind.removesuffix('-prompt'), part.content)
        case _:
            return (part.part_kind,)


def complaint(part: RetryPromptPart) -> str | list[tuple[Any, str]]:
    """The message of a retry, or where and what was wrong."""
    if isinstance(part.content, str):
        return part.content
    return [(error['loc'], error['msg']) for error in part.content]


def call(name: str, args: str | dict[str, Any] | None = None, id: str | None = None) -> ToolCallPart:
    """A call of a tool."""
    return ToolCallPart(name, args, id or f'call_{name}')
