"""The body of a chat completion, or its chunks → parts.

A whole answer's `message` and a chunk's `delta` have the same fields, so one function reads both.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from ....exceptions import UnexpectedModelBehavior
from ....messages import BinaryContent, FilePart, FinishReason, ThinkingPart
from ....profiles.openai import OpenAIModelProfile
from ....transport.errors import error_from_event
from ....usage import RequestUsage
from ..._draft import ResponseDraft
from ..._parts import LAST
from ..._thinking import ThinkTags

Json = dict[str, Any]

FINISH_REASONS: dict[str, FinishReason] = {
    'stop': 'stop',
    'length': 'length',
    'model_context_window_exceeded': 'length',
    'tool_calls': 'tool_call',
    'function_call': 'tool_call',
    'content_filter': 'content_filter',
    'sensitive': 'content_filter',
    'error': 'error',
    'network_error': 'error',
}
"""The API's words for the end, and those that other servers made up."""

DETAILS = ('service_tier', 'moderation', 'system_fingerprint', 'citations', 'search_results')
"""Fields of the body that are kept as they are."""

DETAIL_PARTS = {'reasoning.text': 'text', 'reasoning.summary': 'summary', 'reasoning.encrypted': 'data'}
"""Where an item of `reasoning_details` has its content."""


def decode(body: Json, draft: ResponseDraft, profile: OpenAIModelProfile) -> None:
    """Read a whole answer."""
    if not isinstance(body.get('choices'), list) and 'error' not in body:
        raise UnexpectedModelBehavior(f'The answer of {draft.provider_name} holds no choices', str(body)[:2000])
    choices = [{**choice, 'delta': choice['message']} for choice in body.get('choices') or []]
    decode_event({**body, 'choices': choices}, draft, profile)
    if draft.finish_reason is None and 'finish_reason' not in draft.provider_details:
        draft.finish_reason = 'stop'
    draft.state = 'complete'
    decode_end(draft, profile)
    draft.parts.end()


def decode_event(event: Json, draft: ResponseDraft, profile: OpenAIModelProfile) -> None:
    """Read one chunk. The one with a finish reason completes the answer; usage may still follow."""
    if error := event.get('error'):
        raise error_from_event(event, model_name=draft.model_name, provider_name=draft.provider_name)
    _facts(event, draft)
    for choice in (event.get('choices') or [])[:1]:
        if error := choice.get('error'):
            raise error_from_event({'error': error}, model_name=draft.model_name, provider_name=draft.provider_name)
        if delta := choice.get('delta'):
            _extend(delta, choice.get('logprobs'), draft, profile)
        if reason := choice.get('finish_reason'):
            draft.finish(reason, FINISH_REASONS)
            draft.state = 'complete'
        if native := choice.get('native_finish_reason'):
            draft.provider_details['native_finish_reason'] = native


def decode_end(draft: ResponseDraft, profile: OpenAIModelProfile) -> None:
    """The stream is over: let go of what could have become a tag, and judge how it ended."""
    if (tags := draft.scratch.get('tags')) is not None:
        _split(tags.close(), draft)
    if (spoken := draft.scratch.get('audio')) is not None:
        _end_audio(spoken, draft)
    if draft.scratch.get('refused'):
        draft.finish_reason = 'content_filter'
    if draft.state == 'incomplete' and profile.openai_ends_silently:
        draft.state = 'complete'
        draft.finish_reason = 'tool_call' if draft.scratch.get('calls') else 'stop'


def decode_usage(usage: Json) -> RequestUsage:
    """The tokens; cached ones are part of the prompt's."""
    prompt: Json = usage.get('prompt_tokens_details') or {}
    completion: Json = usage.get('completion_tokens_details') or {}
    cached = prompt.get('cached_tokens') or usage.get('cached_tokens') or usage.get('num_cached_tokens') or 0
    details = {name: count for name, count in completion.items() if isinstance(count, int) and count}
    own = {name: usage.get(name) for name in ('prompt_cache_hit_tokens', 'prompt_cache_miss_tokens')}
    return RequestUsage(
        input_tokens=usage.get('prompt_tokens') or 0,
        output_tokens=usage.get('completion_tokens') or 0,
        cache_read_tokens=cached,
        cache_write_tokens=prompt.get('cache_write_tokens') or 0,
        input_audio_tokens=prompt.get('audio_tokens') or 0,
        output_audio_tokens=completion.get('audio_tokens') or 0,
        details=details | {name: count for name, count in own.items() if count},
    )


def _facts(event: Json, draft: ResponseDraft) -> None:
    """What is said of the answer as a whole."""
    draft.model_name = event.get('model') or draft.model_name
    draft.provider_response_id = event.get('id') or draft.provider_response_id
    draft.created(event.get('created'))
    if usage := event.get('usage'):
        draft.usage = decode_usage(usage)
        if cost := usage.get('cost'):
            draft.provider_details['cost'] = cost
    for name in DETAILS:
        if value := event.get(name):
            draft.provider_details[name] = value
    if downstream := event.get('provider'):
        draft.provider_details['downstream_provider'] = downstream


def _extend(delta: Json, logprobs: Json | None, draft: ResponseDraft, profile: OpenAIModelProfile) -> None:
    """Thinking, text, tool calls: in this order, which is the order that they are made in."""
    if details := delta.get('reasoning_details'):
        for position, detail in enumerate(details):
            _reasoning_detail(detail, position, draft)
    else:
        _thinking(delta, draft, profile)
    if content := delta.get('content'):
        _content(content, draft, profile)
    for position, call in enumerate(delta.get('tool_calls') or ()):
        _tool_call(call, position, draft)
    if refusal := delta.get('refusal'):
        draft.scratch['refused'] = True
        draft.provider_details['refusal'] = draft.provider_details.get('refusal', '') + refusal
    if logprobs and (tokens := logprobs.get('content')):
        draft.provider_details.setdefault('logprobs', []).extend(tokens)
    if annotations := delta.get('annotations'):
        draft.provider_details.setdefault('annotations', []).extend(annotations)
    if audio := delta.get('audio'):
        _audio(audio, draft)


def _thinking(delta: Json, draft: ResponseDraft, profile: OpenAIModelProfile) -> None:
    """Thoughts under whichever name this server sends them."""
    for name in (profile.openai_thinking_field, 'reasoning', 'reasoning_content'):
        thoughts = delta.get(name)
        if thoughts and isinstance(thoughts, str):
            parts = draft.parts
            started = parts.kind_of(LAST) == 'thinking'
            parts.thinking(LAST, thoughts, **({} if started else {'id': name, 'provider_name': draft.provider_name}))
            return


def _reasoning_detail(detail: Json, position: int, draft: ResponseDraft) -> None:
    """An item of `reasoning_details`: text, a summary, or something encrypted, each with what goes back with it."""
    kind = detail.get('type', '')
    key = ('detail', kind, detail.get('index', position))
    content = '' if kind == 'reasoning.encrypted' else detail.get(DETAIL_PARTS.get(kind, 'text')) or ''
    seal = detail.get('data') if kind == 'reasoning.encrypted' else detail.get('signature')
    if draft.parts.kind_of(key) is not None:
        draft.parts.thinking(key, content, signature=seal or None)
        return
    details = {name: detail[name] for name in ('format', 'index', 'type') if detail.get(name) is not None}
    id = detail.get('id')
    draft.parts.whole(
        key,
        ThinkingPart(content, id=id, signature=seal, provider_name=draft.provider_name, provider_details=details),
    )


def _content(content: object, draft: ResponseDraft, profile: OpenAIModelProfile) -> None:
    """Text, with the thoughts between tags taken out of it."""
    if not isinstance(content, str):
        assert isinstance(content, list), f'content is {type(content).__name__}'
        content = ''.join(item.get('text') or '' for item in content)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] -- the wire's
    if profile.ignore_streamed_leading_whitespace and draft.parts.kind_of(LAST) != 'text':
        content = content.lstrip()
    tags = draft.scratch.get('tags')
    if tags is None:
        tags = draft.scratch['tags'] = ThinkTags(*profile.thinking_tags)
    if tags.kind == 'text':
        draft.parts.text(LAST, content)
    else:
        _split(tags.feed(content), draft)


def _split(pieces: Any, draft: ResponseDraft) -> None:
    for kind, piece in pieces:
        if kind == 'text':
            draft.parts.text(LAST, piece)
        elif draft.parts.kind_of(LAST) == 'thinking':
            draft.parts.thinking(LAST, piece)
        else:
            draft.parts.thinking(LAST, piece, id='content', provider_name=draft.provider_name)


def _tool_call(call: Json, position: int, draft: ResponseDraft) -> None:
    """A call or a fragment of one. Servers that number nothing begin a new call with each new id or name."""
    function: Json = call.get('function') or {}
    name, id = function.get('name') or None, call.get('id') or None
    key = _call_key(call.get('index'), id, name, draft)
    more: Json = {}
    if extra := call.get('extra_content'):
        more = {'provider_name': draft.provider_name, 'provider_details': {'extra_content': extra}}
    draft.parts.tool_call(key, name=name, args=function.get('arguments') or '', tool_call_id=id, **more)


def _call_key(index: int | None, id: str | None, name: str | None, draft: ResponseDraft) -> Any:
    """The key of a call: its number, or how many there have been."""
    calls: list[Any] = draft.scratch.setdefault('calls', [])
    if index is not None:
        key = ('call', index)
        if key not in calls:
            calls.append(key)
        return key
    if name is not None or not calls:
        calls.append(('unnumbered', id or len(calls)))
    return calls[-1]


def _audio(audio: Json, draft: ResponseDraft) -> None:
    """A piece of a spoken answer: its words are text, its sound becomes a file at the end."""
    spoken: Json = draft.scratch.setdefault('audio', {'pieces': [], 'id': None})
    spoken['id'] = audio.get('id') or spoken['id']
    if data := audio.get('data'):
        spoken['pieces'].append(b64decode(data))
    if words := audio.get('transcript'):
        draft.parts.text('transcript', words)


def _end_audio(spoken: Json, draft: ResponseDraft) -> None:
    if spoken['pieces']:
        file = BinaryContent(b''.join(spoken['pieces']), media_type='audio/wav')
        details = {'audio_id': spoken['id']}
        draft.parts.whole('audio', FilePart(file, provider_name=draft.provider_name, provider_details=details))
