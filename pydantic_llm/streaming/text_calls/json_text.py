"""Parse JSON with the mistakes that models make: Python's quotes and names, a surplus bracket, a trailing comma."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from json import JSONDecodeError, JSONDecoder, dumps
from math import isfinite
from typing import Any, cast

from ..brackets import BracketScanner
from ..thinking import NOT_BLANK

__all__ = ('QUOTES', 'escape_backslashes', 'find_value_end', 'parse_value', 'to_args')

QUOTES = '"\''
"""The quotes of JSON and of Python."""

_decoder = JSONDecoder(strict=False)


def find_value_end(text: str, start: int = 0) -> int | None:
    """Return the end of the object or list at `start`, `None` if it is incomplete. Brackets in strings do not count."""
    return BracketScanner(QUOTES).feed(text, start)


def _find_string_end(text: str, start: int) -> int | None:
    """Return the end of the quoted string at `start`; `None` if it is incomplete."""
    quote = text[start]
    position = start + 1
    while position < len(text):
        if text[position] == '\\':
            position += 1
        elif text[position] == quote:
            return position + 1
        position += 1
    return None


def parse_value(text: str, start: int = 0) -> tuple[Any, int] | None:
    """Parse the JSON or Python value at `start`. Return it and its end, or `None` if there is no value."""
    found = NOT_BLANK.search(text, start)
    if found is None:
        return None
    start = found.start()
    try:
        return _decoder.raw_decode(text, start)
    except (JSONDecodeError, RecursionError):
        pass
    end = find_value_end(text, start) if text[start] in '{[' else None
    return None if end is None else _parse_python(text[start:end], end)


def escape_backslashes(text: str) -> str:
    r"""Return Python with the backslash of unknown escapes doubled, such as `\d`: Python keeps it too, but warns."""
    return ESCAPE.sub(lambda found: found[0] if found[1] in ESCAPED else f'\\{found[0]}', text)


ESCAPE = re.compile(r'\\(.)', re.DOTALL)
ESCAPED = '\n\\\'"abfnrtvxuUN01234567'
"""The characters that Python knows after a backslash."""


def _parse_python(text: str, end: int) -> tuple[Any, int] | None:
    """Parse a Python literal, which may contain JSON's `true`, `false` and `null`."""
    text = escape_backslashes(text)
    for candidate in (text, _with_python_names(text)):
        try:
            return ast.literal_eval(candidate), end
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):  # `TypeError`: a set of objects
            continue
    return None


def _with_python_names(text: str) -> str:
    """Return the text with Python's names for JSON's `true`, `false` and `null`, except in strings."""
    names = {'true': 'True', 'false': 'False', 'null': 'None'}
    pieces: list[str] = []
    position = 0
    while position < len(text):
        if text[position] in '"\'':
            end = _find_string_end(text, position) or len(text)
            pieces.append(text[position:end])
            position = end
            continue
        name = next((name for name in names if text.startswith(name, position)), None)
        pieces.append(names[name] if name else text[position])
        position += len(name) if name else 1
    return ''.join(pieces)


def to_args(value: Any) -> str:
    """Encode arguments as JSON text. Text is returned unchanged, as it is JSON already; `None` means no arguments."""
    if value is None:
        return '{}'
    if isinstance(value, str):
        return value or '{}'
    return dumps(_to_json_value(value), ensure_ascii=False)


def _to_json_value(value: Any) -> Any:
    """Return the value with tuples and sets as lists, and anything else that JSON does not have as text."""
    match value:
        case Mapping():
            return {str(name): _to_json_value(item) for name, item in cast('Mapping[object, object]', value).items()}
        case list() | tuple() | set():
            return [_to_json_value(item) for item in cast('list[object]', value)]
        case float() if not isfinite(value):
            return str(value)
        case str() | int() | float() | None:
            return value
        case _:
            return str(value)
