"""List → list: a history made fit to be sent. The messages themselves are never changed.

`repair` pairs tool calls with their answers; `map_tool_call_ids` gives calls the ids that a vendor accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from ..exceptions import UserError
from . import ModelMessage
from .request import ModelRequest, ModelRequestPart, RetryPromptPart, ToolReturnPart, UserPromptPart
from .response import ModelResponse, ModelResponsePart, ToolCallPart

__all__ = ('map_tool_call_ids', 'repair')

UNANSWERED = 'This call was not carried out: the run ended before the tool could answer.'
"""What the model is told of a call that never got its answer."""


def repair(messages: Sequence[ModelMessage]) -> tuple[list[ModelMessage], list[str]]:
    """The history with every call answered and every answer called for, and a sentence for each repair.

    A call without an answer gets one that says so; an answer without a call becomes the user's text. Raises `UserError`
    for a history that holds nothing to say.
    """
    if not messages:
        raise UserError('messages is empty: there is nothing to answer')
    notes: list[str] = []
    repaired: list[ModelMessage] = []
    open_calls: dict[str, ToolCallPart] = {}
    for position, message in enumerate(messages):
        match message:
            case ModelRequest():
                message, open_calls = _answer(message, open_calls, notes), {}
            case ModelResponse():
                if open_calls:
                    repaired.append(ModelRequest(_unanswered(open_calls.values(), notes)))
                open_calls = _calls(message)
            case _:
                raise UserError(f'messages[{position}] is {message!r}, not a ModelRequest or a ModelResponse')
        repaired.append(message)
    if open_calls:
        repaired.append(ModelRequest(_unanswered(open_calls.values(), notes)))
    return repaired, notes


def _calls(response: ModelResponse) -> dict[str, ToolCallPart]:
    return {part.tool_call_id: part for part in response.parts if isinstance(part, ToolCallPart)}


def _answer(request: ModelRequest, calls: dict[str, ToolCallPart], notes: list[str]) -> ModelRequest:
    """The request with answers for just these calls."""
    waiting = dict(calls)
    parts: list[ModelRequestPart] = []
    for part in request.parts:
        if _answered_id(part) is None:
            parts.append(part)
        elif waiting.pop(_answered_id(part) or '', None) is not None:
            parts.append(part)
        else:
            parts.append(_as_text(part, notes))
    if waiting:
        parts = [*_unanswered(waiting.values(), notes), *parts]
    changed = len(parts) != len(request.parts) or any(a is not b for a, b in zip(parts, request.parts, strict=True))
    return replace(request, parts=parts) if changed else request


def _answered_id(part: ModelRequestPart) -> str | None:
    match part:
        case ToolReturnPart(tool_call_id=id):
            return id
        case RetryPromptPart(tool_call_id=id, tool_name=str()):
            return id
        case _:
            return None


def _as_text(part: ModelRequestPart, notes: list[str]) -> UserPromptPart:
    assert isinstance(part, (ToolReturnPart, RetryPromptPart)), 'only these answer a call'
    notes.append(f'the answer of tool {part.tool_name!r} was sent as text: no call has its id {part.tool_call_id!r}')
    said = part.model_response_str() if isinstance(part, ToolReturnPart) else part.model_response()
    return UserPromptPart(f'The tool {part.tool_name} answered: {said}', timestamp=part.timestamp)


def _unanswered(calls: Iterable[ToolCallPart], notes: list[str]) -> list[ModelRequestPart]:
    parts: list[ModelRequestPart] = []
    for call in calls:
        notes.append(
            f'an answer was made up for the call {call.tool_call_id!r} of tool {call.tool_name!r}, which has none'
        )
        parts.append(ToolReturnPart(call.tool_name, UNANSWERED, call.tool_call_id, outcome='interrupted'))
    return parts


def map_tool_call_ids(
    messages: Sequence[ModelMessage], *, accepts: Callable[[str], bool], make: Callable[[int], str]
) -> list[ModelMessage]:
    """The history with an id that the vendor accepts for each call, the same for the call and its answer.

    An id that is not accepted, or that an earlier response has used already, is replaced by `make(n)`, n counting from 0.
    """
    used: set[str] = set()
    numbers = iter(range(2 * sum(len(message.parts) for message in messages) + 1))
    current: dict[str, str] = {}
    mapped: list[ModelMessage] = []
    for message in messages:
        if isinstance(message, ModelResponse):
            current = dict(_new_ids(message, used, accepts, lambda: make(next(numbers))))
            used.update(current.values())
        mapped.append(_with_ids(message, current))
    return mapped


def _new_ids(
    response: ModelResponse, used: set[str], accepts: Callable[[str], bool], make: Callable[[], str]
) -> Iterator[tuple[str, str]]:
    for part in response.parts:
        if isinstance(part, ToolCallPart):
            id = part.tool_call_id
            while id in used or not accepts(id):
                id = make()
            yield part.tool_call_id, id


def _with_ids(message: ModelMessage, ids: dict[str, str]) -> ModelMessage:
    if all(old == new for old, new in ids.items()):
        return message
    if isinstance(message, ModelRequest):
        return replace(message, parts=[_renamed(part, ids) for part in message.parts])
    return replace(message, parts=[_renamed_call(part, ids) for part in message.parts])


def _renamed(part: ModelRequestPart, ids: dict[str, str]) -> ModelRequestPart:
    if isinstance(part, (ToolReturnPart, RetryPromptPart)) and part.tool_call_id in ids:
        return replace(part, tool_call_id=ids[part.tool_call_id])
    return part


def _renamed_call(part: ModelResponsePart, ids: dict[str, str]) -> ModelResponsePart:
    return replace(part, tool_call_id=ids[part.tool_call_id]) if isinstance(part, ToolCallPart) else part
