"""Messages → the body of `generateContent`. Start at `encode`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any, assert_never

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
from ...messages.response import ModelResponsePart
from ...profiles.gemini import GeminiModelProfile
from .._prepare import PreparedRequest
from .content import encode_content, encode_file
from .native_tools import encode_native_part
from .options import encode_generation, encode_tools, encode_top_level

Json = dict[str, Any]

NO_SIGNATURE = b64encode(b'skip_thought_signature_validator').decode()
"""What the API takes in the place of a signature for a call that it did not make itself."""

OTHER_NAME = 'google'
"""Under this name other libraries store what came from either of Google's APIs."""


def encode(request: PreparedRequest, profile: GeminiModelProfile) -> Json:
    """The body of a request."""
    body: Json = {'contents': encode_contents(request, profile)}
    tools, system = encode_tools(request, profile), encode_system(request)
    body.update(encode_top_level(request))
    if 'cachedContent' not in body:
        body.update(tools)
        if system:
            body['systemInstruction'] = {'parts': system}
    if config := encode_generation(request, profile):
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


def encode_contents(request: PreparedRequest, profile: GeminiModelProfile) -> list[Json]:
    """The turns. The first one must be the user's, and answers of functions stand alone."""
    contents = list(_turns(request.messages, request, profile))
    if not contents or contents[0]['role'] == 'model':
        contents.insert(0, {'role': 'user', 'parts': [{'text': ''}]})
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
    """What the tools answered, and what the user says; files of tools are among the latter where the model wants it."""
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
                if not profile.gemini_combines_tools:
                    files.extend(_named_files(part, request.system))
            case RetryPromptPart(tool_name=None):
                said.append({'text': part.model_response()})
            case RetryPromptPart(tool_name=name, tool_call_id=id):
                response = {'error': part.model_response()}
                returns.append({'functionResponse': {'id': id, 'name': name, 'response': response}})
            case _:
                assert_never(part)
    return returns, [*files, *said]


def encode_tool_return(part: ToolReturnPart, system: str, profile: GeminiModelProfile) -> Json:
    """What a function returned: an object, with its files beside it where the model takes them there."""
    answer: Json = {'id': part.tool_call_id, 'name': part.tool_name}
    files = part.files()
    if not files:
        response = {} if part.content is None else part.model_response_object()
        return {'functionResponse': {**answer, 'response': response}}
    rest = part.without_files()
    if profile.gemini_combines_tools:
        value = rest[0] if len(rest) == 1 else rest
        parts = [encode_file(file, system) for file in files]
        return {'functionResponse': {**answer, 'response': {'return_value': value} if rest else {}, 'parts': parts}}
    named: list[Any] = [{'return_value': value} for value in rest]
    named += [f'See file {file.identifier}.' for file in files]
    return {'functionResponse': {**answer, 'response': {'output': named}}}


def _named_files(part: ToolReturnPart, system: str) -> Iterator[Json]:
    for file in part.files():
        yield {'text': f'This is file {file.identifier}:'}
        yield encode_file(file, system)


# ---------------------------------------------------------------------- responses


def encode_response(message: ModelResponse, request: PreparedRequest, profile: GeminiModelProfile) -> list[Json]:
    """The parts of a model's turn, each with the signature that it came with."""
    turn = _Turn(request, sends_tool_parts=profile.gemini_combines_tools and request.system != 'google-vertex')
    for part in message.parts:
        turn.add(part)
    return turn.parts


class _Turn:
    """A model's turn under construction."""

    def __init__(self, request: PreparedRequest, *, sends_tool_parts: bool) -> None:
        self.request = request
        self.system = request.system
        self.sends_tool_parts = sends_tool_parts
        self.parts: list[Json] = []
        self.signature: str | None = None  # of a thought, which the API wants on the part that follows it
        self.called = False

    def add(self, part: ModelResponsePart) -> None:
        ours = part.provider_name in (self.system, OTHER_NAME)
        details = part.provider_details or {} if ours else {}
        match part:
            case TextPart(content=text):
                self._append({'text': text}, details)
            case ThinkingPart():
                self._think(part, details, ours=ours)
            case ToolCallPart():
                call = {
                    'id': part.tool_call_id,
                    'name': part.tool_name,
                    'args': part.args_as_dict(raise_if_invalid=False),
                }
                own = self._append({'functionCall': call}, details)
                if not self.called:
                    own.setdefault('thoughtSignature', urlsafe(NO_SIGNATURE))
                self.called = True
            case FilePart() if ours:
                self._append(encode_file(part.content, self.system), details)
            case NativeToolCallPart() | NativeToolReturnPart() if ours:
                block = encode_native_part(part)
                if block and (self.sends_tool_parts or not block.keys() & {'toolCall', 'toolResponse'}):
                    self._append(block, details)
                else:
                    self.request.leave_out_part(part)
            case FilePart() | NativeToolCallPart() | NativeToolReturnPart():
                self.request.leave_out_part(part)
            case _:
                assert_never(part)

    def _think(self, part: ThinkingPart, details: Json, *, ours: bool) -> None:
        if part.content:
            self._append({'text': part.content, 'thought': True}, details)
        elif not ours:
            self.request.leave_out_part(part)
        if ours and part.signature:
            self.signature = part.signature

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
