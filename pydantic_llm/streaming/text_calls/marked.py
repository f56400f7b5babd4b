"""Read tool calls between marks: `<tool_call>...</tool_call>`, `[TOOL_CALLS]...`, the sections of DeepSeek and Kimi.

`MarkedReader` finds the marks; a `Marks` row names them and the function that decodes the text between them. vLLM's
parsers document the same formats:
https://docs.vllm.ai/en/v0.10.2/api/vllm/entrypoints/openai/tool_parsers/index.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from ..thinking import NOT_BLANK, count_overlap
from .json_text import parse_value, to_args
from .partial_args import Opening, PartialCallReader, find_opening, keep_text, make_json_opening
from .pythonic import decode_python_calls
from .reader import CallKeys, Item, ToolCall
from .unquoted import MarkedArgs, decode_verbatim, make_unquoted_call, split_marked
from .values import ValueScanner, split_calls

__all__ = (
    'MarkedReader',
    'Marks',
    'decode_call',
    'decode_json_calls',
    'extract_json',
)

DecodeBody = Callable[[str], list[ToolCall] | None]
"""Decodes the text between marks; returns `None` if it holds no tool call."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks around tool calls."""

    start: str
    end: str | None
    """The mark after them; `None` if only the next start mark or the end of the response ends them."""
    decode: DecodeBody
    openings: tuple[Opening, ...] = ()
    """The texts after the start mark with which a call begins, to emit its arguments while they stream."""
    has_values: bool = True
    """False if the next mark ends a call also in one of its values, as no value can contain it."""


MOST_SKIPPED = 50
"""The most marks in values of one call that do not end it: each makes the text of the call be read again."""


class MarkedReader:
    """Reads tool calls between marks; all other text, and text between marks that is not a call, is text.

    With `tools`, only calls of these are calls.
    """

    def __init__(self, marks: Marks, tools: Collection[str] | None = None) -> None:
        self._marks = marks
        self._tools = None if tools is None else frozenset(tools)
        self._pieces: list[str] = []
        """Held text. Pieces that decide nothing are only added, so that none is read again for each that follows."""
        self._tail = ''
        """The end of the held text that may be the beginning of the mark that is looked for."""
        self._is_blank = True
        """True if the held text is whitespace outside of a call."""
        self._held = ''
        self._at = 0
        """The position in `_held` up to which it was taken."""
        self._is_inside = False
        self._begun = 0
        """The number of start marks so far."""
        self._has_call = False
        self._values = ValueScanner()
        """Finds the values of the call, in which marks do not count."""
        self._skipped = 0
        """The number of marks in the call that do not count."""
        self._searched = 0
        """The position in the call after the last mark that does not count."""
        self._partial = PartialCallReader(())
        """Follows the call whose end mark has not come."""
        self._blanks = ''
        """The whitespace before a start mark, which is dropped if a call follows."""

    @property
    def _next_mark(self) -> str:
        """The mark that ends a call, or else the one that starts the next."""
        return self._marks.end or self._marks.start

    def feed(self, text: str) -> Iterator[Item]:
        self._pieces.append(text)
        if self._decides_nothing(text):
            if self._is_inside:
                yield from self._partial.feed(text)
            return
        self._join_marks()
        begun = self._begun
        yield from self._read_held()
        self._pieces = [rest := self._held[self._at :]]
        if self._is_inside and begun == self._begun:  # the mark is in a value of the same call
            yield from self._partial.feed(text)
        elif self._is_inside:
            self._partial = PartialCallReader(self._marks.openings, self._tools)
            yield from self._partial.feed(rest)
        self._tail = rest[1 - len(self._next_mark) :]
        self._is_blank = not (self._is_inside or rest.strip())

    def _decides_nothing(self, text: str) -> bool:
        """Return whether the held text stays undecided with this text."""
        if not self._is_inside:
            return self._is_blank and text.isspace()
        window = self._tail + text
        self._tail = window[1 - len(self._next_mark) :]
        return self._next_mark not in window

    def _join_marks(self) -> None:
        self._held, self._at = ''.join(self._pieces), 0

    def _read_held(self) -> Iterator[Item]:
        while True:
            if not self._is_inside:
                yield from self._emit_text(self._take_outside())
                if not self._is_inside:
                    return
            body = self._take_body()
            if body is None:
                return
            yield from self._emit_calls(body, end=self._marks.end or '')

    def close(self, *, truncated: bool) -> Iterator[Item]:
        self._join_marks()
        if self._is_inside:
            yield from self._read_held()
        held, is_inside = self._held[self._at :], self._is_inside
        self._pieces, self._tail, self._is_blank, self._is_inside = [], '', True, False
        has_open_value = is_inside and self._marks.has_values and self._values.is_inside(held, len(held))
        if has_open_value and not truncated and self._next_mark in held:
            yield from self._read_unclosed(held)
        elif is_inside:
            yield from self._emit_calls(held, end='', truncated=truncated)
        elif not (truncated and self._marks.start.startswith(held.strip())):
            yield from self._emit_text(held)

    def _read_unclosed(self, held: str) -> Iterator[Item]:
        """Yield the items of a call with a value that does not end, and of the text after it: its first mark counts."""
        body, mark, rest = held.partition(self._next_mark)
        yield from self._emit_calls(body, end=mark)
        yield from self.feed(rest if self._marks.end else f'{mark}{rest}')
        yield from self.close(truncated=False)

    def _take_outside(self) -> str:
        """Take the text before the next start mark, or the text that cannot belong to one."""
        mark = self._marks.start
        at = self._held.find(mark, self._at)
        if at >= 0:
            before, self._at = self._held[self._at : at], at + len(mark)
            self._is_inside, self._values = True, ValueScanner()
            self._begun += 1
            self._searched = self._skipped = 0
            text = before.rstrip()
            self._blanks = before[len(text) :]
            return text
        undecided = max(len(self._held) - count_overlap(self._held, (mark,)), self._at)
        before = self._held[self._at : undecided].rstrip()
        self._at += len(before)
        return before

    def _emit_text(self, text: str) -> Iterator[Item]:
        """Yield text, except blank text after a call."""
        if text and not (self._has_call and not text.strip()):
            yield 'text', text

    def _take_body(self) -> str | None:
        """Take the text between the marks; return `None` if the end mark has not come."""
        end = self._find_end()
        if end < 0:
            return None
        body, self._at = self._held[self._at : end], end + len(self._marks.end or '')
        self._is_inside = False
        return body

    def _find_end(self) -> int:
        """Return the position of the next mark that is not in a value of the call; -1 if it has not come.

        A mark before the start of another call ends this one in any case: a value of it has no end.
        """
        held, mark, start = self._held, self._next_mark, self._at
        end = held.find(mark, start + self._searched)
        if not self._marks.has_values:
            return end
        while end >= 0 and self._skipped < MOST_SKIPPED and self._values.is_inside(held, end, start):
            following = NOT_BLANK.search(held, end + len(mark))
            if following is None or self._is_part_of_start(following.start()):
                return -1
            if held.startswith(self._marks.start, following.start()):
                return end
            self._searched = end - start + 1
            self._skipped += 1
            end = held.find(mark, end + 1)
        return end

    def _is_part_of_start(self, at: int) -> bool:
        """Return whether the held text ends in an incomplete start mark at a position."""
        return len(self._held) - at < len(self._marks.start) and self._marks.start.startswith(self._held[at:])

    def _emit_calls(self, body: str, *, end: str, truncated: bool = False) -> Iterator[Item]:
        """Yield the calls between marks. A body without calls is text, or is dropped if it is a truncated call."""
        opening = find_opening(self._marks.openings, self._tools, body)
        calls = None if truncated and PARTIAL_NAME.fullmatch(body) else self._marks.decode(body)
        calls = keep_text(opening, calls, body)
        if calls == []:  # an empty list calls nothing
            return
        if calls and (self._tools is None or opening or all(call.name in self._tools for call in calls)):
            self._has_call = True
            yield from _keep_truncated(calls, body, has_pieces=opening is not None) if truncated else calls
            if self._marks.end is None and not truncated and parse_value(calls[-1].args) is not None:
                yield from self._emit_text(AFTER_CALLS.sub('', body))
        elif not truncated or not (self._tools is None or CALL_START.match(body)):
            yield 'text', f'{self._blanks}{self._marks.start}{body}{end}'


def _keep_truncated(calls: list[ToolCall], body: str, *, has_pieces: bool) -> Iterator[ToolCall]:
    """Yield the calls of a truncated body. The arguments of the last one stay as they are if they may be incomplete.

    A call without arguments yet is dropped, unless `has_pieces` says that it was begun.
    """
    yield from calls[:-1]
    last = calls[-1]
    if last.args == '{}' and not has_pieces and not body.rstrip().endswith(('}', ')', '>')):
        return
    is_incomplete = last.unquoted is not None and not body.rstrip().endswith('</function>')
    yield ToolCall(last.name, body.strip()) if is_incomplete else last


AFTER_CALLS = re.compile(r'.*[}\])]', re.DOTALL)
"""Calls without an end mark, which the text after them follows."""

CALL_START = re.compile(r'\s*(?:[{\[<]|[\w.\-]*\s*(?:$|[{\[<]))')
"""The beginning of a call: a name perhaps, and its arguments."""

PARTIAL_NAME = re.compile(r'\s*[\w.\-]*\s*')
"""A truncated body that is only a name, which may be incomplete."""


def decode_call(value: Any, keys: CallKeys = ('name', 'arguments')) -> ToolCall | None:
    """Decode a JSON object, or the object under its key `function`, as a tool call; `None` if it is not one."""
    if not isinstance(value, dict):
        return None
    call = cast('dict[str, Any]', value)
    function = call.get('function')
    if isinstance(function, dict):
        call = cast('dict[str, Any]', function)
    name_key, arguments_key = keys
    key = name_key if name_key in call else 'function'  # Llama 3 writes the name there
    name = call.get(key)
    if not isinstance(name, str) or not name:
        return None
    found = next((call[key] for key in (arguments_key, *ARGUMENTS_KEYS) if key in call), None)
    if found is None:
        found = {other: value for other, value in call.items() if other not in (key, *CALL_KEYS)}
    return ToolCall(name, to_args(found))


ARGUMENTS_KEYS = ('arguments', 'parameters', 'args', 'input', 'tool_input', 'kwargs')
"""The keys of arguments in JSON."""

CALL_KEYS = (*ARGUMENTS_KEYS, 'id', 'type', 'index', 'tool_call_id', 'call_id')
"""The keys in JSON that are not arguments themselves. A model may leave out the object around the arguments."""


def has_arguments(value: Any, keys: CallKeys) -> bool:
    """Return whether a JSON object, or the object under its key `function`, has the key of arguments."""
    call: Any = value.get('function', value) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] -- JSON
    return isinstance(call, dict) and any(key in call for key in (keys[1], 'arguments', 'parameters'))


PARTIAL_CALL = re.compile(
    r'"name"\s*:\s*"(?P<name>[^"]+)"(?:\s*,\s*"(?:arguments|parameters)"\s*:\s*(?P<args>.*))?', re.DOTALL
)
"""A JSON tool call that was truncated after its name."""


NEXT_VALUE = re.compile(r'[^ \t\r\n,;}]')
"""The beginning of the next value of a sequence, also after surplus brackets."""


def decode_json_calls(body: str, keys: CallKeys = ('name', 'arguments')) -> list[ToolCall] | None:
    """Decode one object, a sequence of objects or a list of them. The last one may be truncated."""
    calls: list[ToolCall] = []
    at, body = 0, body.strip()
    while at < len(body) and (parsed := parse_value(body, at)) is not None:
        value, end = parsed
        found = [
            decode_call(item, keys) for item in (cast('list[object]', value) if isinstance(value, list) else [value])
        ]
        if None in found:
            return calls or None
        calls += [call for call in found if call is not None]
        following = NEXT_VALUE.search(body, end)
        at = following.start() if following else len(body)
    if at < len(body) and (partial := PARTIAL_CALL.search(body, at)):
        args = (partial['args'] or body[partial.end() :]).strip()
        calls.append(ToolCall(partial['name'], args if re.search(r'\w', args) else ''))
    return calls or None


XML_FUNCTION = re.compile(r'<function=(?P<name>[^<>\s]+)>')
XML_END = '</function>'
FUNCTION_NAME = re.compile(r'[\w.\-]+')
XML_PARAMETER = ('<parameter=', '>', '</parameter>')
GLM_ARGUMENT = ('<arg_key>', '</arg_key>', '<arg_value>', '</arg_value>')
"""The marks of an argument, between which are its name and its value."""

GLM_NAME = re.compile(r'\s*(?P<name>[\w.\-]+)\s*(?=<arg_key>|$)')
NAMED_JSON = re.compile(r'\s*(?:function\s*\n)?(?P<name>[\w.\-]+)(?:\s*>|\s*\n)\s*(?=\{)')
"""A name before JSON, as GLM 5.3 Flash (`name>{`) and Step-Audio 2 (`function`, `name` and `{` in lines) write it."""


def decode_hermes(body: str) -> list[ToolCall] | None:
    """Decode the three formats in `<tool_call>`: JSON (Hermes, Qwen), `<function=` (Qwen3-Coder), `<arg_key>` (GLM)."""
    text = _strip_fence(body).lstrip()
    if text.startswith(('{', '[')) and (calls := decode_json_calls(text)):
        return calls
    if functions := [*split_calls(body, XML_FUNCTION, XML_END)]:
        return [_decode_function_body(found['name'], text) for found, text in functions]
    if named := NAMED_JSON.match(body):
        return [ToolCall(named['name'], extract_json(body[named.end() :]))]
    if name := GLM_NAME.match(body):
        return [make_unquoted_call(name['name'], GLM_ARGUMENT, body[name.end() :], decode_verbatim)]
    return decode_python_calls(body) or None  # a model that was told to write Python


def _decode_function_body(name: str, text: str) -> ToolCall:
    """Decode what follows the name: JSON (Llama), or parameters between marks (Qwen3-Coder)."""
    if text.lstrip().startswith('{'):
        return ToolCall(name, extract_json(text))
    return make_unquoted_call(name, XML_PARAMETER, text)


def decode_function(body: str) -> list[ToolCall] | None:
    """Decode what follows `<function=`."""
    name, end, rest = body.partition('>')
    return [_decode_function_body(name, rest)] if end and FUNCTION_NAME.fullmatch(name) else None


MISTRAL_CALL = re.compile(r'\s*(?P<name>[\w.\-]+)(?:(?:\[CALL_ID\][^\[]*)?\[ARGS\]|(?=\{))')


def decode_mistral(body: str) -> list[ToolCall] | None:
    """Decode `name[ARGS]{...}` or `name{...}` (newer tokenizers), or a list of JSON objects (older ones)."""
    calls: list[ToolCall] = []
    at = 0
    while (call := MISTRAL_CALL.match(body, at)) is not None:
        parsed = parse_value(body, call.end())
        at = parsed[1] if parsed else len(body)
        calls.append(ToolCall(call['name'], extract_json(body[call.end() : at])))
    return calls or decode_json_calls(body)


def extract_json(text: str) -> str:
    """Return the JSON at the start of a text, unchanged if it is an object. Text without JSON is returned whole."""
    parsed = parse_value(text)
    if parsed is None:
        return text.strip()
    value, end = parsed
    original = text[:end].strip()
    return original if original.startswith(('{"', '{}', '{ ', '{\n')) else to_args(value)


DEEPSEEK_CALL = ('<｜tool▁call▁begin｜>', '<｜tool▁sep｜>', '<｜tool▁call▁end｜>')
FENCE = re.compile(r'\s*```(?:json)?\s*')


def decode_deepseek(body: str) -> list[ToolCall] | None:
    """Decode `function`, a name and fenced JSON (V3, R1), or a name and JSON (V3.1)."""
    calls = split_marked(body + DEEPSEEK_CALL[-1], DEEPSEEK_CALL)  # the last call may be truncated
    return [_decode_deepseek_call(head, text) for head, text in calls] or None


def _decode_deepseek_call(head: str, body: str) -> ToolCall:
    if head.strip() != 'function':
        return ToolCall(head.strip(), extract_json(body))
    name, _, rest = body.partition('\n')
    return ToolCall(name.strip(), extract_json(_strip_fence(rest)))


def _strip_fence(text: str) -> str:
    """Return a text without the code fence around it."""
    fence = FENCE.match(text)
    return text[fence.end() :].rstrip().removesuffix('```').rstrip() if fence else text


KIMI_CALL = re.compile(
    r'<\|tool_call_begin\|>\s*(?:functions\.)?(?P<name>[\w.\-]+?)(?::\d+)?\s*<\|tool_call_argument_begin\|>'
)


def decode_kimi(body: str) -> list[ToolCall] | None:
    """Decode calls with an id such as `functions.name:0` and JSON.

    https://huggingface.co/moonshotai/Kimi-K2-Instruct-0905/blob/main/docs/tool_call_guidance.md
    """
    calls = split_calls(body, KIMI_CALL, '<|tool_call_end|>')
    return [ToolCall(found['name'], extract_json(text)) for found, text in calls] or None


XML_ARGS = Opening(
    re.compile(r'\s*<function=(?P<name>[^<>\s]+)>\s*(?=<parameter=)'), partial(MarkedArgs, XML_PARAMETER, XML_END)
)
GLM_ARGS = Opening(
    re.compile(r'\s*(?P<name>[\w.\-]+)\s*(?=<arg_key>)'), partial(MarkedArgs, GLM_ARGUMENT, '', decode_verbatim)
)
FUNCTION_ARGS = (
    Opening(re.compile(r'(?P<name>[\w.\-]+)>\s*(?=\{)')),
    Opening(re.compile(r'(?P<name>[\w.\-]+)>\s*(?=<parameter=)'), partial(MarkedArgs, XML_PARAMETER)),
)
MISTRAL_ARGS = (
    Opening(re.compile(r'\s*(?P<name>[\w.\-]+)(?:\[CALL_ID\][^\[]*)?\[ARGS\]\s*(?=\{)')),
    Opening(re.compile(r'\s*(?P<name>[\w.\-]+)(?=\{)')),
)
DEEPSEEK_ARGS = Opening(
    re.compile(
        r'\s*<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>(?P<name>[\w.\-]+)\s*\n```(?:json)?\s*(?=\{))',
    )
)
DEEPSEEK_BARE_ARGS = Opening(
    re.compile(r'\s*<｜tool▁call▁begin｜>\s*(?!function<)(?P<name>[\w.\-]+)\s*<｜tool▁sep｜>\s*(?=\{)')
)
KIMI_HEAD = r'\s*(?:functions\.)?(?P<name>[\w.\-]+?)(?::\d+)?\s*<\|tool_call_argument_begin\|>\s*(?=\{)'
KIMI_ARGS = Opening(re.compile(rf'\s*<\|tool_call_begin\|>{KIMI_HEAD}'))

FUNCTION = Marks('<function=', '</function>', decode_function, FUNCTION_ARGS)
HERMES = Marks(
    '<tool_call>', '</tool_call>', decode_hermes, (make_json_opening(), XML_ARGS, GLM_ARGS, Opening(NAMED_JSON))
)
MISTRAL = Marks('[TOOL_CALLS]', None, decode_mistral, (*MISTRAL_ARGS, make_json_opening()))
DEEPSEEK = Marks('<｜tool▁calls▁begin｜>', '<｜tool▁calls▁end｜>', decode_deepseek, (DEEPSEEK_ARGS, DEEPSEEK_BARE_ARGS))
DEEPSEEK_ONE = Marks(DEEPSEEK_CALL[0], DEEPSEEK_CALL[-1], lambda body: decode_deepseek(f'{DEEPSEEK_CALL[0]}{body}'))
"""One call of DeepSeek without the marks of its section."""
KIMI = Marks('<|tool_calls_section_begin|>', '<|tool_calls_section_end|>', decode_kimi, (KIMI_ARGS,))
