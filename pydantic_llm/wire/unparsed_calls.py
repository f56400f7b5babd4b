"""Finds tool calls that a server left in the text, since it has no parser for the model's format: `find_unparsed_call`.

Each text is searched once, at the end of its response.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from itertools import islice
from typing import cast

from ..messages import TextPart, ThinkingPart, ToolCallPart
from ..streaming.draft import ResponseDraft
from ..streaming.thinking import QUOTES

__all__ = ('find_unparsed_call', 'warn_of_unparsed_calls')

CALL_MARKS: dict[str, str] = {
    '<tool_call>': 'Hermes, Qwen, GLM: vllm#17161, llama-cpp-python#1784',
    '<|tool_call|>': 'Granite: https://docs.vllm.ai/en/latest/features/tool_calling',
    '<|tool_call>': 'Gemma 4',
    '<|python_tag|>': 'Llama 3: https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1',
    '<|python_start|>': 'Llama 4: vllm#16214',
    '[TOOL_CALLS]': 'Mistral: https://docs.vllm.ai/en/latest/features/tool_calling',
    '<｜tool▁calls▁begin｜>': 'DeepSeek: https://docs.vllm.ai/en/latest/features/tool_calling',
    '<｜tool▁call▁begin｜>': 'DeepSeek',
    '<｜DSML｜': 'DeepSeek V3.2: https://docs.vllm.ai/en/v0.31.0/api/vllm/parser',
    '<|tool_calls_section_begin|>': 'Kimi K2: https://docs.vllm.ai/en/v0.22.1/api/vllm/reasoning',
    '<|tool_call_section_begin|>': 'Kimi K2: llama.cpp#17376',
    '<|tool_call_begin|>': 'Kimi K2',
    '<|tool_call_start|>': 'LFM2',
    '<seed:tool_call>': 'Seed-OSS: https://docs.vllm.ai/en/latest/api/vllm/parser/seed_oss',
    '<minimax:tool_call>': 'MiniMax M2',
    '<function=': 'Qwen3-Coder, Llama: https://docs.vllm.ai/en/latest/api/vllm/parser/seed_oss',
    '<function_calls>': 'Claude, in prompts',
    '<invoke name=': 'Claude, in prompts',
    '<TOOLCALL>': 'Nemotron',
    '<tool_calls>': 'Hunyuan A13B, MiniMax M1',
    '<tool_calls:opensource>': 'Hunyuan 3 and 4',
    '<|tools_prefix|>': 'Apertus',
    '<start_function_call>': 'FunctionGemma',
    '<｜tool_calls_begin｜>': 'Step 3',
    '<dots_function_call>': 'dots',
    '<longcat_tool_call>': 'LongCat',
    '<function name="': 'MiniCPM 5',
    '<|action_start|>': 'InternLM 2',
    '<|function_call|>': 'GigaChat 3',
    '<function_call>': 'Granite 20B',
    '<|START_ACTION|>': 'Command A: https://docs.vllm.ai/en/v0.31.0/api/vllm/parser',
    'to=functions.': 'gpt-oss: https://cookbook.openai.com/articles/openai-harmony',
    '```tool_code': 'Gemma 3',
    '<|open|>tools<|sep|>': 'Kimi K3: sglang#39583',
    ']<]minimax[>[<tool_call>': 'MiniMax M3: mlx-lm#1416',
    '<|content_invoke_tool_json|>': 'Inkling',
    '<atem:function_calls>': 'Muse Glimmer',
    '<|tool_call:start|>': 'Solar Open 2',
    '<|plamo:begin_tool_requests:plamo|>': 'PLaMo 3',
    '<ifm|tool_calls>': 'K2 Horizon',
    '<iquestcoder_tool_call>': 'IQuest Coder 2',
    '<iquest_tool_call>': 'IQuest Q1',
    '<tool_calls:6124c78e>': 'Hunyuan 4',
    '<｜GCML｜': 'GigaChat 3.5',
    '[unused11]': 'openPangu',
    '-> tool/function_call': 'HyperCLOVA X SEED Think 14B',
}
"""Texts that begin a tool call -> the models that write them, and reports of that."""

MARKS = re.compile('|'.join(map(re.escape, CALL_MARKS)))

BEGINNING = re.compile(r'\s*[\w.:-]*>?\s*(?:[{\[]|<(?!/))')
"""What follows a mark if the request has no such tool: a name perhaps, and arguments."""

LONGEST_NAME = 200
"""The number of characters after a mark in which the name of a tool is searched."""

MOST_MARKS = 50
"""The most marks of one text that are looked at."""

ARGUMENTS = re.compile(r'"(?:arguments|parameters|args|input|tool_input|kwargs)"\s*:')
"""The keys of the arguments in a JSON object."""

ADVICE = (
    'start the server with the parser of this model (vLLM and SGLang: --tool-call-parser, llama.cpp: --jinja), or let '
    "the text be searched for calls: profile={'text_tool_calls': True}"
)
"""The end of the warning: what to do."""


def warn_of_unparsed_calls(draft: ResponseDraft) -> None:
    """Add a warning if tools were offered, none was called, and the text looks like a tool call."""
    if not draft.tool_names or draft.parts.finds_calls or draft.parts.has_kind(ToolCallPart):
        return
    parts = draft.parts.get()
    texts = [part.content for part in parts if isinstance(part, TextPart)]
    thinking = [part.content for part in parts if isinstance(part, ThinkingPart)]
    # a model may begin its call inside the thinking, and then its text is empty
    for text in texts if any(map(str.strip, texts)) else thinking:
        if sign := find_unparsed_call(text, draft.tool_names, is_json=draft.expects_json):
            draft.warnings.append(f'The text looks like a tool call ({sign!r}), but the server sent none: {ADVICE}')
            return


def find_unparsed_call(text: str, tool_names: Collection[str], *, is_json: bool = False) -> str | None:
    """Return the part of a text that looks like a tool call, if any: a mark, or the name of a tool with arguments.

    With `is_json`, the response was to be JSON, which may hold the names of tools as data.
    """
    for mark in islice(MARKS.finditer(text), MOST_MARKS):
        if _begins_call(text, mark, tool_names):
            return mark[0]
    in_json, in_python = _compile_names(frozenset(tool_names))
    if not is_json and (named := in_json.search(text)) and _has_arguments(text, named.start()):
        return named[0]
    called = in_python.match(text)
    return called[0].strip() if called else None


def _begins_call(text: str, mark: re.Match[str], tool_names: Collection[str]) -> bool:
    """Return whether a call follows a mark: the name of a tool, or what else begins a call, but not in quotes or code.

    A text about tool calls, such as documentation, contains the marks too.
    """
    if text[: mark.start()].endswith(QUOTES):
        return False
    following = text[mark.end() : mark.end() + LONGEST_NAME]
    if any(name in following for name in tool_names):
        return True
    return BEGINNING.match(following) is not None and not text.count('```', 0, mark.start()) % 2


def _has_arguments(text: str, name_at: int) -> bool:
    """Return whether the JSON object with the name of a tool has arguments: an object, or the text of one.

    Other objects with such a name are data, as in a list of tools. A truncated object has arguments if their key is
    there.
    """
    from ..streaming.text_calls.json_text import parse_value  # few texts need it

    start = text.rfind('{', 0, name_at)
    parsed = parse_value(text, start) if start >= 0 else None
    if parsed is None:
        return ARGUMENTS.search(text) is not None
    call = cast('dict[str, object]', parsed[0]) if isinstance(parsed[0], dict) else {}
    arguments = [value for key, value in call.items() if ARGUMENTS.fullmatch(f'"{key}":')]
    return any(
        isinstance(value, dict) or (isinstance(value, str) and value.lstrip().startswith('{')) for value in arguments
    )


@lru_cache(maxsize=128)
def _compile_names(tool_names: frozenset[str]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the patterns of calls as JSON (`"name": "look"`) and as Python (`[look(`, vllm#22917)."""
    names = '|'.join(map(re.escape, sorted(tool_names)))
    return (
        re.compile(rf'"(?:name|function|tool|tool_name|action)"\s*:\s*"(?:functions\.)?(?:{names})"'),
        re.compile(rf'\s*(?:\[\s*)?(?:call:)?(?:{names})[({{]'),
    )
