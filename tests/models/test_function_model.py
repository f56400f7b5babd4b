"""`FunctionModel`: the arguments of the functions, and the responses and events made from their results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pydantic_llm.exceptions import UnexpectedModelBehavior, UserError
from pydantic_llm.messages import (
    FinalResultEvent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition, override_allow_model_requests
from pydantic_llm.models.function import (
    AgentInfo,
    Delta,
    DeltaThinkingPart,
    DeltaToolCall,
    DeltaToolCalls,
    FunctionModel,
)
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.usage import RequestUsage
from tests.replay import replay

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello there', instructions='Be kind')]
CLOCK, FINAL = ToolDefinition('clock'), ToolDefinition('final')


def greet(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    return ModelResponse([TextPart('Good day')], timestamp=NOON)


async def greet_later(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    await asyncio.sleep(0)
    return ModelResponse([TextPart('Good day')], timestamp=NOON)


async def greet_slowly(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
    yield 'Good '
    yield 'day'


GREETING = ModelResponse(
    [TextPart('Good day')],
    usage=RequestUsage(input_tokens=54, output_tokens=2),
    model_name='m',
    provider_name='function',
    timestamp=NOON,
)


@pytest.mark.parametrize('function', [greet, greet_later])
async def test_the_function_returns_the_response(function: Any) -> None:
    assert await FunctionModel(function, model_name='m').request(HELLO) == GREETING


async def test_the_metadata_of_the_functions_response_is_kept() -> None:
    own = ModelResponse([TextPart('x')], usage=RequestUsage(input_tokens=1), model_name='mine', provider_name='me')
    response = await FunctionModel(lambda messages, info: own).request(HELLO)
    assert response == own
    assert response is not own


async def test_the_function_gets_the_whole_request() -> None:
    seen: list[Any] = []

    def look(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.extend((messages, info))
        return ModelResponse([TextPart('x')])

    parameters = ModelRequestParameters(
        function_tools=[CLOCK], output_tools=[FINAL], output_mode='tool', allow_text_output=False
    )
    model = FunctionModel(look, settings={'temperature': 0.5, 'max_tokens': 7})
    await model.request(HELLO, {'max_tokens': 9}, parameters)
    assert seen == [
        HELLO,
        AgentInfo(
            function_tools=[CLOCK],
            allow_text_output=False,
            output_tools=[FINAL],
            model_settings={'temperature': 0.5, 'max_tokens': 9},
            model_request_parameters=parameters,
            instructions='Be kind',
        ),
    ]
    await model.request([])
    assert seen[2:] == [
        [],
        replace(
            seen[1],
            function_tools=[],
            allow_text_output=True,
            output_tools=[],
            instructions=None,
            model_settings={'temperature': 0.5, 'max_tokens': 7},
            model_request_parameters=ModelRequestParameters(),
        ),
    ]


async def test_the_function_gets_the_schema_of_a_prompted_output() -> None:
    def repeat(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart(info.instructions or '')])

    output = OutputObjectDefinition({'type': 'object', 'properties': {}})
    parameters = ModelRequestParameters(
        output_mode='prompted', output_object=output, prompted_output_template='Like this: {schema}'
    )
    response = await FunctionModel(repeat).request(HELLO, None, parameters)
    assert response.text == 'Be kind\n\nLike this: {"type": "object", "properties": {}}'


async def test_the_function_gets_its_own_list_of_messages() -> None:
    def spoil(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        messages.clear()
        return ModelResponse([TextPart('x')])

    history = list(HELLO)
    await FunctionModel(spoil).request(history)
    assert history == HELLO


@pytest.mark.parametrize(
    ('options', 'name'),
    [
        ({'function': greet}, 'function:greet:'),
        ({'function': greet, 'stream_function': greet_slowly}, 'function:greet:greet_slowly'),
        ({'stream_function': greet_slowly}, 'function::greet_slowly'),
        ({'function': greet, 'model_name': 'mine'}, 'mine'),
    ],
)
def test_the_model_is_named_after_its_functions(options: Any, name: str) -> None:
    model = FunctionModel(**options)
    assert (model.model_name, model.system, model.base_url) == (name, 'function', None)


def test_a_model_without_a_function_is_an_error() -> None:
    with pytest.raises(UserError, match='FunctionModel has no function: give it function=, stream_function='):
        FunctionModel()


async def test_the_switch_for_requests_does_not_apply() -> None:
    with override_allow_model_requests(allow_model_requests=False):
        assert (await FunctionModel(greet).request(HELLO)).text == 'Good day'


async def test_a_profile_changes_what_can_be_requested() -> None:
    model = FunctionModel(greet, profile={'supports_tools': False})
    with pytest.raises(UserError, match="'function:greet:' cannot call tools, and was given 'clock'"):
        await model.request(HELLO, None, ModelRequestParameters(function_tools=[CLOCK]))


# ------------------------------------------------------------------------------------------------- streams


async def test_without_a_stream_function_the_whole_response_is_emitted() -> None:
    model = FunctionModel(greet, model_name='m')
    async with model.request_stream(HELLO) as stream:
        events = [event async for event in stream]
    assert events == [
        PartStartEvent(0, TextPart('Good day')),
        FinalResultEvent(),
        PartEndEvent(0, TextPart('Good day')),
    ]
    assert stream.get() == GREETING


async def test_without_a_function_the_stream_is_collected() -> None:
    response = await FunctionModel(stream_function=greet_slowly, model_name='m').request(HELLO)
    assert response == replace(GREETING, finish_reason='stop', timestamp=response.timestamp)


async def test_of_two_functions_each_has_its_own_use() -> None:
    async def shout(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        yield 'GOOD DAY'

    model = FunctionModel(greet, stream_function=shout)
    async with model.request_stream(HELLO) as stream:
        async for _ in stream:
            pass
    assert (stream.get().text, (await model.request(HELLO)).text) == ('GOOD DAY', 'Good day')


async def stream_deltas(
    *deltas: Delta, parameters: ModelRequestParameters | None = None
) -> tuple[list[Any], ModelResponse]:
    async def yield_deltas(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Delta]:
        for delta in deltas:
            yield delta

    async with FunctionModel(stream_function=yield_deltas).request_stream(HELLO, None, parameters) as stream:
        events = [event async for event in stream]
    response = stream.get()
    assert replay(iter(events)) == response.parts
    assert response.state == 'complete'
    return events, response


async def test_fragments_of_every_kind_become_parts() -> None:
    events, response = await stream_deltas(
        {0: DeltaThinkingPart(content='Hm')},
        {0: DeltaThinkingPart(content='m.', signature='sealed')},
        'It ',
        'is',
        {0: DeltaToolCall('clock', tool_call_id='a')},
        {0: DeltaToolCall(json_args='{"zone"')},
        {0: DeltaToolCall(json_args=':1}')},
    )
    thinking, text = ThinkingPart('Hmm.', signature='sealed'), TextPart('It is')
    call = ToolCallPart('clock', '{"zone":1}', 'a')
    assert events == [
        PartStartEvent(0, ThinkingPart('Hm')),
        PartDeltaEvent(0, ThinkingPartDelta('m.', 'sealed')),
        PartStartEvent(1, TextPart('It '), previous_part_kind='thinking'),
        FinalResultEvent(),
        PartDeltaEvent(1, TextPartDelta('is')),
        PartEndEvent(1, text, next_part_kind='tool-call'),
        PartStartEvent(2, ToolCallPart('clock', None, 'a'), previous_part_kind='text'),
        PartDeltaEvent(2, ToolCallPartDelta('{"zone"', 'a')),
        PartDeltaEvent(2, ToolCallPartDelta(':1}', 'a')),
        PartEndEvent(0, thinking, next_part_kind='text'),
        PartEndEvent(2, call),
    ]
    assert response.parts == [thinking, text, call]
    assert (response.finish_reason, response.usage) == ('tool_call', RequestUsage(input_tokens=54, output_tokens=7))


async def test_tool_calls_can_be_interleaved() -> None:
    first: DeltaToolCalls = {1: DeltaToolCall('a', '{', tool_call_id='x'), 2: DeltaToolCall('b', '[', tool_call_id='y')}
    _, response = await stream_deltas(first, {2: DeltaToolCall(json_args=']'), 1: DeltaToolCall(json_args='}')})
    assert response.parts == [ToolCallPart('a', '{}', 'x'), ToolCallPart('b', '[]', 'y')]


async def test_a_tool_call_without_an_id_gets_one_that_stays() -> None:
    _, response = await stream_deltas({0: DeltaToolCall('a', '{')}, {0: DeltaToolCall(json_args='}')})
    [call] = response.tool_calls
    assert call == ToolCallPart('a', '{}', call.tool_call_id)
    assert call.tool_call_id


async def test_text_after_a_tool_call_is_another_part() -> None:
    _, response = await stream_deltas('a', {0: DeltaToolCall('b', '{}', tool_call_id='x')}, 'c')
    assert response.parts == [TextPart('a'), ToolCallPart('b', '{}', 'x'), TextPart('c')]


async def test_parts_can_be_yielded_whole() -> None:
    call = NativeToolCallPart('web_search', {'query': 'time'}, 'x')
    found = NativeToolReturnPart('web_search', 'noon', 'x', timestamp=NOON)
    _, response = await stream_deltas({0: call}, {1: found}, 'It is noon')
    assert response.parts == [call, found, TextPart('It is noon')]


async def test_the_output_is_announced() -> None:
    parameters = ModelRequestParameters(output_tools=[FINAL], output_mode='tool', allow_text_output=False)
    events, _ = await stream_deltas('Well,', {0: DeltaToolCall('final', '{}', tool_call_id='x')}, parameters=parameters)
    assert [event for event in events if event.event_kind == 'final_result'] == [FinalResultEvent('final', 'x')]


async def test_a_stream_without_items_is_an_empty_response() -> None:
    events, response = await stream_deltas()
    assert (events, response.parts, response.usage) == ([], [], RequestUsage(input_tokens=54))


async def test_a_tool_call_without_a_name_is_an_error() -> None:
    with pytest.raises(UnexpectedModelBehavior, match='called a tool without naming it'):
        await stream_deltas({0: DeltaToolCall(json_args='{}')})


class SlowFunction:
    """A stream function that waits after two items, and records that it was closed."""

    def __init__(self) -> None:
        self.closed = False
        self.never = asyncio.Event()

    async def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        try:
            yield 'one '
            yield 'two '
            await self.never.wait()
        finally:
            self.closed = True


async def test_leaving_the_block_ends_the_function_and_interrupts_the_response() -> None:
    function = SlowFunction()
    async with FunctionModel(stream_function=function).request_stream(HELLO) as stream:
        assert await anext(stream) == PartStartEvent(0, TextPart('one '))
        assert (function.closed, stream.get().state) == (False, 'incomplete')
    response = stream.get()
    assert (function.closed, response.state, response.parts) == (True, 'interrupted', [TextPart('one ')])
    assert response.usage == RequestUsage(input_tokens=54, output_tokens=1)


async def test_cancelling_ends_the_iteration() -> None:
    function = SlowFunction()
    async with FunctionModel(stream_function=function).request_stream(HELLO) as stream:
        events: list[Any] = []
        async for event in stream:
            events.append(event)
            if len(events) == 3:
                await stream.cancel()
        assert function.closed
    assert events[2] == PartDeltaEvent(0, TextPartDelta('two '))
    assert (stream.cancelled, stream.get().state, stream.get().text) == (True, 'interrupted', 'one two ')


async def test_cancelling_while_another_task_reads_is_not_an_error() -> None:
    function = SlowFunction()

    async def read(stream: Any) -> None:
        async for _ in stream:
            waiting.set()

    waiting = asyncio.Event()
    async with FunctionModel(stream_function=function).request_stream(HELLO) as stream:
        reader = asyncio.create_task(read(stream))
        await waiting.wait()
        await asyncio.sleep(0)
        await stream.cancel()
        function.never.set()
        await reader
    assert (function.closed, stream.get().state) == (True, 'interrupted')


async def test_an_error_of_the_function_is_raised_to_the_reader() -> None:
    async def fail(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        yield 'one'
        raise RuntimeError('out of paper')

    async with FunctionModel(stream_function=fail).request_stream(HELLO) as stream:
        with pytest.raises(RuntimeError, match='out of paper'):
            async for _ in stream:
                pass
    assert (stream.get().state, stream.get().text) == ('interrupted', 'one')


async def test_an_incomplete_response_of_the_function_stays_incomplete() -> None:
    truncated = ModelResponse([TextPart('one')], state='incomplete')
    async with FunctionModel(lambda messages, info: truncated).request_stream(HELLO) as stream:
        async for _ in stream:
            pass
    assert (stream.get().state, stream.cancelled) == ('incomplete', False)


async def test_a_whole_response_that_is_left_early_is_interrupted() -> None:
    async with FunctionModel(greet).request_stream(HELLO) as stream:
        await anext(stream)
    assert (stream.get().state, stream.cancelled) == ('interrupted', True)
