"""Reads the descriptions of a function and of its parameters from a docstring.

`parse_docstring` splits the docstring into blocks, in the way of its style. Blocks of parameters become descriptions,
blocks about returns and errors are dropped, and all other lines are the description of the function. The styles:

- Google: https://google.github.io/styleguide/pyguide.html#383-functions-and-methods
- NumPy: https://numpydoc.readthedocs.io/en/latest/format.html
- Sphinx: https://www.sphinx-doc.org/en/master/usage/domains/python.html#info-field-lists
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import Literal

__all__ = ('DocstringFormat', 'ParsedDocstring', 'parse_docstring')

DocstringFormat = Literal['google', 'numpy', 'sphinx', 'auto']
"""The style of a docstring; `auto` detects it."""

PARAMETERS = frozenset(
    {'args', 'arguments', 'params', 'parameters', 'keyword args', 'keyword arguments', 'other parameters'}
)
"""Titles of blocks that describe parameters, in lower case."""

DROPPED = frozenset(
    {'return', 'returns', 'raise', 'raises', 'yield', 'yields', 'receives', 'attributes', 'warns', 'see also'}
)
"""Titles of blocks that a model does not need, in lower case."""

SPHINX_PARAMETERS = ('param', 'parameter', 'arg', 'argument', 'key', 'keyword')
SPHINX_DROPPED = ('type return returns rtype raise raises except exception yield yields ytype meta').split()

_GOOGLE_TITLE = re.compile(r'([A-Z][A-Za-z ]*):\s*')
_GOOGLE_ITEM = re.compile(r'\*{0,2}(\w+)\s*(?:\((?:[^()]|\([^()]*\))*\))?\s*:\s*(.*)')
_NUMPY_UNDERLINE = re.compile(r'-{3,}\s*')
_NUMPY_NAMES = re.compile(r'((?:\*{0,2}\w+)(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?')
_SPHINX_FIELD = re.compile(rf':({"|".join((*SPHINX_PARAMETERS, *SPHINX_DROPPED))})\b([^:]*):\s*(.*)')


@dataclass(slots=True)
class ParsedDocstring:
    """The descriptions in a docstring."""

    text: str = ''
    """The description of the function, without the blocks about parameters, returns and errors."""
    parameters: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class _Block:
    """Consecutive lines of a docstring."""

    title: str | None
    """The title in lower case, if it is in `PARAMETERS` or `DROPPED`."""
    lines: list[str]


def parse_docstring(docstring: str | None, style: DocstringFormat = 'auto') -> ParsedDocstring:
    """Return the descriptions in a docstring. Any text is valid; what is not recognized is description."""
    lines = _dedent(docstring or '')
    split, parse_parameters = _STYLES[_detect_style(lines) if style == 'auto' else style]
    parsed = ParsedDocstring()
    text: list[str] = []
    for block in split(lines):
        if block.title in PARAMETERS:
            parsed.parameters |= parse_parameters(block.lines)
        elif block.title is None:
            text += block.lines
    parsed.text = re.sub(r'\n{3,}', '\n\n', '\n'.join(text)).strip()
    return parsed


def _dedent(docstring: str) -> list[str]:
    """Return the lines without their common indentation.

    If the first line is the title of the only block, `inspect.cleandoc` removes the indentation of the block; it is
    added again.
    """
    lines = inspect.cleandoc(docstring).splitlines()
    title = _GOOGLE_TITLE.fullmatch(lines[0]) if len(lines) > 1 else None
    if title and title[1].lower() in PARAMETERS and _measure_indentation(lines[1]) == 0:
        return [lines[0], *(f'    {line}' for line in lines[1:])]
    return lines


def _detect_style(lines: list[str]) -> Literal['google', 'numpy', 'sphinx']:
    if any(_SPHINX_FIELD.match(line) for line in lines):
        return 'sphinx'
    return 'numpy' if any(block.title for block in _split_numpy(lines)) else 'google'


def _measure_indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _take_indented(lines: list[str], indentation: int) -> list[str]:
    """Return the first lines that are blank or indented deeper than `indentation`."""
    return list(takewhile(lambda line: not line.strip() or _measure_indentation(line) > indentation, lines))


def _join_description(first: str, rest: list[str]) -> str:
    """Join the first line of a description with its indented lines."""
    return '\n'.join((first, inspect.cleandoc('\n'.join(['', *rest])))).strip()


def _make_block(title: str, lines: list[str], with_title: list[str]) -> _Block:
    """Return a block with these lines if the title is known, else a block of text that includes the title."""
    name = title.strip().lower()
    return _Block(name, lines) if name in PARAMETERS | DROPPED else _Block(None, with_title)


def _split_google(lines: list[str]) -> Iterator[_Block]:
    at = 0
    while at < len(lines):
        title = _GOOGLE_TITLE.fullmatch(lines[at])
        inner = _take_indented(lines[at + 1 :], 0) if title else []
        yield _make_block(title[1], inner, lines[at : at + 1 + len(inner)]) if title else _Block(None, [lines[at]])
        at += 1 + len(inner)


def _parse_google_parameters(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    margin = min((_measure_indentation(line) for line in lines if line.strip()), default=0)
    for at, line in enumerate(lines):
        item = _GOOGLE_ITEM.fullmatch(line[margin:]) if line.strip() else None
        if item:
            found[item[1]] = _join_description(item[2], _take_indented(lines[at + 1 :], margin))
    return found


def _split_numpy(lines: list[str]) -> Iterator[_Block]:
    titles = [at for at in range(len(lines) - 1) if lines[at].strip() and _NUMPY_UNDERLINE.fullmatch(lines[at + 1])]
    yield _Block(None, lines[: titles[0]] if titles else lines)
    for at, following in pairwise([*titles, len(lines)]):
        yield _make_block(lines[at], lines[at + 2 : following], lines[at:following])


def _parse_numpy_parameters(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for at, line in enumerate(lines):
        names = _NUMPY_NAMES.fullmatch(line)
        if names:
            text = _join_description('', _take_indented(lines[at + 1 :], 0))
            found |= {name.strip(' *'): text for name in names[1].split(',') if text}
    return found


def _split_sphinx(lines: list[str]) -> Iterator[_Block]:
    at = 0
    while at < len(lines):
        match = _SPHINX_FIELD.match(lines[at])
        inner = _take_indented(lines[at + 1 :], 0) if match else []
        title = None if not match else 'params' if match[1] in SPHINX_PARAMETERS else 'returns'
        yield _Block(title, lines[at : at + 1 + len(inner)])
        at += 1 + len(inner)


def _parse_sphinx_parameter(lines: list[str]) -> dict[str, str]:
    match = _SPHINX_FIELD.match(lines[0])
    type_and_name = match[2].split() if match else []
    if not match or not type_and_name:
        return {}
    return {type_and_name[-1].lstrip('*\\'): _join_description(match[3], lines[1:])}


_STYLES: dict[str, tuple[Callable[[list[str]], Iterator[_Block]], Callable[[list[str]], dict[str, str]]]] = {
    'google': (_split_google, _parse_google_parameters),
    'numpy': (_split_numpy, _parse_numpy_parameters),
    'sphinx': (_split_sphinx, _parse_sphinx_parameter),
}
