"""Where the vendor shall cache: points between blocks, at most four, and not everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...exceptions import UserError
from ...json_types import Json
from ...profiles.bedrock import BedrockModelProfile
from ...wire.prepare import PreparedRequest

MAX_POINTS = 4
"""The API refuses a request with more."""

NOT_BEHIND = frozenset({'document', 'video'})
"""The kinds of blocks that no point can follow; it stands before them."""


def cache_point(ttl: Any, request: PreparedRequest, profile: BedrockModelProfile) -> Json:
    """A point. Where the model caches for five minutes alone, an hour is that."""
    point = {'type': 'default'}
    if ttl == '1h':
        if profile.bedrock_cache_hour:
            point['ttl'] = '1h'
        else:
            request.note(f"{request.model_name!r} cannot cache for '1h': what is cached is kept for five minutes")
    return {'cachePoint': point}


def add_point(blocks: list[Json], point: Json) -> bool:
    """Put a point behind the blocks, before trailing documents and videos; `False` where nothing comes before it."""
    at = len(blocks)
    while at and not NOT_BEHIND.isdisjoint(blocks[at - 1]):
        at -= 1
    if not at:
        return False
    if 'cachePoint' not in blocks[at - 1]:
        blocks.insert(at, point)
    return True


def encode_cache(body: Json, request: PreparedRequest, profile: BedrockModelProfile) -> Json:
    """The body with the points that the settings ask for, and no more than the API takes: the oldest go."""
    settings = request.options
    places: dict[str, tuple[str, list[Json]]] = {
        'bedrock_cache_tool_definitions': ('tools', body.get('toolConfig', {}).get('tools', [])),
        'bedrock_cache_instructions': ('system', body.get('system', [])),
        'bedrock_cache_messages': ('messages', body['messages'][-1]['content']),
    }
    for name, (place, blocks) in places.items():
        if not (ttl := settings.get(name)):
            continue
        if place not in profile.bedrock_cache:
            request.leave_out(name, f'{request.model_name!r} cannot cache {place}')
        elif blocks:
            add_point(blocks, cache_point(ttl, request, profile))
    _limit(body)
    return body


def _limit(body: Json) -> None:
    """Take points out of the messages, the oldest first, and see that hours come before minutes."""
    first = [*_points(body.get('toolConfig', {}).get('tools', [])), *_points(body.get('system', []))]
    spoken = [block for message in body['messages'] for block in _points(message['content'])]
    surplus = spoken[: max(len(first) + len(spoken) - MAX_POINTS, 0)]
    for message in body['messages']:
        message['content'] = [block for block in message['content'] if not any(block is one for one in surplus)]
    hours = ['ttl' in block['cachePoint'] for block in (*first, *spoken[len(surplus) :])]
    if True in hours[hours.index(False) :] if False in hours else False:
        raise UserError("What is cached for '1h' must come before what is cached for '5m': tools, system, messages")


def _points(blocks: list[Json]) -> Iterator[Json]:
    return (block for block in blocks if 'cachePoint' in block)
