"""The steps of a run: send a request, execute the tool calls of the response, repeat until there is an output.

Read `nodes` for the order of the steps, then `send_request` (one request) and `handle_response` (its response):

| response | effect |
| --- | --- |
| paused by the vendor | send it back for the model to continue, up to `MAX_CONTINUATIONS` times |
| truncated by the vendor, without a finish reason | raise `StreamInterruptedError` with the partial response |
| `content_filter` and no content | raise `ContentFilterError` |
| `length`, inside a tool call or a JSON object, or without any content | raise `UnexpectedModelBehavior` |
| `error` and no tool calls | send a retry prompt, which counts against `output_retries` |
| tool calls, with JSON text or a file that is the output, and `end_strategy='early'` | end the run |
| tool calls | execute them and send the results; an output tool ends the run |
| tool calls that must be approved, or are executed elsewhere | end the run with a `DeferredToolRequests` |
| text, if text or JSON text is the output | end the run |
| no content, if `None` is an output | end the run |
| no content, or text if text is not an output | send a retry prompt, which counts against `output_retries` |
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

from pydantic_core import ValidationError

from ..exceptions import (
    ContentFilterError,
    ContextLengthError,
    FallbackExceptionGroup,
    ModelRetry,
    StreamInterruptedError,
    UnexpectedModelBehavior,
    UserError,
)
from ..messages import ModelMessage, ModelRequest, ModelResponse, RetryPromptPart, ToolCallPart, ToolReturnPart
from ..models import ModelRequestParameters
from ..settings import ModelSettings
from ..tools.context import RunContext
from .continued_events import ContinuedEvents
from .event_channel import EventChannel, ResponseStartEvent
from .history_processors import process_history
from .limits import check_after_response, check_before_request
from .output_reader import OutputForm, Rejected, extract_json
from .prepare_step import choose_settings, prepare_step, render_instructions
from .result import FinalResult
from .run_state import RunState, has_truncated_args, make_interrupted_result
from .tool_calls import IndexedCall, execute_tool_calls

T = TypeVar('T')

__all__ = ('handle_response', 'resume_response', 'return_value', 'send_request', 'validate_output')

ACCEPTED = 'This is the final answer.'
"""Content of the tool result for the call that returned the output."""

MAX_CONTINUATIONS = 25
"""The most requests that continue one paused turn."""

NOT_NEEDED = 'This call was not carried out: the final answer had been given.'
"""Content of the tool results for the other calls of that response."""


# ----------------------------------------------------------------------------------------------------------- request


async def resume_response(run: RunState) -> ModelResponse:
    """Prepare the tools and return the last response of the history.

    It is paused, and continued here, or its tool calls have no results yet.
    """
    parameters = await prepare_step(run)
    run.must_answer = False  # the response is of an earlier request
    last = next(message for message in reversed(run.messages) if isinstance(message, ModelResponse))
    return await _continue_turn(run, last, parameters)


async def send_request(run: RunState, request: ModelRequest) -> ModelResponse:
    """Send a request, record the response and return it. Raises for a response without usable content."""
    run.add_request(request)  # before anything can raise, so that the tool results in it are kept
    run.tool_results = {}
    await run.flush_events()
    run.context.run_step += 1
    parameters = await prepare_step(run)
    run.messages[-1] = replace(request, instructions=await render_instructions(run) or request.instructions)
    return await _continue_turn(run, await _request_response(run, parameters), parameters)


async def _continue_turn(run: RunState, response: ModelResponse, parameters: ModelRequestParameters) -> ModelResponse:
    """Send a paused response back until the turn ends. Returns the whole turn as one response."""
    for _ in range(MAX_CONTINUATIONS):
        if not response.must_continue:
            return response
        response = await _request_response(run, parameters)
    if response.must_continue:
        name = response.model_name or run.spec.model.model_name
        raise UnexpectedModelBehavior(f'{name} paused its turn more than {MAX_CONTINUATIONS} times without ending it')
    return response


async def _request_response(run: RunState, parameters: ModelRequestParameters) -> ModelResponse:
    """Send the messages, record the response and return it, joined with the one that it continues."""
    settings, messages = choose_settings(run), await process_history(run)
    try:
        response = await _send_messages(run, messages, settings, parameters)
    except (ContextLengthError, FallbackExceptionGroup) as error:
        shorter = await _shorten(run, messages, error)
        if shorter is None:
            raise
        response = await _send_messages(run, shorter, settings, parameters)
    recorded = run.record_response(response)
    check_after_response(run, response)
    if not recorded.must_continue:
        _check_response(run, response, recorded)
    return recorded


async def _shorten(run: RunState, refused: list[ModelMessage], error: BaseException) -> list[ModelMessage] | None:
    """Return fewer messages than those that the vendor refused as too long, if the history processors can.

    Of several models, it is enough if one refused them. A paused response, or a part of one that was streamed, is not
    requested again.
    """
    errors = error.exceptions if isinstance(error, FallbackExceptionGroup) else [error]
    is_too_long = any(isinstance(each, ContextLengthError) for each in errors)
    if not (is_too_long and run.spec.history_processors) or isinstance(run.messages[-1], ModelResponse):
        return None
    messages = await process_history(run, refused)
    return None if messages == refused else messages


async def _send_messages(
    run: RunState,
    messages: list[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
) -> ModelResponse:
    await check_before_request(run, messages, settings, parameters)
    run.conversation.usage.requests += 1
    if run.channel is None:
        return await run.spec.model.request(messages, settings, parameters)
    return await _stream_response(run, run.channel, messages, settings, parameters)


async def _stream_response(
    run: RunState,
    channel: EventChannel,
    messages: list[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
) -> ModelResponse:
    """Stream a response into the channel and return it. If the stream fails, record its partial response."""
    last = run.messages[-1]
    shift = ContinuedEvents(last.parts) if isinstance(last, ModelResponse) else None
    if shift is None:
        run.emit(ResponseStartEvent())
    try:
        async with run.spec.model.request_stream(messages, settings, parameters) as stream:
            run.stream = stream
            async for event in stream:
                for each in (event,) if shift is None else shift(event):
                    await channel.send(each)
            response = stream.get()
    except BaseException:
        _record_partial_response(run)
        raise
    finally:
        run.stream = None
    return response


def _record_partial_response(run: RunState) -> None:
    partial = run.stream.get() if run.stream is not None else None
    if partial is not None and partial.parts:
        state = 'interrupted' if partial.state == 'incomplete' else partial.state
        run.record_response(replace(partial, state=state))


def _check_response(run: RunState, response: ModelResponse, recorded: ModelResponse) -> None:
    """Raise for a response without usable content, if another request would get the same one.

    `recorded` begins with the paused response that it continues, if any, and has no truncated tool calls.
    """
    has_content = bool((recorded.text or '').strip() or response.tool_calls or recorded.files)
    name = response.model_name or run.spec.model.model_name
    if response.is_truncated and response.finish_reason in (None, 'error'):
        message = f'The vendor truncated the response of {name} before it was complete'
        raise StreamInterruptedError(name, message, provider_name=response.provider_name, response=response)
    if response.finish_reason == 'content_filter' and not has_content:
        message = f'The content filter of the vendor blocked the whole response of {name}'
        raise ContentFilterError(message, body=response.provider_details)
    if response.finish_reason == 'length':
        if not has_content:
            _raise_for_length(run, 'before it wrote anything')
        for call in response.tool_calls:
            # Anthropic drops the unfinished argument and the closing brace: pydantic-ai#3118
            if has_truncated_args(call):
                _raise_for_length(run, f'in the middle of the arguments of {call.tool_name!r}')


def _raise_for_length(run: RunState, position: str) -> NoReturn:
    limit = run.spec.model.merged_settings(run.settings).get('max_tokens')
    reached = 'the most tokens it may write' if limit is None else f'max_tokens={limit}'
    raise UnexpectedModelBehavior(f'The model reached {reached} {position}; set max_tokens higher in model_settings')


# ---------------------------------------------------------------------------------------------------------- response


async def handle_response(run: RunState, response: ModelResponse) -> FinalResult[Any] | ModelRequest:
    """Execute the tool calls of a response, or read its output. Returns the output, or the next request."""
    run.tool_results = {}
    await run.flush_events()
    if response.tool_calls:
        return await _read_early_output(run, response) or await _handle_tool_calls(run)
    try:
        return FinalResult(await _read_text_output(run, response))
    except Rejected as rejected:
        run.count_rejected_output(rejected.error, run.spec.output_retries)
        return run.with_run_ids([RetryPromptPart(rejected.content)])


async def _read_text_output(run: RunState, response: ModelResponse) -> object:
    """Return the output in a response without tool calls. Raises `Rejected`."""
    reader, context = run.spec.output, run.output_context(None)
    if response.finish_reason == 'error':
        # Groq rejects text if it requires a tool call: groq__test_tool_use_failed_error_with_text__0_4a7d05
        reason = str((response.provider_details or {}).get('error') or 'its text is no answer')
        raise Rejected(ModelRetry(f'The answer ended with an error: {reason.removesuffix(".")}.'))
    if not (response.text or '').strip() and not response.files:
        if reader.allows_none:
            return await validate_output(run, return_value(None), context)
        raise Rejected(ModelRetry('The answer was empty.'))
    if (files := reader.find_files(response)) is not None:
        return await validate_output(run, return_value(files), context)
    if run.spec.output_mode in ('native', 'prompted'):
        form, value = _validate_json_text(run, response)
        return await validate_output(run, form.finish(value, context), context)
    if not reader.allows_text:
        names = ', '.join(repr(name) for name in reader.tools)
        way = f'Give the answer by calling {names}' if names else 'Generate an image or another file'
        raise Rejected(ModelRetry(f'Text is not an answer here. {way}.'))
    return await validate_output(run, reader.finish_text(response.text or '', context), context)


async def _read_early_output(run: RunState, response: ModelResponse) -> FinalResult[Any] | None:
    """Return the JSON text or the file that ends the run, although its response has tool calls: with `early`.

    Plain text does not: models write it before they call a tool.
    """
    is_output = run.spec.output_mode in ('native', 'prompted') or run.spec.output.find_files(response) is not None
    if run.spec.end_strategy != 'early' or not is_output:
        return None
    calls = run.find_open_calls()
    names = {call.tool_name for _, call in calls}
    waits = any(tool.tool_def.kind != 'function' for name, tool in run.offered_tools.items() if name in names)
    if waits or names & run.spec.output_tools.keys():
        return None
    try:
        output = await _read_text_output(run, response)
    except Rejected:
        return None
    run.tool_results = {index: [make_interrupted_result(call, NOT_NEEDED)] for index, call in calls}
    run.messages.append(run.with_run_ids(run.tool_result_parts()))
    return FinalResult(output)


async def return_value(value: T) -> T:
    """Return the value, as an output that can be awaited."""
    return value


def _validate_json_text(run: RunState, response: ModelResponse) -> tuple[OutputForm, object]:
    """Return the form that the model chose, and its validated value."""
    try:
        return run.spec.output.combined.validate(extract_json(response))
    except (ValidationError, ModelRetry) as error:
        if response.finish_reason == 'length':
            _raise_for_length(run, 'in the middle of the output')
        raise Rejected(error) from error


async def validate_output(run: RunState, output: Awaitable[Any], context: RunContext[Any]) -> Any:
    """Await an output and pass it through the output validators. Raises `Rejected`."""
    try:
        value = await output
        for validator in run.spec.output_validators:
            value = await validator(context, value)
    except ModelRetry as error:
        raise Rejected(error) from error
    return value


# -------------------------------------------------------------------------------------------------------- tool calls


async def _handle_tool_calls(run: RunState) -> FinalResult[Any] | ModelRequest:
    run.has_called_tools = True
    run.open_calls = {}
    output_tools = run.spec.output_tools
    calls = run.find_open_calls()
    output_calls = [(index, call) for index, call in calls if call.tool_name in output_tools]
    others = [(index, call) for index, call in calls if call.tool_name not in output_tools]
    final, rejected = await _handle_output_calls(run, output_calls)
    if final is not None and run.spec.end_strategy == 'early':
        run.tool_results |= {index: [make_interrupted_result(call, NOT_NEEDED)] for index, call in others}
        others = []
    failures = await execute_tool_calls(run, others)
    if final is not None:
        run.messages.append(run.with_run_ids(run.tool_result_parts()))
        return final
    run.count_failures(failures)
    if rejected is not None:
        run.count_rejected_output(*rejected)
    if run.open_calls:
        return _leave_calls_open(run)
    prompt, run.next_prompt = run.next_prompt, None
    return run.with_run_ids([*run.tool_result_parts(), *([prompt] if prompt else [])])


def _leave_calls_open(run: RunState) -> FinalResult[Any]:
    """End the run with the open calls as its output. Raises `UserError` if that is no output of the agent."""
    if not run.spec.output.allows_deferred:
        names = ', '.join(repr(call.tool_name) for call, _ in run.open_calls.values())
        raise UserError(
            f'The calls of {names} must be approved or executed elsewhere: add DeferredToolRequests to output_type'
        )
    if parts := run.tool_result_parts():
        run.messages.append(run.with_run_ids(parts))
    return FinalResult(run.take_open_calls())


async def _handle_output_calls(
    run: RunState, calls: list[IndexedCall]
) -> tuple[FinalResult[Any] | None, tuple[BaseException, int] | None]:
    """Validate the outputs in the calls of output tools, and store a result for each call.

    Returns the first valid output, and the error of the last rejected one with the number of rejections allowed for it.
    """
    final: FinalResult[Any] | None = None
    rejected: tuple[BaseException, int] | None = None
    for index, call in calls:
        if final is not None and run.spec.end_strategy != 'exhaustive':
            run.tool_results[index] = [make_interrupted_result(call, NOT_NEEDED)]
            continue
        form = run.spec.output_tools[call.tool_name]
        try:
            output = await _read_output_call(run, form, call)
        except Rejected as error:
            rejected = error.error, run.spec.max_output_retries(form)
            part = RetryPromptPart(error.content, tool_name=call.tool_name, tool_call_id=call.tool_call_id)
            run.tool_results[index] = [part]
        else:
            final = final or FinalResult(output, call.tool_name, call.tool_call_id)
            run.tool_results[index] = [ToolReturnPart(call.tool_name, ACCEPTED, call.tool_call_id)]
    return final, rejected


async def _read_output_call(run: RunState, form: OutputForm, call: ToolCallPart) -> object:
    """Return the output in the call of an output tool. Raises `Rejected`."""
    try:
        value = form.validate(call.args_as_json_str())
    except (ValidationError, ModelRetry) as error:
        raise Rejected(error) from error
    context = run.output_context(call, max_retries=run.spec.max_output_retries(form))
    return await validate_output(run, form.finish(value, context), context)
