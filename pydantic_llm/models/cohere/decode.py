"""Decodes a chat response, or the events of a stream, into parts, with the same methods."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, cast

from ...json_types import Json
from ...messages import FinishReason
from ...streaming.draft import ResponseDraft
from ...streaming.tool_calls import ToolCallAssembler
from ...usage import RequestUsage
from ...wire.counts import decode_count, get_object, reconcile
from ...wire.decoder import ResponseDecoder
from ...wire.logprobs import decode_logprobs

FINISH_REASONS: dict[str, FinishReason] = {
    'COMPLETE': 'stop',
    'STOP_SEQUENCE': 'stop',
    'MAX_TOKENS': 'length',
    'TOOL_CALL': 'tool_call',
    'ERROR': 'error',
    'TIMEOUT': 'error',
}
"""The API's finish reasons -> ours."""

ERROR_STATUSES = {'TIMEOUT': 504}
"""Finish reasons of a failure -> the HTTP status of its error; 500 for the others."""

PLAN: Final = 'tool_plan'
"""The field for the model's plan of its tool calls. The plan becomes a thinking part with this id.
Recording: cohere__test_tool_choice_matrix_list_single-cohere__0_459062"""

CITED_KINDS = {'THINKING_CONTENT': 'thinking', 'PLAN': PLAN}
"""Types of citations -> what they refer to; other types refer to text."""

BILLED = 'billed_'
"""The prefix of billed counts in `RequestUsage.details`. They are smaller than the tokens that the model reads."""


class CohereDecoder(ResponseDecoder):
    """Decodes one chat response."""

    def __init__(self, draft: ResponseDraft) -> None:
        super().__init__(draft)
        self._last_keys: dict[str, Hashable] = {}  # 'text' or 'thinking' -> the key of its last part
        self._calls = ToolCallAssembler(draft.parts, draft.tool_names)

    def decode(self, body: Json) -> None:
        draft, message = self.draft, body['message']
        if isinstance(message, str):
            raise self.error_from(body)
        draft.provider_response_id = body.get('id') or draft.provider_response_id
        for item in body.get('logprobs') or ():
            self._record_logprobs(None, item)
        self.decode_message(message)
        self._record_end(body)
        self._calls.finish()
        draft.parts.end()

    def decode_event(self, event: Json) -> None:
        """Decode one event. `message-end` completes the response; unknown events are skipped."""
        draft = self.draft
        match event:
            case {'type': 'content-delta' | 'content-start', 'delta': {'message': {'content': dict()}}}:
                self._record_logprobs(event.get('index'), event.get('logprobs'))
                self._decode_block(event.get('index'), event['delta']['message']['content'])
                self._remember_delta(event, event['delta']['message']['content'])
            case {'type': 'content-end'}:
                self._close_block(event.get('index'))
            case {'type': 'tool-plan-delta', 'delta': {'message': {'tool_plan': plan}}}:
                self._add_thinking(PLAN, plan, id=PLAN)
            case {'type': 'tool-call-delta' | 'tool-call-start', 'delta': {'message': {'tool_calls': calls}}}:
                self._decode_tool_calls(event.get('index'), calls)
                self._remember_args(event, calls)
            case {'type': 'tool-call-end'}:
                self._calls.close(event.get('index'))
            case {'type': 'citation-start', 'delta': {'message': {'citations': citations}}}:
                for citation in _as_list(citations):
                    self._decode_citation(citation)
            case {'type': 'message-start' | 'message-end' as type}:
                draft.provider_response_id = event.get('id') or draft.provider_response_id
                if type == 'message-end':
                    self._record_end(event.get('delta') or {})
            case {'type': 'debug', 'prompt': str() as prompt}:
                draft.provider_details['prompt'] = prompt
            case {'message': str()} if 'type' not in event:
                raise self.error_from(event)
            case _:
                pass

    def decode_end(self) -> None:
        self._calls.finish()

    def _record_end(self, end: Json) -> None:
        """Record the finish reason and the usage. Raises the error if the response has one."""
        draft = self.draft
        reason: str | None = end.get('finish_reason')
        if end.get('error'):
            raise self.error_from({**end, 'status_code': ERROR_STATUSES.get(reason or '', 500)})
        draft.finish(reason, FINISH_REASONS)
        if usage := get_object(end, 'usage'):
            draft.usage = decode_usage(usage)
        draft.complete()

    def _record_logprobs(self, index: int | None, item: Json | None) -> None:
        if item:
            self.draft.provider_details.setdefault('logprobs', []).append(item)
            self.draft.parts.logprobs(('text', index), decode_logprobs(item))

    def decode_message(self, message: Json) -> None:
        """Decode a whole message of the assistant, of a response or of the history in a request."""
        if plan := message.get('tool_plan'):
            self._add_thinking(PLAN, plan, id=PLAN)
        content: Any = message.get('content') or ()
        blocks = [{'text': content}] if isinstance(content, str) else content
        for index, block in enumerate(blocks):
            self._decode_block(index, block)
        calls: list[Json] = message.get('tool_calls') or []
        for index, call in enumerate(calls):
            self._decode_tool_calls(index, call)
        for citation in message.get('citations') or ():
            self._decode_citation(citation)

    def _decode_block(self, index: int | None, block: Json) -> None:
        """Decode a block, or a delta of one. A block may contain thinking and text; other types are skipped."""
        if (thinking := block.get('thinking')) is not None:
            key = self._last_keys['thinking'] = ('thinking', index)
            self._add_thinking(key, thinking)
        if (text := block.get('text')) is not None:
            key = self._last_keys['text'] = ('text', index)
            self.draft.parts.text(key, text)

    def _remember_delta(self, event: Json, block: Json) -> None:
        """Remember an event that only adds text or thinking: what follows is most often another one of the block."""
        fields = [name for name in ('thinking', 'text') if block.get(name) is not None]
        if len(fields) == 1 and block[name := fields[0]] and not event.get('logprobs'):
            add = self.draft.parts.find_adder((name, event.get('index')))
            self.repeats.remember(event, ('delta', 'message', 'content', name), add)

    def _remember_args(self, event: Json, call: Any) -> None:
        """Remember an event that only adds to the arguments of a tool call."""
        match call:
            case {'function': {'arguments': str() as args, **function}} if args and not function.get('name'):
                add = self._calls.find_adder(index=event.get('index'), id=call.get('id') or None)
                path = ('delta', 'message', 'tool_calls', 'function', 'arguments')
                self.repeats.remember(event, path, add)
            case _:
                pass

    def _close_block(self, index: int | None) -> None:
        for kind in ('thinking', 'text'):
            self.draft.parts.close((kind, index))

    def _add_thinking(self, key: Hashable, thinking: str, **fields: Any) -> None:
        """Add thinking. `fields` are set if it starts a part."""
        is_new = self.draft.parts.kind_of(key) is None and thinking != ''
        fields = {'provider_name': self.draft.provider_name, **fields} if is_new else {}
        self.draft.parts.thinking(key, thinking, **fields)

    def _decode_tool_calls(self, index: int | None, calls: Any) -> None:
        """Decode a tool call or a fragment of one. Some servers send a list with the one tool call."""
        for call in _as_list(calls):
            function: Json = call.get('function') or {}
            self._calls.feed(
                index=index,
                id=call.get('id') or None,
                name=function.get('name') or None,
                args=function.get('arguments'),
            )

    def _decode_citation(self, citation: Json) -> None:
        """Add a citation to the part that it refers to, or to the response if there is no such part."""
        parts, key = self.draft.parts, self._find_cited_part(citation)
        if key is None:
            self.draft.provider_details.setdefault('citations', []).append(citation)
            return
        parts.add_to_details(key, 'citations', [citation], provider_name=self.draft.provider_name)

    def _find_cited_part(self, citation: Json) -> Hashable | None:
        """Return the key of the cited part: the named block, or else the last of its kind; None if both have ended."""
        kind = CITED_KINDS.get(citation.get('type', ''), 'text')
        keys = [PLAN] if kind == PLAN else [(kind, citation.get('content_index')), self._last_keys.get(kind)]
        return next((key for key in keys if self.draft.parts.kind_of(key) is not None), None)


def decode_usage(usage: Json) -> RequestUsage:
    """Decode token counts, which are floats; cached tokens are part of the input. Billed counts are used if alone."""
    billed = get_object(usage, 'billed_units')
    tokens = get_object(usage, 'tokens') or billed
    details = {f'{BILLED}{name}': decode_count(count) for name, count in billed.items()}
    input, output = reconcile(
        decode_count(tokens.get('input_tokens')),
        decode_count(tokens.get('output_tokens')),
        cached=decode_count(usage.get('cached_tokens')),
    )
    return RequestUsage(
        input_tokens=input,
        output_tokens=output,
        cache_read_tokens=decode_count(usage.get('cached_tokens')),
        details={name: count for name, count in details.items() if count},
    )


def _as_list(value: Any) -> list[Json]:
    return cast('list[Json]', value) if isinstance(value, list) else [value]
