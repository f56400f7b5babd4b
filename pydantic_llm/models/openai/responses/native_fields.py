"""Decodes and encodes the fields of each type of native item: one row of `NATIVE_ITEMS` per type.

Fields that a row decodes from but does not encode are kept with the call (`native_items`), so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from ....json_types import Json
from ....messages import BinaryContent, NativeToolCallPart
from ....native_tools import MCP

Files = Sequence[BinaryContent]

IMAGE_ITEM = 'image_generation_call'
"""The type of the item of the image tool."""


class NativeItem(NamedTuple):
    """The functions that decode and encode one type of item."""

    get_name: Callable[[Json], str]
    """Item -> name of the tool."""
    decode_args: Callable[[Json], Any]
    """Item -> arguments of the tool, or `None` if it has none."""
    decode_result: Callable[[Json], Any]
    """Item -> result of the tool, or `None` if another item contains it."""
    encode: Callable[[NativeToolCallPart, Json, Files], Json]
    """Call, result and files -> fields of the item."""
    begin_args: Callable[[Json], str | None] = lambda item: None
    """Item that starts -> the arguments before its first delta, as JSON text; `None` if it has them all already."""


def _get_constant(name: str) -> Callable[[Json], str]:
    return lambda item: name


def _get_fields(*names: str) -> Callable[[Json], Json]:
    """Return a function that returns these fields of an item; missing ones are `None`."""
    return lambda item: {name: item.get(name) for name in names}


def _get_set_fields(*names: str) -> Callable[[Json], Json]:
    """Return a function that returns those of these fields of an item that are not `None`."""
    return lambda item: _drop_nulls({name: item.get(name) for name in names})


def _drop_nulls(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _get_nothing(item: Json) -> None:
    return None


def _parse_args(call: NativeToolCallPart) -> Json:
    return call.args_as_dict(raise_if_invalid=False)


# ---------------------------------------------------------------------- searches


def _decode_web_search_args(item: Json) -> Json | None:
    action: Json | None = item.get('action')
    return action and {name: value for name, value in action.items() if value is not None and name != 'sources'}


def _decode_web_search_result(item: Json) -> Json:
    action: Json = item.get('action') or {}
    return _drop_nulls({'status': item.get('status'), 'sources': action.get('sources')})


def _encode_web_search(call: NativeToolCallPart, result: Json, files: Files) -> Json:
    action = _parse_args(call) | _get_set_fields('sources')(result)
    return {**({'action': action} if action else {}), **_get_set_fields('status')(result)}


def _encode_file_search(call: NativeToolCallPart, result: Json, files: Files) -> Json:
    return _parse_args(call) | result


def _decode_tool_search_args(item: Json) -> Any:
    return item.get('arguments') or None


def _encode_tool_search(call: NativeToolCallPart, result: Json, files: Files) -> Json:
    return {'arguments': _parse_args(call)}


# ---------------------------------------------------------------------- code and images


def _decode_code_result(item: Json) -> Json:
    logs = [output.get('logs') for output in item.get('outputs') or () if output.get('type') == 'logs']
    return _drop_nulls({'status': item.get('status'), 'logs': logs or None})


def _encode_code(call: NativeToolCallPart, result: Json, files: Files) -> Json:
    logs: list[Json] = [{'type': 'logs', 'logs': text} for text in result.get('logs') or ()]
    outputs: list[Json] = [*logs, *({'type': 'image', 'url': file.data_uri} for file in files)]
    return {**_parse_args(call), **_get_set_fields('status')(result), **({'outputs': outputs} if outputs else {})}


def _begin_code_args(item: Json) -> str | None:
    if item.get('code'):
        return None
    return to_json({'container_id': item.get('container_id'), 'code': ''}).decode().removesuffix('"}')


def _encode_image(call: NativeToolCallPart, result: Json, files: Files) -> Json:
    return {**result, **({'result': files[0].base64} if files else {})}


# ---------------------------------------------------------------------- MCP servers


def _get_server_name(item: Json) -> str:
    return f'{MCP}:{item.get("server_label")}'


def _encode_server_label(call: NativeToolCallPart) -> Json:
    return {'server_label': call.tool_name.partition(':')[2]}


def _decode_mcp_args(action: str) -> Callable[[Json], Json]:
    """Return a function that decodes the arguments of an item. Text that is not JSON is kept as it is."""

    def decode_args(item: Json) -> Json:
        text = item.get('arguments')
        try:
            args: Any = from_json(text) if text else {}
        except ValueError:
            args = text
        return {'action': action, 'tool_name': item.get('name'), 'tool_args': args}

    return decode_args


def _begin_mcp_args(item: Json) -> str | None:
    if item.get('arguments'):
        return None
    args = {'action': 'call_tool', 'tool_name': item.get('name'), 'tool_args': ''}
    return to_json(args).decode().removesuffix('""}')


def _encode_mcp_call(call: NativeToolCallPart, result: Json, files: Files) -> Json:
    args = _parse_args(call)
    text = to_json(args.get('tool_args')).decode()
    return {**_encode_server_label(call), 'name': args.get('tool_name'), 'arguments': text, **_drop_nulls(result)}


def _get_list_tools_args(item: Json) -> Json:
    return {'action': 'list_tools'}


def _encode_tool_list(call: NativeToolCallPart, result: Json, files: Files) -> Json:
    return {**_encode_server_label(call), **_drop_nulls(result)}


# ---------------------------------------------------------------------- the table

IMAGE_FIELDS = ('status', 'background', 'quality', 'size', 'revised_prompt')
"""Fields of an image item that are its result, in addition to the image."""

NATIVE_ITEMS: dict[str, NativeItem] = {
    'web_search_call': NativeItem(
        _get_constant('web_search'), _decode_web_search_args, _decode_web_search_result, _encode_web_search
    ),
    'file_search_call': NativeItem(
        _get_constant('file_search'),
        _get_set_fields('queries'),
        _get_set_fields('status', 'results'),
        _encode_file_search,
    ),
    'code_interpreter_call': NativeItem(
        _get_constant('code_execution'),
        _get_set_fields('container_id', 'code'),
        _decode_code_result,
        _encode_code,
        _begin_code_args,
    ),
    IMAGE_ITEM: NativeItem(
        _get_constant('image_generation'), _get_nothing, _get_set_fields(*IMAGE_FIELDS), _encode_image
    ),
    'mcp_list_tools': NativeItem(
        _get_server_name, _get_list_tools_args, _get_fields('tools', 'error'), _encode_tool_list
    ),
    'mcp_call': NativeItem(
        _get_server_name,
        _decode_mcp_args('call_tool'),
        _get_fields('output', 'error'),
        _encode_mcp_call,
        _begin_mcp_args,
    ),
    'mcp_approval_request': NativeItem(
        _get_server_name, _decode_mcp_args('request_approval'), _get_nothing, _encode_mcp_call
    ),
    'tool_search_call': NativeItem(
        _get_constant('tool_search'), _decode_tool_search_args, _get_nothing, _encode_tool_search
    ),
}
"""The items of OpenAI's own tools, by type. https://platform.openai.com/docs/api-reference/responses/object"""

ITEM_TYPES: dict[str, str] = {
    'web_search': 'web_search_call',
    'file_search': 'file_search_call',
    'code_execution': 'code_interpreter_call',
    'image_generation': IMAGE_ITEM,
}
"""Tool name -> type of item, for calls without their original type: histories of other programs have such calls."""


def choose_item_type(call: NativeToolCallPart) -> str:
    """Return the type of the item that encodes this call, or '' if the API has no such item."""
    original: str | None = (call.provider_details or {}).get('type')
    if original is None and call.tool_name.partition(':')[0] == MCP:
        return 'mcp_list_tools' if _parse_args(call).get('action') == 'list_tools' else 'mcp_call'
    return original or ITEM_TYPES.get(call.tool_name, '')
