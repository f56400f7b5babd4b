"""Encodes tools, output and settings as fields of the body: `encode_tools`, `encode_generation`, `encode_top_level`."""

from __future__ import annotations

from ...exceptions import UserError
from ...json_types import Json
from ...native_tools import ImageGenerationTool
from ...profiles.gemini import VERTEX, GeminiModelProfile
from ...tools.definition import ToolDefinition
from ...wire.parameters import OUTPUT_NAME
from ...wire.prepare import PreparedRequest
from ...wire.thinking import is_thinking_off, resolve_thinking
from .native_tools import encode_image_config, encode_native_tool, find_unsupported_options
from .settings import GENERATION_SETTINGS, SERVICE_TIERS, TOP_LEVEL_SETTINGS

REQUEST_TYPE_HEADER = 'X-Vertex-AI-LLM-Shared-Request-Type'
"""The header for the service tier at Vertex AI.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo
"""


def encode_tools(request: PreparedRequest, profile: GeminiModelProfile) -> Json:
    """Encode `tools` and `toolConfig`. Raises `UserError` if the model does not support the tools in this request."""
    functions, native = request.parameters.tools, encode_native_tools(request)
    _check_combination(request, profile, native)
    config: Json = {}
    if functions:
        config['functionCallingConfig'] = encode_tool_choice(request, profile)
    elif request.tool_choice not in ('auto', 'none'):
        request.drop_setting('tool_choice', "the API cannot force a call of Google's own tools")
    # googleapis/js-genai, at Vertex AI: "includeServerSideToolInvocations parameter is not supported". Not needed:
    # recording vertex__test_google_vertex_tool_combination_omits_include_server_side_tool_inv__1_113920
    if native and profile.gemini_combines_tools and request.system != VERTEX:
        config['includeServerSideToolInvocations'] = True
    if retrieval := request.options.get('gemini_retrieval_config'):
        config['retrievalConfig'] = retrieval
    declared = [{'functionDeclarations': [encode_tool(tool) for tool in functions]}] if functions else []
    body = {'tools': [*declared, *native], 'toolConfig': config}
    return {name: value for name, value in body.items() if value}


def encode_native_tools(request: PreparedRequest) -> list[Json]:
    """Encode Google's own tools: those that have a class, then those of the setting `gemini_native_tools`."""
    if request.tool_choice == 'none':
        return []
    encoded = [encode_native_tool(tool, request.system) for tool in request.parameters.native_tools]
    for tool in request.parameters.native_tools:
        for option in find_unsupported_options(tool, request.system):
            request.note(f'{option!r} of {type(tool).__name__} was not sent: {request.system!r} does not support it')
    return [*(tool for tool in encoded if tool is not None), *request.options.get('gemini_native_tools', ())]


def _check_combination(request: PreparedRequest, profile: GeminiModelProfile, native: list[Json]) -> None:
    """Raise `UserError` if the model does not support the request's tools and output together.

    https://ai.google.dev/gemini-api/docs/tool-combination, googleapis/python-genai#867
    """
    functions, mode = request.parameters.tools, request.parameters.output_mode
    wants_images = any(isinstance(tool, ImageGenerationTool) for tool in request.parameters.native_tools)
    if wants_images and not profile.gemini_makes_images:
        raise UserError(f"{request.model_name!r} makes no images: use a model with 'image' in its name")
    if profile.gemini_combines_tools:
        return
    if native and (functions or mode == 'native'):
        raise UserError(
            f"{request.model_name!r} cannot use Google's own tools together with function tools or a response schema: "
            "use output_mode='prompted' for the output (PromptedOutput on an agent), and no function tools"
        )
    if functions and mode == 'native':
        raise UserError(
            f"{request.model_name!r} cannot use function tools together with a response schema: use output_mode='tool'"
        )


def encode_tool(tool: ToolDefinition) -> Json:
    """Encode the declaration of a function."""
    schema = tool.parameters_json_schema
    return {'name': tool.name, 'description': tool.description or '', 'parametersJsonSchema': schema}


def encode_tool_choice(request: PreparedRequest, profile: GeminiModelProfile) -> Json:
    """Encode the mode of function calling. `VALIDATED` is `AUTO` with arguments that match their schemas.

    https://ai.google.dev/gemini-api/docs/function-calling
    """
    match request.tool_choice:
        case 'auto':
            is_strict = profile.gemini_validated and all(tool.strict is not False for tool in request.parameters.tools)
            return {'mode': 'VALIDATED' if is_strict else 'AUTO'}
        case 'none':
            return {'mode': 'NONE'}
        case 'required':
            return {'mode': 'ANY'}
        case names:
            return {'mode': 'ANY', 'allowedFunctionNames': list(names)}


def encode_generation(request: PreparedRequest, profile: GeminiModelProfile, *, has_tools: bool) -> Json:
    """Encode `generationConfig`. `has_tools` is whether the body has tools: JSON mode does not work with them."""
    settings = request.options
    config = encode_thinking(request, profile)
    for tool in request.parameters.native_tools:
        if isinstance(tool, ImageGenerationTool) and (image_config := encode_image_config(tool, request.system)):
            config.setdefault('imageConfig', image_config)
    config |= {wire: settings[name] for name, wire in GENERATION_SETTINGS.items() if name in settings}
    config |= encode_output(request, has_tools=has_tools)
    if profile.gemini_modalities != ('TEXT',):
        config.setdefault('responseModalities', list(profile.gemini_modalities))
    return config


def encode_output(request: PreparedRequest, *, has_tools: bool) -> Json:
    """Encode the schema of a native output, or JSON mode for a prompted one."""
    output = request.parameters.output_object
    match request.parameters.output_mode:
        case 'native' if output is not None:
            schema = {**output.json_schema, 'title': output.name or OUTPUT_NAME}
            if output.description:
                schema['description'] = output.description
            return {'responseMimeType': 'application/json', 'responseJsonSchema': schema}
        # "Function calling with a response mime type: 'application/json' is unsupported": googleapis/python-genai#867
        case 'prompted' if request.profile.supports_json_object_output and not has_tools:
            return {'responseMimeType': 'application/json'}
        case _:
            return {}


def encode_thinking(request: PreparedRequest, profile: GeminiModelProfile) -> Json:
    """Encode the setting `thinking`, unless `gemini_thinking_config` overrides it.

    https://ai.google.dev/gemini-api/docs/generate-content/thinking
    """
    if 'gemini_thinking_config' in request.options:
        return {}
    if (thinking := resolve_thinking(request, profile.thinking_scale)) is None:
        return {}
    config: Json = {} if is_thinking_off(request) else {'includeThoughts': True}
    if not thinking.is_on and profile.gemini_thinking == 'level':
        config['thinkingLevel'] = profile.gemini_thinking_levels[0]
    elif not thinking.is_on:
        config['thinkingBudget'] = 0
    elif thinking.tokens is not None:
        config['thinkingBudget'] = thinking.tokens
    elif thinking.level:
        config['thinkingLevel'] = thinking.level.upper()
    return {'thinkingConfig': config}


def encode_top_level(request: PreparedRequest) -> Json:
    """Encode the settings that are fields of the body itself."""
    settings = request.options
    body = {wire: settings[name] for name, wire in TOP_LEVEL_SETTINGS.items() if name in settings}
    if (tier := choose_service_tier(request)) and request.system != VERTEX:
        body['serviceTier'] = tier
    return body


def choose_service_tier(request: PreparedRequest) -> str | None:
    """Return the API's service tier, or `None` if the API is to choose it. An unknown tier is not sent."""
    if 'gemini_service_tier' in request.options:
        tier: str | None = request.options['gemini_service_tier']
        return tier
    if (wanted := request.settings.get('service_tier')) in SERVICE_TIERS:
        return SERVICE_TIERS[wanted]
    request.drop_setting('service_tier', f'the Gemini API has no queue {wanted!r}')
    return None


def encode_headers(request: PreparedRequest) -> dict[str, str]:
    """Return the header with the service tier, if the request goes to Vertex AI and its tier is not the standard."""
    tier = choose_service_tier(request) if request.system == VERTEX else None
    return {REQUEST_TYPE_HEADER: tier} if tier and tier != 'standard' else {}
