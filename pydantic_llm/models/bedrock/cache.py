"""Adds cache points to a body: https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...exceptions import UserError
from ...json_types import Json
from ...profiles.bedrock import BedrockModelProfile
from ...profiles.caching import FIVE_MINUTES, HOUR
from ...wire.caching import MARKS, extend_ttls, resolve_cache
from ...wire.prepare import PreparedRequest

OWN_SETTINGS = ('bedrock_cache_instructions', 'bedrock_cache_messages', 'bedrock_cache_tool_definitions')
"""The API's own settings, each of which overrides the shared setting `cache`."""

NOT_BEFORE_CACHE_POINT = frozenset({'document', 'video'})
"""The kinds of blocks that must not precede a cache point directly: strands-agents/harness-sdk#1966."""


def make_cache_point(ttl: Any, request: PreparedRequest, profile: BedrockModelProfile) -> Json:
    """Return a cache point. If the model cannot cache for an hour, it is one of five minutes, with a warning."""
    point = {'type': 'default'}
    if ttl == '1h':
        if profile.bedrock_cache_hour:
            point['ttl'] = '1h'
        else:
            request.note(f"{request.model_name!r} cannot cache for '1h': its content is cached for five minutes")
    return {'cachePoint': point}


def add_cache_point(blocks: list[Json], point: Json) -> bool:
    """Insert a cache point after the blocks, but before documents and videos at their end.

    Return False if no block precedes it: the API rejects a cache point at the start of a turn.
    """
    position = len(blocks)
    while position and not NOT_BEFORE_CACHE_POINT.isdisjoint(blocks[position - 1]):
        position -= 1
    if not position:
        return False
    if 'cachePoint' not in blocks[position - 1]:
        blocks.insert(position, point)
    return True


def encode_cache(body: Json, request: PreparedRequest, profile: BedrockModelProfile) -> Json:
    """Add the cache points of the settings to the body. If there are too many, the oldest in the messages are dropped.

    Raises `UserError` if a cache point of five minutes precedes one of an hour, which the API rejects.
    """
    settings, is_shared = _choose_settings(body, request, profile)
    cacheable: dict[str, tuple[str, list[Json]]] = {
        'bedrock_cache_tool_definitions': ('tools', _get_tools(body)),
        'bedrock_cache_instructions': ('system', body.get('system', [])),
        'bedrock_cache_messages': ('messages', body['messages'][-1]['content']),
    }
    for name, (section, blocks) in cacheable.items():
        if not (ttl := settings.get(name)):
            continue
        if section not in profile.bedrock_cache:
            request.drop_setting(name, f'{request.model_name!r} cannot cache {section}')
        elif blocks:
            add_cache_point(blocks, make_cache_point(ttl, request, profile))
    _drop_excess_points(body)
    if is_shared:
        extend_ttls([*_find_points(body)])
    has_hour = ['ttl' in point for point in _find_points(body)]
    if has_hour != sorted(has_hour, reverse=True):
        raise UserError("What is cached for '1h' must come before what is cached for '5m': tools, system, messages")
    return body


def _choose_settings(
    body: Json, request: PreparedRequest, profile: BedrockModelProfile
) -> tuple[Mapping[str, Any], bool]:
    """Return the API's own settings, or those that the shared setting `cache` becomes, and if it is the latter.

    That is the messages, and the instructions with the tools before them; the tools alone without instructions.
    """
    own = {name: request.options[name] for name in OWN_SETTINGS if name in request.options}
    ttls = (FIVE_MINUTES, *([HOUR] if profile.bedrock_cache_hour else ())) if profile.bedrock_cache else ()
    if own or not (seconds := resolve_cache(request, ttls)):
        return own, False
    sections = {'system': 'instructions', 'messages': 'messages'}
    if not body.get('system'):
        sections = {'tools': 'tool_definitions', 'messages': 'messages'}
    ttl = '1h' if seconds == HOUR else '5m'
    return {
        f'bedrock_cache_{name}': ttl for section, name in sections.items() if section in profile.bedrock_cache
    }, True


def _drop_excess_points(body: Json) -> None:
    excess = len([*_find_points(body)]) - MARKS
    for message in body['messages']:
        kept: list[Json] = []
        for block in message['content']:
            if 'cachePoint' in block and excess > 0:
                excess -= 1
            else:
                kept.append(block)
        message['content'] = kept


def _find_points(body: Json) -> Iterator[Json]:
    """Yield the cache points in the order in which the API reads them."""
    turns = [message['content'] for message in body['messages']]
    for blocks in (_get_tools(body), body.get('system', []), *turns):
        yield from (block['cachePoint'] for block in blocks if 'cachePoint' in block)


def _get_tools(body: Json) -> list[Json]:
    tools: list[Json] = body.get('toolConfig', {}).get('tools', [])
    return tools
