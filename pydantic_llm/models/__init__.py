"""The contract: what a model is, what a streamed answer is, and what can be asked for.

A model of your own subclasses `Model` with a name and a `request`; to stream, it also makes a `StreamedResponse`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from ..exceptions import UserError
from ..messages import (
    FinalResultEvent,
    ModelMessage,
    ModelResponse,
    ModelResponseStreamEvent,
    PartStartEvent,
    TextPart,
    ToolCallPart,
)
from ..native_tools import NativeTool
from ..profiles import DEFAULT_PROFILE, ModelProfile, ModelProfileSpec
from ..settings import ModelSettings, merge_model_settings
from ..streaming.draft import ResponseDraft
from ..streaming.parts import LAST, PartsManager
from ..tools.definition import ObjectJsonSchema, ToolDefinition
from ..usage import RequestUsage

if TYPE_CHECKING:
    from .known_names import KnownModelName

__all__ = (
    'ALLOW_MODEL_REQUESTS',
    'LAST',
    'KnownModelName',
    'Model',
    'ModelRequestParameters',
    'OutputMode',
    'OutputObjectDefinition',
    'PartsManager',
    'ResponseDraft',
    'StreamedResponse',
    'WholeResponse',
    'check_allow_model_requests',
    'infer_model',
    'override_allow_model_requests',
    'register_model_prefix',
)

OutputMode = Literal['text', 'tool', 'native', 'prompted', 'auto']
"""How a structured output is asked for: not at all, as a tool, by the vendor's own means, or in the prompt.

`auto` takes the model's own preference, `ModelProfile.default_structured_output_mode`."""

ALLOW_MODEL_REQUESTS = True
"""Set this to `False` in tests, and every model that would go over the network raises a `UserError` instead."""


def check_allow_model_requests() -> None:
    """Raise where requests are not allowed. Models that go over the network call this before each request."""
    if not ALLOW_MODEL_REQUESTS:
        raise UserError('Requests to models are not allowed, since pydantic_llm.models.ALLOW_MODEL_REQUESTS is False')


@contextmanager
def override_allow_model_requests(*, allow_model_requests: bool) -> Generator[None]:
    """Allow requests to models, or not, inside a `with` block."""
    global ALLOW_MODEL_REQUESTS
    before = ALLOW_MODEL_REQUESTS
    ALLOW_MODEL_REQUESTS = allow_model_requests  # pyright: ignore[reportConstantRedefinition] -- the public switch
    try:
        yield
    finally:
        ALLOW_MODEL_REQUESTS = before  # pyright: ignore[reportConstantRedefinition] -- the public switch


@dataclass(slots=True)
class OutputObjectDefinition:
    """The object that an answer must be."""

    json_schema: ObjectJsonSchema
    """Its schema."""
    name: str | None = None
    """Its name; a room has one of its own where this is `None`."""
    description: str | None = None
    """What it is."""
    strict: bool | None = None
    """Whether the vendor must hold the model to the schema; `None` leaves it to the room."""


@dataclass(slots=True)
class ModelRequestParameters:
    """What a request may use and must return."""

    function_tools: Sequence[ToolDefinition] = field(default_factory=list[ToolDefinition])
    """Tools of ours that the model may call."""
    native_tools: Sequence[NativeTool] = field(default_factory=list[NativeTool])
    """Tools of the vendor's that the model may use."""
    output_mode: OutputMode = 'text'
    """How the output is asked for."""
    output_object: OutputObjectDefinition | None = None
    """The object that the answer must be, for `native` and `prompted`."""
    output_tools: Sequence[ToolDefinition] = field(default_factory=list[ToolDefinition])
    """Tools by which the model gives its output, for `tool`."""
    prompted_output_template: str | None = None
    """What is added to the instructions for `prompted`; `{schema}` stands for the schema, empty adds nothing."""
    allow_text_output: bool = True
    """Whether text is an acceptable answer; where it is not, the model must call a tool."""

    @property
    def tools(self) -> list[ToolDefinition]:
        """Function tools and output tools, in this order."""
        return [*self.function_tools, *self.output_tools]


class StreamedResponse(ABC):
    """An answer that is still coming: an async iterator of events.

    Subclasses implement `events`, which feeds `self.draft` and yields what happened. `get()` gives the answer so far
    at any time. Leaving the block of `Model.request_stream`, or `cancel()`, ends the answer where it is.
    """

    draft: ResponseDraft
    """The answer under construction."""
    parameters: ModelRequestParameters
    """What was asked for."""

    def __init__(self, draft: ResponseDraft, parameters: ModelRequestParameters | None = None) -> None:
        self.draft = draft
        self.parameters = parameters or ModelRequestParameters()
        self.final_result_event: FinalResultEvent | None = None
        self._ready: deque[ModelResponseStreamEvent] = deque()
        self._iterator: AsyncIterator[ModelResponseStreamEvent] | None = None
        self._cancelled = False
        self._told = False

    @abstractmethod
    def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """Yield what happens. When it is over, the draft's `state` must be `'complete'` or `'incomplete'`."""

    @property
    def model_name(self) -> str:
        """The model that answers."""
        return self.draft.model_name

    @property
    def provider_name(self) -> str | None:
        """Who answers."""
        return self.draft.provider_name

    @property
    def cancelled(self) -> bool:
        """Whether the stream was left before its end."""
        return self._cancelled

    def get(self) -> ModelResponse:
        """The answer so far; its `state` is `'complete'` once all of it is here."""
        return self.draft.get()

    def usage(self) -> RequestUsage:
        """The usage so far. Most vendors tell it with the last event."""
        return self.draft.usage

    async def cancel(self) -> None:
        """End the stream where it is. The response is marked `'interrupted'`; nothing happens after the end."""
        if self.draft.state == 'incomplete' and not (self._cancelled or self._told):
            self._cancelled = True
            self.draft.state = 'interrupted'
        await self.close()

    async def close(self) -> None:
        """Let go of what the stream holds. Overridden where that is more than `events`."""
        iterator: Any = self._iterator
        if getattr(iterator, 'ag_running', True) is False:  # a generator, and nobody is waiting for its next event
            await iterator.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ModelResponseStreamEvent:
        while not self._ready:
            if self._cancelled:
                raise StopAsyncIteration
            try:
                await self._fill()
            except StopAsyncIteration:
                self._told = True
                raise
        event = self._ready.popleft()
        if type(event) is PartStartEvent and self.final_result_event is None:
            self._look_for_final_result(event)
        return event

    async def _fill(self) -> None:
        """Add to `_ready`, or raise `StopAsyncIteration`. Overridden by streams that get several events at once."""
        if self._iterator is None:
            self._iterator = self.events()
        self._ready.append(await anext(self._iterator))

    def _look_for_final_result(self, event: PartStartEvent) -> None:
        """Announce the output as soon as the part that will hold it begins."""
        parameters = self.parameters
        match event.part:
            case TextPart() if parameters.allow_text_output and parameters.output_mode != 'tool':
                found = FinalResultEvent()
            case ToolCallPart(tool_name=name, tool_call_id=id) if any(
                tool.name == name for tool in parameters.output_tools
            ):
                found = FinalResultEvent(name, id)
            case _:
                return
        self.final_result_event = found
        self._ready.appendleft(found)


class WholeResponse(StreamedResponse):
    """An answer that is already here, told as a stream."""

    def __init__(self, response: ModelResponse, parameters: ModelRequestParameters | None = None) -> None:
        super().__init__(ResponseDraft(response.model_name or '', response.provider_name), parameters)
        self._response = response

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """Yield the start and the end of each part."""
        parts = self.draft.parts
        for index, part in enumerate(self._response.parts):
            parts.whole(index, part)
            parts.close(index)
            for event in parts.take_events():
                yield event
        self.draft.state = self._response.state

    def get(self) -> ModelResponse:
        """The answer; only the parts that have been told of so far."""
        return replace(self._response, parts=self.draft.parts.get(), state=self.draft.state)

    def usage(self) -> RequestUsage:
        """The usage of the whole answer."""
        return self._response.usage


class Model(ABC):
    """Something that answers messages. `model_name` and `request` make one; everything else has a default."""

    def __init__(self, *, settings: ModelSettings | None = None, profile: ModelProfileSpec | None = None) -> None:
        self._settings = settings
        self._profile_spec = profile
        self._profile: ModelProfile | None = None

    @property
    @abstractmethod
    def model_name(self) -> str:
        """The name of the model, as its vendor knows it."""

    @property
    def system(self) -> str:
        """The name of the vendor, in OpenTelemetry's words where it has one."""
        return type(self).__name__.removesuffix('Model').lower() or 'custom'

    @property
    def model_id(self) -> str:
        """`system:model_name`."""
        return f'{self.system}:{self.model_name}'

    @property
    def base_url(self) -> str | None:
        """Where requests go; `None` for a model in this process."""
        return None

    @property
    def settings(self) -> ModelSettings | None:
        """The settings that every request of this model starts from."""
        return self._settings

    @property
    def profile(self) -> ModelProfile:
        """What the model can do."""
        if self._profile is None:
            spec = self._profile_spec
            self._profile = spec(self.model_name) or DEFAULT_PROFILE if callable(spec) else self._own_profile()
            if spec is not None and not callable(spec):
                self._profile = self._profile.merge(spec)
        return self._profile

    def _own_profile(self) -> ModelProfile:
        """What the model can do, before the `profile` it was given is laid over it."""
        return DEFAULT_PROFILE

    @abstractmethod
    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Send a conversation, get the next turn.

        Raises `UserError` for what cannot be sent, `ModelAPIError` for what went wrong on the way or at the vendor's,
        `UnexpectedModelBehavior` for an answer that is none.
        """

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Send a conversation, get the next turn as it is written. A model that cannot stream tells its whole answer.

        Raises what `request` raises, on entering or while iterating.
        """
        response = await self.request(messages, model_settings, model_request_parameters)
        stream = WholeResponse(response, model_request_parameters)
        try:
            yield stream
        finally:
            await stream.cancel()

    async def aclose(self) -> None:
        """Close the connections that this model opened. Overridden where there are any."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.model_name!r})'

    def merged_settings(self, model_settings: ModelSettings | None) -> ModelSettings:
        """The model's own settings with a request's laid over them."""
        return merge_model_settings(self.settings, model_settings) or {}


def infer_model(model: Model | KnownModelName | str, **options: Any) -> Model:
    """The model that a string like `'openai:gpt-4o'` names; a `Model` is returned as it is.

    `options` go to the model's class (`provider=`, `settings=`, ...). Raises `UserError` for a prefix that does not
    exist, with the nearest ones that do, and for a missing extra or key.
    """
    if isinstance(model, Model):
        return model
    from .names import build_model

    return build_model(model, options)


ModelFactory = Callable[..., Model]
"""A `Model` class, or a function, that takes a model's name and keyword options and returns a model."""


def register_model_prefix(name: str, loader: Callable[[], ModelFactory]) -> None:
    """Make `name` a prefix of model strings, for models of your own: `infer_model('name:some-model')`.

    `loader` is called without arguments when the prefix is used, so that it can import late. It returns a `Model`
    class, or a function, that takes the model's name and the options of `infer_model` as keywords. Registering the
    same loader again changes nothing. Raises a `UserError` if the prefix is taken or cannot be one.
    """
    from .names import add_prefix

    add_prefix(name, loader)


def __getattr__(name: str) -> Any:
    """Import `KnownModelName`, a type of some hundred names, when it is first used."""
    if name == 'KnownModelName':
        from .known_names import KnownModelName

        return KnownModelName
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
