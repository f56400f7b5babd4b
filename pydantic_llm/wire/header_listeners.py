"""The headers of an answer, for whoever listens: models that keep to limits learn from them.

A model behind an API tells; who listens does so only while it waits for a model that it has asked.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[Mapping[str, str]], None]
"""Gets the headers of an answer."""

_listeners: ContextVar[tuple[Listener, ...]] = ContextVar('pydantic_llm_listeners', default=())


def tell_headers(headers: Mapping[str, str]) -> None:
    """Tell everybody who listens."""
    for listener in _listeners.get():
        listener(headers)


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """Listen while in the block."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)
