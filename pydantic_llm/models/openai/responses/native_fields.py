"""Decodes and encodes the fields of each type of native item: one row of `NATIVE_ITEMS` per type.

Fields that a row decodes from but does not encode are kept with the call (`native_items`), so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from ....json_types import Json, parse_json
from ....messages import BinaryContent, NativeToolCallPart
from ....native_tools import MCP
from .native_tools import drop_nulls

Files = Sequence[BinaryContent]

IMAGE_ITEM = 'image_generation_call'
"""The type of the item of the image tool."""


@dataclass(frozen=True, slots=True)
class NativeItem:
    """The functions that decode and encode one type of item."""

    tool: str
    """The name of the tool; `MCP` if the label of a server follows it in the full name."""
    decode_args: Callable[[Json], Any]
    """Item -> arguments of the tool, or `None` if it has none."""
    decode_result: Callable[[Json], Any]
    """Item -> result of the tool, or `None` if another item contains it."""
    encode_fields: Callable[[Json, Json, Files], Json]
    """Arguments, result and files -> fields of the item, without the label of its server."""
    begin_args: Callable[[Json], str | None] = lambda item: None
    """Item that starts -> the arguments before its first delta, as JSON text; `None` if it has them all already."""

    def get_tool_name(self, item: Json) -> str:
        return f'{MCP}:{item.get("server_label")}' if self.tool == MCP else self.tool

    def encode(self, call: NativeToolCallPart, result: Json, files: Files) -> Json:
        """Return the fields of the item of this call, except its type and id."""
        label = {'server_label': call.tool_name.partition(':')[2]} if self.tool == MCP else {}
        return label | self.encode_fields(call.args_as_dict(raise_if_invalid=False), result, files)


def _get_fields(*names: str) -> Callable[[Json], Json]:
    """Return a function that returns these fields of an item; missing ones are `None`."""
    return lambda item: {name: item.get(name) for name in names}


def _get_set_fields(*names: str) -> Callable[[Json], Json]:
    """Return a function that returns those of these fields of an item that are not `None`."""
    return lambda item: drop_nulls({name: item.get(name) for name in names})


def _get_nothing(item: Json) -> None:
    return None


def _decode_web_search_args(item: Json) -> Json | None:
    action: Json | None = item.get('action')
    return action and drop_nulls({**action, 'sources': None})


def _decode_web_search_result(item: Json) -> Json:
    action: Json = item.get('action') or {}
    return drop_nulls({'status': item.get('status'), 'sources': action.get('sources')})


def _encode_web_search(args: Json, result: Json, files: Files) -> Json:
    action = args | _get_set_fields('sources')(result)
    return drop_nulls({'action': action or None, 'status': result.get('status')})


def _decode_code_result(item: Json) -> Json:
    logs = [output.get('logs') for output in item.get('outputs') or () if output.get('type') == 'logs']
    return drop_nulls({'status': item.get('status'), 'logs': logs or None})


def _encode_code(args: Json, result: Json, files: Files) -> Json:
    logs: list[Json] = [{'type': 'logs', 'logs': text} for text in result.get('logs') or ()]
    outputs: list[Json] = [*logs, *({'type': 'image', 'url': file.data_uri} for file in files)]
    return args | drop_nulls({'status': result.get('status'), 'outputs': outputs or None})


def _begin_code_args(item: Json) -> str | None:
    if item.get('code'):
        return None
    return to_json({'container_id': item.get('container_id'), 'code': ''}).decode().removesuffix('"}')


def _encode_image(args: Json, result: Json, files: Files) -> Json:
    return {**result, 'result': files[0].base64} if files else result


def _decode_mcp_args(action: str) -> Callable[[Json], Json]:
    """Return a function that decodes the arguments of an item. Text that is not JSON is kept as it is."""

    def decode_args(item: Json) -> Json:
        text = item.get('arguments')
        try:
            args: Any = parse_json(text) if text else {}
        except ValueError:
            args = text
        return {'action': action, 'tool_name': item.get('name'), 'tool_args': args}

    return decode_args


def _begin_mcp_args(item: Json) -> str | None:
    if item.get('arguments'):
        return None
    args = {'action': 'call_tool', 'tool_name': item.get('name'), 'tool_args': ''}
    return to_json(args).decode().removesuffix('""}')


def _encode_mcp_call(args: Json, result: Json, files: Files) -> Json:
    text = to_json(args.get('tool_args')).decode()
    return {'name': args.get('tool_name'), 'arguments': text, **drop_nulls(result)}


IMAGE_FIELDS = ('status', 'background', 'quality', 'size', 'revised_prompt')
"""Fields of an image item that are its result, in addition to the image."""

NATIVE_ITEMS: dict[str, NativeItem] = {
    'web_search_call': NativeItem('web_search', _decode_web_search_args, _decode_web_search_result, _encode_web_search),
    'file_search_call': NativeItem(
        'file_search',
        _get_set_fields('queries'),
        _get_set_fields('status', 'results'),
        lambda args, result, files: args | result,
    ),
    'code_interpreter_call': NativeItem(
        'code_execution', _get_set_fields('container_id', 'code'), _decode_code_result, _encode_code, _begin_code_args
    ),
    IMAGE_ITEM: NativeItem('image_generation', _get_nothing, _get_set_fields(*IMAGE_FIELDS), _encode_image),
    'mcp_list_tools': NativeItem(
        MCP,
        lambda item: {'action': 'list_tools'},
        _get_fields('tools', 'error'),
        lambda args, result, files: drop_nulls(result),
    ),
    'mcp_call': NativeItem(
        MCP, _decode_mcp_args('call_tool'), _get_fields('output', 'error'), _encode_mcp_call, _begin_mcp_args
    ),
    'mcp_approval_request': NativeItem(MCP, _decode_mcp_args('request_approval'), _get_nothing, _encode_mcp_call),
    'tool_search_call': NativeItem(
        'tool_search',
        lambda item: item.get('arguments') or None,
        _get_nothing,
        lambda args, result, files: {'arguments': args},
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
        lists_tools = call.args_as_dict(raise_if_invalid=False).get('action') == 'list_tools'
        return 'mcp_list_tools' if lists_tools else 'mcp_call'
    return original or ITEM_TYPES.get(call.tool_name, '')
