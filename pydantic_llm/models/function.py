"""A model whose responses come from a function, for tests that need exact responses.

```python
def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    return ModelResponse([TextPart(f'You sent {len(messages)} messages')])


model = FunctionModel(respond)
```
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass, replace
from inspect import isawaitable
from typing import Any, ClassVar, Unpack, cast

from .._type_checks import check_callable, raise_wrong_type
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse, ModelResponsePart, ModelResponseStreamEvent
from ..profiles import ModelProfile, ModelProfileSpec
from ..settings import ModelSettings
from ..tools.definition import ToolDefinition
from ..usage import RequestUsage
from ..wire.foreign_settings import EverySetting
from ..wire.prepare import PreparingModel
from . import LAST, ModelRequestParameters, PartsManager, ResponseDraft, StreamedResponse
from .estimate import estimate_usage
from .options import read_settings

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
    """The second argument of a function: all of the request except the messages."""

    function_tools: list[ToolDefinition]
    """The function tools that the response may call."""
    allow_text_output: bool
    """`True` if the response may be text; otherwise it must call a tool."""
    output_tools: list[ToolDefinition]
    """The tools that the response may call to return its output."""
    model_settings: ModelSettings | None
    """The settings of the model, overridden by those of the request."""
    model_request_parameters: ModelRequestParameters
    """The tools and the output that were requested, resolved for this model."""
    instructions: str | None
    """The instructions of the newest request, followed by those of a prompted output."""


@dataclass(slots=True)
class DeltaToolCall:
    """A fragment of a tool call. The first one names the tool."""

    name: str | None = None
    """The name of the tool."""
    json_args: str | None = None
    """A fragment of the JSON of the arguments."""
    _: KW_ONLY
    tool_call_id: str | None = None
    """The id of the tool call, in its first fragment. Default: a generated id."""


@dataclass(slots=True, kw_only=True)
class DeltaThinkingPart:
    """A fragment of a thinking part."""

    content: str | None = None
    signature: str | None = None
    """The signature by which the vendor recognizes its own thinking."""


DeltaToolCalls = dict[int, DeltaToolCall]
"""Fragments of tool calls. The key identifies the tool call."""

DeltaThinkingCalls = dict[int, DeltaThinkingPart]
"""Fragments of thinking parts. The key identifies the part."""

Delta = str | Mapping[int, DeltaToolCall | DeltaThinkingPart | ModelResponsePart]
"""An item of a stream function: text, or a mapping from numbers to fragments or complete parts."""

FunctionDef = Callable[[list[ModelMessage], AgentInfo], ModelResponse | Awaitable[ModelResponse]]
"""A function, or a coroutine function, that returns a response."""

StreamFunctionDef = Callable[[list[ModelMessage], AgentInfo], AsyncIterator[Delta]]
"""An async generator function that yields a response in pieces."""


class FunctionModel(PreparingModel):
    """A model whose responses come from a function. It uses no network: `ALLOW_MODEL_REQUESTS` does not apply.

    With only `function`, a stream emits its whole response; with only `stream_function`, `request` collects the stream.
    Usage is estimated if the function does not set it.
    """

    supported_settings: ClassVar[frozenset[str]] = frozenset[str]()
    deciding_attributes: ClassVar[tuple[str, ...]] = ('function', 'stream_function')
    settings_prefix = ''  # every setting begins with it
    own_settings: ClassVar[Collection[str] | None] = EverySetting()

    def __init__(
        self,
        function: FunctionDef | None = None,
        *,
        stream_function: StreamFunctionDef | None = None,
        model_name: str | None = None,
        profile: ModelProfileSpec | None = None,
        settings: ModelSettings | None = None,
        **options: Unpack[ModelSettings],
    ) -> None:
        settings = read_settings(type(self), options, settings)
        if function is None and stream_function is None:
            raise UserError('FunctionModel has no function: give it function=, stream_function=, or both')
        check_callable(function, parameter='function')
        check_callable(stream_function, parameter='stream_function')
        super().__init__(settings=settings, profile=profile)
        self.function = function
        self.stream_function = stream_function
        self._model_name = model_name or f'function:{_name_of(function)}:{_name_of(stream_function)}'

    @property
    def model_name(self) -> str:
        return self._model_name

    def _own_profile(self) -> ModelProfile:
        return ModelProfile(supports_json_schema_output=True, supports_json_object_output=True)

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        if self.function is None:
            async with self.request_stream(messages, model_settings, model_request_parameters) as stream:
                async for _ in stream:
                    pass
                return stream.get()
        info = self._describe_request(messages, model_settings, model_request_parameters)
        result = self.function(list(messages), info)
        response: ModelResponse = await result if isawaitable(result) else result
        if not isinstance(cast('object', response), ModelResponse):
            raise_wrong_type('FunctionModel', 'a function that returns a ModelResponse', response)
        return replace(
            response,
            model_name=response.model_name or self.model_name,
            provider_name=response.provider_name or self.system,
            usage=response.usage if response.usage.has_values() else estimate_usage(messages, response.parts),
        )

    async def count_tokens(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestUsage:
        """Return the estimate that the usage of the response has."""
        return estimate_usage(messages, ())

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        if self.stream_function is None:
            async with super().request_stream(messages, model_settings, model_request_parameters) as stream:
                yield stream
            return
        info = self._describe_request(messages, model_settings, model_request_parameters)
        draft = ResponseDraft(self.model_name, self.system)
        deltas = self.stream_function(list(messages), info)
        if not hasattr(deltas, '__aiter__'):
            raise_wrong_type('stream_function', 'an async generator function', self.stream_function)
        stream = _FunctionStream(deltas, messages, draft, info.model_request_parameters)
        try:
            yield stream
        finally:
            await stream.cancel()

    def _describe_request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
    ) -> AgentInfo:
        prepared = self.prepare(messages or [ModelRequest.user_text_prompt('nothing')], model_settings, parameters)
        return AgentInfo(
            function_tools=list(prepared.parameters.function_tools),
            allow_text_output=prepared.parameters.allow_text_output,
            output_tools=list(prepared.parameters.output_tools),
            model_settings=self.merged_settings(model_settings) or None,
            model_request_parameters=prepared.parameters,
            instructions='\n\n'.join(prepared.instructions) or None,
        )


class _FunctionStream(StreamedResponse):
    """The items of a stream function, as events."""

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
        draft, parts = self.draft, self.draft.parts
        try:
            async for delta in self._deltas:
                _add_delta(parts, delta)
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
        self.draft.usage = estimate_usage(self._messages, self.draft.parts.get())
        return self.draft.usage

    def get(self) -> ModelResponse:
        self.usage()
        return super().get()


def _add_delta(parts: PartsManager, delta: Delta) -> None:
    if isinstance(delta, str):
        parts.text(LAST, delta)
        return
    if not isinstance(cast('object', delta), Mapping):
        raise_wrong_type('stream_function', 'a function that yields text and dicts of deltas', delta)
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
