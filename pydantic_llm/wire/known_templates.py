"""Writes messages of one plain part by templates: the JSON of such a message, with gaps for its texts.

Most messages of a conversation are one text, one tool call or one tool result, and differ in their texts alone. So the
room encodes one of each kind, with marks in place of its texts (`find_template`), and the others are written by filling
in theirs: a fifth of the time. A message with anything that could change the JSON around its texts has no template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from pydantic_core import to_json

from ..json_types import Json
from ..messages import ModelMessage, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from .json_body import write_json

MARKS: dict[str, str] = {name: f'pydantic_llm_mark_{name}' for name in ('content', 'tool_name', 'tool_call_id')}
"""Field of a part -> the text in its place."""

ARGUMENTS: Json = {'pydantic_llm_mark_args': 0}
"""The arguments in place of those of a tool call."""

GAPS: dict[bytes, str] = {
    **{to_json(mark): name for name, mark in MARKS.items()},
    to_json(ARGUMENTS): 'args',
    to_json(to_json(ARGUMENTS).decode()): 'args_text',
}
"""The JSON of a mark -> the name of the gap."""

GAP = re.compile(b'|'.join(re.escape(mark) for mark in sorted(GAPS, key=len, reverse=True)))
ANY_MARK = b'pydantic_llm_mark_'

MAX_TEMPLATES = 64
"""The number of templates of a target. They differ by the names of vendors, which a history may have many of."""

T = TypeVar('T')
EncodeAlone = Callable[[ModelMessage], tuple[bytes, list[str]]]
"""Returns the JSON of a message, and the warnings about it."""


@dataclass(slots=True, frozen=True)
class Template:
    """The JSON of a message, in pieces between its gaps."""

    pieces: tuple[bytes, ...]
    gaps: tuple[str, ...]

    def fill(self, part: Any) -> bytes:
        """Return the JSON with the texts of a part."""
        if len(self.gaps) == 1:
            before, after = self.pieces
            return b'%b%b%b' % (before, to_json(part.content), after)
        return b''.join(self._iterate_pieces(part))

    def _iterate_pieces(self, part: Any) -> Iterator[bytes]:
        yield self.pieces[0]
        for gap, piece in zip(self.gaps, self.pieces[1:], strict=True):
            match gap:
                case 'args':
                    yield write_json(part.args_as_dict(raise_if_invalid=False))
                case 'args_text':
                    yield to_json(part.args_as_json_str())
                case name:
                    yield to_json(getattr(part, name))
            yield piece


def write_by_template(
    message: ModelMessage,
    templates: dict[object, Template | None],
    others: object,
    encode: EncodeAlone,
    *,
    is_text: bool = False,
) -> bytes | None:
    """Return the JSON of a message whose only part is plain, `None` for any other. `others` decide with the part.

    `is_text` is true for a message that is known to be one text.
    """
    part: Any = message.parts[0]
    if is_text:
        kind = part.provider_name if type(part) is TextPart else None
    elif len(message.parts) > 1 or (kind := _find_kind(part)) is None:
        return None
    key: object = (part.part_kind, kind or '', others)
    template = templates.get(key)
    if template is None:
        if key in templates:
            return None
        if len(templates) >= MAX_TEMPLATES:
            templates.clear()
        templates[key] = template = _make_template(message, part, encode)
    return None if template is None else template.fill(part)


def _find_kind(part: Any) -> str | None:
    """Return what decides, with its type, how a plain part is encoded around its texts; `None` for any other part."""
    kind: Any = part.__class__
    if kind is UserPromptPart or kind is ToolReturnPart:
        is_plain = type(part.content) is str and bool(part.content.strip())
        outcome: str = part.outcome if kind is ToolReturnPart else ''
        return outcome if is_plain else None
    if (kind is TextPart or kind is ToolCallPart) and part.id is None and part.provider_details is None:
        is_plain = bool(part.args if kind is ToolCallPart else part.content.strip())
        return (part.provider_name or '') if is_plain else None
    return None


def _make_template(message: ModelMessage, part: Any, encode: EncodeAlone) -> Template | None:
    """Return the template of messages like this one, if their JSON differs in their texts alone."""
    marks: dict[str, Any] = {name: mark for name, mark in MARKS.items() if hasattr(part, name)}
    if isinstance(part, ToolCallPart):
        marks['args'] = ARGUMENTS
    marked: Any = replace(cast('Any', message), parts=[replace(part, **marks)])
    json, notes = encode(marked)
    found = [GAPS[mark] for mark in GAP.findall(json)]
    is_complete = len(found) == len({*found}) == json.count(ANY_MARK) and ('content' in found or 'args' in marks)
    return Template(tuple(GAP.split(json)), tuple(found)) if is_complete and not notes else None
