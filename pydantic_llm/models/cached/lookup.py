"""One request to a `CachedModel`: `Lookup` finds its response, or stores it.

`find` returns a stored response, or that of an equal request that is under way. If both are missing, the request must
be sent: `keep` then stores its response, and `leave` ends it without one.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256

from ...exceptions import CacheMissError, LLMError, ModelTimeoutError
from ...messages import FromCache, ModelResponse
from ...observers import CacheHit, notify
from ...usage import RequestUsage
from ..limits.deadlines import WaitDeadlines
from ..pausing import Pausing
from .entry import Entry, Fragments, decode_entry, encode_entry, logger
from .flights import Ending, Flight, Flights
from .settings import CacheOptions
from .store import CacheStore

STORE_SECONDS = 1.0
"""Seconds that a store may take for one operation."""

STORE_PAUSE = 5.0
"""Seconds without operations on a store after one has failed."""

PATIENCE = 0.5
"""The part of a request's time that it waits for an equal request, so that the rest is enough to send its own."""


class GuardedStore:
    """A store whose failures are misses: no operation raises, or takes longer than `STORE_SECONDS`."""

    def __init__(self, store: CacheStore) -> None:
        self.store = store
        self.pausing: Pausing = Pausing(repr(store), 'responses are not cached', logger, STORE_SECONDS, STORE_PAUSE)

    async def get(self, key: str, seconds_left: float | None) -> bytes | None:
        return await self.pausing.run(lambda: self.store.get(key), seconds_left=seconds_left)

    async def set(self, key: str, value: bytes, ttl: float | None, seconds_left: float | None) -> None:
        await self.pausing.run(lambda: self.store.set(key, value, ttl), seconds_left=seconds_left)


def make_key(fingerprint: str, scope: str) -> str:
    """Return the key of a request, in 64 hexadecimal digits."""
    return sha256(f'{fingerprint} {scope}'.encode()).hexdigest() if scope else fingerprint


@dataclass
class Lookup:
    """The search for the response to one request."""

    key: str
    model_name: str
    options: CacheOptions
    warnings: Sequence[str]
    """The warnings of the request."""
    deadlines: WaitDeadlines
    store: GuardedStore
    flights: Flights | None
    """The equal requests under way; `None` to wait for none."""
    flight: Flight | None = None
    """The flight that this request leads."""

    async def find(self) -> ModelResponse | None:
        """Return the response; `None` if the request must be sent. Raises `CacheMissError` if it must not be."""
        entry = await self.find_entry()
        return None if entry is None else self.to_response(entry)

    def to_response(self, entry: Entry) -> ModelResponse:
        """Return a stored response as one from the cache, with the warnings of this request."""
        response, mark = entry.response, FromCache(age_seconds=entry.age, usage=entry.response.usage)
        warnings = [*self.warnings, *response.warnings]
        return replace(response, usage=RequestUsage(), attempts=(), from_cache=mark, warnings=warnings)

    async def find_entry(self) -> Entry | None:
        """Do the same as `find`, and return the entry."""
        if self.options.mode == 'refresh':
            return None
        with self.deadlines.track_time():
            entry = await self._read()
            if entry is None and self.options.mode == 'only':
                raise CacheMissError(self.model_name)
            if entry is None and self.flights is not None:
                entry = await self._lead_or_follow(self.flights)
        if entry is not None:
            notify(CacheHit(entry.age))
        return entry

    async def keep(self, response: ModelResponse, fragments: Fragments = ()) -> None:
        """Give the response to the callers that wait for it, and store it if it can be stored."""
        own = [warning for warning in response.warnings if warning not in self.warnings]
        value = encode_entry(replace(response, warnings=own), fragments)
        if value is None:
            self.leave('failed')
            return
        if self.flight is not None:
            self.flight.end(value)  # it stays among the flights until it is stored
        try:
            with self.deadlines.track_time():
                await self.store.set(self.key, value, self.options.ttl, self.deadlines.seconds_left('timeout'))
        finally:
            self.leave('left')

    def leave(self, ending: Ending) -> None:
        """End the request, if it has not ended."""
        flight, self.flight = self.flight, None
        if flight is not None and self.flights is not None:
            self.flights.remove(self.key, flight)
            flight.end(ending)

    def fail(self, error: LLMError) -> None:
        """End the request with an error of the model. After a timeout, another request may have more time."""
        self.leave('left' if isinstance(error, ModelTimeoutError) else 'failed')

    @contextmanager
    def leading(self) -> Generator[None]:
        """End the request with the block, also if the block raises or is cancelled."""
        try:
            yield
        except LLMError as error:
            self.fail(error)
            raise
        finally:
            self.leave('left')

    def set_idle(self, *, is_idle: bool) -> None:
        """Record whether the stream of this request waits for its reader."""
        if self.flight is not None:
            self.flight.idle_since = time.monotonic() if is_idle else None

    async def _read(self) -> Entry | None:
        value = await self.store.get(self.key, self.deadlines.seconds_left())
        return None if value is None else decode_entry(value, self.options.ttl)

    async def _lead_or_follow(self, flights: Flights) -> Entry | None:
        """Lead a flight, or follow one and return its response; `None` if the request must be sent."""
        while True:
            flight, is_new = flights.join(self.key)
            if is_new:
                self.flight = flight
                return await self._read_as_leader()
            left = self.deadlines.seconds_left()
            outcome = await flight.follow(None if left is None else left * PATIENCE)
            if outcome != 'left':
                return decode_entry(outcome, self.options.ttl) if isinstance(outcome, bytes) else None

    async def _read_as_leader(self) -> Entry | None:
        """Read again: the last flight may have ended between the first time and the start of this one."""
        entry = None
        try:
            entry = await self._read()
        except BaseException:
            self.leave('left')
            raise
        if entry is not None:
            self.leave('left')  # the others find it too
        return entry
