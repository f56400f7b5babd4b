"""The marks and the decoders of formats of tool calls from 2025 on. `marked` reads them.

The samples are those of llama.cpp's and vLLM's tests of chat templates and parsers:
https://github.com/ggml-org/llama.cpp/tree/master/models/templates
"""

from __future__ import annotations

import re
from json import JSONDecodeError, dumps, loads
from typing import Any, cast

from .json_text import parse_value, to_args
from .marked import Marks, decode_hermes, decode_json_calls, extract_json, split_marked
from .pythonic import decode_python_calls
from .reader import ToolCall

__all__ = ('decode_gemma', 'decode_invocations')

# ---------------------------------------------------------------------- Gemma 4: call:name{key:<|"|>text<|"|>}

GEMMA_QUOTE = '<|"|>'
GEMMA_CALL = re.compile(r'\s*call:(?P<name>[\w.\-]+)\s*(?P<args>\{.*)?', re.DOTALL)
GEMMA_KEY = re.compile(r'(?P<before>[{,]\s*)(?P<key>[\w.\-$]+)\s*:')


def decode_gemma(body: str) -> list[ToolCall] | None:
    """Decode a name and an object whose keys have no quotes, and whose texts stand between `<|"|>`."""
    found = GEMMA_CALL.match(body)
    if found is None:
        return None
    args = found['args'] or '{}'
    pieces = args.split(GEMMA_QUOTE)
    written = [
        dumps(piece, ensure_ascii=False) if index % 2 else GEMMA_KEY.sub(r'\g<before>"\g<key>":', piece)
        for index, piece in enumerate(pieces)
    ]
    try:
        return [ToolCall(found['name'], to_args(loads(''.join(written))))]
    except JSONDecodeError:  # truncated, or a value without quotes
        return [ToolCall(found['name'], args.strip())]


# ---------------------------------------------------------------------- MiniMax, DeepSeek 3.2: <invoke name="...">

INVOKE = ('<invoke name=', '>', '</invoke>')
PARAMETER = ('<parameter name=', '>', '</parameter>')
ATTRIBUTE = re.compile(r'"(?P<key>[^"]*)"(?:\s+string="(?P<string>true|false)")?')


def decode_invocations(body: str) -> list[ToolCall] | None:
    """Decode calls in XML. `string="true"` marks a text, for DeepSeek; MiniMax leaves the type to the schema."""
    calls = split_marked(body + INVOKE[-1], INVOKE)  # the last call may be truncated
    return [_decode_invocation(head.strip().strip('"'), rest) for head, rest in calls] or None


def _decode_invocation(name: str, body: str) -> ToolCall:
    values: dict[str, Any] = {}
    unquoted: dict[str, tuple[Any, str]] = {}
    for head, text in split_marked(body, PARAMETER):
        attribute = ATTRIBUTE.match(head.strip())
        key = attribute['key'] if attribute else head.strip()
        parsed = parse_value(text)
        value = parsed[0] if parsed is not None and not text[parsed[1] :].strip() else text
        is_text = attribute is not None and attribute['string'] == 'true'
        values[key] = text if is_text else value
        unquoted[key] = (values[key], text)
    return ToolCall(name, to_args(values), unquoted)


def decode_dsml(body: str) -> list[ToolCall] | None:
    """Decode the calls of DeepSeek 3.2: the same, with a mark in each name."""
    return decode_invocations(body.replace('｜DSML｜', ''))


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


def decode_open_function(body: str) -> list[ToolCall] | None:
    """Decode Qwen3-Coder's call if its first mark is missing; `None` if there is text beside the functions."""
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


GEMMA = Marks('<|tool_call>', '<tool_call|>', decode_gemma)
SEED = Marks('<seed:tool_call>', '</seed:tool_call>', decode_seed)
MINIMAX = Marks('<minimax:tool_call>', '</minimax:tool_call>', decode_invocations)
DSML = Marks('<｜DSML｜function_calls>', '</｜DSML｜function_calls>', decode_dsml)
LFM = Marks('<|tool_call_start|>', '<|tool_call_end|>', decode_python_calls)
COMMAND = Marks('<|START_ACTION|>', '<|END_ACTION|>', decode_command)
APERTUS = Marks('<|tools_prefix|>', '<|tools_suffix|>', decode_apertus)
NEMOTRON = Marks('<TOOLCALL>', '</TOOLCALL>', decode_json_calls)
TOOL_CALLS = Marks('<tool_calls>', '</tool_calls>', decode_json_calls)
PHI = Marks('<|tool_call|>', '<|/tool_call|>', decode_json_calls)
KIMI_CALL = Marks('<|tool_call_begin|>', '<|tool_call_end|>', decode_kimi_call)
"""One call of Kimi without the marks of its section, `KIMI`."""
LLAMA_BUILT_IN = Marks('<|python_tag|>', None, decode_built_in)
OPEN_FUNCTION = Marks('<function=', '</tool_call>', decode_open_function)
"""A call of Qwen3-Coder without its first mark."""
