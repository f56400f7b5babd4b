"""The tools that OpenAI runs itself, both ways: what is asked for, what the model did with them, and that sent back.

Each kind of item is a row of `NATIVE_ITEMS`: the item becomes a call, the files that it made, and a return, and the
three become the item again.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import Any, NamedTuple, assert_never, cast

from pydantic_core import from_json, to_json

from ....exceptions import UserError
from ....messages import BinaryContent, FilePart, NativeToolCallPart, NativeToolReturnPart
from ....native_tools import (
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
    MCPServerTool,
    MemoryTool,
    NativeTool,
    WebFetchTool,
    WebSearchTool,
)
from ..._draft import ResponseDraft

Json = dict[str, Any]

ITEM = 'openai_item'
"""Marks a part that holds a whole item of the wire, in its `provider_details`."""


def encode_native_tool(tool: NativeTool) -> Json:
    """A tool as the API describes it."""
    match tool:
        case WebSearchTool():
            domains = {'allowed_domains': tool.allowed_domains, 'blocked_domains': tool.blocked_domains}
            place = tool.user_location
            location = place and _set(
                {'type': 'approximate', 'city': place.city, 'region': place.region, 'country': place.country}
                | {'timezone': place.timezone}
            )
            size = tool.search_context_size
            return _set(
                {'type': 'web_search', 'search_context_size': size, 'user_location': location}
                | {'filters': _set(domains) or None}
            )
        case CodeExecutionTool():
            return {'type': 'code_interpreter', 'container': {'type': 'auto'}}
        case FileSearchTool(file_store_ids=ids):
            return {'type': 'file_search', 'vector_store_ids': list(ids)}
        case ImageGenerationTool():
            drawn = {'quality': tool.quality, 'size': tool.size, 'background': tool.background}
            chosen = {name: value for name, value in drawn.items() if value != 'auto'}
            return _set({'type': 'image_generation', 'output_format': tool.output_format, **chosen})
        case MCPServerTool():
            return _mcp_server(tool)
        case WebFetchTool() | MemoryTool():
            raise UserError(f'The Responses API has no tool {tool.kind!r}')
        case _:
            assert_never(tool)


def _mcp_server(tool: MCPServerTool) -> Json:
    connector = tool.url.removeprefix('x-openai-connector:')
    where = {'server_url': tool.url} if connector == tool.url else {'connector_id': connector}
    return _set(
        {
            'type': 'mcp',
            'server_label': tool.id,
            **where,
            'require_approval': 'never',
            'authorization': tool.authorization_token,
            'headers': tool.headers,
            'allowed_tools': None if tool.allowed_tools is None else list(tool.allowed_tools),
            'server_description': tool.description,
        }
    )


def _set(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


# ---------------------------------------------------------------------- item → parts


class NativeItem(NamedTuple):
    """How one kind of item is read and written."""

    name: Callable[[Json], str]
    """The tool's name."""
    args: Callable[[Json], Any]
    """What the tool was asked; `None` while that is not known."""
    content: Callable[[Json], Any]
    """What it gave."""
    back: Callable[[NativeToolCallPart, Json], Json]
    """The item's own fields, from the call and what it gave."""


def start_native(item: Json, draft: ResponseDraft) -> None:
    """A tool of the vendor's begins to work; other items are passed over."""
    if (row := NATIVE_ITEMS.get(item['type'])) is None:
        return
    if item['type'] == 'code_interpreter_call' and not item.get('code'):
        opening = to_json({'container_id': item.get('container_id'), 'code': ''}).decode().removesuffix('"}')
        _call(item, row, opening, draft)
    else:
        _call(item, row, row.args(item), draft)


def finish_native(item: Json, draft: ResponseDraft) -> None:
    """A tool of the vendor's is done: its call is whole, and its files and its return follow."""
    if (row := NATIVE_ITEMS.get(item['type'])) is None:
        return
    id = item['id']
    _call(item, row, row.args(item), draft)
    draft.parts.close(id)
    for index, file in enumerate(_files(item)):
        draft.parts.whole((id, 'file', index), FilePart(file, id=id, provider_name=draft.provider_name))
    content = row.content(item)
    draft.parts.whole(
        (id, 'return'),
        NativeToolReturnPart(row.name(item), content, _call_id(item), provider_name=draft.provider_name),
    )


def _call(item: Json, row: NativeItem, args: Any, draft: ResponseDraft) -> None:
    part = NativeToolCallPart(row.name(item), args, _call_id(item), id=item['id'], provider_name=draft.provider_name)
    part.provider_details = {'type': item['type']}
    draft.parts.whole(item['id'], part)


def _call_id(item: Json) -> str:
    id: str = item.get('call_id') or item['id']
    return id


def _files(item: Json) -> list[BinaryContent]:
    """The images that code or the image tool made."""
    if item['type'] == 'image_generation_call' and item.get('result'):
        return [BinaryContent(b64decode(item['result']), media_type=f'image/{item.get("output_format") or "png"}')]
    outputs = item.get('outputs') or () if item['type'] == 'code_interpreter_call' else ()
    urls = (output['url'] for output in outputs if output.get('type') == 'image')
    return [BinaryContent.from_data_uri(url) for url in urls if url.startswith('data:')]


def _action(item: Json) -> Json | None:
    action: Json | None = item.get('action')
    return action and {name: value for name, value in action.items() if value is not None and name != 'sources'}


def _status(item: Json, **more: Any) -> Json:
    return {'status': item.get('status'), **{name: value for name, value in more.items() if value is not None}}


def _drawn(item: Json) -> Json:
    known = {name: item.get(name) for name in ('background', 'quality', 'size', 'revised_prompt')}
    return _status(item, **known)


def _mcp_args(item: Json) -> Json:
    if item['type'] == 'mcp_list_tools':
        return {'action': 'list_tools'}
    args = item.get('arguments')
    return {'action': 'call_tool', 'tool_name': item['name'], 'tool_args': from_json(args) if args else {}}


def _mcp_content(item: Json) -> Json:
    name = 'tools' if item['type'] == 'mcp_list_tools' else 'output'
    return {name: item.get(name), 'error': item.get('error')}


def _logs(item: Json) -> list[str] | None:
    logs = [output['logs'] for output in item.get('outputs') or () if output.get('type') == 'logs']
    return logs or None


def _sources(item: Json) -> Json:
    action: Json = item.get('action') or {}
    return _status(item, sources=action.get('sources'))


def _queries(item: Json) -> Json:
    return {'queries': item.get('queries')}


def _results(item: Json) -> Json:
    return _status(item, results=item.get('results'))


def _code(item: Json) -> Json:
    return {'container_id': item.get('container_id'), 'code': item.get('code')}


def _printed(item: Json) -> Json:
    return _status(item, logs=_logs(item))


def _nothing(item: Json) -> None:
    return None


def _server(item: Json) -> str:
    return f'mcp_server:{item.get("server_label")}'


# ---------------------------------------------------------------------- parts → item


def encode_native_call(call: NativeToolCallPart, content: Any) -> Json | None:
    """The item that a call came from; `None` for a call that no item of this API says."""
    kind = (call.provider_details or {}).get('type')
    row = NATIVE_ITEMS.get(kind or '')
    if row is None or not isinstance(content, dict):
        return None
    gave = cast('Json', content)
    return {'type': kind, 'id': call.id, **row.back(call, gave)}


def _mcp_back(call: NativeToolCallPart, gave: Json) -> Json:
    args = call.args_as_dict()
    label = call.tool_name.partition(':')[2]
    if args.get('action') == 'list_tools':
        return {'server_label': label, 'tools': []}
    return {'server_label': label, 'name': args.get('tool_name'), 'arguments': to_json(args.get('tool_args')).decode()}


def _code_back(call: NativeToolCallPart, gave: Json) -> Json:
    args = call.args_as_dict()
    return {
        'code': args.get('code'),
        'container_id': args.get('container_id'),
        'status': gave.get('status'),
        'outputs': None,
    }


def _search_back(call: NativeToolCallPart, gave: Json) -> Json:
    return {'action': call.args_as_dict(), 'status': gave.get('status')}


def _file_search_back(call: NativeToolCallPart, gave: Json) -> Json:
    return {'queries': call.args_as_dict().get('queries'), 'status': gave.get('status')}


def _id_alone(call: NativeToolCallPart, gave: Json) -> Json:
    return {}


def _named(name: str) -> Callable[[Json], str]:
    return lambda item: name


NATIVE_ITEMS: dict[str, NativeItem] = {
    'web_search_call': NativeItem(_named('web_search'), _action, _sources, _search_back),
    'file_search_call': NativeItem(_named('file_search'), _queries, _results, _file_search_back),
    'code_interpreter_call': NativeItem(_named('code_execution'), _code, _printed, _code_back),
    'image_generation_call': NativeItem(_named('image_generation'), _nothing, _drawn, _id_alone),
    'mcp_list_tools': NativeItem(_server, _mcp_args, _mcp_content, _mcp_back),
    'mcp_call': NativeItem(_server, _mcp_args, _mcp_content, _mcp_back),
}
"""The items that tell of a tool of OpenAI's at work."""
