"""The keys of a gateway: models, rates, budgets, and what each has spent."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anthropic import Anthropic, RateLimitError as AnthropicRateLimitError
from openai import OpenAI, PermissionDeniedError, RateLimitError

from pydantic_llm.exceptions import ModelConnectionError, UserError
from pydantic_llm.messages import ModelResponse, TextPart
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.prices import Prices, find_cost
from pydantic_llm.serve import GatewayKey, LocalServer, create_app
from pydantic_llm.serve.budgets import Amount, BudgetStore, MemoryStore, open_store
from pydantic_llm.serve.budgets.amounts import list_periods
from pydantic_llm.usage import RequestUsage
from tests.models.redis_server import SERVER, Redis
from tests.serve.conftest import Connect
from tests.serve.models import WatchedModel, failing_model, text_model
from tests.serve.protocols import ANTHROPIC, OPENAI, Wire

NOON = datetime(2026, 12, 31, 12, tzinfo=UTC)


def key(name: str = 'alice', **options: Any) -> GatewayKey:
    return GatewayKey(name, f'secret-of-{name}', **options)


def headers(name: str = 'alice') -> dict[str, str]:
    return {'authorization': f'Bearer secret-of-{name}'}


async def read_usage(client: httpx2.AsyncClient, name: str = 'alice') -> list[Any]:
    return (await client.get('/usage', headers=headers(name))).json()['spent']


# ----------------------------------------------------------------------------------------------------------- the keys


async def test_each_key_is_accepted_and_a_wrong_one_is_not(connect: Connect) -> None:
    async with connect(TestModel(), key='main', keys=[key('alice'), key('bob')]) as client:
        for sent, status in (('main', 200), ('secret-of-alice', 200), ('secret-of-bob', 200), ('guess', 401)):
            response = await client.get('/v1/models', headers={'x-api-key': sent})
            assert response.status_code == status


async def test_a_key_uses_its_models_only(connect: Connect) -> None:
    models = {'small': text_model('a'), 'large': text_model('b')}
    async with connect(models, keys=[key(models=['small'])]) as client:
        allowed = await client.post(OPENAI.path, json=OPENAI.request(model='small'), headers=headers())
        refused = await client.post(OPENAI.path, json=OPENAI.request(model='large'), headers=headers())
        listed = (await client.get('/v1/models', headers=headers())).json()
        shown = await client.get('/v1/models/large', headers=headers())
    assert (allowed.status_code, refused.status_code, shown.status_code) == (200, 403, 404)
    assert "may not use 'large'; it may use 'small'" in refused.json()['error']['message']
    assert [model['id'] for model in listed['data']] == ['small']


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'dollars_per_day': -1}, 'dollars_per_day'),
        ({'dollars_per_month': float('inf')}, 'dollars_per_month'),
        ({'tokens_per_month': True}, 'tokens_per_month'),
        ({'concurrency': 1.5}, 'concurrency'),
        ({'models': []}, 'may use no model'),
        ({'models': 'small'}, 'models takes a list'),
        ({'name': 'a b'}, 'name is'),
        ({'key': b'x'}, 'takes a text, not bytes'),
    ],
    ids=str,
)
def test_an_invalid_key_is_an_error_that_names_the_option(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        GatewayKey(**{'name': 'alice', 'key': 'secret', **options})


def test_a_key_is_not_shown() -> None:
    app = create_app(TestModel(), keys=[key()])
    assert 'secret' not in repr(key())
    assert 'secret-of' not in repr(vars(app.state.gateway.access))


@pytest.mark.parametrize(
    ('keys', 'message'),
    [
        ([key(), key()], "Two keys have the same name, that of 'alice'"),
        ([GatewayKey('a', 'x'), GatewayKey('b', 'x')], "Two keys have the same key, that of 'a'"),
        ([key(models=['smal'])], "names the model 'smal', which there is not"),
        ('secret', 'keys takes a list of GatewayKey'),
        (['secret'], 'keys takes a list of GatewayKey'),
    ],
)
def test_invalid_keys_together_are_an_error(keys: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_app({'small': TestModel()}, keys=keys)


# -------------------------------------------------------------------------------------------------------------- rates


async def test_a_key_that_reached_its_rate_gets_the_error_of_its_protocol(connect: Connect, wire: Wire) -> None:
    async with connect(text_model('a'), keys=[key(requests_per_minute=1)]) as client:
        body = wire.request()
        first = await client.post(wire.to(body), json=body, headers=headers())
        second = await client.post(wire.to(body), json=body, headers=headers())
    assert (first.status_code, second.status_code) == (200, 429)
    assert 0 < int(second.headers['retry-after']) <= 60
    assert "The key 'alice' has reached its limit of 1 requests a minute" in second.text


async def test_a_key_has_only_so_many_requests_at_once() -> None:
    model = WatchedModel()
    app = create_app(model, keys=[key(concurrency=1)])
    async with LocalServer(app) as url, httpx2.AsyncClient(base_url=url, headers=headers()) as client:
        first = asyncio.create_task(client.post(OPENAI.path, json=OPENAI.request()))
        await asyncio.to_thread(model.started.wait, 5)
        refused = await client.post(OPENAI.path, json=OPENAI.request())
        first.cancel()
        await asyncio.to_thread(model.released.wait, 5)
        model.ends = True
        accepted = await client.post(OPENAI.path, json=OPENAI.request())
    assert (refused.status_code, accepted.status_code) == (429, 200)


async def test_tokens_that_were_not_used_are_given_back_to_the_rate(connect: Connect) -> None:
    async with connect(text_model('a'), keys=[key(tokens_per_minute=1_200)]) as client:
        for _ in range(3):  # each reserves 1,000 tokens, and uses 4
            response = await client.post(OPENAI.path, json=OPENAI.request(), headers=headers())
            assert response.status_code == 200


# ------------------------------------------------------------------------------------------------------------ budgets


def priced_model(tokens: int = 1_000, *, error: Exception | None = None) -> FunctionModel:
    """Build a model that uses as many tokens of input and of output."""

    def respond(messages: Any, info: Any) -> ModelResponse:
        if error is not None:
            raise error
        return ModelResponse([TextPart('a')], usage=RequestUsage(input_tokens=tokens, output_tokens=tokens))

    return FunctionModel(respond, model_name='priced')


PRICES = {'priced': (1.0, 2.0)}
"""US dollars for a million tokens, so that a response of `priced_model` costs 0.003."""


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_a_request_beyond_the_budget_gets_the_error_of_its_protocol(
    connect: Connect, wire: Wire, stream: bool
) -> None:
    model = TestModel()
    async with connect(model, keys=[key(tokens_per_day=60)]) as client:
        body = wire.request(stream=stream)
        response = await client.post(wire.to(body), json=body, headers=headers())
        day, _ = await read_usage(client)
    assert response.status_code == 429
    assert 'has a budget of 60 tokens a day: 60 are left' in wire.read_error(response.json())
    assert (model.last_messages, day['tokens']) == (None, 0)


async def test_a_refused_request_says_how_much_is_left_and_until_when(connect: Connect) -> None:
    async with connect(priced_model(), keys=[key(dollars_per_month=0.004)], prices=PRICES) as client:
        assert (await client.post(OPENAI.path, json=OPENAI.request(), headers=headers())).status_code == 200
        refused = await client.post(OPENAI.path, json=OPENAI.request(), headers=headers())
        day, month = await read_usage(client)
    assert refused.status_code == 429
    assert 'has a budget of 0.004 US dollars a month: 0.001000 are left' in refused.json()['error']['message']
    assert 0 < int(refused.headers['retry-after']) <= 31 * 86_400
    assert refused.headers['x-should-retry'] == 'false'
    assert (day['dollars'], month['dollars'], month['dollars_limit']) == (0.003, 0.003, 0.004)
    assert (day['tokens'], day['tokens_limit']) == (2_000, None)


def test_the_vendors_clients_know_that_the_budget_is_spent() -> None:
    with LocalServer(create_app(priced_model(), keys=[key(tokens_per_day=10)])) as url:
        with OpenAI(base_url=f'{url}/v1', api_key='secret-of-alice') as client, pytest.raises(RateLimitError):
            client.chat.completions.create(model='x', messages=[{'role': 'user', 'content': 'Hi'}])
        with Anthropic(base_url=url, api_key='secret-of-alice') as client, pytest.raises(AnthropicRateLimitError):
            client.messages.create(model='x', max_tokens=9, messages=[{'role': 'user', 'content': 'Hi'}])


def test_the_openai_client_knows_a_model_that_the_key_may_not_use() -> None:
    app = create_app({'a': TestModel(), 'b': TestModel()}, keys=[key(models=['a'])])
    with (
        LocalServer(app) as url,
        OpenAI(base_url=f'{url}/v1', api_key='secret-of-alice') as client,
        pytest.raises(PermissionDeniedError),
    ):
        client.chat.completions.create(model='b', messages=[{'role': 'user', 'content': 'Hi'}])


async def test_a_request_that_failed_costs_nothing(connect: Connect) -> None:
    model = priced_model(error=ModelConnectionError('priced', 'no connection'))
    async with connect(model, keys=[key(dollars_per_day=1)], prices=PRICES) as client:
        assert (await client.post(OPENAI.path, json=OPENAI.request(), headers=headers())).status_code == 502
        day, _ = await read_usage(client)
    assert (day['dollars'], day['tokens']) == (0, 0)


async def test_a_stream_that_broke_off_costs_its_estimate(connect: Connect) -> None:
    model = failing_model(ModelConnectionError('failing', 'broken'), after=2)
    async with connect(model, keys=[key(tokens_per_day=10_000)]) as client:
        await client.post(OPENAI.path, json=OPENAI.request(stream=True), headers=headers())
        day, _ = await read_usage(client)
    assert day['tokens'] > 1_000


async def test_a_request_of_a_client_that_went_away_costs_its_estimate() -> None:
    model = WatchedModel()
    app = create_app(model, keys=[key(tokens_per_day=10_000)])
    async with LocalServer(app) as url, httpx2.AsyncClient(base_url=url, headers=headers()) as client:
        request = asyncio.create_task(client.post(OPENAI.path, json=OPENAI.request(stream=True)))
        await asyncio.to_thread(model.started.wait, 5)
        request.cancel()
        await asyncio.to_thread(model.released.wait, 5)
        day, _ = await read_usage(client)
    assert day['tokens'] > 1_000


async def test_concurrent_requests_never_spend_more_than_the_budget(connect: Connect) -> None:
    async with connect(priced_model(500), keys=[key(tokens_per_day=5_000)]) as client:
        body = OPENAI.request()
        responses = await asyncio.gather(*(client.post(OPENAI.path, json=body, headers=headers()) for _ in range(20)))
        day, _ = await read_usage(client)
    assert day['tokens'] == 1_000 * sum(response.status_code == 200 for response in responses) <= 5_000


async def test_a_key_without_a_budget_has_a_usage_too(connect: Connect) -> None:
    async with connect(priced_model(), keys=[key()], prices=PRICES) as client:
        await client.post(ANTHROPIC.path, json=ANTHROPIC.request(), headers=headers())
        day, month = await read_usage(client)
    assert (day['dollars'], day['tokens'], month['tokens']) == (0.003, 2_000, 2_000)


async def test_a_price_is_that_of_the_model_that_responded(connect: Connect) -> None:
    def respond(messages: Any, info: Any) -> ModelResponse:
        usage = RequestUsage(input_tokens=1_000, output_tokens=1_000)
        return ModelResponse([TextPart('a')], usage=usage, model_name='gpt-4o-mini', provider_name='openai')

    first = OpenAIChatModel('gpt-4o', api_key='k')
    app = create_app(FallbackModel(FunctionModel(respond, model_name='cheap'), first), keys=[key()])
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url='http://localhost')
    await client.post(OPENAI.path, json=OPENAI.request(), headers=headers())
    day, _ = await read_usage(client)
    expected = find_cost(RequestUsage(input_tokens=1_000, output_tokens=1_000), 'openai', 'gpt-4o-mini')
    assert Decimal(str(day['dollars'])) == expected


def test_a_budget_in_dollars_for_a_model_without_a_price_is_an_error() -> None:
    models = {'known': OpenAIChatModel('gpt-4o', api_key='k'), 'priced': priced_model()}
    with pytest.raises(UserError, match=r"budget in dollars, and the price of function:priced \(model 'priced'\)"):
        create_app(models, keys=[key(dollars_per_day=1)])
    create_app(models, keys=[key(dollars_per_day=1, models=['known'])])
    create_app(models, keys=[key(dollars_per_day=1)], prices=PRICES)
    create_app(models, keys=[key(tokens_per_day=1)])


@pytest.mark.parametrize(
    ('prices', 'message'),
    [
        ({'other': (1, 1)}, "names 'other', which is none of the models"),
        ({'priced': 1}, 'prices takes Prices, or two prices'),
        ({'priced': (1, -1)}, 'prices'),
    ],
)
def test_an_invalid_price_is_an_error(prices: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_app({'priced': priced_model()}, prices=prices)


async def test_prices_of_a_served_model_can_have_each_class_of_tokens(connect: Connect) -> None:
    prices = {'good': Prices(input=1, output=2_000_000)}
    async with connect(TestModel(model_name='good'), keys=[key(dollars_per_day=10**6)], prices=prices) as client:
        response = await client.post(OPENAI.path, json=OPENAI.request(), headers=headers())
        day, _ = await read_usage(client)
    assert response.status_code == 200, response.text
    assert int(float(day['dollars'])) == 2 * response.json()['usage']['completion_tokens']


def test_batches_that_are_no_options_are_an_error() -> None:
    wrong: Any = True
    with pytest.raises(UserError, match='batches takes BatchOptions, not True'):
        create_app(TestModel(), batches=wrong)


async def test_usage_needs_a_key(connect: Connect) -> None:
    async with connect(TestModel(), keys=[key()]) as client:
        assert (await client.get('/usage')).status_code == 401
    async with connect(TestModel()) as client:
        assert (await client.get('/usage')).status_code == 404


# ------------------------------------------------------------------------------------------------------------- stores


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    if SERVER is None:
        pytest.skip('there is no redis-server on this machine')
    redis = Redis(tmp_path)
    yield redis.url
    redis.kill()


async def test_the_path_of_budgets_can_be_written_as_that_of_a_cache(tmp_path: Path) -> None:
    for name, prefix in (('a.db', ''), ('b.db', 'sqlite:'), ('c.db', 'sqlite://')):
        await open_store(f'{prefix}{tmp_path / name}').aclose()
    files = await asyncio.to_thread(lambda: {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob('*.db')})
    assert files == dict.fromkeys(['a.db', 'b.db', 'c.db'], 0o600)


@pytest.fixture(params=['memory', 'sqlite', 'redis'])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[BudgetStore]:
    """Return each store in turn."""
    state = {
        'memory': lambda: None,
        'sqlite': lambda: tmp_path / 'budgets.db',
        'redis': lambda: request.getfixturevalue('redis_url'),
    }[request.param]()
    store = open_store(state)
    yield store
    await store.aclose()


async def test_a_store_reserves_until_a_budget_is_full(store: BudgetStore) -> None:
    limited = list_periods(key(dollars_per_month=1, tokens_per_day=100), NOON)
    name = f'reserve-{type(store).__name__}'
    assert await store.reserve(name, limited, Amount.of(0.4, 60)) is None
    full = await store.reserve(name, limited, Amount.of(0.1, 60))
    assert full is not None
    assert full.name == 'day'
    assert await store.reserve(name, limited, Amount.of(0.6, 40)) is None
    full = await store.reserve(name, limited, Amount.of(Decimal('0.000000001'), 0))
    assert full is not None
    assert full.name == 'month'
    assert [spent.amount for spent in await store.read(name, limited)] == [Amount.of(1, 100)] * 2
    await store.add(name, limited, Amount() - Amount.of(0.4, 60))
    assert [spent.amount for spent in await store.read(name, limited)] == [Amount.of(0.6, 40)] * 2
    await store.check()


def test_days_and_months_are_those_of_utc() -> None:
    day, month = list_periods(key(dollars_per_day=0.1, tokens_per_month=5), NOON)
    assert (day.id, day.ends, day.nanodollars, day.tokens) == (
        '2026-12-31',
        datetime(2027, 1, 1, tzinfo=UTC),
        100_000_000,
        None,
    )
    assert (month.id, month.ends, month.nanodollars, month.tokens) == (
        '2026-12',
        datetime(2027, 1, 1, tzinfo=UTC),
        None,
        5,
    )


async def test_budgets_survive_a_restart(connect: Connect, tmp_path: Path) -> None:
    state = tmp_path / 'budgets.db'
    for _ in range(2):
        async with connect(priced_model(), keys=[key(tokens_per_day=10_000)], state=state) as client:
            await client.post(OPENAI.path, json=OPENAI.request(), headers=headers())
            day, _ = await read_usage(client)
    assert day['tokens'] == 4_000


SPENDER = """
import asyncio, sys
from pydantic_llm.serve import GatewayKey
from pydantic_llm.serve.budgets import Amount, open_store
from pydantic_llm.serve.budgets.amounts import list_periods

async def spend():
    store = open_store(sys.argv[1])
    periods = list_periods(GatewayKey('shared', 'k', tokens_per_month=1000))
    spent = 0
    for _ in range(100):
        spent += await store.reserve('shared', periods, Amount(1, 10)) is None
    print(spent)

asyncio.run(spend())
"""


def test_processes_share_a_budget(tmp_path: Path) -> None:
    state = str(tmp_path / 'budgets.db')
    open_store(state)
    command = [sys.executable, '-c', SPENDER, state]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    spent = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(spent) == 100
    [_, month] = asyncio.run(open_store(state).read('shared', list_periods(key())))
    assert month.amount == Amount(100, 1000)


@pytest.mark.parametrize(
    ('state', 'message'),
    [
        ('postgres://x', "the scheme 'postgres'"),
        (5, 'state takes'),
        ('/nowhere/at/all/budgets.db', 'cannot be stored'),
        ('redis://localhost:port', 'needs a URL such as'),
    ],
)
def test_an_invalid_state_is_an_error(state: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_app(TestModel(), keys=[key()], state=state)


class BrokenStore(MemoryStore):
    """A store that cannot be reached."""

    async def reserve(self, key: str, periods: Any, amount: Amount) -> Any:
        raise OSError('no connection')

    add = read = reserve  # type: ignore[assignment]

    async def check(self) -> None:
        raise OSError('no connection')


async def test_without_its_store_no_budget_is_spent_and_the_app_is_not_ready() -> None:
    app = create_app(priced_model(), keys=[key(tokens_per_day=10_000), key('free')])
    app.state.gateway.admissions.store = BrokenStore()
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url='http://localhost')
    refused = await client.post(OPENAI.path, json=OPENAI.request(), headers=headers())
    accepted = await client.post(OPENAI.path, json=OPENAI.request(), headers=headers('free'))
    ready, health = await client.get('/ready'), await client.get('/health')
    assert (refused.status_code, accepted.status_code) == (503, 200)
    assert (ready.status_code, health.status_code) == (503, 200)
    assert json.loads(ready.text)['error'] == 'OSError'
