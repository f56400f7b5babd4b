"""Decodes the settings, the tools and the output of a request body. Undoes `options`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from ....json_types import Json
from ....settings import ModelSettings
from ....tools.definition import ToolDefinition
from ....wire.serving import decode_fields
from ... import ModelRequestParameters, OutputObjectDefinition
from ..cache import decode_cache
from ..thinking import THINKING_LEVELS
from .native_tools import decode_native_tool
from .settings import ENCRYPTED_REASONING, INCLUDES, OWN_SETTINGS, REASONING, SETTINGS

SETTING_NAMES = {field: name for name, field in (OWN_SETTINGS | SETTINGS).items()}
SETTING_NAMES['parallel_tool_calls'] = 'parallel_tool_calls'
"""Fields of the body -> settings."""

OTHER_FIELDS = frozenset(
    'model input instructions tools tool_choice text reasoning include stream stream_options'.split()
)
"""Fields of the body that are not settings."""

ECHOED_FIELDS = (
    'instructions max_output_tokens max_tool_calls metadata parallel_tool_calls prompt_cache_key reasoning '
    'safety_identifier temperature tool_choice tools top_logprobs top_p truncation user'
).split()
"""Fields of the request that the response repeats."""


def decode_settings(body: Json) -> ModelSettings:
    """Decode the settings. Unknown fields are kept in `extra_body`."""
    settings = decode_fields(body, SETTING_NAMES, skip=OTHER_FIELDS) | decode_cache(body)
    settings |= _decode_reasoning(body.get('reasoning') or {})
    text: Json = body.get('text') or {}
    if (verbosity := text.get('verbosity')) is not None:
        settings['openai_text_verbosity'] = verbosity
    settings |= _decode_include(body.get('include') or ())
    if (choice := _decode_tool_choice(body.get('tool_choice'))) is not None:
        settings['tool_choice'] = choice
    if raw := [tool for tool in body.get('tools') or () if not _is_function(tool) and decode_native_tool(tool) is None]:
        settings['openai_native_tools'] = raw
    return cast('ModelSettings', settings)


def _decode_reasoning(reasoning: Json) -> Json:
    """Decode how the model reasons. An effort becomes the setting `thinking`, if that has such a level."""
    settings: Json = {}
    for name, field in REASONING.items():
        value = reasoning.get(field)
        if field == 'effort' and value in THINKING_LEVELS:
            settings['thinking'] = THINKING_LEVELS[value]
        elif value is not None:
            settings[name] = value
    return settings


def _decode_include(include: Sequence[str]) -> Json:
    """Decode `include`. Values without a setting of their own are kept in `openai_include`."""
    settings: Json = {name: True for name, value in INCLUDES.items() if value in include and name != 'logprobs'}
    if others := [value for value in include if value not in (*INCLUDES.values(), ENCRYPTED_REASONING)]:
        settings['openai_include'] = others
    return settings


def _decode_tool_choice(choice: Any) -> Any:
    match choice:
        case None | 'auto':
            return None
        case {'type': 'function', 'name': name}:
            return [name]
        case {'type': 'allowed_tools', 'tools': tools}:
            return [tool['name'] for tool in tools]
        case _:
            return choice


def decode_parameters(body: Json) -> ModelRequestParameters:
    """Decode the tools, and what the response must look like."""
    given: list[Json] = body.get('tools') or []
    tools = [_decode_tool(tool) for tool in given if _is_function(tool)]
    native = [made for tool in given if not _is_function(tool) and (made := decode_native_tool(tool)) is not None]
    parameters = ModelRequestParameters(tools, native)
    text: Json = body.get('text') or {}
    format: Any = text.get('format')
    match format:
        case {'type': 'json_schema', 'name': name, 'schema': schema}:
            output = OutputObjectDefinition(schema, name, format.get('description'), format.get('strict'))
            return replace(parameters, output_mode='native', output_object=output)
        case {'type': 'json_object'}:
            output = OutputObjectDefinition({'type': 'object'})
            return replace(parameters, output_mode='prompted', output_object=output, prompted_output_template='')
        case _:
            return parameters


def _is_function(tool: Json) -> bool:
    return bool(tool.get('type') == 'function')


def _decode_tool(tool: Json) -> ToolDefinition:
    schema: Json = tool.get('parameters') or {'type': 'object', 'properties': {}}
    return ToolDefinition(tool['name'], schema, tool.get('description') or None, strict=bool(tool.get('strict')))


def decode_echo(body: Json) -> Json:
    """Return the fields that the response repeats."""
    text: Json = {'format': {'type': 'text'}} | (body.get('text') or {})
    return {**{name: body[name] for name in ECHOED_FIELDS if body.get(name) is not None}, 'text': text}
