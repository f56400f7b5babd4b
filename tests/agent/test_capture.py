"""`capture_run_messages`: the messages of a run that raised, and continuing them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pydantic_llm import (
    ModelResponse,
    ModelRetry,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UsageLimits,
    capture_run_messages,
)
from pydantic_llm.agent import Agent
from pydantic_llm.messages import TextPart
from pydantic_llm.messages.history import repair
from tests.agent.scripted import Scripted, call, outline


def ping() -> str:
    return 'pong'


async def test_the_messages_of_a_run_are_captured_while_it_runs() -> None:
    lengths: list[int] = []
    agent = Agent(Scripted(call('look'), 'done'))
    with capture_run_messages() as messages:

        @agent.tool_plain
        def look() -> None:
            lengths.append(len(messages))

        result = await agent.run('?')
    assert lengths == [2]
    assert messages == result.all_messages()


async def test_only_the_first_run_of_the_block_is_captured() -> None:
    inner = Agent(Scripted('inner'))
    agent = Agent(Scripted(call('ask'), 'outer'))

    @agent.tool_plain
    async def ask() -> str:
        return (await inner.run('inner?')).output

    with capture_run_messages() as messages:
        await agent.run('outer?')
        await agent.run('again?')
    assert outline(messages)[0] == [('user', 'outer?')]
    assert len(messages) == 4


async def test_blocks_can_be_nested() -> None:
    agent = Agent(Scripted('x'))
    with capture_run_messages() as outer:
        with capture_run_messages() as inner:
            await agent.run('in')
        await agent.run('out')
    assert (outline(inner)[0], outline(outer)[0]) == ([('user', 'in')], [('user', 'out')])


async def test_runs_outside_the_block_are_not_captured() -> None:
    agent = Agent(Scripted('x'))
    with capture_run_messages() as messages:
        pass
    await agent.run('?')
    assert messages == []


async def test_a_failed_request_is_captured_with_the_messages_before_it() -> None:
    agent = Agent(Scripted(call('ping'), ZeroDivisionError()), tools=[ping])
    with capture_run_messages() as messages, pytest.raises(ZeroDivisionError):
        await agent.run('?')
    assert outline(messages) == [
        [('user', '?')],
        [('call', 'ping', None, 'call_ping')],
        [('return', 'ping', 'pong', 'call_ping', 'success')],
    ]
    result = await agent.run(message_history=messages, model=Scripted('goes on'))
    assert result.output == 'goes on'


async def test_results_of_tools_are_captured_when_a_limit_forbids_the_next_request() -> None:
    agent = Agent(Scripted(call('ping')), tools=[ping])
    with capture_run_messages() as messages, pytest.raises(UsageLimitExceeded):
        await agent.run('?', usage_limits=UsageLimits(request_limit=1))
    assert outline(messages)[2] == [('return', 'ping', 'pong', 'call_ping', 'success')]


async def test_results_of_tools_are_captured_when_an_instruction_raises() -> None:
    agent = Agent(Scripted(call('ping')), tools=[ping])

    @agent.instructions
    def breaks(ctx: Any) -> str:
        return str(1 / (2 - ctx.run_step))

    with capture_run_messages() as messages, pytest.raises(ZeroDivisionError):
        await agent.run('?')
    assert outline(messages)[2] == [('return', 'ping', 'pong', 'call_ping', 'success')]


async def test_tool_calls_over_a_limit_are_captured_as_interrupted() -> None:
    agent = Agent(Scripted(call('ping')), tools=[ping])
    with capture_run_messages() as messages, pytest.raises(UsageLimitExceeded):
        await agent.run('?', usage_limits=UsageLimits(tool_calls_limit=0))
    assert [result[3:] for result in outline(messages)[2]] == [('call_ping', 'interrupted')]


@pytest.mark.parametrize('limits', [UsageLimits(output_tokens_limit=1), UsageLimits(total_tokens_limit=1)])
async def test_a_response_over_a_limit_is_captured_with_results_for_its_tool_calls(limits: UsageLimits) -> None:
    agent = Agent(Scripted(call('ping')), tools=[ping])
    with capture_run_messages() as messages, pytest.raises(UsageLimitExceeded):
        await agent.run('?', usage_limits=limits)
    assert [result[3:] for result in outline(messages)[2]] == [('call_ping', 'interrupted')]


async def test_all_tool_results_are_captured_when_a_tool_failed_too_often() -> None:
    calls = [call('ping', id='a'), call('fail', id='b')]
    agent = Agent(Scripted(calls), tools=[ping], retries=0)

    @agent.tool_plain
    def fail() -> None:
        raise ModelRetry('Not on Sundays.')

    with capture_run_messages() as messages, pytest.raises(UnexpectedModelBehavior):
        await agent.run('?')
    assert [(result[0], result[-2 if result[0] == 'return' else -1]) for result in outline(messages)[2]] == [
        ('return', 'a'),
        ('retry', 'b'),
    ]


async def test_an_output_function_that_raises_leaves_no_open_tool_call() -> None:
    def finish(n: int) -> int:
        return n // 0

    calls = [call('ping', id='a'), call('final_result', {'n': 1}, 'b')]
    with capture_run_messages() as messages, pytest.raises(ZeroDivisionError):
        await Agent(Scripted(calls), tools=[ping], output_type=finish).run('?')
    assert [result[3:] for result in outline(messages)[2]] == [('a', 'interrupted'), ('b', 'interrupted')]


async def test_a_truncated_tool_call_does_not_stay_in_the_history() -> None:
    truncated = ModelResponse([call('ping', '{}', 'a'), call('ping', '{"te', 'b')], finish_reason='length')
    with capture_run_messages() as messages, pytest.raises(UnexpectedModelBehavior):
        await Agent(Scripted(truncated), tools=[ping]).run('?')
    assert [part[-1] for part in outline(messages)[1]] == ['a']
    assert [result[3:] for result in outline(messages)[2]] == [('a', 'interrupted')]


async def test_a_cancelled_request_leaves_a_history_that_can_continue() -> None:
    is_sent = asyncio.Event()

    class Hangs(Scripted):
        async def request(self, *args: Any) -> Any:
            is_sent.set()
            await asyncio.Event().wait()

    agent = Agent(Hangs('x'))
    with capture_run_messages() as messages:
        running = asyncio.create_task(agent.run('?'))
        await is_sent.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert outline(messages) == [[('user', '?')]]
    assert (await agent.run(message_history=messages, model=Scripted('fine'))).output == 'fine'


@pytest.mark.parametrize('streamed', [False, True])
async def test_a_run_cancelled_at_any_moment_leaves_a_history_that_can_continue(streamed: bool) -> None:
    calls = [call('quick', '{}', 'a'), call('slow', '{"n": 3}', 'b'), call('nothing', '{}', 'c')]
    agent = Agent(Scripted(calls, [TextPart('Let me see.'), call('slow', '{"n": 2}', 'd')], 'all done'), retries=2)

    @agent.tool_plain
    async def quick() -> str:
        return 'quick'

    @agent.tool_plain
    async def slow(n: int) -> str:
        for _ in range(n):
            await asyncio.sleep(0)
        return 'slow'

    async def execute(model: Scripted) -> str:
        if not streamed:
            return (await agent.run('?', model=model)).output
        async with agent.run_stream('?', model=model) as result:
            return [text async for text in result.stream_text(debounce_by=None)][-1]

    lengths: set[int] = set()
    for steps in range(400):
        with capture_run_messages() as messages:
            model = Scripted(*agent.model.responses)  # type: ignore[union-attr]
            running = asyncio.create_task(execute(model))
            for _ in range(steps):
                await asyncio.sleep(0)
            running.cancel()
            await asyncio.wait({running})
        lengths.add(len(messages))
        assert repair(messages)[0] == messages if messages else True
        assert all(stream.draft.state != 'incomplete' for stream in model.streams)
        if not running.cancelled():
            assert running.result() == 'all done'
            break
    assert running.done()
    assert not running.cancelled()
    assert {3, 5, 6} <= lengths
