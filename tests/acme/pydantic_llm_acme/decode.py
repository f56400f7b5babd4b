"""Decodes a generation, whole or streamed. Start at `AcmeDecoder`."""

from __future__ import annotations

from typing import Any

from pydantic_llm import RequestUsage
from pydantic_llm.messages import FinishReason, TextPart, ThinkingPart, ToolCallPart
from pydantic_llm.wire import ResponseDecoder, decode_count, get_object

Json = dict[str, Any]

FINISH_REASONS: dict[str, FinishReason] = {
    'end': 'stop',
    'limit': 'length',
    'calls': 'tool_call',
    'blocked': 'content_filter',
}
"""Acme's finish reasons."""


class AcmeDecoder(ResponseDecoder):
    """Decodes one generation. A stream has the events `start`, `part`, `more`, `part_end` and `end`."""

    def decode(self, body: Json) -> None:
        """Decode a whole body."""
        self._decode_start(body)
        for index, part in enumerate(body['parts']):
            self._decode_part(index, part)
            self.draft.parts.close(index)
        self._decode_finish(body)

    def decode_event(self, event: Json) -> None:
        """Decode one event. Events of other types are skipped."""
        match event:
            case {'event': 'start'}:
                self._decode_start(event)
            case {'event': 'part', 'index': index, 'part': part}:
                self._decode_part(index, part)
            case {'event': 'more', 'index': index, 'part': part}:
                self._extend_part(index, part)
            case {'event': 'part_end', 'index': index}:
                self.draft.parts.close(index)
            case {'event': 'end'}:
                self._decode_finish(event)
            case _:
                pass

    def _decode_start(self, body: Json) -> None:
        self.draft.model_name = body.get('model') or self.draft.model_name
        self.draft.provider_response_id = body.get('id')

    def _decode_part(self, index: int, part: Json) -> None:
        parts, name = self.draft.parts, self.draft.provider_name
        match part:
            case {'text': text}:
                parts.whole(index, TextPart(text))
            case {'thinking': text}:
                parts.whole(index, ThinkingPart(text, signature=part.get('seal'), provider_name=name))
            case {'call': tool, 'id': id, 'arguments': arguments}:
                parts.whole(index, ToolCallPart(tool, arguments, id))
            case _:
                pass

    def _extend_part(self, index: int, part: Json) -> None:
        parts = self.draft.parts
        match part:
            case {'text': text}:
                parts.text(index, text)
            case {'thinking': text}:
                parts.thinking(index, text, signature=part.get('seal'))
            case {'arguments': arguments}:
                parts.tool_call(index, args=arguments)
            case _:
                pass

    def _decode_finish(self, body: Json) -> None:
        draft = self.draft
        draft.finish(body.get('finish'), FINISH_REASONS)
        usage = get_object(body, 'usage')
        draft.usage = RequestUsage(
            input_tokens=decode_count(usage.get('read')),
            output_tokens=decode_count(usage.get('written')),
            cache_read_tokens=decode_count(usage.get('cached')),
        )
        draft.complete()
        draft.parts.end()
