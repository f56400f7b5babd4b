"""The items that tell of a tool at work which is none of ours, both ways: item → parts, and the parts → the same item.

An item becomes a call, the files that it made, and what it gave; `native_fields` has a row for each kind. What the
parts do not say of an item is kept beside the call, so that the item goes back as it came. An item of a kind that has
no row (`computer_call`, `shell_call`, a kind that is newer than this) is kept whole: as the arguments of a call or,
where it answers one, as what that gave.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from typing import Any, cast

from ....json_types import Json
from ....messages import BinaryContent, FilePart, ModelResponsePart, NativeToolCallPart, NativeToolReturnPart
from ....streaming.draft import ResponseDraft
from .native_fields import NATIVE_ITEMS, kind_of

ITEM = 'openai_item'
"""Marks a part that holds a whole item of the wire, in its `provider_details`."""

FIELDS = 'openai_fields'
"""Where a call keeps, in its `provider_details`, what the parts do not say of its item."""

ANSWERS: dict[str, tuple[str, str]] = {
    'mcp_approval_request': ('mcp_approval_response', 'approval_request_id'),
    'tool_search_call': ('tool_search_output', 'call_id'),
    'computer_call': ('computer_call_output', 'call_id'),
    'shell_call': ('shell_call_output', 'call_id'),
    'local_shell_call': ('local_shell_call_output', 'id'),
    'apply_patch_call': ('apply_patch_call_output', 'call_id'),
    'custom_tool_call': ('custom_tool_call_output', 'call_id'),
    'program': ('program_output', 'call_id'),
}
"""The calls that another item answers (the vendor's or the caller's): its type, and where it names the call."""

ANSWERED = {answer: (call, name) for call, (answer, name) in ANSWERS.items()}
"""The items that answer a call: the type of that, and where they name it."""

# ---------------------------------------------------------------------- item → parts


def start_native(item: Json, draft: ResponseDraft) -> None:
    """A tool begins to work. An item that cannot be told from others is read when it is whole."""
    row = NATIVE_ITEMS.get(item['type'])
    if item.get('id') and item['type'] not in ANSWERED:
        _put(_call(item, (row.opening(item) or row.args(item)) if row else item, draft), draft)


def finish_native(item: Json, draft: ResponseDraft) -> None:
    """A tool is done: its call is whole, and its files and what it gave follow."""
    if item['type'] in ANSWERED:
        _answer(item, draft)
        return
    row = NATIVE_ITEMS.get(item['type'])
    call = _call(item, row.args(item) if row else item, draft)
    files = _files(item)
    content = row.content(item) if row else None
    if row is not None and call.provider_details is not None:
        said = {'type': item['type'], 'id': call.id, **row.back(call, content or {}, files)}
        if unsaid := {name: value for name, value in item.items() if name not in said or said[name] != value}:
            call.provider_details[FIELDS] = unsaid
    draft.parts.close(_put(call, draft))
    for index, file in enumerate(files):
        _whole((call.id, 'file', index), FilePart(file, id=call.id, provider_name=draft.provider_name), draft)
    if content is not None:
        part = NativeToolReturnPart(call.tool_name, content, call.tool_call_id, provider_name=draft.provider_name)
        _whole((call.id, 'return'), part, draft)


def show_partial_image(event: Json, draft: ResponseDraft) -> None:
    """An image as it is so far. The next one, and at last the whole one, takes its place."""
    file = BinaryContent(b64decode(event['partial_image_b64']), media_type=_image_type(event))
    details = {'partial_image_index': event.get('partial_image_index')}
    part = FilePart(file, id=event['item_id'], provider_name=draft.provider_name, provider_details=details)
    draft.parts.whole((event['item_id'], 'file', 0), part)


def _call(item: Json, args: Any, draft: ResponseDraft) -> NativeToolCallPart:
    kind, id = item['type'], item.get('id')
    row, call_id = NATIVE_ITEMS.get(kind), item.get('call_id') or id
    call = NativeToolCallPart(row.name(item) if row else kind, args, id=id, provider_name=draft.provider_name)
    call.provider_details = {'type': kind} if row else {ITEM: kind}
    if call_id:
        call.tool_call_id = call_id
    return call


def _put(call: NativeToolCallPart, draft: ResponseDraft) -> Any:
    """Start the call, or set what is known of it now; arguments that came as text are replaced. Gives its key."""
    known: dict[str, NativeToolCallPart] = draft.scratch.setdefault('native', {})
    key = call.id or ('native', call.tool_call_id)
    if draft.parts.kind_of(key) is None:
        draft.parts.whole(key, call)
    elif type_of(known[call.id or '']) != type_of(call):
        raise TypeError(f'the item {call.id!r} was a {type_of(known[call.id or ""])!r}, and became a {type_of(call)!r}')
    else:
        draft.parts.tool_call(key, args=call.args)
        draft.parts.details(key, provider_details=call.provider_details)
    known[type_of(call)] = known[call.tool_call_id] = known[call.id or ''] = call
    return key


def type_of(call: NativeToolCallPart) -> str:
    """The type of the item that a call came as; empty for one that came from another API."""
    details: Json = call.provider_details or {}
    kind: str = details[ITEM] if ITEM in details else details.get('type', '')
    return kind


def _answer(item: Json, draft: ResponseDraft) -> None:
    """An item that answers a call is kept whole. One that does not say which answers the last of its kind."""
    asked, name = ANSWERED[item['type']]
    known: dict[str, NativeToolCallPart] = draft.scratch.get('native', {})
    call = known.get(item.get(name) or asked)
    id: str = item.get(name) or (call.tool_call_id if call else item.get('id') or asked)
    tool = call.tool_name if call else asked
    details = {ITEM: item['type']}
    part = NativeToolReturnPart(tool, item, id, provider_name=draft.provider_name, provider_details=details)
    _whole(('answer', item.get('id') or id), part, draft)


def _whole(key: Any, part: FilePart | NativeToolReturnPart, draft: ResponseDraft) -> None:
    draft.parts.whole(key, part)
    draft.parts.close(key)


def _files(item: Json) -> list[BinaryContent]:
    """The images that code or the image tool made."""
    if item['type'] == 'image_generation_call' and item.get('result'):
        return [BinaryContent(b64decode(item['result']), media_type=_image_type(item))]
    outputs = item.get('outputs') or () if item['type'] == 'code_interpreter_call' else ()
    urls = (output['url'] for output in outputs if output.get('type') == 'image')
    return [BinaryContent.from_data_uri(url) for url in urls if url.startswith('data:')]


def _image_type(said: Json) -> str:
    return f'image/{said.get("output_format") or "png"}'


# ---------------------------------------------------------------------- parts → item


def encode_native_call(call: NativeToolCallPart, beside: Iterable[ModelResponsePart]) -> Json | None:
    """The item that a call came from; `None` for a call that no item of this API says."""
    if ITEM in (call.provider_details or {}):
        item = call.args_as_dict(raise_if_invalid=False)
        return item if 'type' in item else None
    kind = kind_of(call)
    if (row := NATIVE_ITEMS.get(kind)) is None:
        return None
    gave: Any = {}
    files: list[BinaryContent] = []
    for part in beside:
        match part:
            case NativeToolReturnPart(content=dict(), tool_call_id=id) if id == call.tool_call_id:
                gave = part.content if kind not in ANSWERS else {}
            case FilePart(id=str() as id) if id == call.id:
                files.append(part.content)
            case _:
                pass
    kept: Json = (call.provider_details or {}).get(FIELDS, {})
    return {'type': kind, 'id': call.id, **row.back(call, gave, files), **kept}


def encode_answer(part: NativeToolReturnPart, call: NativeToolCallPart | None) -> Json | None:
    """The item that answers a call, as it came or as the caller says it; `None` for what is said with its call."""
    said: Any = part.content
    if not isinstance(said, dict):
        return None
    content = cast('Json', said)
    if ITEM in (part.provider_details or {}):
        return dict(content) if 'type' in content else None
    kind = '' if call is None else (call.provider_details or {}).get(ITEM) or kind_of(call)
    if kind not in ANSWERS:
        return None
    answer, name = ANSWERS[kind]
    return {'type': answer, name: part.tool_call_id, **content}
