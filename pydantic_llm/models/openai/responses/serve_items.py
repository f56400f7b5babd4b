"""The parts of an answer → its items: `decode`, read backwards. Parts that came as one item become one again."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from ....json_types import Json
from ....messages import (
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ....messages.response import ModelResponsePart
from ....wire.serving import ServedRequest
from .encode_response import SAID_OF_CALLS
from .native_fields import NATIVE_ITEMS
from .native_items import ITEM, encode_answer, encode_native_call

PREFIXES = {'message': 'msg', 'reasoning': 'rs', 'function_call': 'fc'}
"""What the ids of items begin with."""

JOINED = ('message', 'reasoning')
"""The types of items that several parts can be made of."""


def token(request: ServedRequest) -> str:
    """What makes the ids of an answer unique: the same for all that is written of it."""
    made_up: str = request.options.setdefault('token', uuid4().hex)
    return made_up


def encode_items(response: ModelResponse, request: ServedRequest) -> list[Json]:
    """The items of an answer."""
    items: list[Json] = []
    for number, part in enumerate(response.parts):
        if (item := encode_item(part, response.parts, number, request)) is None:
            continue
        last = items[-1] if items else {}
        if item['type'] in JOINED and (last.get('type'), last.get('id')) == (item['type'], item['id']):
            join(last, item)
        else:
            items.append(item)
    if refusal := (response.provider_details or {}).get('refusal'):
        items.append(encode_refusal(refusal, len(response.parts), request))
    return items


def join(item: Json, more: Json) -> None:
    """Add to an item what another part says of it."""
    for name in ('summary', 'content'):
        if name in more:
            item.setdefault(name, []).extend(more[name])
    if seal := more.get('encrypted_content'):
        item['encrypted_content'] = seal


def encode_item(
    part: ModelResponsePart, beside: Sequence[ModelResponsePart], number: int, request: ServedRequest
) -> Json | None:
    """The item of a part; `None` for one that another's item tells of, or that the API cannot say."""
    match part:
        case TextPart(content=text):
            details = part.provider_details or {}
            content = {'type': 'output_text', 'text': text, 'annotations': details.get('annotations', [])}
            content['logprobs'] = details.get('logprobs', [])
            phase = {'phase': details['phase']} if details.get('phase') else {}
            return _message(part.id or _id('message', number, request), content) | phase
        case ThinkingPart():
            return _reasoning(part, part.id or _id('reasoning', number, request))
        case ToolCallPart():
            details = part.provider_details or {}
            head = {'type': 'function_call', 'id': part.id or _id('function_call', number, request)}
            call = {'call_id': part.tool_call_id, 'name': part.tool_name, 'arguments': part.args_as_json_str()}
            more = {name: details[name] for name in SAID_OF_CALLS if details.get(name)}
            return {**head, 'status': 'completed', **call, **more}
        case NativeToolCallPart() if is_item(part):
            return encode_native_call(part, beside)
        case NativeToolReturnPart() if ITEM in (part.provider_details or {}):
            return encode_answer(part, None)
        case _:
            return None


def is_item(call: NativeToolCallPart) -> bool:
    """Whether a call came as an item of this API, and not from another vendor's."""
    details = call.provider_details or {}
    return ITEM in details or details.get('type') in NATIVE_ITEMS


def encode_refusal(refusal: str, number: int, request: ServedRequest) -> Json:
    """The item that says that the model refuses to answer."""
    return _message(_id('message', number, request), {'type': 'refusal', 'refusal': refusal})


def _message(id: str, content: Json) -> Json:
    return {'type': 'message', 'id': id, 'status': 'completed', 'role': 'assistant', 'content': [content]}


def _reasoning(part: ThinkingPart, id: str) -> Json:
    item: Json = {'type': 'reasoning', 'id': id, 'summary': []}
    if is_raw(part):
        item['content'] = [{'type': 'reasoning_text', 'text': part.content}]
    elif part.content:
        item['summary'] = [{'type': 'summary_text', 'text': part.content}]
    return item | ({'encrypted_content': part.signature} if part.signature else {})


def is_raw(part: ThinkingPart) -> bool:
    """Whether thoughts are the model's own, and no summary of them."""
    return bool((part.provider_details or {}).get('raw'))


def _id(kind: str, number: int, request: ServedRequest) -> str:
    return f'{PREFIXES[kind]}_{token(request)}_{number}'
