"""`ExternalToolset`: tools that another program executes, such as a web page or a service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic_core import SchemaValidator
from pydantic_core.core_schema import any_schema, dict_schema, str_schema
from typing_extensions import TypeVar

from .._type_checks import check_items, check_type
from ..exceptions import CallDeferred
from ..tools.context import RunContext
from ..tools.definition import ToolDefinition
from .toolset import AbstractToolset, ToolsetTool

__all__ = ('ANY_ARGUMENTS', 'ExternalToolset')

DepsT = TypeVar('DepsT', default=None)

ANY_ARGUMENTS = SchemaValidator(dict_schema(str_schema(), any_schema()))
"""Validates arguments whose types only that program knows."""


class ExternalToolset(AbstractToolset[DepsT]):
    """Tools that are executed outside of the run, given by their definitions.

    A call of one ends the run with a `DeferredToolRequests`. The run that continues it gets the results.
    """

    def __init__(
        self, tool_defs: Sequence[ToolDefinition], *, max_retries: int | None = None, id: str | None = None
    ) -> None:
        check_items(tool_defs, ToolDefinition, parameter='tool_defs', expected='ToolDefinition objects')
        check_type(id, str, parameter='id')
        self.tool_defs: Sequence[ToolDefinition] = list(tool_defs)
        """The tools as the model sees them."""
        self._max_retries = max_retries
        self._id = id

    @property
    def id(self) -> str | None:
        return self._id

    async def get_tools(self, ctx: RunContext[DepsT]) -> Mapping[str, ToolsetTool[DepsT]]:
        return {
            definition.name: ToolsetTool(
                toolset=self,
                tool_def=replace(definition, kind='external'),
                args_validator=ANY_ARGUMENTS,
                max_retries=self._max_retries,
            )
            for definition in self.tool_defs
        }

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[DepsT], tool: ToolsetTool[DepsT]
    ) -> Any:
        raise CallDeferred
