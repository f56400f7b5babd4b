"""Executes the tool calls of a response.

Tools run at the same time. A sequential tool runs alone: it waits for the calls before it, and the calls after it wait
for it. If a tool raises, the others still finish, because their results would be lost; then the error is raised.

A call that must be approved, or that is executed elsewhere, stays open: it gets no result here. A run that continues
the history has the results of such calls, and the decisions about them (`DeferredToolResults`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from pydantic_core import ValidationError, to_json

from ..exceptions import (
    ApprovalRequired,
    CallDeferred,
    ModelRetry,
    RunCancelled,
    ToolFailed,
    UsageLimitExceeded,
    UserError,
)
from ..messages import (
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelRequestPart,
    RetryPromptPart,
    ToolCallPart,
    ToolReturn,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from ..tools.context import RunContext
from ..tools.deferred import ToolApproved, ToolDenied
from ..toolsets import ToolsetTool
from .output_reader import Rejected
from .run_state import RunState, ToolFailures, make_interrupted_result

__all__ = ('IndexedCall', 'execute_tool_calls')

IndexedCall = tuple[int, ToolCallPart]
"""A tool call with its index among the tool calls of its response."""

FAILED = 'The tool failed and gave no result.'
"""Content of the tool result if the tool raised."""

CANCELLED = 'The run that the tool started was cancelled.'
"""Content of the tool result if a tool started a run of its own, which was cancelled."""

REFUSED = 'This call was not carried out: no more tools can be called. Give the final answer now.'
"""Content of the tool results if the run may call no more tools, and requests the final answer instead of failing."""


class UnusableCall(Rejected):
    """A call of a tool that does not exist, or with arguments that are not JSON: no failure of the tool."""


async def execute_tool_calls(run: RunState, calls: Sequence[IndexedCall]) -> ToolFailures:
    """Execute tool calls and store their results in `run.tool_results`.

    Returns the failures that the model can correct. Raises the error of a tool that raised.
    """
    failures: ToolFailures = {}
    run.unusable_calls = set()
    if run.must_answer or _exceed_limit(run, calls):
        failures |= _refuse_calls(run, [item for item in calls if not _is_output(run, item[1])])
        calls = [item for item in calls if _is_output(run, item[1])]
    errors: dict[int, Exception] = {}
    for group in _split_into_groups(run, calls):
        for _, call in group:
            run.emit(FunctionToolCallEvent(call))
        async with asyncio.TaskGroup() as tasks:
            for index, call in group:
                tasks.create_task(_execute_call(run, index, call, failures, errors))
        if errors:
            raise _combine_errors(errors)
    if calls:
        run.unusable_responses = run.unusable_responses + 1 if len(run.unusable_calls) == len(calls) else 0
    return failures


def _exceed_limit(run: RunState, calls: Sequence[IndexedCall]) -> bool:
    """Return whether the calls exceed the limit. Raises `UsageLimitExceeded` if the run may not go on without them."""
    known = [call for _, call in calls if call.tool_name in run.offered_tools]
    try:
        run.spec.limits.check_before_tool_calls(run.conversation.usage, len(known))
    except UsageLimitExceeded:
        if not run.spec.limits.final_answer:
            raise
        return True
    return False


def _is_output(run: RunState, call: ToolCallPart) -> bool:
    """Return whether the call is the output that the caller of an `AgentModel` requests."""
    tool = run.offered_tools.get(call.tool_name)
    return tool is not None and tool.tool_def.kind == 'output'


def _refuse_calls(run: RunState, calls: Sequence[IndexedCall]) -> ToolFailures:
    """Store a result for each call that says that it was not executed.

    The calls are failures if the model was asked for the final answer before, so that it cannot go on like that.
    """
    run.has_refused_calls = True
    for index, call in calls:
        run.tool_results[index] = [ToolReturnPart(call.tool_name, REFUSED, call.tool_call_id, outcome='denied')]
    return {call.tool_name: ModelRetry(REFUSED) for _, call in calls} if run.must_answer else {}


def _split_into_groups(run: RunState, calls: Sequence[IndexedCall]) -> Iterator[list[IndexedCall]]:
    """Yield groups of tool calls that may run at the same time."""
    group: list[IndexedCall] = []
    for index, call in calls:
        tool = run.offered_tools.get(call.tool_name)
        if tool is not None and tool.tool_def.sequential:
            yield from ([group] if group else [])
            yield [(index, call)]
            group = []
        else:
            group.append((index, call))
    if group:
        yield group


def _combine_errors(errors: dict[int, Exception]) -> Exception:
    """Return the error of the first call, with a note for each of the others."""
    first, *others = (errors[index] for index in sorted(errors))
    for other in others:
        first.add_note(f'Another tool of the same response failed as well: {other!r}')
    return first


async def _execute_call(
    run: RunState, index: int, call: ToolCallPart, failures: ToolFailures, errors: dict[int, Exception]
) -> None:
    """Execute one tool call, store its result, record its failure or the error that ends the run, and emit an event."""
    parts: Sequence[ModelRequestPart]
    try:
        parts = await _call_tool(run, call)
        failures.setdefault(call.tool_name, None)
    except (ApprovalRequired, CallDeferred) as error:
        run.open_calls[index] = (call, error)
        return
    except ToolFailed as error:
        parts = [ToolReturnPart(call.tool_name, error.message, call.tool_call_id, outcome='failed')]
    except RunCancelled:  # of a run inside the tool; this run goes on
        parts = [ToolReturnPart(call.tool_name, CANCELLED, call.tool_call_id, outcome='failed')]
    except Rejected as rejected:
        if isinstance(rejected, UnusableCall):
            run.unusable_calls.add(index)
        else:
            failures[call.tool_name] = rejected.error
        parts = [RetryPromptPart(rejected.content, tool_name=call.tool_name, tool_call_id=call.tool_call_id)]
    except Exception as error:  # noqa: BLE001 -- raised when the other calls of the group are done
        errors[index] = error
        parts = [ToolReturnPart(call.tool_name, FAILED, call.tool_call_id, outcome='failed')]
    except asyncio.CancelledError:
        if cast('asyncio.Task[None]', asyncio.current_task()).cancelling():
            raise
        errors[index] = RuntimeError(f'Tool {call.tool_name!r} was cancelled from the inside')
        parts = [make_interrupted_result(call)]
    run.tool_results[index] = parts
    result = parts[0]
    assert isinstance(result, (ToolReturnPart, RetryPromptPart)), 'the first part is the result of the tool call'
    added = next((part.content for part in parts if isinstance(part, UserPromptPart)), None)
    run.emit(FunctionToolResultEvent(result, content=added))


async def _call_tool(run: RunState, call: ToolCallPart) -> Sequence[ModelRequestPart]:
    """Return the parts for the result of a tool call: of the tool, or what the caller decided about it.

    Raises `Rejected`, and `ApprovalRequired` or `CallDeferred` if the call stays open.
    """
    given = run.spec.deferred_results
    if given is not None and call.tool_call_id in given.calls:
        return _build_given_parts(call, given.calls[call.tool_call_id])
    tool = run.offered_tools.get(call.tool_name)
    if tool is None:
        raise UnusableCall(ModelRetry(_describe_unknown_tool(run, call.tool_name)))
    decision = given.decision_about(call.tool_call_id) if given else None
    if isinstance(decision, ToolDenied):
        return [ToolReturnPart(call.tool_name, decision.message, call.tool_call_id, outcome='denied')]
    execute = partial(_execute_tool, run, tool, call, decision)
    tracer = run.spec.tracer
    return await execute() if tracer is None else await tracer.trace_tool_call(tool.tool_def, call, execute)


async def _execute_tool(
    run: RunState, tool: ToolsetTool[Any], call: ToolCallPart, decision: ToolApproved | None
) -> Sequence[ModelRequestPart]:
    """Validate the arguments, call the tool and return the parts for its result. Raises as `_call_tool` does."""
    given = run.spec.deferred_results
    arguments = _validate_arguments(tool, call, decision.override_args if decision else None)
    context = replace(
        run.tool_context(tool, call),
        tool_call_approved=decision is not None,
        tool_call_metadata=given.metadata.get(call.tool_call_id) if given else None,
    )
    try:
        if tool.check_arguments is not None:
            await tool.check_arguments(arguments, context)
        _require_here(tool, context)
        run.conversation.usage.tool_calls += 1
        value = await _run_with_timeout(run, tool, arguments, context)
    except ModelRetry as error:
        raise Rejected(error) from error
    return _build_result_parts(call, value)


def _require_here(tool: ToolsetTool[Any], context: RunContext[Any]) -> None:
    """Raise `CallDeferred` or `ApprovalRequired` if the call cannot be executed here and now."""
    if tool.tool_def.kind == 'external':
        raise CallDeferred
    if tool.tool_def.kind == 'unapproved' and not context.tool_call_approved:
        raise ApprovalRequired


def _validate_arguments(tool: ToolsetTool[Any], call: ToolCallPart, override: dict[str, Any] | None) -> dict[str, Any]:
    """Return the arguments that the model wrote, or those that were approved instead. Raises `Rejected`."""
    try:
        arguments: dict[str, Any] = tool.args_validator.validate_json(
            call.args_as_json_str() if override is None else to_json(override).decode()
        )
    except ValidationError as error:
        is_json = all(each['type'] != 'json_invalid' for each in error.errors(include_url=False, include_input=False))
        raise (Rejected if is_json else UnusableCall)(error) from error
    except ModelRetry as error:
        raise Rejected(error) from error
    return arguments


def _build_given_parts(call: ToolCallPart, value: object) -> Sequence[ModelRequestPart]:
    """Return the parts for the result of a call that was executed elsewhere. Raises `Rejected` or `ToolFailed`."""
    match value:
        case ModelRetry():
            raise Rejected(value)
        case ToolFailed():
            raise value
        case ToolReturnPart() | RetryPromptPart():
            return [replace(value, tool_name=call.tool_name, tool_call_id=call.tool_call_id)]
        case _:
            return _build_result_parts(call, value)


def _describe_unknown_tool(run: RunState, name: str) -> str:
    """Return the message for the model, with the tools that exist, if it was not told them before."""
    names = [*run.offered_tools, *run.spec.output_tools]
    if run.listed_tools == names:
        return f'There is no tool {name!r}.'
    run.listed_tools = names
    listed = ', '.join(repr(each) for each in names)
    return f'There is no tool {name!r}. ' + (f'The tools are: {listed}.' if names else 'There are no tools.')


async def _run_with_timeout(
    run: RunState, tool: ToolsetTool[Any], arguments: dict[str, Any], context: RunContext[Any]
) -> object:
    deadline = asyncio.timeout(tool.timeout)
    try:
        async with deadline:
            value = await run.spec.toolset.call_tool(tool.tool_def.name, arguments, context, tool)
            if isinstance(value, AsyncIterator):
                return await _exhaust_async_iterator(cast('AsyncIterator[object]', value), context)
            return value
    except TimeoutError as error:
        if deadline.expired():
            raise ModelRetry(f'The tool did not finish within {tool.timeout:g} s.') from error
        raise


async def _exhaust_async_iterator(values: AsyncIterator[Any], context: RunContext[Any]) -> Any:
    """Emit the values of an async generator but the last one, and return that: it is the tool's result."""
    last: list[Any] = []
    try:
        async for value in values:
            if last:
                context.emit(last[0])
            last = [value]
    finally:
        if isinstance(values, AsyncGenerator):
            await values.aclose()
    return last[0] if last else None


def _build_result_parts(call: ToolCallPart, value: object) -> list[ModelRequestPart]:
    """Return the tool result, followed by a user prompt if the tool returned one in a `ToolReturn`.

    Raises `UserError` if the value cannot be written as JSON.
    """
    inner: list[ToolReturn] = []
    content = value
    try:
        content = _unwrap_returns(_exhaust_iterator(value), inner)
        to_json(content)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f'Tool {call.tool_name!r} returned a {type(content).__name__!r} that cannot be written as JSON; return '
            f'text, numbers, lists, dicts, dataclasses, pydantic models or files ({error})'
        ) from error
    result = ToolReturnPart(call.tool_name, content, call.tool_call_id, metadata=_join_metadata(value, inner))
    prompt = _join_contents([item.content for item in inner if item.content is not None])
    return [result] if prompt is None else [result, UserPromptPart(prompt)]


def _unwrap_returns(value: Any, found: list[ToolReturn]) -> Any:
    """Return a value with the `ToolReturn`s in it replaced by their values. They are added to `found`."""
    if isinstance(value, ToolReturn):
        found.append(value)
        return _unwrap_returns(_exhaust_iterator(value.return_value), found)
    if type(value) is dict:
        return {key: _unwrap_returns(item, found) for key, item in cast('dict[Any, Any]', value).items()}  # type: ignore[redundant-cast]  # pyright needs it
    if type(value) in (list, tuple):
        items = cast('list[Any]', value)
        unwrapped = [_unwrap_returns(item, found) for item in items]
        return unwrapped if any(new is not old for new, old in zip(unwrapped, items, strict=True)) else value
    return value


def _join_metadata(value: object, found: list[ToolReturn]) -> Any:
    """Return the metadata of a `ToolReturn`, or a list of those of several in a list or dict."""
    if isinstance(value, ToolReturn):
        return value.metadata
    metadata = [item.metadata for item in found if item.metadata is not None]
    return metadata or None


def _join_contents(contents: list[str | Sequence[UserContent]]) -> str | list[UserContent] | None:
    """Return the contents in one prompt, in their order."""
    if len(contents) < 2:
        return cast('str | list[UserContent]', contents[0]) if contents else None
    joined: list[UserContent] = []
    for content in contents:
        joined += [content] if isinstance(content, str) else content
    return joined


def _exhaust_iterator(value: Any) -> Any:
    """Return the items of an iterator as a list, because the history is read more than once."""
    return list(cast('Any', value)) if isinstance(value, Iterator) else value
