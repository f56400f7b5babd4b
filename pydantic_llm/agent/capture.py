"""`capture_run_messages`: access to the messages of a run that raised."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from ..messages import ModelMessage

__all__ = ('capture_run_messages', 'new_message_list')


@dataclass
class _Capture:
    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    is_used: bool = False


_capture: ContextVar[_Capture | None] = ContextVar('captured_run_messages', default=None)


@contextmanager
def capture_run_messages() -> Generator[list[ModelMessage]]:
    """Yield a list that is filled with the messages of the first run inside the `with` block, even if the run raises.

    The list can be passed as `message_history`: every tool call in it has a result. Results of tools that finished are
    kept; tool calls that an error or a cancellation interrupted get a result with outcome `interrupted`.
    """
    capture = _Capture()
    token = _capture.set(capture)
    try:
        yield capture.messages
    finally:
        _capture.reset(token)


def new_message_list() -> list[ModelMessage]:
    """Return an empty list for the messages of a run: the captured list for the first run inside a block."""
    capture = _capture.get()
    if capture is None or capture.is_used:
        return []
    capture.is_used = True
    return capture.messages
