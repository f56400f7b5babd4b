"""`ItemSlots`: assigns the events of a stream to the items of its response.

OpenAI's events name their item by an id and by an `output_index`. Of other servers, one of both is wrong or missing:
GitHub Copilot changes the id from event to event (litellm#30072, vercel/ai#18548), some servers number every item 0 or
no item (lemonade#3607), some announce no items (litellm#22102), some repeat items at the end with other ids
(Floway#119). So an event belongs to the slot that fits it best.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from pydantic_core import to_json

from ....json_types import Json

EVENTS: dict[str, tuple[str, str, str]] = {
    'response.output_text': ('message', 'text', 'content_index'),
    'response.reasoning_summary_text': ('reasoning', 'summary', 'summary_index'),
    'response.reasoning_text': ('reasoning', 'raw', 'content_index'),
    'response.function_call_arguments': ('function_call', 'arguments', ''),
    'response.mcp_call_arguments': ('mcp_call', 'arguments', ''),
    'response.code_interpreter_call_code': ('code_interpreter_call', 'code', ''),
}
"""Beginning of an event's type -> the type of its item, the kind of its content, and the field with its index.

`.delta` follows for a fragment, `.done` for the whole content."""

WHOLE_FIELDS = {'arguments': 'arguments', 'code': 'code'}
"""Kind of content -> the field of a `.done` event that has it; `text` for other kinds."""

CONTENT_KINDS = {'output_text': 'response.output_text', 'reasoning_text': 'response.reasoning_text'}
"""Type of a part of an item's content -> the beginning of the types of its events."""

Position = tuple[str, int]
"""The kind of a text (`'text'`, `'summary'`, `'raw'`), and its index within the item."""


@dataclass(eq=False, slots=True)
class Slot:
    """One item of the response under construction: the key of its tool call, and a part of the keys of its texts."""

    type: str
    id: str = ''
    """The id of the event that started the item; empty if it has none."""
    index: int | None = None
    call_id: str | None = None
    is_announced: bool = False
    """True if an event announced the item; false if its content came first."""
    item: Json | None = None
    """The whole item, after an event contained it."""
    phase: str | None = None
    positions: list[Position] = field(default_factory=list[Position])
    """The positions of the texts so far."""
    ahead: dict[Hashable, str] = field(default_factory=dict[Hashable, str])
    """Key of a text or a tool call -> the content that came in one piece, and may still come in fragments."""

    def key(self, position: Position) -> Hashable:
        """Return the key of a text of the item."""
        return (self, position)

    def pair(self, kind: str, count: int) -> list[Position]:
        """Return the positions of the texts of a whole item. A server may number them otherwise in its events."""
        known = [position for position in self.positions if position[0] == kind]
        if all(index < count for _, index in known):
            return [(kind, index) for index in range(count)]
        return [*known[:count], *((kind, -index) for index in range(1, count - len(known) + 1))]

    def name(self, item: Json) -> Json:
        """Return the item with the id that it started with."""
        return {**item, 'id': self.id} if self.id else item


class ItemSlots:
    """The items of one response, in the order in which they started."""

    def __init__(self) -> None:
        self._slots: list[Slot] = []

    def add(self, item: Json, index: object = None) -> Slot:
        """Return a new slot for an item."""
        id, call_id = _read_text(item, 'id'), _read_text(item, 'call_id')
        slot = Slot(str(item['type']), id, _read_index(index), call_id or None)
        self._slots.append(slot)
        return slot

    def start(self, item: Json, index: object) -> Slot:
        """Return the slot of an item that an event announces. Its content may have come before."""
        id, number, call_id = _read_text(item, 'id'), _read_index(index), _read_text(item, 'call_id')
        known = [slot for slot in self._open(str(item['type'])) if _accepts_call(slot, call_id)]
        slot = _find_best([slot for slot in known if not slot.is_announced], id, number)
        slot = slot or next((slot for slot in known if id and slot.id == id and slot.index == number), None)
        slot = slot or self.add(item, index)
        slot.is_announced, slot.id, slot.call_id = True, id or slot.id, call_id or slot.call_id
        return slot

    def find(self, type: str, event: Json) -> Slot:
        """Return the slot of an event with content. It may be late, or the first event of an item."""
        id, index = _read_text(event, 'item_id'), _read_index(event.get('output_index'))
        if slot := _find_best(self._open(type), id, index):
            return slot
        for slot in reversed(self._slots):
            is_same = slot.type == type and (slot.index == index or index is None)
            if is_same and (slot.id == id or not slot.id or not id):
                return slot
        return self.add({'type': type, 'id': id}, index)

    def find_content(self, row: tuple[str, str, str], event: Json) -> tuple[Slot, Position]:
        """Return the slot and the position of an event of this row of `EVENTS`."""
        type, kind, index_field = row
        slot, index = self.find(type, event), event.get(index_field, 0)
        return slot, (kind, index if isinstance(index, int) else 0)

    def finish(self, item: Json, index: object) -> Slot | None:
        """Return the slot of a whole item, or None if the item was finished before."""
        number, call_id = _read_index(index), _read_text(item, 'call_id')
        known = [slot for slot in self._open(str(item['type'])) if _accepts_call(slot, call_id)]
        called = [slot for slot in known if call_id and slot.call_id == call_id]
        if slot := _find_best(called or known, _read_text(item, 'id'), number):
            return slot
        is_repeated = any(
            (call_id and slot.call_id == call_id and slot.type == item['type'])
            or (slot.item == item and slot.index == number and bool(slot.id or number is not None))
            for slot in self._slots
            if slot.item is not None
        )
        return None if is_repeated else self.add(item, index)

    def match(
        self, output: Sequence[Json], is_similar: Callable[[Slot, Json], bool]
    ) -> Iterable[tuple[Json, Slot | None]]:
        """Pair the items of a whole response with the slots of the stream; None for items that it did not contain.

        Items belong together by their tool call ids, their ids or their places, and otherwise by their order, if their
        content is similar.
        """
        rules: tuple[Callable[[Slot, Json, int], bool], ...] = (
            lambda slot, item, _: bool(slot.call_id) and slot.call_id == item.get('call_id'),
            lambda slot, item, _: bool(slot.id) and slot.id == item.get('id') and is_similar(slot, item),
            lambda slot, item, place: slot.index == place and _accepts_call(slot, _read_text(item, 'call_id')),
            lambda slot, item, _: _accepts_call(slot, _read_text(item, 'call_id')) and is_similar(slot, item),
        )
        free, found = [*self._slots], cast('dict[int, Slot]', {})
        for rule in rules:
            for place, item in enumerate(output):
                fits = (slot for slot in free if slot.type == item['type'] and rule(slot, item, place))
                if place not in found and (slot := next(fits, None)):
                    found[place] = slot
                    free.remove(slot)
        return [(item, found.get(place)) for place, item in enumerate(output)]

    def _open(self, type: str) -> list[Slot]:
        return [slot for slot in self._slots if slot.type == type and slot.item is None]


def _find_best(slots: Sequence[Slot], id: str, index: int | None) -> Slot | None:
    """Return the latest slot with the same id and index, else with the same id, else with the same index.

    If the event or the slot has no index, the latest slot is it.
    """
    by_id = [slot for slot in slots if id and slot.id == id]
    by_index = [slot for slot in by_id or slots if slot.index == index]
    unnumbered = [slot for slot in slots if index is None or slot.index is None]
    return next((found[-1] for found in (by_index, by_id, unnumbered) if found), None)


def _accepts_call(slot: Slot, call_id: str) -> bool:
    return not slot.call_id or not call_id or slot.call_id == call_id


def _read_text(event: Json, name: str) -> str:
    value: object = event.get(name)
    if not isinstance(value, str | None):
        raise TypeError(f'the {name} of an item is {value!r}')
    return value or ''


def _read_index(value: object) -> int | None:
    return value if type(value) is int else None


def join_texts(item: Json) -> str:
    """Return all text of an item, to compare it."""
    pieces: list[Json] = [*(item.get('summary') or ()), *(item.get('content') or ())]
    texts = (piece.get('text') for piece in pieces if piece.get('type') != 'refusal')
    return str(item.get('arguments') or '') + ''.join(text for text in texts if isinstance(text, str))


def complete_item(item: Json) -> Json:
    """Return the item with its arguments as text, and its content as a list: servers send objects (adk-go#1254)."""
    match item:
        case {'type': 'function_call', 'arguments': dict()}:
            return {**item, 'arguments': to_json(item['arguments']).decode()}
        case {'type': 'message', 'content': str() as text}:
            return {**item, 'content': [{'type': 'output_text', 'text': text}]}
        case _:
            return item
