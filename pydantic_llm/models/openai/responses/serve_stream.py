"""An answer's events → the events of a Responses stream.

The API tells of everything three times: that an item begins, how it grows, and what it became. `EventWriter` knows
which parts an item is made of; how texts, thoughts and calls grow is told by it too, and what is told of tools of
OpenAI's at work in `serve_native`.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from .native_items import ANSWERS, type_of
from .serve import encode_response, envelope
from .serve_items import JOINED, encode_item, encode_refusal, is_item, is_raw, join
from .serve_native import BEGUN, HOLLOW_NATIVE, IMAGE, Told, is_over, partial_image, progress, result

TERMINAL = {'completed': 'response.completed', 'incomplete': 'response.incomplete', 'failed': 'response.failed'}
"""The event that ends a stream, by the answer's status."""

WORDS: dict[str, tuple[str, str, str]] = {
    'output_text': ('response.content_part', 'response.output_text', 'content_index'),
    'reasoning_text': ('response.content_part', 'response.reasoning_text', 'content_index'),
    'summary_text': ('response.reasoning_summary_part', 'response.reasoning_summary_text', 'summary_index'),
}
"""For each type of text: the events of its place, those of its words, and the number of its place."""

HOLLOW: dict[str, Json] = {
    'message': {'content': [], **BEGUN},
    'reasoning': {'summary': []},
    'function_call': {'arguments': '', **BEGUN},
    **HOLLOW_NATIVE,
}
"""How items begin that are filled later."""

FILLED_LATER = frozenset({'content', 'encrypted_content'})
"""The fields that an item of several parts gets when it is whole."""


class EventWriter:
    """Turns an answer's events into the API's."""

    def __init__(self, request: ServedRequest) -> None:
        self._request = request
        self._number = 0
        self._parts: dict[int, ModelResponsePart] = {}
        self._items: dict[int, Told] = {}
        self._all: list[Told] = []
        self._envelope: Json = {}

    def begin(self) -> Iterator[Json]:
        """The answer exists, and is being worked on."""
        self._envelope = envelope(self._request.begun, self._request)
        yield self._event('response.created', response=self._envelope)
        yield self._event('response.in_progress', response=self._envelope)

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """What one event becomes."""
        match event:
            case PartStartEvent(index=number, part=part):
                self._parts[number] = part
                yield from self._start(number, part)
            case PartDeltaEvent(index=number, delta=delta) if number in self._items:
                yield from self._grow(number, delta)
            case PartEndEvent(index=number, part=part):
                self._parts[number] = part
                yield from self._end(number, part)
            case _:
                pass

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """The whole answer. A stream that was cut ends here without a word, as its source did."""
        if response.state != 'complete':
            return
        self._parts = dict(enumerate(response.parts))
        for item in self._all:
            yield from self._finish(item)
        if refusal := (response.provider_details or {}).get('refusal'):
            yield from self._refuse(encode_refusal(refusal, len(response.parts), self._request))
        whole = encode_response(response, self._request)
        whole['id'] = self._envelope.get('id', whole['id'])
        yield self._event(TERMINAL[whole['status']], response=whole)

    # an item begins

    def _start(self, number: int, part: ModelResponsePart) -> Iterator[Json]:
        match part:
            case _ if number in self._items:
                pass  # another one takes its place, which its end tells of
            case TextPart(content=text) | ThinkingPart(content=text):
                yield from self._begin(number, part)
                if text or isinstance(part, TextPart):
                    yield from self._say(number, text)
            case ToolCallPart(args=args):
                yield from self._begin(number, part)
                yield from self._call(number, args)
            case NativeToolCallPart() if is_item(part):
                yield from self._leave_last()
                item = self._new(number, type_of(part), part.id or part.tool_call_id)
                if item.type == IMAGE or (isinstance(part.args, dict) and item.type not in ANSWERS):
                    yield from self._tell(item, self._encoded(number))
            case FilePart() if (call := self._call_of(part)) and (image := partial_image(part)):
                yield self._of('response.image_generation_call.partial_image', call, **image)
            case _:
                pass

    def _begin(self, number: int, part: ModelResponsePart) -> Iterator[Json]:
        """The part is more of the last item, or a new one begins."""
        encoded = self._encoded(number)
        last = self._all[-1] if self._all else None
        if last and not last.is_done and encoded['type'] in JOINED and (last.type, last.id) == _name(encoded):
            last.parts.append(number)
            last.growing += 1
            self._items[number] = last
            return
        yield from self._leave_last()
        item = self._new(number, *_name(encoded))
        item.goes_on = encoded['type'] in JOINED and getattr(part, 'id', None) is not None
        yield from self._tell(item, encoded)

    def _new(self, number: int, kind: str, id: str) -> Told:
        item = self._items[number] = Told(len(self._all), id, kind, [number])
        self._all.append(item)
        return item

    def _tell(self, item: Told, encoded: Json) -> Iterator[Json]:
        item.is_told = True
        later = FILLED_LATER if item.type in JOINED else ()
        begun = {name: value for name, value in encoded.items() if name not in later}
        yield self._event(
            'response.output_item.added', output_index=item.index, item={**begun, **HOLLOW.get(item.type, {})}
        )
        for kind, fields in progress(item.type, encoded):
            yield self._of(kind, item, **fields)

    # it grows

    def _grow(self, number: int, delta: Any) -> Iterator[Json]:
        match delta:
            case TextPartDelta(content_delta=text) | ThinkingPartDelta(content_delta=str() as text) if text:
                yield from self._say(number, text)
            case ToolCallPartDelta(args_delta=args) if isinstance(self._parts[number], ToolCallPart):
                yield from self._call(number, args)
            case _:
                pass

    def _say(self, number: int, text: str) -> Iterator[Json]:
        item, kind = self._items[number], self._kind(number)
        place, words, _ = WORDS[kind]
        if number not in item.places:
            item.places[number] = sum(self._kind(other) == kind for other in item.places)
            yield self._at(f'{place}.added', number, part=_content(kind, '', {}))
        if text:
            yield self._at(f'{words}.delta', number, delta=text, **_logprobs(kind, {}))

    def _call(self, number: int, args: str | Json | None) -> Iterator[Json]:
        """A fragment of arguments. An object waits for the end, since another one may take its place."""
        if args and isinstance(args, str):
            self._items[number].wrote = True
            yield self._of('response.function_call_arguments.delta', self._items[number], delta=args)

    # it is whole

    def _end(self, number: int, part: ModelResponsePart) -> Iterator[Json]:
        item = self._items.get(number)
        match part:
            case TextPart() | ThinkingPart() if item:
                yield from self._said(number, part)
            case ToolCallPart() if item:
                if not item.wrote:
                    yield from self._call(number, part.args_as_json_str())
                yield self._of('response.function_call_arguments.done', item, arguments=part.args_as_json_str())
            case NativeToolCallPart() if item and not item.is_told:
                yield from self._tell(item, self._encoded(number))
            case NativeToolReturnPart() if encoded := self._encoded(number):
                yield from self._leave_last()
                yield from self._tell(self._new(number, *_name(encoded)), encoded)
                item = self._items[number]
            case NativeToolReturnPart():
                item = self._call_of(part)
            case _:
                pass
        if item:
            item.growing = max(item.growing - 1, 0)
            if not item.growing and (item is not self._all[-1] or not item.goes_on) and is_over(item, part):
                yield from self._finish(item)

    def _said(self, number: int, part: TextPart | ThinkingPart) -> Iterator[Json]:
        if number not in self._items[number].places:
            return
        kind, details = self._kind(number), part.provider_details or {}
        place, words, _ = WORDS[kind]
        for index, note in enumerate(details.get('annotations', []) if kind == 'output_text' else ()):
            yield self._at('response.output_text.annotation.added', number, annotation=note, annotation_index=index)
        yield self._at(f'{words}.done', number, text=part.content, **_logprobs(kind, details))
        yield self._at(f'{place}.done', number, part=_content(kind, part.content, details))

    def _leave_last(self) -> Iterator[Json]:
        """Another item begins, so that the last one is whole, where nothing of it grows any more."""
        if self._all and not self._all[-1].growing and self._all[-1].goes_on:
            yield from self._finish(self._all[-1])

    def _finish(self, item: Told) -> Iterator[Json]:
        if item.is_done:
            return
        item.is_done = True
        first: Json = {}
        for encoded in filter(None, map(self._encoded, item.parts)):
            if first:
                join(first, encoded)
            first = first or encoded
        if not first:
            return  # what it became is no item any more
        if not item.is_told:
            yield from self._tell(item, first)
        if ended := result(item.type, first):
            yield self._of(ended, item)
        yield self._event('response.output_item.done', output_index=item.index, item=first)

    def _refuse(self, message: Json) -> Iterator[Json]:
        item = self._new(len(self._parts), *_name(message))
        refusal = message['content'][0]
        yield from self._tell(item, message)
        for kind, fields in (
            ('response.content_part.added', {'part': {**refusal, 'refusal': ''}}),
            ('response.refusal.delta', {'delta': refusal['refusal']}),
            ('response.refusal.done', {'refusal': refusal['refusal']}),
            ('response.content_part.done', {'part': refusal}),
        ):
            yield self._of(kind, item, content_index=0, **fields)
        yield self._event('response.output_item.done', output_index=item.index, item=message)

    # words

    def _encoded(self, number: int) -> Json:
        return encode_item(self._parts[number], list(self._parts.values()), number, self._request) or {}

    def _call_of(self, part: FilePart | NativeToolReturnPart) -> Told | None:
        """The item of the call that made a file, or that gave something."""
        for number, call in self._parts.items():
            if isinstance(call, NativeToolCallPart) and number in self._items:
                same = part.id == call.id if isinstance(part, FilePart) else part.tool_call_id == call.tool_call_id
                if same:
                    return self._items[number]
        return None

    def _kind(self, number: int) -> str:
        part = self._parts[number]
        if isinstance(part, TextPart):
            return 'output_text'
        return 'reasoning_text' if isinstance(part, ThinkingPart) and is_raw(part) else 'summary_text'

    def _at(self, kind: str, number: int, **fields: Any) -> Json:
        """An event of one place of an item."""
        item = self._items[number]
        return self._of(kind, item, **{WORDS[self._kind(number)][2]: item.places[number]}, **fields)

    def _of(self, kind: str, item: Told, **fields: Any) -> Json:
        """An event of an item."""
        return self._event(kind, item_id=item.id, output_index=item.index, **fields)

    def _event(self, kind: str, **fields: Any) -> Json:
        self._number += 1
        return {'type': kind, 'sequence_number': self._number - 1, **fields}


def _name(item: Json) -> tuple[str, str]:
    return item['type'], item.get('id') or ''


def _content(kind: str, text: str, details: Json) -> Json:
    notes = {'annotations': details.get('annotations', [])} if kind == 'output_text' else {}
    return {'type': kind, 'text': text, **notes, **_logprobs(kind, details)}


def _logprobs(kind: str, details: Json) -> Json:
    return {'logprobs': details.get('logprobs', [])} if kind == 'output_text' else {}
