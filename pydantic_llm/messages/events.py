"""What happens while an answer streams in: parts start, grow and end.

Applying every delta to the part that its start event carried gives the parts of the final `ModelResponse`.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Discriminator

from ..exceptions import UnexpectedModelBehavior
from ._value import repr_of_what_is_set
from .request import RetryPromptPart, ToolReturnPart
from .response import ModelResponsePart, NativeToolCallPart, TextPart, ThinkingPart, ToolCallPart

__all__ = (
    'FinalResultEvent',
    'FunctionToolCallEvent',
    'FunctionToolResultEvent',
    'ModelResponsePartDelta',
    'ModelResponseStreamEvent',
    'PartDeltaEvent',
    'PartEndEvent',
    'PartStartEvent',
    'StreamRestartEvent',
    'TextPartDelta',
    'ThinkingPartDelta',
    'ToolCallPartDelta',
)


@dataclass(repr=False, slots=True)
class TextPartDelta:
    """More text."""

    content_delta: str
    """What is added to the part's content."""

    provider_details: dict[str, Any] | None = None
    """Details that are now known; each replaces the one of its name."""

    part_delta_kind: Literal['text'] = 'text'
    """The kind of delta, for telling deltas apart."""

    def apply(self, part: ModelResponsePart) -> TextPart:
        """The part with this added, as a new part."""
        if not isinstance(part, TextPart):
            raise _mismatch(self, part)
        details = _joined(part.provider_details, self.provider_details)
        return replace(part, content=part.content + self.content_delta, provider_details=details)

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class ThinkingPartDelta:
    """More thoughts, or the vendor's seal under them."""

    content_delta: str | None = None
    """What is added to the part's content."""

    signature_delta: str | None = None
    """The signature that is now known; it replaces one that was there before."""

    provider_details: dict[str, Any] | None = None
    """Details that are now known; each replaces the one of its name."""

    part_delta_kind: Literal['thinking'] = 'thinking'
    """The kind of delta, for telling deltas apart."""

    def apply(self, part: ModelResponsePart) -> ThinkingPart:
        """The part with this added, as a new part."""
        if not isinstance(part, ThinkingPart):
            raise _mismatch(self, part)
        return replace(
            part,
            content=part.content + (self.content_delta or ''),
            signature=part.signature if self.signature_delta is None else self.signature_delta,
            provider_details=_joined(part.provider_details, self.provider_details),
        )

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class ToolCallPartDelta:
    """More of a call's arguments."""

    args_delta: str | dict[str, Any] | None = None
    """Text that is added to the arguments, or an object that replaces them."""

    tool_call_id: str | None = None
    """The call that this belongs to."""

    provider_details: dict[str, Any] | None = None
    """Details that are now known; each replaces the one of its name."""

    part_delta_kind: Literal['tool_call'] = 'tool_call'
    """The kind of delta, for telling deltas apart."""

    def apply(self, part: ModelResponsePart) -> ToolCallPart | NativeToolCallPart:
        """The part with this added, as a new part."""
        if not isinstance(part, (ToolCallPart, NativeToolCallPart)):
            raise _mismatch(self, part)
        details = _joined(part.provider_details, self.provider_details)
        if isinstance(self.args_delta, str) and isinstance(part.args, str):
            return replace(part, args=part.args + self.args_delta, provider_details=details)
        args = part.args if self.args_delta is None else self.args_delta
        return replace(part, args=args, provider_details=details)

    __repr__ = repr_of_what_is_set


ModelResponsePartDelta = Annotated[
    TextPartDelta | ThinkingPartDelta | ToolCallPartDelta, Discriminator('part_delta_kind')
]
"""What is added to a part."""


@dataclass(repr=False, slots=True)
class PartStartEvent:
    """A part begins. A second start with the same index replaces the part."""

    index: int
    """The part's place in the response."""

    part: ModelResponsePart
    """What is known of it so far."""

    _: KW_ONLY

    previous_part_kind: str | None = None
    """The `part_kind` of the part before it."""

    event_kind: Literal['part_start'] = 'part_start'
    """The kind of event, for telling events apart."""

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class PartDeltaEvent:
    """A part grows."""

    index: int
    """The part's place in the response."""

    delta: ModelResponsePartDelta
    """What is added to it."""

    event_kind: Literal['part_delta'] = 'part_delta'
    """The kind of event, for telling events apart."""

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class PartEndEvent:
    """A part is whole."""

    index: int
    """The part's place in the response."""

    part: ModelResponsePart
    """The whole part."""

    _: KW_ONLY

    next_part_kind: str | None = None
    """The `part_kind` of the part that follows it."""

    event_kind: Literal['part_end'] = 'part_end'
    """The kind of event, for telling events apart."""

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class FinalResultEvent:
    """The answer has reached the part that will be the run's output."""

    tool_name: str | None = None
    """The output tool that is being called; `None` where the output is text."""

    tool_call_id: str | None = None
    """The id of that call."""

    event_kind: Literal['final_result'] = 'final_result'
    """The kind of event, for telling events apart."""

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class StreamRestartEvent:
    """The answer broke, and another model begins anew: discard everything that this stream has told so far."""

    model_name: str
    """The model that answers from now on."""

    reason: str
    """Why the one before it does not."""

    event_kind: Literal['stream_restart'] = 'stream_restart'
    """The kind of event, for telling events apart."""

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class FunctionToolCallEvent:
    """An agent starts one of our tools."""

    part: ToolCallPart
    """The call."""

    event_kind: Literal['function_tool_call'] = 'function_tool_call'
    """The kind of event, for telling events apart."""

    __repr__ = repr_of_what_is_set


@dataclass(repr=False, slots=True)
class FunctionToolResultEvent:
    """One of our tools is done."""

    result: ToolReturnPart | RetryPromptPart
    """What it gave, or what was wrong with the call."""

    event_kind: Literal['function_tool_result'] = 'function_tool_result'
    """The kind of event, for telling events apart."""

    __repr__ = repr_of_what_is_set


ModelResponseStreamEvent = Annotated[
    PartStartEvent | PartDeltaEvent | PartEndEvent | FinalResultEvent | StreamRestartEvent,
    Discriminator('event_kind'),
]
"""What a streamed answer emits."""


def _joined(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any] | None:
    return {**(old or {}), **new} if new else old


def _mismatch(delta: object, part: object) -> UnexpectedModelBehavior:
    return UnexpectedModelBehavior(f'{type(delta).__name__} does not fit {part!r}')
