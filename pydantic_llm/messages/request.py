"""Messages to a model: system prompts, user prompts, tool results, and retry prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic_core import CoreSchema, ErrorDetails, PydanticSerializationError, from_json, to_json

from .._deferred_schemas import Discriminator, add_before_validator
from ..exceptions import UserError
from ._tool_files import FILES, keep_files
from ._value import Message, ShortRepr, new_tool_call_id, now
from .content import MultiModalContent, UserContent

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

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
"""The return value of a tool: any value that can be written as JSON, and files."""


@dataclass(repr=False, slots=True)
class SystemPromptPart(ShortRepr):
    """A system prompt: instructions of the developer to the model."""

    content: str
    """The text of the prompt."""

    _: KW_ONLY

    timestamp: datetime = field(default_factory=now)
    """The time when the part was created."""

    dynamic_ref: str | None = None
    """The name of the function that returned the prompt; an agent calls it again for each run."""

    part_kind: Literal['system-prompt'] = 'system-prompt'


@dataclass(repr=False, slots=True)
class UserPromptPart(ShortRepr):
    """A user prompt: text, or a sequence of texts and files."""

    content: str | Sequence[UserContent]
    """The text, or a sequence of texts and files."""

    _: KW_ONLY

    timestamp: datetime = field(default_factory=now)
    """The time when the part was created."""

    part_kind: Literal['user-prompt'] = 'user-prompt'

    def items(self) -> Sequence[UserContent]:
        """Return the content as a sequence, even if it is a single text."""
        return [self.content] if isinstance(self.content, str) else self.content


@dataclass(repr=False, slots=True)
class ToolReturn(ShortRepr):
    """Return this from a tool to add content for the model or metadata for the application."""

    return_value: ToolReturnContent
    """The value that is sent to the model as the tool result."""

    _: KW_ONLY

    content: str | Sequence[UserContent] | None = None
    """Additional content, sent as a user prompt after the tool result."""

    metadata: Any = None
    """Kept in the history, never sent."""

    kind: Literal['tool-return'] = 'tool-return'


FAILED_OUTCOMES = ('failed', 'retried', 'interrupted')
"""The outcomes of a `ToolReturnPart` that vendors receive as errors. `'denied'` is a regular tool result."""


@dataclass(repr=False, slots=True)
class ToolReturnPart(ShortRepr):
    """The result of a tool call."""

    tool_name: str
    """The name of the tool."""

    content: ToolReturnContent
    """The return value: any value that can be written as JSON, and files."""

    tool_call_id: str = field(default_factory=new_tool_call_id)
    """The id of the tool call."""

    _: KW_ONLY

    metadata: Any = None
    """Kept in the history, never sent."""

    timestamp: datetime = field(default_factory=now)
    """The time when the tool finished."""

    outcome: Literal['success', 'failed', 'denied', 'interrupted', 'retried'] = 'success'
    """The outcome of the tool call. The values in `FAILED_OUTCOMES` are sent as errors if the API has an error flag."""

    part_kind: Literal['tool-return'] = 'tool-return'

    def model_response_str(self) -> str:
        """Return the content as text for a model: a string unchanged, any other value as JSON.

        Raises `UserError` if the content cannot be written as JSON.
        """
        content: object = self.content
        return content if isinstance(content, str) else self._encode_json().decode()

    def model_response_object(self) -> dict[str, Any]:
        """Return the content as a JSON object; any other value becomes `{'return_value': value}`.

        Raises `UserError` if the content cannot be written as JSON.
        """
        value = from_json(self._encode_json())
        return cast('dict[str, Any]', value) if isinstance(value, dict) else {'return_value': value}

    def _encode_json(self) -> bytes:
        try:
            return to_json(self.content, bytes_mode='base64', inf_nan_mode='strings')
        except (PydanticSerializationError, ValueError) as error:
            raise UserError(f'What the tool {self.tool_name!r} returned cannot be written as JSON: {error}') from error

    @property
    def files(self) -> list[MultiModalContent]:
        """The files in the content: the content itself, or the files in its top-level list."""
        return [item for item in self.items() if isinstance(item, FILES)]

    def without_files(self) -> list[Any]:
        """Return the content without its `files`, as a list."""
        return [item for item in self.items() if not isinstance(item, FILES)]

    def items(self) -> Iterator[Any]:
        """Yield the items if the content is a list, else the content itself."""
        content: object = self.content
        if isinstance(content, (list, tuple)):
            yield from cast('Sequence[Any]', content)
        else:
            yield content

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return keep_files(handler(source))


MAX_ERROR_CHARACTERS = 20_000
"""The most characters of validation errors that a model gets with all of their inputs."""

MAX_ERRORS = 20
"""The most validation errors of longer ones."""

MAX_INPUT_CHARACTERS = 500
"""The most characters of the input of each of them."""


@dataclass(repr=False, slots=True)
class RetryPromptPart(ShortRepr):
    """Asks the model to correct a tool call or a response that was invalid."""

    content: list[ErrorDetails] | str
    """The error: a sentence, or the errors of pydantic's validation."""

    _: KW_ONLY

    tool_name: str | None = None
    """The tool that was called; `None` if the error is in the response itself."""

    tool_call_id: str = field(default_factory=new_tool_call_id)
    """The id of the tool call."""

    timestamp: datetime = field(default_factory=now)
    """The time when the part was created."""

    part_kind: Literal['retry-prompt'] = 'retry-prompt'

    def model_response(self) -> str:
        if isinstance(self.content, str):
            return f'{self.content}\n\nCorrect this and try again.'
        errors = _encode_errors(self.content)
        count = f'{len(self.content)} validation error{"s" if len(self.content) != 1 else ""}'
        return f'{count}:\n```json\n{errors}\n```\n\nCorrect this and try again.'


def _encode_errors(errors: Sequence[ErrorDetails]) -> str:
    """Return validation errors as JSON. Of a very long one, the first errors with the beginning of their inputs.

    Each missing field has all of the arguments as its input, so that the text could be the arguments many times over.
    """
    excluded = {'__all__': {'ctx', 'url'}}
    text = _encode_json(errors, indent=2, exclude=excluded)
    if len(text) <= MAX_ERROR_CHARACTERS:
        return text
    shortened = [_shorten_input(error) for error in errors[:MAX_ERRORS]]
    return _encode_json(shortened, indent=2, exclude=excluded)[:MAX_ERROR_CHARACTERS]


def _shorten_input(error: ErrorDetails) -> ErrorDetails:
    text = _encode_json(error.get('input'))
    if len(text) <= MAX_INPUT_CHARACTERS:
        return error
    return {**error, 'input': f'{text[:MAX_INPUT_CHARACTERS]}… ({len(text)} characters)'}


def _encode_json(value: object, *, indent: int | None = None, exclude: Any = None) -> str:
    """Return JSON, or the `repr` of a value that is nested too deeply for pydantic (255 levels)."""
    try:
        return to_json(value, indent=indent, exclude=exclude, serialize_unknown=True).decode()
    except PydanticSerializationError:
        return repr(value)


ModelRequestPart = Annotated[
    SystemPromptPart | UserPromptPart | ToolReturnPart | RetryPromptPart, Discriminator('part_kind')
]
"""A part of a request."""


@dataclass(repr=False, slots=True)
class ModelRequest(Message):
    """A message from the application to the model."""

    parts: Sequence[ModelRequestPart]
    """The prompts and tool results, in order."""

    _: KW_ONLY

    instructions: str | None = None
    """Instructions of the developer. Only those of the newest request are sent.

    A request without instructions that has only tool results is sent with those of the request before it."""

    timestamp: datetime | None = None
    """The time when the request was sent."""

    run_id: str | None = None
    """The id of the agent run."""

    conversation_id: str | None = None
    """The id of the conversation."""

    metadata: dict[str, Any] | None = None
    """Kept in the history, never sent."""

    kind: Literal['request'] = 'request'

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from ._stored import translate_request

        return add_before_validator(handler(source), translate_request)

    @classmethod
    def user_text_prompt(
        cls, user_prompt: str | Sequence[UserContent], *, instructions: str | None = None
    ) -> ModelRequest:
        """Return a request with a single user prompt, a text or its pieces."""
        return cls([UserPromptPart(user_prompt)], instructions=instructions)


def is_tool_result(part: object) -> bool:
    """Return whether a part is the result of a tool call: its return value, or the error that it caused."""
    return isinstance(part, ToolReturnPart) or (isinstance(part, RetryPromptPart) and part.tool_name is not None)


def is_file(value: object) -> bool:
    """Return whether a value is a file: a URL, bytes, or an uploaded file."""
    return isinstance(value, FILES)
