"""The marks and the decoders of formats of tool calls from 2025 on. `marked` reads them.

The samples are those of llama.cpp's and vLLM's tests of chat templates and parsers:
https://github.com/ggml-org/llama.cpp/tree/master/models/templates
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from json import dumps
from typing import Any, cast

from ..thinking import count_overlap
from .json_text import parse_value, to_args
from .marked import KIMI_ARGS, KIMI_HEAD, XML_ARGS, Marks, decode_hermes, decode_json_calls, decode_kimi, extract_json
from .partial_args import Opening, make_json_opening
from .pythonic import decode_python_calls
from .reader import ArgsPiece, ToolCall, UnquotedArg
from .unquoted import MarkedArgs, decode_unquoted, make_unquoted_call
from .values import split_calls

__all__ = ('decode_gemma', 'decode_invocations')

# ---------------------------------------------------------------------- Gemma 4: call:name{key:<|"|>text<|"|>}

GEMMA_QUOTE = '<|"|>'
GEMMA_CALL = re.compile(r'\s*call:(?P<name>[\w.\-]+)\s*(?P<args>\{.*)?', re.DOTALL)
GEMMA_KEY = re.compile(r'(?:(?P<comma>,)|\{)\s*(?P<key>[\w.\-$]+)\s*:')


def decode_gemma(body: str, quote: str = GEMMA_QUOTE) -> list[ToolCall] | None:
    """Decode a name and an object whose keys have no quotes, and whose texts stand between quotes such as `<|"|>`."""
    found = GEMMA_CALL.match(body)
    if found is None:
        return None
    args = found['args'] or '{}'
    pieces = args.split(quote)
    written = [
        dumps(piece, ensure_ascii=False) if index % 2 else _add_quotes(piece) for index, piece in enumerate(pieces)
    ]
    parsed = parse_value(''.join(written))  # not if it is truncated, or a value has no quotes
    return [ToolCall(found['name'], args.strip() if parsed is None else to_args(parsed[0]))]


class GemmaArgs:
    """Reads Gemma's arguments while they stream: each text between quotes as it comes, all else at the next quote."""

    def __init__(self, quote: str = GEMMA_QUOTE) -> None:
        self._quote = quote
        self._pieces: list[str] = []
        """Held text. Pieces without a quote are only added, so that none is read again for each that follows."""
        self._tail = ''
        self._is_quoted = False

    def feed(self, text: str) -> Iterator[ArgsPiece]:
        self._pieces.append(text)
        window = self._tail + text
        self._tail = window[1 - len(self._quote) :]
        if not self._is_quoted and self._quote not in window:
            return
        *complete, rest = ''.join(self._pieces).split(self._quote)
        for piece in complete:
            yield (_escape(piece) if self._is_quoted else _add_quotes(piece)) + '"'
            self._is_quoted = not self._is_quoted
        if self._is_quoted:
            end = len(rest) - count_overlap(rest, (self._quote,))
            yield _escape(rest[:end])
            rest = rest[end:]
        self._pieces, self._tail = [rest], rest[1 - len(self._quote) :]


def _escape(text: str) -> str:
    return dumps(text, ensure_ascii=False)[1:-1]


def _add_quotes(text: str) -> str:
    """Add quotes to the keys of Gemma's arguments."""
    return GEMMA_KEY.sub(lambda found: f'{", " if found["comma"] else "{"}"{found["key"]}": ', text)


# ---------------------------------------------------------------------- MiniMax, DeepSeek 3.2: <invoke name="...">

INVOKE = re.compile('<invoke name=(?P<name>[^>]*)>')
PARAMETER = ('<parameter name=', '>', '</parameter>')
ATTRIBUTE = re.compile(r'"(?P<key>[^"]*)"(?:\s+string="(?P<string>true|false)")?')


def decode_invocations(body: str) -> list[ToolCall] | None:
    """Decode calls in XML. `string="true"` marks a text, for DeepSeek; MiniMax leaves the type to the schema."""
    calls = split_calls(body, INVOKE, '</invoke>')
    return [_decode_invocation(head['name'].strip().strip('"\''), text) for head, text in calls] or None


TWICE = r'(?:(?P<space>[\w\-]+)\.(?=(?P=space)"))?'
"""The name of a tool that stands there twice: Muse Glimmer takes it for a namespace too."""


def _decode_invocation(name: str, body: str) -> ToolCall:
    namespace, _, last = name.partition('.')
    name = last if namespace == last else name
    if body.lstrip().startswith('{'):  # DeepSeek V4 writes JSON too
        return ToolCall(name, extract_json(body))
    return make_unquoted_call(name, PARAMETER, body, _decode_parameter)


def _decode_parameter(texts: list[str]) -> UnquotedArg:
    head, text = texts[0].strip(), texts[-1]
    attribute = ATTRIBUTE.match(head)
    is_text = attribute is not None and attribute['string'] == 'true'
    return attribute['key'] if attribute else head, text if is_text else decode_unquoted(text), text


def decode_prefixed(body: str, prefix: str) -> list[ToolCall] | None:
    """Decode the same with a prefix in the name of each tag."""
    return decode_invocations(strip_prefix(body, prefix))


def strip_prefix(body: str, prefix: str) -> str:
    """Return a text without this prefix in its tags. Values keep it."""
    return re.sub(rf'<(/?){re.escape(prefix)}(?=\w)', r'<\1', body)


# ---------------------------------------------------------------------- JSON with other keys, Python, one function


def decode_command(body: str) -> list[ToolCall] | None:
    """Decode Cohere's list of actions: `tool_name` and `parameters`."""
    return decode_json_calls(body, ('tool_name', 'parameters'))


def decode_apertus(body: str) -> list[ToolCall] | None:
    """Decode a list of objects, each of which has the name of a tool as its key."""
    parsed = parse_value(body)
    if parsed is None or not isinstance(parsed[0], list):
        return None
    values = cast('list[object]', parsed[0])
    items = [cast('dict[str, Any]', value) for value in values if isinstance(value, dict)]
    if len(items) != len(values) or not all(len(item) == 1 for item in items):
        return None
    return [ToolCall(name, to_args(args)) for item in items for name, args in item.items()] or None


BUILT_IN = re.compile(r'\s*(?P<name>[\w\-]+)\.call(?P<args>\(.*\))\s*(?:<\|eom_id\|>)?\s*', re.DOTALL)


def decode_built_in(body: str) -> list[ToolCall] | None:
    """Decode Llama's way to call a tool that it knows: `name.call(city="Paris")`."""
    found = BUILT_IN.fullmatch(body)
    calls = decode_python_calls(f'call{found["args"]}') if found else None
    return [ToolCall(found['name'], calls[0].args)] if found and calls else None


def decode_lfm(body: str) -> list[ToolCall] | None:
    """Decode Python, or JSON if a system prompt asks for it.

    https://docs.liquid.ai/lfm/key-concepts/tool-use
    """
    calls = decode_python_calls(body)
    return decode_json_calls(body) if calls is None else calls


def decode_open_function(body: str) -> list[ToolCall] | None:
    """Decode Qwen3-Coder's call if its first mark is missing; `None` if text follows the function."""
    text = f'<function={body}'
    return decode_hermes(text) if text.rstrip().endswith('</function>') else None


KIMI_BODY = re.compile(
    r'\s*(?:functions\.)?(?P<name>[\w.\-]+?)(?::\d+)?\s*<\|tool_call_argument_begin\|>(?P<args>.*)', re.DOTALL
)


def decode_kimi_call(body: str) -> list[ToolCall] | None:
    """Decode one call of Kimi."""
    found = KIMI_BODY.match(body)
    return [ToolCall(found['name'], extract_json(found['args']))] if found else None


def decode_seed(body: str) -> list[ToolCall] | None:
    """Decode the calls of Seed-OSS, which are those of Qwen3-Coder between other marks."""
    return decode_hermes(body) if '<function=' in body else None


GEMMA_OPENING_PATTERN = re.compile(r'\s*call:(?P<name>[\w.\-]+)\s*(?=\{)')
GEMMA_OPENING = Opening(GEMMA_OPENING_PATTERN, GemmaArgs)


def make_invoke_opening(prefix: str = '', *, before: str = '') -> Opening:
    """Return the opening of a call in XML. `prefix` is part of each mark, `before` a pattern for the text before it."""
    head = rf'\s*{before}<{prefix}invoke name="?{TWICE}(?P<name>[\w.\-]+)"?\s*>\s*(?=<{prefix}parameter name=)'
    marks = (f'<{prefix}parameter name=', '>', f'</{prefix}parameter>')
    return Opening(re.compile(head, re.DOTALL), partial(MarkedArgs, marks, f'</{prefix}invoke>', _decode_parameter))


def make_prefixed_marks(prefix: str, name: str) -> Marks:
    """Return the marks of calls in XML with a prefix in each tag. `name` is that of the tag around the calls."""
    decode = partial(decode_prefixed, prefix=prefix)
    return Marks(f'<{prefix}{name}>', f'</{prefix}{name}>', decode, (make_invoke_opening(prefix),))


COMMAND_OPENING = make_json_opening(
    ('tool_name', 'parameters'), r'(?:\[\s*)?\{\s*(?:"tool_call_id"\s*:\s*"[^"\\]*"\s*,\s*)?'
)
APERTUS_OPENING = Opening(re.compile(r'\s*\[\s*\{\s*"(?P<name>[^"\\]+)"\s*:\s*(?=\{)'))
JSON_OPENINGS = (make_json_opening(),)

GEMMA = Marks('<|tool_call>', '<tool_call|>', decode_gemma, (GEMMA_OPENING,))
SEED = Marks('<seed:tool_call>', '</seed:tool_call>', decode_seed, (XML_ARGS,))
MINIMAX = Marks('<minimax:tool_call>', '</minimax:tool_call>', decode_invocations, (make_invoke_opening(),))
DSML = make_prefixed_marks('｜DSML｜', 'tool_calls')
OLDER_DSML = make_prefixed_marks('｜DSML｜', 'function_calls')
"""The calls of DeepSeek 3.2. Version 4 changed the mark around them."""
SPACED_DSML = make_prefixed_marks('｜DSML｜ ', 'calls')
"""The calls of DeepSeek 4.1: https://github.com/vllm-project/vllm/blob/main/vllm/parser/deepseek_v41.py"""
GCML = make_prefixed_marks('｜GCML｜', 'tool_calls')
"""The calls of GigaChat 3.5: https://github.com/ggml-org/llama.cpp/blob/master/models/templates/GigaChat3.5.jinja"""
ATEM = make_prefixed_marks('atem:', 'function_calls')
"""The calls of Muse Glimmer: https://github.com/ollama/ollama/blob/main/model/parsers/glimmer.go"""
LFM = Marks('<|tool_call_start|>', '<|tool_call_end|>', decode_lfm, JSON_OPENINGS)
"""LFM2 writes Python, openPangu 2 JSON."""
COMMAND = Marks('<|START_ACTION|>', '<|END_ACTION|>', decode_command, (COMMAND_OPENING,))
APERTUS = Marks('<|tools_prefix|>', '<|tools_suffix|>', decode_apertus, (APERTUS_OPENING,))
NEMOTRON = Marks('<TOOLCALL>', '</TOOLCALL>', decode_json_calls, JSON_OPENINGS)
PHI = Marks('<|tool_call|>', '<|/tool_call|>', decode_json_calls, JSON_OPENINGS)
KIMI_CALL = Marks('<|tool_call_begin|>', '<|tool_call_end|>', decode_kimi_call, (Opening(re.compile(KIMI_HEAD)),))
"""One call of Kimi without the marks of its section, `KIMI`."""
KIMI_SINGULAR = Marks('<|tool_call_section_begin|>', '<|tool_call_section_end|>', decode_kimi, (KIMI_ARGS,))
"""Marks that Kimi K2 writes by mistake: llama.cpp#17376."""
LLAMA_BUILT_IN = Marks('<|python_tag|>', None, decode_built_in)
OPEN_FUNCTION = Marks('<function=', '</tool_call>', decode_open_function)
"""A call of Qwen3-Coder without its first mark."""
