"""`AbstractToolset`, the base class of all toolsets, and the toolsets that change another one (`filtered`, ...)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Generic, Protocol, Self

from typing_extensions import TypeVar

from .._threads import call_async
from .._type_checks import check_callable, check_type
from ..exceptions import ApprovalRequired, UserError
from ..tools.context import RunContext
from ..tools.definition import ToolDefinition
from ..tools.tool import ToolsPrepareFunc

__all__ = (
    'AbstractToolset',
    'ApprovalFunction',
    'ApprovalRequiredToolset',
    'ArgumentsCheck',
    'ArgumentsValidator',
    'FilterFunction',
    'FilteredToolset',
    'PrefixedToolset',
    'PreparedToolset',
    'RenamedToolset',
    'SetMetadataToolset',
    'ToolsetTool',
    'WrapperToolset',
)

DepsT = TypeVar('DepsT', default=None)

FilterFunction = Callable[[RunContext[DepsT], ToolDefinition], bool | Awaitable[bool]]
"""Returns whether a tool is offered to the model in the next request."""

ApprovalFunction = Callable[[RunContext[DepsT], ToolDefinition, dict[str, Any]], bool | Awaitable[bool]]
"""Returns whether a call with these arguments must be approved before it is executed."""


ArgumentsCheck = Callable[[dict[str, Any], RunContext[DepsT]], Awaitable[None]]
"""Checks the arguments of a tool call, which have the right types. Raises `ModelRetry` or `ApprovalRequired`."""


class ArgumentsValidator(Protocol):
    """Validates the arguments of a tool call. The validator of a pydantic `TypeAdapter` is one."""

    def validate_json(self, input: str, /) -> Any:
        """Return the arguments by name. Raises pydantic's `ValidationError`, or `ModelRetry`."""
        ...


@dataclass(kw_only=True)
class ToolsetTool(Generic[DepsT]):
    """A tool of a toolset."""

    toolset: AbstractToolset[DepsT]
    """The toolset that executes the tool."""

    tool_def: ToolDefinition
    """The tool as the model sees it."""

    args_validator: ArgumentsValidator
    """Validates the arguments that the model wrote."""

    max_retries: int | None = None
    """The number of consecutive failures that do not end the run; `None` uses the agent's."""

    timeout: float | None = None
    """The time limit of a call in seconds; if it is exceeded, the model gets a retry prompt."""

    check_arguments: ArgumentsCheck[DepsT] | None = None
    """Called with validated arguments before each call, and before an approval is requested. Raises `ModelRetry`."""


class AbstractToolset(ABC, Generic[DepsT]):
    """A collection of tools. Subclasses list their tools in `get_tools` and execute their calls in `call_tool`.

    A toolset that holds a connection opens it in `__aenter__`. An agent enters its toolsets for each run; several runs
    may do so at the same time.
    """

    @property
    def id(self) -> str | None:
        """A name of the toolset that is unique within an agent, if it has one."""
        return None

    @property
    def label(self) -> str:
        """The name of the toolset in error messages."""
        return f'{type(self).__name__} {self.id!r}' if self.id else type(self).__name__

    async def for_run(self, ctx: RunContext[DepsT]) -> AbstractToolset[DepsT]:
        """Return the toolset to use in a run. A toolset that keeps state per run returns a new one."""
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return None

    async def get_instructions(self, ctx: RunContext[DepsT]) -> str | None:
        """Return instructions for the model about these tools. They are sent after the agent's."""
        return None

    @abstractmethod
    async def get_tools(self, ctx: RunContext[DepsT]) -> Mapping[str, ToolsetTool[DepsT]]:
        """Return the tools for the next request, by name."""

    @abstractmethod
    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[DepsT], tool: ToolsetTool[DepsT]
    ) -> Any:
        """Execute a tool call with validated arguments and return its result.

        Raises `ModelRetry` to make the model call again, `ApprovalRequired` or `CallDeferred` to end the run with the
        call as an open one. Any other exception ends the run.
        """

    # ----------------------------------------------------------------------------------------- changed copies of it

    def filtered(self, filter_func: FilterFunction[DepsT]) -> FilteredToolset[DepsT]:
        """Return a toolset with those of these tools for which the function returns true, asked before each request."""
        return FilteredToolset(self, filter_func)

    def prefixed(self, prefix: str) -> PrefixedToolset[DepsT]:
        """Return a toolset whose tools have the prefix and an underscore before their names."""
        return PrefixedToolset(self, prefix)

    def prepared(self, prepare_func: ToolsPrepareFunc[DepsT]) -> PreparedToolset[DepsT]:
        """Return a toolset whose definitions are changed by the function before each request."""
        return PreparedToolset(self, prepare_func)

    def renamed(self, name_map: Mapping[str, str]) -> RenamedToolset[DepsT]:
        """Return a toolset with other names of tools: new name -> name in this toolset."""
        return RenamedToolset(self, name_map)

    def approval_required(
        self, approval_required_func: ApprovalFunction[DepsT] | None = None
    ) -> ApprovalRequiredToolset[DepsT]:
        """Return a toolset whose calls must be approved: all of them, or those that the function returns true for."""
        return ApprovalRequiredToolset(self, approval_required_func)

    def with_metadata(self, **metadata: Any) -> SetMetadataToolset[DepsT]:
        """Return a toolset whose definitions have this metadata in addition to their own."""
        return SetMetadataToolset(self, metadata)


# ------------------------------------------------------------------------------------ toolsets that change another one


class WrapperToolset(AbstractToolset[DepsT]):
    """A toolset around another one, `wrapped`. Subclasses override what they change."""

    def __init__(self, wrapped: AbstractToolset[DepsT]) -> None:
        check_type(wrapped, AbstractToolset, parameter='wrapped')
        self.wrapped = wrapped
        """The toolset inside."""

    @property
    def id(self) -> str | None:
        return self.wrapped.id

    @property
    def label(self) -> str:
        return f'{type(self).__name__}({self.wrapped.label})'

    async def for_run(self, ctx: RunContext[DepsT]) -> AbstractToolset[DepsT]:
        return self._wrap_another(await self.wrapped.for_run(ctx))

    def _wrap_another(self, wrapped: AbstractToolset[DepsT]) -> Self:
        """Return this wrapper around another toolset; itself if that is the same."""
        if wrapped is self.wrapped:
            return self
        twin = copy(self)
        twin.wrapped = wrapped
        return twin

    async def __aenter__(self) -> Self:
        await self.wrapped.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self.wrapped.__aexit__(kind, error, traceback)

    async def get_instructions(self, ctx: RunContext[DepsT]) -> str | None:
        return await self.wrapped.get_instructions(ctx)

    async def get_tools(self, ctx: RunContext[DepsT]) -> Mapping[str, ToolsetTool[DepsT]]:
        return await self.wrapped.get_tools(ctx)

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[DepsT], tool: ToolsetTool[DepsT]
    ) -> Any:
        return await self.wrapped.call_tool(name, tool_args, ctx, tool)

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.wrapped!r})'


class FilteredToolset(WrapperToolset[DepsT]):
    """The tools of another toolset for which a function returns true."""

    def __init__(self, wrapped: AbstractToolset[DepsT], filter_func: FilterFunction[DepsT]) -> None:
        super().__init__(wrapped)
        check_callable(filter_func, parameter='filter_func')
        self.filter_func = filter_func

    async def get_tools(self, ctx: RunContext[DepsT]) -> Mapping[str, ToolsetTool[DepsT]]:
        tools = await super().get_tools(ctx)
        return {name: tool for name, tool in tools.items() if await call_async(self.filter_func, ctx, tool.tool_def)}


class PreparedToolset(WrapperToolset[DepsT]):
    """The tools of another toolset, with definitions that a function returns before each request.

    Raises `UserError` if the function returns a tool that does not exist: it cannot add or rename tools.
    """

    def __init__(self, wrapped: AbstractToolset[DepsT], prepare_func: ToolsPrepareFunc[DepsT]) -> None:
        super().__init__(wrapped)
        check_callable(prepare_func, parameter='prepare_func')
        self.prepare_func = prepare_func

    async def get_tools(self, ctx: RunContext[DepsT]) -> Mapping[str, ToolsetTool[DepsT]]:
        tools = await super().get_tools(ctx)
        definitions: list[ToolDefinition] | None = await call_async(
            self.prepare_func, ctx, [tool.tool_def for tool in tools.values()]
        )
        prepared = {definition.name: definition for definition in definitions or ()}
        if unknown := [name for name in prepared if name not in tools]:
            raise UserError(f'prepare_func returned the tool {unknown[0]!r}, which does not exist: use renamed()')
        return {name: replace(tools[name], tool_def=definition) for name, definition in prepared.items()}


class SetMetadataToolset(WrapperToolset[DepsT]):
    """The tools of another toolset, with more metadata, which wins over their own."""

    def __init__(self, wrapped: AbstractToolset[DepsT], metadata: dict[str, Any]) -> None:
        super().__init__(wrapped)
        check_type(metadata, dict, parameter='metadata')
        self.metadata = metadata

    async def get_tools(self, ctx: RunContext[DepsT]) -> Mapping[str, ToolsetTool[DepsT]]:
        return {name: self._add_metadata(tool) for name, tool in (await super().get_tools(ctx)).items()}

    def _add_metadata(self, tool: ToolsetTool[DepsT]) -> ToolsetTool[DepsT]:
        metadata = {**(tool.tool_def.metadata or {}), **self.metadata}
        return replace(tool, tool_def=replace(tool.tool_def, metadata=metadata))


class _RenamingToolset(WrapperToolset[DepsT]):
    """The tools of another toolset under other names. Subclasses map the names in both directions."""

    def _rename(self, name: str) -> str:
        """Return the name that the model sees."""
        raise NotImplementedError

    def _original_name(self, name: str) -> str:
        """Return the name in the toolset inside."""
        raise NotImplementedError

    async def get_tools(self, ctx: RunContext[DepsT]) -> Mapping[str, ToolsetTool[DepsT]]:
        renamed: dict[str, ToolsetTool[DepsT]] = {}
        for name, tool in (await super().get_tools(ctx)).items():
            new = self._rename(name)
            if new in renamed:
                raise UserError(f'Two tools of {self.wrapped.label} have the name {new!r} after renaming')
            renamed[new] = replace(tool, toolset=self, tool_def=replace(tool.tool_def, name=new))
        return renamed

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[DepsT], tool: ToolsetTool[DepsT]
    ) -> Any:
        original = self._original_name(name)
        inner = replace(tool, toolset=self.wrapped, tool_def=replace(tool.tool_def, name=original))
        return await super().call_tool(original, tool_args, replace(ctx, tool_name=original), inner)


class PrefixedToolset(_RenamingToolset[DepsT]):
    """The tools of another toolset, with a prefix and an underscore before their names."""

    def __init__(self, wrapped: AbstractToolset[DepsT], prefix: str) -> None:
        super().__init__(wrapped)
        check_type(prefix, str, parameter='prefix')
        if not prefix:
            raise UserError('prefix is empty: give a text')
        self.prefix = prefix

    def _rename(self, name: str) -> str:
        return f'{self.prefix}_{name}'

    def _original_name(self, name: str) -> str:
        return name.removeprefix(f'{self.prefix}_')


class RenamedToolset(_RenamingToolset[DepsT]):
    """The tools of another toolset, some of them under other names: new name -> name in that toolset.

    Raises `UserError` in the run if that toolset has no tool of such a name.
    """

    def __init__(self, wrapped: AbstractToolset[DepsT], name_map: Mapping[str, str]) -> None:
        super().__init__(wrapped)
        check_type(name_map, Mapping, parameter='name_map')
        self.name_map: dict[str, str] = {**name_map}
        self._new_names = {old: new for new, old in self.name_map.items()}

    def _rename(self, name: str) -> str:
        return self._new_names.get(name, name)

    def _original_name(self, name: str) -> str:
        return self.name_map.get(name, name)


class ApprovalRequiredToolset(WrapperToolset[DepsT]):
    """The tools of another toolset, whose calls must be approved: all of them, or those that a function chooses."""

    def __init__(
        self, wrapped: AbstractToolset[DepsT], approval_required_func: ApprovalFunction[DepsT] | None = None
    ) -> None:
        super().__init__(wrapped)
        check_callable(approval_required_func, parameter='approval_required_func')
        self.approval_required_func = approval_required_func

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[DepsT], tool: ToolsetTool[DepsT]
    ) -> Any:
        if not ctx.tool_call_approved and await self._must_approve(ctx, tool.tool_def, tool_args):
            raise ApprovalRequired
        return await super().call_tool(name, tool_args, ctx, tool)

    async def _must_approve(self, ctx: RunContext[DepsT], tool_def: ToolDefinition, tool_args: dict[str, Any]) -> bool:
        function = self.approval_required_func
        return function is None or bool(await call_async(function, ctx, tool_def, tool_args))
