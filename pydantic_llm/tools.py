"""Tools: what a model is told of one, and what runs when it calls one.

`ToolDefinition` is a tool as a model sees it. `Tool` makes one of a function: its name, docstring and signature.
`RunContext` is what a tool, and any other function that an agent calls, may know of the run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal

from pydantic import TypeAdapter
from typing_extensions import ParamSpec, TypeVar

from ._docstrings import DocstringFormat
from ._signature import Shape, name_of, read_signature
from ._threads import call
from .exceptions import UserError
from .messages import ModelMessage, UserContent
from .messages._value import repr_of_what_is_set
from .settings import ModelSettings
from .usage import RunUsage, UsageLimits

if TYPE_CHECKING:
    from .models import Model

__all__ = (
    'DocstringFormat',
    'ObjectJsonSchema',
    'RunContext',
    'Tool',
    'ToolDefinition',
    'ToolKind',
    'ToolPrepareFunction',
)

ObjectJsonSchema = dict[str, Any]
"""A JSON schema of an object. It is never changed in place."""

ToolKind = Literal['function', 'output', 'external', 'unapproved']
"""What happens when the model calls the tool: a function runs, the run ends with it, or somebody else answers."""


def _no_arguments() -> ObjectJsonSchema:
    return {'type': 'object', 'properties': {}}


@dataclass(repr=False, slots=True)
class ToolDefinition:
    """A tool as a model sees it."""

    name: str
    """The name that the model calls it by."""

    parameters_json_schema: ObjectJsonSchema = field(default_factory=_no_arguments)
    """The schema of its arguments, an object."""

    description: str | None = None
    """What it is for."""

    _: KW_ONLY

    outer_typed_dict_key: str | None = None
    """The key under which an output that is no object was wrapped into one."""

    strict: bool | None = None
    """Whether the vendor must hold the model to the schema; `None` leaves it to the room (`True` where it can)."""

    sequential: bool = False
    """Whether the tool must not run beside others."""

    kind: ToolKind = 'function'
    """What happens when the model calls it."""

    metadata: dict[str, Any] | None = None
    """Kept for you, never sent."""

    __repr__ = repr_of_what_is_set


DepsT = TypeVar('DepsT', default=None)
DepsT_co = TypeVar('DepsT_co', covariant=True, default=None)
P = ParamSpec('P', default=...)


@dataclass(repr=False, kw_only=True)
class RunContext(Generic[DepsT_co]):
    """What a function of yours may know of the run that calls it."""

    deps: DepsT_co
    """What you gave the run as `deps`."""

    model: Model
    """The model that the run asks."""

    usage: RunUsage = field(default_factory=RunUsage)
    """What was used so far."""

    usage_limits: UsageLimits | None = None
    """How much may be used."""

    prompt: str | Sequence[UserContent] | None = None
    """What the run was asked."""

    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    """The conversation so far, the history that was passed in included."""

    model_settings: ModelSettings | None = None
    """The settings of the requests: the model's, the agent's and the run's, laid over each other."""

    tool_name: str | None = None
    """The tool that is called."""

    tool_call_id: str | None = None
    """The id of its call."""

    retries: dict[str, int] = field(default_factory=dict[str, int])
    """How often each tool failed in a row."""

    retry: int = 0
    """How often this tool failed in a row; for an output validator, how often the output was refused."""

    max_retries: int = 0
    """How often it may."""

    run_step: int = 0
    """How many requests this run has made."""

    partial_output: bool = False
    """Whether an output validator sees an output that is still being written."""

    run_id: str | None = None
    """The id of the run."""

    conversation_id: str | None = None
    """The id of the conversation."""

    @property
    def last_attempt(self) -> bool:
        """Whether another failure ends the run."""
        return self.retry >= self.max_retries

    __repr__ = repr_of_what_is_set


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
        return await call(self.function, *([context] if self.takes_ctx else []), *positional, **named)

    def __repr__(self) -> str:
        return f'Tool({self.name!r})'


def _any_arguments(**arguments: Any) -> None:
    """Stands in for a function whose schema is given."""
