"""Toolsets: collections of tools that are filtered, renamed, combined, and made for one run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic_llm import (
    AbstractToolset,
    Agent,
    ApprovalRequired,
    CombinedToolset,
    DeferredToolRequests,
    DeferredToolResults,
    ExternalToolset,
    FilteredToolset,
    FunctionToolset,
    PrefixedToolset,
    RenamedToolset,
    RunContext,
    ToolDefinition,
    ToolsetTool,
    WrapperToolset,
)
from pydantic_llm.models.test import TestModel

from .script import call, play


def celsius(harbour: str) -> float:
    """The temperature of the water, in degrees Celsius."""
    return 8.5


def fahrenheit(harbour: str) -> float:
    """The temperature of the water, in degrees Fahrenheit."""
    return 47.3


def tide() -> str:
    """The state of the tide."""
    return 'low'


def offer(*toolsets: AbstractToolset[Any], deps: Any = None, **options: Any) -> list[str]:
    """Return the names of the tools that a model gets."""
    model = TestModel(call_tools=[])
    Agent(model, deps_type=object, toolsets=[*toolsets], **options).run_sync('How is the water?', deps=deps)
    assert model.last_model_request_parameters is not None
    return [tool.name for tool in model.last_model_request_parameters.function_tools]


WATER: FunctionToolset[Any] = FunctionToolset(tools=[celsius, fahrenheit])


def test_a_toolset_has_functions_and_more_can_be_added() -> None:
    toolset: FunctionToolset[Any] = FunctionToolset([celsius])
    toolset.add_function(tide, name='tide_now')

    @toolset.tool
    def ask(ctx: RunContext[Any], question: str) -> str:
        return question

    @toolset.tool_plain(name='bell')
    def ring() -> str:
        return 'ding'

    assert offer(toolset) == ['celsius', 'tide_now', 'ask', 'bell']


def test_toolsets_of_a_run_are_added_and_an_override_replaces() -> None:
    model = TestModel(call_tools=[])
    agent = Agent(model, toolsets=[WATER])

    def names() -> list[str]:
        assert model.last_model_request_parameters is not None
        return [tool.name for tool in model.last_model_request_parameters.function_tools]

    agent.run_sync('Hello.', toolsets=[FunctionToolset([tide])])
    assert sorted(names()) == ['celsius', 'fahrenheit', 'tide']
    with agent.override(toolsets=[FunctionToolset([tide])]):
        agent.run_sync('Hello.')
    assert names() == ['tide']


def test_toolsets_are_combined_and_prefixed() -> None:
    both: CombinedToolset[Any] = CombinedToolset([WATER.prefixed('sea'), FunctionToolset([tide])])
    assert offer(both) == ['sea_celsius', 'sea_fahrenheit', 'tide']
    assert offer(PrefixedToolset(WATER, prefix='x')) == ['x_celsius', 'x_fahrenheit']


def test_a_prefixed_tool_is_called_by_its_function() -> None:
    agent = Agent(play(call('sea_celsius', harbour='Oslo'), 'Cold.'), toolsets=[WATER.prefixed('sea')])
    result = agent.run_sync('How cold is it?')
    assert result.all_messages()[2].parts[0].content == 8.5


def test_a_toolset_is_filtered_by_the_context() -> None:
    def is_metric(ctx: RunContext[str], tool_def: ToolDefinition) -> bool:
        return ctx.deps != 'Oslo' or tool_def.name != 'fahrenheit'

    assert offer(WATER.filtered(is_metric), deps='Oslo') == ['celsius']
    assert offer(FilteredToolset(WATER, is_metric), deps='Boston') == ['celsius', 'fahrenheit']


def test_a_toolset_is_renamed() -> None:
    renamed = WATER.renamed({'metric': 'celsius'})
    assert offer(renamed) == ['metric', 'fahrenheit']
    assert offer(RenamedToolset(WATER, {'imperial': 'fahrenheit'})) == ['celsius', 'imperial']
    agent = Agent(TestModel(call_tools=['metric']), toolsets=[renamed])
    assert agent.run_sync('Cold?').output == '{"metric":8.5}'


def test_a_toolset_is_prepared_before_each_request() -> None:
    async def describe(ctx: RunContext[Any], tool_defs: list[ToolDefinition]) -> list[ToolDefinition]:
        for tool_def in tool_defs:
            tool_def.description = f'{ctx.deps}: {tool_def.description}'
        return tool_defs[:1]

    assert offer(WATER.prepared(describe), deps='Oslo') == ['celsius']


def test_the_calls_of_a_toolset_must_be_approved() -> None:
    def is_expensive(ctx: RunContext[Any], tool_def: ToolDefinition, tool_args: dict[str, Any]) -> bool:
        return tool_def.name == 'fahrenheit'

    agent = Agent(
        play([call('celsius', 'a', harbour='x'), call('fahrenheit', 'b', harbour='x')], 'Cold.'),
        toolsets=[WATER.approval_required(is_expensive)],
        output_type=[str, DeferredToolRequests],
    )
    result = agent.run_sync('How cold is it?')
    assert isinstance(result.output, DeferredToolRequests)
    assert [each.tool_call_id for each in result.output.approvals] == ['b']
    done = agent.run_sync(
        message_history=result.all_messages(), deferred_tool_results=DeferredToolResults(approvals={'b': True})
    )
    assert done.output == 'Cold.'


def test_a_wrapper_sees_each_call() -> None:
    seen: list[str] = []

    class Logged(WrapperToolset[Any]):
        async def call_tool(
            self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
        ) -> Any:
            seen.append(name)
            return await super().call_tool(name, tool_args, ctx, tool)

    agent = Agent(TestModel(), toolsets=[Logged(WATER)])
    agent.run_sync('How cold is it?')
    assert seen == ['celsius', 'fahrenheit']


def test_a_function_makes_the_toolset_of_a_run() -> None:
    model = TestModel(call_tools=[])
    agent = Agent(model, deps_type=bool)

    @agent.toolset
    def choose(ctx: RunContext[bool]) -> AbstractToolset[Any]:
        return WATER if ctx.deps else FunctionToolset([tide])

    agent.run_sync('Hello.', deps=False)
    assert model.last_model_request_parameters is not None
    assert [tool.name for tool in model.last_model_request_parameters.function_tools] == ['tide']


def test_a_toolset_has_instructions() -> None:
    toolset: FunctionToolset[Any] = FunctionToolset([celsius], instructions='Name the unit.')
    agent = Agent(TestModel(call_tools=[]), toolsets=[toolset], instructions='Be brief.')
    request = agent.run_sync('Hello.').all_messages()[0]
    assert 'Name the unit.' in (request.instructions or '')


def test_external_tools_end_the_run_with_their_calls() -> None:
    tools = [ToolDefinition(name='open_gate', parameters_json_schema={'type': 'object', 'properties': {}})]
    agent = Agent(play(call('open_gate'), 'It is open.'), output_type=[str, DeferredToolRequests])
    result = agent.run_sync('Open the gate.', toolsets=[ExternalToolset(tools)])
    assert isinstance(result.output, DeferredToolRequests)
    assert [each.tool_name for each in result.output.calls] == ['open_gate']
    done = agent.run_sync(
        message_history=result.all_messages(),
        deferred_tool_results=DeferredToolResults(calls={'call_1': 'opened'}),
        toolsets=[ExternalToolset(tools)],
    )
    assert done.output == 'It is open.'


def test_a_toolset_is_entered_for_a_block() -> None:
    entered: list[str] = []

    class Connection(WrapperToolset[Any]):
        async def __aenter__(self) -> Any:
            entered.append('in')
            return self

        async def __aexit__(self, *error: Any) -> None:
            entered.append('out')

    agent = Agent(TestModel(), toolsets=[Connection(WATER)])

    async def run() -> None:
        async with agent:
            await agent.run('Hello.')

    asyncio.run(run())
    assert entered[0] == 'in'
    assert entered[-1] == 'out'
    assert entered.count('in') == entered.count('out')


def test_metadata_is_added_to_the_tools_of_a_toolset() -> None:
    seen: list[Any] = []

    def keep(ctx: RunContext[Any], tool_def: ToolDefinition) -> bool:
        seen.append(tool_def.metadata)
        return True

    offer(FunctionToolset([tide], metadata={'a': 1}).with_metadata(b=2).filtered(keep))
    assert seen[0] == {'a': 1, 'b': 2}


def test_a_toolset_has_options_for_all_its_functions() -> None:
    toolset: FunctionToolset[Any] = FunctionToolset([tide], requires_approval=True)
    agent = Agent(play(call('tide')), toolsets=[toolset], output_type=[str, DeferredToolRequests])
    assert isinstance(agent.run_sync('How is the tide?').output, DeferredToolRequests)


def test_a_toolset_of_your_own() -> None:
    class Signals(AbstractToolset[Any]):
        def __init__(self, flags: Sequence[str]) -> None:
            self.inner: FunctionToolset[Any] = FunctionToolset()
            for flag in flags:
                self.inner.add_function(lambda: 'hoisted', name=f'hoist_{flag}')

        @property
        def id(self) -> str | None:
            return 'signals'

        async def get_tools(self, ctx: RunContext[Any]) -> dict[str, ToolsetTool[Any]]:
            return {**await self.inner.get_tools(ctx)}

        async def call_tool(
            self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
        ) -> Any:
            if name == 'hoist_black' and not ctx.tool_call_approved:
                raise ApprovalRequired
            return await self.inner.call_tool(name, tool_args, ctx, tool)

    assert offer(Signals(['red', 'blue'])) == ['hoist_red', 'hoist_blue']
    agent = Agent(play([call('hoist_red'), call('hoist_black', 'b')]), toolsets=[Signals(['red', 'black'])])
    result = agent.run_sync('Hoist.', output_type=[str, DeferredToolRequests])
    assert isinstance(result.output, DeferredToolRequests)
    assert [each.tool_call_id for each in result.output.approvals] == ['b']
