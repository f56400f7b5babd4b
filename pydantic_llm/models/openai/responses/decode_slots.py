"""`ItemSlots`: assigns the events of a stream to the items of its response.

OpenAI's events name their item by an id and by an `output_index`. Of other servers, one of both is wrong or missing:
GitHub Copilot changes the id from event to event (litellm#30072, vercel/ai#18548), some servers number every item 0 or
no item (lemonade#3607), some announce no items (litellm#22102), some repeat items at the end with other ids
(Floway#119). So an event belongs to the slot that fits it best.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from json import dumps

from pydantic_core import to_json

from ....json_types import Json
from ....streaming.brackets import BracketScanner
from ....streaming.parts import PartsManager
from .slot_index import ANY, Names, SlotIndex

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


@dataclass(slots=True)
class Ahead:
    """Content that came in one piece, and of which fragments may still come."""

    content: str
    seen: int = 0
    """The number of its characters that came in fragments too."""

    def skip(self, fragment: str) -> bool:
        """Return whether the fragment is the next part of the content."""
        is_next = self.seen < len(self.content) and self.content.startswith(fragment, self.seen)
        self.seen = self.seen + len(fragment) if is_next else len(self.content)
        return is_next


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
    positions: dict[Position, None] = field(default_factory=dict[Position, None])
    """The positions of the texts so far, in order."""
    ahead: dict[Hashable, Ahead] = field(default_factory=dict[Hashable, 'Ahead'])
    """Key of a text or a tool call -> the content that came in one piece, and may still come in fragments."""
    late_args: BracketScanner | None = None
    """The brackets of the arguments, if fragments of them came after the whole item."""

    def expect(self, key: Hashable, content: str) -> None:
        """Record content that came in one piece."""
        self.ahead[key] = Ahead(content)

    def is_late_end(self, delta: str, parts: PartsManager) -> bool:
        """Return whether a fragment of arguments belongs to a whole item: only if the item's are truncated."""
        if self.late_args is None:
            if parts.kind_of(self) is None:
                return False
            self.late_args = BracketScanner()
            self.late_args.feed(parts.get_content(self))
        if self.late_args.has_closed:
            return False
        self.late_args.feed(delta)
        return True

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


MOST_COMPARED = 16
"""The most slots that one item of a whole response is compared with. In order, the first one fits."""


class ItemSlots:
    """The items of one response, in the order in which they started."""

    def __init__(self) -> None:
        self._slots: list[Slot] = []
        self._open: SlotIndex[Slot] = SlotIndex(by_call=True)  # without a whole item
        self._unannounced: SlotIndex[Slot] = SlotIndex()  # those of them that no event announced
        self._complete: SlotIndex[Slot] = SlotIndex()
        self._complete_calls: set[tuple[str, str]] = set()  # their types and tool call ids
        self._complete_items: set[tuple[int | None, str]] = set()  # their indexes, and the items as JSON

    def __bool__(self) -> bool:
        """Return whether there is an item."""
        return bool(self._slots)

    def add(self, item: Json, index: object = None) -> Slot:
        """Return a new slot for an item."""
        id, call_id = read_text(item, 'id'), read_text(item, 'call_id')
        slot = Slot(str(item['type']), id, _read_index(index), call_id or None)
        self._slots.append(slot)
        return slot

    def complete(self, slot: Slot, item: Json) -> None:
        """Record the whole item of a slot."""
        self._open.remove(slot)
        if not slot.is_announced:
            self._unannounced.remove(slot)
        slot.item = item
        self._complete.add(slot)
        if slot.call_id:
            self._complete_calls.add((slot.type, slot.call_id))
        if slot.id or slot.index is not None:
            self._complete_items.add((slot.index, dumps(item, sort_keys=True)))

    def start(self, item: Json, index: object) -> Slot:
        """Return the slot of an item that an event announces. Its content may have come before."""
        id, number, call_id = read_text(item, 'id'), _read_index(index), read_text(item, 'call_id')
        names = Names(str(item['type']), id, number)
        if slot := self._unannounced.find_best(names):
            self._unannounced.remove(slot)
        elif not id or (slot := self._find_announced(names, call_id)) is None:
            slot = self.add(item, index)
        self._open.remove(slot)
        slot.is_announced, slot.id, slot.call_id = True, id or slot.id, call_id or slot.call_id
        self._open.add(slot)
        return slot

    def _find_announced(self, names: Names, call_id: str) -> Slot | None:
        """Return an open slot with these names whose call is this one, as far as both are known."""
        if not call_id:
            return self._open.first(names)
        return self._open.first(replace(names, call_id=call_id)) or self._open.first(replace(names, call_id=None))

    def find(self, type: str, event: Json) -> Slot:
        """Return the slot of an event with content. It may be late, or the first event of an item."""
        id, index = read_text(event, 'item_id'), _read_index(event.get('output_index'))
        names = Names(type, id, index)
        if slot := self._open.find_best(names) or self._find_late(names):
            return slot
        slot = self.add({'type': type, 'id': id}, index)
        self._open.add(slot)
        self._unannounced.add(slot)
        return slot

    def _find_late(self, names: Names) -> Slot | None:
        """Return the slot of an event whose item is complete already."""
        if names.index is None:
            names = replace(names, index=ANY)
        if not names.id:
            return self._complete.last(replace(names, id=ANY))
        return self._complete.last(names) or self._complete.last(replace(names, id=''))

    def find_content(self, row: tuple[str, str, str], event: Json) -> tuple[Slot, Position]:
        """Return the slot and the position of an event of this row of `EVENTS`."""
        type, kind, index_field = row
        slot, index = self.find(type, event), event.get(index_field, 0)
        return slot, (kind, index if isinstance(index, int) else 0)

    def finish(self, item: Json, index: object) -> Slot | None:
        """Return the slot of a whole item, or None if the item was finished before."""
        type, number, call_id = str(item['type']), _read_index(index), read_text(item, 'call_id')
        names = Names(type, read_text(item, 'id'), number, call_id or ANY)
        if call_id and self._open.last(Names(type, call_id=call_id)) is None:
            names = replace(names, call_id=None)
        if slot := self._open.find_best(names):
            return slot
        is_repeated = (type, call_id) in self._complete_calls or (
            (number, dumps(item, sort_keys=True)) in self._complete_items
        )
        return None if is_repeated else self.add(item, index)

    def match(
        self, output: Sequence[Json], is_similar: Callable[[Slot, Json], bool]
    ) -> Iterable[tuple[Json, Slot | None]]:
        """Pair the items of a whole response with the slots of the stream; None for items that it did not contain.

        Items belong together by their tool call ids, their ids or their places, and otherwise by their order, if their
        content is similar.
        """

        def accepts(slot: Slot, item: Json) -> bool:
            return _accepts_call(slot, read_text(item, 'call_id'))

        def may_be(slot: Slot, item: Json) -> bool:
            return accepts(slot, item) and is_similar(slot, item)

        found: dict[int, Slot] = {}
        calls, ids = [item.get('call_id') for item in output], [item.get('id') for item in output]
        self._pair(found, output, calls, lambda slot: slot.call_id, lambda slot, item: True)
        self._pair(found, output, ids, lambda slot: slot.id, is_similar)
        self._pair(found, output, range(len(output)), lambda slot: slot.index, accepts)
        self._pair(found, output, [ANY] * len(output), lambda slot: ANY, may_be)
        return [(item, found.get(place)) for place, item in enumerate(output)]

    def _pair(
        self,
        found: dict[int, Slot],
        output: Sequence[Json],
        names: Sequence[object],
        name_slot: Callable[[Slot], object],
        fits: Callable[[Slot, Json], bool],
    ) -> None:
        """Add the pairs of an item and a slot that have the same type and the same name, and that fit, to `found`."""
        taken = set(found.values())
        free: dict[tuple[str, object], dict[Slot, None]] = defaultdict(dict)
        for slot in self._slots:
            if slot not in taken and (name := name_slot(slot)) not in (None, ''):
                free[slot.type, name][slot] = None
        for place, (item, name) in enumerate(zip(output, names, strict=True)):
            if place not in found and isinstance(name, Hashable):
                slots = free[str(item['type']), name]
                fitting = next((slot for slot in islice(slots, MOST_COMPARED) if fits(slot, item)), None)
                if fitting is not None:
                    found[place] = fitting
                    del slots[fitting]


def _accepts_call(slot: Slot, call_id: str) -> bool:
    return not slot.call_id or not call_id or slot.call_id == call_id


def read_text(event: Json, name: str) -> str:
    """Return a field as text, empty if it is missing. Raises `TypeError` for a value of another type."""
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
