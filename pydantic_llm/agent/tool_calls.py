"""Carrying out the calls of a response.

Tools run beside each other; a sequential one waits for those before it and holds back those behind it. A tool that
raises does not cut off its neighbours, whose results would be lost: they finish, and then the error is raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import to_json

from ..exceptions import ModelRetry, UserError
from ..messages import (
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelRequestPart,
    RetryPromptPart,
    ToolCallPart,
    ToolReturn,
    ToolReturnPart,
    UserPromptPart,
)
from ..tools.tool import Tool
from .output_reader import refusal
from .run_state import Failures, Run, not_carried_out

__all__ = ('NumberedCall', 'carry_out')

NumberedCall = tuple[int, ToolCallPart]
"""A call, and its place among the calls of its response."""

FAILED = 'The tool failed and gave no result.'
"""What the history says of a call whose tool raised."""


@dataclass
class _Outcomes:
    """What became of the calls of one response."""

    raised: dict[int, Exception] = field(default_factory=dict[int, Exception])
    """Errors that are the tool's own, by the place of the call."""
    failures: Failures = field(default_factory=dict[str, BaseException | None])
    """What was wrong with calls of each tool that was called; `None` where nothing was."""


async def carry_out(run: Run[Any], calls: Sequence[NumberedCall]) -> Failures:
    """Carry out calls; their answers go to `run.answers`. Raises what a tool raised."""
    known = [call for _, call in calls if call.tool_name in run.offered]
    run.task.limits.check_before_tool_calls(run.conversation.usage, len(known))
    outcomes = _Outcomes()
    for group in _groups(run, calls):
        for _, call in group:
            run.tell(FunctionToolCallEvent(call))
        async with asyncio.TaskGroup() as tasks:
            for number, call in group:
                tasks.create_task(_carry_out_one(run, number, call, outcomes))
        if outcomes.raised:
            raise _joined(outcomes.raised)
    return outcomes.failures


def _groups(run: Run[Any], calls: Sequence[NumberedCall]) -> Iterator[list[NumberedCall]]:
    """The calls that may run beside each other."""
    group: list[NumberedCall] = []
    for number, call in calls:
        if call.tool_name in run.sequential:
            yield from ([group] if group else [])
            yield [(number, call)]
            group = []
        else:
            group.append((number, call))
    if group:
        yield group


def _joined(raised: dict[int, Exception]) -> Exception:
    """The error of the first call, with a note for each other one."""
    first, *others = (raised[number] for number in sorted(raised))
    for other in others:
        first.add_note(f'Another tool of the same response failed as well: {other!r}')
    return first


async def _carry_out_one(run: Run[Any], number: int, call: ToolCallPart, outcomes: _Outcomes) -> None:
    parts: Sequence[ModelRequestPart]
    try:
        parts = await _answer(run, call)
        outcomes.failures.setdefault(call.tool_name, None)
    except _Wrong as wrong:
        outcomes.failures[call.tool_name] = wrong.error
        parts = [RetryPromptPart(wrong.content, tool_name=call.tool_name, tool_call_id=call.tool_call_id)]
    except Exception as error:  # noqa: BLE001 -- raised once its neighbours are done
        outcomes.raised[number] = error
        parts = [ToolReturnPart(call.tool_name, FAILED, call.tool_call_id, outcome='failed')]
    except asyncio.CancelledError:
        if cast('asyncio.Task[None]', asyncio.current_task()).cancelling():
            raise
        outcomes.raised[number] = RuntimeError(f'Tool {call.tool_name!r} was cancelled from the inside')
        parts = [not_carried_out(call)]
    run.answers[number] = parts
    answer = parts[0]
    assert isinstance(answer, (ToolReturnPart, RetryPromptPart)), 'the first part answers the call'
    run.tell(FunctionToolResultEvent(answer))


class _Wrong(Exception):
    """A call that the model shall make again."""

    def __init__(self, content: Any, error: BaseException) -> None:
        self.content = content
        self.error = error
        super().__init__(content)


async def _answer(run: Run[Any], call: ToolCallPart) -> list[ModelRequestPart]:
    """Check the arguments, run the tool, and say what it gave."""
    tool = run.offered.get(call.tool_name)
    if tool is None:
        message = no_such_tool(run, call.tool_name)
        raise _Wrong(message, ModelRetry(message))
    try:
        arguments = tool.validate(call.args_as_json_str())
    except (ValidationError, ModelRetry) as error:
        raise _Wrong(refusal(error), error) from error
    run.conversation.usage.tool_calls += 1
    try:
        value = await _in_time(run, tool, arguments, call)
    except ModelRetry as error:
        raise _Wrong(error.message, error) from error
    return _as_parts(call, value)


def no_such_tool(run: Run[Any], name: str) -> str:
    """What a model is told that calls a tool which is not there."""
    names = ', '.join(
        repr(known) for known in [*run.offered, *(run.task.output.tools if run.task.mode == 'tool' else ())]
    )
    return f'There is no tool {name!r}. ' + (f'The tools are: {names}.' if names else 'There are no tools.')


async def _in_time(run: Run[Any], tool: Tool[Any], arguments: Any, call: ToolCallPart) -> Any:
    deadline = asyncio.timeout(tool.timeout)
    try:
        async with deadline:
            return await tool.run(arguments, run.tool_context(tool, call))
    except TimeoutError as error:
        if deadline.expired():
            raise ModelRetry(f'The tool did not finish within {tool.timeout:g} s.') from error
        raise


def _as_parts(call: ToolCallPart, value: Any) -> list[ModelRequestPart]:
    """What a tool gave: the answer to its call, and what it wants to add as a user's message."""
    said = value if isinstance(value, ToolReturn) else ToolReturn(value)
    content = _as_list(said.return_value)
    try:
        to_json(content)
    except ValueError as error:
        raise UserError(
            f'Tool {call.tool_name!r} returned a {type(content).__name__!r} that cannot be written as JSON; return '
            f'text, numbers, lists, dicts, dataclasses, pydantic models or files ({error})'
        ) from error
    answer = ToolReturnPart(call.tool_name, content, call.tool_call_id, metadata=said.metadata)
    return [answer] if said.content is None else [answer, UserPromptPart(said.content)]


def _as_list(value: Any) -> Any:
    """What a generator yields, which could be read only once."""
    return list(cast('Any', value)) if isinstance(value, Iterator) else value
