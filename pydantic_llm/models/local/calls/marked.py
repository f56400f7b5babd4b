"""Calls between marks: `<tool_call>...</tool_call>`, `[TOOL_CALLS]...`, the sections of DeepSeek's and Kimi's.

A table row says where calls begin and end; what stands between is read by the functions below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from .json_text import read_value, to_args
from .reader import Call, Item, overlap

__all__ = ('MarkedReader', 'Marks')

ReadBody = Callable[[str], list[Call] | None]
"""The calls in what stands between marks; `None` where it holds none."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Where calls begin and end."""

    start: str
    """What begins a call, or several."""
    end: str | None
    """What ends it; `None` where only the answer's end or the next call does."""
    read: ReadBody
    """What reads the text between."""


class MarkedReader:
    """Reads calls between marks; all else is text. What stands between marks and is no call is text as well."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._held = ''
        self._inside = False
        self._called = False

    def feed(self, text: str) -> Iterator[Item]:
        """Add text, and get what is decided."""
        self._held += text
        while True:
            if not self._inside:
                yield from self._text(self._outside())
                if not self._inside:
                    return
            body = self._body()
            if body is None:
                return
            yield from self._calls(body, end=self._marks.end or '')

    def close(self, *, cut: bool) -> Iterator[Item]:
        """The answer is over."""
        held, self._held = self._held, ''
        if self._inside:
            yield from self._calls(held, end='', cut=cut)
        elif not (cut and self._marks.start.startswith(held.strip())):
            yield from self._text(held)

    def _outside(self) -> str:
        """The text before the next call, or all of it that is certainly none."""
        marks = self._marks
        at = self._held.find(marks.start)
        if at >= 0:
            before, self._held = self._held[:at], self._held[at + len(marks.start) :]
            self._inside = True
            before = before.rstrip()
        else:
            length = len(self._held) - self._undecided()
            before, self._held = self._held[:length], self._held[length:]
        return before

    def _undecided(self) -> int:
        """How much of the end could belong to a mark: its beginning, and the space before one."""
        kept = overlap(self._held, (self._marks.start,))
        before = self._held[: len(self._held) - kept]
        return kept + len(before) - len(before.rstrip())

    def _text(self, text: str) -> Iterator[Item]:
        """Text as it is told: nothing where it is the space between two calls."""
        if text and not (self._called and not text.strip()):
            yield 'text', text

    def _body(self) -> str | None:
        """What the marks enclose, once it is whole."""
        end = self._marks.end
        at = self._held.find(end or self._marks.start)
        if at < 0:
            return None
        body, self._held = self._held[:at], self._held[at + len(end or '') :]
        self._inside = False
        return body

    def _calls(self, body: str, *, end: str, cut: bool = False) -> Iterator[Item]:
        calls = None if cut and ONLY_A_NAME.fullmatch(body) else self._marks.read(body)
        if calls:
            self._called = True
            yield from calls
        elif not cut:
            yield 'text', f'{self._marks.start}{body}{end}'


ONLY_A_NAME = re.compile(r'\s*[\w.\-]*\s*')
"""What was cut before anything but a name, or a piece of one, was there."""


def call_from(value: Any, *, name_key: str = 'name', arguments_key: str = 'arguments') -> Call | None:
    """The call that an object is, under the names that models give its fields."""
    if not isinstance(value, dict):
        return None
    found = cast('dict[str, Any]', value)
    function = found.get('function')
    if isinstance(function, dict):
        found = cast('dict[str, Any]', function)
    name = found.get(name_key)
    if not isinstance(name, str) or not name:
        return None
    keys = (arguments_key, 'arguments', 'parameters')
    return Call(name, to_args(next((found[key] for key in keys if key in found), None)))


CUT_CALL = re.compile(
    r'"name"\s*:\s*"(?P<name>[^"]+)"(?:\s*,\s*"(?:arguments|parameters)"\s*:\s*(?P<args>.*))?', re.DOTALL
)
"""A call in JSON that was cut after its name."""


def read_json_calls(body: str) -> list[Call] | None:
    """One object, several in a row, or a list of them; one that was cut as far as it goes."""
    calls: list[Call] = []
    rest = body.strip()
    while rest:
        read = read_value(rest)
        if read is None:
            break
        value, end = read
        found = [call_from(item) for item in (cast('list[object]', value) if isinstance(value, list) else [value])]
        if None in found:
            return calls or None
        calls += [call for call in found if call is not None]
        rest = rest[end:].lstrip(' \t\r\n,;}')
    if rest and (cut := CUT_CALL.search(rest)):
        calls.append(Call(cut['name'], (cut['args'] or '').strip()))
    return calls or None


XML_FUNCTION = re.compile(r'<function=(?P<name>[^>\s]+)>(?P<body>.*?)(?:</function>|$)', re.DOTALL)
XML_PARAMETER = re.compile(r'<parameter=(?P<name>[^>]+)>\n?(?P<value>.*?)\n?</parameter>', re.DOTALL)
GLM_ARGUMENT = re.compile(r'<arg_key>(?P<name>.*?)</arg_key>\s*<arg_value>(?P<value>.*?)</arg_value>', re.DOTALL)
GLM_NAME = re.compile(r'\s*(?P<name>[\w.\-]+)\s*(?=<arg_key>|$)')


def read_hermes(body: str) -> list[Call] | None:
    """What Hermes and Qwen write (JSON), Qwen3-Coder (`<function=name>`), or GLM (`name<arg_key>...`)."""
    if functions := [*XML_FUNCTION.finditer(body)]:
        return [Call(found['name'], to_args(_valued(XML_PARAMETER, found['body']))) for found in functions]
    if '<arg_key>' in body or not body.lstrip().startswith(('{', '[')):
        found = GLM_NAME.match(body)
        return [Call(found['name'], to_args(_valued(GLM_ARGUMENT, body)))] if found else None
    return read_json_calls(body)


def _valued(pattern: re.Pattern[str], text: str) -> dict[str, Any]:
    return {found['name'].strip(): _value(found['value']) for found in pattern.finditer(text)}


def _value(text: str) -> Any:
    """A value that was written without quotes: JSON where it is JSON, else text."""
    read = read_value(text)
    return read[0] if read is not None and not text[read[1] :].strip() else text


MISTRAL_CALL = re.compile(r'\s*(?P<name>[\w.\-]+)(?:\[CALL_ID\][^\[]*)?\[ARGS\](?P<args>.*)', re.DOTALL)


def read_mistral(body: str) -> list[Call] | None:
    """A list of objects (old), or `name[ARGS]{...}` (new)."""
    if (new := MISTRAL_CALL.match(body)) is not None:
        return [Call(new['name'], _whole(new['args']))]
    if (bare := re.match(r'\s*([\w.\-]+)(\{.*)', body, re.DOTALL)) is not None:
        return [Call(bare[1], _whole(bare[2]))]
    return read_json_calls(body)


def _whole(text: str) -> str:
    """The JSON that the text begins with, as it was written; where there is none, the text."""
    read = read_value(text)
    return text.strip() if read is None else _as_written(text, *read)


def _as_written(text: str, value: Any, end: int) -> str:
    written = text[:end].strip()
    return written if written.startswith(('{"', '{}', '{ ', '{\n')) else to_args(value)


DEEPSEEK_CALL = re.compile(
    '<｜tool▁call▁begin｜>(?P<head>.*?)<｜tool▁sep｜>(?P<body>.*?)(?:<｜tool▁call▁end｜>|$)', re.DOTALL
)
FENCED = re.compile(r'```(?:json)?\s*(?P<json>.*?)\s*(?:```|$)', re.DOTALL)


def read_deepseek(body: str) -> list[Call] | None:
    """`function` and the name with fenced JSON (V3, R1), or the name and JSON (V3.1)."""
    return [_deepseek_call(found['head'], found['body']) for found in DEEPSEEK_CALL.finditer(body)] or None


def _deepseek_call(head: str, body: str) -> Call:
    if head.strip() != 'function':
        return Call(head.strip(), _whole(body))
    name, _, rest = body.partition('\n')
    fenced = FENCED.search(rest)
    return Call(name.strip(), _whole(fenced['json'] if fenced else rest))


KIMI_CALL = re.compile(
    r'<\|tool_call_begin\|>\s*(?:functions\.)?(?P<name>[\w.\-]+?)(?::\d+)?\s*'
    r'<\|tool_call_argument_begin\|>(?P<args>.*?)(?:<\|tool_call_end\|>|$)',
    re.DOTALL,
)


def read_kimi(body: str) -> list[Call] | None:
    """`functions.name:0` and JSON."""
    return [Call(found['name'], _whole(found['args'])) for found in KIMI_CALL.finditer(body)] or None


HERMES = Marks('<tool_call>', '</tool_call>', read_hermes)
MISTRAL = Marks('[TOOL_CALLS]', None, read_mistral)
DEEPSEEK = Marks('<｜tool▁calls▁begin｜>', '<｜tool▁calls▁end｜>', read_deepseek)
KIMI = Marks('<|tool_calls_section_begin|>', '<|tool_calls_section_end|>', read_kimi)
