"""Rebuilds the parts of a response from the events of its stream."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic_llm.messages import (
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    StreamRestartEvent,
)


def replay(events: Iterable[ModelResponseStreamEvent]) -> list[ModelResponsePart]:
    """Return the parts that a consumer of these events holds after the last one."""
    parts: dict[int, ModelResponsePart] = {}
    for event in events:
        match event:
            case PartStartEvent(index=index, part=part) | PartEndEvent(index=index, part=part):
                parts[index] = part
            case PartDeltaEvent(index=index, delta=delta):
                parts[index] = delta.apply(parts[index])
            case StreamRestartEvent():
                parts.clear()
            case _:
                pass
    return [parts[index] for index in sorted(parts)]
