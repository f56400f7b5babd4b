"""What the requests of a run cost, and the limit of the cost."""

from __future__ import annotations

import sys
from decimal import Decimal

import pytest

from pydantic_llm import ModelResponse, RunUsage, TextPart, UsageLimits, UserError
from pydantic_llm.exceptions import UsageLimitExceeded
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.prices import find_cost
from pydantic_llm.usage import RequestUsage
from tests.agent.scripted import Scripted, call
from tests.agent.test_limits import Counting, drop_events, make_agent

pytest.importorskip('genai_prices', reason="prices need the extra 'prices'")


class Priced(Counting):
    """A scripted model that is priced like another one."""

    @property
    def model_name(self) -> str:
        return 'gpt-4o'

    @property
    def system(self) -> str:
        return 'openai'


PRICE = find_cost(RequestUsage(input_tokens=10, output_tokens=5), 'openai', 'gpt-4o')


@pytest.mark.parametrize('stream', [False, True])
async def test_the_cost_of_a_run_is_counted_and_limited(stream: bool) -> None:
    assert PRICE is not None
    agent, model = make_agent(call('search'), call('search'), 'Yes.', model=Priced)
    usage = RunUsage()
    limits = UsageLimits(cost_limit=PRICE * 2)
    handler = drop_events if stream else None
    with pytest.raises(UsageLimitExceeded, match=r'US dollars, over cost_limit=0\.'):
        await agent.run('What?', usage_limits=limits, usage=usage, event_stream_handler=handler)
    assert usage.cost == PRICE * 3
    assert len(model.requests) == 3


async def test_a_float_is_a_limit_of_the_cost_too() -> None:
    agent, _ = make_agent('Yes.', model=Priced)
    assert (await agent.run('What?', usage_limits=UsageLimits(cost_limit=0.01))).usage.cost == PRICE


async def test_without_a_limit_no_price_is_looked_up() -> None:
    agent, _ = make_agent('Yes.', model=Priced)
    assert (await agent.run('What?')).usage.cost is None


async def test_a_model_without_a_price_is_an_error_before_anything_is_sent() -> None:
    agent, model = make_agent('Yes.')
    with pytest.raises(UserError, match="The price of 'scripted:scripted' is unknown"):
        await agent.run('What?', usage_limits=UsageLimits(cost_limit=1))
    assert model.requests == []
    priced, unpriced = Priced('Yes.'), Scripted('Yes.')
    with pytest.raises(UserError, match="The price of 'scripted:scripted' is unknown"):
        await agent.run('What?', model=FallbackModel(priced, unpriced), usage_limits=UsageLimits(cost_limit=1))


async def test_a_response_costs_what_its_own_model_costs() -> None:
    response = ModelResponse(
        [TextPart('Yes.')],
        usage=RequestUsage(input_tokens=1000, output_tokens=500),
        model_name='gpt-4o-mini',
        provider_name='openai',
    )
    agent, _ = make_agent(response, model=Priced)
    result = await agent.run('What?', usage_limits=UsageLimits(cost_limit=1))
    assert result.usage.cost == find_cost(response.usage, 'openai', 'gpt-4o-mini')


async def test_a_limit_of_the_cost_needs_the_package_with_the_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'genai_prices', None)
    agent, _ = make_agent('Yes.', model=Priced)
    with pytest.raises(UserError, match=r"pip install 'pydantic-llm\[prices\]'"):
        await agent.run('What?', usage_limits=UsageLimits(cost_limit=1))


async def test_a_counted_request_that_costs_too_much_is_not_sent() -> None:
    agent, model = make_agent('Yes.', model=Priced)
    limits = UsageLimits(count_tokens_before_request=True, cost_limit=Decimal('0.00002'))
    with pytest.raises(UsageLimitExceeded, match='US dollars'):
        await agent.run('What?', usage_limits=limits)
    assert model.requests == []
