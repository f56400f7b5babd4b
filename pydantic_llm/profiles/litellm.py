"""What models behind LiteLLM can do, by the names that it gives them: `anthropic/claude-sonnet-4-5`, `ollama/qwen3`.

https://docs.litellm.ai/docs/providers. LiteLLM translates most of what vendors call differently; what it does not, and
what it does not refuse by itself, stands here.
"""

from __future__ import annotations

import re
from dataclasses import replace

from .anthropic import anthropic_model_profile
from .compatible import JSON_OUTPUT, OPENAI_NAMES, Facts, bare_name, made_profile
from .openai import OpenAIModelProfile

__all__ = ('litellm_model_profile',)

OPENAIS = frozenset({'openai', 'azure'})
"""Whose models take strict schemas, where they are OpenAI's."""

SERVICE: Facts = {
    **JSON_OUTPUT,
    'openai_max_tokens_field': 'max_tokens',
    'openai_thinking_back': 'tags',
    'openai_strict_tools': False,
    'openai_strict_outputs': True,
}
"""What LiteLLM itself takes, whoever answers."""

TEXTS_ALONE: Facts = {'openai_flatten_content': 'texts'}

VENDORS: tuple[tuple[str, Facts], ...] = (
    (r'ollama|groq|cerebras', TEXTS_ALONE),
    (
        r'deepseek|moonshot|zai|gemini|vertex_ai|hosted_vllm|ollama|together_ai|fireworks_ai|openrouter',
        {'openai_thinking_back': 'field'},
    ),
)
"""What is known of vendors by the beginning of their name. Those in the second row are shown their past thoughts."""

CLAUDE_REFUSES = frozenset({'seed', 'presence_penalty', 'frequency_penalty', 'logit_bias', 'logprobs', 'top_logprobs'})
"""What no API for Claude has, and LiteLLM raises for."""

EFFORTS = ('low', 'medium', 'high')
"""The efforts that LiteLLM turns into a vendor's own budget."""


def litellm_model_profile(model_name: str) -> OpenAIModelProfile:
    """What a model can do, by the name that LiteLLM gives it."""
    vendor, _, _ = model_name.lower().partition('/')
    profile = made_profile(model_name, SERVICE)
    for pattern, facts in VENDORS:
        if re.match(pattern, vendor):
            profile = replace(profile, **facts)
    if 'claude' in bare_name(model_name):
        return _claude(profile, model_name)
    if 'gemini' in bare_name(model_name):
        thinks = not re.search(r'gemini-(1|2\.0)', model_name)
        return replace(profile, supports_thinking=thinks, openai_thinking_efforts=EFFORTS, openai_thinking_off='none')
    by_openai = vendor in OPENAIS or '/' not in model_name
    return replace(profile, openai_strict_tools=by_openai and bool(OPENAI_NAMES.match(bare_name(model_name))))


def _claude(profile: OpenAIModelProfile, model_name: str) -> OpenAIModelProfile:
    """Claude, at whichever vendor: its thoughts go back with their signatures."""
    known = anthropic_model_profile(bare_name(model_name).rpartition('anthropic.')[2])
    return replace(
        profile,
        supports_thinking=known.supports_thinking,
        supports_json_schema_output=known.supports_json_schema_output,
        unsupported_settings=known.unsupported_settings | CLAUDE_REFUSES,
        openai_thinking_back='details',
        openai_thinking_efforts=EFFORTS,
        openai_thinking_off='none',
    )
