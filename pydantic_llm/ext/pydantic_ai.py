"""Any model of this library as a model of pydantic-ai: `PydanticLLMModel`. Its messages are almost ours.

`messages_from_pydantic_ai` and `messages_to_pydantic_ai` convert histories. `_pydantic_ai_request` converts the other
parts of a request, and errors. https://pydantic.dev/docs/ai/models/overview/
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..exceptions import ModelAPIError, UserError
from ..messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    StreamRestartEvent,
    TextPartDelta,
    ThinkingPartDelta,
    ToolCallPartDelta,
)
from ..models import Model, StreamedResponse, infer_model
from ..settings import ModelSettings
from ._framework import import_framework
from ._pydantic_ai_request import (
    decode_parameters,
    decode_settings,
    encode_profile,
    encode_usage,
    find_unsupported_options,
    list_native_tools,
    select_usage,
    translate_errors,
)

if TYPE_CHECKING:
    from ..models.known_names import KnownModelName

    class Base:
        """The members of `pydantic_ai.models.Model` that `PydanticLLMModel` uses."""

        def __init__(self, *, settings: Any, profile: Any) -> None: ...
        def prepare_request(self, settings: Any, parameters: Any) -> tuple[Any, Any]: ...
        def _get_instruction_parts(self, messages: Any, parameters: Any) -> list[Any] | None: ...

    class StreamBase:
        """The members of `pydantic_ai.models.StreamedResponse` that `_Stream` uses."""

        _parts_manager: Any
        _finished: bool

        def __init__(self, *, model_request_parameters: Any) -> None: ...
        def get(self) -> Any: ...
else:
    models = import_framework('pydantic_ai.models', extra='pydantic-ai', what=__name__)
    Base, StreamBase = models.Model, models.StreamedResponse

__all__ = ('PydanticLLMModel', 'messages_from_pydantic_ai', 'messages_to_pydantic_ai')

theirs: Any = import_framework('pydantic_ai.messages', extra='pydantic-ai', what=__name__)


def messages_from_pydantic_ai(messages: Sequence[Any]) -> list[ModelMessage]:
    """Return a history of pydantic-ai as messages of this library. Raises `UserError` for anything else."""
    kinds = (theirs.ModelRequest, theirs.ModelResponse)
    if others := [message for message in messages if not isinstance(message, kinds)]:
        raise UserError(f'messages= is not a history of pydantic-ai: it holds {others[0]!r}')
    try:
        return ModelMessagesTypeAdapter.validate_python(theirs.ModelMessagesTypeAdapter.dump_python([*messages]))
    except ValidationError as error:
        raise UserError(f'messages= holds what this library cannot read: {error}') from error


def messages_to_pydantic_ai(messages: Sequence[ModelMessage]) -> list[Any]:
    """Return messages of this library as a history of pydantic-ai.

    The warnings of a response are in its `metadata`, under `'warnings'`.
    """
    dumped = ModelMessagesTypeAdapter.dump_python([*messages])
    for message in dumped:
        if 'usage' in message:
            message['usage'] = select_usage(message['usage'])
        if message.get('warnings'):
            message['metadata'] = {**(message.get('metadata') or {}), 'warnings': message['warnings']}
    converted: list[Any] = theirs.ModelMessagesTypeAdapter.validate_python(dumped)
    return converted


class PydanticLLMModel(Base):
    """A model of pydantic-ai whose requests go to a model of this library.

    `settings` and `profile` are pydantic-ai's; settings of one vendor have the same names in both libraries. Errors
    are those of pydantic-ai, with the one of this library as their cause.
    """

    def __init__(
        self, model: Model | KnownModelName | str, *, settings: ModelSettings | Any = None, profile: Any = None
    ) -> None:
        self.wrapped: Model = infer_model(model)
        """The model of this library."""
        super().__init__(settings=settings, profile=profile)

    @property
    def model_name(self) -> str:
        return self.wrapped.model_name

    @property
    def system(self) -> str:
        return self.wrapped.system

    @property
    def base_url(self) -> str | None:
        return self.wrapped.base_url

    async def request(self, messages: list[Any], model_settings: Any, model_request_parameters: Any) -> Any:
        """Send a conversation and return the response."""
        with translate_errors(self.wrapped):
            arguments = self._convert_request(messages, model_settings, model_request_parameters)
            response = await self.wrapped.request(*arguments)
            [converted] = messages_to_pydantic_ai([response])
        return converted

    @asynccontextmanager
    async def request_stream(
        self, messages: list[Any], model_settings: Any, model_request_parameters: Any, run_context: Any = None
    ) -> AsyncGenerator[Any]:
        """Send a conversation and stream the response."""
        with translate_errors(self.wrapped):
            arguments = self._convert_request(messages, model_settings, model_request_parameters)
            async with self.wrapped.request_stream(*arguments) as stream:
                yield _Stream(stream, self.wrapped, model_request_parameters)

    async def count_tokens(self, messages: list[Any], model_settings: Any, model_request_parameters: Any) -> Any:
        """Return the number of input tokens of a request."""
        with translate_errors(self.wrapped):
            arguments = self._convert_request(messages, model_settings, model_request_parameters)
            return encode_usage(await self.wrapped.count_tokens(*arguments))

    async def compact_messages(self, request_context: Any, *, instructions: str | None = None) -> Any:
        """Ask the vendor to summarize a conversation."""
        context = request_context
        with translate_errors(self.wrapped):
            arguments = self._convert_request(
                context.messages, context.model_settings, context.model_request_parameters
            )
            response = await self.wrapped.compact_messages(*arguments, instructions=instructions)
            [converted] = messages_to_pydantic_ai([response])
        return converted

    @classmethod
    def supported_native_tools(cls) -> frozenset[Any]:
        """Return the tools that this library has. The profile has those of the model."""
        return list_native_tools()

    def unsupported_native_tool_settings(self, native_tool: Any) -> frozenset[str]:
        restricting: frozenset[str] = native_tool.restricting_settings
        return find_unsupported_options(native_tool) & restricting

    def _provider_model_profile(self) -> Any:
        return self._own_profile

    @cached_property
    def _own_profile(self) -> Any:
        return encode_profile(self.wrapped)

    def _convert_request(self, messages: list[Any], settings: Any, parameters: Any) -> tuple[Any, Any, Any]:
        settings, parameters = self.prepare_request(settings, parameters)
        converted = messages_from_pydantic_ai(messages)
        instructions = [part.content for part in self._get_instruction_parts(messages, parameters) or ()]
        _set_instructions(converted, '\n\n'.join(instructions) or None)
        return converted, decode_settings(settings, parameters), decode_parameters(parameters, settings)


def _set_instructions(messages: list[ModelMessage], instructions: str | None) -> None:
    """Set the instructions of the newest request, in place, to those that pydantic-ai resolved."""
    for message in reversed(messages):
        if isinstance(message, ModelRequest):
            message.instructions = instructions
            return


class _Stream(StreamBase):
    """A `StreamedResponse` of pydantic-ai with the events of one of this library."""

    def __init__(self, stream: StreamedResponse, model: Model, parameters: Any) -> None:
        super().__init__(model_request_parameters=parameters)
        self._stream = stream
        self._model = model

    async def _get_event_iterator(self) -> AsyncIterator[Any]:
        with translate_errors(self._model):
            async for event in self._stream:
                for converted in self._convert_event(event):
                    yield converted
        self._copy_fields(self._stream.get())

    def _convert_event(self, event: ModelResponseStreamEvent) -> Any:
        parts = self._parts_manager
        match event:
            case PartStartEvent(index=index, part=part):
                yield parts.handle_part(vendor_part_id=index, part=_convert_part(part))
            case PartDeltaEvent(index=index, delta=TextPartDelta() as delta):
                yield from parts.handle_text_delta(
                    vendor_part_id=index, content=delta.content_delta, provider_details=delta.provider_details
                )
            case PartDeltaEvent(index=index, delta=ThinkingPartDelta() as delta):
                yield from parts.handle_thinking_delta(
                    vendor_part_id=index,
                    content=delta.content_delta,
                    signature=delta.signature_delta,
                    provider_details=delta.provider_details,
                )
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta() as delta):
                yield from parts.handle_tool_call_delta_events(
                    vendor_part_id=index, args=delta.args_delta, provider_details=delta.provider_details
                )
            case StreamRestartEvent(reason=reason):
                raise ModelAPIError(self.model_name, f'The response broke off and cannot be withdrawn: {reason}')
            case _:  # the end of a part, or the final result
                pass  # pydantic-ai emits its own

    def _copy_fields(self, response: ModelResponse) -> None:
        [converted] = messages_to_pydantic_ai([response])
        for name in ('provider_response_id', 'provider_details', 'finish_reason', 'state', 'metadata'):
            setattr(self, name, getattr(converted, name))

    async def close_stream(self) -> None:
        await self._stream.cancel()

    @property
    def usage(self) -> Any:
        return encode_usage(self._stream.usage())

    @property
    def model_name(self) -> str:
        return self._stream.model_name

    @property
    def provider_name(self) -> str | None:
        return self._stream.provider_name

    @property
    def provider_url(self) -> str | None:
        return self._model.base_url

    @property
    def timestamp(self) -> datetime:
        return self._stream.get().timestamp


def _convert_part(part: Any) -> Any:
    [message] = messages_to_pydantic_ai([ModelResponse([part])])
    return message.parts[0]
