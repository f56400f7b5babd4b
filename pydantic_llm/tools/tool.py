"""`Tool`: a function with the name, the description and the schema that a model sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Concatenate, Generic

from typing_extensions import ParamSpec, TypeVar

from .._checks import check_number
from .._threads import call_async
from .._type_checks import is_callable
from ..exceptions import UserError
from ..json_schemas import normalize_schema
from .arguments import validate_arguments
from .context import RunContext
from .definition import ObjectJsonSchema, ToolDefinition
from .docstrings import DocstringFormat
from .shape import Shape
from .signature import name_of, read_signature

__all__ = (
    'ArgsValidatorFunc',
    'Tool',
    'ToolFuncContext',
    'ToolFuncEither',
    'ToolFuncPlain',
    'ToolPrepareFunc',
    'ToolsPrepareFunc',
)

DepsT = TypeVar('DepsT', default=None)
P = ParamSpec('P', default=...)

ToolPrepareFunc = Callable[
    [RunContext[DepsT], ToolDefinition], Awaitable[ToolDefinition | None] | ToolDefinition | None
]
"""Called before each request. Returns the definition that the model sees, or `None` to hide the tool."""

ToolsPrepareFunc = Callable[
    [RunContext[DepsT], list[ToolDefinition]],
    Sequence[ToolDefinition] | Awaitable[Sequence[ToolDefinition] | None] | None,
]
"""Returns the definitions that the model sees in the next request; `None` hides all tools."""

ArgsValidatorFunc = Callable[Concatenate[RunContext[DepsT], P], Awaitable[None] | None]
"""Called with a `RunContext` and the arguments of the tool. Raises `ModelRetry` if they are wrong."""

ToolFuncContext = Callable[Concatenate[RunContext[DepsT], P], Any]
"""A function that can be a tool and takes a `RunContext` first."""

ToolFuncPlain = Callable[P, Any]
"""A function that can be a tool and takes no `RunContext`."""

ToolFuncEither = ToolFuncContext[DepsT, P] | ToolFuncPlain[P]
"""A function that can be a tool, with or without a `RunContext` as its first parameter."""


class Tool(Generic[DepsT]):
    """A function that a model may call.

    The name, the description and the schema of the arguments come from the function's signature and docstring.
    `takes_ctx=None` detects a `RunContext` by the annotation of the first parameter. Raises `UserError` if a parameter
    has no JSON schema.
    """

    def __init__(
        self,
        function: ToolFuncEither[DepsT, P],
        *,
        takes_ctx: bool | None = None,
        max_retries: int | None = None,
        name: str | None = None,
        description: str | None = None,
        prepare: ToolPrepareFunc[DepsT] | None = None,
        args_validator: ArgsValidatorFunc[DepsT, ...] | None = None,
        docstring_format: DocstringFormat = 'auto',
        require_parameter_descriptions: bool = False,
        strict: bool | None = None,
        sequential: bool = False,
        metadata: dict[str, Any] | None = None,
        timeout: float | None = None,
        requires_approval: bool = False,
    ) -> None:
        signature = read_signature(
            function,
            takes_ctx=takes_ctx,
            docstring_format=docstring_format,
            require_parameter_descriptions=require_parameter_descriptions,
        )
        _check_options(max_retries, timeout, args_validator)
        self.function: Callable[..., Any] = function
        self.name: str = name or check_name(name_of(function))
        """The name that the model uses in tool calls."""
        self._shape = Shape.of(self.name, signature.arguments)
        self.description: str | None = description or signature.description or self._shape.description
        """The description for the model."""
        self.takes_ctx: bool = signature.takes_ctx
        """True if the first parameter is a `RunContext`."""
        self.max_retries: int | None = max_retries
        """The number of consecutive failures that do not end the run; `None` uses the agent's."""
        self.prepare: ToolPrepareFunc[DepsT] | None = prepare
        """Called before each request to change or hide the definition that the model sees."""
        self.args_validator = args_validator
        """Called before each call, and before an approval is requested."""
        self.strict: bool | None = strict
        """True to make the vendor enforce the schema; see `ToolDefinition.strict`."""
        self.sequential: bool = sequential
        """True if the tool must not run concurrently with other tools."""
        self.metadata: dict[str, Any] | None = metadata
        """Data of the application, never sent."""
        self.timeout: float | None = timeout
        """The time limit in seconds; if it is exceeded, the model gets a retry prompt."""
        self.requires_approval: bool = requires_approval
        """True if a call must be approved before it is executed."""
        self._signature = signature

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
        args_validator: ArgsValidatorFunc[Any, ...] | None = None,
    ) -> Tool[Any]:
        """Return a tool with this schema. Its function gets the arguments of the model as keywords, without validation.

        Raises `UserError` if the schema is not one of an object.
        """
        from pydantic import TypeAdapter

        schema = normalize_schema(json_schema, f'tool {name!r}')
        if not {'type', '$ref'} & json_schema.keys():
            raise UserError(f"The json_schema of {name!r} must be one of an object, with 'type': 'object'")
        tool: Tool[Any] = Tool(
            _accept_any_arguments,
            takes_ctx=False,
            name=name,
            description=description,
            sequential=sequential,
            args_validator=args_validator,
        )
        tool.function, tool.takes_ctx = function, takes_ctx
        tool._shape = Shape(TypeAdapter(dict[str, Any]), schema)
        return tool

    @property
    def tool_def(self) -> ToolDefinition:
        """The definition that the model sees, before `prepare`."""
        return ToolDefinition(
            self.name,
            self._shape.json_schema,
            self.description,
            strict=self.strict,
            sequential=self.sequential,
            metadata=self.metadata,
            kind='unapproved' if self.requires_approval else 'function',
        )

    def validate(self, arguments: str) -> dict[str, Any]:
        """Return the arguments by name, from JSON text.

        Raises pydantic's `ValidationError` if they are invalid, `ModelRetry` if none of them is known.
        """
        value = validate_arguments(self._shape, arguments, wrapper_key=self._signature.wrapper_key)
        return self._signature.name_values(value)

    async def check_arguments(self, arguments: dict[str, Any], context: RunContext[DepsT]) -> None:
        """Call `args_validator`, if there is one, with validated arguments. Raises what it raises: `ModelRetry`."""
        if self.args_validator is not None:
            positional, named = self._signature.bind(arguments)
            await call_async(self.args_validator, context, *positional, **named)

    async def run(self, arguments: dict[str, Any], context: RunContext[DepsT]) -> Any:
        """Call the function with validated arguments. A function that is not async runs in a thread."""
        positional, named = self._signature.bind(arguments)
        return await call_async(self.function, *([context] if self.takes_ctx else []), *positional, **named)

    def __repr__(self) -> str:
        return f'Tool({self.name!r})'


def check_name(name: str) -> str:
    """Return the name of a function as that of a tool. Raises `UserError` if it has none, as a lambda has none."""
    if not name.isidentifier():
        raise UserError(f'A function of the name {name!r} cannot be a tool: give it one with Tool(function, name=...)')
    return name


def _check_options(max_retries: int | None, timeout: float | None, args_validator: object) -> None:
    """Raise `UserError` for an invalid option of a tool."""
    check_number('max_retries', max_retries, least=0, whole=True)
    check_number('timeout', timeout, above=0)
    if args_validator is not None and not is_callable(args_validator):
        raise UserError(f'args_validator takes a function, not {args_validator!r}')


def _accept_any_arguments(**arguments: Any) -> None:
    """Placeholder for `from_schema`, whose function may have a signature without a schema."""
