"""The body of an answer, or its chunks → parts.

A chunk has the shape of a whole answer, so one function reads both.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import Any

from ...exceptions import UnexpectedModelBehavior
from ...messages import (
    BinaryContent,
    FilePart,
    FinishReason,
    NativeToolCallPart,
    NativeToolReturnPart,
    ToolCallPart,
)
from ...transport.errors import error_from_event
from ...usage import RequestUsage
from .._draft import ResponseDraft
from .._parts import LAST
from .native_tools import CODE, tool_name

Json = dict[str, Any]

FINISH_REASONS: dict[str, FinishReason | None] = {
    'STOP': 'stop',
    'MAX_TOKENS': 'length',
    'CONTINUATION': 'length',
    'SAFETY': 'content_filter',
    'RECITATION': 'content_filter',
    'BLOCKLIST': 'content_filter',
    'PROHIBITED_CONTENT': 'content_filter',
    'SPII': 'content_filter',
    'IMAGE_SAFETY': 'content_filter',
    'IMAGE_PROHIBITED_CONTENT': 'content_filter',
    'IMAGE_RECITATION': 'content_filter',
    'MODEL_ARMOR': 'content_filter',
    'LANGUAGE': 'error',
    'MALFORMED_FUNCTION_CALL': 'error',
    'UNEXPECTED_TOOL_CALL': 'error',
    'TOO_MANY_TOOL_CALLS': 'error',
    'NO_IMAGE': 'error',
}
"""The API's words for the end. It says `STOP` also where it calls functions."""

CANDIDATE_DETAILS = {
    'safetyRatings': 'safety_ratings',
    'finishMessage': 'finish_message',
    'groundingMetadata': 'grounding_metadata',
    'urlContextMetadata': 'url_context_metadata',
    'citationMetadata': 'citation_metadata',
    'logprobsResult': 'logprobs',
    'avgLogprobs': 'avg_logprobs',
}
"""What is said of a candidate, and our names for it."""


WHOLE = ('functionCall', 'executableCode', 'codeExecutionResult', 'toolCall', 'toolResponse', 'inlineData')
"""What a part that is no text can be."""


def decode(body: Json, draft: ResponseDraft) -> None:
    """Read a whole answer."""
    if not body.keys() & {'candidates', 'promptFeedback', 'error', 'usageMetadata', 'modelVersion'}:
        raise UnexpectedModelBehavior(f'The answer of {draft.provider_name} holds no candidates', str(body)[:2000])
    decode_event(body, draft)
    draft.state = 'complete'
    decode_end(draft)
    draft.parts.end()


def decode_event(event: Json, draft: ResponseDraft) -> None:
    """Read one chunk. The one with a finish reason completes the answer."""
    if 'error' in event:
        raise error_from_event(event, model_name=draft.model_name, provider_name=draft.provider_name)
    _facts(event, draft)
    candidates: list[Json] = event.get('candidates') or []
    if candidates:
        _candidate(candidates[0], draft)


def decode_end(draft: ResponseDraft) -> None:
    """The answer is over: tell of the searches that only its metadata speaks of."""
    metadata: Json = draft.provider_details.get('grounding_metadata') or {}
    if draft.scratch.get('tool_parts') or not metadata:
        return
    chunks: list[Json] = metadata.get('groundingChunks') or []
    if found := [chunk['retrievedContext'] for chunk in chunks if 'retrievedContext' in chunk]:
        _told_by_metadata('file_search', {}, found, draft)
    if queries := metadata.get('webSearchQueries'):
        sources = [chunk['web'] for chunk in chunks if 'web' in chunk]
        _told_by_metadata('web_search', {'queries': queries}, sources, draft)


def decode_usage(usage: Json, known: RequestUsage) -> RequestUsage:
    """The tokens so far. Each report is of the whole answer; what it leaves out stays as it was."""
    read = (usage.get('promptTokenCount') or 0) + (usage.get('toolUsePromptTokenCount') or 0)
    thoughts, written = usage.get('thoughtsTokenCount') or 0, usage.get('candidatesTokenCount') or 0
    details = {
        'thoughts_tokens': thoughts or known.details.get('thoughts_tokens'),
        'tool_use_prompt_tokens': usage.get('toolUsePromptTokenCount') or known.details.get('tool_use_prompt_tokens'),
    }
    return RequestUsage(
        input_tokens=read or known.input_tokens,
        output_tokens=(written + thoughts) or known.output_tokens,
        cache_read_tokens=usage.get('cachedContentTokenCount') or known.cache_read_tokens,
        input_audio_tokens=_audio(usage, 'promptTokensDetails') or known.input_audio_tokens,
        output_audio_tokens=_audio(usage, 'candidatesTokensDetails') or known.output_audio_tokens,
        details={name: count for name, count in details.items() if count},
    )


def _audio(usage: Json, name: str) -> int:
    return sum(each.get('tokenCount') or 0 for each in usage.get(name) or () if each.get('modality') == 'AUDIO')


def _facts(event: Json, draft: ResponseDraft) -> None:
    """What is said of the answer as a whole."""
    draft.model_name = event.get('modelVersion') or draft.model_name
    draft.provider_response_id = event.get('responseId') or draft.provider_response_id
    if (created := event.get('createTime')) and draft.timestamp is None:
        draft.timestamp = datetime.fromisoformat(created)
    if usage := event.get('usageMetadata'):
        draft.usage = decode_usage(usage, draft.usage)
        if traffic := usage.get('trafficType'):
            draft.provider_details['traffic_type'] = traffic
    feedback: Json = event.get('promptFeedback') or {}
    if reason := feedback.get('blockReason'):
        draft.provider_details |= {'block_reason': reason, 'safety_ratings': feedback.get('safetyRatings')}
        if message := feedback.get('blockReasonMessage'):
            draft.provider_details['block_reason_message'] = message
        draft.finish_reason = 'content_filter'
        draft.state = 'complete'


def _candidate(candidate: Json, draft: ResponseDraft) -> None:
    for wire, name in CANDIDATE_DETAILS.items():
        if value := candidate.get(wire):
            draft.provider_details[name] = value
    _fetched(candidate.get('urlContextMetadata') or {}, draft)
    content: Json = candidate.get('content') or {}
    decode_parts(content.get('parts') or (), draft)
    if reason := candidate.get('finishReason'):
        draft.provider_details['finish_reason'] = reason
        draft.finish_reason = FINISH_REASONS.get(reason)
        draft.state = 'complete'


# ---------------------------------------------------------------------- parts


def decode_parts(parts: Iterable[Json], draft: ResponseDraft) -> None:
    """Read the parts of a content."""
    for part in parts:
        _part(part, draft)


def _part(part: Json, draft: ResponseDraft) -> None:
    """One part. Text and thoughts go on until something else comes; everything else is whole."""
    signature = part.get('thoughtSignature')
    more: Json = {'provider_details': {'thought_signature': signature}} if signature else {}
    kind = next((name for name in WHOLE if isinstance(part.get(name), dict)), None)
    if isinstance(text := part.get('text'), str):
        _text(text, draft, thought=bool(part.get('thought')), more=more)
    elif kind is not None and not part.get('thought'):
        _whole(kind, part[kind], draft, {'provider_name': draft.provider_name, **more})


def _whole(kind: str, block: Json, draft: ResponseDraft, ours: Json) -> None:
    """A part that comes in one piece."""
    match kind:
        case 'functionCall':
            call = ToolCallPart(block.get('name') or '', block.get('args') or {}, **_id(block), **ours)
            draft.parts.whole(_next(draft), call)
        case 'executableCode':
            id = draft.scratch['code_id'] = block.get('id') or _made_up(draft, CODE)
            draft.parts.whole(_next(draft), NativeToolCallPart(CODE, block, id, **ours))
        case 'codeExecutionResult':
            id = block.get('id') or draft.scratch.get('code_id') or _made_up(draft, CODE)
            draft.parts.whole(_next(draft), NativeToolReturnPart(CODE, block, id, **ours))
        case 'inlineData':
            file = BinaryContent(b64decode(block['data']), media_type=block.get('mimeType') or 'image/png')
            draft.parts.whole(_next(draft), FilePart(file, **ours))
        case _:
            _tool_part(kind, block, draft, ours)


def _text(text: str, draft: ResponseDraft, *, thought: bool, more: Json) -> None:
    parts = draft.parts
    if thought:
        if text:
            started = parts.kind_of(LAST) == 'thinking'
            parts.thinking(LAST, text, **({} if started else {'provider_name': draft.provider_name}), **more)
    elif text or more:
        parts.text(LAST, text, **({'provider_name': draft.provider_name, **more} if more else {}))


def _tool_part(kind: str, block: Json, draft: ResponseDraft, ours: Json) -> None:
    """A tool of Google's at work, as newer models tell of it."""
    draft.scratch['tool_parts'] = True
    details = {**ours.get('provider_details', {}), 'tool_type': block.get('toolType')}
    more: Json = {**ours, 'provider_details': details, **_id(block)}
    if kind == 'toolCall':
        draft.parts.whole(_next(draft), NativeToolCallPart(tool_name(block), block.get('args') or {}, **more))
    else:
        draft.parts.whole(_next(draft), NativeToolReturnPart(tool_name(block), block.get('response'), **more))


def _fetched(metadata: Json, draft: ResponseDraft) -> None:
    """The pages that were read, where only metadata speaks of them; they come before the text that uses them."""
    pages: list[Json] = metadata.get('urlMetadata') or []
    if pages and not draft.scratch.get('tool_parts') and not draft.scratch.get('fetched'):
        draft.scratch['fetched'] = True
        urls = [page.get('retrievedUrl') for page in pages]
        _told_by_metadata('web_fetch', {'urls': urls}, pages, draft)


def _told_by_metadata(name: str, args: Json, content: Any, draft: ResponseDraft) -> None:
    id = _made_up(draft, name)
    draft.parts.whole(_next(draft), NativeToolCallPart(name, args, id, provider_name=draft.provider_name))
    draft.parts.whole(_next(draft), NativeToolReturnPart(name, content, id, provider_name=draft.provider_name))


def _id(block: Json) -> Json:
    return {'tool_call_id': block['id']} if block.get('id') else {}


def _made_up(draft: ResponseDraft, name: str) -> str:
    """An id for a tool of the vendor's that it gave none: the same for the call and its return, and repeatable."""
    return f'{name}_{draft.scratch.get("count", 0)}'


def _next(draft: ResponseDraft) -> Hashable:
    """A key that no part has had yet."""
    number = draft.scratch['count'] = draft.scratch.get('count', 0) + 1
    return ('part', number)
