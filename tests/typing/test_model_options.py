"""Type checks of the options of models: names of other libraries, settings as keywords, known names."""

from __future__ import annotations

from typing import assert_type

from pydantic_llm.models.anthropic import AnthropicModel, AnthropicModelName
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIModelName, OpenAIResponsesModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.models.transformers import TransformersModel


async def find_key() -> str:
    return 'key'


def test_models_take_the_names_of_other_libraries() -> None:
    model = OpenAIChatModel(model_id='gpt-5.4-mini', api_base='http://localhost:1/v1', token='key', temperature=0.2)
    assert_type(model, OpenAIChatModel)
    AnthropicModel('claude', api_key=find_key, max_tokens=10, custom_role_conversions={'system': 'user'})
    OpenAIResponsesModel('gpt', api_key=lambda: 'key', base_url='http://localhost:1/v1', flatten_messages_as_text=None)
    GeminiModel('gemini', provider='google-gla', api_key='key', stop_sequences=['END'])
    TransformersModel(model_id='/none', device='cpu', max_new_tokens=5, temperature=0.0)
    TestModel(temperature=0.1)


def test_wrong_options_are_found() -> None:
    calls = [
        lambda: OpenAIChatModel('gpt', api_key='k', temprature=1),  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue] -- no such option
        lambda: OpenAIChatModel('gpt', api_key='k', temperature='hot'),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- no number
        lambda: OpenAIChatModel(7, api_key='k'),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- no name
    ]
    assert len(calls) == 3


def test_known_names_and_other_strings_are_names() -> None:
    known: OpenAIModelName = 'gpt-5.4-mini'
    other: AnthropicModelName = 'a-model-of-tomorrow'
    assert_type(OpenAIChatModel(known, provider='deepseek', api_key='k'), OpenAIChatModel)
    assert_type(AnthropicModel(other, api_key='k'), AnthropicModel)
