"""One model of each API that has batches, at a URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.azure import AzureProvider
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.groq import GroqProvider
from pydantic_llm.providers.mistral import MistralProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.wire.model import WireModel

Make = Callable[..., WireModel[Any]]


def openai_chat(url: str, **options: Any) -> WireModel[Any]:
    return OpenAIChatModel('m', provider=OpenAIProvider(base_url=f'{url}/v1', api_key='k', **options))


def openai_responses(url: str, **options: Any) -> WireModel[Any]:
    return OpenAIResponsesModel('m', provider=OpenAIProvider(base_url=f'{url}/v1', api_key='k', **options))


def azure(url: str, **options: Any) -> WireModel[Any]:
    provider = AzureProvider(azure_endpoint=url, api_version='2025-04-01-preview', api_key='k', **options)
    return OpenAIChatModel('m', provider=provider)


def anthropic(url: str, **options: Any) -> WireModel[Any]:
    return AnthropicModel('m', provider=AnthropicProvider(base_url=url, api_key='k', **options))


def gemini(url: str, **options: Any) -> WireModel[Any]:
    return GeminiModel('m', provider=GoogleGLAProvider(base_url=url, api_key='k', **options))


def mistral(url: str, **options: Any) -> WireModel[Any]:
    return MistralModel('m', provider=MistralProvider(base_url=f'{url}/mistral', api_key='k', **options))


def groq(url: str, **options: Any) -> WireModel[Any]:
    return GroqModel('m', provider=GroqProvider(base_url=url, api_key='k', **options))


VENDORS: dict[str, Make] = {
    'openai-chat': openai_chat,
    'openai-responses': openai_responses,
    'azure': azure,
    'anthropic': anthropic,
    'gemini': gemini,
    'mistral': mistral,
    'groq': groq,
}
