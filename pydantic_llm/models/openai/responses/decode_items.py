"""`ItemDecoder`: decodes the output items of a response, whole or from their events, into parts.

Messages and reasoning are decoded here, calls of the caller's tools in `decode_calls`, items of OpenAI's own tools in
`native_items`.
Content that arrives as fragments and again in one piece is added once: what is whole adds only the end that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, cast

from pydantic_core import to_json

from ....json_types import Json
from ....messages import ThinkingPart
from ....streaming.draft import ResponseDraft
from ....wire.logprobs import decode_logprobs
from ....wire.repeats import Repeats
from .compaction import decode_compaction
from .decode_calls import CallDecoder
from .decode_slots import (
    CONTENT_KINDS,
    EVENTS,
    WHOLE_FIELDS,
    ItemSlots,
    Position,
    Slot,
    complete_item,
    join_texts,
    read_text,
)
from .native_items import NativeItemDecoder

UNREAD = ('sequence_number', 'obfuscation')
"""Fields of an event with a fragment that have no effect."""


class ItemDecoder:
    """Decodes the items of one response. `reuses_tool_call_ids` is explained in `CallDecoder`."""

    def __init__(self, draft: ResponseDraft, repeats: Repeats, *, reuses_tool_call_ids: bool = False) -> None:
        self.draft = draft
        self._repeats = repeats
        self.has_refusal: bool = False
        self._calls = CallDecoder(draft, reuses_ids=reuses_tool_call_ids)
        self._native = NativeItemDecoder(draft)
        self._slots = ItemSlots()
        self._finished: list[Slot] = []  # whole items whose parts have not ended: their deltas may be late
        self._annotations: dict[Hashable, list[Json]] = {}  # by the key of the text

    def start(self, item: Json, index: object) -> None:
        """Start an item. A tool call has its name from the start; text and thinking begin with their first delta."""
        item = complete_item(item)
        slot = self._slots.start(item, index)
        match item:
            case {'type': 'function_call', 'name': str()} if self.draft.parts.kind_of(slot) is None:
                self._start_tool_call(slot, item)
            case {'type': 'message'}:
                slot.phase = item.get('phase')
            case {'type': 'function_call' | 'reasoning' | 'compaction'}:
                pass
            case _:
                self._native.start(slot.name(item))

    def extend(self, event: Json) -> None:
        """Add to an item what an event of it contains."""
        start, _, end = event['type'].rpartition('.')
        match event:
            case {'delta': str() as delta} if start in EVENTS and end == 'delta':
                slot, position = self._slots.find_content(EVENTS[start], event)
                self.draft.parts.logprobs(slot.key(position), tokens := decode_logprobs(event.get('logprobs')))
                self._add(slot, position, delta)
                if not tokens:
                    self._repeats.remember(event, ('delta',), self._find_adder(slot, position), unread=UNREAD)
            case {'type': 'response.content_part.done', 'part': {'type': str() as type, 'text': str() as text}}:
                if type in CONTENT_KINDS:
                    self._add_whole(*self._slots.find_content(EVENTS[CONTENT_KINDS[type]], event), text)
            case _ if start in EVENTS and end == 'done':
                row = EVENTS[start]
                whole: object = event.get(WHOLE_FIELDS.get(row[1], 'text'))
                if isinstance(whole, str):
                    self._add_whole(*self._slots.find_content(row, event), whole)
            case {'type': 'response.output_text.annotation.added', 'annotation': annotation}:
                slot, position = self._slots.find_content(EVENTS['response.output_text'], event)
                self._annotations.setdefault(slot.key(position), []).append(annotation)
            case {'type': 'response.refusal.delta', 'delta': delta}:
                self._add_refusal(delta)
            case {'type': 'response.refusal.done', 'refusal': str() as refusal} if not self.has_refusal:
                self._add_refusal(refusal)
            case {'type': 'response.image_generation_call.partial_image'}:
                slot = self._slots.find('image_generation_call', event)
                self._native.decode_partial_image({**event, 'item_id': slot.id})
            case _:
                pass

    def finish(self, item: Json, index: object) -> None:
        """Decode an item that an event contains as a whole."""
        item = complete_item(item)
        if slot := self._slots.finish(item, index):
            self._finish(slot, item)

    def finish_all(self, output: Sequence[Json]) -> None:
        """Decode the items of a whole response that no event contained as a whole."""
        if not self._slots:
            self._decode_all(output)
            return
        for item, slot in self._slots.match([*map(complete_item, output)], self._is_similar):
            if slot is None or slot.item is None:
                self._finish(slot or self._slots.add(item), item)

    def _decode_all(self, output: Sequence[Json]) -> None:
        """Decode items of which no event came before: each is whole and another one, so none is looked for."""
        for item in map(complete_item, output):
            id, call_id = read_text(item, 'id'), read_text(item, 'call_id') or None
            slot = Slot(str(item['type']), id, call_id=call_id)
            if slot.type == 'function_call':
                self._start_tool_call(slot, item)
            else:
                self._decode_whole(slot, item)
            self._finished.append(slot)

    def _finish(self, slot: Slot, item: Json) -> None:
        """Decode a whole item: add what its events did not contain. Its parts end when another item begins."""
        self._decode_whole(slot, item)
        self._slots.complete(slot, item)
        self._finished.append(slot)

    def _decode_whole(self, slot: Slot, item: Json) -> None:
        match item['type']:
            case 'message':
                self._finish_message(slot, item)
            case 'reasoning':
                self._finish_reasoning(slot, item)
            case 'function_call':
                self._finish_tool_call(slot, item)
            case 'compaction':
                self._end_parts(slot)
                self.draft.parts.whole(slot, decode_compaction(item, self.draft.provider_name))
            case _:
                self._end_parts(slot)
                self._native.finish(slot.name(item))

    def _end_parts(self, next_slot: Slot) -> None:
        """End the parts of whole items, since the content of another item follows."""
        for slot in self._finished:
            if slot is not next_slot:
                for key in (slot, *map(slot.key, slot.positions)):
                    self.draft.parts.close(key)
        self._finished = [slot for slot in self._finished if slot is next_slot]

    # ---------------------------------------------------------------------- content

    def _add(self, slot: Slot, position: Position, delta: str) -> None:
        """Add a fragment, unless it is part of the content that came in one piece before."""
        key: Hashable = slot if position[0] in WHOLE_FIELDS else slot.key(position)
        if key in slot.ahead and slot.ahead[key].skip(delta):
            return
        match position[0]:
            case 'text':
                self._add_text(slot, position, delta)
            case 'arguments' if slot.type == 'function_call':
                if slot.item is None or slot.is_late_end(delta, self.draft.parts):
                    self.draft.parts.tool_call(slot, args=delta)
            case 'arguments' | 'code':
                # The code is a JSON string inside the arguments, which `NativeItem.begin_args` opened.
                if slot.id and self.draft.parts.kind_of(slot.id) is not None:
                    escaped = to_json(delta).decode()[1:-1] if position[0] == 'code' else delta
                    self.draft.parts.tool_call(slot.id, args=escaped)
            case _:
                self._extend_thinking_text(slot, position, delta)

    def _find_adder(self, slot: Slot, position: Position) -> Callable[[str], None]:
        """Return a function that does what `_add` does for the next fragments of the same content."""
        key: Hashable = slot if position[0] in WHOLE_FIELDS else slot.key(position)
        may_append = key not in slot.ahead and slot.item is None
        append = self.draft.parts.find_adder(key) if may_append else None
        return append or partial(self._add, slot, position)

    def _add_whole(self, slot: Slot, position: Position, whole: str) -> None:
        """Add the end of a text or of arguments, if its fragments were its beginning."""
        if slot.type == 'function_call':
            self._calls.add_whole_arguments(slot, whole)
        elif position[0] not in WHOLE_FIELDS:
            key = slot.key(position)
            known = self.draft.parts.get_content(key)
            has_ended = position in slot.positions and self.draft.parts.kind_of(key) is None
            if whole.startswith(known) and whole != known and not has_ended:
                self._add(slot, position, missing := whole[len(known) :])
                slot.expect(key, missing)

    def _is_similar(self, slot: Slot, item: Json) -> bool:
        """Return whether a slot can be the item: the content of one begins with that of the other."""
        parts = self.draft.parts
        known = parts.get_content(slot) or ''.join(parts.get_content(slot.key(place)) for place in slot.positions)
        if not known and slot.item is not None:
            known = join_texts(slot.item)
        whole, known = join_texts(item).strip(), known.strip()
        return whole.startswith(known) or known.startswith(whole)

    # ---------------------------------------------------------------------- messages

    def _finish_message(self, slot: Slot, item: Json) -> None:
        slot.phase = item.get('phase')
        contents: list[Json] = item.get('content') or []
        positions = slot.pair('text', len(contents))
        has_all = join_texts(item) == ''.join(map(self.draft.parts.get_content, map(slot.key, slot.positions)))
        for position, content in zip(positions, contents, strict=True):
            match content:
                case {'type': 'output_text', 'text': str() | None as text}:
                    if text and not has_all:
                        self._add_whole(slot, position, text)
                    self._add_text_details(slot, position, content)
                case {'type': 'refusal', 'refusal': refusal} if not self.has_refusal:
                    self._add_refusal(refusal)
                case {'type': 'output_text', 'text': text}:
                    raise TypeError(f'the text of a message is {text!r}')
                case _:
                    pass

    def _add_text(self, slot: Slot, position: Position, text: str) -> None:
        parts, key = self.draft.parts, slot.key(position)
        if parts.kind_of(key) is not None:
            parts.text(key, text)
        elif text:
            self._begin_text(slot, position)
            details = {'provider_details': {'phase': slot.phase}} if slot.phase else {}
            parts.text(key, text, id=slot.id or None, provider_name=self.draft.provider_name, **details)

    def _begin_text(self, slot: Slot, position: Position) -> None:
        self._end_parts(slot)
        slot.positions.setdefault(position)

    def _add_text_details(self, slot: Slot, position: Position, content: Json) -> None:
        """Add the phase, the annotations and the log probabilities of a whole text to its part."""
        key = slot.key(position)
        annotations: Any = content.get('annotations') or self._annotations.get(key, [])
        found = {'phase': slot.phase, 'annotations': annotations, 'logprobs': decode_logprobs(content.get('logprobs'))}
        if not isinstance(annotations, list) or not all(
            isinstance(each, dict) for each in cast('list[object]', annotations)
        ):
            raise TypeError(f'the annotations of a text are {annotations!r}')
        if details := {name: value for name, value in found.items() if value}:
            self.draft.parts.details(key, provider_details=details)

    def _add_refusal(self, refusal: str) -> None:
        self.has_refusal = True
        self.draft.add_refusal(refusal)

    # ---------------------------------------------------------------------- thinking

    def _extend_thinking_text(self, slot: Slot, position: Position, text: str) -> None:
        """Add text of a summary, or of the thinking itself, which some servers send instead.

        Recording of such a server: openrouter-responses__test_openai_responses_raw_cot_stream_openrouter__0_23d34a.
        """
        parts, key = self.draft.parts, slot.key(position)
        if parts.kind_of(key) is not None:
            parts.thinking(key, text)
        elif text:
            self._begin_text(slot, position)
            details: Json = {'provider_details': {'raw': True}} if position[0] == 'raw' else {}
            parts.thinking(key, text, id=slot.id or None, provider_name=self.draft.provider_name, **details)

    def _finish_reasoning(self, slot: Slot, item: Json) -> None:
        """Decode a whole reasoning item. Its encrypted content becomes the signature of its first part.

        The encrypted content belongs to the id that comes with it (oh-my-pi#290).
        https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items
        """
        parts, id, name = self.draft.parts, item.get('id') or None, self.draft.provider_name
        known = {parts.get_content(slot.key(position)) for position in slot.positions}
        for kind, pieces in (('summary', item.get('summary')), ('raw', item.get('content'))):
            texts = [piece.get('text') or '' for piece in pieces or ()]
            for position, text in zip(slot.pair(kind, len(texts)), texts, strict=True):
                if text not in known:
                    self._add_whole(slot, position, text)
        if (signature := item.get('encrypted_content')) and slot.positions:
            parts.thinking(slot.key(next(iter(slot.positions))), signature=signature, id=id)
        elif signature:
            self._begin_text(slot, ('encrypted', 0))
            part = ThinkingPart('', id=id, signature=signature, provider_name=name)
            parts.whole(slot.key(('encrypted', 0)), part)

    # ---------------------------------------------------------------------- tool calls

    def _start_tool_call(self, slot: Slot, item: Json) -> None:
        self._end_parts(slot)
        self._calls.start(slot, item)

    def _finish_tool_call(self, slot: Slot, item: Json) -> None:
        if self.draft.parts.kind_of(slot) is None:
            self._start_tool_call(slot, {**item, 'arguments': ''})  # which may have come without the name
        self._calls.add_whole_arguments(slot, item.get('arguments') or '')
