"""Profiles of the models behind Hugging Face's Inference Providers, and of those on your own server.

https://huggingface.co/docs/inference-providers/tasks/chat-completion
"""

from __future__ import annotations

from . import Facts
from .compatible import JSON_OUTPUT, SYSTEM_FIRST, make_profile
from .openai import OpenAIModelProfile

__all__ = ('huggingface_model_profile',)

SERVICE: Facts = {
    **JSON_OUTPUT,
    'openai_max_tokens_field': 'max_tokens',
    'openai_thinking_field': 'reasoning',
    'openai_thinking_back': 'tags',
    'openai_strict_tools': False,
    'openai_strict_outputs': True,
    'openai_documents': False,
    'openai_audio': False,
}
"""The facts of every service, for every model."""

ENDPOINT: Facts = {
    'supports_json_object_output': False,  # TGI has no JSON mode without a schema
    'openai_joins_system_messages': True,
    **SYSTEM_FIRST,
    'openai_constraints': 'tgi',
}
"""The facts of a server with one model: an endpoint, or TGI on the user's own machine."""


def huggingface_model_profile(model_name: str, *, endpoint: bool = False) -> OpenAIModelProfile:
    """Return the profile of a model by its name on the Hub; `endpoint` if it has a server of its own."""
    return make_profile(model_name, SERVICE | (ENDPOINT if endpoint else {}))
