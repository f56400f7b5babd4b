"""Encodes what OpenAI, OpenRouter and LiteLLM cache, for both of OpenAI's APIs: the setting `cache`, and cache points.

https://developers.openai.com/api/docs/guides/prompt-caching
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import cast

from pydantic_core import to_json

from ...json_types import Json
from ...messages import CachePoint, SystemPromptPart
from ...profiles.caching import HOUR
from ...profiles.openai import OpenAIModelProfile
from ...wire.caching import MARKS, extend_ttls, resolve_cache
from ...wire.prepare import PreparedRequest

RETENTION = 'prompt_cache_retention'
"""The field for the time of a cache without breakpoints."""


def encode_cache(request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """Encode the setting `cache` as fields of the body. Servers with Anthropic's marks have none: see `mark_prefix`."""
    value = request.settings.get('cache')
    has_breakpoints = profile.openai_cache_points == 'breakpoint'
    if value is None or (value is False and not has_breakpoints) or profile.openai_cache_points == 'cache_control':
        return {}
    if value is False:  # and no setting of the API's own overrides it
        return {'prompt_cache_options': {'mode': 'explicit'}}
    own = {'openai_prompt_cache_options', 'openai_prompt_cache_retention'} & request.options.keys()
    ttls = {} if own else profile.openai_cache_ttls or {}
    fields: Json = {'prompt_cache_key': make_cache_key(request)} if profile.openai_cache_key else {}
    seconds = resolve_cache(request, [*ttls]) if ttls or not fields else None
    if seconds and value is not True:
        fields |= {'prompt_cache_options': {'ttl': ttls[seconds]}} if has_breakpoints else {RETENTION: ttls[seconds]}
    return fields


def make_cache_key(request: PreparedRequest) -> str:
    """Return a key that requests with the same instructions and tools share."""
    first = request.messages[:1]
    prompts = [part.content for message in first for part in message.parts if isinstance(part, SystemPromptPart)]
    tools = [tool.name for tool in request.parameters.tools]
    return sha256(to_json([request.model_name, prompts, request.instructions, tools])).hexdigest()[:32]


def has_marks(request: PreparedRequest, profile: OpenAIModelProfile) -> bool:
    """Return whether `mark_prefix` is to mark the messages."""
    return bool(request.settings.get('cache')) and profile.openai_cache_points == 'cache_control'


def mark_prefix(messages: list[Json], request: PreparedRequest, profile: OpenAIModelProfile) -> list[Json]:
    """Return the messages, with marks on the instructions and on the user's newest message.

    For servers with Anthropic's marks, if the setting `cache` asks for them.
    """
    seconds = resolve_cache(request, [*(profile.openai_cache_ttls or ())]) if has_marks(request, profile) else None
    if seconds is None:
        return messages
    mark = {'type': 'ephemeral', **({'ttl': '1h'} if seconds == HOUR else {})}
    last = {message['role']: index for index, message in enumerate(messages)}
    places = [last[role] for role in (profile.openai_system_prompt_role, 'user') if role in last]
    marked = [*messages]
    for index in places[: max(MARKS - len(_find_marks(messages)), 0)]:
        marked[index] = _mark_message(messages[index], {**mark})
    extend_ttls(_find_marks(marked))
    return marked


def _mark_message(message: Json, mark: Json) -> Json:
    """Return a message whose last text has a mark; unchanged if it has no text."""
    content = message['content']
    parts: list[Json] = [{'type': 'text', 'text': content}] if isinstance(content, str) else [*content]
    last = max((index for index, part in enumerate(parts) if part['type'] == 'text'), default=None)
    if last is None:
        return message
    parts[last] = {'cache_control': mark, **parts[last]}
    return {**message, 'content': parts}


def _find_marks(messages: Sequence[Json]) -> list[Json]:
    contents = [message.get('content') for message in messages]
    parts = [part for content in contents if isinstance(content, list) for part in cast('list[Json]', content)]
    return [part['cache_control'] for part in parts if 'cache_control' in part]


def mark_last_part(parts: list[Json], point: CachePoint, request: PreparedRequest, profile: OpenAIModelProfile) -> None:
    """Mark the part before a cache point, or add a warning if the server has no such marks or no part can have one."""
    kind = None if profile.openai_flatten_content is True else profile.openai_cache_points
    if kind is None:
        request.drop_cache_point()
        return
    marked = next((part for part in reversed(parts) if kind == 'breakpoint' or part['type'] == 'text'), None)
    if marked is None:
        request.note('CachePoint() was not sent: its message has no content before it that could be marked')
    elif kind == 'breakpoint':
        marked['prompt_cache_breakpoint'] = {'mode': 'explicit'}
        if point.ttl != '5m':
            request.note(
                f'ttl={point.ttl!r} of CachePoint() was not sent: OpenAI keeps a prefix for at least 30 minutes'
            )
    else:
        marked['cache_control'] = {'type': 'ephemeral', **({'ttl': point.ttl} if point.ttl != '5m' else {})}


def decode_cache(body: Json) -> Json:
    """Decode what a client asks of the cache as the shared setting `cache`, for models of other vendors."""
    if body.get(RETENTION) == '24h':
        return {'cache': '24h'}
    return {'cache': True} if body.get('prompt_cache_key') else {}
