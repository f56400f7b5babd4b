"""The JSON of histories that others stored → ours: kinds of parts that we do not have become those that say the same.

What a model would have read is kept. What only the other's own bookkeeping needs is dropped: the kinds in
`BOOKKEEPING`, and fields that ours do not have. A kind that nobody knows is left as it is, and validation refuses it.

Read `read_request` and `read_response`; the tables below them say what becomes of which kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from ..json_types import Json

Reader = Callable[[Json], Iterable[Json]]

BOOKKEEPING = ('capability-load-delta', 'instruction-baseline', 'model-settings-delta', 'tool-availability-delta')
"""Kinds of request parts that no model ever reads."""

CALLS = {
    'tool-call': 'call',
    'tool-return': 'call',
    'retry-prompt': 'call',
    'builtin-tool-call': 'native',
    'builtin-tool-return': 'native',
}
"""Kinds that a call and its answer have, and what an id begins with that has to be made up."""

STATES = {'suspended': 'incomplete'}
"""States of a response that ours does not have."""

COUNTS = {'output_reasoning_tokens': 'reasoning_tokens', 'cache_write_1h_tokens': 'cache_write_1h_tokens'}
"""Counts of usage that are details here, and their names there."""


def read_request(value: object) -> object:
    """The JSON of a request, made ours; anything else is returned as it is."""
    if not isinstance(value, Mapping):
        return value
    request = dict(cast('Mapping[str, Any]', value))
    return request | {'parts': _read_parts(request, REQUEST_PARTS)}


def read_response(value: object) -> object:
    """The JSON of a response, made ours; anything else is returned as it is."""
    if not isinstance(value, Mapping):
        return value
    response = _without_nulls(cast('Mapping[str, Any]', value), 'usage', 'timestamp', 'warnings')
    response['parts'] = _read_parts(response, RESPONSE_PARTS)
    if (state := response.get('state')) in STATES:
        response['state'] = STATES[state]
    if isinstance(usage := response.get('usage'), Mapping):
        response['usage'] = _read_usage(cast('Mapping[str, Any]', usage))
    return response


def _without_nulls(value: Mapping[str, Any], *names: str) -> Json:
    """The fields, without those of these names that are null: their class makes them up."""
    return {name: item for name, item in value.items() if item is not None or name not in names}


def _read_usage(usage: Mapping[str, Any]) -> Json:
    counts = {detail: usage[name] for name, detail in COUNTS.items() if usage.get(name)}
    return {**usage, 'details': {**counts, **(usage.get('details') or {})}}


def _read_parts(message: Json, readers: Mapping[str, Reader]) -> object:
    parts = message.get('parts')
    if not isinstance(parts, (list, tuple)):
        return parts
    numbers: Counter[str] = Counter()
    read: list[object] = []
    for part in cast('Sequence[object]', parts):
        if isinstance(part, Mapping):
            known = _without_nulls(cast('Mapping[str, Any]', part), 'tool_call_id', 'timestamp')
            reader = readers.get(known.get('part_kind', ''), _as_it_is)
            read += (_completed(each, message, numbers) for each in reader(known))
        else:
            read.append(part)
    return read


def _completed(part: Json, message: Json, numbers: Counter[str]) -> Json:
    """The part with the id and the time that it lacks, the same whenever it is read."""
    made: Json = {} if message.get('timestamp') is None else {'timestamp': message['timestamp']}
    if part.get('part_kind') in CALLS and 'tool_call_id' not in part:
        start = f'{CALLS[part["part_kind"]]}_{part.get("tool_name") or "answer"}'
        made['tool_call_id'] = f'{start}_{numbers[start]}'
        numbers[start] += 1
    return made | part


def _as_it_is(part: Json) -> Iterable[Json]:
    return (part,)


# ---------------------------------------------------------------------- the kinds of a request


def _system_prompt(part: Json) -> Iterable[Json]:
    """A prompt under a name replaces the one before it; an empty one takes it back."""
    name = part.get('context_id')
    if name is not None and not part.get('content'):
        part = {**part, 'content': f'What was said before under {name!r} no longer applies.'}
    return (part,)


def _user_prompt(part: Json) -> Iterable[Json]:
    content = part.get('content')
    if isinstance(content, list):
        content = [_user_content(item) for item in cast('Sequence[Any]', content)]
    return ({**part, 'content': content},)


def _user_content(item: Any) -> Any:
    """A structured value has been written as text, and that is what models read."""
    if isinstance(item, Mapping) and cast('Json', item).get('kind') == 'structured-content':
        return {**cast('Json', item), 'kind': 'text-content'}
    return cast('Any', item)


def _retry_feedback(part: Json) -> Iterable[Json]:
    return ({**part, 'part_kind': 'retry-prompt'},)


def _instruction_delta(part: Json) -> Iterable[Json]:
    """New words for one block of the instructions, or none: said in the place where the change was made."""
    name, content = part.get('id'), part.get('content')
    says = f'The instructions {name!r} no longer apply.'
    if content is not None:
        says = f'The instructions {name!r} are from now on:\n\n{content}'
    return ({'content': says, 'part_kind': 'system-prompt'},)


def _summary_for_the_model(part: Json) -> Iterable[Json]:
    """A summary that somebody else than the model wrote."""
    if content := part.get('content'):
        yield {'content': f'A summary of the conversation so far:\n\n{content}', 'part_kind': 'user-prompt'}


def _speech_of_the_user(part: Json) -> Iterable[Json]:
    """What was said, or its sound where nobody wrote it down."""
    if transcript := part.get('transcript'):
        yield {'content': transcript, 'part_kind': 'user-prompt'}
    elif audio := part.get('audio'):
        yield {'content': [audio], 'part_kind': 'user-prompt'}


def _nothing(_: Json) -> Iterable[Json]:
    return ()


REQUEST_PARTS: dict[str, Reader] = {
    'system-prompt': _system_prompt,
    'user-prompt': _user_prompt,
    'retry-feedback': _retry_feedback,
    'instruction-delta': _instruction_delta,
    'compaction': _summary_for_the_model,
    'speech': _speech_of_the_user,
    **dict.fromkeys(BOOKKEEPING, _nothing),
}
"""What becomes of the kinds of a request that are not just ours."""

# ---------------------------------------------------------------------- the kinds of a response


def _text(part: Json) -> Iterable[Json]:
    """The sources that a text cites are kept beside it, under a name that no vendor's own details have."""
    if citations := part.get('citations'):
        details: Json = part.get('provider_details') or {}
        part = {**part, 'provider_details': {**details, 'cited_sources': citations}}
    return (part,)


def _summary_of_the_model(part: Json) -> Iterable[Json]:
    """A summary by the vendor: its text, or what only the vendor can read, which is listed when it cannot be sent."""
    own = _vendors_own(part)
    if content := part.get('content'):
        yield {**own, 'content': content, 'part_kind': 'text'}
    elif own:
        own['provider_details'] = {'id': part.get('id'), **own.get('provider_details', {})}
        yield {**own, 'tool_name': 'compaction', 'content': None, 'part_kind': 'builtin-tool-return'}


def _speech_of_the_model(part: Json) -> Iterable[Json]:
    """What was said, or its sound where nobody wrote it down."""
    own = _vendors_own(part)
    if transcript := part.get('transcript'):
        yield {**own, 'content': transcript, 'part_kind': 'text'}
    elif audio := part.get('audio'):
        yield {**own, 'content': audio, 'part_kind': 'file'}


def _vendors_own(part: Json) -> Json:
    """What says whose part it is; its id belongs to an item of another kind."""
    return {name: part[name] for name in ('provider_name', 'provider_details') if part.get(name)}


RESPONSE_PARTS: dict[str, Reader] = {
    'text': _text,
    'compaction': _summary_of_the_model,
    'speech': _speech_of_the_model,
}
"""What becomes of the kinds of a response that are not just ours."""
