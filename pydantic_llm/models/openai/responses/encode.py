"""Messages → the body of `POST /responses`. Start at `encode`; `encode_response` makes the items of a past answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from ....json_types import Json
from ....messages import (
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    ToolReturnPart,
    UserPromptPart,
)
from ....messages.history import map_tool_call_ids
from ....messages.request import ModelRequestPart
from ....profiles.openai import OpenAIModelProfile
from ....wire.prepare import PreparedRequest
from .content import encode_content, encode_tool_return
from .encode_response import Past, encode_response, own_call_ids
from .options import encode_output, encode_settings, encode_tools

LONGEST_ID = 64
"""How long the id of a call may be."""

PREVIOUS, CONVERSATION = 'openai_previous_response_id', 'openai_conversation_id'
"""The settings that continue what OpenAI keeps."""


def encode(request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """The body of a request."""
    prompted = request.parameters.output_mode == 'prompted'
    kept, first = _continued(request)
    body: Json = {'model': request.model_name, 'input': list(encode_messages(request, profile, first=first)), **kept}
    if request.instructions and not prompted:
        body['instructions'] = '\n\n'.join(request.instructions)
    body.update(encode_tools(request, profile))
    body.update(encode_settings(request, profile))
    if output := encode_output(request, profile):
        body['text'] = {**output, **body.get('text', {})}
    body['stream'] = request.stream
    return body


def _continued(request: PreparedRequest) -> tuple[Json, int]:
    """What OpenAI keeps of the conversation, as fields of the body, and the number of messages that it knows."""
    settings = request.options
    previous, conversation = settings.get(PREVIOUS), settings.get(CONVERSATION)
    for number, message in reversed(list(enumerate(request.messages, 1))):
        if not isinstance(message, ModelResponse) or message.provider_name != request.system:
            continue
        if previous == 'auto' and (id := _stored_id(message)):
            return {'previous_response_id': id}, number
        if conversation and (id := _conversation_id(message)) and conversation in (id, 'auto'):
            return {'conversation': id}, number
    given = {'previous_response_id': previous, 'conversation': conversation}
    return {name: id for name, id in given.items() if id not in (None, 'auto')}, 0


def _stored_id(message: ModelResponse) -> str | None:
    """The id of an answer, where it is one that can be continued: whole, and kept."""
    kept = (message.provider_details or {}).get('store') is not False
    return message.provider_response_id if kept and message.state == 'complete' else None


def _conversation_id(message: ModelResponse) -> str | None:
    conversation: Json = (message.provider_details or {}).get('conversation') or {}
    return conversation.get('id')


# ---------------------------------------------------------------------- items


def encode_messages(request: PreparedRequest, profile: OpenAIModelProfile, *, first: int = 0) -> Iterator[Json]:
    """The input items, from one message on. What a prompted output adds follows the system prompts at the beginning."""
    role = profile.openai_system_prompt_role
    prompted = request.parameters.output_mode == 'prompted' and request.instructions
    extra = [{'role': role, 'content': '\n\n'.join(request.instructions)}] if prompted else []
    for item in _items(request, profile, first):
        if extra and item.get('role') != role:
            yield from extra
            extra = []
        yield item
    yield from extra


def _items(request: PreparedRequest, profile: OpenAIModelProfile, first: int) -> Iterator[Json]:
    own = own_call_ids(request.messages[max(first - 1, 0) :])
    past = Past(request, profile, own)
    past.look_at(request.messages)
    messages = map_tool_call_ids(
        request.messages[first:],
        accepts=lambda id: len(past.own_id(id)) <= LONGEST_ID,
        make=lambda number: f'call_{number}',
    )
    for message in messages:
        match message:
            case ModelRequest():
                for part in message.parts:
                    yield encode_request_part(part, past)
            case ModelResponse():
                yield from encode_response(message, past)
            case _:
                assert_never(message)


def encode_request_part(part: ModelRequestPart, past: Past) -> Json:
    """The item of one part."""
    system = past.request.system
    match part:
        case SystemPromptPart(content=content):
            return {'role': past.profile.openai_system_prompt_role, 'content': content}
        case UserPromptPart(content=str() as content):
            return {'role': 'user', 'content': content}
        case UserPromptPart(content=content):
            return {'role': 'user', 'content': encode_content(content, system)}
        case ToolReturnPart(tool_call_id=id):
            output = encode_tool_return(part, system)
            return {'type': 'function_call_output', 'call_id': past.own_id(id), 'output': output}
        case RetryPromptPart(tool_name=None):
            return {'role': 'user', 'content': part.model_response()}
        case RetryPromptPart(tool_call_id=id):
            return {'type': 'function_call_output', 'call_id': past.own_id(id), 'output': part.model_response()}
        case _:
            assert_never(part)
