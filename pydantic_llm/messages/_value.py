"""What all message values share: the clock, made-up ids, and a `repr` that shows only what was set."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol
from uuid import uuid4


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


def now() -> datetime:
    """The current time, with its zone (UTC)."""
    return datetime.now(UTC)


def new_tool_call_id() -> str:
    """An id for a call that the vendor gave none."""
    return f'call_{uuid4().hex}'


def is_default(field: Field[Any], value: object) -> bool:
    """Whether a field still has the value that its class gives it."""
    if field.default is not MISSING:
        return value is field.default or (type(value) is type(field.default) and bool(value == field.default))
    return type(value) in (dict, list) and not value and field.default_factory is not MISSING


def repr_of_what_is_set(self: _Dataclass) -> str:
    """`Name(field=value, ...)` without the fields that have their default value."""
    shown = ((field.name, getattr(self, field.name), field) for field in fields(self) if field.repr)
    inside = ', '.join(f'{name}={value!r}' for name, value, field in shown if not is_default(field, value))
    return f'{type(self).__name__}({inside})'
