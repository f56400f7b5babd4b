"""What comes back from a model: text, thinking, tool calls, files, and the vendor's own tools at work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AliasChoices,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import from_json, to_json

from ..exceptions import UnexpectedModelBehavior
from ..usage import RequestUsage
from ._stored import read_response
from ._tool_files import with_digests, with_files
from ._value import new_tool_call_id, now, repr_of_what_is_set
from .content import BinaryContent
from .request import ToolReturnContent

__all__ = (
    'BaseToolCallPart',
    'FilePart',
    'FinishReason',
    'ModelResponse',
    'ModelResponsePart',
    'NativeToolCallPart',
    'NativeToolReturnPart',
    'ResponseState',
    'TextPart',
    'ThinkingPart',
    'ToolCallPart',
)

FinishReason = Literal['stop', 'length', 'content_filter', 'tool_call', 'error']
"""Why the model stopped, in OpenTelemetry's words. The vendor's own word is in `provider_details['finish_reason']`."""

INVALID = 'invalid_json'
"""Where the arguments of a call stand that are no object, in the object that is made of them."""

ResponseState = Literal['complete', 'incomplete', 'interrupted']
"""`complete`: all of it arrived. `incomplete`: the vendor cut it. `interrupted`: we left, or the wire broke."""


@dataclass(repr=False, slots=True)
class TextPart:
    """Text that the model wrote."""

    content: str
    """The text."""

    _: KW_ONLY

    id: str | None = None
    """The vendor's id of this part, where it has one."""

    provider_name: str | None = None
    """Who made the part; ids and details go back to that vendor alone."""

    provider_details: dict[str, Any] | None = None
    """What one vendor says beside the text: citations, log probabilities."""

    part_kind: Literal['text'] = 'text'
    """The kind of part, for telling parts apart."""

    def has_content(self) -> bool:
        """Whether the part says anything."""
        return bool(self.content)

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class ThinkingPart:
    """What the model thought before it answered, as far as the vendor shows it."""

    content: str
    """The thoughts; empty where the vendor keeps them to itself."""

    _: KW_ONLY

    id: str | None = None
    """The vendor's id of this part; `'redacted_thinking'` marks Anthropic's encrypted blocks."""

    signature: str | None = None
    """The vendor's seal or encrypted form, which it wants back with the next request."""

    provider_name: str | None = None
    """Who made the part; signatures go back to that vendor alone."""

    provider_details: dict[str, Any] | None = None
    """What one vendor says beside the thoughts."""

    part_kind: Literal['thinking'] = 'thinking'
    """The kind of part, for telling parts apart."""

    def has_content(self) -> bool:
        """Whether the part shows any thoughts."""
        return bool(self.content)

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class BaseToolCallPart:
    """What calls of our tools and of the vendor's own have in common."""

    tool_name: str
    """The tool that is called."""

    args: str | dict[str, Any] | None = None
    """The arguments: the bytes that the vendor sent as text, or an object where it sends one."""

    tool_call_id: str = field(default_factory=new_tool_call_id)
    """The id of this call, by which its answer is found."""

    _: KW_ONLY

    id: str | None = None
    """The vendor's id of the item that holds the call, where that is another than the call's."""

    provider_name: str | None = None
    """Who made the part."""

    provider_details: dict[str, Any] | None = None
    """What one vendor says beside the call: thought signatures."""

    def args_as_dict(self, *, raise_if_invalid: bool = True) -> dict[str, Any]:
        """The arguments as an object; `UnexpectedModelBehavior` where they are not one.

        With `raise_if_invalid=False` what is no object is put into one, as the value of `invalid_json`: a vendor that
        takes objects alone can so be sent what a model wrote, for it to learn from the answer that it got.
        """
        if not self.args:
            return {}
        if isinstance(self.args, dict):
            return self.args
        try:
            value = from_json(self.args)
            wrong = None if isinstance(value, dict) else 'a JSON object'
        except ValueError as error:
            value, wrong = None, f'JSON: {error}'
        if wrong is None:
            return cast('dict[str, Any]', value)
        if not raise_if_invalid:
            return {INVALID: self.args}
        raise UnexpectedModelBehavior(f'The arguments of {self.tool_name!r} are not {wrong}', self.args)

    def args_as_json_str(self) -> str:
        """The arguments as JSON text: what the vendor sent, byte for byte, where it sent text."""
        if not self.args:
            return '{}'
        return self.args if isinstance(self.args, str) else to_json(self.args).decode()

    def has_content(self) -> bool:
        """Whether the call has any arguments."""
        return bool(self.args)

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class ToolCallPart(BaseToolCallPart):
    """A call of one of our tools."""

    _: KW_ONLY

    part_kind: Literal['tool-call'] = 'tool-call'
    """The kind of part, for telling parts apart."""

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class NativeToolCallPart(BaseToolCallPart):
    """A call of one of the vendor's own tools (web search, code execution), which the vendor runs itself."""

    _: KW_ONLY

    part_kind: Literal['builtin-tool-call'] = 'builtin-tool-call'
    """The kind of part, for telling parts apart."""

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class NativeToolReturnPart:
    """What one of the vendor's own tools gave."""

    tool_name: str
    """The tool that ran."""

    content: ToolReturnContent
    """What it gave, in the vendor's form."""

    tool_call_id: str = field(default_factory=new_tool_call_id)
    """The id of the call that this answers."""

    _: KW_ONLY

    metadata: Any = None
    """Kept in the history, never sent."""

    timestamp: datetime = field(default_factory=now)
    """When the part was read."""

    provider_name: str | None = None
    """Who made the part; it goes back to that vendor alone."""

    provider_details: dict[str, Any] | None = None
    """What one vendor says beside the result."""

    part_kind: Literal['builtin-tool-return'] = 'builtin-tool-return'
    """The kind of part, for telling parts apart."""

    def has_content(self) -> bool:
        """Whether the tool gave anything."""
        return self.content is not None

    @model_validator(mode='before')
    @classmethod
    def _with_files(cls, value: object) -> object:
        return with_files(cast('Mapping[str, Any]', value)) if isinstance(value, Mapping) else value

    @model_serializer(mode='wrap')
    def _with_digests(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return with_digests(serialize(self), self.content)

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class FilePart:
    """A file that the model made: an image, sound."""

    content: BinaryContent
    """The file."""

    _: KW_ONLY

    id: str | None = None
    """The vendor's id of the file."""

    provider_name: str | None = None
    """Who made the file."""

    provider_details: dict[str, Any] | None = None
    """What one vendor says beside the file."""

    part_kind: Literal['file'] = 'file'
    """The kind of part, for telling parts apart."""

    def has_content(self) -> bool:
        """Whether the file has any bytes."""
        return bool(self.content.data)

    __repr__ = repr_of_what_is_set


ModelResponsePart = Annotated[
    TextPart | ThinkingPart | ToolCallPart | NativeToolCallPart | NativeToolReturnPart | FilePart,
    Discriminator('part_kind'),
]
"""One part of a response."""


@dataclass(repr=False, slots=True)
class ModelResponse:
    """One turn from the model to us."""

    parts: Sequence[ModelResponsePart]
    """What the model said and did, in order."""

    _: KW_ONLY

    usage: RequestUsage = field(default_factory=RequestUsage)
    """How many tokens were read and written."""

    model_name: str | None = None
    """The model that answered, by the vendor's word."""

    timestamp: datetime = field(default_factory=now)
    """When the answer was made, by the vendor's clock where it tells, ours otherwise."""

    provider_name: str | None = None
    """Who answered."""

    provider_url: str | None = None
    """Where the answer came from."""

    provider_details: Annotated[
        dict[str, Any] | None, Field(validation_alias=AliasChoices('provider_details', 'vendor_details'))
    ] = None
    """The vendor's own words: its `finish_reason`, log probabilities, service tier, and so on."""

    provider_response_id: Annotated[
        str | None, Field(validation_alias=AliasChoices('provider_response_id', 'vendor_id'))
    ] = None
    """The vendor's id of this answer."""

    finish_reason: FinishReason | None = None
    """Why the model stopped; `None` where the vendor did not say, or said something that we do not know."""

    state: ResponseState = 'complete'
    """Whether all of the answer is here."""

    warnings: list[str] = field(default_factory=list[str])
    """What was left out of the request because this model cannot take it, a sentence each."""

    run_id: str | None = None
    """The agent run that this belongs to."""

    conversation_id: str | None = None
    """The conversation that this belongs to."""

    metadata: dict[str, Any] | None = None
    """Kept in the history, never sent."""

    kind: Literal['response'] = 'response'
    """The kind of message, for telling messages apart."""

    @model_validator(mode='before')
    @classmethod
    def _from_stored(cls, value: object) -> object:
        return read_response(value)

    @property
    def text(self) -> str | None:
        """The text of all parts, joined; parts with something else between them are a paragraph apart."""
        return _join_runs(self.parts, TextPart)

    @property
    def thinking(self) -> str | None:
        """The thoughts of all parts, joined."""
        return _join_runs(self.parts, ThinkingPart)

    @property
    def tool_calls(self) -> list[ToolCallPart]:
        """The calls of our tools, in order."""
        return [part for part in self.parts if isinstance(part, ToolCallPart)]

    @property
    def native_tool_calls(self) -> list[tuple[NativeToolCallPart, NativeToolReturnPart | None]]:
        """The calls of the vendor's own tools, each with what it gave where that is here."""
        returns = {part.tool_call_id: part for part in self.parts if isinstance(part, NativeToolReturnPart)}
        calls = (part for part in self.parts if isinstance(part, NativeToolCallPart))
        return [(call, returns.get(call.tool_call_id)) for call in calls]

    @property
    def files(self) -> list[BinaryContent]:
        """The files that the model made."""
        return [part.content for part in self.parts if isinstance(part, FilePart)]

    @property
    def images(self) -> list[BinaryContent]:
        """The images that the model made."""
        return [file for file in self.files if file.is_image]

    __repr__ = repr_of_what_is_set


def _join_runs(parts: Iterable[ModelResponsePart], kind: type[TextPart] | type[ThinkingPart]) -> str | None:
    paragraphs: list[list[str]] = []
    adjacent = False
    for part in parts:
        if isinstance(part, kind):
            if not adjacent:
                paragraphs.append([])
            paragraphs[-1].append(part.content)
        adjacent = isinstance(part, kind)
    return '\n\n'.join(''.join(texts) for texts in paragraphs) if paragraphs else None
