"""Tool calls as models of each format write them: one and two, after text and thinking, with arguments of all types.

`WRITERS` writes calls as the chat templates of the models do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from pydantic_llm.messages import ModelResponsePart, TextPart, ThinkingPart, ToolCallPart
from pydantic_llm.models.local.decode import ResponseDecoder
from pydantic_llm.streaming.draft import ResponseDraft
from pydantic_llm.streaming.parts import LAST
from pydantic_llm.streaming.text_calls import CALL_FORMATS
from pydantic_llm.streaming.text_calls.elements import ELEMENT_MARK as M
from pydantic_llm.streaming.text_calls.parts import find_text_calls
from pydantic_llm.streaming.thinking import ThinkTags
from pydantic_llm.tools.definition import ToolDefinition

Call = tuple[str, dict[str, Any]]
Write = Callable[[Sequence[Call]], str]

PLACE = {'type': 'object', 'properties': {'zip': {'type': 'string'}, 'n': {'type': 'number'}, 'all': {'type': 'array'}}}
SCHEMA = {
    'type': 'object',
    'properties': {
        'code': {'type': 'string'},
        'n': {'type': 'integer'},
        'on': {'type': 'boolean'},
        'none': {'type': 'null'},
        'days': {'type': 'array', 'items': {'type': 'string'}},
        'to': PLACE,
        'many': {'type': 'array', 'items': PLACE},
        'either': {'anyOf': [{'type': 'string'}, {'type': 'integer'}]},
    },
}
TOOLS = [ToolDefinition('look', SCHEMA), ToolDefinition('add', SCHEMA)]


def to_text(value: object) -> str:
    """Return a value as templates write it without quotes: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def to_type(value: object) -> str:
    names = {bool: 'boolean', int: 'number', float: 'number', str: 'string', dict: 'object', list: 'array'}
    return names.get(type(value), 'null')


def write_json(begin: str, end: str, *, keys: tuple[str, str] = ('name', 'arguments'), join: str = '') -> Write:
    """Return a writer of JSON objects, each between these texts."""
    return lambda calls: join.join(f'{begin}{json.dumps({keys[0]: n, keys[1]: a})}{end}' for n, a in calls)


def write_list(begin: str, end: str, *, keys: tuple[str, str] = ('name', 'arguments')) -> Write:
    """Return a writer of a list of JSON objects."""
    return lambda calls: f'{begin}{json.dumps([{keys[0]: n, keys[1]: a} for n, a in calls])}{end}'


def write_marked(
    around: tuple[str, str],
    call: tuple[str, str],
    argument: Callable[[str, Any], str],
) -> Write:
    """Return a writer of arguments between marks. `{}` in the texts around a call is its name."""

    def write(calls: Sequence[Call]) -> str:
        written = (
            f'{call[0].replace("{}", n)}{"".join(argument(k, v) for k, v in a.items())}{call[1].replace("{}", n)}'
            for n, a in calls
        )
        return f'{around[0]}{"".join(written)}{around[1]}'

    return write


def write_glm(prefix: str = '', suffix: str = '', end: str = '\n') -> Callable[[str, Any], str]:
    def argument(key: str, value: Any) -> str:
        return (
            f'<{prefix}arg_key{suffix}>{key}</{prefix}arg_key{suffix}>{end}'
            f'<{prefix}arg_value{suffix}>{to_text(value)}</{prefix}arg_value{suffix}>{end}'
        )

    return argument


def write_invoke(prefix: str = '', *, typed: bool = False, around: tuple[str, str] = ('', '')) -> Write:
    def argument(key: str, value: Any) -> str:
        kind = f' string="{str(isinstance(value, str)).lower()}"' if typed else ''
        return f'<{prefix}parameter name="{key}"{kind}>{to_text(value)}</{prefix}parameter>\n'

    return write_marked(around, (f'<{prefix}invoke name="{{}}">\n', f'</{prefix}invoke>\n'), argument)


def write_python(begin: str, end: str, join: str = ', ') -> Write:
    def write(calls: Sequence[Call]) -> str:
        written = [f'{n}({", ".join(f"{k}={v!r}" for k, v in a.items())})' for n, a in calls]
        return f'{begin}{join.join(written)}{end}'

    return write


def write_gemma(quote: str, begin: str, end: str) -> Write:
    def value(item: Any) -> str:
        if isinstance(item, dict):
            return '{' + ','.join(f'{k}:{value(v)}' for k, v in item.items()) + '}'
        if isinstance(item, list):
            return '[' + ','.join(map(value, item)) + ']'
        return f'{quote}{item}{quote}' if isinstance(item, str) else json.dumps(item)

    return lambda calls: ''.join(f'{begin}call:{n}{value(a)}{end}' for n, a in calls)


def write_elements(calls: Sequence[Call]) -> str:
    def element(name: str, value: Any) -> str:
        if isinstance(value, dict):
            inside = ''.join(element(k, v) for k, v in value.items())
        elif isinstance(value, list):
            inside = ''.join(element('item', v) for v in value)
        else:
            inside = to_text(value)
        return f'{M}<{name}>{inside}{M}</{name}>'

    written = (f'{M}<invoke name="{n}">{"".join(element(k, v) for k, v in a.items())}{M}</invoke>\n' for n, a in calls)
    return f'{M}<tool_call>\n{"".join(written)}{M}</tool_call>'


def write_xtml_argument(key: str, value: Any) -> str:
    return f'<|open|>argument key="{key}" type="{to_type(value)}"<|sep|>{to_text(value)}<|close|>argument<|sep|>'


def write_each(begin: str, between: str, end: str, around: tuple[str, str] = ('', '')) -> Write:
    """Return a writer of names and JSON, with these texts before, between and after the two."""
    return lambda calls: around[0] + ''.join(f'{begin}{n}{between}{json.dumps(a)}{end}' for n, a in calls) + around[1]


def write_parameter(key: str, value: Any) -> str:
    return f'<parameter={key}>\n{to_text(value)}\n</parameter>\n'


FUNCTION = ('<function={}>\n', '</function>\n')
WRITERS: dict[str, tuple[Write, ...]] = {
    'harmony': (
        write_each(
            '<|start|>assistant<|channel|>commentary to=functions.', ' <|constrain|>json<|message|>', '<|call|>'
        ),
    ),
    'kimi_k3': (
        write_marked(
            ('<|open|>tools<|sep|>', '<|close|>tools<|sep|><|close|>message<|sep|>'),
            ('<|open|>call tool="{}" index="1"<|sep|>', '<|close|>call<|sep|>'),
            write_xtml_argument,
        ),
    ),
    'inkling': (
        lambda calls: ''.join(
            f'<|message_model|>{n}<|content_invoke_tool_json|>{json.dumps({"name": n, "args": a})}<|end_message|>'
            for n, a in calls
        ),
    ),
    'muse_glimmer': (
        lambda calls: ''.join(
            f'<|start|>assistant to={call[0]}<|message|>'
            + write_invoke('atem:', around=('<atem:function_calls>\n', '</atem:function_calls>'))([call])
            + '<|eom|>'
            for call in calls
        ),
    ),
    'mistral': (
        write_each('[TOOL_CALLS]', '[ARGS]', ''),
        write_each('[TOOL_CALLS]', '[CALL_ID]123456789[ARGS]', ''),
        write_each('[TOOL_CALLS]', '', ''),
        write_list('[TOOL_CALLS]', ''),
    ),
    'dsml': (
        write_invoke('｜DSML｜', typed=True, around=('<｜DSML｜tool_calls>\n', '</｜DSML｜tool_calls>')),
        write_invoke('｜DSML｜', typed=True, around=('<｜DSML｜function_calls>\n', '</｜DSML｜function_calls>')),
        write_invoke('｜DSML｜ ', typed=True, around=('<｜DSML｜ calls>\n', '</｜DSML｜ calls>')),
    ),
    'gcml': (write_invoke('｜GCML｜', typed=True, around=('<｜GCML｜tool_calls>\n', '</｜GCML｜tool_calls>')),),
    'deepseek': (
        write_each(
            '<｜tool▁call▁begin｜>',
            '<｜tool▁sep｜>',
            '<｜tool▁call▁end｜>',
            ('<｜tool▁calls▁begin｜>', '<｜tool▁calls▁end｜>'),
        ),
        write_each(
            '<｜tool▁call▁begin｜>function<｜tool▁sep｜>',
            '\n```json\n',
            '\n```<｜tool▁call▁end｜>',
            ('<｜tool▁calls▁begin｜>', '<｜tool▁calls▁end｜>'),
        ),
    ),
    'kimi': (
        write_each(
            '<|tool_call_begin|>functions.',
            ':0<|tool_call_argument_begin|>',
            '<|tool_call_end|>',
            ('<|tool_calls_section_begin|>', '<|tool_calls_section_end|>'),
        ),
    ),
    'gemma': (write_gemma('<|"|>', '<|tool_call>', '<tool_call|>'),),
    'functiongemma': (write_gemma('<escape>', '<start_function_call>', '<end_function_call>'),),
    'seed': (
        write_marked(
            ('', ''), ('<seed:tool_call>\n<function={}>\n', '</function>\n</seed:tool_call>'), write_parameter
        ),
    ),
    'minimax': (write_invoke(around=('<minimax:tool_call>\n', '</minimax:tool_call>')),),
    'minimax_m3': (write_elements,),
    'solar': (
        write_marked(
            ('', ''),
            ('<|tool_call:start|>{}\n', '<|tool_call:end|>\n'),
            lambda k, v: f'<|tool_arg:start|>{k}<|tool_arg:value|>{to_text(v)}<|tool_arg:end|>\n',
        ),
    ),
    'plamo': (
        write_each(
            '<|plamo:begin_tool_request:plamo|><|plamo:begin_tool_name:plamo|>',
            '<|plamo:end_tool_name:plamo|><|plamo:begin_tool_arguments:plamo|><|plamo:constrain|>json<|plamo:msg|>',
            '<|plamo:end_tool_arguments:plamo|><|plamo:end_tool_request:plamo|>',
            ('<|plamo:begin_tool_requests:plamo|>', '<|plamo:end_tool_requests:plamo|>'),
        ),
    ),
    'ifm': (
        write_marked(
            ('<ifm|tool_calls>\n', '</ifm|tool_calls>'),
            ('<ifm|tool_call>{}\n', '</ifm|tool_call>\n'),
            write_glm('ifm|'),
        ),
        lambda calls: f'<ifm|tool_calls>{write_json("<ifm|tool_call>", "</ifm|tool_call>")(calls)}</ifm|tool_calls>',
    ),
    'iquest': (
        write_marked(('', ''), ('<iquestcoder_tool_call>{}\n', '</iquestcoder_tool_call>\n'), write_glm()),
        write_marked(('', ''), ('<iquest_tool_call>{}', '</iquest_tool_call>'), write_glm(end='')),
    ),
    'lfm': (
        write_python('<|tool_call_start|>[', ']<|tool_call_end|>'),
        write_list('<|tool_call_start|>', '<|tool_call_end|>'),
    ),
    'command': (write_list('<|START_ACTION|>', '<|END_ACTION|>', keys=('tool_name', 'parameters')),),
    'apertus': (lambda calls: f'<|tools_prefix|>{json.dumps([{n: a} for n, a in calls])}<|tools_suffix|>',),
    'nemotron': (
        write_list('<TOOLCALL>', '</TOOLCALL>'),
        write_list('<tool_calls>', '</tool_calls>'),
        lambda calls: f'<tool_calls>\n{write_json("", "", join=chr(10))(calls)}\n</tool_calls>',
        write_marked(('<tool_calls>', '</tool_calls>'), ('<tool_call>{}', '</tool_call>'), write_glm(end='')),
    ),
    'phi': (write_list('<|tool_call|>', '<|/tool_call|>'), write_list('<|tool_call|>', '')),
    'step': (
        write_marked(
            ('<｜tool_calls_begin｜>', '<｜tool_calls_end｜>'),
            (
                '<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="{}">',
                '</steptml:invoke><｜tool_call_end｜>',
            ),
            lambda k, v: f'<steptml:parameter name="{k}">{to_text(v)}</steptml:parameter>',
        ),
    ),
    'dots': (
        write_invoke(around=('<dots_function_call>\n', '</dots_function_call>')),
        write_json('<dots_function_call>', '</dots_function_call>'),
    ),
    'longcat': (
        write_json('<longcat_tool_call>', '</longcat_tool_call>'),
        write_marked(('', ''), ('<longcat_tool_call>{}\n', '</longcat_tool_call>\n'), write_glm('longcat_')),
    ),
    'minicpm': (
        write_marked(
            ('', ''), ('<function name="{}">', '</function>'), lambda k, v: f'<param name="{k}">{to_text(v)}</param>'
        ),
    ),
    'hunyuan': tuple(
        write_marked(
            (f'<tool_calls{suffix}>\n', f'</tool_calls{suffix}>'),
            (f'<tool_call{suffix}>{{}}<tool_sep{suffix}>\n', f'</tool_call{suffix}>\n'),
            write_glm(suffix=suffix),
        )
        for suffix in (':opensource', ':6124c78e')
    ),
    'olmo': (write_python('<function_calls>', '</function_calls>', '\n'),),
    'internlm': (write_json('<|action_start|><|plugin|>\n', '<|action_end|>', keys=('name', 'parameters')),),
    'gigachat': (write_json('<|function_call|>', ''),),
    'hermes': (
        write_json('<tool_call>\n', '\n</tool_call>\n'),
        write_marked(('', ''), ('<tool_call>\n<function={}>\n', '</function>\n</tool_call>\n'), write_parameter),
        write_marked(('', ''), ('<tool_call>{}\n', '</tool_call>\n'), write_glm()),
        write_marked(('', ''), ('<tool_call>{}', '</tool_call>'), write_glm(end='')),
        write_each('<tool_call>function\n', '\n', '</tool_call>'),
        write_each('<tool_call>', '>', '</tool_call>'),
    ),
    'granite': (write_json('<function_call> ', '\n'),),
    'hyperclova': (write_list(' -> tool/function_call\n', ''),),
    'pangu': (write_list('[unused11]', '[unused12]'),),
    'pythonic': (write_python('[', ']'), write_python('<|python_start|>[', ']<|python_end|>')),
    'llama': (
        write_json('', '', keys=('name', 'parameters'), join='; '),
        write_json('<|python_tag|>', '', keys=('name', 'parameters'), join='; '),
    ),
    'json': (write_json('', '\n'), write_list('```json\n', '\n```')),
}
"""Format -> the ways in which its models write calls."""

CALLS: dict[str, list[Call]] = {
    'no arguments': [('look', {})],
    'text that looks like a number': [('look', {'code': '90210'})],
    'two': [('look', {'code': 'a b', 'n': 5}), ('add', {'n': -1})],
    'the same twice': [('add', {'n': 1}), ('add', {'n': 1})],
    'two without arguments': [('look', {}), ('add', {})],
    'types': [('look', {'n': 5, 'on': True, 'none': None, 'either': 'x'})],
    'nested': [
        ('look', {'to': {'zip': '01234', 'n': 5, 'all': [1, 2]}, 'days': ['1', 'b'], 'many': [{'zip': '9'}, {'n': 1}]})
    ],
    'empty': [('look', {'code': '', 'days': [], 'to': {}})],
    'characters': [('look', {'code': 'é "q" \\n \'s\' {x} [y] <z> & ; #'})],
    'lines': [('look', {'code': 'a\n  b\n\nc'})],
    'an unknown argument': [('look', {'other': 'x', 'more': 5})],
}

ONLY_AT_START = ('llama', 'pythonic')
"""The formats in which text before a call makes it text."""


MALFORMED = 'malformed'
"""The arguments of a call that are not JSON."""

STEP = 7
"""The characters between the places at which calls are truncated."""


def parse(args: str) -> Any:
    try:
        return json.loads(args)
    except ValueError:
        return MALFORMED


def simplify(parts: Iterable[ModelResponsePart]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for part in parts:
        match part:
            case ToolCallPart(tool_name=name):
                found.append((name, parse(part.args_as_json_str())))
            case TextPart(content=content) | ThinkingPart(content=content):
                found.append((part.part_kind, content))
            case _:
                found.append((part.part_kind, part))
    return found


def read(
    name: str, pieces: Iterable[str], *, tags: ThinkTags | None = None, truncated: bool = False
) -> list[tuple[str, Any]]:
    draft = ResponseDraft('m')
    found = CALL_FORMATS[name]  # type: ignore[index] -- the names are those of the table
    calls = found.make([tool.name for tool in TOOLS], found.keys)
    decoder = ResponseDecoder(draft, calls=calls, tags=tags, tools=TOOLS)
    for piece in pieces:
        decoder.feed(piece)
    decoder.close(truncated=truncated)
    draft.parts.end()
    return simplify(draft.parts.get())


def cut(text: str) -> list[list[str]]:
    """Return the text whole, in characters and in short pieces."""
    return [[text], [*text], [text[at : at + 7] for at in range(0, len(text), 7)]]


def test_every_format_is_written() -> None:
    assert WRITERS.keys() == CALL_FORMATS.keys()


@pytest.mark.parametrize('name', WRITERS)
def test_the_special_tokens_of_a_format_stay_in_the_text(name: str) -> None:
    """They have a bar. Others, such as the tags of MiniMax M3 and PLaMo, consist of a token and words."""
    marks = CALL_FORMATS[name].marks  # type: ignore[index] -- the names are those of the table
    written = {token for write in WRITERS[name] for token in re.findall(r'<[^<>\s"=]+>|]<]', write(CALLS['two']))}
    special = {token for token in written if re.search('[|｜\\]]', token)}
    assert {token for token in special if not any(mark in token or token in mark for mark in marks)} == set()


@pytest.mark.parametrize('name', WRITERS)
def test_calls_are_read_as_they_were_meant(name: str) -> None:
    for write in WRITERS[name]:
        for calls in CALLS.values():
            text = write(calls)
            for pieces in cut(text):
                assert read(name, pieces) == calls, text


@pytest.mark.parametrize('name', WRITERS)
def test_calls_after_thinking_and_text_are_read(name: str) -> None:
    calls, text = CALLS['two'], '' if name in ONLY_AT_START else 'Ok, so.\n'
    expected = [('thinking', 'Hm.\n'), *([('text', 'Ok, so.')] if text else []), *calls]
    for write in WRITERS[name]:
        for pieces in cut(f'Hm.\n</think>\n\n{text}{write(calls)}'):
            found = read(name, pieces, tags=ThinkTags(kind='thinking'))
            assert [(kind, content.rstrip() if kind == 'text' else content) for kind, content in found] == expected


@pytest.mark.parametrize('name', WRITERS)
def test_a_truncated_call_is_never_another_valid_one(name: str) -> None:
    calls = CALLS['two']
    for write in WRITERS[name]:
        text = write(calls)
        for size in range(0, len(text), STEP):
            found = [part for part in read(name, [text[:size]], truncated=True) if part[0] in ('look', 'add')]
            assert found[:-1] == calls[: max(len(found) - 1, 0)]
            assert not found or found[-1] in (calls[len(found) - 1], (calls[len(found) - 1][0], MALFORMED)), text[:size]


@pytest.mark.parametrize('format', [True, *sorted(WRITERS.keys() - {'harmony'})])
def test_calls_that_a_server_left_in_the_text_are_read(format: Any) -> None:
    calls = CALLS['two']
    names = sorted(WRITERS.keys() - {'harmony', 'muse_glimmer', 'inkling', 'kimi_k3'}) if format is True else [format]
    for write in (write for name in names for write in WRITERS[name]):
        for pieces in cut(write(calls)):
            draft = ResponseDraft('m')
            find_text_calls(draft, TOOLS, format)
            for piece in pieces:
                draft.parts.text(LAST, piece)
            draft.parts.end()
            assert simplify(draft.parts.get()) == calls, write(calls)
