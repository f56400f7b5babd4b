"""Types for an agent's `output_type`: plain types and functions, or one of these classes around them.

`ToolOutput`, `NativeOutput` and `PromptedOutput` choose how a structured output is requested. `TextOutput` passes text
to a function. `StructuredDict` makes a type from a JSON schema.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Generic, Literal

from typing_extensions import TypeAliasType, TypeVar

from ..exceptions import UserError
from ..json_schemas import normalize_schema
from ..tools.context import RunContext
from ..tools.definition import ObjectJsonSchema
from ..tools.shape import make_given_dict

__all__ = (
    'EndStrategy',
    'NativeOutput',
    'OutputSpec',
    'PromptedOutput',
    'StructuredDict',
    'TextOutput',
    'ToolOutput',
    'select_output_type',
)

T = TypeVar('T')

OutputFunction = TypeAliasType('OutputFunction', Callable[..., Awaitable[T] | T], type_params=(T,))
"""A function whose arguments the model writes; its return value is the output."""

TextFunction = TypeAliasType(
    'TextFunction',
    Callable[[RunContext[Any], str], Awaitable[T] | T] | Callable[[str], Awaitable[T] | T],
    type_params=(T,),
)
"""A function that turns text into an output."""

OutputType = TypeAliasType('OutputType', type[T] | OutputFunction[T], type_params=(T,))
"""A type or a function."""

EndStrategy = Literal['early', 'graceful', 'exhaustive']
"""Handling of the other tool calls in a response that contains the output.

`early`: none of them runs. `graceful`: tools run, further outputs do not. `exhaustive`: all of them run."""


@dataclass
class ToolOutput(Generic[T]):
    """Request the output as a tool call."""

    output: OutputType[T]

    _: KW_ONLY

    name: str | None = None
    """The tool's name. The default is `final_result`, followed by the type's name if there are several outputs."""

    description: str | None = None
    """The tool's description for the model."""

    max_retries: int | None = None
    """Number of invalid outputs allowed. The default is the agent's `output_retries`."""

    strict: bool | None = None
    """If true, the vendor must enforce the schema."""


@dataclass
class NativeOutput(Generic[T]):
    """Request the output through the vendor's own support for JSON schemas."""

    outputs: OutputType[T] | Sequence[OutputType[T]]
    """A type or function, or several alternatives."""

    _: KW_ONLY

    name: str | None = None
    """The schema's name, sent to the model."""

    description: str | None = None
    """The schema's description for the model."""

    strict: bool | None = None
    """If true, the vendor must enforce the schema."""


@dataclass
class PromptedOutput(Generic[T]):
    """Request the output in the instructions, for models without tools and without JSON schemas."""

    outputs: OutputType[T] | Sequence[OutputType[T]]
    """A type or function, or several alternatives."""

    _: KW_ONLY

    name: str | None = None
    """The schema's name, sent to the model."""

    description: str | None = None
    """The schema's description for the model."""

    template: str | None = None
    """Text added to the instructions, with `{schema}` in place of the schema. The default is the model's template."""


@dataclass
class TextOutput(Generic[T]):
    """Request text, and pass it to a function that returns the output."""

    output_function: TextFunction[T]
    """A function of the text, optionally with a `RunContext` as first argument."""


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
"""A value for `output_type`."""


def StructuredDict(  # noqa: N802 -- it makes a type
    json_schema: ObjectJsonSchema, name: str | None = None, description: str | None = None
) -> type[dict[str, Any]]:
    """Return a dict type with a JSON schema of your own. Values are not validated against the schema.

    Raises `UserError` if the schema is not one of an object.
    """
    owner = f'output {name or "StructuredDict"!r}'
    annotations = {'title': name, 'description': description}
    schema = {**normalize_schema(json_schema, owner), **{key: text for key, text in annotations.items() if text}}
    made: type[dict[str, Any]] = make_given_dict(schema)
    return made


def select_output_type(
    output_type: OutputSpec[Any] | None, result_type: OutputSpec[Any] | None
) -> OutputSpec[Any] | None:
    """Return the one that is given. Raises `UserError` if both are."""
    if result_type is None:
        return output_type
    if output_type is not None:
        raise UserError('output_type and result_type are the same; give one of them')
    return result_type
