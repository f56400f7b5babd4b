"""The tools that OpenAI runs itself, as a request asks for them. What the model did with them is in `native_items`."""

from __future__ import annotations

from typing import Any, assert_never

from ....exceptions import UserError
from ....json_types import Json
from ....native_tools import (
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

CONNECTOR = 'x-openai-connector:'
"""What the address of an MCP server begins with that is a connector of OpenAI's."""

PLACES = ('city', 'region', 'country', 'timezone')
DOMAINS = ('allowed_domains', 'blocked_domains')
DRAWN = ('quality', 'size', 'background')


def encode_native_tool(tool: NativeTool) -> Json:
    """A tool as the API describes it. Raises `UserError` for one that it does not have."""
    match tool:
        case WebSearchTool():
            return _web_search(tool)
        case CodeExecutionTool():
            return {'type': 'code_interpreter', 'container': {'type': 'auto'}}
        case FileSearchTool(file_store_ids=ids):
            return {'type': 'file_search', 'vector_store_ids': list(ids)}
        case ImageGenerationTool():
            chosen = {name: getattr(tool, name) for name in DRAWN if getattr(tool, name) != 'auto'}
            return _set({'type': 'image_generation', 'output_format': tool.output_format, **chosen})
        case MCPServerTool():
            return _mcp_server(tool)
        case WebFetchTool() | MemoryTool():
            raise UserError(f'The Responses API has no tool {tool.kind!r}')
        case _:
            assert_never(tool)


def _web_search(tool: WebSearchTool) -> Json:
    place = tool.user_location
    location = place and {'type': 'approximate', **_set({name: getattr(place, name) for name in PLACES})}
    filters = _set({name: getattr(tool, name) for name in DOMAINS})
    more = {'user_location': location, 'filters': filters or None}
    return _set({'type': 'web_search', 'search_context_size': tool.search_context_size, **more})


def _mcp_server(tool: MCPServerTool) -> Json:
    connector = tool.url.removeprefix(CONNECTOR)
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


# ---------------------------------------------------------------------- and read backwards


def decode_native_tool(tool: Json) -> NativeTool | None:
    """What `encode_native_tool` made of a tool; `None` for a tool, or an option of one, that it cannot say."""
    made = _decoded(tool)
    if made is None or not tool.items() <= encode_native_tool(made).items():
        return None
    return made


def _decoded(tool: Json) -> NativeTool | None:
    match tool:
        case {'type': 'web_search'}:
            place: Json | None = tool.get('user_location')
            location = WebSearchUserLocation(**{name: place.get(name) for name in PLACES}) if place else None
            filters: Json = tool.get('filters') or {}
            domains: Any = {name: filters.get(name) for name in DOMAINS}
            size: Any = tool.get('search_context_size') or 'medium'
            return WebSearchTool(search_context_size=size, user_location=location, **domains)
        case {'type': 'code_interpreter'}:
            return CodeExecutionTool()
        case {'type': 'file_search', 'vector_store_ids': ids}:
            return FileSearchTool(ids)
        case {'type': 'image_generation'}:
            drawn: Any = {name: tool.get(name) or 'auto' for name in DRAWN}
            return ImageGenerationTool(output_format=tool.get('output_format'), **drawn)
        case {'type': 'mcp', 'server_label': label}:
            return MCPServerTool(
                label,
                tool.get('server_url') or f'{CONNECTOR}{tool.get("connector_id")}',
                authorization_token=tool.get('authorization'),
                description=tool.get('server_description'),
                allowed_tools=tool.get('allowed_tools'),
                headers=tool.get('headers'),
            )
        case _:
            return None
