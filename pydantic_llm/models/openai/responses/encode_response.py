"""Encodes past responses as input items. Adjacent parts that came as one item become one item again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from ....json_types import Json, keep_objects
from ....messages import (
    CompactionPart,
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
from .compaction import encode_compaction
from .decode_calls import TOOL_CALL_DETAILS
from .native_fields import IMAGE_ITEM
from .native_items import RESULT_ITEMS, NativeParts, encode_native_call, encode_result_item

REFUSED_ANNOTATION = 'container_file_citation'
"""The type of annotation that the API returns and does not accept. Recording of a response with one:
openai-responses__test_openai_responses_code_execution_return_image_stream__0_c8dc24."""

SEND_IDS = 'openai_send_reasoning_ids'

ID_PREFIXES = {'message': 'msg', 'function_call': 'fc'}
"""Type of item -> the start of the ids that OpenAI accepts (openai/codex#33176, Wei-Shaw/sub2api#3981). Another
server's id is not sent: these items do not need one."""

LONGEST_ITEM_ID = 64
"""The maximum length of an item's id at OpenAI, in characters."""

LONGEST_CITATION = 10_000
"""The most characters of a citation in the text that are looked at: it is a link to its source."""

NEED_ID = ('reasoning', IMAGE_ITEM)
"""The types of items that mean nothing without their id."""


def find_original_ids(messages: Sequence[ModelMessage]) -> dict[str, str]:
    """Return the ids of tool calls that `decode` made unique with the id of their response -> the server's own ids.

    If several responses have a call with the same id, the first keeps it: the server gets the longer ids of the others.
    """
    responses = [message for message in messages if isinstance(message, ModelResponse)]
    used = {call.tool_call_id for response in responses for call in response.tool_calls}
    original_ids: dict[str, str] = {}
    for response in responses:
        for call in response.tool_calls:
            start, colon, id = call.tool_call_id.rpartition(':')
            if colon and start and start == response.provider_response_id and id not in used:
                original_ids[call.tool_call_id] = id
                used.add(id)
    return original_ids


def find_item_ids(message: ModelMessage) -> frozenset[str] | None:
    """Return the ids of items in a message; `None` if its calls have ids that `decode` made unique."""
    calls = message.tool_calls if isinstance(message, ModelResponse) else ()
    if any(':' in call.tool_call_id for call in calls) and find_original_ids((message,)):
        return None
    ids = [part.id for part in message.parts if isinstance(part, (TextPart, ThinkingPart, ToolCallPart))]
    return frozenset(filter(None, ids))


class ResponseEncoder:
    """Encodes the past responses of one request. `messages` are searched for native tool calls and their results."""

    def __init__(
        self,
        request: PreparedRequest,
        profile: OpenAIModelProfile,
        original_ids: dict[str, str],
        messages: Iterable[ModelMessage],
    ) -> None:
        self.request = request
        self.profile = profile
        self.sends_ids: bool = bool(request.options.get(SEND_IDS, profile.openai_item_ids))
        """True if text, thinking and tool calls are sent back with the ids of their items."""
        self._original_ids = original_ids
        self._items: list[Json] = []  # of the response that is encoded now
        self._is_stored = False  # this response
        self._sent_ids: set[str] = set()  # of the items so far
        parts = [part for message in messages if isinstance(message, ModelResponse) for part in message.parts]
        self._native_calls = {part.tool_call_id: part for part in parts if isinstance(part, NativeToolCallPart)}
        self._native_result_ids = {part.tool_call_id for part in parts if isinstance(part, NativeToolReturnPart)}

    def get_original_id(self, tool_call_id: str) -> str:
        """Return the server's own id of a tool call."""
        return self._original_ids.get(tool_call_id, tool_call_id)

    def encode(self, message: ModelResponse) -> list[Json]:
        """Encode a response as items."""
        is_stored = (message.provider_details or {}).get('store') is not False
        self._items, self._is_stored = [], is_stored and self.request.options.get('openai_store') is not False
        native = NativeParts(message.parts)
        for part in message.parts:
            self._add(part, native)
        made, fitted = self._items, [self._fit_id(item) for item in self._items]
        kept = [item for item in fitted if item is not None]
        if not self.sends_ids:
            return kept
        kept = self._drop_unfollowed_reasoning(kept)
        return list(_drop_ids_without_reasoning(zip(made, fitted, strict=True), kept))

    def _fit_id(self, item: Json) -> Json | None:
        """Return the item, without an id that is empty, too long or an earlier item's; `None` if it needs its id.

        Servers that number the items of each response use an id again (earendil-works/pi#5149), which the API refuses.
        """
        if 'id' not in item:
            return item
        id = item['id']
        if isinstance(id, str) and 0 < len(id) <= LONGEST_ITEM_ID and id not in self._sent_ids:
            self._sent_ids.add(id)
            return item
        if item.get('type') not in NEED_ID:
            return _drop_id(item)
        accepts = 'accepts its id {!r} only once' if id in self._sent_ids else 'does not accept its id {!r}'
        self.request.note(f'an item of type {item["type"]!r} was dropped: the API {accepts.format(id)}')
        return None

    def _drop_unfollowed_reasoning(self, items: list[Json]) -> list[Json]:
        """Drop reasoning that is not followed by the item that it led to, with its id.

        The API refuses it: vercel/ai#7099, openai-node#1567.
        """
        kept: list[Json] = []
        is_followed = False
        for item in reversed(items):
            if item.get('type') != 'reasoning':
                is_followed = 'id' in item
            elif not is_followed:
                self.request.note(
                    'thinking was left out, since the item that followed it is not in the history unchanged'
                )
                continue
            kept.append(item)
        return kept[::-1]

    def _add(self, part: ModelResponsePart, native: NativeParts) -> None:
        ours = part.provider_name == self.request.system
        match part:
            case TextPart():
                self._add_text(part, ours=ours)
            case ThinkingPart():
                self._add_thinking(part, ours=ours)
            case ToolCallPart():
                self._add_tool_call(part, ours=ours)
            case NativeToolCallPart() if ours:
                self._add_native_call(part, encode_native_call(part, native.find(part)))
            case NativeToolReturnPart():
                self._add_native_result(part)
            case FilePart() if ours and part.id in native.call_ids:
                pass  # encoded with its call
            case CompactionPart():
                self._items += encode_compaction(part)
            case NativeToolCallPart() | FilePart():
                self.request.drop_part(part)
            case _:
                assert_never(part)

    def _add_text(self, part: TextPart, *, ours: bool) -> None:
        details = part.provider_details or {} if ours else {}
        phase = {'phase': details['phase']} if details.get('phase') and self.profile.openai_phases else {}
        if not (part.id and ours and self.sends_ids and _accepts_id(part.id, 'message')):
            self._items.append({'role': 'assistant', 'content': part.content, **phase})
            return
        annotations = [
            note for note in keep_objects(details.get('annotations')) if _accepts_annotation(note, part.content)
        ]
        content = {'type': 'output_text', 'text': part.content, 'annotations': annotations}
        last: Json = self._items[-1] if self._items else {}
        if last.get('type') == 'message' and last.get('id') == part.id:
            last['content'].append(content)
            return
        message: Json = {'type': 'message', 'role': 'assistant', 'id': part.id, 'status': 'completed'}
        self._items.append({**message, 'content': [content], **phase})

    def _add_thinking(self, part: ThinkingPart, *, ours: bool) -> None:
        """Add thinking: as a reasoning item if the server made it as one, otherwise as text between tags."""
        is_item = bool(part.id) and part.id not in (*THINKING_FIELDS, 'content') and ours
        is_raw = bool((part.provider_details or {}).get('raw'))
        if is_item and (is_raw or (self.sends_ids and str(part.id).startswith('rs'))):
            self._add_reasoning(part, is_raw=is_raw)
        elif part.content:
            start, end = self.profile.thinking_tags
            self._items.append({'role': 'assistant', 'content': f'{start}\n{part.content}\n{end}'})
            if not ours or part.id in THINKING_FIELDS:  # fields of Chat Completions
                self.request.note_thinking_as_text(part)
        elif not ours:
            self.request.drop_part(part)

    def _add_reasoning(self, part: ThinkingPart, *, is_raw: bool) -> None:
        """Add a reasoning item, or add to the last one if the part belongs to it."""
        last: Json = self._items[-1] if self._items else {}
        if not (last.get('type') == 'reasoning' and last.get('id') == part.id):
            last = {'type': 'reasoning', 'id': part.id, 'summary': []}
            self._items.append(last)
        if is_raw:
            last.setdefault('content', []).append({'type': 'reasoning_text', 'text': part.content})
        elif part.content:
            last['summary'].append({'type': 'summary_text', 'text': part.content})
        if part.signature and self.sends_ids:
            last['encrypted_content'] = part.signature

    def _add_tool_call(self, part: ToolCallPart, *, ours: bool) -> None:
        id = self.get_original_id(part.tool_call_id)
        item: Json = {'type': 'function_call', 'call_id': id, 'name': part.tool_name}
        item['arguments'] = part.args_as_json_str()
        if ours and part.id and self.sends_ids and _accepts_id(part.id, 'function_call'):
            item['id'] = part.id
        if ours and (details := part.provider_details):
            item.update({name: details[name] for name in TOOL_CALL_DETAILS if details.get(name)})
        self._items.append(item)

    def _add_native_call(self, part: NativeToolCallPart, item: Json | None) -> None:
        """Add the item of a native call. Without its result it is dropped: the API refuses it."""
        if item is None or (item['type'] in RESULT_ITEMS and part.tool_call_id not in self._native_result_ids):
            self.request.drop_part(part)
        elif item['type'] == IMAGE_ITEM and self._is_stored:
            # The id is enough: https://platform.openai.com/docs/guides/image-generation#multi-turn-image-generation
            self._items.append({'type': IMAGE_ITEM, 'id': item['id']})
        elif self.request.options.get(SEND_IDS) is False and item['type'] != IMAGE_ITEM:
            self._items.append(_drop_id(_drop_sources(item)))
        else:
            self._items.append(_drop_sources(item))

    def _add_native_result(self, part: NativeToolReturnPart) -> None:
        """Add the result of a native tool, unless it is encoded with its call."""
        call = self._native_calls.get(part.tool_call_id)
        provider_name = part.provider_name or (call and call.provider_name)
        if provider_name != self.request.system:
            self.request.drop_part(part)
        elif item := encode_result_item(part, call):
            self._items.append(item)


def _accepts_id(id: str, type: str) -> bool:
    """Return whether OpenAI accepts the id for an item of this type."""
    return id.startswith(ID_PREFIXES[type]) and len(id) <= LONGEST_ITEM_ID


def _drop_ids_without_reasoning(items: Iterable[tuple[Json, Json | None]], kept: Sequence[Json]) -> Iterator[Json]:
    """Yield the items that are `kept`, without ids if the reasoning that led to them is not sent.

    The API refuses such an id: "provided without its required 'reasoning' item" (laravel/ai#1052, qbit-ai/qbit#92).
    `items` are pairs of an item and what becomes of it.
    """
    is_lost = False
    kept_ids = {id(item) for item in kept}
    for item, fitted in items:
        if item.get('type') == 'reasoning':
            is_lost = id(fitted) not in kept_ids
        if fitted is None or (item.get('type') == 'reasoning' and is_lost):
            continue
        yield _drop_id(fitted) if is_lost and 'id' in fitted and fitted.get('type') not in NEED_ID else fitted


def _drop_id(item: Json) -> Json:
    """Return an item without its id. A message without one has no list of annotated texts."""
    match item:
        case {'type': 'message', 'content': content}:
            phase = {'phase': item['phase']} if 'phase' in item else {}
            return {'role': 'assistant', 'content': ''.join(piece['text'] for piece in content), **phase}
        case _:
            return {name: value for name, value in item.items() if name != 'id'}


def _drop_sources(item: Json) -> Json:
    """Drop the sources of a search: the API returns some that its own schema does not allow (openai-openapi#573)."""
    match item:
        case {'action': {'sources': _, **action}}:
            return {**item, 'action': action}
        case _:
            return item


def _accepts_annotation(annotation: Json, text: str) -> bool:
    """Return whether the API accepts this annotation of a text in a request."""
    match annotation:
        case {'type': 'url_citation', 'url': str() as url, 'start_index': int() as start, 'end_index': int() as end}:
            return bool(
                0 <= start <= end <= len(text) and text.find(url, start, min(end, start + LONGEST_CITATION)) >= 0
            )
        case {'type': 'url_citation'}:
            return False
        case {'type': type}:
            return bool(type != REFUSED_ANNOTATION)
        case _:
            return False
