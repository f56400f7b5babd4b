"""What models behind Hugging Face's Inference Providers, or on a server of one's own, can do.

https://huggingface.co/docs/inference-providers/tasks/chat-completion
"""

from __future__ import annotations

from .compatible import JSON_OUTPUT, Facts, made_profile
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
"""What every server takes, whichever model answers."""

ENDPOINT: Facts = {
    'supports_json_object_output': False,  # TGI knows no JSON without a schema
    'openai_joins_system_messages': True,
    'openai_constraints': 'tgi',
}
"""And what a server with one model does: an endpoint of one's own, TGI on this machine."""


def huggingface_model_profile(model_name: str, *, endpoint: bool = False) -> OpenAIModelProfile:
    """What a model can do, by its name on the Hub; `endpoint` where it has a server to itself."""
    return made_profile(model_name, SERVICE | (ENDPOINT if endpoint else {}))
