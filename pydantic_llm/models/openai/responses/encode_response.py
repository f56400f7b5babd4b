"""A past answer of the model's → input items. Neighbouring parts that came as one item become one again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from ....json_types import Json
from ....messages import (
    FilePart,
    ModelMessage,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ....messages.response import ModelResponsePart
from ....profiles.openai import OpenAIModelProfile
from ....wire.prepare import PreparedRequest
from ..thinking import THINKING_FIELDS
from .native_items import ANSWERS, encode_answer, encode_native_call

NOT_SENT_BACK = 'container_file_citation'
"""The annotations that the API does not take back."""

IMAGE = 'image_generation_call'
"""The item whose bytes OpenAI finds by its id, where it keeps the answer."""

SAID_OF_CALLS = ('namespace', 'caller')
"""What is said of a call beside its name and arguments, and goes back with it."""


def own_call_ids(messages: Sequence[ModelMessage]) -> dict[str, str]:
    """The ids that `decode` made unique by the id of their answer, with those that their server gave.

    Where several answers have a call of one id, the first keeps it: the server is told of the others by the longer one.
    """
    responses = [message for message in messages if isinstance(message, ModelResponse)]
    taken = {call.tool_call_id for response in responses for call in response.tool_calls}
    own: dict[str, str] = {}
    for response in responses:
        for call in response.tool_calls:
            start, colon, id = call.tool_call_id.rpartition(':')
            if colon and start and start == response.provider_response_id and id not in taken:
                own[call.tool_call_id] = id
                taken.add(id)
    return own


@dataclass(slots=True)
class Past:
    """What must be known to send a past answer back."""

    request: PreparedRequest
    """The request that it is part of."""
    profile: OpenAIModelProfile
    """What the model can do."""
    own_call_ids: dict[str, str]
    """The ids of calls by which their server knows them, where these are others than ours."""
    calls: dict[str, NativeToolCallPart] = field(default_factory=dict[str, NativeToolCallPart])
    """The calls of the vendor's own tools, by their id."""
    answered: set[str] = field(default_factory=set[str])
    """The ids of those that gave something."""

    def look_at(self, messages: Sequence[ModelMessage]) -> None:
        """Find the calls of the vendor's own tools, and what they gave."""
        for message in messages:
            for part in message.parts if isinstance(message, ModelResponse) else ():
                if isinstance(part, NativeToolCallPart):
                    self.calls[part.tool_call_id] = part
                elif isinstance(part, NativeToolReturnPart):
                    self.answered.add(part.tool_call_id)

    def own_id(self, tool_call_id: str) -> str:
        """The id of a call as its server knows it."""
        return self.own_call_ids.get(tool_call_id, tool_call_id)

    def setting(self, name: str, default: Any = None) -> Any:
        """A setting of the request."""
        return dict(self.request.settings).get(name, default)

    @property
    def sends_ids(self) -> bool:
        """Whether text, thoughts and calls go back under the ids they came by."""
        return bool(self.setting('openai_send_reasoning_ids', self.profile.openai_item_ids))


def encode_response(message: ModelResponse, past: Past) -> list[Json]:
    """The items of an answer."""
    kept = past.setting('openai_store') is not False and (message.provider_details or {}).get('store') is not False
    answer = _Answer(past, is_kept=kept)
    for part in message.parts:
        answer.add(part, message.parts)
    return _followed(answer.items, past) if answer.sends_ids else answer.items


def _followed(items: list[Json], past: Past) -> list[Json]:
    """The items without thoughts that are not followed by what came of them, as it came: the API refuses those."""
    kept: list[Json] = []
    follows = False
    for item in reversed(items):
        if item.get('type') != 'reasoning':
            follows = 'id' in item
        elif not follows:
            past.request.note('thoughts were left out, since what followed them is not in the history as it came')
            continue
        kept.append(item)
    return kept[::-1]


class _Answer:
    """The items of an answer under construction."""

    def __init__(self, past: Past, *, is_kept: bool) -> None:
        self.past = past
        self.is_kept = is_kept
        self.sends_ids = past.sends_ids
        self.items: list[Json] = []

    def add(self, part: ModelResponsePart, beside: Sequence[ModelResponsePart]) -> None:
        ours = part.provider_name == self.past.request.system
        match part:
            case TextPart():
                self._text(part, ours=ours)
            case ThinkingPart():
                self._think(part, ours=ours)
            case ToolCallPart():
                self._call(part, ours=ours)
            case NativeToolCallPart() if ours:
                self._native(part, encode_native_call(part, beside))
            case NativeToolReturnPart():
                self._answer(part)
            case FilePart() if ours and _has_call(part, beside):
                pass  # sent with the call that made it
            case NativeToolCallPart() | FilePart():
                self.past.request.leave_out_part(part)
            case _:
                assert_never(part)

    def _text(self, part: TextPart, *, ours: bool) -> None:
        details = part.provider_details or {} if ours else {}
        phase = {'phase': details['phase']} if details.get('phase') and self.past.profile.openai_phases else {}
        if not (part.id and ours and self.sends_ids):
            self.items.append({'role': 'assistant', 'content': part.content, **phase})
            return
        content = {'type': 'output_text', 'text': part.content, 'annotations': _annotations(part, details)}
        last: Json = self.items[-1] if self.items else {}
        if last.get('type') == 'message' and last.get('id') == part.id:
            last['content'].append(content)
            return
        head: Json = {'type': 'message', 'role': 'assistant', 'id': part.id, 'status': 'completed'}
        self.items.append({**head, 'content': [content], **phase})

    def _think(self, part: ThinkingPart, *, ours: bool) -> None:
        is_item = bool(part.id) and part.id not in (*THINKING_FIELDS, 'content') and ours
        raw = bool((part.provider_details or {}).get('raw'))
        if is_item and (raw or self.sends_ids):
            self._reasoning(part, raw=raw)
        elif part.content:
            start, end = self.past.profile.thinking_tags
            self.items.append({'role': 'assistant', 'content': f'{start}\n{part.content}\n{end}'})
            if not ours:
                self.past.request.tell_as_text(part)
        elif not ours:
            self.past.request.leave_out_part(part)

    def _reasoning(self, part: ThinkingPart, *, raw: bool) -> None:
        """A reasoning item; parts of the same one follow each other."""
        last: Json = self.items[-1] if self.items else {}
        if not (last.get('type') == 'reasoning' and last.get('id') == part.id):
            last = {'type': 'reasoning', 'id': part.id, 'summary': []}
            self.items.append(last)
        if raw:
            last.setdefault('content', []).append({'type': 'reasoning_text', 'text': part.content})
        elif part.content:
            last['summary'].append({'type': 'summary_text', 'text': part.content})
        if part.signature and self.sends_ids:
            last['encrypted_content'] = part.signature

    def _call(self, part: ToolCallPart, *, ours: bool) -> None:
        id = self.past.own_id(part.tool_call_id)
        item: Json = {'type': 'function_call', 'call_id': id, 'name': part.tool_name}
        item['arguments'] = part.args_as_json_str()
        if ours and part.id and self.sends_ids:
            item['id'] = part.id
        if ours and (details := part.provider_details):
            item.update({name: details[name] for name in SAID_OF_CALLS if details.get(name)})
        self.items.append(item)

    def _native(self, part: NativeToolCallPart, item: Json | None) -> None:
        """The item of a tool of the vendor's. The API refuses a call whose answer is missing."""
        if item is None or (item['type'] in ANSWERS and part.tool_call_id not in self.past.answered):
            self.past.request.leave_out_part(part)
        elif item['type'] == IMAGE and self.is_kept:
            self.items.append({'type': IMAGE, 'id': item['id']})
        elif self.past.setting('openai_send_reasoning_ids') is False and item['type'] != IMAGE:
            self.items.append({name: value for name, value in _without_sources(item).items() if name != 'id'})
        else:
            self.items.append(_without_sources(item))

    def _answer(self, part: NativeToolReturnPart) -> None:
        """What a tool of the vendor's gave, which is an item of its own or is sent with its call."""
        call = self.past.calls.get(part.tool_call_id)
        maker = part.provider_name or (call and call.provider_name)
        if maker != self.past.request.system:
            self.past.request.leave_out_part(part)
        elif item := encode_answer(part, call):
            self.items.append(item)


def _without_sources(item: Json) -> Json:
    """A search without the pages that it looked at, among which are some that no request may name."""
    match item:
        case {'action': {'sources': _, **action}}:
            return {**item, 'action': action}
        case _:
            return item


def _has_call(file: FilePart, beside: Iterable[ModelResponsePart]) -> bool:
    return any(isinstance(part, NativeToolCallPart) and part.id == file.id for part in beside)


def _annotations(part: TextPart, details: Json) -> list[Json]:
    """The citations that the API takes back."""
    return [note for note in details.get('annotations') or () if _is_sent_back(note, part.content)]


def _is_sent_back(note: Json, text: str) -> bool:
    match note:
        case {'type': 'url_citation', 'url': str() as url, 'start_index': int() as start, 'end_index': int() as end}:
            return bool(0 <= start <= end <= len(text) and url in text[start:end])
        case {'type': 'url_citation'}:
            return False
        case {'type': kind}:
            return bool(kind != NOT_SENT_BACK)
        case _:
            return False
