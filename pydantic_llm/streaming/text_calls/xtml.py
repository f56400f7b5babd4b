"""Read the tool calls of Kimi K3: `<|open|>call tool="look" index="1"<|sep|>` and `<|close|>call<|sep|>` are its tags.

https://github.com/ggml-org/llama.cpp/blob/master/models/templates/Kimi-K3.jinja
"""

from __future__ import annotations

import re
from functools import partial

from .marked import Marks, extract_json
from .partial_args import Opening
from .reader import ToolCall, UnquotedArg
from .unquoted import MarkedArgs, decode_unquoted, make_unquoted_call
from .values import split_calls

__all__ = ('XTML',)

ARGUMENT = ('<|open|>argument', '<|sep|>', '<|close|>argument<|sep|>')
CALL_END = '<|close|>call<|sep|>'
HEAD = re.compile(r'<\|open\|>call\s(?P<attributes>.*?)<\|sep\|>', re.DOTALL)
JSON_HEAD = re.compile(r'\s*<\|open\|>json\b.*?<\|sep\|>', re.DOTALL)
JSON_END = '<|close|>json<|sep|>'
ATTRIBUTE = re.compile(r'(?P<name>\w+)="(?P<value>[^"]*)"')


def decode_xtml(body: str) -> list[ToolCall] | None:
    """Decode calls of typed arguments, or of one JSON object."""
    calls = [
        _decode_call(name, text)
        for head, text in split_calls(body, HEAD, CALL_END)
        if (name := _read_attributes(head['attributes']).get('tool'))
    ]
    return calls or None


def _decode_call(name: str, text: str) -> ToolCall:
    if json := JSON_HEAD.match(text):
        return ToolCall(name, extract_json(text[json.end() :].partition(JSON_END)[0]))
    return make_unquoted_call(name, ARGUMENT, text, _decode_argument)


def _decode_argument(texts: list[str]) -> UnquotedArg:
    attributes, text = _read_attributes(texts[0]), texts[-1]
    is_text = attributes.get('type', 'string') == 'string'
    return attributes.get('key', ''), text if is_text else decode_unquoted(text), text


def _read_attributes(text: str) -> dict[str, str]:
    return {
        found['name']: found['value'].replace('&quot;', '"').replace('&amp;', '&') for found in ATTRIBUTE.finditer(text)
    }


CALL_HEAD = r'\s*<\|open\|>call tool="(?P<name>[\w.\-]+)"[^<>]*<\|sep\|>\s*'
XTML = Marks(
    '<|open|>tools<|sep|>',
    '<|close|>tools<|sep|>',
    decode_xtml,
    (
        Opening(
            re.compile(rf'{CALL_HEAD}(?=<\|open\|>argument)'), partial(MarkedArgs, ARGUMENT, CALL_END, _decode_argument)
        ),
        Opening(re.compile(rf'{CALL_HEAD}<\|open\|>json[^<>]*<\|sep\|>\s*(?=\{{)')),
    ),
)
"""The calls of Kimi K3."""
