"""Tool calls in the text of local models: every format, whole, in pieces and truncated at every position."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pydantic_llm.messages import ModelResponsePart
from pydantic_llm.streaming.parts import LAST, PartsManager
from pydantic_llm.streaming.text_calls import CALL_FORMATS, Item, ToolCall, find_format
from pydantic_llm.streaming.text_calls.call_parts import CallParts
from pydantic_llm.streaming.text_calls.elements import ELEMENT_MARK
from pydantic_llm.streaming.text_calls.forced import ForcedReader
from pydantic_llm.streaming.text_calls.json_text import parse_value
from pydantic_llm.streaming.text_calls.reader import PartialCall
from pydantic_llm.streaming.text_calls.typed_args import fit_args
from tests.replay import replay

TOOLS = ('get_weather', 'add')


def merge_neighbours(items: Iterable[Item]) -> list[Item]:
    """Return the items with neighbouring texts merged."""
    found: list[Item] = []
    for item in items:
        last = found[-1] if found else None
        if isinstance(item, tuple) and isinstance(last, tuple) and last[0] == item[0]:
            found[-1] = (item[0], last[1] + item[1])
        else:
            found.append(item)
    return found


def read_response(
    name: str, pieces: Sequence[str], keys: tuple[str, str] | None = None, *, truncated: bool = False
) -> list[Item]:
    """Return the items of a response that streams in these pieces."""
    found = CALL_FORMATS[name]  # type: ignore[index] -- the names are those of the table
    reader = found.make(TOOLS, keys or found.keys)
    items = [item for piece in pieces for item in reader.feed(piece)] + [*reader.close(truncated=truncated)]
    return merge_neighbours(item for item in items if not isinstance(item, PartialCall))


def make_call(name: str, **args: object) -> ToolCall:
    return ToolCall(name, json.dumps(args, ensure_ascii=False))


def normalize_args(items: list[Item]) -> list[Item]:
    """Return the items with arguments in one form."""
    return [
        ToolCall(i.name, json.dumps(json.loads(i.args), ensure_ascii=False)) if isinstance(i, ToolCall) else i
        for i in items
    ]


@dataclass(frozen=True)
class Sample:
    """The text of a response, and its items."""

    format: str
    text: str
    items: tuple[Item, ...]
    keys: tuple[str, str] | None = None
    is_its_own: bool = True
    """False for a way to write a call that is not that of the format. Such a call is text if it is truncated."""

    def __repr__(self) -> str:
        return f'{self.format}: {self.text}'


PARIS = make_call('get_weather', city='Paris')
ADD = make_call('add', a=2, b=3)
M = ELEMENT_MARK

SAMPLES = (
    Sample('hermes', 'Hello, you.', (('text', 'Hello, you.'),)),
    Sample('hermes', '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>', (PARIS,)),
    Sample(
        'hermes',
        'Let me see.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>\n'
        '<tool_call>{"name": "add", "arguments": {"a": 2, "b": 3}}</tool_call>',
        (('text', 'Let me see.'), PARIS, ADD),
    ),
    Sample('hermes', "<tool_call>{'name': 'get_weather', 'arguments': {'city': 'Paris'}}</tool_call>", (PARIS,)),
    Sample('hermes', '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}}</tool_call>', (PARIS,)),
    Sample(
        'hermes', '<tool_call>{"name": "get_weather", "arguments": "{\\"city\\": \\"Paris\\"}"}</tool_call>', (PARIS,)
    ),
    Sample(
        'hermes',
        '<tool_call>{"name": "get_weather", "arguments": {"city": "a </tool_"}}</tool_call>',
        (make_call('get_weather', city='a </tool_'),),
    ),
    Sample('hermes', 'a < b <tool', (('text', 'a < b <tool'),)),
    Sample(
        'hermes',
        '<tool_call>nothing of the kind</tool_call>',
        (('text', '<tool_call>nothing of the kind</tool_call>'),),
    ),
    Sample(
        'hermes',
        '<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>',
        (PARIS,),
    ),
    Sample(
        'hermes',
        '<tool_call><function=add><parameter=a>2</parameter><parameter=b>3</parameter></function></tool_call>',
        (ADD,),
    ),
    Sample(
        'hermes',
        '<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>',
        (PARIS,),
    ),
    Sample('mistral', '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Paris"}}]', (PARIS,)),
    Sample(
        'mistral',
        'Hm. [TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Paris"}}, '
        '{"name": "add", "arguments": {"a": 2, "b": 3}}]',
        (('text', 'Hm.'), PARIS, ADD),
    ),
    Sample(
        'mistral', '[TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}[TOOL_CALLS]add[ARGS]{"a": 2, "b": 3}', (PARIS, ADD)
    ),
    Sample('mistral', '[TOOL_CALLS]get_weather[CALL_ID]123456789[ARGS]{"city": "Paris"}', (PARIS,)),
    Sample('mistral', '[TOOL_CALLS]get_weather{"city": "Paris"}', (PARIS,)),
    Sample('llama', '{"name": "get_weather", "parameters": {"city": "Paris"}}', (PARIS,)),
    Sample('llama', '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Paris"}}', (PARIS,)),
    Sample(
        'llama',
        '{"name": "get_weather", "parameters": {"city": "Paris"}}; {"name": "add", "parameters": {"a": 2, "b": 3}}',
        (PARIS, ADD),
    ),
    Sample('llama', 'The weather is {"fine": 1}.', (('text', 'The weather is {"fine": 1}.'),)),
    Sample('llama', '{"city": "Paris"}', (('text', '{"city": "Paris"}'),)),
    Sample('pythonic', "[get_weather(city='Paris')]", (PARIS,)),
    Sample('pythonic', "<|python_start|>[get_weather(city='Paris'), add(a=2, b=3)]<|python_end|>", (PARIS, ADD)),
    Sample(
        'pythonic',
        '[get_weather(city="a ] b", days=[1, 2], near=true)]',
        (make_call('get_weather', city='a ] b', days=[1, 2], near=True),),
    ),
    Sample('pythonic', r"[get_weather(city='\d\\d\'\\')]", (make_call('get_weather', city="\\d\\d'\\"),)),
    Sample(
        'hermes',
        r"<tool_call>{'name': 'get_weather', 'arguments': {'city': '\d\n'}}</tool_call>",
        (make_call('get_weather', city='\\d\n'),),
    ),
    Sample('pythonic', '[1] says that it rains.', (('text', '[1] says that it rains.'),)),
    Sample('pythonic', '[get_rich(quick=True)]', (('text', '[get_rich(quick=True)]'),)),
    Sample('pythonic', 'It rains.', (('text', 'It rains.'),)),
    Sample('json', '{"name": "get_weather", "arguments": {"city": "Paris"}}', (PARIS,)),
    Sample(
        'json',
        'I shall look.\nAction:\n{"name": "get_weather", "arguments": {"city": "Paris"}}',
        (('text', 'I shall look.'), PARIS),
    ),
    Sample('json', '```json\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n```', (PARIS,)),
    Sample('json', '{"name": "get_weather", "arguments": {"city": "Paris"}}}', (PARIS,)),
    Sample(
        'json',
        '{"name": "get_weather", "arguments": {"city": "Paris"}}\n{"name": "add", "arguments": {"a": 2, "b": 3}}',
        (PARIS, ADD),
    ),
    Sample(
        'json',
        '[{"name": "get_weather", "arguments": {"city": "Paris"}}, {"name": "add", "arguments": {"a": 2, "b": 3}}]',
        (PARIS, ADD),
    ),
    Sample('json', "{'name': 'get_weather', 'arguments': {'city': 'Paris'}}", (PARIS,)),
    Sample(
        'json',
        "{'name': 'add', 'arguments': {'a': 2, 'b': 3, 'c': true, 'd': None}}",
        (make_call('add', a=2, b=3, c=True, d=None),),
    ),
    Sample('json', '{"tool": "get_weather", "input": {"city": "Paris"}}', (PARIS,), ('tool', 'input')),
    Sample('json', '{"function": {"name": "get_weather", "arguments": {"city": "Paris"}}}', (PARIS,)),
    Sample('json', 'A set is {1, 2}, a dict {"a": 1}.', (('text', 'A set is {1, 2}, a dict {"a": 1}.'),)),
    Sample('json', '{"name": "Alice", "age": 30}', (('text', '{"name": "Alice", "age": 30}'),)),
    Sample('json', 'if (x) { y = "}"; }', (('text', 'if (x) { y = "}"; }'),)),
    Sample(
        'json',
        '{"name": "get_weather", "arguments": {"city": "a } {\\" b"}} and so on',
        (make_call('get_weather', city='a } {" b'), ('text', 'and so on')),
    ),
    Sample('json', 'Use ```python\nprint({})\n```', (('text', 'Use ```python\nprint({})\n```'),)),
    Sample(
        'harmony',
        '<|channel|>analysis<|message|>Easy.<|end|><|start|>assistant<|channel|>final<|message|>It rains.<|return|>',
        (('thinking', 'Easy.'), ('text', 'It rains.')),
    ),
    Sample(
        'harmony',
        '<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather '
        '<|constrain|>json<|message|>{"city": "Paris"}<|call|>',
        (('thinking', 'Look.'), PARIS),
    ),
    Sample(
        'harmony',
        '<|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>{"city": "Paris"}',
        (PARIS,),
    ),
    Sample('harmony', 'It rains.', (('text', 'It rains.'),)),
    Sample(
        'deepseek',
        'Ok.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n'
        '```json\n{"city": "Paris"}\n```'
        '<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{"a": 2, "b": 3}\n```'
        '<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        (('text', 'Ok.'), PARIS, ADD),
    ),
    Sample(
        'deepseek',
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Paris"}<｜tool▁call▁end｜>'
        '<｜tool▁calls▁end｜>',
        (PARIS,),
    ),
    Sample(
        'kimi',
        'Ok.<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>'
        '{"city": "Paris"}<|tool_call_end|><|tool_call_begin|>functions.add:1<|tool_call_argument_begin|>'
        '{"a": 2, "b": 3}<|tool_call_end|><|tool_calls_section_end|>',
        (('text', 'Ok.'), PARIS, ADD),
    ),
    Sample(
        'hermes',
        '<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>',
        (PARIS,),
        is_its_own=False,
    ),
    Sample(
        'hermes', '```json\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n```', (PARIS,), is_its_own=False
    ),
    Sample('llama', '<|python_tag|>get_weather.call(city="Paris")', (PARIS,), is_its_own=False),
    Sample('llama', '<function=get_weather>{"city": "Paris"}</function>', (PARIS,), is_its_own=False),
    Sample(
        'pythonic',
        '{"type": "function", "name": "get_weather", "parameters": {"city": "Paris"}}',
        (PARIS,),
        is_its_own=False,
    ),
    Sample(
        'kimi',
        '<|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"city": "Paris"}<|tool_call_end|>',
        (PARIS,),
        is_its_own=False,
    ),
    Sample('gemma', '<|tool_call>call:get_weather{city:<|"|>Paris<|"|>}<tool_call|>', (PARIS,)),
    Sample(
        'gemma',
        'Ok.<|tool_call>call:add{a:2,b:3}<tool_call|><|tool_call>call:get_weather{city:<|"|>a {b:1} "c"<|"|>,'
        'near:[true,{x:null}]}<tool_call|>',
        (('text', 'Ok.'), ADD, make_call('get_weather', city='a {b:1} "c"', near=[True, {'x': None}])),
    ),
    Sample('gemma', '<|tool_call>call:get_weather{}<tool_call|>', (make_call('get_weather'),)),
    Sample(
        'seed',
        '<seed:tool_call>\n<function=get_weather>\n<parameter=city>Paris</parameter>\n</function>\n</seed:tool_call>',
        (PARIS,),
    ),
    Sample(
        'minimax',
        '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Paris</parameter>\n</invoke>\n'
        '<invoke name="add">\n<parameter name="a">2</parameter>\n<parameter name="b">3</parameter>\n</invoke>\n'
        '</minimax:tool_call>',
        (PARIS, ADD),
    ),
    Sample('lfm', '<|tool_call_start|>[get_weather(city="Paris"), add(a=2, b=3)]<|tool_call_end|>', (PARIS, ADD)),
    Sample(
        'command',
        '<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city": "Paris"}}\n]'
        '<|END_ACTION|>',
        (PARIS,),
    ),
    Sample(
        'dsml',
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="true">12'
        '</｜DSML｜parameter>\n<｜DSML｜parameter name="days" string="false">[1, 2]</｜DSML｜parameter>\n'
        '</｜DSML｜invoke>\n</｜DSML｜function_calls>',
        (make_call('get_weather', city='12', days=[1, 2]),),
    ),
    Sample('apertus', '<|tools_prefix|>[{"get_weather": {"city": "Paris"}}]<|tools_suffix|>', (PARIS,)),
    Sample('nemotron', '<TOOLCALL>[{"name": "get_weather", "arguments": {"city": "Paris"}}]</TOOLCALL>', (PARIS,)),
    Sample(
        'nemotron', '<tool_calls>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_calls>', (PARIS,)
    ),
    Sample(
        'nemotron',
        '<tool_calls><tool_call>get_weather<arg_key>city</arg_key><arg_value>Paris</arg_value></tool_call>'
        '<tool_call>add<arg_key>a</arg_key><arg_value>2</arg_value><arg_key>b</arg_key><arg_value>3</arg_value>'
        '</tool_call></tool_calls>',
        (PARIS, ADD),
    ),
    Sample(
        'hunyuan',
        'Ok.<tool_calls:opensource>\n<tool_call:opensource>get_weather<arg_key:opensource>city</arg_key:opensource>'
        '<arg_value:opensource>Paris</arg_value:opensource></tool_call:opensource>\n</tool_calls:opensource>',
        (('text', 'Ok.'), PARIS),
    ),
    Sample(
        'dsml',
        '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="get_weather">\n{"city": "Paris"}\n</｜DSML｜invoke>\n'
        '<｜DSML｜invoke name="add">\n<｜DSML｜parameter name="a" string="false">2</｜DSML｜parameter>\n'
        '<｜DSML｜parameter name="b" string="false">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>',
        (PARIS, ADD),
    ),
    Sample(
        'functiongemma',
        '<start_function_call>call:get_weather{city:<escape>Paris<escape>}<end_function_call>'
        '<start_function_call>call:add{a:2,b:3}<end_function_call>',
        (PARIS, ADD),
    ),
    Sample(
        'step',
        'Ok.<｜tool_calls_begin｜><｜tool_call_begin｜>function<｜tool_sep｜>get_weather\n'
        '<steptml:invoke name="get_weather"><steptml:parameter name="city">Paris</steptml:parameter></steptml:invoke>'
        '<｜tool_call_end｜><｜tool_sep｜><｜tool_call_begin｜><steptml:invoke name="add">'
        '<steptml:parameter name="a">2</steptml:parameter><steptml:parameter name="b">3</steptml:parameter>'
        '</steptml:invoke><｜tool_call_end｜><｜tool_calls_end｜>',
        (('text', 'Ok.'), PARIS, ADD),
    ),
    Sample(
        'dots',
        '<dots_function_call>\n<invoke name="get_weather">\n<parameter name="city">Paris</parameter>\n</invoke>\n'
        '</dots_function_call>',
        (PARIS,),
    ),
    Sample(
        'dots',
        '<dots_function_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</dots_function_call>',
        (PARIS,),
    ),
    Sample(
        'longcat',
        '<longcat_tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</longcat_tool_call>\n'
        '<longcat_tool_call>add\n<longcat_arg_key>a</longcat_arg_key>\n<longcat_arg_value>2</longcat_arg_value>\n'
        '<longcat_arg_key>b</longcat_arg_key><longcat_arg_value>3</longcat_arg_value></longcat_tool_call>',
        (PARIS, ADD),
    ),
    Sample(
        'minicpm',
        'Ok.<function name="get_weather"><param name="city"><![CDATA[Paris\n]]></param></function>'
        '<function name="add"><param name="a">2</param><param name="b">3</param></function>',
        (('text', 'Ok.'), make_call('get_weather', city='Paris\n'), ADD),
    ),
    Sample('olmo', "<function_calls>get_weather(city='Paris')\nadd(a=2, b=3)</function_calls>", (PARIS, ADD)),
    Sample(
        'internlm',
        'Ok.<|action_start|><|plugin|>{"name": "get_weather", "parameters": {"city": "Paris"}}<|action_end|>',
        (('text', 'Ok.'), PARIS),
    ),
    Sample(
        'internlm',
        '<|action_start|> <|plugin|>\n{"name": "get_weather", "parameters": {"city": "Paris"}}\n<|action_end|>',
        (PARIS,),
    ),
    Sample(
        'internlm',
        '<|action_start|><|interpreter|>\nprint(1)<|action_end|>',
        (('text', '<|action_start|><|interpreter|>\nprint(1)<|action_end|>'),),
    ),
    Sample('gigachat', 'Ok.<|function_call|>{"name": "add", "arguments": {"a": 2, "b": 3}}', (('text', 'Ok.'), ADD)),
    Sample(
        'granite',
        '<function_call> {"name": "get_weather", "arguments": {"city": "Paris"}}\n'
        '<function_call> {"name": "add", "arguments": {"a": 2, "b": 3}}',
        (PARIS, ADD),
    ),
    Sample('phi', 'functools[{"name": "get_weather", "arguments": {"city": "Paris"}}]', (PARIS,), is_its_own=False),
    Sample(
        'hermes',
        '<tool_call>get_weather<arg_key>city</arg_key><arg_value>\n  Paris\n</arg_value></tool_call>',
        (make_call('get_weather', city='\n  Paris\n'),),
    ),
    Sample(
        'lfm',
        "<|tool_call_start|> [get_weather(city='a\n'b' c'), add(a=02, b=3)]<|tool_call_end|>\nDone.",
        (make_call('get_weather', city="a\n'b' c"), ADD, ('text', '\nDone.')),
    ),
    Sample('phi', '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Paris"}}]<|/tool_call|>', (PARIS,)),
    Sample(
        'kimi_k3',
        '<|open|>tools<|sep|><|open|>call tool="get_weather" index="1"<|sep|><|open|>argument key="city" '
        'type="string"<|sep|>Paris<|close|>argument<|sep|><|close|>call<|sep|><|open|>call tool="add" index="2"<|sep|>'
        '<|open|>argument key="a" type="number"<|sep|>2<|close|>argument<|sep|><|open|>argument key="b" type="number"'
        '<|sep|>3<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|><|close|>message<|sep|>',
        (PARIS, ADD),
    ),
    Sample(
        'kimi_k3',
        '<|open|>think<|sep|>Easy.<|close|>think<|sep|><|open|>response<|sep|>Ok.<|close|>response<|sep|>\n'
        '<|open|>tools<|sep|><|open|>call tool="add" index="1"<|sep|><|open|>json type="object"<|sep|>{"a": 2, "b": 3}'
        '<|close|>json<|sep|><|close|>call<|sep|><|close|>tools<|sep|><|close|>message<|sep|><|end_of_msg|>',
        (('thinking', 'Easy.'), ('text', 'Ok.'), ADD),
    ),
    Sample(
        'kimi_k3',
        '<|open|>tools<|sep|><|open|>call tool="get_weather" index="1"<|sep|><|open|>argument key="a &quot;b&amp;" '
        'type="string"<|sep|>\n12\n<|close|>argument<|sep|><|open|>argument key="near" type="array"<|sep|>'
        '[1, {"x": null}]<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>',
        (ToolCall('get_weather', '{"a \\"b&": "\\n12\\n", "near": [1, {"x": null}]}'),),
    ),
    Sample('kimi_k3', 'It rains.<|close|>response<|sep|><|close|>message<|sep|>', (('text', 'It rains.'),)),
    Sample(
        'minimax_m3',
        f'Ok.\n{M}<tool_call>\n{M}<invoke name="get_weather">\n{M}<city>Paris{M}</city>\n{M}</invoke>\n'
        f'{M}<invoke name="add">\n{M}<a>2{M}</a>{M}<b>3{M}</b>\n{M}</invoke>\n{M}</tool_call>',
        (('text', 'Ok.'), PARIS, ADD),
    ),
    Sample(
        'minimax_m3',
        f'{M}<tool_call>\n{M}<invoke name="get_weather">{M}<near>{M}<item>a > "b{M}</item>{M}<item>{M}<x>1{M}</x>'
        f'{M}<x>2{M}</x>{M}</item>{M}</near>{M}<to>{M}<zip>5{M}</zip>{M}<all>{M}<item>{M}</item>{M}</all>{M}</to>{M}</invoke>'
        f'{M}</tool_call>',
        (make_call('get_weather', near=['a > "b', {'x': [1, 2]}], to={'zip': 5, 'all': ['']}),),
    ),
    Sample(
        'inkling',
        '<|content_thinking|>Look.<|end_message|><|message_model|><|content_text|>Ok.<|end_message|><|message_model|>'
        'get_weather<|content_invoke_tool_json|>{"name":"get_weather","args":{"city":"Paris"}}<|end_message|>'
        '<|message_model|>add<|content_invoke_tool_json|>{"name":"add","args":{"a":2,"b":3}}<|end_message|>'
        '<|message_model|><|content_text|>So.<|end_message|><|content_model_end_sampling|>',
        (('thinking', 'Look.'), ('text', 'Ok.'), PARIS, ADD, ('text', 'So.')),
    ),
    Sample(
        'inkling',
        '<|content_invoke_tool_json|>{"name":"add","args":{"a":2,"b":3}}<|end_message|><|content_model_end_sampling|>',
        (ADD,),
    ),
    Sample('inkling', 'It rains.', (('text', 'It rains.'),)),
    Sample(
        'muse_glimmer',
        '<|start|>assistant to=self<|message|>Look.<|eom|><|start|>assistant to=add.add<|message|>'
        '<atem:function_calls>\n<atem:invoke name="add.add">\n<atem:parameter name="a">2</atem:parameter>\n'
        '<atem:parameter name="b">3</atem:parameter>\n</atem:invoke>\n</atem:function_calls><|eom|>'
        '<|start|>assistant to=user<|message|>So.<|eot|>',
        (('thinking', 'Look.'), ADD, ('text', 'So.')),
    ),
    Sample(
        'muse_glimmer',
        '<|start|>assistant to=get_weather<|message|><atem:function_calls>\n<atem:invoke name="get_weather">\n'
        '<atem:parameter name="city">Paris</atem:parameter>\n</atem:invoke>\n</atem:function_calls><|eot|>',
        (PARIS,),
    ),
    Sample(
        'gcml',
        'Ok.\n<｜GCML｜tool_calls>\n<｜GCML｜invoke name="get_weather">\n<｜GCML｜parameter name="city" string="true">'
        'Paris</｜GCML｜parameter>\n</｜GCML｜invoke>\n<｜GCML｜invoke name="add">\n<｜GCML｜parameter name="a" '
        'string="false">2</｜GCML｜parameter>\n<｜GCML｜parameter name="b" string="false">3</｜GCML｜parameter>\n'
        '</｜GCML｜invoke>\n</｜GCML｜tool_calls>',
        (('text', 'Ok.'), PARIS, ADD),
    ),
    Sample(
        'dsml',
        '<｜DSML｜ calls>\n<｜DSML｜ invoke name="get_weather">\n<｜DSML｜ parameter name="city" string="true">Paris'
        '</｜DSML｜ parameter>\n</｜DSML｜ invoke>\n</｜DSML｜ calls>',
        (PARIS,),
    ),
    Sample(
        'solar',
        'Ok.\n<|tool_call:start|>get_weather\n<|tool_arg:start|>city<|tool_arg:value|>Paris<|tool_arg:end|>\n'
        '<|tool_call:end|>\n<|tool_call:start|>add\n<|tool_arg:start|>a<|tool_arg:value|>2<|tool_arg:end|>\n'
        '<|tool_arg:start|>b<|tool_arg:value|>3<|tool_arg:end|>\n<|tool_call:end|>',
        (('text', 'Ok.'), PARIS, ADD),
    ),
    Sample(
        'plamo',
        '<|plamo:begin_tool_requests:plamo|><|plamo:begin_tool_request:plamo|><|plamo:begin_tool_name:plamo|>get_weather'
        '<|plamo:end_tool_name:plamo|><|plamo:begin_tool_arguments:plamo|><|plamo:constrain|>json<|plamo:msg|>'
        '{"city": "Paris"}<|plamo:end_tool_arguments:plamo|><|plamo:end_tool_request:plamo|>'
        '<|plamo:begin_tool_request:plamo|><|plamo:begin_tool_name:plamo|>add<|plamo:end_tool_name:plamo|>'
        '<|plamo:begin_tool_arguments:plamo|><|plamo:constrain|>json<|plamo:msg|>{"a": 2, "b": 3}'
        '<|plamo:end_tool_arguments:plamo|><|plamo:end_tool_request:plamo|><|plamo:end_tool_requests:plamo|>',
        (PARIS, ADD),
    ),
    Sample(
        'ifm',
        'Ok.\n<ifm|tool_calls>\n<ifm|tool_call>get_weather\n<ifm|arg_key>city</ifm|arg_key>\n<ifm|arg_type>string'
        '</ifm|arg_type>\n<ifm|arg_value>Paris</ifm|arg_value>\n</ifm|tool_call>\n'
        '<ifm|tool_call>{"name": "add", "arguments": {"a": 2, "b": 3}}</ifm|tool_call>\n</ifm|tool_calls>',
        (('text', 'Ok.'), PARIS, ADD),
    ),
    Sample(
        'iquest',
        '<iquestcoder_tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n'
        '</iquestcoder_tool_call>\n<iquest_tool_call>add<arg_key>a</arg_key><arg_value>2</arg_value>'
        '<arg_key>b</arg_key><arg_value>3</arg_value></iquest_tool_call>',
        (PARIS, ADD),
    ),
    Sample(
        'hunyuan',
        '<tool_calls:6124c78e>\n<tool_call:6124c78e>get_weather<tool_sep:6124c78e>\n<arg_key:6124c78e>city'
        '</arg_key:6124c78e>\n<arg_value:6124c78e>Paris</arg_value:6124c78e>\n</tool_call:6124c78e>\n'
        '</tool_calls:6124c78e>',
        (PARIS,),
    ),
    Sample(
        'pangu',
        'Ok.[unused11][{"name": "get_weather", "arguments": {"city": "Paris"}}, '
        '{"name": "add", "arguments": {"a": 2, "b": 3}}][unused12]',
        (('text', 'Ok.'), PARIS, ADD),
    ),
    Sample(
        'hyperclova',
        ' -> tool/function_call\n[{"name": "get_weather", "arguments": {"city": "Paris"}}]',
        (PARIS,),
    ),
    Sample(
        'lfm',
        '<|tool_call_start|>[{"name": "get_weather", "arguments": {"city": "Paris"}}]<|tool_call_end|>',
        (PARIS,),
    ),
    Sample(
        'kimi',
        '<|tool_call_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>'
        '{"city": "Paris"}<|tool_call_end|><|tool_call_section_end|>',
        (PARIS,),
        is_its_own=False,
    ),
    Sample(
        'hermes',
        '<tool_call>get_weather>{"city": "Paris"}</tool_call>\n<tool_call>function\nadd\n{"a": 2, "b": 3}</tool_call>',
        (PARIS, ADD),
    ),
    Sample(
        'json',
        'Ok.\n**Tool Call:**\n```json\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n```',
        (('text', 'Ok.'), PARIS),
    ),
    Sample(
        'longcat',
        '<longcat_tool_call>get_weather<longcat_arg_key>city</longcat_arg_key><longcat_arg_value>longcat_x'
        '</longcat_arg_value></longcat_tool_call>',
        (make_call('get_weather', city='longcat_x'),),
    ),
)


@pytest.mark.parametrize('sample', SAMPLES, ids=repr)
def test_a_whole_response_is_read(sample: Sample) -> None:
    assert normalize_args(read_response(sample.format, [sample.text], sample.keys)) == [*sample.items]


@pytest.mark.parametrize('sample', SAMPLES, ids=repr)
def test_a_response_in_single_characters_is_read_alike(sample: Sample) -> None:
    assert normalize_args(read_response(sample.format, [*sample.text], sample.keys)) == [*sample.items]


@given(st.data())
def test_a_response_in_any_pieces_is_read_alike(data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(SAMPLES))
    places = data.draw(st.sets(st.integers(0, len(sample.text)), max_size=6))
    cuts = sorted({0, *places, len(sample.text)})
    assert normalize_args(read_response(sample.format, [sample.text[a:b] for a, b in pairwise(cuts)], sample.keys)) == [
        *sample.items
    ]


@pytest.mark.parametrize(
    'sample', [s for s in SAMPLES if s.is_its_own and all(isinstance(item, ToolCall) for item in s.items)], ids=repr
)
def test_a_truncated_call_is_never_text(sample: Sample) -> None:
    for length in range(len(sample.text)):
        items = read_response(sample.format, [sample.text[:length]], sample.keys, truncated=True)
        assert [item for item in items if isinstance(item, tuple) and item[1].strip()] == [], length


@pytest.mark.parametrize(
    ('format', 'written', 'name', 'args'),
    [
        ('hermes', '<tool_call>\n{"name": "add", "arguments": {"a": 2, "b"', 'add', '{"a": 2, "b"'),
        ('mistral', '[TOOL_CALLS]add[ARGS]{"a": 2, "b"', 'add', '{"a": 2, "b"'),
        ('llama', '{"name": "add", "parameters": {"a": 2, "b"', 'add', '{"a": 2, "b"'),
        ('json', 'Well. {"name": "add", "arguments": {"a": 2, "b"', 'add', '{"a": 2, "b"'),
        ('harmony', '<|channel|>commentary to=functions.add<|message|>{"a": 2, "b"', 'add', '{"a": 2, "b"'),
    ],
)
def test_a_truncated_call_keeps_the_arguments_so_far(format: str, written: str, name: str, args: str) -> None:
    assert [item for item in read_response(format, [written], truncated=True) if isinstance(item, ToolCall)] == [
        ToolCall(name, args)
    ]


# ---------------------------------------------------------------------- while a call is written

SCHEMAS = {
    'get_weather': {'properties': {'city': {'type': 'string'}}},
    'add': {'properties': {'a': {'type': 'integer'}, 'b': {'type': 'string'}}},
}

WITHOUT_PIECES = ('pythonic', 'lfm', 'olmo')
"""The formats whose arguments are Python, which is read at its end."""


def get_content(part: ModelResponsePart) -> str:
    return f'{getattr(part, "args", getattr(part, "content", ""))}'


def build_parts(sample: Sample, pieces: Iterable[str], *, truncated: bool) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the kind and content of each part of a response, and the arguments so far after each piece of a call."""
    found = CALL_FORMATS[sample.format]  # type: ignore[index] -- the names are those of the table
    reader = found.make(TOOLS, sample.keys or found.keys)
    parts = PartsManager()
    calls = CallParts(parts, SCHEMAS)
    seen: list[str] = []
    begun: set[int] = set()

    def add(items: Iterable[Item]) -> None:
        for item in items:
            match item:
                case PartialCall():
                    begun.add(calls.count)
                    calls.add_piece(item)
                    seen.append(get_content(parts.get()[-1]))
                case ToolCall():
                    calls.add(item)
                case ('thinking', text):
                    parts.thinking(LAST, text)
                case (_, text):
                    parts.text(LAST, text)

    for piece in pieces:
        add(reader.feed(piece))
    add(reader.close(truncated=truncated))
    parts.end()
    assert all(number < calls.count for number in begun), 'a call that was begun is not whole'
    assert replay(parts.take_events()) == parts.get()
    return [(part.part_kind, get_content(part)) for part in parts.get()], seen


@pytest.mark.parametrize('format', [name for name in CALL_FORMATS if name not in WITHOUT_PIECES])
def test_arguments_are_emitted_while_a_call_is_written(format: str) -> None:
    found = [
        build_parts(sample, sample.text, truncated=False)[1]
        for sample in SAMPLES
        if sample.format == format and sample.is_its_own
    ]
    assert any(any('Paris' in args or '2' in args for args in seen) for seen in found)
    assert all(b.startswith(a) or not b.startswith(a[:9]) for seen in found for a, b in pairwise(seen))


@given(st.data())
def test_a_call_in_pieces_is_the_whole_call(data: st.DataObject) -> None:
    """Also if a character of it is missing or too many, and if it was truncated."""
    sample = data.draw(st.sampled_from(SAMPLES))
    at = data.draw(st.integers(0, len(sample.text)))
    text = sample.text[:at] + data.draw(st.sampled_from(['', *'{}[]"\'<>\\,: \nx'])) + sample.text[at + 1 :]
    text = text[: data.draw(st.integers(0, len(text)))] if data.draw(st.booleans()) else text
    truncated = data.draw(st.booleans())
    whole, _ = build_parts(sample, [text], truncated=truncated)
    assert build_parts(sample, text, truncated=truncated)[0] == whole


def test_an_argument_without_quotes_gets_the_type_of_its_schema_while_it_streams() -> None:
    text = (
        '<tool_call><function=add><parameter=a>\n2\n</parameter><parameter=b>\n3\n</parameter></function></tool_call>'
    )
    parts, seen = build_parts(Sample('hermes', text, ()), text, truncated=False)
    assert seen == ['{"a": 2', '{"a": 2, "b": "3"']
    assert parts == [('tool-call', '{"a": 2, "b": "3"}')]


NESTED: dict[str, Any] = {
    'type': 'object',
    'properties': {
        'code': {'type': 'string'},
        'to': {'anyOf': [{'$ref': '#/$defs/Place'}, {'type': 'null'}]},
        'days': {'type': 'array', 'items': {'type': 'string'}},
        'row': {'type': 'object', 'properties': {'item': {'type': 'string'}}},
        'none': {'type': 'array'},
        'empty': {'type': 'object'},
        'more': {'type': 'object', 'additionalProperties': {'type': 'string'}},
    },
    '$defs': {'Place': {'type': 'object', 'properties': {'zip': {'type': 'string'}, 'n': {'type': 'number'}}}},
}


@pytest.mark.parametrize(
    ('written', 'expected'),
    [
        ('<code>90210</code>', {'code': '90210'}),
        ('<to><zip>01234</zip><n>5</n></to>', {'to': {'zip': '01234', 'n': 5}}),
        ('<days><item>1</item></days>', {'days': ['1']}),
        ('<days><day>1</day><day>2</day></days>', {'days': ['1', '2']}),
        ('<days>1</days><days>2</days>', {'days': ['1', '2']}),
        ('<row><item>1</item></row>', {'row': {'item': '1'}}),
        ('<none></none><empty>\n</empty>', {'none': [], 'empty': {}}),
        ('<more><a>1</a>text</more>', {'more': {'a': '1', '$text': 'text'}}),
        ('<other><item>1</item><item>x</item></other>', {'other': [1, 'x']}),
        ('<code>a<b>1</code>', {'code': 'a<b>1'}),
        ('<to><n>5</to>', {'to': {'n': 5}}),
        ('<to><n>5', {'to': {'n': 5}}),
    ],
)
def test_nested_elements_have_the_types_of_the_schema(written: str, expected: object) -> None:
    marked = re.sub(r'<(?=/?(?:code|to|zip|n|days?|item|row|none|empty|more|a|other)>)', f'{M}<', written)
    text = f'{M}<tool_call>{M}<invoke name="add">{marked}{M}</invoke>{M}</tool_call>'
    for pieces in ([text], [*text]):
        [call] = read_response('minimax_m3', pieces)
        assert isinstance(call, ToolCall)
        assert json.loads(fit_args(call, NESTED)) == expected


def test_arguments_stay_as_the_model_writes_them() -> None:
    text = '<tool_call>{"name": "add", "arguments": {"a":2,"b":"\\u00e9"}}</tool_call>'
    assert build_parts(Sample('hermes', text, ()), [text], truncated=False)[0] == [
        ('tool-call', '{"a":2,"b":"\\u00e9"}')
    ]


@pytest.mark.parametrize(
    ('format', 'text'),
    [
        ('hermes', '<tool_call>\n{"name": "get_weather", "arguments": {"city": "a </tool_call> \\" b"}}\n</tool_call>'),
        (
            'hermes',
            '<tool_call><function=get_weather><parameter=city>a </tool_call> " b</parameter></function></tool_call>',
        ),
        (
            'hermes',
            '<tool_call><function=get_weather><parameter=city>a </function> b</parameter></function></tool_call>',
        ),
        ('hermes', '<tool_call>get_weather<arg_key>city</arg_key><arg_value>a </tool_call> b</arg_value></tool_call>'),
        ('mistral', '[TOOL_CALLS]get_weather[ARGS]{"city": "a [TOOL_CALLS] b"}'),
        ('gemma', '<|tool_call>call:get_weather{city:<|"|>a <tool_call|> b<|"|>}<tool_call|>'),
        ('phi', '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "a <|/tool_call|> b"}}]<|/tool_call|>'),
        (
            'minimax',
            '<minimax:tool_call><invoke name="get_weather"><parameter name="city">a </invoke> b</parameter></invoke>',
        ),
        (
            'kimi',
            '<|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"city": "a <|tool_call_end|> b"}',
        ),
        (
            'harmony',
            '<|channel|>commentary to=functions.get_weather<|message|>{"city": "a <|end|> <|call|> \\" b"}<|call|>',
        ),
        (
            'kimi_k3',
            (
                '<|open|>tools<|sep|><|open|>call tool="get_weather"<|sep|><|open|>argument key="city"<|sep|>a '
                '<|close|>tools<|sep|> " b<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>'
            ),
        ),
        (
            'inkling',
            '<|content_invoke_tool_json|>{"name":"get_weather","args":{"city":"a <|end_message|> b"}}<|end_message|>',
        ),
        (
            'solar',
            '<|tool_call:start|>get_weather<|tool_arg:start|>x<|tool_arg:value|>a <|tool_call:end|> b<|tool_arg:end|>',
        ),
        (
            'deepseek',
            '<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```\n{"city": "a ``` b"}\n```<｜tool▁call▁end｜>',
        ),
    ],
)
def test_a_mark_inside_of_an_argument_does_not_end_the_call(format: str, text: str) -> None:
    for pieces in ([text], [*text]):
        [call] = read_response(format, pieces)
        assert isinstance(call, ToolCall)
        [city] = json.loads(call.args).values()
        assert city.startswith('a ')
        assert city.endswith(' b')


BROKEN = {
    'fenced JSON between marks': (
        'hermes',
        '<tool_call>```json\n{"name": "add", "arguments": {"a": 2, "b": 3}}\n```</tool_call>',
    ),
    'JSON in a function': ('hermes', '<tool_call><function=add>{"a": 2, "b": 3}</function></tool_call>'),
    'a parameter without an end': (
        'hermes',
        '<tool_call><function=add><parameter=a>2</parameter>\n<parameter=b>\n3\n</function>\n</tool_call>',
    ),
    'Python between marks': ('hermes', '<tool_call>add(a=2, b=3)</tool_call>'),
    'another key of arguments': ('hermes', '<tool_call>{"name": "add", "args": {"a": 2, "b": 3}}</tool_call>'),
    'arguments beside the name': ('hermes', '<tool_call>{"id": "c", "name": "add", "a": 2, "b": 3}</tool_call>'),
    'the name under another key': ('llama', '{"type": "function", "function": "add", "parameters": {"a": 2, "b": 3}}'),
    'Python of Llama': ('llama', '[add(a=2, b=3)]'),
    'a comma too many': ('gemma', '<|tool_call>call:add{a:2,b:3,}<tool_call|>'),
    'JSON in place of Python': (
        'lfm',
        '<|tool_call_start|>[{"name": "add", "arguments": {"a": 2, "b": 3}}]<|tool_call_end|>',
    ),
    'an empty list before': (
        'lfm',
        '<|tool_call_start|>[]<|tool_call_end|><|tool_call_start|>[add(a=2, b=3)]<|tool_call_end|>',
    ),
    'a brace too many': ('harmony', '<|channel|>commentary to=functions.add<|message|>{"a": 2, "b": 3}}<|call|>'),
    'quotes of Python': ('harmony', "to=functions.add<|message|>{'a': 2, 'b': 3}<|call|>"),
    'no marks of the section': (
        'deepseek',
        '<｜tool▁call▁begin｜>add<｜tool▁sep｜>{"a": 2, "b": 3}<｜tool▁call▁end｜>',
    ),
}


@pytest.mark.parametrize(('format', 'text'), BROKEN.values(), ids=BROKEN)
def test_a_call_that_breaks_its_format_keeps_its_arguments(format: str, text: str) -> None:
    for pieces in ([text], [*text]):
        assert normalize_args(read_response(format, pieces)) == [ADD]


@pytest.mark.parametrize(
    ('format', 'text'),
    [
        ('hermes', '<tool_call>{"name": "add", "argu"ments": {"a": 2}}</tool_call>'),
        ('hermes', '<tool_call>add<arg_key>a=2</arg_value></tool_call>'),
        ('hermes', '<tool_call>add<arg_key>b</arg_key><arg_value>3</arg_value><arg_key>a=2</arg_value></tool_call>'),
        ('hermes', '<tool_call><function=add>a: 2</function></tool_call>'),
        ('minimax', '<minimax:tool_call><invoke name="add"><a>2</a></invoke></minimax:tool_call>'),
        ('minimax_m3', f'{M}<tool_call>{M}<invoke name="add"><a>2</a>{M}</invoke>{M}</tool_call>'),
        ('kimi_k3', '<|open|>tools<|sep|><|open|>call tool="add"<|sep|>a=2<|close|>call<|sep|><|close|>tools<|sep|>'),
        ('solar', '<|tool_call:start|>add\n<|tool_arg:start|>a=2<|tool_arg:end|><|tool_call:end|>'),
        ('mistral', '[TOOL_CALLS]add[ARGS]{"a": 2'),
        ('kimi', '<|tool_calls_section_begin|><|tool_call_begin|>functions.add:0<|tool_call_argument_begin|>a=2'),
    ],
)
def test_arguments_that_cannot_be_read_are_malformed_and_not_lost(format: str, text: str) -> None:
    for pieces in ([text], [*text]):
        [call] = read_response(format, pieces)
        assert isinstance(call, ToolCall)
        assert '2' in call.args
        with pytest.raises(ValueError, match=r'.'):
            json.loads(call.args)


ADD_ARGS, PARIS_ARGS = '{"a": 2, "b": 3}', '{"city": "Paris"}'
ADD_JSON, PARIS_JSON = (
    f'{{"name": "{name}", "arguments": {args}}}' for name, args in (('add', ADD_ARGS), ('get_weather', PARIS_ARGS))
)


@pytest.mark.parametrize(
    ('format', 'text'),
    [
        ('mistral', f'[TOOL_CALLS]add{ADD_ARGS}get_weather{PARIS_ARGS} So.'),
        ('mistral', f'[TOOL_CALLS][{ADD_JSON}, {PARIS_JSON}] So.'),
        ('granite', f'<function_call> {ADD_JSON}<function_call> {PARIS_JSON} So.'),
        (
            'harmony',
            f'to=functions.add<|message|>{ADD_ARGS}<|call|>to=functions.get_weather<|message|>{PARIS_ARGS}<|end|> So.',
        ),
    ],
)
def test_text_and_calls_after_a_call_are_not_lost(format: str, text: str) -> None:
    for pieces in ([text], [*text]):
        assert normalize_args(read_response(format, pieces)) == [ADD, PARIS, ('text', ' So.')]


COMMON = (
    '\n',
    ' ',
    'Hm. ',
    'add',
    '2',
    '{"a": 2}',
    '{"name": "add", "arguments": {"a": 2}}',
    '"',
    '}',
    ']',
    '<',
    "'",
    '```json\n',
)
"""Pieces of text that each format meets, beside its own."""


@given(st.data())
def test_any_mix_of_marks_in_any_pieces_is_read_alike(data: st.DataObject) -> None:
    format = data.draw(st.sampled_from([*CALL_FORMATS]))
    own = [
        piece for sample in SAMPLES if sample.format == format for piece in re.findall(r'<[^<>]*>|[^<>]+', sample.text)
    ]
    text = ''.join(data.draw(st.lists(st.sampled_from([*CALL_FORMATS[format].marks, *own, *COMMON]), max_size=7)))
    truncated = data.draw(st.booleans())
    cuts = sorted({0, *data.draw(st.sets(st.integers(0, len(text)), max_size=4)), len(text)})
    whole, _ = build_parts(Sample(format, text, ()), [text], truncated=truncated)
    for pieces in ([text[a:b] for a, b in pairwise(cuts)], [*text]):
        assert build_parts(Sample(format, text, ()), pieces, truncated=truncated)[0] == whole


def test_a_call_with_an_argument_that_does_not_end_leaves_the_text_after_it() -> None:
    text = '<tool_call>{"name": "add", "arguments": {"a": "x}}</tool_call> and so on'
    for pieces in ([text], [*text]):
        assert read_response('hermes', pieces) == [ToolCall('add', '{"a": "x}}'), ('text', ' and so on')]


@pytest.mark.parametrize(
    'first',
    [
        '<tool_call>{"name": "add", "arguments": {"a": "x}}</tool_call>',
        '<tool_call><function=add><parameter=a>x</function></tool_call>',
    ],
)
def test_a_call_with_an_argument_that_does_not_end_leaves_the_next_call(first: str) -> None:
    text = f'{first}\n<tool_call>{{"name": "get_weather", "arguments": {{"city": "Paris"}}}}</tool_call>'
    for pieces in ([text], [*text]):
        assert read_response('hermes', pieces)[1:] == [PARIS]


@pytest.mark.parametrize(
    ('format', 'text'),
    [
        ('json', '{"a": 1}```json\n\n{"name": "add", "arguments": {"a": 2}}'),
        ('json', '{"name": "add", "arguments": {"a": 2}}```json\n'),
        ('phi', 'addfunctools[{"name": "add", "arguments": {"a": 2}}]'),
        ('muse_glimmer', '<|start|>assistant to=add<|x|>So.<|eot|>'),
        ('inkling', f'<|message_model|>{"a word " * 20}<|content_text|>So.'),
        ('ifm', '<ifm|tool_calls><ifm|tool_call>add<ifm|arg_key>a</ifm|arg_key><ifm|arg_value>2</ifm|arg_value>'),
        ('pythonic', '<\n'),
    ],
)
@pytest.mark.parametrize('truncated', [True, False])
def test_broken_text_is_read_alike_however_it_is_cut(format: str, text: str, *, truncated: bool) -> None:
    whole, _ = build_parts(Sample(format, text, ()), [text], truncated=truncated)
    for size in (1, 2, 5):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert build_parts(Sample(format, text, ()), pieces, truncated=truncated)[0] == whole


@pytest.mark.parametrize('format', ['hermes', 'solar', 'kimi_k3'])
def test_a_mark_in_an_argument_does_not_repeat_its_pieces(format: str) -> None:
    end = CALL_FORMATS[format].calls[0].end  # type: ignore[index] -- a name of the table
    text = MARKED_CITIES[format].replace('CITY', f'a {end} b {end} c')
    _, seen = build_parts(Sample(format, text, ()), text, truncated=False)
    assert all(b.startswith(a) for a, b in pairwise(seen))
    assert seen[-1].count(f'{end}') == 2


MARKED_CITIES = {
    'hermes': '<tool_call>{"name": "get_weather", "arguments": {"city": "CITY"}}</tool_call>',
    'solar': '<|tool_call:start|>get_weather<|tool_arg:start|>city<|tool_arg:value|>CITY<|tool_arg:end|>',
    'kimi_k3': (
        '<|open|>tools<|sep|><|open|>call tool="get_weather"<|sep|><|open|>argument key="city" type="string"<|sep|>CITY'
        '<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>'
    ),
}


def test_text_is_emitted_as_soon_as_it_cannot_become_a_call() -> None:
    reader = CALL_FORMATS['hermes'].make(TOOLS, ('name', 'arguments'))
    assert [[*reader.feed(piece)] for piece in ('Well', ', a <', 'b> is')] == [
        [('text', 'Well')],
        [('text', ', a')],
        [('text', ' <b> is')],
    ]


def test_a_forced_call_is_read() -> None:
    reader = ForcedReader(('name', 'arguments'))
    assert [
        *reader.feed('{"name": "add", "argu'),
        *reader.feed('ments": {"a": '),
        *reader.feed('1}}'),
        *reader.close(truncated=False),
    ] == [PartialCall('add', '{"a": '), PartialCall('add', '1}'), ToolCall('add', '{"a": 1}')]


def test_a_truncated_forced_call_keeps_its_name() -> None:
    reader = ForcedReader(('name', 'arguments'))
    assert [*reader.feed('{"name": "add", "arguments": {"a": '), *reader.close(truncated=True)] == [
        PartialCall('add', '{"a": '),
        ToolCall('add', '{"a":'),
    ]


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('{"a": 1} x', {'a': 1}),
        ("{'a': True, 'b': [None]}", {'a': True, 'b': [None]}),
        ("{'a': true, 'b': null}", {'a': True, 'b': None}),
        ("{'it\\'s': 'true'}", {"it's": 'true'}),
        ('{"a": "line\nbreak"}', {'a': 'line\nbreak'}),
    ],
)
def test_json_with_the_mistakes_of_models_is_parsed(text: str, value: object) -> None:
    found = parse_value(text)
    assert found is not None
    assert found[0] == value


@pytest.mark.parametrize('text', ['', '   ', 'word', '{', '{]', "{'a': open('x')}", '{{"a": 1}}'])
def test_text_without_a_value_is_not_parsed(text: str) -> None:
    assert parse_value(text) is None


@pytest.mark.parametrize(
    ('template', 'vocabulary', 'name'),
    [
        ("{{ '<tool_call>' }}", (), 'hermes'),
        ("{{ '[TOOL_CALLS]' }}", (), 'mistral'),
        ("{{ '<|python_tag|>' }} Environment: ipython", (), 'llama'),
        ('[func_name1(params_name1=params_value1)]', (), 'pythonic'),
        ("{{ '<|channel|>analysis' }}", (), 'harmony'),
        ('<｜tool▁calls▁begin｜>', (), 'deepseek'),
        ('<|tool_calls_section_begin|>', (), 'kimi'),
        ('<|tool_call>call:', (), 'gemma'),
        ('<seed:tool_call>', (), 'seed'),
        ('<minimax:tool_call>', (), 'minimax'),
        ('<|tool_list_start|>', (), 'lfm'),
        ('<|START_ACTION|>', (), 'command'),
        ('<｜DSML｜function_calls>', (), 'dsml'),
        ('<|tools_prefix|>', (), 'apertus'),
        ('<TOOLCALL>', (), 'nemotron'),
        ('<tool_calls>', (), 'nemotron'),
        ("{{ '<|open|>' + tag + '<|sep|>' }}", (), 'kimi_k3'),
        ("{%- set token = ']<]minimax[>[' %}{{ token ~ '<tool_call>' }}", (), 'minimax_m3'),
        ('<|message_model|><|content_thinking|>', (), 'inkling'),
        ('<|start|>assistant<|message|><atem:function_calls>', (), 'muse_glimmer'),
        ('<｜GCML｜tool_calls> <|function_call|>', (), 'gcml'),
        ('<|tool_call:start|>', (), 'solar'),
        ('<ifm|tool_calls>', (), 'ifm'),
        ('<tool_calls:6124c78e>', (), 'hunyuan'),
        ('<iquest_tool_call>', (), 'iquest'),
        ('<|tool_call|>', (), 'phi'),
        ('{{ tools }}', ('<tool_call>', '</tool_call>'), 'hermes'),
        ('{{ tools }}', (), 'json'),
    ],
)
def test_the_format_is_found_by_the_template_or_the_vocabulary(
    template: str, vocabulary: tuple[str, ...], name: str
) -> None:
    assert find_format(template, vocabulary).name == name
