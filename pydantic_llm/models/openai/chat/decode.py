"""The body of a chat completion, or its chunks → parts.

A whole answer's `message` and a chunk's `delta` have the same fields, so one function reads both. Start at `decode` or
`decode_event`; what sound and pictures become is in `_decode_files`, a content that is a list in `_decode_chunks`, the
counts of tokens in `decode_usage`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import cast

from ....exceptions import UnexpectedModelBehavior
from ....json_types import Json
from ....messages import FinishReason, ThinkingPart
from ....profiles.openai import OpenAIModelProfile
from ....streaming.draft import ResponseDraft
from ....streaming.parts import LAST
from ....streaming.thinking import ThinkTags
from ....transport.errors import error_from_event
from ....usage import RequestUsage
from .._content_filter import decode_filtered
from ._decode_chunks import decode_chunks
from ._decode_files import decode_audio, decode_image, end_audio
from .dialect import OPENAI, Dialect

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

DETAILS = (
    'service_tier',
    'moderation',
    'system_fingerprint',
    'citations',
    'search_results',
    'prompt_filter_results',
)
"""Fields of the body that are kept as they are; the last holds Azure's verdicts on what was asked."""

CHOICE_DETAILS = ('native_finish_reason', 'content_filter_results')
"""Fields of a choice that are kept: the word of OpenRouter's vendor for the end, Azure's verdicts on the answer."""

USAGE_DETAILS = ('cost', 'is_byok', 'server_tool_use', 'server_tool_use_details')
"""Fields of the usage that count no tokens."""

DETAIL_PARTS = {'reasoning.text': 'text', 'reasoning.summary': 'summary', 'reasoning.encrypted': 'data'}
"""Where an item of `reasoning_details` has its content."""

LATEST = 2**33
"""A `created` above this (in 2242) is in milliseconds."""


def decode(body: Json, draft: ResponseDraft, profile: OpenAIModelProfile, dialect: Dialect = OPENAI) -> None:
    """Read a whole answer."""
    if dialect.hear:
        body = dialect.hear(body, draft)
    if not isinstance(body.get('choices'), list) and not body.get('error'):
        raise UnexpectedModelBehavior(f'The answer of {draft.provider_name} holds no choices', str(body)[:2000])
    draft.scratch['whole'] = True
    choices: list[Json] = body.get('choices') or []
    body = {**body, 'choices': [{**choice, 'delta': choice['message']} for choice in choices]}
    _read(body, draft, profile, dialect)
    if draft.finish_reason is None and 'finish_reason' not in draft.provider_details:
        draft.finish_reason = _silent_end(draft, profile)
    draft.state = 'complete'
    decode_end(draft, profile)
    draft.parts.end()


def decode_event(event: Json, draft: ResponseDraft, profile: OpenAIModelProfile, dialect: Dialect = OPENAI) -> None:
    """Read one chunk. The one with a finish reason completes the answer; usage may still follow."""
    _read(dialect.hear(event, draft) if dialect.hear else event, draft, profile, dialect)


def _read(event: Json, draft: ResponseDraft, profile: OpenAIModelProfile, dialect: Dialect) -> None:
    if event.get('error'):
        if decode_filtered(event, draft):
            return
        raise error_from_event(event, model_name=draft.model_name, provider_name=draft.provider_name)
    _facts(event, draft)
    choices: list[Json] = event.get('choices') or []
    for choice in choices[:1]:
        if choice.get('error'):
            raise error_from_event(choice, model_name=draft.model_name, provider_name=draft.provider_name)
        if delta := choice.get('delta'):
            _extend(delta, draft, profile, dialect)
        _logprobs(choice.get('logprobs'), draft)
        if reason := choice.get('finish_reason'):
            draft.finish(reason, {**FINISH_REASONS, **dialect.finish_reasons})
            draft.state = 'complete'
        draft.provider_details.update({name: choice[name] for name in CHOICE_DETAILS if choice.get(name)})


def decode_end(draft: ResponseDraft, profile: OpenAIModelProfile) -> None:
    """The stream is over: let go of what could have become a tag, and judge how it ended."""
    tags: ThinkTags | None = draft.scratch.get('tags')
    if tags is not None:
        _split(tags.close(), draft)
    end_audio(draft)
    if draft.scratch.get('refused'):
        draft.finish_reason = 'content_filter'
    if draft.state == 'incomplete' and profile.openai_ends_silently:
        draft.state = 'complete'
        draft.finish_reason = _silent_end(draft, profile)


def _silent_end(draft: ResponseDraft, profile: OpenAIModelProfile) -> FinishReason:
    """Why a good answer without a finish reason ended."""
    return 'tool_call' if profile.openai_ends_silently and draft.scratch.get('calls') else 'stop'


# ---------------------------------------------------------------------- what is said of the answer as a whole


def _facts(event: Json, draft: ResponseDraft) -> None:
    draft.model_name = event.get('model') or draft.model_name
    draft.provider_response_id = event.get('id') or draft.provider_response_id
    created: object = event.get('created')
    if isinstance(created, int | float) and created > 0:
        draft.created(created if created < LATEST else created / 1000)
    usage: Json | None = event.get('usage')
    if usage:
        draft.usage = decode_usage(usage)
        costs: Json = usage.get('cost_details') or {}
        kept = {name: usage.get(name) for name in USAGE_DETAILS} | costs
        draft.provider_details.update({name: value for name, value in kept.items() if value is not None})
    draft.provider_details.update({name: event[name] for name in DETAILS if event.get(name)})
    if downstream := event.get('provider'):
        draft.provider_details['downstream_provider'] = downstream


def decode_usage(usage: Json) -> RequestUsage:
    """The tokens; cached ones are part of the prompt's."""
    prompt: Json = usage.get('prompt_tokens_details') or {}
    completion: Json = usage.get('completion_tokens_details') or {}
    counts = {
        **completion,
        **{name: usage.get(name) for name in ('prompt_cache_hit_tokens', 'prompt_cache_miss_tokens')},
    }
    return RequestUsage(
        input_tokens=usage.get('prompt_tokens') or 0,
        output_tokens=usage.get('completion_tokens') or 0,
        cache_read_tokens=prompt.get('cached_tokens')
        or usage.get('cached_tokens')
        or usage.get('num_cached_tokens')
        or 0,
        cache_write_tokens=prompt.get('cache_write_tokens') or 0,
        input_audio_tokens=prompt.get('audio_tokens') or 0,
        output_audio_tokens=completion.get('audio_tokens') or 0,
        details={name: count for name, count in counts.items() if isinstance(count, int) and count},
    )


def _logprobs(logprobs: Json | None, draft: ResponseDraft) -> None:
    if logprobs and (tokens := logprobs.get('content')):
        draft.provider_details.setdefault('logprobs', []).extend(tokens)


# ---------------------------------------------------------------------- parts


def _extend(delta: Json, draft: ResponseDraft, profile: OpenAIModelProfile, dialect: Dialect) -> None:
    """Thinking, text, tool calls: in this order, which is the order that they are made in."""
    details: list[Json] = delta.get('reasoning_details') or []
    for position, detail in enumerate(details):
        _reasoning_detail(detail, position, draft)
    if not details:
        _thinking(delta, draft, profile)
    if dialect.hear_tools:
        dialect.hear_tools(delta, draft)
    if content := delta.get('content'):
        _content(content, draft, profile)
    calls: list[Json] = delta.get('tool_calls') or []
    for position, call in enumerate(calls):
        _tool_call(call, position, draft)
    if refusal := delta.get('refusal'):
        draft.scratch['refused'] = True
        draft.provider_details['refusal'] = draft.provider_details.get('refusal', '') + refusal
    if annotations := delta.get('annotations'):
        draft.provider_details.setdefault('annotations', []).extend(annotations)
    if audio := delta.get('audio'):
        decode_audio(audio, draft)
    for image in delta.get('images') or ():
        decode_image(image, draft)


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
    kind: str = detail.get('type') or ''
    key = ('detail', kind, detail.get('index', position))
    encrypted = kind == 'reasoning.encrypted'
    content: str = '' if encrypted else detail.get(DETAIL_PARTS.get(kind, 'text')) or ''
    seal: str | None = detail.get('data' if encrypted else 'signature')
    if draft.parts.kind_of(key) is not None:
        draft.parts.thinking(key, content, signature=seal or None)
        return
    details = {name: detail[name] for name in ('format', 'index', 'type') if detail.get(name) is not None}
    name, id = draft.provider_name, detail.get('id')
    draft.parts.whole(key, ThinkingPart(content, id=id, signature=seal, provider_name=name, provider_details=details))


def _content(content: object, draft: ResponseDraft, profile: OpenAIModelProfile) -> None:
    """Text, or a list of chunks."""
    if isinstance(content, list):
        decode_chunks(cast('list[Json]', content), draft, lambda text: _say(text, draft, profile))
    else:
        _say(content, draft, profile)


def _say(text: object, draft: ResponseDraft, profile: OpenAIModelProfile) -> None:
    """Text, with the thoughts between tags taken out of it."""
    if not isinstance(text, str):
        raise TypeError(f'content is {text!r}')
    begins = draft.parts.kind_of(LAST) != 'text'
    if begins and not text.strip() and profile.ignore_streamed_leading_whitespace and 'whole' not in draft.scratch:
        return
    tags: ThinkTags | None = draft.scratch.get('tags')
    if tags is None:
        tags = draft.scratch['tags'] = ThinkTags(*profile.thinking_tags)
    if tags.kind == 'text':
        draft.parts.text(LAST, text)
    else:
        _split(tags.feed(text), draft)


def _split(pieces: Iterable[tuple[str, str]], draft: ResponseDraft) -> None:
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


def _call_key(index: int | None, id: str | None, name: str | None, draft: ResponseDraft) -> Hashable:
    """The key of a call: its number, or how many there have been."""
    calls: list[Hashable] = draft.scratch.setdefault('calls', [])
    if index is not None:
        key = ('call', index)
        if key not in calls:
            calls.append(key)
        return key
    if name is not None or not calls:
        calls.append(('unnumbered', id or len(calls)))
    return calls[-1]
