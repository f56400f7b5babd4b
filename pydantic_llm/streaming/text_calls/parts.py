"""`CallFindingParts`: a `PartsManager` that finds tool calls in the text, whole or streamed, for every room."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from ...messages import ModelResponsePart, TextPart
from ...tools.definition import ToolDefinition
from ..draft import ResponseDraft
from ..parts import LAST, PartsManager
from .call_parts import CallParts
from .chained import make_reader
from .formats import CallFormatName
from .reader import CallReader, Item, PartialCall, ToolCall, close_reader

__all__ = ('CallFindingParts', 'find_text_calls')


def find_text_calls(
    draft: ResponseDraft,
    tools: Sequence[ToolDefinition],
    format: bool | CallFormatName,
    *,
    records_events: bool = True,
) -> None:
    """Let a new draft find calls of these tools in its text, in this format, or in all of them."""
    name = None if format is True or format is False else format
    schemas = {tool.name: tool.parameters_json_schema for tool in tools}
    reader = make_reader(name, schemas.keys(), reads_json=not draft.expects_json)
    draft.parts = CallFindingParts(draft, reader, schemas, records_events=records_events)


class CallFindingParts(PartsManager):
    """Passes the text of a response through a reader of tool calls. `schemas` are those of the tools, by name.

    A part of text ends where a call begins: what follows is another part, for which the vendor's key is renamed.
    """

    finds_calls = True
    __slots__ = (
        '_calls',
        '_changes',
        '_draft',
        '_is_in_text',
        '_keys',
        '_received',
        '_text_key',
        'reader',
        'schemas',
    )

    def __init__(
        self,
        draft: ResponseDraft,
        reader: CallReader,
        schemas: Mapping[str, Mapping[str, Any]],
        *,
        records_events: bool = True,
    ) -> None:
        super().__init__(records_events=records_events)
        self._draft = draft
        self.reader: CallReader = reader
        self.schemas: Mapping[str, Mapping[str, Any]] = schemas
        self._calls = CallParts(self, schemas)
        self._text_key: Hashable = LAST
        self._changes: dict[str, Any] = {}
        self._keys: dict[Hashable, Hashable] = {}
        self._received: dict[Hashable, list[str]] = {}
        self._is_in_text = False

    def text(self, key: Hashable, content: str, **changes: Any) -> None:
        if type(content) is not str:
            super().text(key, content, **changes)  # raises `TypeError`
        if key != self._text_key:
            self._add_items(self.reader.close(truncated=False))
            self._text_key = key
        self._is_in_text = self._is_in_text or bool(content.strip())
        self._received.setdefault(key, []).append(content)
        if changes:
            self._changes |= changes
        self._add_items(self.reader.feed(content))

    def whole(self, key: Hashable, part: ModelResponsePart) -> None:
        """Add a part, or replace the part with this key. A new text is read as one that streams."""
        if isinstance(part, TextPart) and (key is LAST or super().kind_of(key) is None):
            names = ('id', 'provider_name', 'provider_details')
            self.text(
                key, part.content, **{name: value for name in names if (value := getattr(part, name)) is not None}
            )
        else:
            super().whole(key, part)

    def find_adder(self, key: Hashable) -> Callable[[str], None] | None:
        """Return `None`: a text may start and end parts, and what follows a stop sequence is dropped."""
        return None

    def get_content(self, key: Hashable) -> str:
        """Return the content as it was received, with the calls in it: decoders compare it with what follows."""
        received = self._received.get(key)
        return ''.join(received) if received else super().get_content(key)

    def has_content(self, key: Hashable) -> bool:
        return bool(self._received.get(key)) or super().has_content(key)

    def kind_of(self, key: Hashable) -> str | None:
        """Return the kind; text that is held because it may become a call is text."""
        return 'text' if key is LAST and self._is_in_text else super().kind_of(key)

    def close(self, key: Hashable) -> None:
        if key == self._text_key:
            self._add_items(self.reader.close(truncated=False))
        super().close(self._keys.pop(key, key))

    def end(self, *, complete: bool = True) -> None:
        """End all parts. A call that was truncated has malformed arguments, or is dropped if it has none yet."""
        draft = self._draft
        is_truncated = not complete or draft.finish_reason == 'length'
        self._add_items(close_reader(self.reader, truncated=is_truncated))
        if self._calls.count and draft.finish_reason == 'stop':
            draft.finish_reason = 'tool_call'
        super().end(complete=complete)

    def _find(self, key: Hashable, kind: Any) -> Any:
        return super()._find(self._keys.get(key, key), kind)

    def _start(self, key: Hashable, part: Any) -> None:
        self._is_in_text = part.part_kind == 'text'
        super()._start(self._keys.get(key, key), part)

    def _add_items(self, items: Iterable[Item]) -> None:
        for item in items:
            if isinstance(item, PartialCall):
                self._calls.add_piece(item)
            elif isinstance(item, ToolCall):
                self._add_call(item)
            elif item[0] == 'thinking':
                self._end_text()
                super().thinking(LAST, item[1])
                self._is_in_text = True  # as received
            elif item[1]:
                changes, self._changes = self._changes, {}
                super().text(self._text_key, item[1], **changes)

    def _add_call(self, call: ToolCall) -> None:
        self._calls.add(call)
        self._end_text()

    def _end_text(self) -> None:
        """End the part of the text so far: what follows is another part."""
        if self._text_key is not LAST:
            super().close(self._keys.get(self._text_key, self._text_key))
            self._keys[self._text_key] = ('text after', self._text_key, len(self._parts))
