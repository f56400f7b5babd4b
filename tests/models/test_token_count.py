"""Counting the input tokens of a request before it is sent: the request that each API gets, and its answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

import httpx2
import pytest

from pydantic_llm import Agent, ModelRequest, ModelSettings, UserError
from pydantic_llm.exceptions import NotFoundError, RateLimitError, UnexpectedModelBehavior, UsageLimitExceeded
from pydantic_llm.messages import UserPromptPart
from pydantic_llm.models import Model, ModelRequestParameters
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.names import NAMES
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.models.wrapper import WrapperModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.bedrock import BedrockProvider
from pydantic_llm.providers.cohere import CohereProvider
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.usage import UsageLimits
from pydantic_llm.wire.model import WireModel

PARAMETERS = ModelRequestParameters([ToolDefinition('look', {'type': 'object', 'properties': {}})])
MESSAGES = [ModelRequest([UserPromptPart('Hello.')], instructions='Be brief.')]
SETTINGS = ModelSettings(max_tokens=7, temperature=0.5)


class Server:
    """A server that records its requests, and answers all of them alike."""

    def __init__(self, answer: Any, status: int = 200) -> None:
        self.requests: list[tuple[str, Any]] = []
        self._answer, self._status = answer, status
        self.client = httpx2.AsyncClient(transport=httpx2.MockTransport(self._respond))

    async def _respond(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append((request.url.raw_path.decode(), json.loads(await request.aread())))
        return httpx2.Response(self._status, json=self._answer)


def anthropic(server: Server) -> Model:
    provider = AnthropicProvider(api_key='k', base_url='http://test', http_client=server.client)
    return AnthropicModel('claude-sonnet-4-5', provider=provider)


def responses(server: Server) -> Model:
    return OpenAIResponsesModel('gpt-5', provider=OpenAIProvider(api_key='k', http_client=server.client))


def gemini(server: Server) -> Model:
    return GeminiModel('gemini-2.5-flash', provider=GoogleGLAProvider(api_key='k', http_client=server.client))


def cohere(server: Server) -> Model:
    provider = CohereProvider(api_key='k', base_url='http://test', http_client=server.client)
    return CohereModel('command-a-03-2025', provider=provider)


def bedrock(server: Server) -> Model:
    provider = BedrockProvider(api_key='k', base_url='http://test', http_client=server.client)
    return BedrockConverseModel('anthropic.claude-3-5-haiku-20241022-v1:0', provider=provider)


APIS: dict[str, tuple[Callable[[Server], Model], Any, str, set[str]]] = {
    'anthropic': (
        anthropic,
        {'input_tokens': 12},
        '/v1/messages/count_tokens',
        {'model', 'messages', 'system', 'tools', 'tool_choice'},
    ),
    'responses': (
        responses,
        {'object': 'response.input_tokens', 'input_tokens': 12},
        '/v1/responses/input_tokens',
        {'model', 'input', 'instructions', 'tools', 'tool_choice'},
    ),
    'gemini': (
        gemini,
        {'totalTokens': 12},
        '/v1beta/models/gemini-2.5-flash:countTokens',
        {'generateContentRequest'},
    ),
    'bedrock': (
        bedrock,
        {'inputTokens': 12},
        '/model/anthropic.claude-3-5-haiku-20241022-v1%3A0/count-tokens',
        {'input'},
    ),
    'cohere': (
        cohere,
        {'tokens': [7] * 12, 'token_strings': []},
        '/v1/tokenize',
        {'model', 'text'},
    ),
}
each = pytest.mark.parametrize('api', APIS)


@each
async def test_the_api_counts_what_a_request_would_have(api: str) -> None:
    make, answer, path, fields = APIS[api]
    server = Server(answer)
    counted = await make(server).count_tokens(MESSAGES, SETTINGS, PARAMETERS)
    assert counted.input_tokens == 12
    [(sent_to, body)] = server.requests
    assert sent_to == path
    assert set(body) <= fields
    text = json.dumps(body)
    assert all(piece in text for piece in ('Hello.', 'Be brief.', 'look'))
    assert 'stream' not in body


NOT_COUNTED: dict[str, set[str]] = {
    'anthropic': {'max_tokens', 'metadata', 'stop_sequences', 'temperature', 'service_tier'},
    'responses': {'max_output_tokens', 'temperature', 'service_tier', 'metadata', 'store', 'stream', 'include'},
    'gemini': set(),
    'bedrock': {'inferenceConfig', 'serviceTier', 'requestMetadata'},
}
"""The fields of a request that have no part in the count, by API: the generation's options, and notes."""

ALL_SETTINGS: dict[str, Any] = {
    'max_tokens': 2000,
    'temperature': 0.5,
    'stop_sequences': ['x'],
    'service_tier': 'default',
    'thinking': 'low',
    'parallel_tool_calls': False,
    'openai_metadata': {'a': 'b'},
    'anthropic_metadata': {'user_id': 'u'},
    'bedrock_request_metadata': {'a': 'b'},
    'unsupported_settings': 'drop',
}

ROOMS_THAT_COUNT = {'anthropic', 'bedrock', 'cohere', 'gemini', 'openai.responses'}


def test_every_room_that_counts_is_tested() -> None:
    classes = [getattr(import_module(f'pydantic_llm.models.{name.module}'), name.model) for name in NAMES.values()]
    apis = [each.token_count_api for each in classes if issubclass(each, WireModel)]
    rooms = {
        api.encode.__module__.removeprefix('pydantic_llm.models.').removesuffix('.token_count') for api in apis if api
    }
    assert rooms == ROOMS_THAT_COUNT
    assert len(APIS) == len(ROOMS_THAT_COUNT)


@pytest.mark.parametrize('api', NOT_COUNTED)
async def test_the_counted_body_is_that_of_the_request_without_declared_fields(api: str) -> None:
    make, answer, _, _ = APIS[api]
    server = Server(answer)
    model, settings = make(server), cast('ModelSettings', ALL_SETTINGS)
    await model.count_tokens(MESSAGES, settings, PARAMETERS)
    request = model.describe_request(MESSAGES, settings, PARAMETERS)
    counted, body = server.requests[0][1], json.loads(request.body)
    if api == 'gemini':
        counted = counted['generateContentRequest']
        assert counted.pop('model') == 'models/gemini-2.5-flash'
    elif api == 'bedrock':
        counted = counted['input']['converse']
    assert body.keys() - counted.keys() <= NOT_COUNTED[api]
    assert counted == {name: value for name, value in body.items() if name in counted}
    assert len(counted) > 1


async def test_cohere_counts_every_text_in_requests_of_limited_size() -> None:
    server = Server({'tokens': [1, 2, 3]})
    history = [*MESSAGES, ModelRequest([UserPromptPart('a' * 70_000)], instructions='Be brief.')]
    counted = await cohere(server).count_tokens(history, SETTINGS, PARAMETERS)
    texts = [body['text'] for _, body in server.requests]
    assert [len(text) <= 65_536 for text in texts] == [True, True]
    assert all(piece in ''.join(texts) for piece in ('Be brief.', 'Hello.', 'a' * 70_000, '"look"'))
    assert (counted.input_tokens, counted.source('input_tokens')) == (6, 'estimated')


@each
async def test_a_request_over_a_limit_is_counted_and_not_sent(api: str) -> None:
    make, answer, path, _ = APIS[api]
    server = Server(answer)
    limits = UsageLimits(count_tokens_before_request=True, input_tokens_limit=11)
    with pytest.raises(UsageLimitExceeded, match='12 input tokens, over input_tokens_limit=11'):
        await Agent(make(server)).run('Hello.', usage_limits=limits)
    assert [sent_to for sent_to, _ in server.requests] == [path]


def test_vertex_gets_the_fields_of_the_request() -> None:
    api = GeminiModel.token_count_api
    assert api is not None
    body: dict[str, Any] = {'contents': [], 'tools': [], 'toolConfig': {}, 'safetySettings': []}
    assert api.encode('/publishers/google/models/g:generateContent', body) == (
        '/publishers/google/models/g:countTokens',
        {'contents': [], 'tools': []},
    )


@each
async def test_an_answer_without_a_number_is_an_error(api: str) -> None:
    with pytest.raises(UnexpectedModelBehavior, match='when it counted tokens'):
        await APIS[api][0](Server({'other': 1})).count_tokens(MESSAGES)


@each
async def test_errors_of_the_vendor_are_raised(api: str) -> None:
    with pytest.raises((NotFoundError, RateLimitError)):
        await APIS[api][0](Server({'error': {'message': 'no'}}, 404)).count_tokens(MESSAGES)


async def test_models_around_models_pass_the_request_on() -> None:
    server = Server({'input_tokens': 12})
    model = FallbackModel(WrapperModel(anthropic(server)), TestModel())
    assert (await model.count_tokens(MESSAGES)).input_tokens == 12


async def test_models_for_tests_count_what_their_usage_has() -> None:
    for model in (TestModel(), FunctionModel(lambda messages, info: TestModel().request(messages))):
        counted = await model.count_tokens(MESSAGES)
        assert counted.input_tokens == (await model.request(MESSAGES)).usage.input_tokens


async def test_an_api_that_cannot_count_says_so() -> None:
    model = OpenAIChatModel('gpt-4o', provider=OpenAIProvider(api_key='k'))
    with pytest.raises(UserError, match="'openai:gpt-4o' cannot count the tokens of a request"):
        await model.count_tokens(MESSAGES)
