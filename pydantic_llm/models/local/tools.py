"""Tools: as a template takes them, in words where it takes none, as the schema of a call that must be made. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from json import dumps
from typing import Any, cast

from ...constraints import Constraint, Grammar, JsonSchema
from ...json_types import Json
from ...messages import ToolCallPart
from ...tools.definition import ToolDefinition
from .grammars import with_json_style

Keys = tuple[str, str]

__all__ = ('call_or_answer', 'call_schema', 'call_teller', 'closed', 'tools_for_template', 'tools_in_words')

IN_WORDS = """\
You can call these tools:

{tools}

To call one, answer with one JSON object and nothing else, and wait for what the tool answers:
{{"{name}": "<the tool's name>", "{arguments}": {{<its arguments, as its parameters say>}}}}

To call several, write one object after the other. Where no tool is needed, answer in plain text."""
"""What a model is told of its tools where its template has no place for them."""


def tools_for_template(tools: Sequence[ToolDefinition]) -> list[Json]:
    """The tools as chat templates take them, which is as OpenAI's API does."""
    return [{'type': 'function', 'function': _function(tool)} for tool in tools]


def tools_in_words(tools: Sequence[ToolDefinition], keys: Keys) -> str:
    """The tools and how to call them, for the system prompt."""
    name, arguments = keys
    told = '\n'.join(dumps(_function(tool), ensure_ascii=False) for tool in tools)
    return IN_WORDS.format(tools=told, name=name, arguments=arguments)


def call_teller(keys: Keys) -> Any:
    """A function that tells a past call in words."""
    name, arguments = keys

    def tell(part: ToolCallPart) -> str:
        called = {name: part.tool_name, arguments: part.args_as_dict(raise_if_invalid=False)}
        return dumps(called, ensure_ascii=False)

    return tell


def closed(schema: Any) -> Any:
    """A schema whose objects have no properties but those that it names, where it does not say: a model that may add
    others adds them for ever.
    """
    match schema:
        case {'properties': dict(), **rest} if rest.keys().isdisjoint(OPEN):
            return {**_closed_below(schema), 'additionalProperties': False}
        case dict():
            return _closed_below(cast('Json', schema))
        case list():
            return [closed(item) for item in cast('list[object]', schema)]
        case _:
            return schema


OPEN = frozenset(
    {'additionalProperties', 'patternProperties', 'unevaluatedProperties', 'allOf', 'anyOf', 'oneOf', '$ref'}
)
"""What else says which properties an object has."""

NAMED = ('properties', '$defs', 'definitions', 'dependentSchemas')
"""Where a schema holds others by name."""

VALUES = ('const', 'enum', 'default', 'examples')
"""Where it holds no schema."""


def _closed_below(schema: Json) -> Json:
    found: Json = {}
    for key, value in schema.items():
        if key in NAMED and isinstance(value, dict):
            found[key] = {name: closed(item) for name, item in cast('Json', value).items()}
        else:
            found[key] = value if key in VALUES else closed(value)
    return found


def call_schema(tools: Sequence[ToolDefinition], keys: Keys) -> Json:
    """The schema of an object that calls one of the tools with arguments that fit it."""
    if len(tools) == 1:
        return _call(tools[0], keys, '#')
    return {'anyOf': [_call(tool, keys, f'#/anyOf/{index}') for index, tool in enumerate(tools)]}


def call_or_answer(
    tools: Sequence[ToolDefinition], keys: Keys, answer: Json, around: tuple[str, str], vocabulary: Mapping[str, int]
) -> Constraint:
    """Holds an answer to being a call of one of the tools, with the marks around it, or a JSON value."""
    if not around[0]:
        calls = [_call(tool, keys, f'#/anyOf/{index}') for index, tool in enumerate(tools)]
        return JsonSchema({'anyOf': [*calls, _moved(answer, f'#/anyOf/{len(calls)}')]})
    call, value = (dumps(with_json_style(schema)) for schema in (call_schema(tools, keys), answer))
    start, end = (' '.join(_terminals(mark, vocabulary)) for mark in around)
    return Grammar(f'start: call | answer\ncall: {start} %json {call} {end}\nanswer: %json {value}')


def _terminals(text: str, vocabulary: Mapping[str, int]) -> Iterator[str]:
    """A text as a grammar writes it. A mark that is a token of its own must be named as one."""
    marks = sorted(vocabulary, key=len, reverse=True)
    for piece in re.split(f'({"|".join(map(re.escape, marks))})', text) if marks else [text]:
        if piece:
            yield f'<[{vocabulary[piece]}]>' if piece in vocabulary else dumps(piece, ensure_ascii=False)


def _function(tool: ToolDefinition) -> Json:
    return {'name': tool.name, 'description': tool.description or '', 'parameters': tool.parameters_json_schema}


def _call(tool: ToolDefinition, keys: Keys, place: str) -> Json:
    name, arguments = keys
    parameters = _moved(closed(tool.parameters_json_schema), f'{place}/properties/{_escaped(arguments)}')
    return {
        'type': 'object',
        'properties': {name: {'const': tool.name}, arguments: parameters},
        'required': [name, arguments],
        'additionalProperties': False,
    }


def _escaped(key: str) -> str:
    """A key as JSON pointers write it."""
    return key.replace('~', '~0').replace('/', '~1')


def _moved(schema: Any, place: str) -> Any:
    """A schema as a part of another: what its references point to is now below `place`."""
    match schema:
        case {'$ref': str() as reference, **rest} if reference.startswith('#'):
            moved = {key: _moved(value, place) for key, value in cast('Json', rest).items()}
            return {'$ref': f'{place}{reference[1:]}', **moved}
        case dict():
            return {key: _moved(value, place) for key, value in cast('Json', schema).items()}
        case list():
            return [_moved(item, place) for item in cast('list[object]', schema)]
        case _:
            return schema
