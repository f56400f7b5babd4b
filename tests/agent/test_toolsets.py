"""Toolsets: functions, changed copies, several in one, those that a function makes, and where a run takes them from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import pytest
from pydantic import BaseModel

from pydantic_llm import Agent, ModelRetry, RunContext, Tool
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ToolCallPart, ToolProgressEvent
from pydantic_llm.models.test import TestModel
from pydantic_llm.tools import ToolDefinition
from pydantic_llm.toolsets import (
    AbstractToolset,
    CombinedToolset,
    ExternalToolset,
    FunctionToolset,
    ToolsetTool,
    WrapperToolset,
)

from .scripted import Scripted, results_of


class Place(BaseModel):
    city: str


def celsius(city: str) -> float:
    """The temperature in degrees Celsius."""
    return 21.0


def fahrenheit(city: str) -> float:
    return 69.8


def names_offered(model: TestModel) -> list[str]:
    assert model.last_model_request_parameters is not None
    return [tool.name for tool in model.last_model_request_parameters.function_tools]


async def offer(*toolsets: Any, agent: Agent[Any, Any] | None = None, **options: Any) -> list[str]:
    """Return the names of the tools in the first request of a run."""
    model = TestModel(call_tools=[])
    await (agent or Agent()).run('hi', model=model, toolsets=toolsets, **options)
    return names_offered(model)


# ------------------------------------------------------------------------------------------------- where they come from


async def test_a_run_has_the_tools_of_the_agent_and_its_own() -> None:
    agent = Agent(tools=[celsius], toolsets=[FunctionToolset([fahrenheit])])
    later = FunctionToolset([Tool(lambda: 'now', name='now')])
    plain = Tool(lambda: 1, name='plain')
    assert await offer(later, agent=agent, tools=[plain]) == ['celsius', 'fahrenheit', 'plain', 'now']
    assert await offer(agent=agent) == ['celsius', 'fahrenheit']


async def test_an_override_replaces_the_toolsets_of_the_agent_and_of_the_run() -> None:
    agent = Agent(toolsets=[FunctionToolset([celsius])])
    with agent.override(toolsets=[FunctionToolset([fahrenheit])]):
        assert await offer(FunctionToolset([celsius]), agent=agent) == ['fahrenheit']
    with agent.override(tools=[fahrenheit]):
        assert await offer(agent=agent) == ['fahrenheit', 'celsius']


async def test_tools_that_a_tool_adds_are_offered_in_the_next_request() -> None:
    toolset = FunctionToolset[None]()

    @toolset.tool_plain
    def unlock() -> str:
        toolset.add_function(celsius)
        return 'unlocked'

    model = Scripted([ToolCallPart('unlock', {})], [ToolCallPart('celsius', {'city': 'Oslo'})], 'done')
    assert (await Agent(model, toolsets=[toolset]).run('hi')).output == 'done'
    offered = [[tool.name for tool in request.parameters.function_tools] for request in model.requests]
    assert offered == [['unlock'], ['unlock', 'celsius'], ['unlock', 'celsius']]


async def test_the_agent_shows_its_toolsets_and_the_first_has_its_functions() -> None:
    other = FunctionToolset[None]()
    agent = Agent(tools=[celsius], toolsets=[other])
    assert [*agent.toolsets[0].tools] == ['celsius']
    assert agent.toolsets[1] is other


@pytest.mark.parametrize('value', ['celsius', [celsius, 1], [FunctionToolset], {'a': FunctionToolset()}, 5])
def test_what_is_no_toolset_is_named(value: Any) -> None:
    with pytest.raises(UserError, match='toolsets'):
        Agent(toolsets=value)


# ------------------------------------------------------------------------------------------------------ changed copies


async def test_prefixed_renamed_and_filtered_tools_call_the_original_functions() -> None:
    toolset = FunctionToolset([celsius, fahrenheit]).prefixed('weather').renamed({'warm': 'weather_celsius'})
    toolset = CombinedToolset([toolset, FunctionToolset([fahrenheit])]).prefixed('all')
    toolset = toolset.filtered(lambda ctx, tool: tool.name != 'all_fahrenheit')
    model = Scripted(
        [ToolCallPart('all_warm', {'city': 'Oslo'}), ToolCallPart('all_weather_fahrenheit', {'city': 'Oslo'})], 'done'
    )
    result = await Agent(model, toolsets=[toolset]).run('hi')
    assert [tool.name for tool in model.requests[0].parameters.function_tools] == ['all_warm', 'all_weather_fahrenheit']
    assert results_of(result) == [('all_warm', 21.0), ('all_weather_fahrenheit', 69.8)]


async def test_a_filter_is_asked_before_each_request() -> None:
    async def only_first(ctx: RunContext[str], tool: ToolDefinition) -> bool:
        return ctx.deps == 'deps' and ctx.run_step == 1

    model = Scripted([ToolCallPart('celsius', {'city': 'Oslo'})], 'done')
    await Agent(model, deps_type=str, toolsets=[FunctionToolset[str]([celsius]).filtered(only_first)]).run(
        'hi', deps='deps'
    )
    assert [len(request.parameters.function_tools) for request in model.requests] == [1, 0]


async def test_definitions_can_be_prepared_together() -> None:
    def describe(ctx: RunContext[None], tools: list[ToolDefinition]) -> list[ToolDefinition]:
        return [replace(tools[0], description='changed')]

    model = TestModel(call_tools=[])
    await Agent(model, toolsets=[FunctionToolset([celsius, fahrenheit]).prepared(describe)]).run('hi')
    assert model.last_model_request_parameters is not None
    (tool,) = model.last_model_request_parameters.function_tools
    assert (tool.name, tool.description) == ('celsius', 'changed')
    assert await offer(FunctionToolset([celsius]).prepared(lambda ctx, tools: None)) == []


async def test_a_prepare_function_cannot_invent_a_tool() -> None:
    with pytest.raises(UserError, match="'invented', which does not exist"):
        await offer(FunctionToolset([celsius]).prepared(lambda ctx, tools: [ToolDefinition('invented')]))


async def test_two_tools_of_one_name_are_an_error_that_names_both_toolsets() -> None:
    with pytest.raises(UserError, match=r"FunctionToolset 'b' has a tool of the name 'celsius', and so has"):
        await offer(FunctionToolset([celsius], id='a'), FunctionToolset([celsius], id='b'))
    with pytest.raises(UserError, match="the name 'same' after renaming"):
        await offer(FunctionToolset([celsius, fahrenheit]).renamed({'same': 'celsius'}).renamed({'same': 'fahrenheit'}))


async def test_a_wrapper_sees_each_call_with_its_validated_arguments() -> None:
    calls: list[tuple[str, dict[str, Any], str | None]] = []

    class Logging(WrapperToolset[None]):
        async def call_tool(
            self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
        ) -> Any:
            calls.append((name, tool_args, ctx.tool_name))
            return await super().call_tool(name, tool_args, ctx, tool)

    def single(place: Place) -> str:
        return place.city

    toolset = Logging(FunctionToolset([celsius, single]))
    model = Scripted([ToolCallPart('x_celsius', '{"city": "Oslo"}'), ToolCallPart('x_single', {'city': 'Rome'})], 'ok')
    result = await Agent(model, toolsets=[toolset.prefixed('x')]).run('hi')
    assert results_of(result) == [('x_celsius', 21.0), ('x_single', 'Rome')]
    assert calls == [('celsius', {'city': 'Oslo'}, 'celsius'), ('single', {'place': Place(city='Rome')}, 'single')]


# -------------------------------------------------------------------------------------------------------- made by users


@dataclass
class Opened(AbstractToolset[Any]):
    """A toolset with a connection, which counts how often it is open."""

    name: str = 'ping'
    open: int = 0
    opened: int = 0

    async def __aenter__(self) -> Self:
        self.open += 1
        self.opened += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.open -= 1

    async def get_tools(self, ctx: RunContext[Any]) -> Mapping[str, ToolsetTool[Any]]:
        assert self.open
        definition = ToolDefinition(self.name)
        return {self.name: ToolsetTool(toolset=self, tool_def=definition, args_validator=Accept())}

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        assert self.open
        if ctx.retry == 0:
            raise ModelRetry('once more')
        return f'{name} {ctx.retry} {ctx.max_retries}'


class Accept:
    def validate_json(self, input: str, /) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize('fails', [False, True])
async def test_a_toolset_is_open_for_the_whole_run_and_closed_after_it(fails: bool) -> None:
    toolset = Opened()
    end = ValueError('broken') if fails else 'done'
    model = Scripted([ToolCallPart('p_ping', {})], [ToolCallPart('p_ping', {})], end)
    agent = Agent(model, toolsets=[CombinedToolset([toolset.prefixed('p')])], retries=2)
    if fails:
        with pytest.raises(ValueError, match='broken'):
            await agent.run('hi')
    else:
        assert results_of(await agent.run('hi'))[-1] == ('p_ping', 'ping 1 2')
    assert (toolset.open, toolset.opened) == (0, 1)


async def test_a_block_of_the_agent_keeps_its_toolsets_open() -> None:
    toolset = Opened()
    agent = Agent(Scripted('done'), toolsets=[toolset])
    async with agent:
        await asyncio.gather(*(agent.run('hi') for _ in range(3)))
        assert toolset.open == 1
    assert (toolset.open, toolset.opened) == (0, 4)


async def test_a_toolset_that_cannot_be_opened_closes_those_before_it() -> None:
    class Broken(Opened):
        async def __aenter__(self) -> Self:
            raise ConnectionError('down')

    first = Opened()
    with pytest.raises(ConnectionError, match='down'):
        await Agent(Scripted('done'), toolsets=[first, Broken('other')]).run('hi')
    assert (first.open, first.opened) == (0, 1)


async def test_a_function_makes_a_toolset_for_each_request_or_once() -> None:
    made: list[tuple[str, int]] = []
    toolsets = {1: Opened('one'), 2: Opened('two'), 3: None}
    agent = Agent(deps_type=str)

    @agent.toolset
    def each_step(ctx: RunContext[str]) -> AbstractToolset[str] | None:
        made.append((ctx.deps, ctx.run_step))
        return toolsets[ctx.run_step]

    @agent.toolset(per_run_step=False)
    async def once() -> AbstractToolset[str]:
        made.append(('once', 0))
        return FunctionToolset[str]([celsius], instructions='Ask for Oslo.')

    model = Scripted([ToolCallPart('celsius', {'city': 'a'})], [ToolCallPart('celsius', {'city': 'b'})], 'done')
    result = await agent.run('hi', model=model, deps='deps')
    offered = [[tool.name for tool in request.parameters.function_tools] for request in model.requests]
    assert offered == [['one', 'celsius'], ['two', 'celsius'], ['celsius']]
    assert made == [('deps', 1), ('once', 0), ('deps', 2), ('deps', 3)]
    assert [(each.open, each.opened) for each in (toolsets[1], toolsets[2]) if each] == [(0, 1), (0, 1)]
    assert result.all_messages()[0].instructions == 'Ask for Oslo.'


async def test_what_such_a_function_returns_must_be_a_toolset() -> None:
    with pytest.raises(UserError, match=r"function '.*' returned .*, not a toolset"):
        await offer(lambda: [celsius])


async def test_instructions_of_toolsets_follow_those_of_the_agent() -> None:
    toolset = FunctionToolset[str](instructions='First.')

    @toolset.instructions
    def second(ctx: RunContext[str]) -> str:
        return f'Second for {ctx.deps}.'

    agent = Agent(Scripted('done'), deps_type=str, instructions='Agent.', toolsets=[toolset.prefixed('x')])
    result = await agent.run('hi', deps='Ann')
    assert result.all_messages()[0].instructions == 'Agent.\n\nFirst.\n\nSecond for Ann.'


async def test_external_tools_are_offered_as_they_are_defined() -> None:
    definition = ToolDefinition('ask_user', {'type': 'object', 'properties': {'question': {'type': 'string'}}})
    model = TestModel(call_tools=[])
    await Agent(model, toolsets=[ExternalToolset([definition])]).run('hi')
    assert model.last_model_request_parameters is not None
    assert model.last_model_request_parameters.function_tools == [replace(definition, kind='external')]


# ------------------------------------------------------------------------------------------------------------- progress


async def test_tools_report_progress_as_events_from_tasks_threads_and_generators() -> None:
    agent = Agent[None, str](Scripted([ToolCallPart(name, {}, name) for name in ('task', 'thread', 'steps')], 'done'))

    @agent.tool
    async def task(ctx: RunContext[None]) -> str:
        ctx.emit('in a task')
        return 'task'

    @agent.tool
    def thread(ctx: RunContext[None]) -> str:
        ctx.emit({'in a': 'thread'})
        return 'thread'

    @agent.tool_plain
    async def steps() -> AsyncIterator[str]:
        yield 'one'
        yield 'two'
        yield 'result'

    async with agent.run_stream_events('hi') as events:
        progress = [event async for event in events if isinstance(event, ToolProgressEvent)]
    found = sorted((event.tool_call_id, str(event.value)) for event in progress)
    assert found == [('steps', 'one'), ('steps', 'two'), ('task', 'in a task'), ('thread', "{'in a': 'thread'}")]
    result = await agent.run('hi')
    assert results_of(result) == []  # the script is at its end
    again = Agent[None, str](Scripted([ToolCallPart('steps', {}, 's')], 'done'), tools=[steps])
    assert results_of(await again.run('hi')) == [('steps', 'result')]


async def test_a_generator_that_is_too_slow_is_closed() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    agent = Agent[None, str](Scripted([ToolCallPart('endless', {})], 'done'), tools=[Tool(endless, timeout=0.05)])
    assert 'did not finish within 0.05 s' in str(results_of(await agent.run('hi')))
    assert closed.is_set()
