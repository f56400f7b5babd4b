"""Encodes a response as a message of the assistant, for the history of a request and for the server's responses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from ...json_types import Json, keep_objects
from ...messages import (
    CompactionPart,
    FilePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ...messages.response import ModelResponsePart
from .decode import PLAN

DroppablePart = ThinkingPart | NativeToolCallPart | NativeToolReturnPart | FilePart | CompactionPart
"""The types of parts that the API may have no field for."""


def encode_message(parts: Iterable[ModelResponsePart], system: str, *, plans: bool) -> tuple[Json, list[DroppablePart]]:
    """Return the fields of the message without its role, and the parts that were dropped.

    `system` is the vendor's name: citations and tool plans of other vendors are not sent. `plans`: the message can have
    a tool plan; otherwise a plan is encoded as thinking.
    """
    message = _MessageBuilder(system, plans=plans)
    for part in parts:
        message.add(part)
    return message.fields(), message.dropped


class _MessageBuilder:
    """A message under construction."""

    def __init__(self, system: str, *, plans: bool) -> None:
        self.dropped: list[DroppablePart] = []
        self._system = system
        self._allows_plan = plans
        self._content: list[Json] = []
        self._plan: list[str] = []
        self._calls: list[Json] = []
        self._citations: list[Json] = []

    def add(self, part: ModelResponsePart) -> None:
        match part:
            case TextPart(content=text):
                self._add_block(part, {'type': 'text', 'text': text})
            case ThinkingPart() if self._allows_plan and is_plan(part, self._system):
                self._plan.append(part.content)
                self._citations.extend(encode_citations(part, self._system))
            case ThinkingPart(content=''):
                self.dropped.append(part)
            case ThinkingPart(content=thinking):
                self._add_block(part, {'type': 'thinking', 'thinking': thinking})
            case ToolCallPart():
                self._calls.append(encode_tool_call(part))
            case NativeToolCallPart() | NativeToolReturnPart() | FilePart() | CompactionPart():
                self.dropped.append(part)
            case _:
                assert_never(part)

    def _add_block(self, part: TextPart | ThinkingPart, block: Json) -> None:
        """Add a block, unless its text is empty, which the API rejects."""
        if part.content:
            self._citations.extend(encode_citations(part, self._system, index=len(self._content)))
            self._content.append(block)

    def fields(self) -> Json:
        fields: Json = {
            'tool_plan': '\n\n'.join(self._plan),
            'content': self._content,
            'tool_calls': self._calls,
            'citations': self._citations,
        }
        return {name: value for name, value in fields.items() if value}


def is_plan(part: ThinkingPart, system: str) -> bool:
    """Return whether the part is a tool plan of this vendor."""
    return part.id == PLAN and part.provider_name == system


def encode_citations(part: TextPart | ThinkingPart, system: str, *, index: int | None = None) -> list[Json]:
    """Return the citations of a part, if it is this vendor's. They refer to the block with this index."""
    details = part.provider_details or {} if part.provider_name == system else {}
    return [_set_index(citation, index) for citation in keep_objects(details.get('citations'))]


def _set_index(citation: Json, index: int | None) -> Json:
    return {**citation, 'content_index': index} if index is not None and 'content_index' in citation else citation


def encode_tool_call(part: ToolCallPart) -> Json:
    """Encode a tool call, with the arguments exactly as the model wrote them."""
    function = {'name': part.tool_name, 'arguments': part.args_as_json_str()}
    return {'id': part.tool_call_id, 'type': 'function', 'function': function}
