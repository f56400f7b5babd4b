"""`DropOldMedia`: replaces the files of old messages by texts that name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .._checks import check_number
from ..messages import (
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponsePart,
    TextPart,
    ToolReturnPart,
    UserPromptPart,
)
from ..messages.request import is_file
from ..models.estimate import estimate_tokens
from ..tools.context import RunContext
from .budget import DEFAULT_SHARE, TokenBudget
from .turns import find_last_turns

__all__ = ('DropOldMedia', 'describe_file')


class DropOldMedia:
    """A history processor that replaces files in old messages by a text such as `[image/png 'chart.png' was here]`.

    Args:
        turns: The number of last turns that keep their files.
        max_tokens: The most tokens of the messages that keep their files, as estimated. The default is a share of the
            context window.
        share: The share of the model's context window, if `max_tokens` is not set.
        context_window: The tokens of the model's context window, as for `KeepLastTurns`.
    """

    def __init__(
        self,
        turns: int = 2,
        *,
        max_tokens: int | None = None,
        share: float = DEFAULT_SHARE,
        context_window: int | None = None,
    ) -> None:
        check_number('turns', turns, least=1, whole=True, required=True)
        self.turns = turns
        self.budget: TokenBudget = TokenBudget(max_tokens=max_tokens, share=share, context_window=context_window)

    async def __call__(self, context: RunContext[Any], messages: list[ModelMessage]) -> list[ModelMessage]:
        starts = [index for _, index in zip(range(self.turns), find_last_turns(messages), strict=False)]
        first = _fit(messages, starts[-1] if starts else 0, self.budget.find_limit(context))
        return [*map(_drop_files, messages[:first]), *messages[first:]]


def _fit(messages: Sequence[ModelMessage], first: int, limit: int | None) -> int:
    """Return the index of the first message that keeps its files: from `first` on, as many as the limit allows."""
    tokens = 0
    for index in range(len(messages) - 1, first - 1, -1):
        tokens += estimate_tokens(messages[index])
        if limit is not None and tokens > limit and index < len(messages) - 1:
            return index + 1
    return first


def _drop_files(message: ModelMessage) -> ModelMessage:
    """Return the message with texts in place of its files; the same message if it has none."""
    if isinstance(message, ModelRequest):
        parts = [_drop_from_request(part) for part in message.parts]
        return message if all(map(_is_same, parts, message.parts)) else replace(message, parts=parts)
    others = [_drop_from_response(part) for part in message.parts]
    return message if all(map(_is_same, others, message.parts)) else replace(message, parts=others)


def _is_same(new: object, old: object) -> bool:
    return new is old


def _drop_from_request(part: ModelRequestPart) -> ModelRequestPart:
    match part:
        case UserPromptPart(content=content) if not isinstance(content, str) and any(map(is_file, content)):
            items = [describe_file(item) if is_file(item) else item for item in content]
            return replace(part, content=items)
        case ToolReturnPart() if part.files:
            items = [describe_file(item) if is_file(item) else item for item in part.items()]
            return replace(part, content=items if isinstance(part.content, (list, tuple)) else items[0])
        case _:
            return part


def _drop_from_response(part: ModelResponsePart) -> ModelResponsePart:
    return TextPart(describe_file(part.content)) if isinstance(part, FilePart) else part


def describe_file(file: object) -> str:
    """Return a text that names the file, to stand in its place."""
    media_type, identifier = getattr(file, 'media_type', None), getattr(file, 'identifier', None)
    name = f' {identifier!r}' if identifier else ''
    return f'[{media_type or "a file"}{name} was here]'
