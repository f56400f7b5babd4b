"""What models at Groq can do (https://console.groq.com/docs/models)."""

from __future__ import annotations

import re

from .compatible import JSON_OUTPUT, Facts, bare_name, made_profile
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
}
"""What Groq's server takes, whichever model answers."""

MODELS: tuple[tuple[str, Facts], ...] = (
    (r'gpt-oss', {**JSON_OUTPUT, 'openai_strict_outputs': True}),
    (r'qwen3|qwen-3', {'supports_thinking': True, 'openai_thinking_efforts': (), 'openai_thinking_off': 'none'}),
    (r'llama-4|kimi-k2', JSON_OUTPUT),
)
"""What is known of models by the beginning of their name."""


def groq_model_profile(model_name: str) -> OpenAIModelProfile:
    """What a model at Groq can do."""
    name = bare_name(model_name)
    facts = dict(SERVER)
    for pattern, known in MODELS:
        if re.match(pattern, name):
            facts |= known
    return made_profile(model_name, facts)
