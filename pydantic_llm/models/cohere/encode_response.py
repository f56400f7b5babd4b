"""An answer of the model's → a message of the assistant's, as it comes from the API and goes back to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from ...json_types import Json
from ...messages import (
    FilePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ...messages.response import ModelResponsePart
from .decode import PLAN

Unsayable = ThinkingPart | NativeToolCallPart | NativeToolReturnPart | FilePart
"""The kinds of parts for which the API may have no place."""


def encode_message(parts: Iterable[ModelResponsePart], system: str, *, plans: bool) -> tuple[Json, list[Unsayable]]:
    """The message without its role, and the parts for which it has no place. Empty where nothing can be said.

    `system` is the vendor's name: citations and tool plans are its alone. `plans` says whether the message can hold a
    tool plan; where it cannot, a plan is a thought.
    """
    message = _Message(system, plans=plans)
    for part in parts:
        message.add(part)
    return message.fields(), message.left_out


class _Message:
    """A message under construction."""

    def __init__(self, system: str, *, plans: bool) -> None:
        self.left_out: list[Unsayable] = []
        self._system = system
        self._plans = plans
        self._content: list[Json] = []
        self._plan: list[str] = []
        self._calls: list[Json] = []
        self._citations: list[Json] = []

    def add(self, part: ModelResponsePart) -> None:
        match part:
            case TextPart(content=text):
                self._add_block(part, {'type': 'text', 'text': text})
            case ThinkingPart() if self._plans and is_plan(part, self._system):
                self._plan.append(part.content)
                self._citations.extend(citations_of(part, self._system))
            case ThinkingPart(content=''):
                self.left_out.append(part)
            case ThinkingPart(content=thoughts):
                self._add_block(part, {'type': 'thinking', 'thinking': thoughts})
            case ToolCallPart():
                self._calls.append(encode_tool_call(part))
            case NativeToolCallPart() | NativeToolReturnPart() | FilePart():
                self.left_out.append(part)
            case _:
                assert_never(part)

    def _add_block(self, part: TextPart | ThinkingPart, block: Json) -> None:
        """Add a block; none for an empty text, which the API refuses."""
        if part.content:
            self._citations.extend(citations_of(part, self._system, place=len(self._content)))
            self._content.append(block)

    def fields(self) -> Json:
        found: Json = {
            'tool_plan': '\n\n'.join(self._plan),
            'content': self._content,
            'tool_calls': self._calls,
            'citations': self._citations,
        }
        return {name: value for name, value in found.items() if value}


def is_plan(part: ThinkingPart, system: str) -> bool:
    """Whether thoughts are what the API calls a tool plan."""
    return part.id == PLAN and part.provider_name == system


def citations_of(part: TextPart | ThinkingPart, system: str, *, place: int | None = None) -> list[Json]:
    """The citations of a part of this vendor's. `place` is the number of its block, where they name one."""
    details = part.provider_details or {} if part.provider_name == system else {}
    citations: list[Json] = details.get('citations', [])
    return [_placed(citation, place) for citation in citations]


def _placed(citation: Json, place: int | None) -> Json:
    return {**citation, 'content_index': place} if place is not None and 'content_index' in citation else citation


def encode_tool_call(part: ToolCallPart) -> Json:
    """A call, with the bytes that the model wrote."""
    function = {'name': part.tool_name, 'arguments': part.args_as_json_str()}
    return {'id': part.tool_call_id, 'type': 'function', 'function': function}
