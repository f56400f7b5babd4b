"""The rest of the body of a Converse request → settings and parameters: `options` and `thinking`, read backwards."""

from __future__ import annotations

from typing import cast

from pydantic_core import from_json

from ...exceptions import UserError
from ...json_types import Json
from ...native_tools import NativeTool
from ...settings import ModelSettings, ThinkingLevel
from ...tools.definition import ToolDefinition
from ...wire.claude import BUDGETS
from ...wire.serving import level_within
from .. import ModelRequestParameters, OutputObjectDefinition
from .native_tools import decode_native_tool
from .settings import OWN_SETTINGS, SETTINGS

OURS = {wire: name for name, wire in OWN_SETTINGS.items()}
"""The API's names of settings, and ours."""

STRUCTURE = frozenset(
    {
        'model',
        'stream',
        'messages',
        'system',
        'toolConfig',
        'outputConfig',
        'inferenceConfig',
        'additionalModelRequestFields',
    }
)
"""The fields of the body that are no settings, or hold several."""

LEVELS: dict[str, ThinkingLevel] = {
    'none': False,
    'low': 'low',
    'medium': 'medium',
    'high': 'high',
    'xhigh': 'xhigh',
    'max': 'xhigh',
}
"""Levels of effort, and ours of thinking."""


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
    inference: Json = body.get('inferenceConfig') or {}
    settings |= {ours: inference[wire] for ours, wire in SETTINGS.items() if inference.get(wire) is not None}
    effort: str | None = _object(body, 'outputConfig').get('effort')
    if effort:
        settings['bedrock_effort'] = effort
    settings |= _own_fields(_object(body, 'additionalModelRequestFields'), effort)
    settings |= _tool_choice(_object(_object(body, 'toolConfig'), 'toolChoice'))
    settings |= _cache_settings(body)
    return cast('ModelSettings', settings)


def _object(body: Json, name: str) -> Json:
    """A field that is an object; an empty one where it is missing."""
    return body.get(name) or {}


def _tools(body: Json) -> list[Json]:
    return _object(body, 'toolConfig').get('tools') or []


def _own_fields(fields: Json, effort: str | None) -> Json:
    """The model's own parameters: in its words, and in ours for models of other vendors."""
    settings: Json = {'bedrock_additional_model_requests_fields': fields} if fields else {}
    match fields:
        case {'top_k': int() as top_k} | {'inferenceConfig': {'topK': int() as top_k}}:
            settings['top_k'] = top_k
        case _:
            pass
    match fields:
        case {'thinking': {'type': 'enabled', 'budget_tokens': int() as budget}}:
            settings['thinking'] = level_within(budget, BUDGETS)
        case {'thinking': {'type': 'adaptive'}}:
            settings['thinking'] = LEVELS.get(effort or '', True)
        case {'thinking': {'type': 'disabled' | 'between_tools'}} | {'reasoningConfig': {'type': 'disabled'}}:
            settings['thinking'] = False
        case (
            {'reasoningConfig': {'maxReasoningEffort': str() as word}}
            | {'reasoning_effort': str() as word}
            | {'reasoning_config': str() as word}
            | {'reasoning': {'effort': str() as word}}
        ):
            settings['thinking'] = LEVELS.get(word, True)
        case _:
            pass
    match fields:
        case {'tool_choice': {'type': 'none'}}:
            settings['tool_choice'] = 'none'
        case {'tool_choice': {'disable_parallel_tool_use': bool() as alone}}:
            settings['parallel_tool_calls'] = not alone
        case _:
            pass
    return settings


def _tool_choice(choice: Json) -> Json:
    match choice:
        case {'any': _}:
            return {'tool_choice': 'required'}
        case {'tool': {'name': name}}:
            return {'tool_choice': [name]}
        case _:
            return {}


def _cache_settings(body: Json) -> Json:
    """Where to cache, but for the messages, which hold cache points."""
    places: dict[str, list[Json]] = {
        'bedrock_cache_tool_definitions': _tools(body),
        'bedrock_cache_instructions': body.get('system') or [],
    }
    found = {
        name: [block['cachePoint'] for block in blocks if 'cachePoint' in block] for name, blocks in places.items()
    }
    return {name: points[-1].get('ttl') or True for name, points in found.items() if points}


def decode_parameters(body: Json) -> ModelRequestParameters:
    """The tools, and what the answer is held to."""
    tools: list[ToolDefinition] = []
    native: list[NativeTool] = []
    for tool in _tools(body):
        match tool:
            case {'toolSpec': spec}:
                tools.append(_tool(spec))
            case {'systemTool': {'name': name}}:
                if (known := decode_native_tool(name)) is None:
                    raise UserError(f'tools: this server does not know the system tool {name!r}')
                native.append(known)
            case {'cachePoint': _}:
                pass
            case _:
                raise UserError(f'tools: this server does not know a tool of the kind {next(iter(tool), None)!r}')
    parameters = ModelRequestParameters(tools, native)
    match _object(body, 'outputConfig'):
        case {'textFormat': {'structure': {'jsonSchema': {'schema': str() as schema} as output}}}:
            name, description = output.get('name'), output.get('description')
            parameters.output_mode = 'native'
            parameters.output_object = OutputObjectDefinition(from_json(schema), name, description, strict=True)
        case _:
            pass
    return parameters


def _tool(spec: Json) -> ToolDefinition:
    schema: Json = spec['inputSchema']['json']
    return ToolDefinition(spec['name'], schema, spec.get('description') or None, strict=spec.get('strict') or False)
