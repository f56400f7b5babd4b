"""Encodes a response as a body (`encode_response`) or as the events of a stream (`StreamEncoder`). Undoes `decode`.

A stream contains everything three times: when an item starts, while it grows, and when it has finished. The encoder
knows which parts an item consists of; `serve_events` has the state of one item and the tables of events.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from ....json_types import Json
from ....messages import (
    FilePart,
    ModelResponse,
    ModelResponseStreamEvent,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from ....messages.response import ModelResponsePart
from ....wire.serving import ServedRequest
from .native_fields import IMAGE_ITEM
from .native_items import RESULT_ITEMS, NativeParts, get_item_type
from .serve_events import (
    STARTED_FIELDS,
    TEXT_EVENTS,
    StreamedItem,
    choose_end_event,
    encode_partial_image,
    encode_progress,
    is_last_part,
)
from .serve_items import (
    MULTIPART_ITEMS,
    choose_text_type,
    encode_content_part,
    encode_envelope,
    encode_finish_reason,
    encode_item,
    encode_items,
    encode_logprobs,
    encode_refusal,
    encode_usage,
    is_native_item,
    merge_item,
    text_details,
)

LATE_FIELDS = frozenset({'content', 'encrypted_content'})
"""The fields that an item of `MULTIPART_ITEMS` has only when it has finished."""


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """Encode a whole response as a body."""
    return encode_envelope(response, request) | {
        'status': encode_finish_reason(response)[0],
        'output': encode_items(response, request),
        'usage': encode_usage(response.usage),
        **({'end_turn': False} if response.state == 'suspended' else {}),
    }


class StreamEncoder:
    """Encodes the events of one response."""

    def __init__(self, request: ServedRequest) -> None:
        self._request = request
        self._sequence_number = 0
        self._parts: dict[int, ModelResponsePart] = {}
        self._native = NativeParts()
        self._call_items: dict[Hashable, StreamedItem] = {}  # by the ids of native calls
        self._items: list[StreamedItem] = []
        self._items_by_part: dict[int, StreamedItem] = {}
        self._envelope: Json = {}

    def begin(self) -> Iterator[Json]:
        self._envelope = encode_envelope(self._request.begun, self._request)
        yield self._event('response.created', response=self._envelope)
        yield self._event('response.in_progress', response=self._envelope)

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        match event:
            case PartStartEvent(index=index, part=part):
                self._set_part(index, part)
                yield from self._start_part(index, part)
            case PartDeltaEvent(index=index, delta=delta) if index in self._items_by_part:
                yield from self._extend_part(index, delta)
            case PartEndEvent(index=index, part=part):
                self._set_part(index, part)
                yield from self._end_part(index, part)
            case _:
                pass

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """Yield the whole response. A truncated stream ends without it, as its source did."""
        if response.is_truncated:
            return
        self._parts, self._native = dict(enumerate(response.parts)), NativeParts(response.parts)
        for item in self._items:
            yield from self._finish_item(item)
        if refusal := (response.provider_details or {}).get('refusal'):
            yield from self._add_refusal(encode_refusal(refusal, len(response.parts), self._request))
        body = encode_response(response, self._request)
        body['id'] = self._envelope.get('id', body['id'])
        yield self._event(f'response.{body["status"]}', response=body)

    # ---------------------------------------------------------------------- start

    def _start_part(self, index: int, part: ModelResponsePart) -> Iterator[Json]:
        match part:
            case _ if index in self._items_by_part:
                pass  # it replaces a part; the end of its item contains it
            case TextPart(content=text) | ThinkingPart(content=text):
                yield from self._start_or_continue_item(index, part)
                if text or isinstance(part, TextPart):
                    yield from self._extend_text(index, text)
            case ToolCallPart(args=args):
                yield from self._start_or_continue_item(index, part)
                yield from self._extend_args(index, args)
            case NativeToolCallPart() if is_native_item(part):
                yield from self._finish_last_item()
                item = self._add_item(index, get_item_type(part), part.id or part.tool_call_id)
                self._add_call_item(part, item)
                # An image item starts empty: partial images follow. Others start when their arguments are known.
                if item.type == IMAGE_ITEM or (isinstance(part.args, dict) and item.type not in RESULT_ITEMS):
                    yield from self._start_item(item, self._encode_part(index))
            case FilePart() if (call := self._find_call_item(part)) and (image := encode_partial_image(part)):
                yield self._item_event('response.image_generation_call.partial_image', call, **image)
            case _:
                pass

    def _start_or_continue_item(self, index: int, part: ModelResponsePart) -> Iterator[Json]:
        """Add the part to the last item, if it belongs to that, or start an item."""
        encoded = self._encode_part(index)
        type, id = _identify(encoded)
        last = self._items[-1] if self._items else None
        if last and not last.is_finished and type in MULTIPART_ITEMS and (last.type, last.id) == (type, id):
            last.part_indexes.append(index)
            last.open_parts += 1
            self._items_by_part[index] = last
            return
        yield from self._finish_last_item()
        item = self._add_item(index, type, id)
        item.may_continue = type in MULTIPART_ITEMS and getattr(part, 'id', None) is not None
        yield from self._start_item(item, encoded)

    def _add_item(self, part_index: int, type: str, id: str) -> StreamedItem:
        item = self._items_by_part[part_index] = StreamedItem(len(self._items), id, type, [part_index])
        self._items.append(item)
        return item

    def _start_item(self, item: StreamedItem, encoded: Json) -> Iterator[Json]:
        item.is_started = True
        late = LATE_FIELDS if item.type in MULTIPART_ITEMS else ()
        started = {name: value for name, value in encoded.items() if name not in late}
        started |= STARTED_FIELDS.get(item.type, {})
        yield self._event('response.output_item.added', output_index=item.index, item=started)
        for type, fields in encode_progress(item.type, encoded):
            yield self._item_event(type, item, **fields)

    # ---------------------------------------------------------------------- growth

    def _extend_part(self, index: int, delta: Any) -> Iterator[Json]:
        match delta:
            case TextPartDelta(content_delta=text) | ThinkingPartDelta(content_delta=str() as text) if text:
                yield from self._extend_text(index, text)
            case ToolCallPartDelta(args_delta=args) if isinstance(self._parts[index], ToolCallPart):
                yield from self._extend_args(index, args)
            case _:
                pass

    def _extend_text(self, index: int, text: str) -> Iterator[Json]:
        item, type = self._items_by_part[index], choose_text_type(self._parts[index])
        part_event, text_event, _ = TEXT_EVENTS[type]
        if index not in item.text_indexes:
            item.text_indexes[index] = item.text_counts[type]
            item.text_counts[type] += 1
            yield self._text_event(f'{part_event}.added', index, part=encode_content_part(type, '', {}))
        if text:
            yield self._text_event(f'{text_event}.delta', index, delta=text, **encode_logprobs(type, {}))

    def _extend_args(self, index: int, args: str | Json | None) -> Iterator[Json]:
        if args:
            item = self._items_by_part[index]
            yield self._item_event('response.function_call_arguments.delta', item, delta=args)

    # ---------------------------------------------------------------------- end

    def _end_part(self, index: int, part: ModelResponsePart) -> Iterator[Json]:
        item = self._items_by_part.get(index)
        match part:
            case TextPart() | ThinkingPart() if item:
                yield from self._end_text(index, part)
            case ToolCallPart() if item:
                args, name = part.args_as_json_str(), part.tool_name  # OpenAI's client before 3.10 requires the name
                yield self._item_event('response.function_call_arguments.done', item, arguments=args, name=name)
            case NativeToolCallPart() if item and not item.is_started:
                yield from self._start_item(item, self._encode_part(index))
            case _ if not item and (encoded := self._encode_part(index)):  # a result or a compaction
                yield from self._finish_last_item()
                item = self._add_item(index, *_identify(encoded))
                yield from self._start_item(item, encoded)
            case NativeToolReturnPart():
                item = self._find_call_item(part)
            case _:
                pass
        if item:
            item.open_parts = max(item.open_parts - 1, 0)
            is_closed = item is not self._items[-1] or not item.may_continue
            if not item.open_parts and is_closed and is_last_part(part, item):
                yield from self._finish_item(item)

    def _end_text(self, index: int, part: TextPart | ThinkingPart) -> Iterator[Json]:
        if index not in self._items_by_part[index].text_indexes:
            return
        type, details = choose_text_type(part), text_details(part)
        part_event, text_event, _ = TEXT_EVENTS[type]
        for number, note in enumerate(details.get('annotations', []) if type == 'output_text' else ()):
            yield self._text_event(f'{text_event}.annotation.added', index, annotation=note, annotation_index=number)
        yield self._text_event(f'{text_event}.done', index, text=part.content, **encode_logprobs(type, details))
        yield self._text_event(f'{part_event}.done', index, part=encode_content_part(type, part.content, details))

    def _finish_last_item(self) -> Iterator[Json]:
        """Finish the last item if all its parts have ended, since the next part does not belong to it."""
        if self._items and not self._items[-1].open_parts and self._items[-1].may_continue:
            yield from self._finish_item(self._items[-1])

    def _finish_item(self, item: StreamedItem) -> Iterator[Json]:
        """Yield the end of an item, once. Parts that were replaced may have no item any more."""
        if item.is_finished:
            return
        item.is_finished = True
        if not (encoded := [*filter(None, map(self._encode_part, item.part_indexes))]):
            return
        first, *others = encoded
        for other in others:
            merge_item(first, other)
        if not item.is_started:
            yield from self._start_item(item, first)
        if end_event := choose_end_event(item.type, first):
            yield self._item_event(end_event, item)
        yield self._event('response.output_item.done', output_index=item.index, item=first)

    def _add_refusal(self, message: Json) -> Iterator[Json]:
        item = self._add_item(len(self._parts), *_identify(message))
        refusal = message['content'][0]
        yield from self._start_item(item, message)
        for type, fields in (
            ('response.content_part.added', {'part': {**refusal, 'refusal': ''}}),
            ('response.refusal.delta', {'delta': refusal['refusal']}),
            ('response.refusal.done', {'refusal': refusal['refusal']}),
            ('response.content_part.done', {'part': refusal}),
        ):
            yield self._item_event(type, item, content_index=0, **fields)
        yield self._event('response.output_item.done', output_index=item.index, item=message)

    # ---------------------------------------------------------------------- parts and events

    def _encode_part(self, index: int) -> Json:
        """Encode a part as an item; empty if it has none."""
        return encode_item(self._parts[index], self._native, index, self._request) or {}

    def _set_part(self, index: int, part: ModelResponsePart) -> None:
        self._parts[index] = part
        self._native.put(index, part)
        if isinstance(part, NativeToolCallPart) and (item := self._items_by_part.get(index)):
            self._add_call_item(part, item)

    def _add_call_item(self, call: NativeToolCallPart, item: StreamedItem) -> None:
        for name in (('file', call.id), ('result', call.tool_call_id)):
            self._call_items.setdefault(name, item)

    def _find_call_item(self, part: FilePart | NativeToolReturnPart) -> StreamedItem | None:
        """Return the item of the native call that made this file or this result."""
        return self._call_items.get(('file', part.id) if isinstance(part, FilePart) else ('result', part.tool_call_id))

    def _text_event(self, type: str, index: int, **fields: Any) -> Json:
        item = self._items_by_part[index]
        index_field = TEXT_EVENTS[choose_text_type(self._parts[index])][2]
        return self._item_event(type, item, **{index_field: item.text_indexes[index]}, **fields)

    def _item_event(self, type: str, item: StreamedItem, **fields: Any) -> Json:
        return self._event(type, item_id=item.id, output_index=item.index, **fields)

    def _event(self, type: str, **fields: Any) -> Json:
        self._sequence_number += 1
        return {'type': type, 'sequence_number': self._sequence_number - 1, **fields}


def _identify(item: Json) -> tuple[str, str]:
    return item['type'], item.get('id') or ''
