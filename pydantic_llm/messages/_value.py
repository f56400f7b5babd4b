"""Shared by all message values: the current time, generated tool call ids, and a `repr` without default values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from datetime import UTC, datetime
from os import urandom
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from rich.console import RenderableType


def now() -> datetime:
    """Return the current time in UTC, with its time zone."""
    return datetime.now(UTC)


def new_tool_call_id() -> str:
    """Return a random id for a tool call that the vendor sent without one."""
    return f'call_{urandom(16).hex()}'  # `uuid4` takes five times as long


def shorten(text: str) -> str:
    """Return the first characters of a text, for the `repr` of what holds it."""
    return text if len(text) <= SHOWN_CHARACTERS else f'{text[:SHOWN_CHARACTERS]}...'


def is_default(field: Field[Any], value: object) -> bool:
    """Return whether a value equals the default of its field. Both must have the same type: `0` is not `False`."""
    if field.default is not MISSING:
        return value is field.default or (type(value) is type(field.default) and bool(value == field.default))
    return type(value) in (dict, list) and not value and field.default_factory is not MISSING


Block = tuple[str, Any]
"""A piece of a message to show: its kind (`text`, `thinking`, `tool`, `file`, `user`, `note`), and its text or file."""

SHOWN_CHARACTERS = 60
"""The number of characters of a text that `shorten` keeps."""

UNPRINTED = frozenset({'timestamp', 'run_id', 'conversation_id'})
"""Fields that would fill a terminal."""


class ShortRepr:
    """The `repr` of a dataclass as `Name(field=value, ...)`, without the fields that have their default value."""

    __slots__ = ()

    def __repr__(self) -> str:
        shown = ((field, getattr(self, field.name)) for field in fields(cast('Any', self)) if field.repr)
        inside = ', '.join(f'{field.name}={value!r}' for field, value in shown if not is_default(field, value))
        return f'{type(self).__name__}({inside})'

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        """Yield the fields that `rich` prints: those of the `repr` but for times and ids of runs."""
        for field in fields(cast('Any', self)):
            value: object = getattr(self, field.name)
            if field.repr and field.name not in UNPRINTED and not is_default(field, value):
                yield field.name, value


class Displayed:
    """Shown by notebooks as Markdown or HTML, and by `rich` in a terminal. `display` writes the texts."""

    __slots__ = ()

    def _list_blocks(self, *, for_terminal: bool = False) -> list[Block]:
        """Return the pieces to show."""
        from .display import list_blocks

        return list_blocks(self)

    def _repr_markdown_(self) -> str:
        from .display import to_markdown

        return to_markdown(self._list_blocks())

    def _repr_html_(self) -> str:
        from .display import to_html

        return to_html(self._list_blocks())

    def __rich__(self) -> RenderableType:
        from .display import to_rich

        return to_rich(self._list_blocks(for_terminal=True))


class Message(Displayed, ShortRepr):
    """Base of requests and responses, with a slot for what `wire.known` found out about the message.

    The slot is no field: it is not compared, not written as JSON, and not copied by `dataclasses.replace`.
    """

    __slots__ = ('_known',)
