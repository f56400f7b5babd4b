"""Google's own tools in both directions: the request for them, their calls and results, and these sent back."""

from __future__ import annotations

from dataclasses import fields
from typing import assert_never, cast

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
)
from ...profiles.gemini import VERTEX

TOOL_NAMES: dict[str, str] = {
    'GOOGLE_SEARCH_WEB': 'web_search',
    'URL_CONTEXT': 'web_fetch',
    'FILE_SEARCH': 'file_search',
}
"""Types of tools -> our names. The name of any other type is the type in lower case."""

TOOL_TYPES = {name: kind for kind, name in TOOL_NAMES.items()}

CODE_EXECUTION = 'code_execution'
"""Our name of the tool that runs code."""

UNNAMED_TOOL = 'media_processing'
"""Our name of a tool whose calls have no type."""

SOURCE = 'source'
"""The key in `provider_details` that marks a part made from metadata. Such a part is not sent back."""

GROUNDING, URL_CONTEXT = 'grounding_metadata', 'url_context_metadata'
"""The values of `SOURCE`: the keys of this metadata in the response's `provider_details`."""

PYDANTIC_AI_ID_PREFIX = 'pyd_ai_'
"""The first characters of the ids that pydantic-ai gives to parts made from metadata."""

ASPECT_RATIOS = {'1024x1024': '1:1', '1024x1536': '2:3', '1536x1024': '3:2'}
"""Sizes of images -> aspect ratios."""

SUPPORTED_OPTIONS: dict[type[NativeTool], tuple[str, ...]] = {
    FileSearchTool: ('file_store_ids',),
    ImageGenerationTool: ('size',),
    MCPServerTool: ('id', 'url', 'authorization_token', 'headers'),
}
"""The options of tools that both APIs have."""

VERTEX_OPTIONS: dict[type[NativeTool], tuple[str, ...]] = {
    WebSearchTool: ('blocked_domains',),
    ImageGenerationTool: ('size', 'output_format'),
}
"""The options of tools that Vertex AI has in addition."""

DECODED_TOOLS = frozenset('functionDeclarations googleSearch urlContext codeExecution fileSearch mcpServers'.split())
"""The fields of a tool in a body that have a class in this library."""

# ---------------------------------------------------------------------- the request for a tool


def encode_native_tool(tool: NativeTool, system: str) -> Json | None:
    """Encode a tool; return `None` for image generation, which is a setting here.

    Raises `UserError` if the API does not have the tool.
    """
    match tool:
        # googleapis/js-genai, outside of Vertex AI: "excludeDomains parameter is not supported in Gemini API"
        case WebSearchTool(blocked_domains=blocked):
            return {'googleSearch': {'excludeDomains': list(blocked)} if blocked and system == VERTEX else {}}
        case WebFetchTool():
            return {'urlContext': {}}
        case CodeExecutionTool():
            return {'codeExecution': {}}
        case FileSearchTool(file_store_ids=ids) if system != VERTEX:
            return {'fileSearch': {'fileSearchStoreNames': list(ids)}}
        case MCPServerTool() if system != VERTEX:
            return {'mcpServers': [encode_mcp_server(tool)]}
        case ImageGenerationTool():
            return None
        case FileSearchTool() | MCPServerTool() | MemoryTool():
            raise UserError(f'{system!r} has no tool {tool.kind!r}')
        case _:
            assert_never(tool)


def encode_mcp_server(tool: MCPServerTool) -> Json:
    """Encode an MCP server. Its token is sent as a header."""
    token = {'Authorization': f'Bearer {tool.authorization_token}'} if tool.authorization_token else {}
    headers = {**token, **(tool.headers or {})}
    transport: Json = {'url': tool.url, **({'headers': headers} if headers else {})}
    return {'name': tool.id, 'streamableHttpTransport': transport}


def encode_image_config(tool: ImageGenerationTool, system: str) -> Json:
    """Encode the aspect ratio of generated images, and at Vertex AI their format."""
    config: Json = {'aspectRatio': ASPECT_RATIOS[tool.size]} if tool.size in ASPECT_RATIOS else {}
    if tool.output_format and system == VERTEX:
        config['imageOutputOptions'] = {'mimeType': f'image/{tool.output_format}'}
    return config


def find_unsupported_options(tool: NativeTool, system: str) -> list[str]:
    """Return the names of the tool's options that are set but that the API does not have."""
    supported = (
        *SUPPORTED_OPTIONS.get(type(tool), ()),
        *(VERTEX_OPTIONS.get(type(tool), ()) if system == VERTEX else ()),
    )
    others = (field for field in fields(tool) if field.name not in supported)
    return [field.name for field in others if getattr(tool, field.name) != field.default]


def decode_native_tool(entry: Json) -> list[NativeTool]:
    """Decode an item of a body's `tools`, which can have several tools. Unknown tools are skipped."""
    tools: list[NativeTool] = []
    if (search := entry.get('googleSearch')) is not None:
        tools.append(WebSearchTool(blocked_domains=search.get('excludeDomains')))
    if 'urlContext' in entry:
        tools.append(WebFetchTool())
    if 'codeExecution' in entry:
        tools.append(CodeExecutionTool())
    if (files := entry.get('fileSearch')) is not None:
        tools.append(FileSearchTool(files.get('fileSearchStoreNames') or []))
    for server in entry.get('mcpServers') or ():
        transport: Json = server.get('streamableHttpTransport') or {}
        tools.append(MCPServerTool(server['name'], transport['url'], headers=transport.get('headers')))
    return tools


# ---------------------------------------------------------------------- calls and results


def decode_tool_name(block: Json) -> str:
    """Return our name of the tool whose call or result this is."""
    kind = block.get('toolType')
    return UNNAMED_TOOL if kind is None else TOOL_NAMES.get(kind, str(kind).lower())


def encode_native_part(part: NativeToolCallPart | NativeToolReturnPart) -> Json | None:
    """Encode a call or a result as the block that it was decoded from; `None` if it was made from metadata.

    A part of code execution without its code or outcome has no block: the API requires them.
    """
    kind = _find_tool_type(part)
    match part:
        case NativeToolCallPart(tool_name='code_execution'):
            code = part.args_as_dict(raise_if_invalid=False)
            return {'executableCode': code} if code.get('code') and code.get('language') else None
        case NativeToolReturnPart(tool_name='code_execution', content=content):
            result = cast('Json', content) if isinstance(content, dict) else {}
            return {'codeExecutionResult': result} if result.get('outcome') else None
        case NativeToolCallPart() if kind is not None:
            return {
                'toolCall': {
                    'toolType': kind,
                    'args': part.args_as_dict(raise_if_invalid=False),
                    'id': part.tool_call_id,
                }
            }
        case NativeToolReturnPart(content=content) if kind is not None:
            response = {'response': cast('Json', content)} if isinstance(content, dict) else {}
            return {'toolResponse': {'toolType': kind, **response, 'id': part.tool_call_id}}
        case _:
            return None


def _find_tool_type(part: NativeToolCallPart | NativeToolReturnPart) -> str | None:
    """Return the API's type of the part's tool; `None` if the part was made from metadata."""
    details = part.provider_details or {}
    if SOURCE in details or part.tool_call_id.startswith(PYDANTIC_AI_ID_PREFIX):
        return None
    kind: str | None = details.get('tool_type')
    return kind or TOOL_TYPES.get(part.tool_name)
