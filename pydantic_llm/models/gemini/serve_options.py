"""The rest of the body of `generateContent` → settings and parameters: `options`, read backwards."""

from __future__ import annotations

from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json
from ...settings import ModelSettings, ThinkingLevel
from ...tools.definition import ToolDefinition
from .. import ModelRequestParameters, OutputObjectDefinition
from .native_tools import KNOWN, decode_native_tool
from .options import BUDGETS, SCALE
from .settings import GENERATION, TOP_LEVEL

OURS = {wire: name for name, wire in GENERATION.items()}
"""The API's names of settings of `generationConfig`, and ours."""

OUTPUT = frozenset({'responseMimeType', 'responseJsonSchema', 'responseSchema'})
"""What of `generationConfig` says how the answer is held to something."""

TOP = {wire: name for name, wire in TOP_LEVEL.items()} | {'serviceTier': 'gemini_service_tier'}
"""The same of the body itself."""

STRUCTURE = frozenset({'model', 'stream', 'contents', 'systemInstruction', 'generationConfig', 'tools', 'toolConfig'})
"""The fields of the body that are no settings."""


def decode_settings(body: Json) -> ModelSettings:
    """The settings; a field that nobody knows is kept in `extra_body`."""
    settings: Json = {}
    for name, value in body.items():
        if name in TOP:
            settings[TOP[name]] = value
        elif name not in STRUCTURE:
            settings.setdefault('extra_body', {})[name] = value
    config: Json = body.get('generationConfig') or {}
    if config.get('candidateCount') not in (None, 1):
        raise UserError('generationConfig.candidateCount: this server gives one candidate')
    for name, value in config.items():
        if name in OURS:
            settings[OURS[name]] = value
        elif name not in OUTPUT and name != 'candidateCount':
            settings.setdefault('extra_body', {})['generationConfig'] = config
    settings |= _thinking(config.get('thinkingConfig') or {})
    return cast('ModelSettings', settings | _tool_settings(body))


def _thinking(config: Json) -> Json:
    """How long to think, in our words, for models of other vendors."""
    if str(config.get('thinkingLevel')).upper() in SCALE:
        return {'thinking': config['thinkingLevel'].lower()}
    budget: int | None = config.get('thinkingBudget')
    if budget is None or budget < 0:
        return {'thinking': True} if budget or config.get('includeThoughts') else {}
    fitting: list[ThinkingLevel] = [level for level, tokens in BUDGETS.items() if tokens <= budget]
    return {'thinking': (fitting[-1] if fitting else 'minimal') if budget else False}


def _tool_settings(body: Json) -> Json:
    """What the settings say of tools: whether they must be called, and those that have no class here."""
    config: Json = body.get('toolConfig') or {}
    others = [
        {name: value for name, value in entry.items() if name not in KNOWN}
        for entry in body.get('tools') or ()
        if entry.keys() - KNOWN
    ]
    settings = {
        'tool_choice': _tool_choice(config.get('functionCallingConfig') or {}),
        'gemini_retrieval_config': config.get('retrievalConfig'),
        'gemini_native_tools': others,
    }
    return {name: value for name, value in settings.items() if value}


def _tool_choice(calling: Json) -> str | list[str] | None:
    names: list[str] | None = calling.get('allowedFunctionNames')
    match calling.get('mode'):
        case 'NONE':
            return 'none'
        case 'ANY':
            return names or 'required'
        case _:
            return None


def decode_parameters(body: Json) -> ModelRequestParameters:
    """The tools, and what the answer is held to."""
    entries: list[Json] = body.get('tools') or []
    tool_config: Json = body.get('toolConfig') or {}
    calling: Json = tool_config.get('functionCallingConfig') or {}
    strict = False if calling.get('mode') == 'AUTO' else None
    functions = [_tool(each, strict) for entry in entries for each in entry.get('functionDeclarations') or ()]
    native = [tool for entry in entries for tool in decode_native_tool(entry)]
    config: Json = body.get('generationConfig') or {}
    schema = config.get('responseJsonSchema') or decode_schema(config.get('responseSchema'))
    if schema:
        inner = {name: value for name, value in schema.items() if name not in ('title', 'description')}
        output = OutputObjectDefinition(inner, schema.get('title'), schema.get('description'))
        return ModelRequestParameters(functions, native, output_mode='native', output_object=output)
    if config.get('responseMimeType') == 'application/json':
        anything = OutputObjectDefinition({'type': 'object'})
        return ModelRequestParameters(
            functions, native, output_mode='prompted', output_object=anything, prompted_output_template=''
        )
    return ModelRequestParameters(functions, native)


def _tool(declaration: Json, strict: bool | None) -> ToolDefinition:
    schema = declaration.get('parametersJsonSchema') or decode_schema(declaration.get('parameters'))
    return ToolDefinition(
        declaration['name'],
        schema or {'type': 'object', 'properties': {}},
        declaration.get('description') or None,
        strict=strict,
    )


def decode_schema(schema: Json | None) -> Json | None:
    """The API's older schemas, which are those of OpenAPI 3.0, as JSON schema."""
    if schema is None:
        return None
    node = {name: _inner(name, value) for name, value in schema.items() if name != 'nullable'}
    if isinstance(node.get('type'), str):
        node['type'] = node['type'].lower()
    return {'anyOf': [node, {'type': 'null'}]} if schema.get('nullable') else node


def _inner(name: str, value: Any) -> Any:
    """What one keyword of a schema holds."""
    match name:
        case 'properties':
            return {each: decode_schema(inner) for each, inner in value.items()}
        case 'items':
            return decode_schema(value)
        case 'anyOf':
            return [decode_schema(inner) for inner in value]
        case _:
            return value
