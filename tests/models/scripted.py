"""A model that follows a script: it emits text, waits, or raises an error, at once or in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic_llm.exceptions import ModelConnectionError, ModelHTTPError, ModelTimeoutError
from pydantic_llm.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent, TextPart, ThinkingPart
from pydantic_llm.models import LAST, Model, ModelRequestParameters, ResponseDraft, StreamedResponse
from pydantic_llm.settings import ModelSettings
from pydantic_llm.usage import RequestUsage

Step = str | float | BaseException | tuple[str, str]
"""Text; seconds of silence; an error to raise; or `('think', text)`, `('call', name)`, `('truncate', '')`."""


def overloaded(retry_after: float | None = None) -> ModelHTTPError:
    return ModelHTTPError(503, 'm', message='overloaded', retry_after=retry_after)


def unauthorized() -> ModelHTTPError:
    return ModelHTTPError(401, 'm', message='not valid')


def unreachable() -> ModelConnectionError:
    return ModelConnectionError('m', 'connection refused')


class Scripted(Model):
    """Responds to each request with the next of its scripts; the last one is repeated."""

    def __init__(self, name: str, *scripts: Sequence[Step], usage: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self._name = name
        self.scripts = scripts or (['Hi'],)
        self.usage = RequestUsage(input_tokens=usage, output_tokens=usage)
        self.requests: list[tuple[list[ModelMessage], ModelSettings]] = []
        self.open_streams = 0

    @property
    def model_name(self) -> str:
        return self._name

    @property
    def system(self) -> str:
        return 'test'

    def current_script(self) -> Sequence[Step]:
        return self.scripts[min(len(self.requests) - 1, len(self.scripts) - 1)]

    def start(self, messages: Sequence[ModelMessage], settings: ModelSettings | None) -> None:
        self.requests.append(([*messages], self.merged_settings(settings)))
        if isinstance(step := self.current_script()[0], BaseException):
            raise step

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
        self.start(messages, model_settings)
        self.open_streams += 1
        stream = ScriptedStream(
            self, self.current_script(), self.merged_settings(model_settings), model_request_parameters
        )
        try:
            yield stream
        finally:
            self.open_streams -= 1
            await stream.cancel()


class ScriptedStream(StreamedResponse):
    def __init__(
        self,
        model: Scripted,
        steps: Sequence[Step],
        settings: ModelSettings,
        parameters: ModelRequestParameters | None,
    ) -> None:
        super().__init__(ResponseDraft(model.model_name, model.system), parameters)
        self.steps = steps
        self.settings = settings
        self.draft.usage = model.usage

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        draft = self.draft
        for step in self.steps:
            match step:
                case str():
                    draft.parts.text(LAST, step)
                case ('think', text):
                    draft.parts.thinking(LAST, text)
                case ('call', name):
                    draft.parts.tool_call(LAST, name=name, args='{"a"')
                case tuple():
                    return
                case BaseException():
                    draft.state = 'interrupted'
                    raise step
                case seconds:
                    await self.wait(seconds)
            for event in draft.parts.take_events():
                yield event
        draft.state, draft.finish_reason = 'complete', 'stop'
        draft.parts.end()
        for event in draft.parts.take_events():
            yield event

    async def wait(self, seconds: float) -> None:
        name = 'timeout' if self.draft.parts.get() else 'first_token_timeout'
        limits = {key: self.settings[key] for key in ('timeout', name) if key in self.settings}  # type: ignore[literal-required]
        name, limit = min(limits.items(), key=lambda item: item[1], default=('', seconds))  # type: ignore[arg-type, return-value]
        await asyncio.sleep(min(seconds, limit))  # type: ignore[type-var]
        if limit < seconds:  # type: ignore[operator]
            raise ModelTimeoutError('m', deadline=name, seconds=limit)  # type: ignore[arg-type]


def texts(response: ModelResponse) -> list[str]:
    return [part.content for part in response.parts if isinstance(part, (TextPart, ThinkingPart))]
