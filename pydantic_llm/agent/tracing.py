"""`RunTracer`: records a run and its tool calls as operations of `pydantic_llm.models.instrumented`.

It imports OpenTelemetry, so that it is imported itself by the first run that is instrumented.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, cast

from ..exceptions import ApprovalRequired, CallDeferred
from ..messages import ModelMessage, ModelRequestPart, ModelResponse, ToolCallPart, ToolReturnPart
from ..models import Model, ModelRequestParameters
from ..models.instrumented import InstrumentationSettings
from ..models.instrumented.attributes import describe_model, describe_request, describe_usage
from ..models.instrumented.content import ContentEncoder
from ..models.instrumented.conventions import USAGE_ATTRIBUTES
from ..models.instrumented.operation import Operation
from ..models.instrumented.request import encode_content, to_json_text
from ..models.instrumented.switch import find_settings, instrument_model
from ..tools.definition import ToolDefinition
from ..usage import RunUsage, Usage
from .dynamic_options import UnchosenModel
from .output_reader import Rejected
from .run_state import RunState

__all__ = ('RunTracer',)


class RunTracer:
    """Records one run. `instrument` is that of the agent; it switches the instrumentation on."""

    def __init__(self, instrument: InstrumentationSettings | bool | None, agent_name: str | None) -> None:
        self._settings = cast('InstrumentationSettings', find_settings(instrument))
        self._agent = {'gen_ai.agent.name': agent_name} if agent_name else {}

    def instrument(self, model: Model) -> Model:
        """Return the model of the run, with a span for each request."""
        return instrument_model(model, self._settings)

    @contextmanager
    def trace_run(self, run: RunState) -> Generator[None]:
        """Record the run that the block executes, as a span that is current in it."""
        operation = Operation(
            self._settings,
            'invoke_agent',
            self._agent.get('gen_ai.agent.name'),
            {**self._agent, 'gen_ai.conversation.id': run.conversation.conversation_id, **_describe_model(run)},
            metric_attributes=self._agent,
        )
        before = replace(run.conversation.usage)
        try:
            with operation.active():
                yield
        finally:
            self._describe_end(operation, run, before)
            operation.end()

    def _describe_end(self, operation: Operation, run: RunState, before: RunUsage) -> None:
        """Add what is known at the end of a run: its model, its settings, its usage and its content."""
        parameters = run.parameters or ModelRequestParameters()
        attributes = {
            **_describe_model(run),
            **describe_request((), run.context.model_settings or {}, parameters),
            **describe_usage(_subtract(run.conversation.usage, before)),
        }
        new = run.messages[run.conversation.first_new :]
        response = next((message for message in reversed(new) if isinstance(message, ModelResponse)), None)
        if response is not None and response.finish_reason is not None:
            attributes['gen_ai.response.finish_reasons'] = [response.finish_reason]
        operation.set_attributes(attributes)
        if self._settings.has_content_on_spans and operation.span.is_recording():
            content = encode_content(
                self._settings, _list_messages_before(run.messages, response), response, parameters
            )
            operation.set_attributes({name: to_json_text(value) for name, value in content.items()})

    async def trace_tool_call(
        self,
        tool: ToolDefinition,
        call: ToolCallPart,
        execute: Callable[[], Awaitable[Sequence[ModelRequestPart]]],
    ) -> Sequence[ModelRequestPart]:
        """Record the execution of a tool call, as a span that is current in it. A call that stays open is no error."""
        kind = {'gen_ai.tool.name': call.tool_name, 'gen_ai.tool.type': 'function'}
        description = {'gen_ai.tool.description': tool.description} if tool.description else {}
        operation = Operation(
            self._settings,
            'execute_tool',
            call.tool_name,
            {**kind, 'gen_ai.tool.call.id': call.tool_call_id, **description},
            metric_attributes={**kind, **self._agent},
        )
        self._record_content(operation, 'arguments', call.args)
        try:
            with operation.make_current():
                parts = await execute()
        except (ApprovalRequired, CallDeferred):
            raise
        except BaseException as error:
            operation.fail(error.error if isinstance(error, Rejected) else error)
            raise
        else:
            if isinstance(parts[0], ToolReturnPart):
                self._record_content(operation, 'result', parts[0].content)
        finally:
            operation.end()
        return parts

    def _record_content(self, operation: Operation, name: Literal['arguments', 'result'], value: Any) -> None:
        """Record the arguments or the result of a tool call, if the settings include content."""
        if not (self._settings.has_content_on_spans and operation.span.is_recording()):
            return
        encoder = ContentEncoder(self._settings)
        encoded = encoder.encode_arguments(value) if name == 'arguments' else encoder.encode_value(value)
        operation.set_attributes({f'gen_ai.tool.call.{name}': to_json_text(encoded)})


def _describe_model(run: RunState) -> dict[str, Any]:
    """Return the model and its vendor; empty before the function in `model=` has chosen one."""
    if isinstance(run.spec.model, UnchosenModel):
        return {}
    described = describe_model(run.spec.model)
    return {name: described[name] for name in ('gen_ai.provider.name', 'gen_ai.request.model')}


def _subtract(total: RunUsage, before: RunUsage) -> Usage:
    """Return the usage of the run itself: the object can be shared with other runs."""
    counts = {name: getattr(total, name) - getattr(before, name) for name in USAGE_ATTRIBUTES}
    return Usage(**counts, missing=total.missing)


def _list_messages_before(messages: Sequence[ModelMessage], response: ModelResponse | None) -> Sequence[ModelMessage]:
    """Return the messages before a response."""
    index = next((index for index, message in enumerate(messages) if message is response), len(messages))
    return messages[:index]
