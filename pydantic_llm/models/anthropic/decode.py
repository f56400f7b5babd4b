"""The body of a message, or the events of a stream → parts.

A whole answer is read as a stream that arrives at once: each of its blocks is started and stopped, by the functions
that start and stop those of a stream.
"""

from __future__ import annotations

from pydantic_core import from_json

from ...json_types import Json
from ...messages import FinishReason, ThinkingPart
from ...streaming.draft import ResponseDraft
from ...transport.errors import error_from_event
from ...usage import RequestUsage
from .native_tools import caller_of, decode_call, decode_return, is_result, mcp_call_start, opaque_part

FINISH_REASONS: dict[str, FinishReason] = {
    'end_turn': 'stop',
    'stop_sequence': 'stop',
    'compaction': 'stop',
    'max_tokens': 'length',
    'model_context_window_exceeded': 'length',
    'tool_use': 'tool_call',
    'refusal': 'content_filter',
}
"""The API's words for the end. `pause_turn` is none: sent back as it is, the answer goes on."""

FACTS = (
    'stop_sequence',
    'stop_details',
    'container',
    'context_management',
    'input_transformations',
    'diagnostics',
)
"""Fields of a message that are kept as they are, in `provider_details`."""

USAGE_FACTS = ('service_tier', 'speed')
"""Fields of the usage that are no counts, and are kept as they are."""

CALLS = ('tool_use', 'server_tool_use', 'mcp_tool_use')
"""The types of blocks whose `input` is streamed."""

ARGUMENTS = 'partial_json'
"""Where a block that has no part of its own keeps the pieces of its arguments."""

REDACTED = 'redacted_thinking'
"""The type of a block of encrypted thoughts, and the id of its part."""

# ---------------------------------------------------------------------- the answer


def decode(body: Json, draft: ResponseDraft) -> None:
    """Read a whole answer."""
    if body.get('type') == 'error':
        raise error_from_event(body, model_name=draft.model_name, provider_name=draft.provider_name)
    blocks = body['content']
    _open(body, draft)
    for index, block in enumerate(blocks):
        start_block(index, block, draft)
        stop_block(index, draft)
    draft.finish(body.get('stop_reason'), FINISH_REASONS)
    draft.state = 'complete'
    draft.parts.end()


def decode_event(event: Json, draft: ResponseDraft) -> None:
    """Read one event. `message_stop` completes the answer; events that are not known are passed over."""
    match event:
        case {'type': 'content_block_delta', 'index': index, 'delta': delta}:
            extend_block(index, delta, draft)
        case {'type': 'content_block_start', 'index': index, 'content_block': block}:
            start_streamed_block(index, block, draft)
        case {'type': 'content_block_stop', 'index': index}:
            stop_block(index, draft)
        case {'type': 'message_start', 'message': message}:
            _open(message, draft)
        case {'type': 'message_delta', 'delta': delta}:
            _named(event, draft)
            _facts({**event, **delta}, draft)
            _count(event.get('usage') or {}, draft)
            draft.finish(delta.get('stop_reason'), FINISH_REASONS)
        case {'type': 'message_stop'}:
            draft.state = 'complete'
        case {'type': 'error'}:
            raise error_from_event(event, model_name=draft.model_name, provider_name=draft.provider_name)
        case _:
            pass


def _open(message: Json, draft: ResponseDraft) -> None:
    _named(message, draft)
    _facts(message, draft)
    _count(message.get('usage') or {}, draft)


def _named(message: Json, draft: ResponseDraft) -> None:
    """Who answers, and how the answer is called. A gateway may know that only at the end of a stream."""
    draft.model_name = message.get('model') or draft.model_name
    draft.provider_response_id = message.get('id') or draft.provider_response_id


def _facts(message: Json, draft: ResponseDraft) -> None:
    """What is said of the answer as a whole."""
    details = draft.provider_details
    for name in FACTS:
        if value := message.get(name):
            details[name] = value
    if container := message.get('container'):
        details['container_id'] = container['id']
    refusal: Json = message.get('stop_details') or {}
    if explanation := refusal.get('explanation'):
        details['refusal'] = explanation


# ---------------------------------------------------------------------- usage


def _count(usage: Json, draft: ResponseDraft) -> None:
    """Each report of a stream replaces what it names, so that nothing is added up twice."""
    known = draft.scratch.setdefault('usage', {})
    known.update({name: value for name, value in usage.items() if value is not None})
    draft.usage = decode_usage(known)
    draft.provider_details |= {name: known[name] for name in USAGE_FACTS if name in known}


def decode_usage(usage: Json) -> RequestUsage:
    """The tokens. The API counts those from and to the cache apart from the input, and a compaction's nowhere."""
    reports: list[Json] = usage.get('iterations') or []
    counted = [usage, *(report for report in reports if report.get('type') == 'compaction')]
    read, write, fresh, output = (
        sum(report.get(name) or 0 for report in counted)
        for name in ('cache_read_input_tokens', 'cache_creation_input_tokens', 'input_tokens', 'output_tokens')
    )
    return RequestUsage(
        input_tokens=fresh + read + write,
        cache_read_tokens=read,
        cache_write_tokens=write,
        output_tokens=output,
        details={name: count for name, count in _details(usage, reports).items() if count},
    )


def _details(usage: Json, reports: list[Json]) -> dict[str, int]:
    tools: Json = usage.get('server_tool_use') or {}
    output: Json = usage.get('output_tokens_details') or {}
    written: Json = usage.get('cache_creation') or {}
    return {
        'thinking_tokens': output.get('thinking_tokens') or 0,
        'ephemeral_1h_input_tokens': written.get('ephemeral_1h_input_tokens') or 0,
        **{name: count for name, count in tools.items() if isinstance(count, int)},
        **_of_kind('compaction', 'compaction', reports),
        **_of_kind('advisor', 'advisor_message', reports),
    }


def _of_kind(name: str, kind: str, reports: list[Json]) -> dict[str, int]:
    """The runs of one kind within an answer, and what they used."""
    found = [report for report in reports if report.get('type') == kind]
    return {
        f'{name}_iterations': len(found),
        f'{name}_input_tokens': sum(report.get('input_tokens') or 0 for report in found),
        f'{name}_output_tokens': sum(report.get('output_tokens') or 0 for report in found),
    }


# ---------------------------------------------------------------------- blocks


def start_block(index: int, block: Json, draft: ResponseDraft) -> None:
    """Begin a part for a block. One that no part fits is kept until it is whole."""
    provider, parts = draft.provider_name, draft.parts
    match block:
        case {'type': 'text', 'text': text}:
            parts.text(index, text, **_cited(index, block.get('citations') or [], draft))
        case {'type': 'thinking', 'thinking': thoughts}:
            parts.whole(index, ThinkingPart(thoughts, signature=block.get('signature') or None, provider_name=provider))
        case {'type': 'redacted_thinking', 'data': data}:
            parts.whole(index, ThinkingPart('', id=REDACTED, signature=data, provider_name=provider))
        case {'type': 'tool_use', 'name': name, 'id': id}:
            details = {**(caller_of(block) or {}), **{key: block[key] for key in ('toolset_name',) if block.get(key)}}
            more: Json = {'provider_name': provider, 'provider_details': details} if details else {}
            parts.tool_call(index, name=name, args=block.get('input'), tool_call_id=id, **more)
        case {'type': 'server_tool_use' | 'mcp_tool_use', 'name': _, 'id': _}:
            call = decode_call(block, provider)
            draft.scratch.setdefault('servers', {})[call.tool_call_id] = call.tool_name
            parts.whole(index, call)
        case {'type': str() as kind, 'tool_use_id': _, 'content': _} if is_result(kind):
            parts.whole(index, decode_return(block, provider, draft.scratch.get('servers', {})))
        case _:
            draft.scratch.setdefault('opaque', {})[index] = dict(block)


def start_streamed_block(index: int, block: Json, draft: ResponseDraft) -> None:
    """Begin a part for a block whose content may still come: an empty `input` says nothing."""
    said = mcp_call_start(block['name']) if block['type'] == 'mcp_tool_use' else ''
    if block.get('input'):
        draft.scratch.setdefault('said', {})[index] = said
        start_block(index, block, draft)
        return
    start_block(index, {**block, 'input': None} if block['type'] in CALLS else block, draft)
    if said:
        draft.scratch.setdefault('closing', {})[index] = '{}}'
        draft.parts.tool_call(index, args=said)


def extend_block(index: int, delta: Json, draft: ResponseDraft) -> None:
    """Add to the part of a block. Deltas that are not known are passed over."""
    if index in draft.scratch.get('opaque', ()):
        _extend_opaque(draft.scratch['opaque'][index], delta)
        return
    match delta:
        case {'type': 'text_delta', 'text': text}:
            draft.parts.text(index, text)
        case {'type': 'input_json_delta', 'partial_json': fragment}:
            if fragment:
                _extend_args(index, fragment, draft)
        case {'type': 'thinking_delta', 'thinking': thoughts}:
            draft.parts.thinking(index, thoughts)
        case {'type': 'signature_delta', 'signature': signature}:
            draft.parts.thinking(index, signature=signature)
        case {'type': 'citations_delta', 'citation': citation}:
            draft.parts.text(index, '', **_cited(index, [citation], draft))
        case _:
            pass


def stop_block(index: int, draft: ResponseDraft) -> None:
    """End the part of a block."""
    if (block := draft.scratch.get('opaque', {}).pop(index, None)) is not None:
        draft.parts.whole(index, opaque_part(_whole(block), draft.provider_name))
    if (rest := draft.scratch.get('closing', {}).pop(index, None)) is not None:
        draft.parts.tool_call(index, args=rest)
    draft.parts.close(index)


def _extend_args(index: int, fragment: str, draft: ResponseDraft) -> None:
    """Add to the arguments of a call. Where they were given at its start, they are now said again, and that counts."""
    if (said := draft.scratch.get('said', {}).pop(index, None)) is not None:
        draft.parts.details(index, args=said)
        if said:
            draft.scratch.setdefault('closing', {})[index] = '}'
    elif index in draft.scratch.get('closing', ()):
        draft.scratch['closing'][index] = '}'
    draft.parts.tool_call(index, args=fragment)


def _cited(index: int, citations: list[Json], draft: ResponseDraft) -> Json:
    """The fields of a text part that hold its citations, those that came before included."""
    if not citations:
        return {}
    known = draft.scratch.setdefault('citations', {})
    known[index] = [*known.get(index, ()), *citations]
    return {'provider_name': draft.provider_name, 'provider_details': {'citations': known[index]}}


def _extend_opaque(block: Json, delta: Json) -> None:
    """Add to a block that has no part of its own: text grows, anything else is replaced."""
    match delta:
        case {'type': 'input_json_delta', 'partial_json': fragment}:
            block.setdefault(ARGUMENTS, []).append(fragment)
        case {'type': 'citations_delta', 'citation': citation}:
            block['citations'] = [*(block.get('citations') or ()), citation]
        case _:
            for name, value in delta.items():
                if name != 'type':
                    old = block.get(name)
                    block[name] = old + value if isinstance(old, str) and isinstance(value, str) else value


def _whole(block: Json) -> Json:
    """The block with the arguments that came in pieces."""
    fragments = ''.join(block.pop(ARGUMENTS, ()))
    return {**block, 'input': from_json(fragments)} if fragments else block
