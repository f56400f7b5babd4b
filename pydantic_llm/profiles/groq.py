"""Profiles of the models at Groq: https://console.groq.com/docs/models."""

from __future__ import annotations

from . import Facts, collect_facts
from .compatible import JSON_OUTPUT, LOW_MEDIUM_HIGH, THINKS, bare_name, make_profile
from .gemini import PENALTIES
from .openai import OpenAIModelProfile

__all__ = ('groq_model_profile',)

SERVER: Facts = {
    'openai_max_tokens_field': 'max_tokens',
    'openai_thinking_field': 'reasoning',
    'openai_thinking_back': 'tags',
    'openai_documents': False,
    'openai_forces_tools': True,
    'openai_stream_usage': False,
    'openai_strict_tools': False,
    'supports_json_schema_output': False,
    'supports_json_object_output': False,
    'openai_audio': False,
    'unsupported_settings': PENALTIES | {'logit_bias', 'logprobs', 'top_logprobs'},
}
"""The facts of Groq's server, for every model. It always sends the usage of a stream, and refuses log probabilities:
https://console.groq.com/docs/openai. Penalties have no effect, and content is text, images and documents:
groq/types/chat/completion_create_params.py, groq/types/chat/chat_completion_content_part_param.py in its SDK."""

THINKING_BACK: Facts = {'openai_thinking_back': 'field'}
"""Past thinking is sent back in a field of its own, for models that reason."""

MODELS: tuple[tuple[str, Facts], ...] = (
    (r'gpt-oss', {**JSON_OUTPUT, **THINKING_BACK, 'openai_strict_outputs': True}),
    (r'qwen-?3', {**THINKING_BACK, **THINKS, 'openai_thinking_efforts': (), 'openai_thinking_off': 'none'}),
    (r'qwen-?3\.8', {**JSON_OUTPUT, 'openai_thinking_efforts': LOW_MEDIUM_HIGH}),
    (r'llama-4|kimi-k2', JSON_OUTPUT),
)
"""The facts of models, by the beginning of the name. Every match adds its facts."""


def groq_model_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at Groq."""
    return make_profile(model_name, SERVER | collect_facts(MODELS, bare_name(model_name)))
