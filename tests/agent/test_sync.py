"""Agents for callers that do not await: in any thread, inside a running loop, streamed, interrupted."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from pydantic_llm import UserError, capture_run_messages
from pydantic_llm.agent import Agent
from tests.agent.scripted import Scripted, call, outline

colour: ContextVar[str] = ContextVar('colour', default='none')


def ping() -> str:
    return 'pong'


def test_a_run_works_without_a_loop() -> None:
    result = Agent(Scripted(call('ping'), 'done'), tools=[ping]).run_sync('?')
    assert result.output == 'done'
    assert outline(result.new_messages())[2] == [('return', 'ping', 'pong', 'call_ping', 'success')]


async def test_a_run_works_inside_a_running_loop() -> None:
    assert Agent(Scripted('done')).run_sync('?').output == 'done'


def test_runs_share_one_loop_so_that_connections_last() -> None:
    loops: list[Any] = []
    agent = Agent(Scripted(call('note'), 'done'))

    @agent.tool_plain
    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    for _ in range(2):
        agent.run_sync('?', model=Scripted(call('note'), 'done'))
    assert loops[0] is loops[1]


def test_a_blocking_tool_can_run_another_agent() -> None:
    inner = Agent(Scripted('inner'))
    outer = Agent(Scripted(call('ask'), 'outer'))

    @outer.tool_plain
    def ask() -> str:
        return inner.run_sync('?').output

    assert outline(outer.run_sync('?').all_messages())[2] == [('return', 'ask', 'inner', 'call_ask', 'success')]


def test_a_coroutine_of_one_run_can_call_another_without_awaiting() -> None:
    inner = Agent(Scripted('inner'))
    outer = Agent(Scripted(call('ask'), 'outer'))

    @inner.output_validator
    def paint(output: str) -> str:
        return f'{output} {colour.get()}'

    @outer.tool_plain
    async def ask() -> str:
        colour.set('red')
        return inner.run_sync('?').output

    assert outline(outer.run_sync('?').all_messages())[2] == [('return', 'ask', 'inner red', 'call_ask', 'success')]


def test_a_coroutine_of_one_run_cannot_stream_another_without_awaiting() -> None:
    inner = Agent(Scripted('inner'))
    outer = Agent(Scripted(call('ask'), 'outer'))

    @outer.tool_plain
    async def ask() -> str:
        with inner.run_stream_sync('?') as result:
            return result.get_output()

    with pytest.raises(UserError, match=r'run_stream_sync\(\) was called by a coroutine of another blocking call'):
        outer.run_sync('?')


def test_runs_work_in_many_threads_at_once() -> None:
    all_threads = threading.Barrier(8, timeout=10)
    agent = Agent(Scripted(lambda messages, parameters: f'{messages[0].parts[0].content}!'))
    outputs: dict[int, str] = {}

    @agent.instructions
    def wait() -> None:
        all_threads.wait()

    def run(n: int) -> None:
        outputs[n] = agent.run_sync(str(n)).output

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs == {n: f'{n}!' for n in range(8)}


def test_context_variables_reach_the_functions_of_a_run() -> None:
    agent = Agent(Scripted([call('blocking', id='a'), call('awaiting', id='b')], 'done'))

    @agent.tool_plain
    def blocking() -> str:
        return colour.get()

    @agent.tool_plain
    async def awaiting() -> str:
        return colour.get()

    token = colour.set('red')
    with capture_run_messages() as messages:
        agent.run_sync('?')
    colour.reset(token)
    assert [result[2] for result in outline(messages)[2]] == ['red', 'red']


def test_errors_of_a_run_are_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        Agent(Scripted(ZeroDivisionError())).run_sync('?')


# ------------------------------------------------------------------------------------------------------- streaming


def test_text_is_streamed() -> None:
    with Agent(Scripted('the cat sat')).run_stream_sync('?') as result:
        assert [*result.stream_text(debounce_by=None)] == ['the', 'the cat', 'the cat sat']
        assert result.get_output() == 'the cat sat'
    assert result.is_complete
    assert outline(result.all_messages()) == [[('user', '?')], [('text', 'the cat sat')]]
    assert result.usage().requests == 1
    assert result.response.text == 'the cat sat'


async def test_text_is_streamed_inside_a_running_loop() -> None:
    with Agent(Scripted('the cat')).run_stream_sync('?') as result:
        assert ''.join(result.stream_text(delta=True)) == 'the cat'


def test_without_a_block_reading_to_the_end_closes_the_stream() -> None:
    model = Scripted('the cat')
    result = Agent(model).run_stream_sync('?')
    assert [*result.stream_text(delta=True, debounce_by=None)] == ['the', ' cat']
    assert result.get_output() == 'the cat'
    with pytest.raises(UserError, match='The stream is closed'):
        result.cancel()
    result = Agent(model).run_stream_sync('?')
    assert result.get_output() == 'the cat'
    assert result.get_output() == 'the cat'


def test_outputs_and_responses_are_streamed() -> None:
    agent = Agent(Scripted(call('final_result', {'response': [1, 2, 3]})), output_type=list[int])
    with agent.run_stream_sync('?') as result:
        outputs = [*result.stream_output(debounce_by=None)]
    assert (outputs[-1], len(outputs) > 1) == ([1, 2, 3], True)
    with agent.run_stream_sync('?') as result:
        assert [last for _, last in result.stream_responses(debounce_by=None)][-1]


def test_leaving_the_block_interrupts_the_response() -> None:
    model = Scripted(' '.join(['word'] * 1000))
    with Agent(model).run_stream_sync('?') as result:
        texts = result.stream_text(debounce_by=None)
        assert next(texts) == 'word'
    assert model.streams[0].cancelled
    assert not result.is_complete
    assert result.response.state == 'interrupted'
    with pytest.raises(UserError, match='The stream is closed'):
        next(texts)


def test_an_error_in_the_block_interrupts_the_response() -> None:
    model = Scripted(' '.join(['word'] * 1000))

    def read() -> None:
        with Agent(model).run_stream_sync('?') as result:
            next(result.stream_text())
            raise KeyError('mine')

    with pytest.raises(KeyError, match='mine'):
        read()
    assert model.streams[0].cancelled


def test_cancel_interrupts_the_response() -> None:
    model = Scripted(' '.join(['word'] * 1000))
    with Agent(model).run_stream_sync('?') as result:
        result.cancel()
        assert result.cancelled
    assert result.response.state == 'interrupted'


def test_a_garbage_collected_stream_is_closed() -> None:
    closed = threading.Event()
    model = Scripted(' '.join(['word'] * 1000))
    result = Agent(model).run_stream_sync('?')
    stream = model.streams[0]
    cancel = stream.cancel

    async def watched_cancel() -> None:
        await cancel()
        closed.set()

    stream.cancel = watched_cancel  # type: ignore[method-assign]
    del result
    gc.collect()
    assert closed.wait(10)


def test_errors_before_the_output_are_raised_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        Agent(Scripted(ZeroDivisionError())).run_stream_sync('?')


def test_errors_of_the_run_are_raised_while_reading() -> None:
    agent = Agent(Scripted('one'))

    @agent.output_validator
    def broken(output: str) -> str:
        raise KeyError('mine')

    with agent.run_stream_sync('?') as result, pytest.raises(KeyError, match='mine'):
        result.get_output()


# ------------------------------------------------------------------------------------------------------- interrupts


class Interrupt(BaseException):
    """An exception in place of `KeyboardInterrupt`."""


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """An event. Once it is set, the main thread's next wait for a future raises `Interrupt`."""
    import concurrent.futures

    is_running = threading.Event()
    wait = concurrent.futures.Future.result

    def result(self: Any, timeout: float | None = None) -> Any:
        if timeout is None and threading.current_thread() is threading.main_thread():
            assert is_running.wait(10)
            monkeypatch.undo()
            raise Interrupt
        return wait(self, timeout)

    monkeypatch.setattr(concurrent.futures.Future, 'result', result)
    return is_running


def test_interrupting_the_caller_cancels_the_run(interrupted: threading.Event) -> None:
    agent = Agent(Scripted(call('hangs')))
    cancelled = threading.Event()

    @agent.tool_plain
    async def hangs() -> None:
        interrupted.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with capture_run_messages() as messages, pytest.raises(Interrupt):
        agent.run_sync('?')
    assert cancelled.is_set()
    assert [result[1] for result in outline(messages)[2]] == ['hangs']


PROGRAM_AT_EXIT = """
import asyncio, contextlib
from pydantic_llm import Agent
from pydantic_llm.direct import model_request_stream_sync

def refuse(*arguments):
    raise RuntimeError("can't create new thread at interpreter shutdown")

asyncio.BaseEventLoop.shutdown_default_executor = refuse

async def look_up():  # as the name of a host is looked up, in a thread
    await asyncio.get_running_loop().run_in_executor(None, print, 'done')

agent = Agent('test')
agent.tool_plain(look_up)
agent.run_sync('Hi')
stream = model_request_stream_sync('test', 'Hi').__enter__()  # left open
"""


def test_a_blocking_program_ends_without_a_new_thread() -> None:
    done = subprocess.run([sys.executable, '-c', PROGRAM_AT_EXIT], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ('done\n', '', 0)
