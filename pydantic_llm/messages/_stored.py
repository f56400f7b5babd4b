"""Translates the JSON of histories that other libraries stored into ours, before pydantic validates it.

Text that a model would have read is kept. Bookkeeping of the other library is dropped: the part kinds in `BOOKKEEPING`,
and fields that our classes do not have. An unknown part kind is passed on, and fails validation.

Read `translate_request` and `translate_response` first; the tables `REQUEST_PARTS` and `RESPONSE_PARTS` name the
function for each part kind. The kinds are pydantic-ai's, past and present:
https://github.com/pydantic/pydantic-ai/blob/main/pydantic_ai_slim/pydantic_ai/messages.py
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, cast

from ..json_types import Json
from ..usage import REPORTED
from .citation_readers import CITED, read_citations

Translator = Callable[[Json], Iterable[Json]]
"""Turns one stored part into any number of ours."""

BOOKKEEPING = ('capability-load-delta', 'instruction-baseline', 'model-settings-delta', 'tool-availability-delta')
"""Kinds of request parts that are never sent to a model."""

ID_PREFIXES = {
    'tool-call': 'call',
    'tool-return': 'call',
    'retry-prompt': 'call',
    'builtin-tool-call': 'native',
    'builtin-tool-return': 'native',
}
"""Part kinds that have a `tool_call_id` → prefix of the id that replaces a missing one."""

COUNTS = {'cache_write_1h_tokens': 'cache_write_1h_tokens'}
"""Usage fields that `RequestUsage` does not have → their keys in `RequestUsage.details`."""

UNMEASURED = 'unmeasured_requests'
"""The field of pydantic-ai's usage that is 1 if the vendor sent none."""

THINKING = 'output_reasoning_tokens'
THINKING_DETAILS = ('reasoning_tokens', 'thoughts_tokens', 'thinking_tokens')
"""The keys of `RequestUsage.details` that older histories have in place of the field `THINKING`."""


def _refuse_odd_shapes(translate: Callable[[object], object]) -> Callable[[object], object]:
    """Let a translation raise `ValueError`, which becomes a `ValidationError`, for JSON of any other shape."""

    @wraps(translate)
    def refuse(value: object) -> object:
        try:
            return translate(value)
        except (AttributeError, LookupError, TypeError) as error:
            raise ValueError(f'not a stored message: {error}') from error

    return refuse


OBJECT: Any = dict  # `Any`, so that a comparison does not narrow a value to `object`
LIST: Any = list
"""The classes of JSON values. Any other mapping or sequence is translated."""


@_refuse_odd_shapes
def translate_request(value: object) -> object:
    """Return the JSON of a request with part kinds and fields of ours; any other value is returned unchanged."""
    if type(value) is OBJECT and _has_own_parts(value):
        return value
    if not isinstance(value, Mapping):
        return value
    request = dict(cast('Mapping[str, Any]', value))
    return request | {'parts': _translate_parts(request, REQUEST_PARTS)}


@_refuse_odd_shapes
def translate_response(value: object) -> object:
    """Return the JSON of a response with part kinds and fields of ours; any other value is returned unchanged."""
    if type(value) is OBJECT and _has_own_usage(value) and _has_own_parts(value):
        return value
    if not isinstance(value, Mapping):
        return value
    response = _drop_nulls(cast('Mapping[str, Any]', value), 'usage', 'timestamp', 'warnings')
    response['parts'] = _translate_parts(response, RESPONSE_PARTS)
    if isinstance(usage := response.get('usage'), Mapping):
        response['usage'] = _translate_usage(cast('Mapping[str, Any]', usage))
    return response


def _has_own_usage(response: Any) -> bool:
    """Return whether the usage of a response, and its fields that may not be null, need no translation."""
    usage = response.get('usage')
    if type(usage) is not OBJECT or response.get('timestamp', '') is None or response.get('warnings', '') is None:
        return False
    details: Any = usage.get('details')
    is_own = COUNTS.keys().isdisjoint(usage) and UNMEASURED not in usage
    return is_own and type(details) is OBJECT and (not details or bool(usage.get(THINKING)))


def _has_own_parts(message: Any) -> bool:
    """Return whether all parts are of the most frequent kinds, and as this library writes them."""
    parts = message.get('parts')
    if type(parts) is not LIST:
        return False
    part: Any
    for part in parts:
        if type(part) is not OBJECT or (needed := OWN_PARTS.get(part.get('part_kind', ''))) is None:
            return False
        for name in needed:
            if part.get(name) is None:
                return False
        if not FOREIGN_FIELDS.isdisjoint(part) or (needed is PROMPT_FIELDS and type(part['content']) is LIST):
            return False
        if needed is TEXT_FIELDS and not part.get('citations') and _may_have_citations(part):
            return False
    return True


def _may_have_citations(text: Any) -> bool:
    """Return whether the details of a text may have citations, or its field for them is null."""
    details = text.get('provider_details')
    return 'citations' in text or (bool(details) and not CITED.isdisjoint(details))


PROMPT_FIELDS, TEXT_FIELDS = ('timestamp', 'content'), ('content',)

OWN_PARTS: dict[str, tuple[str, ...]] = {
    'system-prompt': ('timestamp',),
    'user-prompt': PROMPT_FIELDS,
    'tool-return': ('timestamp', 'tool_call_id'),
    'retry-prompt': ('timestamp', 'tool_call_id'),
    'text': TEXT_FIELDS,
    'thinking': (),
    'tool-call': ('tool_call_id',),
}
"""Part kinds of ours → the fields that translation would add to a part without them."""

FOREIGN_FIELDS = frozenset({'context_id'})
"""The fields of such parts that translation would read."""


def _drop_nulls(value: Mapping[str, Any], *names: str) -> Json:
    """Return the fields without those of `names` that are null, so that their class sets its default."""
    return {name: item for name, item in value.items() if item is not None or name not in names}


def _translate_usage(usage: Mapping[str, Any]) -> Json:
    counts = {detail: usage[name] for name, detail in COUNTS.items() if usage.get(name)}
    details: Json = {**counts, **(usage.get('details') or {})}
    thinking = usage.get(THINKING) or next((details[name] for name in THINKING_DETAILS if details.get(name)), 0)
    marks = {'missing': REPORTED} if usage.get(UNMEASURED) else {}
    return {**usage, THINKING: thinking, 'details': details, **marks}


def _translate_parts(message: Json, translators: Mapping[str, Translator]) -> object:
    parts = message.get('parts')
    if not isinstance(parts, (list, tuple)):
        return parts
    numbers: Counter[str] = Counter()
    translated: list[object] = []
    for part in cast('Sequence[object]', parts):
        if isinstance(part, Mapping):
            fields = _drop_nulls(cast('Mapping[str, Any]', part), 'tool_call_id', 'timestamp')
            translate = translators.get(fields.get('part_kind', ''), _keep)
            translated += (_add_id_and_timestamp(each, message, numbers) for each in translate(fields))
        else:
            translated.append(part)
    return translated


def _add_id_and_timestamp(part: Json, message: Json, numbers: Counter[str]) -> Json:
    """Return the part with a missing id and time added. They are the same each time the history is read."""
    added: Json = {} if message.get('timestamp') is None else {'timestamp': message['timestamp']}
    if part.get('part_kind') in ID_PREFIXES and 'tool_call_id' not in part:
        start = f'{ID_PREFIXES[part["part_kind"]]}_{part.get("tool_name") or "answer"}'
        added['tool_call_id'] = f'{start}_{numbers[start]}'
        numbers[start] += 1
    return added | part


def _keep(part: Json) -> Iterable[Json]:
    return (part,)


def _drop(_: Json) -> Iterable[Json]:
    return ()


# ---------------------------------------------------------------------- the kinds of a request


def _translate_system_prompt(part: Json) -> Iterable[Json]:
    """Yield the prompt. A prompt replaces the earlier one with its `context_id`; an empty prompt revokes it."""
    name = part.get('context_id')
    if name is not None and not part.get('content'):
        part = {**part, 'content': f'What was said before under {name!r} no longer applies.'}
    return (part,)


def _translate_user_prompt(part: Json) -> Iterable[Json]:
    content = part.get('content')
    if isinstance(content, list):
        content = [_translate_user_content(item) for item in cast('Sequence[Any]', content)]
    return ({**part, 'content': content},)


def _translate_user_content(item: Any) -> Any:
    """Return a structured value as text content: its `content` field holds the text that the model was sent.

    A stored history may come from anybody, so it cannot permit downloads from this machine and its network.
    """
    if not isinstance(item, Mapping):
        return item
    fields = cast('Json', item)
    if fields.get('kind') == 'structured-content':
        return {**fields, 'kind': 'text-content'}
    return {**fields, 'force_download': True} if fields.get('force_download') == 'allow-local' else fields


def _translate_retry_feedback(part: Json) -> Iterable[Json]:
    return ({**part, 'part_kind': 'retry-prompt'},)


def _translate_instruction_delta(part: Json) -> Iterable[Json]:
    """Yield a system prompt that announces the new or revoked instructions at the point of the change."""
    name, content = part.get('id'), part.get('content')
    prompt = f'The instructions {name!r} no longer apply.'
    if content is not None:
        prompt = f'The instructions {name!r} are from now on:\n\n{content}'
    return ({'content': prompt, 'part_kind': 'system-prompt'},)


def _translate_summary_in_request(part: Json) -> Iterable[Json]:
    """Yield a summary that the application, not the model, wrote as a user prompt."""
    if content := part.get('content'):
        yield {'content': f'A summary of the conversation so far:\n\n{content}', 'part_kind': 'user-prompt'}


def _translate_user_speech(part: Json) -> Iterable[Json]:
    """Yield the transcript, or the audio if there is no transcript."""
    if transcript := part.get('transcript'):
        yield {'content': transcript, 'part_kind': 'user-prompt'}
    elif audio := part.get('audio'):
        yield {'content': [audio], 'part_kind': 'user-prompt'}


REQUEST_PARTS: dict[str, Translator] = {
    'system-prompt': _translate_system_prompt,
    'user-prompt': _translate_user_prompt,
    'retry-feedback': _translate_retry_feedback,
    'instruction-delta': _translate_instruction_delta,
    'compaction': _translate_summary_in_request,
    'speech': _translate_user_speech,
    **dict.fromkeys(BOOKKEEPING, _drop),
}
"""Part kinds of a request that need translation → the function that translates them."""

# ---------------------------------------------------------------------- the kinds of a response


def _translate_text(part: Json) -> Iterable[Json]:
    """Yield the text. Citations that were stored in the form of the vendor only are read."""
    if part.get('citations'):
        return (part,)
    part = {name: value for name, value in part.items() if name != 'citations'}
    details, content = part.get('provider_details'), part.get('content')
    if isinstance(details, dict) and isinstance(content, str):
        citations = read_citations(cast('Json', details), content)
        part |= {'citations': citations} if citations else {}
    return (part,)


def _translate_model_speech(part: Json) -> Iterable[Json]:
    """Yield the transcript, or the audio if there is no transcript."""
    provider = _select_provider_fields(part)
    if transcript := part.get('transcript'):
        yield {**provider, 'content': transcript, 'part_kind': 'text'}
    elif audio := part.get('audio'):
        yield {**provider, 'content': audio, 'part_kind': 'file'}


def _select_provider_fields(part: Json) -> Json:
    """Return the fields that name the vendor. The part's `id` is not copied: it identifies an item of another kind."""
    return {name: part[name] for name in ('provider_name', 'provider_details') if part.get(name)}


RESPONSE_PARTS: dict[str, Translator] = {
    'text': _translate_text,
    'speech': _translate_model_speech,
}
"""Part kinds of a response that need translation → the function that translates them."""
