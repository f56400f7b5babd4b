"""The rest of the body of `POST /v1/messages` → settings and parameters: `options` and `thinking`, read backwards."""

from __future__ import annotations

from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json
from ...native_tools import MemoryTool, NativeTool
from ...settings import ModelSettings, ThinkingLevel
from ...tools.definition import ToolDefinition
from ...wire.claude import level_of
from .. import ModelRequestParameters, OutputObjectDefinition
from .native_tools import decode_mcp_server, decode_native_tool
from .settings import OWN_SETTINGS, SETTINGS

OURS = {wire: name for name, wire in (OWN_SETTINGS | SETTINGS).items()} | {
    'max_tokens': 'max_tokens',
    'container': 'anthropic_container',
    'thinking': 'anthropic_thinking',
}
"""The API's names of settings, and ours."""

STRUCTURE = frozenset(
    {'model', 'messages', 'system', 'tools', 'tool_choice', 'mcp_servers', 'output_config', 'cache_control', 'stream'}
)
"""The fields of the body that are no settings."""

LEVELS: dict[str, ThinkingLevel] = {'low': 'low', 'medium': 'medium', 'high': 'high', 'xhigh': 'xhigh', 'max': 'xhigh'}
"""The API's levels of effort, and ours of thinking."""

MEMORY_SCHEMA: Json = {
    'type': 'object',
    'properties': {
        'command': {'type': 'string', 'enum': ['view', 'create', 'str_replace', 'insert', 'delete', 'rename']},
        'path': {'type': 'string'},
    },
    'required': ['command'],
}
"""The arguments of the memory tool, for models that are not Anthropic's."""


def decode_settings(body: Json) -> ModelSettings:
    """The settings; a field that nobody knows is kept in `extra_body`."""
    settings: Json = {}
    for name, value in body.items():
        if name in STRUCTURE or value is None:
            continue
        if name in OURS:
            settings[OURS[name]] = value
        else:
            settings.setdefault('extra_body', {})[name] = value
    settings |= _output_settings(body.get('output_config') or {}, body.get('thinking') or {})
    settings |= _tool_settings(body)
    settings |= _cache_settings(body)
    return cast('ModelSettings', settings)


def _output_settings(config: Json, thinking: Json) -> Json:
    """How much effort, and how long to think: in the API's words, and in ours for models of other vendors."""
    names = {'effort': 'anthropic_effort', 'task_budget': 'anthropic_task_budget'}
    settings = {ours: config[wire] for wire, ours in names.items() if config.get(wire) is not None}
    match thinking:
        case {'type': 'enabled', 'budget_tokens': int() as budget}:
            settings['thinking'] = level_of(budget)
        case {'type': 'adaptive'}:
            settings['thinking'] = LEVELS.get(config.get('effort', ''), True)
        case {'type': 'disabled' | 'between_tools'}:
            settings['thinking'] = False
        case _:
            pass
    return settings


def _tool_settings(body: Json) -> Json:
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
    if (alone := choice.get('disable_parallel_tool_use')) is not None:
        settings['parallel_tool_calls'] = not alone
    eager = [tool['eager_input_streaming'] for tool in body.get('tools') or () if 'eager_input_streaming' in tool]
    return settings | ({'anthropic_eager_input_streaming': eager[0]} if eager else {})


def _cache_settings(body: Json) -> Json:
    """Where to cache, but for the messages, which hold cache points."""
    system: Any = body.get('system') or ()
    marked: dict[str, list[Json]] = {
        'anthropic_cache': [body],
        'anthropic_cache_tool_definitions': body.get('tools') or [],
        'anthropic_cache_instructions': [] if isinstance(system, str) else [*system],
    }
    found = {
        name: [block['cache_control'] for block in blocks if block.get('cache_control')]
        for name, blocks in marked.items()
    }
    return {name: controls[-1].get('ttl') or '5m' for name, controls in found.items() if controls}


def decode_parameters(body: Json) -> ModelRequestParameters:
    """The tools, and what the answer is held to."""
    tools: list[ToolDefinition] = []
    native: list[NativeTool] = []
    for tool in body.get('tools') or ():
        if (tool.get('type') or 'custom') == 'custom':
            tools.append(_tool(tool))
        elif (known := decode_native_tool(tool)) is not None:
            native.append(known)
        else:
            raise UserError(f'tools: this server does not know a tool of the type {tool["type"]!r}')
    if any(isinstance(tool, MemoryTool) for tool in native):
        tools.append(ToolDefinition('memory', MEMORY_SCHEMA, 'Keeps notes between conversations, in files.'))
    native += [decode_mcp_server(server) for server in body.get('mcp_servers') or ()]
    parameters = ModelRequestParameters(tools, native)
    match body.get('output_config'):
        case {'format': {'type': 'json_schema', 'schema': schema}}:
            parameters.output_mode = 'native'
            parameters.output_object = OutputObjectDefinition(schema, strict=True)
        case _:
            pass
    return parameters


def _tool(tool: Json) -> ToolDefinition:
    schema: Json = tool.get('input_schema') or {'type': 'object', 'properties': {}}
    return ToolDefinition(tool['name'], schema, tool.get('description') or None, strict=tool.get('strict') or False)
