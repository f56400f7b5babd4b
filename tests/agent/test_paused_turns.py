"""Turns that the vendor pauses: the agent sends the response back, and the whole turn is one response."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pydantic_llm import Agent, capture_run_messages
from pydantic_llm.agent.continued_events import ContinuedEvents
from pydantic_llm.agent.loop import MAX_CONTINUATIONS
from pydantic_llm.exceptions import ModelAPIError, UnexpectedModelBehavior, UsageLimitExceeded
from pydantic_llm.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartStartEvent,
    StreamRestartEvent,
    TextPart,
    ThinkingPart,
)
from pydantic_llm.usage import RequestUsage, RunUsage, UsageLimits
from tests.agent.scripted import Scripted, call, outline
from tests.replay import replay

SEARCH = NativeToolCallPart('web_search', {'query': 'q'}, 's', provider_name='anthropic')
FOUND = NativeToolReturnPart('web_search', ['page'], 's', provider_name='anthropic')


def pause(*parts: Any) -> ModelResponse:
    usage = RequestUsage(input_tokens=10, output_tokens=5)
    details = {'finish_reason': 'pause_turn', 'container_id': 'c'}
    return ModelResponse(list(parts), state='suspended', usage=usage, model_name='scripted', provider_details=details)


def searching() -> Scripted:
    return Scripted(pause(TextPart('Let me search.'), SEARCH), pause(FOUND, SEARCH), [FOUND, TextPart('It is blue.')])


WHOLE = [TextPart('Let me search.'), SEARCH, FOUND, SEARCH, FOUND, TextPart('It is blue.')]
OUTPUT = 'Let me search.\n\nIt is blue.'


def check_messages(model: Scripted, messages: list[ModelMessage]) -> None:
    """Check that each paused response was sent back unchanged, and that the turn became one response."""
    question, answer = messages
    assert isinstance(answer, ModelResponse)
    assert answer.parts == WHOLE
    assert (answer.state, answer.usage) == ('complete', RequestUsage(input_tokens=30, output_tokens=15))
    sent = [request.messages for request in model.requests]
    assert [message[0] for message in sent] == [question] * 3
    assert [message.parts for messages in sent for message in messages[1:]] == [WHOLE[:2], WHOLE[:4]]


def test_a_paused_turn_is_continued_until_it_ends() -> None:
    model = searching()
    result = Agent(model).run_sync('Why?')
    assert result.output == OUTPUT
    assert result.usage == RunUsage(requests=3, input_tokens=30, output_tokens=15)
    check_messages(model, result.all_messages())
    assert result.new_messages() == result.all_messages()
    assert result.response.provider_details == {'container_id': 'c'}


async def test_a_paused_turn_is_continued_in_a_stream() -> None:
    model = searching()
    async with Agent(model).run_stream('Why?') as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
        assert result.usage == RunUsage(requests=3, input_tokens=30, output_tokens=15)
    assert ''.join(pieces) == await result.get_output() == OUTPUT
    check_messages(model, result.all_messages())


async def test_the_text_of_a_stream_grows_over_a_pause() -> None:
    async with Agent(searching()).run_stream('Why?') as result:
        texts = [text async for text in result.stream_text(debounce_by=None)]
        responses = [len(response.parts) async for response, _ in result.stream_responses()]
    assert texts[0] == 'Let'
    assert all(after.startswith(before) for before, after in pairwise(texts))
    assert texts[-1] == OUTPUT
    assert responses[-1] == len(WHOLE)


async def test_the_events_of_a_paused_turn_are_those_of_one_response() -> None:
    events = [event async for event in Agent(searching()).run_stream_events('Why?')]
    assert replay(event for event in events if event.event_kind.startswith('part')) == WHOLE  # type: ignore[misc]
    assert [event.event_kind for event in events].count('final_result') == 1
    starts = [(event.index, event.previous_part_kind) for event in events if isinstance(event, PartStartEvent)]
    kinds = [None, *(part.part_kind for part in WHOLE[:-1])]
    assert starts == list(enumerate(kinds))


def test_a_stream_for_callers_that_do_not_await_is_continued() -> None:
    with Agent(searching()).run_stream_sync('Why?') as result:
        assert result.get_output() == OUTPUT


async def test_a_handler_of_events_sees_a_continued_turn() -> None:
    seen: list[str] = []

    async def handle(_: Any, events: Any) -> None:
        seen.extend([event.event_kind async for event in events])

    assert (await Agent(searching()).run('Why?', event_stream_handler=handle)).output == OUTPUT
    assert seen.count('part_start') == len(WHOLE)


def test_adjacent_texts_of_a_paused_turn_are_one_text() -> None:
    assert Agent(Scripted(pause(TextPart('half')), 'way')).run_sync('?').output == 'halfway'


@pytest.mark.parametrize('parts', [[], [ThinkingPart('hm')], [SEARCH]], ids=repr)
def test_a_pause_without_text_is_no_empty_answer(parts: list[Any]) -> None:
    model = Scripted(pause(*parts), 'Yes.')
    result = Agent(model, retries=0).run_sync('?')
    assert (result.output, len(model.requests)) == ('Yes.', 2)


class City(BaseModel):
    name: str


def test_a_structured_output_may_follow_a_pause() -> None:
    model = Scripted(pause(TextPart('Let me search.'), SEARCH), [FOUND, call('final_result', {'name': 'Rome'})])
    assert Agent(model, output_type=City).run_sync('?').output == City(name='Rome')


def test_tool_calls_of_a_paused_response_are_answered_first() -> None:
    model = Scripted(pause(SEARCH, call('look')), [FOUND, TextPart('Done.')])
    agent = Agent(model)
    agent.tool_plain(name='look')(lambda: 'seen')
    result = agent.run_sync('?')
    assert outline(result.all_messages()[2:3]) == [[('return', 'look', 'seen', 'call_look', 'success')]]
    assert result.output == 'Done.'


# ---------------------------------------------------------------------- limits


def test_each_continuation_counts_against_the_request_limit() -> None:
    model = searching()
    with pytest.raises(UsageLimitExceeded):
        Agent(model).run_sync('?', usage_limits=UsageLimits(request_limit=2))
    assert len(model.requests) == 2


def test_a_turn_that_never_ends_is_an_error() -> None:
    model = Scripted(pause(SEARCH))
    with pytest.raises(UnexpectedModelBehavior, match=f'paused its turn more than {MAX_CONTINUATIONS} times'):
        Agent(model).run_sync('?')
    assert len(model.requests) == MAX_CONTINUATIONS + 1


def test_the_last_allowed_continuation_may_end_the_turn() -> None:
    model = Scripted(*[pause(SEARCH)] * MAX_CONTINUATIONS, 'Done.')
    assert Agent(model).run_sync('?').output == 'Done.'


# ---------------------------------------------------------------------- errors and resumed runs


async def test_a_turn_whose_continuation_fails_can_be_resumed() -> None:
    agent = Agent(Scripted(pause(SEARCH), ModelAPIError('scripted', 'down'), [FOUND, TextPart('Done.')]))
    with capture_run_messages() as history, pytest.raises(ModelAPIError):
        await agent.run('?')
    assert [type(message) for message in history] == [ModelRequest, ModelResponse]
    before = list(history)
    result = await agent.run(message_history=history)
    assert (result.output, len(result.all_messages())) == ('Done.', 2)
    assert [message.parts for message in result.new_messages()] == [[SEARCH, FOUND, TextPart('Done.')]]
    assert (history, result.usage.requests) == (before, 1)


async def test_a_stream_that_breaks_in_a_continuation_keeps_what_arrived() -> None:
    broken = ModelResponse([FOUND, TextPart('It is')], metadata={'breaks': ModelAPIError('scripted', 'down')})
    with capture_run_messages() as history, pytest.raises(ModelAPIError):
        async with Agent(Scripted(pause(SEARCH), broken)).run_stream('?') as stream:
            await stream.get_output()
    assert isinstance(last := history[-1], ModelResponse)
    assert (last.parts, last.state, len(history)) == ([SEARCH, FOUND, TextPart('It is')], 'interrupted', 2)


def test_a_paused_turn_can_be_left_for_another_question() -> None:
    history: list[ModelMessage] = [ModelRequest.user_text_prompt('?'), pause(SEARCH)]
    result = Agent(Scripted('Fine.')).run_sync('Never mind.', message_history=history)
    assert [len(message.parts) for message in result.all_messages()] == [1, 1, 1, 1]


def test_a_restart_inside_a_continuation_keeps_the_paused_parts() -> None:
    """Another model starts the continuation again; the events before it are void, the paused response is not."""
    events = ContinuedEvents([TextPart('a'), SEARCH])
    first = [*events(PartStartEvent(0, TextPart('b')))]
    restart = [*events(StreamRestartEvent('m', 'broken'))]
    again = [*events(PartStartEvent(0, TextPart('c')))]
    assert replay([*first, *restart, *again]) == [TextPart('a'), SEARCH, TextPart('c')]


def test_the_limit_of_pauses_is_documented() -> None:
    page = (Path(__file__).parents[2] / 'docs' / 'messages.md').read_text(encoding='utf-8')
    assert f'pauses more than {MAX_CONTINUATIONS} times' in page
