"""Function tools: how they are registered, what the model is told about them, and what they return."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from pydantic_llm import (
    Agent,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelRetry,
    RunContext,
    Tool,
    ToolDefinition,
    ToolFailed,
    ToolReturn,
    UnexpectedModelBehavior,
)
from pydantic_llm.messages import ModelMessage, ModelResponse, TextPart, ToolReturnPart
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.tools import ToolPrepareFunc

from .script import call, play, told


class Ship(BaseModel):
    """A ship that arrives."""

    name: str
    length: float = Field(gt=0)


class Position(BaseModel):
    north: float
    east: float


def offered(model: TestModel) -> list[str]:
    parameters = model.last_model_request_parameters
    assert parameters is not None
    return [tool.name for tool in parameters.function_tools]


def describe(*tools: Any) -> list[ToolDefinition]:
    model = TestModel(call_tools=[])
    Agent(model, tools=tools).run_sync('Hello.')
    assert model.last_model_request_parameters is not None
    return list(model.last_model_request_parameters.function_tools)


def test_tools_are_registered_in_three_ways() -> None:
    def read_gauge(ctx: RunContext[int]) -> int:
        return ctx.deps

    def ring_bell() -> str:
        return 'ding'

    model = TestModel()
    agent = Agent(model, deps_type=int, tools=[read_gauge, Tool(ring_bell, takes_ctx=False, name='ring')])

    @agent.tool
    def deeper(ctx: RunContext[int], by: int) -> int:
        return ctx.deps + by

    @agent.tool_plain
    def hoist_flag(colour: str) -> str:
        return colour

    result = agent.run_sync('Do it all.', deps=3)
    assert offered(model) == ['read_gauge', 'ring', 'deeper', 'hoist_flag']
    assert TypeAdapter(dict[str, Any]).validate_json(result.output) == {
        'read_gauge': 3,
        'ring': 'ding',
        'deeper': 3,
        'hoist_flag': 'a',
    }


def test_a_schema_has_the_descriptions_of_a_docstring() -> None:
    def moor(ship: str, berth: int, *, lines: list[str]) -> str:
        """Moor a ship.

        Args:
            ship: The name of the ship.
            berth: The number of the berth.
            lines: The lines to use.
        """
        return ship

    (tool,) = describe(moor)
    assert tool.name == 'moor'
    assert tool.description == 'Moor a ship.'
    properties = tool.parameters_json_schema['properties']
    assert {name: schema['description'] for name, schema in properties.items()} == {
        'ship': 'The name of the ship.',
        'berth': 'The number of the berth.',
        'lines': 'The lines to use.',
    }
    assert tool.parameters_json_schema['required'] == ['ship', 'berth', 'lines']


def test_a_tool_with_one_object_has_its_schema() -> None:
    def announce(ship: Ship) -> str:
        return ship.name

    (tool,) = describe(announce)
    assert set(tool.parameters_json_schema['properties']) == {'name', 'length'}
    assert Agent(TestModel(), tools=[announce]).run_sync('Hello.').output == '{"announce":"a"}'


def test_undocumented_parameters_can_be_refused() -> None:
    agent = Agent(TestModel())
    with pytest.raises(Exception, match='ship'):

        @agent.tool_plain(docstring_format='google', require_parameter_descriptions=True)
        def moor(ship: str) -> str:
            """Moor a ship."""
            return ship


def test_a_tool_has_a_schema_of_its_own() -> None:
    def add_up(**values: int) -> int:
        return sum(values.values())

    schema = {
        'type': 'object',
        'properties': {'port': {'type': 'integer'}, 'starboard': {'type': 'integer'}},
        'required': ['port', 'starboard'],
        'additionalProperties': False,
    }
    tool = Tool.from_schema(
        function=add_up, name='count_containers', description='Count containers.', json_schema=schema, takes_ctx=False
    )
    agent = Agent(
        play(call('count_containers', port=3, starboard=4), lambda messages: str(returned(messages))), tools=[tool]
    )
    assert agent.run_sync('How many containers?').output == '7'


def returned(messages: list[ModelMessage]) -> Any:
    part = messages[-1].parts[0]
    assert isinstance(part, ToolReturnPart)
    return part.content


def test_a_tool_returns_objects_and_files() -> None:
    agent = Agent(
        play([call('locate', 'a'), call('photograph', 'b'), call('find_chart', 'c'), call('read', 'd')], 'Done.')
    )

    @agent.tool_plain
    def locate() -> Position:
        return Position(north=60.4, east=5.3)

    @agent.tool_plain
    def photograph() -> ImageUrl:
        return ImageUrl(url='https://example.com/pier.png')

    @agent.tool_plain
    def find_chart() -> DocumentUrl:
        return DocumentUrl(url='https://example.com/chart.pdf')

    @agent.tool_plain
    def read() -> BinaryContent:
        return BinaryContent(data=b'\x89PNG', media_type='image/png')

    result = agent.run_sync('Where are we?')
    assert result.output == 'Done.'
    parts = result.all_messages()[2].parts
    assert parts[0].model_response_str() == '{"north":60.4,"east":5.3}'
    assert [len(part.files) for part in parts] == [0, 1, 1, 1]


def test_a_tool_returns_more_than_its_value() -> None:
    agent = Agent(play(call('look', direction='west'), 'A boat.'))

    @agent.tool_plain
    def look(direction: str) -> ToolReturn:
        return ToolReturn(
            return_value=f'looked {direction}',
            content=['Seen:', BinaryContent(data=b'\x89PNG', media_type='image/png')],
            metadata={'camera': 3},
        )

    result = agent.run_sync('What is in the west?')
    parts = result.all_messages()[2].parts
    assert parts[0].content == 'looked west'
    assert parts[0].metadata == {'camera': 3}
    assert [part.part_kind for part in parts] == ['tool-return', 'user-prompt']


async def only_by_day(ctx: RunContext[int], tool_def: ToolDefinition) -> ToolDefinition | None:
    return tool_def if 6 <= ctx.deps <= 20 else None


def test_a_tool_is_offered_if_its_prepare_function_says_so() -> None:
    model = TestModel()
    agent = Agent(model, deps_type=int)
    prepare: ToolPrepareFunc[int] = only_by_day

    @agent.tool(prepare=prepare)
    def set_sails(ctx: RunContext[int], sail: str) -> str:
        return f'{ctx.deps} {sail}'

    assert agent.run_sync('Sail.', deps=2).output == 'success (no tool calls)'
    assert offered(model) == []
    assert agent.run_sync('Sail.', deps=12).output == '{"set_sails":"12 a"}'


def test_a_prepare_function_changes_a_description() -> None:
    async def name_captain(ctx: RunContext[str], tool_def: ToolDefinition) -> ToolDefinition:
        tool_def.parameters_json_schema['properties']['to']['description'] = f'The one that {ctx.deps} greets.'
        return tool_def

    def hail(to: str) -> str:
        return f'ahoy {to}'

    model = TestModel()
    agent = Agent(model, deps_type=str, tools=[Tool(hail, prepare=name_captain)])
    assert agent.run_sync('Hail.', deps='the captain').output == '{"hail":"ahoy a"}'
    assert model.last_model_request_parameters is not None
    schema = model.last_model_request_parameters.function_tools[0].parameters_json_schema
    assert schema['properties']['to']['description'] == 'The one that the captain greets.'


def test_a_setting_forbids_tools() -> None:
    seen: list[Any] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append((info.model_settings or {}).get('tool_choice'))
        return ModelResponse(parts=[TextPart('No.')])

    agent = Agent(FunctionModel(respond))

    @agent.tool_plain
    def ring() -> str:
        return 'ding'

    assert agent.run_sync('Ring.', model_settings={'tool_choice': 'none'}).output == 'No.'
    assert seen == ['none']


def test_a_failure_is_told_without_a_retry() -> None:
    agent = Agent(play(call('raise_anchor'), 'It is stuck.'))

    @agent.tool_plain(retries=0)
    def raise_anchor() -> str:
        raise ToolFailed('The anchor is stuck.')

    result = agent.run_sync('Raise the anchor.')
    assert result.output == 'It is stuck.'
    part = result.all_messages()[2].parts[0]
    assert isinstance(part, ToolReturnPart)
    assert part.outcome == 'failed'
    assert part.content == 'The anchor is stuck.'


def test_a_tool_that_takes_too_long_is_tried_again() -> None:
    agent = Agent(play(call('wait', 'a', seconds=5), call('wait', 'b', seconds=0), 'Done.'))

    @agent.tool_plain(timeout=0.05)
    async def wait(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return 'waited'

    result = agent.run_sync('Wait.')
    assert result.output == 'Done.'
    assert '0.05' in told(result.all_messages()[2].parts[0])


def test_all_tools_of_an_agent_have_a_timeout() -> None:
    agent = Agent(play(call('wait', 'a', seconds=5), 'Done.'), tool_timeout=0.05)

    @agent.tool_plain
    async def wait(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return 'waited'

    assert '0.05' in told(agent.run_sync('Wait.').all_messages()[2].parts[0])


def test_arguments_are_checked_by_a_function_before_the_call() -> None:
    called: list[int] = []
    agent = Agent(play(call('load', 'a', tons=900), call('load', 'b', tons=9), 'Loaded.'), deps_type=int)

    def check_load(ctx: RunContext[int], tons: int) -> None:
        if tons > ctx.deps:
            raise ModelRetry(f'The crane lifts {ctx.deps} tons.')

    @agent.tool(args_validator=check_load)
    def load(ctx: RunContext[int], tons: int) -> str:
        called.append(tons)
        return 'loaded'

    result = agent.run_sync('Load.', deps=40)
    assert result.output == 'Loaded.'
    assert called == [9]
    assert 'The crane lifts 40 tons.' in told(result.all_messages()[2].parts[0])


def test_tool_calls_of_a_response_run_at_the_same_time() -> None:
    agent = Agent(play([call('wait', 'a'), call('wait', 'b'), call('wait', 'c')], 'Done.'))
    running: list[int] = []

    @agent.tool_plain
    async def wait() -> int:
        running.append(1)
        for _ in range(100):
            if len(running) == 3:
                break
            await asyncio.sleep(0.01)
        return len(running)

    result = agent.run_sync('Wait.')
    assert [part.content for part in result.all_messages()[2].parts] == [3, 3, 3]


def test_a_sequential_tool_runs_alone() -> None:
    order: list[str] = []
    agent = Agent(play([call('fetch', 'a'), call('write', 'b'), call('fetch', 'c')], 'Done.'))

    @agent.tool_plain
    async def fetch() -> str:
        order.append('fetch begins')
        await asyncio.sleep(0.01)
        order.append('fetch ends')
        return 'x'

    @agent.tool_plain(sequential=True)
    async def write() -> str:
        order.append('write begins')
        await asyncio.sleep(0)
        order.append('write ends')
        return 'x'

    assert agent.run_sync('Write.').output == 'Done.'
    position = order.index('write begins')
    assert order[position + 1] == 'write ends'


def test_a_blocking_tool_does_not_block_the_others() -> None:
    agent = Agent(play([call('sleep', 'a'), call('sleep', 'b')], 'Done.'))

    @agent.tool_plain
    def sleep() -> str:
        time.sleep(0.05)
        return 'x'

    started = time.perf_counter()
    assert agent.run_sync('Sleep.').output == 'Done.'
    assert time.perf_counter() - started < 5


def test_an_invented_tool_is_refused_with_the_names_that_exist() -> None:
    agent = Agent(play(call('fly'), 'I cannot fly.'))

    @agent.tool_plain
    def sail() -> str:
        return 'sailing'

    result = agent.run_sync('Fly.')
    retry = told(result.all_messages()[2].parts[0])
    assert 'fly' in retry
    assert 'sail' in retry


def test_invalid_arguments_are_told_to_the_model() -> None:
    agent = Agent(play(call('moor', 'a', berth='seven'), call('moor', 'b', berth=7), 'Moored.'))

    @agent.tool_plain
    def moor(berth: int) -> str:
        return 'moored'

    result = agent.run_sync('Moor.')
    assert 'berth' in told(result.all_messages()[2].parts[0])


def test_an_error_of_a_tool_ends_the_run() -> None:
    agent = Agent(play(call('sink')))

    @agent.tool_plain
    def sink() -> str:
        raise RuntimeError('Water!')

    with pytest.raises(RuntimeError, match='Water!'):
        agent.run_sync('Sink.')


def test_retries_of_an_agent_are_those_of_its_tools() -> None:
    agent = Agent(play(*[call('knock', str(number)) for number in range(5)]), retries=2)
    knocks: list[int] = []

    @agent.tool_plain
    def knock() -> str:
        knocks.append(1)
        raise ModelRetry('Again.')

    with pytest.raises(UnexpectedModelBehavior):
        agent.run_sync('Knock.')
    assert len(knocks) == 3
