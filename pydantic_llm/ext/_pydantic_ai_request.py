"""The settings, tools, output and errors of pydantic-ai's requests, in both directions."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import MISSING, asdict, fields
from functools import cache
from typing import Any, cast

from ..exceptions import (
    ContentFilterError,
    LLMError,
    ModelAPIError,
    ModelHTTPError,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)
from ..json_types import Json
from ..messages import ModelRequest
from ..models import Model, ModelRequestParameters, OutputObjectDefinition
from ..native_tools import (
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
    MCPServerTool,
    MemoryTool,
    NativeTool,
    WebFetchTool,
    WebSearchTool,
    WebSearchUserLocation,
)
from ..settings import ModelSettings
from ..tools.definition import ToolDefinition
from ..usage import RequestUsage
from ._framework import import_framework

WHAT = 'pydantic_llm.ext.pydantic_ai'

exceptions = import_framework('pydantic_ai.exceptions', extra='pydantic-ai', what=WHAT)
native_tools = import_framework('pydantic_ai.native_tools', extra='pydantic-ai', what=WHAT)
usage = import_framework('pydantic_ai.usage', extra='pydantic-ai', what=WHAT)

# ---------------------------------------------------------------------- settings

OWN_NAMES = {'max_retries': 'retries'}
"""Settings of pydantic-ai -> those of this library with another name."""

HANDLED = frozenset({'request_timeout', 'first_event_timeout', 'framing_announcement'})
"""Settings that pydantic-ai applies itself."""

UNSUPPORTED = {
    'citations': 'this library asks for citations where a vendor cites on demand by `WebFetchTool.enable_citations`'
}
"""Settings that this library does not have, and what to use instead."""


def decode_settings(settings: Any, parameters: Any) -> ModelSettings | None:
    """Return the settings of a request. Raises `UserError` for one that this library does not have."""
    decoded: Json = {}
    given: Json = {**(settings or {})}
    for name, value in given.items():
        if value is None or name in HANDLED:
            continue
        if name in UNSUPPORTED:
            raise UserError(f'The setting {name!r} is not supported by {WHAT}: {UNSUPPORTED[name]}')
        decoded[OWN_NAMES.get(name, name)] = _decode_setting(name, value)
    if parameters.thinking is not None:
        decoded['thinking'] = parameters.thinking
    if (cached := _decode_cache(parameters.cache)) is not None:
        decoded['cache'] = cached
    return cast('ModelSettings', decoded) or None


def _decode_setting(name: str, value: Any) -> Any:
    match name, value:
        case 'tool_choice', []:
            return 'none'
        case 'tool_choice', _ if _is_tool_or_output(value):
            return 'auto'  # `decode_parameters` keeps the tools that it allows
        case 'timeout', _ if not isinstance(value, (int, float)):  # httpx2's, which has several
            raise UserError(f'timeout={value!r} is not a number of seconds')
        case _:
            return value


def _is_tool_or_output(choice: Any) -> bool:
    """Return whether a choice of tools is a `ToolOrOutput`: some function tools, and all output."""
    return hasattr(choice, 'function_tools')


CACHE_SECONDS = {'5m': '5m', '30m': 1800, '1h': '1h', '12h': 43_200}
"""The retentions of pydantic-ai's `cache` -> the values of this library's."""


def _decode_cache(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case {'messages': False}:
            raise UserError(
                f'cache={value!r}: this library always caches messages with `cache`; set CachePoints instead'
            )
        case {'retention': str() as retention} | (str() as retention):
            return CACHE_SECONDS[retention]
        case _:
            return True


# ---------------------------------------------------------------------- tools and output


def decode_parameters(parameters: Any, settings: Any) -> ModelRequestParameters:
    """Return the tools and the output of a request. Raises `UserError` for a native tool that cannot be sent."""
    output = parameters.output_object
    given: Json = settings or {}
    choice: Any = given.get('tool_choice')
    tools = [_decode_definition(tool) for tool in parameters.declared_function_tools]
    if _is_tool_or_output(choice):
        allowed: list[str] = getattr(choice, 'function_tools', [])
        tools = [tool for tool in tools if tool.name in allowed]
    return ModelRequestParameters(
        function_tools=tools,
        native_tools=[decode_native_tool(tool) for tool in parameters.native_tools],
        output_mode=parameters.output_mode,
        output_object=None
        if output is None
        else OutputObjectDefinition(output.json_schema, output.name, output.description, output.strict),
        output_tools=[_decode_definition(tool) for tool in parameters.output_tools],
        prompted_output_template='',  # pydantic-ai has put the schema into the instructions
        allow_text_output=parameters.allow_text_output,
        allow_image_output=parameters.allow_image_output,
    )


def _decode_definition(tool: Any) -> ToolDefinition:
    return ToolDefinition(
        tool.name,
        tool.parameters_json_schema,
        tool.description,
        outer_typed_dict_key=tool.outer_typed_dict_key,
        strict=tool.strict,
        sequential=tool.sequential,
        kind=tool.kind,
        metadata=tool.metadata,
    )


NATIVE_TOOLS: dict[str, tuple[type[NativeTool], NativeTool]] = {
    'web_search': (WebSearchTool, WebSearchTool()),
    'web_fetch': (WebFetchTool, WebFetchTool()),
    'code_execution': (CodeExecutionTool, CodeExecutionTool()),
    'image_generation': (ImageGenerationTool, ImageGenerationTool()),
    'file_search': (FileSearchTool, FileSearchTool(['store'])),
    'memory': (MemoryTool, MemoryTool()),
    'mcp_server': (MCPServerTool, MCPServerTool('server', 'https://example.com/mcp')),
}
"""The kinds of native tools, which are the same in both libraries -> the class of this library, and an example."""

NOT_SENT = frozenset({'kind', 'optional'})
"""Fields of native tools that are not for the vendor."""


def list_native_tools() -> frozenset[Any]:
    """Return pydantic-ai's classes of the native tools that this library has."""
    return frozenset(native_tools.NATIVE_TOOL_TYPES[kind] for kind in NATIVE_TOOLS)


def decode_native_tool(tool: Any) -> NativeTool:
    """Return a native tool. Raises `UserError` if it has options that this library does not have."""
    if unsupported := find_unsupported_options(tool):
        names = ', '.join(sorted(unsupported))
        raise UserError(f'{type(tool).__name__} has options that {WHAT} does not support: {names}')
    kind, _ = NATIVE_TOOLS[tool.kind]
    options = {name: value for name, value in _list_options(tool).items() if value is not None}
    if location := options.get('user_location'):
        options['user_location'] = WebSearchUserLocation(**location)
    made: NativeTool = kind(**options)
    return made


def find_unsupported_options(tool: Any) -> frozenset[str]:
    """Return the options of a native tool that differ from their defaults, and that this library does not have."""
    known = {field.name for field in fields(NATIVE_TOOLS[tool.kind][0])}
    return frozenset(_list_options(tool).keys() - known)


def _list_options(tool: Any) -> Json:
    """Return the options of a native tool that differ from their defaults."""
    options = {field.name: (getattr(tool, field.name), field) for field in fields(tool) if field.name not in NOT_SENT}
    return {
        name: value for name, (value, field) in options.items() if field.default is MISSING or value != field.default
    }


# ---------------------------------------------------------------------- the profile


def encode_profile(model: Model) -> Json:
    """Return the profile of a model in pydantic-ai's form."""
    profile = model.profile
    supported = (kind for kind, (_, example) in NATIVE_TOOLS.items() if _supports(model, example))
    return {
        'supports_tools': profile.supports_tools,
        'supports_json_schema_output': profile.supports_json_schema_output,
        'supports_json_object_output': profile.supports_json_object_output,
        'supports_image_output': True,
        'supports_inline_system_prompts': True,
        'default_structured_output_mode': profile.default_structured_output_mode,
        'prompted_output_template': profile.prompted_output_template,
        'supports_thinking': True,  # this library warns if a model has none
        'thinking_always_enabled': profile.thinking_always_enabled,
        'supports_cache': True,
        'supported_cache_retentions': tuple(CACHE_SECONDS),
        'supported_native_tools': frozenset(native_tools.NATIVE_TOOL_TYPES[kind] for kind in supported),
        **({'context_window': profile.context_window} if profile.context_window else {}),
    }


def _supports(model: Model, tool: NativeTool) -> bool:
    """Return whether a request with a native tool can be sent."""
    memory = ToolDefinition('memory')  # the function that a `MemoryTool` requires
    parameters = ModelRequestParameters(function_tools=[memory], native_tools=[tool])
    try:
        model.describe_request([ModelRequest.user_text_prompt('Hello')], None, parameters)
    except UserError:
        return False
    return True


# ---------------------------------------------------------------------- usage


@cache
def _list_usage_fields() -> frozenset[str]:
    return frozenset(field.name for field in fields(usage.RequestUsage))


def select_usage(counts: Json) -> Json:
    """Return the fields of a usage that pydantic-ai has."""
    return {name: value for name, value in counts.items() if name in _list_usage_fields()}


def encode_usage(counts: RequestUsage) -> Any:
    """Return a usage of pydantic-ai."""
    return usage.RequestUsage(**select_usage(asdict(counts)))


# ---------------------------------------------------------------------- errors


@contextmanager
def translate_errors(model: Model) -> Generator[None]:
    """Raise pydantic-ai's error for each of this library's."""
    try:
        yield
    except LLMError as error:
        raise _make_error(error, model) from error


def _make_error(error: LLMError, model: Model) -> Exception:
    message = str(error)
    made: Exception
    match error:
        case UserError():
            made = exceptions.UserError(message)
        case ContentFilterError():
            made = exceptions.ContentFilterError(message)
        case ModelHTTPError(status_code=status, body=body):
            made = exceptions.ModelHTTPError(status, error.model_name, body)
        case ModelAPIError():
            made = exceptions.ModelAPIError(error.model_name, message)
        case UnexpectedModelBehavior():
            made = exceptions.UnexpectedModelBehavior(message)
        case UsageLimitExceeded():
            made = exceptions.UsageLimitExceeded(message)
        case _:
            made = exceptions.ModelAPIError(model.model_name, message)
    return made
