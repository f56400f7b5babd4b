"""The forms of each vendor's batches: what is sent, byte for byte, and what its documents say that it returns."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anthropic as anthropic_sdk
import groq as groq_sdk
import httpx2
import openai as openai_sdk
import pytest
from mistralai.client import Mistral

from pydantic_llm.batches import BatchRequest, BatchResult, batch_requests
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.google_vertex import GoogleVertexProvider
from pydantic_llm.providers.groq import GroqProvider
from pydantic_llm.providers.mistral import MistralProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve import LocalServer, create_app
from pydantic_llm.tools import ToolDefinition
from pydantic_llm.usage import RequestUsage
from pydantic_llm.wire.batch_api import BatchApi, BatchRow, BatchStatus, find_status
from pydantic_llm.wire.model import WireModel
from tests.batches.vendors import VENDORS, anthropic, gemini, groq, mistral, openai_chat
from tests.serve.models import text_model

each = pytest.mark.parametrize('vendor', VENDORS)
PARAMETERS = ModelRequestParameters(function_tools=[ToolDefinition('look', {'type': 'object', 'properties': {}})])
JOB = {'id': 'b', 'name': 'batches/b', 'status': 'validating', 'processing_status': 'in_progress'}

ROWS = {
    'openai-chat': '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":%s}',
    'openai-responses': '{"custom_id":"a","method":"POST","url":"/v1/responses","body":%s}',
    'azure': '{"custom_id":"a","method":"POST","url":"/chat/completions","body":%s}',
    'groq': '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":%s}',
    'mistral': '{"custom_id":"a","body":%s}',
    'anthropic': '{"custom_id":"a","params":%s}',
    'gemini': '{"request":%s,"metadata":{"key":"a"}}',
}
"""A row of each vendor, with the body of a request at `%s`."""


class Recorder:
    """A server that accepts everything, as the transport of an HTTP client."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, httpx2.Headers, bytes]] = []
        self.client = httpx2.AsyncClient(transport=httpx2.MockTransport(self._respond))

    async def _respond(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        self.requests.append((request.method, request.url.path, request.headers, body))
        if request.headers.get('x-goog-upload-command') == 'start':
            return httpx2.Response(200, json={}, headers={'x-goog-upload-url': 'https://other.example/up?id=1'})
        if '/up' in request.url.path:
            return httpx2.Response(200, json={'file': {'name': 'files/f'}})
        return httpx2.Response(200, json=JOB)


@each
async def test_the_body_of_a_row_is_that_of_a_request_byte_for_byte(vendor: str) -> None:
    recorder = Recorder()
    model = VENDORS[vendor]('http://test', http_client=recorder.client)
    prompt = [ModelRequest.user_text_prompt('Hi "there" é', instructions='Be brief.')]
    settings: Any = {'max_tokens': 10}
    await batch_requests(model, [BatchRequest(prompt, settings, PARAMETERS, 'a')])
    body = model.describe_request(prompt, settings, PARAMETERS).body
    sent = recorder.requests[0][3]
    assert (ROWS[vendor] % body.decode()).encode() in sent
    assert b'"stream":true' not in sent


@pytest.mark.parametrize(
    ('make', 'path', 'job'),
    [
        (
            openai_chat,
            '/v1/batches',
            {'input_file_id': 'b', 'endpoint': '/v1/chat/completions', 'completion_window': '24h'},
        ),
        (
            groq,
            '/openai/v1/batches',
            {'input_file_id': 'b', 'endpoint': '/v1/chat/completions', 'completion_window': '24h'},
        ),
        (
            mistral,
            '/mistral/v1/batch/jobs',
            {'input_files': ['b'], 'endpoint': '/v1/chat/completions', 'model': 'm'},
        ),
    ],
)
async def test_a_batch_names_its_file(make: Callable[..., WireModel[Any]], path: str, job: Any) -> None:
    recorder = Recorder()
    await batch_requests(make('http://test', http_client=recorder.client), ['a'])
    [upload, created] = recorder.requests
    assert upload[1] == path.rpartition('/batch')[0].replace('/batch', '') + '/files'
    assert b'name="purpose"\r\n\r\nbatch\r\n' in upload[3]
    assert (created[0], created[1], json.loads(created[3])) == ('POST', path, job)


async def test_a_key_never_goes_to_the_host_that_a_response_names() -> None:
    recorder = Recorder()
    await batch_requests(gemini('http://test', http_client=recorder.client), ['a' * 600_000] * 2)
    start, upload, created = recorder.requests
    assert start[2]['x-goog-upload-header-content-length'] == str(len(upload[3]))
    assert (start[1], upload[1], upload[2]['host']) == ('/upload/v1beta/files', '/up', 'test')
    assert json.loads(created[3])['batch']['inputConfig'] == {'fileName': 'files/f'}


async def test_betas_of_all_requests_are_in_the_header_of_the_batch() -> None:
    recorder = Recorder()
    model = anthropic('http://test', http_client=recorder.client)
    betas: list[Any] = [{'anthropic_betas': ['one', 'two']}, {'anthropic_betas': ['two', 'three']}]
    batch = await batch_requests(model, [BatchRequest('a', settings) for settings in betas])
    assert recorder.requests[0][2]['anthropic-beta'] == 'one,two,three'
    assert batch.id == 'b'


async def test_headers_of_the_models_settings_go_with_every_request() -> None:
    recorder = Recorder()
    provider = OpenAIProvider(api_key='k', base_url='http://test/v1', http_client=recorder.client)
    model = OpenAIChatModel('m', provider=provider, settings={'extra_headers': {'X-Team': 'a'}})
    batch = await batch_requests(model, ['a'])
    await batch.refresh()
    assert [request[2]['x-team'] for request in recorder.requests] == ['a'] * 3


def openai_clients(url: str) -> list[WireModel[Any]]:
    """Return a model for each client of a vendor's package that can be handed over."""
    client = openai_sdk.AsyncOpenAI(base_url=f'{url}/v1', api_key='k')
    return [
        OpenAIChatModel('m', provider=OpenAIProvider(openai_client=client)),
        OpenAIResponsesModel('m', provider=OpenAIProvider(openai_client=client)),
        OpenAIChatModel(
            'm',
            provider=OpenAIProvider(
                openai_client=openai_sdk.AsyncAzureOpenAI(azure_endpoint=url, api_version='2025-04-01', api_key='k')
            ),
        ),
        GroqModel('m', provider=GroqProvider(groq_client=groq_sdk.AsyncGroq(base_url=url, api_key='k'))),
        AnthropicModel(
            'm',
            provider=AnthropicProvider(anthropic_client=anthropic_sdk.AsyncAnthropic(base_url=url, api_key='k')),
        ),
        MistralModel('m', provider=MistralProvider(mistral_client=Mistral(server_url=f'{url}/mistral', api_key='k'))),
    ]


async def test_batches_go_through_the_client_of_a_vendors_package() -> None:
    with LocalServer(create_app(text_model('Hello'))) as url:
        for model in openai_clients(url):
            batch = await batch_requests(model, ['a', 'b'])
            results = [result async for result in batch.results(poll_every=0.02)]
            assert [result.get_response().text for result in results] == ['Hello', 'Hello']
            assert batch.warnings == []
            await model.aclose()


async def test_clients_of_clouds_without_batches_are_refused() -> None:
    bedrock = anthropic_sdk.AsyncAnthropicBedrock(aws_region='us-east-1', aws_access_key='a', aws_secret_key='b')
    models: list[WireModel[Any]] = [
        AnthropicModel('m', provider=AnthropicProvider(anthropic_client=bedrock)),
        GeminiModel('m', provider=GoogleVertexProvider(api_key='k')),
    ]
    for model in models:
        with pytest.raises(UserError, match='has no batches'):
            await batch_requests(model, ['a'])


# ---------------------------------------------------------------------- what vendors return


def api_of(model: WireModel[Any]) -> BatchApi:
    api = model.get_batch_api()
    assert api is not None
    return api


OPENAI, MISTRAL, ANTHROPIC, GEMINI = (api_of(make('http://test')) for make in (openai_chat, mistral, anthropic, gemini))


@pytest.mark.parametrize(
    ('api', 'row', 'expected'),
    [
        (
            OPENAI,
            {'custom_id': 'a', 'response': {'status_code': 200, 'request_id': 'r', 'body': {'x': 1}}, 'error': None},
            BatchRow(id='a', outcome='response', body={'x': 1}, request_id='r'),
        ),
        (
            OPENAI,
            {'custom_id': 'a', 'response': {'status_code': 400, 'request_id': 'r', 'body': {'error': {}}}},
            BatchRow(id='a', outcome='error', body={'error': {}}, status=400, request_id='r'),
        ),
        (
            OPENAI,
            {'custom_id': 'a', 'response': None, 'error': {'code': 'batch_expired', 'message': 'late'}},
            BatchRow(id='a', outcome='expired'),
        ),
        (
            OPENAI,
            {'custom_id': 'a', 'response': None, 'error': {'code': 'batch_cancelled', 'message': 'no'}},
            BatchRow(id='a', outcome='cancelled'),
        ),
        (
            OPENAI,
            {'custom_id': 'a', 'response': None, 'error': {'code': 'request_timeout', 'message': 'slow'}},
            BatchRow(id='a', outcome='error', body={'error': {'code': 'request_timeout', 'message': 'slow'}}),
        ),
        (
            MISTRAL,
            {'custom_id': None, 'response': {'status_code': 422, 'body': 'wrong'}, 'error': None},
            BatchRow(id='', outcome='error', body={'error': 'wrong'}, status=422),
        ),
        (
            ANTHROPIC,
            {'custom_id': 'a', 'result': {'type': 'errored', 'error': {'type': 'error', 'error': {}}}},
            BatchRow(id='a', outcome='error', body={'type': 'error', 'error': {}}),
        ),
        (ANTHROPIC, {'custom_id': 'a', 'result': {'type': 'expired'}}, BatchRow(id='a', outcome='expired')),
        (ANTHROPIC, {'custom_id': 'a', 'result': {'type': 'canceled'}}, BatchRow(id='a', outcome='cancelled')),
        (
            GEMINI,
            {'key': 'a', 'response': {'candidates': []}},
            BatchRow(id='a', outcome='response', body={'candidates': []}),
        ),
        (
            GEMINI,
            {'metadata': {'key': 'a'}, 'error': {'code': 8, 'message': 'slow down'}},
            BatchRow(id='a', outcome='error', body={'error': {'code': 429, 'message': 'slow down'}}, status=429),
        ),
        (GEMINI, {'key': 'a', 'status': {'code': 1}}, BatchRow(id='a', outcome='cancelled')),
    ],
)
def test_a_row_is_read_as_its_vendor_documents_it(api: BatchApi, row: Any, expected: BatchRow) -> None:
    assert api.decode_row(row) == expected


@pytest.mark.parametrize(
    ('api', 'job', 'status'),
    [
        (OPENAI, {'id': 'b', 'status': 'validating'}, 'pending'),
        (OPENAI, {'id': 'b', 'status': 'finalizing'}, 'running'),
        (OPENAI, {'id': 'b', 'status': 'canceled'}, 'cancelled'),
        (OPENAI, {'id': 'b', 'status': 'a new word'}, 'running'),
        (MISTRAL, {'id': 'b', 'status': 'TIMEOUT_EXCEEDED'}, 'expired'),
        (MISTRAL, {'id': 'b', 'status': 'SUCCESS'}, 'completed'),
        (ANTHROPIC, {'id': 'b', 'processing_status': 'canceling'}, 'cancelling'),
        (ANTHROPIC, {'id': 'b', 'processing_status': 'ended', 'request_counts': {'succeeded': 1}}, 'completed'),
        (ANTHROPIC, {'id': 'b', 'processing_status': 'ended', 'request_counts': {'expired': 1}}, 'expired'),
        (
            ANTHROPIC,
            {
                'id': 'b',
                'processing_status': 'ended',
                'request_counts': {'canceled': 1},
                'cancel_initiated_at': '2026-01-01T00:00:00Z',
            },
            'cancelled',
        ),
        (GEMINI, {'name': 'batches/b', 'metadata': {'state': 'JOB_STATE_SUCCEEDED'}}, 'completed'),
        (GEMINI, {'name': 'batches/b', 'metadata': {'state': 'BATCH_STATE_EXPIRED'}}, 'expired'),
        (GEMINI, {'name': 'batches/b'}, 'pending'),
    ],
)
def test_a_status_is_read_as_its_vendor_documents_it(api: BatchApi, job: Any, status: BatchStatus) -> None:
    assert api.decode_job(job).status == status


@pytest.mark.parametrize(
    ('statuses', 'expected'),
    [
        (['pending', 'pending'], 'pending'),
        (['pending', 'completed'], 'running'),
        (['running', 'cancelling'], 'running'),
        (['cancelling', 'cancelled'], 'cancelling'),
        (['completed', 'expired'], 'expired'),
        (['completed', 'failed', 'cancelled'], 'failed'),
        (['completed', 'completed'], 'completed'),
    ],
)
def test_the_status_of_several_batches_is_that_of_the_slowest_or_the_worst(statuses: Any, expected: str) -> None:
    assert find_status(statuses) == expected


# ---------------------------------------------------------------------- prices


def test_the_price_of_a_result_is_that_of_batches() -> None:
    usage = RequestUsage(input_tokens=100_000, output_tokens=100_000)

    def price(provider: str, model: str) -> Decimal | None:
        response = ModelResponse([TextPart('a')], usage=usage, model_name=model, provider_name=provider)
        return BatchResult('a', response).batch_cost()

    assert price('anthropic', 'claude-sonnet-4-5') == Decimal('0.9')  # half of 3 and 15 dollars a million
    assert price('deepseek', 'deepseek-chat') is None  # which has no price for batches
    assert price('nobody', 'nothing') is None
    assert BatchResult('a', error=UserError('no')).batch_cost() is None
