"""`TextArguments`: passes the events of a stream on to a room's encoder, with the arguments of tool calls as text.

Models may emit arguments as objects, each of which replaces the one before it. No API has such deltas: an object is
held back until its part ends, and is then one delta of JSON text.
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

    def begin(self) -> Iterator[Json]:
        return self._encoder.begin()

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """Yield what one event becomes. Raises `UnexpectedModelBehavior` if it replaces arguments that were sent."""
        match event:
            case PartStartEvent(index=index, part=ToolCallPart(args=args)) if index not in self._sent:
                started = args if isinstance(args, str) else ''
                self._sent[index] = [started] if started else []
                yield from self._encoder.event(replace(event, part=replace(event.part, args=started)))
            case PartStartEvent(index=index, part=ToolCallPart()) if index in self._sent:
                pass  # it replaces the part: its end has the arguments
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=args)) if index in self._sent:
                if args and isinstance(args, str):
                    self._sent[index].append(args)
                    yield from self._encoder.event(event)
            case PartEndEvent(index=index, part=ToolCallPart() as part) if index in self._sent:
                yield from self._end_call(event, part)
            case _:
                yield from self._encoder.event(event)

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """End the tool calls that are still open, and yield the last events."""
        for index in [*self._sent] if not response.is_truncated else ():
            yield from self.event(PartEndEvent(index, response.parts[index]))
        yield from self._encoder.end(response)

    def _end_call(self, event: PartEndEvent, part: ToolCallPart) -> Iterator[Json]:
        sent, args = ''.join(self._sent.pop(event.index)), part.args_as_json_str()
        if sent and sent != args:
            raise UnexpectedModelBehavior(
                f'The arguments of {part.tool_name!r} were replaced after {sent!r} had been sent to the client', args
            )
        if not sent:
            yield from self._encoder.event(PartDeltaEvent(event.index, ToolCallPartDelta(args, part.tool_call_id)))
        yield from self._encoder.event(replace(event, part=replace(part, args=args)))
