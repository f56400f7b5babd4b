"""Encodes and decodes the tools that OpenAI runs itself, as a request lists them. `native_items` has their use."""

from __future__ import annotations

from typing import Any, assert_never

from ....exceptions import UserError
from ....json_types import Json
from ....native_tools import (
    LOCATION_FIELDS,
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
"""The beginning of the URL of an MCP server that is a connector of OpenAI; the connector's id follows.

https://platform.openai.com/docs/guides/tools-connectors-mcp
"""

DOMAIN_FILTERS = ('allowed_domains', 'blocked_domains')
IMAGE_OPTIONS = ('quality', 'size', 'background')


def encode_native_tool(tool: NativeTool) -> Json:
    """Encode a tool. Raises `UserError` if the API does not have it."""
    match tool:
        case WebSearchTool():
            return _encode_web_search(tool)
        case CodeExecutionTool():
            return {'type': 'code_interpreter', 'container': {'type': 'auto'}}
        case FileSearchTool(file_store_ids=ids):
            return {'type': 'file_search', 'vector_store_ids': list(ids)}
        case ImageGenerationTool():
            options = {name: getattr(tool, name) for name in IMAGE_OPTIONS if getattr(tool, name) != 'auto'}
            return drop_nulls({'type': 'image_generation', 'output_format': tool.output_format, **options})
        case MCPServerTool():
            return _encode_mcp_server(tool)
        case WebFetchTool() | MemoryTool():
            raise UserError(f'The Responses API has no tool {tool.kind!r}')
        case _:
            assert_never(tool)


def _encode_web_search(tool: WebSearchTool) -> Json:
    location = tool.user_location
    user_location = location and {
        'type': 'approximate',
        **drop_nulls({name: getattr(location, name) for name in LOCATION_FIELDS}),
    }
    filters = drop_nulls({name: getattr(tool, name) for name in DOMAIN_FILTERS})
    options = {'user_location': user_location, 'filters': filters or None}
    return drop_nulls({'type': 'web_search', 'search_context_size': tool.search_context_size, **options})


def _encode_mcp_server(tool: MCPServerTool) -> Json:
    connector = tool.url.removeprefix(CONNECTOR)
    address = {'server_url': tool.url} if connector == tool.url else {'connector_id': connector}
    return drop_nulls(
        {
            'type': 'mcp',
            'server_label': tool.id,
            **address,
            'require_approval': 'never',
            'authorization': tool.authorization_token,
            'headers': tool.headers,
            'allowed_tools': None if tool.allowed_tools is None else list(tool.allowed_tools),
            'server_description': tool.description,
        }
    )


def drop_nulls(fields: Json) -> Json:
    """Return the fields whose value is not `None`."""
    return {name: value for name, value in fields.items() if value is not None}


def decode_native_tool(tool: Json) -> NativeTool | None:
    """Decode a tool. Returns `None` if `encode_native_tool` cannot encode this tool or one of its options."""
    decoded = _decode_known_fields(tool)
    if decoded is None or not tool.items() <= encode_native_tool(decoded).items():
        return None
    return decoded


def _decode_known_fields(tool: Json) -> NativeTool | None:
    match tool:
        case {'type': 'web_search'}:
            location: Json = tool.get('user_location') or {}
            user_location = WebSearchUserLocation(**{name: location.get(name) for name in LOCATION_FIELDS})
            filters: Json = tool.get('filters') or {}
            domains: Any = {name: filters.get(name) for name in DOMAIN_FILTERS}
            size: Any = tool.get('search_context_size') or 'medium'
            return WebSearchTool(search_context_size=size, user_location=user_location if location else None, **domains)
        case {'type': 'code_interpreter'}:
            return CodeExecutionTool()
        case {'type': 'file_search', 'vector_store_ids': ids}:
            return FileSearchTool(ids)
        case {'type': 'image_generation'}:
            options: Any = {name: tool.get(name) or 'auto' for name in IMAGE_OPTIONS}
            return ImageGenerationTool(output_format=tool.get('output_format'), **options)
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
