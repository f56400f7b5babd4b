"""If a model fails, the next one is tried: at the start, in the middle of a stream, nested, within the timeout."""

from __future__ import annotations

import asyncio
import pickle
import time
from typing import Any, Optional

import pytest

from pydantic_llm import Agent
from pydantic_llm.exceptions import (
    FallbackExceptionGroup,
    LLMError,
    ModelAPIError,
    ModelHTTPError,
    ModelTimeoutError,
    RejectedResponseError,
    StreamInterruptedError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_llm.messages import (
    ModelRequest,
    ModelResponse,
    StreamRestartEvent,
    TextPart,
)
from pydantic_llm.models.fallback.model import FallbackModel
from pydantic_llm.retries.policy import RetryPolicy
from tests.models.scripted import Scripted, overloaded, texts, unauthorized, unreachable
from tests.replay import replay

HELLO = [ModelRequest.user_text_prompt('Hello?', instructions='Be brief.')]
SHORT = 0.05
FAST = RetryPolicy(retries=2, first_wait=0.001, longest_wait=0.002)


async def read_stream(model: FallbackModel, settings: Any = None) -> tuple[list[Any], ModelResponse]:
    async with model.request_stream(HELLO, settings) as stream:
        events = [event async for event in stream]
        return events, stream.get()


def interrupted(text: str = 'broke') -> StreamInterruptedError:
    return StreamInterruptedError('m', text)


# ---------------------------------------------------------------------- paused turns


def paused_by(name: str, provider_name: str = 'test') -> list[Any]:
    part = TextPart('Let me search.')
    return [*HELLO, ModelResponse([part], state='suspended', model_name=name, provider_name=provider_name)]


@pytest.mark.parametrize('name', ['b', 'b-20260101'])
async def test_the_model_that_paused_its_turn_is_asked_to_continue_it(name: str) -> None:
    first, second = Scripted('a', ['One']), Scripted('b', ['Two'])
    model = FallbackModel(first, second)
    assert (await model.request(paused_by(name))).text == 'Two'
    async with model.request_stream(paused_by(name)) as stream:
        assert [event async for event in stream][-1]
        assert stream.get().text == 'Two'
    assert first.requests == []
    assert (await model.request(HELLO)).text == 'One'


async def test_another_model_continues_a_turn_if_the_one_that_paused_it_fails() -> None:
    model = FallbackModel(Scripted('a', ['One']), Scripted('b', [overloaded()]))
    assert (await model.request(paused_by('b'))).text == 'One'


async def test_the_order_stays_if_no_model_paused_the_turn() -> None:
    model = FallbackModel(Scripted('a', ['One']), Scripted('b', ['Two']))
    assert (await model.request(paused_by('b', 'elsewhere'))).text == 'One'


# ---------------------------------------------------------------------- whole responses


async def test_the_first_model_is_used_if_it_succeeds() -> None:
    first, second = Scripted('a', ['One']), Scripted('b', ['Two'])
    response = await FallbackModel(first, second).request(HELLO)
    assert (response.text, response.model_name, response.warnings, second.requests) == ('One', 'a', [], [])


@pytest.mark.parametrize(
    'error', [overloaded(), unauthorized(), unreachable(), ModelTimeoutError('m', deadline='timeout', seconds=1)]
)
async def test_the_next_model_is_used_if_the_first_fails(error: ModelAPIError) -> None:
    model = FallbackModel(Scripted('a', [error]), Scripted('b', ['Two']))
    response = await model.request(HELLO)
    assert (response.text, response.model_name) == ('Two', 'b')
    assert response.warnings == [f'test:a failed, and the next was asked: {error}']


async def test_if_all_models_fail_the_group_holds_all_errors() -> None:
    errors = [unauthorized(), overloaded(), unreachable()]
    model = FallbackModel(*(Scripted(str(n), [error]) for n, error in enumerate(errors)))
    with pytest.raises(FallbackExceptionGroup) as caught:
        await model.request(HELLO)
    assert list(caught.value.exceptions) == errors
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), FallbackExceptionGroup)


async def test_except_star_finds_errors_by_their_type() -> None:
    found: list[Exception] = []
    try:
        await FallbackModel(Scripted('a', [unauthorized()]), Scripted('b', [unreachable()])).request(HELLO)
    except* ModelHTTPError as group:
        found += group.exceptions
    except* ModelAPIError as group:
        found += group.exceptions
    assert [type(error).__name__ for error in found] == ['ModelHTTPError', 'ModelConnectionError']


@pytest.mark.parametrize('error', [UserError('no'), UnexpectedModelBehavior('garbage'), ZeroDivisionError()])
async def test_other_errors_are_raised_at_once(error: Exception) -> None:
    second = Scripted('b')
    with pytest.raises(type(error)):
        await FallbackModel(Scripted('a', [error]), second).request(HELLO)
    with pytest.raises(type(error)):
        await read_stream(FallbackModel(Scripted('a', [error]), second))
    assert second.requests == []


async def is_overloaded(error: Exception) -> bool:
    return isinstance(error, ModelHTTPError) and error.status_code == 503


def is_short(response: ModelResponse) -> bool:
    return len(response.text or '') < 4


@pytest.mark.parametrize(
    ('fallback_on', 'error', 'triggers_fallback'),
    [
        (UnexpectedModelBehavior, UnexpectedModelBehavior('x'), True),
        ((UnexpectedModelBehavior, UserError), UserError('x'), True),
        (UnexpectedModelBehavior, overloaded(), False),
        (is_overloaded, overloaded(), True),
        (is_overloaded, unauthorized(), False),
        ([is_overloaded, UserError], UserError('x'), True),
        (lambda error: 'valid' in str(error), unauthorized(), True),
        (is_short, overloaded(), False),
    ],
)
async def test_fallback_on_decides_which_errors_count(
    fallback_on: Any, error: Exception, triggers_fallback: bool
) -> None:
    model = FallbackModel(Scripted('a', [error]), Scripted('b', ['Two, three']), fallback_on=fallback_on)
    if triggers_fallback:
        assert (await model.request(HELLO)).text == (await read_stream(model))[1].text == 'Two, three'
        return
    with pytest.raises(type(error)):
        await model.request(HELLO)
    with pytest.raises(type(error)):
        await read_stream(model)


async def test_a_rejected_response_is_a_failure_whose_usage_counts() -> None:
    model = FallbackModel(Scripted('a', ['No'], usage=3), Scripted('b', ['Long enough'], usage=4), fallback_on=is_short)
    response = await model.request(HELLO)
    assert (response.text, response.usage.input_tokens, response.usage.output_tokens) == ('Long enough', 7, 7)
    with pytest.raises(FallbackExceptionGroup) as caught:
        await FallbackModel(Scripted('a', ['No']), fallback_on=is_short).request(HELLO)
    [error] = caught.value.exceptions
    assert isinstance(error, RejectedResponseError)
    assert error.response.text == 'No'


def is_missing(response: ModelResponse | None) -> bool:
    return response is not None and is_short(response)


def is_missing_for_type_checkers(response: Optional[Unknown | ModelResponse]) -> bool:  # type: ignore[name-defined]  # noqa: F821, UP045
    return response is not None and is_short(response)


def is_wrong(outcome: ModelHTTPError | ModelResponse) -> bool:
    return isinstance(outcome, ModelHTTPError) or is_short(outcome)


@pytest.mark.parametrize('rule', [is_missing, is_missing_for_type_checkers, is_wrong])
async def test_a_rule_for_a_union_with_a_response_gets_responses(rule: Any) -> None:
    model = FallbackModel(Scripted('a', ['No']), Scripted('b', ['Long enough']), fallback_on=rule)
    assert (await model.request(HELLO)).text == 'Long enough'


async def test_a_rule_for_errors_and_responses_gets_both() -> None:
    model = FallbackModel(Scripted('a', [overloaded()]), Scripted('b', ['Long enough']), fallback_on=is_wrong)
    assert (await model.request(HELLO)).text == 'Long enough'


@pytest.mark.parametrize('invalid', [7, 'x', int, [ModelAPIError, 7]])
def test_an_invalid_fallback_rule_is_an_error(invalid: Any) -> None:
    with pytest.raises(UserError, match='fallback_on'):
        FallbackModel(Scripted('a'), fallback_on=invalid)


@pytest.mark.parametrize('options', [{'mid_stream': 'stop'}, {'attempt_timeout': 0}, {'attempt_timeout': -1}])
def test_invalid_options_are_errors(options: Any) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        FallbackModel(Scripted('a'), **options)


async def test_fallbacks_can_be_nested() -> None:
    inner = FallbackModel(Scripted('a', [overloaded()]), Scripted('b', [unauthorized()]))
    model = FallbackModel(inner, Scripted('c', ['Three']))
    for response in (await model.request(HELLO), (await read_stream(model))[1]):
        assert (response.text, response.model_name, len(response.warnings)) == ('Three', 'c', 1)
    with pytest.raises(FallbackExceptionGroup) as caught:
        await FallbackModel(inner, Scripted('c', [unreachable()])).request(HELLO)
    assert [type(error).__name__ for error in caught.value.exceptions] == [
        'FallbackExceptionGroup',
        'ModelConnectionError',
    ]


# ---------------------------------------------------------------------- streams


@pytest.mark.parametrize('script', [[overloaded()], [SHORT / 50, overloaded()]])
async def test_a_failure_before_the_first_event_is_invisible(script: Any) -> None:
    first = Scripted('a', script)
    events, response = await read_stream(FallbackModel(first, Scripted('b', ['One ', 'two'])))
    assert (response.text, response.model_name, response.state) == ('One two', 'b', 'complete')
    assert not any(isinstance(event, StreamRestartEvent) for event in events)
    assert (replay(events), first.open_streams) == (response.parts, 0)


async def test_by_default_an_error_after_the_first_event_is_raised() -> None:
    first, second = Scripted('a', ['Begun', interrupted()]), Scripted('b')
    model = FallbackModel(first, second)
    async with model.request_stream(HELLO) as stream:
        with pytest.raises(StreamInterruptedError):
            _ = [event async for event in stream]
        assert (stream.get().text, stream.get().state) == ('Begun', 'interrupted')
    assert (first.open_streams, second.requests) == (0, [])


async def test_with_restart_the_next_model_starts_again() -> None:
    first, second = Scripted('a', ['Beg', 'un', interrupted()], usage=2), Scripted('b', ['Again'], usage=3)
    events, response = await read_stream(FallbackModel(first, second, mid_stream='restart'))
    [restart] = [event for event in events if isinstance(event, StreamRestartEvent)]
    assert (restart.model_name, restart.reason) == ('b', 'broke')
    assert replay(events) == response.parts == [TextPart('Again')]
    assert (response.model_name, response.usage.input_tokens, first.open_streams) == ('b', 5, 0)


@pytest.mark.parametrize('begun', [['One, ', 'two'], [('think', 'Hm'), 'One, two']])
async def test_with_continue_the_next_model_continues_the_text(begun: Any) -> None:
    first, second = Scripted('a', [*begun, interrupted()], usage=2), Scripted('b', [', three', '.'], usage=3)
    events, response = await read_stream(FallbackModel(first, second, mid_stream='continue'))
    assert (response.text, response.model_name, response.state) == ('One, two, three.', 'b', 'complete')
    assert replay(events) == response.parts
    assert response.usage.input_tokens == 5
    sent = second.requests[0][0]
    assert [type(message).__name__ for message in sent] == ['ModelRequest', 'ModelResponse', 'ModelRequest']
    assert (sent[1].text, sent[2].instructions) == ('One, two', 'Be brief.')  # type: ignore[union-attr]


async def test_a_third_model_continues_the_text_of_two() -> None:
    models = [
        Scripted('a', ['One', interrupted()]),
        Scripted('b', [', two', interrupted()]),
        Scripted('c', [('think', 'Hm'), ', three']),
    ]
    events, response = await read_stream(FallbackModel(*models, mid_stream='continue'))
    assert texts(response) == ['One, two, three', 'Hm']
    assert replay(events) == response.parts


@pytest.mark.parametrize('mid_stream', ['raise', 'restart', 'continue'])
@pytest.mark.parametrize('count', [1, 2, 3])
async def test_text_and_usage_count_once_if_the_last_model_breaks(mid_stream: Any, count: int) -> None:
    models = [Scripted(f'm{number}', [f'text {number}', interrupted()], usage=100) for number in range(count)]
    async with FallbackModel(models[0], *models[1:], mid_stream=mid_stream).request_stream(HELLO) as stream:
        events: list[Any] = []

        async def read() -> None:
            async for event in stream:
                events.append(event)  # noqa: PERF401 -- the events before the error count

        with pytest.raises(LLMError):
            await read()
    asked = sum(bool(model.requests) for model in models)
    assert asked == (1 if mid_stream == 'raise' else count)
    assert stream.usage().input_tokens == stream.get().usage.input_tokens == 100 * asked
    heard = ''.join(part.content for part in replay(events) if isinstance(part, TextPart))
    assert stream.get().text == heard


async def test_a_truncated_tool_call_is_not_continued() -> None:
    first, second = Scripted('a', ['One', ('call', 'look'), interrupted()]), Scripted('b', ['Again'])
    events, response = await read_stream(FallbackModel(first, second, mid_stream='continue'))
    assert (response.text, response.tool_calls) == ('Again', [])
    assert any(isinstance(event, StreamRestartEvent) for event in events)
    assert replay(events) == response.parts


@pytest.mark.parametrize(
    ('mid_stream', 'text', 'state'),
    [('raise', 'Begun', 'incomplete'), ('restart', 'Two', 'complete'), ('continue', 'BegunTwo', 'complete')],
)
async def test_a_truncated_response_is_a_failure_if_another_model_can_be_tried(
    mid_stream: Any, text: str, state: str
) -> None:
    model = FallbackModel(Scripted('a', ['Begun', ('truncate', '')]), Scripted('b', ['Two']), mid_stream=mid_stream)
    events, response = await read_stream(model)
    assert (response.text, response.state, replay(events)) == (text, state, response.parts)


async def test_a_whole_response_that_is_truncated_is_a_failure_whose_usage_counts() -> None:
    truncated = Scripted('a', ['Begun', ('truncate', '')], usage=3)
    response = await FallbackModel(truncated, Scripted('b', ['Two'], usage=4)).request(HELLO)
    assert (response.text, response.state, response.usage.input_tokens) == ('Two', 'complete', 7)
    with pytest.raises(FallbackExceptionGroup) as caught:
        await FallbackModel(truncated).request(HELLO)
    [error] = caught.value.exceptions
    assert isinstance(error, StreamInterruptedError)
    assert error.response is not None
    assert error.response.text == 'Begun'


async def test_a_streamed_response_can_be_rejected_at_its_end() -> None:
    model = FallbackModel(
        Scripted('a', ['No']), Scripted('b', ['Long enough']), fallback_on=is_short, mid_stream='restart'
    )
    events, response = await read_stream(model)
    assert (response.text, replay(events)) == ('Long enough', response.parts)
    model = FallbackModel(Scripted('a', ['No']), Scripted('b', ['Long enough']), fallback_on=is_short)
    with pytest.raises(RejectedResponseError):
        await read_stream(model)


async def test_if_no_model_is_left_in_the_middle_the_group_holds_all_errors() -> None:
    model = FallbackModel(Scripted('a', ['One', interrupted()]), Scripted('b', [overloaded()]), mid_stream='restart')
    async with model.request_stream(HELLO) as stream:
        with pytest.raises(FallbackExceptionGroup) as caught:
            _ = [event async for event in stream]
    assert [type(error).__name__ for error in caught.value.exceptions] == ['StreamInterruptedError', 'ModelHTTPError']


async def test_leaving_a_stream_closes_the_stream_inside() -> None:
    first = Scripted('a', ['One', 60.0])
    async with FallbackModel(first, Scripted('b')).request_stream(HELLO) as stream:
        await anext(stream)
    assert (stream.get().state, stream.cancelled, first.open_streams) == ('interrupted', True, 0)


async def test_cancelling_from_another_task_ends_the_iteration() -> None:
    first = Scripted('a', ['One', 60.0])
    async with FallbackModel(first, Scripted('b')).request_stream(HELLO) as stream:
        await anext(stream)
        reading = asyncio.ensure_future(anext(stream, None))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        await stream.cancel()
        assert [event async for event in stream] == []
    assert first.open_streams == 0


async def test_the_final_result_is_announced_once_per_start() -> None:
    model = FallbackModel(Scripted('a', ['One', interrupted()]), Scripted('b', ['Two']), mid_stream='continue')
    kinds = [event.event_kind for event in (await read_stream(model))[0]]
    assert kinds == ['part_start', 'final_result', 'part_delta', 'part_end']
    model = FallbackModel(Scripted('a', ['One', interrupted()]), Scripted('b', ['Two']), mid_stream='restart')
    kinds = [event.event_kind for event in (await read_stream(model))[0]]
    start = ['part_start', 'final_result']
    assert kinds == [*start, 'stream_restart', *start, 'part_end']


# ---------------------------------------------------------------------- time


async def test_a_model_that_hangs_leaves_time_for_the_next() -> None:
    first, second = Scripted('a', [60.0]), Scripted('b', ['Two'])
    model, began = FallbackModel(first, second), time.monotonic()
    assert (await model.request(HELLO, {'timeout': 2 * SHORT})).text == 'Two'
    assert (await read_stream(model, {'timeout': 2 * SHORT}))[1].text == 'Two'
    assert time.monotonic() - began < 10 * SHORT
    assert [settings.get('timeout') for _, settings in first.requests] == [
        pytest.approx(SHORT, rel=0.2),
        pytest.approx(2 * SHORT, rel=0.2),
    ]
    assert second.requests[0][1]['timeout'] < 1.5 * SHORT


async def test_no_model_is_tried_after_the_timeout() -> None:
    models = [Scripted('a', [60.0]), Scripted('b', [60.0]), Scripted('c', [60.0])]
    began = time.monotonic()
    with pytest.raises(FallbackExceptionGroup):
        await FallbackModel(*models).request(HELLO, {'timeout': 3 * SHORT, 'retries': FAST})
    assert time.monotonic() - began < 10 * SHORT


async def test_the_shortest_of_a_models_deadlines_applies() -> None:
    first, second = Scripted('a', settings={'timeout': 7}), Scripted('b', ['Two'], settings={'first_token_timeout': 4})
    model = FallbackModel(Scripted('0', [overloaded()]), first, second, attempt_timeout=5)
    await model.request(HELLO, {'timeout': 100})
    assert first.requests[0][1]['timeout'] == 5
    first.scripts = ([overloaded()],)
    await read_stream(model, {'timeout': 100})
    settings: Any = second.requests[0][1]
    assert (settings['timeout'], settings['first_token_timeout']) == (pytest.approx(100, abs=1), 4)


# ---------------------------------------------------------------------- retries


@pytest.mark.retries
async def test_only_the_outermost_model_retries() -> None:
    first, second = Scripted('a', [overloaded()]), Scripted('b', [overloaded()], [overloaded()], ['At last'])
    model = FallbackModel(FallbackModel(first, second, settings={'retries': 9}), settings={'retries': FAST})
    assert (await model.request(HELLO)).text == 'At last'
    assert (len(first.requests), len(second.requests)) == (3, 3)
    first.requests, second.requests = [], []
    assert (await read_stream(model))[1].text == 'At last'
    assert (len(first.requests), len(second.requests)) == (3, 3)


@pytest.mark.retries
async def test_errors_that_are_not_retryable_are_not_retried() -> None:
    first, second = Scripted('a', [unauthorized()]), Scripted('b', [unauthorized()])
    with pytest.raises(FallbackExceptionGroup):
        await FallbackModel(first, second, settings={'retries': FAST}).request(HELLO)
    assert (len(first.requests), len(second.requests)) == (1, 1)


@pytest.mark.retries
async def test_a_stream_is_not_retried_after_its_first_event() -> None:
    first = Scripted('a', ['One', interrupted()])
    with pytest.raises(LLMError):
        await read_stream(FallbackModel(first, settings={'retries': FAST}))
    assert len(first.requests) == 1


# ---------------------------------------------------------------------- with an agent


async def test_an_agent_runs_with_it_whole_and_streamed() -> None:
    model = FallbackModel(Scripted('a', [overloaded()]), Scripted('b', ['Paris'], usage=3))
    result = await Agent(model).run('What is the capital of France?')
    assert (result.output, result.response.model_name, result.usage.input_tokens) == ('Paris', 'b', 3)
    async with Agent(model).run_stream('What is the capital of France?') as streamed:
        assert await streamed.get_output() == 'Paris'


@pytest.mark.parametrize('debounce_by', [None, 0.01])
async def test_an_agents_text_restarts_with_the_response(debounce_by: float | None) -> None:
    model = FallbackModel(
        Scripted('a', ['Lon', 'don', interrupted()]), Scripted('b', ['Par', 'is']), mid_stream='restart'
    )
    async with Agent(model).run_stream('What is the capital of France?') as streamed:
        seen = [text async for text in streamed.stream_text(debounce_by=debounce_by)]
        assert seen[-1] == 'Paris'
        assert await streamed.get_output() == 'Paris'
    assert streamed.response.text == 'Paris'


def test_no_rules_are_refused() -> None:
    with pytest.raises(UserError, match='fallback_on is empty'):
        FallbackModel('test', 'test', fallback_on=[])
