"""Tests of what a vendor reports in HTTP headers: on every response and error, whichever library sends the request."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from pydantic_llm.exceptions import LLMError, ModelHTTPError
from pydantic_llm.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse
from pydantic_llm.models import Model
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.rate_limits import RateLimit, RateLimits
from tests.faults.vendors import KEY, VENDORS, Vendor
from tests.transport.server import EVENT_STREAM, Exchange, Server

HELLO = [ModelRequest.user_text_prompt('Hello?')]

HEADERS = {
    'X-Request-Id': 'req-7',
    'x-ratelimit-limit-requests': '60',
    'x-ratelimit-remaining-requests': '59',
    'x-ratelimit-reset-requests': '1s',
    'x-ratelimit-remaining-tokens': '149984',
    'x-ratelimit-reset-tokens': '6m0s',
    'Set-Cookie': 'session=a-secret',
}
LIMITS = RateLimits(RateLimit(60, 59, 1), RateLimit(None, 149_984, 360))


def _with_openai_client(url: str) -> Model:
    openai = pytest.importorskip('openai')
    client = openai.AsyncOpenAI(api_key=KEY, base_url=f'{url}/v1')
    return OpenAIModel('gpt-4o', provider=OpenAIProvider(openai_client=client))


def _with_anthropic_client(url: str) -> Model:
    anthropic = pytest.importorskip('anthropic')
    client = anthropic.AsyncAnthropic(api_key=KEY, base_url=url)
    return AnthropicModel('claude-sonnet-4-5', provider=AnthropicProvider(anthropic_client=client))


ALL = (
    *VENDORS,
    Vendor('openai-client', 'openai-chat', _with_openai_client),
    Vendor('anthropic-client', 'anthropic', _with_anthropic_client),
)
vendors = pytest.mark.parametrize('vendor', ALL, ids=repr)

LITELLM_WARNINGS = (
    'ignore::UserWarning',
    'ignore::DeprecationWarning',
)  # of its types, in the task that reads its stream

pytestmark = [pytest.mark.filterwarnings(each) for each in LITELLM_WARNINGS]


def serve(vendor: Vendor, *, status: int = 200, frames: list[bytes] | None = None) -> Server:
    async def respond(exchange: Exchange) -> None:
        if status != 200:
            return await exchange.respond(vendor.error(status), status=status, headers=HEADERS)
        if frames is None:
            return await exchange.respond(vendor.body(), headers=HEADERS)
        kind = 'application/vnd.amazon.eventstream' if vendor.name == 'bedrock' else EVENT_STREAM
        await exchange.begin(kind, HEADERS)
        await exchange.chunk(b''.join(frames))
        return await exchange.end()

    return Server(respond)


async def read_stream(model: Model) -> ModelResponse:
    async with model.request_stream(HELLO, {'retries': 0}) as stream:
        async for _ in stream:
            pass
        return stream.get()


@vendors
@pytest.mark.parametrize('streamed', [False, True], ids=['whole', 'streamed'])
async def test_every_response_has_its_headers(vendor: Vendor, streamed: bool) -> None:
    async with serve(vendor, frames=vendor.frames() if streamed else None).run() as server:
        model = vendor.make(server.url)
        response = await read_stream(model) if streamed else await model.request(HELLO, {'retries': 0})
        await model.aclose()
    assert (response.request_id, response.rate_limits) == ('req-7', LIMITS)
    headers = response.headers or {}
    assert headers['x-ratelimit-limit-requests'] == '60'
    assert all(name == name.lower() for name in headers)
    assert 'a-secret' not in f'{response!r} {headers!r} {dict(headers)}'
    assert 'set-cookie' not in headers
    twin: ModelResponse = pickle.loads(pickle.dumps(response))
    assert twin == response
    assert twin.rate_limits == LIMITS


@vendors
async def test_every_error_has_its_headers(vendor: Vendor) -> None:
    async with serve(vendor, status=400).run() as server:
        model = vendor.make(server.url)
        with pytest.raises(ModelHTTPError) as caught:
            await model.request(HELLO, {'retries': 0})
        await model.aclose()
    assert (caught.value.request_id, caught.value.rate_limits) == ('req-7', LIMITS)


@pytest.mark.parametrize('vendor', [vendor for vendor in ALL if vendor.name != 'litellm'], ids=repr)
async def test_an_error_inside_a_stream_has_the_headers_of_its_response(vendor: Vendor) -> None:
    async with serve(vendor, frames=[*vendor.frames()[:2], vendor.error_frame(2)]).run() as server:
        model = vendor.make(server.url)
        with pytest.raises(LLMError) as caught:
            await read_stream(model)
        await model.aclose()
    assert isinstance(caught.value, ModelHTTPError)
    assert (caught.value.request_id, caught.value.rate_limits) == ('req-7', LIMITS)


async def test_only_the_id_of_the_request_is_stored() -> None:
    [vendor] = (vendor for vendor in VENDORS if vendor.name == 'openai')
    async with serve(vendor).run() as server:
        model = vendor.make(server.url)
        response = await model.request(HELLO)
        await model.aclose()
    stored = ModelMessagesTypeAdapter.dump_json([response])
    [loaded] = ModelMessagesTypeAdapter.validate_json(stored)
    assert isinstance(loaded, ModelResponse)
    assert loaded == response
    assert (loaded.request_id, loaded.headers, loaded.rate_limits) == ('req-7', None, RateLimits())
    assert b'ratelimit' not in stored


async def test_a_model_in_this_process_has_no_headers() -> None:
    response = await TestModel().request(HELLO)
    assert (response.headers, response.request_id, response.rate_limits) == (None, None, RateLimits())


DATE = {'date': 'Mon, 30 Nov 2026 10:00:00 GMT'}

REPORTED: dict[str, tuple[Any, RateLimits]] = {
    'Groq': (
        {
            'x-ratelimit-limit-requests': '14400',
            'x-ratelimit-limit-tokens': '18000',
            'x-ratelimit-remaining-requests': '14370',
            'x-ratelimit-remaining-tokens': '17997',
            'x-ratelimit-reset-requests': '2m59.56s',
            'x-ratelimit-reset-tokens': '7.66s',
        },
        RateLimits(RateLimit(14_400, 14_370, 179.56), RateLimit(18_000, 17_997, 7.66)),
    ),
    'Anthropic': (
        {
            **DATE,
            'anthropic-ratelimit-requests-limit': '50',
            'anthropic-ratelimit-requests-remaining': '49',
            'anthropic-ratelimit-requests-reset': '2026-11-30T10:00:01Z',
            'anthropic-ratelimit-input-tokens-limit': '30000',
            'anthropic-ratelimit-input-tokens-remaining': '29000',
            'anthropic-ratelimit-input-tokens-reset': '2026-11-30T10:00:02Z',
        },
        RateLimits(RateLimit(50, 49, 1), RateLimit(30_000, 29_000, 2)),
    ),
    'Mistral': (
        {
            'x-ratelimit-limit-req-minute': '60',
            'x-ratelimit-remaining-req-minute': '59',
            'x-ratelimit-limit-tokens-minute': '50000',
            'x-ratelimit-remaining-tokens-minute': '47196',
            'x-ratelimit-limit-tokens-month': '4000000',
        },
        RateLimits(RateLimit(60, 59), RateLimit(50_000, 47_196)),
    ),
    'Cerebras': (
        {
            'x-ratelimit-limit-requests-day': '14400',
            'x-ratelimit-remaining-requests-day': '14399',
            'x-ratelimit-reset-requests-day': '33011.38',
            'x-ratelimit-limit-tokens-minute': '60000',
            'x-ratelimit-remaining-tokens-minute': '59000',
            'x-ratelimit-reset-tokens-minute': '11.38',
        },
        RateLimits(RateLimit(14_400, 14_399, 33_011.38), RateLimit(60_000, 59_000, 11.38)),
    ),
    'Cohere': (
        {'x-trial-endpoint-call-limit': '20', 'x-trial-endpoint-call-remaining': '19'},
        RateLimits(RateLimit(20, 19)),
    ),
    'OpenRouter': (
        {**DATE, 'x-ratelimit-limit': '20', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1796032860000'},
        RateLimits(RateLimit(20, 0, 60)),
    ),
    'an odd date': (
        {'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1796032860', 'date': 'today'},
        RateLimits(RateLimit(None, 0, pytest.approx(0, abs=1e9))),  # pyright: ignore[reportArgumentType] -- equal to a number
    ),
}
"""Headers of each vendor, and what they report. The sources are in the table of `rate_limits`."""


@pytest.mark.parametrize('name', REPORTED)
def test_the_headers_of_each_vendor_become_one_value(name: str) -> None:
    headers, expected = REPORTED[name]
    assert RateLimits.from_headers(headers) == expected
