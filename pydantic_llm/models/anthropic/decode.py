"""Decodes a message, or the events of a stream, into parts.

A whole body is decoded like a stream that arrives at once. Blocks are in `decode_blocks`, token counts in
`decode_usage`.
"""

from __future__ import annotations

from ...json_types import Json
from ...messages import FinishReason
from ...streaming.draft import ResponseDraft
from ...wire.decoder import ResponseDecoder
from .decode_blocks import BlockDecoder
from .decode_usage import decode_usage

FINISH_REASONS: dict[str, FinishReason] = {
    'end_turn': 'stop',
    'stop_sequence': 'stop',
    'compaction': 'stop',
    'max_tokens': 'length',
    'model_context_window_exceeded': 'length',
    'tool_use': 'tool_call',
    'refusal': 'content_filter',
}
"""The API's finish reasons. `pause_turn` has no equal: the model continues if the response is sent back unchanged.
https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools"""

DETAILS = ('stop_sequence', 'stop_details', 'container', 'context_management', 'input_transformations', 'diagnostics')
"""Fields of a message that are kept unchanged in `provider_details`."""

USAGE_DETAILS = ('service_tier', 'speed')
"""Fields of the usage that are not token counts; kept unchanged in `provider_details`."""


class AnthropicDecoder(ResponseDecoder):
    """Decodes one message into a draft."""

    def __init__(self, draft: ResponseDraft) -> None:
        super().__init__(draft)
        self._blocks = BlockDecoder(draft)
        self._usage: Json = {}

    def decode(self, body: Json) -> None:
        draft = self.draft
        if body.get('type') == 'error':
            raise self.error_from(body)
        blocks = body['content']
        self._record_metadata(body)
        for index, block in enumerate(blocks):
            self._blocks.start(index, block)
            self._blocks.stop(index)
        draft.finish(body.get('stop_reason'), FINISH_REASONS)
        draft.state = 'complete'
        draft.parts.end()

    def decode_event(self, event: Json) -> None:
        """Decode one event. `message_stop` completes the response; unknown events are skipped."""
        match event:
            case {'type': 'content_block_delta', 'index': index, 'delta': delta}:
                self._blocks.extend(index, delta)
            case {'type': 'content_block_start', 'index': index, 'content_block': block}:
                self._blocks.start_streamed(index, block)
            case {'type': 'content_block_stop', 'index': index}:
                self._blocks.stop(index)
            case {'type': 'message_start', 'message': message}:
                self._record_metadata(message)
            case {'type': 'message_delta', 'delta': delta}:
                self._record_metadata({**event, **delta})
                self.draft.finish(delta.get('stop_reason'), FINISH_REASONS)
            case {'type': 'message_stop'}:
                self.draft.state = 'complete'
            case {'type': 'error'}:
                raise self.error_from(event)
            case _:
                pass

    def _record_metadata(self, message: Json) -> None:
        """Record the facts about the response. Gateways may know the model and the id only at the end of a stream."""
        draft, details = self.draft, self.draft.provider_details
        draft.model_name = message.get('model') or draft.model_name
        draft.provider_response_id = message.get('id') or draft.provider_response_id
        details.update({name: message[name] for name in DETAILS if message.get(name)})
        if container := message.get('container'):
            details['container_id'] = container['id']
        refusal: Json = message.get('stop_details') or {}
        if explanation := refusal.get('explanation'):
            details['refusal'] = explanation
        self._record_usage(message.get('usage') or {})

    def _record_usage(self, usage: Json) -> None:
        """Record counts. They are cumulative, so each replaces an earlier one of the same name.

        https://platform.claude.com/docs/en/build-with-claude/streaming
        """
        self._usage |= {name: value for name, value in usage.items() if value is not None}
        self.draft.usage = decode_usage(self._usage)
        details = {name: self._usage[name] for name in USAGE_DETAILS if name in self._usage}
        self.draft.provider_details |= details
