"""Encodes messages as the body of `generateContent`.

Start at `encode`. Past responses are in `encode_response`, prompts and files in `content`, the rest in `options`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import assert_never

from ...json_types import Json
from ...messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    ToolReturnPart,
    UserPromptPart,
)
from ...messages.request import FAILED_OUTCOMES
from ...profiles.gemini import GeminiModelProfile
from ...profiles.history import FILLER
from ...wire.caching import resolve_cache
from ...wire.json_body import JsonItems
from ...wire.prepare import PreparedRequest
from .content import encode_content, encode_user_file
from .encode_response import encode_response
from .options import encode_generation, encode_tools, encode_top_level


def encode(request: PreparedRequest, profile: GeminiModelProfile) -> Json:
    """Encode the body of a request."""
    if profile.gemini_cache_min_tokens is None:
        resolve_cache(request, ())
    tools, system = encode_tools(request, profile), encode_system(request)
    body: Json = {'contents': encode_known_contents(request, profile) or encode_contents(request, profile)}
    body.update(encode_top_level(request))
    # Cached content contains the tools and the system instruction: https://ai.google.dev/gemini-api/docs/caching
    if 'gemini_cached_content' not in request.settings:
        body.update(tools)
        if system:
            body['systemInstruction'] = {'parts': system}
    if config := encode_generation(request, profile, has_tools='tools' in tools):
        body['generationConfig'] = config
    return body


def encode_system(request: PreparedRequest) -> list[Json]:
    """Encode the system prompts of all messages, then the instructions: the API has one field for all of them."""
    known = request.get_known()
    is_only_first = known is not None and not known.has_later(SystemPromptPart)
    prompts = (
        part.content
        for message in request.messages[: 1 if is_only_first else None]
        if isinstance(message, ModelRequest)
        for part in message.parts
        if isinstance(part, SystemPromptPart)
    )
    return [{'text': text} for text in (*prompts, *request.instructions)]


def encode_known_contents(request: PreparedRequest, profile: GeminiModelProfile) -> JsonItems | None:
    """Return the contents, of which those after the first message were written before; `None` if one is not known."""
    if (known := request.get_written()) is None:
        return None
    first = list(_encode_messages(request.messages[:1], request, profile))
    chunks = known.encode(request, lambda message: _encode_messages((message,), request, profile), 1)
    return JsonItems(first, chunks) if first else None


def encode_message(message: ModelMessage, request: PreparedRequest, profile: GeminiModelProfile) -> list[Json]:
    """Encode one message as contents, without regard to those around it."""
    return [*_encode_messages((message,), request, profile)]


def encode_contents(request: PreparedRequest, profile: GeminiModelProfile) -> list[Json]:
    """Encode messages as contents. The API requires at least one, and one of the user before a tool call."""
    contents = list(_encode_messages(request.messages, request, profile))
    # google-gemini/gemini-cli#26486: "function call turn comes immediately after a user turn"
    starts_with_call = bool(contents) and any('functionCall' in part for part in contents[0]['parts'])
    return contents if contents and not starts_with_call else [{'role': 'user', 'parts': [{'text': FILLER}]}, *contents]


def _encode_messages(
    messages: Iterable[ModelMessage], request: PreparedRequest, profile: GeminiModelProfile
) -> Iterator[Json]:
    for message in messages:
        match message:
            case ModelRequest():
                # All results of one turn must be in one content (eino-ext#571)
                results, prompt = encode_request(message, request, profile)
                yield from ({'role': 'user', 'parts': parts} for parts in (results, prompt) if parts)
            case ModelResponse():
                if parts := encode_response(message, request, profile):
                    yield {'role': 'model', 'parts': parts}
            case _:
                assert_never(message)


def encode_request(
    message: ModelRequest, request: PreparedRequest, profile: GeminiModelProfile
) -> tuple[list[Json], list[Json]]:
    """Return the parts with tool results, and the user's parts: files that a result cannot contain, then the prompt."""
    results: list[Json] = []
    prompt: list[Json] = []
    files: list[Json] = []
    for part in message.parts:
        match part:
            case SystemPromptPart():
                pass
            case UserPromptPart():
                prompt.extend(encode_content(part.items(), request))
            case ToolReturnPart():
                result, separate = encode_tool_return(part, request.system, profile)
                results.append(result)
                files += separate
            case RetryPromptPart(tool_name=None):
                prompt.append({'text': part.model_response()})
            case RetryPromptPart(tool_name=name, tool_call_id=id):
                response = {'error': part.model_response()}
                results.append({'functionResponse': {'id': id, 'name': name, 'response': response}})
            case _:
                assert_never(part)
    return results, [*files, *prompt]


def encode_tool_return(part: ToolReturnPart, system: str, profile: GeminiModelProfile) -> tuple[Json, list[Json]]:
    """Encode a tool result, and the files that it can only name: these follow in the user's content.

    https://ai.google.dev/gemini-api/docs/function-calling
    """
    inside = [file for file in part.files if file.media_type in profile.gemini_files_of_tools]
    separate = [file for file in part.files if file.media_type not in profile.gemini_files_of_tools]
    response = _encode_result(part)
    if separate and 'error' not in response:
        names = [f'See file {file.identifier}.' for file in separate]
        response = {'output': [*([response] if response else []), *names]}
    result: Json = {'id': part.tool_call_id, 'name': part.tool_name, 'response': response}
    if inside:
        result['parts'] = [encode_user_file(file, system) for file in inside]
    files: list[Json] = []
    for file in separate:
        files += {'text': f'This is file {file.identifier}:'}, encode_user_file(file, system)
    return {'functionResponse': result}, files


def _encode_result(part: ToolReturnPart) -> Json:
    """Encode a tool result without its files as an object. That of a failed call is in `error`."""
    rest = part.without_files() if part.files else None
    if rest == [] or part.content is None:
        return {}
    plain = part if rest is None else replace(part, content=rest[0] if len(rest) == 1 else rest)
    if part.outcome in FAILED_OUTCOMES:
        return {'error': plain.model_response_str()}
    return plain.model_response_object()
