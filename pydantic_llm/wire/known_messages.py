"""What is known about one message: `recall` returns it, and examines a message that is new or that changed.

A message is examined against the rules of one target. What was found is kept in a slot of the message, so it lives as
long as it, with the fields that were read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from types import NoneType
from typing import Any, cast

from .._type_checks import USER_CONTENT
from ..messages import (
    CachePoint,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ..profiles.history import HistoryRules
from .arguments import fit_arguments
from .known_templates import Template
from .snapshot import take_snapshot
from .texts import is_valid_text

SLOT = '_known'
"""The slot of a message that keeps its `KnownMessage`."""

FIELDS: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    SystemPromptPart: attrgetter('part_kind', 'content'),
    UserPromptPart: attrgetter('part_kind', 'content'),
    ToolReturnPart: attrgetter('part_kind', 'content', 'tool_name', 'tool_call_id', 'outcome'),
    RetryPromptPart: attrgetter('part_kind', 'content', 'tool_name', 'tool_call_id'),
    TextPart: attrgetter('part_kind', 'content', 'id', 'provider_name', 'provider_details'),
    ThinkingPart: attrgetter('part_kind', 'content', 'id', 'signature', 'provider_name', 'provider_details'),
    ToolCallPart: attrgetter(
        'part_kind', 'args', 'tool_name', 'tool_call_id', 'id', 'provider_name', 'provider_details'
    ),
}
"""The fields of each part that decide how it is sent. Parts of other types are never known."""

NO_CALLS: dict[str, str] = {}
NO_IDS: frozenset[str] = frozenset()

RESULT, SYSTEM, PROMPT = range(3)
"""The order of the parts of a request that every API accepts."""


@dataclass(slots=True, eq=False)
class EncodingTarget:
    """Everything but the message that decides how a message is checked and encoded. Compared by identity."""

    rules: HistoryRules
    supports_tools: bool
    get_response_fields: Callable[[ModelResponse], object] | None
    """Returns the fields of a response, other than its parts, that decide how it is encoded."""
    accepts_name: Callable[[str], object]
    accepts_id: Callable[[str], object]
    base_url: str | None = None
    templates: dict[object, Template | None] = field(default_factory=dict[object, 'Template | None'])
    """The templates of messages, by what they have in common; `None` for those that have none."""

    @classmethod
    def of(
        cls,
        rules: HistoryRules,
        *,
        supports_tools: bool,
        response_fields: Sequence[str] = (),
        base_url: str | None = None,
    ) -> EncodingTarget:
        """Return a new target."""
        get_fields = attrgetter(*response_fields) if response_fields else None
        names, ids = re.compile(rules.tool_names), re.compile(rules.call_ids)
        return cls(rules, supports_tools, get_fields, names.fullmatch, ids.fullmatch, base_url)


class Facts:
    """What was found about the parts of a message. Messages of one plain text share it."""

    __slots__ = ('calls', 'has_items', 'is_nested', 'kinds', 'rank', 'results')

    def __init__(self, *kinds: type, rank: int = RESULT) -> None:
        self.kinds: tuple[type, ...] = kinds
        """The types of the parts."""
        self.rank: int = rank
        """The rank of the last part of a request."""
        self.is_nested: bool = False
        """True if a field is not a text, and may change inside."""
        self.has_items: bool = False
        """True if a user prompt is a list of texts and files."""
        self.calls: dict[str, str] = NO_CALLS
        """The names of the tools that the message calls, by the ids of the calls."""
        self.results: dict[str, str] = NO_CALLS
        """The names of the tools whose results the message has, by the ids of the calls."""


class KnownMessage:
    """What was found about a message, for one target. True while `fields` are those of the message."""

    __slots__ = ('facts', 'fields', 'json', 'notes', 'other', 'sent_ids', 'target')

    def __init__(self, target: EncodingTarget, fields: Any, facts: Facts) -> None:
        self.target: EncodingTarget = target
        self.fields: Any = fields
        """The fields of the parts when the message was examined; their snapshot if one of them is not a text."""
        self.facts: Facts = facts
        self.json: bytes | None = None
        """The message in the form of the API: JSON objects separated by commas. `None` before it was encoded."""
        self.notes: Sequence[str] = ()
        """The warnings of this encoding."""
        self.sent_ids: frozenset[str] | None = NO_IDS
        """The ids of items in this encoding, if the API has them; `None` if they depend on other messages."""
        self.other: KnownMessage | None = None
        """The same for another target, such as the second model of a fallback."""

    def __reduce__(self) -> Any:
        """Leave this out of copies and pickles of a message."""
        return NoneType, ()


def get_fields(message: ModelMessage, target: EncodingTarget) -> Any:
    """Return the fields that decide how a message is sent. Raises `KeyError` for a part that is never known."""
    parts = message.parts
    if len(parts) == 1:
        part = parts[0]
        fields: Any = FIELDS[type(part)](part)
    else:
        fields = [FIELDS[type(part)](part) for part in parts]
    if type(message) is ModelResponse and target.get_response_fields:
        fields = fields, target.get_response_fields(message)
    return fields


def recall(
    message: ModelMessage, fields: Any, target: EncodingTarget, before: KnownMessage | None
) -> KnownMessage | None:
    """Return what is known about a message with these fields, after it was examined if it is new or changed.

    `before` is what its slot has, for whatever target. `None` if the message may need a repair.
    """
    known = before if before is None or before.target is target else before.other
    if known is None or known.target is not target or not _has_fields(known, fields):
        known = _examine(message, fields, target)
        if known is None:
            return None
    if known is not before and known.fields is not None:
        if before is not None:
            known.other = before if before.target is not target else None
            before.other = None
        setattr(message, SLOT, known)
    return known


def _has_fields(known: KnownMessage, fields: Any) -> bool:
    return bool(known.fields == (take_snapshot(fields) if known.facts.is_nested else fields))


# ---------------------------------------------------------------------- a new message

USER_TEXT, MODEL_TEXT = Facts(UserPromptPart, rank=PROMPT), Facts(TextPart)


def _examine(message: ModelMessage, fields: Any, target: EncodingTarget) -> KnownMessage | None:
    """Return what is known about a message that needs no repair by itself, `None` for any other."""
    parts, checks = message.parts, CHECKS.get(type(message))
    if checks is None or not parts or type(parts) not in (list, tuple):
        return None
    if len(parts) == 1 and (plain := _examine_text(parts[0], checks)) is not None:
        return KnownMessage(target, fields, plain)
    facts = Facts(*[type(part) for part in parts])
    for part in parts:
        if not checks[type(part)](part, facts, target):
            return None
    if facts.is_nested:
        fields = take_snapshot(fields)  # `None` for an object of the application, whose fields may change unseen
    return KnownMessage(target, fields, facts)


def _examine_text(part: object, checks: Mapping[type, Check]) -> Facts | None:
    """Return the facts of the most frequent messages, those of one text that every API accepts."""
    if type(part) not in checks:
        return None
    if type(part) is UserPromptPart:
        content: object = part.content
        return USER_TEXT if type(content) is str and content.isascii() and content.strip() else None
    if type(part) is TextPart and part.id is None and part.provider_details is None:
        content, name = part.content, part.provider_name
        is_plain = type(content) is str and content.isascii() and content.strip()
        return MODEL_TEXT if is_plain and (name is None or (type(name) is str and name.isascii())) else None
    return None


def _check_text(text: object, target: EncodingTarget) -> bool:
    """Return whether a text can be sent as it is."""
    if type(text) is not str or not (text.isascii() or is_valid_text(text)):
        return False
    return target.rules.blank_text == 'accepted' or not (text.isspace() or not text)


def _check_optional(*texts: object) -> bool:
    """Return whether each value is `None` or a text that can be encoded."""
    return all(text is None or (type(text) is str and is_valid_text(text)) for text in texts)


def _follow(facts: Facts, rank: int) -> bool:
    """Record the rank of the next part; return whether it may follow the parts before it."""
    before, facts.rank = facts.rank, rank
    return before <= rank


def _check_system_prompt(part: SystemPromptPart, facts: Facts, target: EncodingTarget) -> bool:
    return _follow(facts, SYSTEM) and _check_text(part.content, target)


def _check_user_prompt(part: UserPromptPart, facts: Facts, target: EncodingTarget) -> bool:
    content: object = part.content
    if not _follow(facts, PROMPT):
        return False
    if type(content) is str:
        return _check_text(content, target)
    facts.is_nested = facts.has_items = True
    is_list = type(content) in (list, tuple) and bool(content)
    return is_list and all(_check_item(item, target) for item in cast('Sequence[object]', content))


def _check_item(item: object, target: EncodingTarget) -> bool:
    text = item.content if isinstance(item, TextContent) else item
    if isinstance(text, str):
        return _check_text(text, target)
    return isinstance(item, USER_CONTENT) and not isinstance(item, CachePoint)


def _check_tool_return(part: ToolReturnPart, facts: Facts, target: EncodingTarget) -> bool:
    content: object = part.content
    if content == '' and type(content) is str:
        is_accepted = target.rules.empty_results
    elif type(content) is str:
        is_accepted = _check_text(content, target)
    else:
        facts.is_nested = True
        texts = [item for item in part.items() if isinstance(item, str)]
        is_accepted = is_valid_text(content) and not part.files and all(_check_text(text, target) for text in texts)
    return is_accepted and _check_result(part.tool_call_id, part.tool_name, facts, target)


def _check_retry_prompt(part: RetryPromptPart, facts: Facts, target: EncodingTarget) -> bool:
    if type(part.content) is not str:
        facts.is_nested = True
    if type(part.content) not in (str, list) or not is_valid_text(part.content):
        return False
    if part.tool_name is None:
        return _check_optional(part.tool_call_id) and _follow(facts, PROMPT)
    return _check_result(part.tool_call_id, part.tool_name, facts, target)


def _check_result(id: str, name: str, facts: Facts, target: EncodingTarget) -> bool:
    """Return whether the result of a call can be sent, and add it to the results of the message."""
    if facts.results is NO_CALLS:
        facts.results = {}
    return _follow(facts, RESULT) and _add_call(id, name, facts.results, target)


def _add_call(id: object, name: object, calls: dict[str, str], target: EncodingTarget) -> bool:
    """Return whether the id and the name of a call can be sent as they are, and add them to `calls`."""
    if type(id) is not str or type(name) is not str or not id or id in calls or not target.supports_tools:
        return False
    calls[id] = name
    is_valid = (id.isascii() or is_valid_text(id)) and (name.isascii() or is_valid_text(name))
    return is_valid and bool(target.accepts_id(id) and target.accepts_name(name))


def _check_response_text(part: TextPart, facts: Facts, target: EncodingTarget) -> bool:
    if not (_check_details(part, facts) and type(part.content) is str and is_valid_text(part.content)):
        return False
    if part.content and not part.content.isspace():
        return True
    is_signed = isinstance((part.provider_details or {}).get('thought_signature'), str)
    return target.rules.blank_text == 'accepted' or (is_signed and target.rules.blank_text == 'refused_unsigned')


def _check_thinking(part: ThinkingPart, facts: Facts, target: EncodingTarget) -> bool:
    is_text = type(part.content) is str and _check_optional(part.content, part.signature)
    return is_text and _check_details(part, facts)


def _check_call(part: ToolCallPart, facts: Facts, target: EncodingTarget) -> bool:
    args: object = part.args
    if isinstance(args, dict):
        facts.is_nested = True
    elif not _check_optional(args):
        return False
    if facts.calls is NO_CALLS:
        facts.calls = {}
    return (
        _add_call(part.tool_call_id, part.tool_name, facts.calls, target)
        and _check_details(part, facts)
        and fit_arguments(part.args, accepts_text=target.rules.malformed_arguments) is args
    )


def _check_details(part: TextPart | ThinkingPart | ToolCallPart, facts: Facts) -> bool:
    """Return whether the vendor's id and data of a part can be sent."""
    if part.provider_details is not None:
        facts.is_nested = True
        if not is_valid_text(part.provider_details):
            return False
    return _check_optional(part.id, part.provider_name)


Check = Callable[[Any, Facts, EncodingTarget], bool]
"""Returns whether a part can be sent as it is, and adds to what is known about its message."""

CHECKS: dict[type, dict[type, Check]] = {
    ModelRequest: {
        SystemPromptPart: _check_system_prompt,
        UserPromptPart: _check_user_prompt,
        ToolReturnPart: _check_tool_return,
        RetryPromptPart: _check_retry_prompt,
    },
    ModelResponse: {TextPart: _check_response_text, ThinkingPart: _check_thinking, ToolCallPart: _check_call},
}
"""The check of each part, by the type of the message. A part that is not here may need a repair."""
