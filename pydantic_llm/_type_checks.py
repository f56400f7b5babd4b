"""Checks of the types of values that callers pass: a wrong one is a `UserError` that names the parameter and the value.

Every public entry point uses these: agents, `direct`, models, the gateway. `check_type` is the general one; below it
are those of prompts, histories, settings and the parameters of a request.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import PurePath
from types import NoneType
from typing import Any, NoReturn, TypeGuard, cast, get_args

from .exceptions import UserError
from .messages import (
    CompactionPart,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from .native_tools import NativeTool
from .tools.definition import ToolDefinition

__all__ = (
    'check_callable',
    'check_choice',
    'check_items',
    'check_messages',
    'check_model_name',
    'check_native_tools',
    'check_prompt',
    'check_request_tools',
    'check_settings_type',
    'check_type',
    'describe_value',
    'is_callable',
    'raise_wrong_type',
)

MAX_VALUE_LENGTH = 80
"""Characters of a value that an error shows."""

REQUEST_PARTS: tuple[type, ...] = get_args(get_args(ModelRequestPart)[0])
RESPONSE_PARTS: tuple[type, ...] = get_args(get_args(ModelResponsePart)[0])
NATIVE_TOOLS: tuple[type, ...] = get_args(NativeTool)
USER_CONTENT: tuple[type, ...] = (str, *get_args(get_args(get_args(UserContent)[1])[0]))

TEXT = ('content', (str,), 'text')
TOOL_NAME = ('tool_name', (str,), 'text')
TOOL_CALL_ID = ('tool_call_id', (str,), 'text')
ARGUMENTS = ('args', (str, dict, NoneType), 'JSON text or a dict')

PART_FIELDS: dict[type, tuple[tuple[str, tuple[type, ...], str], ...]] = {
    SystemPromptPart: (TEXT,),
    ToolReturnPart: (TOOL_NAME, TOOL_CALL_ID),
    RetryPromptPart: (('content', (str, list), 'text or a list of errors'), TOOL_CALL_ID),
    TextPart: (TEXT,),
    ThinkingPart: (TEXT,),
    ToolCallPart: (TOOL_NAME, ARGUMENTS, TOOL_CALL_ID),
    NativeToolCallPart: (TOOL_NAME, ARGUMENTS, TOOL_CALL_ID),
    NativeToolReturnPart: (TOOL_NAME, TOOL_CALL_ID),
    CompactionPart: (('content', (str, NoneType), 'text or None'),),
}
"""The fields of parts that every encoder reads: name, types, and their description in an error."""

JSON_HINT = 'JSON is read by ModelMessagesTypeAdapter.validate_json'
VENDOR_HINT = (
    'messages_from_openai() makes messages of a list of such dicts, messages_from_anthropic() of dicts in the form '
    'of Anthropic'
)
DICT_HINT = 'build messages of their classes, or read stored ones by ModelMessagesTypeAdapter.validate_python'


def raise_wrong_type(parameter: str, expected: str, value: object, hint: str | None = None) -> NoReturn:
    """Raise the `UserError` for a value of a wrong type."""
    raise UserError(f'{parameter} takes {expected}, not {describe_value(value)}' + (f'; {hint}' if hint else ''))


def check_type(
    value: object,
    types: type | tuple[type, ...],
    *,
    parameter: str,
    expected: str | None = None,
    required: bool = False,
) -> None:
    """Raise `UserError` unless the value is of one of these types, or `None`, if not required.

    Booleans are not numbers.
    """
    known = types if isinstance(types, tuple) else (types,)
    if (value is None and not required) or (
        isinstance(value, known) and (bool in known or not isinstance(value, bool))
    ):
        return
    raise_wrong_type(parameter, expected or ' or '.join(each.__name__ for each in known), value)


def check_model_name(value: object) -> None:
    """Raise `UserError` unless the value is text that is not empty."""
    if not isinstance(value, str):
        raise_wrong_type('model_name', "a name such as 'gpt-5.4-mini'", value)
    if not value:
        raise UserError('model_name is empty')


def is_callable(value: object) -> TypeGuard[Callable[..., Any]]:
    """Return whether a value can be called as a function. Models and classes of models only raise an error then."""
    return callable(value) and not hasattr(value, 'request_stream')


def check_callable(value: object, *, parameter: str) -> None:
    """Raise `UserError` unless the value is `None` or can be called."""
    if value is not None and not is_callable(value):
        raise_wrong_type(parameter, 'a function', value)


def check_choice(value: object, choices: Collection[object], *, parameter: str) -> None:
    """Raise `UserError` unless the value is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise UserError(f'{parameter} is {" or ".join(map(repr, choices))}, not {describe_value(value)}')


def check_items(
    value: object, accepts: type | tuple[type, ...] | Callable[[object], bool], *, parameter: str, expected: str
) -> None:
    """Raise `UserError` unless the value is a list (or another sequence) of items that are accepted."""
    if not _is_list(value):
        raise_wrong_type(parameter, f'a list of {expected}', value)
    for item in value:
        if not (isinstance(item, accepts) if isinstance(accepts, (type, tuple)) else accepts(item)):
            raise_wrong_type(parameter, f'a list of {expected}', item)


def check_prompt(value: object, *, parameter: str = 'user_prompt') -> None:
    """Raise `UserError` unless the value is text, or a sequence of texts and files."""
    if isinstance(value, str):
        return
    if not _is_list(value):
        hint = 'put it into a list' if isinstance(value, USER_CONTENT) else _suggest_content(value)
        raise_wrong_type(parameter, 'text, or a list of texts and files', value, hint)
    for item in value:
        if not isinstance(item, USER_CONTENT):
            raise_wrong_type(parameter, 'text, or a list of texts and files', item, _suggest_content(item))


def _suggest_content(value: object) -> str | None:
    match value:
        case bytes() | bytearray() | memoryview():
            return 'a file is BinaryContent(data, media_type=...)'
        case PurePath():
            return 'BinaryContent.from_path(path) reads a file'
        case ModelRequest() | ModelResponse():
            return 'a conversation is the message_history'
        case Mapping():
            return 'files are objects such as ImageUrl(url), and a conversation is the message_history'
        case _:
            return None


def check_messages(value: object, *, parameter: str = 'messages') -> None:
    """Raise `UserError` unless the value is a sequence of messages whose parts and prompts have the right types."""
    if not _is_list(value):
        raise_wrong_type(parameter, 'a list of ModelRequest and ModelResponse', value, _suggest_messages(value))
    for message in value:
        if isinstance(message, ModelRequest):
            _check_parts(message.parts, REQUEST_PARTS, parameter, 'a ModelRequest')
        elif isinstance(message, ModelResponse):
            _check_parts(message.parts, RESPONSE_PARTS, parameter, 'a ModelResponse')
        else:
            hint = _suggest_reader(cast('object', message)) if isinstance(message, dict) else None
            raise_wrong_type(parameter, 'a list of ModelRequest and ModelResponse', cast('object', message), hint)  # type: ignore[redundant-cast]  # pyright needs it


def _suggest_reader(message: object) -> str:
    """Return what makes messages of a dict: of a vendor's form, which has a role, or of a stored message."""
    return VENDOR_HINT if 'role' in cast('Mapping[object, object]', message) else DICT_HINT


def _suggest_messages(value: object) -> str | None:
    match value:
        case str():
            return f'a text is ModelRequest.user_text_prompt(text), and {JSON_HINT}'
        case bytes() | bytearray():
            return JSON_HINT
        case ModelRequest() | ModelResponse():
            return 'put it into a list'
        case Mapping():
            return _suggest_reader(cast('object', value))
        case _ if callable(getattr(value, 'all_messages', None)):
            return 'pass its all_messages()'
        case _:
            return None


def _check_parts(parts: object, types: tuple[type, ...], parameter: str, owner: str) -> None:
    expected = f'{owner} with a list of parts'
    if not _is_list(parts):
        raise_wrong_type(parameter, expected, parts)
    for part in parts:
        if not isinstance(part, types):
            raise_wrong_type(parameter, f'{expected} ({", ".join(each.__name__ for each in types)})', part)
        if isinstance(part, UserPromptPart):
            check_prompt(part.content, parameter='UserPromptPart')
        _check_fields(part)


def _check_fields(part: object) -> None:
    for name, kinds, expected in PART_FIELDS.get(type(part), ()):
        value = getattr(part, name)
        if not isinstance(value, kinds):
            raise_wrong_type(type(part).__name__, f'{expected} as {name}', value)


def check_settings_type(value: object, *, parameter: str = 'model_settings') -> None:
    """Raise `UserError` unless the value is `None` or a dict whose keys are names of settings."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise_wrong_type(parameter, 'a ModelSettings dict', value)
    for name in cast('Mapping[object, object]', value):
        if not isinstance(name, str):
            raise_wrong_type(parameter, 'a dict from names of settings to their values', name)


def check_request_tools(function_tools: object, output_tools: object, native_tools: object) -> None:
    """Raise `UserError` unless the tools in `ModelRequestParameters` have the right types."""
    for parameter, tools in (('function_tools', function_tools), ('output_tools', output_tools)):
        check_items(tools, ToolDefinition, parameter=parameter, expected='ToolDefinition (a Tool has it as tool_def)')
    check_native_tools(native_tools)


def check_native_tools(value: object) -> None:
    """Raise `UserError` unless the value is a list of native tools."""
    check_items(value, NATIVE_TOOLS, parameter='native_tools', expected='native tools such as WebSearchTool()')


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    if type(value) is list or type(value) is tuple:
        return True
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview))


def describe_value(value: object) -> str:
    """Return a short description of a value, without the address of a function."""
    if isinstance(value, type):
        return f'the class {value.__name__}'
    if inspect.isroutine(value):
        return f'the function {getattr(value, "__qualname__", value)}'
    text = repr(value)
    return text if len(text) <= MAX_VALUE_LENGTH else f'{text[:MAX_VALUE_LENGTH]}... ({type(value).__name__})'
