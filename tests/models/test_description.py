"""What a request is: equal for equal requests, different for whatever decides about the response."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from pydantic_llm.messages import ImageUrl, ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_llm.models import Model, ModelRequestParameters
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.models.wrapper import WrapperModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.settings import ModelSettings
from pydantic_llm.tools import ToolDefinition

OPENAI = OpenAIModel('gpt-4o', provider=OpenAIProvider(api_key='sk-secret-of-the-test'))
MODELS: list[Model] = [
    OPENAI,
    AnthropicModel('claude-sonnet-4-5', provider=AnthropicProvider(api_key='sk-secret-of-the-test')),
    WrapperModel(OPENAI),
    TestModel(),
    FunctionModel(lambda messages, info: ModelResponse([TextPart('fixed')])),
]


def ask(*texts: str) -> list[ModelMessage]:
    return [ModelRequest([UserPromptPart(text)]) for text in texts]


def fingerprint(model: Model, messages: Sequence[ModelMessage], settings: Any = None, parameters: Any = None) -> str:
    return model.describe_request(messages, settings, parameters).fingerprint


@pytest.fixture(params=MODELS, ids=lambda model: repr(model)[:20])
def model(request: pytest.FixtureRequest) -> Model:
    return request.param


def test_times_and_the_order_of_settings_do_not_matter(model: Model) -> None:
    earlier = datetime(2020, 1, 1, tzinfo=UTC)
    messages: list[ModelMessage] = [ModelRequest([UserPromptPart('Hello', timestamp=earlier)])]
    first = fingerprint(model, messages, ModelSettings(temperature=0.5, max_tokens=5, timeout=3))
    assert first == fingerprint(model, ask('Hello'), ModelSettings(max_tokens=5, temperature=0.5))


@pytest.mark.parametrize(
    ('messages', 'settings', 'parameters'),
    [
        (ask('Hello!'), None, None),
        (ask('Hello', 'Hello'), None, None),
        (ask('Hello'), ModelSettings(max_tokens=7), None),
        (ask('Hello'), ModelSettings(extra_headers={'x-variant': 'b'}), None),
        (ask('Hello'), ModelSettings(extra_body={'variant': 'b'}), None),
        (ask('Hello'), None, ModelRequestParameters(function_tools=[ToolDefinition('look')])),
    ],
    ids=['text', 'turns', 'setting', 'header', 'body', 'tool'],
)
def test_what_decides_about_the_response_matters(
    model: Model, messages: list[ModelMessage], settings: Any, parameters: Any
) -> None:
    assert fingerprint(model, messages, settings, parameters) != fingerprint(model, ask('Hello'))


def test_two_urls_that_are_downloaded_are_two_requests(model: Model) -> None:
    first, second = (
        [ModelRequest([UserPromptPart([ImageUrl(f'https://example.com/{name}.png', force_download=True)])])]
        for name in ('a', 'b')
    )
    assert fingerprint(model, first) != fingerprint(model, second)


def test_the_key_of_the_provider_is_nowhere(model: Model) -> None:
    described = model.describe_request(ask('Hello'))
    assert 'secret' not in repr(described) + repr(described.headers)


def test_a_model_behind_an_api_shows_what_it_sends() -> None:
    described = OPENAI.describe_request(ask('Hello'), ModelSettings(top_k=3))
    assert (described.path, described.base_url) == ('/chat/completions', 'https://api.openai.com/v1/')
    assert described.json()['messages'] == [{'role': 'user', 'content': 'Hello'}]
    assert len(described.warnings) == 1
