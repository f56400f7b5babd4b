"""`TextArguments`: passes the events of a stream on to a room's encoder, with the arguments of tool calls as text.

Models may emit arguments as objects, each of which replaces the one before it. No API has such deltas: an object is
held back until its part ends, and is then one delta of JSON text.

Nor can an API take content back. If text turns out to be thinking, its part starts again (`UnopenedThinking`): for the
client it stays the text that was sent. If the part had ended (`AgentModel`), the next text begins a paragraph. If
thinking turns out to be text, the client gets the text after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..exceptions import UnexpectedModelBehavior
from ..json_types import Json
from ..messages import (
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolCallPartDelta,
)
from .serving import StreamEncoder


class TextArguments:
    """A `StreamEncoder` around that of a room, which gets arguments as text, and all of them before a part ends."""

    def __init__(self, encoder: StreamEncoder) -> None:
        self._encoder = encoder
        self._sent: dict[int, list[str]] = {}
        """The fragments of arguments that were passed on, by the index of a tool call that has not ended."""
        self._kinds: dict[int, str] = {}
        """The kinds of the parts that were begun, by their indexes."""
        self._kept_texts: dict[int, TextPart] = {}
        """The texts that turned out to be thinking after they were sent, by the indexes of their parts."""
        self._ended: set[int] = set()
        """The indexes of the texts that have ended."""
        self._ended_texts: set[int] = set()
        """The indexes of the kept texts that had ended before."""
        self._last_text: int | None = None
        """The index of the text that began last."""
        self._paragraphs: set[int] = set()
        """The indexes of the texts that begin a paragraph, since a kept text that had ended precedes them."""
        self._inserted: tuple[int, ThinkingPart] | None = None
        """The thinking that turned out to be text after it was sent, and its index; later parts move by one."""

    def begin(self) -> Iterator[Json]:
        return self._encoder.begin()

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """Yield what one event becomes. Raises `UnexpectedModelBehavior` if it replaces arguments that were sent."""
        event = self._renumber(event)
        match event:
            case PartStartEvent(index=index, part=ToolCallPart(args=args)) if index not in self._sent:
                started = args if isinstance(args, str) else ''
                self._sent[index] = [started] if started else []
                yield from self._encoder.event(replace(event, part=replace(event.part, args=started)))  # type: ignore[arg-type]  # for pyright
            case PartStartEvent(index=index, part=ToolCallPart()) if index in self._sent:
                pass  # it replaces the part: its end has the arguments
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=args)) if index in self._sent:
                if args and isinstance(args, str):
                    self._sent[index].append(args)
                    yield from self._encoder.event(event)
            case PartEndEvent(index=index, part=ToolCallPart() as part) if index in self._sent:
                yield from self._end_call(event, part)
            case PartStartEvent():
                yield from self._start(event)
            case PartDeltaEvent(index=index) | PartEndEvent(index=index) if index in self._ended_texts:
                pass
            case PartEndEvent(index=index) if index in self._kept_texts:
                yield from self._encoder.event(replace(event, part=self._kept_texts[index]))
            case PartEndEvent(index=index, part=TextPart() as part):
                self._ended.add(index)
                yield from self._encoder.event(replace(event, part=self._begin_paragraph(index, part)))
            case _:
                yield from self._encoder.event(event)

    def _start(self, event: PartStartEvent) -> Iterator[Json]:
        """Start a part, or start one again whose kind turned out to be another."""
        index, part = event.index, event.part
        match self._kinds.get(index), part:
            case 'text', ThinkingPart(content=content):
                self._kept_texts[index] = self._begin_paragraph(index, TextPart(content))
                self._ended_texts |= {index} & self._ended
            case 'thinking', TextPart(content=content):
                self._inserted = index, ThinkingPart(content)
                yield from self._encoder.event(PartEndEvent(*self._inserted))
                yield from self._encoder.event(self._renumber(event))
            case _, TextPart():
                if self._last_text in self._ended_texts and index not in self._kinds:
                    self._paragraphs.add(index)
                self._kinds[index], self._last_text = part.part_kind, index
                yield from self._encoder.event(replace(event, part=self._begin_paragraph(index, part)))
            case _:
                self._kinds[index] = part.part_kind
                yield from self._encoder.event(event)

    def _begin_paragraph(self, index: int, part: TextPart) -> TextPart:
        return replace(part, content=f'\n\n{part.content}') if index in self._paragraphs else part

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """End the tool calls that are still open, and yield the last events."""
        response = self._describe_sent(response)
        for index in [*self._sent] if not response.is_truncated else ():
            part = response.parts[index]
            assert isinstance(part, ToolCallPart), 'it was begun as one'
            yield from self._end_call(PartEndEvent(index, part), part)
        yield from self._encoder.end(response)

    def _renumber(self, event: ModelResponseStreamEvent) -> ModelResponseStreamEvent:
        """Return the event with the index that its part has for the client."""
        if self._inserted is None or not isinstance(event, (PartStartEvent, PartDeltaEvent, PartEndEvent)):
            return event
        return replace(event, index=event.index + 1) if event.index >= self._inserted[0] else event

    def _describe_sent(self, response: ModelResponse) -> ModelResponse:
        """Return the response with the parts that were sent."""
        if not self._kept_texts and self._inserted is None:
            return response
        parts = [
            self._begin_paragraph(index, part) if isinstance(part, TextPart) else self._kept_texts.get(index, part)
            for index, part in enumerate(response.parts)
        ]
        if self._inserted is not None:
            parts.insert(*self._inserted)
        return replace(response, parts=parts)

    def _end_call(self, event: PartEndEvent, part: ToolCallPart) -> Iterator[Json]:
        sent, args = ''.join(self._sent.pop(event.index)), part.args_as_json_str()
        if sent and sent != args:
            raise UnexpectedModelBehavior(
                f'The arguments of {part.tool_name!r} were replaced after {sent!r} had been sent to the client', args
            )
        if not sent:
            yield from self._encoder.event(PartDeltaEvent(event.index, ToolCallPartDelta(args, part.tool_call_id)))
        yield from self._encoder.event(replace(event, part=replace(part, args=args)))
