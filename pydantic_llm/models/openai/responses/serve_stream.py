"""An answer's events → the events of a Responses stream.

The API tells of everything three times: that an item begins, how it grows, and what it became.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ....messages import (
    ModelResponse,
    ModelResponseStreamEvent,
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
from ..._serve import Json, ServedRequest
from .serve import encode_item, encode_response, envelope

TERMINAL = {'completed': 'response.completed', 'incomplete': 'response.incomplete', 'failed': 'response.failed'}
"""The event that ends a stream, by the answer's status."""


class EventWriter:
    """Turns an answer's events into the API's. Each part is an item."""

    def __init__(self, request: ServedRequest) -> None:
        self._request = request
        self._number = 0
        self._ids: dict[int, str] = {}
        self._parts: dict[int, Any] = {}
        self._envelope = envelope(None, request)

    def begin(self) -> Iterator[Json]:
        """The answer exists, and is being worked on."""
        yield self._event('response.created', response=self._envelope)
        yield self._event('response.in_progress', response=self._envelope)

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """What one event becomes."""
        match event:
            case PartStartEvent(index=index, part=part):
                self._ids[index], self._parts[index] = getattr(part, 'id', None) or f'item_{index}', part
                yield from self._start(index, part)
            case PartDeltaEvent(index=index, delta=TextPartDelta(content_delta=text)):
                yield self._content('response.output_text.delta', index, delta=text)
            case PartDeltaEvent(index=index, delta=ThinkingPartDelta(content_delta=str() as text)):
                yield self._thought(index, text)
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=str() as fragment)):
                yield self._item('response.function_call_arguments.delta', index, delta=fragment)
            case PartEndEvent(index=index, part=part):
                self._parts[index] = part
                yield from self._end(index, part)
            case _:
                pass

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """The items that were told of by no event, and the whole answer."""
        whole = encode_response(response, self._request)
        for index, item in enumerate(whole['output']):
            if item['type'] not in ('message', 'reasoning', 'function_call') or self._is_refusal(item):
                yield self._event('response.output_item.added', output_index=index, item=item)
                yield self._event('response.output_item.done', output_index=index, item=item)
        yield self._event(TERMINAL[whole['status']], response=whole)

    def _is_refusal(self, item: Json) -> bool:
        return bool(item['type'] == 'message' and item['content'][0]['type'] == 'refusal')

    def _start(self, index: int, part: Any) -> Iterator[Json]:
        match part:
            case TextPart(content=text):
                message: Json = {'type': 'message', 'role': 'assistant', 'content': []}
                yield self._added(index, message | self._phase(part))
                empty: Json = {'type': 'output_text', 'text': '', 'annotations': []}
                yield self._content('response.content_part.added', index, part=empty)
                if text:
                    yield self._content('response.output_text.delta', index, delta=text)
            case ThinkingPart(content=text):
                yield self._added(index, {'type': 'reasoning', 'summary': []})
                if text:
                    yield self._thought(index, text)
            case ToolCallPart():
                call: Json = {'call_id': part.tool_call_id, 'name': part.tool_name, 'arguments': ''}
                yield self._added(index, {'type': 'function_call', **call})
                if part.args:
                    fragment = part.args_as_json_str()
                    yield self._item('response.function_call_arguments.delta', index, delta=fragment)
            case _:
                pass

    def _end(self, index: int, part: Any) -> Iterator[Json]:
        if not isinstance(part, (TextPart, ThinkingPart, ToolCallPart)):
            return
        item = encode_item(part, (), self._ids[index])
        assert item is not None, 'these parts are items'
        match part:
            case TextPart(content=text):
                yield self._content('response.output_text.done', index, text=text)
                yield self._content('response.content_part.done', index, part=item['content'][0])
            case ToolCallPart():
                yield self._item('response.function_call_arguments.done', index, arguments=item['arguments'])
            case ThinkingPart():
                pass
        yield self._event('response.output_item.done', output_index=index, item=item)

    def _thought(self, index: int, text: str) -> Json:
        details: Json = self._parts[index].provider_details or {}
        if details.get('raw'):
            return self._content('response.reasoning_text.delta', index, delta=text)
        return self._item('response.reasoning_summary_text.delta', index, summary_index=0, delta=text)

    def _phase(self, part: TextPart) -> Json:
        phase: str | None = (part.provider_details or {}).get('phase')
        return {'phase': phase} if phase else {}

    def _added(self, index: int, item: Json) -> Json:
        item = {'id': self._ids[index], 'status': 'in_progress', **item}
        return self._event('response.output_item.added', output_index=index, item=item)

    def _content(self, kind: str, index: int, **fields: Any) -> Json:
        return self._item(kind, index, content_index=0, **fields)

    def _item(self, kind: str, index: int, **fields: Any) -> Json:
        return self._event(kind, item_id=self._ids[index], output_index=index, **fields)

    def _event(self, kind: str, **fields: Any) -> Json:
        self._number += 1
        return {'type': kind, 'sequence_number': self._number - 1, **fields}
