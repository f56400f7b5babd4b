"""JSON of an API: `Json`, its type, and `parse_json`, which also accepts damaged text.

Servers send half of a surrogate pair, bytes that are not UTF-8, a byte order mark or raw control characters. A response
must not be lost for it, so what is not a character becomes U+FFFD.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from pydantic_core import from_json

__all__ = ('Json', 'keep_objects', 'parse_json', 'repair_json_text', 'repair_text')

Json = dict[str, Any]
"""A JSON object of an API: a body, an event, a schema, or a part of one. It is the package's only loose type."""

PADDING = '\ufeff\x00 \t\r\n'
"""Characters around a JSON text that are not part of it: the byte order mark, NUL and whitespace."""

SURROGATE = re.compile('[\ud800-\udfff]')

ESCAPE = re.compile(
    r'\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)',
    re.DOTALL,
)
"""One escape in a JSON text: a surrogate pair, `half` of one, or any other."""


def parse_json(data: bytes | str) -> Any:
    """Parse JSON, with U+FFFD for what is no character. Raises `ValueError` if it is not JSON."""
    try:
        return from_json(data)
    except ValueError as error:
        return parse_damaged_json(data, error)


def parse_damaged_json(data: bytes | str, error: ValueError, *, keep_halves: bool = False) -> Any:
    """Parse JSON that a strict parser refused with `error`; raise this error if it is not JSON.

    With `keep_halves`, strings keep halves of surrogate pairs: the other half may be in the next event.
    """
    text = _decode_utf8(data) if isinstance(data, bytes) else data
    try:
        value = json.loads(text.strip(PADDING), strict=False)
        repaired = repair_text(value)
    except (ValueError, RecursionError):
        raise error from None
    return value if keep_halves else repaired


def keep_objects(value: object) -> list[Json]:
    """Return the objects in a list; an empty list for any other value, which another server may have sent."""
    items = cast('list[object]', value) if isinstance(value, list) else []
    return [cast('Json', item) for item in items if isinstance(item, dict)]


def _decode_utf8(data: bytes) -> str:
    """Decode UTF-8. Servers that encode each half of a pair on its own send three bytes for each (CESU-8)."""
    try:
        return data.decode('utf-8', 'surrogatepass')
    except UnicodeDecodeError:
        return data.decode('utf-8', 'replace')


def repair_text(value: Any) -> Any:
    """Return a JSON value whose strings can be encoded: surrogate pairs are joined, halves become U+FFFD."""
    match value:
        case str():
            return _join_surrogates(value) if SURROGATE.search(value) else value
        case dict():
            items = cast('dict[str, Any]', value).items()
            return {repair_text(name): repair_text(item) for name, item in items}
        case list():
            return [repair_text(item) for item in cast('list[Any]', value)]  # type: ignore[redundant-cast]  # pyright needs it
        case _:
            return value


def _join_surrogates(text: str) -> str:
    return text.encode('utf-16-le', 'surrogatepass').decode('utf-16-le', 'replace')


def repair_json_text(text: str) -> str:
    """Return a JSON text without escaped halves of surrogate pairs, which strict parsers refuse.

    A model that generates JSON may escape half of a character (agent0ai/agent-zero#1773).
    """
    if SURROGATE.search(text):
        text = _join_surrogates(text)
    return ESCAPE.sub(_replace_half, text) if '\\u' in text else text


def _replace_half(escape: re.Match[str]) -> str:
    return '\\ufffd' if escape['half'] else escape[0]
