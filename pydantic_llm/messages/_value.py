"""Shared by all message values: the current time, generated tool call ids, and a `repr` without default values."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from datetime import UTC, datetime
from os import urandom
from typing import Any, cast


def now() -> datetime:
    """Return the current time in UTC, with its time zone."""
    return datetime.now(UTC)


def new_tool_call_id() -> str:
    """Return a random id for a tool call that the vendor sent without one."""
    return f'call_{urandom(16).hex()}'  # `uuid4` takes five times as long


def is_default(field: Field[Any], value: object) -> bool:
    """Return whether a value equals the default of its field. Both must have the same type: `0` is not `False`."""
    if field.default is not MISSING:
        return value is field.default or (type(value) is type(field.default) and bool(value == field.default))
    return type(value) in (dict, list) and not value and field.default_factory is not MISSING


class ShortRepr:
    """The `repr` of a dataclass as `Name(field=value, ...)`, without the fields that have their default value."""

    __slots__ = ()

    def __repr__(self) -> str:
        shown = ((field, getattr(self, field.name)) for field in fields(cast('Any', self)) if field.repr)
        inside = ', '.join(f'{field.name}={value!r}' for field, value in shown if not is_default(field, value))
        return f'{type(self).__name__}({inside})'


class Message(ShortRepr):
    """Base of requests and responses, with a slot for what `wire.known` found out about the message.

    The slot is no field: it is not compared, not written as JSON, and not copied by `dataclasses.replace`.
    """

    __slots__ = ('_known',)
