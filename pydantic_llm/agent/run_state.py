"""One run of an agent: what was asked for, and how far it has come.

A `Task` is what the agent and its caller want, and never changes. A `Run` is one way through it, `_loop` goes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic

from pydantic_core import from_json
from typing_extensions import TypeVar

from .._threads import call_async
from ..exceptions import UnexpectedModelBehavior, UserError
from ..messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from ..messages._value import now
from ..messages.history import NOT_EXECUTED
from ..models import Model, ModelRequestParameters, OutputMode, StreamedResponse
from ..native_tools import NativeTool
from ..settings import ModelSettings
from ..tools.context import RunContext
from ..tools.definition import ToolDefinition
from ..tools.tool import Tool
from ..usage import Usage, UsageLimits
from .context_functions import ContextFunction, Prompt, written
from .event_channel import Channel
from .output_reader import Form, Output
from .output_types import EndStrategy
from .result import AgentStreamEvent, Conversation

__all__ = ('ResponseBegins', 'Run', 'Task', 'opening')

DepsT = TypeVar('DepsT', default=None)
OutputT = TypeVar('OutputT', default=str)


@dataclass(frozen=True, kw_only=True)
class Task(Generic[DepsT]):
    """What the agent and its caller want of a run."""

    model: Model
    """The model to ask."""
    output: Output
    """What the output may be."""
    validators: Sequence[ContextFunction] = ()
    """What the output must pass."""
    tools: Sequence[Tool[Any]] = ()
    """The tools that the model may call."""
    native_tools: Sequence[NativeTool] = ()
    """The vendor's tools that the model may use."""
    instructions: Sequence[Prompt] = ()
    """What the model is told with every request."""
    system_prompts: Sequence[Prompt] = ()
    """What the model is told at the beginning of a conversation."""
    dynamic_prompts: Sequence[ContextFunction] = ()
    """Those of the system prompts that are made anew in every run."""
    settings: ModelSettings | None = None
    """The settings of the agent and of the run; the model's own are laid under them by the model."""
    limits: UsageLimits = field(default_factory=UsageLimits)
    """How much the run may use."""
    retries: int = 1
    """How often a tool may fail in a row, where it does not say so itself."""
    output_retries: int = 1
    """How often the output may be refused."""
    end_strategy: EndStrategy = 'early'
    """What happens to the other calls in an answer that holds the output."""

    @property
    def mode(self) -> OutputMode:
        """How the output is asked for."""
        return self.output.mode_for(self.model.profile)


Failures = dict[str, BaseException | None]
"""What was wrong with the calls of each tool that was called; `None` where nothing was."""


@dataclass(frozen=True, slots=True)
class ResponseBegins:
    """Tells a reader of events that a new response begins. It never leaves the agent."""


@dataclass(kw_only=True)
class Run(Generic[DepsT]):
    """One way through a task."""

    task: Task[DepsT]
    """What is wanted."""
    conversation: Conversation
    """What was said so far."""
    context: RunContext[DepsT]
    """What the caller's functions may know; its `run_step` goes on with the run."""
    channel: Channel[AgentStreamEvent | ResponseBegins] | None = None
    """Where events go; without one, answers are not streamed."""
    stream: StreamedResponse | None = None
    """The answer that is being written."""
    offered: dict[str, Tool[Any]] = field(default_factory=dict[str, Tool[Any]])
    """The tools that the last request offered, by the name that the model knows."""
    sequential: set[str] = field(default_factory=set[str])
    """Those of them that must not run beside others."""
    answers: dict[int, Sequence[ModelRequestPart]] = field(default_factory=dict[int, Sequence[ModelRequestPart]])
    """The answers to the calls of the last response, by the place of the call: first the answer, then what it adds."""
    refusals: int = 0
    """How often an output was refused."""

    @property
    def messages(self) -> list[ModelMessage]:
        """All messages so far."""
        return self.conversation.messages

    def tell(self, event: AgentStreamEvent | ResponseBegins) -> None:
        """Tell who listens."""
        if self.channel is not None:
            self.channel.put(event)

    async def idle(self) -> None:
        """Wait until who listens has heard everything."""
        if self.channel is not None:
            await self.channel.idle()

    def bear_ids(self, parts: Sequence[ModelRequestPart]) -> ModelRequest:
        """A request with the ids of this run."""
        ids = self.conversation
        return ModelRequest(parts, timestamp=now(), run_id=ids.run_id, conversation_id=ids.conversation_id)

    def record(self, response: ModelResponse) -> ModelResponse:
        """Keep a response and count what it used. Gives it as it was kept."""
        ids = self.conversation
        kept = replace(
            response, parts=_without_cut_calls(response), run_id=ids.run_id, conversation_id=ids.conversation_id
        )
        self.messages.append(kept)
        Usage.incr(self.conversation.usage, response.usage)
        return kept

    def settle(self) -> None:
        """End with a conversation that can go on: answer the calls that nobody will answer any more."""
        if parts := self.closing_parts():
            self.messages.append(self.bear_ids(parts))

    def closing_parts(self) -> list[ModelRequestPart]:
        """Answers to all calls of the last message; calls that were not carried out are told so."""
        last = self.messages[-1] if self.messages else None
        calls = last.tool_calls if isinstance(last, ModelResponse) else []
        for number, tool_call in enumerate(calls):
            self.answers.setdefault(number, [not_carried_out(tool_call)])
        return self.answer_parts() if calls else []

    def answer_parts(self) -> list[ModelRequestPart]:
        """The answers in the order of the calls, and behind them what they add."""
        answers = [self.answers[number] for number in sorted(self.answers)]
        return [parts[0] for parts in answers] + [part for parts in answers for part in parts[1:]]

    async def offer(self) -> ModelRequestParameters:
        """What the next request may use and must return."""
        parameters = self.task.output.parameters(self.task.mode)
        definitions: list[ToolDefinition] = []
        self.offered = {}
        for tool in self.task.tools:
            definition = await self._prepared(tool)
            if definition is not None:
                if definition.name in self.offered:
                    raise UserError(f'Two tools have the name {definition.name!r} after their prepare functions')
                definitions.append(definition)
                self.offered[definition.name] = tool
        self.sequential = {definition.name for definition in definitions if definition.sequential}
        return replace(parameters, function_tools=definitions, native_tools=list(self.task.native_tools))

    async def _prepared(self, tool: Tool[Any]) -> ToolDefinition | None:
        if tool.prepare is None:
            return tool.tool_def
        prepared: ToolDefinition | None = await call_async(tool.prepare, self.tool_context(tool), tool.tool_def)
        return prepared

    async def instructions(self) -> str | None:
        """What the next request tells the model."""
        texts = [await written(prompt, self.context) for prompt in self.task.instructions]
        return '\n\n'.join(text for text in texts if text) or None

    def allowed(self, tool: Tool[Any] | None) -> int:
        """How often a tool may fail in a row."""
        return self.task.retries if tool is None or tool.max_retries is None else tool.max_retries

    def tool_context(self, tool: Tool[Any], tool_call: ToolCallPart | None = None) -> RunContext[DepsT]:
        """What a tool may know."""
        name = tool_call.tool_name if tool_call else tool.name
        return replace(
            self.context,
            tool_name=name,
            tool_call_id=tool_call.tool_call_id if tool_call else None,
            retry=self.context.retries.get(name, 0),
            max_retries=self.allowed(tool),
        )

    def allowed_refusals(self, form: Form) -> int:
        """How often an output of this form may be refused."""
        own = form.options.max_retries if form.options else None
        return self.task.output_retries if own is None else own

    def output_context(
        self, tool_call: ToolCallPart | None, *, allowed: int | None = None, partial: bool = False
    ) -> RunContext[DepsT]:
        """What an output function or validator may know."""
        return replace(
            self.context,
            tool_name=tool_call.tool_name if tool_call else None,
            tool_call_id=tool_call.tool_call_id if tool_call else None,
            retry=self.refusals,
            max_retries=self.task.output_retries if allowed is None else allowed,
            partial_output=partial,
        )

    def count_failures(self, called: Failures) -> None:
        """Count which tools failed in this step, several calls of one as one; raises where that was too often."""
        for name, error in called.items():
            failed = self.context.retries.pop(name, 0) + 1
            if error is None:
                continue
            self.context.retries[name] = failed
            allowed = self.allowed(self.offered.get(name))
            if failed > allowed:
                raise UnexpectedModelBehavior(
                    f'Tool {name!r} exceeded max_retries={allowed}; what was wrong the last time: {error}'
                ) from error

    def count_refusal(self, error: BaseException, allowed: int) -> None:
        """Count that an output was refused; raises where that was too often."""
        self.refusals += 1
        if self.refusals > allowed:
            raise UnexpectedModelBehavior(
                f'The output exceeded output_retries={allowed}; what was wrong the last time: {error}'
            ) from error


def not_carried_out(tool_call: ToolCallPart, reason: str = NOT_EXECUTED) -> ToolReturnPart:
    """The answer to a call that nobody carried out."""
    return ToolReturnPart(tool_call.tool_name, reason, tool_call.tool_call_id, outcome='interrupted')


def is_cut(tool_call: ToolCallPart) -> bool:
    """Whether a call may be what an answer was cut in: its arguments are not there, or are no JSON."""
    try:
        from_json(tool_call.args_as_json_str())
    except ValueError:
        return True
    return not tool_call.args


def _without_cut_calls(response: ModelResponse) -> Sequence[ModelResponsePart]:
    """The parts that can be said again: of an answer that was cut, not the calls in the middle of which it was."""
    if response.state == 'complete' and response.finish_reason != 'length':
        return response.parts
    return [part for part in response.parts if not (isinstance(part, ToolCallPart) and is_cut(part))]


# ------------------------------------------------------------------------------------------------ how a run begins


async def opening(
    run: Run[Any], prompt: str | Sequence[UserContent] | None, history: Sequence[ModelMessage]
) -> ModelRequest | None:
    """The first request; `None` where the history ends with calls, which are carried out first.

    Raises `UserError` where there is nothing to ask.
    """
    run.messages.extend(await _refreshed(run, history))
    run.conversation.first_new = len(history)
    if prompt is not None:
        return run.bear_ids([*run.closing_parts(), *await _beginning(run, history), UserPromptPart(prompt)])
    match run.messages:
        case [*_, ModelRequest() as last]:
            del run.messages[-1]
            return last
        case [*_, ModelResponse(tool_calls=[_, *_])]:
            return None
        case []:
            parts = await _beginning(run, history)
            if parts or run.task.instructions:
                return run.bear_ids(parts)
        case _:
            pass
    raise UserError('There is nothing to ask: give a user_prompt, or a message_history that ends with a request')


async def _beginning(run: Run[Any], history: Sequence[ModelMessage]) -> list[ModelRequestPart]:
    """The system prompts, where the conversation begins with this run."""
    parts: list[ModelRequestPart] = []
    for prompt in () if history else run.task.system_prompts:
        text = await written(prompt, run.context)
        if text:
            name = prompt.name if isinstance(prompt, ContextFunction) and prompt in run.task.dynamic_prompts else None
            parts.append(SystemPromptPart(text, dynamic_ref=name))
    return parts


async def _refreshed(run: Run[Any], history: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The history with its dynamic system prompts made anew."""
    by_name = {prompt.name: prompt for prompt in run.task.dynamic_prompts}
    messages = list(history)
    for place, message in enumerate(messages):
        if isinstance(message, ModelRequest) and any(_dynamic(part) in by_name for part in message.parts):
            parts = [await _made_anew(run, part, by_name) for part in message.parts]
            messages[place] = replace(message, parts=parts)
    return messages


def _dynamic(part: ModelRequestPart) -> str | None:
    return part.dynamic_ref if isinstance(part, SystemPromptPart) else None


async def _made_anew(run: Run[Any], part: ModelRequestPart, by_name: dict[str, ContextFunction]) -> ModelRequestPart:
    prompt = by_name.get(_dynamic(part) or '')
    if prompt is None or not isinstance(part, SystemPromptPart):
        return part
    return replace(part, content=await written(prompt, run.context) or '')
