"""What a function's docstring says of it and of its parameters, in the styles of Google, NumPy and Sphinx.

`describe` is the way in. Each style cuts the docstring into blocks; a block of parameters becomes descriptions, a block
of returns or errors is dropped, and all other lines are the description of the function.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import Literal

__all__ = ('Described', 'DocstringFormat', 'describe')

DocstringFormat = Literal['google', 'numpy', 'sphinx', 'auto']
"""The style of a docstring; `auto` tells it by what is there."""

PARAMETERS = frozenset(
    {'args', 'arguments', 'params', 'parameters', 'keyword args', 'keyword arguments', 'other parameters'}
)
"""Titles of blocks that describe parameters."""

NOT_FOR_THE_MODEL = frozenset(
    {'return', 'returns', 'raise', 'raises', 'yield', 'yields', 'receives', 'attributes', 'warns', 'see also'}
)
"""Titles of blocks that are left out."""

SPHINX_PARAMETERS = ('param', 'parameter', 'arg', 'argument', 'key', 'keyword')
SPHINX_NOT_FOR_THE_MODEL = ('type return returns rtype raise raises except exception yield yields ytype meta').split()

_GOOGLE_TITLE = re.compile(r'([A-Z][A-Za-z ]*):\s*')
_GOOGLE_ITEM = re.compile(r'\*{0,2}(\w+)\s*(?:\((?:[^()]|\([^()]*\))*\))?\s*:\s*(.*)')
_NUMPY_RULE = re.compile(r'-{3,}\s*')
_NUMPY_NAMES = re.compile(r'((?:\*{0,2}\w+)(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?')
_SPHINX_FIELD = re.compile(rf':({"|".join((*SPHINX_PARAMETERS, *SPHINX_NOT_FOR_THE_MODEL))})\b([^:]*):\s*(.*)')


@dataclass(slots=True)
class Described:
    """What a docstring says."""

    text: str = ''
    """What the function does, without the blocks on parameters, returns and errors."""
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    """The descriptions of the parameters, by name."""


@dataclass(slots=True)
class _Block:
    """Some lines of a docstring, and what their title makes of them."""

    title: str | None
    """In lower case; `None` for lines that stand under no title."""
    lines: list[str]


def describe(docstring: str | None, style: DocstringFormat = 'auto') -> Described:
    """Read a docstring."""
    lines = _clean(docstring or '')
    cut, read = _STYLES[_style_of(lines) if style == 'auto' else style]
    described = Described()
    text: list[str] = []
    for block in cut(lines):
        if block.title in PARAMETERS:
            described.parameters |= read(block.lines)
        elif block.title is None:
            text += block.lines
    described.text = re.sub(r'\n{3,}', '\n\n', '\n'.join(text)).strip()
    return described


def _clean(docstring: str) -> list[str]:
    """The lines without their common margin. It cannot be told where all lines stand under a title on the first one."""
    lines = inspect.cleandoc(docstring).splitlines()
    title = _GOOGLE_TITLE.fullmatch(lines[0]) if len(lines) > 1 else None
    if title and title[1].lower() in PARAMETERS and _indent(lines[1]) == 0:
        return [lines[0], *(f'    {line}' for line in lines[1:])]
    return lines


def _style_of(lines: list[str]) -> Literal['google', 'numpy', 'sphinx']:
    if any(_SPHINX_FIELD.match(line) for line in lines):
        return 'sphinx'
    return 'numpy' if any(block.title for block in _numpy_blocks(lines)) else 'google'


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _inner(lines: list[str], indent: int) -> list[str]:
    """The lines at the beginning that are indented deeper, with the blank ones between them."""
    return list(takewhile(lambda line: not line.strip() or _indent(line) > indent, lines))


def _paragraph(first: str, rest: list[str]) -> str:
    """A description whose further lines are indented."""
    return '\n'.join((first, inspect.cleandoc('\n'.join(['', *rest])))).strip()


def _titled(title: str, lines: list[str], whole: list[str]) -> _Block:
    """A block under a title that means something to us, or plain text."""
    name = title.strip().lower()
    return _Block(name, lines) if name in PARAMETERS | NOT_FOR_THE_MODEL else _Block(None, whole)


def _google_blocks(lines: list[str]) -> Iterator[_Block]:
    at = 0
    while at < len(lines):
        title = _GOOGLE_TITLE.fullmatch(lines[at])
        inner = _inner(lines[at + 1 :], 0) if title else []
        yield _titled(title[1], inner, lines[at : at + 1 + len(inner)]) if title else _Block(None, [lines[at]])
        at += 1 + len(inner)


def _google_parameters(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    margin = min((_indent(line) for line in lines if line.strip()), default=0)
    for at, line in enumerate(lines):
        item = _GOOGLE_ITEM.fullmatch(line[margin:]) if line.strip() else None
        if item:
            found[item[1]] = _paragraph(item[2], _inner(lines[at + 1 :], margin))
    return found


def _numpy_blocks(lines: list[str]) -> Iterator[_Block]:
    titles = [at for at in range(len(lines) - 1) if lines[at].strip() and _NUMPY_RULE.fullmatch(lines[at + 1])]
    yield _Block(None, lines[: titles[0]] if titles else lines)
    for at, following in pairwise([*titles, len(lines)]):
        yield _titled(lines[at], lines[at + 2 : following], lines[at:following])


def _numpy_parameters(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for at, line in enumerate(lines):
        names = _NUMPY_NAMES.fullmatch(line)
        if names:
            text = _paragraph('', _inner(lines[at + 1 :], 0))
            found |= {name.strip(' *'): text for name in names[1].split(',') if text}
    return found


def _sphinx_blocks(lines: list[str]) -> Iterator[_Block]:
    at = 0
    while at < len(lines):
        named = _SPHINX_FIELD.match(lines[at])
        inner = _inner(lines[at + 1 :], 0) if named else []
        title = None if not named else 'params' if named[1] in SPHINX_PARAMETERS else 'returns'
        yield _Block(title, lines[at : at + 1 + len(inner)])
        at += 1 + len(inner)


def _sphinx_parameters(lines: list[str]) -> dict[str, str]:
    named = _SPHINX_FIELD.match(lines[0])
    words = named[2].split() if named else []
    return {words[-1].lstrip('*\\'): _paragraph(named[3], lines[1:])} if named and words else {}


_STYLES: dict[str, tuple[Callable[[list[str]], Iterator[_Block]], Callable[[list[str]], dict[str, str]]]] = {
    'google': (_google_blocks, _google_parameters),
    'numpy': (_numpy_blocks, _numpy_parameters),
    'sphinx': (_sphinx_blocks, _sphinx_parameters),
}
