"""Decodes the settings, the tools and the output type of a request body: the inverse of `options`."""

from __future__ import annotations

from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json
from ...settings import ModelSettings, ThinkingLevel
from ...tools.definition import ToolDefinition
from ...wire.serving import decode_fields
from .. import ModelRequestParameters, OutputObjectDefinition
from .settings import OWN_SETTINGS, SETTINGS

SETTING_NAMES = {field: name for name, field in (OWN_SETTINGS | SETTINGS).items()} | {
    'thinking': 'cohere_thinking',
    'strict_tools': 'cohere_strict_tools',
}
"""The fields of the body -> our settings."""

OTHER_FIELDS = frozenset({'model', 'messages', 'tools', 'tool_choice', 'response_format', 'stream'})
"""The fields of the body that are not settings, or are decoded apart."""

TOOL_CHOICES = {'REQUIRED': 'required', 'NONE': 'none'}
"""The API's tool choices -> ours."""


def decode_settings(body: Json) -> ModelSettings:
    """Decode the settings. Unknown fields are kept in `extra_body`."""
    settings = decode_fields(body, SETTING_NAMES, skip=OTHER_FIELDS)
    if (level := _decode_level(body.get('thinking') or {})) is not None:
        settings['thinking'] = level
    if (choice := body.get('tool_choice')) is not None:
        if choice not in TOOL_CHOICES:
            raise UserError(f"'tool_choice' is {choice!r}, not one of {', '.join(TOOL_CHOICES)}")
        settings['tool_choice'] = TOOL_CHOICES[choice]
    return cast('ModelSettings', settings)


def _decode_level(thinking: Json) -> ThinkingLevel | int | None:
    """Decode the shared setting `thinking`, for models of other vendors. `cohere_thinking` has the API's value."""
    match thinking:
        case {'type': 'disabled'}:
            return False
        case {'token_budget': int() as budget}:
            return budget
        case {'type': 'enabled'}:
            return True
        case _:
            return None


def decode_parameters(body: Json) -> ModelRequestParameters:
    """Decode the tools and the output type."""
    strict = bool(body.get('strict_tools'))
    tools = [_decode_tool(tool, strict=strict) for tool in body.get('tools') or ()]
    response_format: Json = body.get('response_format') or {}
    schema: Any = response_format.get('json_schema', response_format.get('schema'))
    match response_format.get('type'), schema:
        case 'json_object', None:
            any_object = OutputObjectDefinition({'type': 'object'})
            return ModelRequestParameters(
                tools, output_mode='prompted', output_object=any_object, prompted_output_template=''
            )
        case 'json_object', dict():
            output = OutputObjectDefinition(cast('Json', schema), strict=True)
            return ModelRequestParameters(tools, output_mode='native', output_object=output)
        case 'json_object', _:
            raise UserError('schema must be an object')
        case _:
            return ModelRequestParameters(tools)


def _decode_tool(tool: Json, *, strict: bool) -> ToolDefinition:
    function = tool['function']
    schema: Json = function.get('parameters') or {'type': 'object', 'properties': {}}
    return ToolDefinition(function['name'], schema, function.get('description') or None, strict=strict)
