"""The tools that Google runs itself, both ways: what is asked for, what the model did with them, and that sent back."""

from __future__ import annotations

from typing import Any, assert_never

from ...exceptions import UserError
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

Json = dict[str, Any]

TOOL_NAMES: dict[str, str] = {
    'GOOGLE_SEARCH_WEB': 'web_search',
    'URL_CONTEXT': 'web_fetch',
    'FILE_SEARCH': 'file_search',
}
"""The API's names of its tools, and ours."""

CODE = 'code_execution'
"""Our name of the tool that runs code."""

NO_TYPE = 'media_processing'
"""Our name of a tool that the API does not name."""


def encode_native_tool(tool: NativeTool) -> Json:
    """A tool as the API describes it."""
    match tool:
        case WebSearchTool():
            return {'googleSearch': {}}
        case WebFetchTool():
            return {'urlContext': {}}
        case CodeExecutionTool():
            return {'codeExecution': {}}
        case FileSearchTool(file_store_ids=ids):
            return {'fileSearch': {'fileSearchStoreNames': list(ids)}}
        case ImageGenerationTool() | MemoryTool() | MCPServerTool():
            raise UserError(f'The Gemini API has no tool {tool.kind!r}')
        case _:
            assert_never(tool)


def tool_name(block: Json) -> str:
    """Our name of the tool that a part speaks of."""
    kind = block.get('toolType')
    return NO_TYPE if kind is None else TOOL_NAMES.get(kind, str(kind).lower())


def encode_native_part(part: NativeToolCallPart | NativeToolReturnPart) -> Json | None:
    """The part that a native part came from; `None` for one that was read out of metadata."""
    details = part.provider_details or {}
    match part, details:
        case NativeToolCallPart(tool_name='code_execution'), _:
            return {'executableCode': part.args_as_dict()}
        case NativeToolReturnPart(tool_name='code_execution', content=content), _:
            return {'codeExecutionResult': content}
        case NativeToolCallPart(), {'tool_type': kind} if kind:
            return {'toolCall': {'toolType': kind, 'args': part.args_as_dict(), 'id': part.tool_call_id}}
        case NativeToolReturnPart(content=content), {'tool_type': kind} if kind:
            return {'toolResponse': {'toolType': kind, 'response': content, 'id': part.tool_call_id}}
        case _:
            return None
