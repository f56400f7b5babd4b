"""Messages → the body of `POST /chat/completions`. Start at `encode`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, assert_never

from pydantic_core import to_json

from ....json_types import Json
from ....messages import (
    FilePart,
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
from ....profiles.openai import OpenAIModelProfile
from ....wire.prepare import PreparedRequest
from ..thinking import THINKING_FIELDS
from .content import encode_content, encode_file_of_tool, flatten, text
from .dialect import OPENAI, Dialect
from .options import encode_output, encode_settings, encode_tools


def encode(request: PreparedRequest, profile: OpenAIModelProfile, dialect: Dialect = OPENAI) -> Json:
    """The body of a request."""
    body: Json = {'model': request.model_name, 'messages': list(encode_messages(request, profile, dialect))}
    body.update(encode_tools(request, profile, dialect))
    body.update(encode_output(request, profile))
    body.update(encode_settings(request, profile, dialect))
    if request.stream:
        body['stream'] = True
        if profile.openai_stream_usage:
            body['stream_options'] = {'include_usage': True}
    return dialect.encode_body(body, request) if dialect.encode_body else body


# ---------------------------------------------------------------------- messages


def encode_messages(request: PreparedRequest, profile: OpenAIModelProfile, dialect: Dialect) -> Iterator[Json]:
    """The messages: instructions come after the system prompts that begin the conversation."""
    turns = list(_turns(request, profile, dialect))
    start = next((index for index, turn in enumerate(turns) if turn['role'] != 'system'), len(turns))
    system = [*turns[:start], *({'role': 'system', 'content': text} for text in request.instructions)]
    if profile.openai_joins_system_messages and len(system) > 1:
        system = [{'role': 'system', 'content': '\n\n'.join(turn['content'] for turn in system)}]
    for message in (*system, *turns[start:]):
        yield _finished(message, profile)


def _turns(request: PreparedRequest, profile: OpenAIModelProfile, dialect: Dialect) -> Iterator[Json]:
    def accepts(id: str) -> bool:
        return dialect.accepts_id(id, request.system)

    for message in map_tool_call_ids(request.messages, accepts=accepts, make=dialect.make_id):
        match message:
            case ModelRequest():
                yield from encode_request(message, request, profile)
            case ModelResponse():
                if turn := encode_response(message, request, profile):
                    yield {'role': 'assistant', **turn}
            case _:
                assert_never(message)


def _finished(message: Json, profile: OpenAIModelProfile) -> Json:
    """A message as the server wants its roles and its content."""
    if message['role'] == 'system':
        message = {**message, 'role': profile.openai_system_prompt_role}
    if conversions := profile.openai_role_conversions:
        message = _converted(message, conversions)
    return flatten(message) if profile.openai_flatten_content else message


def _converted(message: Json, conversions: Mapping[str, str]) -> Json:
    """A message under another role. Where there are no tool messages, calls are told in words, and need no ids."""
    role = message['role']
    if 'tool' in conversions and (calls := message.get('tool_calls')):
        told = to_json([call['function'] for call in calls]).decode()
        said = [message['content'], f'Calling tools: {told}'] if message['content'] else [f'Calling tools: {told}']
        message = {key: value for key, value in message.items() if key != 'tool_calls'} | {'content': '\n'.join(said)}
    if role == 'tool' and role in conversions:
        message = {key: value for key, value in message.items() if key != 'tool_call_id'}
    return {**message, 'role': conversions.get(role, role)}


def encode_request(message: ModelRequest, request: PreparedRequest, profile: OpenAIModelProfile) -> Iterator[Json]:
    """The messages of one request; files that tools returned follow as one message of the user's."""
    files: list[Json] = []
    for part in message.parts:
        yield from encode_request_part(part, request, profile)
        if isinstance(part, ToolReturnPart):
            files.extend(item for file in part.files() for item in encode_file_of_tool(file, profile, request.system))
    if files:
        yield {'role': 'user', 'content': files}


def encode_request_part(
    part: ModelRequestPart, request: PreparedRequest, profile: OpenAIModelProfile
) -> Iterator[Json]:
    """The message of one part."""
    match part:
        case SystemPromptPart(content=content):
            yield {'role': 'system', 'content': content}
        case UserPromptPart(content=str() as content):
            yield {'role': 'user', 'content': content}
        case UserPromptPart(content=content):
            yield {'role': 'user', 'content': encode_content(content, profile, request.system)}
        case ToolReturnPart():
            yield {'role': 'tool', 'tool_call_id': part.tool_call_id, 'content': encode_tool_return(part)}
        case RetryPromptPart(tool_name=None):
            yield {'role': 'user', 'content': part.model_response()}
        case RetryPromptPart():
            yield {'role': 'tool', 'tool_call_id': part.tool_call_id, 'content': part.model_response()}
        case _:
            assert_never(part)


def encode_tool_return(part: ToolReturnPart) -> str:
    """What a tool returned, as text; its files are named here and follow in a message of the user's."""
    if part.content is None:
        return ''
    if not (files := part.files()):
        return part.model_response_str()
    named = [*part.without_files(), *(f'See file {file.identifier}.' for file in files)]
    content = named[0] if len(named) == 1 else named
    return replace(part, content=content).model_response_str()


def encode_response(message: ModelResponse, request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """The assistant's turn; empty where the response holds nothing that can be sent."""
    turn = _Turn(request, profile)
    for part in message.parts:
        turn.add(part)
    return turn.finished()


class _Turn:
    """An assistant's message under construction."""

    def __init__(self, request: PreparedRequest, profile: OpenAIModelProfile) -> None:
        self.request = request
        self.system = request.system
        self.profile = profile
        self.content: list[Json] = []
        self.thoughts: dict[str, list[str]] = {}
        self.details: list[Json] = []
        self.calls: list[Json] = []
        self.extra: Json = {}

    def add(self, part: Any) -> None:
        match part:
            case TextPart():
                self._say(part)
            case ThinkingPart():
                self._think(part)
            case ToolCallPart():
                self.calls.append(encode_tool_call(part, self.system))
            case FilePart(provider_name=name, provider_details={'audio_id': id}) if name == self.system:
                self.extra['audio'] = {'id': id}
            case NativeToolCallPart() | NativeToolReturnPart() | FilePart():
                self.request.leave_out_part(part)
            case _:
                raise TypeError(f'{part!r} is no part of a response')

    def _say(self, part: TextPart) -> None:
        self.content.append(text(part.content))
        if self.profile.openai_thinking_back == 'chunks' and part.provider_name == self.system:
            ids: Any = (part.provider_details or {}).get('reference_ids')
            self.content += [{'type': 'reference', 'reference_ids': ids}] if ids else []

    def _think(self, part: ThinkingPart) -> None:
        """Put past thoughts where the server wants them back."""
        ours = part.provider_name == self.system
        match self.profile.openai_thinking_back:
            case 'details' if ours and part.provider_details and 'type' in part.provider_details:
                self.details.append(encode_reasoning_detail(part, part.provider_details))
            case 'chunks' if part.content or (ours and part.signature):
                self._think_in_content(encode_thinking_chunk(part, ours=ours))
            case 'field' if part.content:
                self.thoughts.setdefault(self.profile.openai_thinking_field, []).append(part.content)
            case 'auto' if ours and part.id in THINKING_FIELDS and part.content:
                self.thoughts.setdefault(part.id, []).append(part.content)
            case 'auto' | 'tags' if part.content:
                start, end = self.profile.thinking_tags
                self.content.append(text(f'{start}\n{part.content}\n{end}'))
                if not ours:
                    self.request.tell_as_text(part)
            case 'drop' if ours:
                pass  # this server wants none back
            case _:
                self.request.leave_out_part(part)

    def _think_in_content(self, chunk: Json) -> None:
        """Thoughts that follow each other are one chunk, unless a seal belongs to one of them."""
        before = self.content[-1] if self.content else {}
        if before.get('type') == 'thinking' and 'signature' not in before and 'signature' not in chunk:
            before['thinking'] += chunk['thinking']
        else:
            self.content.append(chunk)

    def finished(self) -> Json:
        turn: Json = {name: '\n\n'.join(thoughts) for name, thoughts in self.thoughts.items()}
        if self.details:
            turn['reasoning_details'] = self.details
        if not (self.content or self.calls or turn or self.extra):
            return {}
        if self.calls:
            turn['tool_calls'] = self.calls
            if self.profile.openai_thinking_with_calls:
                turn.setdefault(self.profile.openai_thinking_field, '')
        turn['content'] = self._joined()
        return turn | self.extra

    def _joined(self) -> str | list[Json] | None:
        """The texts, a paragraph apart; a list where the server wants thoughts in their place among them."""
        if self.profile.openai_thinking_back == 'chunks':
            chunks = [chunk for chunk in self.content if chunk.get('text') != '']
            return chunks[0]['text'] if len(chunks) == 1 and 'text' in chunks[0] else chunks or None
        return '\n\n'.join(chunk['text'] for chunk in self.content) if self.content else None


def encode_tool_call(part: ToolCallPart, system: str) -> Json:
    """A call, with the bytes that the model wrote."""
    function = {'name': part.tool_name, 'arguments': part.args_as_json_str()}
    call: Json = {'id': part.tool_call_id, 'type': 'function', 'function': function}
    if part.provider_name == system and part.provider_details and 'extra_content' in part.provider_details:
        call['extra_content'] = part.provider_details['extra_content']
    return call


def encode_thinking_chunk(part: ThinkingPart, *, ours: bool) -> Json:
    """Thoughts as a chunk of a content, with what only their maker understands where they are this vendor's."""
    details: Json = (part.provider_details or {}) if ours else {}
    seal = {'signature': part.signature} if ours and part.signature else {}
    thoughts = [text(part.content)] if part.content else []
    return {'type': 'thinking', 'thinking': [*thoughts, *details.get('references', ())], **seal}


def encode_reasoning_detail(part: ThinkingPart, details: Json) -> Json:
    """An item of `reasoning_details`, as it came."""
    item: Json = {'id': part.id, **{key: details.get(key) for key in ('format', 'index', 'type')}}
    match details['type']:
        case 'reasoning.encrypted':
            item['data'] = part.signature
        case 'reasoning.summary':
            item['summary'] = part.content
        case _:
            item |= {'text': part.content, 'signature': part.signature}
    return item
