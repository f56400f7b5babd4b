"""`ContinuedEvents`: the events of a response that continues a paused one, as events of one response."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..messages import (
    FinalResultEvent,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    StreamRestartEvent,
    TextPart,
)

__all__ = ('ContinuedEvents',)


class ContinuedEvents:
    """Numbers the parts of a continuation after those of the paused response, `parts`."""

    def __init__(self, parts: Sequence[ModelResponsePart]) -> None:
        self._parts = parts
        self._has_text = any(isinstance(part, TextPart) for part in parts)

    def __call__(self, event: ModelResponseStreamEvent) -> Iterator[ModelResponseStreamEvent]:
        """Yield what one event of the continuation becomes.

        An event that voids all earlier ones is followed by the paused parts, which are still valid.
        """
        count = len(self._parts)
        match event:
            case PartStartEvent(index=0):
                previous = self._parts[-1].part_kind if self._parts else None
                yield replace(event, index=count, previous_part_kind=previous)
            case PartStartEvent() | PartDeltaEvent() | PartEndEvent():
                yield replace(event, index=event.index + count)
            case StreamRestartEvent():
                yield event
                yield from (PartStartEvent(index, part) for index, part in enumerate(self._parts))
            case FinalResultEvent(tool_name=None) if self._has_text:
                return  # the text of the paused response was the start of the output
            case _:
                yield event
