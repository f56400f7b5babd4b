"""The tools that Anthropic runs itself, both ways: what is asked for, what the model did with them, and that sent back.

A block that this library has no word for becomes a native tool's part that holds it as it came (`opaque_part`): it can
be sent back in its place, and other vendors' rooms pass over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, assert_never, cast

from pydantic_core import to_json

from ...exceptions import UserError
from ...json_types import Json
from ...messages import NativeToolCallPart, NativeToolReturnPart
from ...native_tools import (
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
"""The API's names of its tools (in calls, and before `_tool_result` in results), and ours."""

MEMORY = 'memory_20250818'
"""The version of the memory tool, which is a tool of ours with a definition of Anthropic's."""

MCP = 'mcp_server'
"""What the names of the tools of MCP servers begin with; the server's own name follows behind a colon."""

MCP_CALL = '{"action":"call_tool","tool_name":%s,"tool_args":'
"""What stands before the arguments of an MCP tool in the arguments of our part; `}` stands behind them."""

OPAQUE = 'anthropic_block'
"""Marks a part that holds a whole block of the wire, in its `provider_details`."""

# ---------------------------------------------------------------------- what is asked for


def encode_native_tools(tools: Iterable[NativeTool], profile: AnthropicModelProfile) -> tuple[list[Json], list[Json]]:
    """The definitions of the tools, and the MCP servers, which the API wants apart."""
    definitions: list[Json] = []
    servers: list[Json] = []
    for tool in tools:
        if isinstance(tool, MCPServerTool):
            servers.append(encode_mcp_server(tool))
        else:
            definitions.append(encode_native_tool(tool, profile))
    return definitions, servers


def encode_native_tool(tool: NativeTool, profile: AnthropicModelProfile) -> Json:
    """A tool as the API describes it."""
    match tool:
        case WebSearchTool():
            more = {**_limits(tool), 'user_location': _location(tool.user_location)}
            return _set({'type': profile.anthropic_web_search, 'name': 'web_search', **more})
        case WebFetchTool():
            citations = {'enabled': True} if tool.enable_citations else None
            more = {**_limits(tool), 'citations': citations, 'max_content_tokens': tool.max_content_tokens}
            return _set({'type': profile.anthropic_web_fetch, 'name': 'web_fetch', **more})
        case CodeExecutionTool():
            return {'type': profile.anthropic_code_execution, 'name': 'code_execution'}
        case MemoryTool():
            return {'type': MEMORY, 'name': 'memory'}
        case ImageGenerationTool() | FileSearchTool() | MCPServerTool():
            raise UserError(f'The Messages API has no tool {tool.kind!r}')
        case _:
            assert_never(tool)


def encode_mcp_server(tool: MCPServerTool) -> Json:
    """An MCP server as the API describes it."""
    allowed = None if tool.allowed_tools is None else {'enabled': True, 'allowed_tools': list(tool.allowed_tools)}
    server = {'authorization_token': tool.authorization_token, 'tool_configuration': allowed}
    return _set({'type': 'url', 'name': tool.id, 'url': tool.url, **server})


def decode_native_tool(tool: Json) -> NativeTool | None:
    """What `encode_native_tool` made of a tool, of any version; `None` for one that is not known."""
    kind = str(tool.get('type', ''))
    limits: Any = {name: tool[name] for name in LIMITS if tool.get(name) is not None}
    if kind.startswith('web_search_'):
        return WebSearchTool(**limits, user_location=_decode_location(tool.get('user_location')))
    if kind.startswith('web_fetch_'):
        citations: Json = tool.get('citations') or {}
        cited = bool(citations.get('enabled'))
        return WebFetchTool(**limits, enable_citations=cited, max_content_tokens=tool.get('max_content_tokens'))
    if kind.startswith('code_execution_'):
        return CodeExecutionTool()
    return MemoryTool() if kind.startswith('memory_') else None


def decode_mcp_server(server: Json) -> MCPServerTool:
    """What `encode_mcp_server` made of a server."""
    allowed: Json = server.get('tool_configuration') or {}
    token = server.get('authorization_token')
    tools = allowed.get('allowed_tools')
    return MCPServerTool(server['name'], server['url'], authorization_token=token, allowed_tools=tools)


LIMITS = ('max_uses', 'allowed_domains', 'blocked_domains')
PLACES = ('city', 'region', 'country', 'timezone')


def _limits(tool: WebSearchTool | WebFetchTool) -> Json:
    return {name: getattr(tool, name) for name in LIMITS}


def _location(place: WebSearchUserLocation | None) -> Json | None:
    return None if place is None else _set({'type': 'approximate', **{name: getattr(place, name) for name in PLACES}})


def _decode_location(place: Json | None) -> WebSearchUserLocation | None:
    return WebSearchUserLocation(**{name: place.get(name) for name in PLACES}) if place else None


def _set(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


# ---------------------------------------------------------------------- what the model did


def decode_call(block: Json, provider_name: str | None) -> NativeToolCallPart:
    """The part for a `server_tool_use` or `mcp_tool_use`. Arguments that are still to come are `None`."""
    name, given, details = block['name'], block.get('input'), caller_of(block)
    if block['type'] == 'mcp_tool_use':
        args: Any = {'action': 'call_tool', 'tool_name': name, 'tool_args': given} if given is not None else None
        tool_name = f'{MCP}:{block["server_name"]}'
    else:
        args, tool_name = given, _tool_name(name)
        if tool_name != name:
            details = {**(details or {}), 'anthropic_tool_name': name}
    return NativeToolCallPart(tool_name, args, block['id'], provider_name=provider_name, provider_details=details)


def decode_return(block: Json, provider_name: str | None, servers: Mapping[str, str]) -> NativeToolReturnPart:
    """The part for a result. `servers` are the names of the tools of MCP servers, by the id of the call."""
    id, name = block['tool_use_id'], block['type'].removesuffix('_tool_result')
    content, details = block['content'], caller_of(block)
    if block['type'] == 'mcp_tool_result':
        tool_name, content = servers.get(id, MCP), {'content': content, 'is_error': bool(block.get('is_error'))}
    else:
        tool_name = _tool_name(name)
        if tool_name != name:
            details = {**(details or {}), 'anthropic_tool_name': name}
    return NativeToolReturnPart(tool_name, content, id, provider_name=provider_name, provider_details=details)


def _tool_name(name: str) -> str:
    return TOOL_NAMES.get(name, name)


def is_result(kind: str) -> bool:
    """Whether blocks of this type are results that `decode_return` knows."""
    return kind == 'mcp_tool_result' or (
        kind.endswith('_tool_result') and kind.removesuffix('_tool_result') in TOOL_NAMES
    )


def opaque_part(block: Json, provider_name: str | None) -> NativeToolCallPart | NativeToolReturnPart:
    """The part for a block that has no part of its own: a result where it answers a call, else a call."""
    more: Json = {'provider_name': provider_name, 'provider_details': {OPAQUE: block['type']}}
    match block:
        case {'tool_use_id': str() as id}:
            return NativeToolReturnPart(block['type'].removesuffix('_tool_result'), block, id, **more)
        case {'id': str() as id}:
            return NativeToolCallPart(block['type'], block, id, **more)
        case _:
            return NativeToolCallPart(block['type'], block, **more)


def caller_of(block: Json) -> Json | None:
    """Who called a tool, where that is not the model itself but code of its making."""
    caller = block.get('caller')
    return {'anthropic_caller': caller} if caller and caller.get('type') != 'direct' else None


# ---------------------------------------------------------------------- and that sent back


def opaque_block(part: NativeToolCallPart | NativeToolReturnPart) -> Json | None:
    """The block that a part holds as it came; `None` for a part that has a meaning here."""
    if OPAQUE not in (part.provider_details or {}):
        return None
    return part.args_as_dict() if isinstance(part, NativeToolCallPart) else part.content


def encode_call(part: NativeToolCallPart, args: Json) -> Json:
    """The block of a call with these arguments."""
    details = part.provider_details or {}
    if part.tool_name.startswith(MCP):
        server = part.tool_name.removeprefix(MCP).removeprefix(':')
        inner: Json = {'name': args.get('tool_name', ''), 'server_name': server, 'input': args.get('tool_args') or {}}
        return {'type': 'mcp_tool_use', 'id': part.tool_call_id, **inner}
    name: str = details.get('anthropic_tool_name') or part.tool_name
    if name == 'tool_search':
        name, args = _search(args, details)
    return {'type': 'server_tool_use', 'id': part.tool_call_id, 'name': name, 'input': args} | _caller(details)


def encode_return(part: NativeToolReturnPart, known_tools: frozenset[str] | None = None) -> Json:
    """The block of a result. Of the tools that a search found, only those in `known_tools` are kept, where given."""
    details, content = part.provider_details or {}, part.content
    if part.tool_name.startswith(MCP):
        return {'type': 'mcp_tool_result', 'tool_use_id': part.tool_call_id, **_mcp_result(content)}
    if part.tool_name == 'tool_search':
        content = _only_known(content, known_tools)
    name = details.get('anthropic_tool_name') or _kind_of(content) or part.tool_name
    return {'type': f'{name}_tool_result', 'tool_use_id': part.tool_call_id, 'content': content} | _caller(details)


def mcp_call_start(name: str) -> str:
    """What our part's arguments begin with while those of the MCP server's tool are still being written."""
    return MCP_CALL % to_json(name).decode()


def _search(args: Json, details: Json) -> tuple[str, Json]:
    """A search for tools as the API says it, where a history says it in the words that all vendors share."""
    strategy = details.get('strategy', 'bm25')
    word = 'pattern' if strategy == 'regex' else 'query'
    return f'tool_search_tool_{strategy}', {word: ' '.join(args['queries'])} if 'queries' in args else args


def _caller(details: Json) -> Json:
    return {'caller': details['anthropic_caller']} if 'anthropic_caller' in details else {}


def _mcp_result(content: Any) -> Json:
    match content:
        case {'content': inner, 'is_error': is_error}:
            return {'is_error': is_error, 'content': inner}
        case _:
            return {'content': content}


def _kind_of(content: Any) -> str | None:
    """Which of the tools that run code gave this, where the part does not say."""
    kind = str(cast('Json', content).get('type', '')) if isinstance(content, dict) else ''
    return next((name for name in ('bash_code_execution', 'text_editor_code_execution') if kind.startswith(name)), None)


def _only_known(content: Any, known_tools: frozenset[str] | None) -> Any:
    match content:
        case {'tool_references': references}:
            found = [item for item in references if known_tools is None or item.get('tool_name') in known_tools]
            return {**cast('Json', content), 'tool_references': found}
        case {'discovered_tools': tools}:
            found = [{'type': 'tool_reference', 'tool_name': tool['name']} for tool in tools]
            return _only_known({'type': 'tool_search_tool_search_result', 'tool_references': found}, known_tools)
        case _:
            return content
