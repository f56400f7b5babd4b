"""`RunSpec`: the settings of one run, merged from the agent, its overrides and the caller's options."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from ..messages import ModelMessage, ModelRequestPart, ToolCallPart
from ..models import Model, OutputMode
from ..native_tools import NativeTool
from ..tools.context_functions import ContextFunction, Prompt
from ..tools.controls import CancellationToken
from ..tools.deferred import DeferredToolResults
from ..tools.definition import ToolDefinition
from ..toolsets import AbstractToolset, ToolsetTool
from ..usage import UsageLimits
from .dynamic_options import SettingsLayer
from .output_reader import OutputForm, OutputReader
from .output_types import EndStrategy

__all__ = ('RunSpec', 'Tracer')


class Tracer(Protocol):
    """Records a run. `tracing` has the one of OpenTelemetry."""

    def instrument(self, model: Model) -> Model:
        """Return the model of the run, so that its requests are recorded."""
        ...

    def trace_run(self, run: Any, /) -> AbstractContextManager[None]:
        """Record the run that the block executes, a `RunState`."""
        ...

    async def trace_tool_call(
        self,
        tool: ToolDefinition,
        call: ToolCallPart,
        execute: Callable[[], Awaitable[Sequence[ModelRequestPart]]],
    ) -> Sequence[ModelRequestPart]:
        """Record the execution of a tool call. Returns and raises what it does."""
        ...


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """The settings of one run. They never change."""

    model: Model
    choose_model: ContextFunction | None = None
    """The function that chooses the model of each request."""
    closes_model: bool = False
    """True if the model was made for this run, which closes it."""
    history: Sequence[ModelMessage] = ()
    """The messages that the run continues."""
    cancellation_token: CancellationToken | None = None
    output: OutputReader
    toolset: AbstractToolset[Any]
    """All tools of the run."""
    output_validators: Sequence[ContextFunction] = ()
    history_processors: Sequence[ContextFunction] = ()
    """The functions that choose the messages of each request."""
    native_tools: Sequence[NativeTool] = ()
    deferred_results: DeferredToolResults | None = None
    """The results of the tool calls that the run which it continues left open."""
    instructions: Sequence[Prompt] = ()
    system_prompts: Sequence[Prompt] = ()
    dynamic_prompts: Sequence[ContextFunction] = ()
    """The system prompts that are evaluated again in every run."""
    settings_layers: Sequence[SettingsLayer] = ()
    """Settings of the agent and the run, or functions that return them."""
    limits: UsageLimits = field(default_factory=UsageLimits)
    retries: int = 1
    """Number of consecutive failures allowed for a tool that sets no number itself."""
    output_retries: int = 1
    """Number of rejected outputs allowed for an output that sets no number itself."""
    end_strategy: EndStrategy = 'early'
    """Handling of the other tool calls in a response that contains the output."""
    tracer: Tracer | None = None
    """Records the run and its tool calls; `None` if it is not instrumented."""

    @cached_property
    def has_dynamic_settings(self) -> bool:
        """True if a function returns settings."""
        return any(isinstance(layer, ContextFunction) for layer in self.settings_layers)

    @property
    def output_mode(self) -> OutputMode:
        return self.output.mode_for(self.model.profile, has_native_tools=bool(self.native_tools))

    @property
    def output_tools(self) -> dict[str, OutputForm]:
        """The forms of the output by tool name; empty if the output is not requested as a tool call."""
        return self.output.tools if self.output_mode == 'tool' else {}

    def max_retries(self, tool: ToolsetTool[Any] | None) -> int:
        """Return the number of consecutive failures allowed for a tool; `None` is a tool that does not exist."""
        return self.retries if tool is None or tool.max_retries is None else tool.max_retries

    def max_output_retries(self, form: OutputForm) -> int:
        """Return the number of rejected outputs allowed for this form."""
        own = form.options.max_retries if form.options else None
        return self.output_retries if own is None else own
