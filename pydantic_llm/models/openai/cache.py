"""Marks the content up to which OpenAI, OpenRouter and LiteLLM cache, for both of OpenAI's APIs.

https://developers.openai.com/api/docs/guides/prompt-caching
"""

from __future__ import annotations

from ...json_types import Json
from ...messages import CachePoint
from ...profiles.openai import OpenAIModelProfile
from ...wire.prepare import PreparedRequest


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
