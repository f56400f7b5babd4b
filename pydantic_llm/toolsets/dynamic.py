"""`DynamicToolset`: a toolset that a function makes for each run, or for each step of a run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, cast

from typing_extensions import TypeVar

from .._type_checks import check_callable, check_items, describe_value, is_callable
from ..exceptions import UserError
from ..tools.context import RunContext
from ..tools.context_functions import ContextFunction
from .toolset import AbstractToolset, ToolsetTool

__all__ = ('DynamicToolset', 'ToolsetFunc', 'to_toolsets')

DepsT = TypeVar('DepsT', default=None)

ToolsetFunc = (
    Callable[[RunContext[DepsT]], AbstractToolset[DepsT] | Awaitable[AbstractToolset[DepsT] | None] | None]
    | Callable[[], AbstractToolset[DepsT] | Awaitable[AbstractToolset[DepsT] | None] | None]
)
"""A function that returns a toolset, or `None` for no tools. It may take a `RunContext`."""


class DynamicToolset(AbstractToolset[DepsT]):
    """The toolset that a function returns: for each request of a run, or with `per_run_step=False` once per run."""

    def __init__(self, toolset_func: ToolsetFunc[DepsT], *, per_run_step: bool = True, id: str | None = None) -> None:
        check_callable(toolset_func, parameter='toolset_func')
        self._function = ContextFunction.of(toolset_func)
        self._per_run_step = per_run_step
        self._id = id
        self._step: int | None = None
        self._current: AbstractToolset[DepsT] | None = None

    @property
    def id(self) -> str | None:
        return self._id

    async def for_run(self, ctx: RunContext[DepsT]) -> AbstractToolset[DepsT]:
        return DynamicToolset(self._function.function, per_run_step=self._per_run_step, id=self._id)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        current, self._current = self._current, None
        return None if current is None else await current.__aexit__(kind, error, traceback)

    async def get_instructions(self, ctx: RunContext[DepsT]) -> str | None:
        toolset = await self._choose(ctx)
        return None if toolset is None else await toolset.get_instructions(ctx)

    async def get_tools(self, ctx: RunContext[DepsT]) -> Mapping[str, ToolsetTool[DepsT]]:
        toolset = await self._choose(ctx)
        return {} if toolset is None else await toolset.get_tools(ctx)

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[DepsT], tool: ToolsetTool[DepsT]
    ) -> Any:
        assert self._current is not None, 'its tools were offered'
        return await self._current.call_tool(name, tool_args, ctx, tool)

    async def _choose(self, ctx: RunContext[DepsT]) -> AbstractToolset[DepsT] | None:
        """Return the toolset of this step. If the function returns another one, enter that and leave the last one."""
        if self._step is not None and (self._step == ctx.run_step or not self._per_run_step):
            return self._current
        self._step = ctx.run_step
        made: AbstractToolset[DepsT] | None = await self._function(ctx)
        if made is not None and not isinstance(cast('object', made), AbstractToolset):
            raise UserError(f'The function {self._function.name!r} returned {describe_value(made)}, not a toolset')
        if made is not self._current:
            current, self._current = self._current, None
            if current is not None:
                await current.__aexit__(None, None, None)
            self._current = made and await (await made.for_run(ctx)).__aenter__()
        return self._current


def to_toolsets(values: Sequence[AbstractToolset[DepsT] | ToolsetFunc[DepsT]]) -> list[AbstractToolset[DepsT]]:
    """Return toolsets, and functions as toolsets that they make. Raises `UserError` for anything else."""
    check_items(values, _is_toolset, parameter='toolsets', expected='toolsets and functions that return one')
    return [value if isinstance(value, AbstractToolset) else DynamicToolset(value) for value in values]


def _is_toolset(value: object) -> bool:
    return isinstance(value, AbstractToolset) or (is_callable(value) and not isinstance(value, type))
