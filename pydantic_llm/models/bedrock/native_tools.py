"""The tools that models run themselves, both ways: what is asked for, what the model did with them, and that sent back.

A block that this library has no word for becomes a native tool's part that holds it as it came (`opaque_part`): it can
be sent back in its place, and other vendors' rooms pass over it.
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
"""The API's names of system tools, and ours."""

API_NAMES = {ours: name for name, ours in TOOL_NAMES.items()}

TOOLS: dict[str, type[WebSearchTool] | type[CodeExecutionTool]] = {
    'nova_grounding': WebSearchTool,
    'nova_code_interpreter': CodeExecutionTool,
}
"""What asks for a system tool."""

SERVER_SIDE = 'server_tool_use'
"""The type of a call that the model's vendor carries out."""

OPAQUE = 'bedrock_block'
"""Marks a part that holds a whole block of the wire, in its `provider_details`."""


def encode_native_tools(tools: Iterable[NativeTool], profile: BedrockModelProfile, model_name: str) -> list[Json]:
    """The tools as the API describes them. Raises `UserError` for those that the model does not run."""
    encoded: list[Json] = []
    for tool in tools:
        name = next((name for name, kind in TOOLS.items() if isinstance(tool, kind)), None)
        if name is None:
            raise UserError(f'The Converse API has no tool {tool.kind!r}')
        if name not in profile.bedrock_system_tools:
            raise UserError(f'{model_name!r} runs no {name!r} (bedrock_system_tools), which {tool.kind!r} is here')
        encoded.append({'systemTool': {'name': name}})
    return encoded


def decode_native_tool(name: str) -> NativeTool | None:
    """What asks for a system tool; `None` for one that is not known."""
    return TOOLS[name]() if name in TOOLS else None


def decode_call(block: Json, args: Any, provider_name: str | None) -> NativeToolCallPart:
    """The part for a call that the model's vendor carries out."""
    name: str = block['name']
    return NativeToolCallPart(TOOL_NAMES.get(name, name), args, block['toolUseId'], provider_name=provider_name)


def decode_return(block: Json, provider_name: str | None) -> NativeToolReturnPart:
    """The part for a result that came with the answer. Its type is the tool's name with `_result` behind it."""
    kind = block.get('type') or ''
    name = kind.removesuffix('_result')
    details = {field: block[field] for field in ('status', 'type') if block.get(field)}
    return NativeToolReturnPart(
        TOOL_NAMES.get(name, name or 'system_tool'),
        block['content'],
        block['toolUseId'],
        provider_name=provider_name,
        provider_details=details or None,
    )


def encode_call(part: NativeToolCallPart) -> Json:
    """The block of a call."""
    name = API_NAMES.get(part.tool_name, part.tool_name)
    args = part.args_as_dict(raise_if_invalid=False)
    return {'toolUse': {'toolUseId': part.tool_call_id, 'name': name, 'input': args, 'type': SERVER_SIDE}}


def encode_return(part: NativeToolReturnPart) -> Json:
    """The block of a result."""
    details = part.provider_details or {}
    kind = details.get('type') or f'{API_NAMES.get(part.tool_name, part.tool_name)}_result'
    said: Any = part.content
    content = cast('list[Json]', said) if isinstance(said, list) else [{'json': said}]
    status = {'status': details['status']} if 'status' in details else {}
    return {'toolResult': {'toolUseId': part.tool_call_id, 'content': content, 'type': kind, **status}}


def opaque_part(block: Json, provider_name: str | None) -> NativeToolCallPart:
    """The part for a block that has no part of its own."""
    kind = next(iter(block), 'nothing')
    return NativeToolCallPart(kind, block, provider_name=provider_name, provider_details={OPAQUE: kind})


def opaque_block(part: NativeToolCallPart | NativeToolReturnPart) -> Json | None:
    """The block that a part holds as it came; `None` for a part that has a meaning here."""
    if OPAQUE not in (part.provider_details or {}) or isinstance(part, NativeToolReturnPart):
        return None
    return part.args_as_dict()
