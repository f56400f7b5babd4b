"""Marks the blocks up to which the API caches: https://platform.claude.com/docs/en/build-with-claude/prompt-caching."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ...exceptions import UserError
from ...json_types import Json
from ...wire.caching import MARKS, extend_ttls, resolve_cache
from ...wire.prepare import PreparedRequest
from .content import REDACTED_THINKING

TTLS = {300: '5m', 3600: '1h'}
"""Seconds -> the times that the API keeps a prompt after its last use. The first is its default."""

OWN_SETTINGS = (
    'anthropic_cache',
    'anthropic_cache_instructions',
    'anthropic_cache_messages',
    'anthropic_cache_tool_definitions',
)
"""The API's own settings, each of which overrides the shared setting `cache`."""

UNMARKABLE = ('thinking', REDACTED_THINKING, 'container_upload')
"""The types of blocks that cannot have a mark."""


def cache_control(ttl: Any) -> Json:
    """Return a mark: the value of `cache_control`."""
    return {'type': 'ephemeral', 'ttl': '5m' if ttl is True else ttl}


def mark_last(blocks: Sequence[Json], ttl: Any) -> bool:
    """Mark the last of the blocks that can have a mark. Return False if there is no such block."""
    for block in reversed(blocks):
        if block.get('type') not in UNMARKABLE:
            block['cache_control'] = cache_control(ttl)
            return True
    return False


class Caching(NamedTuple):
    """What a request asks the API to cache."""

    settings: Mapping[str, Any]
    """Some of `OWN_SETTINGS`."""
    is_shared: bool = False
    """True if they come from the shared setting `cache`."""


def choose_caching(request: PreparedRequest) -> Caching:
    """Return the API's own settings, or those that the shared setting `cache` becomes: instructions, messages."""
    own = {name: request.options[name] for name in OWN_SETTINGS if name in request.options}
    if own or not (seconds := resolve_cache(request, [*TTLS])):
        return Caching(own)
    return Caching(dict.fromkeys(('anthropic_cache', 'anthropic_cache_instructions'), TTLS[seconds]), is_shared=True)


def encode_cache(body: Json, caching: Caching, *, auto_cache: bool = True) -> Json:
    """Add the marks of the settings to the body. If there are too many, the oldest in the messages are removed.

    `auto_cache`: the server takes a mark for the whole request. For other servers, the last block gets it.
    """
    settings = caching.settings
    everything, messages = settings.get('anthropic_cache'), settings.get('anthropic_cache_messages')
    if everything and messages:
        raise UserError('anthropic_cache and anthropic_cache_messages mark the same place: set one of them')
    if (ttl := settings.get('anthropic_cache_tool_definitions')) and body.get('tools'):
        body['tools'][-1]['cache_control'] = cache_control(ttl)
    if ttl := settings.get('anthropic_cache_instructions'):
        mark_last(body.get('system') or body.get('tools', ())[-1:], ttl)
    if messages:
        mark_last(body['messages'][-1]['content'], messages)
    if everything and auto_cache:
        body['cache_control'] = cache_control(everything)
    elif everything:
        mark_last([block for message in body['messages'] for block in message['content']], everything)
    marks = _limit_marks(body)
    if caching.is_shared:
        extend_ttls(marks)
    ttls = [mark['ttl'] for mark in marks]
    if '5m' in ttls and '1h' in ttls[ttls.index('5m') :]:
        raise UserError("What is cached for '1h' must come before what is cached for '5m': tools, system, messages")
    return body


def _limit_marks(body: Json) -> list[Json]:
    """Remove the oldest marks of the messages above `MARKS`, and return the others in the order of the prompt."""
    of_request = [block for name in ('tools', 'system') for block in _find_marked(body.get(name) or ())]
    of_messages = [block for message in body['messages'] for block in _find_marked(message['content'])]
    free = MARKS - len(of_request) - ('cache_control' in body)
    excess = max(len(of_messages) - free, 0)
    for block in of_messages[:excess]:
        del block['cache_control']
    marked = [*of_request, *of_messages[excess:], *_find_marked([body])]
    return [block['cache_control'] for block in marked]


def _find_marked(blocks: Sequence[Json]) -> Iterator[Json]:
    return (block for block in blocks if 'cache_control' in block)
