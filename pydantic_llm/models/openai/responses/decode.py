"""The body of a response, or its events → parts.

A whole answer's items are read by `finish_item`, which is also what ends an item of a stream: there it adds what the
deltas have not told.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from ....exceptions import UnexpectedModelBehavior
from ....messages import FinishReason, ThinkingPart
from ....transport.errors import error_from_event
from ....usage import RequestUsage
from ..._draft import ResponseDraft
from .native_tools import finish_native, start_native

Json = dict[str, Any]

FINISH_REASONS: dict[str, FinishReason] = {
    'completed': 'stop',
    'max_output_tokens': 'length',
    'content_filter': 'content_filter',
    'failed': 'error',
    'cancelled': 'error',
}
"""The API's words for the end: the reason why an answer is incomplete, else its status."""

ENDED = frozenset({'completed', 'incomplete', 'failed', 'cancelled'})
"""The statuses of an answer that will not grow any more."""

DETAILS = ('service_tier', 'moderation', 'conversation', 'background')
"""Fields of the body that are kept as they are, where they say anything."""


def decode(body: Json, draft: ResponseDraft) -> None:
    """Read a whole answer."""
    if body.get('error'):
        raise error_from_event(body, model_name=draft.model_name, provider_name=draft.provider_name)
    if not isinstance(body.get('output'), list):
        raise UnexpectedModelBehavior(f'The answer of {draft.provider_name} holds no output', str(body)[:2000])
    _finish(body, draft)
    draft.parts.end()


def decode_event(event: Json, draft: ResponseDraft) -> None:
    """Read one event. `response.completed`, `.incomplete` and `.failed` complete the answer."""
    match event:
        case {'item_id': str(), 'type': str()}:
            _grow(event, draft)
        case {'type': 'response.output_item.added', 'item': item}:
            start_item(item, draft)
        case {'type': 'response.output_item.done', 'item': item}:
            finish_item(item, draft)
        case {'type': 'response.completed' | 'response.incomplete' | 'response.failed', 'response': response}:
            _end(response, draft)
        case {'response': dict()}:
            _facts(event['response'], draft)
        case {'type': 'error'} | {'error': dict()}:
            raise error_from_event(event, model_name=draft.model_name, provider_name=draft.provider_name)
        case _:
            pass


def _grow(event: Json, draft: ResponseDraft) -> None:
    """Something is added to an item."""
    match event:
        case {'type': 'response.output_text.delta', 'item_id': id, 'content_index': index, 'delta': delta}:
            _text((id, index), id, delta, draft)
        case {'type': 'response.function_call_arguments.delta' | 'response.mcp_call_arguments.delta', 'item_id': id}:
            draft.parts.tool_call(id, args=event['delta'])
        case {'type': 'response.reasoning_summary_text.delta', 'item_id': id, 'summary_index': index}:
            _think(id, ('summary', index), event['delta'], draft)
        case {'type': 'response.reasoning_text.delta', 'item_id': id}:
            _think(id, ('raw', event.get('content_index', 0)), event['delta'], draft)
        case {'type': 'response.code_interpreter_call_code.delta', 'item_id': id, 'delta': delta}:
            draft.parts.tool_call(id, args=to_json(delta).decode()[1:-1])
        case {'type': 'response.output_text.annotation.added', 'item_id': id, 'content_index': index}:
            draft.scratch.setdefault(('annotations', id, index), []).append(event['annotation'])
        case {'type': 'response.refusal.delta', 'delta': delta}:
            _refuse(delta, draft)
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
    draft.created(response.get('created_at'))
    if usage := response.get('usage'):
        draft.usage = decode_usage(usage)
    for name in DETAILS:
        if value := response.get(name):
            draft.provider_details[name] = value


def _end(response: Json, draft: ResponseDraft) -> None:
    if response.get('error'):
        raise error_from_event(response, model_name=draft.model_name, provider_name=draft.provider_name)
    _finish(response, draft)


def _finish(response: Json, draft: ResponseDraft) -> None:
    """Take in what the whole answer says, and the items that no event has finished."""
    for item in response.get('output') or ():
        if item.get('id') is None or item['id'] not in _done(draft):
            finish_item(item, draft)
    _facts(response, draft)
    reason: Json = response.get('incomplete_details') or {}
    status = response.get('status') or 'completed'
    draft.finish(reason.get('reason') or status, FINISH_REASONS)
    if draft.scratch.get('refused'):
        draft.finish_reason = 'content_filter'
    if status in ENDED:
        draft.state = 'complete'


def _done(draft: ResponseDraft) -> set[str]:
    """The ids of the items that are finished."""
    done: set[str] = draft.scratch.setdefault('done', set())
    return done


# ---------------------------------------------------------------------- items


def start_item(item: Json, draft: ResponseDraft) -> None:
    """An item begins. Calls are known by their name from here on; text and thoughts begin with their first delta."""
    match item:
        case {'type': 'function_call', 'id': id}:
            _function_call(id, item, draft)
        case {'type': 'message', 'id': id}:
            draft.scratch['phase', id] = item.get('phase')
        case _:
            start_native(item, draft)


def finish_item(item: Json, draft: ResponseDraft) -> None:
    """An item is whole: take in what has not been told of it yet."""
    id = item.get('id')
    if id is not None:
        _done(draft).add(id)
    match item['type']:
        case 'message':
            _message(item, draft)
        case 'reasoning':
            _reasoning(item, draft)
        case 'function_call':
            _finish_function_call(item, draft)
        case _:
            finish_native(item, draft)


def _message(item: Json, draft: ResponseDraft) -> None:
    id = item.get('id')
    draft.scratch['phase', id] = item.get('phase')
    contents: list[Json] = item.get('content') or []
    for index, content in enumerate(contents):
        match content:
            case {'type': 'output_text', 'text': text}:
                key = (id, index)
                if draft.parts.kind_of(key) is None:
                    _text(key, id, text, draft)
                _annotate(key, content, draft)
                draft.parts.close(key)
            case {'type': 'refusal', 'refusal': refusal} if not draft.scratch.get('refused'):
                _refuse(refusal, draft)
            case _:
                pass


def _text(key: Any, id: str | None, text: str, draft: ResponseDraft) -> None:
    parts = draft.parts
    if parts.kind_of(key) is not None:
        parts.text(key, text)
    elif text:
        phase = draft.scratch.get(('phase', id))
        details = {'provider_details': {'phase': phase}} if phase else {}
        parts.text(key, text, id=id, provider_name=draft.provider_name, **details)


def _annotate(key: Any, content: Json, draft: ResponseDraft) -> None:
    """Citations and log probabilities, beside what is known already."""
    phase = draft.scratch.get(('phase', key[0]))
    annotations = content.get('annotations') or draft.scratch.get(('annotations', *key))
    found = {'phase': phase, 'annotations': annotations, 'logprobs': content.get('logprobs')}
    if details := {name: value for name, value in found.items() if value}:
        draft.parts.details(key, provider_details=details)


def _refuse(refusal: str, draft: ResponseDraft) -> None:
    draft.scratch['refused'] = True
    draft.provider_details['refusal'] = draft.provider_details.get('refusal', '') + refusal


# ---------------------------------------------------------------------- thoughts


def _think(id: str, place: tuple[str, int], text: str, draft: ResponseDraft) -> None:
    """A piece of a summary, or of the thoughts themselves where a server shows them."""
    key = (id, *place)
    if draft.parts.kind_of(key) is not None:
        draft.parts.thinking(key, text)
    elif text:
        draft.scratch.setdefault(('thoughts', id), []).append(key)
        raw: Json = {'provider_details': {'raw': True}} if place[0] == 'raw' else {}
        draft.parts.thinking(key, text, id=id, provider_name=draft.provider_name, **raw)


def _reasoning(item: Json, draft: ResponseDraft) -> None:
    """Thoughts are whole. The encrypted form goes with the first part; it must come back with the next request."""
    id, seal = item.get('id') or '', item.get('encrypted_content')
    if not draft.scratch.get(('thoughts', id)):
        for index, summary in enumerate(item.get('summary') or ()):
            _think(id, ('summary', index), summary.get('text') or '', draft)
        for index, content in enumerate(item.get('content') or ()):
            _think(id, ('raw', index), content.get('text') or '', draft)
    keys: list[Any] = draft.scratch.get(('thoughts', id), [])
    if keys and seal:
        draft.parts.thinking(keys[0], signature=seal)
    elif seal:
        part = ThinkingPart('', id=id, signature=seal, provider_name=draft.provider_name)
        draft.parts.whole((id, 'sealed'), part)
        keys = [(id, 'sealed')]
    for key in keys:
        draft.parts.close(key)


# ---------------------------------------------------------------------- calls


def _function_call(id: str | None, item: Json, draft: ResponseDraft) -> None:
    namespace = item.get('namespace')
    more: Json = {'provider_details': {'namespace': namespace}} if namespace else {}
    draft.parts.tool_call(
        id,
        name=item['name'],
        args=item.get('arguments') or '',
        tool_call_id=item.get('call_id'),
        id=id,
        provider_name=draft.provider_name,
        **more,
    )


def _finish_function_call(item: Json, draft: ResponseDraft) -> None:
    key = item.get('id')
    if draft.parts.kind_of(key) is None:
        key = key or ('call', item.get('call_id'))
        draft.parts.close(key)
        _function_call(key if isinstance(key, str) else None, item, draft)
    elif not draft.parts.has_content(key):
        draft.parts.tool_call(key, args=item.get('arguments') or '')
    draft.parts.close(key)
