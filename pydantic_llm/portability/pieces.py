"""Takes a history apart: single parts and items of prompts, in pieces that can be sent by themselves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar, cast

from ..messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    TextContent,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ..messages.request import RetryPromptPart

BEFORE = ModelRequest([UserPromptPart('Begin.')])
"""The request before a piece from inside of a history."""

AFTER = (ModelResponse([TextPart('Go on.')]), ModelRequest([UserPromptPart('End.')]))
"""The messages after a piece from inside of a history."""

AnyPart = TypeVar('AnyPart', bound=ModelRequestPart | ModelResponsePart)


@dataclass(frozen=True, slots=True)
class Unit:
    """The smallest thing that can be sent or not: a part, or an item of a prompt: a file or a `CachePoint`.

    The texts of a prompt are one unit, without an `item_index`.
    """

    message_index: int
    part_index: int
    item_index: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A response with the requests after it, or the requests before the first response."""

    history: Sequence[ModelMessage]
    start: int
    end: int

    def units(self) -> list[Unit]:
        """Return all units of the piece, in order."""
        return [
            unit
            for index in range(self.start, self.end)
            for number, part in enumerate(self.history[index].parts)
            for unit in _list_units(part, index, number)
        ]

    def without(self, removed: Collection[Unit]) -> list[ModelMessage]:
        """Return the piece without these units, between other messages if it is not the whole history."""
        return self._surround(self._select(lambda unit: unit not in removed))

    def alone(self, kept: Unit) -> list[ModelMessage]:
        """Return the piece with only this unit."""
        return self._surround(self._select(lambda unit: unit == kept))

    def with_part(self, unit: Unit, part: ModelResponsePart, removed: Collection[Unit]) -> list[ModelMessage]:
        """Return the piece with another part in place of one. The result of a tool call keeps the id of its call."""
        old = self.history[unit.message_index].parts[unit.part_index]
        messages = self._select(lambda unit: unit not in removed)
        for index, message in enumerate(messages):
            parts: list[Any] = [part if each is old else _with_new_id(each, old, part) for each in message.parts]
            messages[index] = replace(cast('Any', message), parts=parts)
        return self._surround(messages)

    def _select(self, is_kept: Callable[[Unit], bool]) -> list[ModelMessage]:
        return select(self.history[self.start : self.end], self.start, is_kept)

    def _surround(self, messages: list[ModelMessage]) -> list[ModelMessage]:
        before = [BEFORE] if self.start else []
        return [*before, *messages, *(AFTER if self.end < len(self.history) else ())]


def split(history: Sequence[ModelMessage]) -> Iterator[Piece]:
    """Yield the pieces of a history, in order."""
    starts = [index for index, message in enumerate(history) if isinstance(message, ModelResponse)]
    bounds = [0, *(start for start in starts if start), len(history)]
    yield from (Piece(history, start, end) for start, end in pairwise(bounds) if start < end)


def select(messages: Sequence[ModelMessage], first: int, is_kept: Callable[[Unit], bool]) -> list[ModelMessage]:
    """Return copies of the messages with the units that are kept. `first` is the index of the first message.

    A message without parts stays, so that the others keep their positions.
    """
    selected: list[ModelMessage] = []
    for index, message in enumerate(messages, first):
        parts: list[Any] = [
            kept
            for number, part in enumerate(message.parts)
            for kept in _select_part(part, _list_units(part, index, number), is_kept)
        ]
        selected.append(replace(cast('Any', message), parts=parts))
    return selected


def _list_units(part: object, index: int, number: int) -> list[Unit]:
    """Return the units of a part: itself, and the items of a prompt that are not texts."""
    items = part.content if isinstance(part, UserPromptPart) and not isinstance(part.content, str) else ()
    others = [Unit(index, number, place) for place, item in enumerate(items) if not _is_text(item)]
    return [*others, Unit(index, number)] if len(others) < len(items) or not items else others


def _select_part(part: AnyPart, units: Sequence[Unit], is_kept: Callable[[Unit], bool]) -> Iterator[AnyPart]:
    """Yield the part with the units that are kept, or nothing if none is."""
    kept = {unit.item_index for unit in units if is_kept(unit)}
    if len(kept) == len(units):
        yield part
    elif kept and isinstance(part, UserPromptPart):
        items = [item for place, item in enumerate(part.content) if (None if _is_text(item) else place) in kept]
        yield replace(part, content=items)


def _is_text(item: object) -> bool:
    return isinstance(item, (str, TextContent))


def _with_new_id(part: object, old: object, new: object) -> object:
    """Return a tool result with the id that its call gets; other parts as they are."""
    if (
        isinstance(part, (ToolReturnPart, RetryPromptPart))
        and isinstance(old, ToolCallPart)
        and isinstance(new, ToolCallPart)
        and part.tool_call_id == old.tool_call_id
    ):
        return replace(part, tool_call_id=new.tool_call_id)
    return part
