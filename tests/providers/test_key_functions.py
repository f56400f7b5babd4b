"""`api_key=` takes a function, plain or async, that is called for each request, at every provider and client."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Generator, Iterator
from typing import Any

import httpx2
import pytest

from pydantic_llm import Agent, UserError
from pydantic_llm.direct import model_request_sync
from pydantic_llm.exceptions import AuthenticationError
from pydantic_llm.models import Model
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.models.huggingface import HuggingFaceModel
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.providers import infer_provider_class
from pydantic_llm.serve import LocalServer, create_app

KEY = 'key-of-the-gateway'

ROOMS: list[tuple[str, Callable[..., Model], dict[str, Any], str]] = [
    ('openai', OpenAIChatModel, {}, '/v1'),
    ('openai', OpenAIResponsesModel, {}, '/v1'),
    ('deepseek', OpenAIChatModel, {}, '/v1'),
    ('azure', OpenAIChatModel, {}, '/openai/v1/'),
    ('azure', OpenAIChatModel, {'api_version': '2024-10-21'}, ''),
    ('anthropic', AnthropicModel, {}, ''),
    ('google-gla', GeminiModel, {}, ''),
    ('google-vertex', GeminiModel, {}, ''),
    ('groq', GroqModel, {}, ''),
    ('mistral', MistralModel, {}, ''),
    ('cohere', CohereModel, {}, ''),
    ('huggingface', HuggingFaceModel, {}, '/v1'),
    ('bedrock', BedrockConverseModel, {'region_name': 'us-east-1'}, ''),
]


@pytest.fixture(scope='module')
def gateway() -> Generator[str]:
    with LocalServer(create_app(TestModel(), key=KEY)) as url:
        yield url


@pytest.mark.parametrize('own_client', [False, True], ids=['our client', 'http_client'])
@pytest.mark.parametrize(('name', 'model_type', 'options', 'path'), ROOMS)
def test_a_function_is_called_for_each_request(
    gateway: str, name: str, model_type: Callable[..., Model], options: dict[str, Any], path: str, own_client: bool
) -> None:
    calls: list[str] = []

    async def find_key() -> str:
        calls.append('async')
        return KEY

    def find_key_slowly() -> str:
        calls.append('plain')
        return KEY

    kind: Any = infer_provider_class(name)
    for function in (find_key, find_key_slowly):
        client = {'http_client': httpx2.AsyncClient()} if own_client else {}
        provider = kind(api_key=function, **{kind.url_parameter: gateway + path}, **options, **client)
        model = model_type('test', provider=provider)
        assert model_request_sync(model, 'Hi').text == 'success (no tool calls)'
        assert asyncio.run(stream_text(model)) == 'success (no tool calls)'
        assert KEY not in repr(provider) + repr(model) + repr(vars(provider))
    assert calls == ['async', 'async', 'plain', 'plain']


async def stream_text(model: Model) -> str:
    async with Agent(model).run_stream('Hi') as stream:
        return await stream.get_output()


def test_a_refused_key_is_called_again_once(gateway: str) -> None:
    keys: Iterator[str] = iter(['an-old-key', KEY, 'an-old-key', 'an-old-key', 'an-old-key'])
    model = OpenAIChatModel('test', api_key=lambda: next(keys), base_url=f'{gateway}/v1')
    assert model_request_sync(model, 'Hi').text == 'success (no tool calls)'
    with pytest.raises(AuthenticationError) as caught:
        model_request_sync(model, 'Hi')
    assert len([*keys]) == 1
    assert 'an-old-key' not in f'{caught.value} {vars(caught.value)}'
    assert b'an-old-key' not in pickle.dumps(caught.value)


def test_an_exception_of_the_function_is_raised_unchanged(gateway: str) -> None:
    def fail() -> str:
        raise TimeoutError('the vault does not respond')

    with pytest.raises(TimeoutError, match=r'^the vault does not respond$'):
        model_request_sync(OpenAIChatModel('test', api_key=fail, base_url=f'{gateway}/v1'), 'Hi')


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        (None, r"^api_key= gave an object of type 'NoneType', and must give a key$"),
        ('', r'^api_key= gave an empty string, and must give a key$'),
        ('a key', r"^The key of 'openai' in the function of api_key= cannot be sent: character 2 of 5 is a space"),
    ],
)
def test_what_is_not_a_key_is_refused(gateway: str, value: Any, message: str) -> None:
    model = OpenAIChatModel('test', api_key=lambda: value, base_url=f'{gateway}/v1')
    with pytest.raises(UserError, match=message):
        model_request_sync(model, 'Hi')


def test_a_class_is_not_a_function_for_a_key() -> None:
    wrong: Any = str
    with pytest.raises(UserError, match=r'^api_key= takes a key or a function that returns it, not the class str$'):
        OpenAIChatModel('gpt-4o', api_key=wrong)


def test_the_client_of_the_sdk_cannot_be_made_with_a_function() -> None:
    provider: Any = infer_provider_class('openai')(api_key=lambda: 'key')
    with pytest.raises(UserError, match=r'^OpenAIProvider.client needs a key, and api_key= is a function'):
        _ = provider.client
