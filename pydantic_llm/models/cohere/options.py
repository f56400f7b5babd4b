"""Encodes the tools, the output type, the settings and the thinking of a request."""

from __future__ import annotations

from collections.abc import Sequence

from ...exceptions import UserError
from ...json_types import Json
from ...profiles.cohere import CohereModelProfile
from ...tools.definition import ToolDefinition
from ...wire.parameters import OUTPUT_NAME
from ...wire.prepare import PreparedRequest, ResolvedToolChoice
from ...wire.thinking import resolve_thinking
from .settings import OWN_SETTINGS, SETTINGS

RESPONSE_TOKENS = 1000
"""The tokens of `max_tokens` that remain for the response: https://docs.cohere.com/docs/reasoning."""


def encode_tools(request: PreparedRequest, profile: CohereModelProfile) -> Json:
    """Encode the tools and the tool choice. The API cannot name a tool, so the other tools are not defined."""
    if request.parameters.native_tools:
        kinds = ', '.join(tool.kind for tool in request.parameters.native_tools)
        raise UserError(f"Cohere's Chat API has no tools of its own, and was asked for {kinds}")
    tools, choice = request.parameters.tools, request.tool_choice
    if isinstance(choice, tuple):
        tools = [tool for tool in tools if tool.name in choice]
    if choice == 'none' and not profile.cohere_tool_choice:
        tools = []
    if not tools:
        return {}
    is_strict = _is_strict(tools, request)
    body: Json = {'tools': [encode_tool(tool, request, strict=is_strict) for tool in tools]}
    if is_strict:
        body['strict_tools'] = True
    if tool_choice := _encode_tool_choice(choice, request, profile):
        body['tool_choice'] = tool_choice
    return body


def encode_tool(tool: ToolDefinition, request: PreparedRequest, *, strict: bool) -> Json:
    """Encode the definition of a tool."""
    schema = tool.parameters_json_schema
    if strict:
        schema = request.strict_schema(schema, f'tool {tool.name!r}')
    return {
        'type': 'function',
        'function': {'name': tool.name, 'description': tool.description or '', 'parameters': schema},
    }


def _is_strict(tools: Sequence[ToolDefinition], request: PreparedRequest) -> bool:
    """Return whether the schemas of the tools are enforced, which the API does for all tools or for none.

    It requires that each tool has an argument: https://docs.cohere.com/docs/structured-outputs-json
    """
    setting: bool | None = request.options.get('cohere_strict_tools')
    strict = [tool.name for tool in tools if (tool.strict if setting is None else setting)]
    obstacles = [f'{tool.name!r} has none' for tool in tools if tool.name not in strict]
    obstacles += [f'{tool.name!r} takes no arguments' for tool in tools if not _takes_arguments(tool)]
    found = ((tool, request.find_obstacle(tool.parameters_json_schema)) for tool in tools)
    obstacles += [f'of {tool.name!r}, {obstacle}' for tool, obstacle in found if obstacle]
    if strict and obstacles:
        request.note(f'calls of {strict[0]!r} are not held to its schema, as all tools or none must be: {obstacles[0]}')
    return bool(strict) and not obstacles


def _takes_arguments(tool: ToolDefinition) -> bool:
    schema = tool.parameters_json_schema
    return any(schema.get(key) for key in ('properties', '$ref', 'anyOf', 'oneOf', 'allOf'))


def _encode_tool_choice(
    choice: ResolvedToolChoice, request: PreparedRequest, profile: CohereModelProfile
) -> str | None:
    match choice:
        case 'auto':
            return None
        case 'none':
            return 'NONE'
        case _ if profile.cohere_tool_choice:
            return 'REQUIRED'
        case _ if 'tool_choice' in request.settings:
            raise UserError(f'{request.model_name!r} cannot be made to call a tool (tool_choice={choice!r})')
        case _:
            return None


def encode_output(request: PreparedRequest, profile: CohereModelProfile) -> Json:
    """Encode the response format. The API rejects one in a request with tools or documents."""
    output, conflict = request.parameters.output_object, _find_format_conflict(request)
    match request.parameters.output_mode:
        case 'native' if conflict:
            raise UserError(f"The output cannot be held to a schema with {conflict}: use output_mode='tool'")
        case 'native' if output is not None:
            schema = request.strict_schema(output.json_schema, f'output {output.name or OUTPUT_NAME!r}')
            annotations = {'title': output.name, 'description': output.description}
            return _encode_json_format({**schema, **{name: text for name, text in annotations.items() if text}})
        case 'prompted' if profile.supports_json_object_output and not conflict:
            return _encode_json_format(None)
        case _:
            return {}


def _encode_json_format(schema: Json | None) -> Json:
    return {'response_format': {'type': 'json_object', **({} if schema is None else {'json_schema': schema})}}


def _find_format_conflict(request: PreparedRequest) -> str | None:
    """Return what the request has that cannot be combined with a response format."""
    if request.parameters.tools:
        return 'tools'
    return 'documents' if 'cohere_documents' in request.settings else None


def encode_settings(request: PreparedRequest) -> Json:
    """Encode the settings that go into the body unchanged."""
    settings = request.options
    return {field: settings[name] for name, field in (SETTINGS | OWN_SETTINGS).items() if name in settings}


def encode_thinking(request: PreparedRequest) -> Json:
    """Encode the thinking. https://docs.cohere.com/docs/reasoning."""
    if 'cohere_thinking' in request.options:
        return {'thinking': request.options['cohere_thinking']}
    thinking = resolve_thinking(request, request.profile.thinking_scale)
    if thinking is None:
        return {}
    if not thinking.is_on:
        return {'thinking': {'type': 'disabled'}}
    budget = {} if thinking.tokens is None else {'token_budget': _limit_budget(thinking.tokens, request)}
    return {'thinking': {'type': 'enabled', **budget}}


def _limit_budget(budget: int, request: PreparedRequest) -> int:
    """Return the budget, reduced if `max_tokens` must include the response too."""
    limit = request.settings.get('max_tokens')
    if limit is None or (fitting := min(budget, max(limit - RESPONSE_TOKENS, limit // 2, 1))) == budget:
        return budget
    if request.settings.get('thinking') == budget:
        request.note(f'thinking={budget!r} became {fitting!r}: max_tokens={limit!r} includes it and the response')
    return fitting
