"""Splits a conversation at the places up to which it can be a cached content. Start at `find_prefixes`.

A prefix is the instructions, the tools and the first contents of a request. It ends after a `CachePoint`, or before a
turn of the user: what follows must begin with content of the user. https://ai.google.dev/gemini-api/docs/caching
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from pydantic_core import to_json

from ...json_types import Json
from ...messages import CachePoint, ModelMessage, ModelRequest, UserContent, UserPromptPart
from ...messages.request import ModelRequestPart, is_tool_result
from ...profiles.gemini import GeminiModelProfile
from ...wire.prepare import PreparedRequest
from .encode import encode_message, encode_system
from .options import encode_tools

BYTES_PER_TOKEN = 4
"""The bytes of JSON for which one token is counted, as Google's documentation counts characters."""

TOKENS_PER_FILE = 258
"""The tokens of an image or of a page: https://ai.google.dev/gemini-api/docs/tokens"""


@dataclass(frozen=True, slots=True)
class Prefix:
    """The beginning of a request that can be a cached content."""

    key: str
    """The hash of its content: equal for requests that begin in the same way."""
    fields: Json
    """The fields of the cached content, except its model and its time."""
    rest: Sequence[ModelMessage]
    """The messages after it."""
    tokens: int
    """Its estimated size."""


def find_prefixes(request: PreparedRequest, profile: GeminiModelProfile) -> list[Prefix]:
    """Return the prefixes of a request, the shortest first: up to the last `CachePoint`, or else to the last turn."""
    system, tools = encode_system(request), encode_tools(request, profile)
    fixed: Json = {**({'systemInstruction': {'parts': system}} if system else {}), **tools}
    units = [*_split_at_cache_points(request.messages)]
    ends = _find_ends(units)
    written = to_json([request.model_name, fixed])
    digest, tokens = sha256(written), len(written) // BYTES_PER_TOKEN
    contents: list[Json] = []
    prefixes: list[Prefix] = []
    for position in range(ends[-1] + 1 if ends else 0):
        if position in ends and (contents or fixed):
            fields = {**fixed, **({'contents': [*contents]} if contents else {})}
            prefixes.append(Prefix(digest.hexdigest(), fields, [unit for unit, _ in units[position:]], tokens))
        added = encode_message(units[position][0], request, profile)
        contents += added
        digest.update(to_json(added))
        tokens += sum(map(_count_tokens, added))
    return prefixes


def _split_at_cache_points(messages: Sequence[ModelMessage]) -> Iterator[tuple[ModelMessage, bool]]:
    """Yield the messages, those of the user in pieces, and whether a cache point follows each of them."""
    for message in messages:
        if not isinstance(message, ModelRequest):
            yield message, False
            continue
        parts: list[ModelRequestPart] = []
        for part in message.parts:
            if not isinstance(part, UserPromptPart) or isinstance(part.content, str):
                parts.append(part)
                continue
            content: list[UserContent] = []
            for item in part.content:
                if not isinstance(item, CachePoint):
                    content.append(item)
                    continue
                yield replace(message, parts=[*parts, *([replace(part, content=content)] if content else [])]), True
                parts, content = [], []
            if content:
                parts.append(replace(part, content=content))
        if parts:
            yield replace(message, parts=parts), False


def _find_ends(units: Sequence[tuple[ModelMessage, bool]]) -> list[int]:
    """Return the positions in `units` at which a prefix may end; those after the last cache point are left out."""
    ends = [position for position, (unit, _) in enumerate(units) if _is_turn_of_user(unit)]
    marked = [position + 1 for position, (_, has_point) in enumerate(units) if has_point]
    last = max((position for position in marked if position in ends), default=None)
    return ends if last is None else [position for position in ends if position <= last]


def _is_turn_of_user(message: ModelMessage) -> bool:
    """Return whether the message has content of the user, and no tool results, which must follow their calls."""
    if not isinstance(message, ModelRequest) or any(map(is_tool_result, message.parts)):
        return False
    return any(isinstance(part, UserPromptPart) for part in message.parts)


def _count_tokens(content: Json) -> int:
    return sum(
        len(part['text']) // BYTES_PER_TOKEN if 'text' in part else _count_other(part) for part in content['parts']
    )


def _count_other(part: Json) -> int:
    is_file = 'inlineData' in part or 'fileData' in part
    return TOKENS_PER_FILE if is_file else len(to_json(part)) // BYTES_PER_TOKEN
