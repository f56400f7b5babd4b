"""Encodes the parts of a response as items, and the envelope around them: the other fields of the body.

Adjacent parts that came as one item become one item again.
"""

from __future__ import annotations

from uuid import uuid4

from ....json_types import Json
from ....messages import (
    CompactionPart,
    FinishReason,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ....messages.response import ModelResponsePart
from ....usage import RequestUsage
from ....wire.served_citations import find_cited_pages
from ....wire.serving import ServedRequest
from .compaction import encode_compaction_item
from .decode import UNFINISHED
from .decode_calls import TOOL_CALL_DETAILS
from .native_fields import NATIVE_ITEMS
from .native_items import ITEM, NativeParts, encode_native_call, encode_result_item

WIRE_FINISH_REASONS: dict[FinishReason | None, tuple[str, str | None]] = {
    'stop': ('completed', None),
    'tool_call': ('completed', None),
    'length': ('incomplete', 'max_output_tokens'),
    'content_filter': ('incomplete', 'content_filter'),
    'error': ('failed', None),
    None: ('completed', None),
}
"""Our finish reasons -> the API's status, and its reason if that is `incomplete`."""

MULTIPART_ITEMS = ('message', 'reasoning')
"""The types of items that several parts can become."""


def encode_envelope(response: ModelResponse | None, request: ServedRequest) -> Json:
    """Encode the body of a response without its items; before there is one, what is known then."""
    reason = encode_finish_reason(response)[1] if response else None
    details = (response.provider_details if response else None) or {}
    has_failed = response is not None and response.finish_reason == 'error'
    return {
        'id': (response and response.provider_response_id) or f'resp_{_get_token(request)}',
        'object': 'response',
        'created_at': int(response.timestamp.timestamp() if response else request.received),
        'status': 'in_progress',
        'background': False,
        'error': {'code': 'server_error', 'message': 'The model failed'} if has_failed else None,
        'incomplete_details': {'reason': reason} if reason else None,
        'instructions': None,
        'metadata': {},
        'model': (response and response.model_name) or request.model_name,
        'output': [],
        'parallel_tool_calls': True,
        'previous_response_id': None,
        'reasoning': {'effort': None, 'summary': None},
        'service_tier': details.get('service_tier'),
        'store': False,
        'temperature': None,
        'text': {'format': {'type': 'text'}},
        'tool_choice': 'auto',
        'tools': [],
        'top_p': None,
        'truncation': 'disabled',
        'usage': None,
        'user': None,
        **request.options.get('echo', {}),
    }


def encode_finish_reason(response: ModelResponse) -> tuple[str, str | None]:
    """Encode the status of a response, and why it is incomplete. In this API, a refusal is a completed response."""
    details = response.provider_details or {}
    if details.get('refusal'):
        return 'completed', None
    if response.is_truncated:
        status = details.get('finish_reason')
        return (status if status in UNFINISHED else 'incomplete'), None
    return WIRE_FINISH_REASONS[response.finish_reason]


def encode_usage(usage: RequestUsage) -> Json:
    """Encode token counts; cached tokens are part of the input's."""
    return {
        'input_tokens': usage.input_tokens,
        'input_tokens_details': {
            'cached_tokens': usage.cache_read_tokens,
            'cache_write_tokens': usage.cache_write_tokens,
        },
        'output_tokens': usage.output_tokens,
        'output_tokens_details': {'reasoning_tokens': usage.output_reasoning_tokens, **usage.details},
        'total_tokens': usage.total_tokens,
    }


def _get_token(request: ServedRequest) -> str:
    """Return the random part of the ids that are made for the response to this request."""
    token: str = request.options.setdefault('token', uuid4().hex)
    return token


def encode_items(response: ModelResponse, request: ServedRequest) -> list[Json]:
    """Encode the parts of a response as items."""
    items: list[Json] = []
    native = NativeParts(response.parts)
    for index, part in enumerate(response.parts):
        if (item := encode_item(part, native, index, request)) is None:
            continue
        last = items[-1] if items else {}
        if item['type'] in MULTIPART_ITEMS and (last.get('type'), last.get('id')) == (item['type'], item['id']):
            merge_item(last, item)
        else:
            items.append(item)
    if refusal := (response.provider_details or {}).get('refusal'):
        items.append(encode_refusal(refusal, len(response.parts), request))
    return items


def merge_item(item: Json, other: Json) -> None:
    """Add the item of another part to the item of the part before it."""
    for name in ('summary', 'content'):
        if name in other:
            item.setdefault(name, []).extend(other[name])
    if encrypted := other.get('encrypted_content'):
        item['encrypted_content'] = encrypted


def encode_item(part: ModelResponsePart, native: NativeParts, index: int, request: ServedRequest) -> Json | None:
    """Encode one part as an item. Returns `None` if the item of a sibling contains it, or the API has no such item."""
    details = text_details(part)
    match part:
        case TextPart(content=text):
            content = encode_content_part('output_text', text, details)
            phase = {'phase': details['phase']} if details.get('phase') else {}
            return _encode_message(part.id or _make_id('msg', index, request), content) | phase
        case ThinkingPart():
            return _encode_reasoning(part, part.id or _make_id('rs', index, request))
        case ToolCallPart():
            head = {'type': 'function_call', 'id': part.id or _make_id('fc', index, request)}
            call = {'call_id': part.tool_call_id, 'name': part.tool_name, 'arguments': part.args_as_json_str()}
            kept = {name: details[name] for name in TOOL_CALL_DETAILS if details.get(name)}
            return {**head, 'status': 'completed', **call, **kept}
        case CompactionPart(content=None) if part.is_encrypted:
            return encode_compaction_item(part)
        case NativeToolCallPart() if is_native_item(part):
            return encode_native_call(part, native.find(part))
        case NativeToolReturnPart() if ITEM in details:
            return encode_result_item(part, None)
        case _:
            return None


def is_native_item(call: NativeToolCallPart) -> bool:
    """Return whether the call came as an item of this API, not from another vendor."""
    details = call.provider_details or {}
    return ITEM in details or details.get('type') in NATIVE_ITEMS


def encode_refusal(refusal: str, index: int, request: ServedRequest) -> Json:
    """Encode a refusal as an item. `index` is that of a part after the last one."""
    return _encode_message(_make_id('msg', index, request), {'type': 'refusal', 'refusal': refusal})


def _encode_message(id: str, content: Json) -> Json:
    return {'type': 'message', 'id': id, 'status': 'completed', 'role': 'assistant', 'content': [content]}


def _encode_reasoning(part: ThinkingPart, id: str) -> Json:
    item: Json = {'type': 'reasoning', 'id': id, 'summary': []}
    if (type := choose_text_type(part)) == 'reasoning_text':
        item['content'] = [encode_content_part(type, part.content, {})]
    elif part.content:
        item['summary'] = [encode_content_part(type, part.content, {})]
    return item | ({'encrypted_content': part.signature} if part.signature else {})


def choose_text_type(part: ModelResponsePart) -> str:
    """Return the API's type of the text of a part: of a message, of the model's thinking itself or of its summary."""
    if isinstance(part, TextPart):
        return 'output_text'
    return 'reasoning_text' if (part.provider_details or {}).get('raw') else 'summary_text'


def text_details(part: ModelResponsePart) -> Json:
    """Return the details of a text, with annotations for the pages that another vendor's text cites."""
    details: Json = getattr(part, 'provider_details', None) or {}
    if not isinstance(part, TextPart) or 'annotations' in details or not part.citations:
        return details
    annotations = [
        {
            'type': 'url_citation',
            'url': page.url,
            'title': page.title or '',
            'start_index': citation.start or 0,
            'end_index': citation.end or 0,
        }
        for citation, page in find_cited_pages(part)
    ]
    return {**details, 'annotations': annotations}


def encode_content_part(type: str, text: str, details: Json) -> Json:
    """Encode a text as a part of an item's content."""
    annotations = {'annotations': details.get('annotations', [])} if type == 'output_text' else {}
    return {'type': type, 'text': text, **annotations, **encode_logprobs(type, details)}


def encode_logprobs(type: str, details: Json) -> Json:
    """Encode the log probabilities; only texts of messages have the field."""
    return {'logprobs': details.get('logprobs', [])} if type == 'output_text' else {}


def _make_id(prefix: str, index: int, request: ServedRequest) -> str:
    return f'{prefix}_{_get_token(request)}_{index}'
