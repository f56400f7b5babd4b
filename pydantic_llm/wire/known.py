"""Finds in one pass that a history can be sent as it is, and keeps what was found with each message.

Start at `find_known`. Most histories need no repair, and the messages of a conversation are sent again with each of its
turns. So each message is examined once (`known_messages`), and encoded once (`known_templates` for those of one part).
A message whose fields changed is examined again. A history with anything that may need a repair is left to the passes
of `history` and `turns`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Protocol, TypeVar

from ..json_types import Json
from ..messages import ModelMessage, ModelResponse, SystemPromptPart
from ..profiles.history import HistoryRules
from .json_body import write_items
from .known_messages import (
    FIELDS,
    MODEL_TEXT,
    NO_CALLS,
    NO_IDS,
    PROMPT,
    SLOT,
    USER_TEXT,
    EncodingTarget,
    KnownMessage,
    get_fields,
    recall,
)
from .known_templates import EncodeAlone, write_by_template

__all__ = ('EncodedRequest', 'EncodingTarget', 'KnownHistory', 'find_known')

T = TypeVar('T')

EncodeMessage = Callable[[ModelMessage], Iterable[Json]]
FindIds = Callable[[ModelMessage], frozenset[str] | None]


class EncodedRequest(Protocol):
    """A request that collects warnings while it is encoded."""

    def encode_alone(self, encode: Callable[[], T]) -> tuple[T, list[str]]:
        """Return the result of `encode` and the warnings about it, which the request does not get."""
        ...

    def add_warnings(self, sentences: Iterable[str]) -> None:
        """Add warnings that were collected before, each once."""
        ...


class KnownHistory:
    """What was found about the messages of one request."""

    def __init__(self, messages: Sequence[ModelMessage], known: list[KnownMessage], rules: HistoryRules) -> None:
        self.messages = messages
        self.rules = rules
        self._known = known
        self._facts = {each.facts for each in islice(known, 1, None)}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def has_items(self) -> bool:
        """True if a user prompt is a list of texts and files."""
        return self._known[0].facts.has_items or any(facts.has_items for facts in self._facts)

    def has_later(self, kind: type) -> bool:
        """Return whether a message after the first one has a part of this type."""
        return any(kind in facts.kinds for facts in self._facts)

    def has_last(self, kind: type) -> bool:
        """Return whether the last part of a message has this type."""
        return self._known[0].facts.kinds[-1] is kind or any(facts.kinds[-1] is kind for facts in self._facts)

    def encode(
        self,
        request: EncodedRequest,
        encode_message: EncodeMessage,
        first: int = 0,
        last: int | None = None,
        find_ids: FindIds | None = None,
    ) -> list[bytes]:
        """Return the JSON of each message from `first` to `last`; messages that were not encoded before are now.

        `encode_message` returns the objects of one message. They must depend on the message and the target alone.
        `find_ids` returns the ids of the items in a message, which the API accepts only once; the fields of responses
        that the target reads then decide about ids alone.
        """

        def encode_alone(message: ModelMessage) -> tuple[bytes, list[str]]:
            return request.encode_alone(lambda: write_items(list(encode_message(message))))

        chunks: list[bytes] = []
        for index, known in enumerate(self._known[first:last], first):
            if known.json is None:
                _encode_new(self.messages[index], known, encode_alone, find_ids)
            if known.notes:
                request.add_warnings(known.notes)
            if known.json:
                chunks.append(known.json)
        return chunks

    def has_unique_ids(self) -> bool:
        """Return whether no two messages have items with the same id, or ids that depend on other messages."""
        sent: set[str] = set()
        for known in self._known:
            if known.sent_ids is not NO_IDS:
                if known.sent_ids is None or not sent.isdisjoint(known.sent_ids):
                    return False
                sent |= known.sent_ids
        return True


def _encode_new(message: ModelMessage, known: KnownMessage, encode: EncodeAlone, find_ids: FindIds | None) -> None:
    """Encode a message for the first time."""
    target, others = known.target, None
    is_text = known.facts is USER_TEXT or known.facts is MODEL_TEXT
    if target.get_response_fields is not None and find_ids is None and isinstance(message, ModelResponse):
        others = target.get_response_fields(message)
    known.json = write_by_template(message, target.templates, others, encode, is_text=is_text)
    if known.json is None:
        known.json, known.notes = encode(message)
    if find_ids is not None and not is_text:
        known.sent_ids = find_ids(message)


def find_known(messages: Sequence[ModelMessage], target: EncodingTarget) -> KnownHistory | None:
    """Return what is known about the messages, or `None` if one may need a repair, or is not valid."""
    if not isinstance(messages, (list, tuple)):
        return None  # a generator, which can be read once
    rules = target.rules
    if rules.alternates or not rules.user_after_result or rules.system_prompts == 'never':
        return None  # messages may have to be joined or moved
    try:
        known = _find_known(messages, target)
    except (AttributeError, KeyError, RecursionError, TypeError):  # no history: the other passes say why
        return None
    if not known or not (_is_from_user(known[0]) and _is_from_user(known[-1])):
        return None
    history = KnownHistory(messages, known, rules)
    return None if rules.system_prompts == 'first' and history.has_later(SystemPromptPart) else history


def _find_known(messages: Sequence[ModelMessage], target: EncodingTarget) -> list[KnownMessage] | None:
    """Return what is known about each message, if each tool call has its result in the next message."""
    found: list[KnownMessage] = []
    ids: set[str] = set()
    unanswered = NO_CALLS
    get_response_fields = target.get_response_fields
    for message in messages:
        parts = message.parts
        if len(parts) == 1:  # as `get_fields` does it, without a call
            part = parts[0]
            fields: Any = FIELDS[type(part)](part)
            if get_response_fields and type(message) is ModelResponse:
                fields = fields, get_response_fields(message)
        else:
            fields = get_fields(message, target)
        known: KnownMessage | None = getattr(message, SLOT, None)
        if known is None or known.target is not target or known.fields != fields:
            known = recall(message, fields, target, known)
            if known is None:
                return None
        facts = known.facts
        if facts.results is not unanswered and facts.results != unanswered:
            return None
        unanswered = facts.calls
        if unanswered:
            if not ids.isdisjoint(unanswered):
                return None
            ids.update(unanswered)
        found.append(known)
    return None if unanswered else found


def _is_from_user(known: KnownMessage) -> bool:
    """Return whether the message has content of the user or a tool result."""
    return known.facts.rank == PROMPT or known.facts.results is not NO_CALLS
