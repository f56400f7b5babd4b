"""Prepares a history for sending. Functions return new lists; the messages themselves are never changed.

`drop_compacted` drops the messages that a vendor's summary stands for, `repair` pairs tool calls with their results,
`map_tool_call_ids` replaces tool call ids that a vendor does not accept.

A turn is a response with the requests that follow it. `repair` goes through the history turn by turn: a turn that
`_is_valid` accepts is kept as it is, any other one is rebuilt by `_repair_turn`.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeVar

from ..exceptions import UnexpectedModelBehavior, UserError
from . import ModelMessage
from .request import ModelRequest, ModelRequestPart, RetryPromptPart, SystemPromptPart, ToolReturnPart, UserPromptPart
from .response import (
    CompactionPart,
    FilePart,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)

__all__ = ('drop_compacted', 'keep_system_prompts', 'map_tool_call_ids', 'repair')

NOT_EXECUTED = 'This call was not carried out: the run ended before the tool could answer.'
"""The content of the tool result that `repair` adds for a tool call without one."""

REQUEST_PARTS = (SystemPromptPart, UserPromptPart, ToolReturnPart, RetryPromptPart)
RESPONSE_PARTS = (
    TextPart,
    ThinkingPart,
    ToolCallPart,
    NativeToolCallPart,
    NativeToolReturnPart,
    FilePart,
    CompactionPart,
)

ToolResult = ToolReturnPart | RetryPromptPart
PartWithId = TypeVar('PartWithId', bound=ToolCallPart | ToolReturnPart | RetryPromptPart)
AnyPart = TypeVar('AnyPart', bound=ModelRequestPart | ModelResponsePart)


def repair(messages: Sequence[ModelMessage]) -> tuple[Sequence[ModelMessage], list[str]]:
    """Return the history with tool calls and results paired, and one note per part that was dropped or added.

    A tool call without a result gets one with the content `NOT_EXECUTED`; if its arguments are truncated, it is
    dropped. A result without a tool call becomes a user prompt. Results come first after their response, tool call ids
    are unique, and messages without parts are removed. If nothing had to change, the same sequence is returned.

    Raises `UserError` if an item is not a message, a part has the wrong type, or nothing is left to send.
    """
    state = _RepairState(messages)
    repaired: list[ModelMessage] = []
    changed = False
    for turn in _split_into_turns(messages):
        if _is_valid(turn, state):
            state.add_ids(turn.response)
            repaired += turn.messages()
        else:
            changed = True
            repaired += _repair_turn(turn, state)
    if not repaired and not any(isinstance(message, ModelRequest) and message.instructions for message in messages):
        raise UserError('messages holds nothing to send: it is empty, or all of its messages are')
    return (repaired if changed else messages), state.notes


@dataclass(slots=True)
class _Turn:
    """A response and the requests that follow it. The first turn of a history has no response."""

    response: ModelResponse | None = None
    requests: list[ModelRequest] = field(default_factory=list[ModelRequest])

    def messages(self) -> list[ModelMessage]:
        return [*self.requests] if self.response is None else [self.response, *self.requests]


@dataclass(slots=True)
class _RepairState:
    """The history, the tool call ids of the turns before the current one, and the notes."""

    messages: Sequence[ModelMessage]
    call_ids: set[str] = field(default_factory=set[str])
    native_call_ids: set[str] = field(default_factory=set[str])
    notes: list[str] = field(default_factory=list[str])
    _id_numbers: dict[str, Iterator[int]] = field(default_factory=dict[str, Iterator[int]])
    """The numbers that were not tried yet, by the ids that they are added to."""
    _answered: set[int] | None = None
    """The `id()` of each native tool call that a result follows; `None` until it is needed."""

    def add_ids(self, response: ModelResponse | None) -> None:
        """Record the ids of a response that is kept as it is."""
        for part in response.parts if response else ():
            if isinstance(part, ToolCallPart):
                self.call_ids.add(part.tool_call_id)
            elif isinstance(part, NativeToolCallPart):
                self.native_call_ids.add(part.tool_call_id)

    def claim_id(self, id: str) -> str:
        """Record and return the id, with a number added if an earlier tool call has it or if it is empty.

        The result depends on the earlier turns alone, so ids do not change when the history grows.
        """
        if not id or id in self.call_ids:
            numbers = self._id_numbers.setdefault(id, count(2))
            id = next(new for number in numbers if (new := f'{id or "call"}_{number}') not in self.call_ids)
        self.call_ids.add(id)
        return id

    def has_native_result(self, call: NativeToolCallPart) -> bool:
        """Return whether a result follows the native tool call, in its own response or in a later one."""
        if self._answered is None:
            self._answered = _find_answered(self.messages)
        return id(call) in self._answered


def _find_answered(messages: Sequence[ModelMessage]) -> set[int]:
    """Return the `id()` of each native tool call that a result follows."""
    answered: set[int] = set()
    result_ids: set[str] = set()  # of the results after the part
    for message in reversed(messages):
        for part in reversed(message.parts) if isinstance(message, ModelResponse) else ():
            if isinstance(part, NativeToolReturnPart):
                result_ids.add(part.tool_call_id)
            elif isinstance(part, NativeToolCallPart) and part.tool_call_id in result_ids:
                answered.add(id(part))
    return answered


def _split_into_turns(messages: Sequence[ModelMessage]) -> Iterator[_Turn]:
    turn = _Turn()
    for position, message in enumerate(messages):
        match message:
            case ModelRequest():
                _check_parts(message.parts, REQUEST_PARTS, position)
                turn.requests.append(message)
            case ModelResponse():
                _check_parts(message.parts, RESPONSE_PARTS, position)
                yield turn
                turn = _Turn(message)
            case _:
                raise UserError(f'messages[{position}] is {_shorten(message)}, not a ModelRequest or a ModelResponse')
    yield turn


def _check_parts(parts: Sequence[object], kinds: tuple[type, ...], position: int) -> None:
    """Raise `UserError` if a part is not an instance of `kinds`."""
    for number, part in enumerate(parts):
        if not isinstance(part, kinds):
            known = ', '.join(kind.__name__ for kind in kinds)
            raise UserError(f'messages[{position}].parts[{number}] is {_shorten(part)}, not one of {known}')


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f'{text[:97]}...'


# ---------------------------------------------------------------------- is a turn valid?
# OpenAI, Anthropic, Bedrock refuse a tool call without a result after it (agno-agi/agno#3105, earendil-works/pi#707);
# OpenAI-compatible servers refuse a result without its tool call (earendil-works/pi#5884).


def _is_valid(turn: _Turn, state: _RepairState) -> bool:
    """Return whether the turn can be sent as it is.

    Tool call ids must be unique, each tool call must have one result before all other parts, and no message be empty.
    """
    call_ids = _list_tool_call_ids(turn.response)
    pending = set(call_ids)
    unique = len(pending) == len(call_ids) and '' not in pending and state.call_ids.isdisjoint(pending)
    if not unique or not _has_valid_native_tools(turn.response, state):
        return False
    for request in turn.requests:
        for part in request.parts:
            id = _get_result_id(part)
            if pending if id is None else id not in pending:
                return False
            pending.discard(id or '')
    return not pending and all(message.parts for message in turn.messages())


def _has_valid_native_tools(response: ModelResponse | None, state: _RepairState) -> bool:
    """Return whether each native tool result has a tool call before it, and no native tool call was truncated."""
    calls: dict[str, NativeToolCallPart] = {}
    for part in response.parts if response else ():
        if isinstance(part, NativeToolCallPart):
            calls[part.tool_call_id] = part
        elif isinstance(part, NativeToolReturnPart) and not (
            part.tool_call_id in calls or part.tool_call_id in state.native_call_ids
        ):
            return False
    # A response that ends with a native tool call is complete if Anthropic paused it; the next response continues it:
    # https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#pause-turn
    truncated = response is not None and response.is_truncated
    return not truncated or all(map(state.has_native_result, calls.values()))


def _list_tool_call_ids(response: ModelResponse | None) -> list[str]:
    return [part.tool_call_id for part in response.parts if isinstance(part, ToolCallPart)] if response else []


def _get_result_id(part: ModelRequestPart) -> str | None:
    """Return the tool call id of a tool result, `None` for any other part."""
    if isinstance(part, ToolReturnPart) or (isinstance(part, RetryPromptPart) and part.tool_name is not None):
        return part.tool_call_id
    return None


# ---------------------------------------------------------------------- rebuilding a turn


def _repair_turn(turn: _Turn, state: _RepairState) -> Iterator[ModelMessage]:
    """Yield the messages of the turn; one whose parts stay the same is yielded itself, not copied."""
    results, others = _separate_results(turn, state)
    paired: list[ModelRequestPart] = []
    if turn.response is not None and (parts := list(_repair_response_parts(turn.response, results, paired, state))):
        yield turn.response if _are_same(parts, turn.response.parts) else replace(turn.response, parts=parts)
    for request, rest in zip(turn.requests or [ModelRequest([])], others or [[]], strict=True):
        if kept := [*paired, *rest]:
            yield request if _are_same(kept, request.parts) else replace(request, parts=kept)
        paired = []


def _separate_results(
    turn: _Turn, state: _RepairState
) -> tuple[dict[str, deque[ToolResult]], list[list[ModelRequestPart]]]:
    """Return the tool results by tool call id, and the other parts of each request in the turn."""
    expected = Counter(_list_tool_call_ids(turn.response))
    results: dict[str, deque[ToolResult]] = defaultdict(deque)
    others: list[list[ModelRequestPart]] = []
    for request in turn.requests:
        others.append([])
        for part in request.parts:
            if _get_result_id(part) is None or not isinstance(part, (ToolReturnPart, RetryPromptPart)):
                others[-1].append(part)
            elif expected[part.tool_call_id]:
                expected[part.tool_call_id] -= 1
                results[part.tool_call_id].append(part)
            else:
                others[-1].append(_make_user_prompt(part, state.notes))
    return results, others


def _repair_response_parts(
    response: ModelResponse, results: dict[str, deque[ToolResult]], paired: list[ModelRequestPart], state: _RepairState
) -> Iterator[ModelResponsePart]:
    """Yield the parts of the response that can be sent, and append the results of its tool calls to `paired`."""
    for part in response.parts:
        match part:
            case ToolCallPart() if not results[part.tool_call_id] and not _has_valid_args(part):
                state.notes.append(
                    f'the tool call {part.tool_call_id!r} of {part.tool_name!r} was truncated, and dropped'
                )
            case ToolCallPart(tool_call_id=old):
                new = state.claim_id(old)
                result = results[old].popleft() if results[old] else _make_missing_result(part, state.notes)
                paired.append(_with_tool_call_id(result, new))
                yield _with_tool_call_id(part, new)
            case NativeToolCallPart() if response.is_truncated and not state.has_native_result(part):
                state.notes.append(f'the native tool call of {part.tool_name!r} was truncated, and dropped')
            case NativeToolCallPart():
                state.native_call_ids.add(part.tool_call_id)
                yield part
            case NativeToolReturnPart() if part.tool_call_id not in state.native_call_ids:
                state.notes.append(f'a result of the native tool {part.tool_name!r} was dropped: its call is missing')
            case _:
                yield part


def _has_valid_args(call: ToolCallPart) -> bool:
    try:
        call.args_as_dict()
    except UnexpectedModelBehavior:
        return False
    return True


def _make_user_prompt(part: ToolResult, notes: list[str]) -> UserPromptPart:
    """Return a user prompt with the content of a tool result whose tool call is missing; files stay files."""
    notes.append(f'a result of tool {part.tool_name!r} was sent as text: no tool call has its id {part.tool_call_id!r}')
    start = f'The tool {part.tool_name} answered: '
    if isinstance(part, RetryPromptPart):
        return UserPromptPart(start + part.model_response(), timestamp=part.timestamp)
    if not (files := part.files):
        return UserPromptPart(start + part.model_response_str(), timestamp=part.timestamp)
    rest = replace(part, content=part.without_files()).model_response_str()
    return UserPromptPart([start + rest, *files], timestamp=part.timestamp)


def _make_missing_result(call: ToolCallPart, notes: list[str]) -> ToolReturnPart:
    notes.append(
        f'a result was added for the tool call {call.tool_call_id!r} of {call.tool_name!r}, which had no result'
    )
    return ToolReturnPart(call.tool_name, NOT_EXECUTED, call.tool_call_id, outcome='interrupted')


def _with_tool_call_id(part: PartWithId, id: str) -> PartWithId:
    return part if part.tool_call_id == id else replace(part, tool_call_id=id)


def _are_same(new: Sequence[object], old: Sequence[object]) -> bool:
    return len(new) == len(old) and all(a is b for a, b in zip(new, old, strict=True))


# ---------------------------------------------------------------------- compaction


def drop_compacted(
    messages: Sequence[ModelMessage], stands_for_history: Callable[[CompactionPart], bool]
) -> Sequence[ModelMessage]:
    """Return the messages from the last summary on that stands for those before it; the same ones without a summary.

    System prompts are kept: they are no part of what a vendor summarizes. A summary in the last message, which the
    vendor paused, stands for nothing yet: it is sent back with all messages (`anthropic.lib.tools._beta_runner`).
    """
    for index in range(len(messages) - 2, -1, -1):
        message = messages[index]
        for first in _find_compactions(message):
            if isinstance(part := message.parts[first], CompactionPart) and stands_for_history(part):
                rest = message if first == 0 else replace(message, parts=message.parts[first:])  # type: ignore[arg-type]  # for pyright
                return [*keep_system_prompts(messages[:index]), rest, *messages[index + 1 :]]
    return messages


def _find_compactions(message: ModelMessage) -> list[int]:
    """Return the indexes of the summaries in a message, the last one first."""
    if not isinstance(message, ModelResponse):
        return []
    return [
        index for index in range(len(message.parts) - 1, -1, -1) if isinstance(message.parts[index], CompactionPart)
    ]


def keep_system_prompts(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """Return the system prompts in these messages, in a request of their own if there are any."""
    requests = (message for message in messages if isinstance(message, ModelRequest))
    prompts = [part for request in requests for part in request.parts if isinstance(part, SystemPromptPart)]
    return [ModelRequest(prompts)] if prompts else []


# ---------------------------------------------------------------------- ids


def map_tool_call_ids(
    messages: Sequence[ModelMessage], *, accepts: Callable[[str], bool], make: Callable[[int], str]
) -> list[ModelMessage]:
    """Return the history with tool call ids that the vendor accepts, the same for a tool call and its result.

    An id that is not accepted, or that an earlier tool call has, is replaced by `make(n)`, with n counting from 0.
    `make` must return accepted ids, a different one for each n. The history must have been repaired with `repair`.
    """
    used: set[str] = set()
    numbers = count()
    current: dict[str, str] = {}
    mapped: list[ModelMessage] = []
    for message in messages:
        if isinstance(message, ModelResponse):
            current = dict(_choose_ids(_list_tool_call_ids(message), used, accepts, lambda: make(next(numbers))))
        mapped.append(_replace_ids(message, current) if current else message)
    return mapped


def _choose_ids(
    ids: Sequence[str], used: set[str], accepts: Callable[[str], bool], make: Callable[[], str]
) -> Iterator[tuple[str, str]]:
    """Yield each id that must change with its replacement, and add all final ids to `used`."""
    for id in ids:
        new = id
        while new in used or not accepts(new):
            new = make()
        used.add(new)
        if new != id:
            yield id, new


def _replace_ids(message: ModelMessage, ids: dict[str, str]) -> ModelMessage:
    if isinstance(message, ModelRequest):
        return replace(message, parts=[_replace_id(part, ids) for part in message.parts])
    return replace(message, parts=[_replace_id(part, ids) for part in message.parts])


def _replace_id(part: AnyPart, ids: dict[str, str]) -> AnyPart:
    if isinstance(part, (ToolCallPart, ToolReturnPart, RetryPromptPart)) and part.tool_call_id in ids:
        return replace(part, tool_call_id=ids[part.tool_call_id])
    return part
