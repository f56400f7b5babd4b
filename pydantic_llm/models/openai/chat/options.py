"""What a request may use and how it is answered → fields of the body: tools, output, settings."""

from __future__ import annotations

from typing import Any, assert_never

from ....constraints import Choice, Constraint, Grammar, JsonSchema, Regex
from ....exceptions import UserError
from ....profiles.openai import SAMPLING, OpenAIModelProfile
from ....settings import ThinkingLevel
from ....tools import ToolDefinition
from ..._prepare import OUTPUT_NAME, PreparedRequest
from .settings import OWN_SETTINGS, SETTINGS

Json = dict[str, Any]

EFFORTS: dict[ThinkingLevel, str] = {True: 'medium'}
"""What a level of `thinking` is called, where it is not called what it is."""

REASONING_EFFORTS: dict[ThinkingLevel, str] = {True: 'medium', 'minimal': 'low', 'xhigh': 'high'}
"""The same, for OpenRouter."""


def encode_tools(request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """The tools, and whether they must be called."""
    if request.parameters.native_tools:
        kinds = ', '.join(tool.kind for tool in request.parameters.native_tools)
        raise UserError(f'The Chat Completions API has no tools of its own, and was asked for {kinds}')
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
    if 'parallel_tool_calls' in request.settings:
        body['parallel_tool_calls'] = request.settings['parallel_tool_calls']
    return body


def encode_tool(tool: ToolDefinition, profile: OpenAIModelProfile) -> Json:
    """A tool as the API describes it."""
    function: Json = {
        'name': tool.name,
        'description': tool.description or '',
        'parameters': tool.parameters_json_schema,
    }
    if tool.strict and profile.openai_strict_tools:
        function['strict'] = True
    return {'type': 'function', 'function': function}


def encode_tool_choice(choice: Any, request: PreparedRequest, profile: OpenAIModelProfile) -> Any:
    """Whether tools must be called, in the API's words."""
    match choice:
        case 'auto' | 'none':
            return choice
        case _ if not profile.openai_forces_tools:
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


def encode_output(request: PreparedRequest) -> Json:
    """What the answer is held to."""
    output = request.parameters.output_object
    match request.parameters.output_mode:
        case 'native' if output is not None:
            schema: Json = {'name': output.name or OUTPUT_NAME, 'schema': output.json_schema}
            if output.description:
                schema['description'] = output.description
            if output.strict is not None and request.profile.json_schema_transformer is not None:
                schema['strict'] = output.strict
            return {'response_format': {'type': 'json_schema', 'json_schema': schema}}
        case 'prompted' if request.profile.supports_json_object_output:
            return {'response_format': {'type': 'json_object'}}
        case _:
            return {}


def encode_settings(request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """The settings that go into the body."""
    body = dict(profile.openai_always_sends or {}) | encode_thinking(request, profile)
    if body.get('reasoning_effort', 'none') != 'none' and profile.openai_reasoning == 'on_request':
        for name in SAMPLING & request.settings.keys():
            request.leave_out(name, f'{request.model_name!r} does not take it while it reasons')
    settings: Json = dict(request.settings)
    body |= {wire: settings[name] for name, wire in (SETTINGS | OWN_SETTINGS).items() if name in settings}
    if 'max_tokens' in settings:
        body[profile.openai_max_tokens_field] = settings['max_tokens']
    if 'constraint' in settings:
        body |= encode_constraint(settings['constraint'])
    return body


def encode_thinking(request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """How long the model shall think."""
    settings: Json = dict(request.settings)
    level: ThinkingLevel | None = settings.get('thinking')
    if level is None or 'openai_reasoning_effort' in settings:
        return {}
    if not profile.supports_thinking:
        request.leave_out('thinking', f'{request.model_name!r} cannot be told to think')
        return {}
    match profile.openai_thinking_setting:
        case 'reasoning':
            effort = REASONING_EFFORTS.get(level, level)
            return {'reasoning': {'effort': effort, 'enabled': True} if level else {'effort': 'none'}}
        case 'thinking':
            always = (profile.openai_always_sends or {}).get('thinking', {})
            return {'thinking': {**always, 'type': 'enabled' if level else 'disabled'}}
        case 'reasoning_effort' if level is not False:
            return {'reasoning_effort': EFFORTS.get(level, level)}
        case 'reasoning_effort' if profile.openai_thinking_off:
            return {'reasoning_effort': profile.openai_thinking_off}
        case _:
            request.leave_out('thinking', f'{request.model_name!r} cannot stop thinking')
            return {}


def encode_constraint(constraint: Constraint) -> Json:
    """What the answer must look like, for servers of vLLM and llama.cpp."""
    match constraint:
        case JsonSchema(json_schema=schema):
            return {'response_format': {'type': 'json_schema', 'json_schema': {'name': OUTPUT_NAME, 'schema': schema}}}
        case Regex(pattern=pattern):
            return {'structured_outputs': {'regex': pattern}}
        case Choice(choices=choices):
            return {'structured_outputs': {'choice': list(choices)}}
        case Grammar(grammar=grammar, syntax='gbnf'):
            return {'grammar': grammar}
        case Grammar(grammar=grammar):
            return {'structured_outputs': {'grammar': grammar}}
        case _:
            assert_never(constraint)
