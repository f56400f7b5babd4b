"""The contract of models: `Model`, its parameters `ModelRequestParameters`, and its streams `StreamedResponse`.

A custom model subclasses `Model` and implements `model_name` and `request`. To stream, it also implements
`request_stream`, with a subclass of `StreamedResponse`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

from .._setting_checks import check_settings, make_shared_checks, warn_of_unknown_settings
from .._type_checks import check_settings_type, check_type, raise_wrong_type
from ..exceptions import UserError
from ..messages import (
    FilePart,
    FinalResultEvent,
    ModelMessage,
    ModelResponse,
    ModelResponseStreamEvent,
    PartStartEvent,
    TextPart,
    ToolCallPart,
)
from ..messages._value import shorten
from ..native_tools import NativeTool
from ..profiles import DEFAULT_PROFILE, ModelProfile, ModelProfileSpec
from ..profiles.history import NO_SYSTEM_PROMPTS
from ..settings import ModelSettings, merge_model_settings
from ..streaming.draft import ResponseDraft
from ..streaming.parts import LAST, PartsManager
from ..tools.definition import ObjectJsonSchema, ToolDefinition
from ..usage import RequestUsage

if TYPE_CHECKING:
    from ..prices import Prices
    from .description import RequestDescription
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
    'check_model',
    'infer_model',
    'override_allow_model_requests',
    'register_model_prefix',
)

OutputMode = Literal['text', 'tool', 'native', 'prompted', 'auto']
"""The way to request output: plain text, a call of an output tool, the vendor's JSON schema mode, or a prompt.

`auto` uses the mode that the model prefers, `ModelProfile.default_structured_output_mode`."""

ALLOW_MODEL_REQUESTS = True
"""Set this to `False` in tests to make every request over the network raise `UserError`."""


def check_allow_model_requests() -> None:
    """Raise `UserError` if `ALLOW_MODEL_REQUESTS` is false. Models call this before each request over the network."""
    if not ALLOW_MODEL_REQUESTS:
        raise UserError(
            'Requests to models are not allowed, since pydantic_llm.models.ALLOW_MODEL_REQUESTS is False: replace the '
            "model, with agent.override(model='test')"
        )


@contextmanager
def override_allow_model_requests(*, allow_model_requests: bool) -> Generator[None]:
    """Set `ALLOW_MODEL_REQUESTS` inside a `with` block."""
    global ALLOW_MODEL_REQUESTS
    before = ALLOW_MODEL_REQUESTS
    ALLOW_MODEL_REQUESTS = allow_model_requests  # pyright: ignore[reportConstantRedefinition] -- the public switch
    try:
        yield
    finally:
        ALLOW_MODEL_REQUESTS = before  # pyright: ignore[reportConstantRedefinition] -- the public switch


@dataclass(slots=True)
class OutputObjectDefinition:
    """The object that a response must be."""

    json_schema: ObjectJsonSchema
    """The JSON schema of the object."""
    name: str | None = None
    """The name of the object, for the model; `None` uses a default."""
    description: str | None = None
    """The description of the object, for the model."""
    strict: bool | None = None
    """True to make the vendor enforce the schema; `None` enforces it if the model supports that for this schema."""


@dataclass(slots=True)
class ModelRequestParameters:
    """The tools and the output of a request."""

    function_tools: Sequence[ToolDefinition] = field(default_factory=list[ToolDefinition])
    """Tools that the model may call and the application executes."""
    native_tools: Sequence[NativeTool] = field(default_factory=list[NativeTool])
    """Tools that the vendor executes itself."""
    output_mode: OutputMode = 'text'
    """The way to request output."""
    output_object: OutputObjectDefinition | None = None
    """The object that the response must be, for the modes `native` and `prompted`."""
    output_tools: Sequence[ToolDefinition] = field(default_factory=list[ToolDefinition])
    """Tools that the model calls with its output, for the mode `tool`."""
    prompted_output_template: str | None = None
    """Instructions to add for the mode `prompted`, with `{schema}` for the schema; an empty text adds none."""
    allow_text_output: bool = True
    """False to require a tool call; text alone is then not a valid response."""

    allow_image_output: bool = False
    """True if a file that the model generates is a valid response by itself."""

    @property
    def tools(self) -> list[ToolDefinition]:
        """The function tools, then the output tools."""
        return [*self.function_tools, *self.output_tools]

    @property
    def tool_defs(self) -> dict[str, ToolDefinition]:
        """The function tools and the output tools by name."""
        return {tool.name: tool for tool in self.tools}

    @property
    def builtin_tools(self) -> Sequence[NativeTool]:
        """Another name of `native_tools`."""
        return self.native_tools


class StreamedResponse(ABC):
    """A response that is still streaming: an async iterator of events.

    Subclasses implement `events`, which fills `self.draft` and yields the events. `get()` returns the response so far
    at any time. `cancel()`, or leaving the block of `Model.request_stream`, stops the stream.
    """

    draft: ResponseDraft
    """The response under construction."""
    parameters: ModelRequestParameters
    """The parameters of the request."""

    def __init__(self, draft: ResponseDraft, parameters: ModelRequestParameters | None = None) -> None:
        self.draft = draft
        self.parameters = parameters or ModelRequestParameters()
        self.final_result_event: FinalResultEvent | None = None
        self._ready: deque[ModelResponseStreamEvent] = deque()
        self._iterator: AsyncIterator[ModelResponseStreamEvent] | None = None
        self._cancelled = False
        self._ended = False

    @abstractmethod
    def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """Yield the events. At the end, the draft's `state` must be `'complete'` or `'incomplete'`."""

    @property
    def model_name(self) -> str:
        """The model that responds, as the vendor names it."""
        return self.draft.model_name

    @property
    def provider_name(self) -> str | None:
        """The vendor that responds."""
        return self.draft.provider_name

    @property
    def timestamp(self) -> datetime:
        """The time of the response."""
        return self.get().timestamp

    @property
    def cancelled(self) -> bool:
        """True if the stream was cancelled before its end."""
        return self._cancelled

    def get(self) -> ModelResponse:
        """Return the response so far. Its `state` is `'complete'` when all of it has arrived."""
        return self.draft.get()

    def usage(self) -> RequestUsage:
        """Return the usage so far. Most vendors send it with the last event."""
        return self.draft.usage

    async def cancel(self) -> None:
        """Stop the stream. An unfinished response gets the state `'interrupted'`; after the end, this does nothing."""
        if self.draft.state == 'incomplete' and not (self._cancelled or self._ended):
            self._cancelled = True
            self.draft.state = 'interrupted'
        await self.close()

    async def close(self) -> None:
        """Release the resources of the stream. The default closes the generator of `events`."""
        iterator: Any = self._iterator
        if getattr(iterator, 'ag_running', True) is False:  # closing a running generator raises RuntimeError
            await iterator.aclose()

    async def aclose(self) -> None:
        """Do the same as `cancel`, for `contextlib.aclosing`."""
        await self.cancel()

    def __repr__(self) -> str:
        text = self.get().text or ''
        return f'{type(self).__name__}({self.model_name!r}, state={self.draft.state!r}, text={shorten(text)!r})'

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ModelResponseStreamEvent:
        while not self._ready:
            if self._cancelled:
                raise StopAsyncIteration
            try:
                await self._read_more()
            except StopAsyncIteration:
                self._ended = True
                raise
        event = self._ready.popleft()
        if type(event) is PartStartEvent and self.final_result_event is None:
            self._emit_final_result(event)
        return event

    async def _read_more(self) -> None:
        """Wait for events and add them to `_ready`. Raises `StopAsyncIteration` at the end of the stream."""
        if self._iterator is None:
            self._iterator = self.events()
        self._ready.append(await anext(self._iterator))

    def _emit_final_result(self, event: PartStartEvent) -> None:
        """Emit a `FinalResultEvent` if the part that starts can be the output of the run."""
        parameters = self.parameters
        match event.part:
            case TextPart() if parameters.allow_text_output and parameters.output_mode != 'tool':
                found = FinalResultEvent()
            case FilePart() if parameters.allow_image_output:
                found = FinalResultEvent()
            case ToolCallPart(tool_name=name, tool_call_id=id) if any(
                tool.name == name for tool in parameters.output_tools
            ):
                found = FinalResultEvent(name, id)
            case _:
                return
        self.final_result_event = found
        self._ready.appendleft(found)


class BufferedStream(StreamedResponse):
    """A stream that receives several events at once. Subclasses implement `_read_more` instead of `events`."""

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """Yield the same events as iteration over the stream."""
        async for event in self:
            yield event

    @abstractmethod
    async def _read_more(self) -> None: ...


class WholeResponse(StreamedResponse):
    """The stream of a response that is already complete."""

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
        """Return the response, with the parts whose events were emitted so far."""
        return replace(self._response, parts=self.draft.parts.get(), state=self.draft.state)

    def usage(self) -> RequestUsage:
        """Return the usage of the complete response."""
        return self._response.usage


CALLED = (
    'A model is not called: write model_request_sync(model, messages) of pydantic_llm.direct, or '
    'Agent(model).run_sync(text). messages_from_openai() reads dicts with roles, and pydantic_llm.ext.smolagents makes '
    'a model of smolagents of any model'
)
"""The message for `model(messages)`."""


class Model(ABC):
    """A language model. Subclasses implement `model_name` and `request`; all other members have a default."""

    deciding_attributes: ClassVar[tuple[str, ...]] = ()
    """The attributes that decide about the response, in addition to the request, as a cache must know."""

    # the values of a subclass whose `__init__` does not call this one
    _settings: ModelSettings | None = None
    _profile_spec: ModelProfileSpec | None = None
    _profile: ModelProfile | None = None
    _message_facts: Mapping[str, Any] | None = None
    """The options about the form of messages, as fields of a profile."""

    def __init__(self, *, settings: ModelSettings | None = None, profile: ModelProfileSpec | None = None) -> None:
        check_settings_type(settings, parameter='settings')
        if profile is not None and not callable(profile):
            check_type(profile, (ModelProfile, Mapping), parameter='profile', expected='a ModelProfile or a dict')
        self._settings = settings
        self._profile_spec = profile

    @property
    @abstractmethod
    def model_name(self) -> str:
        """The name of the model at its vendor."""

    @property
    def system(self) -> str:
        """The name of the vendor, by OpenTelemetry's conventions if they name it."""
        return type(self).__name__.removesuffix('Model').lower() or 'custom'

    @property
    def model_id(self) -> str:
        """The model as a string: `system:model_name`."""
        return f'{self.system}:{self.model_name}'

    @property
    def base_url(self) -> str | None:
        """The base URL of requests; `None` for a local model."""
        return None

    @property
    def members(self) -> Sequence[Model]:
        """The models that this model sends its requests to; empty if it sends them to a vendor or an engine itself."""
        return ()

    @property
    def context_window(self) -> int | None:
        """The number of tokens that a request and its response may have together; `None` if it is unknown.

        It is that of the profile, or what `genai-prices` knows, or the smallest one of the `members`.
        """
        if (window := self.profile.context_window) is not None:
            return window
        if self.members:
            return min((each for member in self.members if (each := member.context_window)), default=None)
        from ..prices import find_context_window

        return find_context_window(self.system, self.model_name)

    @property
    def max_output_tokens(self) -> int | None:
        """The largest number of tokens in a response; `None` if no profile, of this model or its members, has it."""
        own = self.profile.max_output_tokens
        return own or min((each for member in self.members if (each := member.max_output_tokens)), default=None)

    @property
    def prices(self) -> Prices | None:
        """Today's prices of the model, registered or of `genai-prices`; `None` if unknown, or if it has members."""
        if self.members:
            return self.members[0].prices if len(self.members) == 1 else None
        from ..prices import find_model_prices

        return find_model_prices(self.system, self.model_name)

    @property
    def settings(self) -> ModelSettings | None:
        """The default settings of requests to this model."""
        return self._settings

    @property
    def profile(self) -> ModelProfile:
        """The features that the model supports."""
        if self._profile is None:
            self._profile = self._make_profile()
        return self._profile

    def _make_profile(self) -> ModelProfile:
        """Return the profile that the `profile` parameter gives, or changes."""
        spec = self._profile_spec
        profile = spec(self.model_name) or DEFAULT_PROFILE if callable(spec) else self._own_profile().merge(spec)
        return profile.merge(self._message_facts)

    def _describe_messages(self, roles: Mapping[str, str], flatten: bool | None) -> Mapping[str, Any] | None:
        """Return the options about the form of messages as fields of a profile.

        `roles` are those to replace; `flatten` matters only to APIs that have two forms of text. Raises `UserError`
        for a role that cannot be replaced: APIs have a form of their own for tool calls and tool results.
        """
        changes = {old: new for old, new in roles.items() if old != new}
        if changes not in ({}, {'system': 'user'}):
            kind = type(self).__name__
            raise UserError(f"custom_role_conversions is {changes!r}, and {kind} takes {{'system': 'user'}} alone")
        return NO_SYSTEM_PROMPTS if changes else None

    def _own_profile(self) -> ModelProfile:
        """Return the profile for `model_name`, before the `profile` parameter is merged into it."""
        return DEFAULT_PROFILE

    @abstractmethod
    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Send a conversation and return the response.

        Raises `UserError` if the conversation cannot be sent, `ModelAPIError` if the connection or the vendor fails,
        `UnexpectedModelBehavior` if the response is invalid.
        """

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Send a conversation and stream the response. By default, the events of a complete response.

        `run_context` is there for models of your own that were written for pydantic-ai; no model of this package reads
        it. Raises the same exceptions as `request`, on entering or while iterating.
        """
        response = await self.request(messages, model_settings, model_request_parameters)
        stream = WholeResponse(response, model_request_parameters)
        try:
            yield stream
        finally:
            await stream.cancel()

    async def count_tokens(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestUsage:
        """Return the number of input tokens that a request with these arguments has, without sending it.

        Raises `UserError` if the model cannot count, and the errors of `request`.
        """
        raise UserError(f'{self.model_id!r} cannot count the tokens of a request before it is sent')

    def describe_request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestDescription:
        """Return what decides about the response to a request, without sending it.

        A model behind an API returns the request on the wire. A model of your own names the options that decide about
        the response in `deciding_attributes`: they are in the `context`. Raises `UserError` for what cannot be sent.
        """
        from .description import RequestDescription, describe_reading, describe_value, encode_description

        parameters, profile = model_request_parameters or ModelRequestParameters(), self.profile
        if parameters.output_mode == 'auto':
            mode = profile.choose_output_mode(has_native_tools=bool(parameters.native_tools))
            parameters = replace(parameters, output_mode=mode)
        body = encode_description(messages, self.merged_settings(model_settings), parameters)
        options = {name: describe_value(getattr(self, name)) for name in self.deciding_attributes}
        context = {**describe_reading(profile, has_output=False), **options}
        return RequestDescription(model_id=self.model_id, base_url=self.base_url, body=body, context=context)

    async def compact_messages(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        *,
        instructions: str | None = None,
    ) -> ModelResponse:
        """Ask the vendor to summarize a conversation. Returns a response with a `CompactionPart`.

        The response stands for the messages: put it into the history in their place. `instructions` say what the
        summary must contain. Raises `UserError` if the vendor has no such API, and the errors of `request`.
        """
        raise UserError(f'{self.model_name!r} has no API for summaries: use SummarizeOldTurns of pydantic_llm.history')

    async def aclose(self) -> None:
        """Close the connections that this model opened. The default has none."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    if not TYPE_CHECKING:  # a type checker refuses the call by itself

        def __call__(self, *args: object, **options: object) -> None:
            """Raise `TypeError`: in smolagents, a model is called with messages."""
            raise TypeError(CALLED)

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.model_name!r})'

    def merged_settings(self, model_settings: ModelSettings | None) -> ModelSettings:
        """Return the settings of the model with those of a request merged into them, without those of `None`.

        Raises `UserError` for a shared setting with an invalid value.
        """
        check_settings_type(self.settings, parameter='settings')
        check_settings_type(model_settings)
        merged: ModelSettings = merge_model_settings(self.settings, model_settings) or {}
        check_settings(merged, make_shared_checks())
        if unknown := merged.keys() - ModelSettings.__annotations__.keys():
            warn_of_unknown_settings(unknown, merged)
        if None in merged.values():
            return cast('ModelSettings', {name: value for name, value in merged.items() if value is not None})
        return merged


def iter_leaves(model: Model) -> Iterator[Model]:
    """Yield the models that respond themselves: those inside wrappers, fallbacks and routers, or the model."""
    for member in model.members:
        yield from iter_leaves(member)
    if not model.members:
        yield model


def infer_model(model: Model | KnownModelName | str, **options: Any) -> Model:
    """Return the model for a string like `'openai:gpt-5.4-mini'`; a `Model` is returned unchanged.

    `options` are passed to the class of the model (`provider=`, `settings=`, ...). Raises `UserError` if the prefix is
    unknown, with the most similar ones, or if an extra or an API key is missing.
    """
    check_model(model, parameter='model')
    if isinstance(model, Model):
        return model
    from .names import build_model

    return build_model(model, options)


def check_model(value: object, *, parameter: str) -> None:
    """Raise `UserError`, naming the parameter, unless the value is a model or a name."""
    if not isinstance(value, (Model, str)):
        is_class = isinstance(value, type) and issubclass(cast('type[object]', value), Model)
        hint = 'make an object of it' if is_class else None
        raise_wrong_type(parameter, "a Model or a name such as 'openai:gpt-5.4-mini'", cast('object', value), hint)  # type: ignore[redundant-cast]  # pyright needs it


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
