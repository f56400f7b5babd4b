"""Shared by all message values: the current time, generated tool call ids, and a `repr` without default values."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol
from uuid import uuid4


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


def now() -> datetime:
    """Return the current time in UTC, with its time zone."""
    return datetime.now(UTC)


def new_tool_call_id() -> str:
    """Return a random id for a tool call that the vendor sent without one."""
    return f'call_{uuid4().hex}'


def is_default(field: Field[Any], value: object) -> bool:
    """Return whether a value equals the default of its field. Both must have the same type: `0` is not `False`."""
    if field.default is not MISSING:
        return value is field.default or (type(value) is type(field.default) and bool(value == field.default))
    return type(value) in (dict, list) and not value and field.default_factory is not MISSING


def repr_without_defaults(self: _Dataclass) -> str:
    """Return `Name(field=value, ...)` without the fields that have their default value."""
    shown = ((field.name, getattr(self, field.name), field) for field in fields(self) if field.repr)
    inside = ', '.join(f'{name}={value!r}' for name, value, field in shown if not is_default(field, value))
    return f'{type(self).__name__}({inside})'
