"""Decodes a message, or the events of a stream, into parts.

A whole body is decoded like a stream that arrives at once. Blocks are in `decode_blocks`, token counts in
`decode_usage`.
"""

from __future__ import annotations

from ...json_types import Json
from ...messages import FinishReason
from ...streaming.draft import ResponseDraft
from ...wire.counts import decode_count, get_object, merge_usage
from ...wire.decoder import ResponseDecoder
from .decode_blocks import BlockDecoder
from .decode_usage import INPUT_COUNTS, decode_usage

FINISH_REASONS: dict[str, FinishReason] = {
    'end_turn': 'stop',
    'stop_sequence': 'stop',
    'compaction': 'stop',
    'max_tokens': 'length',
    'model_context_window_exceeded': 'length',
    'tool_use': 'tool_call',
    'refusal': 'content_filter',
}
"""The API's finish reasons."""

PAUSED = ('pause_turn', 'compaction')
"""The finish reasons of a turn that is not over: the model continues if the response is sent back unchanged.
https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons, `anthropic.lib.tools._beta_runner`"""

REASONS_OF_PROXIES: dict[str, FinishReason] = {
    'stop': 'stop',
    'length': 'length',
    'tool_calls': 'tool_call',
    'content_filter': 'content_filter',
}
"""Finish reasons of Chat Completions, which proxies pass on unchanged (spoon-core#36)."""

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
        if body.get('error') or body.get('type') == 'error':
            raise self.error_from(body)
        blocks = _list_blocks(body)
        self._record_metadata(body)
        for index, block in enumerate(blocks):
            self._blocks.start(index, block)
            self._blocks.stop(index)
        self._finish(body.get('stop_reason'))
        self.draft.parts.end()

    def decode_event(self, event: Json) -> None:
        """Decode one event. A stop reason or `message_stop` completes the response; unknown events are skipped."""
        match event:
            case {'type': 'content_block_delta', 'delta': dict()}:
                self._blocks.extend(event.get('index'), event['delta'])
                self._remember_delta(event)
            case {'type': 'content_block_start', 'content_block': dict()}:
                self._blocks.start_streamed(event.get('index'), event['content_block'])
            case {'type': 'content_block_stop'}:
                self._blocks.stop(event.get('index'))
            case {'type': 'message_start', 'message': dict()}:
                self._record_metadata(event['message'])
            case {'type': 'message_delta'}:
                delta: Json = event.get('delta') or {}
                self._record_metadata({**event, **delta})
                if delta.get('stop_reason'):
                    self._finish(delta['stop_reason'])
            case {'type': 'message_stop'}:
                self._record_usage(event.get('usage') or {})
                self._finish(None)
            case {'type': 'error'} | {'error': dict() | str()}:
                raise self.error_from(event)
            case _:
                pass

    def _remember_delta(self, event: Json) -> None:
        """Remember a delta of text, thinking or arguments: what follows is most often another one of its block."""
        index, parts = event.get('index'), self.draft.parts
        match event['delta']:
            case {'type': 'text_delta', 'text': str() as text} if text and parts.kind_of(index) == 'text':
                field = 'text'
            case {'type': 'thinking_delta', 'thinking': str() as text} if text and parts.kind_of(index) == 'thinking':
                field = 'thinking'
            case {'type': 'input_json_delta', 'partial_json': str() as text} if text and self._blocks.is_call(index):
                field = 'partial_json'
            case _:
                return
        self.repeats.remember(event, ('delta', field), parts.find_adder(index))

    def _finish(self, reason: str | None) -> None:
        """Complete the response, unless it was completed before."""
        draft = self.draft
        self._blocks.stop_all()
        draft.finish(reason, FINISH_REASONS | REASONS_OF_PROXIES)
        if draft.state == 'incomplete':
            draft.complete(is_paused=reason in PAUSED)

    def _record_metadata(self, message: Json) -> None:
        """Record the facts about the response. Gateways may know the model and the id only at the end of a stream."""
        draft, details = self.draft, self.draft.provider_details
        draft.model_name = message.get('model') or draft.model_name
        draft.provider_response_id = message.get('id') or draft.provider_response_id
        details.update({name: message[name] for name in DETAILS if message.get(name)})
        if container := message.get('container'):
            details['container_id'] = container.get('id')
        refusal: Json = message.get('stop_details') or {}
        if explanation := refusal.get('explanation'):
            details['refusal'] = explanation
        self._record_usage(get_object(message, 'usage'))

    def _record_usage(self, usage: Json) -> None:
        """Record counts. They are cumulative, so each replaces an earlier one of the same name.

        https://platform.claude.com/docs/en/build-with-claude/streaming. Servers that count the input at one end of a
        stream send zeros at the other (envoyproxy/ai-gateway#1631, sglang#20678): zeros alone replace no input.
        """
        if any(decode_count(usage.get(name)) for name in INPUT_COUNTS):
            self._usage = {
                name: count
                for name, count in self._usage.items()
                if name not in INPUT_COUNTS or usage.get(name) is None
            }
        self._usage = merge_usage(self._usage, usage)
        self.draft.usage = decode_usage(self._usage)
        details = {name: self._usage[name] for name in USAGE_DETAILS if name in self._usage}
        self.draft.provider_details |= details


def _list_blocks(body: Json) -> list[Json]:
    """Return the content as a list of blocks: proxies send a text alone, or null for no content."""
    match body:
        case {'content': str(text)}:
            return [{'type': 'text', 'text': text}]
        case {'content': None, 'type': 'message'}:
            return []
        case _:
            return body['content']  # type: ignore[no-any-return]  # for pyright
