"""The tools that Google runs itself, both ways: what is asked for, what the model did with them, and that sent back."""

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

VERTEX = 'google-vertex'
"""The provider whose API lacks some tools, and what its models say of the use of any."""

TOOL_NAMES: dict[str, str] = {
    'GOOGLE_SEARCH_WEB': 'web_search',
    'URL_CONTEXT': 'web_fetch',
    'FILE_SEARCH': 'file_search',
}
"""The API's names of its tools, and ours; the others have the API's own, in lower case."""

TOOL_TYPES = {name: kind for kind, name in TOOL_NAMES.items()}

CODE = 'code_execution'
"""Our name of the tool that runs code."""

NO_TYPE = 'media_processing'
"""Our name of a tool that the API does not name."""

SOURCE = 'source'
"""Marks, in `provider_details`, a part that was read out of metadata: the API does not want it back."""

SEARCHES, PAGES = 'grounding_metadata', 'url_context_metadata'
"""The sources of such parts, as they are called in an answer's `provider_details`."""

MADE_UP = 'pyd_ai_'
"""What the ids of such parts begin with in histories that pydantic-ai stored."""

SHAPES = {'1024x1024': '1:1', '1024x1536': '2:3', '1536x1024': '3:2'}
"""The sizes of images, and the API's words for their shape."""

SENT: dict[type[NativeTool], tuple[str, ...]] = {
    FileSearchTool: ('file_store_ids',),
    ImageGenerationTool: ('size',),
    MCPServerTool: ('id', 'url', 'authorization_token', 'headers'),
}
"""The options of tools that the API has."""

SENT_TO_VERTEX: dict[type[NativeTool], tuple[str, ...]] = {
    WebSearchTool: ('blocked_domains',),
    ImageGenerationTool: ('size', 'output_format'),
}
"""And those that it has at Vertex AI alone."""

# ---------------------------------------------------------------------- what is asked for


def encode_native_tool(tool: NativeTool, system: str) -> Json | None:
    """A tool as the API describes it; `None` for one that is no tool there, `UserError` for one that it lacks."""
    match tool:
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
    """An MCP server as the API describes it."""
    token = {'Authorization': f'Bearer {tool.authorization_token}'} if tool.authorization_token else {}
    headers = {**token, **(tool.headers or {})}
    transport: Json = {'url': tool.url, **({'headers': headers} if headers else {})}
    return {'name': tool.id, 'streamableHttpTransport': transport}


def encode_image_config(tool: ImageGenerationTool, system: str) -> Json:
    """The shape of the images that the model makes."""
    config: Json = {'aspectRatio': SHAPES[tool.size]} if tool.size in SHAPES else {}
    if tool.output_format and system == VERTEX:
        config['imageOutputOptions'] = {'mimeType': f'image/{tool.output_format}'}
    return config


def unsent_options(tool: NativeTool, system: str) -> list[str]:
    """The options of a tool that are set, and that the API does not have."""
    sent = (*SENT.get(type(tool), ()), *(SENT_TO_VERTEX.get(type(tool), ()) if system == VERTEX else ()))
    known = (field for field in fields(tool) if field.name not in sent)
    return [field.name for field in known if getattr(tool, field.name) != field.default]


def decode_native_tool(entry: Json) -> list[NativeTool]:
    """What `encode_native_tool` made of one or several tools. Those that are not known are not among them."""
    found: list[NativeTool] = []
    if (search := entry.get('googleSearch')) is not None:
        found.append(WebSearchTool(blocked_domains=search.get('excludeDomains')))
    if 'urlContext' in entry:
        found.append(WebFetchTool())
    if 'codeExecution' in entry:
        found.append(CodeExecutionTool())
    if (files := entry.get('fileSearch')) is not None:
        found.append(FileSearchTool(files.get('fileSearchStoreNames') or []))
    for server in entry.get('mcpServers') or ():
        transport: Json = server.get('streamableHttpTransport') or {}
        found.append(MCPServerTool(server['name'], transport['url'], headers=transport.get('headers')))
    return found


KNOWN = frozenset({'functionDeclarations', 'googleSearch', 'urlContext', 'codeExecution', 'fileSearch', 'mcpServers'})
"""The tools that have a class here."""

# ---------------------------------------------------------------------- what the model did, and that sent back


def tool_name(block: Json) -> str:
    """Our name of the tool that a part speaks of."""
    kind = block.get('toolType')
    return NO_TYPE if kind is None else TOOL_NAMES.get(kind, str(kind).lower())


def encode_native_part(part: NativeToolCallPart | NativeToolReturnPart) -> Json | None:
    """The part that a native part came from; `None` for one that was read out of metadata."""
    kind = _tool_type(part)
    match part:
        case NativeToolCallPart(tool_name='code_execution'):
            return {'executableCode': part.args_as_dict()}
        case NativeToolReturnPart(tool_name='code_execution', content=content):
            return {'codeExecutionResult': content}
        case NativeToolCallPart() if kind is not None:
            return {'toolCall': {'toolType': kind, 'args': part.args_as_dict(), 'id': part.tool_call_id}}
        case NativeToolReturnPart(content=content) if kind is not None:
            given = {'response': cast('Json', content)} if isinstance(content, dict) else {}
            return {'toolResponse': {'toolType': kind, **given, 'id': part.tool_call_id}}
        case _:
            return None


def _tool_type(part: NativeToolCallPart | NativeToolReturnPart) -> str | None:
    """The API's name of the tool that a part speaks of, where the API spoke of it."""
    details = part.provider_details or {}
    if SOURCE in details or part.tool_call_id.startswith(MADE_UP):
        return None
    kind: str | None = details.get('tool_type')
    return kind or TOOL_TYPES.get(part.tool_name)
