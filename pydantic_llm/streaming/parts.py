"""The one place where fragments become message parts.

A room's `decode` calls five verbs:

    text()  thinking()  tool_call()  whole()  details()

and says with `close(key)` that a part is whole, where the vendor says so. What happened is appended to `events`.
Fragments are kept in a list and joined once, so that a part costs O(n) however many deltas built it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import Any, Final

from ..exceptions import UnexpectedModelBehavior
from ..messages import (
    BaseToolCallPart,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)


class _Last:
    """The type of `LAST`."""

    def __repr__(self) -> str:
        return 'LAST'


LAST: Final = _Last()
"""The key for APIs that do not number their parts: continue the last part if it is of the same kind."""


@dataclass(slots=True)
class _Growing:
    """A part under construction: its first form, and what has come since."""

    index: int
    key: Hashable
    first: ModelResponsePart
    fragments: list[str] = field(default_factory=list[str])
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    ended: bool = False

    def build(self) -> ModelResponsePart:
        """The part so far; what was joined once is not joined again."""
        changes = dict(self.changes)
        if self.fragments:
            self.fragments[:] = [''.join(self.fragments)]
            name = 'args' if isinstance(self.first, BaseToolCallPart) else 'content'
            base = changes.get(name, getattr(self.first, name))
            changes[name] = base + self.fragments[0] if isinstance(base, str) else self.fragments[0]
        return replace(self.first, **changes)

    def change(self, changes: dict[str, Any]) -> None:
        """Set fields. Details are joined: each replaces the one of its name."""
        if details := changes.get('provider_details'):
            known: dict[str, Any] = self.changes.get('provider_details', self.first.provider_details) or {}
            changes = {**changes, 'provider_details': {**known, **details}}
        self.changes.update(changes)


class PartsManager:
    """Turns a vendor's fragments into parts, and tells of it in `events`."""

    __slots__ = ('_by_key', '_held', '_parts', 'events')

    events: list[ModelResponseStreamEvent]
    """What happened since somebody last took the list."""

    def __init__(self) -> None:
        self.events = []
        self._parts: list[_Growing] = []
        self._by_key: dict[Hashable, _Growing] = {}
        self._held: dict[Hashable, dict[str, Any]] = {}

    def get(self) -> list[ModelResponsePart]:
        """The parts so far, as new values."""
        return [part.build() for part in self._parts]

    def text(self, key: Hashable, content: str, **changes: Any) -> None:
        """Add text to the part with this key, or start one; nothing happens where there is nothing to say."""
        _check(content, str)
        part = self._find(key, TextPart)
        if part is not None:
            if content or changes:
                self._grow(part, content, changes, TextPartDelta(content, changes.get('provider_details')))
        elif content or changes:
            self._start(key, TextPart(content, **changes))

    def thinking(self, key: Hashable, content: str = '', *, signature: str | None = None, **changes: Any) -> None:
        """Add thoughts to the part with this key, or start one; a signature replaces the one before it."""
        _check(content, str)
        if signature is not None:
            _check(signature, str)
            changes['signature'] = signature
        part = self._find(key, ThinkingPart)
        if part is not None:
            if content or changes:
                delta = ThinkingPartDelta(content or None, signature, changes.get('provider_details'))
                self._grow(part, content, changes, delta)
        elif content or changes:
            self._start(key, ThinkingPart(content, **changes))

    def tool_call(
        self,
        key: Hashable,
        *,
        name: str | None = None,
        args: str | dict[str, Any] | None = None,
        tool_call_id: str | None = None,
        **changes: Any,
    ) -> None:
        """Start a call once its name is known, and add to its arguments; fragments that come earlier are held back.

        Text is added to the arguments, an object replaces them. With `LAST`, a new name is a new call.
        """
        _check(args, (str, dict, NoneType))
        part = None if key is LAST and name is not None else self._find(key, BaseToolCallPart)
        if part is not None:
            self._grow_call(part, args, changes)
            return
        held = self._held.pop(key, {})
        known = held | {name: value for name, value in changes.items() if value is not None}
        known['args'] = _joined(held.get('args'), args)
        if tool_call_id:
            known['tool_call_id'] = tool_call_id
        if name is None:
            self._held[key] = known
        else:
            self._start(key, ToolCallPart(name, **known))

    def whole(self, key: Hashable, part: ModelResponsePart) -> None:
        """Add a part that arrives in one piece, or put it in the place of the one with this key."""
        self._held.pop(key, None)
        old = None if key is LAST else self._by_key.get(key)
        if old is None:
            self._start(key, part)
            return
        _check_fields(part)
        old.first, old.fragments, old.changes = part, [], {}
        previous = self._parts[old.index - 1].first.part_kind if old.index else None
        self.events.append(PartStartEvent(old.index, part, previous_part_kind=previous))

    def details(self, key: Hashable, **changes: Any) -> None:
        """Set fields of a part that is still open (ids, provider details); its end event tells of them."""
        if (part := self._find(key, None)) is not None:
            part.change(changes)

    def kind_of(self, key: Hashable) -> str | None:
        """The `part_kind` of the part with this key; `None` where there is none."""
        part = self._find(key, None)
        return part.first.part_kind if part else None

    def has_content(self, key: Hashable) -> bool:
        """Whether the part with this key says anything yet."""
        part = self._find(key, None)
        return part is not None and (bool(part.fragments) or part.build().has_content())

    def close(self, key: Hashable) -> None:
        """The vendor has finished this part: its key will mean another one from now on."""
        if (part := self._find(key, None)) is not None:
            self._by_key.pop(key, None)
            self._end(part, None)

    def end(self, *, complete: bool = True) -> None:
        """The answer is over: end what is open. Raises where a call of a complete answer never got its name."""
        if self._held and complete:
            raise UnexpectedModelBehavior(f'The model called a tool without naming it: {list(self._held.values())!r}')
        for part, following in zip(self._parts, [*self._parts[1:], None], strict=False):
            self._end(part, following.first.part_kind if following else None)

    def take_events(self) -> list[ModelResponseStreamEvent]:
        """The events since the last call."""
        events, self.events = self.events, []
        return events

    def _find(self, key: Hashable, kind: type[ModelResponsePart] | type[BaseToolCallPart] | None) -> _Growing | None:
        if key is LAST:
            part = self._parts[-1] if self._parts else None
            return part if part and not part.ended and (kind is None or isinstance(part.first, kind)) else None
        part = self._by_key.get(key)
        if part is None or kind is None or isinstance(part.first, kind):
            return part
        raise UnexpectedModelBehavior(f'A fragment of a {kind.__name__} arrived for {part.first!r}')

    def _start(self, key: Hashable, part: ModelResponsePart) -> None:
        _check_fields(part)
        previous = self._parts[-1] if self._parts else None
        if previous is not None and previous.key is LAST:
            self._end(previous, part.part_kind)
        growing = _Growing(len(self._parts), key, part)
        self._parts.append(growing)
        if key is not LAST:
            self._by_key[key] = growing
        kind = previous.first.part_kind if previous else None
        self.events.append(PartStartEvent(growing.index, part, previous_part_kind=kind))

    def _grow(self, part: _Growing, fragment: str, changes: dict[str, Any], delta: Any) -> None:
        if fragment:
            part.fragments.append(fragment)
        if changes:
            part.change(changes)
        self.events.append(PartDeltaEvent(part.index, delta))

    def _grow_call(self, part: _Growing, args: str | dict[str, Any] | None, changes: dict[str, Any]) -> None:
        if not (args or changes):
            return
        call = part.first
        assert isinstance(call, BaseToolCallPart), 'it was looked for by its kind'
        delta = ToolCallPartDelta(args or None, call.tool_call_id, changes.get('provider_details'))
        if isinstance(args, dict) and args:
            part.fragments.clear()
            self._grow(part, '', {**changes, 'args': args}, delta)
        else:
            self._grow(part, args if isinstance(args, str) else '', changes, delta)

    def _end(self, part: _Growing, next_kind: str | None) -> None:
        if not part.ended:
            part.ended = True
            self.events.append(PartEndEvent(part.index, part.build(), next_part_kind=next_kind))


FIELDS: tuple[tuple[str, type | tuple[type, ...]], ...] = (
    ('tool_name', str),
    ('tool_call_id', str),
    ('args', (str, dict, NoneType)),
    ('signature', (str, NoneType)),
    ('id', (str, NoneType)),
)
"""The types of the fields of parts that come from the wire, where nobody has looked at them."""


def _check(value: object, kind: type | tuple[type, ...]) -> None:
    """Raise where the wire holds something else than it promised, before it is taken for a part's."""
    if not isinstance(value, kind):
        raise TypeError(f'a part cannot hold {value!r}')


def _check_fields(part: ModelResponsePart) -> None:
    for name, kind in FIELDS:
        if hasattr(part, name):
            _check(getattr(part, name), kind)
    if isinstance(part, (TextPart, ThinkingPart)):
        _check(part.content, str)


def _joined(held: str | dict[str, Any] | None, args: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
    if isinstance(held, str) and isinstance(args, str):
        return held + args
    return args or held or args
