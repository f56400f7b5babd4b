"""The loop: ask the model, carry out what it calls, and ask again until it has given the output.

`drive` is the loop, `ask` one request, `answer` what becomes of one response. What an answer is worth:

| the response | what happens |
| --- | --- |
| was cut by the vendor, which gave no reason | `StreamInterruptedError`, with what had arrived |
| ends for `content_filter` and says nothing | `ContentFilterError` |
| ends for `length` in the middle of a call or a JSON object, or before it says anything | `UnexpectedModelBehavior` |
| ends for `error` and calls no tools | the model is asked again, which counts against `output_retries` |
| calls tools | they run, and the model is asked again; a call of an output tool ends the run |
| says something where text, or JSON as text, is the output | the run ends with it |
| says nothing, or text where that is no output | the model is asked again, which counts against `output_retries` |
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from pydantic import ValidationError

from ..exceptions import ContentFilterError, ModelRetry, StreamInterruptedError, UnexpectedModelBehavior
from ..messages import ModelRequest, ModelResponse, RetryPromptPart, ToolCallPart, ToolReturnPart
from ..models import ModelRequestParameters
from ..tools.context import RunContext
from .output_reader import Form, json_of, refusal
from .run_state import ResponseBegins, Run, is_cut, not_carried_out
from .tool_calls import NumberedCall, carry_out

__all__ = ('drive',)

ACCEPTED = 'This is the final answer.'
"""What the history says of the call that gave the output."""

NOT_NEEDED = 'This call was not carried out: the final answer had been given.'
"""What the history says of the other calls beside it."""


@dataclass(frozen=True, slots=True)
class Final:
    """The output of a run."""

    output: Any
    """The output."""
    call: ToolCallPart | None = None
    """The call that gave it."""


async def drive(run: Run[Any], request: ModelRequest | None) -> Final:
    """Go on until there is an output. `None` for the request carries out the calls of the last response first."""
    try:
        while True:
            response = await _left_open(run) if request is None else await ask(run, request)
            outcome = await answer(run, response)
            if isinstance(outcome, Final):
                run.conversation.output_call = outcome.call.tool_call_id if outcome.call else None
                return outcome
            request = outcome
    except BaseException:
        run.settle()
        raise


async def _left_open(run: Run[Any]) -> ModelResponse:
    """The response that ends the history, and whose calls this run carries out."""
    await run.offer()
    last = run.messages[-1]
    assert isinstance(last, ModelResponse), 'a run that needs no first request begins with a response'
    return last


# ------------------------------------------------------------------------------------------------------- asking


async def ask(run: Run[Any], request: ModelRequest) -> ModelResponse:
    """Send a request, get and keep the response."""
    run.messages.append(request)  # first of all, so that the answers in it are kept whatever happens
    run.answers = {}
    await run.idle()
    run.context.run_step += 1
    parameters = await run.offer()
    run.messages[-1] = replace(request, instructions=await run.instructions() or request.instructions)
    usage, limits = run.conversation.usage, run.task.limits
    limits.check_before_request(usage)
    usage.requests += 1
    response = await (_whole(run, parameters) if run.channel is None else _streamed(run, parameters))
    kept = run.record(response)
    limits.check_tokens(usage)
    _check(run, response)
    return kept


async def _whole(run: Run[Any], parameters: ModelRequestParameters) -> ModelResponse:
    return await run.task.model.request(list(run.messages), run.task.settings, parameters)


async def _streamed(run: Run[Any], parameters: ModelRequestParameters) -> ModelResponse:
    channel = run.channel
    assert channel is not None, 'somebody listens'
    run.tell(ResponseBegins())
    try:
        async with run.task.model.request_stream(list(run.messages), run.task.settings, parameters) as stream:
            run.stream = stream
            async for event in stream:
                await channel.send(event)
            response = stream.get()
    except BaseException:
        _record_what_arrived(run)
        raise
    finally:
        run.stream = None
    return response


def _record_what_arrived(run: Run[Any]) -> None:
    """Keep the beginning of an answer that was left, or that broke."""
    arrived = run.stream.get() if run.stream is not None else None
    if arrived is not None and arrived.parts:
        state = 'interrupted' if arrived.state == 'incomplete' else arrived.state
        run.record(replace(arrived, state=state))


def _check(run: Run[Any], response: ModelResponse) -> None:
    """Raise for a response that nothing can be made of, and that asking again would not better."""
    says_something = bool((response.text or '').strip() or response.tool_calls or response.files)
    name = response.model_name or run.task.model.model_name
    if response.state != 'complete' and response.finish_reason is None:
        message = f'The vendor cut the answer of {name} before it was complete'
        raise StreamInterruptedError(name, message, provider_name=response.provider_name, response=response)
    if response.finish_reason == 'content_filter' and not says_something:
        message = f'The content filter of the vendor held back the whole answer of {name}'
        raise ContentFilterError(message, body=response.provider_details)
    if response.finish_reason == 'length':
        if not says_something:
            _raise_for_length(run, 'before it said anything')
        for call in response.tool_calls:
            if is_cut(call):
                _raise_for_length(run, f'in the middle of the arguments of {call.tool_name!r}')


def _raise_for_length(run: Run[Any], where: str) -> NoReturn:
    limit = run.task.model.merged_settings(run.task.settings).get('max_tokens')
    reached = 'the most tokens it may write' if limit is None else f'max_tokens={limit}'
    raise UnexpectedModelBehavior(f'The model reached {reached} {where}; set max_tokens higher in model_settings')


# ---------------------------------------------------------------------------------------------------- answering


async def answer(run: Run[Any], response: ModelResponse) -> Final | ModelRequest:
    """Carry out what a response calls, or take it as the output: the end, or the next request."""
    run.answers = {}
    await run.idle()
    if response.tool_calls:
        return await _answer_calls(run, response)
    try:
        return Final(await _output_of_text(run, response))
    except Refused as refused:
        run.count_refusal(refused.error, run.task.output_retries)
        return run.bear_ids([RetryPromptPart(refused.content)])


class Refused(Exception):
    """An output that the model shall give again."""

    def __init__(self, error: ValidationError | ModelRetry) -> None:
        self.content = refusal(error)
        self.error = error
        super().__init__(str(error))


async def _output_of_text(run: Run[Any], response: ModelResponse) -> Any:
    output, mode = run.task.output, run.task.mode
    context = run.output_context(None)
    if response.finish_reason == 'error':
        said = str((response.provider_details or {}).get('error') or 'its text is no answer')
        raise Refused(ModelRetry(f'The answer ended with an error: {said.removesuffix(".")}.'))
    if not (response.text or '').strip() and not response.files:
        raise Refused(ModelRetry('The answer was empty.'))
    if mode in ('native', 'prompted'):
        form, value = _read(run, response)
        return await judge(run, form.finish(value, context), context)
    if not output.allows_text:
        names = ', '.join(repr(name) for name in output.tools)
        raise Refused(ModelRetry(f'Text is not an answer here. Give the answer by calling {names}.'))
    return await judge(run, output.finish_text(response.text or '', context), context)


def _read(run: Run[Any], response: ModelResponse) -> tuple[Form, Any]:
    """The form that the model chose, and the value that it wrote as JSON text."""
    try:
        return run.task.output.object.validate(json_of(response))
    except ValidationError as error:
        if response.finish_reason == 'length':
            _raise_for_length(run, 'in the middle of the output')
        raise Refused(error) from error


async def judge(run: Run[Any], output: Awaitable[Any], context: RunContext[Any]) -> Any:
    """The output, once it has passed the validators. Raises `Refused`."""
    try:
        value = await output
        for validator in run.task.validators:
            value = await validator(context, value)
    except ModelRetry as error:
        raise Refused(error) from error
    return value


async def _answer_calls(run: Run[Any], response: ModelResponse) -> Final | ModelRequest:
    tools = run.task.output.tools if run.task.mode == 'tool' else {}
    calls = list(enumerate(response.tool_calls))
    final, refused = await _take_output(run, [(n, call) for n, call in calls if call.tool_name in tools])
    others = [(n, call) for n, call in calls if call.tool_name not in tools]
    if final is not None and run.task.end_strategy == 'early':
        run.answers |= {n: [not_carried_out(call, NOT_NEEDED)] for n, call in others}
        others = []
    failures = await carry_out(run, others)
    if final is not None:
        run.messages.append(run.bear_ids(run.answer_parts()))
        return final
    run.count_failures(failures)
    if refused is not None:
        run.count_refusal(*refused)
    return run.bear_ids(run.answer_parts())


async def _take_output(
    run: Run[Any], calls: list[NumberedCall]
) -> tuple[Final | None, tuple[BaseException, int] | None]:
    """The first output that is accepted; where none is, why the last one was refused and how often that may be."""
    final: Final | None = None
    refused: tuple[BaseException, int] | None = None
    for number, call in calls:
        if final is not None and run.task.end_strategy != 'exhaustive':
            run.answers[number] = [not_carried_out(call, NOT_NEEDED)]
            continue
        form = run.task.output.tools[call.tool_name]
        try:
            output = await _output_of_call(run, form, call)
        except Refused as error:
            refused = error.error, run.allowed_refusals(form)
            part = RetryPromptPart(error.content, tool_name=call.tool_name, tool_call_id=call.tool_call_id)
            run.answers[number] = [part]
        else:
            final = final or Final(output, call)
            run.answers[number] = [ToolReturnPart(call.tool_name, ACCEPTED, call.tool_call_id)]
    return final, refused


async def _output_of_call(run: Run[Any], form: Form, call: ToolCallPart) -> Any:
    try:
        value = form.validate(call.args_as_json_str())
    except ValidationError as error:
        raise Refused(error) from error
    context = run.output_context(call, allowed=run.allowed_refusals(form))
    return await judge(run, form.finish(value, context), context)
