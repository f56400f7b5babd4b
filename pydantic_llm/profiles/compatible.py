"""What servers of OpenAI's API take, where that is not what OpenAI takes."""

from __future__ import annotations

from . import ModelProfile
from .openai import OpenAIModelProfile, OpenAISchema
from .schema import inline_transformer

__all__ = (
    'cerebras_profile',
    'deepseek_profile',
    'local_profile',
    'ollama_profile',
    'openrouter_profile',
    'plain_profile',
)

_strict = OpenAISchema.transformer()


def plain_profile(model_name: str) -> ModelProfile:
    """A hosted service of which nothing special is known."""
    return OpenAIModelProfile(json_schema_transformer=_strict, supports_json_object_output=True)


def local_profile(model_name: str) -> ModelProfile:
    """A server on one's own machine (LM Studio, vLLM, llama.cpp)."""
    return OpenAIModelProfile(
        json_schema_transformer=inline_transformer,
        supports_json_schema_output=True,
        supports_json_object_output=True,
        openai_strict_tools=False,
        openai_max_tokens_field='max_tokens',
    )


def ollama_profile(model_name: str) -> ModelProfile:
    """Ollama."""
    return OpenAIModelProfile(
        json_schema_transformer=inline_transformer,
        supports_json_schema_output=True,
        supports_json_object_output=True,
        openai_strict_tools=False,
    )


def deepseek_profile(model_name: str) -> ModelProfile:
    """DeepSeek."""
    reasoner = 'reasoner' in model_name
    return OpenAIModelProfile(
        json_schema_transformer=_strict,
        supports_json_object_output=True,
        supports_thinking=reasoner,
        thinking_always_enabled=reasoner,
        ignore_streamed_leading_whitespace=reasoner,
        openai_max_tokens_field='max_tokens',
        openai_thinking_back='field',
        openai_thinking_with_calls=reasoner,
        openai_forces_tools=not reasoner,
    )


def openrouter_profile(model_name: str) -> ModelProfile:
    """OpenRouter."""
    return OpenAIModelProfile(
        json_schema_transformer=_strict,
        supports_json_schema_output=True,
        supports_json_object_output=model_name.startswith('openai/'),
        supports_thinking=True,
        openai_max_tokens_field='max_tokens',
        openai_thinking_back='details',
        openai_thinking_setting='reasoning',
        openai_video_url=True,
        openai_document_url=True,
    )


def cerebras_profile(model_name: str) -> ModelProfile:
    """Cerebras."""
    return OpenAIModelProfile(
        json_schema_transformer=inline_transformer, unsupported_settings=frozenset({'logit_bias'})
    )
