"""The types of an agent's `deps` and output, as type checkers infer them from its arguments.

The type checkers are the test; running it checks that the code works.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_type

from pydantic import BaseModel
from typing_extensions import TypedDict

from pydantic_llm import (
    Agent,
    AgentRun,
    AgentRunResult,
    AgentStream,
    AgentStreamEvent,
    CallToolsNode,
    ModelRequestNode,
    ModelRetry,
    ModelSettings,
    NativeOutput,
    PromptedOutput,
    RunContext,
    RunUsage,
    StreamedRunResult,
    TextOutput,
    Tool,
    ToolDefinition,
    ToolOutput,
    UserPromptNode,
)
from pydantic_llm.agent import AgentRunEvents, AgentRunResultEvent, FinalResult, StreamedRunResultSync
from pydantic_llm.messages import ModelResponse
from pydantic_llm.models.test.model import TestModel


class City(BaseModel):
    name: str


class Colour(TypedDict):
    red: int


@dataclass
class Deps:
    key: str


def length(text: str) -> int:
    return len(text)


async def length_later(ctx: RunContext[Deps], text: str) -> int:
    return len(text)


def test_the_output_type_decides_the_output() -> None:
    assert_type(Agent(), Agent[None, str])
    assert_type(Agent('test'), Agent[None, str])
    assert_type(Agent('test', output_type=City), Agent[None, City])
    assert_type(Agent('test', output_type=Colour), Agent[None, Colour])
    assert_type(Agent('test', output_type=bool), Agent[None, bool])
    assert_type(Agent('test', output_type=list[City]), Agent[None, list[City]])
    assert_type(Agent('test', output_type=dict[str, int]), Agent[None, dict[str, int]])
    assert_type(Agent('test', result_type=City), Agent[None, City])


def test_markers_and_functions_decide_the_output() -> None:
    assert_type(Agent('test', output_type=ToolOutput(City, name='city')), Agent[None, City])
    assert_type(Agent('test', output_type=NativeOutput(City)), Agent[None, City])
    assert_type(Agent('test', output_type=PromptedOutput(City)), Agent[None, City])
    assert_type(Agent('test', output_type=length), Agent[None, int])
    assert_type(Agent('test', output_type=TextOutput(length)), Agent[None, int])
    # mypy does not infer the return type of an async function here; pyright does.
    later: Agent[None, int] = Agent('test', output_type=TextOutput(length_later))
    assert_type(later, Agent[None, int])


def test_several_types_are_a_union() -> None:
    agent: Agent[None, City | Colour] = Agent('test', output_type=[City, Colour])
    text_or_city: Agent[None, str | City] = Agent('test', output_type=[str, ToolOutput(City)])
    assert_type(agent.run_sync('?').output, City | Colour)
    assert_type(text_or_city.run_sync('?').output, str | City)


def test_the_deps_type_decides_the_deps() -> None:
    agent = Agent('test', deps_type=Deps)
    assert_type(agent, Agent[Deps, str])
    agent.run_sync('?', deps=Deps('key'))
    agent.run_sync('?', deps='key')  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue] -- not Deps
    assert_type(Agent('test', deps_type=Deps, output_type=City), Agent[Deps, City])


async def test_results_are_typed() -> None:
    agent = Agent('test', output_type=City)
    result = await agent.run('?')
    assert_type(result, AgentRunResult[City])
    assert_type(result.output, City)
    assert_type(result.data, City)
    assert_type(result.usage, RunUsage)
    assert_type(result.usage(), RunUsage)
    assert_type(result.response, ModelResponse)
    assert_type(agent.run_sync('?'), AgentRunResult[City])


async def test_a_run_can_have_another_output_type() -> None:
    agent = Agent('test')
    assert_type(await agent.run('?', output_type=City), AgentRunResult[City])
    assert_type(await agent.run('?', result_type=City), AgentRunResult[City])
    assert_type(agent.run_sync('?', output_type=ToolOutput(int)), AgentRunResult[int])
    async with agent.run_stream('?', output_type=City) as stream:
        assert_type(stream, StreamedRunResult[None, City])


async def test_streams_are_typed() -> None:
    agent = Agent('test', output_type=City, deps_type=Deps)
    async with agent.run_stream('?', deps=Deps('')) as stream:
        assert_type(stream, StreamedRunResult[Deps, City])
        async for output in stream.stream_output():
            assert_type(output, City)
        assert_type(await stream.get_output(), City)
    with agent.run_stream_sync('?', deps=Deps('')) as blocking:
        assert_type(blocking, StreamedRunResultSync[Deps, City])
        for output in blocking.stream_output():
            assert_type(output, City)
    events = agent.run_stream_events('?', deps=Deps(''))
    assert_type(events, AgentRunEvents[City])
    async for event in events:
        if isinstance(event, AgentRunResultEvent):
            assert_type(event.result.output, City)


def test_tools_keep_their_types_and_take_the_deps_of_their_agent() -> None:
    agent = Agent('test', deps_type=Deps)

    @agent.tool
    def with_context(ctx: RunContext[Deps], n: int) -> str:
        assert_type(ctx.deps, Deps)
        return ctx.deps.key * n

    @agent.tool(retries=3, sequential=True)
    async def with_options(ctx: RunContext[Deps], n: int) -> str:
        return ''

    @agent.tool_plain
    def plain(n: int) -> str:
        return ''

    @agent.tool_plain(name='other')
    def plain_with_options(n: int) -> str:
        return ''

    context = RunContext(deps=Deps('k'), model=TestModel())
    assert_type(with_context(context, 2), str)
    assert_type(plain(1), str)
    assert_type(plain_with_options(n=1), str)


def test_a_tool_for_other_deps_is_an_error() -> None:
    agent = Agent('test', deps_type=Deps)

    def for_text(ctx: RunContext[str], n: int) -> str:
        return ctx.deps

    agent.tool(for_text)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- takes other deps


def test_tools_are_given_as_functions_or_tools() -> None:
    def plain(n: int) -> str:
        return ''

    def with_context(ctx: RunContext[Deps], n: int) -> str:
        return ''

    def prepare(ctx: RunContext[Deps], definition: ToolDefinition) -> ToolDefinition | None:
        return definition

    tool: Tool[Deps] = Tool(with_context, prepare=prepare)
    agent = Agent('test', deps_type=Deps, tools=[plain, tool])
    assert_type(agent, Agent[Deps, str])


def test_validators_and_prompts_keep_their_types() -> None:
    agent = Agent('test', output_type=City, deps_type=Deps, instructions=['Be brief.', lambda: 'Please.'])

    @agent.output_validator
    async def check(ctx: RunContext[Deps], city: City) -> City:
        if not city.name:
            raise ModelRetry('Name it.')
        return city

    @agent.output_validator
    def plain(city: City) -> City:
        return city

    @agent.instructions
    def about(ctx: RunContext[Deps]) -> str:
        return ctx.deps.key

    context = RunContext(deps=Deps('k'), model=TestModel())

    @agent.system_prompt(dynamic=True)
    async def system() -> str:
        return ''

    assert_type(plain(City(name='')), City)
    assert_type(about(context), str)


def test_override_takes_what_the_agent_takes() -> None:
    agent = Agent('test', deps_type=Deps)
    with agent.override(deps=Deps('k'), model='test', tools=[length], instructions='Brief.'):
        assert agent.run_sync('?').output


async def test_steps_are_typed() -> None:
    agent = Agent('test', deps_type=Deps, output_type=int)
    async with agent.iter('?', deps=Deps('k')) as run:
        assert_type(run, AgentRun[Deps, int])
        assert_type(run.ctx, RunContext[Deps])
        assert_type(run.result, AgentRunResult[int] | None)
        async for node in run:
            if Agent.is_user_prompt_node(node):
                assert_type(node, UserPromptNode[Deps, int])
            elif Agent.is_model_request_node(node):
                assert_type(node, ModelRequestNode[Deps, int])
                async with node.stream(run.ctx) as stream:
                    assert_type(stream, AgentStream[Deps, int])
                    async for output in stream.stream_output():
                        assert_type(output, int)
            elif Agent.is_call_tools_node(node):
                assert_type(node, CallToolsNode[Deps, int])
                async with node.stream(run.ctx) as events:
                    async for event in events:
                        assert_type(event, AgentStreamEvent)
            else:
                assert_type(node.data, FinalResult[int])
    async with agent.iter('?', deps=Deps('k'), output_type=str) as other:
        assert_type(other, AgentRun[Deps, str])


def test_functions_of_the_context_are_typed() -> None:
    def choose(ctx: RunContext[Deps]) -> str:
        return ctx.deps.key

    async def settings(ctx: RunContext[Deps]) -> ModelSettings:
        return {'seed': ctx.run_step}

    assert_type(Agent(choose, deps_type=Deps, model_settings=settings), Agent[Deps, str])
    Agent(lambda ctx: 'test', model_settings=lambda ctx: {'seed': ctx.run_step})
    Agent('test').run_sync('?', model=lambda ctx: 'test', model_settings=lambda ctx: None)
