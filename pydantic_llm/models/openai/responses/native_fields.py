"""What the fields of each kind of native item mean: a row of `NATIVE_ITEMS` reads an item and writes it again.

What a row does not write of an item that it has read is kept beside the call (`native_items`), so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from ....json_types import Json
from ....messages import BinaryContent, NativeToolCallPart

Files = Sequence[BinaryContent]

MCP = 'mcp_server'
"""What the names of the tools of MCP servers begin with; the server's own name follows behind a colon."""


class NativeItem(NamedTuple):
    """How one kind of item is read and written."""

    name: Callable[[Json], str]
    """The tool's name."""
    args: Callable[[Json], Any]
    """What the tool was asked; `None` where that is not known."""
    content: Callable[[Json], Any]
    """What it gave; `None` where another item tells that."""
    back: Callable[[NativeToolCallPart, Json, Files], Json]
    """The fields that the call, what it gave and its files say."""
    opening: Callable[[Json], str | None] = lambda item: None
    """How the arguments begin, as text, while the rest of them is still being written."""


def _told(*names: str) -> Callable[[Json], Json]:
    """What an item says under these names, where it says anything."""
    return lambda item: _known({name: item.get(name) for name in names})


def _known(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _always(name: str) -> Callable[[Json], str]:
    return lambda item: name


def _nothing(item: Json) -> None:
    return None


def _args(call: NativeToolCallPart) -> Json:
    return call.args_as_dict(raise_if_invalid=False)


# ---------------------------------------------------------------------- searches


def _search(item: Json) -> Json | None:
    action: Json | None = item.get('action')
    return action and {name: value for name, value in action.items() if value is not None and name != 'sources'}


def _found(item: Json) -> Json:
    action: Json = item.get('action') or {}
    return _known({'status': item.get('status'), 'sources': action.get('sources')})


def _search_back(call: NativeToolCallPart, gave: Json, files: Files) -> Json:
    action = _args(call) | _told('sources')(gave)
    return {**({'action': action} if action else {}), **_told('status')(gave)}


def _file_search_back(call: NativeToolCallPart, gave: Json, files: Files) -> Json:
    return _args(call) | gave


def _tools_wanted(item: Json) -> Any:
    return item.get('arguments') or None


def _tools_wanted_back(call: NativeToolCallPart, gave: Json, files: Files) -> Json:
    return {'arguments': _args(call)}


# ---------------------------------------------------------------------- code and images


def _printed(item: Json) -> Json:
    logs = [output.get('logs') for output in item.get('outputs') or () if output.get('type') == 'logs']
    return _known({'status': item.get('status'), 'logs': logs or None})


def _code_back(call: NativeToolCallPart, gave: Json, files: Files) -> Json:
    logs: list[Json] = [{'type': 'logs', 'logs': text} for text in gave.get('logs') or ()]
    outputs: list[Json] = [*logs, *({'type': 'image', 'url': file.data_uri} for file in files)]
    return {**_args(call), **_told('status')(gave), **({'outputs': outputs} if outputs else {})}


def _code_opening(item: Json) -> str | None:
    if item.get('code'):
        return None
    return to_json({'container_id': item.get('container_id'), 'code': ''}).decode().removesuffix('"}')


def _image_back(call: NativeToolCallPart, gave: Json, files: Files) -> Json:
    return {**gave, **({'result': files[0].base64} if files else {})}


# ---------------------------------------------------------------------- MCP servers


def _server(item: Json) -> str:
    return f'{MCP}:{item.get("server_label")}'


def _of_server(call: NativeToolCallPart) -> Json:
    return {'server_label': call.tool_name.partition(':')[2]}


def _mcp_args(action: str) -> Callable[[Json], Json]:
    def args(item: Json) -> Json:
        text = item.get('arguments')
        try:
            given: Any = from_json(text) if text else {}
        except ValueError:
            given = text
        return {'action': action, 'tool_name': item.get('name'), 'tool_args': given}

    return args


def _mcp_opening(item: Json) -> str | None:
    if item.get('arguments'):
        return None
    said = {'action': 'call_tool', 'tool_name': item.get('name'), 'tool_args': ''}
    return to_json(said).decode().removesuffix('""}')


def _mcp_back(call: NativeToolCallPart, gave: Json, files: Files) -> Json:
    args = _args(call)
    text = to_json(args.get('tool_args')).decode()
    return {**_of_server(call), 'name': args.get('tool_name'), 'arguments': text, **_known(gave)}


def _list_tools(item: Json) -> Json:
    return {'action': 'list_tools'}


def _listed_back(call: NativeToolCallPart, gave: Json, files: Files) -> Json:
    return {**_of_server(call), **_known(gave)}


def _given(*names: str) -> Callable[[Json], Json]:
    return lambda item: {name: item.get(name) for name in names}


# ---------------------------------------------------------------------- the kinds

DRAWN = ('status', 'background', 'quality', 'size', 'revised_prompt')
"""What is said of an image."""

NATIVE_ITEMS: dict[str, NativeItem] = {
    'web_search_call': NativeItem(_always('web_search'), _search, _found, _search_back),
    'file_search_call': NativeItem(
        _always('file_search'), _told('queries'), _told('status', 'results'), _file_search_back
    ),
    'code_interpreter_call': NativeItem(
        _always('code_execution'), _told('container_id', 'code'), _printed, _code_back, _code_opening
    ),
    'image_generation_call': NativeItem(_always('image_generation'), _nothing, _told(*DRAWN), _image_back),
    'mcp_list_tools': NativeItem(_server, _list_tools, _given('tools', 'error'), _listed_back),
    'mcp_call': NativeItem(_server, _mcp_args('call_tool'), _given('output', 'error'), _mcp_back, _mcp_opening),
    'mcp_approval_request': NativeItem(_server, _mcp_args('request_approval'), _nothing, _mcp_back),
    'tool_search_call': NativeItem(_always('tool_search'), _tools_wanted, _nothing, _tools_wanted_back),
}
"""The items that tell of a tool of OpenAI's at work."""

KINDS: dict[str, str] = {
    'web_search': 'web_search_call',
    'file_search': 'file_search_call',
    'code_execution': 'code_interpreter_call',
    'image_generation': 'image_generation_call',
}
"""The items of calls that do not say which they came from, as histories of other programs have them, by the tool."""


def kind_of(call: NativeToolCallPart) -> str:
    """The type of the item that a call came from; empty for a call that no item of this API says."""
    kind: str | None = (call.provider_details or {}).get('type')
    if kind is None and call.tool_name.partition(':')[0] == MCP:
        kind = 'mcp_list_tools' if _args(call).get('action') == 'list_tools' else 'mcp_call'
    return kind or KINDS.get(call.tool_name, '')
