"""Messages → the body of `POST /responses`. Start at `encode`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, assert_never

from ....messages import (
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ....messages.history import map_tool_call_ids
from ....messages.request import ModelRequestPart
from ....messages.response import ModelResponsePart
from ....profiles.openai import OpenAIModelProfile
from ..._prepare import PreparedRequest
from .._efforts import THINKING_FIELDS
from .content import encode_content, encode_tool_return
from .native_tools import ITEM, encode_native_call
from .options import encode_output, encode_settings, encode_tools

Json = dict[str, Any]

LONGEST_ID = 64
"""How long the id of a call may be."""

NOT_SENT_BACK = 'container_file_citation'
"""The annotations that the API does not take back."""


def encode(request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """The body of a request."""
    prompted = request.parameters.output_mode == 'prompted'
    previous, messages = _continued(request)
    body: Json = {'model': request.model_name, 'input': list(encode_messages(messages, request, profile))}
    if previous:
        body['previous_response_id'] = previous
    if request.instructions and not prompted:
        body['instructions'] = '\n\n'.join(request.instructions)
    body.update(encode_tools(request, profile))
    body.update(encode_settings(request, profile))
    if output := encode_output(request, profile):
        body['text'] = {**output, **body.get('text', {})}
    if request.stream:
        body['stream'] = True
    return body


def _continued(request: PreparedRequest) -> tuple[str | None, Sequence[ModelMessage]]:
    """The stored answer to continue, and what follows it."""
    settings: Json = dict(request.settings)
    previous = settings.get('openai_previous_response_id')
    if previous != 'auto':
        return previous, request.messages
    for index in range(len(request.messages) - 1, -1, -1):
        message = request.messages[index]
        if (
            isinstance(message, ModelResponse)
            and message.provider_name == request.system
            and message.provider_response_id
        ):
            return message.provider_response_id, request.messages[index + 1 :]
    return None, request.messages


# ---------------------------------------------------------------------- requests


def encode_messages(
    messages: Sequence[ModelMessage], request: PreparedRequest, profile: OpenAIModelProfile
) -> Iterator[Json]:
    """The input items. What a prompted output adds comes after the system prompts that begin the conversation."""
    role = profile.openai_system_prompt_role
    prompted = request.parameters.output_mode == 'prompted' and request.instructions
    extra = [{'role': role, 'content': '\n\n'.join(request.instructions)}] if prompted else []
    for item in _items(messages, request, profile):
        if extra and item.get('role') != role:
            yield from extra
            extra = []
        yield item
    yield from extra


def _items(messages: Sequence[ModelMessage], request: PreparedRequest, profile: OpenAIModelProfile) -> Iterator[Json]:
    known = map_tool_call_ids(messages, accepts=lambda id: len(_bare(id)) <= LONGEST_ID, make=lambda n: f'call_{n}')
    for message in known:
        match message:
            case ModelRequest():
                for part in message.parts:
                    yield encode_request_part(part, request, profile)
            case ModelResponse():
                yield from encode_response(message, request, profile)
            case _:
                assert_never(message)


def encode_request_part(part: ModelRequestPart, request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """The item of one part."""
    match part:
        case SystemPromptPart(content=content):
            return {'role': profile.openai_system_prompt_role, 'content': content}
        case UserPromptPart(content=str() as content):
            return {'role': 'user', 'content': content}
        case UserPromptPart(content=content):
            return {'role': 'user', 'content': encode_content(content, request.system)}
        case ToolReturnPart(tool_call_id=id):
            return {
                'type': 'function_call_output',
                'call_id': _bare(id),
                'output': encode_tool_return(part, request.system),
            }
        case RetryPromptPart(tool_name=None):
            return {'role': 'user', 'content': part.model_response()}
        case RetryPromptPart(tool_call_id=id):
            return {'type': 'function_call_output', 'call_id': _bare(id), 'output': part.model_response()}
        case _:
            assert_never(part)


def _bare(tool_call_id: str) -> str:
    """The id of a call as its server knows it, without what makes it unique over several answers."""
    return tool_call_id.rpartition(':')[2] if tool_call_id.startswith('resp_') else tool_call_id


# ---------------------------------------------------------------------- responses


def encode_response(message: ModelResponse, request: PreparedRequest, profile: OpenAIModelProfile) -> list[Json]:
    """The items of an answer. Neighbours that came as one item become one again."""
    sends_ids = bool(dict(request.settings).get('openai_send_reasoning_ids', profile.openai_item_ids))
    answer = _Answer(request, profile, sends_ids=sends_ids)
    for part in message.parts:
        answer.add(part, message.parts)
    return answer.items


class _Answer:
    """The items of an answer under construction."""

    def __init__(self, request: PreparedRequest, profile: OpenAIModelProfile, *, sends_ids: bool) -> None:
        self.request = request
        self.profile = profile
        self.sends_ids = sends_ids
        self.items: list[Json] = []

    def add(self, part: ModelResponsePart, beside: Sequence[ModelResponsePart]) -> None:
        ours = part.provider_name == self.request.system
        match part:
            case TextPart():
                self._text(part, ours=ours)
            case ThinkingPart():
                self._think(part, ours=ours)
            case ToolCallPart():
                self._call(part, ours=ours)
            case NativeToolReturnPart(content=content) if ours and ITEM in (part.provider_details or {}):
                self.items.append(content)
            case NativeToolCallPart() if ours and self.sends_ids:
                if item := encode_native_call(part, what_came_of(part, beside)):
                    self.items.append(item)
                else:
                    self.request.leave_out_part(part)
            case NativeToolReturnPart() if ours and self.sends_ids:
                pass  # sent with its call
            case FilePart() if ours and self.sends_ids and _has_call(part, beside):
                pass  # sent with the call that made it
            case NativeToolCallPart() | NativeToolReturnPart() | FilePart():
                self.request.leave_out_part(part)
            case _:
                assert_never(part)

    def _text(self, part: TextPart, *, ours: bool) -> None:
        details = part.provider_details or {} if ours else {}
        phase = {'phase': details['phase']} if details.get('phase') and self.profile.openai_phases else {}
        if not (part.id and ours and self.sends_ids):
            self.items.append({'role': 'assistant', 'content': part.content, **phase})
            return
        content = {'type': 'output_text', 'text': part.content, 'annotations': _annotations(part, details)}
        last: Json = self.items[-1] if self.items else {}
        if last.get('type') == 'message' and last.get('id') == part.id:
            last['content'].append(content)
            return
        head: Json = {'type': 'message', 'role': 'assistant', 'id': part.id, 'status': 'completed'}
        self.items.append({**head, 'content': [content], **phase})

    def _think(self, part: ThinkingPart, *, ours: bool) -> None:
        is_item = bool(part.id) and part.id not in (*THINKING_FIELDS, 'content') and ours
        raw = bool((part.provider_details or {}).get('raw'))
        if is_item and (raw or self.sends_ids):
            self._reasoning(part, raw=raw)
        elif part.content:
            start, end = self.profile.thinking_tags
            self.items.append({'role': 'assistant', 'content': f'{start}\n{part.content}\n{end}'})
            if not ours:
                self.request.tell_as_text(part)
        elif not ours:
            self.request.leave_out_part(part)

    def _reasoning(self, part: ThinkingPart, *, raw: bool) -> None:
        """A reasoning item; parts of the same one follow each other."""
        last: Json = self.items[-1] if self.items else {}
        if not (last.get('type') == 'reasoning' and last.get('id') == part.id):
            last = {'type': 'reasoning', 'id': part.id, 'summary': []}
            self.items.append(last)
        if raw:
            last.setdefault('content', []).append({'type': 'reasoning_text', 'text': part.content})
        elif part.content:
            last['summary'].append({'type': 'summary_text', 'text': part.content})
        if part.signature and self.sends_ids:
            last['encrypted_content'] = part.signature

    def _call(self, part: ToolCallPart, *, ours: bool) -> None:
        call = {'call_id': _bare(part.tool_call_id), 'name': part.tool_name, 'arguments': part.args_as_json_str()}
        item: Json = {'type': 'function_call', **call}
        if ours and part.id and self.sends_ids:
            item['id'] = part.id
        if ours and (namespace := (part.provider_details or {}).get('namespace')):
            item['namespace'] = namespace
        self.items.append(item)


def _has_call(file: FilePart, beside: Iterable[ModelResponsePart]) -> bool:
    return any(isinstance(part, NativeToolCallPart) and part.id == file.id for part in beside)


def what_came_of(call: NativeToolCallPart, beside: Iterable[ModelResponsePart]) -> Any:
    """What a tool of the vendor's gave; an empty object where that is not among the parts."""
    for part in beside:
        if isinstance(part, NativeToolReturnPart) and part.tool_call_id == call.tool_call_id:
            return part.content
    return {}


def _annotations(part: TextPart, details: Json) -> list[Json]:
    """The citations that the API takes back."""
    return [note for note in details.get('annotations') or () if _is_sent_back(note, part.content)]


def _is_sent_back(note: Json, text: str) -> bool:
    match note:
        case {'type': 'url_citation', 'url': url, 'start_index': start, 'end_index': end}:
            return bool(0 <= start <= end <= len(text) and url in text[start:end])
        case {'type': kind}:
            return bool(kind != NOT_SENT_BACK)
        case _:
            return False
