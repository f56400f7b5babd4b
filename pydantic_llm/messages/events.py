"""The events of a streamed response: parts start, grow and end.

Applying every delta to the part of its start event gives the parts of the final `ModelResponse`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from operator import not_
from typing import Annotated, Any, Literal

from .._deferred_schemas import Discriminator
from ..exceptions import UnexpectedModelBehavior
from ._value import ShortRepr
from .citations import Citation
from .content import UserContent
from .request import ModelRequest, RetryPromptPart, ToolReturnPart
from .response import ModelResponse, ModelResponsePart, NativeToolCallPart, TextPart, ThinkingPart, ToolCallPart

__all__ = (
    'EnqueuedMessagesEvent',
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
    'ToolProgressEvent',
)


@dataclass(repr=False, slots=True)
class TextPartDelta(ShortRepr):
    """Text that is added to a `TextPart`."""

    content_delta: str
    """The text to append to the content."""

    provider_details: dict[str, Any] | None = None
    """Details to set; each replaces an earlier value of its key."""

    citations_delta: Sequence[Citation] | None = field(default=None, kw_only=True, metadata={'exclude_if': not_})
    """All citations of the part, which replace earlier ones. They come at its end, in a delta without text."""

    part_delta_kind: Literal['text'] = 'text'

    def apply(self, part: ModelResponsePart) -> TextPart:
        """Return a new part with this delta added. Raises `UnexpectedModelBehavior` if the part has another type."""
        if not isinstance(part, TextPart):
            raise _make_mismatch_error(self, part)
        details = _merge_details(part.provider_details, self.provider_details)
        citations = part.citations if self.citations_delta is None else self.citations_delta
        return replace(part, content=part.content + self.content_delta, provider_details=details, citations=citations)


@dataclass(repr=False, slots=True)
class ThinkingPartDelta(ShortRepr):
    """Text or a signature that is added to a `ThinkingPart`."""

    content_delta: str | None = None
    """The text to append to the content."""

    signature_delta: str | None = None
    """The signature to set; it replaces an earlier one."""

    provider_details: dict[str, Any] | None = None
    """Details to set; each replaces an earlier value of its key."""

    part_delta_kind: Literal['thinking'] = 'thinking'

    def apply(self, part: ModelResponsePart) -> ThinkingPart:
        if not isinstance(part, ThinkingPart):
            raise _make_mismatch_error(self, part)
        return replace(
            part,
            content=part.content + (self.content_delta or ''),
            signature=part.signature if self.signature_delta is None else self.signature_delta,
            provider_details=_merge_details(part.provider_details, self.provider_details),
        )


@dataclass(repr=False, slots=True)
class ToolCallPartDelta(ShortRepr):
    """Arguments that are added to a tool call."""

    args_delta: str | dict[str, Any] | None = None
    """JSON text to append to the arguments, or an object that replaces them."""

    tool_call_id: str | None = None
    """The id of the tool call."""

    provider_details: dict[str, Any] | None = None
    """Details to set; each replaces an earlier value of its key."""

    part_delta_kind: Literal['tool_call'] = 'tool_call'

    def apply(self, part: ModelResponsePart) -> ToolCallPart | NativeToolCallPart:
        if not isinstance(part, (ToolCallPart, NativeToolCallPart)):
            raise _make_mismatch_error(self, part)
        details = _merge_details(part.provider_details, self.provider_details)
        if isinstance(self.args_delta, str) and isinstance(part.args, str):
            return replace(part, args=part.args + self.args_delta, provider_details=details)
        args = part.args if self.args_delta is None else self.args_delta
        return replace(part, args=args, provider_details=details)


ModelResponsePartDelta = Annotated[
    TextPartDelta | ThinkingPartDelta | ToolCallPartDelta, Discriminator('part_delta_kind')
]
"""A change of a part that is not complete yet."""


@dataclass(repr=False, slots=True)
class PartStartEvent(ShortRepr):
    """A part starts. A second start event with the same index replaces the part."""

    index: int
    """The index of the part in the response."""

    part: ModelResponsePart
    """The part as far as it has arrived."""

    _: KW_ONLY

    previous_part_kind: str | None = None
    """The `part_kind` of the part before this one."""

    event_kind: Literal['part_start'] = 'part_start'


@dataclass(repr=False, slots=True)
class PartDeltaEvent(ShortRepr):
    """A part grows by a delta."""

    index: int
    """The index of the part in the response."""

    delta: ModelResponsePartDelta
    """The change of the part."""

    event_kind: Literal['part_delta'] = 'part_delta'


@dataclass(repr=False, slots=True)
class PartEndEvent(ShortRepr):
    """A part is complete."""

    index: int
    """The index of the part in the response."""

    part: ModelResponsePart
    """The part, with all of its content."""

    _: KW_ONLY

    next_part_kind: str | None = None
    """The `part_kind` of the part after this one."""

    event_kind: Literal['part_end'] = 'part_end'


@dataclass(repr=False, slots=True)
class FinalResultEvent(ShortRepr):
    """The part that started last is the output of the run: text, or a call of an output tool."""

    tool_name: str | None = None
    """The output tool; `None` if the output is text."""

    tool_call_id: str | None = None
    """The id of the call of the output tool."""

    event_kind: Literal['final_result'] = 'final_result'


@dataclass(repr=False, slots=True)
class StreamRestartEvent(ShortRepr):
    """Another model starts the response again: discard the parts of all events so far."""

    model_name: str
    """The model that sends the following events."""

    reason: str
    """The error of the model before it."""

    event_kind: Literal['stream_restart'] = 'stream_restart'


@dataclass(repr=False, slots=True)
class FunctionToolCallEvent(ShortRepr):
    """An agent starts to execute a function tool."""

    part: ToolCallPart
    """The tool call that is executed."""

    event_kind: Literal['function_tool_call'] = 'function_tool_call'

    @property
    def tool_call_id(self) -> str:
        return self.part.tool_call_id


@dataclass(repr=False, slots=True)
class FunctionToolResultEvent(ShortRepr):
    """A function tool has finished."""

    result: ToolReturnPart | RetryPromptPart
    """The tool result, or the error that the model must correct."""

    content: str | Sequence[UserContent] | None = field(default=None, kw_only=True)
    """What the tool adds for the model after the result: the `content` of its `ToolReturn`."""

    event_kind: Literal['function_tool_result'] = 'function_tool_result'

    @property
    def part(self) -> ToolReturnPart | RetryPromptPart:
        """Another name of `result`."""
        return self.result

    @property
    def tool_call_id(self) -> str:
        return self.result.tool_call_id


@dataclass(repr=False, slots=True)
class ToolProgressEvent(ShortRepr):
    """A function tool that is still running has sent a value. The model does not get it."""

    tool_name: str
    """The name of the tool."""

    tool_call_id: str
    """The id of the tool call."""

    value: Any
    """What the tool passed to `RunContext.emit`, or what an async generator yielded before its last value."""

    event_kind: Literal['tool_progress'] = 'tool_progress'


@dataclass(repr=False, slots=True)
class EnqueuedMessagesEvent(ShortRepr):
    """The content of one call of `enqueue` was added to the conversation."""

    enqueue_id: str
    """The id that `enqueue` returned."""

    messages: Sequence[ModelRequest | ModelResponse]
    """The content as messages. Parts that belong to the next request are sent inside of it."""

    event_kind: Literal['enqueued_messages'] = 'enqueued_messages'


ModelResponseStreamEvent = Annotated[
    PartStartEvent | PartDeltaEvent | PartEndEvent | FinalResultEvent | StreamRestartEvent, Discriminator('event_kind')
]
"""An event of a streamed response."""


def _merge_details(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any] | None:
    return {**(old or {}), **new} if new else old


def _make_mismatch_error(delta: object, part: object) -> UnexpectedModelBehavior:
    return UnexpectedModelBehavior(f'{type(delta).__name__} does not fit {part!r}')
