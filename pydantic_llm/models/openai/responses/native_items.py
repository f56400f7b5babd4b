"""Decodes items of tools that the caller does not run, and encodes them again from their parts.

An item becomes a call, the files that the tool made, and its result; `native_fields` has one row per type of item.
Fields that these parts do not express are kept with the call, so the item is sent back unchanged. An item of a type
without a row (`computer_call`, `shell_call`, newer types) is kept whole: as the arguments of a call or, if it is the
result of a call, as the content of a result.
"""

from __future__ import annotations

from base64 import b64decode
from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import Any, cast

from ....json_types import Json
from ....messages import BinaryContent, FilePart, ModelResponsePart, NativeToolCallPart, NativeToolReturnPart
from ....streaming.draft import ResponseDraft
from .native_fields import IMAGE_ITEM, NATIVE_ITEMS, choose_item_type

ITEM = 'openai_item'
"""The key of `provider_details` that marks a part which holds a whole item; its value is the item's type."""

FIELDS = 'openai_fields'
"""The key of a call's `provider_details` for the fields of its item that the parts do not express."""

RESULT_ITEMS: dict[str, tuple[str, str]] = {
    'mcp_approval_request': ('mcp_approval_response', 'approval_request_id'),
    'tool_search_call': ('tool_search_output', 'call_id'),
    'computer_call': ('computer_call_output', 'call_id'),
    'shell_call': ('shell_call_output', 'call_id'),
    'local_shell_call': ('local_shell_call_output', 'id'),
    'apply_patch_call': ('apply_patch_call_output', 'call_id'),
    'custom_tool_call': ('custom_tool_call_output', 'call_id'),
    'program': ('program_output', 'call_id'),
}
"""Type of a call whose result (the vendor's or the caller's) is an item -> the type of that item, and its field with
the id of the call."""

CALL_ITEMS = {result: (call, id_field) for call, (result, id_field) in RESULT_ITEMS.items()}
"""Type of a result -> the type of its call, and its field with the id of the call."""


class NativeItemDecoder:
    """Decodes the native items of one response."""

    def __init__(self, draft: ResponseDraft) -> None:
        self.draft = draft
        self._calls: dict[str, NativeToolCallPart] = {}  # by id, by tool call id, and the latest one by type

    def start(self, item: Json) -> None:
        """Start a call. An item without an id, and a result, is decoded when it is whole."""
        row = NATIVE_ITEMS.get(item['type'])
        if item.get('id') and item['type'] not in CALL_ITEMS:
            self._put_call(self._decode_call(item, (row.begin_args(item) or row.decode_args(item)) if row else item))

    def finish(self, item: Json) -> None:
        """Decode a whole item: end its call, and add the files and the result."""
        if item['type'] in CALL_ITEMS:
            self._decode_result_item(item)
            return
        draft, row = self.draft, NATIVE_ITEMS.get(item['type'])
        call = self._decode_call(item, row.decode_args(item) if row else item)
        files = _decode_files(item)
        result = row.decode_result(item) if row else None
        if row is not None and call.provider_details is not None:
            encoded = {'type': item['type'], 'id': call.id, **row.encode(call, result or {}, files)}
            if rest := {name: value for name, value in item.items() if name not in encoded or encoded[name] != value}:
                call.provider_details[FIELDS] = rest
        draft.parts.close(self._put_call(call))
        for index, file in enumerate(files):
            self._add_whole((call.id, 'file', index), FilePart(file, id=call.id, provider_name=draft.provider_name))
        if result is not None:
            part = NativeToolReturnPart(call.tool_name, result, call.tool_call_id, provider_name=draft.provider_name)
            self._add_whole((call.id, 'return'), part)

    def decode_partial_image(self, event: Json) -> None:
        """Decode an unfinished image. The next one replaces it, and finally the whole one."""
        file = BinaryContent(b64decode(event['partial_image_b64']), media_type=_decode_image_type(event))
        details = {'partial_image_index': event.get('partial_image_index')}
        name, id = self.draft.provider_name, event['item_id']
        self.draft.parts.whole((id, 'file', 0), FilePart(file, id=id, provider_name=name, provider_details=details))

    def _decode_call(self, item: Json, args: Any) -> NativeToolCallPart:
        type, id = item['type'], item.get('id')
        row, call_id = NATIVE_ITEMS.get(type), item.get('call_id') or id
        name = row.get_tool_name(item) if row else type
        call = NativeToolCallPart(name, args, id=id, provider_name=self.draft.provider_name)
        call.provider_details = {'type': type} if row else {ITEM: type}
        if call_id:
            call.tool_call_id = call_id
        return call

    def _put_call(self, call: NativeToolCallPart) -> Hashable:
        """Start the call, or update its arguments and details if it was started; return its key."""
        parts, id = self.draft.parts, call.id or ''
        key = call.id or ('native', call.tool_call_id)
        if parts.kind_of(key) is None:
            parts.whole(key, call)
        elif (known := get_item_type(self._calls[id])) != get_item_type(call):
            raise TypeError(f'the item {call.id!r} was a {known!r}, and became a {get_item_type(call)!r}')
        else:
            parts.tool_call(key, args=call.args)
            parts.details(key, provider_details=call.provider_details)
        self._calls[get_item_type(call)] = self._calls[call.tool_call_id] = self._calls[id] = call
        return key

    def _decode_result_item(self, item: Json) -> None:
        """Decode a result, which is kept whole. Without an id of a call, it belongs to the latest call of its type."""
        call_type, id_field = CALL_ITEMS[item['type']]
        call = self._calls.get(item.get(id_field) or call_type)
        id: str = item.get(id_field) or (call.tool_call_id if call else item.get('id') or call_type)
        tool = call.tool_name if call else call_type
        name, details = self.draft.provider_name, {ITEM: item['type']}
        part = NativeToolReturnPart(tool, item, id, provider_name=name, provider_details=details)
        self._add_whole(('result', item.get('id') or id), part)

    def _add_whole(self, key: Hashable, part: FilePart | NativeToolReturnPart) -> None:
        self.draft.parts.whole(key, part)
        self.draft.parts.close(key)


def get_item_type(call: NativeToolCallPart) -> str:
    """Return the type of the item that the call was decoded from, or '' if another API made the call."""
    details: Json = call.provider_details or {}
    type: str = details[ITEM] if ITEM in details else details.get('type', '')
    return type


def _decode_files(item: Json) -> list[BinaryContent]:
    """Decode the images that code or the image tool made."""
    if item['type'] == IMAGE_ITEM and item.get('result'):
        return [BinaryContent(b64decode(item['result']), media_type=_decode_image_type(item))]
    outputs = item.get('outputs') or () if item['type'] == 'code_interpreter_call' else ()
    urls = (output['url'] for output in outputs if output.get('type') == 'image')
    return [BinaryContent.from_data_uri(url) for url in urls if url.startswith('data:')]


def _decode_image_type(item: Json) -> str:
    return f'image/{item.get("output_format") or "png"}'


class NativeParts:
    """The results and the files of the native calls of one response, by the ids of the calls."""

    def __init__(self, parts: Iterable[ModelResponsePart] = ()) -> None:
        self.call_ids: set[str | None] = set()
        """The ids of the calls."""
        self._known: dict[int, NativeToolReturnPart | FilePart] = {}
        self._made: defaultdict[Hashable, dict[int, ModelResponsePart]] = defaultdict(dict)
        for index, part in enumerate(parts):
            self.put(index, part)

    def put(self, index: int, part: ModelResponsePart) -> None:
        """Add the part with this index, or replace it."""
        if (old := self._known.pop(index, None)) is not None:
            del self._made[_name_maker(old)][index]
        if isinstance(part, NativeToolCallPart):
            self.call_ids.add(part.id)
        elif isinstance(part, (NativeToolReturnPart, FilePart)):
            self._known[index] = part
            self._made[_name_maker(part)][index] = part

    def find(self, call: NativeToolCallPart) -> list[ModelResponsePart]:
        """Return the results and the files of a call, in order."""
        made = {**self._made.get(('result', call.tool_call_id), {}), **self._made.get(('file', call.id), {})}
        return [made[index] for index in sorted(made)]


def _name_maker(part: NativeToolReturnPart | FilePart) -> Hashable:
    """Return the name of the call that made a result or a file."""
    return (
        ('result', part.tool_call_id) if isinstance(part, NativeToolReturnPart) else ('file', getattr(part, 'id', None))
    )


def encode_native_call(call: NativeToolCallPart, made: Iterable[ModelResponsePart]) -> Json | None:
    """Encode a call as the item that it came from, with its result and its files.

    Returns `None` if the API has no item for the call.
    """
    if ITEM in (call.provider_details or {}):
        item = call.args_as_dict(raise_if_invalid=False)
        return item if 'type' in item else None
    type = choose_item_type(call)
    if (row := NATIVE_ITEMS.get(type)) is None:
        return None
    result: Any = {}
    files: list[BinaryContent] = []
    for part in made:
        match part:
            case NativeToolReturnPart(content=dict(), tool_call_id=id) if id == call.tool_call_id:
                result = part.content if type not in RESULT_ITEMS else {}
            case FilePart(id=str() as id) if id == call.id:
                files.append(part.content)
            case _:
                pass
    kept: Json = (call.provider_details or {}).get(FIELDS, {})
    return {'type': type, 'id': call.id, **row.encode(call, result, files), **kept}


def encode_result_item(part: NativeToolReturnPart, call: NativeToolCallPart | None) -> Json | None:
    """Encode the result of a call as an item. Returns `None` if the item of the call contains the result."""
    result: Any = part.content
    if not isinstance(result, dict):
        return None
    content = cast('Json', result)
    if ITEM in (part.provider_details or {}):
        return dict(content) if 'type' in content else None
    call_type = '' if call is None else (call.provider_details or {}).get(ITEM) or choose_item_type(call)
    if call_type not in RESULT_ITEMS:
        return None
    type, id_field = RESULT_ITEMS[call_type]
    return {'type': type, id_field: part.tool_call_id, **content}
