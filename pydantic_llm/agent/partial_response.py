"""The response as its reader has seen it: events put together again.

The run may be some events ahead of the reader. Fragments are kept, and joined to their part when somebody looks.
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
from .result import AgentStreamEvent
from .run_state import ResponseBegins

__all__ = ('Mirror', 'Watched')

Watched = AgentStreamEvent | ResponseBegins
"""What happens in a run, and where its responses begin."""

Delta = TextPartDelta | ThinkingPartDelta | ToolCallPartDelta


class Mirror:
    """The parts of the newest response, as far as its events were seen."""

    def __init__(self) -> None:
        self._parts: dict[int, ModelResponsePart] = {}
        self._fragments: dict[int, list[str]] = {}

    def see(self, event: Watched) -> None:
        """Take the next event."""
        match event:
            case ResponseBegins() | StreamRestartEvent():
                self._parts.clear()
                self._fragments.clear()
            case PartStartEvent(index=index, part=part) | PartEndEvent(index=index, part=part):
                self._parts[index] = part
                self._fragments.pop(index, None)
            case PartDeltaEvent(index=index, delta=delta):
                self._grow(index, delta)
            case _:
                pass

    def response(self) -> ModelResponse:
        """What was seen, as a response without anything but its parts."""
        return ModelResponse([self._build(index) for index in sorted(self._parts)], state='incomplete')

    def _grow(self, index: int, delta: Delta) -> None:
        fragment = _plain_fragment(delta)
        if fragment is not None and not isinstance(getattr(self._parts[index], 'args', ''), dict):
            self._fragments.setdefault(index, []).append(fragment)
            return
        self._parts[index] = delta.apply(self._build(index))

    def _build(self, index: int) -> ModelResponsePart:
        """The part with its fragments joined to it, which is what it is from now on."""
        fragments = self._fragments.pop(index, None)
        if fragments:
            self._parts[index] = _joined(self._parts[index], fragments)
        return self._parts[index]


def _joined(part: ModelResponsePart, fragments: list[str]) -> ModelResponsePart:
    if isinstance(part, (TextPart, ThinkingPart)):
        return replace(part, content=''.join((part.content, *fragments)))
    assert isinstance(part, BaseToolCallPart), 'nothing else has fragments'
    begun = part.args if isinstance(part.args, str) else ''
    return replace(part, args=''.join((begun, *fragments)))


def _plain_fragment(delta: Delta) -> str | None:
    """What a delta adds, where it adds nothing but text."""
    match delta:
        case TextPartDelta(content_delta=text, provider_details=None):
            return text
        case ThinkingPartDelta(content_delta=str() as text, signature_delta=None, provider_details=None):
            return text
        case ToolCallPartDelta(args_delta=str() as text, provider_details=None):
            return text
        case _:
            return None
