"""Read tool calls in Python syntax, `[get_weather(city='Paris'), add(a=1, b=2)]`, as Llama 3.2 and 4 write them.

https://github.com/meta-llama/llama-models/blob/main/models/llama4/prompt_format.md
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from typing import Any

from .json_text import QUOTES, escape_backslashes, find_value_end, to_args
from .reader import Item, ToolCall

__all__ = ('PythonicReader', 'decode_python_calls')

MARKS = ('<|python_start|>', '<|python_end|>', '<|python_tag|>')
"""The marks that may surround a list of calls."""

JSON_NAMES: dict[str, bool | None] = {'true': True, 'false': False, 'null': None}
"""JSON's names of values, which models mix with Python's."""

MOST_ENDS = 32
"""The most closing brackets at which a truncated list is tried to end."""

SYNTAX_ERRORS = (SyntaxError, ValueError, MemoryError, RecursionError)
"""The errors that `ast.parse` raises for text that is not Python, or too deeply nested."""


class PythonicReader:
    """Reads a response that is a list of calls; a response that begins with anything else is text."""

    def __init__(self, tools: Collection[str]) -> None:
        self._tools = frozenset(tools)
        self._pieces: list[str] = []
        self._has_calls = False
        self._is_text = False
        self._takes_blanks = True
        """True if the text so far stays undecided with whitespace."""

    def feed(self, text: str) -> Iterator[Item]:
        self._pieces.append(text)
        is_blank = self._takes_blanks and text.isspace()
        if not self._is_text and (self._has_calls or is_blank or self._may_be_calls()):
            return
        self._is_text = True
        held = ''.join(self._pieces)
        self._pieces.clear()
        yield 'text', held

    def close(self, *, truncated: bool) -> Iterator[Item]:
        held = ''.join(self._pieces)
        self._pieces.clear()
        if self._is_text or not held:
            return
        calls = self._decode_calls(held, truncated=truncated)
        if calls is not None:
            yield from calls
            text = _strip_marks(held)
            rest = _strip_marks(text[find_value_end(text) or len(text) :])
            if calls and rest and not (truncated and any(mark.startswith(rest) for mark in MARKS)):
                yield 'text', rest
        elif not truncated:
            yield 'text', held

    def _may_be_calls(self) -> bool:
        """Return whether the text so far is, or may become, a list of calls of known tools."""
        self._pieces = [held := ''.join(self._pieces)]
        start = _strip_marks(held)
        self._takes_blanks = not start or start.startswith('[')
        if any(mark.startswith(start) for mark in MARKS):
            return True
        if not start.startswith('['):
            return False
        name = re.match(r'\[\s*([\w.]*)(\s*\()?', start)
        if name is None:
            return False
        rest = start[name.end() :]
        if name[2]:
            self._has_calls = name[1] in self._tools
            return self._has_calls
        return not rest.strip() and any(tool.startswith(name[1]) for tool in self._tools)

    def _decode_calls(self, text: str, *, truncated: bool) -> list[ToolCall] | None:
        """Return the calls; of a truncated list, the complete ones; `None` if the text is not a list of calls."""
        text = _strip_marks(text)
        calls = decode_python_calls(text)
        if calls is None:
            return self._decode_complete_calls(text) if truncated else None
        return calls if all(call.name in self._tools for call in calls) else None

    def _decode_complete_calls(self, text: str) -> list[ToolCall]:
        """Return the calls of a truncated list that are complete."""
        for _ in range(MOST_ENDS):
            if (at := text.rfind(')')) <= 0:
                break
            text = text[: at + 1]
            try:
                tree = ast.parse(f'{escape_backslashes(text)}]', mode='eval')
            except SYNTAX_ERRORS:
                text = text[:at]
                continue
            calls = [_decode_call_node(node) for node in tree.body.elts] if isinstance(tree.body, ast.List) else []
            return [call for call in calls if call is not None and call.name in self._tools]
        return []


def decode_python_calls(text: str) -> list[ToolCall] | None:
    """Decode a list of calls, or one call; return `None` if the text is anything else."""
    text = text.strip()
    nodes = _parse_expressions(text[: find_value_end(text) if text.startswith('[') else None])
    if nodes is None:
        nodes = _parse_expressions(_repair_python(text))
    calls = [call for node in nodes or () if (call := _decode_call_node(node)) is not None]
    return calls if nodes is not None and len(calls) == len(nodes) else None


def _parse_expressions(text: str) -> list[ast.expr] | None:
    """Parse expressions, one in each line; return them, those of a list one by one, or `None` for anything else."""
    try:
        lines = ast.parse(escape_backslashes(text)).body
    except SYNTAX_ERRORS:
        return None
    nodes: list[ast.expr] = []
    for line in lines:
        if not isinstance(line, ast.Expr):
            return None
        nodes += line.value.elts if isinstance(line.value, ast.List) else [line.value]
    return nodes


STRING_END = re.compile(r'\s*(?:[,)\]}:]|$)')
"""What follows a string. A quote before anything else is part of the string."""

LEADING_ZEROS = re.compile(r'(?<![\w.])0+(?=\d)')

ESCAPES = {'\n': r'\n', '\r': r'\r', '\0': r'\x00'}
"""The characters that a string of Python cannot contain."""


def _repair_python(text: str) -> str:
    """Return Python with the mistakes of models corrected: line ends and quotes in strings, numbers such as `07`.

    The cases are those of vLLM's tests of LFM2's parser.
    """
    pieces: list[str] = []
    at = 0
    while at < len(text):
        quote = text[at]
        if quote not in QUOTES:
            end = min((found for mark in QUOTES if (found := text.find(mark, at)) >= 0), default=len(text))
            pieces.append(LEADING_ZEROS.sub('', text[at:end]))
        else:
            end = _find_string_end(text, at)
            inside = text[at + 1 : end - 1].replace(f'\\{quote}', quote).replace(quote, f'\\{quote}')
            pieces.append(f'{quote}{"".join(ESCAPES.get(character, character) for character in inside)}{quote}')
        at = end
    return ''.join(pieces)


def _find_string_end(text: str, start: int) -> int:
    """Return the end of the string at `start`: after its first quote that something follows as after a string."""
    at = start
    while (at := text.find(text[start], at + 1)) >= 0:
        if text[at - 1] != '\\' and STRING_END.match(text, at + 1):
            return at + 1
    return len(text)


def _strip_marks(text: str) -> str:
    text = text.lstrip()
    for mark in MARKS:
        text = text.removeprefix(mark)
    return text.lstrip()


def _decode_call_node(node: ast.expr) -> ToolCall | None:
    """Decode a call with keyword arguments that are literals; return `None` for any other expression."""
    if not isinstance(node, ast.Call) or node.args or any(keyword.arg is None for keyword in node.keywords):
        return None
    try:
        args = {f'{keyword.arg}': _evaluate_literal(keyword.value) for keyword in node.keywords}
    except (TypeError, *SYNTAX_ERRORS):
        return None
    return ToolCall(ast.unparse(node.func), to_args(args))


def _evaluate_literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id in JSON_NAMES:
        return JSON_NAMES[node.id]
    if isinstance(node, ast.Set):  # a list keeps the order
        return [_evaluate_literal(item) for item in node.elts]
    return ast.literal_eval(node)
