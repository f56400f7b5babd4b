"""List → list: a history made fit to be sent. The messages themselves are never changed.

`repair` pairs calls with their answers; `map_tool_call_ids` gives calls the ids that a vendor accepts.

A response and the requests that follow it are a turn. A turn in which nothing is wrong is found so in one pass over its
parts (`_is_sound`) and kept as it is; another one is put together again (`_mended`).
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, dropwhile
from typing import TypeVar

from ..exceptions import UnexpectedModelBehavior, UserError
from . import ModelMessage
from .request import (
    ModelRequest,
    ModelRequestPart,
    RetryPromptPart,
    SystemPromptPart,
    ToolReturnPart,
    UserPromptPart,
)
from .response import (
    FilePart,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)

__all__ = ('map_tool_call_ids', 'repair')

UNANSWERED = 'This call was not carried out: the run ended before the tool could answer.'
"""What the model is told of a call that never got its answer."""

REQUEST_PARTS = (SystemPromptPart, UserPromptPart, ToolReturnPart, RetryPromptPart)
RESPONSE_PARTS = (TextPart, ThinkingPart, ToolCallPart, NativeToolCallPart, NativeToolReturnPart, FilePart)

Answer = ToolReturnPart | RetryPromptPart
Paired = TypeVar('Paired', bound=ToolCallPart | ToolReturnPart | RetryPromptPart)
AnyPart = TypeVar('AnyPart', bound=ModelRequestPart | ModelResponsePart)


def repair(messages: Sequence[ModelMessage]) -> tuple[Sequence[ModelMessage], list[str]]:
    """The history with every call answered and every answer called for, and a sentence for each loss or invention.

    A call without an answer gets one that says so, or is left out where its arguments never became whole; an answer
    without a call becomes the user's text. Answers come before all else that follows their response, no two calls have
    the same id, and messages without parts are gone. Where nothing is wrong the same sequence is returned. Raises
    `UserError` for what is no history, and for one that holds nothing to say.
    """
    past = _Past(messages)
    repaired: list[ModelMessage] = []
    sound = True
    for turn in _turns(messages):
        if _is_sound(turn, past):
            repaired += turn.messages()
        else:
            sound = False
            repaired += _mended(turn, past)
    if not repaired and not any(isinstance(message, ModelRequest) and message.instructions for message in messages):
        raise UserError('messages holds nothing to answer: it is empty, or all of its messages are')
    return (messages if sound else repaired), past.notes


@dataclass(slots=True)
class _Turn:
    """A response, and the requests that follow it. A history's first turn has no response."""

    response: ModelResponse | None = None
    requests: list[ModelRequest] = field(default_factory=list[ModelRequest])

    def messages(self) -> list[ModelMessage]:
        return [*self.requests] if self.response is None else [self.response, *self.requests]


@dataclass(slots=True)
class _Past:
    """What is known of the history before the turn in hand, and the notes."""

    messages: Sequence[ModelMessage]
    calls: set[str] = field(default_factory=set[str])
    native_calls: set[str] = field(default_factory=set[str])
    notes: list[str] = field(default_factory=list[str])

    def new_id(self, id: str) -> str:
        """The id, or one made of it where a call has it already: the same one as long as the past is."""
        if not id or id in self.calls:
            id = next(new for number in count(2) if (new := f'{id or "call"}_{number}') not in self.calls)
        self.calls.add(id)
        return id

    def is_returned(self, call: NativeToolCallPart) -> bool:
        """Whether the vendor's tool gave something after the call, in this response or in one that continues it."""
        responses = (message for message in self.messages if isinstance(message, ModelResponse))
        after = dropwhile(lambda part: part is not call, (part for response in responses for part in response.parts))
        return any(isinstance(part, NativeToolReturnPart) and part.tool_call_id == call.tool_call_id for part in after)


def _turns(messages: Sequence[ModelMessage]) -> Iterator[_Turn]:
    turn = _Turn()
    for position, message in enumerate(messages):
        match message:
            case ModelRequest():
                _check(message.parts, REQUEST_PARTS, position)
                turn.requests.append(message)
            case ModelResponse():
                _check(message.parts, RESPONSE_PARTS, position)
                yield turn
                turn = _Turn(message)
            case _:
                raise UserError(f'messages[{position}] is {_short(message)}, not a ModelRequest or a ModelResponse')
    yield turn


def _check(parts: Sequence[object], kinds: tuple[type, ...], position: int) -> None:
    if not all(map(kinds.__contains__, map(type, parts))):
        _refuse_strangers(parts, kinds, position)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f'{text[:97]}...'


def _refuse_strangers(parts: Sequence[object], kinds: tuple[type, ...], position: int) -> None:
    for number, part in enumerate(parts):
        if not isinstance(part, kinds):
            known = ', '.join(kind.__name__ for kind in kinds)
            raise UserError(f'messages[{position}].parts[{number}] is {_short(part)}, not one of {known}')


# ---------------------------------------------------------------------- is it sound?


def _is_sound(turn: _Turn, past: _Past) -> bool:
    """Whether the turn can be sent as it is; its calls are then part of the past."""
    calls = _call_ids(turn.response)
    waiting = set(calls)
    distinct = len(waiting) == len(calls) and '' not in waiting and past.calls.isdisjoint(waiting)
    if not distinct or not _is_native_sound(turn.response, past):
        return False
    for request in turn.requests:
        for part in request.parts:
            id = _answered_id(part)
            if waiting if id is None else id not in waiting:
                return False
            waiting.discard(id or '')
    if waiting or not all(message.parts for message in turn.messages()):
        return False
    past.calls.update(calls)
    return True


def _is_native_sound(response: ModelResponse | None, past: _Past) -> bool:
    """Whether all that the vendor's own tools gave was called for, and no call of them was cut off."""
    calls: dict[str, NativeToolCallPart] = {}
    for part in response.parts if response else ():
        if isinstance(part, NativeToolCallPart):
            calls[part.tool_call_id] = part
        elif isinstance(part, NativeToolReturnPart) and part.tool_call_id not in calls.keys() | past.native_calls:
            return False
    if calls and response and response.state != 'complete' and not all(map(past.is_returned, calls.values())):
        return False
    past.native_calls.update(calls)
    return True


def _call_ids(response: ModelResponse | None) -> list[str]:
    return [part.tool_call_id for part in response.parts if isinstance(part, ToolCallPart)] if response else []


def _answered_id(part: ModelRequestPart) -> str | None:
    if isinstance(part, ToolReturnPart) or (isinstance(part, RetryPromptPart) and part.tool_name is not None):
        return part.tool_call_id
    return None


# ---------------------------------------------------------------------- put together again


def _mended(turn: _Turn, past: _Past) -> Iterator[ModelMessage]:
    """The messages of the turn, changed as little as can be."""
    answers, others = _sorted_out(turn, past)
    said: list[ModelRequestPart] = []
    if turn.response is not None and (parts := list(_mended_parts(turn.response, answers, said, past))):
        yield turn.response if _same(parts, turn.response.parts) else replace(turn.response, parts=parts)
    for request, rest in zip(turn.requests or [ModelRequest([])], others or [[]], strict=True):
        if kept := [*said, *rest]:
            yield request if _same(kept, request.parts) else replace(request, parts=kept)
        said = []


def _sorted_out(turn: _Turn, past: _Past) -> tuple[dict[str, deque[Answer]], list[list[ModelRequestPart]]]:
    """The answers by the id of their call, and for each request what it says beside them."""
    wanted = Counter(_call_ids(turn.response))
    answers: dict[str, deque[Answer]] = defaultdict(deque)
    others: list[list[ModelRequestPart]] = []
    for request in turn.requests:
        others.append([])
        for part in request.parts:
            if _answered_id(part) is None or not isinstance(part, (ToolReturnPart, RetryPromptPart)):
                others[-1].append(part)
            elif wanted[part.tool_call_id]:
                wanted[part.tool_call_id] -= 1
                answers[part.tool_call_id].append(part)
            else:
                others[-1].append(_as_text(part, past.notes))
    return answers, others


def _mended_parts(
    response: ModelResponse, answers: dict[str, deque[Answer]], said: list[ModelRequestPart], past: _Past
) -> Iterator[ModelResponsePart]:
    """The parts of the response that can be sent. The answers to its calls are added to `said`."""
    for part in response.parts:
        match part:
            case ToolCallPart() if not answers[part.tool_call_id] and not _has_whole_args(part):
                past.notes.append(f'the call {part.tool_call_id!r} of tool {part.tool_name!r} was cut, and left out')
            case ToolCallPart(tool_call_id=old):
                new = past.new_id(old)
                answer = answers[old].popleft() if answers[old] else _unanswered(part, past.notes)
                said.append(_with_id(answer, new))
                yield _with_id(part, new)
            case NativeToolCallPart() if response.state != 'complete' and not past.is_returned(part):
                past.notes.append(f"the vendor's own call of {part.tool_name!r} was cut, and left out")
            case NativeToolCallPart():
                past.native_calls.add(part.tool_call_id)
                yield part
            case NativeToolReturnPart() if part.tool_call_id not in past.native_calls:
                past.notes.append(f"what the vendor's own {part.tool_name!r} gave was left out: its call is missing")
            case _:
                yield part


def _has_whole_args(call: ToolCallPart) -> bool:
    try:
        call.args_as_dict()
    except UnexpectedModelBehavior:
        return False
    return True


def _as_text(part: Answer, notes: list[str]) -> UserPromptPart:
    """The answer to a call that is not there."""
    notes.append(f'the answer of tool {part.tool_name!r} was sent as text: no call has its id {part.tool_call_id!r}')
    start = f'The tool {part.tool_name} answered: '
    if isinstance(part, RetryPromptPart):
        return UserPromptPart(start + part.model_response(), timestamp=part.timestamp)
    if not (files := part.files()):
        return UserPromptPart(start + part.model_response_str(), timestamp=part.timestamp)
    rest = replace(part, content=part.without_files()).model_response_str()
    return UserPromptPart([start + rest, *files], timestamp=part.timestamp)


def _unanswered(call: ToolCallPart, notes: list[str]) -> ToolReturnPart:
    notes.append(f'an answer was made up for the call {call.tool_call_id!r} of tool {call.tool_name!r}, which has none')
    return ToolReturnPart(call.tool_name, UNANSWERED, call.tool_call_id, outcome='interrupted')


def _with_id(part: Paired, id: str) -> Paired:
    return part if part.tool_call_id == id else replace(part, tool_call_id=id)


def _same(new: Sequence[object], old: Sequence[object]) -> bool:
    return len(new) == len(old) and all(a is b for a, b in zip(new, old, strict=True))


# ---------------------------------------------------------------------- ids


def map_tool_call_ids(
    messages: Sequence[ModelMessage], *, accepts: Callable[[str], bool], make: Callable[[int], str]
) -> list[ModelMessage]:
    """The history with an id that the vendor accepts for each call, the same for the call and its answer.

    An id that is not accepted, or that another call has already, is replaced by a `make(n)`, n counting from 0; so
    `make` must give ids that are accepted, and another one for each n. For a history that `repair` has seen.
    """
    used: set[str] = set()
    numbers = count()
    current: dict[str, str] = {}
    mapped: list[ModelMessage] = []
    for message in messages:
        if isinstance(message, ModelResponse):
            current = dict(_new_ids(_call_ids(message), used, accepts, lambda: make(next(numbers))))
        mapped.append(_with_ids(message, current) if current else message)
    return mapped


def _new_ids(
    ids: Sequence[str], used: set[str], accepts: Callable[[str], bool], make: Callable[[], str]
) -> Iterator[tuple[str, str]]:
    """The ids that change, with what they become."""
    for id in ids:
        new = id
        while new in used or not accepts(new):
            new = make()
        used.add(new)
        if new != id:
            yield id, new


def _with_ids(message: ModelMessage, ids: dict[str, str]) -> ModelMessage:
    if isinstance(message, ModelRequest):
        return replace(message, parts=[_renamed(part, ids) for part in message.parts])
    return replace(message, parts=[_renamed(part, ids) for part in message.parts])


def _renamed(part: AnyPart, ids: dict[str, str]) -> AnyPart:
    if isinstance(part, (ToolCallPart, ToolReturnPart, RetryPromptPart)) and part.tool_call_id in ids:
        return replace(part, tool_call_id=ids[part.tool_call_id])
    return part
