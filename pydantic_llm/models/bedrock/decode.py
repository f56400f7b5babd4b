"""The body of an answer, or the events of a stream → parts.

A whole answer is read as a stream that arrives at once: each of its blocks goes through the functions that read those
of a stream. Texts and thoughts have no start in a stream; their first delta is one.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from ...json_types import Json
from ...messages import BinaryContent, FilePart, FinishReason, ThinkingPart
from ...streaming.draft import ResponseDraft
from ...transport.errors import error_from_event
from ...usage import RequestUsage
from .native_tools import SERVER_SIDE, decode_call, decode_return, opaque_part

REQUEST_ID = 'x-amzn-requestid'
"""The header that holds the id of an answer, which the body does not."""

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
"""The API's words for the end."""

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
"""The errors that a stream can hold, and the status that stands for each."""

WORTH_ANOTHER_TRY = 'modelStreamErrorException'
"""The error of which only the vendor's documentation says that it may not come again."""

FACTS: dict[str, str] = {
    'additionalModelResponseFields': 'additional_model_response_fields',
    'performanceConfig': 'performance_config',
    'serviceTier': 'service_tier',
    'trace': 'trace',
}
"""Fields of an answer that are kept as they are, and their names in `provider_details`."""

REDACTED = 'redacted_content'
"""The id of a part that holds encrypted thoughts."""

IN_BASE64 = {'encoding': 'base64'}
"""The details of a part whose encrypted thoughts are no text."""

HOUR = 'ephemeral_1h_input_tokens'
"""What the tokens that are cached for an hour are called in the details of the usage, as Anthropic calls them."""

# ---------------------------------------------------------------------- the answer


def decode(body: Json, draft: ResponseDraft) -> None:
    """Read a whole answer."""
    for index, block in enumerate(body['output']['message']['content']):
        decode_block(index, block, draft)
        stop_block(index, draft)
    _facts(body, draft)
    draft.finish(body.get('stopReason'), FINISH_REASONS)
    draft.state = 'complete'
    draft.parts.end()


def decode_event(event: Json, draft: ResponseDraft) -> None:
    """Read one event. `messageStop` completes the answer, and `metadata` follows it; unknown events are passed over."""
    match event:
        case {'contentBlockDelta': {'contentBlockIndex': index, 'delta': delta}}:
            extend_block(index, delta, draft)
        case {'contentBlockStart': {'contentBlockIndex': index, 'start': start}}:
            start_block(index, start, draft)
        case {'contentBlockStop': {'contentBlockIndex': index}}:
            stop_block(index, draft)
        case {'messageStop': stop}:
            _facts(stop, draft)
            draft.finish(stop.get('stopReason'), FINISH_REASONS)
            draft.state = 'complete'
        case {'metadata': metadata}:
            _facts(metadata, draft)
        case {'error': _}:
            raise error_from_event(event, model_name=draft.model_name, provider_name=draft.provider_name)
        case _:
            _raise_exception(event, draft)


def _raise_exception(event: Json, draft: ResponseDraft) -> None:
    """Raise where the event is an error."""
    for name, status in EXCEPTIONS.items():
        if name in event:
            said = {'type': name, 'status_code': status, **event[name]}
            error = error_from_event({'error': said}, model_name=draft.model_name, provider_name=draft.provider_name)
            error.retryable = error.retryable or name == WORTH_ANOTHER_TRY
            raise error


def _facts(message: Json, draft: ResponseDraft) -> None:
    """What is said of the answer as a whole."""
    details = draft.provider_details
    for name, ours in FACTS.items():
        if value := message.get(name):
            details[ours] = value
    metrics: Json = message.get('metrics') or {}
    if latency := metrics.get('latencyMs'):
        details['latency_ms'] = latency
    if usage := message.get('usage'):
        draft.usage = decode_usage(usage)


def decode_usage(usage: Json) -> RequestUsage:
    """The tokens. The API counts those from and to the cache apart from the input."""
    read, write = usage.get('cacheReadInputTokens') or 0, usage.get('cacheWriteInputTokens') or 0
    hour = sum(detail['inputTokens'] for detail in usage.get('cacheDetails') or () if detail.get('ttl') == '1h')
    tools: Json = usage.get('serverToolUsage') or {}
    details = {HOUR: hour, **{name: count for name, count in tools.items() if isinstance(count, int)}}
    return RequestUsage(
        input_tokens=(usage.get('inputTokens') or 0) + read + write,
        cache_read_tokens=read,
        cache_write_tokens=write,
        output_tokens=usage.get('outputTokens') or 0,
        details={name: count for name, count in details.items() if count},
    )


# ---------------------------------------------------------------------- whole blocks


def decode_block(index: int, block: Json, draft: ResponseDraft) -> None:
    """Read a whole block, as a start and one delta. One that no part fits is kept as it came."""
    match block:
        case {'text': text}:
            extend_block(index, {'text': text}, draft)
        case {'toolUse': {'input': args, **call}}:
            start_block(index, {'toolUse': call}, draft, args=args)
        case {'toolResult': {'content': content, **result}}:
            start_block(index, {'toolResult': result}, draft)
            extend_block(index, {'toolResult': content}, draft)
        case {'reasoningContent': {'reasoningText': {'text': _} as thoughts}}:
            extend_block(index, {'reasoningContent': thoughts}, draft)
        case {'reasoningContent': {'redactedContent': _} as thoughts}:
            extend_block(index, {'reasoningContent': thoughts}, draft)
        case {'citationsContent': cited}:
            extend_block(index, {'text': ''.join(piece.get('text', '') for piece in cited.get('content') or ())}, draft)
            for citation in cited.get('citations') or ():
                extend_block(index, {'citation': citation}, draft)
        case {'image': {'format': format, 'source': {'bytes': _} as source}}:
            start_block(index, {'image': {'format': format}}, draft)
            extend_block(index, {'image': {'source': source}}, draft)
        case _:
            draft.parts.whole((index, 'opaque'), opaque_part(dict(block), draft.provider_name))


# ---------------------------------------------------------------------- blocks of a stream


def start_block(index: int, start: Json, draft: ResponseDraft, *, args: Any = None) -> None:
    """Begin a block that says what it is: a call, a result, an image."""
    match start:
        case {'toolUse': {'type': str() as kind} as call} if kind == SERVER_SIDE:
            draft.parts.whole((index, 'call'), decode_call(call, args, draft.provider_name))
        case {'toolUse': call}:
            draft.parts.tool_call((index, 'call'), name=call['name'], args=args, tool_call_id=call['toolUseId'])
        case {'toolResult': result}:
            draft.scratch[index] = {**result, 'content': []}
        case {'image': {'format': format}}:
            draft.scratch[index] = (format, [])
        case _:
            pass


def extend_block(index: int, delta: Json, draft: ResponseDraft) -> None:
    """Add to a block. Deltas that are not known are passed over."""
    parts, provider = draft.parts, draft.provider_name
    match delta:
        case {'text': text}:
            parts.text((index, 'text'), text)
        case {'toolUse': {'input': fragment}}:
            if fragment:
                parts.tool_call((index, 'call'), args=fragment)
        case {'reasoningContent': {'redactedContent': data}}:
            known: bytes = draft.scratch.get((index, REDACTED), b'')
            draft.scratch[index, REDACTED] = known + b64decode(data)
            parts.whole((index, REDACTED), _sealed(known + b64decode(data), provider))
        case {'reasoningContent': thoughts}:
            said, sealed = thoughts.get('text') or '', thoughts.get('signature') or None
            begun = parts.kind_of((index, 'thoughts')) is not None or not (said or sealed)
            named: Json = {} if begun else {'provider_name': provider}
            parts.thinking((index, 'thoughts'), said, signature=sealed, **named)
        case {'citation': citation}:
            cited = [*draft.scratch.get((index, 'citations'), ()), citation]
            draft.scratch[index, 'citations'] = cited
            parts.text((index, 'text'), '', provider_name=provider, provider_details={'citations': cited})
        case {'toolResult': pieces} if isinstance(draft.scratch.get(index), dict):
            draft.scratch[index]['content'] += [dict(piece) for piece in pieces]
        case {'image': {'source': {'bytes': data}}} if isinstance(draft.scratch.get(index), tuple):
            draft.scratch[index][1].append(b64decode(data))
        case _:
            pass


def stop_block(index: int, draft: ResponseDraft) -> None:
    """End the parts of a block."""
    match draft.scratch.pop(index, None):
        case {'content': pieces} as result:
            whole: Json = {**result, 'content': _without_cuts(pieces)}
            draft.parts.whole((index, 'result'), decode_return(whole, draft.provider_name))
        case (format, pieces):
            file = BinaryContent(b''.join(pieces), media_type=f'image/{format}')
            draft.parts.whole((index, 'image'), FilePart(file, provider_name=draft.provider_name))
        case _:
            pass
    for kind in ('text', 'thoughts', REDACTED, 'call', 'result', 'image', 'opaque'):
        draft.parts.close((index, kind))


def _sealed(thoughts: bytes, provider_name: str | None) -> ThinkingPart:
    """Encrypted thoughts. The bytes are a text in fact, and that is what the part holds."""
    try:
        return ThinkingPart('', id=REDACTED, signature=thoughts.decode(), provider_name=provider_name)
    except UnicodeDecodeError:
        text, details = b64encode(thoughts).decode(), {**IN_BASE64}
        return ThinkingPart('', id=REDACTED, signature=text, provider_name=provider_name, provider_details=details)


def sealed_bytes(part: ThinkingPart) -> str:
    """The bytes of encrypted thoughts, in base64."""
    text = part.signature or ''
    return text if part.provider_details == IN_BASE64 else b64encode(text.encode()).decode()


def _without_cuts(pieces: list[Json]) -> list[Json]:
    """The content of a result, whose texts may come in pieces."""
    whole: list[Json] = []
    for piece in pieces:
        if whole and piece.keys() == whole[-1].keys() == {'text'}:
            whole[-1] = {'text': whole[-1]['text'] + piece['text']}
        else:
            whole.append(piece)
    return whole


def decode_headers(headers: Mapping[str, str], draft: ResponseDraft) -> None:
    """Record the id of the response."""
    draft.provider_response_id = headers.get(REQUEST_ID)
