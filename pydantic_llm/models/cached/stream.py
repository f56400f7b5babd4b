"""Streams from the cache and into it: `ReplayedStream` and `RecordedStream`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, cast

from ...exceptions import LLMError
from ...messages import (
    BaseToolCallPart,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    StreamRestartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPartDelta,
)
from .. import LAST, ModelRequestParameters, StreamedResponse, WholeResponse
from ..wrapper import WrapperStream
from .entry import Fragments
from .lookup import Lookup


class ReplayedStream(WholeResponse):
    """The stream of a stored response, in the fragments in which it was streamed before, without their delays."""

    def __init__(
        self, response: ModelResponse, fragments: Fragments, parameters: ModelRequestParameters | None
    ) -> None:
        super().__init__(response, parameters)
        self._fragments = fragments

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """Yield the events of each part. The start event has its ids and details, which came later the first time."""
        parts = self.draft.parts
        for index, part in enumerate(self._response.parts):
            texts = _split(part, self._fragments[index] if index < len(self._fragments) else None)
            parts.whole(LAST, _with_text(part, texts[0]) if texts else part)
            if (append := parts.find_adder(LAST)) is not None:
                for text in texts[1:]:
                    append(text)
            for event in parts.take_events():
                yield event
        parts.end()
        self.draft.state = self._response.state
        for event in parts.take_events():
            yield event


class RecordedStream(WrapperStream):
    """The stream of a response that is stored at its end, and shared with equal requests."""

    def __init__(self, wrapped: StreamedResponse, lookup: Lookup) -> None:
        super().__init__(wrapped)
        self._lookup = lookup
        self._recorder = FragmentRecorder()
        lookup.set_idle(is_idle=True)

    async def read_event(self) -> ModelResponseStreamEvent:
        lookup = self._lookup
        if self._ended:
            raise StopAsyncIteration
        lookup.set_idle(is_idle=False)
        try:
            with lookup.deadlines.track_time():
                event = await super().read_event()
        except LLMError as error:
            lookup.fail(error)
            raise
        except StopAsyncIteration:
            response = self.get()
            await lookup.keep(response, self._recorder.get(response.parts))
            raise
        lookup.set_idle(is_idle=True)
        self._recorder.add(event)
        return event


class FragmentRecorder:
    """Records the lengths of the fragments in which the texts of a stream arrive."""

    def __init__(self) -> None:
        self._lengths: dict[int, list[int]] = {}

    def add(self, event: ModelResponseStreamEvent) -> None:
        match event:
            case PartStartEvent(index=index, part=part):
                self._lengths[index] = [len(_get_text(part) or '')]
            case PartDeltaEvent(index=index, delta=delta) if length := _count_characters(delta):
                self._lengths.setdefault(index, [0]).append(length)
            case StreamRestartEvent():
                self._lengths.clear()
            case _:
                pass

    def get(self, parts: Sequence[ModelResponsePart]) -> Fragments:
        """Return the lengths for each part; `None` for a part that did not arrive in fragments of its text."""
        return [self._get_lengths(index, part) for index, part in enumerate(parts)]

    def _get_lengths(self, index: int, part: ModelResponsePart) -> list[int] | None:
        lengths, text = self._lengths.get(index, ()), _get_text(part)
        return [*lengths] if text is not None and len(lengths) > 1 and sum(lengths) == len(text) else None


def _count_characters(delta: object) -> int:
    match delta:
        case TextPartDelta(content_delta=str() as text) | ThinkingPartDelta(content_delta=str() as text):
            return len(text)
        case ToolCallPartDelta(args_delta=str() as text):
            return len(text)
        case _:
            return 0


def _get_text(part: ModelResponsePart) -> str | None:
    """Return the text of a part that can arrive in fragments."""
    if isinstance(part, (TextPart, ThinkingPart)):
        return part.content
    return part.args if isinstance(part, BaseToolCallPart) and isinstance(part.args, str) else None


def _with_text(part: ModelResponsePart, text: str) -> ModelResponsePart:
    name = 'args' if isinstance(part, BaseToolCallPart) else 'content'
    return cast('ModelResponsePart', replace(cast('Any', part), **{name: text}))


def _split(part: ModelResponsePart, lengths: Sequence[int] | None) -> list[str]:
    """Return the text of a part in fragments; empty if it has none, or if the lengths are not those of the text."""
    text = _get_text(part)
    if not lengths or text is None or min(lengths) < 0 or sum(lengths) != len(text):
        return []
    texts: list[str] = []
    start = 0
    for length in lengths:
        texts.append(text[start : start + length])
        start += length
    return [texts[0], *filter(None, texts[1:])]
