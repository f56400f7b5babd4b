"""What a request may use and how it is answered → fields of the body: tools, output, settings, thinking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...exceptions import UserError
from ...json_types import Json
from ...profiles.cohere import CohereModelProfile
from ...settings import ThinkingLevel
from ...tools.definition import ToolDefinition
from ...wire.prepare import OUTPUT_NAME, PreparedRequest, ResolvedToolChoice
from .settings import OWN_SETTINGS, SETTINGS

STRICT = True

BUDGETS: dict[ThinkingLevel, int] = {
    'minimal': 1024,
    'low': 2048,
    'medium': 8192,
    'high': 16_384,
    'xhigh': 31_000,
}
"""How many tokens a level of thinking is. The last is what Cohere recommends as the most; `True` sets no limit."""

ROOM_FOR_ANSWER = 1000
"""How many of `max_tokens` are left for the answer: https://docs.cohere.com/docs/reasoning."""

# ---------------------------------------------------------------------- tools


def encode_tools(request: PreparedRequest, profile: CohereModelProfile) -> Json:
    """The tools, and whether they must be called. A tool cannot be named, so that the others are left out instead."""
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
    strict = _is_strict(tools, request)
    body: Json = {'tools': [encode_tool(tool, request, strict=strict) for tool in tools]}
    if strict:
        body['strict_tools'] = True
    if word := _tool_choice(choice, request, profile):
        body['tool_choice'] = word
    return body


def encode_tool(tool: ToolDefinition, request: PreparedRequest, *, strict: bool) -> Json:
    """A tool as the API describes it."""
    schema = tool.parameters_json_schema
    if strict:
        schema = _strict_schema(schema, f'tool {tool.name!r}', request)
    return {
        'type': 'function',
        'function': {'name': tool.name, 'description': tool.description or '', 'parameters': schema},
    }


def _is_strict(tools: Sequence[ToolDefinition], request: PreparedRequest) -> bool:
    """Whether calls are held to the schemas of their tools, which the API does for all tools or for none."""
    wished: bool | None = dict[str, Any](request.settings).get('cohere_strict_tools')
    asked = [tool.name for tool in tools if (tool.strict if wished is None else wished)]
    why_not = [f'{tool.name!r} has none' for tool in tools if tool.name not in asked]
    why_not += [f'{tool.name!r} takes no arguments' for tool in tools if not _takes_arguments(tool)]
    if asked and why_not:
        request.note(f'calls of {asked[0]!r} are not held to its schema, as all tools or none must be: {why_not[0]}')
    return bool(asked) and not why_not


def _takes_arguments(tool: ToolDefinition) -> bool:
    schema = tool.parameters_json_schema
    return any(schema.get(key) for key in ('properties', '$ref', 'anyOf', 'oneOf', 'allOf'))


def _strict_schema(schema: Json, owner: str, request: PreparedRequest) -> Json:
    """A schema that the API can enforce."""
    transform = request.profile.json_schema_transformer
    if transform is None:
        return schema
    done = transform(schema, STRICT)
    for loss in done.losses:
        request.note(f'the schema of {owner} can no longer enforce {loss}')
    return done.json_schema


def _tool_choice(choice: ResolvedToolChoice, request: PreparedRequest, profile: CohereModelProfile) -> str | None:
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


# ---------------------------------------------------------------------- output


def encode_output(request: PreparedRequest, profile: CohereModelProfile) -> Json:
    """What the answer is held to, which the API does only where there are neither tools nor documents."""
    output, reason = request.parameters.output_object, _why_free(request)
    match request.parameters.output_mode:
        case 'native' if reason:
            raise UserError(f"The answer cannot be held to a schema beside {reason}: use output_mode='tool'")
        case 'native' if output is not None:
            schema = _strict_schema(output.json_schema, f'output {output.name or OUTPUT_NAME!r}', request)
            said = {'title': output.name, 'description': output.description}
            return _json_object({**schema, **{key: words for key, words in said.items() if words}})
        case 'prompted' if profile.supports_json_object_output and not reason:
            return _json_object(None)
        case _:
            return {}


def _json_object(schema: Json | None) -> Json:
    return {'response_format': {'type': 'json_object', **({} if schema is None else {'json_schema': schema})}}


def _why_free(request: PreparedRequest) -> str | None:
    """What the API does not take beside a response format, where the request has it."""
    if request.parameters.tools:
        return 'tools'
    return 'documents' if 'cohere_documents' in request.settings else None


# ---------------------------------------------------------------------- settings


def encode_settings(request: PreparedRequest) -> Json:
    """The settings that go into the body."""
    settings = request.options
    return {wire: settings[name] for name, wire in (SETTINGS | OWN_SETTINGS).items() if name in settings}


def encode_thinking(request: PreparedRequest) -> Json:
    """How long the model shall think."""
    settings = request.options
    level: ThinkingLevel | None = settings.get('thinking')
    if 'cohere_thinking' in settings:
        return {'thinking': settings['cohere_thinking']}
    if level is None:
        return {}
    if not request.profile.supports_thinking:
        if level:
            request.leave_out('thinking', f'{request.model_name!r} cannot be told to think')
        return {}
    if level is False:
        return {'thinking': {'type': 'disabled'}}
    budget = {} if level is True else {'token_budget': _budget(BUDGETS[level], settings.get('max_tokens'))}
    return {'thinking': {'type': 'enabled', **budget}}


def _budget(wanted: int, limit: int | None) -> int:
    """The tokens that a level is worth; less where `max_tokens` must hold the answer too."""
    return wanted if limit is None else min(wanted, max(limit - ROOM_FOR_ANSWER, limit // 2, 1))
