"""Formats of 2026 that put the calls of another format between marks of their own.

The samples are those of vLLM's and SGLang's tests of parsers:
https://github.com/vllm-project/vllm/tree/main/tests/tool_parsers
https://github.com/sgl-project/sglang/tree/main/python/sglang/srt/function_call
"""

from __future__ import annotations

import re
from functools import partial

from .marked import GLM_ARGUMENT, GLM_NAME, Marks, decode_hermes, decode_json_calls
from .partial_args import Opening, make_json_opening
from .pythonic import decode_python_calls
from .reader import ToolCall, UnquotedArg
from .tagged import GEMMA_OPENING_PATTERN, GemmaArgs, decode_gemma, decode_invocations, make_invoke_opening
from .unquoted import MarkedArgs, decode_unquoted, decode_verbatim, make_unquoted_call
from .values import split_calls

# ---------------------------------------------------------------------- XML


def decode_step(body: str) -> list[ToolCall] | None:
    """Decode the calls of Step 3: those of MiniMax with a prefix in each name."""
    return decode_invocations(body.replace('steptml:', ''))


def decode_dots(body: str) -> list[ToolCall] | None:
    """Decode the calls of dots: those of MiniMax, or JSON."""
    return decode_invocations(body) or decode_json_calls(body)


def decode_longcat(body: str) -> list[ToolCall] | None:
    """Decode JSON, or the calls of GLM with a prefix in each mark."""
    return decode_hermes(body.replace('longcat_', ''))


FUNCTION_ARGUMENT = ('<param name=', '>', '</param>')
FUNCTION_HEAD = re.compile(r'(?P<name>[\w.\-]+)["\']?\s*>')


def decode_named_function(body: str) -> list[ToolCall] | None:
    """Decode what follows `<function name="`, as MiniCPM 5 writes it: a name, and parameters between marks."""
    head = FUNCTION_HEAD.match(body)
    return [make_unquoted_call(head['name'], FUNCTION_ARGUMENT, body[head.end() :], _decode_param)] if head else None


def _decode_param(texts: list[str]) -> UnquotedArg:
    written = texts[-1]
    if written.startswith('<![CDATA[') and written.endswith(']]>'):
        written = written[len('<![CDATA[') : -len(']]>')]
    return texts[0].strip().strip('"\''), decode_unquoted(written), written


HUNYUAN_CALL = re.compile(r'<tool_call>')


def decode_tool_calls(body: str) -> list[ToolCall] | None:
    """Decode JSON (Nemotron, MiniMax M1, Hunyuan A13B), or calls of GLM between marks of their own (Hunyuan 3, 4)."""
    if '<tool_call' not in body:
        return decode_json_calls(body)
    plain = body.replace(':opensource>', '>').replace('<tool_sep>', '')
    bodies = [text for _, text in split_calls(plain, HUNYUAN_CALL, '</tool_call>')]
    names = [GLM_NAME.match(text) for text in bodies]
    calls = [
        make_unquoted_call(name['name'], GLM_ARGUMENT, text, decode_verbatim)
        for name, text in zip(names, bodies, strict=True)
        if name
    ]
    return calls if calls and len(calls) == len(bodies) else None


# ---------------------------------------------------------------------- Python and JSON


def decode_function_calls(body: str) -> list[ToolCall] | None:
    """Decode the calls of Olmo 3, one line of Python each, or those of Claude in prompts."""
    return decode_invocations(body) if '<invoke' in body else decode_python_calls(body)


PLUGIN = re.compile(r'\s*<\|plugin\|>')


def decode_plugin(body: str) -> list[ToolCall] | None:
    """Decode the call of InternLM: JSON after a second mark."""
    mark = PLUGIN.match(body)
    return decode_json_calls(body[mark.end() :], ('name', 'parameters')) if mark else None


# ---------------------------------------------------------------------- the marks

ESCAPE = '<escape>'
FUNCTION_GEMMA = Marks(
    '<start_function_call>',
    '<end_function_call>',
    partial(decode_gemma, quote=ESCAPE),
    (Opening(GEMMA_OPENING_PATTERN, partial(GemmaArgs, ESCAPE)),),
)
STEP = Marks(
    '<｜tool_calls_begin｜>', '<｜tool_calls_end｜>', decode_step, (make_invoke_opening('steptml:', before=r'.*?'),)
)
DOTS = Marks('<dots_function_call>', '</dots_function_call>', decode_dots, (make_invoke_opening(), make_json_opening()))
LONGCAT_ARGUMENT = tuple(mark.replace('arg_', 'longcat_arg_') for mark in GLM_ARGUMENT)
LONGCAT = Marks(
    '<longcat_tool_call>',
    '</longcat_tool_call>',
    decode_longcat,
    (
        make_json_opening(),
        Opening(
            re.compile(r'\s*(?P<name>[\w.\-]+)\s*(?=<longcat_arg_key>)'),
            partial(MarkedArgs, LONGCAT_ARGUMENT, '', decode_verbatim),
        ),
    ),
)
MINICPM = Marks(
    '<function name="',
    '</function>',
    decode_named_function,
    (
        Opening(
            re.compile(r'(?P<name>[\w.\-]+)"\s*>\s*(?=<param name=)'),
            partial(MarkedArgs, FUNCTION_ARGUMENT, '', _decode_param),
        ),
    ),
)
HUNYUAN_ARGUMENT = tuple(mark.replace('>', ':opensource>') for mark in GLM_ARGUMENT)
HUNYUAN = Marks(
    '<tool_calls:opensource>',
    '</tool_calls:opensource>',
    decode_tool_calls,
    (
        Opening(
            re.compile(r'\s*<tool_call:opensource>\s*(?P<name>[\w.\-]+)\s*(?=<arg_key:opensource>)'),
            partial(MarkedArgs, HUNYUAN_ARGUMENT, '</tool_call:opensource>', decode_verbatim),
        ),
    ),
)
TOOL_CALLS = Marks('<tool_calls>', '</tool_calls>', decode_tool_calls, (make_json_opening(),))
OLMO = Marks('<function_calls>', '</function_calls>', decode_function_calls, (make_invoke_opening(),))
INTERN = Marks(
    '<|action_start|>',
    '<|action_end|>',
    decode_plugin,
    (make_json_opening(('name', 'parameters'), r'<\|plugin\|>\s*\{\s*'),),
)
GRANITE = Marks('<function_call>', None, decode_json_calls, (make_json_opening(),))
GIGACHAT = Marks('<|function_call|>', None, decode_json_calls, (make_json_opening(),))
