"""What is sent to a model: system prompts, user prompts, tool returns, and requests to try again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, cast

from pydantic import Discriminator, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import ErrorDetails, PydanticSerializationError, from_json, to_json

from ..exceptions import UserError
from ._stored import read_request
from ._tool_files import FILES, with_digests, with_files
from ._value import new_tool_call_id, now, repr_of_what_is_set
from .content import MultiModalContent, UserContent

__all__ = (
    'ModelRequest',
    'ModelRequestPart',
    'RetryPromptPart',
    'SystemPromptPart',
    'ToolReturn',
    'ToolReturnPart',
    'UserPromptPart',
)

ToolReturnContent = Any
"""What a tool returned: anything that can be written as JSON, and files."""


@dataclass(repr=False, slots=True)
class SystemPromptPart:
    """A system prompt: what the developer tells the model."""

    content: str
    """The prompt."""

    _: KW_ONLY

    timestamp: datetime = field(default_factory=now)
    """When the part was made."""

    dynamic_ref: str | None = None
    """The name of the function that made the prompt, so that an agent can make it again."""

    part_kind: Literal['system-prompt'] = 'system-prompt'
    """The kind of part, for telling parts apart."""

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class UserPromptPart:
    """What the user says: text, or a sequence of texts and files."""

    content: str | Sequence[UserContent]
    """The prompt."""

    _: KW_ONLY

    timestamp: datetime = field(default_factory=now)
    """When the part was made."""

    part_kind: Literal['user-prompt'] = 'user-prompt'
    """The kind of part, for telling parts apart."""

    def items(self) -> Sequence[UserContent]:
        """The content as a sequence, also where it is one text."""
        return [self.content] if isinstance(self.content, str) else self.content

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class ToolReturn:
    """What a tool may return to say more than its value: content for the model, and metadata for you."""

    return_value: ToolReturnContent
    """The value that goes back to the model as the tool's answer."""

    _: KW_ONLY

    content: str | Sequence[UserContent] | None = None
    """More for the model to see, sent as a user's message after the tool's answer."""

    metadata: Any = None
    """Kept in the history, never sent."""

    kind: Literal['tool-return'] = 'tool-return'
    """The kind of value, for telling it apart in JSON."""

    __repr__ = repr_of_what_is_set


FAILED_OUTCOMES = ('failed', 'retried', 'interrupted')
"""The outcomes of a `ToolReturnPart` that vendors receive as errors. `'denied'` is a regular tool result."""


@dataclass(repr=False, slots=True)
class ToolReturnPart:
    """What a tool gave back."""

    tool_name: str
    """The tool that was called."""

    content: ToolReturnContent
    """What it gave: anything that can be written as JSON, and files."""

    tool_call_id: str = field(default_factory=new_tool_call_id)
    """The id of the call that this answers."""

    _: KW_ONLY

    metadata: Any = None
    """Kept in the history, never sent."""

    timestamp: datetime = field(default_factory=now)
    """When the tool was done."""

    outcome: Literal['success', 'failed', 'denied', 'interrupted', 'retried'] = 'success'
    """How the call went; some vendors are told."""

    part_kind: Literal['tool-return'] = 'tool-return'
    """The kind of part, for telling parts apart."""

    def model_response_str(self) -> str:
        """The content as the text that a model reads: a string as it is, anything else as JSON."""
        content: object = self.content
        return content if isinstance(content, str) else self._json().decode()

    def model_response_object(self) -> dict[str, Any]:
        """The content as a JSON object; what is no object is put under `return_value`."""
        value = from_json(self._json())
        return cast('dict[str, Any]', value) if isinstance(value, dict) else {'return_value': value}

    def _json(self) -> bytes:
        try:
            return to_json(self.content, bytes_mode='base64', inf_nan_mode='strings')
        except (PydanticSerializationError, ValueError) as error:
            raise UserError(f'What the tool {self.tool_name!r} returned cannot be written as JSON: {error}') from error

    def files(self) -> list[MultiModalContent]:
        """The files among the content, at its top or in its top list."""
        return [item for item in self.items() if isinstance(item, FILES)]

    def without_files(self) -> list[Any]:
        """The content without its files, as the list of what remains."""
        return [item for item in self.items() if not isinstance(item, FILES)]

    def items(self) -> Iterator[Any]:
        """The items of a list, or the content as the only item."""
        content: object = self.content
        if isinstance(content, (list, tuple)):
            yield from cast('Sequence[Any]', content)
        else:
            yield content

    @model_validator(mode='before')
    @classmethod
    def _with_files(cls, value: object) -> object:
        return with_files(cast('Mapping[str, Any]', value)) if isinstance(value, Mapping) else value

    @model_serializer(mode='wrap')
    def _with_digests(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return with_digests(serialize(self), self.content)

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class RetryPromptPart:
    """Tells the model that what it did was wrong, and asks it to try again."""

    content: list[ErrorDetails] | str
    """What was wrong: a sentence, or the errors of pydantic's validation."""

    _: KW_ONLY

    tool_name: str | None = None
    """The tool that was called wrongly; `None` where the answer itself was wrong."""

    tool_call_id: str = field(default_factory=new_tool_call_id)
    """The id of the call that this answers."""

    timestamp: datetime = field(default_factory=now)
    """When the part was made."""

    part_kind: Literal['retry-prompt'] = 'retry-prompt'
    """The kind of part, for telling parts apart."""

    def model_response(self) -> str:
        """The text that the model reads."""
        if isinstance(self.content, str):
            return f'{self.content}\n\nCorrect this and try again.'
        errors = to_json(self.content, indent=2, exclude={'__all__': {'ctx', 'url'}}, serialize_unknown=True).decode()
        count = f'{len(self.content)} validation error{"s" if len(self.content) != 1 else ""}'
        return f'{count}:\n```json\n{errors}\n```\n\nCorrect this and try again.'

    __repr__ = repr_of_what_is_set


ModelRequestPart = Annotated[
    SystemPromptPart | UserPromptPart | ToolReturnPart | RetryPromptPart, Discriminator('part_kind')
]
"""One part of a request."""


@dataclass(repr=False, slots=True)
class ModelRequest:
    """One turn from us to the model."""

    parts: Sequence[ModelRequestPart]
    """What is said, in order."""

    _: KW_ONLY

    instructions: str | None = None
    """What the developer tells the model for this request. Only the newest request's instructions are sent."""

    timestamp: datetime | None = None
    """When the request was sent."""

    run_id: str | None = None
    """The agent run that this belongs to."""

    conversation_id: str | None = None
    """The conversation that this belongs to."""

    metadata: dict[str, Any] | None = None
    """Kept in the history, never sent."""

    kind: Literal['request'] = 'request'
    """The kind of message, for telling messages apart."""

    @model_validator(mode='before')
    @classmethod
    def _from_stored(cls, value: object) -> object:
        return read_request(value)

    @classmethod
    def user_text_prompt(cls, user_prompt: str, *, instructions: str | None = None) -> ModelRequest:
        """A request that says one text."""
        return cls([UserPromptPart(user_prompt)], instructions=instructions)

    __repr__ = repr_of_what_is_set


def is_file(value: object) -> bool:
    """Whether a value is a file in one of its forms."""
    return isinstance(value, FILES)
