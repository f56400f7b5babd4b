"""The history of a request, repaired unless all of it is known from an earlier request: `repair_history`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .._type_checks import check_messages
from ..messages import ModelMessage
from ..messages.history import repair
from .history import drop_compacted_messages
from .known import EncodingTarget, KnownHistory, find_known
from .texts import repair_texts

__all__ = ('RepairedHistory', 'repair_history')


class RepairedHistory(NamedTuple):
    """The messages, and what was changed in them."""

    messages: Sequence[ModelMessage]
    known: KnownHistory | None = None
    """What is known about the messages, which then need no repair."""
    notes: Sequence[str] = ()
    """Sentences about changes of tool calls and results."""
    has_new_texts: bool = False
    """True if characters that cannot be encoded were replaced."""


def repair_history(messages: Sequence[ModelMessage], target: EncodingTarget, system: str) -> RepairedHistory:
    """Return the messages, repaired unless they are known. Messages with a summary are never known."""
    if (known := find_known(messages, target)) is not None:
        return RepairedHistory(messages, known)
    check_messages(messages)
    needed = drop_compacted_messages(messages, system, target.rules)
    valid = repair_texts(needed)
    repaired, notes = repair(valid)
    return RepairedHistory(repaired, None, notes, valid is not needed)
