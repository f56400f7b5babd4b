"""Decodes the settings, the tools and the output type of a request body: the inverse of `options` and `thinking`."""

from __future__ import annotations

from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json
from ...native_tools import MemoryTool, NativeTool
from ...profiles.thinking import LEVELS
from ...settings import ModelSettings
from ...tools.definition import ToolDefinition
from ...wire.serving import decode_fields
from .. import ModelRequestParameters, OutputObjectDefinition
from .native_tools import decode_mcp_server, decode_native_tool
from .settings import OWN_SETTINGS, SETTINGS

SETTING_NAMES = {field: name for name, field in (OWN_SETTINGS | SETTINGS).items()} | {
    'max_tokens': 'max_tokens',
    'container': 'anthropic_container',
    'thinking': 'anthropic_thinking',
}
"""The fields of the body -> our settings."""

OTHER_FIELDS = frozenset(
    {'model', 'messages', 'system', 'tools', 'tool_choice', 'mcp_servers', 'output_config', 'cache_control', 'stream'}
)
"""The fields of the body that are not settings, or are decoded apart."""

MEMORY_SCHEMA: Json = {
    'type': 'object',
    'properties': {
        'command': {'type': 'string', 'enum': ['view', 'create', 'str_replace', 'insert', 'delete', 'rename']},
        'path': {'type': 'string'},
    },
    'required': ['command'],
}
"""The arguments of the memory tool, for models of other vendors."""


def decode_settings(body: Json) -> ModelSettings:
    """Decode the settings. Unknown fields are kept in `extra_body`."""
    settings = decode_fields(body, SETTING_NAMES, skip=OTHER_FIELDS)
    settings |= _decode_output_config(body.get('output_config') or {})
    settings |= _decode_thinking(body)
    settings |= _decode_tool_settings(body)
    settings |= _decode_cache_settings(body)
    return cast('ModelSettings', settings)


def _decode_output_config(config: Json) -> Json:
    names = {'effort': 'anthropic_effort', 'task_budget': 'anthropic_task_budget'}
    return {name: config[field] for field, name in names.items() if config.get(field) is not None}


def _decode_thinking(body: Json) -> Json:
    """Decode the shared setting `thinking`, for models of other vendors. `anthropic_thinking` has the API's value."""
    match body.get('thinking'):
        case {'type': 'enabled', 'budget_tokens': int() as budget}:
            return {'thinking': budget}
        case {'type': 'adaptive'}:
            config: Json = body.get('output_config') or {}
            return {'thinking': effort if (effort := config.get('effort')) in LEVELS else True}
        case {'type': 'disabled' | 'between_tools'}:
            return {'thinking': False}
        case _:
            return {}


def _decode_tool_settings(body: Json) -> Json:
    choice: Json = body.get('tool_choice') or {}
    settings: Json = {}
    match choice:
        case {'type': 'any'}:
            settings['tool_choice'] = 'required'
        case {'type': 'tool', 'name': name}:
            settings['tool_choice'] = [name]
        case {'type': 'none'}:
            settings['tool_choice'] = 'none'
        case _:
            pass
    if (is_disabled := choice.get('disable_parallel_tool_use')) is not None:
        settings['parallel_tool_calls'] = not is_disabled
    eager = [tool['eager_input_streaming'] for tool in body.get('tools') or () if 'eager_input_streaming' in tool]
    return settings | ({'anthropic_eager_input_streaming': eager[0]} if eager else {})


def _decode_cache_settings(body: Json) -> Json:
    """Decode the marks of the cache, except those of the messages, which become cache points.

    Models of other vendors get the shared setting `cache` for them.
    """
    system: Any = body.get('system') or ()
    marked: dict[str, list[Json]] = {
        'anthropic_cache': [body],
        'anthropic_cache_tool_definitions': body.get('tools') or [],
        'anthropic_cache_instructions': [] if isinstance(system, str) else [*system],
    }
    marks = {
        name: [block['cache_control'] for block in blocks if block.get('cache_control')]
        for name, blocks in marked.items()
    }
    own = {name: controls[-1].get('ttl') or '5m' for name, controls in marks.items() if controls}
    return {**own, 'cache': max(own.values(), key=['5m', '1h'].index)} if own else {}


def decode_parameters(body: Json) -> ModelRequestParameters:
    """Decode the tools and the output type. Raises `UserError` for a tool of an unknown type."""
    tools: list[ToolDefinition] = []
    native_tools: list[NativeTool] = []
    for tool in body.get('tools') or ():
        if (tool.get('type') or 'custom') == 'custom':
            tools.append(_decode_tool(tool))
        elif (native_tool := decode_native_tool(tool)) is not None:
            native_tools.append(native_tool)
        else:
            raise UserError(f'tools: this server does not know a tool of the type {tool["type"]!r}')
    if any(isinstance(tool, MemoryTool) for tool in native_tools):
        tools.append(ToolDefinition('memory', MEMORY_SCHEMA, 'Keeps notes between conversations, in files.'))
    native_tools += [decode_mcp_server(server) for server in body.get('mcp_servers') or ()]
    parameters = ModelRequestParameters(tools, native_tools)
    match body.get('output_config'):
        case {'format': {'type': 'json_schema', 'schema': schema}}:
            parameters.output_mode = 'native'
            parameters.output_object = OutputObjectDefinition(schema, strict=True)
        case _:
            pass
    return parameters


def _decode_tool(tool: Json) -> ToolDefinition:
    schema: Json = tool.get('input_schema') or {'type': 'object', 'properties': {}}
    return ToolDefinition(tool['name'], schema, tool.get('description') or None, strict=tool.get('strict') or False)
