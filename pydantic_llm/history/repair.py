"""`repair_history`: makes a history of any origin one that every API accepts.

The same functions prepare each request; they are in `messages.history`, `wire.history` and `wire.turns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .._type_checks import check_messages
from ..messages import ModelMessage
from ..messages.history import repair
from ..profiles.history import EVERY_API
from ..wire.history import fit_history
from ..wire.texts import REPLACED_CHARACTERS, repair_texts
from ..wire.turns import HistoryTarget

__all__ = ('RepairedHistory', 'repair_history')


@dataclass(frozen=True, slots=True)
class RepairedHistory:
    """A history, and what was changed in it."""

    messages: list[ModelMessage]
    changes: list[str]
    """One sentence for each change; empty if nothing was changed."""


def repair_history(messages: Sequence[ModelMessage]) -> RepairedHistory:
    """Return the history in a form that every API accepts, and what was changed.

    Each tool call has one result, which follows it, and no result is without its call; no message is empty, no text is
    blank, arguments are JSON objects, and names of tools are valid. The given messages are not changed. A model does
    the same for each request, with the rules of its API, so this is only needed to read the changes or to store the
    result. Raises `UserError` if the value is not a list of messages, or if nothing in it can be sent.
    """
    check_messages(messages)
    texts = repair_texts(messages)
    repaired, changes = repair(texts)
    if texts is not messages:
        changes.insert(0, REPLACED_CHARACTERS)
    target = HistoryTarget(
        system=None,
        model_name='some models',
        rules=EVERY_API,
        tools=frozenset(),
        supports_tools=True,
        instructions=[],
        note=changes.append,
    )
    return RepairedHistory(list(fit_history(repaired, target)), list(dict.fromkeys(changes)))
