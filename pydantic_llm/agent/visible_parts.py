"""`VisibleParts`: the parts of a run that the caller of its `AgentModel` sees, built from the events of the run.

A round is one response of the agent's model. Thinking and files are shown as they come. Text is shown as it comes if it
can be the output; if the run goes on, it was no output, and becomes thinking. Tool calls inside the run are not shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from ..exceptions import UserError
from ..messages import (
    BinaryContent,
    FilePart,
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    StreamRestartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
)
from ..streaming.draft import ResponseDraft
from ..streaming.parts import PartsManager
from .event_channel import ResponseStartEvent, RunEvent

__all__ = ('AGENT', 'VisibleParts')

AGENT = 'agent'
"""The provider's name of thinking in the responses of an `AgentModel`."""


class VisibleParts:
    """Adds what the caller sees of a run to a draft."""

    def __init__(self, draft: ResponseDraft, *, shows_text: bool, shows_native: bool) -> None:
        self.draft = draft
        self._shows_text = shows_text
        self._shows_native = shows_native
        self._round = 0
        self._kept: list[ModelResponsePart] = []
        """The parts of the rounds before this one."""
        self._shown: dict[tuple[int, int], int] = {}
        """The indexes of this round's visible parts, by the round and the index in its response."""
        self._skipped = 0
        self._events: list[ModelResponseStreamEvent] = []

    @property
    def has_events(self) -> bool:
        return bool(self._events or self.draft.parts.events)

    def take_events(self) -> list[ModelResponseStreamEvent]:
        """Return the events since the last call, and clear them."""
        events, self._events = [*self._events, *self.draft.parts.take_events()], []
        return events

    def skip_paused(self, last: ModelMessage) -> None:
        """Skip the parts of a paused response, which the run continues: the caller has them."""
        if isinstance(last, ModelResponse):
            self._skipped = len(last.parts)

    def add_responses(self, messages: Iterable[ModelMessage]) -> None:
        """Add the complete responses of a run."""
        for message in messages:
            if isinstance(message, ModelResponse):
                self.add(ResponseStartEvent())
                for index, part in enumerate(message.parts):
                    self.add(PartStartEvent(index, part))
                    self.add(PartEndEvent(index, part))

    def add(self, event: RunEvent) -> None:
        """Add what one event of the run shows."""
        match event:
            case ResponseStartEvent():
                self._end_round()
            case StreamRestartEvent():
                self._restart(event)
            case PartStartEvent() | PartDeltaEvent() | PartEndEvent() if event.index < self._skipped:
                pass
            case PartStartEvent(index=index, part=part):
                self._start_part(index, part)
            case PartDeltaEvent(index=index) if (self._round, index) in self._shown:
                self._extend_part(event)
            case PartEndEvent(index=index, part=part):
                self._end_part(index, part)
            case _:
                pass

    def add_calls(self, calls: Iterable[ToolCallPart]) -> None:
        """Add the calls of the caller's tools."""
        for call in calls:
            self._add_whole(call)

    def add_output(self, output: Any) -> None:
        """Add the output of the run, unless it was shown. Raises `UserError` if it cannot be written as JSON."""
        if self._shows_text or _is_file(output):
            return
        try:
            self._add_whole(TextPart(output if isinstance(output, str) else to_json(output).decode()))
        except PydanticSerializationError as error:
            raise UserError(f'The output of the agent cannot be written as JSON: {error}') from error

    def _add_whole(self, part: ModelResponsePart) -> None:
        key = ('output', len(self.draft.parts.get()))
        self.draft.parts.whole(key, part)
        self.draft.parts.close(key)

    def _end_round(self) -> None:
        """Make thinking of the texts of the last round: the run goes on, so they were no output."""
        parts = self.draft.parts
        built = parts.get()
        for index in self._shown.values():
            if isinstance(text := built[index], TextPart):
                parts.restart(index, ThinkingPart(text.content, provider_name=AGENT))
        self._round += 1
        self._shown.clear()
        self._skipped = 0 if self._round > 1 else self._skipped
        self._kept = parts.get()

    def _restart(self, event: StreamRestartEvent) -> None:
        """Void the parts of this round, whose response starts again. All events before are void for the caller."""
        self._events = [event]
        self._shown.clear()
        self.draft.parts = PartsManager()
        for part in self._kept:
            self._add_whole(part)

    def _start_part(self, index: int, part: ModelResponsePart) -> None:
        """Start a part that is shown while it grows, or start it again."""
        match part:
            case TextPart() if self._shows_text:
                shown: ModelResponsePart = replace(part, id=None)
            case ThinkingPart():
                shown = ThinkingPart(part.content, provider_name=AGENT)
            case TextPart() if (self._round, index) in self._shown:  # its thinking turned out to be text
                shown = ThinkingPart('', provider_name=AGENT)
            case _:
                return
        key = (self._round, index)
        self._shown.setdefault(key, len(self.draft.parts.get()))
        self.draft.parts.whole(key, shown)

    def _extend_part(self, event: PartDeltaEvent) -> None:
        key = (self._round, event.index)
        match event.delta:
            case TextPartDelta(content_delta=text, provider_details=details):
                self.draft.parts.text(key, text, **({'provider_details': details} if details else {}))
            case ThinkingPartDelta(content_delta=str() as text):
                self.draft.parts.thinking(key, text)
            case _:
                pass

    def _end_part(self, index: int, part: ModelResponsePart) -> None:
        """End a part, or show one that is shown as a whole."""
        key = (self._round, index)
        match part:
            case TextPart() if key in self._shown and self._shows_text:
                self.draft.parts.details(key, **_get_details(part))
                self.draft.parts.close(key)
            case ThinkingPart() | TextPart() if key in self._shown:
                self.draft.parts.close(key)
            case FilePart():
                self._add_whole(replace(part, id=None))
            case NativeToolCallPart() | NativeToolReturnPart() if self._shows_native:
                self._add_whole(part)
            case _:
                pass


def _is_file(output: Any) -> bool:
    """Return whether the output is a file that the model generated, or a list of these."""
    match output:
        case BinaryContent() | [BinaryContent(), *_]:
            return True
        case _:
            return False


def _get_details(part: TextPart) -> dict[str, Any]:
    """Return the fields of a text other than its content and its id, which belongs to the response inside."""
    return {item.name: getattr(part, item.name) for item in fields(part) if item.name not in TEXT_FIELDS}


TEXT_FIELDS = ('content', 'id', 'part_kind')
"""The fields of a text that are shown as they come, or not at all."""
