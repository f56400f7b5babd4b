"""Decodes the settings, the tools and the output type of a request body: the inverse of `options` and `thinking`."""

from __future__ import annotations

from typing import cast

from pydantic_core import from_json

from ...exceptions import UserError
from ...json_types import Json
from ...native_tools import NativeTool
from ...profiles.thinking import LEVELS
from ...settings import ModelSettings
from ...tools.definition import ToolDefinition
from ...wire.serving import decode_fields
from .. import ModelRequestParameters, OutputObjectDefinition
from .native_tools import TOOL_CLASSES
from .settings import OWN_SETTINGS, SETTINGS

SETTING_NAMES = {field: name for name, field in OWN_SETTINGS.items()}
"""The fields of the body -> our settings."""

OTHER_FIELDS = frozenset(
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
"""The fields of the body that are not settings, or are decoded apart."""

EFFORTS: dict[str, bool | str] = {'none': False, **{level: level for level in LEVELS}}
"""The efforts of models -> our levels of thinking."""


def decode_settings(body: Json) -> ModelSettings:
    """Decode the settings. Unknown fields are kept in `extra_body`."""
    settings = decode_fields(body, SETTING_NAMES, skip=OTHER_FIELDS)
    inference = _get_object(body, 'inferenceConfig')
    settings |= {name: inference[field] for name, field in SETTINGS.items() if inference.get(field) is not None}
    effort: str | None = _get_object(body, 'outputConfig').get('effort')
    if effort:
        settings['bedrock_effort'] = effort
    settings |= _decode_model_fields(_get_object(body, 'additionalModelRequestFields'), effort)
    settings |= _decode_tool_choice(_get_object(_get_object(body, 'toolConfig'), 'toolChoice'))
    settings |= _decode_cache_settings(body)
    return cast('ModelSettings', settings)


def _get_object(body: Json, name: str) -> Json:
    return body.get(name) or {}


def _get_tools(body: Json) -> list[Json]:
    return _get_object(body, 'toolConfig').get('tools') or []


def _decode_model_fields(fields: Json, effort: str | None) -> Json:
    """Decode the model's own fields: unchanged, and as shared settings for models of other vendors."""
    settings: Json = {'bedrock_additional_model_requests_fields': fields} if fields else {}
    match fields:
        case {'top_k': int() as top_k} | {'inferenceConfig': {'topK': int() as top_k}}:
            settings['top_k'] = top_k
        case _:
            pass
    if (level := _decode_thinking(fields, effort)) is not None:
        settings['thinking'] = level
    match fields:
        case {'tool_choice': {'type': 'none'}}:
            settings['tool_choice'] = 'none'
        case {'tool_choice': {'disable_parallel_tool_use': bool() as is_disabled}}:
            settings['parallel_tool_calls'] = not is_disabled
        case _:
            pass
    return settings


def _decode_thinking(fields: Json, effort: str | None) -> bool | int | str | None:
    match fields:
        case {'thinking': {'type': 'enabled', 'budget_tokens': int() as budget}}:
            return budget
        case {'thinking': {'type': 'adaptive'}}:
            return EFFORTS.get(effort or '', True)
        case {'thinking': {'type': 'disabled' | 'between_tools'}} | {'reasoningConfig': {'type': 'disabled'}}:
            return False
        case (
            {'reasoningConfig': {'maxReasoningEffort': str() as model_effort}}
            | {'reasoning_effort': str() as model_effort}
            | {'reasoning_config': str() as model_effort}
            | {'reasoning': {'effort': str() as model_effort}}
        ):
            return EFFORTS.get(model_effort, True)
        case _:
            return None


def _decode_tool_choice(choice: Json) -> Json:
    match choice:
        case {'any': _}:
            return {'tool_choice': 'required'}
        case {'tool': {'name': name}}:
            return {'tool_choice': [name]}
        case _:
            return {}


def _decode_cache_settings(body: Json) -> Json:
    """Decode the cache points, except those of the messages, which become `CachePoint`.

    Models of other vendors get the shared setting `cache` for them.
    """
    cached: dict[str, list[Json]] = {
        'bedrock_cache_tool_definitions': _get_tools(body),
        'bedrock_cache_instructions': body.get('system') or [],
    }
    points = {
        name: [block['cachePoint'] for block in blocks if 'cachePoint' in block] for name, blocks in cached.items()
    }
    own = {name: found[-1].get('ttl') or True for name, found in points.items() if found}
    return {**own, 'cache': '1h' if '1h' in own.values() else True} if own else {}


def decode_parameters(body: Json) -> ModelRequestParameters:
    """Decode the tools and the output type. Raises `UserError` for a tool of an unknown kind."""
    tools: list[ToolDefinition] = []
    native_tools: list[NativeTool] = []
    for tool in _get_tools(body):
        match tool:
            case {'toolSpec': spec}:
                tools.append(_decode_tool(spec))
            case {'systemTool': {'name': name}} if name in TOOL_CLASSES:
                native_tools.append(TOOL_CLASSES[name]())
            case {'systemTool': {'name': name}}:
                raise UserError(f'tools: this server does not know the system tool {name!r}')
            case {'cachePoint': _}:
                pass
            case _:
                raise UserError(f'tools: this server does not know a tool of the kind {next(iter(tool), None)!r}')
    parameters = ModelRequestParameters(tools, native_tools)
    match _get_object(body, 'outputConfig'):
        case {'textFormat': {'structure': {'jsonSchema': {'schema': str() as schema} as output}}}:
            name, description = output.get('name'), output.get('description')
            parameters.output_mode = 'native'
            parameters.output_object = OutputObjectDefinition(from_json(schema), name, description, strict=True)
        case _:
            pass
    return parameters


def _decode_tool(spec: Json) -> ToolDefinition:
    schema: Json = spec['inputSchema']['json']
    return ToolDefinition(spec['name'], schema, spec.get('description') or None, strict=spec.get('strict') or False)
