"""`EventParts`: the parts of a response, from the events of its stream."""

from __future__ import annotations

from ..messages import (
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    StreamRestartEvent,
)

__all__ = ('EventParts',)


class EventParts:
    """The parts that a consumer of a stream's events holds."""

    def __init__(self) -> None:
        self._parts: dict[int, ModelResponsePart] = {}

    def add(self, event: ModelResponseStreamEvent) -> None:
        """Add an event. Raises `UnexpectedModelBehavior` if a delta does not fit its part."""
        match event:
            case PartStartEvent(index=index, part=part) | PartEndEvent(index=index, part=part):
                self._parts[index] = part
            case PartDeltaEvent(index=index, delta=delta):
                self._parts[index] = delta.apply(self._parts[index])
            case StreamRestartEvent():
                self._parts.clear()
            case _:
                pass

    def get(self) -> list[ModelResponsePart]:
        """Return the parts so far, in their order."""
        return [self._parts[index] for index in sorted(self._parts)]
