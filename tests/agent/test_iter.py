"""Runs whose steps the caller executes: the nodes, their streams, cancelling, and messages between two steps."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel

from pydantic_llm import (
    Agent,
    AgentRun,
    CallToolsNode,
    CancellationToken,
    End,
    EnqueuedMessagesEvent,
    FinalResultEvent,
    FunctionToolResultEvent,
    ModelRequest,
    ModelRequestNode,
    ModelResponse,
    PartDeltaEvent,
    RunCancelled,
    RunContext,
    SystemPromptPart,
    TextPart,
    UserError,
    UserPromptNode,
    UserPromptPart,
    capture_run_messages,
)
from pydantic_llm.messages import ModelMessage, ThinkingPart
from pydantic_llm.tools.deferred import DeferredToolRequests
from tests.agent.scripted import Scripted, call, outline


class City(BaseModel):
    name: str
    people: int = 0


def rainy_agent(*responses: Any, **options: Any) -> Agent[None, Any]:
    agent: Agent[None, Any] = Agent(Scripted(*responses), **options)

    @agent.tool_plain
    def rain(city: str) -> str:
        """Report the rain."""
        return f'{city} is dry'

    return agent


def names_of(nodes: Sequence[object]) -> list[str]:
    return [type(node).__name__ for node in nodes]


async def finish(run: AgentRun[None, Any]) -> None:
    """Execute the steps that are left."""
    async for _ in run:
        pass


async def read_all(node: Any) -> None:
    """Stream a step and read its events."""
    async with node.stream() as events:
        async for _ in events:
            pass


STEPS = ['UserPromptNode', 'ModelRequestNode', 'CallToolsNode', 'ModelRequestNode', 'CallToolsNode', 'End']


# ------------------------------------------------------------------------------------------------------------- nodes


async def test_a_run_yields_each_step_before_it_is_executed() -> None:
    agent = rainy_agent(call('rain', {'city': 'Oslo'}), 'Take no coat.')
    model = agent.model
    assert isinstance(model, Scripted)
    requests: list[int] = []
    async with agent.iter('Coat?') as run:
        nodes = []
        async for node in run:
            nodes.append(node)
            requests.append(len(model.requests))
    assert names_of(nodes) == STEPS
    assert requests == [0, 0, 1, 1, 2, 2]
    assert run.result is not None
    assert run.result.output == 'Take no coat.'
    assert run.usage.requests == 2


async def test_a_run_in_steps_has_the_messages_of_a_run_at_once() -> None:
    agent = rainy_agent(call('rain', {'city': 'Oslo'}), 'Take no coat.', system_prompt='Be brief.')
    async with agent.iter('Coat?') as run:
        await finish(run)
    again = rainy_agent(call('rain', {'city': 'Oslo'}), 'Take no coat.', system_prompt='Be brief.')
    assert outline(run.all_messages()) == outline((await again.run('Coat?')).all_messages())


async def test_next_executes_the_given_node_and_returns_the_following_one() -> None:
    agent = rainy_agent(call('rain', {'city': 'Oslo'}), 'Take no coat.')
    async with agent.iter('Coat?') as run:
        node = run.next_node
        nodes = [node]
        while not isinstance(node, End):
            node = await run.next(node)
            nodes.append(node)
            assert run.next_node is node
    assert names_of(nodes) == STEPS
    assert node.data.output == 'Take no coat.'


async def test_a_step_that_the_caller_executed_is_not_executed_again_by_the_loop() -> None:
    agent = rainy_agent('Yes.')
    async with agent.iter('Coat?') as run:
        async for node in run:
            if Agent.is_model_request_node(node):
                await run.next(node)
    assert run.usage.requests == 1


async def test_a_changed_request_is_the_one_that_is_sent() -> None:
    agent = rainy_agent('Yes.')
    async with agent.iter('Coat?') as run:
        async for node in run:
            if Agent.is_model_request_node(node):
                node.request = ModelRequest([UserPromptPart('Umbrella?')])
    assert outline(run.all_messages()) == [[('user', 'Umbrella?')], [('text', 'Yes.')]]


async def test_a_node_of_the_caller_replaces_the_next_step() -> None:
    agent = rainy_agent('No.')
    async with agent.iter('Coat?') as run:
        node = await run.next(ModelRequestNode(ModelRequest([UserPromptPart('Umbrella?')])))
        assert isinstance(node, CallToolsNode)
        changed = CallToolsNode[None, Any](ModelResponse([TextPart('Yes!')]))
        assert isinstance(await run.next(changed), End)
    assert outline(run.all_messages()) == [[('user', 'Umbrella?')], [('text', 'Yes!')]]


async def test_a_request_that_failed_can_be_sent_again_and_is_recorded_once() -> None:
    agent = rainy_agent(RuntimeError('no connection'), 'Yes.')
    async with agent.iter('Coat?') as run:
        node = await run.next(run.next_node)
        with pytest.raises(RuntimeError, match='no connection'):
            await run.next(node)
        await run.next(node)
    assert outline(run.all_messages()) == [[('user', 'Coat?')], [('text', 'Yes.')]]


async def test_an_end_has_no_step() -> None:
    async with rainy_agent('Yes.').iter('Coat?') as run:
        async for _ in run:
            pass
        with pytest.raises(UserError, match='The run has ended'):
            await run.next(run.next_node)


async def test_what_is_no_node_is_refused() -> None:
    async with rainy_agent('Yes.').iter('Coat?') as run:
        with pytest.raises(UserError, match='node'):
            await run.next(7)  # type: ignore[arg-type]


async def test_a_paused_turn_of_the_history_is_continued_by_the_first_step() -> None:
    agent = rainy_agent('It is dry.')
    paused = ModelResponse([TextPart('Let me look.')], state='suspended')
    history: list[ModelMessage] = [ModelRequest([UserPromptPart('Coat?')]), paused]
    async with agent.iter(message_history=history) as run:
        node = run.next_node
        assert isinstance(node, UserPromptNode)
        async with node.stream(run.ctx) as events:
            seen = [type(event) async for event in events]
        nodes = [node async for node in run]
    assert PartDeltaEvent in seen
    assert names_of(nodes) == ['UserPromptNode', 'CallToolsNode', 'End']
    assert outline(run.all_messages())[1] == [('text', 'Let me look.'), ('text', 'It is dry.')]


async def test_a_turn_that_pauses_inside_a_run_is_one_step() -> None:
    paused = ModelResponse([TextPart('Let me look.')], state='suspended')
    async with rainy_agent(paused, 'It is dry.').iter('Coat?') as run:
        nodes = [node async for node in run]
    assert names_of(nodes) == ['UserPromptNode', 'ModelRequestNode', 'CallToolsNode', 'End']
    assert run.usage.requests == 2


async def test_a_node_of_another_run_is_refused() -> None:
    agent = rainy_agent('Yes.')
    async with agent.iter('Coat?') as first, agent.iter('Coat?') as second:
        with pytest.raises(UserError, match='a step of another run'):
            await second.next(first.next_node)


async def test_a_node_without_a_run_cannot_be_streamed() -> None:
    node = ModelRequestNode[None, str](ModelRequest([UserPromptPart('Coat?')]))
    with pytest.raises(UserError, match='is no step of a run yet'):
        async with node.stream():
            pass  # pragma: no cover


async def test_leaving_a_run_between_two_steps_leaves_a_history_to_continue() -> None:
    agent = rainy_agent(call('rain', {'city': 'Oslo'}), 'Take no coat.')
    async with agent.iter('Coat?') as run:
        async for node in run:
            if isinstance(node, CallToolsNode):
                break
    assert [(part[1], part[-1]) for part in outline(run.all_messages())[-1]] == [('rain', 'interrupted')]
    assert run.result is None


async def test_a_history_with_open_tool_calls_begins_with_them() -> None:
    agent = rainy_agent('Dry.')
    history: list[ModelMessage] = [
        ModelRequest([UserPromptPart('Coat?')]),
        ModelResponse([call('rain', {'city': 'Oslo'})]),
    ]
    async with agent.iter(message_history=history) as run:
        nodes = [node async for node in run]
    assert names_of(nodes) == ['UserPromptNode', 'CallToolsNode', 'ModelRequestNode', 'CallToolsNode', 'End']


async def test_the_messages_of_an_iterated_run_are_captured() -> None:
    agent = rainy_agent(call('rain', {'city': 'Oslo'}), RuntimeError('no connection'))
    with capture_run_messages() as messages:
        async with agent.iter('Coat?') as run:
            with pytest.raises(RuntimeError):
                await finish(run)
    assert [part[0] for message in outline(messages) for part in message] == ['user', 'call', 'return']


# ----------------------------------------------------------------------------------------------------------- streams


async def test_each_step_is_streamed() -> None:
    agent = rainy_agent(call('rain', {'city': 'Oslo'}), [ThinkingPart('Hm.'), TextPart('Take no coat.')])
    seen: list[str] = []
    async with agent.iter('Coat?') as run:
        async for node in run:
            if not isinstance(node, End):
                async with node.stream(run.ctx) as events:
                    seen += [f'{type(node).__name__}: {type(event).__name__}' async for event in events]
    assert seen[:1] == ['ModelRequestNode: PartStartEvent']
    assert [each for each in seen if each.startswith('CallTools')] == [
        'CallToolsNode: FunctionToolCallEvent',
        'CallToolsNode: FunctionToolResultEvent',
    ]
    assert 'ModelRequestNode: FinalResultEvent' in seen
    assert run.usage.requests == 2
    assert run.result is not None
    assert run.result.output == 'Take no coat.'


async def test_a_step_that_is_not_read_to_its_end_is_still_executed() -> None:
    agent = rainy_agent('a b c d e f')
    async with agent.iter('Coat?') as run:
        async for node in run:
            if isinstance(node, ModelRequestNode):
                async with node.stream(run.ctx) as events:
                    async for _ in events:
                        break
    assert run.result is not None
    assert run.result.output == 'a b c d e f'


async def test_text_and_outputs_are_read_from_the_stream_of_a_step_after_its_first_events() -> None:
    agent = rainy_agent(call('final_result', {'name': 'Oslo', 'people': 7}), output_type=City)
    outputs: list[Any] = []
    async with agent.iter('A city') as run:
        async for node in run:
            if Agent.is_model_request_node(node):
                async with node.stream(run.ctx) as stream:
                    async for event in stream:
                        if isinstance(event, FinalResultEvent):
                            break
                    outputs += [output async for output in stream.stream_output(debounce_by=None)]
                    assert stream.usage.requests == 1
    assert outputs[-1] == City(name='Oslo', people=7)
    assert run.result is not None
    assert run.result.output == City(name='Oslo', people=7)
    texts: list[str] = []
    async with rainy_agent('a b c').iter('Coat?') as run:
        async for node in run:
            if Agent.is_model_request_node(node):
                async with node.stream(run.ctx) as stream:
                    texts += [text async for text in stream.stream_text(delta=True, debounce_by=None)]
    assert texts == ['a', ' b', ' c']


async def test_an_error_in_a_streamed_step_reaches_its_reader() -> None:
    agent = rainy_agent(ModelResponse([TextPart('a b')], metadata={'breaks': RuntimeError('cut off')}))
    async with agent.iter('Coat?') as run:
        node = await run.next(run.next_node)
        assert isinstance(node, ModelRequestNode)
        with pytest.raises(RuntimeError, match='cut off'):
            await read_all(node)
    assert outline(run.all_messages()) == [[('user', 'Coat?')], [('text', 'a b')]]


async def test_a_cancelled_response_ends_its_step_with_the_response_so_far() -> None:
    agent = rainy_agent(' '.join(['word'] * 500))
    async with agent.iter('Coat?') as run:
        async for node in run:
            if isinstance(node, ModelRequestNode):
                async with node.stream(run.ctx) as stream:
                    async for _ in stream:
                        await stream.cancel()
                        break
                assert stream.cancelled
            if isinstance(node, CallToolsNode):
                assert node.model_response.state == 'interrupted'
    assert run.usage.requests == 1
    assert run.result is not None
    assert run.result.output.startswith('word')


async def test_a_response_that_broke_is_replaced_when_its_request_is_sent_again() -> None:
    broken = ModelResponse([TextPart('a b')], metadata={'breaks': RuntimeError('cut off')})
    async with rainy_agent(broken, 'a b c').iter('Coat?') as run:
        node = await run.next(run.next_node)
        with pytest.raises(RuntimeError, match='cut off'):
            await read_all(node)
        await read_all(node)
        await finish(run)
    assert outline(run.all_messages()) == [[('user', 'Coat?')], [('text', 'a b c')]]


async def test_the_step_of_a_node_has_events_once() -> None:
    async with rainy_agent('Yes.').iter('Coat?') as run:
        node = await run.next(run.next_node)
        assert isinstance(node, ModelRequestNode)
        await run.next(node)
        with pytest.raises(UserError, match='was executed already'):
            async with node.stream(run.ctx):
                pass  # pragma: no cover


# -------------------------------------------------------------------------------------------------------- cancelling


EventT = TypeVar('EventT', asyncio.Event, threading.Event)


def slow_agent(started: EventT) -> tuple[Agent[None, str], EventT]:
    """Return an agent that calls a quick and an endless tool, and the event that the latter sets."""
    agent = Agent(Scripted([call('quick'), call('slow')], 'Done.'))

    @agent.tool_plain
    async def quick() -> str:
        return 'quick result'

    @agent.tool_plain
    async def slow() -> str:
        started.set()
        await asyncio.Event().wait()
        return 'never'

    return agent, started


def assert_can_continue(error: RunCancelled) -> None:
    parts = outline(error.all_messages())[-1]
    assert [(part[1], part[-1]) for part in parts] == [('quick', 'success'), ('slow', 'interrupted')]
    assert error.usage is not None
    assert error.usage.requests == 1


async def test_a_token_cancels_a_run_and_the_error_has_a_history_to_continue() -> None:
    agent, started = slow_agent(asyncio.Event())
    token = CancellationToken()
    run = asyncio.create_task(agent.run('Go', cancellation_token=token))
    await started.wait()
    token.cancel()
    with pytest.raises(RunCancelled) as caught:
        await run
    assert_can_continue(caught.value)
    assert not run.cancelled()
    assert (await agent.run(message_history=caught.value.all_messages())).output == 'Done.'
    assert pickle.loads(pickle.dumps(caught.value)).all_messages() == caught.value.all_messages()


async def test_a_cancelled_token_stops_a_run_before_its_first_request() -> None:
    agent = rainy_agent('Yes.')
    token = CancellationToken()
    token.cancel()
    with pytest.raises(RunCancelled):
        await agent.run('Coat?', cancellation_token=token)
    assert isinstance(agent.model, Scripted)
    assert agent.model.requests == []


async def test_a_tool_cancels_its_run_and_the_run_does_not_go_on() -> None:
    agent = Agent(Scripted(call('stop'), 'Done.'))

    @agent.tool
    async def stop(ctx: RunContext) -> str:
        ctx.cancel()
        return 'stopped'

    with pytest.raises(RunCancelled):
        await agent.run('Go')
    assert isinstance(agent.model, Scripted)
    assert len(agent.model.requests) == 1


async def test_another_thread_cancels_a_run_that_blocks() -> None:
    agent, started = slow_agent(threading.Event())
    token = CancellationToken()
    blocked = asyncio.create_task(asyncio.to_thread(agent.run_sync, 'Go', cancellation_token=token))
    assert await asyncio.to_thread(started.wait, 5)
    token.cancel()
    with pytest.raises(RunCancelled) as caught:
        await blocked
    assert_can_continue(caught.value)


async def test_the_block_of_an_iterated_run_raises_after_cancel() -> None:
    agent, started = slow_agent(asyncio.Event())

    async def stop(run: AgentRun[None, str]) -> None:
        await started.wait()
        run.cancel()

    async def iterate() -> None:
        async with agent.iter('Go') as run, asyncio.TaskGroup() as tasks:
            tasks.create_task(stop(run))
            await finish(run)

    with pytest.raises(RunCancelled) as caught:
        await iterate()
    assert_can_continue(caught.value)


async def test_cancelling_the_events_of_a_run_raises_when_the_next_one_is_read() -> None:
    agent, _ = slow_agent(asyncio.Event())
    events = agent.run_stream_events('Go')

    async def read() -> None:
        async for event in events:
            if isinstance(event, FunctionToolResultEvent):
                events.cancel()

    with pytest.raises(RunCancelled) as caught:
        await read()
    assert_can_continue(caught.value)
    assert events.result is None


async def test_a_cancelled_task_keeps_its_error_which_has_the_messages() -> None:
    agent, started = slow_agent(asyncio.Event())
    run = asyncio.create_task(agent.run('Go'))
    await started.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await run
    found = RunCancelled.from_cancellation(caught.value)
    assert found is not None
    assert_can_continue(found)
    assert RunCancelled.from_cancellation(ValueError()) is None


async def test_a_timeout_around_a_run_stays_a_timeout() -> None:
    agent, _ = slow_agent(asyncio.Event())
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.02):
            await agent.run('Go')
    assert RunCancelled.from_cancellation(caught.value) is not None


async def test_cancelling_a_run_that_has_ended_has_no_effect() -> None:
    token = CancellationToken()
    result = await rainy_agent('Yes.').run('Coat?', cancellation_token=token)
    token.cancel()
    await asyncio.sleep(0)
    assert result.output == 'Yes.'


async def test_a_run_whose_cancellation_was_caught_by_a_tool_is_cancelled_all_the_same() -> None:
    agent = Agent(Scripted(call('stubborn'), 'Done.'))

    @agent.tool
    async def stubborn(ctx: RunContext) -> str:
        ctx.cancel()
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            return 'ignored'
        return 'slept'  # pragma: no cover

    with pytest.raises(RunCancelled):
        await agent.run('Go')
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_cancelled_run_inside_a_tool_is_a_failed_call_of_the_outer_run() -> None:
    inner, started = slow_agent(asyncio.Event())
    outer = Agent(Scripted(call('ask'), 'Done.'))
    token = CancellationToken()

    @outer.tool_plain
    async def ask() -> str:
        return (await inner.run('Go', cancellation_token=token)).output

    run = asyncio.create_task(outer.run('Go'))
    await started.wait()
    token.cancel()
    result = await run
    assert result.output == 'Done.'
    assert outline(result.all_messages())[2] == [
        ('return', 'ask', 'The run that the tool started was cancelled.', 'call_ask', 'failed')
    ]


async def test_one_token_cancels_a_run_and_the_run_inside_its_tool() -> None:
    inner, started = slow_agent(asyncio.Event())
    outer = Agent(Scripted(call('ask'), 'Done.'))
    token = CancellationToken()

    @outer.tool_plain
    async def ask() -> str:
        return (await inner.run('Go', cancellation_token=token)).output

    run = asyncio.create_task(outer.run('Go', cancellation_token=token))
    await started.wait()
    token.cancel()
    with pytest.raises(RunCancelled) as caught:
        await run
    assert caught.value.usage is not None
    assert caught.value.usage.requests == 1


async def test_many_runs_are_cancelled_at_once_and_nothing_is_left() -> None:
    agent = Agent(Scripted(call('wait')))

    @agent.tool_plain
    async def wait() -> None:
        await asyncio.Event().wait()

    token = CancellationToken()
    runs = [asyncio.create_task(agent.run('Go', cancellation_token=token)) for _ in range(100)]
    await asyncio.sleep(0.01)
    token.cancel()
    errors = await asyncio.gather(*runs, return_exceptions=True)
    assert {type(error) for error in errors} == {RunCancelled}
    assert asyncio.all_tasks() == {asyncio.current_task()}


# ---------------------------------------------------------------------------------------- messages between two steps


async def test_a_tool_adds_a_message_to_the_next_request() -> None:
    agent = Agent(Scripted(call('alarm'), 'Run!'))

    @agent.tool
    def alarm(ctx: RunContext) -> str:
        assert ctx.enqueue('It burns.', SystemPromptPart('Be fast.')) is not None
        assert ctx.enqueue() is None
        return 'on'

    result = await agent.run('Go')
    assert outline(result.all_messages()) == [
        [('user', 'Go')],
        [('call', 'alarm', None, 'call_alarm')],
        [('return', 'alarm', 'on', 'call_alarm', 'success'), ('user', 'It burns.'), ('system', 'Be fast.')],
        [('text', 'Run!')],
    ]


async def test_a_message_that_arrives_at_the_end_gets_one_more_response() -> None:
    agent = rainy_agent('First.', 'Second.')
    async with agent.iter('Go') as run:
        async for node in run:
            if isinstance(node, CallToolsNode) and run.usage.requests == 1:
                run.enqueue('And now?')
    assert outline(run.all_messages()) == [
        [('user', 'Go')],
        [('text', 'First.')],
        [('user', 'And now?')],
        [('text', 'Second.')],
    ]


async def test_a_message_for_an_idle_run_waits_until_it_would_end() -> None:
    agent = rainy_agent(call('rain', {'city': 'Oslo'}), 'First.', 'Second.')
    async with agent.iter('Go') as run:
        run.enqueue('And then?', priority='when_idle')
        async for _ in run:
            pass
    assert [message[0] for message in outline(run.all_messages())[-3:]] == [
        ('text', 'First.'),
        ('user', 'And then?'),
        ('text', 'Second.'),
    ]


async def test_a_message_after_an_output_tool_follows_its_result_in_one_request() -> None:
    output = call('final_result', {'name': 'Oslo'})
    agent = rainy_agent(output, output, output_type=City)
    async with agent.iter('A city') as run:
        run.enqueue('Another one', priority='when_idle')
        async for _ in run:
            pass
    assert [part[0] for part in outline(run.all_messages())[2]] == ['return', 'user']
    assert run.result is not None
    assert run.result.output == City(name='Oslo')


async def test_whole_messages_are_added_as_a_turn_of_the_conversation() -> None:
    agent = rainy_agent('Yes.')
    async with agent.iter('Coat?') as run:
        run.enqueue(ModelResponse([TextPart('Where?')]), ModelRequest([UserPromptPart('Oslo')]), 'please')
        with pytest.raises(UserError, match='The last item of enqueue'):
            run.enqueue(ModelResponse([TextPart('Where?')]))
        async for _ in run:
            pass
    assert outline(run.all_messages()) == [
        [('user', 'Coat?')],
        [('text', 'Where?')],
        [('user', 'Oslo'), ('user', 'please')],
        [('text', 'Yes.')],
    ]
    with pytest.raises(UserError, match='The run has ended'):
        run.enqueue('More')


async def test_the_events_tell_when_a_message_was_added() -> None:
    agent = Agent(Scripted(call('alarm'), 'Run!'))
    ids: list[str | None] = []

    @agent.tool
    def alarm(ctx: RunContext) -> str:
        ids.append(ctx.enqueue('It burns.'))
        return 'on'

    events = [event async for event in agent.run_stream_events('Go')]
    added = [event for event in events if isinstance(event, EnqueuedMessagesEvent)]
    assert [event.enqueue_id for event in added] == ids
    position = events.index(added[0])
    assert isinstance(events[position - 1], FunctionToolResultEvent)


async def test_a_run_that_leaves_tool_calls_open_keeps_the_queue() -> None:
    agent = Agent(Scripted(call('pay'), 'Paid.'), output_type=[str, DeferredToolRequests])

    @agent.tool_plain(requires_approval=True)
    def pay() -> str:
        return 'paid'  # pragma: no cover

    async with agent.iter('Pay') as run:
        run.enqueue('And then?', priority='when_idle')
        async for _ in run:
            pass
    assert run.result is not None
    assert isinstance(run.result.output, DeferredToolRequests)


@pytest.mark.parametrize('bad', [b'bytes', 7, {'role': 'user'}])
async def test_content_that_is_no_message_is_refused(bad: Any) -> None:
    async with rainy_agent('Yes.').iter('Coat?') as run:
        with pytest.raises(UserError, match='enqueue'):
            run.enqueue(bad)
