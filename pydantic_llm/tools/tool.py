"""`Tool` makes a tool of a function: its name, docstring and signature."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, Generic

from pydantic import TypeAdapter
from typing_extensions import ParamSpec, TypeVar

from .._threads import call_async
from ..exceptions import UserError
from .context import RunContext
from .definition import ObjectJsonSchema, ToolDefinition
from .docstrings import DocstringFormat
from .signature import Shape, name_of, read_signature

__all__ = ('Tool', 'ToolPrepareFunction')

DepsT = TypeVar('DepsT', default=None)
P = ParamSpec('P', default=...)

ToolPrepareFunction = Callable[
    [RunContext[DepsT], ToolDefinition], Awaitable[ToolDefinition | None] | ToolDefinition | None
]
"""Decides before each request how the model sees a tool, and with `None` that it does not."""

ToolFunction = Callable[Concatenate[RunContext[DepsT], P], Any] | Callable[P, Any]
"""A function that can be a tool, with or without a `RunContext` as its first argument."""


class Tool(Generic[DepsT]):
    """A function that a model may call.

    The name, the description and the schema of the arguments are read off the function. `takes_ctx=None` tells by the
    annotation of the first parameter whether that is a `RunContext`. Raises `UserError` where the signature has no
    JSON schema.
    """

    def __init__(
        self,
        function: ToolFunction[DepsT, P],
        *,
        takes_ctx: bool | None = None,
        max_retries: int | None = None,
        name: str | None = None,
        description: str | None = None,
        prepare: ToolPrepareFunction[DepsT] | None = None,
        docstring_format: DocstringFormat = 'auto',
        require_parameter_descriptions: bool = False,
        strict: bool | None = None,
        sequential: bool = False,
        metadata: dict[str, Any] | None = None,
        timeout: float | None = None,
    ) -> None:
        signature = read_signature(
            function,
            takes_ctx=takes_ctx,
            docstring_format=docstring_format,
            require_parameter_descriptions=require_parameter_descriptions,
        )
        self.function: Callable[..., Any] = function
        """What runs."""
        self.name: str = name or name_of(function)
        """The name that the model calls it by."""
        self._shape = Shape.of(self.name, signature.arguments)
        self.description: str | None = description or signature.description or self._shape.description
        """What the model is told of it."""
        self.takes_ctx: bool = signature.takes_ctx
        """Whether its first argument is a `RunContext`."""
        self.max_retries: int | None = max_retries
        """How often it may fail in a row; `None` leaves it to the agent."""
        self.prepare: ToolPrepareFunction[DepsT] | None = prepare
        """Decides before each request how the model sees it."""
        self.strict: bool | None = strict
        """Whether the vendor must hold the model to the schema."""
        self.sequential: bool = sequential
        """Whether it must not run beside others."""
        self.metadata: dict[str, Any] | None = metadata
        """Kept for you, never sent."""
        self.timeout: float | None = timeout
        """How many seconds it may take; the model is told when it took longer."""
        self._bind = signature.bind

    @classmethod
    def from_schema(
        cls,
        function: Callable[..., Any],
        name: str,
        description: str | None,
        json_schema: ObjectJsonSchema,
        *,
        takes_ctx: bool = False,
        sequential: bool = False,
    ) -> Tool[Any]:
        """A tool whose schema you wrote yourself. Its function gets what the model sent, unchecked, by keyword."""
        if json_schema.get('type') != 'object':
            raise UserError(f"The json_schema of {name!r} must be one of an object, with 'type': 'object'")
        tool: Tool[Any] = Tool(
            _any_arguments, takes_ctx=False, name=name, description=description, sequential=sequential
        )
        tool.function, tool.takes_ctx = function, takes_ctx
        tool._shape = Shape(TypeAdapter(dict[str, Any]), json_schema)
        return tool

    @property
    def tool_def(self) -> ToolDefinition:
        """The tool as a model sees it, before `prepare`."""
        return ToolDefinition(
            self.name,
            self._shape.json_schema,
            self.description,
            strict=self.strict,
            sequential=self.sequential,
            metadata=self.metadata,
        )

    def validate(self, arguments: str) -> Any:
        """Check arguments that are JSON text; raises pydantic's `ValidationError`."""
        return self._shape.adapter.validate_json(arguments)

    async def run(self, arguments: Any, context: RunContext[DepsT]) -> Any:
        """Call the function with arguments that were validated; a blocking function runs in a thread."""
        positional, named = self._bind(arguments)
        return await call_async(self.function, *([context] if self.takes_ctx else []), *positional, **named)

    def __repr__(self) -> str:
        return f'Tool({self.name!r})'


def _any_arguments(**arguments: Any) -> None:
    """Stands in for a function whose schema is given."""
