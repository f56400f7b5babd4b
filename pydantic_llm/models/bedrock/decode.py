"""Decodes the body of a response, or the events of a stream, into parts.

A whole body is decoded like a stream that arrives at once. Blocks are in `decode_blocks`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...json_types import Json
from ...messages import FinishReason
from ...streaming.draft import ResponseDraft
from ...usage import RequestUsage
from ...wire.counts import decode_count, get_object, select_counts
from ...wire.decoder import ResponseDecoder
from .decode_blocks import BlockDecoder

REQUEST_ID_HEADER = 'x-amzn-requestid'
"""The header with the id of the response, which the body does not have."""

FINISH_REASONS: dict[str, FinishReason] = {
    'end_turn': 'stop',
    'stop_sequence': 'stop',
    'max_tokens': 'length',
    'model_context_window_exceeded': 'length',
    'tool_use': 'tool_call',
    'content_filtered': 'content_filter',
    'guardrail_intervened': 'content_filter',
    'malformed_model_output': 'error',
    'malformed_tool_use': 'error',
}
"""The API's values of `stopReason`."""

EXCEPTIONS: dict[str, int] = {
    'validationException': 400,
    'accessDeniedException': 403,
    'resourceNotFoundException': 404,
    'modelTimeoutException': 408,
    'modelErrorException': 424,
    'modelStreamErrorException': 424,
    'throttlingException': 429,
    'modelNotReadyException': 429,
    'internalServerException': 500,
    'serviceUnavailableException': 503,
}
"""The error events of a stream -> the HTTP statuses of the same errors.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html"""

RETRYABLE_EXCEPTION = 'modelStreamErrorException'
"""The vendor documents that this request can be retried, though its status 424 is otherwise final.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html"""

DETAILS: dict[str, str] = {
    'additionalModelResponseFields': 'additional_model_response_fields',
    'performanceConfig': 'performance_config',
    'serviceTier': 'service_tier',
    'trace': 'trace',
}
"""Fields of a response that are kept unchanged -> their keys in `provider_details`."""

COUNTS = ('inputTokens', 'outputTokens', 'cacheReadInputTokens', 'cacheWriteInputTokens')

HOUR_TOKENS = 'ephemeral_1h_input_tokens'
"""The key in `RequestUsage.details` of the tokens that were cached for an hour; Anthropic's name for them."""


PADDING = ('p',)
"""The field with random characters that hides the length of an event from observers of its encrypted size."""


class BedrockDecoder(ResponseDecoder):
    """Decodes one response into a draft."""

    def __init__(self, draft: ResponseDraft) -> None:
        super().__init__(draft)
        self._blocks = BlockDecoder(draft)

    def decode_headers(self, headers: Mapping[str, str]) -> None:
        self.draft.provider_response_id = headers.get(REQUEST_ID_HEADER)

    def decode(self, body: Json) -> None:
        for index, block in enumerate(body['output']['message']['content']):
            self._blocks.decode(index, block)
        self._record_end(body)
        self.draft.parts.end()

    def decode_event(self, event: Json) -> None:
        """Decode one event. `messageStop` completes the response, `metadata` follows it; unknown events are skipped."""
        match event:
            case {'contentBlockDelta': {'contentBlockIndex': index, 'delta': delta}}:
                self._blocks.extend(index, delta)
                self._remember_delta(event, index, delta)
            case {'contentBlockStart': {'contentBlockIndex': index, 'start': start}}:
                self._blocks.start(index, start)
            case {'contentBlockStop': {'contentBlockIndex': index}}:
                self._blocks.stop(index)
            case {'messageStop': stop}:
                self._record_end(stop)
            case {'metadata': metadata}:
                self._record_metadata(metadata)
            case {'error': _}:
                raise self.error_from(event)
            case _:
                self._raise_exception(event)

    def _remember_delta(self, event: Json, index: int, delta: Json) -> None:
        """Remember a delta of text, thinking or arguments: what follows is most often another one of its block."""
        path: tuple[str, ...]
        match delta:
            case {'text': str() as text, **rest} if text and not rest:
                path, key = ('text',), (index, 'text')
            case {'reasoningContent': {'text': str() as text, **others}, **rest} if text and not (others or rest):
                path, key = ('reasoningContent', 'text'), (index, 'thinking')
            case {'toolUse': {'input': str() as text, **others}, **rest} if text and not (others or rest):
                path, key = ('toolUse', 'input'), (index, 'call')
            case _:
                return
        if self.draft.parts.kind_of(key) is not None:
            add = self.draft.parts.find_adder(key)
            self.repeats.remember(event, ('contentBlockDelta', 'delta', *path), add, unread=PADDING)

    def _record_end(self, message: Json) -> None:
        self._blocks.stop_all()
        self._record_metadata(message)
        self.draft.finish(message.get('stopReason'), FINISH_REASONS)
        self.draft.complete()

    def _record_metadata(self, message: Json) -> None:
        details = self.draft.provider_details
        details.update({key: message[name] for name, key in DETAILS.items() if message.get(name)})
        metrics: Json = message.get('metrics') or {}
        if latency := metrics.get('latencyMs'):
            details['latency_ms'] = latency
        if usage := get_object(message, 'usage'):
            self.draft.usage = decode_usage(usage)

    def _raise_exception(self, event: Json) -> None:
        """Raise the error that an event of `EXCEPTIONS` reports. Other events are skipped."""
        for name, status in EXCEPTIONS.items():
            if name in event:
                error = self.error_from({'error': {'type': name, 'status_code': status, **event[name]}})
                error.retryable = error.retryable or name == RETRYABLE_EXCEPTION
                raise error


def decode_usage(usage: Json) -> RequestUsage:
    """Decode token counts. `inputTokens` excludes the tokens read from and written to the cache.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
    """
    input, output, read, write = (decode_count(usage.get(name)) for name in COUNTS)
    cached: list[Json] = usage.get('cacheDetails') or []
    hour = sum(decode_count(detail.get('inputTokens')) for detail in cached if detail.get('ttl') == '1h')
    details = {HOUR_TOKENS: hour, **select_counts(get_object(usage, 'serverToolUsage'))}
    return RequestUsage(
        input_tokens=input + read + write,
        cache_read_tokens=read,
        cache_write_tokens=write,
        output_tokens=output,
        details={name: count for name, count in details.items() if count},
    )
