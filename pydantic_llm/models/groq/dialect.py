"""How Groq's API differs from OpenAI's. Start at `GROQ`.

Groq has tools of its own (https://console.groq.com/docs/tool-use/built-in-tools), asked for in one way by its compound
systems and in another by single models. What a model wrote in the place of a tool call comes as an error; it is read as
the answer that it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from pydantic_core import from_json, to_json

from ...exceptions import UserError
from ...json_types import Json
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
"""The API's own settings."""

TIERS = {'default': 'on_demand', 'priority': 'performance'}
"""Our words for queues, where Groq has others."""

FINISH_REASONS: dict[str, FinishReason] = {'tool_use_failed': 'error'}
"""The word that Groq's error has for the end of an answer that should have been a call."""

COMPOUND_TOOLS = {
    'web_search': 'web_search',
    'web_fetch': 'visit_website',
    'code_execution': 'code_interpreter',
}
"""Our kinds of tools, and what a compound system calls them."""

MODEL_TOOLS = {'web_search': 'browser_search', 'code_execution': 'code_interpreter'}
"""Our kinds of tools, and what a single model calls them."""

EXECUTED: dict[str, str] = {
    'search': 'web_search',
    'browser_search': 'web_search',
    'browser.search': 'web_search',
    'visit': 'web_fetch',
    'browser.open': 'web_fetch',
    'python': 'code_execution',
    'code_interpreter': 'code_execution',
}
"""What an answer calls a tool that was at work, and our name for it. One that is not here keeps Groq's name."""

WRITTEN_CALL = re.compile(r'(?:<function=)?([\w.-]+)[^\w{]*(\{.*?\})\s*</function>', re.DOTALL)
"""A call as Llama writes it into its text: `<function=name>{...}</function>`, or only the end of that."""

RESULTS = ('search_results', 'code_results', 'browser_results', 'output')
"""Where the result of a tool may stand; the first that is there says the most."""


class GroqModelSettings(ModelSettings, total=False):
    """Settings of a request to Groq."""

    groq_reasoning_format: Literal['hidden', 'raw', 'parsed']
    """Leave thoughts out, write them into the text between tags, or keep them apart."""

    groq_reasoning_effort: Literal['none', 'default', 'low', 'medium', 'high']
    """How long the model reasons, in the API's words; wins over `thinking`."""

    groq_include_reasoning: bool
    """Whether the answer holds the thoughts at all. Not together with `groq_reasoning_format`."""

    groq_service_tier: Literal['auto', 'on_demand', 'flex', 'performance']
    """Which queue the request stands in, in the API's words; wins over `service_tier`."""

    groq_compound_custom: Mapping[str, Any]
    """The models and tools of a compound system, in the API's words."""

    groq_search_settings: Mapping[str, Any]
    """How a compound system searches: `{'include_domains': [...], 'country': ...}`."""

    groq_documents: Sequence[Mapping[str, Any]]
    """Documents for the model to answer by."""

    groq_citation_options: Literal['enabled', 'disabled']
    """Whether the answer cites documents and calls."""

    groq_disable_tool_validation: bool
    """Let the model call tools that the request does not have."""

    groq_metadata: Mapping[str, str]
    """What to keep with the exchange."""

    groq_store: bool
    """Whether Groq keeps the exchange."""

    groq_user: str
    """A stable name for the user."""


# ---------------------------------------------------------------------- the request


def encode_body(body: Json, request: PreparedRequest) -> Json:
    """The body as Groq wants it."""
    if 'groq_service_tier' not in request.settings and 'service_tier' in body:
        body['service_tier'] = TIERS.get(body['service_tier'], body['service_tier'])
    if request.settings.get('thinking') and not body.keys() & {'reasoning_format', 'include_reasoning'}:
        body['reasoning_format'] = 'parsed'
    if request.parameters.native_tools:
        body |= _compound(body, request) if 'compound' in request.model_name else _single(body, request)
    return body


def _compound(body: Json, request: PreparedRequest) -> Json:
    """The tools of a compound system, and what it may search."""
    tools = request.parameters.native_tools
    custom: Json = {**body.get('compound_custom', {})}
    custom['tools'] = {'enabled_tools': [COMPOUND_TOOLS[tool.kind] for tool in tools], **custom.get('tools', {})}
    search = {**_searched(tools), **body.get('search_settings', {})}
    return {'compound_custom': custom, **({'search_settings': search} if search else {})}


def _searched(tools: Sequence[object]) -> Json:
    search = next((tool for tool in tools if isinstance(tool, WebSearchTool)), WebSearchTool())
    place = search.user_location
    wanted = {
        'include_domains': list(search.allowed_domains or ()),
        'exclude_domains': list(search.blocked_domains or ()),
        'country': place.country if place else None,
    }
    return {name: value for name, value in wanted.items() if value}


def _single(body: Json, request: PreparedRequest) -> Json:
    """The tools of a model, among those that are ours."""
    kinds = [tool.kind for tool in request.parameters.native_tools]
    if unknown := [kind for kind in kinds if kind not in MODEL_TOOLS]:
        raise UserError(
            f"{request.model_name!r} has no tool {unknown[0]!r} of its own: take one of Groq's compound systems"
        )
    tools = [*body.get('tools', ()), *({'type': MODEL_TOOLS[kind]} for kind in kinds)]
    return {'tools': tools, 'tool_choice': body.get('tool_choice', 'auto')}


# ---------------------------------------------------------------------- the answer


def decode_event(event: Json, draft: ResponseDraft) -> Json:
    """A body or an event as OpenAI would have sent it."""
    if is_response(event):
        return _refused(event['error'], draft)
    more: Json = event.get('x_groq') or {}
    if more.get('error') and not event.get('error'):
        return {**event, 'error': more['error']}
    if usage := event.get('usage_breakdown') or more.get('usage_breakdown'):
        draft.provider_details['usage_breakdown'] = usage
    if known := {name: more[name] for name in ('id', 'seed') if more.get(name) is not None}:
        draft.provider_details['x_groq'] = {**draft.provider_details.get('x_groq', {}), **known}
    return {**event, 'usage': more['usage']} if more.get('usage') and not event.get('usage') else event


def is_response(body: object) -> bool:
    """Whether an error is about what the model wrote where it should have called a tool, or did so wrongly."""
    match body:
        case {'error': {'code': 'tool_use_failed'}}:
            return True
        case _:
            return False


def _refused(error: Json, draft: ResponseDraft) -> Json:
    """What the model wrote, as an answer. A stream has told of it before, and then it is not told again."""
    draft.provider_details['error'] = error.get('message')
    told = draft.parts.kind_of(LAST) == 'text' or any(isinstance(part, ToolCallPart) for part in draft.parts.get())
    message: Json = {} if told else _meant(error.get('failed_generation') or '')
    return {'choices': [{'message': message, 'delta': message, 'finish_reason': error['code']}]}


def _meant(written: str) -> Json:
    """The message that a failed generation was meant to be: calls, or text where it is anything else."""
    try:
        items = from_json(written)
    except ValueError:
        items = [{'name': name, 'arguments': arguments} for name, arguments in WRITTEN_CALL.findall(written)]
    listed: list[object] = cast('list[object]', items) if isinstance(items, list) else [items]
    calls = [_call(item, number) for number, item in enumerate(listed)]
    return {'content': written} if None in calls or not calls else {'tool_calls': calls}


def _call(item: Any, number: int) -> Json | None:
    match item:
        case {'name': str() as name, 'arguments': arguments} | {'name': str() as name, 'parameters': arguments}:
            written = arguments if isinstance(arguments, str) else to_json(arguments).decode()
            return {'index': number, 'function': {'name': name, 'arguments': written}}
        case _:
            return None


def decode_native_tools(delta: Json, draft: ResponseDraft) -> None:
    """Groq's own tools at work. A stream tells of each twice: when it is called, and when it has its result."""
    executed: list[Json] = delta.get('executed_tools') or []
    for tool in executed:
        kind, number = str(tool['type']), tool.get('index', 0)
        name = EXECUTED.get(kind, kind)
        id = f'{name}_{number}'
        ours: Json = {'provider_name': draft.provider_name, 'provider_details': {'type': kind}}
        if draft.parts.kind_of(('executed', number)) is None:
            draft.parts.whole(('executed', number), NativeToolCallPart(name, tool.get('arguments') or '', id, **ours))
        result = next((tool[field] for field in RESULTS if tool.get(field)), None)
        if result is not None:
            draft.parts.whole(('result', number), NativeToolReturnPart(name, result, id, **ours))


GROQ = Dialect(
    title="Groq's API",
    own_settings=OWN_SETTINGS,
    finish_reasons=FINISH_REASONS,
    native_tools=frozenset(COMPOUND_TOOLS),
    encode_body=encode_body,
    decode_event=decode_event,
    decode_native_tools=decode_native_tools,
    is_response=is_response,
)
"""Groq's."""
