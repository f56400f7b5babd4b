"""`AgentDecorators`: the methods of `Agent` that register functions, in a file of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Unpack, overload

from typing_extensions import TypeVar

from ..tools.context import RunContext
from ..tools.context_functions import ContextFunction, Prompt, parse_prompts
from ..tools.options import Instructions, SystemPromptFunc, ToolOptions
from ..tools.tool import Tool
from ..toolsets import AbstractToolset, DynamicToolset, FunctionToolset
from ..toolsets.dynamic import ToolsetFunc, to_toolsets

__all__ = ('AgentDecorators',)

DepsT = TypeVar('DepsT', default=None)
OutputT = TypeVar('OutputT', default=str)
P = ParamSpec('P')
D = TypeVar('D')
R = TypeVar('R')
PromptFunction = TypeVar('PromptFunction', bound=SystemPromptFunc)

ContextTool = Callable[Concatenate[RunContext[D], P], R]
"""A function that takes a `RunContext` first."""

_Validator = Callable[[RunContext[D], R], R]
_AsyncValidator = Callable[[RunContext[D], R], Awaitable[R]]
_PlainValidator = Callable[[R], R]
_AsyncPlainValidator = Callable[[R], Awaitable[R]]


class AgentDecorators(Generic[DepsT, OutputT]):
    """A mixin for `Agent` with the methods that register functions."""

    def _init_functions(
        self,
        tools: Sequence[Tool[DepsT] | Callable[..., Any]],
        toolsets: Sequence[AbstractToolset[DepsT] | ToolsetFunc[DepsT]],
        instructions: Instructions,
        system_prompt: str | Sequence[str],
        tool_timeout: float | None,
    ) -> None:
        """Set the functions that the agent starts with."""
        self._functions = FunctionToolset[DepsT](tools, id='<agent>', timeout=tool_timeout)
        self._toolsets = to_toolsets(toolsets)
        self._instructions = parse_prompts('instructions', instructions)
        self._system_prompts: list[Prompt] = parse_prompts('system_prompt', system_prompt)
        self._dynamic_prompts: list[ContextFunction] = []
        self._output_validators: list[ContextFunction] = []

    # -------------------------------------------------------------------------------------------------------- tools

    @overload
    def tool(self, function: ContextTool[DepsT, P, R], /) -> ContextTool[DepsT, P, R]: ...
    @overload
    def tool(
        self, /, **options: Unpack[ToolOptions]
    ) -> Callable[[ContextTool[DepsT, P, R]], ContextTool[DepsT, P, R]]: ...
    def tool(self, function: Callable[..., R] | None = None, /, **options: Unpack[ToolOptions]) -> Any:
        """Register a function as a tool; its first argument is a `RunContext`. The options are `ToolOptions`."""
        return self._functions.decorate(function, options, takes_ctx=True)

    @overload
    def tool_plain(self, function: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def tool_plain(self, /, **options: Unpack[ToolOptions]) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def tool_plain(self, function: Callable[..., R] | None = None, /, **options: Unpack[ToolOptions]) -> Any:
        """Register a function as a tool; it takes no `RunContext`. The options are `ToolOptions`."""
        return self._functions.decorate(function, options, takes_ctx=False)

    @overload
    def toolset(self, function: ToolsetFunc[DepsT], /) -> ToolsetFunc[DepsT]: ...
    @overload
    def toolset(
        self, /, *, per_run_step: bool = True, id: str | None = None
    ) -> Callable[[ToolsetFunc[DepsT]], ToolsetFunc[DepsT]]: ...
    def toolset(
        self, function: ToolsetFunc[DepsT] | None = None, /, *, per_run_step: bool = True, id: str | None = None
    ) -> Any:
        """Register a function that returns a toolset: for each request, or with `per_run_step=False` once per run."""

        def register(decorated: ToolsetFunc[DepsT]) -> ToolsetFunc[DepsT]:
            self._toolsets.append(DynamicToolset(decorated, per_run_step=per_run_step, id=id))
            return decorated

        return register if function is None else register(function)

    @property
    def toolsets(self) -> list[AbstractToolset[DepsT]]:
        """The agent's toolsets. The first one has its functions."""
        return [self._functions, *self._toolsets]

    # ---------------------------------------------------------------------------------------- validators and prompts

    @overload
    def output_validator(self, function: _Validator[DepsT, OutputT], /) -> _Validator[DepsT, OutputT]: ...
    @overload
    def output_validator(self, function: _AsyncValidator[DepsT, OutputT], /) -> _AsyncValidator[DepsT, OutputT]: ...
    @overload
    def output_validator(self, function: _PlainValidator[OutputT], /) -> _PlainValidator[OutputT]: ...
    @overload
    def output_validator(self, function: _AsyncPlainValidator[OutputT], /) -> _AsyncPlainValidator[OutputT]: ...
    def output_validator(self, function: Callable[..., Any], /) -> Callable[..., Any]:
        """Register a function that checks outputs: it takes an output and returns the same or another one.

        It may take a `RunContext` first, and raises `ModelRetry` to reject the output. In a stream it also gets partial
        outputs, with `RunContext.partial_output` set.
        """
        self._output_validators.append(ContextFunction.of(function, arguments=1))
        return function

    @overload
    def instructions(self, function: PromptFunction, /) -> PromptFunction: ...
    @overload
    def instructions(self, /) -> Callable[[PromptFunction], PromptFunction]: ...
    def instructions(self, function: SystemPromptFunc | None = None, /) -> Any:
        """Register a function that returns instructions. It is called for every request."""

        def register(decorated: PromptFunction) -> PromptFunction:
            self._instructions.append(ContextFunction.of(decorated))
            return decorated

        return register if function is None else register(function)

    @overload
    def system_prompt(self, function: PromptFunction, /) -> PromptFunction: ...
    @overload
    def system_prompt(self, /, *, dynamic: bool = False) -> Callable[[PromptFunction], PromptFunction]: ...
    def system_prompt(self, function: SystemPromptFunc | None = None, /, *, dynamic: bool = False) -> Any:
        """Register a function that returns a system prompt.

        It is called when a conversation begins. With `dynamic` it is also called when a conversation is continued, and
        its new text replaces the one in the history.
        """

        def register(decorated: PromptFunction) -> PromptFunction:
            prompt = ContextFunction.of(decorated)
            self._system_prompts.append(prompt)
            self._dynamic_prompts += [prompt] if dynamic else []
            return decorated

        return register if function is None else register(function)
