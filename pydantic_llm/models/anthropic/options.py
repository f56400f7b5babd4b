"""What a request may use and how it is answered → fields of the body: tools, output, settings, betas."""

from __future__ import annotations

from typing import Any

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
)
from ...native_tools import CodeExecutionTool, MCPServerTool, MemoryTool, WebFetchTool
from ...profiles.anthropic import AnthropicModelProfile
from ...tools.definition import ToolDefinition
from ...wire.prepare import OUTPUT_NAME, PreparedRequest
from .native_tools import OPAQUE, encode_native_tools
from .settings import OWN_SETTINGS, SERVICE_TIERS, SETTINGS
from .thinking import Thinking

STRICT = True
COMPACT_EDIT = 'compact_20260112'

# ---------------------------------------------------------------------- tools


def encode_tools(request: PreparedRequest, profile: AnthropicModelProfile, thinking: Thinking) -> Json:
    """The tools, and whether they must be called. The API's own come last."""
    parameters, choice = request.parameters, request.tool_choice
    defined, native = parameters.tools, parameters.native_tools
    if isinstance(choice, tuple) and len(choice) > 1:
        defined, native, choice = [tool for tool in defined if tool.name in choice], (), 'required'
    if any(isinstance(tool, MemoryTool) for tool in native):
        defined = _without_memory(defined)
    own, servers = encode_native_tools(native, profile)
    for server in native:
        if isinstance(server, MCPServerTool) and server.headers:
            request.note(f'headers of {server!r} were not sent: Anthropic takes an authorization_token alone')
    body: Json = {'mcp_servers': servers} if servers else {}
    if tools := [*(encode_tool(tool, request, profile) for tool in defined), *own]:
        body['tools'] = tools
        body['tool_choice'] = encode_tool_choice(choice, request, profile, thinking)
    return body


def encode_tool(tool: ToolDefinition, request: PreparedRequest, profile: AnthropicModelProfile) -> Json:
    """A tool as the API describes it."""
    settings = request.options
    wire: Json = {
        'name': tool.name,
        'description': tool.description or '',
        'input_schema': tool.parameters_json_schema,
    }
    if tool.strict and profile.anthropic_strict_tools:
        wire['strict'] = True
    if 'anthropic_eager_input_streaming' in settings:
        wire['eager_input_streaming'] = settings['anthropic_eager_input_streaming']
    return wire


def encode_tool_choice(
    choice: Any, request: PreparedRequest, profile: AnthropicModelProfile, thinking: Thinking
) -> Json:
    """Whether tools must be called, in the API's words."""
    if choice not in ('auto', 'none') and not _may_force(request, profile, thinking):
        choice = 'auto'
    match choice:
        case 'none':
            return {'type': 'none'}
        case 'required':
            wire: Json = {'type': 'any'}
        case (name,):
            wire = {'type': 'tool', 'name': name}
        case _:
            wire = {'type': 'auto'}
    if 'parallel_tool_calls' in request.settings:
        wire['disable_parallel_tool_use'] = not request.settings['parallel_tool_calls']
    return wire


def _may_force(request: PreparedRequest, profile: AnthropicModelProfile, thinking: Thinking) -> bool:
    """Whether the model can be made to call a tool, which most cannot while they think. Where an output only asks for
    it, it is left to the model; where the caller insists on it, that is an error.
    """
    wanted = request.settings.get('tool_choice')
    insists = wanted not in (None, 'auto', 'none')
    kind = (thinking.config or {}).get('type')
    if not profile.anthropic_forces_tools:
        reason = f'{request.model_name!r} cannot be made to call a tool'
    elif kind == 'enabled':
        reason = f'{request.model_name!r} cannot be made to call a tool while it thinks with a budget'
    else:
        return insists or kind != 'adaptive'
    if insists:
        raise UserError(f"{reason} (tool_choice={wanted!r}): use tool_choice='auto'")
    return False


def _without_memory(tools: list[ToolDefinition]) -> list[ToolDefinition]:
    """The tools but for the one that keeps the memory, whose definition is Anthropic's."""
    kept = [tool for tool in tools if tool.name != 'memory']
    if len(kept) == len(tools):
        raise UserError("MemoryTool() needs a tool of yours that is called 'memory' and keeps the notes")
    return kept


# ---------------------------------------------------------------------- output and settings


def encode_output(request: PreparedRequest, thinking: Thinking) -> Json:
    """What the answer is held to, and how much effort goes into it."""
    settings = request.options
    config: Json = {'effort': thinking.effort} if thinking.effort else {}
    if 'anthropic_task_budget' in settings:
        config['task_budget'] = settings['anthropic_task_budget']
    if request.parameters.output_mode == 'native':
        config['format'] = {'type': 'json_schema', 'schema': _strict_schema(request)}
    return {'output_config': config} if config else {}


def _strict_schema(request: PreparedRequest) -> Json:
    """The schema of the output, which the API enforces always."""
    output = request.parameters.output_object
    assert output is not None, 'resolved before'
    transform = request.profile.json_schema_transformer
    if transform is None:
        return output.json_schema
    schema = transform(output.json_schema, STRICT)
    for loss in schema.losses:
        request.note(f'the schema of output {output.name or OUTPUT_NAME!r} can no longer enforce {loss}')
    return schema.json_schema


def encode_settings(request: PreparedRequest) -> Json:
    """The settings that go into the body."""
    body: Json = {}
    if (tier := request.settings.get('service_tier')) in SERVICE_TIERS:
        body['service_tier'] = SERVICE_TIERS[tier]
    else:
        request.leave_out('service_tier', f'the Messages API has no queue {tier!r}')
    settings = request.options
    body |= {wire: settings[name] for name, wire in (SETTINGS | OWN_SETTINGS).items() if name in settings}
    if 'context_management' not in body and _was_compacted(request):
        body['context_management'] = {'edits': [{'type': COMPACT_EDIT}]}
    if container := settings.get('anthropic_container', _last_container(request)):
        body['container'] = container
    return body


def _was_compacted(request: PreparedRequest) -> bool:
    """Whether the history holds a summary of Anthropic's, which the API takes back only while it may make another."""
    responses = (message for message in request.messages if isinstance(message, ModelResponse))
    parts = (part for response in responses for part in response.parts if isinstance(part, NativeToolCallPart))
    return any(
        (part.provider_details or {}).get(OPAQUE) == 'compaction' and part.provider_name == request.system
        for part in parts
    )


def _last_container(request: PreparedRequest) -> str | None:
    """The container that code ran in last; the API refuses it where no code can run."""
    if not any(isinstance(tool, CodeExecutionTool) for tool in request.parameters.native_tools):
        return None
    ours = (
        message.provider_details or {}
        for message in reversed(request.messages)
        if isinstance(message, ModelResponse) and message.provider_name == request.system
    )
    return next((details['container_id'] for details in ours if 'container_id' in details), None)


# ---------------------------------------------------------------------- betas

MCP_BETA = 'mcp-client-2025-04-04'
FILES_BETA = 'files-api-2025-04-14'
FETCH_BETA = 'web-fetch-2025-09-10'
CONTEXT_BETA = 'context-management-2025-06-27'
COMPACT_BETA = 'compact-2026-01-12'

BETAS_OF_SETTINGS: dict[str, str] = {'anthropic_task_budget': 'task-budgets-2026-03-13'}
"""The betas that own settings need."""


def betas(request: PreparedRequest, profile: AnthropicModelProfile) -> list[str]:
    """The betas that a request takes part in: those that it needs, and those that its settings name."""
    settings = request.options
    needed = [beta for name, beta in BETAS_OF_SETTINGS.items() if name in settings]
    if settings.get('anthropic_speed') == 'fast':
        needed.append('fast-mode-2026-02-01')
    edits: list[Json] = settings.get('anthropic_context_management', {}).get('edits', [])
    needed += [COMPACT_BETA if edit['type'].startswith('compact') else CONTEXT_BETA for edit in edits]
    for tool in request.parameters.native_tools:
        match tool:
            case MCPServerTool():
                needed.append(MCP_BETA)
            case MemoryTool():
                needed.append(CONTEXT_BETA)
            case WebFetchTool() if profile.anthropic_web_fetch == 'web_fetch_20250910':
                needed.append(FETCH_BETA)
            case _:
                pass
    if _was_compacted(request):
        needed.append(COMPACT_BETA)
    if _has_files(request):
        needed.append(FILES_BETA)
    return list(dict.fromkeys([*needed, *settings.get('anthropic_betas', ())]))


def _has_files(request: PreparedRequest) -> bool:
    """Whether a message holds a file that Anthropic holds."""
    for message in request.messages:
        if isinstance(message, ModelRequest):
            for part in message.parts:
                items = part.items() if isinstance(part, UserPromptPart) else ()
                items = part.files() if isinstance(part, ToolReturnPart) else items
                if any(isinstance(item, UploadedFile) for item in items):
                    return True
    return False
