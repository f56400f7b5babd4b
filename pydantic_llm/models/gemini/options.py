"""What a request may use and how it is answered → fields of the body: tools, output, settings."""

from __future__ import annotations

from ...exceptions import UserError
from ...json_types import Json
from ...native_tools import ImageGenerationTool
from ...profiles.gemini import GeminiModelProfile
from ...settings import ThinkingLevel
from ...tools.definition import ToolDefinition
from ...wire.prepare import OUTPUT_NAME, PreparedRequest
from .native_tools import VERTEX, encode_image_config, encode_native_tool, unsent_options
from .settings import GENERATION, SERVICE_TIERS, TOP_LEVEL

BUDGETS: dict[ThinkingLevel, int] = {'minimal': 128, 'low': 2048, 'medium': 8192, 'high': 24576, 'xhigh': 32768}
"""How many tokens a level of thinking is."""

SCALE = ('MINIMAL', 'LOW', 'MEDIUM', 'HIGH', 'XHIGH')
"""Levels, from the least to the most."""

SHARED_QUEUE = 'X-Vertex-AI-LLM-Shared-Request-Type'
"""The header by which Vertex AI is told which queue a request stands in."""

# ---------------------------------------------------------------------- tools


def encode_tools(request: PreparedRequest, profile: GeminiModelProfile) -> Json:
    """The tools, and whether they must be called."""
    functions, native = request.parameters.tools, encode_native_tools(request)
    _check_combination(request, profile, native)
    config: Json = {}
    if functions:
        config['functionCallingConfig'] = encode_tool_choice(request, profile)
    elif request.tool_choice not in ('auto', 'none'):
        request.leave_out('tool_choice', 'a tool of Google itself cannot be made to run')
    if native and profile.gemini_combines_tools and request.system != VERTEX:
        config['includeServerSideToolInvocations'] = True
    if place := request.options.get('gemini_retrieval_config'):
        config['retrievalConfig'] = place
    declared = [{'functionDeclarations': [encode_tool(tool) for tool in functions]}] if functions else []
    tools = [*declared, *native]
    return {**({'tools': tools} if tools else {}), **({'toolConfig': config} if config else {})}


def encode_native_tools(request: PreparedRequest) -> list[Json]:
    """Google's own tools: those that have a class, and those that the settings name in the API's words."""
    settings = request.options
    if request.tool_choice == 'none':
        return []
    found = [encode_native_tool(tool, request.system) for tool in request.parameters.native_tools]
    for tool in request.parameters.native_tools:
        for option in unsent_options(tool, request.system):
            request.note(f'{option!r} of {type(tool).__name__} was not sent: {request.system!r} has nothing like it')
    return [*(tool for tool in found if tool is not None), *settings.get('gemini_native_tools', ())]


def _check_combination(request: PreparedRequest, profile: GeminiModelProfile, native: list[Json]) -> None:
    """Raise where the model cannot use at once what the request holds."""
    functions, mode = request.parameters.tools, request.parameters.output_mode
    wants_images = any(isinstance(tool, ImageGenerationTool) for tool in request.parameters.native_tools)
    if wants_images and not profile.gemini_makes_images:
        raise UserError(f"{request.model_name!r} makes no images: use a model with 'image' in its name")
    if profile.gemini_combines_tools:
        return
    if native and (functions or mode == 'native'):
        raise UserError(f'{request.model_name!r} cannot use tools of Google beside function tools or a response schema')
    if functions and mode == 'native':
        raise UserError(
            f"{request.model_name!r} cannot use function tools beside a response schema: use output_mode='tool'"
        )


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


# ---------------------------------------------------------------------- output and settings


def encode_generation(request: PreparedRequest, profile: GeminiModelProfile, *, has_tools: bool) -> Json:
    """How the answer is made. `has_tools` says whether the request holds any, which not all outputs go with."""
    settings = request.options
    config = encode_thinking(request, profile) | encode_images(request)
    config |= {wire: settings[name] for name, wire in GENERATION.items() if name in settings}
    config |= encode_output(request, has_tools=has_tools)
    if profile.gemini_modalities != ('TEXT',):
        config.setdefault('responseModalities', list(profile.gemini_modalities))
    return config


def encode_output(request: PreparedRequest, *, has_tools: bool) -> Json:
    """What the answer is held to."""
    output = request.parameters.output_object
    match request.parameters.output_mode:
        case 'native' if output is not None:
            schema = {**output.json_schema, 'title': output.name or OUTPUT_NAME}
            if output.description:
                schema['description'] = output.description
            return {'responseMimeType': 'application/json', 'responseJsonSchema': schema}
        case 'prompted' if request.profile.supports_json_object_output and not has_tools:
            return {'responseMimeType': 'application/json'}
        case _:
            return {}


def encode_images(request: PreparedRequest) -> Json:
    """The shape of the images that the model makes."""
    for tool in request.parameters.native_tools:
        if isinstance(tool, ImageGenerationTool) and (config := encode_image_config(tool, request.system)):
            return {'imageConfig': config}
    return {}


def encode_thinking(request: PreparedRequest, profile: GeminiModelProfile) -> Json:
    """How long the model shall think."""
    settings = request.options
    level: ThinkingLevel | None = settings.get('thinking')
    if level is None or 'gemini_thinking_config' in settings:
        return {}
    if profile.gemini_thinking == 'none':
        if level is not False:
            request.leave_out('thinking', f'{request.model_name!r} cannot be told to think')
        return {}
    if level is True:
        return {'thinkingConfig': {'includeThoughts': True}}
    if level is False and profile.thinking_always_enabled:
        request.note(f'{request.model_name!r} cannot stop thinking, and was asked to do so as little as it can')
    shown = {'includeThoughts': True} if level else {}
    return {'thinkingConfig': {**shown, **_amount(level, profile)}}


def _amount(level: ThinkingLevel, profile: GeminiModelProfile) -> Json:
    if profile.gemini_thinking == 'budget':
        least, most = profile.gemini_budgets
        none = least if profile.thinking_always_enabled else 0
        return {'thinkingBudget': min(max(BUDGETS[level], least), most) if level else none}
    known = profile.gemini_thinking_levels
    return {'thinkingLevel': _nearest(str(level).upper(), known) if level else known[0]}


def _nearest(level: str, known: tuple[str, ...]) -> str:
    """The level to ask for: the wanted one, or the one nearest to it; of two, the greater."""
    wanted = SCALE.index(level)
    return min(known, key=lambda name: (abs(SCALE.index(name) - wanted), -SCALE.index(name)))


def encode_top_level(request: PreparedRequest) -> Json:
    """The settings that go into the body itself."""
    settings = request.options
    body = {wire: settings[name] for name, wire in TOP_LEVEL.items() if name in settings}
    tier = service_tier(request)
    return {**body, **({'serviceTier': tier} if tier and request.system != VERTEX else {})}


def service_tier(request: PreparedRequest) -> str | None:
    """Which queue the request stands in, in the API's words."""
    settings = request.options
    if 'gemini_service_tier' in settings:
        tier: str | None = settings['gemini_service_tier']
        return tier
    if (wanted := request.settings.get('service_tier')) in SERVICE_TIERS:
        return SERVICE_TIERS[wanted]
    request.leave_out('service_tier', f'the Gemini API has no queue {wanted!r}')
    return None


def queue_headers(request: PreparedRequest) -> dict[str, str]:
    """The header that says which queue a request to Vertex AI stands in; none for the usual one."""
    tier = service_tier(request) if request.system == VERTEX else None
    return {SHARED_QUEUE: tier} if tier and tier != 'standard' else {}
