"""Generates texts that should match a regular expression: `texts_for(pattern)`.

Supports what the dialects of Python, JavaScript and Rust have in common. Look-around and back-references are skipped,
so the caller must check each text. `_Parser` parses the pattern into a tree of nodes, `_Writer` writes a text for it.
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
"""The tokens of an expression. The parser drops the content of a look-around group."""

SET_ITEM = re.compile(
    r'(?P<first>\\[pP]\{[^}]*\}|\\x[\da-fA-F]{2}|\\u[\da-fA-F]{4}|\\.|.)'
    r'(?:-(?P<last>\\x[\da-fA-F]{2}|\\u[\da-fA-F]{4}|\\.|[^\\]))?',
    re.DOTALL,
)
"""One item between square brackets: a character, a class, or a range."""

CHARACTERS = string.ascii_lowercase + string.digits + string.ascii_uppercase + ' ' + string.punctuation
"""The characters of generated texts, in the order of preference."""

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
"""The characters of `\\d`, `\\w` and so on. A Unicode property is treated as ASCII letters."""

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
    """Yield a few texts that the pattern should match: short ones, then some of at least `length`, if it allows that.

    Another seed yields other texts.
    """
    tree = _Parser(pattern).parse()

    def write(extra: int) -> str:
        return _Writer(seed, extra).write(tree)

    enough = bisect_left(range(length), length, key=lambda extra: len(write(extra)))
    yield from map(write, dict.fromkeys((*range(4), *range(enough, enough + 4))))


class _Writer:
    """Writes one text. From left to right, choices use up the seed, and quantifiers the `extra` repetitions."""

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
    """Parses an expression by recursive descent. Unknown syntax counts as literal text."""

    def __init__(self, pattern: str) -> None:
        self._tokens = [(match.lastgroup or '', match.group()) for match in reversed([*TOKEN.finditer(pattern)])]

    def parse(self) -> _Node:
        parts: list[_Node] = []
        while self._tokens:
            parts.append(self._parse_choice())
            self._skip('close')
        return _Sequence(tuple(parts))

    def _skip(self, kind: str) -> bool:
        """Skip the next token if it is of this kind; return whether it was."""
        found = bool(self._tokens) and self._tokens[-1][0] == kind
        if found:
            self._tokens.pop()
        return found

    def _parse_choice(self) -> _Node:
        branches = [self._parse_sequence()]
        while self._skip('choice'):
            branches.append(self._parse_sequence())
        return branches[0] if len(branches) == 1 else _Choice(tuple(branches))

    def _parse_sequence(self) -> _Node:
        items: list[_Node] = []
        while self._tokens and self._tokens[-1][0] not in ('choice', 'close'):
            match self._tokens.pop():
                case 'repeat', text if items:
                    items[-1] = _Repeat(items[-1], *_parse_bounds(text))
                case kind, text:
                    items.append(self._parse_atom(kind, text))
        return _Sequence(tuple(items))

    def _parse_atom(self, kind: str, text: str) -> _Node:
        match kind:
            case 'skipped' if text.startswith('(?'):
                self._parse_group()
                return _NOTHING
            case 'skipped':
                return _NOTHING
            case 'open':
                return self._parse_group()
            case 'set':
                return _OneOf(_characters_of_set(text))
            case _:
                return _OneOf(_characters(text))

    def _parse_group(self) -> _Node:
        inside = self._parse_choice()
        self._skip('close')
        return inside


def _parse_bounds(text: str) -> tuple[int, int | None]:
    """Return the minimum and the maximum of a quantifier: `*`, `+`, `?`, `{2}`, `{2,}`, `{2,3}`, `{,3}`."""
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
    """Return the characters that a literal, an escape or a class matches."""
    if text[0] != '\\' or len(text) == 1:
        return text if text != '.' else CHARACTERS
    letter, code = text[1], text[2:]
    if letter in 'xu' and code:
        return chr(int(code, 16))
    return CLASSES.get(letter) or ESCAPES.get(letter, letter)


def _characters_of_set(text: str) -> str:
    """Return the characters that a set in square brackets matches; at least one, so that a text can be written."""
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
