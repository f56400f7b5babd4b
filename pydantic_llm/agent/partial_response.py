"""`PartialResponse`: the response as far as the reader has received its events.

The run may be some events ahead of the reader, so the model's stream cannot be asked. Fragments are kept in a list and
joined only when the response is read.
"""

from __future__ import annotations

from dataclasses import replace

from ..messages import (
    BaseToolCallPart,
    ModelResponse,
    ModelResponsePart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    StreamRestartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPartDelta,
)
from .event_channel import ResponseStartEvent, RunEvent

__all__ = ('PartialResponse',)

Delta = TextPartDelta | ThinkingPartDelta | ToolCallPartDelta


class PartialResponse:
    """The parts of the newest response, built from the events added so far."""

    def __init__(self) -> None:
        self._parts: dict[int, ModelResponsePart] = {}
        self._fragments: dict[int, list[str]] = {}

    def add(self, event: RunEvent) -> None:
        match event:
            case ResponseStartEvent() | StreamRestartEvent():
                self._parts.clear()
                self._fragments.clear()
            case PartStartEvent(index=index, part=part) | PartEndEvent(index=index, part=part):
                self._parts[index] = part
                self._fragments.pop(index, None)
            case PartDeltaEvent(index=index, delta=delta):
                self._apply_delta(index, delta)
            case _:
                pass

    def get(self) -> ModelResponse:
        """Return the response so far. Only its parts are set."""
        return ModelResponse([self._join_part(index) for index in sorted(self._parts)], state='incomplete')

    def _apply_delta(self, index: int, delta: Delta) -> None:
        text = _only_text_of(delta)
        if text is not None and not isinstance(getattr(self._parts[index], 'args', ''), dict):
            self._fragments.setdefault(index, []).append(text)
            return
        self._parts[index] = delta.apply(self._join_part(index))

    def _join_part(self, index: int) -> ModelResponsePart:
        """Join a part with its fragments, store it and return it."""
        fragments = self._fragments.pop(index, None)
        if fragments:
            self._parts[index] = _append_fragments(self._parts[index], fragments)
        return self._parts[index]


def _append_fragments(part: ModelResponsePart, fragments: list[str]) -> ModelResponsePart:
    if isinstance(part, (TextPart, ThinkingPart)):
        return replace(part, content=''.join((part.content, *fragments)))
    assert isinstance(part, BaseToolCallPart), 'no other part has fragments'
    start = part.args if isinstance(part.args, str) else ''
    return replace(part, args=''.join((start, *fragments)))


def _only_text_of(delta: Delta) -> str | None:
    """Return the text that a delta adds, or `None` if it also changes something else."""
    match delta:
        case TextPartDelta(content_delta=text, provider_details=None):
            return text
        case ThinkingPartDelta(content_delta=str() as text, signature_delta=None, provider_details=None):
            return text
        case ToolCallPartDelta(args_delta=str() as text, provider_details=None):
            return text
        case _:
            return None
