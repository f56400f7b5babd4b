"""Listeners for the headers of responses: by these the rate limiter learns what a vendor still allows.

A `WireModel` notifies the listeners of its task; `listen` registers one while a block runs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[Mapping[str, str]], None]
"""A function that takes the headers of a response."""

_listeners: ContextVar[tuple[Listener, ...]] = ContextVar('pydantic_llm_listeners', default=())


def notify(headers: Mapping[str, str]) -> None:
    """Pass the headers to all active listeners."""
    for listener in _listeners.get():
        listener(headers)


@contextmanager
def listen(listener: Listener) -> Generator[None]:
    """Register a listener for the requests that are made in the block."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)
