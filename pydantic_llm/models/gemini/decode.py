"""Decodes the body of a response, or its chunks, into parts.

A chunk has the same fields as a whole body, so the same methods decode both. Start at `GeminiDecoder.decode` and
`decode_event`. Parts are in `decode_parts`, token counts in `decode_usage`.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, cast

from ...exceptions import UnexpectedModelBehavior
from ...json_types import Json, keep_objects
from ...messages import FinishReason
from ...streaming.broken_off import is_reason
from ...streaming.draft import ResponseDraft
from ...streaming.parts import LAST
from ...transport.errors import error_from_event
from ...wire.citations import add_response_citations
from ...wire.counts import decode_count, get_object, merge_usage
from ...wire.decoder import ResponseDecoder
from ...wire.logprobs import decode_logprobs
from ...wire.repeats import Repeats
from .decode_parts import PartsDecoder
from .decode_repeats import ChunkRepeats
from .decode_usage import decode_usage
from .native_tools import GROUNDING, URL_CONTEXT

FINISH_REASONS: dict[str, FinishReason] = {
    'STOP': 'stop',
    'MAX_TOKENS': 'length',
    'CONTINUATION': 'length',
    **dict.fromkeys('SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII MODEL_ARMOR'.split(), 'content_filter'),
    **dict.fromkeys('IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION'.split(), 'content_filter'),
    **dict.fromkeys('ESCALATION PUP_LIMITED_DISABLED'.split(), 'content_filter'),
    **dict.fromkeys('LANGUAGE MALFORMED_FUNCTION_CALL MALFORMED_RESPONSE NO_IMAGE IMAGE_OTHER'.split(), 'error'),
    **dict.fromkeys('MISSING_THOUGHT_SIGNATURE UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS'.split(), 'error'),
}
"""The API's finish reasons. A response with tool calls has `STOP` too.

https://ai.google.dev/api/generate-content#FinishReason
"""

CANDIDATE_DETAILS = {
    'safetyRatings': 'safety_ratings',
    'finishMessage': 'finish_message',
    'groundingMetadata': GROUNDING,
    'urlContextMetadata': URL_CONTEXT,
    'citationMetadata': 'citation_metadata',
    'logprobsResult': 'logprobs',
    'avgLogprobs': 'avg_logprobs',
}
"""Fields of a candidate that are kept, and their names in `provider_details`."""

INCREMENTAL_DETAILS = ('citationMetadata', 'logprobsResult')
"""Fields that each chunk has for its own text only. The other fields are for the whole response so far."""

PROMPT_DETAILS = {
    'blockReason': 'block_reason',
    'blockReasonMessage': 'block_reason_message',
    'safetyRatings': 'safety_ratings',
}
"""Fields of the feedback to a blocked prompt, and their names in `provider_details`."""

BODY_FIELDS = frozenset({'candidates', 'promptFeedback', 'error', 'usageMetadata', 'modelVersion'})
"""A response of this API has at least one of these fields."""


class GeminiDecoder(ResponseDecoder):
    """Decodes one response, whole or streamed."""

    def __init__(self, draft: ResponseDraft) -> None:
        super().__init__(draft)
        self._chunks = ChunkRepeats(draft.parts, self._record_counts)
        self.repeats: Repeats = self._chunks
        self._parts = PartsDecoder(draft)
        self._usage: Json = {}
        self._has_tool_parts = False
        self._has_page_metadata = False

    def decode(self, body: Json) -> None:
        """Decode a whole body. Servers that ignore `alt=sse` send the chunks of a stream as a list."""
        draft, decoded = self.draft, cast('Any', body)
        chunks = cast('list[Json]', decoded) if isinstance(decoded, list) else [body]
        if not any(chunk.keys() & BODY_FIELDS for chunk in chunks):
            raise UnexpectedModelBehavior(f'The response of {draft.provider_name} has no candidates', str(body)[:2000])
        for chunk in chunks:
            self.decode_event(chunk)
        if any(chunk.get('candidates') for chunk in chunks):
            draft.complete()
        self.decode_end()
        draft.parts.end()

    def decode_event(self, event: Json) -> None:
        """Decode one chunk. The chunk with a finish reason completes the response."""
        draft = self.draft
        if 'error' in event:
            raise error_from_event(event, model_name=draft.model_name, provider_name=draft.provider_name)
        self._record_metadata(event)
        self._record_prompt_feedback(event.get('promptFeedback') or {})
        candidates: list[Json] = event.get('candidates') or []
        if first := next((candidate for candidate in candidates if not candidate.get('index')), None):
            self._decode_candidate(first)
        self._chunks.remember_chunk(event, self._usage)

    def decode_end(self) -> None:
        """Add the searches that only the metadata of the response reports.

        Models before Gemini 3 and Vertex AI have no parts for them: recordings
        `gemini__test_google_model_file_search_tool__3_025ba3` and
        `vertex__test_google_vertex_tool_combination_omits_include_server_side_tool_inv__1_113920`.
        """
        add_response_citations(self.draft)  # before another part ends the text
        metadata = get_object(self.draft.provider_details, GROUNDING)
        if self._has_tool_parts or not metadata:
            return
        if found := _find_chunks(metadata, 'retrievedContext'):
            self._parts.add_native_tool('file_search', {}, found, GROUNDING)
        if found := _find_chunks(metadata, 'maps'):
            self._parts.add_native_tool('google_maps', {}, found, GROUNDING)
        if queries := metadata.get('webSearchQueries'):
            self._parts.add_native_tool('web_search', {'queries': queries}, _find_chunks(metadata, 'web'), GROUNDING)

    # ---------------------------------------------------------------------- facts about the response

    def _record_metadata(self, event: Json) -> None:
        draft = self.draft
        draft.model_name = event.get('modelVersion') or draft.model_name
        draft.provider_response_id = event.get('responseId') or draft.provider_response_id
        if (created := event.get('createTime')) and draft.timestamp is None:
            with suppress(TypeError, ValueError):
                draft.timestamp = datetime.fromisoformat(created)
        if usage := get_object(event, 'usageMetadata'):
            self._usage = usage if _is_complete(usage) else merge_usage(self._usage, usage)
            draft.usage = decode_usage(self._usage)
            if traffic := usage.get('trafficType'):
                draft.provider_details['traffic_type'] = traffic

    def _record_counts(self, usage: Json) -> None:
        """Record the usage of a chunk that has the counts of all chunks before it. It is decoded when it is read."""
        self._usage = usage
        self.draft.decode_usage_late(partial(decode_usage, usage))

    def _record_prompt_feedback(self, feedback: Json) -> None:
        """Complete the response if the prompt was blocked: then there are no candidates.

        Recording `vertex__test_google_model_armor_prompt_template_text_gets_blocked__1_1f74ac`.
        """
        if feedback.get('blockReason'):
            details = {name: feedback[wire] for wire, name in PROMPT_DETAILS.items() if feedback.get(wire)}
            self.draft.provider_details |= details
            self.draft.finish_reason, self.draft.state = 'content_filter', 'complete'

    def _record_details(self, candidate: Json) -> None:
        details = self.draft.provider_details
        for wire, name in CANDIDATE_DETAILS.items():
            if value := candidate.get(wire):
                if wire in INCREMENTAL_DETAILS and isinstance(value, dict):
                    self.draft.extend_detail(name, cast('Json', value))
                else:
                    details[name] = value

    # ---------------------------------------------------------------------- content

    def _decode_candidate(self, candidate: Json) -> None:
        self._record_details(candidate)
        content: Json = candidate.get('content') or {}
        parts: list[Json] = content.get('parts') or []
        self._has_tool_parts |= any('toolCall' in part or 'toolResponse' in part for part in parts)
        self._decode_page_metadata(get_object(candidate, 'urlContextMetadata'))
        self.draft.parts.logprobs(LAST, decode_logprobs(candidate.get('logprobsResult')))
        self._parts.decode(parts)
        self._parts.fill_file_searches(_find_chunks(get_object(candidate, 'groundingMetadata'), 'retrievedContext'))
        if is_reason(reason := candidate.get('finishReason')):
            self.draft.finish(reason, FINISH_REASONS)
            self.draft.complete()

    def _decode_page_metadata(self, metadata: Json) -> None:
        """Add the pages that the model read, before the text that uses them, if only metadata reports them.

        Recording `gemini__test_google_model_web_fetch_tool_stream__0_b7764d`.
        """
        pages = keep_objects(metadata.get('urlMetadata'))
        if pages and not self._has_tool_parts and not self._has_page_metadata:
            self._has_page_metadata = True
            urls = [page.get('retrievedUrl') for page in pages]
            self._parts.add_native_tool('web_fetch', {'urls': urls}, pages, URL_CONTEXT)


def _find_chunks(metadata: Json, kind: str) -> list[Json]:
    """Return the search results of one kind: `'web'`, `'maps'` or `'retrievedContext'`."""
    return keep_objects([chunk.get(kind) for chunk in keep_objects(metadata.get('groundingChunks'))])


def _is_complete(usage: Json) -> bool:
    """Return whether the total is the sum of the counts that an event has: then it repeats none of an earlier event.

    Recording gemini__test_native_output_with_builtin_tools_stream__0_660040: the last event has no candidates.
    """
    counts = ('promptTokenCount', 'toolUsePromptTokenCount', 'candidatesTokenCount', 'thoughtsTokenCount')
    total = decode_count(usage.get('totalTokenCount'))
    return bool(total) and total == sum(decode_count(usage.get(name)) for name in counts)
