"""Formats of 2026 that put the calls of another format between marks of their own.

The samples are those of vLLM's and SGLang's tests of parsers:
https://github.com/vllm-project/vllm/tree/main/tests/tool_parsers
https://github.com/sgl-project/sglang/tree/main/python/sglang/srt/function_call
"""

from __future__ import annotations

import re
from functools import partial
from itertools import product

from .marked import GLM_ARGS, GLM_ARGUMENT, Marks, decode_hermes, decode_json_calls, extract_json
from .partial_args import Opening, make_json_opening
from .pythonic import decode_python_calls
from .reader import ToolCall, UnquotedArg
from .tagged import (
    GEMMA_OPENING_PATTERN,
    GemmaArgs,
    decode_gemma,
    decode_invocations,
    decode_prefixed,
    make_invoke_opening,
    strip_prefix,
)
from .unquoted import MarkedArgs, decode_unquoted, decode_verbatim, make_unquoted_call
from .values import split_calls

# ---------------------------------------------------------------------- XML


def decode_dots(body: str) -> list[ToolCall] | None:
    """Decode the calls of dots: those of MiniMax, or JSON."""
    return decode_invocations(body) or decode_json_calls(body)


def decode_longcat(body: str) -> list[ToolCall] | None:
    """Decode JSON, or the calls of GLM with a prefix in each mark."""
    return decode_hermes(strip_prefix(body, 'longcat_'))


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


GLM_CALL = re.compile(r'<tool_call>')


def decode_tool_calls(body: str, *, prefix: str = '', suffix: str = '') -> list[ToolCall] | None:
    """Decode JSON (Nemotron, MiniMax M1, Hunyuan A13B), or calls of GLM between marks of their own (Hunyuan 3, 4, K2).

    The names of all tags have this prefix and suffix.
    """
    plain = strip_prefix(body, prefix) if prefix else body
    plain = re.sub(rf'(</?\w+){re.escape(suffix)}>', r'\1>', plain) if suffix else plain
    if '<tool_call' not in plain:
        return decode_json_calls(body)
    bodies = [text.replace('<tool_sep>', '') for _, text in split_calls(plain, GLM_CALL, '</tool_call>')]
    calls = [decode_hermes(text) for text in bodies]
    return [call for each in calls if each for call in each] if calls and all(calls) else None


def make_glm_marks(prefix: str = '', suffix: str = '') -> Marks:
    """Return the marks of calls that are those of GLM, with this prefix and suffix in the name of each tag."""
    argument = tuple(f'<{slash}{prefix}arg_{name}{suffix}>' for name, slash in product(('key', 'value'), ('', '/')))
    head = (
        rf'\s*<{re.escape(prefix)}tool_call{suffix}>\s*(?P<name>[\w.\-]+)\s*'
        rf'(?:<tool_sep{suffix}>\s*)?(?=<{re.escape(prefix)}arg_key{suffix}>)'
    )
    end = f'</{prefix}tool_call{suffix}>'
    args = Opening(re.compile(head), partial(MarkedArgs, argument, end, decode_verbatim))
    decode = partial(decode_tool_calls, prefix=prefix, suffix=suffix)
    return Marks(f'<{prefix}tool_calls{suffix}>', f'</{prefix}tool_calls{suffix}>', decode, (args,))


SOLAR_ARGUMENT = ('<|tool_arg:start|>', '<|tool_arg:value|>', '<|tool_arg:end|>')
SOLAR_NAME = re.compile(r'\s*(?P<name>[\w.\-]+)\s*(?=<\|tool_arg:start\|>|$)')


def decode_solar(body: str) -> list[ToolCall] | None:
    """Decode a call of Solar Open 2: a name, and arguments between marks."""
    name = SOLAR_NAME.match(body)
    return [make_unquoted_call(name['name'], SOLAR_ARGUMENT, body[name.end() :], decode_verbatim)] if name else None


# ---------------------------------------------------------------------- Python and JSON


def decode_function_calls(body: str) -> list[ToolCall] | None:
    """Decode the calls of Olmo 3, one line of Python each, or those of Claude in prompts."""
    return decode_invocations(body) if '<invoke' in body else decode_python_calls(body)


INKLING_CALL = ('name', 'args')


def decode_inkling(body: str) -> list[ToolCall] | None:
    """Decode the JSON of Inkling."""
    return decode_json_calls(body, INKLING_CALL)


PLAMO_HEAD = re.compile(
    r'<\|plamo:begin_tool_name:plamo\|>\s*(?P<name>[\w.\-]+)\s*<\|plamo:end_tool_name:plamo\|>\s*'
    r'<\|plamo:begin_tool_arguments:plamo\|>(?:<\|plamo:constrain\|>json<\|plamo:msg\|>)?\s*'
)


def decode_plamo(body: str) -> list[ToolCall] | None:
    """Decode a name and JSON, each between marks."""
    calls = split_calls(body, PLAMO_HEAD, '<|plamo:end_tool_arguments:plamo|>')
    return [ToolCall(head['name'], extract_json(text)) for head, text in calls] or None


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
    '<｜tool_calls_begin｜>',
    '<｜tool_calls_end｜>',
    partial(decode_prefixed, prefix='steptml:'),
    (make_invoke_opening('steptml:', before=r'.*?'),),
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
HUNYUAN = make_glm_marks(suffix=':opensource')
HUNYUAN_4 = make_glm_marks(suffix=':6124c78e')
"""The suffix is part of the vocabulary of each model: https://github.com/vllm-project/vllm/blob/main/vllm/tool_parsers"""
IFM = make_glm_marks(prefix='ifm|')
"""The calls of K2 Horizon: JSON, or those of GLM, with the type of each argument perhaps.

https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/tool_parsers/k2_horizon.py
"""
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

IQUEST, OTHER_IQUEST = (
    Marks(f'<{name}>', f'</{name}>', decode_hermes, (GLM_ARGS,))
    for name in ('iquestcoder_tool_call', 'iquest_tool_call')
)
"""The calls of IQuest Coder 2 and Q1."""
SOLAR = Marks(
    '<|tool_call:start|>',
    '<|tool_call:end|>',
    decode_solar,
    (
        Opening(
            re.compile(r'\s*(?P<name>[\w.\-]+)\s*(?=<\|tool_arg:start\|>)'),
            partial(MarkedArgs, SOLAR_ARGUMENT, '', decode_verbatim),
        ),
    ),
)
"""https://github.com/vllm-project/vllm/blob/main/vllm/tool_parsers/solar_open2_tool_parser.py"""
INKLING = Marks('<|content_invoke_tool_json|>', '<|end_message|>', decode_inkling, (make_json_opening(INKLING_CALL),))
PLAMO = Marks(
    '<|plamo:begin_tool_requests:plamo|>',
    '<|plamo:end_tool_requests:plamo|>',
    decode_plamo,
    (Opening(re.compile(rf'\s*<\|plamo:begin_tool_request:plamo\|>\s*{PLAMO_HEAD.pattern}(?=\{{)')),),
)
"""https://github.com/vllm-project/vllm/blob/main/vllm/tool_parsers/plamo3_tool_parser.py"""
PANGU = Marks('[unused11]', '[unused12]', decode_json_calls, (make_json_opening(),))
"""openPangu 1: https://github.com/vllm-project/vllm/blob/main/vllm/tool_parsers/pangu_tool_parser.py"""
HYPERCLOVA = Marks('-> tool/function_call', None, decode_json_calls, (make_json_opening(),))
"""The header of a turn: https://huggingface.co/naver-hyperclovax/HyperCLOVAX-SEED-Think-14B"""
