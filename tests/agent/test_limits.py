"""The limits of a run, the final answer when one is reached, and what requests cost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from pydantic_llm import (
    Agent,
    ModelMessage,
    ModelRequest,
    ModelSettings,
    RunUsage,
    UsageLimits,
    UserError,
)
from pydantic_llm.exceptions import UnexpectedModelBehavior, UsageLimitExceeded
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.usage import RequestUsage
from tests.agent.scripted import Scripted, call, outline


class City(BaseModel):
    name: str


class Counting(Scripted):
    """A scripted model that counts 10 input tokens for each message."""

    async def count_tokens(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestUsage:
        return RequestUsage(input_tokens=10 * len(messages))


def make_agent(*responses: Any, model: type[Scripted] = Scripted, **options: Any) -> tuple[Agent[None, Any], Scripted]:
    scripted = model(*responses)
    agent: Agent[None, Any] = Agent(scripted, **options)

    @agent.tool_plain
    def search(query: str = '') -> str:
        return f'nothing about {query}'

    return agent, scripted


async def drop_events(ctx: Any, events: Any) -> None:
    """Read no event; it makes the run stream its responses."""


def choices_of(model: Scripted) -> list[Any]:
    return [(request.settings or {}).get('tool_choice') for request in model.requests]


def instructions_of(model: Scripted) -> list[str | None]:
    newest = [request.messages[-1] for request in model.requests]
    return [message.instructions for message in newest if isinstance(message, ModelRequest)]


NOTE = 'Give the final answer now, from what you know. You can call no more tools.'


# ------------------------------------------------------------------------------------------------------ final answer


@pytest.mark.parametrize('stream', [False, True])
async def test_the_last_allowed_request_is_for_the_final_answer(stream: bool) -> None:
    def respond(messages: list[ModelMessage], parameters: ModelRequestParameters) -> Any:
        return call('search') if len(messages) < 5 else 'I do not know.'

    agent, model = make_agent(respond, instructions='Search.')
    limits = UsageLimits(request_limit=3, final_answer=True)
    handler = drop_events if stream else None
    result = await agent.run('What?', usage_limits=limits, event_stream_handler=handler)
    assert result.output == 'I do not know.'
    assert choices_of(model) == [None, None, 'none']
    assert instructions_of(model) == ['Search.', 'Search.', f'Search.\n\n{NOTE}']


async def test_an_output_tool_is_still_there_for_the_final_answer() -> None:
    agent, model = make_agent(call('search'), call('final_result', {'name': 'Oslo'}), output_type=City)
    result = await agent.run('What?', usage_limits=UsageLimits(request_limit=2, final_answer=True))
    assert result.output == City(name='Oslo')
    assert [tool.name for tool in model.requests[-1].parameters.output_tools] == ['final_result']


async def test_calls_over_the_limit_are_not_carried_out_and_the_final_answer_is_next() -> None:
    agent, model = make_agent([call('search', id='a'), call('search', id='b')], 'I do not know.')
    result = await agent.run('What?', usage_limits=UsageLimits(tool_calls_limit=1, final_answer=True))
    assert result.output == 'I do not know.'
    assert result.usage.tool_calls == 0
    assert [part[-1] for part in outline(result.all_messages())[2]] == ['denied', 'denied']
    assert choices_of(model) == [None, 'none']


async def test_the_request_after_the_last_allowed_call_is_for_the_final_answer() -> None:
    agent, model = make_agent(call('search'), 'I do not know.')
    await agent.run('What?', usage_limits=UsageLimits(tool_calls_limit=1, final_answer=True))
    assert choices_of(model) == [None, 'none']


async def test_a_model_that_goes_on_calling_tools_gets_an_error_all_the_same() -> None:
    agent, _ = make_agent(call('search'))
    with pytest.raises(UsageLimitExceeded, match='request_limit=2'):
        await agent.run('What?', usage_limits=UsageLimits(request_limit=2, final_answer=True))
    with pytest.raises(UnexpectedModelBehavior, match='exceeded max_retries=1'):
        await agent.run('What?', usage_limits=UsageLimits(tool_calls_limit=0, final_answer=True))


async def test_without_the_option_a_limit_is_an_error_and_no_tool_runs() -> None:
    agent, model = make_agent([call('search', id='a'), call('search', id='b')])
    usage = RunUsage()
    with pytest.raises(UsageLimitExceeded, match='tool_calls_limit=1'):
        await agent.run('What?', usage_limits=UsageLimits(tool_calls_limit=1), usage=usage)
    assert usage.tool_calls == 0
    assert choices_of(model) == [None]


# ------------------------------------------------------------------------------------------------------------ tokens


async def test_the_tokens_of_one_request_are_limited() -> None:
    agent, _ = make_agent('Yes.')
    with pytest.raises(UsageLimitExceeded, match='10 input tokens, over per_request_input_tokens_limit=9'):
        await agent.run('What?', usage_limits=UsageLimits(per_request_input_tokens_limit=9))


@pytest.mark.parametrize(
    'limits',
    [
        {'per_request_input_tokens_limit': 9},
        {'input_tokens_limit': 9},
        {'total_tokens_limit': 9},
    ],
)
async def test_a_counted_request_over_a_limit_is_not_sent(limits: Any) -> None:
    agent, model = make_agent('Yes.', model=Counting)
    with pytest.raises(UsageLimitExceeded):
        await agent.run('What?', usage_limits=UsageLimits(count_tokens_before_request=True, **limits))
    assert model.requests == []


async def test_a_request_below_the_limits_is_counted_and_sent() -> None:
    agent, _ = make_agent('Yes.', model=Counting)
    limits = UsageLimits(count_tokens_before_request=True, input_tokens_limit=10)
    assert (await agent.run('What?', usage_limits=limits)).usage.input_tokens == 10


async def test_a_model_that_cannot_count_says_so_before_anything_is_sent() -> None:
    agent, model = make_agent('Yes.')
    with pytest.raises(UserError, match="'scripted:scripted' cannot count the tokens"):
        await agent.run('What?', usage_limits=UsageLimits(count_tokens_before_request=True))
    assert model.requests == []


@pytest.mark.parametrize(
    'bad',
    [
        {'cost_limit': Decimal('NaN')},
        {'cost_limit': -1},
        {'cost_limit': '1'},
        {'final_answer': 1},
        {'request_limit': True},
    ],
)
def test_a_wrong_limit_is_named(bad: Any) -> None:
    with pytest.raises(UserError, match=next(iter(bad))):
        UsageLimits(**bad)


def test_limits_are_shown_if_they_were_given() -> None:
    assert repr(UsageLimits(final_answer=True, cost_limit=2)) == (
        'UsageLimits(request_limit=50, cost_limit=2, final_answer=True)'
    )


def test_the_cost_of_several_runs_is_added() -> None:
    total = RunUsage(cost=Decimal('0.1'), requests=1) + RunUsage(cost=Decimal('0.2'), requests=2)
    assert (total.cost, total.requests) == (Decimal('0.3'), 3)
    assert (RunUsage() + RunUsage()).cost is None
