"""Encode tools: for a template that renders them, as text for one that does not, and as schemas of tool calls. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from json import dumps
from typing import Any, cast

from ...constraints import Constraint, Grammar, JsonSchema
from ...json_types import Json
from ...messages import ToolCallPart
from ...streaming.text_calls.reader import CallKeys
from ...tools.definition import ToolDefinition
from .grammars import with_json_style

__all__ = (
    'CallKeys',
    'describe_tools',
    'encode_call_as_text',
    'encode_tools',
    'make_call_or_output_constraint',
    'make_calls_schema',
    'make_harmony_constraint',
)

TOOLS_PROMPT = """\
You can call these tools:

{tools}

To call one, answer with one JSON object and nothing else, and wait for what the tool answers:
{{"{name}": "<the tool's name>", "{arguments}": {{<its arguments, as its parameters say>}}}}

To call several, write one object after the other. Where no tool is needed, answer in plain text."""
"""The instructions for a model whose template does not render tools."""


def encode_tools(tools: Sequence[ToolDefinition]) -> list[Json]:
    """Encode tools for a chat template, in the form of OpenAI's API."""
    return [{'type': 'function', 'function': _encode_function(tool)} for tool in tools]


def describe_tools(tools: Sequence[ToolDefinition], keys: CallKeys) -> str:
    """Return instructions that describe the tools and how to call them, for a template that does not render tools."""
    name, arguments = keys
    described = '\n'.join(dumps(_encode_function(tool), ensure_ascii=False) for tool in tools)
    return TOOLS_PROMPT.format(tools=described, name=name, arguments=arguments)


def encode_call_as_text(part: ToolCallPart, keys: CallKeys) -> str:
    """Encode a past tool call as `describe_tools` asks for it."""
    name, arguments = keys
    call = {name: part.tool_name, arguments: part.args_as_dict(raise_if_invalid=False)}
    return dumps(call, ensure_ascii=False)


def make_calls_schema(tools: Sequence[ToolDefinition], keys: CallKeys) -> Json:
    """Return the schema of an object that is a valid call of one of the tools."""
    if len(tools) == 1:
        return _make_call_schema(tools[0], keys, '#')
    return {'anyOf': [_make_call_schema(tool, keys, f'#/anyOf/{index}') for index, tool in enumerate(tools)]}


def make_call_or_output_constraint(
    tools: Sequence[ToolDefinition],
    keys: CallKeys,
    output: Json,
    marks: tuple[str, str],
    added_tokens: Mapping[str, int],
) -> Constraint:
    """Return a constraint to a call of one of the tools, between `marks`, or to a value of the `output` schema."""
    if not marks[0]:
        calls = [_make_call_schema(tool, keys, f'#/anyOf/{index}') for index, tool in enumerate(tools)]
        return JsonSchema({'anyOf': [*calls, _nest_schema(output, f'#/anyOf/{len(calls)}')]})
    call, value = (dumps(with_json_style(schema)) for schema in (make_calls_schema(tools, keys), output))
    start, end = (' '.join(_encode_terminals(mark, added_tokens)) for mark in marks)
    return Grammar(f'start: call | answer\ncall: {start} %json {call} {end}\nanswer: %json {value}')


def make_harmony_constraint(
    tools: Sequence[ToolDefinition], output: Json, added_tokens: Mapping[str, int]
) -> Constraint:
    """Return a constraint to one message of gpt-oss, with its header: a call of one of the tools, or the `output`."""
    headers = {f'commentary to=functions.{tool.name} <|constrain|>json': tool.parameters_json_schema for tool in tools}
    lines: list[str] = []
    for header, schema in {**headers, 'final': output}.items():
        marks = ' '.join(_encode_terminals(f'<|channel|>{header}<|message|>', added_tokens))
        lines.append(f'message{len(lines)}: {marks} %json {dumps(with_json_style(schema))}')
    start = ' | '.join(f'message{index}' for index in range(len(lines)))
    return Grammar('\n'.join([f'start: {start}', *lines]))


def _encode_terminals(text: str, added_tokens: Mapping[str, int]) -> Iterator[str]:
    """Yield the terminals of a Lark grammar for a text: quoted strings, and `<[id]>` for special tokens.

    https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md#special-tokens
    """
    marks = sorted(added_tokens, key=len, reverse=True)
    for piece in re.split(f'({"|".join(map(re.escape, marks))})', text) if marks else [text]:
        if piece:
            yield f'<[{added_tokens[piece]}]>' if piece in added_tokens else dumps(piece, ensure_ascii=False)


def _encode_function(tool: ToolDefinition) -> Json:
    return {'name': tool.name, 'description': tool.description or '', 'parameters': tool.parameters_json_schema}


def _make_call_schema(tool: ToolDefinition, keys: CallKeys, pointer: str) -> Json:
    """Return the schema of a call of one tool, which `pointer` locates in the whole schema."""
    name, arguments = keys
    escaped = arguments.replace('~', '~0').replace('/', '~1')  # for a JSON pointer: RFC 6901
    inner = f'{pointer}/properties/{escaped}'
    return {
        'type': 'object',
        'properties': {
            name: {'const': tool.name},
            arguments: _nest_schema(tool.parameters_json_schema, inner),
        },
        'required': [name, arguments],
        'additionalProperties': False,
    }


def _nest_schema(schema: Json, pointer: str) -> Any:
    """Return a schema for a place in another one, with its references moved, and without the keywords of a document."""
    return _move_references({key: value for key, value in schema.items() if key not in ('$id', '$schema')}, pointer)


def _move_references(schema: Any, pointer: str) -> Any:
    match schema:
        case {'$ref': str() as reference, **rest} if reference.startswith('#/') or reference == '#':
            moved = {key: _move_references(value, pointer) for key, value in cast('Json', rest).items()}
            return {'$ref': f'{pointer}{reference[1:]}', **moved}
        case dict():
            return {key: _move_references(value, pointer) for key, value in cast('Json', schema).items()}
        case list():
            return [_move_references(item, pointer) for item in cast('list[object]', schema)]
        case _:
            return schema
