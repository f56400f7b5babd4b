"""What converters between messages and a vendor's dicts share: checking what is given, and preparing a history."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pydantic_core import PydanticSerializationError, from_json, to_json

from .._type_checks import raise_wrong_type
from ..exceptions import UserError
from ..json_types import Json
from ..messages import ModelMessage, ModelRequest, ModelResponse
from ..profiles import ModelProfile
from ..profiles.history import HistoryRules
from .known import EncodingTarget
from .prepare import PreparedRequest, prepare

__all__ = ('prepare_history', 'read_dicts', 'warn_of_losses')

EXPECTED = 'a list of dicts with a role and content'


def read_dicts(messages: object, *, parameter: str = 'messages') -> list[Json]:
    """Return messages as plain dicts. They may be, or contain, objects of a vendor's client.

    Raises `UserError` for anything else, such as messages that are of this library already.
    """
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Iterable):
        raise_wrong_type(parameter, EXPECTED, cast('object', messages))  # type: ignore[redundant-cast]  # pyright needs it
    given = list(cast('Iterable[object]', messages))
    for message in given:
        if not (isinstance(message, Mapping) or hasattr(message, 'model_dump')):
            raise_wrong_type(parameter, EXPECTED, message)
    try:
        plain: list[Json] = from_json(to_json(given))
    except PydanticSerializationError as error:
        raise UserError(f'{parameter} holds a value that is not JSON: {error}') from error
    return [{name: value for name, value in message.items() if value is not None} for message in plain]


def prepare_history(
    messages: Sequence[ModelMessage], *, system: str, profile: ModelProfile, rules: HistoryRules
) -> PreparedRequest:
    """Return a request of these messages alone, as the API accepts them. Raises `UserError` for invalid messages.

    Tool calls at the end stay without results: the conversation is not sent.
    """
    request = prepare(
        messages,
        {},
        None,
        model_name=system,
        system=system,
        profile=profile,
        supported=(),
        prefix=f'{system}_',
        target=EncodingTarget.of(rules, supports_tools=True),
        stream=False,
    )
    last = messages[-1]
    if isinstance(last, ModelResponse) and isinstance(request.messages[-1], ModelRequest):
        ids = [repr(call.tool_call_id) for call in last.tool_calls]
        request.messages = request.messages[:-1]
        request.warnings = [each for each in request.warnings if not any(id in each for id in ids)]
    return request


def warn_of_losses(sentences: Iterable[Any]) -> None:
    """Warn the caller of a converter of what has no place in the other form."""
    for sentence in sentences:
        warnings.warn(f'{sentence}', UserWarning, stacklevel=3)
