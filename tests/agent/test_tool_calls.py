"""Tool calls of a run: arguments, results, failures and concurrency."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from pydantic_llm import (
    BinaryContent,
    ModelRetry,
    RunContext,
    Tool,
    ToolDefinition,
    ToolReturn,
    UnexpectedModelBehavior,
    UserError,
    capture_run_messages,
)
from pydantic_llm.agent import Agent
from pydantic_llm.agent.prepare_step import MAX_UNUSABLE_RESPONSES
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart, ToolReturnPart, UserPromptPart
from tests.agent.scripted import Scripted, call, outline

PIXEL = BinaryContent(b'\x89PNG', media_type='image/png')


async def results_of(agent: Agent[Any, Any], **options: Any) -> list[tuple[Any, ...]]:
    """Return the results of the tool calls of the first response."""
    return outline((await agent.run('?', **options)).all_messages())[2]


async def test_arguments_are_validated_before_the_tool_runs() -> None:
    ran: list[int] = []
    agent = Agent(Scripted(call('note', '{"n": "seven"}'), call('note', '{"n": "7"}', 'second'), 'done'))

    @agent.tool_plain
    def note(n: Annotated[int, Field(gt=5)]) -> str:
        ran.append(n)
        return 'noted'

    result = await agent.run('?')
    assert outline(result.all_messages()) == [
        [('user', '?')],
        [('call', 'note', '{"n": "seven"}', 'call_note')],
        [
            (
                'retry',
                'note',
                [(('n',), 'Input should be a valid integer, unable to parse string as an integer')],
                'call_note',
            )
        ],
        [('call', 'note', '{"n": "7"}', 'second')],
        [('return', 'note', 'noted', 'second', 'success')],
        [('text', 'done')],
    ]
    assert (ran, result.usage.tool_calls) == ([7], 1)


@pytest.mark.parametrize('args', [None, '', '{}', {}])
async def test_missing_arguments_are_accepted_in_any_form(args: Any) -> None:
    agent = Agent(Scripted(call('ping', args), 'done'), tools=[ping])
    assert await results_of(agent) == [('return', 'ping', 'pong', 'call_ping', 'success')]


def ping() -> str:
    return 'pong'


async def test_arguments_that_are_not_json_get_a_retry_prompt() -> None:
    [(kind, name, [(_, message)], _)] = await results_of(Agent(Scripted(call('ping', '{"a": '), 'done'), tools=[ping]))
    assert (kind, name) == ('retry', 'ping')
    assert message.startswith('Invalid JSON')


async def test_a_model_retry_is_sent_to_the_model() -> None:
    agent = Agent(Scripted(call('fail'), 'done'), retries=1)

    @agent.tool_plain
    def fail() -> None:
        raise ModelRetry('Not on Sundays.')

    assert await results_of(agent) == [('retry', 'fail', 'Not on Sundays.', 'call_fail')]


async def test_an_unknown_tool_gets_a_retry_prompt_with_the_known_names() -> None:
    agent = Agent(Scripted(call('pong'), 'done'), tools=[ping], output_type=[str, int])
    assert await results_of(agent) == [
        ('retry', 'pong', "There is no tool 'pong'. The tools are: 'ping', 'final_result'.", 'call_pong')
    ]
    assert await results_of(Agent(Scripted(call('pong'), 'done'))) == [
        ('retry', 'pong', "There is no tool 'pong'. There are no tools.", 'call_pong')
    ]


# -------------------------------------------------------------------------------------------------------- retries


async def test_a_tool_that_fails_too_often_ends_the_run_with_its_name() -> None:
    model = Scripted(call('fail'))
    agent = Agent(model, retries=2)

    @agent.tool_plain
    def fail() -> None:
        raise ModelRetry('Not on Sundays.')

    with pytest.raises(UnexpectedModelBehavior) as raised:
        await agent.run('?')
    assert str(raised.value) == "Tool 'fail' exceeded max_retries=2; what was wrong the last time: Not on Sundays."
    assert raised.value.__cause__ == ModelRetry('Not on Sundays.')
    assert len(model.requests) == 3


@pytest.mark.parametrize('wrong', [call('pong'), call('ping', '{"a": ')])
async def test_calls_that_nothing_can_execute_do_not_end_the_run(wrong: Any) -> None:
    model = Scripted(wrong, wrong, wrong, call('ping'), 'done')
    assert (await Agent(model, tools=[ping], retries=0).run('?')).output == 'done'


@pytest.mark.parametrize('wrong', [call('pong'), call('ping', '{"a": ')])
async def test_a_model_that_makes_only_such_calls_is_asked_for_the_final_answer_without_tools(wrong: Any) -> None:
    def respond(messages: Any, parameters: Any) -> Any:
        return 'I cannot.' if len(model.requests) > 1 + MAX_UNUSABLE_RESPONSES else wrong

    model = Scripted(respond)
    assert (await Agent(model, tools=[ping], retries=0).run('?')).output == 'I cannot.'
    choices = [(request.settings or {}).get('tool_choice') for request in model.requests]
    assert choices == [None] * (1 + MAX_UNUSABLE_RESPONSES) + ['none']


async def test_a_model_that_then_calls_tools_all_the_same_ends_the_run() -> None:
    with pytest.raises(UnexpectedModelBehavior, match="Tool 'pong' exceeded max_retries=1"):
        await Agent(Scripted(call('pong')), tools=[ping]).run('?')


async def test_the_tools_are_listed_once() -> None:
    model = Scripted(call('pong'), call('gong'), 'done')
    result = await Agent(model, tools=[ping]).run('?')
    retries = [part[2] for message in outline(result.all_messages()) for part in message if part[0] == 'retry']
    assert retries == ["There is no tool 'pong'. The tools are: 'ping'.", "There is no tool 'gong'."]


async def test_the_tools_retries_win_over_the_agents() -> None:
    model = Scripted(call('fail'))
    agent = Agent(model, retries=5)

    @agent.tool_plain(retries=0)
    def fail() -> None:
        raise ModelRetry('No.')

    with pytest.raises(UnexpectedModelBehavior, match="'fail' exceeded max_retries=0"):
        await agent.run('?')
    assert len(model.requests) == 1


async def test_several_failing_calls_of_a_tool_in_one_response_count_once() -> None:
    both = [call('pick', {'n': 1}, 'a'), call('pick', {'n': 2}, 'b')]
    agent = Agent(Scripted(both, [call('pick', {'n': 3}, 'c')], 'done'), retries=1)

    @agent.tool_plain
    def pick(n: int) -> int:
        if n < 3:
            raise ModelRetry('Higher.')
        return n

    assert (await agent.run('?')).output == 'done'


async def test_a_success_in_the_same_response_does_not_hide_a_failure() -> None:
    agent = Agent(Scripted([call('pick', {'n': 1}, 'a'), call('pick', {'n': 3}, 'b')]), retries=0)

    @agent.tool_plain
    async def pick(n: int) -> int:
        if n < 3:
            raise ModelRetry('Higher.')
        return n

    with pytest.raises(UnexpectedModelBehavior, match="'pick' exceeded max_retries=0"):
        await agent.run('?')


async def test_a_success_resets_the_count() -> None:
    agent = Agent(Scripted(*[call('pick', {'n': n}) for n in (0, 1, 0, 1, 0, 1)], 'done'), retries=1)

    @agent.tool_plain
    def pick(n: int) -> int:
        if not n:
            raise ModelRetry('Higher.')
        return n

    assert (await agent.run('?')).output == 'done'


async def test_calls_of_another_tool_do_not_reset_the_count() -> None:
    agent = Agent(Scripted(call('fail'), call('ping'), call('fail')), tools=[ping], retries=1)

    @agent.tool_plain
    def fail() -> None:
        raise ModelRetry('No.')

    with pytest.raises(UnexpectedModelBehavior, match="'fail' exceeded max_retries=1"):
        await agent.run('?')


async def test_failures_are_counted_per_tool() -> None:
    retries: list[tuple[str | None, int]] = []
    agent = Agent(Scripted([call('a'), call('b')], [call('a')], 'done'), retries=1)

    def fail_once(ctx: RunContext) -> None:
        retries.append((ctx.tool_name, ctx.retry))
        if ctx.retry == 0:
            raise ModelRetry('No.')

    agent.tool(name='a')(fail_once)
    agent.tool(name='b')(fail_once)
    await agent.run('?')
    assert sorted(retries) == [('a', 0), ('a', 1), ('b', 0)]


# -------------------------------------------------------------------------------------------- concurrency


async def test_tools_run_concurrently_and_their_results_keep_the_order_of_the_calls() -> None:
    agent = Agent(Scripted([call('meet', {'n': n}, f'c{n}') for n in (1, 2, 3)], 'done'))
    all_started = asyncio.Barrier(3)
    done: list[int] = []

    @agent.tool_plain
    async def meet(n: int) -> int:
        await all_started.wait()
        for _ in range(3 - n):
            await asyncio.sleep(0)
        done.append(n)
        return n

    assert await results_of(agent) == [('return', 'meet', n, f'c{n}', 'success') for n in (1, 2, 3)]
    assert done == [3, 2, 1]


async def test_blocking_tools_run_concurrently_in_threads() -> None:
    agent = Agent(Scripted([call('meet', {'n': n}, f'c{n}') for n in range(40)], 'done'))
    all_started = threading.Barrier(40, timeout=10)

    @agent.tool_plain
    def meet(n: int) -> bool:
        all_started.wait()
        return threading.current_thread() is threading.main_thread()

    assert await results_of(agent) == [('return', 'meet', False, f'c{n}', 'success') for n in range(40)]


async def test_a_sequential_tool_runs_alone_in_the_order_of_the_calls() -> None:
    agent = Agent(Scripted([call('free', {'n': 1}, 'a'), call('alone', id='b'), call('free', {'n': 2}, 'c')], 'done'))
    happened: list[str] = []

    @agent.tool_plain
    async def free(n: int) -> None:
        happened.append(f'free {n} begins')
        await asyncio.sleep(0)
        happened.append(f'free {n} ends')

    @agent.tool_plain(sequential=True)
    async def alone() -> None:
        happened.append('alone begins')
        await asyncio.sleep(0)
        happened.append('alone ends')

    await agent.run('?')
    assert happened == ['free 1 begins', 'free 1 ends', 'alone begins', 'alone ends', 'free 2 begins', 'free 2 ends']


async def test_when_one_tool_raises_the_results_of_the_others_are_kept() -> None:
    agent = Agent(Scripted([call('slow', id='a'), call('broken', id='b'), call('wrong', id='c')]))
    broke = asyncio.Event()

    @agent.tool_plain
    async def slow() -> str:
        await broke.wait()
        return 'paid'

    @agent.tool_plain
    async def broken() -> None:
        broke.set()
        raise KeyError('secret')

    @agent.tool_plain
    async def wrong() -> None:
        raise ModelRetry('Not so.')

    with capture_run_messages() as messages, pytest.raises(KeyError, match='secret'):
        await agent.run('?')
    assert outline(messages)[2] == [
        ('return', 'slow', 'paid', 'a', 'success'),
        ('return', 'broken', 'The tool failed and gave no result.', 'b', 'failed'),
        ('retry', 'wrong', 'Not so.', 'c'),
    ]
    continued = await agent.run('Go on.', message_history=messages, model=Scripted('fine'))
    assert continued.output == 'fine'


async def test_the_error_of_the_first_call_is_raised_with_notes_for_the_others() -> None:
    agent = Agent(Scripted([call('late', id='a'), call('early', id='b')]))
    early_raised = asyncio.Event()

    @agent.tool_plain
    async def late() -> None:
        await early_raised.wait()
        raise KeyError('late')

    @agent.tool_plain
    async def early() -> None:
        early_raised.set()
        raise KeyError('early')

    with pytest.raises(KeyError, match='late') as raised:
        await agent.run('?')
    assert raised.value.__notes__ == ["Another tool of the same response failed as well: KeyError('early')"]


async def test_after_an_error_no_further_tool_starts() -> None:
    ran: list[str] = []
    agent = Agent(Scripted([call('broken'), call('alone')]))

    @agent.tool_plain
    def broken() -> None:
        raise KeyError('no')

    @agent.tool_plain(sequential=True)
    def alone() -> None:
        ran.append('alone')

    with capture_run_messages() as messages, pytest.raises(KeyError):
        await agent.run('?')
    assert ran == []
    assert [result[1:2] + result[4:] for result in outline(messages)[2]] == [
        ('broken', 'failed'),
        ('alone', 'interrupted'),
    ]


async def test_cancelling_a_run_cancels_its_tools_and_keeps_finished_results() -> None:
    agent = Agent(Scripted([call('quick', id='a'), call('hangs', id='b')]))
    hanging, cancelled = asyncio.Event(), asyncio.Event()

    @agent.tool_plain
    async def quick() -> str:
        return 'done'

    @agent.tool_plain
    async def hangs() -> None:
        hanging.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with capture_run_messages() as messages:
        running = asyncio.create_task(agent.run('?'))
        await hanging.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert cancelled.is_set()
    assert [result[1:2] + result[3:] for result in outline(messages)[2]] == [
        ('quick', 'a', 'success'),
        ('hangs', 'b', 'interrupted'),
    ]
    assert (await agent.run('Go on.', message_history=messages, model=Scripted('fine'))).output == 'fine'


async def test_a_tool_that_is_cancelled_from_the_inside_is_an_error_and_not_a_cancellation() -> None:
    agent = Agent(Scripted(call('odd')))

    @agent.tool_plain
    async def odd() -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="Tool 'odd' was cancelled from the inside"):
        await agent.run('?')


async def test_a_cancelled_run_does_not_wait_for_a_blocking_tool() -> None:
    agent = Agent(Scripted(call('hangs')))
    began, release = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    @agent.tool_plain
    def hangs() -> None:
        loop.call_soon_threadsafe(began.set)
        release.wait(10)

    running = asyncio.create_task(agent.run('?'))
    await began.wait()
    start = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - start < 5
    release.set()


async def test_a_blocking_tool_that_raises_stop_iteration_does_not_hang_the_run() -> None:
    agent = Agent(Scripted(call('ends')))

    @agent.tool_plain
    def ends() -> None:
        next(iter(()))

    with pytest.raises(RuntimeError, match='StopIteration'):
        await asyncio.wait_for(agent.run('?'), 5)


async def test_a_tool_timeout_is_sent_to_the_model() -> None:
    agent = Agent(Scripted(call('hangs'), 'done'))

    @agent.tool_plain(timeout=0.01)
    async def hangs() -> None:
        await asyncio.Event().wait()

    assert await results_of(agent) == [('retry', 'hangs', 'The tool did not finish within 0.01 s.', 'call_hangs')]


async def test_a_timeout_error_raised_by_a_tool_is_raised() -> None:
    agent = Agent(Scripted(call('late'), 'done'))

    @agent.tool_plain(timeout=10)
    async def late() -> None:
        raise TimeoutError('mine')

    with pytest.raises(TimeoutError, match='mine'):
        await agent.run('?')


# -------------------------------------------------------------------------------------------------------- results


class City(BaseModel):
    name: str


async def test_results_of_all_types_are_kept_and_can_be_written_as_json() -> None:
    values = [None, 'text', 7, [1, {'a': 2}], City(name='Paris'), PIXEL, ['Look:', PIXEL]]
    agent = Agent(Scripted([call('give', {'n': n}, f'c{n}') for n in range(len(values))], 'done'))
    agent.tool_plain(name='give')(lambda n: values[n])
    result = await agent.run('?')
    parts = result.all_messages()[2].parts
    assert [part.content for part in parts if isinstance(part, ToolReturnPart)] == values
    assert b'"Paris"' in result.all_messages_json()


async def test_the_result_of_a_generator_is_a_list() -> None:
    agent = Agent(Scripted(call('count'), 'done'))

    @agent.tool_plain
    def count() -> Iterator[int]:
        yield from (1, 2)

    assert await results_of(agent) == [('return', 'count', [1, 2], 'call_count', 'success')]


async def test_a_tool_return_adds_content_and_metadata() -> None:
    model = Scripted([call('shoot', id='a'), call('ping', id='b')], 'done')
    agent = Agent(model, tools=[ping])

    @agent.tool_plain
    def shoot() -> ToolReturn:
        return ToolReturn('Taken.', content=['The screen:', PIXEL], metadata={'at': 1})

    await agent.run('?')
    [shot, pong, more] = model.requests[1].messages[2].parts
    assert isinstance(shot, ToolReturnPart)
    assert (shot.content, shot.metadata) == ('Taken.', {'at': 1})
    assert isinstance(pong, ToolReturnPart)
    assert isinstance(more, UserPromptPart)
    assert more.content == ['The screen:', PIXEL]


@pytest.mark.parametrize('value', [object(), {'a': threading.Lock()}, b'\xff', (loop := [], loop.append(loop))[0]])
async def test_a_result_that_cannot_be_json_is_an_error_before_anything_is_sent(value: Any) -> None:
    model = Scripted(call('give'), 'done')
    agent = Agent(model)
    agent.tool_plain(name='give')(lambda: value)
    with pytest.raises(UserError, match=r"^Tool 'give' returned a '\w+' that cannot be written as JSON; return text"):
        await agent.run('?')
    assert len(model.requests) == 1


# ------------------------------------------------------------------------------------------------------- offering


async def test_prepare_changes_the_definition_before_each_request() -> None:
    model = Scripted(call('renamed'), 'done')
    agent = Agent(model, deps_type=bool)

    async def only_at_first(ctx: RunContext[bool], definition: ToolDefinition) -> ToolDefinition | None:
        return replace(definition, name='renamed', description='Changed.') if ctx.run_step == 1 else None

    @agent.tool(prepare=only_at_first)
    def original(ctx: RunContext[bool]) -> str | None:
        """Original."""
        return ctx.tool_name

    assert await results_of(agent, deps=True) == [('return', 'renamed', 'renamed', 'call_renamed', 'success')]
    offered = [
        [(tool.name, tool.description) for tool in request.parameters.function_tools] for request in model.requests
    ]
    assert offered == [[('renamed', 'Changed.')], []]


async def test_prepare_can_make_a_tool_sequential() -> None:
    running: set[int] = set()
    agent = Agent(Scripted([call('alone', {'n': n}, f'c{n}') for n in range(3)], 'done'))

    def alone_only(ctx: RunContext, definition: ToolDefinition) -> ToolDefinition:
        return replace(definition, sequential=True)

    @agent.tool_plain(prepare=alone_only)
    async def alone(n: int) -> int:
        running.add(n)
        await asyncio.sleep(0)
        count = len(running)
        running.remove(n)
        return count

    assert [result[2] for result in await results_of(agent)] == [1, 1, 1]


async def test_prepare_cannot_give_two_tools_the_same_name() -> None:
    def same(ctx: RunContext, definition: ToolDefinition) -> ToolDefinition:
        return replace(definition, name='same')

    agent = Agent(Scripted('x'), tools=[Tool(ping, prepare=same), Tool(ping, name='other', prepare=same)])
    with pytest.raises(UserError, match="Two tools have the name 'same'"):
        await agent.run('?')


def test_two_tools_with_the_same_name_are_an_error() -> None:
    with pytest.raises(UserError, match="already has a tool of the name 'ping'"):
        Agent('test', tools=[ping, ping])


async def test_a_tool_and_an_output_with_the_same_name_are_an_error() -> None:
    with pytest.raises(UserError, match="A tool and an output have the same name 'final_result'"):
        await Agent(Scripted('x'), output_type=int, tools=[Tool(ping, name='final_result')]).run('?')


async def test_the_options_of_a_tool_reach_the_model() -> None:
    model = Scripted('x')
    agent = Agent(model)

    @agent.tool_plain(name='b', description='Said.', strict=True, sequential=True, metadata={'k': 1})
    def a(n: int) -> None:
        """Not said."""

    await agent.run('?')
    schema = {
        'type': 'object',
        'properties': {'n': {'type': 'integer'}},
        'required': ['n'],
        'additionalProperties': False,
    }
    [definition] = model.requests[0].parameters.function_tools
    assert definition == ToolDefinition('b', schema, 'Said.', strict=True, sequential=True, metadata={'k': 1})


async def test_a_decorated_function_is_not_changed() -> None:
    agent = Agent('test')
    assert agent.tool_plain(ping) is ping
    assert agent.tool_plain(name='again')(ping) is ping


async def test_a_response_with_text_and_tool_calls_is_not_the_last() -> None:
    agent = Agent(Scripted([TextPart('Let me see.'), call('ping')], 'done'), tools=[ping])
    result = await agent.run('?')
    assert result.output == 'done'
    assert [type(message) for message in result.all_messages()] == [
        ModelRequest,
        ModelResponse,
        ModelRequest,
        ModelResponse,
    ]


async def test_tool_returns_inside_a_value_are_results_with_content() -> None:
    def shoot() -> Any:
        first = ToolReturn('One.', content='The first:', metadata={'at': 1})
        return [first, 'Two.', {'three': ToolReturn(3, content=[PIXEL])}, ToolReturn([ToolReturn(4)])]

    model = Scripted(call('shoot'), 'Done.')
    messages = (await Agent(model, tools=[shoot]).run('?')).all_messages()
    shot, prompt = messages[2].parts
    assert isinstance(shot, ToolReturnPart)
    assert (shot.content, shot.metadata) == (['One.', 'Two.', {'three': 3}, [4]], [{'at': 1}])
    assert isinstance(prompt, UserPromptPart)
    assert prompt.content == ['The first:', PIXEL]
