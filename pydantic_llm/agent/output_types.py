"""What an agent's output may be: types and functions as they are, or with one of these around them.

`ToolOutput`, `NativeOutput` and `PromptedOutput` say how a structured output is asked for, `TextOutput` what becomes of
text, `StructuredDict` gives a schema of your own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any, Generic, Literal

from pydantic import WithJsonSchema
from typing_extensions import TypeAliasType, TypeVar

from ..tools.context import RunContext
from ..tools.definition import ObjectJsonSchema

__all__ = (
    'EndStrategy',
    'NativeOutput',
    'OutputSpec',
    'PromptedOutput',
    'StructuredDict',
    'TextOutput',
    'ToolOutput',
)

T = TypeVar('T')

OutputFunction = TypeAliasType('OutputFunction', Callable[..., Awaitable[T] | T], type_params=(T,))
"""A function that the model calls to give its output; what it returns is the output."""

TextFunction = TypeAliasType(
    'TextFunction',
    Callable[[RunContext[Any], str], Awaitable[T] | T] | Callable[[str], Awaitable[T] | T],
    type_params=(T,),
)
"""A function that makes an output of text."""

OutputType = TypeAliasType('OutputType', type[T] | OutputFunction[T], type_params=(T,))
"""A type or a function."""

EndStrategy = Literal['early', 'graceful', 'exhaustive']
"""What happens to the other calls in an answer that holds the output.

`early`: none of them runs. `graceful`: the tools run, further outputs do not. `exhaustive`: all of them run."""


@dataclass
class ToolOutput(Generic[T]):
    """Ask for the output as a call of a tool."""

    output: OutputType[T]
    """The type, or the function that is called."""

    _: KW_ONLY

    name: str | None = None
    """The tool's name; `final_result`, with the type's name behind it where there are several."""

    description: str | None = None
    """What the model is told of the tool."""

    max_retries: int | None = None
    """How often an output may be refused; `None` leaves it to the agent."""

    strict: bool | None = None
    """Whether the vendor must hold the model to the schema."""


@dataclass
class NativeOutput(Generic[T]):
    """Ask for the output by the vendor's own means of holding an answer to a JSON schema."""

    outputs: OutputType[T] | Sequence[OutputType[T]]
    """The type or function, or several to choose among."""

    _: KW_ONLY

    name: str | None = None
    """The name of the output's schema."""

    description: str | None = None
    """What the model is told of the output."""

    strict: bool | None = None
    """Whether the vendor must hold the model to the schema."""


@dataclass
class PromptedOutput(Generic[T]):
    """Ask for the output in the prompt, for models that can neither call tools nor be held to a schema."""

    outputs: OutputType[T] | Sequence[OutputType[T]]
    """The type or function, or several to choose among."""

    _: KW_ONLY

    name: str | None = None
    """The name of the output's schema."""

    description: str | None = None
    """What the model is told of the output."""

    template: str | None = None
    """What is added to the instructions, with `{schema}` for the schema; `None` takes the model's own."""


@dataclass
class TextOutput(Generic[T]):
    """Take text as output, and let a function make something of it."""

    output_function: TextFunction[T]
    """The function: it takes the text, after a `RunContext` if it wants one."""


OutputSpec = TypeAliasType(
    'OutputSpec',
    OutputType[T]
    | ToolOutput[T]
    | NativeOutput[T]
    | PromptedOutput[T]
    | TextOutput[T]
    | Sequence[OutputType[T] | ToolOutput[T] | TextOutput[T]],
    type_params=(T,),
)
"""What `output_type` takes."""


def StructuredDict(  # noqa: N802 -- it makes a type
    json_schema: ObjectJsonSchema, name: str | None = None, description: str | None = None
) -> type[dict[str, Any]]:
    """A type whose values are dicts, with a schema that you give. What the model writes is not checked against it."""
    said = {'title': name, 'description': description}
    schema = {**json_schema, **{key: value for key, value in said.items() if value}}
    return Annotated[dict[str, Any], WithJsonSchema(schema)]  # type: ignore[return-value]  # pyright: ignore[reportReturnType] -- a type to all who use it
