"""A tool as a model sees it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

from ..messages._value import repr_without_defaults

__all__ = ('ObjectJsonSchema', 'ToolDefinition', 'ToolKind')

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

    __repr__ = repr_without_defaults
