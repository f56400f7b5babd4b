"""Agents: ways to run, instructions, limits, settings, retries and errors. The agents run a harbour."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from pydantic_llm import (
    Agent,
    AgentRetries,
    AgentRunResultEvent,
    CancellationToken,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelRetry,
    PartDeltaEvent,
    PartStartEvent,
    RunCancelled,
    RunContext,
    RunUsage,
    TextPartDelta,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UsageLimits,
    capture_run_messages,
)
from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse, TextPart
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.test import TestModel

from .script import call, kinds, play, told


@dataclass
class Harbour:
    berths: dict[str, int]
    name: str = 'Bergen'


def make_pilot(model: Any, **options: Any) -> Agent[Harbour, int]:
    pilot = Agent(model, deps_type=Harbour, output_type=int, instructions='Give the number of the berth.', **options)

    @pilot.tool
    async def find_berth(ctx: RunContext[Harbour], ship: str) -> int:
        """Find the berth of a ship."""
        return ctx.deps.berths[ship]

    return pilot


def last_number(messages: list[ModelMessage]) -> Any:
    return messages[-1].parts[0].content


def berth_of(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    if len(messages) == 1:
        return ModelResponse(parts=[call('find_berth', ship='Fram')])
    return ModelResponse(parts=[call('final_result', 'call_2', response=last_number(messages))])


PILOT = make_pilot(FunctionModel(berth_of))
DEPS = Harbour({'Fram': 7})


def test_an_agent_calls_its_tool_and_returns_a_typed_output() -> None:
    result = PILOT.run_sync('Where does the Fram lie?', deps=DEPS)
    assert result.output == 7
    assert result.usage.requests == 2
    assert result.usage.tool_calls == 1
    assert kinds(result.all_messages())[:3] == [['user-prompt'], ['tool-call'], ['tool-return']]


def test_an_agent_runs_in_a_coroutine() -> None:
    async def run() -> int:
        return (await PILOT.run('Where does the Fram lie?', deps=DEPS)).output

    assert asyncio.run(run()) == 7


def test_text_streams_as_it_is_written() -> None:
    agent = Agent(TestModel(custom_output_text='The tide is low until noon.'))

    async def run() -> tuple[list[str], str]:
        async with agent.run_stream('How is the tide?') as response:
            texts = [text async for text in response.stream_text(debounce_by=None)]
            return texts, await response.get_output()

    texts, output = asyncio.run(run())
    assert texts[-1] == output == 'The tide is low until noon.'
    assert len(texts) > 1
    assert all(longer.startswith(text) for text, longer in pairwise(texts))


def test_text_streams_as_deltas() -> None:
    agent = Agent(TestModel(custom_output_text='Low until noon.'))

    async def run() -> list[str]:
        async with agent.run_stream('How is the tide?') as response:
            return [text async for text in response.stream_text(delta=True, debounce_by=None)]

    assert ''.join(asyncio.run(run())) == 'Low until noon.'


def test_the_events_of_a_run_end_with_its_result() -> None:
    agent = Agent(TestModel(custom_output_text='Berth 7.'))

    @agent.tool_plain
    def find_berth(ship: str) -> int:
        return 7

    async def run() -> list[Any]:
        async with agent.run_stream_events('Where does the Fram lie?') as events:
            return [event async for event in events]

    events = asyncio.run(run())
    (called,) = [event for event in events if isinstance(event, FunctionToolCallEvent)]
    (returned,) = [event for event in events if isinstance(event, FunctionToolResultEvent)]
    assert called.part.tool_name == 'find_berth'
    assert any(isinstance(event, PartStartEvent) for event in events)
    deltas = [event.delta for event in events if isinstance(event, PartDeltaEvent)]
    assert any(isinstance(delta, TextPartDelta) for delta in deltas)
    assert events.index(called) < events.index(returned)
    assert isinstance(events[-1], AgentRunResultEvent)
    assert events[-1].result.output == 'Berth 7.'


def test_a_handler_gets_the_events_of_a_run() -> None:
    seen: list[str] = []

    async def handle(ctx: RunContext[Any], events: Any) -> None:
        seen.extend([event.event_kind async for event in events])

    agent = Agent(TestModel(custom_output_text='Yes.'))

    async def run() -> str:
        return (await agent.run('Is it open?', event_stream_handler=handle)).output

    assert asyncio.run(run()) == 'Yes.'
    assert seen[0] == 'part_start'


def test_tools_and_outputs_have_retries_of_their_own() -> None:
    tries: list[str] = []

    def make_agent(**retries: int) -> Agent[None, int]:
        agent = Agent(TestModel(call_tools=['moor']), output_type=int, retries=AgentRetries(**retries))  # type: ignore[typeddict-item]

        @agent.tool_plain
        def moor() -> str:
            tries.append('tool')
            if len(tries) < 3:
                raise ModelRetry('Not yet.')
            return 'Moored.'

        @agent.output_validator
        def check(berth: int) -> int:
            tries.append('output')
            raise ModelRetry('Not this berth.')

        return agent

    with pytest.raises(UnexpectedModelBehavior):
        make_agent(tools=2, output=0).run_sync('Moor.')
    assert tries == ['tool', 'tool', 'tool', 'output']
    tries.clear()
    with pytest.raises(UnexpectedModelBehavior):
        make_agent(output=3).run_sync('Moor.')
    assert tries == ['tool', 'tool']
    tries.clear()
    with pytest.raises(UnexpectedModelBehavior):
        make_agent(output=1).run_sync('Moor.', retries={'tools': 2})
    assert tries == ['tool', 'tool', 'tool', 'output', 'output']
    tries.clear()
    agent = make_agent(output=1)
    with pytest.raises(UnexpectedModelBehavior), agent.override(retries={'output': 0}):
        agent.run_sync('Moor.', retries=2)
    assert tries == ['tool', 'tool', 'tool', 'output']


def test_settings_are_overridden() -> None:
    def show(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[TextPart(str(info.model_settings))])

    agent = Agent(FunctionModel(show), model_settings={'temperature': 0.5})
    with agent.override(model_settings={'seed': 1}):
        assert agent.run_sync('?', model_settings={'top_p': 0.5}).output == "{'seed': 1}"


def test_instructions_are_enough_after_a_response() -> None:
    history = Agent(TestModel(custom_output_text='The Fram.')).run_sync('Which ship?').all_messages()
    agent = Agent(TestModel(custom_output_text='A ship.'), instructions='Summarize the conversation.')
    result = agent.run_sync(message_history=history)
    assert result.output == 'A ship.'
    (request, _) = result.new_messages()
    assert (request.parts, getattr(request, 'instructions', '')) == ([], 'Summarize the conversation.')


def test_a_run_begins_a_new_conversation_with_a_history() -> None:
    agent = Agent(TestModel())
    first = agent.run_sync('Who?')
    history = first.all_messages()
    assert agent.run_sync('And?', message_history=history).conversation_id == first.conversation_id
    new = agent.run_sync('And?', message_history=history, conversation_id='new').conversation_id
    assert new not in (first.conversation_id, 'new')


def test_a_handler_gets_the_events_before_a_streamed_output() -> None:
    seen: list[str] = []

    async def handle(ctx: RunContext[Any], events: Any) -> None:
        seen.extend([event.event_kind async for event in events])

    async def run() -> list[str]:
        pilot = make_pilot(TestModel(custom_output_args=7))
        async with pilot.run_stream('Where?', deps=Harbour({'a': 7}), event_stream_handler=handle) as result:
            before = [*seen]
            assert await result.get_output() == 7
        return before

    before = asyncio.run(run())
    assert before[0] == 'part_start'
    assert before.index('function_tool_call') < before.index('function_tool_result') < before.index('final_result')


def test_a_streamed_response_is_validated_by_the_caller() -> None:
    pilot = Agent(TestModel(custom_output_args={'berths': {'a': 7}, 'name': 'Os'}), output_type=Harbour)
    harbours: list[Harbour] = []

    async def run() -> None:
        async with pilot.run_stream('Which?') as result:
            async for response in result.stream_response(debounce_by=None):
                with suppress(ValidationError):
                    harbours.append(await result.validate_response_output(response, allow_partial=True))
            response = ModelResponse(parts=[call('final_result', berths='none')])
            with pytest.raises((ValidationError, UnexpectedModelBehavior)):
                await result.validate_response_output(response)

    asyncio.run(run())
    assert harbours[-1] == Harbour({'a': 7}, 'Os')


def test_a_text_streams_without_await() -> None:
    agent = Agent(TestModel(custom_output_text='Low until noon.'))
    response = agent.run_stream_sync('How is the tide?')
    with response:
        assert list(response.stream_text(debounce_by=None))[-1] == 'Low until noon.'


def test_instructions_are_texts_and_functions() -> None:
    agent = Agent(TestModel(), deps_type=Harbour, instructions='You run a harbour.')

    @agent.instructions
    def name_harbour(ctx: RunContext[Harbour]) -> str:
        return f'It is the harbour of {ctx.deps.name}.'

    @agent.instructions
    def name_day() -> str:
        return f'Today is {date(2026, 5, 17)}.'

    result = agent.run_sync('Hello.', deps=DEPS)
    request = result.all_messages()[0]
    assert isinstance(request, ModelRequest)
    text = request.instructions or ''
    assert text.startswith('You run a harbour.')
    assert 'It is the harbour of Bergen.' in text
    assert 'Today is 2026-05-17.' in text


def test_system_prompts_are_part_of_the_history() -> None:
    agent = Agent(TestModel(), deps_type=str, system_prompt='You run a harbour.')

    @agent.system_prompt
    def name_harbour(ctx: RunContext[str]) -> str:
        return f'It is the harbour of {ctx.deps}.'

    parts = agent.run_sync('Hello.', deps='Bergen').all_messages()[0].parts
    assert [part.content for part in parts] == [
        'You run a harbour.',
        'It is the harbour of Bergen.',
        'Hello.',
    ]


def test_a_dynamic_system_prompt_is_written_again() -> None:
    agent = Agent(TestModel(), deps_type=str)

    @agent.system_prompt(dynamic=True)
    def name_harbour(ctx: RunContext[str]) -> str:
        return f'The harbour of {ctx.deps}.'

    first = agent.run_sync('Hello.', deps='Bergen')
    second = agent.run_sync('And here?', deps='Stavanger', message_history=first.all_messages())
    assert second.all_messages()[0].parts[0].content == 'The harbour of Stavanger.'


def test_a_limit_of_requests_ends_a_run_without_end() -> None:
    agent = Agent(play(*[call('wait', f'call_{number}') for number in range(9)]))

    @agent.tool_plain
    def wait() -> str:
        """Wait for the tide."""
        return 'not yet'

    with pytest.raises(UsageLimitExceeded, match='request_limit'):
        agent.run_sync('When can we leave?', usage_limits=UsageLimits(request_limit=3))


def test_a_limit_of_tool_calls_ends_a_run() -> None:
    agent = Agent(play([call('wait', 'a'), call('wait', 'b')]))

    @agent.tool_plain
    def wait() -> str:
        return 'not yet'

    with pytest.raises(UsageLimitExceeded, match='tool_calls_limit'):
        agent.run_sync('When can we leave?', usage_limits=UsageLimits(tool_calls_limit=1))


def test_a_limit_of_tokens_ends_a_run() -> None:
    agent = Agent(TestModel(custom_output_text='a very long answer ' * 10))
    with pytest.raises(UsageLimitExceeded, match='output_tokens_limit'):
        agent.run_sync('Tell me all.', usage_limits=UsageLimits(output_tokens_limit=3))


def test_runs_share_a_usage() -> None:
    usage = RunUsage()
    agent = Agent(TestModel())
    agent.run_sync('One.', usage=usage)
    agent.run_sync('Two.', usage=usage)
    assert usage.requests == 2


def test_settings_of_a_run_win_over_those_of_the_agent_and_the_model() -> None:
    seen: list[Any] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append(info.model_settings)
        return ModelResponse(parts=[TextPart('ok')])

    model = FunctionModel(respond, settings={'temperature': 0.9, 'max_tokens': 100})
    agent = Agent(model, model_settings={'temperature': 0.5})
    agent.run_sync('Hello.', model_settings={'seed': 7})
    assert seen == [{'temperature': 0.5, 'max_tokens': 100, 'seed': 7}]


def test_settings_can_be_a_function_of_the_run() -> None:
    seen: list[Any] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append((info.model_settings or {}).get('temperature'))
        return ModelResponse(parts=[TextPart('ok')])

    def choose(ctx: RunContext[float]) -> Any:
        return {'temperature': ctx.deps}

    agent = Agent(FunctionModel(respond), deps_type=float, model_settings=choose)
    agent.run_sync('Hello.', deps=0.25)
    assert seen == [0.25]


def test_a_tool_asks_the_model_to_try_again() -> None:
    agent = Agent(play(call('find_berth', 'a', ship='Fran'), call('find_berth', 'b', ship='Fram'), 'Berth 7.'))

    @agent.tool_plain
    def find_berth(ship: str) -> int:
        if ship != 'Fram':
            raise ModelRetry(f'There is no ship {ship!r}; did you mean Fram?')
        return 7

    result = agent.run_sync('Where does the Fran lie?')
    assert result.output == 'Berth 7.'
    retry = result.all_messages()[2].parts[0]
    assert "There is no ship 'Fran'; did you mean Fram?" in told(retry)


def test_a_context_knows_how_often_a_tool_was_retried() -> None:
    seen: list[int] = []
    agent = Agent(play(call('knock', 'a'), call('knock', 'b'), call('knock', 'c'), 'Open.'))

    @agent.tool(retries=3)
    def knock(ctx: RunContext[None]) -> str:
        seen.append(ctx.retry)
        if ctx.retry < 2:
            raise ModelRetry('Knock again.')
        return 'open'

    assert agent.run_sync('Knock.').output == 'Open.'
    assert seen == [0, 1, 2]


def test_a_tool_that_never_works_ends_the_run() -> None:
    agent = Agent(play(*[call('knock', str(number)) for number in range(5)]))

    @agent.tool_plain
    def knock() -> str:
        raise ModelRetry('Knock again.')

    with capture_run_messages() as messages, pytest.raises(UnexpectedModelBehavior, match='knock') as raised:
        agent.run_sync('Knock.')
    assert isinstance(raised.value.__cause__, ModelRetry)
    assert kinds(messages)[:2] == [['user-prompt'], ['tool-call']]


def test_a_test_replaces_the_model_and_the_deps() -> None:
    with PILOT.override(model=TestModel(custom_output_args=3, call_tools=[]), deps=Harbour({'a': 1})):
        assert PILOT.run_sync('Where does the Fram lie?', deps=DEPS).output == 3


def test_an_agent_has_a_name() -> None:
    assert Agent(TestModel(), name='pilot').name == 'pilot'


def test_an_agent_calls_another_agent_with_the_same_usage() -> None:
    meteorologist = Agent(TestModel(custom_output_text='Wind from the west.'))
    captain = Agent(TestModel(), output_type=str)

    @captain.tool
    async def ask_about_wind(ctx: RunContext[None]) -> str:
        return (await meteorologist.run('How is the wind?', usage=ctx.usage)).output

    result = captain.run_sync('Shall we sail?')
    assert result.usage.requests == 3
    assert 'Wind from the west.' in result.output


def test_a_run_is_a_graph_of_nodes() -> None:
    agent = Agent(play(call('look'), 'A boat.'))

    @agent.tool_plain
    def look() -> str:
        return 'boat'

    async def run() -> tuple[list[str], Any]:
        async with agent.iter('What is out there?') as agent_run:
            names = [type(node).__name__ async for node in agent_run]
        return names, agent_run.result

    names, result = asyncio.run(run())
    assert names == [
        'UserPromptNode',
        'ModelRequestNode',
        'CallToolsNode',
        'ModelRequestNode',
        'CallToolsNode',
        'End',
    ]
    assert result.output == 'A boat.'


def test_nodes_are_told_apart_and_stream() -> None:
    agent = Agent(TestModel(custom_output_text='A boat.'))

    async def run() -> list[Any]:
        events: list[Any] = []
        async with agent.iter('What is out there?') as agent_run:
            async for node in agent_run:
                if Agent.is_model_request_node(node):
                    async with node.stream(agent_run.ctx) as stream:
                        events += [event async for event in stream]
        return events

    deltas = [event.delta for event in asyncio.run(run()) if isinstance(event, PartDeltaEvent)]
    assert ''.join(delta.content_delta for delta in deltas if isinstance(delta, TextPartDelta)).endswith('boat.')


def test_a_run_is_driven_by_hand() -> None:
    agent = Agent(TestModel(custom_output_text='A boat.'))

    async def run() -> Any:
        async with agent.iter('What is out there?') as agent_run:
            node = agent_run.next_node
            while not Agent.is_end_node(node):
                node = await agent_run.next(node)
            return agent_run.result

    assert asyncio.run(run()).output == 'A boat.'


def test_a_token_cancels_a_run() -> None:
    token = CancellationToken()
    agent = Agent(play(call('wait')))

    @agent.tool_plain
    async def wait() -> str:
        token.cancel()
        await asyncio.sleep(30)
        return 'never'

    with pytest.raises(RunCancelled):
        asyncio.run(agent.run('Wait.', cancellation_token=token))


def test_a_tool_cancels_its_run() -> None:
    agent = Agent(play(call('stop'), 'Never.'))

    @agent.tool
    async def stop(ctx: RunContext[None]) -> str:
        ctx.cancel()
        await asyncio.sleep(30)
        return 'never'

    with pytest.raises(RunCancelled):
        asyncio.run(agent.run('Stop.'))


def test_a_limit_of_input_tokens_is_checked() -> None:
    agent = Agent(play(call('look', 'a'), call('look', 'b'), 'Done.'))

    @agent.tool_plain
    def look() -> str:
        return 'x ' * 100

    with pytest.raises(UsageLimitExceeded, match='input_tokens_limit'):
        agent.run_sync('Look.', usage_limits=UsageLimits(input_tokens_limit=120))


def test_messages_are_added_from_outside_of_a_run() -> None:
    agent = Agent(play(call('look'), lambda messages: str(len(messages))))

    @agent.tool_plain
    def look() -> str:
        return 'a boat'

    async def run() -> Any:
        async with agent.iter('What is out there?') as agent_run:
            async for node in agent_run:
                if Agent.is_user_prompt_node(node):
                    agent_run.enqueue('Look again.')
        return agent_run.result

    assert 'Look again.' in str(asyncio.run(run()).all_messages())
