"""Where the vendor shall cache: at most four marks on blocks, and in which order they may stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...exceptions import UserError
from ...json_types import Json

MAX_MARKS = 4
"""The API refuses a request with more."""

UNMARKABLE = ('thinking', 'redacted_thinking', 'container_upload')
"""The types of blocks that cannot carry a mark."""


def cache_control(ttl: Any) -> Json:
    """A mark."""
    return {'type': 'ephemeral', 'ttl': '5m' if ttl is True else ttl}


def mark(blocks: Sequence[Json], ttl: Any) -> bool:
    """Mark the last of the blocks that can be marked; `False` where there is none."""
    for block in reversed(blocks):
        if block['type'] not in UNMARKABLE:
            block['cache_control'] = cache_control(ttl)
            return True
    return False


def encode_cache(body: Json, settings: Mapping[str, Any]) -> Json:
    """The body with the marks that the settings ask for, and no more of them than the API takes: the oldest go."""
    everything, messages = settings.get('anthropic_cache'), settings.get('anthropic_cache_messages')
    if everything and messages:
        raise UserError('anthropic_cache and anthropic_cache_messages mark the same place: set one of them')
    if (ttl := settings.get('anthropic_cache_tool_definitions')) and body.get('tools'):
        body['tools'][-1]['cache_control'] = cache_control(ttl)
    if (ttl := settings.get('anthropic_cache_instructions')) and body.get('system'):
        mark(body['system'], ttl)
    if messages:
        mark(body['messages'][-1]['content'], messages)
    if everything:
        body['cache_control'] = cache_control(everything)
    _limit(body)
    return body


def _limit(body: Json) -> None:
    first = [block for name in ('tools', 'system') for block in _marked(body.get(name) or ())]
    spoken = [block for message in body['messages'] for block in _marked(message['content'])]
    room = MAX_MARKS - len(first) - ('cache_control' in body)
    for block in spoken[: max(len(spoken) - room, 0)]:
        del block['cache_control']
    marks = [*first, *spoken[max(len(spoken) - room, 0) :], *_marked([body])]
    times = [block['cache_control']['ttl'] for block in marks]
    if '5m' in times and '1h' in times[times.index('5m') :]:
        raise UserError("What is cached for '1h' must come before what is cached for '5m': tools, system, messages")


def _marked(blocks: Sequence[Json]) -> Iterator[Json]:
    return (block for block in blocks if 'cache_control' in block)
