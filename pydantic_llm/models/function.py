"""A model that is a function of yours, for tests that say themselves what the model answers.

```python
def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    return ModelResponse([TextPart(f'You sent {len(messages)} messages')])


model = FunctionModel(answer)
```
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass, replace
from inspect import isawaitable

from ..exceptions import UserError
from ..messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
)
from ..profiles import ModelProfile, ModelProfileSpec
from ..settings import ModelSettings
from ..tools.definition import ToolDefinition
from ..usage import RequestUsage
from ..wire.prepare import prepare
from . import LAST, Model, ModelRequestParameters, PartsManager, ResponseDraft, StreamedResponse
from .estimate import estimate_usage

__all__ = (
    'AgentInfo',
    'DeltaThinkingCalls',
    'DeltaThinkingPart',
    'DeltaToolCall',
    'DeltaToolCalls',
    'FunctionDef',
    'FunctionModel',
    'StreamFunctionDef',
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentInfo:
    """What a function is told beside the messages."""

    function_tools: list[ToolDefinition]
    """The tools that the answer may call."""
    allow_text_output: bool
    """Whether text is an acceptable answer."""
    output_tools: list[ToolDefinition]
    """The tools by which the answer gives its output."""
    model_settings: ModelSettings | None
    """The model's settings with the request's laid over them."""
    model_request_parameters: ModelRequestParameters
    """All that was asked for."""
    instructions: str | None
    """The newest request's instructions, and what a prompted output adds to them."""


@dataclass(slots=True)
class DeltaToolCall:
    """A fragment of a tool call. The first one names the tool."""

    name: str | None = None
    """The tool."""
    json_args: str | None = None
    """What is added to the arguments, which are JSON in the end."""
    _: KW_ONLY
    tool_call_id: str | None = None
    """The id of the call, in its first fragment; made up where it is not given."""


@dataclass(slots=True, kw_only=True)
class DeltaThinkingPart:
    """A fragment of the thoughts."""

    content: str | None = None
    """What is added to them."""
    signature: str | None = None
    """The vendor's seal under them."""


DeltaToolCalls = dict[int, DeltaToolCall]
"""Fragments of tool calls, by a number that tells the calls apart."""

DeltaThinkingCalls = dict[int, DeltaThinkingPart]
"""Fragments of thoughts, by a number that tells the parts apart."""

Delta = str | Mapping[int, DeltaToolCall | DeltaThinkingPart | ModelResponsePart]
"""What a stream function yields: text, fragments by number, or parts in one piece by number."""

FunctionDef = Callable[[list[ModelMessage], AgentInfo], ModelResponse | Awaitable[ModelResponse]]
"""A function, or a coroutine function, that answers."""

StreamFunctionDef = Callable[[list[ModelMessage], AgentInfo], AsyncIterator[Delta]]
"""An async generator function that answers piece by piece."""


class FunctionModel(Model):
    """A model whose answers are made by a function. It asks nobody else, so `ALLOW_MODEL_REQUESTS` does not stop it.

    With `function` alone a streamed answer comes as a whole; with `stream_function` alone a whole answer is what the
    stream adds up to. Usage is estimated where the function gives none.
    """

    def __init__(
        self,
        function: FunctionDef | None = None,
        *,
        stream_function: StreamFunctionDef | None = None,
        model_name: str | None = None,
        profile: ModelProfileSpec | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        if function is None and stream_function is None:
            raise UserError('FunctionModel has nothing to answer with: give it function=, stream_function=, or both')
        super().__init__(settings=settings, profile=profile)
        self.function = function
        """What answers."""
        self.stream_function = stream_function
        """What answers piece by piece."""
        self._model_name = model_name or f'function:{_name_of(function)}:{_name_of(stream_function)}'

    @property
    def model_name(self) -> str:
        """The name that it was given, or one made of the functions' names."""
        return self._model_name

    def _own_profile(self) -> ModelProfile:
        return ModelProfile(supports_json_schema_output=True, supports_json_object_output=True)

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Call the function, or collect what the stream function yields."""
        if self.function is None:
            async with self.request_stream(messages, model_settings, model_request_parameters) as stream:
                async for _ in stream:
                    pass
                return stream.get()
        info = self._info(messages, model_settings, model_request_parameters)
        answer = self.function(list(messages), info)
        response: ModelResponse = await answer if isawaitable(answer) else answer
        return replace(
            response,
            model_name=response.model_name or self.model_name,
            provider_name=response.provider_name or self.system,
            usage=response.usage if response.usage.has_values() else estimate_usage(messages, response.parts),
        )

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Call the stream function, or tell the function's whole answer."""
        if self.stream_function is None:
            async with super().request_stream(messages, model_settings, model_request_parameters) as stream:
                yield stream
            return
        info = self._info(messages, model_settings, model_request_parameters)
        draft = ResponseDraft(self.model_name, self.system)
        deltas = self.stream_function(list(messages), info)
        stream = _FunctionStream(deltas, messages, draft, info.model_request_parameters)
        try:
            yield stream
        finally:
            await stream.cancel()

    def _info(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
    ) -> AgentInfo:
        settings = self.merged_settings(model_settings)
        prepared = prepare(
            messages or [ModelRequest.user_text_prompt('nothing')],
            settings,
            parameters,
            model_name=self.model_name,
            system=self.system,
            profile=self.profile,
            supported=(),
            prefix='',  # what every setting begins with: a function takes them all
            stream=False,
        )
        return AgentInfo(
            function_tools=list(prepared.parameters.function_tools),
            allow_text_output=prepared.parameters.allow_text_output,
            output_tools=list(prepared.parameters.output_tools),
            model_settings=settings or None,
            model_request_parameters=prepared.parameters,
            instructions='\n\n'.join(prepared.instructions) or None,
        )


class _FunctionStream(StreamedResponse):
    """What a stream function yields, as events."""

    def __init__(
        self,
        deltas: AsyncIterator[Delta],
        messages: Sequence[ModelMessage],
        draft: ResponseDraft,
        parameters: ModelRequestParameters,
    ) -> None:
        super().__init__(draft, parameters)
        self._deltas = deltas
        self._messages = messages

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """Tell each delta as it comes."""
        draft, parts = self.draft, self.draft.parts
        try:
            async for delta in self._deltas:
                _add(parts, delta)
                for event in parts.take_events():
                    yield event
        finally:
            if (aclose := getattr(self._deltas, 'aclose', None)) is not None:
                await aclose()
        if self.cancelled:
            return
        parts.end()
        draft.finish_reason = 'tool_call' if draft.get().tool_calls else 'stop'
        draft.state = 'complete'
        for event in parts.take_events():
            yield event

    def usage(self) -> RequestUsage:
        """An estimate for what has been told so far."""
        self.draft.usage = estimate_usage(self._messages, self.draft.parts.get())
        return self.draft.usage

    def get(self) -> ModelResponse:
        """The answer so far, with an estimate of its usage."""
        self.usage()
        return super().get()


def _add(parts: PartsManager, delta: Delta) -> None:
    if isinstance(delta, str):
        parts.text(LAST, delta)
        return
    for number, item in delta.items():
        match item:
            case DeltaToolCall(name, json_args):
                parts.tool_call(('call', number), name=name, args=json_args, tool_call_id=item.tool_call_id)
            case DeltaThinkingPart():
                parts.thinking(('thinking', number), item.content or '', signature=item.signature)
            case _:
                parts.whole(('part', number), item)


def _name_of(function: Callable[..., object] | None) -> str:
    return '' if function is None else getattr(function, '__name__', type(function).__name__)
