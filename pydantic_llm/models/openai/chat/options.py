"""Encodes tools, output and settings as fields of the body.

`encode` calls `encode_tools`, `encode_output` and `encode_settings`; thinking and constraints are settings.
"""

from __future__ import annotations

import re
from json import dumps
from typing import TYPE_CHECKING, Any, assert_never

from ....exceptions import UserError
from ....json_types import Json
from ....profiles.openai import OpenAIModelProfile
from ....tools.definition import ToolDefinition
from ....wire.parameters import OUTPUT_NAME
from ....wire.prepare import PreparedRequest
from ....wire.thinking import ResolvedThinking, is_thinking_off, resolve_thinking
from ..cache import encode_cache
from ..thinking import drop_sampling
from .dialect import Dialect

if TYPE_CHECKING:
    from ....constraints import Constraint


def encode_tools(request: PreparedRequest, profile: OpenAIModelProfile, dialect: Dialect) -> Json:
    """Encode the tools and the tool choice. Raises `UserError` for native tools that the API does not have."""
    if unknown := [tool.kind for tool in request.parameters.native_tools if tool.kind not in dialect.native_tools]:
        known = f'of its own but {", ".join(sorted(dialect.native_tools))}' if dialect.native_tools else 'of its own'
        raise UserError(f'{dialect.title} has no tools {known}, and was asked for {", ".join(unknown)}')
    tools = request.parameters.tools
    if not tools:
        return {}
    choice = request.tool_choice
    if isinstance(choice, tuple) and len(choice) > 1 and not profile.openai_allowed_tools:
        tools = [tool for tool in tools if tool.name in choice]
        choice = 'required'
    body: Json = {
        'tools': [encode_tool(tool, profile) for tool in tools],
        'tool_choice': encode_tool_choice(choice, request, profile),
    }
    if not profile.openai_parallel_switch:
        request.drop_setting('parallel_tool_calls', f'{request.model_name!r} does not take it')
    if 'parallel_tool_calls' in request.settings:
        body['parallel_tool_calls'] = request.settings['parallel_tool_calls']
    return body


def encode_tool(tool: ToolDefinition, profile: OpenAIModelProfile) -> Json:
    """Encode the definition of a tool."""
    function: Json = {
        'name': tool.name,
        'description': tool.description or '',
        'parameters': tool.parameters_json_schema,
    }
    if tool.strict and profile.openai_strict_tools:
        function['strict'] = True
    return {'type': 'function', 'function': function}


def encode_tool_choice(choice: Any, request: PreparedRequest, profile: OpenAIModelProfile) -> Any:
    """Encode the tool choice. Raises `UserError` if the caller requires a tool call and the model cannot be forced."""
    match choice:
        case 'auto' | 'none':
            return choice
        case _ if not _can_force_tool_calls(request, profile):
            if 'tool_choice' in request.settings:
                raise UserError(f'{request.model_name!r} cannot be made to call a tool (tool_choice={choice!r})')
            return 'auto'
        case 'required':
            return 'required'
        case (name,):
            return {'type': 'function', 'function': {'name': name}}
        case names:
            tools = [{'type': 'function', 'function': {'name': name}} for name in names]
            return {'type': 'allowed_tools', 'allowed_tools': {'mode': 'required', 'tools': tools}}


def _can_force_tool_calls(request: PreparedRequest, profile: OpenAIModelProfile) -> bool:
    """Return whether the model can be forced to call a tool in this request.

    DeepSeek refuses that while its models think: https://api-docs.deepseek.com/guides/thinking_mode
    """
    if profile.openai_forces_tools == 'without_thinking':
        return is_thinking_off(request)
    return profile.openai_forces_tools


def encode_output(request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """Encode the output type as `response_format`, if the output is not a tool call or plain text."""
    output = request.parameters.output_object
    match request.parameters.output_mode:
        case 'native' if output is not None:
            schema: Json = {'name': output.name or OUTPUT_NAME, 'schema': output.json_schema}
            if output.description:
                schema['description'] = output.description
            if output.strict is not None and profile.enforces_outputs:
                schema['strict'] = output.strict
            return {'response_format': {'type': 'json_schema', 'json_schema': schema}}
        case 'prompted' if request.profile.supports_json_object_output:
            return {'response_format': {'type': 'json_object'}}
        case _:
            return {}


def encode_settings(request: PreparedRequest, profile: OpenAIModelProfile, dialect: Dialect) -> Json:
    """Encode the settings: the profile's fixed fields, thinking, the constraint, then all others by name."""
    body = dict(profile.openai_always_sends or {}) | encode_thinking(request, profile)
    body |= encode_cache(request, profile)
    drop_sampling(request, profile, body.get('reasoning_effort'))
    if 'constraint' in request.settings:
        body |= encode_constraint(request.settings['constraint'], request, profile)
    settings = request.options
    fields = {**dialect.settings, **dialect.own_settings}
    body |= {wire: settings[name] for name, wire in fields.items() if name in settings}
    if 'max_tokens' in settings:
        body[profile.openai_max_tokens_field] = settings['max_tokens']
    return body


# ---------------------------------------------------------------------- thinking


def encode_thinking(request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """Encode the setting `thinking`. `openai_reasoning_effort` wins; it is dropped if the model cannot think."""
    if 'openai_reasoning_effort' in request.options:
        return {}
    thinking = resolve_thinking(request, profile.thinking_scale)
    if thinking is None:
        return {}
    return encode_thinking_on(thinking, request, profile) if thinking.is_on else encode_thinking_off(profile)


def encode_thinking_on(thinking: ResolvedThinking, request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """Encode the fields that make the model think."""
    effort, tokens = thinking.level, thinking.tokens
    effort_field = {'reasoning_effort': effort} if effort else {}
    match profile.openai_thinking_setting:
        case 'reasoning_effort' if tokens:  # LiteLLM: https://docs.litellm.ai/docs/reasoning_content
            return {'thinking': {'type': 'enabled', 'budget_tokens': tokens}}
        case 'reasoning_effort':
            return effort_field
        case 'reasoning':  # one of the two: https://openrouter.ai/docs/use-cases/reasoning-tokens
            return {'reasoning': {**({'max_tokens': tokens} if tokens else {'effort': effort}), 'enabled': True}}
        case 'reasoning.effort':
            # Claude thinks only with a temperature of 1, and Cortex sends another by default:
            # https://docs.claude.com/en/docs/build-with-claude/extended-thinking
            return {'reasoning': {'effort': effort}, 'temperature': request.settings.get('temperature', 1)}
        case 'thinking':
            return {'thinking': {**_get_fixed_thinking_fields(profile), 'type': 'enabled'}, **effort_field}
        case 'enable_thinking':
            return {'enable_thinking': True, **({'thinking_budget': tokens} if tokens else {})}
        case _:
            assert_never(profile.openai_thinking_setting)


def encode_thinking_off(profile: OpenAIModelProfile) -> Json:
    """Encode the fields that switch thinking off."""
    match profile.openai_thinking_setting:
        case 'reasoning':
            return {'reasoning': {'effort': 'none'}}
        case 'reasoning.effort':
            return {}
        case 'thinking':
            return {'thinking': {**_get_fixed_thinking_fields(profile), 'type': 'disabled'}}
        case 'enable_thinking':
            return {'enable_thinking': False}
        case 'reasoning_effort':
            return {'reasoning_effort': profile.openai_thinking_off}
        case _:
            assert_never(profile.openai_thinking_setting)


def _get_fixed_thinking_fields(profile: OpenAIModelProfile) -> Json:
    """Return the fields that the server needs in the object `thinking` of every request."""
    fields: Json = (profile.openai_always_sends or {}).get('thinking', {})
    return fields


# ---------------------------------------------------------------------- constraints


def encode_constraint(constraint: Constraint, request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """Encode the constraint in the server's form. It is dropped, with a warning, if the server has no form for it."""
    from ....constraints import Choice, Grammar, JsonSchema, Regex

    match constraint, profile.openai_constraints:
        case JsonSchema(json_schema=schema), _ if profile.supports_json_schema_output:
            return {'response_format': {'type': 'json_schema', 'json_schema': {'name': OUTPUT_NAME, 'schema': schema}}}
        case Regex(pattern=pattern), 'vllm':
            return {'structured_outputs': {'regex': pattern}}
        case Choice(choices=choices), 'vllm':
            return {'structured_outputs': {'choice': list(choices)}}
        case Choice(choices=choices), 'llamacpp':
            return {'grammar': f'root ::= {" | ".join(dumps(choice, ensure_ascii=False) for choice in choices)}'}
        case Regex(pattern=pattern), 'tgi':
            return {'response_format': {'type': 'regex', 'value': pattern}}
        case Choice(choices=choices), 'tgi':
            return {'response_format': {'type': 'regex', 'value': '|'.join(map(re.escape, choices))}}
        case Grammar(grammar=grammar), 'vllm':
            return {'structured_outputs': {'grammar': grammar}}
        case Grammar(grammar=grammar, syntax='gbnf'), 'llamacpp':
            return {'grammar': grammar}
        case _:
            request.drop_setting(
                'constraint', f'{request.system!r} cannot hold {request.model_name!r} to a {constraint.kind}'
            )
            return {}
