"""Read a response that must be one tool call: a constraint holds it to one JSON object."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .json_text import parse_value
from .marked import decode_call
from .partial_args import PartialCallReader, keep_text, make_json_opening
from .reader import CallKeys, Item, ToolCall

__all__ = ('ForcedReader',)


class ForcedReader:
    """Reads a response that is one JSON object."""

    def __init__(self, keys: CallKeys) -> None:
        self._keys = keys
        self._texts: list[str] = []
        self._opening = make_json_opening(keys)
        self._partial = PartialCallReader([self._opening])

    def feed(self, text: str) -> Iterator[Item]:
        self._texts.append(text)
        yield from self._partial.feed(text)

    def close(self, *, truncated: bool) -> Iterator[Item]:
        text = ''.join(self._texts).strip()
        self._texts.clear()
        parsed = parse_value(text)
        if parsed is not None:
            call = decode_call(parsed[0], self._keys)
            yield from keep_text(self._opening.pattern.match(text), [call] if call else None, text) or ()
            return
        if calls := keep_text(self._opening.pattern.match(text), None, text):
            yield from calls
        elif (name := re.match(rf'\{{\s*"{re.escape(self._keys[0])}"\s*:\s*"([^"]+)"\s*,', text)) is not None:
            yield ToolCall(name[1], '')
        elif text and not truncated:
            yield 'text', text
