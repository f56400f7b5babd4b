"""Messages → the body of `generateContent`. Start at `encode`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import assert_never

from ...json_types import Json
from ...messages import (
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
from ...messages.request import FAILED_OUTCOMES
from ...messages.response import ModelResponsePart
from ...profiles.gemini import GeminiModelProfile
from ...wire.prepare import PreparedRequest
from .content import NAMES, encode_content, encode_file, names_of
from .native_tools import VERTEX, encode_native_part
from .options import encode_generation, encode_tools, encode_top_level

NO_SIGNATURE = b64encode(b'skip_thought_signature_validator').decode()
"""What the API takes in the place of a signature for a call that it did not make itself."""

IMAGES = ('image/png', 'image/jpeg', 'image/webp')
"""The images that a model is taken to have made, whoever made them."""


def encode(request: PreparedRequest, profile: GeminiModelProfile) -> Json:
    """The body of a request."""
    cached = 'gemini_cached_content' in request.settings
    tools, system = encode_tools(request, profile), encode_system(request)
    body: Json = {'contents': encode_contents(request, profile, [] if profile.gemini_system_instruction else system)}
    body.update(encode_top_level(request))
    if not cached:
        body.update(tools)
        if system and profile.gemini_system_instruction:
            body['systemInstruction'] = {'parts': system}
    if config := encode_generation(request, profile, has_tools='tools' in body):
        body['generationConfig'] = config
    return body


def encode_system(request: PreparedRequest) -> list[Json]:
    """What the developer says, which the API wants in one place: all system prompts, then the instructions."""
    prompts = (
        part.content
        for message in request.messages
        if isinstance(message, ModelRequest)
        for part in message.parts
        if isinstance(part, SystemPromptPart)
    )
    return [{'text': text} for text in (*prompts, *request.instructions)]


def encode_contents(request: PreparedRequest, profile: GeminiModelProfile, before: list[Json]) -> list[Json]:
    """The turns. The first one must be the user's, and answers of functions stand alone.

    `before` is what the developer says, where the model has no other place for it than the user's first turn.
    """
    contents = list(_turns(request.messages, request, profile))
    if before and contents and contents[0]['role'] == 'user':
        contents[0]['parts'][:0] = before
    elif not contents or contents[0]['role'] == 'model':
        contents.insert(0, {'role': 'user', 'parts': before or [{'text': ''}]})
    return contents


def _turns(messages: Iterable[ModelMessage], request: PreparedRequest, profile: GeminiModelProfile) -> Iterator[Json]:
    for message in messages:
        match message:
            case ModelRequest():
                returns, said = encode_request(message, request, profile)
                yield from ({'role': 'user', 'parts': parts} for parts in (returns, said) if parts)
            case ModelResponse():
                if parts := encode_response(message, request, profile):
                    yield {'role': 'model', 'parts': parts}
            case _:
                assert_never(message)


# ---------------------------------------------------------------------- requests


def encode_request(
    message: ModelRequest, request: PreparedRequest, profile: GeminiModelProfile
) -> tuple[list[Json], list[Json]]:
    """What the tools answered, and what the user says; files of tools are among the latter where they must be."""
    returns: list[Json] = []
    said: list[Json] = []
    files: list[Json] = []
    for part in message.parts:
        match part:
            case SystemPromptPart():
                pass
            case UserPromptPart():
                said.extend(encode_content(part.items(), request.system))
            case ToolReturnPart():
                returns.append(encode_tool_return(part, request.system, profile))
                files.extend(_named_files(part, request.system, profile))
            case RetryPromptPart(tool_name=None):
                said.append({'text': part.model_response()})
            case RetryPromptPart(tool_name=name, tool_call_id=id):
                response = {'error': part.model_response()}
                returns.append({'functionResponse': {'id': id, 'name': name, 'response': response}})
            case _:
                assert_never(part)
    return returns, [*files, *said]


def encode_tool_return(part: ToolReturnPart, system: str, profile: GeminiModelProfile) -> Json:
    """What a function returned: an object, with those of its files beside it that the model takes there."""
    inside = [file for file in part.files() if file.media_type in profile.gemini_files_of_tools]
    behind = [file for file in part.files() if file.media_type not in profile.gemini_files_of_tools]
    response = _response(part)
    if behind and 'error' not in response:
        response = {'output': [*([response] if response else []), *(f'See file {file.identifier}.' for file in behind)]}
    answer: Json = {'id': part.tool_call_id, 'name': part.tool_name, 'response': response}
    if inside:
        answer['parts'] = [encode_file(file, system) for file in inside]
    return {'functionResponse': answer}


def _response(part: ToolReturnPart) -> Json:
    """What a function returned beside files. The API has a word of its own for what went wrong."""
    rest = part.without_files() if part.files() else None
    if rest == [] or part.content is None:
        return {}
    plain = part if rest is None else replace(part, content=rest[0] if len(rest) == 1 else rest)
    if part.outcome in FAILED_OUTCOMES:
        return {'error': plain.model_response_str()}
    return plain.model_response_object()


def _named_files(part: ToolReturnPart, system: str, profile: GeminiModelProfile) -> Iterator[Json]:
    """The files that cannot stand in the answer of a function, each behind its name."""
    for file in part.files():
        if file.media_type not in profile.gemini_files_of_tools:
            yield {'text': f'This is file {file.identifier}:'}
            yield encode_file(file, system)


# ---------------------------------------------------------------------- responses


def encode_response(message: ModelResponse, request: PreparedRequest, profile: GeminiModelProfile) -> list[Json]:
    """The parts of a model's turn, each with the signature that it came with."""
    turn = _Turn(request, sends_tool_parts=profile.gemini_combines_tools and request.system != VERTEX)
    for part in message.parts:
        turn.add(part)
    return turn.parts


class _Turn:
    """A model's turn under construction."""

    def __init__(self, request: PreparedRequest, *, sends_tool_parts: bool) -> None:
        self.request = request
        self.names = names_of(request.system)
        self.sends_tool_parts = sends_tool_parts
        self.parts: list[Json] = []
        self.signature: str | None = None  # of a thought, which the API wants on the part that follows it
        self.called = False

    def add(self, part: ModelResponsePart) -> None:
        ours = part.provider_name in self.names
        details = part.provider_details or {} if ours else {}
        match part:
            case TextPart(content=text):
                self._append({'text': text}, details)
            case ThinkingPart():
                self._think(part, details, ours=ours)
            case ToolCallPart():
                self._call(part, details)
            case FilePart(content=file) if ours or file.media_type in IMAGES:
                self._append(encode_file(file, self.request.system), details)
            case NativeToolCallPart() | NativeToolReturnPart() if block := self._native(part, ours=ours):
                self._append(block, details)
            case FilePart() | NativeToolCallPart() | NativeToolReturnPart():
                self.request.leave_out_part(part)
            case _:
                assert_never(part)

    def _think(self, part: ThinkingPart, details: Json, *, ours: bool) -> None:
        if part.content:
            self._append({'text': part.content, 'thought': True}, details)
        elif not ours:
            self.request.leave_out_part(part)
        elif details:
            self._append({'text': '', 'thought': True}, details)
        if ours and part.signature:
            self.signature = part.signature

    def _call(self, part: ToolCallPart, details: Json) -> None:
        """A call of a function; the first of a turn needs a signature."""
        call = {'id': part.tool_call_id, 'name': part.tool_name, 'args': part.args_as_dict(raise_if_invalid=False)}
        own = self._append({'functionCall': call}, details)
        if not self.called:
            own.setdefault('thoughtSignature', urlsafe(NO_SIGNATURE))
        self.called = True

    def _native(self, part: NativeToolCallPart | NativeToolReturnPart, *, ours: bool) -> Json | None:
        """What one of Google's own tools did. Code is the same at both of Google's APIs, all else is said at one."""
        of_google = ours or any(part.provider_name in names for names in NAMES.values())
        block = encode_native_part(part) if of_google else None
        if block and block.keys() & {'toolCall', 'toolResponse'} and not (ours and self.sends_tool_parts):
            return None
        return block

    def _append(self, block: Json, details: Json) -> Json:
        signature = details.get('thought_signature') or self.signature
        self.signature = None
        if signature:
            block['thoughtSignature'] = urlsafe(signature)
        self.parts.append(block)
        return block


def urlsafe(base64: str) -> str:
    """Base64 as the API's own clients write it."""
    return base64.replace('+', '-').replace('/', '_')
