"""`RunState`: the progress of one run.

`first_request` builds the first request, `loop` sends requests and handles responses, `tool_calls` adds tool results.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_core import from_json

from ..exceptions import ApprovalRequired, CallDeferred, UnexpectedModelBehavior
from ..messages import (
    EnqueuedMessagesEvent,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    ToolCallPart,
    ToolProgressEvent,
    ToolReturnPart,
)
from ..messages._value import now
from ..messages.history import NOT_EXECUTED
from ..models import Model, ModelRequestParameters, StreamedResponse
from ..settings import ModelSettings
from ..tools.context import RunContext
from ..tools.controls import EnqueuePriority
from ..tools.deferred import DeferredToolRequests
from ..toolsets import ToolsetTool
from .event_channel import EventChannel, RunEvent
from .result import Conversation
from .run_spec import RunSpec

__all__ = ('RunState', 'ToolFailures', 'has_truncated_args', 'make_interrupted_result')

OpenCall = tuple[ToolCallPart, ApprovalRequired | CallDeferred]
"""A tool call without a result, and the reason for that."""

ToolFailures = dict[str, BaseException | None]
"""The last error of each tool that was called in a step; `None` if all of its calls succeeded."""


@dataclass(kw_only=True, eq=False)
class RunState:
    """The progress of one run."""

    spec: RunSpec
    conversation: Conversation
    context: RunContext[Any]
    """The context for the user's functions. Its `run_step` counts the requests."""
    settings: ModelSettings | None = None
    """The settings of the agent and the run for the next request. The model merges them over its own."""
    made_models: dict[str, Model] = field(default_factory=dict[str, Model])
    """The models that were made from the names that the function in `model=` returned."""
    must_answer: bool = False
    """True if the next request allows no function tools, so that the model gives the final answer."""
    has_refused_calls: bool = False
    """True after tool calls that a limit did not allow, if the final answer is requested instead of an error."""
    unusable_calls: set[int] = field(default_factory=set[int])
    """The tool calls of the last response whose tool does not exist or whose arguments are not JSON, by index."""
    unusable_responses: int = 0
    """The number of responses in a row all of whose tool calls were unusable."""
    listed_tools: list[str] | None = None
    """The names of tools that were sent to the model after a call of one that does not exist."""
    priced_model: Model | None = None
    """The model whose prices are known, if the cost is limited."""
    channel: EventChannel | None = None
    """The channel for events; without one, responses are not streamed."""
    stream: StreamedResponse | None = None
    parameters: ModelRequestParameters | None = None
    """The parameters of the last request."""
    offered_tools: Mapping[str, ToolsetTool[Any]] = field(default_factory=dict[str, ToolsetTool[Any]])
    """The tools of the last request, by their name for the model."""
    open_calls: dict[int, OpenCall] = field(default_factory=dict[int, OpenCall])
    """The tool calls of the last response that the run leaves open, by index of the call."""
    next_prompt: ModelRequestPart | None = None
    """The user prompt of a run that first executes the tool calls of its history. It follows their results."""
    tool_results: dict[int, Sequence[ModelRequestPart]] = field(default_factory=dict[int, Sequence[ModelRequestPart]])
    """Parts for each tool call of the last response, by index of the call: first its result, then additions to it."""
    rejected_outputs: int = 0
    has_called_tools: bool = False
    """True after the first response with tool calls."""
    caller_tools: frozenset[str] = frozenset()
    """The names of the tools that the caller of an `AgentModel` executes."""

    @property
    def messages(self) -> list[ModelMessage]:
        return self.conversation.messages

    def emit(self, event: RunEvent) -> None:
        """Send an event to the channel, if there is one."""
        if self.channel is not None:
            self.channel.put(event)

    async def flush_events(self) -> None:
        if self.channel is not None:
            await self.channel.flush()

    # ---------------------------------------------------------------------------------------------------- messages

    def with_run_ids(self, parts: Sequence[ModelRequestPart]) -> ModelRequest:
        """Return a request of these parts with the ids of the run and its conversation."""
        ids = self.conversation
        return ModelRequest(parts, timestamp=now(), run_id=ids.run_id, conversation_id=ids.conversation_id)

    def add_request(self, request: ModelRequest) -> None:
        """Append a request, if a step that failed did not append it already. The response that broke is dropped."""
        match self.messages:
            case [*_, ModelRequest(parts=parts)] if parts is request.parts:
                return
            case [*_, ModelRequest(parts=parts), ModelResponse(state='interrupted')] if parts is request.parts:
                del self.messages[-1]
            case _:
                self.messages.append(request)

    def add_enqueued(self, request: ModelRequest) -> ModelRequest:
        """Add the messages that wait for the next request. Returns the request to send, with their parts in it."""
        return (self._add_queued(request, 'asap') if self.context.controls.queue else None) or request

    def take_request_when_idle(self) -> ModelRequest | None:
        """Return a request of the messages that are in the queue when the run would end, or `None`.

        Tool calls that the run leaves open have no results yet, so that nothing can follow them.
        """
        if self.open_calls or not self.context.controls.queue:
            return None
        last = self.messages[-1]
        if isinstance(last, ModelRequest):  # the results of the tool calls in the response with the output
            del self.messages[-1]
        return self._add_queued(last if isinstance(last, ModelRequest) else None, 'asap', 'when_idle')

    def _add_queued(self, request: ModelRequest | None, *priorities: EnqueuePriority) -> ModelRequest | None:
        """Append the queued messages but the last request, which is returned. Requests in sequence become one."""
        last: ModelMessage | None = request
        for queued in self.context.controls.take(*priorities):
            for message in queued.messages:
                if isinstance(last, ModelRequest) and isinstance(message, ModelRequest):
                    last = replace(last, parts=[*last.parts, *message.parts])
                    continue
                self.messages.extend([] if last is None else [last])
                last = self._with_ids(message)
            self.emit(EnqueuedMessagesEvent(queued.id, queued.messages))
        assert last is None or isinstance(last, ModelRequest), 'the last message of the queue is a request'
        return last

    def _with_ids(self, message: ModelMessage) -> ModelMessage:
        ids = self.conversation
        timestamp = message.timestamp or now()
        return replace(message, timestamp=timestamp, run_id=ids.run_id, conversation_id=ids.conversation_id)

    def replace_response(self, response: ModelResponse) -> None:
        """Make this the last response of the messages, if the caller replaced it between two steps."""
        last = self.messages[-1] if self.messages else None
        if isinstance(last, ModelResponse) and last is not response:
            self.messages[-1] = response

    def record_response(self, response: ModelResponse) -> ModelResponse:
        """Append a response to the messages and count its usage. Returns the response as it was appended.

        If the last message is a response, this one continues its turn, and both become one.
        """
        ids = self.conversation
        parts = _drop_truncated_calls(response)
        warnings = [*self.context.warnings, *response.warnings]
        recorded = replace(
            response, parts=parts, warnings=warnings, run_id=ids.run_id, conversation_id=ids.conversation_id
        )
        self.context.warnings.clear()
        if self.messages and isinstance(paused := self.messages[-1], ModelResponse):
            recorded = paused.join(recorded)
            del self.messages[-1]
            ids.first_new = min(ids.first_new, len(self.messages))
        self.messages.append(recorded)
        ids.usage.add_counts(response.usage)
        return recorded

    def close_history(self) -> None:
        """Append results for the open tool calls, so that the history is valid to continue."""
        if parts := self.complete_tool_results():
            self.messages.append(self.with_run_ids(parts))

    def complete_tool_results(self) -> list[ModelRequestPart]:
        """Add an `interrupted` result for each open tool call of the last response. Returns all of its results."""
        calls = self.find_open_calls()
        for index, tool_call in calls:
            self.tool_results.setdefault(index, [make_interrupted_result(tool_call)])
        return self.tool_result_parts() if calls else []

    def find_open_calls(self) -> list[tuple[int, ToolCallPart]]:
        """Return the tool calls of the last response that no later message has a result for, with their indices."""
        answered: set[str | None] = set()
        for message in reversed(self.messages):
            if isinstance(message, ModelResponse):
                calls = enumerate(message.tool_calls)
                return [(index, call) for index, call in calls if call.tool_call_id not in answered]
            answered |= {
                part.tool_call_id for part in message.parts if isinstance(part, (ToolReturnPart, RetryPromptPart))
            }
        return []

    def take_open_calls(self) -> DeferredToolRequests:
        """Return the open tool calls as the output of the run."""
        requests = DeferredToolRequests()
        for _, (call, reason) in sorted(self.open_calls.items()):
            kind = requests.approvals if isinstance(reason, ApprovalRequired) else requests.calls
            kind.append(call)
            if reason.metadata is not None:
                requests.metadata[call.tool_call_id] = reason.metadata
        return requests

    def tool_result_parts(self) -> list[ModelRequestPart]:
        """Return the results in the order of their tool calls, followed by the additions to them."""
        results = [self.tool_results[index] for index in sorted(self.tool_results)]
        return [parts[0] for parts in results] + [part for parts in results for part in parts[1:]]

    # ---------------------------------------------------------------------------------------------------- contexts

    def tool_context(self, tool: ToolsetTool[Any], tool_call: ToolCallPart) -> RunContext[Any]:
        """Return the context for a tool call."""
        name = tool_call.tool_name
        return replace(
            self.context,
            tool_name=name,
            tool_call_id=tool_call.tool_call_id,
            retry=self.context.retries.get(name, 0),
            max_retries=self.spec.max_retries(tool),
            emitter=self._make_emitter(tool_call),
        )

    def _make_emitter(self, tool_call: ToolCallPart) -> Callable[[Any], None] | None:
        """Return a function that sends a value as an event of this tool call, from any thread."""
        if self.channel is None:
            return None
        loop = asyncio.get_running_loop()

        def emit(value: Any) -> None:
            event = ToolProgressEvent(tool_call.tool_name, tool_call.tool_call_id, value)
            if asyncio._get_running_loop() is loop:
                self.emit(event)
            else:
                loop.call_soon_threadsafe(self.emit, event)

        return emit

    def output_context(
        self, tool_call: ToolCallPart | None, *, max_retries: int | None = None, is_partial: bool = False
    ) -> RunContext[Any]:
        return replace(
            self.context,
            tool_name=tool_call.tool_name if tool_call else None,
            tool_call_id=tool_call.tool_call_id if tool_call else None,
            retry=self.rejected_outputs,
            max_retries=self.spec.output_retries if max_retries is None else max_retries,
            partial_output=is_partial,
        )

    # ---------------------------------------------------------------------------------------------------- failures

    def count_failures(self, failures: ToolFailures) -> None:
        """Count the failed tools of a step; several calls of one tool count once.

        Raises `UnexpectedModelBehavior` if a tool failed more often than allowed.
        """
        for name, error in failures.items():
            failed = self.context.retries.pop(name, 0) + 1
            if error is None:
                continue
            self.context.retries[name] = failed
            allowed = self.spec.max_retries(self.offered_tools.get(name))
            if failed > allowed:
                raise UnexpectedModelBehavior(
                    f'Tool {name!r} exceeded max_retries={allowed}; what was wrong the last time: {error}'
                ) from error

    def count_rejected_output(self, error: BaseException, allowed: int) -> None:
        """Count a rejected output. Raises `UnexpectedModelBehavior` if more than `allowed` were rejected."""
        self.rejected_outputs += 1
        if self.rejected_outputs > allowed:
            raise UnexpectedModelBehavior(
                f'The output exceeded output_retries={allowed}; what was wrong the last time: {error}'
            ) from error


def make_interrupted_result(tool_call: ToolCallPart, reason: str = NOT_EXECUTED) -> ToolReturnPart:
    """Return a result for a tool call that was not executed."""
    return ToolReturnPart(tool_call.tool_name, reason, tool_call.tool_call_id, outcome='interrupted')


def has_truncated_args(tool_call: ToolCallPart) -> bool:
    """Return whether the arguments are empty or invalid JSON, as in a response that was truncated inside them."""
    try:
        from_json(tool_call.args_as_json_str())
    except ValueError:
        return True
    return not tool_call.args


def _drop_truncated_calls(response: ModelResponse) -> Sequence[ModelResponsePart]:
    """Return the parts of a response that can be sent again: all but truncated tool calls.

    Vendors refuse a history with malformed arguments (vllm#43995).
    """
    if not response.is_truncated and response.finish_reason != 'length':
        return response.parts
    return [part for part in response.parts if not (isinstance(part, ToolCallPart) and has_truncated_args(part))]
