"""Decodes a response of the Responses API, or its events, into parts.

`ItemDecoder.finish` (in `decode_items`) decodes a whole item. It also ends an item of a stream: there it adds only what
the item's deltas did not contain. Start at `ResponsesDecoder.decode` and `decode_event`.
"""

from __future__ import annotations

from ....exceptions import UnexpectedModelBehavior
from ....json_types import Json
from ....messages import FinishReason
from ....profiles.openai import OpenAIModelProfile
from ....streaming.draft import ResponseDraft
from ....transport.errors import error_from_event
from ....wire.counts import get_object
from ....wire.decoder import ResponseDecoder
from ..content_filter import decode_content_filter_error
from ..decode_usage import UsageDecoder
from .compaction import list_output
from .decode_items import ItemDecoder

FINISH_REASONS: dict[str, FinishReason] = {
    'completed': 'stop',
    'max_output_tokens': 'length',
    'content_filter': 'content_filter',
    'failed': 'error',
    'cancelled': 'error',
}
"""The API's finish reasons: the `reason` of an incomplete response, otherwise its `status`."""

UNFINISHED = frozenset({'queued', 'in_progress', 'incomplete'})
"""Statuses of a response that the API still generates in the background, or truncated without giving a reason."""

LAST_EVENTS = {
    'response.completed': 'completed',
    'response.incomplete': 'incomplete',
    'response.failed': 'failed',
    'response.cancelled': 'cancelled',
    'response.done': 'completed',  # the name in the Realtime API, which proxies also send
}
"""Types of the events that end a response -> its status, if the response in them has none."""

DETAILS = ('service_tier', 'moderation', 'conversation', 'background', 'content_filters', 'input_transformations')
"""Fields of the body that are kept unchanged, if they are not empty."""


class ResponsesDecoder(ResponseDecoder):
    """Decodes one response of the Responses API."""

    def __init__(self, draft: ResponseDraft, profile: OpenAIModelProfile) -> None:
        super().__init__(draft)
        self._usage = UsageDecoder(draft, hides_thinking=profile.openai_hides_thinking_tokens)
        self._items = ItemDecoder(draft, self.repeats, reuses_tool_call_ids=profile.openai_reuses_call_ids)

    def decode(self, body: Json) -> None:
        """Decode a whole body. A response that is still generated in the background stays incomplete."""
        draft = self.draft
        if not body.get('error') and not isinstance(body.get('output'), list):
            raise UnexpectedModelBehavior(f'The answer of {draft.provider_name} holds no output', str(body)[:2000])
        self._decode_response(body)
        draft.parts.end(complete=draft.has_ended)

    def decode_event(self, event: Json) -> None:
        """Decode one event. `response.completed`, `.incomplete` and `.failed` complete the response."""
        match event:
            case {'type': str(), 'delta': _}:
                self._items.extend(event)
            case {'type': 'response.output_item.added', 'item': dict()}:
                self._items.start(event['item'], event.get('output_index'))
            case {'type': 'response.output_item.done', 'item': dict()}:
                self._items.finish(event['item'], event.get('output_index'))
            case {'type': str() as type} if type in LAST_EVENTS:
                # LiteLLM's proxy has sent the fields of the response in the event itself: litellm#22102
                response = get_object(event, 'response') or {**event, 'id': None}
                self._decode_response({**response, 'status': response.get('status') or LAST_EVENTS[type]})
            case {'response': dict()}:
                self._record_metadata(event['response'])
            case {'type': 'error'} | {'error': dict()}:
                self._decode_error(event)
            case {'type': str()}:
                self._items.extend(event)
            case _:
                pass

    def decode_done(self) -> None:
        """Complete a response whose last event is missing: `[DONE]` is an end too, without a finish reason."""
        if 'finish_reason' not in self.draft.provider_details:
            self.draft.complete()

    def _decode_response(self, response: Json) -> None:
        """Decode a whole response: its metadata, and the items that no event has finished."""
        draft = self.draft
        if response.get('error'):
            self._decode_error(response)
            self._record_metadata(response)
            return
        self._record_metadata(response)
        self._items.finish_all(list_output(response))
        reason: Json = response.get('incomplete_details') or {}
        status = response.get('status')
        # some servers forward that the model wants to be inferenced again: openai/codex#19610, pi#7689
        is_paused = status == 'completed' and response.get('end_turn') is False
        draft.finish(reason.get('reason') or status, {} if is_paused else FINISH_REASONS)
        if self._items.has_refusal:
            draft.finish_reason = 'content_filter'
        if reason.get('reason') or status not in UNFINISHED:
            draft.complete(is_paused=is_paused)

    def _record_metadata(self, response: Json) -> None:
        draft = self.draft
        draft.model_name = response.get('model') or draft.model_name
        draft.provider_response_id = response.get('id') or draft.provider_response_id
        draft.record_time(response.get('created_at'))
        details = draft.provider_details
        self._usage.record(response)
        details.update({name: response[name] for name in DETAILS if response.get(name)})
        if response.get('store') is False:
            details['store'] = False

    def _decode_error(self, body: Json) -> None:
        """Raise the error, unless it reports that a content filter blocked the response: that completes the draft."""
        draft = self.draft
        if not decode_content_filter_error(body, draft):
            raise error_from_event(body, model_name=draft.model_name, provider_name=draft.provider_name)
