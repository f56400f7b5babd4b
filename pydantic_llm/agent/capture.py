"""Getting at the messages of a run that raised."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from ..messages import ModelMessage

__all__ = ('capture_run_messages', 'messages_of_a_new_run')


@dataclass
class _Captured:
    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    taken: bool = False


_captured: ContextVar[_Captured | None] = ContextVar('captured_run_messages', default=None)


@contextmanager
def capture_run_messages() -> Generator[list[ModelMessage]]:
    """A list that holds the messages of the first run inside the `with` block, also when the run raises.

    It can be passed on as `message_history`: every call in it has an answer, also those that an error or a cancellation
    cut off, and the answers of tools that were done are kept.
    """
    captured = _Captured()
    token = _captured.set(captured)
    try:
        yield captured.messages
    finally:
        _captured.reset(token)


def messages_of_a_new_run() -> list[ModelMessage]:
    """An empty list for the messages of a run: the one that is being captured, for the first run that asks."""
    captured = _captured.get()
    if captured is None or captured.taken:
        return []
    captured.taken = True
    return captured.messages
