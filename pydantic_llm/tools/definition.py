"""`ToolDefinition`: a tool as a model sees it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

from ..messages._value import ShortRepr

__all__ = ('ObjectJsonSchema', 'ToolDefinition', 'ToolKind')

ObjectJsonSchema = dict[str, Any]
"""A JSON schema of an object. It is never changed in place."""

ToolKind = Literal['function', 'output', 'external', 'unapproved']
"""The effect of a tool call: a function runs, the run ends, or the result comes from outside of the run."""


def _make_empty_schema() -> ObjectJsonSchema:
    return {'type': 'object', 'properties': {}}


@dataclass(repr=False, slots=True)
class ToolDefinition(ShortRepr):
    """A tool as a model sees it."""

    name: str
    """The name that the model uses in tool calls."""

    parameters_json_schema: ObjectJsonSchema = field(default_factory=_make_empty_schema)
    """The JSON schema of the arguments, which are an object."""

    description: str | None = None
    """The purpose of the tool, for the model."""

    _: KW_ONLY

    outer_typed_dict_key: str | None = None
    """The key of the output in the arguments of an output tool, if the output type is not an object."""

    strict: bool | None = None
    """True to make the vendor enforce the schema; `None` enforces it if the model supports that for this schema."""

    sequential: bool = False
    """True if the tool must not run concurrently with other tools."""

    kind: ToolKind = 'function'
    """The effect of a tool call."""

    metadata: dict[str, Any] | None = None
    """Data of the application, never sent."""
