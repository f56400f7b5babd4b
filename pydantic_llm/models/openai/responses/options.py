"""Encodes the tools, the output and the settings of a request as fields of the body."""

from __future__ import annotations

from typing import Any

from ....json_types import Json
from ....profiles.openai import OpenAIModelProfile
from ....tools.definition import ToolDefinition
from ....wire.parameters import OUTPUT_NAME
from ....wire.prepare import PreparedRequest
from ....wire.thinking import resolve_thinking
from ..cache import encode_cache, has_marks
from ..thinking import drop_sampling
from .native_tools import encode_native_tool
from .settings import ENCRYPTED_REASONING, INCLUDES, OWN_SETTINGS, REASONING, SETTINGS


def encode_tools(request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """Encode the tools, and whether the model must call one."""
    settings = request.options
    native = [encode_native_tool(tool) for tool in request.parameters.native_tools]
    raw = [dict(tool) for tool in settings.get('openai_native_tools') or ()]
    functions = request.parameters.tools
    body: Json = {}
    if tools := [*native, *raw, *(encode_tool(tool) for tool in functions)]:
        body['tools'] = tools
    if functions or (tools and request.tool_choice != 'auto'):
        body['tool_choice'] = encode_tool_choice(request.tool_choice)
    if functions and 'parallel_tool_calls' in settings:
        body['parallel_tool_calls'] = settings['parallel_tool_calls']
    return body


def encode_tool(tool: ToolDefinition) -> Json:
    """Encode the definition of a tool."""
    return {
        'type': 'function',
        'name': tool.name,
        'description': tool.description or '',
        'parameters': tool.parameters_json_schema,
        'strict': bool(tool.strict),
    }


def encode_tool_choice(choice: Any) -> Any:
    """Encode whether, and which, tools must be called."""
    match choice:
        case str():
            return choice
        case (name,):
            return {'type': 'function', 'name': name}
        case names:
            tools = [{'type': 'function', 'name': name} for name in names]
            return {'type': 'allowed_tools', 'mode': 'required', 'tools': tools}


def encode_output(request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """Encode what the response must look like, as fields of `text`."""
    output = request.parameters.output_object
    match request.parameters.output_mode:
        case 'native' if output is not None:
            schema: Json = {'type': 'json_schema', 'name': output.name or OUTPUT_NAME, 'schema': output.json_schema}
            if output.description:
                schema['description'] = output.description
            return {'format': {**schema, 'strict': bool(output.strict)}}
        case 'prompted' if profile.supports_json_object_output:
            return {'format': {'type': 'json_object'}}
        case _:
            return {}


def encode_settings(request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """Encode the settings, except those of tools and output."""
    body: Json = {}
    if reasoning := encode_reasoning(request, profile):
        body['reasoning'] = reasoning
    drop_sampling(request, profile, reasoning.get('effort'))
    if has_marks(request, profile):
        request.drop_setting('cache', f'the Responses API of {request.system!r} has no marks for it')
    body |= encode_cache(request, profile)
    settings = request.options
    body |= {wire: settings[name] for name, wire in (SETTINGS | OWN_SETTINGS).items() if name in settings}
    if 'openai_text_verbosity' in settings:
        body['text'] = {'verbosity': settings['openai_text_verbosity']}
    include = [wire for name, wire in INCLUDES.items() if settings.get(name)]
    include += settings.get('openai_include') or ()
    if profile.openai_item_ids:
        include.insert(0, ENCRYPTED_REASONING)
    if include:
        body['include'] = list(dict.fromkeys(include))
    return body


def encode_reasoning(request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """Encode how the model reasons: the effort that `thinking` asks for, unless the API's own settings name one."""
    settings = request.options
    reasoning: Json = {}
    if profile.openai_reasoning_context:
        reasoning['context'] = profile.openai_reasoning_context
    if 'openai_reasoning_effort' not in settings:
        thinking = resolve_thinking(request, profile.effort_scale)
        if thinking and (effort := thinking.level if thinking.is_on else profile.openai_thinking_off):
            reasoning['effort'] = effort
    return reasoning | {wire: settings[name] for name, wire in REASONING.items() if name in settings}
