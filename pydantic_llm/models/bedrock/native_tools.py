"""Encodes and decodes the tools that models run themselves: their definitions, calls and results.

A block of an unknown kind becomes a part of a native tool that contains the block unchanged (`decode_unknown_block`).
So it can be sent back in its place; other vendors' rooms skip it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json
from ...messages import NativeToolCallPart, NativeToolReturnPart
from ...native_tools import CodeExecutionTool, NativeTool, WebSearchTool
from ...profiles.bedrock import BedrockModelProfile

TOOL_NAMES: dict[str, str] = {'nova_grounding': 'web_search', 'nova_code_interpreter': 'code_execution'}
"""The API's names of system tools -> this library's.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_SystemTool.html"""

API_NAMES = {name: api_name for api_name, name in TOOL_NAMES.items()}

TOOL_CLASSES: dict[str, type[WebSearchTool] | type[CodeExecutionTool]] = {
    'nova_grounding': WebSearchTool,
    'nova_code_interpreter': CodeExecutionTool,
}

SERVER_TOOL_USE = 'server_tool_use'
"""The type of a call that the vendor runs."""

UNKNOWN_BLOCK = 'bedrock_block'
"""The key in `provider_details` that marks a part with a whole block of the API."""


def encode_native_tools(tools: Iterable[NativeTool], profile: BedrockModelProfile, model_name: str) -> list[Json]:
    """Encode the definitions of the tools. Raises `UserError` for a tool that the model does not have."""
    encoded: list[Json] = []
    for tool in tools:
        name = next((name for name, tool_class in TOOL_CLASSES.items() if isinstance(tool, tool_class)), None)
        if name is None:
            raise UserError(f'The Converse API has no tool {tool.kind!r}')
        if name not in profile.bedrock_system_tools:
            raise UserError(f'{model_name!r} runs no {name!r} (bedrock_system_tools), which {tool.kind!r} is here')
        encoded.append({'systemTool': {'name': name}})
    return encoded


def decode_call(block: Json, args: Any, provider_name: str | None) -> NativeToolCallPart:
    """Decode a call that the vendor runs."""
    name: str = block['name']
    return NativeToolCallPart(TOOL_NAMES.get(name, name), args, block['toolUseId'], provider_name=provider_name)


def decode_return(block: Json, provider_name: str | None) -> NativeToolReturnPart:
    """Decode a result of a tool that the vendor ran. Its type is the name of the tool with the suffix `_result`.

    Recording bedrock-converse__test_bedrock_model_with_code_execution_tool__0_8ba711.
    """
    kind = block.get('type') or ''
    name = kind.removesuffix('_result')
    tool_name, id = TOOL_NAMES.get(name, name or 'system_tool'), block['toolUseId']
    details = {field: block[field] for field in ('status', 'type') if block.get(field)} or None
    return NativeToolReturnPart(tool_name, block['content'], id, provider_name=provider_name, provider_details=details)


def encode_call(part: NativeToolCallPart) -> Json:
    """Encode a call that the vendor ran."""
    name = API_NAMES.get(part.tool_name, part.tool_name)
    args = part.args_as_dict(raise_if_invalid=False)
    return {'toolUse': {'toolUseId': part.tool_call_id, 'name': name, 'input': args, 'type': SERVER_TOOL_USE}}


def encode_return(part: NativeToolReturnPart) -> Json:
    """Encode a result of a tool that the vendor ran."""
    details = part.provider_details or {}
    kind = details.get('type') or f'{API_NAMES.get(part.tool_name, part.tool_name)}_result'
    value: Any = part.content
    content = cast('list[Json]', value) if isinstance(value, list) else [{'json': value}]
    status = {'status': details['status']} if 'status' in details else {}
    return {'toolResult': {'toolUseId': part.tool_call_id, 'content': content, 'type': kind, **status}}


def decode_unknown_block(block: Json, provider_name: str | None) -> NativeToolCallPart:
    """Return a part that contains a block of an unknown kind unchanged."""
    kind = next(iter(block), 'nothing')
    return NativeToolCallPart(kind, block, provider_name=provider_name, provider_details={UNKNOWN_BLOCK: kind})


def encode_unknown_block(part: NativeToolCallPart | NativeToolReturnPart) -> Json | None:
    """Return the block of an unknown kind that a part contains, or `None` for other parts."""
    if UNKNOWN_BLOCK not in (part.provider_details or {}) or isinstance(part, NativeToolReturnPart):
        return None
    return part.args_as_dict()
