"""Read arguments that are nested elements, as MiniMax M3 writes them: `<city>` and `</city>`, with a mark before each.

An element of elements is an object, or a list if all of these are `<item>`; the tool's schema decides if it says more
(`typed_args`). https://github.com/ml-explore/mlx-lm/pull/1416, https://github.com/lablup/mlxcel/issues/770
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..thinking import count_overlap
from .json_text import to_args
from .marked import Marks
from .partial_args import Opening
from .reader import ArgsPiece, ToolCall
from .unquoted import decode_unquoted

__all__ = ('ELEMENT_MARK', 'MINIMAX_3', 'Element', 'ElementArgs')

ELEMENT_MARK = ']<]minimax[>['
"""The text before each tag."""

TAG = re.compile(rf'{re.escape(ELEMENT_MARK)}\s*<(?P<end>/?)(?P<name>[^<>]+)>')
CALL = re.compile(rf'\s*{re.escape(ELEMENT_MARK)}\s*<invoke\s+name=["\']?(?P<name>[\w.\-]+)["\']?\s*>')
CALL_END = f'{ELEMENT_MARK}</invoke>'

LONGEST_TAG = 200
"""The number of characters after which a mark does not begin a tag."""

MOST_LEVELS = 50
"""The most elements in one another. The tags of deeper ones are text."""


@dataclass(frozen=True, slots=True)
class Element:
    """An argument, or a part of one."""

    text: str
    """The text outside of its elements."""
    children: Sequence[tuple[str, Element]] = ()

    @property
    def is_list(self) -> bool:
        """True if its elements are the items of a list, unless a schema says otherwise."""
        return all(name == 'item' for name, _ in self.children)

    @property
    def fields(self) -> dict[str, Element]:
        """Its elements by name. Those with the same name are the items of one list."""
        grouped: dict[str, list[Element]] = {}
        for name, child in self.children:
            grouped.setdefault(name, []).append(child)
        if self.text.strip():
            grouped.setdefault('$text', []).append(Element(self.text))
        return {name: same[0] if len(same) == 1 else make_list(same) for name, same in grouped.items()}

    @property
    def value(self) -> Any:
        """The value, without a schema."""
        if not self.children:
            return decode_unquoted(self.text)
        if self.is_list and not self.text.strip():
            return [child.value for _, child in self.children]
        return {name: field.value for name, field in self.fields.items()}


def make_list(items: Sequence[Element]) -> Element:
    """Return an element that is a list."""
    return Element('', [('item', item) for item in items])


class ElementArgs:
    """Reads arguments that are elements while they stream, each one at its last tag."""

    def __init__(self) -> None:
        self._held = ''
        """Text that may be the beginning of a tag."""
        self._open: list[tuple[str, list[str], list[tuple[str, Element]]]] = []
        """The name, the texts and the elements of each element that has no end yet."""

    def feed(self, text: str) -> Iterator[ArgsPiece]:
        held, at = self._held + text, 0
        for tag in TAG.finditer(held):
            self._add_text(held[at : tag.start()])
            at = tag.end()
            yield from self._end_element(tag) if tag['end'] else self._start_element(tag)
        rest = held[at:]
        undecided = _count_undecided(rest)
        self._add_text(rest[: len(rest) - undecided])
        self._held = rest[len(rest) - undecided :]

    def close(self) -> Iterator[ArgsPiece]:
        """Yield the argument that has no end."""
        self._add_text(self._held)
        while self._open:
            yield from self._end_last()

    def _add_text(self, text: str) -> None:
        if self._open and text:
            self._open[-1][1].append(text)

    def _start_element(self, tag: re.Match[str]) -> Iterator[ArgsPiece]:
        if len(self._open) < MOST_LEVELS:
            self._open.append((tag['name'].strip(), [], []))
        else:
            self._add_text(tag[0])
        return iter(())

    def _end_element(self, tag: re.Match[str]) -> Iterator[ArgsPiece]:
        """End an element, and those in it without an end. A tag that ends none is text."""
        name = tag['name'].strip()
        if not any(each[0] == name for each in self._open):
            self._add_text(tag[0])
            return
        while self._open:
            is_last = self._open[-1][0] == name
            yield from self._end_last()
            if is_last:
                return

    def _end_last(self) -> Iterator[ArgsPiece]:
        name, texts, children = self._open.pop()
        element = Element(''.join(texts), children)
        if self._open:
            self._open[-1][2].append((name, element))
        else:
            yield name, element, element.text


def _count_undecided(text: str) -> int:
    """Return the number of characters at the end of a text that may be the beginning of a tag."""
    at = text.rfind(ELEMENT_MARK)
    if at >= 0 and '>' not in text[at + len(ELEMENT_MARK) :] and len(text) - at < LONGEST_TAG:
        return len(text) - at
    return count_overlap(text, (ELEMENT_MARK,))


def decode_elements(body: str) -> list[ToolCall] | None:
    """Decode the calls between the marks around them."""
    calls: list[ToolCall] = []
    for text in body.split(CALL_END):
        head = CALL.search(text)
        if head is not None:
            reader, written = ElementArgs(), text[head.end() :].strip()
            pieces = [*reader.feed(written), *reader.close()]
            if written and not pieces:
                calls.append(ToolCall(head['name'], written))
                continue
            fields = Element('', [(piece[0], piece[1]) for piece in pieces if not isinstance(piece, str)]).fields
            args = to_args({name: field.value for name, field in fields.items()})
            calls.append(ToolCall(head['name'], args, {name: (field, field.text) for name, field in fields.items()}))
    return calls or None


MINIMAX_3 = Marks(
    f'{ELEMENT_MARK}<tool_call>',
    f'{ELEMENT_MARK}</tool_call>',
    decode_elements,
    (Opening(re.compile(rf'{CALL.pattern}\s*(?={re.escape(ELEMENT_MARK)}<[^/])'), ElementArgs),),
    has_values=False,
)
"""The calls of MiniMax M3."""
