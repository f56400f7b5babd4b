"""Encodes the tools, the output type and the settings of a request. Thinking is in `thinking`, betas in `betas`."""

from __future__ import annotations

from typing import Any

from ...exceptions import UserError
from ...json_types import Json
from ...messages import CompactionPart, ModelResponse
from ...native_tools import MCPServerTool, MemoryTool
from ...profiles.anthropic import AnthropicModelProfile
from ...tools.definition import ToolDefinition
from ...wire.claude import can_force_tools
from ...wire.parameters import OUTPUT_NAME
from ...wire.prepare import PreparedRequest
from .native_tools import encode_mcp_server, encode_native_tool
from .settings import OWN_SETTINGS, SERVICE_TIERS, SETTINGS
from .thinking import Thinking

COMPACT_BETA = 'compact-2026-01-12'
SIGNED_COMPACTION_BETA = 'compact-2026-09-04'
"""The betas for summaries that the API makes by itself, and for those that are asked for (`anthropic.types.beta`)."""

COMPACT_EDIT = 'compact_20260112'
"""The edit of `context_management` that replaces old messages by a summary."""


def encode_tools(request: PreparedRequest, profile: AnthropicModelProfile, thinking: Thinking) -> Json:
    """Encode the tools, Anthropic's own last, the MCP servers and the tool choice."""
    parameters, choice = request.parameters, request.tool_choice
    tools, native_tools = parameters.tools, parameters.native_tools
    if isinstance(choice, tuple) and len(choice) > 1:
        # `tool_choice` can name one tool, so the others are not defined
        tools, native_tools, choice = [tool for tool in tools if tool.name in choice], (), 'required'
    if refused := [tool.kind for tool in native_tools if tool.kind in profile.anthropic_unsupported_tools]:
        raise UserError(f'{request.model_name!r} at {request.base_url} has no native tool {refused[0]!r}')
    if any(isinstance(tool, MemoryTool) for tool in native_tools):
        tools = _without_memory_tool(tools)
    servers = [tool for tool in native_tools if isinstance(tool, MCPServerTool)]
    for server in servers:
        if server.headers:
            request.note(f'headers of {server!r} were not sent: Anthropic takes an authorization_token alone')
    body: Json = {'mcp_servers': [encode_mcp_server(server) for server in servers]} if servers else {}
    definitions = [encode_tool(tool, request, profile) for tool in tools]
    definitions += [encode_native_tool(tool, profile) for tool in native_tools if not isinstance(tool, MCPServerTool)]
    if definitions:
        body['tools'] = definitions
        body['tool_choice'] = encode_tool_choice(choice, request, profile, thinking)
    elif choice == 'none':
        return {}
    elif choice != 'auto':
        request.drop_setting('tool_choice', 'tools of MCP servers alone cannot be forced')
    return body


def encode_tool(tool: ToolDefinition, request: PreparedRequest, profile: AnthropicModelProfile) -> Json:
    """Encode the definition of a tool."""
    settings = request.options
    definition: Json = {
        'name': tool.name,
        'description': tool.description or '',
        'input_schema': tool.parameters_json_schema,
    }
    if tool.strict and profile.anthropic_strict_tools:
        definition['strict'] = True
    if 'anthropic_eager_input_streaming' in settings:
        definition['eager_input_streaming'] = settings['anthropic_eager_input_streaming']
    return definition


def encode_tool_choice(
    choice: Any, request: PreparedRequest, profile: AnthropicModelProfile, thinking: Thinking
) -> Json:
    """Encode the tool choice, with `parallel_tool_calls`. It is `auto` for a model that cannot be forced."""
    if choice not in ('auto', 'none'):
        kind, is_supported = (thinking.config or {}).get('type'), profile.anthropic_forces_tools
        if not can_force_tools(request, kind, is_supported=is_supported, field='anthropic_forces_tools'):
            choice = 'auto'
    match choice:
        case 'none':
            return {'type': 'none'}
        case 'required':
            encoded: Json = {'type': 'any'}
        case (name,):
            encoded = {'type': 'tool', 'name': name}
        case _:
            encoded = {'type': 'auto'}
    if 'parallel_tool_calls' in request.settings:
        encoded['disable_parallel_tool_use'] = not request.settings['parallel_tool_calls']
    return encoded


def _without_memory_tool(tools: list[ToolDefinition]) -> list[ToolDefinition]:
    """Return the tools without the caller's memory tool, which Anthropic defines and the caller runs.

    Raises `UserError` if the caller has no such tool.
    """
    others = [tool for tool in tools if tool.name != 'memory']
    if len(others) == len(tools):
        raise UserError("MemoryTool() needs a tool of yours that is called 'memory' and keeps the notes")
    return others


def encode_output(request: PreparedRequest, thinking: Thinking) -> Json:
    """Encode `output_config`: the schema of the output, the effort and the budget of the task."""
    settings = request.options
    config: Json = {'effort': thinking.effort} if thinking.effort else {}
    if 'anthropic_task_budget' in settings:
        config['task_budget'] = settings['anthropic_task_budget']
    if request.parameters.output_mode == 'native':
        output = request.parameters.output_object
        assert output is not None, 'resolved before'
        # always enforced: https://platform.claude.com/docs/en/build-with-claude/structured-outputs
        schema = request.strict_schema(output.json_schema, f'output {output.name or OUTPUT_NAME!r}')
        config['format'] = {'type': 'json_schema', 'schema': schema}
    return {'output_config': config} if config else {}


def encode_settings(request: PreparedRequest, profile: AnthropicModelProfile) -> Json:
    """Encode the settings that have a field of their own in the body."""
    body: Json = {}
    if (tier := request.settings.get('service_tier')) in SERVICE_TIERS:
        body['service_tier'] = SERVICE_TIERS[tier]
    else:
        request.drop_setting('service_tier', f'the Messages API has no service tier {tier!r}')
    settings = request.options
    body |= {field: settings[name] for name, field in (SETTINGS | OWN_SETTINGS).items() if name in settings}
    body.pop('context_management', None)
    body |= _encode_context_management(request)
    if container := settings.get('anthropic_container', _find_last_container(request, profile)):
        body['container'] = container
    return body


def _encode_context_management(request: PreparedRequest) -> Json:
    """Encode the edits of the setting, with or without that of summaries if a summary in the messages demands it."""
    management: Json = dict(request.options.get('anthropic_context_management', {}))
    beta = find_compaction_beta(request)
    if beta is None:
        return {'context_management': management} if management else {}
    edits: list[Json] = list(management.get('edits') or ())
    others = [edit for edit in edits if not str(edit.get('type')).startswith('compact')]
    if beta == COMPACT_BETA and edits == others:
        edits.append({'type': COMPACT_EDIT})
    elif beta == SIGNED_COMPACTION_BETA and edits != others:
        request.note('the edit that makes summaries was not sent: the API does not accept it with a signed summary')
        edits = others
    return {'context_management': {**management, 'edits': edits}} if edits else {}


def find_compaction_beta(request: PreparedRequest) -> str | None:
    """Return the beta of a compaction in the messages, if there is one.

    The API accepts one without a signature only in a request that allows another, and a signed one in no such request:
    `anthropic.lib.tools._beta_runner`.
    """
    messages = () if request.get_known() else request.messages  # those that are known have no compaction
    responses = (message for message in messages if isinstance(message, ModelResponse))
    parts = (part for response in responses for part in response.parts if isinstance(part, CompactionPart))
    is_signed = [bool((part.provider_details or {}).get('signature')) for part in parts]
    return None if not is_signed else SIGNED_COMPACTION_BETA if any(is_signed) else COMPACT_BETA


def _find_last_container(request: PreparedRequest, profile: AnthropicModelProfile) -> str | None:
    """Return the id of the container that code ran in last. The API rejects it without a tool that runs code.

    The web tools run code from version 20260209 on: enricoros/big-AGI#1010.
    """
    versions = {
        'code_execution': profile.anthropic_code_execution,
        'web_search': profile.anthropic_web_search,
        'web_fetch': profile.anthropic_web_fetch,
    }
    found = [versions[tool.kind] for tool in request.parameters.native_tools if tool.kind in versions]
    if not any(version.startswith('code_execution') or version[-8:] >= '20260209' for version in found):
        return None
    details = (
        message.provider_details or {}
        for message in reversed(request.messages)
        if isinstance(message, ModelResponse) and message.provider_name == request.system
    )
    return next((each['container_id'] for each in details if 'container_id' in each), None)
