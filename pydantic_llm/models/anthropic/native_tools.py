"""The tools that Anthropic runs itself: their definitions, and their calls and results as parts, in both directions.

A block of a type that is unknown here becomes a part of a native tool that contains the whole block
(`decode_unknown_block`). It can be sent back unchanged, and the rooms of other vendors skip it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never, cast

from pydantic_core import to_json

from ...exceptions import UserError
from ...json_types import Json, keep_objects
from ...messages import NativeToolCallPart, NativeToolReturnPart
from ...native_tools import (
    LOCATION_FIELDS,
    MCP,
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
    MCPServerTool,
    MemoryTool,
    NativeTool,
    WebFetchTool,
    WebSearchTool,
    WebSearchUserLocation,
)
from ...profiles.anthropic import AnthropicModelProfile

TOOL_NAMES: dict[str, str] = {
    'web_search': 'web_search',
    'web_fetch': 'web_fetch',
    'code_execution': 'code_execution',
    'bash_code_execution': 'code_execution',
    'text_editor_code_execution': 'code_execution',
    'tool_search': 'tool_search',
    'tool_search_tool_bm25': 'tool_search',
    'tool_search_tool_regex': 'tool_search',
    'advisor': 'advisor',
}
"""The API's names of its tools (in calls, and before `_tool_result` in results) -> the names of our parts."""

MEMORY_TYPE = 'memory_20250818'
"""The version of the memory tool, which Anthropic defines and the caller runs."""

MCP_ARGS_START = '{"action":"call_tool","tool_name":%s,"tool_args":'
"""The text before an MCP tool's arguments in the arguments of our part; `}` follows them."""

UNKNOWN_BLOCK = 'anthropic_block'
"""The key of `provider_details` for the type of the block, in a part that contains a whole block."""

LIMIT_FIELDS = ('max_uses', 'allowed_domains', 'blocked_domains')


def encode_native_tool(tool: NativeTool, profile: AnthropicModelProfile) -> Json:
    """Encode the definition of a tool, in the version that the profile names."""
    match tool:
        case WebSearchTool():
            fields = {**_encode_limits(tool), 'user_location': _encode_location(tool.user_location)}
            return _drop_none({'type': profile.anthropic_web_search, 'name': 'web_search', **fields})
        case WebFetchTool():
            citations = {'enabled': True} if tool.enable_citations else None
            fields = {**_encode_limits(tool), 'citations': citations, 'max_content_tokens': tool.max_content_tokens}
            return _drop_none({'type': profile.anthropic_web_fetch, 'name': 'web_fetch', **fields})
        case CodeExecutionTool():
            return {'type': profile.anthropic_code_execution, 'name': 'code_execution'}
        case MemoryTool():
            return {'type': MEMORY_TYPE, 'name': 'memory'}
        case ImageGenerationTool() | FileSearchTool() | MCPServerTool():
            raise UserError(f'The Messages API has no tool {tool.kind!r}')
        case _:
            assert_never(tool)


def encode_mcp_server(tool: MCPServerTool) -> Json:
    """Encode the definition of an MCP server."""
    allowed = None if tool.allowed_tools is None else {'enabled': True, 'allowed_tools': list(tool.allowed_tools)}
    server = {'authorization_token': tool.authorization_token, 'tool_configuration': allowed}
    return _drop_none({'type': 'url', 'name': tool.id, 'url': tool.url, **server})


def decode_native_tool(tool: Json) -> NativeTool | None:
    """Decode the definition of a tool, of any version. Return None for an unknown tool."""
    kind = str(tool.get('type', ''))
    limits: Any = {name: tool[name] for name in LIMIT_FIELDS if tool.get(name) is not None}
    if kind.startswith('web_search_'):
        return WebSearchTool(**limits, user_location=_decode_location(tool.get('user_location')))
    if kind.startswith('web_fetch_'):
        citations: Json = tool.get('citations') or {}
        has_citations = bool(citations.get('enabled'))
        return WebFetchTool(**limits, enable_citations=has_citations, max_content_tokens=tool.get('max_content_tokens'))
    if kind.startswith('code_execution_'):
        return CodeExecutionTool()
    return MemoryTool() if kind.startswith('memory_') else None


def decode_mcp_server(server: Json) -> MCPServerTool:
    """Decode the definition of an MCP server."""
    configuration: Json = server.get('tool_configuration') or {}
    token = server.get('authorization_token')
    tools = configuration.get('allowed_tools')
    return MCPServerTool(server['name'], server['url'], authorization_token=token, allowed_tools=tools)


def _encode_limits(tool: WebSearchTool | WebFetchTool) -> Json:
    return {name: getattr(tool, name) for name in LIMIT_FIELDS}


def _encode_location(location: WebSearchUserLocation | None) -> Json | None:
    if location is None:
        return None
    return _drop_none({'type': 'approximate', **{name: getattr(location, name) for name in LOCATION_FIELDS}})


def _decode_location(location: Json | None) -> WebSearchUserLocation | None:
    return WebSearchUserLocation(**{name: location.get(name) for name in LOCATION_FIELDS}) if location else None


def _drop_none(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def decode_call(block: Json, provider_name: str | None) -> NativeToolCallPart:
    """Decode a `server_tool_use` or `mcp_tool_use`. The arguments are `None` if they are yet to be streamed."""
    name, args = block['name'], block.get('input')
    if block['type'] == 'mcp_tool_use':
        args = {'action': 'call_tool', 'tool_name': name, 'tool_args': args} if args is not None else None
        tool_name, details = f'{MCP}:{block["server_name"]}', decode_caller(block)
    else:
        tool_name, details = _decode_tool_name(name, block)
    return NativeToolCallPart(tool_name, args, block['id'], provider_name=provider_name, provider_details=details)


def decode_return(block: Json, provider_name: str | None, tool_names: Mapping[str, str]) -> NativeToolReturnPart:
    """Decode a result. `tool_names` are the tools of the calls so far, by id: a result of an MCP tool has no name."""
    id, content = block['tool_use_id'], block['content']
    if block['type'] == 'mcp_tool_result':
        content = {'content': content, 'is_error': bool(block.get('is_error'))}
        tool_name, details = tool_names.get(id, MCP), decode_caller(block)
    else:
        tool_name, details = _decode_tool_name(block['type'].removesuffix('_tool_result'), block)
    return NativeToolReturnPart(tool_name, content, id, provider_name=provider_name, provider_details=details)


def _decode_tool_name(name: str, block: Json) -> tuple[str, Json | None]:
    """Return the name of our part for the API's name of a tool, and the part's details, if it has any."""
    tool_name, details = TOOL_NAMES.get(name, name), decode_caller(block)
    return tool_name, details if tool_name == name else {**(details or {}), 'anthropic_tool_name': name}


def is_known_result(kind: str) -> bool:
    """Return whether `decode_return` decodes blocks of this type."""
    name = kind.removesuffix('_tool_result')
    return name != kind and name in (*TOOL_NAMES, 'mcp')


def decode_unknown_block(block: Json, provider_name: str | None) -> NativeToolCallPart | NativeToolReturnPart:
    """Return a part that contains the block: a result if it refers to a call, else a call."""
    fields: Json = {'provider_name': provider_name, 'provider_details': {UNKNOWN_BLOCK: block['type']}}
    match block:
        case {'tool_use_id': str() as id}:
            return NativeToolReturnPart(block['type'].removesuffix('_tool_result'), block, id, **fields)
        case {'id': str() as id}:
            return NativeToolCallPart(block['type'], block, id, **fields)
        case _:
            return NativeToolCallPart(block['type'], block, **fields)


def decode_caller(block: Json) -> Json | None:
    """Return the details of a call that code made, instead of the model itself."""
    caller = block.get('caller')
    return {'anthropic_caller': caller} if caller and caller.get('type') != 'direct' else None


def mcp_args_start(name: str) -> str:
    """Return the start of our part's arguments, to be emitted before the arguments of the MCP tool are streamed."""
    return MCP_ARGS_START % to_json(name).decode()


def encode_unknown_block(part: NativeToolCallPart | NativeToolReturnPart) -> Json | None:
    """Return the block that the part contains, or `None` if the part is not from `decode_unknown_block`."""
    if UNKNOWN_BLOCK not in (part.provider_details or {}):
        return None
    return part.args_as_dict() if isinstance(part, NativeToolCallPart) else part.content


def encode_call(part: NativeToolCallPart, args: Json) -> Json:
    """Encode a call with these arguments."""
    details = part.provider_details or {}
    if part.tool_name.startswith(MCP):
        server = part.tool_name.removeprefix(MCP).removeprefix(':')
        fields: Json = {'name': args.get('tool_name', ''), 'server_name': server, 'input': args.get('tool_args') or {}}
        return {'type': 'mcp_tool_use', 'id': part.tool_call_id, **fields}
    name: str = details.get('anthropic_tool_name') or part.tool_name
    if name == 'tool_search':
        name, args = _encode_tool_search(args, details)
    return {'type': 'server_tool_use', 'id': part.tool_call_id, 'name': name, 'input': args} | encode_caller(details)


def encode_return(part: NativeToolReturnPart, known_tools: frozenset[str] | None = None) -> Json:
    """Encode a result. Of the tools that a tool search found, those not in `known_tools` are dropped, if given."""
    details, content = part.provider_details or {}, part.content
    if part.tool_name.startswith(MCP):
        return {'type': 'mcp_tool_result', 'tool_use_id': part.tool_call_id, **_encode_mcp_result(content)}
    if part.tool_name == 'tool_search':
        content = _encode_found_tools(content, known_tools)
    name = details.get('anthropic_tool_name') or _find_code_tool(content) or part.tool_name
    block = {'type': f'{name}_tool_result', 'tool_use_id': part.tool_call_id, 'content': content}
    return block | encode_caller(details)


def _encode_tool_search(args: Json, details: Json) -> tuple[str, Json]:
    """Return the API's name and arguments of a tool search. `queries` is the form that all vendors share."""
    strategy = details.get('strategy', 'bm25')
    field = 'pattern' if strategy == 'regex' else 'query'
    return f'tool_search_tool_{strategy}', {field: ' '.join(args['queries'])} if 'queries' in args else args


def encode_caller(details: Json) -> Json:
    """Return the field of a call that code made, and not the model itself."""
    return {'caller': caller} if isinstance(caller := details.get('anthropic_caller'), dict) else {}


def _encode_mcp_result(content: Any) -> Json:
    is_whole = isinstance(content, dict) and content.keys() >= {'content', 'is_error'}
    return {name: content[name] for name in ('is_error', 'content')} if is_whole else {'content': content}


def _find_code_tool(content: Any) -> str | None:
    """Return which of the tools that run code made this result, for parts that do not name it.

    Recording: anthropic__test_anthropic_text_editor_code_execution_tool_stream__0_6dc149
    """
    kind = str(cast('Json', content).get('type', '')) if isinstance(content, dict) else ''
    return next((name for name in ('bash_code_execution', 'text_editor_code_execution') if kind.startswith(name)), None)


def _is_reference(item: Json, known_tools: frozenset[str] | None) -> bool:
    """Return whether the item names a tool, and one of `known_tools`, if given."""
    match item:
        case {'tool_name': str() as name}:
            return known_tools is None or name in known_tools
        case _:
            return False


def _encode_found_tools(content: Any, known_tools: frozenset[str] | None) -> Any:
    """Encode the result of a tool search. `discovered_tools` is the form that all vendors share."""
    match content:
        case {'tool_references': references}:
            found = [item for item in keep_objects(references) if _is_reference(item, known_tools)]
            return {**cast('Json', content), 'tool_references': found}
        case {'discovered_tools': tools}:
            found = [{'type': 'tool_reference', 'tool_name': tool.get('name')} for tool in keep_objects(tools)]
            result = {'type': 'tool_search_tool_search_result', 'tool_references': found}
            return _encode_found_tools(result, known_tools)
        case _:
            return content
