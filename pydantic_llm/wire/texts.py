"""Makes the texts of a history valid Unicode. Start at `repair_texts`.

Tools read files and terminals that are not UTF-8, and models emit half of an emoji: aider#3693, opencode#13988.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from ..json_types import Json, repair_text
from ..messages import ModelMessage, ModelRequest, ModelResponse, TextContent

TEXTS = ('content', 'args', 'tool_name', 'tool_call_id', 'id', 'signature', 'provider_details')
"""The fields of parts that may have text."""

REPLACED_CHARACTERS = 'characters that cannot be encoded were replaced'
"""The sentence about a history that `repair_texts` changed."""

PartT = TypeVar('PartT')


def repair_texts(messages: Sequence[ModelMessage]) -> Sequence[ModelMessage]:
    """Return the messages with U+FFFD for each half of a surrogate pair; valid messages and parts are not copied."""
    repaired = [_repair_message(message) for message in messages]
    return messages if all(a is b for a, b in zip(repaired, messages, strict=True)) else repaired


def _repair_message(message: ModelMessage) -> ModelMessage:
    if not isinstance(message, (ModelRequest, ModelResponse)):  # pyright: ignore[reportUnnecessaryIsInstance] -- of a user
        return message
    parts: list[Any] = [_repair_part(part) for part in message.parts]
    if all(a is b for a, b in zip(parts, message.parts, strict=True)):
        return message
    return replace(message, parts=parts)  # type: ignore[arg-type]  # for pyright


def _repair_part(part: PartT) -> PartT:
    values = {name: getattr(part, name, None) for name in TEXTS}
    invalid = {name: _repair_value(value) for name, value in values.items() if not is_valid_text(value)}
    return replace(cast('Any', part), **invalid) if invalid else part


def is_valid_text(value: object) -> bool:
    """Return whether all texts of a value can be encoded."""
    match value:
        case str():
            return value.isascii() or _can_be_encoded(value)
        case dict():
            items = cast('Json', value).items()
            return all(is_valid_text(key) and is_valid_text(item) for key, item in items)
        case list() | tuple():
            return all(map(is_valid_text, cast('Sequence[object]', value)))
        case TextContent(content=text):
            return is_valid_text(text)
        case _:
            return True


def _can_be_encoded(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _repair_value(value: Any) -> Any:
    match value:
        case dict():
            return {repair_text(key): _repair_value(item) for key, item in cast('Json', value).items()}
        case list() | tuple():
            return [_repair_value(item) for item in cast('Sequence[object]', value)]
        case TextContent(content=text):
            return replace(value, content=repair_text(text))
        case _:
            return repair_text(value)
