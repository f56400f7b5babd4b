"""The body of an answer, or its chunks → parts.

A chunk has the shape of a whole answer, so one function reads both.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Hashable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from ...exceptions import UnexpectedModelBehavior
from ...json_types import Json
from ...messages import (
    BinaryContent,
    FilePart,
    FinishReason,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ...streaming.draft import ResponseDraft
from ...streaming.parts import LAST
from ...transport.errors import error_from_event
from .decode_usage import decode_usage
from .native_tools import CODE, PAGES, SEARCHES, SOURCE, tool_name

FINISH_REASONS: dict[str, FinishReason] = {
    'STOP': 'stop',
    'MAX_TOKENS': 'length',
    'CONTINUATION': 'length',
    'SAFETY': 'content_filter',
    'RECITATION': 'content_filter',
    'BLOCKLIST': 'content_filter',
    'PROHIBITED_CONTENT': 'content_filter',
    'SPII': 'content_filter',
    'ESCALATION': 'content_filter',
    'PUP_LIMITED_DISABLED': 'content_filter',
    'IMAGE_SAFETY': 'content_filter',
    'IMAGE_PROHIBITED_CONTENT': 'content_filter',
    'IMAGE_RECITATION': 'content_filter',
    'MODEL_ARMOR': 'content_filter',
    'LANGUAGE': 'error',
    'MALFORMED_FUNCTION_CALL': 'error',
    'MALFORMED_RESPONSE': 'error',
    'MISSING_THOUGHT_SIGNATURE': 'error',
    'UNEXPECTED_TOOL_CALL': 'error',
    'TOO_MANY_TOOL_CALLS': 'error',
    'NO_IMAGE': 'error',
    'IMAGE_OTHER': 'error',
}
"""The API's words for the end. It says `STOP` also where it calls functions."""

CANDIDATE_DETAILS = {
    'safetyRatings': 'safety_ratings',
    'finishMessage': 'finish_message',
    'groundingMetadata': SEARCHES,
    'urlContextMetadata': PAGES,
    'citationMetadata': 'citation_metadata',
    'logprobsResult': 'logprobs',
    'avgLogprobs': 'avg_logprobs',
}
"""What is said of a candidate, and our names for it."""

IN_PIECES = ('citationMetadata', 'logprobsResult')
"""What each chunk says of itself alone; the rest is said of the answer so far."""

ENVELOPE = frozenset({'candidates', 'promptFeedback', 'error', 'usageMetadata', 'modelVersion'})
"""Of these fields an answer has at least one."""


def decode(body: Json, draft: ResponseDraft) -> None:
    """Read a whole answer. A server that takes no notice of `alt=sse` sends the chunks of a stream as a list."""
    given: Any = body
    chunks = cast('list[Json]', given) if isinstance(given, list) else [body]
    if not any(chunk.keys() & ENVELOPE for chunk in chunks):
        raise UnexpectedModelBehavior(f'The answer of {draft.provider_name} holds no candidates', str(body)[:2000])
    for chunk in chunks:
        decode_event(chunk, draft)
    draft.state = 'complete'
    decode_end(draft)
    draft.parts.end()


def decode_event(event: Json, draft: ResponseDraft) -> None:
    """Read one chunk. The one with a finish reason completes the answer."""
    if 'error' in event:
        raise error_from_event(event, model_name=draft.model_name, provider_name=draft.provider_name)
    _facts(event, draft)
    candidates: list[Json] = event.get('candidates') or []
    if first := next((candidate for candidate in candidates if not candidate.get('index')), None):
        _candidate(first, draft)


def decode_end(draft: ResponseDraft) -> None:
    """The answer is over: tell of the searches that only its metadata speaks of."""
    metadata: Json = draft.provider_details.get(SEARCHES) or {}
    if draft.scratch.get('tool_parts') or not metadata:
        return
    if found := _found(metadata, 'retrievedContext'):
        _told_by_metadata('file_search', {}, found, SEARCHES, draft)
    if found := _found(metadata, 'maps'):
        _told_by_metadata('google_maps', {}, found, SEARCHES, draft)
    if queries := metadata.get('webSearchQueries'):
        _told_by_metadata('web_search', {'queries': queries}, _found(metadata, 'web'), SEARCHES, draft)


def _facts(event: Json, draft: ResponseDraft) -> None:
    """What is said of the answer as a whole."""
    draft.model_name = event.get('modelVersion') or draft.model_name
    draft.provider_response_id = event.get('responseId') or draft.provider_response_id
    if (created := event.get('createTime')) and draft.timestamp is None:
        with suppress(TypeError, ValueError):
            draft.timestamp = datetime.fromisoformat(created)
    if usage := event.get('usageMetadata'):
        draft.usage = decode_usage(usage, draft.usage)
        if traffic := usage.get('trafficType'):
            draft.provider_details['traffic_type'] = traffic
    feedback: Json = event.get('promptFeedback') or {}
    if feedback.get('blockReason'):
        words = {'blockReason': 'block_reason', 'blockReasonMessage': 'block_reason_message'}
        words |= {'safetyRatings': 'safety_ratings'}
        draft.provider_details |= {name: feedback[wire] for wire, name in words.items() if feedback.get(wire)}
        draft.finish_reason = 'content_filter'
        draft.state = 'complete'


def _candidate(candidate: Json, draft: ResponseDraft) -> None:
    for wire, name in CANDIDATE_DETAILS.items():
        if value := candidate.get(wire):
            known = draft.provider_details.get(name) if wire in IN_PIECES else None
            draft.provider_details[name] = _joined(known, value) if known else value
    content: Json = candidate.get('content') or {}
    parts: list[Json] = content.get('parts') or []
    if any('toolCall' in part or 'toolResponse' in part for part in parts):
        draft.scratch['tool_parts'] = True
    _fetched(candidate.get('urlContextMetadata') or {}, draft)
    decode_parts(parts, draft)
    _fill(candidate.get('groundingMetadata') or {}, draft)
    if reason := candidate.get('finishReason'):
        draft.finish(reason, FINISH_REASONS)
        draft.state = 'complete'


def _joined(known: Json, more: Json) -> Json:
    """Two pieces of what is said of an answer: their lists are one behind the other."""
    return {
        **known,
        **{
            name: [*known[name], *value] if isinstance(value, list) and name in known else value
            for name, value in more.items()
        },
    }


# ---------------------------------------------------------------------- parts


def decode_parts(parts: Iterable[Json], draft: ResponseDraft) -> None:
    """Read the parts of a content."""
    for part in parts:
        _part(part, draft)


def _part(part: Json, draft: ResponseDraft) -> None:
    """One part. Text and thoughts go on until something else comes; everything else is whole, and what is signed too.

    A part of a kind that nobody knows is passed over, and so is a sketch of an image, which is a thought.
    """
    thought, signature = bool(part.get('thought')), part.get('thoughtSignature')
    own: Json = {'provider_name': draft.provider_name}
    if signature:
        own['provider_details'] = {'thought_signature': signature}
    match part:
        case {'text': text} if text is not None:
            _text(text, thought, own, draft)
        case {'functionCall': call} if call:
            _whole(ToolCallPart(call['name'], call.get('args') or {}, **_id(call), **own), draft)
        case {'inlineData': data} if data and not thought:
            media_type = data.get('mimeType') or 'image/png'
            _whole(FilePart(BinaryContent(_bytes(data['data']), media_type=media_type), **own), draft)
        case {'executableCode': code} if code:
            id = draft.scratch['code_id'] = code.get('id') or _made_up(draft, CODE)
            _whole(NativeToolCallPart(CODE, code, id, **own), draft)
        case {'codeExecutionResult': result} if result:
            id = result.get('id') or draft.scratch.get('code_id') or _made_up(draft, CODE)
            _whole(NativeToolReturnPart(CODE, result, id, **own), draft)
        case {'toolCall': call} if call:
            _whole(NativeToolCallPart(tool_name(call), call.get('args') or {}, **_of_tool(call, own)), draft)
        case {'toolResponse': given} if given:
            _returned(given, own, draft)
        case _ if part.keys() == {'thoughtSignature'}:
            _whole(TextPart('', **own), draft)
        case _:
            pass


def _text(text: Any, thought: bool, own: Json, draft: ResponseDraft) -> None:
    """A piece of text or of a thought. What is signed stands alone."""
    if not isinstance(text, str):
        raise TypeError(f'text is {text!r}')
    if 'provider_details' in own:
        _whole((ThinkingPart if thought else TextPart)(text, **own), draft)
    elif thought and text:
        started = draft.parts.kind_of(LAST) == 'thinking'
        draft.parts.thinking(LAST, text, **({} if started else own))
    else:
        draft.parts.text(LAST, '' if thought else text)


def _whole(part: ModelResponsePart, draft: ResponseDraft) -> None:
    """Add a part that comes in one piece."""
    key = _next(draft)
    draft.parts.whole(key, part)
    draft.parts.close(key)


def _bytes(base64: str) -> bytes:
    return b64decode(base64.replace('-', '+').replace('_', '/'), validate=True)


def _of_tool(block: Json, own: Json) -> Json:
    """The fields of a part that tells of a tool of Google's at work."""
    details = {**own.get('provider_details', {}), 'tool_type': block.get('toolType')}
    return {**own, 'provider_details': details, **_id(block)}


def _returned(block: Json, own: Json, draft: ResponseDraft) -> None:
    """What a tool of Google's gave. That of a search in files is told later, by metadata."""
    part = NativeToolReturnPart(tool_name(block), block.get('response'), **_of_tool(block, own))
    if part.content is not None or part.tool_name != 'file_search':
        _whole(part, draft)
        return
    key = _next(draft)
    draft.parts.whole(key, part)
    draft.scratch.setdefault('unfilled', {})[key] = part


def _fill(metadata: Json, draft: ResponseDraft) -> None:
    """Put what a search in files found into the part that tells of it."""
    if found := _found(metadata, 'retrievedContext'):
        for key, part in draft.scratch.pop('unfilled', {}).items():
            draft.parts.whole(key, replace(part, content=found))
            draft.parts.close(key)


def _found(metadata: Json, kind: str) -> list[Json]:
    """What a search found, of one kind."""
    chunks: list[Json] = metadata.get('groundingChunks') or []
    return [chunk[kind] for chunk in chunks if kind in chunk]


def _fetched(metadata: Json, draft: ResponseDraft) -> None:
    """The pages that were read, where only metadata speaks of them; they come before the text that uses them."""
    pages: list[Json] = metadata.get('urlMetadata') or []
    if pages and not draft.scratch.get('tool_parts') and not draft.scratch.get('fetched'):
        draft.scratch['fetched'] = True
        urls = [page.get('retrievedUrl') for page in pages]
        _told_by_metadata('web_fetch', {'urls': urls}, pages, PAGES, draft)


def _told_by_metadata(name: str, args: Json, content: Any, source: str, draft: ResponseDraft) -> None:
    id = _made_up(draft, name)
    own: Json = {'provider_name': draft.provider_name, 'provider_details': {SOURCE: source}}
    _whole(NativeToolCallPart(name, args, id, **own), draft)
    _whole(NativeToolReturnPart(name, content, id, **own), draft)


def _id(block: Json) -> Json:
    return {'tool_call_id': block['id']} if block.get('id') else {}


def _made_up(draft: ResponseDraft, name: str) -> str:
    """An id for a tool of the vendor's that it gave none: the same for the call and its return, and repeatable."""
    return f'{name}_{draft.scratch.get("count", 0)}'


def _next(draft: ResponseDraft) -> Hashable:
    """A key that no part has had yet."""
    number = draft.scratch['count'] = draft.scratch.get('count', 0) + 1
    return ('part', number)
