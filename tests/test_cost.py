"""What a response costs: the price of each class of tokens, and the names of what has no price."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pydantic_llm import (
    Agent,
    BinaryContent,
    FilePart,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    TextPart,
    UserError,
)
from pydantic_llm.cost import Cost
from pydantic_llm.exceptions import UnknownPriceError
from pydantic_llm.messages import AttemptUsage, ModelMessagesTypeAdapter, ModelResponsePart
from pydantic_llm.models import infer_model
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.models.wrapper import WrapperModel
from pydantic_llm.prices import FALLBACKS, Prices, find_cost, find_model_prices, register_price
from pydantic_llm.usage import RequestUsage

genai_prices = pytest.importorskip('genai_prices', reason="prices need the extra 'prices'")

HELLO = [ModelRequest.user_text_prompt('Hello?')]


def respond(
    usage: RequestUsage,
    model_name: str = 'gpt-5',
    provider_name: str = 'openai',
    *,
    parts: list[ModelResponsePart] | None = None,
    **fields: Any,
) -> ModelResponse:
    return ModelResponse(
        parts or [TextPart('Yes.')], usage=usage, model_name=model_name, provider_name=provider_name, **fields
    )


FULL = RequestUsage(
    input_tokens=1000,
    cache_read_tokens=300,
    cache_write_tokens=200,
    input_audio_tokens=100,
    cache_audio_read_tokens=50,
    output_tokens=400,
    output_reasoning_tokens=150,
    output_audio_tokens=20,
    details={'ephemeral_1h_input_tokens': 80},
)
COUNTS = {
    'input_tokens': 1000,
    'cache_read_tokens': 300,
    'cache_write_tokens': 200,
    'cache_write_1h_tokens': 80,
    'input_audio_tokens': 100,
    'cache_audio_read_tokens': 50,
    'output_tokens': 400,
    'output_reasoning_tokens': 150,
    'output_audio_tokens': 20,
}


# ---------------------------------------------------------------------- the price of each class


def test_every_model_costs_what_genai_prices_says() -> None:
    from genai_prices.data_snapshot import get_snapshot

    time, compared = datetime(2026, 11, 30, 12, tzinfo=UTC), 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            response = respond(FULL, model.id, provider.id, timestamp=time)
            try:
                found = get_snapshot().find_provider_model(model.id, None, provider.id, None)[1]
                expected = found.calc_price(genai_prices.Usage(**COUNTS), provider, genai_request_timestamp=time)
            except (LookupError, ValueError):  # an id that does not match itself, or prices of cached images only
                continue
            cost = response.cost()
            if cost.breakdown and cost.model is found and cost.is_complete:
                compared += 1
                assert cost.total_price == expected.total_price, (provider.id, model.id)
                assert (cost.input_price, cost.output_price) == (expected.input_price, expected.output_price)
    assert compared > 1500


def test_the_breakdown_has_one_price_for_each_class() -> None:
    usage = RequestUsage(input_tokens=1000, cache_read_tokens=400, output_tokens=100, output_reasoning_tokens=50)
    cost = respond(usage).cost()
    assert cost.breakdown == {
        'input': Decimal('0.00075'),
        'cache_read': Decimal('0.00005'),
        'output': Decimal('0.0005'),
        'output_reasoning': Decimal('0.0005'),
    }
    assert (cost.total_price, cost.input_price, cost.output_price) == (
        Decimal('0.0018'),
        Decimal('0.0008'),
        Decimal('0.001'),
    )
    assert cost.is_complete
    assert (cost.model.name, cost.provider.id) == ('GPT-5', 'openai')
    assert cost.model_price.input_mtok == Decimal('1.25')


def test_a_long_request_costs_more_from_its_first_token() -> None:
    short, long = (
        respond(RequestUsage(input_tokens=tokens, output_tokens=10), 'claude-sonnet-4-5', 'anthropic').cost()
        for tokens in (200_000, 200_001)
    )
    assert (short.input_price, long.input_price) == (Decimal('0.6'), Decimal('1.200006'))


def test_prices_are_those_of_the_time_of_the_response() -> None:
    usage = RequestUsage(input_tokens=1_000_000)
    times = [datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)]  # o3 became cheaper on June 10
    assert [respond(usage, 'o3', timestamp=time).cost().total_price for time in times] == [10, 2]


def test_a_vendor_is_found_by_its_url_before_its_name() -> None:
    response = respond(
        RequestUsage(input_tokens=10), 'openai/gpt-oss-120b', provider_url='https://api.groq.com/openai/v1'
    )
    assert response.cost().provider.id == 'groq'


@pytest.mark.parametrize(
    ('details', 'factor'),
    [
        ({'service_tier': 'default'}, 1),
        ({'service_tier': 'flex'}, Decimal('0.5')),
        ({'service_tier': 'priority'}, 2),
        ({'processing': 'batch'}, Decimal('0.5')),
    ],
)
def test_known_service_tiers_have_their_own_prices(details: dict[str, str], factor: Decimal) -> None:
    usage = RequestUsage(input_tokens=1000, output_tokens=10)
    cost = respond(usage, provider_details=details).cost()
    assert cost.is_complete
    assert cost.total_price == respond(usage).cost().total_price * factor


def test_the_batches_of_anthropic_and_the_tiers_of_google_are_recognised() -> None:
    usage = RequestUsage(input_tokens=1000)
    batch = respond(usage, 'claude-sonnet-4-5', 'anthropic', provider_details={'service_tier': 'batch'}).cost()
    assert batch.total_price == Decimal('0.0015')
    names = [
        respond(usage, 'gemini-2.5-flash', 'google-vertex', provider_details={'traffic_type': name}).cost().unpriced
        for name in ('ON_DEMAND', 'PROVISIONED_THROUGHPUT')
    ]
    assert names[0] == ()
    assert "'provisioned'" in names[1][0]


@pytest.mark.parametrize('odd', [{}, [], 3, {'type': {}}], ids=repr)
def test_odd_details_select_no_prices(odd: Any) -> None:
    details = {'service_tier': odd, 'speed': odd, 'processing': odd, 'traffic_type': odd}
    cost = respond(RequestUsage(input_tokens=1000), provider_details=details).cost()
    assert (cost.is_complete, cost.total_price) == (True, Decimal('0.00125'))


# ---------------------------------------------------------------------- what has no price


@pytest.mark.parametrize('prices', [None, {'openai:other': Prices(input=1)}])
def test_an_unknown_model_has_no_price_instead_of_zero(prices: Any) -> None:
    cost = respond(RequestUsage(input_tokens=10), 'my-own').cost(prices=prices)
    assert cost == Cost(unpriced=('openai:my-own: the prices of the model are unknown',))
    with pytest.raises(UnknownPriceError, match='the prices of the model are unknown'):
        _ = cost.total_price
    with pytest.raises(LookupError):
        _ = cost.input_price


UNPRICED: dict[str, tuple[ModelResponse, str]] = {
    'a class of tokens': (
        respond(RequestUsage(input_tokens=10, output_tokens=7), 'text-embedding-3-small'),
        'openai:text-embedding-3-small: output tokens have no price (7 used)',
    ),
    'a service tier': (
        respond(RequestUsage(input_tokens=10), provider_details={'service_tier': 'scale'}),
        "openai:gpt-5: the prices of 'scale' are unknown, so the standard ones were used",
    ),
    "Bedrock's service tier": (
        respond(
            RequestUsage(input_tokens=10),
            'amazon.nova-lite-v1:0',
            'bedrock',
            provider_details={'service_tier': {'type': 'flex'}},
        ),
        "bedrock:amazon.nova-lite-v1:0: the prices of 'flex' are unknown, so the standard ones were used",
    ),
    'a native tool': (
        respond(
            RequestUsage(input_tokens=10), parts=[NativeToolCallPart('web_search'), NativeToolCallPart('web_search')]
        ),
        "openai:gpt-5: the price of the tool 'web_search' is unknown (2 calls)",
    ),
    'a file': (
        respond(RequestUsage(input_tokens=10), parts=[FilePart(BinaryContent(b'x', media_type='image/png'))]),
        'openai:gpt-5: the price of the generated files is unknown (1 files)',
    ),
    'tokens that did not arrive': (
        respond(RequestUsage(input_tokens=10, missing=('output_tokens',))),
        'openai:gpt-5: the output tokens were not reported',
    ),
}


@pytest.mark.parametrize('case', UNPRICED)
def test_a_part_without_a_price_is_named_beside_the_others(case: str) -> None:
    response, sentence = UNPRICED[case]
    cost = response.cost()
    assert cost.unpriced == (sentence,)
    assert not cost.is_complete
    assert cost.total_price > 0


def test_a_response_without_usage_has_no_price_instead_of_zero() -> None:
    cost = respond(RequestUsage.without_counts()).cost()
    assert cost.unpriced == (
        'openai:gpt-5: the input tokens were not reported',
        'openai:gpt-5: the output tokens were not reported',
    )
    with pytest.raises(UnknownPriceError):
        _ = cost.total_price


def test_a_response_that_used_nothing_costs_nothing() -> None:
    cost = respond(RequestUsage(), 'my-own').cost()
    assert (cost.is_complete, cost.total_price) == (True, 0)


def test_searches_that_the_vendor_counts_are_priced() -> None:
    usage = RequestUsage(input_tokens=1000, details={'web_search_requests': 3})
    cost = respond(usage, 'claude-sonnet-4-5', 'anthropic', parts=[NativeToolCallPart('web_search')]).cost()
    assert cost.breakdown == {'input': Decimal('0.003'), 'web_searches': Decimal('0.03')}
    assert cost.is_complete


def test_images_are_priced_by_their_own_tokens() -> None:
    usage = RequestUsage(output_tokens=1290, details={'image_candidates_tokens': 1290})
    image = FilePart(BinaryContent(b'x', media_type='image/png'))
    cost = respond(usage, 'gemini-2.5-flash-image', 'google-gla', parts=[image]).cost()
    assert cost.breakdown == {'output_image': Decimal('0.0387')}


def test_the_cost_of_estimated_tokens_is_an_estimate() -> None:
    assert respond(RequestUsage(input_tokens=10, estimated=('input_tokens',))).cost().is_estimated
    assert not respond(RequestUsage(input_tokens=10)).cost().is_estimated


def test_without_the_package_a_cost_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('genai_prices', 'genai_prices.data_snapshot'):
        monkeypatch.setitem(sys.modules, name, None)
    response = respond(RequestUsage(input_tokens=10))
    with pytest.raises(UserError, match=r"pip install 'pydantic-llm\[prices\]'"):
        response.cost()
    assert response.cost(prices=Prices(input=1)).total_price == Decimal('0.00001')


# ---------------------------------------------------------------------- prices of your own


def test_prices_of_your_own_come_first() -> None:
    usage = RequestUsage(input_tokens=1000, cache_read_tokens=500, output_tokens=100, output_reasoning_tokens=100)
    cost = respond(usage).cost(
        prices={'openai:*': Prices(input=9, output=9), 'openai:gpt*': Prices(input=2, output=0.5)}
    )
    assert cost.breakdown == {
        'input': Decimal('0.001'),
        'cache_read': Decimal('0.001'),
        'output_reasoning': Decimal('0.00005'),
    }
    assert cost.model is None


def test_registered_prices_apply_to_everything_that_asks_for_prices() -> None:
    assert find_cost(RequestUsage(input_tokens=1), 'acme', 'ft:x:1') is None
    register_price('acme:ft:x:*', Prices(input=1, output=Decimal(2)))
    register_price('acme:ft:x:*', Prices(input=3, output=Decimal(2)))
    usage = RequestUsage(input_tokens=1_000_000, output_tokens=1_000_000)
    assert find_cost(usage, 'acme', 'ft:x:1') == 5
    assert respond(usage, 'ft:x:1', 'acme').cost().total_price == 5
    assert find_model_prices('acme', 'ft:x:1') == Prices(
        input=Decimal(3), output=Decimal(2), **{name: Decimal(2 if name.startswith('out') else 3) for name in FALLBACKS}
    )


def test_prices_that_no_response_could_have_are_an_error() -> None:
    with pytest.raises(UserError, match=r"model_id is 'gpt-4o': write 'PROVIDER:gpt-4o', or '\*:gpt-4o'"):
        register_price('gpt-4o', Prices(input=1))
    with pytest.raises(UserError, match="model_id is 'gpt-4o'"):
        respond(RequestUsage()).cost(prices={'gpt-4o': Prices(input=1)})
    wrong: Any = {'openai:gpt-4o': (1, 2)}
    with pytest.raises(UserError, match=r"prices\['openai:gpt-4o'\] takes Prices, not \(1, 2\)"):
        respond(RequestUsage()).cost(prices=wrong)


@pytest.mark.parametrize('wrong', [-1, float('nan'), Decimal('inf'), 'much'])
def test_a_price_that_is_none_is_an_error_that_names_it(wrong: Any) -> None:
    with pytest.raises(UserError, match='cache_read'):
        Prices(cache_read=wrong)
    with pytest.raises(UserError, match='prices'):
        register_price('a:b', wrong)
    with pytest.raises(UserError, match='prices'):
        respond(RequestUsage()).cost(prices=wrong)


# ---------------------------------------------------------------------- several requests


async def test_each_attempt_of_a_fallback_is_priced_by_its_model() -> None:
    bad = respond(RequestUsage(input_tokens=1_000_000), 'gpt-4o')
    good = respond(
        RequestUsage(input_tokens=1_000_000, output_tokens=10),
        'claude-sonnet-4-5',
        'anthropic',
        timestamp=bad.timestamp,
    )

    def is_bad(response: ModelResponse) -> bool:
        return response.model_name == 'gpt-4o'

    model = FallbackModel(
        FunctionModel(lambda messages, info: bad),
        FunctionModel(lambda messages, info: good),
        fallback_on=is_bad,
        mid_stream='restart',
    )
    response = await model.request(HELLO)
    assert response.usage.input_tokens == 2_000_000
    assert [each.model_name for each in response.attempts] == ['gpt-4o', 'claude-sonnet-4-5']
    assert response.cost().total_price == bad.cost().total_price + good.cost().total_price
    assert response.cost().model is None
    [stored] = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([response]))
    assert stored == response
    result = await Agent(model).run('Hello?')
    assert result.cost().total_price == response.cost().total_price
    async with Agent(model).run_stream('Hello?') as stream:
        await stream.get_output()
        assert stream.cost().total_price == response.cost().total_price


def test_a_response_of_one_request_stores_no_attempts() -> None:
    stored = ModelMessagesTypeAdapter.dump_python([respond(RequestUsage(input_tokens=1))])
    assert 'attempts' not in stored[0]


def test_a_turn_of_several_requests_keeps_the_attempts_of_each() -> None:
    first = AttemptUsage(usage=RequestUsage(input_tokens=1), model_name='a')
    paused = respond(RequestUsage(input_tokens=1), attempts=[first])
    joined = paused.join(respond(RequestUsage(input_tokens=2)))
    assert [(each.model_name, each.usage.input_tokens) for each in joined.attempts] == [('a', 1), ('gpt-5', 2)]
    assert respond(RequestUsage(input_tokens=1)).join(respond(RequestUsage(input_tokens=2))).attempts == ()


def test_the_cost_of_a_run_names_what_has_no_price() -> None:
    result = Agent(TestModel()).run_sync('Hello?')
    assert result.cost().unpriced == ('test:test: the prices of the model are unknown',)
    costs = result.cost() + respond(RequestUsage(input_tokens=1_000_000)).cost()
    assert (costs.total_price, costs.is_complete, costs.is_estimated) == (Decimal('1.25'), False, True)


# ---------------------------------------------------------------------- what a model costs and takes


def test_a_model_has_its_window_its_output_limit_and_its_prices() -> None:
    model = infer_model('anthropic:claude-sonnet-4-5', api_key='k')
    assert (model.context_window, model.max_output_tokens) == (200_000, 64_000)
    assert model.prices is not None
    assert (model.prices.input, model.prices.cache_write_1h, model.prices.output) == (3, 6, 15)
    own = infer_model('openai:my-own', api_key='k', profile={'context_window': 9, 'max_output_tokens': 3})
    assert (own.context_window, own.max_output_tokens, own.prices) == (9, 3, None)


def test_models_around_models_have_the_smallest_window() -> None:
    small, large = (
        infer_model('openai:x', api_key='k', profile={'context_window': size, 'max_output_tokens': size})
        for size in (5, 9)
    )
    both = FallbackModel(large, small, TestModel())
    assert (both.context_window, both.max_output_tokens, both.prices) == (5, 5, None)
    wrapped = WrapperModel(infer_model('openai:gpt-4o', api_key='k'))
    assert (wrapped.context_window, wrapped.prices) == (128_000, find_model_prices('openai', 'gpt-4o'))
