"""The differences between Groq's API and OpenAI's. Start at `GROQ`.

Groq has native tools (https://console.groq.com/docs/tool-use/built-in-tools); its compound systems take them in other
fields than single models. If a model generates text instead of a tool call, Groq reports an error that contains the
text; it is decoded as a response.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from pydantic_core import to_json

from ...exceptions import UserError
from ...json_types import Json, parse_json
from ...messages import FinishReason, NativeToolCallPart, NativeToolReturnPart, ToolCallPart
from ...native_tools import WebSearchTool
from ...settings import ModelSettings
from ...streaming.draft import ResponseDraft
from ...streaming.parts import LAST
from ...wire.prepare import PreparedRequest
from ..openai.chat.dialect import Dialect

OWN_SETTINGS: dict[str, str] = {
    'groq_reasoning_format': 'reasoning_format',
    'groq_reasoning_effort': 'reasoning_effort',
    'groq_include_reasoning': 'include_reasoning',
    'groq_service_tier': 'service_tier',
    'groq_compound_custom': 'compound_custom',
    'groq_search_settings': 'search_settings',
    'groq_documents': 'documents',
    'groq_citation_options': 'citation_options',
    'groq_disable_tool_validation': 'disable_tool_validation',
    'groq_metadata': 'metadata',
    'groq_store': 'store',
    'groq_user': 'user',
}
"""The settings that only this API has -> the fields of the body."""

SERVICE_TIERS = {'default': 'on_demand', 'priority': 'performance'}
"""Values of the setting `service_tier` -> Groq's, if they differ."""

FINISH_REASONS: dict[str, FinishReason] = {'tool_use_failed': 'error'}
"""The code of the error that contains a response, which becomes its finish reason."""

COMPOUND_TOOLS = {
    'web_search': 'web_search',
    'web_fetch': 'visit_website',
    'code_execution': 'code_interpreter',
}
"""Kinds of native tools -> their names in a compound system."""

MODEL_TOOLS = {'web_search': 'browser_search', 'code_execution': 'code_interpreter'}
"""Kinds of native tools -> their types in a request to a single model."""

TOOL_NAMES: dict[str, str] = {
    'search': 'web_search',
    'browser_search': 'web_search',
    'browser.search': 'web_search',
    'visit': 'web_fetch',
    'browser.open': 'web_fetch',
    'python': 'code_execution',
    'code_interpreter': 'code_execution',
}
"""Types of executed tools in a response -> our names of native tools. Other types are names themselves."""

TOOL_CALL_IN_TEXT = re.compile(r'(?:<function=)?([\w.-]+)[^\w{]*(\{.*?\})\s*</function>', re.DOTALL)
"""A tool call as Llama generates it in text: `<function=name>{...}</function>`, or only the end of that."""

RESULT_FIELDS = ('search_results', 'code_results', 'browser_results', 'output')
"""The fields that may contain the result of an executed tool, the most detailed first."""


class GroqModelSettings(ModelSettings, total=False):
    """The settings of a request to Groq."""

    groq_reasoning_format: Literal['hidden', 'raw', 'parsed']
    """Omit thinking from the response, put it into the text between tags, or return it in a field of its own."""

    groq_reasoning_effort: Literal['none', 'default', 'low', 'medium', 'high']
    """The API's own value for the reasoning effort; overrides `thinking`."""

    groq_include_reasoning: bool
    """Include thinking in the response. Not together with `groq_reasoning_format`."""

    groq_service_tier: Literal['auto', 'on_demand', 'flex', 'performance']
    """The API's own name of the service tier; overrides `service_tier`."""

    groq_compound_custom: Mapping[str, Any]
    """The models and tools of a compound system, in the API's form."""

    groq_search_settings: Mapping[str, Any]
    """The search options of a compound system: `{'include_domains': [...], 'country': ...}`."""

    groq_documents: Sequence[Mapping[str, Any]]
    """Documents that the response can be based on."""

    groq_citation_options: Literal['enabled', 'disabled']
    """Add citations of documents and tool results to the response."""

    groq_disable_tool_validation: bool
    """Allow calls of tools that the request does not have."""

    groq_metadata: Mapping[str, str]
    """Key-value pairs to store with the request."""

    groq_store: bool
    """Store the request and the response at Groq."""

    groq_user: str
    """A stable id of the end user."""


# ---------------------------------------------------------------------- the request


def encode_body(body: Json, request: PreparedRequest) -> Json:
    """Rewrite OpenAI's body as Groq's."""
    if 'groq_service_tier' not in request.settings and 'service_tier' in body:
        body['service_tier'] = SERVICE_TIERS.get(body['service_tier'], body['service_tier'])
    # `parsed` returns thinking in a field of its own, `raw` in the text: https://console.groq.com/docs/reasoning
    if request.settings.get('thinking') and not body.keys() & {'reasoning_format', 'include_reasoning'}:
        body['reasoning_format'] = 'parsed'
    if request.parameters.native_tools:
        body |= (
            _encode_compound_tools(body, request)
            if 'compound' in request.model_name
            else _encode_model_tools(body, request)
        )
    return body


def _encode_compound_tools(body: Json, request: PreparedRequest) -> Json:
    """Encode the native tools of a compound system, and its search options."""
    tools = () if request.tool_choice == 'none' else request.parameters.native_tools
    if request.tool_choice not in ('auto', 'none'):
        request.drop_setting('tool_choice', 'a compound system chooses its tools itself')
    custom: Json = {**body.get('compound_custom', {})}
    custom['tools'] = {'enabled_tools': [COMPOUND_TOOLS[tool.kind] for tool in tools], **custom.get('tools', {})}
    search = {**_encode_search_settings(tools), **body.get('search_settings', {})}
    return {'compound_custom': custom, **({'search_settings': search} if search else {})}


def _encode_search_settings(tools: Sequence[object]) -> Json:
    search = next((tool for tool in tools if isinstance(tool, WebSearchTool)), WebSearchTool())
    location = search.user_location
    settings = {
        'include_domains': list(search.allowed_domains or ()),
        'exclude_domains': list(search.blocked_domains or ()),
        'country': location.country if location else None,
    }
    return {name: value for name, value in settings.items() if value}


def _encode_model_tools(body: Json, request: PreparedRequest) -> Json:
    """Encode the native tools of a single model, after the function tools."""
    kinds = [tool.kind for tool in request.parameters.native_tools]
    if unknown := [kind for kind in kinds if kind not in MODEL_TOOLS]:
        raise UserError(
            f"{request.model_name!r} has no tool {unknown[0]!r} of its own: take one of Groq's compound systems"
        )
    tools = [*body.get('tools', ()), *({'type': MODEL_TOOLS[kind]} for kind in kinds)]
    return {'tools': tools, 'tool_choice': body.get('tool_choice', request.tool_choice)}


# ---------------------------------------------------------------------- the response


def decode_event(event: Json, draft: ResponseDraft) -> Json:
    """Rewrite a body or an event in OpenAI's form."""
    if is_response(event):
        return _decode_failed_generation(event['error'], draft)
    # The usage and the error of a stream are in `x_groq`: groq.types.chat.chat_completion_chunk.XGroq
    extra: Json = event.get('x_groq') or {}
    if extra.get('error') and not event.get('error'):
        return {**event, 'error': extra['error']}
    if usage := event.get('usage_breakdown') or extra.get('usage_breakdown'):
        draft.provider_details['usage_breakdown'] = usage
    if details := {name: extra[name] for name in ('id', 'seed') if extra.get(name) is not None}:
        draft.provider_details['x_groq'] = {**draft.provider_details.get('x_groq', {}), **details}
    return {**event, 'usage': extra['usage']} if extra.get('usage') and not event.get('usage') else event


def is_response(body: object) -> bool:
    """Return whether an error body contains a response: text instead of a tool call, or an invalid tool call.

    Recorded as groq__test_tool_use_failed_error_with_text__0_4a7d05.
    """
    match body:
        case {'error': {'code': 'tool_use_failed'}}:
            return True
        case _:
            return False


def _decode_failed_generation(error: Json, draft: ResponseDraft) -> Json:
    """Return the error as OpenAI's body. A stream may have sent the generated text or tool calls before: then without.

    Recorded as groq__test_tool_use_failed_error_streaming_with_text__0_6789c3.
    """
    draft.provider_details['error'] = error.get('message')
    was_streamed = draft.parts.kind_of(LAST) == 'text' or any(
        isinstance(part, ToolCallPart) for part in draft.parts.get()
    )
    message: Json = {} if was_streamed else _parse_failed_generation(error.get('failed_generation') or '')
    return {'choices': [{'message': message, 'delta': message, 'finish_reason': error['code']}]}


def _parse_failed_generation(text: str) -> Json:
    """Return a message with the tool calls that the model wrote as JSON or between tags, or else with its text."""
    try:
        items = parse_json(text)
    except ValueError:
        items = [{'name': name, 'arguments': arguments} for name, arguments in TOOL_CALL_IN_TEXT.findall(text)]
    listed: list[object] = cast('list[object]', items) if isinstance(items, list) else [items]
    calls = [_parse_tool_call(item, number) for number, item in enumerate(listed)]
    return {'content': text} if None in calls or not calls else {'tool_calls': calls}


def _parse_tool_call(item: Any, number: int) -> Json | None:
    match item:
        case {'name': str() as name, 'arguments': arguments} | {'name': str() as name, 'parameters': arguments}:
            text = arguments if isinstance(arguments, str) else to_json(arguments).decode()
            return {'index': number, 'function': {'name': name, 'arguments': text}}
        case _:
            return None


def decode_native_tools(delta: Json, draft: ResponseDraft) -> None:
    """Decode the executed tools. A stream reports each of them twice: when it is called, and when it has its result."""
    executed: list[Json] = delta.get('executed_tools') or []
    for tool in executed:
        kind, number = str(tool['type']), tool.get('index', 0)
        name = TOOL_NAMES.get(kind, kind)
        id = f'{name}_{number}'
        fields: Json = {'provider_name': draft.provider_name, 'provider_details': {'type': kind}}
        if draft.parts.kind_of(('executed', number)) is None:
            draft.parts.whole(('executed', number), NativeToolCallPart(name, tool.get('arguments') or '', id, **fields))
        result = next((tool[name] for name in RESULT_FIELDS if tool.get(name)), None)
        if result is not None:
            draft.parts.whole(('result', number), NativeToolReturnPart(name, result, id, **fields))


GROQ = Dialect(
    title="Groq's API",
    path='/openai/v1/chat/completions',
    own_settings=OWN_SETTINGS,
    finish_reasons=FINISH_REASONS,
    native_tools=frozenset(COMPOUND_TOOLS),
    encode_body=encode_body,
    changes_messages=False,
    decode_event=decode_event,
    decode_native_tools=decode_native_tools,
    is_response=is_response,
)
