"""`FunctionToolset`: functions as tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Concatenate, Generic, ParamSpec, Unpack, cast, overload

from typing_extensions import TypeVar

from .._checks import check_number
from .._threads import call_async
from .._type_checks import check_items, check_type, is_callable
from ..exceptions import UserError
from ..tools.context import RunContext
from ..tools.context_functions import ContextFunction, parse_prompts, render_prompt
from ..tools.definition import ToolDefinition
from ..tools.options import Instructions, SharedToolOptions, ToolOptions
from ..tools.tool import Tool
from .toolset import AbstractToolset, ToolsetTool

__all__ = ('FunctionToolset', 'check_tools')

DepsT = TypeVar('DepsT', default=None)
P = ParamSpec('P')
D = TypeVar('D')
R = TypeVar('R')
PromptFunction = TypeVar('PromptFunction', bound=Callable[..., Any])

ContextTool = Callable[Concatenate[RunContext[D], P], R]
"""A function that takes a `RunContext` first."""


@dataclass(frozen=True, slots=True)
class _Validator:
    """Validates the arguments of a function."""

    tool: Tool[Any]

    def validate_json(self, input: str, /) -> dict[str, Any]:
        return self.tool.validate(input)


class FunctionToolset(AbstractToolset[DepsT], Generic[DepsT]):
    """Functions as tools. They can be added at any time, also by a tool during a run.

    Args:
        tools: Functions or `Tool` objects.
        max_retries: Number of consecutive failures allowed for a tool that sets no number itself. The default is the
            agent's.
        id: A name of the toolset, for error messages.
        instructions: Text for the model about these tools, or functions that return text.
        timeout: Seconds that a call of a tool may take that sets no time itself.
        options: Options of the functions that are added: `strict`, `sequential`, `metadata` and others of
            `ToolOptions`. A function's own options win; a `Tool` object keeps its own.
    """

    def __init__(
        self,
        tools: Sequence[Tool[DepsT] | Callable[..., Any]] = (),
        *,
        max_retries: int | None = None,
        id: str | None = None,
        instructions: Instructions = None,
        timeout: float | None = None,
        **options: Unpack[SharedToolOptions],
    ) -> None:
        check_number('max_retries', max_retries, least=0, whole=True)
        check_number('timeout', timeout, above=0)
        if unknown := sorted(options.keys() - SharedToolOptions.__annotations__):
            raise TypeError(f'FunctionToolset has no option {unknown[0]!r}')
        check_type(id, str, parameter='id')
        check_tools(tools)
        self.tools: dict[str, Tool[Any]] = {}
        """The tools by name."""
        self._max_retries = max_retries
        self._timeout = timeout
        self._options = options
        self._id = id
        self._instructions = parse_prompts('instructions', instructions)
        for tool in tools:
            if isinstance(tool, Tool):
                self.add_tool(tool)  # pyright: ignore[reportUnknownArgumentType] -- of any deps
            else:
                self.add_function(tool)

    @property
    def id(self) -> str | None:
        return self._id

    # ------------------------------------------------------------------------------------------------ adding tools

    @overload
    def tool(self, function: ContextTool[DepsT, P, R], /) -> ContextTool[DepsT, P, R]: ...
    @overload
    def tool(
        self, /, **options: Unpack[ToolOptions]
    ) -> Callable[[ContextTool[DepsT, P, R]], ContextTool[DepsT, P, R]]: ...
    def tool(self, function: Callable[..., R] | None = None, /, **options: Unpack[ToolOptions]) -> Any:
        """Add a function as a tool; its first argument is a `RunContext`. The options are `ToolOptions`."""
        return self.decorate(function, options, takes_ctx=True)

    @overload
    def tool_plain(self, function: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def tool_plain(self, /, **options: Unpack[ToolOptions]) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def tool_plain(self, function: Callable[P, R] | None = None, /, **options: Unpack[ToolOptions]) -> Any:
        """Add a function as a tool; it takes no `RunContext`. The options are `ToolOptions`."""
        return self.decorate(function, options, takes_ctx=False)

    def add_function(
        self, function: Callable[..., Any], *, takes_ctx: bool | None = None, **options: Unpack[ToolOptions]
    ) -> None:
        """Add a function as a tool. `takes_ctx=None` detects a `RunContext` by the annotation."""
        arguments: dict[str, Any] = {**self._options, **options}
        arguments['metadata'] = {**(self._options.get('metadata') or {}), **(options.get('metadata') or {})} or None
        max_retries = arguments.pop('retries', None)
        self.add_tool(Tool(function, takes_ctx=takes_ctx, max_retries=max_retries, **arguments))

    def add_tool(self, tool: Tool[DepsT]) -> None:
        """Add a tool. Raises `UserError` if there is one of this name."""
        if tool.name in self.tools:
            raise UserError(f'The toolset already has a tool of the name {tool.name!r}; give another name=')
        self.tools[tool.name] = tool

    def decorate(self, function: Callable[..., R] | None, options: ToolOptions, *, takes_ctx: bool) -> Any:
        """Add a function as a tool and return it; without a function, return the decorator that does so."""

        def register(decorated: Callable[..., R]) -> Callable[..., R]:
            self.add_function(decorated, takes_ctx=takes_ctx, **options)
            return decorated

        return register if function is None else register(function)

    @overload
    def instructions(self, function: PromptFunction, /) -> PromptFunction: ...
    @overload
    def instructions(self, /) -> Callable[[PromptFunction], PromptFunction]: ...
    def instructions(self, function: Callable[..., Any] | None = None, /) -> Any:
        """Register a function that returns instructions about these tools. It is called for every request."""

        def register(decorated: PromptFunction) -> PromptFunction:
            self._instructions.append(ContextFunction.of(decorated))
            return decorated

        return register if function is None else register(function)

    # ------------------------------------------------------------------------------------------------------ in a run

    async def get_instructions(self, ctx: RunContext[DepsT]) -> str | None:
        texts = [await render_prompt(prompt, ctx) for prompt in self._instructions]
        return '\n\n'.join(text for text in texts if text) or None

    async def get_tools(self, ctx: RunContext[DepsT]) -> Mapping[str, ToolsetTool[DepsT]]:
        """Return the tools, with their definitions as their `prepare` functions return them."""
        offered: dict[str, ToolsetTool[DepsT]] = {}
        for tool in [*self.tools.values()]:
            definition = await self._prepare(tool, ctx)
            if definition is None:
                continue
            if definition.name in offered:
                raise UserError(f'Two tools have the name {definition.name!r} after their prepare functions')
            offered[definition.name] = self._to_toolset_tool(tool, definition)
        return offered

    async def _prepare(self, tool: Tool[Any], ctx: RunContext[DepsT]) -> ToolDefinition | None:
        """Return the tool's definition after its `prepare` function, or `None` if the tool is hidden."""
        if tool.prepare is None:
            return tool.tool_def
        max_retries = tool.max_retries if tool.max_retries is not None else self._max_retries
        own = replace(
            ctx,
            tool_name=tool.name,
            tool_call_id=None,
            retry=ctx.retries.get(tool.name, 0),
            max_retries=ctx.max_retries if max_retries is None else max_retries,
        )
        return cast('ToolDefinition | None', await call_async(tool.prepare, own, tool.tool_def))

    def _to_toolset_tool(self, tool: Tool[Any], definition: ToolDefinition) -> ToolsetTool[DepsT]:
        return FunctionTool(
            toolset=self,
            tool_def=definition,
            args_validator=_Validator(tool),
            max_retries=self._max_retries if tool.max_retries is None else tool.max_retries,
            timeout=self._timeout if tool.timeout is None else tool.timeout,
            check_arguments=tool.check_arguments if tool.args_validator else None,
            tool=tool,
        )

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[DepsT], tool: ToolsetTool[DepsT]
    ) -> Any:
        assert isinstance(tool, FunctionTool), 'get_tools returns no other tools'
        return await tool.tool.run(tool_args, ctx)

    def __repr__(self) -> str:
        return f'FunctionToolset({[*self.tools]})'


@dataclass(kw_only=True)
class FunctionTool(ToolsetTool[DepsT]):
    """A function as a tool of a toolset."""

    tool: Tool[Any]


def check_tools(tools: object) -> None:
    """Raise `UserError` if this is not a sequence of functions and `Tool` objects."""
    check_items(tools, _is_tool, parameter='tools', expected='functions and Tool objects')


def _is_tool(value: object) -> bool:
    return isinstance(value, Tool) or is_callable(value)
