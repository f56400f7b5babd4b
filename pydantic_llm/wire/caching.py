"""Maps the setting `cache` to what a vendor accepts: the same rules for every room.

`resolve_cache` returns the time that a room asks for. A vendor that caches by itself is asked for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..json_types import Json
from ..settings import CACHE_SECONDS
from .prepare import PreparedRequest

__all__ = ('MARKS', 'extend_ttls', 'resolve_cache')

MARKS = 4
"""The most marks that Claude accepts in a request, at every vendor:
https://platform.claude.com/docs/en/build-with-claude/prompt-caching"""


def resolve_cache(request: PreparedRequest, ttls: Sequence[int]) -> int | None:
    """Return the seconds that a vendor is asked to keep the prompt, or `None` if it is asked for nothing.

    `ttls` are the times that it accepts, the default first. Of other times, the nearest is used, with a warning.
    Without any, the setting is dropped, also with a warning unless the vendor caches by itself.
    """
    value = request.settings.get('cache')
    if value is None or value is False:
        return None
    if not ttls:
        if not request.caches_automatically:
            request.drop_setting('cache', f'{request.model_name!r} at {request.system!r} cannot be asked to cache')
        return None
    if value is True:
        return ttls[0]
    asked = CACHE_SECONDS[value] if isinstance(value, str) else value
    nearest = min(ttls, key=lambda ttl: max(ttl, asked) / min(ttl, asked))
    if nearest != asked:
        request.note(f'cache={value!r} became {nearest} seconds, the nearest time that {request.model_name!r} accepts')
    return nearest


def extend_ttls(marks: Sequence[Json]) -> None:
    """Give every mark before one of an hour an hour too: a shorter one before it would be refused.

    `marks` are those of Anthropic or Bedrock, in the order of the prompt.
    """
    is_hour = False
    for mark in reversed(marks):
        is_hour = is_hour or mark.get('ttl') == '1h'
        if is_hour:
            mark['ttl'] = '1h'
