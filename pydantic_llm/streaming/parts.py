"""`PartsManager`: builds message parts from the fragments of a stream, and records the events.

A decoder calls five verbs:

    text()  thinking()  tool_call()  whole()  details()

and `close(key)` if the vendor marks the end of a part. Each call appends its events to `events`. Fragments are kept in
a list and joined once, so a part costs O(n) for any number of deltas.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, partial
from types import NoneType
from typing import Any, ClassVar, Final

from ..exceptions import UnexpectedModelBehavior
from ..messages import (
    BaseToolCallPart,
    Citation,
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
from ..messages._value import new_tool_call_id
from ..messages.citation_readers import read_citations

Arguments = str | dict[str, Any] | None

FIELD_TYPES: tuple[tuple[str, type | tuple[type, ...]], ...] = (
    ('tool_name', str),
    ('tool_call_id', str),
    ('args', (str, dict, NoneType)),
    ('signature', (str, NoneType)),
    ('id', (str, NoneType)),
)
"""The types of part fields that decoders copy from the wire without validation."""


LIST_SHARE = 64
"""A list of n items in the details of a part has an event for every n / 64 items. All events hold some 64 * n items."""


class _Last:
    """The type of `LAST`."""

    def __repr__(self) -> str:
        return 'LAST'


LAST: Final = _Last()
"""The key for APIs that do not number their parts: continue the last part if it has the same type."""


@dataclass(slots=True)
class _GrowingList:
    """A list in the `provider_details` of a part. Its events have the list so far, so that not every item has one."""

    items: list[Any]
    emitted: int = 0
    """The number of items in the last event."""

    @property
    def is_due(self) -> bool:
        """True if enough items were added since the last event: one of a short list, a share of a long one."""
        return len(self.items) - self.emitted > self.emitted // LIST_SHARE


class _UnnamedCall:
    """A tool call whose name has not arrived: its fields, and its arguments so far."""

    __slots__ = ('args', 'fields', 'fragments')

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.args: Arguments = None
        self.fragments: list[str] = []  # the text after `args`

    def add(self, args: Arguments) -> None:
        """Append text to text; otherwise the newer arguments replace the older ones, unless they are empty."""
        if isinstance(args, str) and isinstance(self.args, str):
            self.fragments.append(args)
        elif args or not (self.args or self.fragments):
            self.args, self.fragments = args, []

    def join(self) -> Arguments:
        return self.args + ''.join(self.fragments) if isinstance(self.args, str) else self.args


class _PartBuilder:
    """A part under construction: the part of its start event, and the fragments and fields that were added since."""

    __slots__ = ('changes', 'ended', 'fragments', 'index', 'initial', 'is_shared', 'key', 'lists', 'logprobs')

    def __init__(self, index: int, key: Hashable, initial: ModelResponsePart, *, is_shared: bool) -> None:
        self.index = index
        self.key = key
        self.initial = initial
        self.is_shared = is_shared  # an event has the initial part too
        self.fragments: list[str] = []
        self.changes: dict[str, Any] = {}
        self.logprobs: list[dict[str, Any]] = []
        self.lists: dict[str, _GrowingList] = {}
        self.ended = False

    def build(self) -> ModelResponsePart:
        """Return the part so far, with the citations that its details have in the form of the vendor."""
        part = self._join()
        if isinstance(part, TextPart) and part.provider_details and not part.citations:
            part.citations = read_citations(part.provider_details, part.content) or ()
        return part

    def _join(self) -> ModelResponsePart:
        """Return the initial part with all changes. The joined fragments are kept, so they are not joined again."""
        if not (self.fragments or self.changes or self.lists or self.logprobs):
            return _copy_part(self.initial) if self.is_shared else self.initial
        if self.fragments:
            name = 'args' if isinstance(self.initial, BaseToolCallPart) else 'content'
            base = self.changes.get(name, getattr(self.initial, name))
            self.changes[name] = ''.join((base, *self.fragments) if isinstance(base, str) else self.fragments)
            self.fragments.clear()
        changes = dict(self.changes)
        if self.lists:
            known: dict[str, Any] = changes.get('provider_details', self.initial.provider_details) or {}
            changes['provider_details'] = known | {name: [*listed.items] for name, listed in self.lists.items()}
        if self.logprobs:
            own: dict[str, Any] | None = getattr(self.initial, 'provider_details', None)
            details: dict[str, Any] = changes.get('provider_details', own) or {}
            changes['provider_details'] = {'logprobs': [*self.logprobs], **details}
        part = _copy_part(self.initial)
        for name, value in changes.items():
            setattr(part, name, value)
        return part

    def set_fields(self, changes: dict[str, Any]) -> None:
        """Set fields of the part. `provider_details` is merged key by key."""
        if details := changes.get('provider_details'):
            known: dict[str, Any] = self.changes.get('provider_details', self.initial.provider_details) or {}
            changes = {**changes, 'provider_details': {**known, **details}}
        self.changes.update(changes)


class PartsManager:
    """Builds parts from the fragments of a vendor, and records what happens in `events`.

    A `key` identifies a part within the stream, such as its index. With `LAST`, a fragment continues the last part.
    Raises `TypeError` if a value has the wrong type for its field, `UnexpectedModelBehavior` if a fragment has another
    type than the part with its key.
    """

    __slots__ = ('_by_key', '_call_ids', '_logprobs', '_parts', '_records_events', '_unnamed_calls', 'events')

    finds_calls: ClassVar[bool] = False
    """True if tool calls in the text become parts."""
    events: list[ModelResponseStreamEvent]
    """The events since `take_events` was called last."""

    def __init__(self, *, records_events: bool = True) -> None:
        """Begin a response. Without `records_events`, `events` stays empty, which costs less than half."""
        self.events = []
        self._records_events = records_events
        self._parts: list[_PartBuilder] = []
        self._by_key: dict[Hashable, _PartBuilder] = {}
        self._unnamed_calls: dict[Hashable, _UnnamedCall] = {}
        self._logprobs: list[dict[str, Any]] = []  # of a text that has not started
        self._call_ids: set[str] = set()

    def has_kind(self, kind: type[ModelResponsePart]) -> bool:
        """Return whether there is a part of this class."""
        return any(isinstance(part.initial, kind) for part in self._parts)

    def get(self) -> list[ModelResponsePart]:
        """Return the parts so far, as new values."""
        return [part.build() for part in self._parts]

    def text(self, key: Hashable, content: str, **changes: Any) -> None:
        """Add text to the part with this key, or start one. Empty text without `changes` does nothing."""
        # most calls by far, without the steps that would do nothing: 1.9 µs -> 1.2
        if type(content) is str and content and not changes and (part := self._find(key, TextPart)) is not None:
            part.fragments.append(content)
            if self._records_events:
                self.events.append(PartDeltaEvent(part.index, TextPartDelta(content)))
            return
        self._add_content(key, TextPart, content, changes, TextPartDelta(content, changes.get('provider_details')))

    def find_adder(self, key: Hashable) -> Callable[[str], None] | None:
        """Return a function that adds text to the content or to the arguments of a part. The text is not empty.

        It is valid until a part starts, changes or ends. `None` if there is no part with this key, or if its text may
        have another effect than to be added.
        """
        part = self._find(key, None)
        if part is None:
            return None
        make_delta: Callable[[str], Any] = TextPartDelta
        match part.initial:
            case BaseToolCallPart(tool_call_id=id):
                make_delta = partial(ToolCallPartDelta, tool_call_id=id)
            case ThinkingPart():
                make_delta = ThinkingPartDelta
            case _:
                pass
        index, append = part.index, part.fragments.append

        def add(text: str) -> None:
            append(text)
            if self._records_events:
                self.events.append(PartDeltaEvent(index, make_delta(text)))

        return add

    def thinking(self, key: Hashable, content: str = '', *, signature: str | None = None, **changes: Any) -> None:
        """Add thinking to the part with this key, or start one. A signature replaces an earlier one."""
        if type(content) is str and content and signature is None and not changes:
            part = self._find(key, ThinkingPart)
            if part is not None:
                part.fragments.append(content)
                if self._records_events:
                    self.events.append(PartDeltaEvent(part.index, ThinkingPartDelta(content)))
                return
        if signature is not None:
            _check_type(signature, str)
            changes['signature'] = signature
        delta = ThinkingPartDelta(content or None, signature, changes.get('provider_details'))
        self._add_content(key, ThinkingPart, content, changes, delta)

    def tool_call(
        self,
        key: Hashable,
        *,
        name: str | None = None,
        args: Arguments = None,
        tool_call_id: str | None = None,
        **changes: Any,
    ) -> None:
        """Add to the arguments of the tool call with this key, or start one. Text is appended, an object replaces.

        A tool call starts when its name is known; fragments that arrive before its name are kept until then. With
        `LAST`, each name starts a new tool call.
        """
        _check_type(args, (str, dict, NoneType))
        part = None if key is LAST and name is not None else self._find(key, BaseToolCallPart)
        if part is not None:
            self._extend_tool_call(part, args, changes)
            return
        if name and tool_call_id and not (self._unnamed_calls or changes):  # most calls by far
            self._start(key, ToolCallPart(name, args, tool_call_id))
            return
        call = self._unnamed_calls.pop(key, None) or _UnnamedCall()
        call.add(args)
        call.fields |= {name: value for name, value in changes.items() if value is not None}
        if tool_call_id:
            call.fields['tool_call_id'] = tool_call_id
        if name is None:
            self._unnamed_calls[key] = call
        else:
            self._start(key, ToolCallPart(name, call.join(), **call.fields))

    def whole(self, key: Hashable, part: ModelResponsePart) -> None:
        """Add a part that arrives in one piece, or replace the part with this key."""
        self._unnamed_calls.pop(key, None)
        old = None if key is LAST else self._by_key.get(key)
        if old is None:
            self._start(key, part)
            return
        self._restart(old, part)

    def replace_only(self, part: ModelResponsePart) -> None:
        """Replace the only part, whose kind turned out to be another. It starts again, which voids its events."""
        [old] = self._parts
        self._restart(old, part)

    def restart(self, index: int, part: ModelResponsePart) -> None:
        """Replace a part that has ended, whose kind turned out to be another. It starts again, and ends."""
        old = self._parts[index]
        self._restart(old, part)
        old.ended = False
        self._end(old, None)

    def details(self, key: Hashable, **changes: Any) -> None:
        """Set fields of a part that has not ended (ids, provider details). Only its end event contains them."""
        if (part := self._find(key, None)) is not None:
            part.set_fields(changes)

    def add_to_details(
        self,
        key: Hashable,
        name: str,
        items: Sequence[Any],
        *,
        kind: type[TextPart | ThinkingPart] = TextPart,
        **changes: Any,
    ) -> None:
        """Append items to a list in the `provider_details` of the part with this key, or start a part of this kind.

        An event has all items so far. Of a long list, only some items have one, and the last of them.
        """
        part = self._find(key, None)
        if part is None:
            self._start(key, kind('', provider_details={name: [*items]}, **changes))
            return
        part.set_fields(changes)
        if name not in part.lists:
            own: dict[str, Any] = part.changes.get('provider_details', part.initial.provider_details) or {}
            part.lists[name] = _GrowingList([*own.get(name, ())])
        part.lists[name].items += items
        self._emit_lists(part, is_last=False)

    def _emit_lists(self, part: _PartBuilder, *, is_last: bool) -> None:
        """Emit the lists that are due or, at the end of the part, those with items that no event had."""
        details: dict[str, Any] = {}
        for name, listed in part.lists.items():
            if listed.is_due or (is_last and len(listed.items) > listed.emitted):
                details[name], listed.emitted = [*listed.items], len(listed.items)
        if details and self._records_events:
            is_text = isinstance(part.initial, TextPart)
            delta = TextPartDelta('', details) if is_text else ThinkingPartDelta(None, None, details)
            self.events.append(PartDeltaEvent(part.index, delta))

    def cite(self, index: int, citations: Sequence[Citation]) -> None:
        """Add citations to the text part with this index, which may have ended."""
        part = self._parts[index]
        text = part.build()
        assert isinstance(text, TextPart), 'found by its type'
        part.changes['citations'] = [*text.citations, *citations]
        if part.ended:
            self._emit_citations(part, part.build())

    def _emit_citations(self, part: _PartBuilder, built: ModelResponsePart) -> None:
        """Emit all citations of a part, unless its start event had them."""
        citations = built.citations if isinstance(built, TextPart) else ()
        if citations and self._records_events and citations != getattr(part.initial, 'citations', ()):
            self.events.append(PartDeltaEvent(part.index, TextPartDelta('', citations_delta=citations)))

    def logprobs(self, key: Hashable, tokens: list[dict[str, Any]]) -> None:
        """Add log probabilities to the text with this key, or to the next text that starts. Only its end has them."""
        part = self._find(key, TextPart if key is LAST else None)
        if part is not None and isinstance(part.initial, TextPart):
            part.logprobs += tokens
        else:
            self._logprobs += tokens

    def kind_of(self, key: Hashable) -> str | None:
        """Return the `part_kind` of the part with this key, or `None` if there is no such part."""
        part = self._find(key, None)
        return part.initial.part_kind if part else None

    def get_content(self, key: Hashable) -> str:
        """Return the text so far of the part with this key: the text, the thinking or the arguments."""
        part = self.get_part(key)
        content: object = getattr(part, 'args' if isinstance(part, BaseToolCallPart) else 'content', '')
        return content if isinstance(content, str) else ''

    def get_part(self, key: Hashable) -> ModelResponsePart | None:
        """Return the part with this key as it is so far, or `None` if there is no such part."""
        part = self._find(key, None)
        return part.build() if part else None

    def has_content(self, key: Hashable) -> bool:
        part = self._find(key, None)
        return part is not None and (bool(part.fragments) or part.build().has_content())

    def close(self, key: Hashable) -> None:
        """End the part with this key. A later fragment with the key starts another part."""
        if (part := self._find(key, None)) is not None:
            self._by_key.pop(key, None)
            self._end(part, None)

    def end(self, *, complete: bool = True) -> None:
        """End all parts that are still open.

        Raises `UnexpectedModelBehavior` if the response is complete and a tool call has no name.
        """
        if self._unnamed_calls and complete:
            unnamed = [{**call.fields, 'args': call.join()} for call in self._unnamed_calls.values()]
            raise UnexpectedModelBehavior(f'The model called a tool without naming it: {unnamed!r}')
        for part, following in zip(self._parts, [*self._parts[1:], None], strict=False):
            self._end(part, following.initial.part_kind if following else None)

    def take_events(self) -> list[ModelResponseStreamEvent]:
        """Return the events since the last call, and clear them."""
        events, self.events = self.events, []
        return events

    def _find(
        self, key: Hashable, kind: type[ModelResponsePart] | type[BaseToolCallPart] | None
    ) -> _PartBuilder | None:
        """Return the open part with this key. With `LAST`, a part of another type does not match."""
        if key is LAST:
            part = self._parts[-1] if self._parts else None
            return part if part and not part.ended and (kind is None or isinstance(part.initial, kind)) else None
        part = self._by_key.get(key)
        if part is None or kind is None or isinstance(part.initial, kind):
            return part
        raise UnexpectedModelBehavior(f'A fragment of a {kind.__name__} arrived for {part.initial!r}')

    def _add_content(
        self, key: Hashable, kind: type[TextPart | ThinkingPart], content: str, changes: dict[str, Any], delta: Any
    ) -> None:
        _check_type(content, str)
        part = self._find(key, kind)
        if not (content or changes):
            return
        if part is None:
            self._start(key, kind(content, **changes))
        else:
            self._extend(part, content, changes, delta)

    def _start(self, key: Hashable, part: ModelResponsePart) -> None:
        _check_field_types(part)
        part = self._with_unique_id(part)
        previous = self._parts[-1] if self._parts else None
        if previous is not None and previous.key is LAST:
            self._end(previous, part.part_kind)
        builder = _PartBuilder(len(self._parts), key, part, is_shared=self._records_events)
        self._parts.append(builder)
        if self._logprobs and isinstance(part, TextPart):
            builder.logprobs, self._logprobs = self._logprobs, []
        if key is not LAST:
            self._by_key[key] = builder
        if self._records_events:
            kind = previous.initial.part_kind if previous else None
            self.events.append(PartStartEvent(builder.index, part, previous_part_kind=kind))

    def _with_unique_id(self, part: ModelResponsePart) -> ModelResponsePart:
        """Return the part. A tool call without an id, or with the id of an earlier one, gets a new id.

        Results are found by their id: nanobot#4059, oh-my-pi#2055, vercel/ai#4936.
        """
        if not isinstance(part, ToolCallPart):
            return part
        if not part.tool_call_id or part.tool_call_id in self._call_ids:
            part = replace(part, tool_call_id=new_tool_call_id())
        self._call_ids.add(part.tool_call_id)
        return part

    def _restart(self, old: _PartBuilder, part: ModelResponsePart) -> None:
        _check_field_types(part)
        old.initial, old.fragments, old.changes, old.lists = part, [], {}, {}
        if self._records_events:
            previous = self._parts[old.index - 1].initial.part_kind if old.index else None
            self.events.append(PartStartEvent(old.index, part, previous_part_kind=previous))

    def _extend(self, part: _PartBuilder, fragment: str, changes: dict[str, Any], delta: Any) -> None:
        if fragment:
            part.fragments.append(fragment)
        if changes:
            part.set_fields(changes)
        if self._records_events:
            self.events.append(PartDeltaEvent(part.index, delta))

    def _extend_tool_call(self, part: _PartBuilder, args: Arguments, changes: dict[str, Any]) -> None:
        if not (args or changes):
            return
        call = part.initial
        assert isinstance(call, BaseToolCallPart), 'found by its type'
        delta = ToolCallPartDelta(args or None, call.tool_call_id, changes.get('provider_details'))
        if isinstance(args, dict) and args:
            part.fragments.clear()
            self._extend(part, '', {**changes, 'args': args}, delta)
        else:
            self._extend(part, args if isinstance(args, str) else '', changes, delta)

    def _end(self, part: _PartBuilder, next_kind: str | None) -> None:
        if part.ended:
            return
        part.ended = True
        if self._records_events:
            if part.lists:
                self._emit_lists(part, is_last=True)
            built = part.build()
            self._emit_citations(part, built)
            self.events.append(PartEndEvent(part.index, built, next_part_kind=next_kind))


def _check_type(value: object, kind: type | tuple[type, ...]) -> None:
    """Raise `TypeError` if a value from the wire has another type than its API documents."""
    if not isinstance(value, kind):
        raise TypeError(f'a part cannot hold {value!r}')


def _check_field_types(part: ModelResponsePart) -> None:
    part_type: Any = type(part)
    for name, kind in _list_checks(part_type):
        if not isinstance(value := getattr(part, name), kind):
            raise TypeError(f'a part cannot hold {value!r}')


@cache
def _list_checks(kind: Any) -> tuple[tuple[str, type | tuple[type, ...]], ...]:
    """Return the fields of a class of parts that are checked, and their types."""
    names = {field.name for field in fields(kind)}
    content = (('content', str),) if issubclass(kind, (TextPart, ThinkingPart)) else ()
    return tuple(row for row in (*FIELD_TYPES, *content) if row[0] in names)


@cache
def _list_fields(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _copy_part(part: ModelResponsePart) -> ModelResponsePart:
    """Return a copy of a part. `dataclasses.replace` takes three times as long."""
    part_type: Any = type(part)
    copied: ModelResponsePart = object.__new__(part_type)
    for name in _list_fields(part_type):
        setattr(copied, name, getattr(part, name))
    return copied
