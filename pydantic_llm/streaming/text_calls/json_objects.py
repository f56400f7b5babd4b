"""Read tool calls that are JSON objects among text, as models write them when the prompt describes the format.

An object is a tool call if it names a tool of the request; every other object is text. Code fences around a call,
words that announce it and surplus closing brackets belong to the call.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast

from ..brackets import BracketScanner
from ..thinking import count_overlap
from .json_text import QUOTES, parse_value
from .marked import decode_call, has_arguments
from .partial_args import PartialCallReader, find_opening, keep_text, make_json_opening
from .reader import CallKeys, Item, ToolCall

__all__ = ('JsonObjectReader',)

OPENING = re.compile(
    r'(?:(?<!\w)(?:(?:(?:Action|Tool call|Call):|\*\*Tool Call:\*\*)\s*|functools(?=\[)))?'
    r'(?:```(?:json|tool_call|tool_code|python)?\s*)?(?=[{\[])'
)
"""The text before a call that belongs to it."""

ANNOUNCEMENTS = ('functools', 'Action:', 'Tool call:', 'Call:', '**Tool Call:**')
FENCES = ('```', *(f'```{language}' for language in ('json', 'tool_call', 'tool_code', 'python')))
"""Texts that may begin a call, with whitespace after them, and are held back until that is decided."""

CLOSING = re.compile(r'[\s}\];,]*(?:```(?!\w)[\s}\];,]*)?', re.DOTALL)
"""The text after a call that belongs to it: surplus closing brackets, the end of a code fence."""

BLANKS = re.compile(r'\s+')

CLOSERS = re.compile(r'[\s}\];,]+')
"""Characters that can follow any text that `CLOSING` matches."""


class JsonObjectReader:
    """Reads tool calls that are JSON objects, or lists of objects, anywhere in the text.

    With `only_at_start`, a response has calls only if it begins with one, as Llama's do; `prefix` is a mark that may
    precede that call. With `needs_arguments`, an object without the key of the arguments is text.
    """

    def __init__(
        self,
        tools: Collection[str],
        keys: CallKeys,
        *,
        only_at_start: bool = False,
        prefix: str = '',
        needs_arguments: bool = False,
    ) -> None:
        self._tools = frozenset(tools)
        self._keys = keys
        self._only_at_start = only_at_start
        self._prefix = prefix
        self._needs_arguments = needs_arguments
        self._pieces: list[str] = []
        """Held text. Pieces that decide nothing are only added, so that none is read again for each that follows."""
        self._held = ''
        self._before = ''
        """The character before the held text."""
        self._at = 0
        """The position in `_held` up to which it was taken."""
        self._brackets: BracketScanner | None = None
        """The brackets of the object that the held text ends with."""
        self._openings = (make_json_opening(keys, r'\{\s*'),)
        self._partial = PartialCallReader(())
        """Follows this object."""
        self._may_repeat: re.Pattern[str] | None = BLANKS
        self._has_text = False
        self._has_call = False
        self._is_after_call = False

    def feed(self, text: str) -> Iterator[Item]:
        self._pieces.append(text)
        if self._decides_nothing(text):
            if self._brackets is not None:
                yield from self._partial.feed(text)
        else:
            self._join()
            yield from self._read_held(over=False)
            self._pieces = [rest := self._held[self._at :]]
            self._before = self._held[self._at - 1 : self._at]
            self._may_repeat = self._find_repeatable(rest)

    def _decides_nothing(self, text: str) -> bool:
        """Return whether the held text stays undecided with this text."""
        if self._brackets is not None:
            return self._brackets.feed(text) is None
        return self._may_repeat is not None and self._may_repeat.fullmatch(text) is not None

    def _find_repeatable(self, held: str) -> re.Pattern[str] | None:
        """Return the texts after which the held text stays undecided: whitespace, or what ends the last call."""
        if self._is_after_call:
            return CLOSERS if (closing := CLOSING.match(held)) and closing.end() == len(held) else None
        emits_blanks = self._only_at_start and self._has_text
        return None if emits_blanks or held.strip() else BLANKS

    def _join(self) -> None:
        self._held, self._at, self._brackets = ''.join((self._before, *self._pieces)), len(self._before), None

    def close(self, *, truncated: bool) -> Iterator[Item]:
        self._join()
        self._pieces, self._before = [], ''
        start = self._held[self._at :].strip()
        if truncated and (self._prefix.startswith(start) or not self._held[self._at : self._find_undecided()].strip()):
            return
        yield from self._read_held(over=True, truncated=truncated)
        yield from self._emit_text(self._take_held(len(self._held)))

    def _read_held(self, *, over: bool, truncated: bool = False) -> Iterator[Item]:
        """Yield the items in the held text that are decided; `over` means that no more text follows."""
        if not self._begin_object(over=over):
            return
        while self._at < len(self._held):
            opening = None if self._only_at_start and self._has_text else OPENING.search(self._held, self._at)
            if opening is None or (self._only_at_start and self._held[self._at : opening.start()].strip()):
                yield from self._emit_text(self._take_held(self._find_text_end(over=over)))
                return
            brackets = BracketScanner(QUOTES)
            end = brackets.feed(self._held, opening.end())
            if end is None and not over:
                self._brackets = brackets
                before = self._held[self._at : opening.start()].rstrip()
                yield from self._emit_text(self._take_held(self._at + len(before)))
                self._partial = PartialCallReader(self._openings, self._tools)
                yield from self._partial.feed(self._held[opening.end() :])
                return
            yield from self._read_object(opening, end, truncated=truncated)
            if not self._begin_object(over=over):
                return

    def _begin_object(self, *, over: bool) -> bool:
        """Drop the text that belongs to the last call, and the prefix of the next; return False if more may follow."""
        if self._is_after_call and not self._drop_closing(over=over):
            return False
        return self._has_text or self._drop_prefix(over=over)

    def _drop_closing(self, *, over: bool) -> bool:
        """Drop the text that belongs to the last call; return False if more of it may follow."""
        closing = CLOSING.match(self._held, self._at)
        end = closing.end() if closing else self._at
        if not over and '```'.startswith(self._held[end : end + 4]):
            return False
        self._at, self._is_after_call = end, False
        return True

    def _drop_prefix(self, *, over: bool) -> bool:
        """Drop the prefix at the start; return False if the text so far may become the prefix."""
        if not self._prefix:
            return True
        start = self._held[self._at :].lstrip()
        if start.startswith(self._prefix):
            self._at = len(self._held) - len(start) + len(self._prefix)
        return over or not self._prefix.startswith(start)

    def _find_text_end(self, *, over: bool) -> int:
        """Return the end of the held characters that cannot be the beginning of a call."""
        if over or (self._only_at_start and self._has_text):
            return len(self._held)
        text = self._held[self._at : self._find_undecided()].rstrip()
        return len(self._held) if text and self._only_at_start else self._at + len(text)

    def _find_undecided(self) -> int:
        """Return the start of the text at the end that may be the beginning of a call: an announcement, a fence."""
        text = self._held[self._at :].rstrip()
        fence = _count_beginning(text, FENCES)
        text = text[: len(text) - fence].rstrip()
        if not fence:
            text = text[: len(text) - _count_beginning(text, ANNOUNCEMENTS)]
        elif announcement := next((each for each in ANNOUNCEMENTS if text.endswith(each)), None):
            text = text.removesuffix(announcement)
        return self._at + len(text)

    def _read_object(self, opening: re.Match[str], end: int | None, *, truncated: bool) -> Iterator[Item]:
        """Yield the calls or the text of an object; `end` is `None` if the response ends within it."""
        text = self._held[opening.end() : end]
        calls = self._decode_calls(text) if end is not None else self._decode_partial(text) if truncated else None
        calls = keep_text(find_opening(self._openings, self._tools, text), calls, text)
        if calls is None:
            yield from self._emit_text(self._take_held(end or len(self._held)))
            return
        yield from self._emit_text(self._held[self._at : opening.start()].rstrip())
        self._has_call = self._has_call or bool(calls)
        yield from calls
        self._at = len(self._held) if end is None else end
        self._is_after_call = True

    def _decode_calls(self, text: str) -> list[ToolCall] | None:
        """Return the calls in a complete value; `None` if it is anything else, which is text."""
        parsed = parse_value(text)
        if parsed is None:
            return None
        value: Any = parsed[0]
        items = cast('list[object]', value) if isinstance(value, list) else [value]
        calls = [call for item in items if (call := self._decode_call(item)) and call.name in self._tools]
        return calls if calls and len(calls) == len(items) else None

    def _decode_call(self, item: object) -> ToolCall | None:
        call = decode_call(item, self._keys)
        return call if not self._needs_arguments or has_arguments(item, self._keys) else None

    def _decode_partial(self, text: str) -> list[ToolCall] | None:
        """Return the call in a truncated object, or no call if its name is missing; `None` if it is not a call."""
        name_key, arguments_key = map(re.escape, self._keys)
        name_pattern = rf'["\']{name_key}["\']\s*:\s*["\'](?P<name>[^"\']+)["\']'
        args_pattern = rf'\s*,\s*["\'](?:{arguments_key}|arguments|parameters)["\']\s*:\s*(?P<args>.*)'
        pattern = rf'[\[{{\s]*(?:"function"\s*:\s*\{{\s*)?{name_pattern}(?:{args_pattern})?'
        found = re.match(pattern, text, re.DOTALL)
        if found is not None and found['args'] is None and self._needs_arguments:
            return None
        if found is not None:
            return [ToolCall(found['name'], (found['args'] or '').strip())] if found['name'] in self._tools else None
        bare = re.sub(r'\s', '', text).replace("'", '"').removeprefix('[')
        starts = [f'{start}{{"{self._keys[0]}":"{tool}"' for tool in self._tools for start in ('', '{"function":')]
        return [] if any(start.startswith(bare) for start in starts) else None

    def _emit_text(self, text: str) -> Iterator[Item]:
        """Yield text, except blank text after a call."""
        if text.strip():
            self._has_text, self._has_call = True, False
        if text and not self._has_call:
            yield 'text', text

    def _take_held(self, end: int) -> str:
        taken, self._at = self._held[self._at : end], end
        return taken


def _count_beginning(text: str, openings: Sequence[str]) -> int:
    """Return the number of characters at the end of a text that are one of the openings, or its beginning."""
    return count_overlap(text, [f'{opening} ' for opening in openings])
