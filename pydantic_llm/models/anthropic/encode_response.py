"""A past answer of the model's → content blocks of the assistant's turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never, cast

from ...json_types import Json
from ...messages import (
    BaseToolCallPart,
    FilePart,
    ModelMessage,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from ...messages.response import ModelResponsePart
from .content import text
from .decode import REDACTED
from .native_tools import encode_call, encode_return, opaque_block

ONLY_IN_ANSWERS = frozenset({'file_id', 'abort_reason'})
"""Fields of citations and of what code gave that the API sends, and refuses when they come back."""


@dataclass(slots=True)
class Past:
    """What must be known to send past answers back."""

    system: str
    """The vendor's name; what others made loses its signatures, and their own tools' parts."""
    thinking_tags: tuple[str, str]
    """What stands around thoughts that are sent as text."""
    tools: frozenset[str]
    """The names of the tools that the request defines."""
    advisor: bool = False
    """Whether the request defines the advisor, without which the API refuses its blocks."""
    answered: frozenset[str] = frozenset()
    """The ids of the calls of Anthropic's own tools that have a result, or may still get one."""
    notes: dict[str, None] = field(default_factory=dict[str, None])
    """What was left out or changed, a sentence each."""

    def note(self, sentence: str) -> None:
        """Remember what was left out or changed, once."""
        self.notes[sentence] = None

    def look_at(self, messages: Sequence[ModelMessage]) -> None:
        """Find out which calls of Anthropic's own tools may be sent: one that stays without a result is refused."""
        responses = [message for message in messages if isinstance(message, ModelResponse)]
        returned = {
            part.tool_call_id
            for response in responses
            for part in response.parts
            if isinstance(part, NativeToolReturnPart)
        }
        if responses and _goes_on(messages):
            returned |= {part.tool_call_id for part in responses[-1].parts if isinstance(part, NativeToolCallPart)}
        self.answered = frozenset(returned)


def _goes_on(messages: Sequence[ModelMessage]) -> bool:
    """Whether the model takes its last turn up again, having paused or waited for tools of ours."""
    last = messages[-1]
    if isinstance(last, ModelResponse):
        return True
    follows = len(messages) > 1 and isinstance(messages[-2], ModelResponse)
    return follows and all(_answers_a_call(part) for part in last.parts)


def _answers_a_call(part: object) -> bool:
    return isinstance(part, ToolReturnPart) or (isinstance(part, RetryPromptPart) and part.tool_name is not None)


def encode_response(message: ModelResponse, past: Past) -> list[Json]:
    """The blocks of an answer, in the order that they came in."""
    return [block for part in message.parts for block in encode_part(part, past)]


def encode_part(part: ModelResponsePart, past: Past) -> Iterator[Json]:
    """The block for one part; none for what cannot be said here."""
    match part:
        case TextPart():
            yield from _cited(part, past)
        case ThinkingPart():
            yield from _thoughts(part, past)
        case ToolCallPart():
            yield encode_tool_call(part)
        case NativeToolCallPart() | NativeToolReturnPart():
            yield from _native(part, past)
        case FilePart():
            past.note('a file that a model made was left out: the Messages API has no place for it in an answer')
        case _:
            assert_never(part)


def _cited(part: TextPart, past: Past) -> Iterator[Json]:
    for block in text(part.content):
        if part.provider_name == past.system and (citations := (part.provider_details or {}).get('citations')):
            block['citations'] = [_sendable(citation) for citation in citations]
        yield block


def _thoughts(part: ThinkingPart, past: Past) -> Iterator[Json]:
    if part.provider_name == past.system and part.signature:
        yield encode_thoughts(part)
    elif part.content:
        past.note('thoughts without a signature of this vendor were sent as text between tags')
        start, end = past.thinking_tags
        yield {'type': 'text', 'text': f'{start}\n{part.content}\n{end}'}
    elif part.signature:
        past.note('thoughts that another vendor keeps to itself were left out')


def encode_thoughts(part: ThinkingPart) -> Json:
    """The block of thoughts, as it came."""
    if part.id == REDACTED:
        return {'type': REDACTED, 'data': part.signature}
    return {'type': 'thinking', 'thinking': part.content, 'signature': part.signature or ''}


def encode_tool_call(part: ToolCallPart) -> Json:
    """The block of a call of ours."""
    block: Json = {'type': 'tool_use', 'id': part.tool_call_id, 'name': part.tool_name, 'input': arguments(part)}
    details = part.provider_details or {}
    names = {'anthropic_caller': 'caller', 'toolset_name': 'toolset_name'}
    return block | {wire: details[name] for name, wire in names.items() if name in details}


def arguments(part: BaseToolCallPart) -> Json:
    """The arguments as an object; a model that wrote none gets its own words back, to learn from the tool's answer."""
    return part.args_as_dict(raise_if_invalid=False)


def _sendable(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: item for name, item in cast('Json', value).items() if name not in ONLY_IN_ANSWERS}


def _native(part: NativeToolCallPart | NativeToolReturnPart, past: Past) -> Iterator[Json]:
    if part.provider_name != past.system:
        past.note("what other vendors' own tools did was left out")
    elif part.tool_name == 'advisor' and not past.advisor:
        past.note('what the advisor said was left out: the request does not define the advisor')
    elif (block := opaque_block(part)) is not None:
        yield dict(block)
    elif isinstance(part, NativeToolReturnPart):
        block = encode_return(part, past.tools)
        yield {**block, 'content': _sendable(block['content'])}
    elif part.tool_call_id in past.answered:
        yield encode_call(part, arguments(part))
    else:
        past.note(f'a call of {part.tool_name!r} without a result was left out')
