"""A model that keeps the results of its checks sends what a new model sends, also after settings and tools changed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ModelMessage, ModelRequest
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.native_tools import WebSearchTool
from pydantic_llm.settings import ModelSettings
from pydantic_llm.testing.room import Room
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.wire.model import WireModel
from pydantic_llm.wire.snapshot import Kept, take_snapshot
from tests.conformance.rooms import ROOMS

pytestmark = pytest.mark.filterwarnings('ignore::pydantic_llm.exceptions.UnknownSettingWarning')  # `max_tokns`

HISTORY: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello.')]

CHANGES = 40
"""Requests per room, each after one change."""

VALUES: dict[str, list[Any]] = {
    'max_tokens': [100, 1, True, 1.0, -1, None],
    'temperature': [0, 0.5, 1, True, 'hot'],
    'seed': [1, 2],
    'top_k': [5],
    'tool_choice': ['auto', 'none', 'required', ['look'], ['unknown']],
    'unsupported_settings': ['warn', 'drop', 'error'],
    'thinking': ['low', False, 'much'],
    'timeout': [1.5, 0],
    'max_tokns': [1],
    'extra_headers': [{'X-A': '1'}],
    'extra_body': [{'a': {'b': 1}}],
}
"""Setting -> values, some of which are invalid, or equal in Python and different in JSON."""

SCHEMA: dict[str, Any] = {
    'type': 'object',
    'properties': {'city': {'type': 'string', 'minLength': 1}, 'days': {'type': 'integer'}},
    'required': ['city'],
}


def build(room: Room) -> WireModel[Any]:
    """Return a model that has sent nothing yet."""
    model: Any = copy.copy(room.build())
    model._kept_settings = model._kept_parameters = None
    return model  # type: ignore[no-any-return]  # for pyright


def send(model: WireModel[Any], settings: Any, parameters: ModelRequestParameters) -> tuple[object, ...]:
    """Return everything that a request consists of, or its error."""
    try:
        request = model.prepare(HISTORY, settings, parameters)
        raw = model._encode_request(request)
    except UserError as error:
        return (str(error),)
    return raw.body, dict(raw.headers), raw.deadlines, request.warnings, request.tool_choice


class Caller:
    """An application that changes its settings and tools between its requests."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.settings: dict[str, Any] = {'max_tokens': 100, 'extra_body': {'a': {'b': 1}}}
        tools = [ToolDefinition(name, copy.deepcopy(SCHEMA), 'Look.') for name in ('look', 'find')]
        self.parameters = ModelRequestParameters(tools)

    def change(self) -> None:
        actions: list[Callable[[], None]] = [self.set, self.set, self.remove, self.change_inside, self.change_tool]
        actions += [self.change_schema, self.change_output, self.change_tools]
        self.chance.choice(actions)()

    def set(self) -> None:
        name = self.chance.choice([*VALUES])
        self.settings[name] = copy.deepcopy(self.chance.choice(VALUES[name]))

    def remove(self) -> None:
        if self.settings:
            del self.settings[self.chance.choice([*self.settings])]

    def change_inside(self) -> None:
        body = self.settings.setdefault('extra_body', {})
        body.setdefault('a', {})['b'] = self.chance.choice([1, True, 1.0, 'x'])
        self.settings.setdefault('extra_headers', {})['X-A'] = self.chance.choice(['1', '2'])

    def change_tool(self) -> None:
        for tool in self.parameters.function_tools[:1]:
            tool.description = self.chance.choice(['Look.', 'See.', None])
            tool.strict = self.chance.choice([True, False, None])
            tool.name = self.chance.choice(['look', 'see', 'find', 'bad name'])

    def change_schema(self) -> None:
        for tool in self.parameters.function_tools[:1]:
            schema: Any = tool.parameters_json_schema
            schema['properties'].setdefault('city', {})['minLength'] = self.chance.choice([1, 2, True])
            schema['required'] = self.chance.choice([['city'], ['city', 'days'], 'city'])

    def change_output(self) -> None:
        self.parameters.output_mode = self.chance.choice(['text', 'prompted', 'tool', 'auto'])
        self.parameters.output_object = OutputObjectDefinition(copy.deepcopy(SCHEMA), self.chance.choice(['a', None]))
        self.parameters.output_tools = [ToolDefinition('done', copy.deepcopy(SCHEMA), metadata={'a': [1]})]

    def change_tools(self) -> None:
        tools: list[ToolDefinition] = self.parameters.function_tools  # type: ignore[assignment]
        match self.chance.randrange(3):
            case 0:
                tools.reverse()
            case 1 if len(tools) > 1:
                tools.pop()
            case _:
                tools.append(ToolDefinition('add'))


@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_settings_and_tools_that_change_are_checked_again(room: Room) -> None:
    for number in range(3):
        caller, model = Caller(Random(f'{room.name} {number}')), build(room)
        for _ in range(CHANGES):
            expected = send(build(room), copy.deepcopy(caller.settings), copy.deepcopy(caller.parameters))
            assert send(model, caller.settings, caller.parameters) == expected
            assert send(model, caller.settings, caller.parameters) == expected
            caller.change()


@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_a_value_that_changed_inside_does_not_change_what_was_kept_for_it(room: Room) -> None:
    model, settings = build(room), {'extra_body': {'a': {'b': 1}}}
    tool = ToolDefinition('look', copy.deepcopy(SCHEMA))
    parameters = ModelRequestParameters([tool])
    expected = send(build(room), settings, parameters)
    assert send(model, settings, parameters) == expected
    settings['extra_body']['a']['b'] = 2
    tool.parameters_json_schema['properties']['city']['minLength'] = 3
    assert send(model, settings, parameters) != expected
    again = ModelRequestParameters([ToolDefinition('look', copy.deepcopy(SCHEMA))])
    assert send(model, {'extra_body': {'a': {'b': 1}}}, again) == expected


def test_a_model_keeps_few_results() -> None:
    model = build(ROOMS[0])
    for number in range(100):
        send(model, {'seed': number}, ModelRequestParameters([ToolDefinition(f'tool_{number}')]))
    kept: Any = model
    assert len(kept._kept_settings._results) == len(kept._kept_parameters._results) == 8


def test_the_settings_of_the_model_may_change_too() -> None:
    kind: Any = type(ROOMS[0].build())
    own: dict[str, Any] = {'seed': 1, 'extra_body': {'a': 1}}
    model = kind('m', api_key='k', settings=own)
    seen = [model.prepare(HISTORY, {'temperature': 0}).settings]
    own['seed'], own['extra_body']['a'] = True, 2
    with pytest.raises(UserError, match='seed is True'):
        model.prepare(HISTORY, {'temperature': 0})
    own['seed'] = 2
    seen.append(model.prepare(HISTORY, {'temperature': 0}).settings)
    assert seen == [
        {'seed': 1, 'extra_body': {'a': 1}, 'temperature': 0},
        {'seed': 2, 'extra_body': {'a': 2}, 'temperature': 0},
    ]


def test_native_tools_are_never_kept() -> None:
    model: Any = build(ROOMS[0])
    send(model, {}, ModelRequestParameters(native_tools=[WebSearchTool()]))
    assert model._kept_parameters._results == {}


def test_a_model_that_does_not_keep_checks_keeps_no_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = build(ROOMS[0])
    monkeypatch.setattr(type(model), 'keeps_checks', False)
    send(model, {}, ModelRequestParameters([ToolDefinition('look', SCHEMA)]))
    assert (model._kept_settings._results, model._kept_parameters._results) == ({}, {})


def test_settings_of_a_model_that_merges_them_its_own_way_are_never_kept() -> None:
    kind: Any = type(ROOMS[0].build())
    values = iter([1, 2])

    class Own(kind):
        def merged_settings(self, model_settings: ModelSettings | None) -> ModelSettings:
            return {'seed': next(values)}

    model: Any = Own('m', api_key='k')
    assert [model.prepare(HISTORY).settings for _ in range(2)] == [{'seed': 1}, {'seed': 2}]


def test_values_that_are_equal_in_python_alone_have_different_snapshots() -> None:
    snapshots = [take_snapshot({'a': [value]}) for value in (1, True, 1.0, '1', b'1', None)]
    assert len({*snapshots}) == len(snapshots)
    assert take_snapshot({'a': object()}) is None


def test_the_newest_results_are_kept() -> None:
    kept = Kept[int](2)
    for number in range(3):
        kept.put(b'%d' % number, number)
    assert [kept.get(b'%d' % number) for number in range(3)] == [None, 1, 2]
    kept.put(None, 5)
    assert kept.get(None) is None
