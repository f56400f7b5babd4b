"""Encodes messages as the body of `POST /responses`. Start at `encode`; past responses are in `encode_response`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from ....exceptions import UserError
from ....json_types import Json
from ....messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    ToolReturnPart,
    UserPromptPart,
)
from ....messages.request import ModelRequestPart
from ....profiles.openai import OpenAIModelProfile
from ....wire.json_body import JsonItems
from ....wire.prepare import PreparedRequest
from .content import encode_content, encode_tool_return
from .encode_response import ResponseEncoder, find_item_ids, find_original_ids
from .options import encode_output, encode_settings, encode_tools

PREVIOUS_RESPONSE, CONVERSATION = 'openai_previous_response_id', 'openai_conversation_id'
"""The settings that continue what OpenAI stores. https://platform.openai.com/docs/guides/conversation-state"""


def encode(request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """Encode the body of a request."""
    prompted = request.parameters.output_mode == 'prompted'
    stored, first = _find_stored_history(request)
    items: Sequence[Json] | JsonItems | None = None if stored else encode_known_messages(request, profile)
    if items is None:
        items = list(encode_messages(request, profile, first=first))
    if not (items or stored or request.instructions):
        raise UserError('messages has no content of the user: all of its texts are blank')
    body: Json = {'model': request.model_name, 'input': items, **stored}
    if request.instructions and not prompted:
        body['instructions'] = '\n\n'.join(request.instructions)
    body.update(encode_tools(request, profile))
    body.update(encode_settings(request, profile))
    if output := encode_output(request, profile):
        body['text'] = {**output, **body.get('text', {})}
    body['stream'] = request.stream
    return body


def _find_stored_history(request: PreparedRequest) -> tuple[Json, int]:
    """Return the fields that name what OpenAI stores of the conversation, and the number of messages in it."""
    previous, conversation = request.options.get(PREVIOUS_RESPONSE), request.options.get(CONVERSATION)
    if previous is None and conversation is None:
        return {}, 0
    for number, message in reversed(list(enumerate(request.messages, 1))):
        if not isinstance(message, ModelResponse) or message.provider_name != request.system:
            continue
        details = message.provider_details or {}
        is_stored = not message.is_truncated and details.get('store') is not False
        if previous == 'auto' and is_stored and (id := message.provider_response_id):
            return {'previous_response_id': id}, number
        stored_conversation: Json = details.get('conversation') or {}
        if (id := stored_conversation.get('id')) and conversation in (id, 'auto'):
            return {'conversation': id}, number
    fields = {'previous_response_id': previous, 'conversation': conversation}
    return {name: id for name, id in fields.items() if id not in (None, 'auto')}, 0


def encode_known_messages(request: PreparedRequest, profile: OpenAIModelProfile) -> JsonItems | None:
    """Return the items that were written before; `None` if a message is not known or depends on another one."""
    known = None if request.parameters.output_mode == 'prompted' else request.get_written()
    if known is None:
        return None

    def encode_message(message: ModelMessage) -> Iterator[Json]:
        return _encode_items((message,), ResponseEncoder(request, profile, {}, ()))

    chunks = known.encode(request, encode_message, find_ids=find_item_ids)
    return JsonItems((), chunks) if chunks and known.has_unique_ids() else None


def encode_messages(request: PreparedRequest, profile: OpenAIModelProfile, *, first: int = 0) -> Iterator[Json]:
    """Yield the items from the message `first` on. The instructions of a prompted output follow the system prompts."""
    role, prompted = profile.openai_system_prompt_role, request.parameters.output_mode == 'prompted'
    extra = [{'role': role, 'content': '\n\n'.join(request.instructions)}] if request.instructions else []
    is_empty = first == 0
    original_ids = find_original_ids(request.messages[max(first - 1, 0) :])
    encoder = ResponseEncoder(request, profile, original_ids, request.messages)
    for item in _encode_items(request.messages[first:], encoder):
        is_empty = False
        if prompted and item.get('role') != role:
            yield from extra
            extra = []
        yield item
    # The API requires an item, so instructions without other content are one.
    if prompted or is_empty:
        yield from extra


def _encode_items(messages: Iterable[ModelMessage], encoder: ResponseEncoder) -> Iterator[Json]:
    for message in messages:
        match message:
            case ModelRequest():
                items = (encode_request_part(part, encoder) for part in message.parts)
                yield from (item for item in items if item.get('content') != [])
            case ModelResponse():
                yield from encoder.encode(message)
            case _:
                assert_never(message)


def encode_request_part(part: ModelRequestPart, encoder: ResponseEncoder) -> Json:
    """Encode one part of a request as an item."""
    system = encoder.request.system
    match part:
        case SystemPromptPart(content=content):
            return {'role': encoder.profile.openai_system_prompt_role, 'content': content}
        case UserPromptPart(content=str() as content):
            return {'role': 'user', 'content': content}
        case UserPromptPart(content=content):
            return {'role': 'user', 'content': encode_content(content, encoder.request, encoder.profile)}
        case RetryPromptPart(tool_name=None):
            return {'role': 'user', 'content': part.model_response()}
        case RetryPromptPart(tool_call_id=id) | ToolReturnPart(tool_call_id=id):
            output = part.model_response() if isinstance(part, RetryPromptPart) else encode_tool_return(part, system)
            return {'type': 'function_call_output', 'call_id': encoder.get_original_id(id), 'output': output}
        case _:
            assert_never(part)
