"""`StoppedParts`: ends a response before the first stop sequence, for a model that refuses stop sequences."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from ..messages import ModelResponsePart
from .draft import ResponseDraft
from .stops import StopMatcher
from .text_calls.chain import ChainedReader
from .text_calls.parts import CallFindingParts
from .text_calls.reader import CallReader, Item

__all__ = ('StoppedParts', 'stop_draft')


def stop_draft(draft: ResponseDraft, sequences: Sequence[str], *, records_events: bool = True) -> None:
    """Let a new draft end before any of these texts. What the vendor sends after it is dropped."""
    stops = StopReader(sequences)
    reader: CallReader = stops
    schemas: Mapping[str, Mapping[str, Any]] = {}
    if isinstance(draft.parts, CallFindingParts):
        reader, schemas = ChainedReader([stops, draft.parts.reader]), draft.parts.schemas
    draft.parts = StoppedParts(draft, stops, reader, schemas, records_events=records_events)


class StopReader:
    """A reader of text that passes it on until the first stop sequence, and finds no tool calls."""

    def __init__(self, sequences: Sequence[str]) -> None:
        self._matcher = StopMatcher(sequences)

    @property
    def has_stopped(self) -> bool:
        """True after a stop sequence."""
        return self._matcher.found is not None

    def feed(self, text: str) -> Iterator[Item]:
        yield 'text', self._matcher.feed(text)

    def close(self, *, truncated: bool) -> Iterator[Item]:
        yield 'text', self._matcher.close()


class StoppedParts(CallFindingParts):
    """Drops all that follows a stop sequence in the text."""

    __slots__ = ('_has_stopped', '_stops')

    def __init__(
        self,
        draft: ResponseDraft,
        stops: StopReader,
        reader: CallReader,
        schemas: Mapping[str, Mapping[str, Any]],
        *,
        records_events: bool = True,
    ) -> None:
        super().__init__(draft, reader, schemas, records_events=records_events)
        self._stops = stops
        self._has_stopped = False

    def text(self, key: Hashable, content: str, **changes: Any) -> None:
        if not self._has_stopped:
            super().text(key, content, **changes)
            self._has_stopped = self._stops.has_stopped

    def thinking(self, key: Hashable, content: str = '', **changes: Any) -> None:
        if not self._has_stopped:
            super().thinking(key, content, **changes)

    def tool_call(self, key: Hashable, **changes: Any) -> None:
        if not self._has_stopped:
            super().tool_call(key, **changes)

    def whole(self, key: Hashable, part: ModelResponsePart) -> None:
        if not self._has_stopped:
            super().whole(key, part)

    def add_to_details(self, key: Hashable, name: str, items: Sequence[Any], **changes: Any) -> None:
        if not self._has_stopped:
            super().add_to_details(key, name, items, **changes)

    def end(self, *, complete: bool = True) -> None:
        self._has_stopped = False  # for a tool call before the stop sequence
        super().end(complete=complete)
        if self._stops.has_stopped and self._draft.finish_reason != 'tool_call':
            self._draft.finish_reason = 'stop'
