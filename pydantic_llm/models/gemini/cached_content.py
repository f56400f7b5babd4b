"""Keeps the beginnings of prompts as Google's cached contents: created, used again, renewed and deleted.

Start at `CachedContents.find`. `cached_prefix` splits a request. https://ai.google.dev/gemini-api/docs/caching
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Literal, cast

from ...exceptions import LLMError, ModelHTTPError
from ...json_types import Json, parse_json
from ...providers import Provider
from ...settings import CACHE_SECONDS
from ...transport import Deadlines, RawRequest
from ...wire.json_body import write_json
from ...wire.prepare import PreparedRequest
from .cached_prefix import Prefix

GROWTH = 1.5
"""A longer prefix is cached again if it has this many times the tokens of the cached one. Each creation costs a full
read of the prefix, so that a conversation of n turns must not have n of them."""

MARGIN = 10.0
"""Seconds before the end of its time at which a cached content is no longer used."""

RENEW_BELOW = 0.5
"""The part of its time that is left when a cached content is renewed."""

RETRY_AFTER = 300.0
"""Seconds after which the creation of a prefix that was refused is tried again."""

MAX_SECONDS = 60.0
"""The longest wait for one request to the cache, in seconds."""

DEFAULT_TTL, MIN_TTL = 300, 60
"""The time for `cache=True`, and the shortest that Vertex AI accepts, in seconds:
https://docs.cloud.google.com/vertex-ai/generative-ai/docs/context-cache/context-cache-create"""

GONE = (400, 403, 404)
"""The statuses of requests that name a cached content that is expired, deleted, or another project's."""


@dataclass(slots=True)
class CachedContent:
    """A cached content at Google, made by this process."""

    name: str
    """Its name at the API: `'cachedContents/abc'`."""
    tokens: int
    """Its estimated size."""
    ttl: int
    """Its time after creation or renewal, in seconds."""
    expires: float
    """The end of its time, by the monotonic clock."""

    def is_usable(self) -> bool:
        return time.monotonic() < self.expires - min(MARGIN, self.ttl / 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedRequest(RawRequest):
    """A request that names a cached content."""

    cached_name: str
    """The name of the cached content."""
    make_whole: Callable[[], RawRequest] = field(repr=False)
    """Returns the same request without it."""


def choose_ttl(request: PreparedRequest) -> int:
    """Return the time that the setting `cache` asks for, in whole seconds, with a warning if it is too short."""
    value = request.settings.get('cache')
    if value is True or value is None:
        return DEFAULT_TTL
    asked = CACHE_SECONDS[value] if isinstance(value, str) else value
    if asked < MIN_TTL:
        request.note(f'cache={value!r} became {MIN_TTL} seconds, the shortest time that Google accepts')
    return max(ceil(asked), MIN_TTL)


def is_gone(error: ModelHTTPError) -> bool:
    """Return whether an error says that the request's cached content does not exist any more."""
    return error.status_code in GONE and 'cache' in str(error).lower()


class CachedContents:
    """The cached contents of one model object. No error of the API leaves it: the prompt is then sent whole.

    May be used from any event loop. Two requests with the same prefix create one cached content: the second waits for
    the first, or is sent whole if that is in another loop.
    """

    def __init__(self, provider: Provider[Any], model_name: str) -> None:
        self._provider = provider
        self._model_name = model_name
        self._entries: dict[str, CachedContent] = {}
        self._creating: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Event]] = {}
        self._refused: dict[str, float] = {}

    async def find(
        self, prefixes: Sequence[Prefix], *, resource: str, ttl: int, min_tokens: int, seconds: float | None
    ) -> tuple[Prefix, CachedContent] | None:
        """Return the prefix to use with its cached content, which is created or renewed if need be.

        `resource` is the model's name in a cached content, `seconds` the time that is left to the request. `None` if
        every prefix has less than `min_tokens`, or if the API refuses it.
        """
        deadlines = Deadlines(MAX_SECONDS if seconds is None else min(MAX_SECONDS, max(seconds / 2, 0.001)))
        newest = prefixes[-1] if prefixes else None
        if newest is None:
            return None
        await self._wait_for_creation(newest.key, deadlines)
        found = self._find_longest(prefixes)
        known_tokens = found[1].tokens if found else 0
        is_longer = found is None or found[0].key != newest.key
        if is_longer and newest.tokens >= max(min_tokens, GROWTH * known_tokens) and self._may_create(newest.key):
            created = await self._create(newest, resource=resource, ttl=ttl, deadlines=deadlines)
            found = (newest, created) if created else found
        if found is not None:
            await self._renew(found[0].key, found[1], ttl=ttl, deadlines=deadlines)
        return found if found and found[0].key in self._entries else None

    def forget(self, name: str) -> None:
        """Forget a cached content that the API does not know any more."""
        self._entries = {key: entry for key, entry in self._entries.items() if entry.name != name}

    def has(self, name: str) -> bool:
        """Return whether a cached content was not forgotten."""
        return any(entry.name == name for entry in self._entries.values())

    async def delete_all(self) -> None:
        """Delete every cached content that is not expired. Those that cannot be deleted expire by themselves."""
        entries, self._entries = [*self._entries.values()], {}
        deadlines = Deadlines(MARGIN)
        await asyncio.gather(
            *(self._call_api('DELETE', f'/{entry.name}', {}, deadlines) for entry in entries if entry.is_usable())
        )

    # ------------------------------------------------------------------ creation and renewal

    def _find_longest(self, prefixes: Sequence[Prefix]) -> tuple[Prefix, CachedContent] | None:
        for prefix in reversed(prefixes):
            entry = self._entries.get(prefix.key)
            if entry is not None and entry.is_usable():
                return prefix, entry
        return None

    def _may_create(self, key: str) -> bool:
        return key not in self._creating and time.monotonic() >= self._refused.get(key, 0.0)

    async def _wait_for_creation(self, key: str, deadlines: Deadlines) -> None:
        """Wait while another request in this event loop creates the same cached content."""
        loop = asyncio.get_running_loop()
        while (running := self._creating.get(key)) is not None and running[0] is loop:
            try:
                await asyncio.wait_for(running[1].wait(), deadlines.timeout)
            except TimeoutError:
                return

    async def _create(self, prefix: Prefix, *, resource: str, ttl: int, deadlines: Deadlines) -> CachedContent | None:
        """Create a cached content. Return `None` if the API refuses it: then it is not tried again for a while."""
        done = asyncio.Event()
        self._creating[prefix.key] = asyncio.get_running_loop(), done
        try:
            self._forget_old()
            body = {'model': resource, **prefix.fields, 'ttl': f'{ttl}s'}
            response = await self._call_api('POST', '/cachedContents', body, deadlines)
            name = response.get('name') if response else None
            if not isinstance(name, str) or not name:
                self._refused[prefix.key] = time.monotonic() + RETRY_AFTER
                return None
            entry = CachedContent(name, prefix.tokens, ttl, time.monotonic() + ttl)
            self._entries[prefix.key] = entry
            return entry
        finally:
            del self._creating[prefix.key]
            done.set()

    def _forget_old(self) -> None:
        now = time.monotonic()
        self._entries = {key: entry for key, entry in self._entries.items() if entry.is_usable()}
        self._refused = {key: until for key, until in self._refused.items() if until > now}

    async def _renew(self, key: str, entry: CachedContent, *, ttl: int, deadlines: Deadlines) -> None:
        """Give a cached content its full time again before it ends; forget it if the API does not know it."""
        now = time.monotonic()
        if entry.expires - now > ttl * RENEW_BELOW:
            return
        before, entry.expires, entry.ttl = entry.expires, now + ttl, ttl  # others need not renew it too
        if await self._call_api('PATCH', f'/{entry.name}?updateMask=ttl', {'ttl': f'{ttl}s'}, deadlines) is None:
            entry.expires = before
            if not entry.is_usable():
                self._entries.pop(key, None)

    async def _call_api(
        self, method: Literal['POST', 'PATCH', 'DELETE'], path: str, body: Json, deadlines: Deadlines
    ) -> Mapping[str, Any] | None:
        """Return the response, or `None` after an error of any kind."""
        content = write_json(body) if body else b''
        request = RawRequest(path, content, self._model_name, deadlines=deadlines, method=method)
        with suppress(LLMError, ValueError):
            response = await self._provider.connection.send(request)
            parsed = parse_json(response.body or b'{}')
            return cast('Json', parsed) if isinstance(parsed, dict) else {}
        return None
