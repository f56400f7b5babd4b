"""`SlotIndex`: finds the slot of an event in constant time, by whatever the event names: its id, its index, its call.

A response can have thousands of items, and each of their events looks for its slot.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Final, Generic, Protocol, TypeVar

ANY: Final = object()
"""In place of a name: slots with any value."""


@dataclass(frozen=True, slots=True)
class Names:
    """What is known of the slot that is looked for. Each name but the type can be `ANY`."""

    type: str
    id: object = ANY
    index: object = ANY
    call_id: object = ANY


class Named(Protocol):
    """What has such names: a slot."""

    type: str
    id: str
    index: int | None
    call_id: str | None


SlotT = TypeVar('SlotT', bound=Named)
Key = tuple[object, ...]


class SlotIndex(Generic[SlotT]):
    """Slots by each combination of their names, in the order in which they were added."""

    def __init__(self, *, by_call: bool = False) -> None:
        """Make an index. Without `by_call`, tool call ids are not looked for."""
        self._by_call = by_call
        self._found: defaultdict[Key, dict[SlotT, None]] = defaultdict(dict)

    def add(self, slot: SlotT) -> None:
        for key in self._list_keys(slot):
            self._found[key][slot] = None

    def remove(self, slot: SlotT) -> None:
        """Remove a slot, whose names must be those that it was added with."""
        for key in self._list_keys(slot):
            self._found[key].pop(slot, None)

    def first(self, names: Names) -> SlotT | None:
        """Return the first slot with these names."""
        return next(iter(self._get(names)), None)

    def last(self, names: Names) -> SlotT | None:
        """Return the last slot with these names."""
        return next(reversed(self._get(names)), None)

    def find_best(self, names: Names) -> SlotT | None:
        """Return the latest slot with the same id and index, else with the same id, else with the same index.

        If the event or the slot has no index, the latest slot is it.
        """
        if names.id and (slot := self.last(names) or self.last(replace(names, index=ANY))):
            return slot
        unnumbered = ANY if names.index is None else None
        return self.last(replace(names, id=ANY)) or self.last(replace(names, id=ANY, index=unnumbered))

    def _get(self, names: Names) -> dict[SlotT, None]:
        return self._found.get((names.type, names.id, names.index, names.call_id)) or {}

    def _list_keys(self, slot: Named) -> list[Key]:
        type, id, index = slot.type, slot.id, slot.index
        calls = (slot.call_id, ANY) if self._by_call else (ANY,)
        return [
            key
            for call in calls
            for key in (
                (type, id, index, call),
                (type, id, ANY, call),
                (type, ANY, index, call),
                (type, ANY, ANY, call),
            )
        ]
