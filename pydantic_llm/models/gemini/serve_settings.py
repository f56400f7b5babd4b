"""Decodes the settings, the tools and the output of a body: the inverse of `options`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json
from ...profiles.thinking import LEVELS
from ...settings import ModelSettings
from ...tools.definition import ToolDefinition
from .. import ModelRequestParameters, OutputObjectDefinition
from .native_tools import DECODED_TOOLS, decode_native_tool
from .settings import GENERATION_SETTINGS, TOP_LEVEL_SETTINGS

GENERATION_NAMES = {wire: name for name, wire in GENERATION_SETTINGS.items()}
"""Fields of `generationConfig` -> settings."""

OUTPUT_FIELDS = frozenset({'responseMimeType', 'responseJsonSchema', 'responseSchema'})
"""Fields of `generationConfig` that describe the output."""

TOP_LEVEL_NAMES = {wire: name for name, wire in TOP_LEVEL_SETTINGS.items()} | {'serviceTier': 'gemini_service_tier'}
"""Fields of the body -> settings."""

OTHER_FIELDS = frozenset('model stream contents systemInstruction generationConfig tools toolConfig'.split())
"""Fields of the body that are not settings."""


def decode_settings(body: Json) -> ModelSettings:
    """Decode the settings. Unknown fields are kept in `extra_body`."""
    settings: Json = {}
    for name, value in body.items():
        if name in TOP_LEVEL_NAMES:
            settings[TOP_LEVEL_NAMES[name]] = value
        elif name not in OTHER_FIELDS:
            settings.setdefault('extra_body', {})[name] = value
    config: Json = body.get('generationConfig') or {}
    if config.get('candidateCount') not in (None, 1):
        raise UserError('generationConfig.candidateCount: this server gives one candidate')
    for name, value in config.items():
        if name in GENERATION_NAMES:
            settings[GENERATION_NAMES[name]] = value
        elif name not in OUTPUT_FIELDS and name != 'candidateCount':
            settings.setdefault('extra_body', {}).setdefault('generationConfig', {})[name] = value
    settings |= _decode_thinking(config.get('thinkingConfig') or {})
    return cast('ModelSettings', settings | _decode_tool_settings(body))


def _decode_thinking(config: Json) -> Json:
    """Return the setting `thinking`, which models of other vendors understand."""
    if (level := str(config.get('thinkingLevel')).lower()) in LEVELS:
        return {'thinking': level}
    budget: int | None = config.get('thinkingBudget')
    # A negative budget lets the model decide: https://ai.google.dev/gemini-api/docs/generate-content/thinking
    if budget is None or budget < 0:
        return {'thinking': True} if budget or config.get('includeThoughts') else {}
    return {'thinking': budget or False}


def _decode_tool_settings(body: Json) -> Json:
    """Return the settings that choose tools, and Google's tools that have no class here."""
    config: Json = body.get('toolConfig') or {}
    others = [
        {name: value for name, value in entry.items() if name not in DECODED_TOOLS}
        for entry in body.get('tools') or ()
        if entry.keys() - DECODED_TOOLS
    ]
    settings = {
        'tool_choice': _decode_tool_choice(config.get('functionCallingConfig') or {}),
        'gemini_retrieval_config': config.get('retrievalConfig'),
        'gemini_native_tools': others,
    }
    return {name: value for name, value in settings.items() if value}


def _decode_tool_choice(calling: Json) -> str | list[str] | None:
    names: list[str] | None = calling.get('allowedFunctionNames')
    match calling.get('mode'):
        case 'NONE':
            return 'none'
        case 'ANY':
            return names or 'required'
        case _:
            return None


def decode_parameters(body: Json) -> ModelRequestParameters:
    """Decode the tools and the output: a schema, any JSON object, or text."""
    functions = _decode_functions(body)
    native = [tool for entry in body.get('tools') or () for tool in decode_native_tool(entry)]
    config: Json = body.get('generationConfig') or {}
    parameters = ModelRequestParameters(functions, native)
    if schema := config.get('responseJsonSchema') or decode_schema(config.get('responseSchema')):
        inner = {name: value for name, value in schema.items() if name not in ('title', 'description')}
        output = OutputObjectDefinition(inner, schema.get('title'), schema.get('description'))
        return replace(parameters, output_mode='native', output_object=output)
    if config.get('responseMimeType') == 'application/json':
        output = OutputObjectDefinition({'type': 'object'})
        return replace(parameters, output_mode='prompted', output_object=output, prompted_output_template='')
    return parameters


def _decode_functions(body: Json) -> list[ToolDefinition]:
    """Decode the declared functions. The mode `AUTO` means that arguments need not match the schemas."""
    tool_config: Json = body.get('toolConfig') or {}
    calling: Json = tool_config.get('functionCallingConfig') or {}
    strict = False if calling.get('mode') == 'AUTO' else None
    groups = (entry.get('functionDeclarations') or () for entry in body.get('tools') or ())
    return [_decode_function(declaration, strict) for group in groups for declaration in group]


def _decode_function(declaration: Json, strict: bool | None) -> ToolDefinition:
    schema = declaration.get('parametersJsonSchema') or decode_schema(declaration.get('parameters'))
    schema = schema or {'type': 'object', 'properties': {}}
    return ToolDefinition(declaration['name'], schema, declaration.get('description') or None, strict=strict)


def decode_schema(schema: Json | None) -> Json | None:
    """Translate a schema of the older form to JSON schema. The older form follows OpenAPI 3.0.

    https://ai.google.dev/api/caching#Schema
    """
    if schema is None:
        return None
    node = {name: _decode_keyword(name, value) for name, value in schema.items() if name != 'nullable'}
    if isinstance(node.get('type'), str):
        node['type'] = node['type'].lower()
    return {'anyOf': [node, {'type': 'null'}]} if schema.get('nullable') else node


def _decode_keyword(name: str, value: Any) -> Any:
    match name:
        case 'properties':
            return {each: decode_schema(inner) for each, inner in value.items()}
        case 'items':
            return decode_schema(value)
        case 'anyOf':
            return [decode_schema(inner) for inner in value]
        case _:
            return value
