"""What a request may use and how it is answered → fields of the body: tools, output, settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic_core import to_json

from ...exceptions import UserError
from ...json_types import Json
from ...profiles.bedrock import BedrockModelProfile
from ...tools.definition import ToolDefinition
from ...wire.claude import RESPONSE_TOKENS
from ...wire.prepare import OUTPUT_NAME, PreparedRequest, ResolvedToolChoice
from .native_tools import encode_native_tools
from .settings import OWN_SETTINGS, SERVICE_TIERS, SETTINGS
from .thinking import Thinking

STRICT = True
ANYTHING: Json = {'type': 'object'}
"""The schema of a tool of which only the name is known."""

# ---------------------------------------------------------------------- tools


class Tools(NamedTuple):
    """What is said of tools."""

    config: Json
    """The field `toolConfig`."""
    fields: Json
    """Fields of the model's own."""


def encode_tools(
    request: PreparedRequest, profile: BedrockModelProfile, thinking: Thinking, turns: Sequence[Json]
) -> Tools:
    """The tools, and whether they must be called. The model's own come last.

    Calls that stand in the conversation want tools to be defined, whatever the request says; and where there are tools,
    nothing but Claude's own field keeps a model from calling them.
    """
    parameters, choice = request.parameters, request.tool_choice
    defined = parameters.tools
    native = encode_native_tools(parameters.native_tools, profile, request.model_name)
    called = sorted(set(_called(turns)))
    if not called and (choice == 'none' or not (defined or native)):
        request.leave_out('parallel_tool_calls', 'the model can call no tools')
        return Tools({}, {})
    if not (defined or native):
        request.note(f'tools were defined by their names alone, since they stand in the conversation: {called!r}')
        defined, choice = [ToolDefinition(name, ANYTHING) for name in called], 'none'
    choice = _possible(choice, request, profile, thinking)
    if isinstance(choice, tuple) and (len(choice) > 1 or 'tool' not in profile.bedrock_tool_choice):
        defined, native, choice = [tool for tool in defined if tool.name in choice], [], 'required'
    config: Json = {'tools': [*(encode_tool(tool, profile) for tool in defined), *native]}
    match choice:
        case 'required':
            config['toolChoice'] = {'any': {}}
        case (name,):
            config['toolChoice'] = {'tool': {'name': name}}
        case _:
            pass
    return Tools(config, _own_choice(choice, request, profile))


def _called(turns: Sequence[Json]) -> Iterator[str]:
    """The names of the tools whose calls stand in the conversation."""
    for turn in turns:
        for block in turn['content']:
            match block:
                case {'toolUse': {'name': str() as name, **rest}} if 'type' not in rest:
                    yield name
                case _:
                    pass


def encode_tool(tool: ToolDefinition, profile: BedrockModelProfile) -> Json:
    """A tool as the API describes it. A description that is empty is none."""
    described = {'description': tool.description} if tool.description else {}
    strict = {'strict': True} if tool.strict and profile.bedrock_strict_tools else {}
    return {
        'toolSpec': {'name': tool.name, **described, 'inputSchema': {'json': tool.parameters_json_schema}, **strict}
    }


def _possible(
    choice: ResolvedToolChoice, request: PreparedRequest, profile: BedrockModelProfile, thinking: Thinking
) -> ResolvedToolChoice:
    """The choice, as far as the model can be made to call a tool. Where an output only asks for it, it is left to the
    model; where the caller insists on it, that is an error.
    """
    if choice in ('auto', 'none'):
        return choice
    wanted = request.settings.get('tool_choice')
    insists = wanted not in (None, 'auto', 'none')
    kind = thinking.claude.get('type')
    if not profile.bedrock_tool_choice:
        reason = f'{request.model_name!r} cannot be made to call a tool (bedrock_tool_choice)'
    elif kind == 'enabled':
        reason = f'{request.model_name!r} cannot be made to call a tool while it thinks with a budget'
    elif insists or kind != 'adaptive':
        return choice
    else:
        return 'auto'
    if insists:
        raise UserError(f"{reason} (tool_choice={wanted!r}): use tool_choice='auto'")
    return 'auto'


def _own_choice(choice: ResolvedToolChoice, request: PreparedRequest, profile: BedrockModelProfile) -> Json:
    """What only Claude's own `tool_choice` can say: no tool, or one at a time."""
    claude = profile.bedrock_thinking == 'claude'
    if choice == 'none':
        if not claude:
            request.note("tool_choice='none' was not sent: tools stand in the conversation, and nothing forbids them")
        return {'tool_choice': {'type': 'none'}} if claude else {}
    if request.settings.get('parallel_tool_calls', True):
        return {}
    if profile.bedrock_parallel_switch:
        return {'tool_choice': {'disable_parallel_tool_use': True}}
    request.leave_out('parallel_tool_calls', f'{request.model_name!r} has no such switch (bedrock_parallel_switch)')
    return {}


# ---------------------------------------------------------------------- output and settings


def encode_output(request: PreparedRequest, thinking: Thinking) -> Json:
    """What the answer is held to, and how much effort goes into it."""
    config: Json = {'effort': thinking.effort} if thinking.effort else {}
    if request.parameters.output_mode == 'native':
        config['textFormat'] = {'type': 'json_schema', 'structure': {'jsonSchema': _json_schema(request)}}
    return {'outputConfig': config} if config else {}


def _json_schema(request: PreparedRequest) -> Json:
    """The schema of the output as the API wants it: as text. It is enforced always."""
    output = request.parameters.output_object
    assert output is not None, 'resolved before'
    schema, transform = output.json_schema, request.profile.json_schema_transformer
    if transform is not None:
        strict = transform(schema, STRICT)
        for loss in strict.losses:
            request.note(f'the schema of output {output.name or OUTPUT_NAME!r} can no longer enforce {loss}')
        schema = strict.json_schema
    described = {'description': output.description} if output.description else {}
    return {'schema': to_json(schema).decode(), 'name': output.name or OUTPUT_NAME, **described}


def encode_settings(request: PreparedRequest, profile: BedrockModelProfile, thinking: Thinking, tools: Json) -> Json:
    """The settings that go into the body, and the model's own fields."""
    body: Json = {}
    match request.settings.get('service_tier', 'auto'):
        case 'auto':
            pass
        case tier if tier in SERVICE_TIERS:
            body['serviceTier'] = {'type': SERVICE_TIERS[tier]}
        case tier:
            request.leave_out('service_tier', f'the Converse API has no queue {tier!r}')
    settings = request.options
    inference = {wire: settings[name] for name, wire in SETTINGS.items() if name in settings}
    if (budget := thinking.claude.get('budget_tokens')) and 'maxTokens' not in inference:
        inference['maxTokens'] = min(budget + RESPONSE_TOKENS, profile.bedrock_max_tokens)
    if inference:
        body['inferenceConfig'] = inference
    body |= {wire: settings[name] for name, wire in OWN_SETTINGS.items() if name in settings}
    if 'guardrailConfig' in body and not request.stream:
        body['guardrailConfig'] = {k: v for k, v in body['guardrailConfig'].items() if k != 'streamProcessingMode'}
    made = {**thinking.fields, **tools, **_top_k(request, profile)}
    if fields := _merged(made, settings.get('bedrock_additional_model_requests_fields', {})):
        body['additionalModelRequestFields'] = fields
    return body


def _top_k(request: PreparedRequest, profile: BedrockModelProfile) -> Json:
    """`top_k`, which the API leaves to the models."""
    top_k = request.settings.get('top_k')
    if top_k is None:
        return {}
    match profile.bedrock_top_k:
        case 'top_k':
            return {'top_k': top_k}
        case 'topK':
            return {'inferenceConfig': {'topK': top_k}}
        case 'never':
            request.leave_out('top_k', f'{request.model_name!r} has no such parameter (bedrock_top_k)')
            return {}


def _merged(made: Json, given: Json) -> Json:
    """The model's own parameters: what was made of shared settings, and what the caller says, which wins."""
    said = dict(given)
    for name, value in made.items():
        if isinstance(value, dict) and isinstance(said.get(name), dict):
            said[name] = {**value, **said[name]}
        else:
            said.setdefault(name, value)
    return said
