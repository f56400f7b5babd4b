"""Texts for regular expressions: `texts_for(pattern)` offers some that should match.

Reads what the dialects of Python, JavaScript and Rust have in common. Look-around and back-references are skipped, so
whoever needs to be sure checks what is offered.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

TOKEN = re.compile(
    r"""
      (?P<skipped> \(\?(?:=|!|<=|<!|\#|P=|[a-zA-Z-]+(?=\))) | \\[AZzbBG1-9] | [\^$] )
    | (?P<open>    \((?:\?(?:P?<\w+>|>|[a-zA-Z^-]*:))? )
    | (?P<close>   \) )
    | (?P<choice>  \| )
    | (?P<repeat>  (?: [*+?] | \{\d+(?:,\d*)?\} | \{,\d+\} ) [?+]? )
    | (?P<set>     \[\^?\]?(?:\\.|[^\]\\])*\] )
    | (?P<one>     \\[pP]\{[^}]*\} | \\x[\da-fA-F]{2} | \\u[\da-fA-F]{4} | \\. | . )
    """,
    re.VERBOSE | re.DOTALL,
)
"""What an expression is made of. Look-around is a group whose content counts for nothing."""

SET_ITEM = re.compile(
    r'(?P<first>\\[pP]\{[^}]*\}|\\x[\da-fA-F]{2}|\\u[\da-fA-F]{4}|\\.|.)'
    r'(?:-(?P<last>\\x[\da-fA-F]{2}|\\u[\da-fA-F]{4}|\\.|[^\\]))?',
    re.DOTALL,
)
"""One item between square brackets: a character, a class, or a range."""

CHARACTERS = string.ascii_lowercase + string.digits + string.ascii_uppercase + ' ' + string.punctuation
"""What texts are made of, the likeliest first."""

_WORD = string.ascii_letters + string.digits + '_'
CLASSES = {
    'd': string.digits,
    'w': _WORD,
    's': ' \t\n\r\f\v',
    'p': string.ascii_letters,
    'D': ''.join(c for c in CHARACTERS if c not in string.digits),
    'W': ''.join(c for c in CHARACTERS if c not in _WORD),
    'S': CHARACTERS.replace(' ', ''),
    'P': ' ' + string.punctuation,
}
"""The characters of `\\d`, `\\w` and so on. A Unicode property is taken for letters."""

ESCAPES = {'n': '\n', 't': '\t', 'r': '\r', 'f': '\f', 'v': '\v', '0': '\0'}
"""The characters of `\\n`, `\\t` and so on."""


Option = TypeVar('Option')


@dataclass(frozen=True, slots=True)
class _OneOf:
    characters: str


@dataclass(frozen=True, slots=True)
class _Sequence:
    items: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    branches: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    item: _Node
    least: int
    most: int | None


_Node = _OneOf | _Sequence | _Choice | _Repeat
_NOTHING = _Sequence(())


def texts_for(pattern: str, *, seed: int = 0, length: int = 0) -> Iterator[str]:
    """A few texts that the pattern should match: short ones, then some of at least `length`, if it can be as long.

    Another seed gives others.
    """
    tree = _Parser(pattern).parse()

    def text(extra: int) -> str:
        return _Writer(seed, extra).write(tree)

    enough = bisect_left(range(length), length, key=lambda extra: len(text(extra)))
    yield from map(text, dict.fromkeys((*range(4), *range(enough, enough + 4))))


class _Writer:
    """Writes one text. The seed is spent on choices, the extra repetitions on what may be repeated, from the left."""

    def __init__(self, seed: int, extra: int) -> None:
        self.seed = seed
        self.extra = extra

    def write(self, node: _Node) -> str:
        match node:
            case _OneOf(characters):
                return self._choose(characters)
            case _Sequence(items):
                return ''.join(self.write(item) for item in items)
            case _Choice(branches):
                return self.write(self._choose(branches))
            case _Repeat(item, least, most):
                more = self.extra if most is None else min(self.extra, most - least)
                self.extra -= more
                return ''.join(self.write(item) for _ in range(least + more))

    def _choose(self, options: Sequence[Option]) -> Option:
        self.seed, chosen = divmod(self.seed, len(options))
        return options[chosen]


class _Parser:
    """Reads an expression by recursive descent; what it cannot read stands for itself."""

    def __init__(self, pattern: str) -> None:
        self._tokens = [(match.lastgroup or '', match.group()) for match in reversed([*TOKEN.finditer(pattern)])]

    def parse(self) -> _Node:
        parts: list[_Node] = []
        while self._tokens:
            parts.append(self._choice())
            self._skip('close')
        return _Sequence(tuple(parts))

    def _skip(self, kind: str) -> bool:
        found = bool(self._tokens) and self._tokens[-1][0] == kind
        if found:
            self._tokens.pop()
        return found

    def _choice(self) -> _Node:
        branches = [self._sequence()]
        while self._skip('choice'):
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else _Choice(tuple(branches))

    def _sequence(self) -> _Node:
        items: list[_Node] = []
        while self._tokens and self._tokens[-1][0] not in ('choice', 'close'):
            match self._tokens.pop():
                case 'repeat', text if items:
                    items[-1] = _Repeat(items[-1], *_bounds(text))
                case kind, text:
                    items.append(self._atom(kind, text))
        return _Sequence(tuple(items))

    def _atom(self, kind: str, text: str) -> _Node:
        match kind:
            case 'skipped' if text.startswith('(?'):
                self._group()
                return _NOTHING
            case 'skipped':
                return _NOTHING
            case 'open':
                return self._group()
            case 'set':
                return _OneOf(_characters_of_set(text))
            case _:
                return _OneOf(_characters(text))

    def _group(self) -> _Node:
        inside = self._choice()
        self._skip('close')
        return inside


def _bounds(text: str) -> tuple[int, int | None]:
    """How often, at least and at most: `*`, `+`, `?`, `{2}`, `{2,}`, `{2,3}`, `{,3}`."""
    match text[0]:
        case '*':
            return 0, None
        case '+':
            return 1, None
        case '?':
            return 0, 1
        case _:
            least, comma, most = text.strip('{}?+').partition(',')
            return int(least or 0), int(most) if most else None if comma else int(least)


def _characters(text: str) -> str:
    """The characters that one item stands for: a literal, an escape, a class."""
    if text[0] != '\\' or len(text) == 1:
        return text if text != '.' else CHARACTERS
    letter, code = text[1], text[2:]
    if letter in 'xu' and code:
        return chr(int(code, 16))
    return CLASSES.get(letter) or ESCAPES.get(letter, letter)


def _characters_of_set(text: str) -> str:
    inside = text[1:-1]
    negated = inside.startswith('^')
    ranges: list[tuple[str, str]] = []
    for item in SET_ITEM.finditer(inside.removeprefix('^')):
        first, last = _literal(item['first']), _literal(item['last'] or '')
        is_range = len(first) == len(last) == 1
        ranges += [(first, last)] if is_range else [(c, c) for c in (f'{first}-{last}' if last else first)]
    chosen = ''.join(c for c in CHARACTERS if any(low <= c <= high for low, high in ranges) is not negated)
    return chosen or (ranges[0][0] if ranges and not negated else '¤')


def _literal(text: str) -> str:
    return _characters(text) if text.startswith('\\') else text
