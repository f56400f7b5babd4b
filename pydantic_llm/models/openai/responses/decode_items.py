"""Items of an answer → parts: messages, thoughts, calls of our tools. The others are read by `native_items`. Pure."""

from __future__ import annotations

from typing import Any, cast

from ....json_types import Json
from ....messages import ThinkingPart
from ....streaming.draft import ResponseDraft
from .native_items import finish_native, start_native

REUSES_CALL_IDS = 'reuses_call_ids'
"""Where a draft remembers whether its server gives calls of different answers the same ids."""


def start_item(item: Json, draft: ResponseDraft) -> None:
    """An item begins. Calls are known by their name from here on; text and thoughts begin with their first delta."""
    match item:
        case {'type': 'function_call', 'id': str() as id}:
            _function_call(id, item, draft)
        case {'type': 'message'}:
            draft.scratch['phase', item.get('id')] = item.get('phase')
        case {'type': 'function_call' | 'reasoning'}:
            pass
        case _:
            start_native(item, draft)


def finish_item(item: Json, draft: ResponseDraft) -> None:
    """An item is whole: take in what has not been told of it yet."""
    match item['type']:
        case 'message':
            _message(item, draft)
        case 'reasoning':
            _reasoning(item, draft)
        case 'function_call':
            _finish_function_call(item, draft)
        case _:
            finish_native(item, draft)


# ---------------------------------------------------------------------- messages


def _message(item: Json, draft: ResponseDraft) -> None:
    id = item.get('id')
    draft.scratch['phase', id] = item.get('phase')
    contents: list[Json] = item.get('content') or []
    for index, content in enumerate(contents):
        match content:
            case {'type': 'output_text', 'text': text}:
                key = (id, index)
                if draft.parts.kind_of(key) is None:
                    add_text(key, id, text, draft)
                _details(key, content, draft)
                draft.parts.close(key)
            case {'type': 'refusal', 'refusal': refusal} if not draft.scratch.get('refused'):
                refuse(refusal, draft)
            case _:
                pass


def add_text(key: Any, id: str | None, text: str, draft: ResponseDraft) -> None:
    """A piece of a text."""
    parts = draft.parts
    if parts.kind_of(key) is not None:
        parts.text(key, text)
    elif text:
        phase = draft.scratch.get(('phase', id))
        details = {'provider_details': {'phase': phase}} if phase else {}
        parts.text(key, text, id=id, provider_name=draft.provider_name, **details)


def annotate(key: Any, annotation: Json, draft: ResponseDraft) -> None:
    """A citation, which is kept until its text is whole."""
    draft.scratch.setdefault(('annotations', *key), []).append(annotation)


def _details(key: Any, content: Json, draft: ResponseDraft) -> None:
    """Citations and log probabilities, beside what is known already."""
    phase = draft.scratch.get(('phase', key[0]))
    annotations: Any = content.get('annotations') or draft.scratch.get(('annotations', *key), [])
    found = {'phase': phase, 'annotations': annotations, 'logprobs': content.get('logprobs')}
    if not isinstance(annotations, list) or not all(
        isinstance(each, dict) for each in cast('list[object]', annotations)
    ):
        raise TypeError(f'the annotations of a text are {annotations!r}')
    if details := {name: value for name, value in found.items() if value}:
        draft.parts.details(key, provider_details=details)


def refuse(refusal: str, draft: ResponseDraft) -> None:
    """A piece of what the model says in the place of an answer."""
    draft.scratch['refused'] = True
    draft.provider_details['refusal'] = draft.provider_details.get('refusal', '') + refusal


# ---------------------------------------------------------------------- thoughts


def add_thoughts(id: str, place: tuple[str, int], text: str, draft: ResponseDraft) -> None:
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
    told: list[Any] = draft.scratch.pop(('thoughts', id), [])
    for kind, pieces in (('summary', item.get('summary')), ('raw', item.get('content'))):
        for index, piece in enumerate(pieces or ()):
            if (id, kind, index) not in told:
                add_thoughts(id, (kind, index), piece.get('text') or '', draft)
    keys = [*told, *draft.scratch.pop(('thoughts', id), [])]
    if keys and seal:
        draft.parts.thinking(keys[0], signature=seal)
    elif seal:
        part = ThinkingPart('', id=id, signature=seal, provider_name=draft.provider_name)
        draft.parts.whole((id, 'sealed'), part)
        keys = [(id, 'sealed')]
    for key in keys:
        draft.parts.close(key)


# ---------------------------------------------------------------------- calls


def _function_call(key: Any, item: Json, draft: ResponseDraft) -> None:
    call_id = item.get('call_id')
    if call_id and draft.provider_response_id and draft.scratch.get(REUSES_CALL_IDS):
        call_id = f'{draft.provider_response_id}:{call_id}'
    details = {name: item[name] for name in ('namespace', 'caller') if item.get(name)}
    more: Json = {'provider_details': details} if details else {}
    draft.parts.tool_call(
        key,
        name=item['name'],
        args=item.get('arguments') or '',
        tool_call_id=call_id,
        id=item.get('id'),
        provider_name=draft.provider_name,
        **more,
    )


def _finish_function_call(item: Json, draft: ResponseDraft) -> None:
    key = item.get('id')
    if key is None or draft.parts.kind_of(key) is None:
        key = key or ('call', item.get('call_id'))
        draft.parts.close(key)
        _function_call(key, item, draft)
    elif not draft.parts.has_content(key):
        draft.parts.tool_call(key, args=item.get('arguments') or '')
    draft.parts.close(key)
