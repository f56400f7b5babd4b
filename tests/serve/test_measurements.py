"""What a gateway measures: metrics, access logs and the ids of requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pydantic_llm.exceptions import ModelConnectionError, UserError
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.serve import GatewayKey, LocalServer, create_app
from tests.serve.conftest import Connect
from tests.serve.models import WatchedModel, failing_model, text_model
from tests.serve.protocols import ANTHROPIC, OPENAI, Wire

OWNER = {'x-api-key': 'owner'}
ALICE = {'x-api-key': 'secret-of-alice'}
LABELS = ('model', 'key', 'protocol', 'status', 'error', 'direction')
KEYS: dict[str, Any] = {'key': 'owner', 'keys': [GatewayKey('alice', 'secret-of-alice')]}


async def read_metrics(client: httpx2.AsyncClient) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the samples by name and by the values of their `LABELS`."""
    text = (await client.get('/metrics', headers=OWNER)).text
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {name: sample.labels[name] for name in LABELS if name in sample.labels}
            found.setdefault(sample.name.removeprefix('pydantic_llm_'), {})[tuple(labels.values())] = sample.value
    return found


async def test_metrics_count_requests_tokens_and_errors_by_model_and_key(connect: Connect) -> None:
    models = {
        'good': text_model('a', 'b'),
        'bad': failing_model(ModelConnectionError('bad', 'no connection')),
        'both': FallbackModel(failing_model(ModelConnectionError('bad', 'no connection')), text_model('a')),
    }
    async with connect(models, prices={'good': (1.0, 2.0)}, **KEYS) as client:
        for name in models:
            await client.post(OPENAI.path, json=OPENAI.request(model=name), headers=ALICE)
        await client.post(ANTHROPIC.path, json=ANTHROPIC.request(model='good', stream=True), headers=OWNER)
        await client.post(OPENAI.path, json=OPENAI.request(model='unknown'), headers=ALICE)
        await client.post(OPENAI.path, json=OPENAI.request())
        found = await read_metrics(client)
    assert found['requests_total'] == {
        ('good', 'alice', 'openai-chat', '200'): 1,
        ('bad', 'alice', 'openai-chat', '502'): 1,
        ('both', 'alice', 'openai-chat', '200'): 1,
        ('good', 'default', 'anthropic', '200'): 1,
        ('', 'alice', 'openai-chat', '404'): 1,
        ('', '', 'openai-chat', '401'): 1,
    }
    assert found['errors_total'] == {
        ('bad', 'alice', 'ModelConnectionError'): 1,
        ('', 'alice', 'NotFoundError'): 1,
        ('', '', 'AuthenticationError'): 1,
    }
    assert found['tokens_total']['good', 'alice', 'input'] == 3
    assert found['tokens_total']['good', 'alice', 'output'] == 2
    assert found['cost_dollars_total']['good', 'alice'] == pytest.approx(7e-6)
    assert found['fallbacks_total'] == {('both', 'alice'): 1}
    assert found['request_seconds_count']['good', 'alice'] == 1
    assert found['first_token_seconds_count'] == {('good', 'default'): 1}


async def test_metrics_show_requests_in_progress() -> None:
    model = WatchedModel()
    app = create_app(model, **KEYS)
    async with LocalServer(app) as url, httpx2.AsyncClient(base_url=url) as client:
        request = asyncio.create_task(client.post(OPENAI.path, json=OPENAI.request(), headers=OWNER))
        await asyncio.to_thread(model.started.wait, 5)
        assert (await read_metrics(client))['requests_in_progress'] == {(): 1}
        request.cancel()
        await asyncio.to_thread(model.released.wait, 5)
        await asyncio.sleep(0.05)
        found = await read_metrics(client)
    assert found['requests_in_progress'] == {(): 0}
    assert found['errors_total'] == {('watched', 'default', 'ClientDisconnect'): 1}


async def test_metrics_need_a_key_that_may_read_them(connect: Connect) -> None:
    keys = [GatewayKey('alice', 'secret-of-alice'), GatewayKey('monitor', 'owner', metrics=True)]
    async with connect(TestModel(), keys=keys) as client:
        statuses = [(await client.get('/metrics', headers=sent)).status_code for sent in ({}, ALICE, OWNER)]
    assert statuses == [401, 403, 200]


async def test_a_client_cannot_add_labels(connect: Connect) -> None:
    async with connect({'a': TestModel(), 'b': TestModel()}) as client:
        for number in range(20):
            await client.post(OPENAI.path, json=OPENAI.request(model=f'guess-{number}'))
        found = await read_metrics(client)
    assert found['requests_total'] == {('', '', 'openai-chat', '404'): 20}


# ---------------------------------------------------------------------------------------------------------- access log

ReadLog = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def read_log(capsys: pytest.CaptureFixture[str]) -> ReadLog:
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_the_log_has_a_line_for_each_request(
    connect: Connect, wire: Wire, read_log: ReadLog, *, stream: bool
) -> None:
    async with connect(text_model('secret ', 'text'), access_log='json', **KEYS) as client:
        body = wire.request('a secret question', stream=stream)
        response = await client.post(wire.to(body), json=body, headers={**ALICE, 'x-request-id': 'id-1'})
    [line] = read_log()
    expected = {
        'request_id': 'id-1',
        'key': 'alice',
        'model': 'speaker',
        'protocol': wire.name,
        'stream': stream,
        'status': 200,
        'bytes_out': len(response.content),
        'output_tokens': 2,
    }
    assert {name: line.get(name) for name in expected} == expected
    assert 0 < line['seconds'] < 5
    assert ('first_token' in line) == stream
    assert line['bytes_in'] > 20
    assert response.headers['x-request-id'] == 'id-1'


async def test_the_log_of_a_failed_request_has_its_error_and_no_content(
    connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    error = ModelConnectionError('failing', 'a secret in a message')
    async with connect(failing_model(error, after=1), access_log='logfmt') as client:
        await client.post(OPENAI.path, json=OPENAI.request('a secret question', stream=True))
        await client.post(OPENAI.path, json={'model': 'a "secret" name'})
    first, second = capsys.readouterr().out.splitlines()
    assert 'status=200' in first
    assert 'error=ModelConnectionError' in first
    assert 'stream=true' in first
    assert 'status=400' in second
    assert 'secret' not in first + second


async def test_a_request_gets_an_id(connect: Connect) -> None:
    async with connect(TestModel()) as client:
        sent = ['', 'a b', 'x' * 200, 'a"b', 'good-1']
        ids = [
            (await client.post(OPENAI.path, json=OPENAI.request(), headers={'x-request-id': each})).headers[
                'x-request-id'
            ]
            for each in sent
        ]
    assert [len(each) for each in ids] == [32, 32, 32, 32, 6]


def test_an_unknown_form_of_the_log_is_an_error() -> None:
    with pytest.raises(UserError, match="access_log is 'json' or 'logfmt'"):
        create_app(TestModel(), access_log='xml')


# ---------------------------------------------------------------------------------------------------------------- CORS


async def test_pages_of_an_allowed_origin_can_use_an_app_with_a_key(connect: Connect) -> None:
    asked = {'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type, authorization'}
    async with connect(TestModel(), key='owner', allowed_origins=['https://app.example']) as client:
        for origin, allowed in (('https://app.example', 'https://app.example'), ('https://evil.example', None)):
            preflight = await client.options(OPENAI.path, headers={'origin': origin, **asked})
            response = await client.post(OPENAI.path, json=OPENAI.request(), headers={'origin': origin, **OWNER})
            assert preflight.headers.get('access-control-allow-origin') == allowed
            assert response.headers.get('access-control-allow-origin') == allowed
            assert preflight.status_code == (200 if allowed else 400)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'allowed_origins': ['https://app.example']}, 'needs keys'),
        ({'allowed_origins': ['app.example'], 'key': 'k'}, "holds 'app.example': an origin is"),
        ({'allowed_origins': 'https://app.example', 'key': 'k'}, 'allowed_origins takes a list'),
    ],
)
def test_invalid_origins_are_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_app(TestModel(), **options)


# ------------------------------------------------------------------------------------------------------------- aliases


async def test_aliases_are_other_names_of_models(connect: Connect) -> None:
    models = {'openai:gpt-4o': text_model('a'), 'fast': text_model('b')}
    aliases = {'gpt-4': 'openai:gpt-4o', 'claude-haiku-*': 'fast', 'claude-*': 'openai:gpt-4o'}
    async with connect(models, aliases=aliases) as client:
        texts = [
            OPENAI.read_text((await client.post(OPENAI.path, json=OPENAI.request(model=name))).json())
            for name in ('gpt-4', 'gpt-4o', 'claude-haiku-4-5', 'claude-opus-5')
        ]
        listed = [model['id'] for model in (await client.get('/v1/models')).json()['data']]
    assert texts == ['a', 'a', 'b', 'a']
    assert listed == ['openai:gpt-4o', 'fast', 'gpt-4']


def test_an_alias_of_no_model_is_an_error() -> None:
    with pytest.raises(UserError, match=r"The alias 'x' names the model 'y', which there is not; there are 'a'"):
        create_app({'a': TestModel()}, aliases={'x': 'y'})
