"""`CombinedToolset`: several toolsets as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from typing_extensions import TypeVar

from .._type_checks import check_items
from ..exceptions import UserError
from ..tools.context import RunContext
from .toolset import AbstractToolset, ToolsetTool

__all__ = ('CombinedToolset',)

DepsT = TypeVar('DepsT', default=None)


class CombinedToolset(AbstractToolset[DepsT]):
    """The tools of several toolsets. Raises `UserError` in the run if two of them have a tool of the same name."""

    def __init__(self, toolsets: Sequence[AbstractToolset[DepsT]]) -> None:
        check_items(toolsets, AbstractToolset, parameter='toolsets', expected='toolsets')
        self.toolsets: Sequence[AbstractToolset[DepsT]] = list(toolsets)
        """The toolsets inside."""
        self._entered: list[AsyncExitStack] = []
        self._owners: dict[str, AbstractToolset[DepsT]] = {}

    @property
    def label(self) -> str:
        return f'{type(self).__name__}({", ".join(toolset.label for toolset in self.toolsets)})'

    async def for_run(self, ctx: RunContext[DepsT]) -> AbstractToolset[DepsT]:
        return CombinedToolset([await toolset.for_run(ctx) for toolset in self.toolsets])

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for toolset in self.toolsets:
                await stack.enter_async_context(toolset)
            self._entered.append(stack.pop_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._entered.pop().__aexit__(kind, error, traceback)

    async def get_instructions(self, ctx: RunContext[DepsT]) -> str | None:
        texts = [await toolset.get_instructions(ctx) for toolset in self.toolsets]
        return '\n\n'.join(text for text in texts if text) or None

    async def get_tools(self, ctx: RunContext[DepsT]) -> Mapping[str, ToolsetTool[DepsT]]:
        combined: dict[str, ToolsetTool[DepsT]] = {}
        owners: dict[str, AbstractToolset[DepsT]] = {}
        for toolset in self.toolsets:
            for name, tool in (await toolset.get_tools(ctx)).items():
                if name in combined:
                    first = owners[name].label
                    raise UserError(
                        f'{toolset.label} has a tool of the name {name!r}, and so has {first}: '
                        'give one of them other names with prefixed() or renamed()'
                    )
                combined[name], owners[name] = tool, toolset
        self._owners = owners
        return combined

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[DepsT], tool: ToolsetTool[DepsT]
    ) -> Any:
        return await self._owners[name].call_tool(name, tool_args, ctx, tool)

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.toolsets!r})'
