"""The accounts of the gateway with counts that make no sense, with none, and while its measurements fail."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.embeddings import EmbeddingResult
from pydantic_llm.embeddings.test import TestEmbeddingModel
from pydantic_llm.messages import ModelResponse, TextPart
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.serve import GatewayKey
from pydantic_llm.usage import RequestUsage
from tests.serve.conftest import Connect
from tests.serve.models import text_model
from tests.serve.protocols import OPENAI

HEADERS = {'authorization': 'Bearer secret'}


async def spend(client: Any) -> int:
    return (await client.get('/usage', headers=HEADERS)).json()['spent'][0]['tokens']


@pytest.mark.parametrize('is_on_disk', [False, True])
@pytest.mark.parametrize(
    ('usage', 'tokens'),
    [
        (RequestUsage(input_tokens=-500, output_tokens=3), 0),
        (RequestUsage(input_tokens=10**400, output_tokens=1), 10**15),
        (RequestUsage(input_tokens=1, output_tokens=10**25), 10**15),
    ],
)
async def test_a_count_that_makes_no_sense_neither_fails_a_request_nor_refills_a_budget(
    usage: RequestUsage, tokens: int, is_on_disk: bool, connect: Connect, tmp_path: Path
) -> None:
    """As a model of the owner may report it; counts of vendors are checked when they are decoded."""
    model = FunctionModel(lambda messages, info: ModelResponse([TextPart('x')], usage=usage, finish_reason='stop'))
    key = GatewayKey('k', 'secret', tokens_per_day=10**17, metrics=True)
    async with connect(model, keys=[key], state=tmp_path / 'spent.db' if is_on_disk else None) as client:
        assert (await client.post(OPENAI.path, json=OPENAI.request(), headers=HEADERS)).status_code == 200
        assert await spend(client) == tokens
        assert (await client.get('/metrics', headers=HEADERS)).status_code == 200


async def test_a_log_that_cannot_be_written_fails_no_request(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = StringIO()
    closed.close()
    async with connect(text_model('Hello'), access_log='json') as client:
        monkeypatch.setattr(sys, 'stdout', closed)
        responses = [await client.post(OPENAI.path, json=OPENAI.request(stream=stream)) for stream in (False, True)]
        monkeypatch.undo()
    assert [response.status_code for response in responses] == [200, 200]


class SilentEmbeddings(TestEmbeddingModel):
    """Reports no usage, as some servers do."""

    async def embed(self, *args: Any, **options: Any) -> EmbeddingResult:
        result = await super().embed(*args, **options)
        result.usage = RequestUsage()
        return result


async def test_embeddings_without_a_usage_cost_their_estimate(connect: Connect) -> None:
    key = GatewayKey('k', 'secret', tokens_per_day=1000)
    async with connect(TestModel(), keys=[key], embeddings={'e': SilentEmbeddings()}) as client:
        body = {'model': 'e', 'input': ['word ' * 100]}
        response = await client.post('/v1/embeddings', json=body, headers=HEADERS)
        assert response.status_code == 200
        assert await spend(client) > 100


async def test_a_count_of_tokens_of_what_is_no_request_is_a_bad_request(connect: Connect) -> None:
    async with connect(TestModel()) as client:
        for wrong in ('x', 5, ['x']):
            body = {'generateContentRequest': wrong}
            response = await client.post('/v1beta/models/m:countTokens', json=body)
            assert response.status_code == 400
