"""Profiles of the models behind LiteLLM, by its names of them: `anthropic/claude-sonnet-4-5`, `ollama/qwen3`.

https://docs.litellm.ai/docs/providers. LiteLLM hides most differences between vendors, or raises an error for them; the
others are here.
"""

from __future__ import annotations

import re
from dataclasses import replace

from . import Facts, collect_facts
from .anthropic import anthropic_model_profile
from .caching import AUTOMATIC_CACHES
from .compatible import CLAUDE_CACHE_TTLS, JSON_OUTPUT, OPENAI_NAMES, bare_name, make_profile
from .openai import OpenAIModelProfile
from .thinking import NO_LIMIT

__all__ = ('litellm_model_profile',)

OPENAI_VENDORS = frozenset({'openai', 'azure'})
"""The vendors at which OpenAI's models accept strict schemas."""

SERVICE: Facts = {
    **JSON_OUTPUT,
    'openai_max_tokens_field': 'max_tokens',
    'openai_thinking_back': 'tags',
    'openai_strict_tools': False,
    'openai_strict_outputs': True,
}
"""The facts of LiteLLM itself, for every vendor."""

VENDORS: tuple[tuple[str, Facts], ...] = (
    (r'ollama|groq|cerebras', {'openai_flatten_content': 'texts'}),
    (
        r'deepseek|moonshot|zai|gemini|vertex_ai|hosted_vllm|ollama|together_ai|fireworks_ai|openrouter',
        {'openai_thinking_back': 'field'},
    ),
)
"""The facts of vendors, by the beginning of the vendor's name. Every match adds its facts."""

REFUSED_BY_CLAUDE = frozenset(
    {'seed', 'presence_penalty', 'frequency_penalty', 'logit_bias', 'logprobs', 'top_logprobs'}
)
"""The settings that no API for Claude has, and for which LiteLLM raises an error."""

EFFORTS = ('low', 'medium', 'high')
"""The efforts that LiteLLM translates to a vendor's own thinking budget."""

BUDGETS = (1, NO_LIMIT)
"""The budgets that LiteLLM passes on to Gemini, or rewrites as a level: `_map_thinking_param` of its Gemini module."""

CLAUDE_BUDGETS = (1024, NO_LIMIT)
"""The budgets of Claude: https://platform.claude.com/docs/en/build-with-claude/extended-thinking."""


def litellm_model_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model by LiteLLM's name of it."""
    vendor, _, _ = model_name.lower().partition('/')
    profile = make_profile(model_name, SERVICE | collect_facts(VENDORS, vendor))
    if 'claude' in bare_name(model_name):
        return _adapt_to_claude(profile, model_name)
    if 'gemini' in bare_name(model_name):
        thinks = not re.search(r'gemini-(1|2\.0)', model_name)
        return replace(
            profile,
            supports_thinking=thinks,
            openai_thinking_efforts=EFFORTS,
            openai_thinking_budgets=BUDGETS,
            openai_thinking_off='none',
        )
    is_openai = bool(OPENAI_NAMES.match(bare_name(model_name)))
    by_openai = (vendor in OPENAI_VENDORS or '/' not in model_name) and is_openai
    caches = by_openai or vendor in AUTOMATIC_CACHES
    return replace(profile, openai_strict_tools=by_openai, openai_cache_key=by_openai, caches_automatically=caches)


def _adapt_to_claude(profile: OpenAIModelProfile, model_name: str) -> OpenAIModelProfile:
    """Return the profile for a Claude at any vendor. Its past thinking is sent back with signatures."""
    known = anthropic_model_profile(bare_name(model_name).rpartition('anthropic.')[2])
    return replace(
        profile,
        supports_thinking=known.supports_thinking,
        supports_json_schema_output=known.supports_json_schema_output,
        unsupported_settings=known.unsupported_settings | REFUSED_BY_CLAUDE,
        exclusive_settings=known.exclusive_settings,
        openai_thinking_back='details',
        openai_cache_ttls=CLAUDE_CACHE_TTLS,
        openai_cache_points='cache_control',  # https://docs.litellm.ai/docs/completion/prompt_caching
        openai_thinking_efforts=EFFORTS,
        openai_thinking_budgets=None if known.anthropic_thinking_mode == 'adaptive' else CLAUDE_BUDGETS,
        openai_thinking_off='none',
        history_rules={**(profile.history_rules or {}), **(known.history_rules or {})},
    )
