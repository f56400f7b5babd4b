"""The body of a response, or its events → parts.

A whole answer's items are read by `finish_item` (in `decode_items`), which is also what ends an item of a stream:
there it adds what the deltas have not told. Start at `decode` or `decode_event`.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from ....exceptions import UnexpectedModelBehavior
from ....json_types import Json
from ....messages import FinishReason
from ....profiles.openai import OpenAIModelProfile
from ....streaming.draft import ResponseDraft
from ....transport.errors import error_from_event
from ....usage import RequestUsage
from ..content_filter import decode_content_filter_error
from .decode_items import REUSES_CALL_IDS, add_text, add_thoughts, annotate, finish_item, refuse, start_item
from .native_items import show_partial_image

FINISH_REASONS: dict[str, FinishReason] = {
    'completed': 'stop',
    'max_output_tokens': 'length',
    'content_filter': 'content_filter',
    'failed': 'error',
    'cancelled': 'error',
}
"""The API's words for the end: the reason why an answer is incomplete, else its status."""

UNFINISHED = frozenset({'queued', 'in_progress'})
"""The statuses of an answer that is worked on in the background."""

DETAILS = ('service_tier', 'moderation', 'conversation', 'background', 'content_filters', 'input_transformations')
"""Fields of the body that are kept as they are, where they say anything."""

USAGE_DETAILS = ('cost', 'is_byok')
"""Fields of the usage that count no tokens (OpenRouter's)."""


def decode(body: Json, draft: ResponseDraft, profile: OpenAIModelProfile) -> None:
    """Read a whole answer. One that is worked on in the background stays incomplete."""
    if not body.get('error') and not isinstance(body.get('output'), list):
        raise UnexpectedModelBehavior(f'The answer of {draft.provider_name} holds no output', str(body)[:2000])
    draft.scratch[REUSES_CALL_IDS] = profile.openai_reuses_call_ids
    _end(body, draft)
    draft.parts.end(complete=draft.state == 'complete')


def decode_event(event: Json, draft: ResponseDraft, profile: OpenAIModelProfile) -> None:
    """Read one event. `response.completed`, `.incomplete` and `.failed` complete the answer."""
    match event:
        case {'item_id': str(), 'type': str()}:
            _grow(event, draft)
        case {'type': 'response.output_item.added', 'item': dict()}:
            start_item(event['item'], draft)
        case {'type': 'response.output_item.done', 'item': dict()}:
            finish_item(event['item'], draft)
            draft.scratch.setdefault('done', set()).update((event.get('output_index'), event['item'].get('id')))
        case {'type': 'response.completed' | 'response.incomplete' | 'response.failed', 'response': dict()}:
            _end(event['response'], draft)
        case {'response': dict()}:
            draft.scratch[REUSES_CALL_IDS] = profile.openai_reuses_call_ids
            _facts(event['response'], draft)
        case {'type': 'error'} | {'error': dict()}:
            _fail(event, draft)
        case _:
            pass


def _grow(event: Json, draft: ResponseDraft) -> None:
    """Something is added to an item."""
    match event:
        case {'type': 'response.output_text.delta', 'item_id': id, 'content_index': index, 'delta': delta}:
            add_text((id, index), id, delta, draft)
        case {'type': 'response.function_call_arguments.delta' | 'response.mcp_call_arguments.delta', 'item_id': id}:
            draft.parts.tool_call(id, args=event['delta'])
        case {'type': 'response.reasoning_summary_text.delta', 'item_id': id, 'summary_index': index}:
            add_thoughts(id, ('summary', index), event['delta'], draft)
        case {'type': 'response.reasoning_text.delta', 'item_id': id}:
            add_thoughts(id, ('raw', event.get('content_index', 0)), event['delta'], draft)
        case {'type': 'response.code_interpreter_call_code.delta', 'item_id': id, 'delta': delta}:
            draft.parts.tool_call(id, args=to_json(delta).decode()[1:-1])
        case {'type': 'response.output_text.annotation.added', 'item_id': id, 'content_index': index}:
            annotate((id, index), event['annotation'], draft)
        case {'type': 'response.refusal.delta', 'delta': delta}:
            refuse(delta, draft)
        case {'type': 'response.image_generation_call.partial_image'}:
            show_partial_image(event, draft)
        case _:
            pass


def decode_usage(usage: Json) -> RequestUsage:
    """The tokens; cached ones are part of the input's."""
    read: Json = usage.get('input_tokens_details') or {}
    written: Json = usage.get('output_tokens_details') or {}
    return RequestUsage(
        input_tokens=usage.get('input_tokens') or 0,
        output_tokens=usage.get('output_tokens') or 0,
        cache_read_tokens=read.get('cached_tokens') or 0,
        cache_write_tokens=read.get('cache_write_tokens') or 0,
        details={name: count for name, count in written.items() if isinstance(count, int) and count},
    )


# ---------------------------------------------------------------------- the answer as a whole


def _facts(response: Json, draft: ResponseDraft) -> None:
    draft.model_name = response.get('model') or draft.model_name
    draft.provider_response_id = response.get('id') or draft.provider_response_id
    draft.record_time(response.get('created_at'))
    details = draft.provider_details
    usage: Json | None = response.get('usage')
    if usage:
        draft.usage = decode_usage(usage)
        costs: Json = usage.get('cost_details') or {}
        kept = {name: usage.get(name) for name in USAGE_DETAILS} | costs
        details.update({name: value for name, value in kept.items() if value is not None})
    details.update({name: response[name] for name in DETAILS if response.get(name)})
    if response.get('store') is False:
        details['store'] = False


def _fail(said: Json, draft: ResponseDraft) -> None:
    """Raise an error, but for one that says that a content filter held the answer back."""
    if not decode_content_filter_error(said, draft):
        raise error_from_event(said, model_name=draft.model_name, provider_name=draft.provider_name)


def _end(response: Json, draft: ResponseDraft) -> None:
    """Take in what the whole answer says, and the items that no event has finished."""
    if response.get('error'):
        _fail(response, draft)
        _facts(response, draft)
        return
    done: set[Any] = draft.scratch.get('done', set())
    _facts(response, draft)
    for index, item in enumerate(response.get('output') or ()):
        if index not in done and (item.get('id') or index) not in done:
            finish_item(item, draft)
    reason: Json = response.get('incomplete_details') or {}
    status = response.get('status') or 'completed'
    draft.finish(reason.get('reason') or status, FINISH_REASONS)
    if draft.scratch.get('refused'):
        draft.finish_reason = 'content_filter'
    if status not in UNFINISHED:
        draft.state = 'complete'
