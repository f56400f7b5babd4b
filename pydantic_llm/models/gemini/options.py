"""What a request may use and how it is answered → fields of the body: tools, output, settings."""

from __future__ import annotations

from typing import Any

from ...exceptions import UserError
from ...profiles.gemini import GeminiModelProfile
from ...settings import ThinkingLevel
from ...tools import ToolDefinition
from .._prepare import OUTPUT_NAME, PreparedRequest
from .native_tools import encode_native_tool
from .settings import GENERATION, TOP_LEVEL

Json = dict[str, Any]

BUDGETS: dict[ThinkingLevel, int] = {'minimal': 128, 'low': 2048, 'medium': 8192, 'high': 24576, 'xhigh': 24576}
"""How many tokens a level of thinking is."""

SCALE = ('MINIMAL', 'LOW', 'MEDIUM', 'HIGH')
"""Levels, from the least to the most."""


def encode_tools(request: PreparedRequest, profile: GeminiModelProfile) -> Json:
    """The tools, and whether they must be called."""
    native = [encode_native_tool(tool) for tool in request.parameters.native_tools]
    functions = request.parameters.tools
    if native and not profile.gemini_combines_tools and (functions or request.parameters.output_mode == 'native'):
        raise UserError(f'{request.model_name!r} cannot use tools of Google beside function tools or a response schema')
    if functions and request.parameters.output_mode == 'native' and not profile.gemini_combines_tools:
        raise UserError(
            f"{request.model_name!r} cannot use function tools beside a response schema: use output_mode='tool'"
        )
    body: Json = {}
    if functions:
        native.insert(0, {'functionDeclarations': [encode_tool(tool) for tool in functions]})
        body['toolConfig'] = {'functionCallingConfig': encode_tool_choice(request, profile)}
    if request.parameters.native_tools and profile.gemini_combines_tools and request.system != 'google-vertex':
        body.setdefault('toolConfig', {})['includeServerSideToolInvocations'] = True
    if native:
        body['tools'] = native
    return body


def encode_tool(tool: ToolDefinition) -> Json:
    """A tool as the API describes it."""
    schema = tool.parameters_json_schema
    return {'name': tool.name, 'description': tool.description or '', 'parametersJsonSchema': schema}


def encode_tool_choice(request: PreparedRequest, profile: GeminiModelProfile) -> Json:
    """Whether tools must be called, in the API's words."""
    match request.tool_choice:
        case 'auto':
            held = profile.gemini_validated and all(tool.strict is not False for tool in request.parameters.tools)
            return {'mode': 'VALIDATED' if held else 'AUTO'}
        case 'none':
            return {'mode': 'NONE'}
        case 'required':
            return {'mode': 'ANY'}
        case names:
            return {'mode': 'ANY', 'allowedFunctionNames': list(names)}


def encode_generation(request: PreparedRequest, profile: GeminiModelProfile) -> Json:
    """How the answer is made."""
    config = encode_thinking(request, profile)
    settings: Json = dict(request.settings)
    config |= {wire: settings[name] for name, wire in GENERATION.items() if name in settings}
    config |= encode_output(request)
    if profile.gemini_makes_images and 'responseModalities' not in config:
        config['responseModalities'] = ['TEXT', 'IMAGE']
    return config


def encode_output(request: PreparedRequest) -> Json:
    """What the answer is held to."""
    output = request.parameters.output_object
    match request.parameters.output_mode:
        case 'native' if output is not None:
            schema = {**output.json_schema, 'title': output.name or OUTPUT_NAME}
            if output.description:
                schema['description'] = output.description
            return {'responseMimeType': 'application/json', 'responseJsonSchema': schema}
        case 'prompted' if not request.parameters.tools:
            return {'responseMimeType': 'application/json'}
        case _:
            return {}


def encode_thinking(request: PreparedRequest, profile: GeminiModelProfile) -> Json:
    """How long the model shall think."""
    settings: Json = dict(request.settings)
    level: ThinkingLevel | None = settings.get('thinking')
    if level is None or 'gemini_thinking_config' in settings:
        return {}
    if profile.gemini_thinking == 'none':
        request.leave_out('thinking', f'{request.model_name!r} cannot be told to think')
        return {}
    return {'thinkingConfig': _thinking_config(level, request, profile)}


def _thinking_config(level: ThinkingLevel, request: PreparedRequest, profile: GeminiModelProfile) -> Json:
    if level is True:
        return {'includeThoughts': True}
    if level is False and profile.thinking_always_enabled:
        request.note(f'{request.model_name!r} cannot stop thinking, and was asked to do so as little as it can')
    if profile.gemini_thinking == 'budget':
        budget = profile.gemini_least_budget if level is False else BUDGETS[level]
        return {**({'includeThoughts': True} if level else {}), 'thinkingBudget': budget}
    least = profile.gemini_thinking_levels[0]
    wanted = least if level is False else _nearest(level, profile.gemini_thinking_levels)
    return {**({'includeThoughts': True} if level else {}), 'thinkingLevel': wanted}


def _nearest(level: ThinkingLevel, known: tuple[str, ...]) -> str:
    """The level to ask for: the wanted one, or the one nearest to it; of two, the greater."""
    wanted = SCALE.index(str(level).upper()) if str(level).upper() in SCALE else len(SCALE) - 1
    return min(known, key=lambda name: (abs(SCALE.index(name) - wanted), -SCALE.index(name)))


def encode_top_level(request: PreparedRequest) -> Json:
    """The settings that go into the body itself."""
    settings: Json = dict(request.settings)
    return {wire: settings[name] for name, wire in TOP_LEVEL.items() if name in settings}
