"""Listeners for what happens to a request on its way: retries, fallbacks, hedges, headers, hits of a cache.

A part of this package calls `notify` with an event; `listen` registers a function for the events of the requests that
are made in a block. Events are frozen dataclasses, and each package may define its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType

__all__ = (
    'AttemptFailed',
    'CacheHit',
    'HeadersReceived',
    'HedgeStarted',
    'Listener',
    'Listening',
    'ModelFailed',
    'is_observed',
    'listen',
    'notify',
)

Listener = Callable[[object], None]
"""A function that takes an event. It must be fast, and must not raise: it runs inside the request."""


@dataclass(frozen=True, slots=True)
class HeadersReceived:
    """The headers of a response arrived, also of one with an error status."""

    headers: Mapping[str, str]
    find_keys: Callable[[], Iterable[str]] = field(default=tuple[str, ...], repr=False, compare=False)
    """Returns the keys of the request, to hide them in what is written of the response."""


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt failed, and the same request is sent again."""

    error: Exception
    wait: float
    """Seconds until the next attempt."""


@dataclass(frozen=True, slots=True)
class ModelFailed:
    """A model inside another one failed, or its response was rejected; the next one gets the request, if any."""

    model_id: str
    error: Exception


@dataclass(frozen=True, slots=True)
class CacheHit:
    """A stored response was returned, and no request was sent."""

    age_seconds: float
    """Seconds since the response was stored."""


@dataclass(frozen=True, slots=True)
class HedgeStarted:
    """A deployment of a router was slow to respond, so the request was sent to a second one too."""

    model_id: str
    """The id of the second model."""
    slow_model_id: str
    """The id of the first model, which still may respond first."""
    seconds: float
    """Seconds that the first model had by then."""


_listeners: ContextVar[tuple[Listener, ...]] = ContextVar('pydantic_llm_listeners', default=())


def is_observed() -> bool:
    """Return whether there is a listener: if not, an event that is costly to build is not needed."""
    return bool(_listeners.get())


def notify(event: object) -> None:
    """Pass an event to all listeners of the current task."""
    for listener in _listeners.get():
        listener(event)


def listen(listener: Listener) -> Listening:
    """Register a listener for the requests that are made in a `with` block, and in tasks that are started in it."""
    return Listening(listener)


class Listening:
    """A `with` block in which there is a listener. A class and not a generator, since some streams use many."""

    __slots__ = ('_listener', '_token')

    _token: Token[tuple[Listener, ...]]

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def __enter__(self) -> None:
        self._token = _listeners.set((*_listeners.get(), self._listener))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _listeners.reset(self._token)
