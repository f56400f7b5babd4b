"""`CallerRequest`: what the caller of an `AgentModel` requests, and `apply_request`, which adds it to a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..exceptions import UserError
from ..messages import ModelMessage, ModelResponse
from ..messages.history import repair
from ..models import ModelRequestParameters, OutputMode
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..tools.context import RunContext
from ..toolsets import CombinedToolset, ExternalToolset, ToolsetTool
from ..wire.prepare import find_instructions
from .output_reader import OutputReader
from .run_state import RunState

__all__ = ('CallerRequest', 'apply_request')


@dataclass(frozen=True, kw_only=True)
class CallerRequest:
    """A request to an `AgentModel`."""

    messages: Sequence[ModelMessage]
    settings: ModelSettings | None
    parameters: ModelRequestParameters
    warnings: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
    ) -> CallerRequest:
        """Return the request with its `tool_choice` for the caller's tools, of which the run has more.

        Raises `UserError` if there are no messages.
        """
        parameters = parameters or ModelRequestParameters()
        if not messages:
            raise UserError('messages holds nothing to send: it is empty')
        if isinstance(messages[-1], ModelResponse) and messages[-1].tool_calls:
            messages = repair(messages)[0]  # a call that the caller wrote is not executed
        choice = (settings or {}).get('tool_choice')
        if choice not in ('none', 'required'):
            return cls(messages=messages, settings=settings, parameters=parameters)
        others: ModelSettings = {**(settings or {})}
        del others['tool_choice']
        warnings: list[str] = []
        if choice == 'none':
            parameters = replace(parameters, function_tools=())
        elif parameters.tools:
            others['tool_choice'] = [tool.name for tool in parameters.tools]
        else:
            warnings.append("'tool_choice' was not sent: the request has no tools")
        return cls(messages=messages, settings=others, parameters=parameters, warnings=warnings)


def apply_request(run: RunState, request: CallerRequest) -> None:
    """Add the caller's tools and instructions to a run, and the output that it requests.

    The agent's system prompts become instructions: the caller's history has none of them, and they are evaluated again.
    """
    spec, asked = run.spec, _resolve_output(request.parameters, run)
    output = replace(spec.output, allows_deferred=True)
    if asked.output_tools or asked.output_object or asked.allow_image_output:
        if spec.output_validators and not spec.output.is_text:
            raise UserError('The agent has output validators, which check its own output: request plain text')
        output = _CallerOutput(allows_text=True, allows_deferred=True, parameters=asked)
    run.caller_tools = frozenset(tool.name for tool in asked.tools)
    run.spec = replace(
        spec,
        toolset=CombinedToolset([spec.toolset, _CallerTools(asked)]),
        native_tools=[*spec.native_tools, *asked.native_tools],
        output=output,
        instructions=[*spec.system_prompts, *spec.instructions, *find_instructions(request.messages)],
        system_prompts=(),
        dynamic_prompts=(),
    )


def _resolve_output(parameters: ModelRequestParameters, run: RunState) -> ModelRequestParameters:
    """Return the parameters with the output alone that their mode requests."""
    mode, profile = parameters.output_mode, run.spec.model.profile
    if mode == 'auto':
        mode = profile.choose_output_mode(has_native_tools=bool(parameters.native_tools))
    is_json = mode in ('native', 'prompted')
    return replace(
        parameters,
        output_mode=mode,
        output_tools=() if is_json else parameters.output_tools,
        output_object=parameters.output_object if is_json else None,
    )


@dataclass
class _CallerOutput(OutputReader):
    """The output that the caller requests, as it is: for the run it is text, or an open call of an output tool."""

    parameters: ModelRequestParameters = field(default_factory=ModelRequestParameters)

    def mode_for(self, profile: ModelProfile, *, has_native_tools: bool = False) -> OutputMode:
        return 'text'

    def build_parameters(self, mode: OutputMode) -> ModelRequestParameters:
        return replace(self.parameters, function_tools=(), output_tools=(), native_tools=())


class _CallerTools(ExternalToolset[Any]):
    """The caller's tools and the tools of its output, all of which the caller executes."""

    def __init__(self, parameters: ModelRequestParameters) -> None:
        super().__init__(parameters.tools, id='the caller')
        self._outputs = {tool.name for tool in parameters.output_tools}

    async def get_tools(self, ctx: RunContext[Any]) -> Mapping[str, ToolsetTool[Any]]:
        tools = await super().get_tools(ctx)
        return {
            name: replace(tool, tool_def=replace(tool.tool_def, kind='output')) if name in self._outputs else tool
            for name, tool in tools.items()
        }
