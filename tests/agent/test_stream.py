"""Streamed runs: text, partial outputs and events, and leaving before the end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from pydantic_llm import (
    ModelRequest,
    ModelResponse,
    ModelRetry,
    NativeOutput,
    RunContext,
    RunUsage,
    TextOutput,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UsageLimits,
    UserError,
    capture_run_messages,
)
from pydantic_llm.agent import Agent, AgentRunResultEvent
from pydantic_llm.exceptions import StreamInterruptedError
from pydantic_llm.messages import (
    FinalResultEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
)
from tests.agent.scripted import Scripted, ScriptedStream, call, outline


def ping() -> str:
    return 'pong'


class City(BaseModel):
    name: str
    people: int = 0


class Draft(TypedDict, total=False):
    title: str
    words: list[str]


async def test_events_of_a_run_can_be_read_one_by_one_and_closed() -> None:
    events = Agent(Scripted('Hello you')).run_stream_events('?')
    assert isinstance(await anext(events), PartStartEvent)
    await events.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(events)
    async with Agent(Scripted('Hello you')).run_stream_events('?') as events:
        first = await anext(events)
        rest = [event async for event in events]
    assert isinstance(first, PartStartEvent)
    assert isinstance(rest[-1], AgentRunResultEvent)
    unread = Agent(Scripted('Hello you')).run_stream_events('?')
    await unread.aclose()


async def test_every_stream_can_be_read_one_by_one_and_closed() -> None:
    model = Scripted('Hello you')
    async with Agent(model).run_stream('?') as result:
        for stream in (
            result.stream_text(delta=True, debounce_by=None),
            result.stream_output(),
            result.stream_responses(),
        ):
            await anext(stream)
            await stream.aclose()  # type: ignore[attr-defined]
    async with model.request_stream([ModelRequest.user_text_prompt('?')]) as response:
        assert isinstance(await anext(response), PartStartEvent)
        await response.aclose()
        assert [event.event_kind async for event in response] == ['final_result']
        assert response.get().state == 'interrupted'


async def to_list(iterable: Any) -> list[Any]:
    return [item async for item in iterable]


# ----------------------------------------------------------------------------------------------------------- text


async def test_text_is_streamed_as_it_grows() -> None:
    async with Agent(Scripted('the cat sat')).run_stream('?') as result:
        assert await to_list(result.stream_text(debounce_by=None)) == ['the', 'the cat', 'the cat sat']
        assert result.is_complete
    assert outline(result.all_messages()) == [[('user', '?')], [('text', 'the cat sat')]]
    assert result.usage() == RunUsage(input_tokens=10, output_tokens=5, requests=1)
    assert (result.response.text, result.response.state) == ('the cat sat', 'complete')


async def test_deltas_are_the_new_text_and_join_to_the_whole() -> None:
    async with Agent(Scripted('the cat sat')).run_stream('?') as result:
        assert await to_list(result.stream_text(delta=True, debounce_by=None)) == ['the', ' cat', ' sat']


async def test_pieces_that_arrive_together_are_yielded_together() -> None:
    async with Agent(Scripted('the cat sat')).run_stream('?') as result:
        assert ''.join(pieces := await to_list(result.stream_text(delta=True, debounce_by=5))) == 'the cat sat'
        assert len(pieces) <= 2


async def test_debouncing_does_not_hold_back_the_last_piece() -> None:
    parts = [TextPart('one two'), call('ping')]
    async with Agent(Scripted(parts, 'three'), tools=[ping]).run_stream('?') as result:
        pieces = await asyncio.wait_for(to_list(result.stream_text(delta=True, debounce_by=60)), 5)
    assert ''.join(pieces) == 'one two\n\nthree'


async def test_after_the_end_the_whole_text_is_yielded_once() -> None:
    async with Agent(Scripted('the cat')).run_stream('?') as result:
        assert await result.get_output() == 'the cat'
        assert await result.get_output() == 'the cat'
        assert await to_list(result.stream_text()) == ['the cat']
        assert result.result.output == 'the cat'


async def test_text_before_a_tool_call_is_streamed_and_separated_from_the_next() -> None:
    model = Scripted([ThinkingPart('Hm.'), TextPart('Let me see.'), call('ping')], 'It is.')
    agent = Agent(model, tools=[ping])
    async with agent.run_stream('?') as result:
        assert ''.join(await to_list(result.stream_text(delta=True))) == 'Let me see.\n\nIt is.'
        assert await result.get_output() == 'It is.'
    async with agent.run_stream('?', model=Scripted(*model.responses)) as result:
        texts = await to_list(result.stream_text(debounce_by=None))
        assert texts == ['Let', 'Let me', 'Let me see.', 'It', 'It is.']


async def test_text_parts_with_another_part_between_them_are_separate_paragraphs() -> None:
    parts = [TextPart('a'), ThinkingPart('Hm.'), TextPart('b')]
    async with Agent(Scripted(parts)).run_stream('?') as result:
        assert ''.join(await to_list(result.stream_text(delta=True))) == 'a\n\nb' == result.response.text


async def test_tools_run_before_the_block_is_entered() -> None:
    ran: list[int] = []
    agent = Agent(Scripted(call('note'), 'done'))
    agent.tool_plain(name='note')(lambda: ran.append(1))
    async with agent.run_stream('?') as result:
        assert ran == [1]
        assert not result.is_complete
        assert (result.response.text, result.response.state) == ('done', 'incomplete')


async def test_stream_text_is_for_text() -> None:
    async with Agent(Scripted(call('final_result', {'name': 'P'})), output_type=City).run_stream('?') as result:
        with pytest.raises(UserError, match=r'stream_text\(\) is for text'):
            await to_list(result.stream_text())


# ------------------------------------------------------------------------------------------------ partial outputs


async def test_partial_outputs_are_validated_as_they_grow() -> None:
    model = Scripted(call('final_result', '{"title": "The cat", "words": ["the", "cat"]}'))
    async with Agent(model, output_type=Draft).run_stream('?') as result:
        outputs = await to_list(result.stream_output(debounce_by=None))
    assert outputs[0] == {}
    assert {'title': 'The c'} in outputs
    assert outputs[-1] == {'title': 'The cat', 'words': ['the', 'cat']}
    assert all(a != b for a, b in pairwise(outputs))


async def test_a_partial_output_is_yielded_once_its_required_fields_exist() -> None:
    model = Scripted(call('final_result', '{"name": "Paris", "people": 2}'))
    async with Agent(model, output_type=City).run_stream('?') as result:
        outputs = await to_list(result.stream_output(debounce_by=None))
    assert outputs[0] == City(name='Pa')
    assert outputs[-2:] == [City(name='Paris'), City(name='Paris', people=2)]


@pytest.mark.parametrize('output_type', [list[int], NativeOutput(list[int]), NativeOutput([list[int], City])], ids=str)
async def test_partial_outputs_in_all_modes(output_type: Any) -> None:
    text = '{"response": [1, 20, 3]}'
    if isinstance(output_type, NativeOutput) and isinstance(output_type.outputs, list):
        text = '{"result": {"kind": "list_int", "data": [1, 20, 3]}}'
    response = text if isinstance(output_type, NativeOutput) else call('final_result', text)
    async with Agent(Scripted(response), output_type=output_type).run_stream('?') as result:
        outputs = await to_list(result.stream_output(debounce_by=None))
    assert outputs[-1] == [1, 20, 3]
    assert len(outputs) > 1


async def test_validators_get_partial_outputs_marked_as_partial() -> None:
    seen: list[tuple[bool, str]] = []
    agent = Agent(Scripted('the cat sat'))

    @agent.output_validator
    def check(ctx: RunContext, output: str) -> str:
        seen.append((ctx.partial_output, output))
        if ctx.partial_output and output == 'the cat':
            raise ModelRetry('Not yet.')
        return output.upper()

    async with agent.run_stream('?') as result:
        assert await to_list(result.stream_output(debounce_by=None)) == ['THE', 'THE CAT SAT']
    assert seen[:3] == [(True, 'the'), (True, 'the cat'), (True, 'the cat sat')]
    assert seen[-1] == (False, 'the cat sat')
    assert [partial for partial, _ in seen].count(False) == 1


async def test_after_a_rejected_output_the_next_one_is_streamed() -> None:
    agent = Agent(Scripted('one', 'two'))

    @agent.output_validator
    def check(ctx: RunContext, output: str) -> str:
        if output == 'one' and not ctx.partial_output:
            raise ModelRetry('Not one.')
        return output

    async with agent.run_stream('?') as result:
        assert await to_list(result.stream_output(debounce_by=None)) == ['one', 'two']
        assert await result.get_output() == 'two'
    assert outline(result.new_messages())[2] == [('retry', 'Not one.')]


async def test_output_functions_are_called_once_at_the_end() -> None:
    called: list[Any] = []

    def finish(n: int, m: int = 0) -> int:
        called.append((n, m))
        return n + m

    async with Agent(Scripted(call('final_result', {'n': 1, 'm': 2})), output_type=finish).run_stream('?') as result:
        assert await to_list(result.stream_output(debounce_by=None)) == [3]

    def split(text: str) -> list[str]:
        called.append(text)
        return text.split()

    async with Agent(Scripted('a b'), output_type=TextOutput(split)).run_stream('?') as result:
        assert await to_list(result.stream_output(debounce_by=None)) == [['a', 'b']]
    assert called == [(1, 2), 'a b']


async def test_responses_are_streamed_as_they_grow() -> None:
    async with Agent(Scripted('the cat')).run_stream('?') as result:
        streamed = [(response.text, last) async for response, last in result.stream_responses(debounce_by=None)]
    assert streamed[0] == ('the', False)
    assert streamed[-1] == ('the cat', True)
    assert [last for _, last in streamed].count(True) == 1


# --------------------------------------------------------------------------------------------------------- events


async def test_a_run_is_a_stream_of_events() -> None:
    model = Scripted(call('ping', '{}', 'c1'), 'all done')
    events = await to_list(Agent(model, tools=[ping]).run_stream_events('?'))
    [*_, result_event] = events
    assert isinstance(result_event, AgentRunResultEvent)
    assert result_event.result.output == 'all done'
    called, returned = [e for e in events if isinstance(e, (FunctionToolCallEvent, FunctionToolResultEvent))]
    assert called == FunctionToolCallEvent(call('ping', '{}', 'c1'))
    assert isinstance(returned, FunctionToolResultEvent)
    assert returned.result == result_event.result.all_messages()[2].parts[0]
    assert events[events.index(returned) + 1 : -1] == [
        PartStartEvent(0, TextPart('all')),
        FinalResultEvent(),
        PartDeltaEvent(0, TextPartDelta(' done')),
        PartEndEvent(0, TextPart('all done')),
    ]


async def test_events_of_tools_come_as_they_finish() -> None:
    agent = Agent(Scripted([call('slow', id='a'), call('quick', id='b')], 'done'))
    quick_is_done = asyncio.Event()

    @agent.tool_plain
    async def slow() -> None:
        await quick_is_done.wait()

    @agent.tool_plain
    async def quick() -> None:
        pass

    streamed: list[tuple[str, str]] = []
    async with agent.run_stream_events('?') as events:
        async for event in events:
            match event:
                case FunctionToolCallEvent(part=part):
                    streamed.append(('call', part.tool_name))
                case FunctionToolResultEvent(result=part):
                    streamed.append(('result', str(part.tool_name)))
                    quick_is_done.set()
                case _:
                    pass
    assert streamed == [('call', 'slow'), ('call', 'quick'), ('result', 'quick'), ('result', 'slow')]


async def test_a_handler_receives_all_events_and_the_run_returns_its_result() -> None:
    kinds: list[str] = []

    async def handler(ctx: RunContext, events: Any) -> None:
        kinds.extend([f'{ctx.run_step} {event.event_kind}' async for event in events])

    result = await Agent(Scripted(call('ping'), 'done'), tools=[ping]).run('?', event_stream_handler=handler)
    assert result.output == 'done'
    assert kinds == [
        *('1 part_start', '1 final_result')[:1],
        '1 part_delta',
        '1 part_end',
        '1 function_tool_call',
        '1 function_tool_result',
        '2 part_start',
        '2 final_result',
        '2 part_end',
    ]


async def test_a_handler_that_stops_reading_does_not_stop_the_run() -> None:
    async def handler(ctx: RunContext, events: Any) -> None:
        async for _ in events:
            break

    long = ' '.join(map(str, range(500)))
    result = await Agent(Scripted(call('ping'), long), tools=[ping]).run('?', event_stream_handler=handler)
    assert result.output == long


async def test_an_error_in_a_handler_ends_the_run() -> None:
    async def handler(ctx: RunContext, events: Any) -> None:
        raise KeyError('mine')

    model = Scripted('done')
    with pytest.raises(KeyError, match='mine'):
        await Agent(model).run('?', event_stream_handler=handler)


# ------------------------------------------------------------------------------------------------- leaving, errors


async def test_leaving_the_block_interrupts_the_response() -> None:
    long = ' '.join(['word'] * 1000)
    model = Scripted(long)
    async with Agent(model).run_stream('?') as result:
        async for text in result.stream_text(debounce_by=None):
            if text.count(' ') > 3:
                break
    assert model.streams[0].cancelled
    assert model.streams[0].emitted < 200
    last = result.all_messages()[-1]
    assert isinstance(last, ModelResponse)
    assert (last.state, last.run_id) == ('interrupted', result.run_id)
    assert (last.text or '').startswith('word word word word word')
    assert not result.is_complete
    with pytest.raises(UserError, match='The run is not complete'):
        _ = result.result


async def test_a_stream_that_does_not_close_itself_is_marked_as_interrupted() -> None:
    class Careless(Scripted):
        @asynccontextmanager
        async def request_stream(self, *args: Any) -> Any:
            yield ScriptedStream(await self.request(*args), args[2])

    async with Agent(Careless(' '.join(['word'] * 1000))).run_stream('?') as result:
        assert result.response.text == 'word'
    assert result.response.state == 'interrupted'


async def test_cancel_interrupts_the_response_and_ends_the_stream() -> None:
    model = Scripted(' '.join(['word'] * 1000))
    async with Agent(model).run_stream('?') as result:
        texts: list[str] = []
        async for text in result.stream_text(debounce_by=None):
            texts.append(text)
            await result.cancel()
        assert (len(texts), result.cancelled, result.is_complete) == (1, True, False)
        assert await to_list(result.stream_output()) == []
        with pytest.raises(UserError, match='The run was cancelled, so that it has no output'):
            await result.get_output()
    assert result.response.state == 'interrupted'


async def test_leaving_inside_a_tool_call_keeps_a_history_that_can_continue() -> None:
    model = Scripted([TextPart('Let me'), call('ping', '{}', 'a'), call('note', '{"text": "' + 'x' * 4000 + '"}', 'b')])
    agent = Agent(model, tools=[ping])
    async with agent.run_stream_events('?') as events:
        async for event in events:
            if isinstance(event, PartDeltaEvent) and event.index == 2:
                break
    with capture_run_messages() as messages:
        async with agent.run_stream('?', model=Scripted(*model.responses)) as result:
            async for _ in result.stream_responses(debounce_by=None):
                if len(result.response.parts) == 3:
                    break
    assert outline(messages)[1:] == [
        [('text', 'Let me'), ('call', 'ping', '{}', 'a')],
        [
            (
                'return',
                'ping',
                'This call was not carried out: the run ended before the tool could answer.',
                'a',
                'interrupted',
            )
        ],
    ]
    assert (await agent.run('Go on.', message_history=messages, model=Scripted('fine'))).output == 'fine'


async def test_no_tool_runs_after_the_reader_has_left() -> None:
    ran: list[int] = []
    agent = Agent(Scripted([TextPart('Let me see.'), call('note')], 'done'))
    agent.tool_plain(name='note')(lambda: ran.append(1))
    async with agent.run_stream('?') as result:
        for _ in range(20):
            await asyncio.sleep(0)
    assert ran == []
    assert outline(result.all_messages())[-1][0][4] == 'interrupted'


async def test_no_tool_runs_while_the_reader_handles_the_event_before_it() -> None:
    ran: list[int] = []
    agent = Agent(Scripted(call('note', '{}'), 'done'))
    agent.tool_plain(name='note')(lambda: ran.append(1))
    async with agent.run_stream_events('?') as events:
        async for event in events:
            if isinstance(event, PartEndEvent):
                for _ in range(20):
                    await asyncio.sleep(0)
                break
    assert ran == []


async def test_a_response_far_ahead_of_its_reader_can_be_discarded() -> None:
    long = ' '.join(map(str, range(500)))
    async with Agent(Scripted(long)).run_stream('?') as result:
        for _ in range(200):
            await asyncio.sleep(0)
        assert await asyncio.wait_for(result.get_output(), 5) == long


async def test_text_before_a_connection_error_is_yielded_and_kept() -> None:
    response = ModelResponse([TextPart('Once upon a')], metadata={'breaks': ConnectionError('broken')})
    async with Agent(Scripted(response)).run_stream('?') as result:
        texts: list[str] = []

        async def read() -> None:
            async for text in result.stream_text(debounce_by=5):
                texts.append(text)  # noqa: PERF401 -- the text before the error is checked

        with pytest.raises(ConnectionError):
            await read()
    assert texts[-1] == 'Once upon a' == result.response.text
    assert (result.response.state, result.is_complete) == ('interrupted', False)


async def test_outputs_that_cannot_be_compared_are_streamed() -> None:
    class Array:
        def __init__(self, text: str) -> None:
            self.text = text

        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise ValueError('The truth value of an array is ambiguous')

    agent = Agent(Scripted('a b'))

    @agent.output_validator
    def as_array(output: str) -> Any:
        return Array(output)

    async with agent.run_stream('?') as result:
        outputs = await to_list(result.stream_output(debounce_by=None))
    assert [output.text for output in outputs] == ['a', 'a b', 'a b']


async def test_cancelling_the_reader_closes_the_stream() -> None:
    model = Scripted(' '.join(['word'] * 1000))
    reading = asyncio.Event()

    async def read() -> None:
        async with Agent(model).run_stream('?') as result:
            async for _ in result.stream_text(debounce_by=None):
                reading.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(read())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.streams[0].cancelled


async def test_errors_before_the_output_are_raised_on_entering() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Agent(Scripted(ZeroDivisionError())).run_stream('?'):
            pytest.fail('never entered')
    with pytest.raises(UsageLimitExceeded):
        async with Agent(Scripted('x')).run_stream('?', usage_limits=UsageLimits(request_limit=0)):
            pytest.fail('never entered')


async def test_later_errors_are_raised_while_reading_after_the_text_before_them() -> None:
    agent = Agent(Scripted([TextPart('Let me see.'), call('broken')]))

    @agent.tool_plain
    def broken() -> None:
        raise KeyError('no')

    async with agent.run_stream('?') as result:
        texts: list[str] = []

        async def read() -> None:
            async for text in result.stream_text():
                texts.append(text)  # noqa: PERF401 -- the text before the error is checked

        with pytest.raises(KeyError):
            await read()
        with pytest.raises(KeyError):
            await result.get_output()
    assert texts[-1] == 'Let me see.'


async def test_a_truncated_stream_is_an_error_that_keeps_the_partial_response() -> None:
    model = Scripted(ModelResponse([TextPart('Once upon')], state='incomplete'))
    async with Agent(model).run_stream('?') as result:
        with pytest.raises(StreamInterruptedError, match='The vendor truncated the response') as raised:
            await result.get_output()
    assert raised.value.response is not None
    assert raised.value.response.text == 'Once upon' == result.response.text
    assert result.response.state == 'incomplete'


async def test_too_many_rejected_outputs_are_raised_while_reading() -> None:
    agent = Agent(Scripted('one'))

    @agent.output_validator
    def never(output: str) -> str:
        raise ModelRetry('No.')

    async with agent.run_stream('?') as result:
        with pytest.raises(UnexpectedModelBehavior, match='output_retries=1'):
            await result.get_output()


async def test_usage_includes_the_response_that_is_being_streamed() -> None:
    async with Agent(Scripted(' '.join(['word'] * 1000))).run_stream('?') as result:
        assert result.usage == RunUsage(input_tokens=10, requests=1)
        await result.get_output()
        assert result.usage == RunUsage(input_tokens=10, output_tokens=5, requests=1)


async def test_one_agent_serves_many_streams_at_once() -> None:
    def respond(messages: list[Any], parameters: Any) -> Any:
        return f'{messages[0].parts[0].content} is it'

    agent = Agent(Scripted(respond))

    async def stream(n: int) -> list[str]:
        async with agent.run_stream(str(n)) as result:
            return [text async for text in result.stream_text(debounce_by=None)]

    assert await asyncio.gather(*map(stream, range(20))) == [[f'{n}', f'{n} is', f'{n} is it'] for n in range(20)]


async def test_the_response_is_streamed_until_it_is_complete() -> None:
    async with Agent(Scripted('a b c')).run_stream('?') as stream:
        responses = [response async for response in stream.stream_response(debounce_by=None)]
    assert [*dict.fromkeys(response.text for response in responses)] == ['a', 'a b', 'a b c']
    assert [response.state for response in responses] == ['incomplete'] * (len(responses) - 1) + ['complete']
    with Agent(Scripted('a b c')).run_stream_sync('?') as blocking:
        assert [*blocking.stream_response(debounce_by=None)][-1].text == 'a b c'
