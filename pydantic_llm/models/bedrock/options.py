"""Encodes the tools, the output type and the settings of a request. Thinking is in `thinking`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic_core import to_json

from ...json_types import Json
from ...profiles.anthropic import RESPONSE_TOKENS
from ...profiles.bedrock import BedrockModelProfile
from ...tools.definition import ToolDefinition
from ...wire.claude import can_force_tools
from ...wire.parameters import OUTPUT_NAME
from ...wire.prepare import PreparedRequest, ResolvedToolChoice
from .native_tools import encode_native_tools
from .settings import OWN_SETTINGS, SERVICE_TIERS, SETTINGS
from .thinking import Thinking

ANY_OBJECT: Json = {'type': 'object'}
"""The schema of a tool of which only the name is known."""


class Tools(NamedTuple):
    """The tools and the tool choice."""

    config: Json
    """The field `toolConfig` of the body."""
    fields: Json
    """The model's own fields, for `additionalModelRequestFields`."""


def encode_tools(
    request: PreparedRequest, profile: BedrockModelProfile, thinking: Thinking, turns: Sequence[Json]
) -> Tools:
    """Encode the tools, the model's own last, and the tool choice.

    The API rejects tool calls in `turns` if no tools are defined, so they are defined even if none may be called:
    vxcontrol/pentagi#196.
    """
    parameters, choice = request.parameters, request.tool_choice
    tools = parameters.tools
    native_tools = encode_native_tools(parameters.native_tools, profile, request.model_name)
    called = sorted(set(_find_called_tools(turns)))
    if not called and (choice == 'none' or not (tools or native_tools)):
        request.drop_setting('parallel_tool_calls', 'the model can call no tools')
        return Tools({}, {})
    if not (tools or native_tools):
        request.note(f'tools were defined by their names alone, since they stand in the conversation: {called!r}')
        tools, choice = [ToolDefinition(name, ANY_OBJECT) for name in called], 'none'
    if choice not in ('auto', 'none'):
        kind, is_supported = thinking.claude.get('type'), bool(profile.bedrock_tool_choice)
        if not can_force_tools(request, kind, is_supported=is_supported, field='bedrock_tool_choice'):
            choice = 'auto'
    if isinstance(choice, tuple) and (len(choice) > 1 or 'tool' not in profile.bedrock_tool_choice):
        # `toolChoice` can name one tool at most, so the others are not defined
        tools, native_tools, choice = [tool for tool in tools if tool.name in choice], [], 'required'
    config: Json = {'tools': [*(encode_tool(tool, profile) for tool in tools), *native_tools]}
    match choice:
        case 'required':
            config['toolChoice'] = {'any': {}}
        case (name,):
            config['toolChoice'] = {'tool': {'name': name}}
        case _:
            pass
    return Tools(config, _encode_claude_choice(choice, request, profile))


def _find_called_tools(turns: Sequence[Json]) -> Iterator[str]:
    """Yield the names of the tools that past responses called; those that the vendor ran are skipped."""
    for turn in turns:
        for block in turn['content']:
            match block:
                case {'toolUse': {'name': str() as name, **rest}} if 'type' not in rest:
                    yield name
                case _:
                    pass


def encode_tool(tool: ToolDefinition, profile: BedrockModelProfile) -> Json:
    """Encode the definition of a tool. The API rejects an empty description."""
    description = {'description': tool.description} if tool.description else {}
    strict = {'strict': True} if tool.strict and profile.bedrock_strict_tools else {}
    schema = {'json': tool.parameters_json_schema}
    return {'toolSpec': {'name': tool.name, **description, 'inputSchema': schema, **strict}}


def _encode_claude_choice(choice: ResolvedToolChoice, request: PreparedRequest, profile: BedrockModelProfile) -> Json:
    """Encode what only Claude's own `tool_choice` supports: no tool call, or one tool call at a time.

    The API's own `toolChoice` has no such values:
    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolChoice.html
    """
    is_claude = profile.bedrock_thinking == 'claude'
    if choice == 'none':
        if not is_claude:
            request.note("tool_choice='none' was not sent: tools stand in the conversation, and nothing forbids them")
        return {'tool_choice': {'type': 'none'}} if is_claude else {}
    if request.settings.get('parallel_tool_calls', True):
        return {}
    if profile.bedrock_parallel_switch:
        return {'tool_choice': {'disable_parallel_tool_use': True}}
    request.drop_setting('parallel_tool_calls', f'{request.model_name!r} has no such switch (bedrock_parallel_switch)')
    return {}


def encode_output(request: PreparedRequest, thinking: Thinking) -> Json:
    """Encode `outputConfig`: the schema of the output, and the effort."""
    config: Json = {'effort': thinking.effort} if thinking.effort else {}
    if request.parameters.output_mode == 'native':
        config['textFormat'] = {'type': 'json_schema', 'structure': {'jsonSchema': _encode_output_schema(request)}}
    return {'outputConfig': config} if config else {}


def _encode_output_schema(request: PreparedRequest) -> Json:
    """Encode the schema of the output, which the API always enforces. It is sent as a string of JSON.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_JsonSchemaDefinition.html
    """
    output = request.parameters.output_object
    assert output is not None, 'resolved before'
    name = output.name or OUTPUT_NAME
    schema = request.strict_schema(output.json_schema, f'output {name!r}')
    description = {'description': output.description} if output.description else {}
    return {'schema': to_json(schema).decode(), 'name': name, **description}


def encode_settings(request: PreparedRequest, profile: BedrockModelProfile, thinking: Thinking, tools: Json) -> Json:
    """Encode the settings, and the model's own fields. `tools` are those of the tool choice."""
    body: Json = {}
    match request.settings.get('service_tier', 'auto'):
        case 'auto':
            pass
        case tier if tier in SERVICE_TIERS:
            body['serviceTier'] = {'type': SERVICE_TIERS[tier]}
        case tier:
            request.drop_setting('service_tier', f'the Converse API has no queue {tier!r}')
    settings = request.options
    inference = {field: settings[name] for name, field in SETTINGS.items() if name in settings}
    if (budget := thinking.claude.get('budget_tokens')) and 'maxTokens' not in inference:
        inference['maxTokens'] = min(budget + RESPONSE_TOKENS, profile.bedrock_max_tokens)
    if inference:
        body['inferenceConfig'] = inference
    body |= {field: settings[name] for name, field in OWN_SETTINGS.items() if name in settings}
    if 'guardrailConfig' in body and not request.stream:
        # only ConverseStream has this field:
        # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_GuardrailStreamConfiguration.html
        body['guardrailConfig'] = {k: v for k, v in body['guardrailConfig'].items() if k != 'streamProcessingMode'}
    fields = {**thinking.fields, **tools, **_encode_top_k(request, profile)}
    if fields := _merge_fields(fields, settings.get('bedrock_additional_model_requests_fields', {})):
        body['additionalModelRequestFields'] = fields
    return body


def _encode_top_k(request: PreparedRequest, profile: BedrockModelProfile) -> Json:
    """Encode `top_k` as the model's own field: the API has none.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InferenceConfiguration.html
    """
    top_k = request.settings.get('top_k')
    if top_k is None:
        return {}
    match profile.bedrock_top_k:
        case 'top_k':
            return {'top_k': top_k}
        case 'topK':  # recording bedrock-converse__test_bedrock_top_k_nova_variant__0_3800f0
            return {'inferenceConfig': {'topK': top_k}}
        case 'never':
            request.drop_setting('top_k', f'{request.model_name!r} has no such parameter (bedrock_top_k)')
            return {}


def _merge_fields(fields: Json, caller_fields: Json) -> Json:
    """Merge the caller's fields into the encoded ones, and objects one level deep. The caller's values win."""
    merged = dict(caller_fields)
    for name, value in fields.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = {**value, **merged[name]}
        else:
            merged.setdefault(name, value)
    return merged
