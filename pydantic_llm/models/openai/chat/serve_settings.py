"""Decodes the settings, the tools and the output of a request body. Undoes `options`."""

from __future__ import annotations

from typing import Any, cast

from ....exceptions import UserError
from ....json_types import Json
from ....settings import ModelSettings
from ....tools.definition import ToolDefinition
from ....wire.serving import decode_fields
from ... import ModelRequestParameters, OutputObjectDefinition
from ..cache import decode_cache
from ..thinking import THINKING_LEVELS
from .dialect import Dialect

SETTING_NAMES = {
    'max_tokens': 'max_tokens',
    'max_completion_tokens': 'max_tokens',
    'parallel_tool_calls': 'parallel_tool_calls',
}
"""Fields of the body, in every dialect -> shared settings."""

OTHER_FIELDS = frozenset(
    {'model', 'messages', 'tools', 'tool_choice', 'response_format', 'stream', 'stream_options', 'reasoning_effort'}
)
"""Fields of the body that are not settings."""


def decode_settings(body: Json, dialect: Dialect) -> ModelSettings:
    """Decode the settings. Unknown fields are kept in `extra_body`."""
    names = {field: name for name, field in {**dialect.own_settings, **dialect.settings}.items()} | SETTING_NAMES
    settings = decode_fields(body, names, skip=OTHER_FIELDS) | decode_cache(body)
    if isinstance(settings.get('stop_sequences'), str):
        settings['stop_sequences'] = [settings['stop_sequences']]
    if effort := body.get('reasoning_effort'):
        is_level = effort in THINKING_LEVELS
        settings |= {'thinking': THINKING_LEVELS[effort]} if is_level else {names['reasoning_effort']: effort}
    if (choice := _decode_tool_choice(body.get('tool_choice'))) is not None:
        settings['tool_choice'] = choice
    return cast('ModelSettings', settings)


def _decode_tool_choice(choice: Any) -> Any:
    match choice:
        case None | 'auto':
            return None
        # Hugging Face's client sends no `type`: `ChatCompletionInputToolChoiceClass` of huggingface_hub
        case {'function': {'name': name}}:
            return [name]
        case {'type': 'allowed_tools', 'allowed_tools': {'tools': tools}}:
            return [tool['function']['name'] for tool in tools]
        case 'none' | 'required':
            return choice
        case _:
            raise UserError(f"'tool_choice' is {choice!r}, which is not a valid choice of tools")


def decode_parameters(body: Json) -> ModelRequestParameters:
    """Decode the tools and the output type."""
    tools = [_decode_tool(tool) for tool in body.get('tools') or ()]
    match body.get('response_format'):
        case {'type': 'json_schema', 'json_schema': {'schema': schema} as output}:
            definition = OutputObjectDefinition(
                schema, output.get('name'), output.get('description'), output.get('strict')
            )
        # TGI has the schema in `value`, llama.cpp in `schema`:
        # https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
        case {'type': 'json_object', 'value': dict()} | {'type': 'json_object', 'schema': dict()}:
            form: Json = body['response_format']
            definition = OutputObjectDefinition(
                form['value'] if isinstance(form.get('value'), dict) else form['schema']
            )
        case {'type': 'json_object'}:
            anything = OutputObjectDefinition({'type': 'object'})
            return ModelRequestParameters(
                tools, output_mode='prompted', output_object=anything, prompted_output_template=''
            )
        case _:
            return ModelRequestParameters(tools)
    return ModelRequestParameters(tools, output_mode='native', output_object=definition)


def _decode_tool(tool: Json) -> ToolDefinition:
    function = tool['function']
    schema: Json = function.get('parameters') or {'type': 'object', 'properties': {}}
    strict = bool(function.get('strict'))
    return ToolDefinition(function['name'], schema, function.get('description') or None, strict=strict)
