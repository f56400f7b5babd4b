"""The body of a chat response, or the events of a stream → parts.

A whole answer's message is read by the functions that read the events of a stream. Start at `decode` or `decode_event`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, cast

from ...json_types import Json
from ...messages import FinishReason
from ...streaming.draft import ResponseDraft
from ...transport.errors import error_from_event
from ...usage import RequestUsage

FINISH_REASONS: dict[str, FinishReason] = {
    'COMPLETE': 'stop',
    'STOP_SEQUENCE': 'stop',
    'MAX_TOKENS': 'length',
    'TOOL_CALL': 'tool_call',
    'ERROR': 'error',
    'TIMEOUT': 'error',
}
"""The API's words for the end."""

STATUSES = {'TIMEOUT': 504}
"""The status that stands for a failure inside a stream, by the word for the end; 500 for the others."""

PLAN: Final = 'tool_plan'
"""The field in which a model says what it will do with its tools: thoughts, with this as the id of their part."""

KINDS = {'THINKING_CONTENT': 'thinking', 'PLAN': PLAN}
"""What a citation speaks of, by its type; of text where it says nothing else."""

BILLED = 'billed_'
"""What the names of the counts on the bill begin with, in `RequestUsage.details`: the model reads more than is paid."""

# ---------------------------------------------------------------------- the answer


def decode(body: Json, draft: ResponseDraft) -> None:
    """Read a whole answer."""
    message = body['message']
    if isinstance(message, str):
        raise error_from_event(body, model_name=draft.model_name, provider_name=draft.provider_name)
    draft.provider_response_id = body.get('id') or draft.provider_response_id
    decode_message(message, draft)
    for item in body.get('logprobs') or ():
        _logprobs(item, draft)
    _end(body, draft)
    draft.parts.end()


def decode_event(event: Json, draft: ResponseDraft) -> None:
    """Read one event. `message-end` completes the answer; events that are not known are passed over."""
    match event:
        case {'type': 'content-delta' | 'content-start', 'delta': {'message': {'content': dict()}}}:
            extend_content(event.get('index'), event['delta']['message']['content'], draft)
            _logprobs(event.get('logprobs'), draft)
        case {'type': 'content-end'}:
            close_content(event.get('index'), draft)
        case {'type': 'tool-plan-delta', 'delta': {'message': {'tool_plan': plan}}}:
            extend_plan(plan, draft)
        case {'type': 'tool-call-delta' | 'tool-call-start', 'delta': {'message': {'tool_calls': calls}}}:
            extend_calls(event.get('index'), calls, draft)
        case {'type': 'tool-call-end'}:
            draft.parts.close(('call', event.get('index')))
        case {'type': 'citation-start', 'delta': {'message': {'citations': citation}}}:
            for each in _each(citation):
                add_citation(each, draft)
        case {'type': 'message-start'}:
            draft.provider_response_id = event.get('id') or draft.provider_response_id
        case {'type': 'message-end'}:
            draft.provider_response_id = event.get('id') or draft.provider_response_id
            _end(event.get('delta') or {}, draft)
        case {'type': 'debug', 'prompt': str() as prompt}:
            draft.provider_details['prompt'] = prompt
        case {'message': str()} if 'type' not in event:
            raise error_from_event(event, model_name=draft.model_name, provider_name=draft.provider_name)
        case _:
            pass


def _end(said: Json, draft: ResponseDraft) -> None:
    """The end: why, and what was used. A failure that is explained is an error."""
    reason: str | None = said.get('finish_reason')
    if said.get('error'):
        failure = {**said, 'status_code': STATUSES.get(reason or '', 500)}
        raise error_from_event(failure, model_name=draft.model_name, provider_name=draft.provider_name)
    draft.finish(reason, FINISH_REASONS)
    if usage := said.get('usage'):
        draft.usage = decode_usage(usage)
    draft.state = 'complete'


def decode_usage(usage: Json) -> RequestUsage:
    """The tokens; cached ones are part of the input's. Where only the bill is known, it must do."""
    billed: Json = usage.get('billed_units') or {}
    tokens: Json = usage.get('tokens') or billed
    details = {f'{BILLED}{name}': _count(count) for name, count in billed.items() if isinstance(count, int | float)}
    return RequestUsage(
        input_tokens=_count(tokens.get('input_tokens')),
        output_tokens=_count(tokens.get('output_tokens')),
        cache_read_tokens=_count(usage.get('cached_tokens')),
        details={name: count for name, count in details.items() if count},
    )


def _count(count: Any) -> Any:
    """A number of tokens, which may be written as `37.0`."""
    return int(count) if isinstance(count, float) else count or 0


def _logprobs(item: Json | None, draft: ResponseDraft) -> None:
    if item:
        draft.provider_details.setdefault('logprobs', []).append(item)


# ---------------------------------------------------------------------- parts


def decode_message(message: Json, draft: ResponseDraft) -> None:
    """Read a whole message of the assistant's, also one that comes back as history."""
    if plan := message.get('tool_plan'):
        extend_plan(plan, draft)
    content: Any = message.get('content') or ()
    blocks = [{'text': content}] if isinstance(content, str) else content
    for index, block in enumerate(blocks):
        extend_content(index, block, draft)
    calls: list[Json] = message.get('tool_calls') or []
    for index, call in enumerate(calls):
        extend_calls(index, call, draft)
    for citation in message.get('citations') or ():
        add_citation(citation, draft)


def extend_content(index: int | None, block: Json, draft: ResponseDraft) -> None:
    """Add to the part of a block, whose number may hold thoughts and text; blocks of other kinds are passed over."""
    if (thoughts := block.get('thinking')) is not None:
        _think(_key('thinking', index, draft), thoughts, draft)
    if (text := block.get('text')) is not None:
        draft.parts.text(_key('text', index, draft), text)


def _key(kind: str, index: int | None, draft: ResponseDraft) -> Hashable:
    """The key of a block's part, remembered as the last of its kind."""
    key = draft.scratch[kind] = (kind, index)
    return key


def extend_plan(plan: str, draft: ResponseDraft) -> None:
    """Add to the tool plan."""
    _think(PLAN, plan, draft, id=PLAN)


def _think(key: Hashable, thoughts: str, draft: ResponseDraft, **new: Any) -> None:
    begins = draft.parts.kind_of(key) is None and thoughts != ''
    draft.parts.thinking(key, thoughts, **({'provider_name': draft.provider_name, **new} if begins else {}))


def close_content(index: int | None, draft: ResponseDraft) -> None:
    """End the part of a block."""
    for kind in ('thinking', 'text'):
        draft.parts.close((kind, index))


def extend_calls(index: int | None, calls: Any, draft: ResponseDraft) -> None:
    """Begin a call, or add to its arguments. Some servers put the one call into a list."""
    for call in _each(calls):
        function: Json = call.get('function') or {}
        draft.parts.tool_call(
            ('call', index),
            name=function.get('name') or None,
            args=function.get('arguments') or '',
            tool_call_id=call.get('id') or None,
        )


def _each(value: Any) -> list[Json]:
    return cast('list[Json]', value) if isinstance(value, list) else [value]


# ---------------------------------------------------------------------- citations


def add_citation(citation: Json, draft: ResponseDraft) -> None:
    """Put a citation beside what it speaks of: a block, the tool plan, or else the last text."""
    key = _cited(citation, draft)
    if key is None:
        draft.provider_details.setdefault('citations', []).append(citation)
        return
    known: dict[Hashable, list[Json]] = draft.scratch.setdefault('citations', {})
    known[key] = [*known.get(key, ()), citation]
    changes: Json = {'provider_name': draft.provider_name, 'provider_details': {'citations': known[key]}}
    if draft.parts.kind_of(key) == 'text':
        draft.parts.text(key, '', **changes)
    else:
        draft.parts.thinking(key, **changes)


def _cited(citation: Json, draft: ResponseDraft) -> Hashable | None:
    """The key of what a citation speaks of; `None` where it is over, or never was."""
    kind = KINDS.get(citation.get('type', ''), 'text')
    places = [PLAN] if kind == PLAN else [(kind, citation.get('content_index')), draft.scratch.get(kind)]
    return next((place for place in places if draft.parts.kind_of(place) is not None), None)
