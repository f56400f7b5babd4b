"""Marks the blocks up to which the API caches: https://platform.claude.com/docs/en/build-with-claude/prompt-caching."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...exceptions import UserError
from ...json_types import Json
from .content import REDACTED_THINKING

MAX_MARKS = 4
"""The most marks that the API accepts in a request."""

UNMARKABLE = ('thinking', REDACTED_THINKING, 'container_upload')
"""The types of blocks that cannot have a mark."""


def cache_control(ttl: Any) -> Json:
    """Return a mark: the value of `cache_control`."""
    return {'type': 'ephemeral', 'ttl': '5m' if ttl is True else ttl}


def mark_last(blocks: Sequence[Json], ttl: Any) -> bool:
    """Mark the last of the blocks that can have a mark. Return False if there is no such block."""
    for block in reversed(blocks):
        if block['type'] not in UNMARKABLE:
            block['cache_control'] = cache_control(ttl)
            return True
    return False


def encode_cache(body: Json, settings: Mapping[str, Any], *, auto_cache: bool = True) -> Json:
    """Add the marks of the settings to the body. If there are too many, the oldest in the messages are removed.

    `auto_cache`: the server takes a mark for the whole request. For other servers, the last block gets it.
    """
    everything, messages = settings.get('anthropic_cache'), settings.get('anthropic_cache_messages')
    if everything and messages:
        raise UserError('anthropic_cache and anthropic_cache_messages mark the same place: set one of them')
    if (ttl := settings.get('anthropic_cache_tool_definitions')) and body.get('tools'):
        body['tools'][-1]['cache_control'] = cache_control(ttl)
    if (ttl := settings.get('anthropic_cache_instructions')) and body.get('system'):
        mark_last(body['system'], ttl)
    if messages:
        mark_last(body['messages'][-1]['content'], messages)
    if everything and auto_cache:
        body['cache_control'] = cache_control(everything)
    elif everything:
        mark_last([block for message in body['messages'] for block in message['content']], everything)
    _limit_marks(body)
    return body


def _limit_marks(body: Json) -> None:
    """Remove the oldest marks of the messages above `MAX_MARKS`.

    Raises `UserError` if a mark of five minutes precedes one of an hour, which the API rejects.
    """
    of_request = [block for name in ('tools', 'system') for block in _find_marked(body.get(name) or ())]
    of_messages = [block for message in body['messages'] for block in _find_marked(message['content'])]
    free = MAX_MARKS - len(of_request) - ('cache_control' in body)
    excess = max(len(of_messages) - free, 0)
    for block in of_messages[:excess]:
        del block['cache_control']
    marked = [*of_request, *of_messages[excess:], *_find_marked([body])]
    ttls = [block['cache_control']['ttl'] for block in marked]
    if '5m' in ttls and '1h' in ttls[ttls.index('5m') :]:
        raise UserError("What is cached for '1h' must come before what is cached for '5m': tools, system, messages")


def _find_marked(blocks: Sequence[Json]) -> Iterator[Json]:
    return (block for block in blocks if 'cache_control' in block)
