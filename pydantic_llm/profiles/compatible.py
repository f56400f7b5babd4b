"""What servers of OpenAI's API take, and what the models behind them can do, where that is not what OpenAI's do.

A profile is made in three layers: what every such server takes, then what is known of the family that the model's name
speaks of (`FAMILIES`), then what the service says (`SERVICES`). The later layer wins, field by field.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from .openai import GeminiByOpenRouterSchema, OpenAIModelProfile, OpenAISchema, openai_model_profile
from .schema import TransformedSchema, inline_transformer

__all__ = (
    'FAMILIES',
    'alibaba_profile',
    'azure_profile',
    'bare_name',
    'bedrock_mantle_profile',
    'cerebras_profile',
    'crusoe_profile',
    'deepseek_profile',
    'fireworks_profile',
    'grok_profile',
    'heroku_profile',
    'llamacpp_profile',
    'local_profile',
    'made_profile',
    'moonshotai_profile',
    'ollama_profile',
    'openrouter_profile',
    'perplexity_profile',
    'plain_profile',
    'snowflake_profile',
    'together_profile',
    'vllm_server_profile',
    'zai_profile',
)

Facts = dict[str, Any]
"""Fields of a profile and their values."""

_strict = OpenAISchema.transformer()


def _strict_and_inlined(schema: dict[str, Any], strict: bool | None) -> TransformedSchema:
    return _strict(inline_transformer(schema, strict).json_schema, strict)


# ---------------------------------------------------------------------- families

LOW_HIGH_MAX = ('low', 'high', 'max')
LOW_MEDIUM_HIGH = ('low', 'medium', 'high')

JSON_OUTPUT: Facts = {'supports_json_schema_output': True, 'supports_json_object_output': True}
INLINED: Facts = {'json_schema_transformer': inline_transformer}
THINKS: Facts = {'supports_thinking': True}
THINKS_ALWAYS: Facts = {'supports_thinking': True, 'thinking_always_enabled': True, 'openai_thinking_efforts': ()}
LEADING_SPACE_IS_NOISE: Facts = {'ignore_streamed_leading_whitespace': True}
NO_STOP = frozenset({'stop_sequences'})
NO_PENALTIES = frozenset({'presence_penalty', 'frequency_penalty'})

FAMILIES: tuple[tuple[str, Facts], ...] = (
    (
        r'gpt-oss',
        {
            **JSON_OUTPUT,
            **LEADING_SPACE_IS_NOISE,
            **THINKS_ALWAYS,
            'json_schema_transformer': _strict_and_inlined,
            'openai_forces_tools': False,
            'openai_thinking_efforts': LOW_MEDIUM_HIGH,
        },
    ),
    (r'llama|meta-|snowflake-llama', INLINED),
    (r'nova', INLINED),
    (r'gemma', INLINED),
    (r'qwen|qwq', {**INLINED, **LEADING_SPACE_IS_NOISE}),
    (r'qwen-?3[.-]5', JSON_OUTPUT),
    (r'deepseek-(r1|reasoner)|r1', {**THINKS_ALWAYS, **LEADING_SPACE_IS_NOISE}),
    (r'deepseek-(v4|flash)', {**THINKS, 'openai_thinking_efforts': LOW_HIGH_MAX}),
    (r'kimi|moonshot', LEADING_SPACE_IS_NOISE),
    (r'kimi-(k2\.[567]|k2-thinking|k3|thinking)', {**THINKS, 'openai_thinking_efforts': LOW_HIGH_MAX}),
    (r'magistral', THINKS_ALWAYS),
    (r'glm-5(\.|p|-)3', INLINED),  # it writes nested arguments as text where their schema is a reference
    (r'claude', {'supports_json_schema_output': True}),
    (r'gemini', JSON_OUTPUT),
    (r'grok', {**JSON_OUTPUT, 'unsupported_settings': NO_STOP | NO_PENALTIES}),
    (r'grok-[23](?!-mini)', {'unsupported_settings': frozenset[str]()}),
    (r'grok-4.*-non-reasoning', {'unsupported_settings': NO_PENALTIES}),
    (r'grok-3-mini', {**THINKS, 'openai_thinking_efforts': ('low', 'high')}),
    (r'grok-(4\.3|latest)', {**THINKS, 'openai_thinking_efforts': LOW_MEDIUM_HIGH, 'openai_thinking_off': 'none'}),
    (r'grok-(4\.[56]|build)', {**THINKS_ALWAYS, 'openai_thinking_efforts': LOW_MEDIUM_HIGH}),
    (r'grok-4\.7', {**THINKS_ALWAYS, 'openai_thinking_efforts': (*LOW_MEDIUM_HIGH, 'xhigh')}),
)
"""What is known of models by the beginning of their name, whoever serves them. Every row that fits adds its facts."""

OPENAI_NAMES = re.compile(r'gpt-\d|o\d|chatgpt|codex')


def bare_name(model_name: str) -> str:
    """A model's name without the vendor before it and the tag behind it: `qwen3` for `Qwen/Qwen3:8b`."""
    return model_name.lower().rpartition('/')[2].partition(':')[0]


def made_profile(model_name: str, service: Facts | None = None) -> OpenAIModelProfile:
    """The profile of a model that a service serves under this name."""
    name = bare_name(model_name)
    if OPENAI_NAMES.match(name):
        profile = replace(openai_model_profile(name), openai_allowed_tools=False)
    else:
        profile = OpenAIModelProfile(json_schema_transformer=_strict)
    for pattern, facts in FAMILIES:
        if re.match(pattern, name):
            profile = replace(profile, **facts)
    return replace(profile, **(service or {}))


# ---------------------------------------------------------------------- services


def plain_profile(model_name: str) -> OpenAIModelProfile:
    """A hosted service of which nothing special is known."""
    return made_profile(model_name, JSON_OUTPUT)


def deepseek_profile(model_name: str) -> OpenAIModelProfile:
    """DeepSeek (https://api-docs.deepseek.com/guides/thinking_mode)."""
    reasoner = model_name == 'deepseek-reasoner'
    switchable = model_name.startswith(('deepseek-v4', 'deepseek-flash'))
    facts: Facts = {
        'supports_json_object_output': True,
        'openai_max_tokens_field': 'max_tokens',
        'openai_thinking_back': 'field',
        'openai_thinking_with_calls': reasoner or switchable,
        'openai_forces_tools': 'without_thinking' if switchable else not reasoner,
    }
    if reasoner:
        facts['openai_thinking_efforts'] = ('low', 'medium', 'high', 'max')
    if switchable:
        facts['openai_thinking_setting'] = 'thinking'
    return made_profile(model_name, facts)


def openrouter_profile(model_name: str) -> OpenAIModelProfile:
    """OpenRouter (https://openrouter.ai/docs/guides/best-practices/reasoning-tokens)."""
    facts: Facts = {
        **THINKS,
        'thinking_always_enabled': False,
        'supports_json_schema_output': True,
        'openai_max_tokens_field': 'max_tokens',
        'openai_thinking_back': 'details',
        'openai_thinking_setting': 'reasoning',
        'openai_thinking_efforts': LOW_MEDIUM_HIGH,
        'openai_video_url': True,
        'openai_document_url': True,
    }
    if model_name.removeprefix('~').startswith('google/'):
        facts['json_schema_transformer'] = _gemini_by_openrouter
    return made_profile(model_name, facts)


_gemini_by_openrouter = GeminiByOpenRouterSchema.transformer()


def grok_profile(model_name: str) -> OpenAIModelProfile:
    """Grok, by xAI (https://docs.x.ai/developers/model-capabilities/text/reasoning)."""
    return made_profile(model_name, JSON_OUTPUT)


def perplexity_profile(model_name: str) -> OpenAIModelProfile:
    """Perplexity: no tools, and a system message only as the first (https://docs.perplexity.ai/docs/sonar)."""
    refused = {
        'stop_sequences',
        'logit_bias',
        'logprobs',
        'top_logprobs',
        'seed',
        'parallel_tool_calls',
        'service_tier',
    }
    facts: Facts = {
        'supports_tools': False,
        'supports_json_schema_output': True,
        'default_structured_output_mode': 'native',
        'unsupported_settings': frozenset(refused),
        'openai_max_tokens_field': 'max_tokens',
        'openai_joins_system_messages': True,
        'openai_thinking_back': 'drop',
    }
    return made_profile(model_name, facts)


def together_profile(model_name: str) -> OpenAIModelProfile:
    """Together AI."""
    thinking = bare_name(model_name).startswith('deepseek-v4')
    return made_profile(model_name, {**JSON_OUTPUT, **({'openai_forces_tools': False} if thinking else {})})


def fireworks_profile(model_name: str) -> OpenAIModelProfile:
    """Fireworks AI, whose names have `p` for a point: `glm-5p3`."""
    return made_profile(re.sub(r'(\d)p(\d)', r'\1.\2', model_name), JSON_OUTPUT)


def cerebras_profile(model_name: str) -> OpenAIModelProfile:
    """Cerebras (https://inference-docs.cerebras.ai/capabilities/reasoning)."""
    facts: Facts = {'unsupported_settings': frozenset({'logit_bias'})}
    if model_name.startswith('zai-'):
        facts |= THINKS | {
            'openai_thinking_back': 'tags',
            'openai_thinking_efforts': (),
            'openai_thinking_off': 'none',
            'openai_always_sends': {'clear_thinking': False},
        }
    if model_name.startswith(('zai-glm-5.3', 'kimi-k3')):
        facts |= THINKS_ALWAYS | {'openai_thinking_efforts': LOW_HIGH_MAX, 'openai_thinking_off': None}
    if model_name.startswith('qwen-3-coder'):
        facts |= {'openai_strict_tools': False, 'openai_forces_tools': False}
    return made_profile(model_name.removeprefix('zai-'), facts)


def moonshotai_profile(model_name: str) -> OpenAIModelProfile:
    """Moonshot AI: K2.5 and K2.6 can be told not to think, K3 how much, and K2.7 nothing."""
    facts: Facts = {
        'supports_json_object_output': True,
        'openai_strict_tools': False,
        'openai_forces_tools': False,
        'openai_thinking_back': 'field',
    }
    if re.match(r'kimi-k2\.[56]', model_name):
        facts |= {'openai_thinking_setting': 'thinking', 'openai_thinking_efforts': ()}
    if re.match(r'kimi-(k2\.7|k2-thinking|thinking)', model_name):
        facts |= THINKS_ALWAYS
    if model_name.startswith('kimi-k3'):
        facts |= {'thinking_always_enabled': True}
    if re.match(r'kimi-(k2\.[567]|k3)', model_name):
        facts |= {'unsupported_settings': NO_PENALTIES | {'temperature', 'top_p'}}  # fixed by Moonshot
    return made_profile(model_name, facts)


def zai_profile(model_name: str) -> OpenAIModelProfile:
    """Z.ai (https://docs.z.ai/guides/capabilities/thinking-mode)."""
    facts: Facts = {
        'supports_json_object_output': True,
        'openai_thinking_back': 'field',
        'openai_thinking_setting': 'thinking',
        'openai_thinking_efforts': (),
    }
    name = model_name.lower()
    if re.match(r'glm-(4\.[567]|5)', name):
        facts |= THINKS | {'openai_always_sends': {'thinking': {'clear_thinking': False}}}
    if name.startswith('glm-5.2'):
        facts['openai_thinking_efforts'] = ('minimal', *LOW_MEDIUM_HIGH, 'xhigh')
    if name.startswith('glm-5.3'):
        facts |= {'openai_thinking_efforts': LOW_HIGH_MAX, 'thinking_always_enabled': True}
    return made_profile(model_name, facts)


def alibaba_profile(model_name: str) -> OpenAIModelProfile:
    """Alibaba Cloud Model Studio (https://help.aliyun.com/zh/model-studio/deep-thinking)."""
    facts: Facts = {'supports_json_object_output': True, 'openai_documents': False}
    if re.match(r'qwen(3|-plus|-flash|-turbo|-max)(?!.*(coder|instruct))', bare_name(model_name)):
        facts |= THINKS | {'openai_thinking_setting': 'enable_thinking'}
    return made_profile(model_name, facts)


OTHERS_AT_AZURE = re.compile(
    r'gpt-oss|llama|meta-|deepseek|mistral|ministral|magistral|codestral|cohere|grok|kimi|qwen|phi-'
)
"""How the names of models begin that Azure has from others than OpenAI."""

MISTRALS = re.compile(r'mistral|ministral|magistral|codestral')
"""Those by Mistral, which know an older name alone for the limit on what is written."""


def azure_profile(model_name: str) -> OpenAIModelProfile:
    """Azure OpenAI, whose deployments have names of the customer's: OpenAI's models where the name says nothing else.

    Chat Completions takes no documents (PDF) there.
    """
    name = model_name.lower()
    profile = made_profile(model_name) if OTHERS_AT_AZURE.match(name) else openai_model_profile(model_name)
    field: Facts = {'openai_max_tokens_field': 'max_tokens'} if MISTRALS.match(name) else {}
    return replace(profile, openai_documents=False, **field)


def crusoe_profile(model_name: str) -> OpenAIModelProfile:
    """Crusoe, which decodes every model under a schema."""
    return made_profile(model_name, JSON_OUTPUT)


def heroku_profile(model_name: str) -> OpenAIModelProfile:
    """Heroku, whose names have `-` for a point: `glm-4-7`."""
    return made_profile(re.sub(r'^(glm-\d|kimi-k2)-(\d)', r'\1.\2', model_name))


def snowflake_profile(model_name: str) -> OpenAIModelProfile:
    """Snowflake Cortex: tools and formats for the models of OpenAI and Anthropic alone.

    https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api
    """
    facts: Facts = {
        'openai_strict_tools': False,
        'openai_thinking_back': 'details',
        'openai_ends_silently': True,
    }
    if model_name.startswith('claude'):
        facts |= THINKS | {'openai_thinking_setting': 'reasoning.effort', 'openai_thinking_efforts': LOW_MEDIUM_HIGH}
    elif not model_name.startswith('openai-'):
        facts |= {
            'supports_tools': False,
            'supports_json_schema_output': False,
            'supports_json_object_output': False,
            'default_structured_output_mode': 'prompted',
        }
    return made_profile(model_name.removeprefix('openai-'), facts)


def bedrock_mantle_profile(model_name: str) -> OpenAIModelProfile:
    """Amazon Bedrock's Mantle, whose names begin with the vendor's: `openai.gpt-oss-120b`."""
    facts: Facts = {'openai_forces_tools': True, 'openai_reuses_call_ids': True}
    return made_profile(model_name.removeprefix('openai.'), facts)


# ---------------------------------------------------------------------- servers of one's own


def ollama_profile(model_name: str) -> OpenAIModelProfile:
    """Ollama, whose hosted models cannot be held to a schema (https://docs.ollama.com/api/openai-compatibility)."""
    facts: Facts = {
        **JSON_OUTPUT,
        'supports_json_schema_output': not model_name.endswith(('-cloud', ':cloud')),
        'openai_strict_tools': False,
        'openai_thinking_field': 'reasoning',
    }
    return made_profile(model_name, facts)


def local_profile(model_name: str) -> OpenAIModelProfile:
    """LM Studio, which knows schemas but no mere JSON (https://lmstudio.ai/docs/developer/openai-compat)."""
    facts: Facts = {
        **INLINED,
        'supports_json_schema_output': True,
        'supports_json_object_output': False,
        'openai_strict_tools': False,
        'openai_max_tokens_field': 'max_tokens',
        'openai_joins_system_messages': True,
        'openai_documents': False,
    }
    return made_profile(model_name, facts)


def llamacpp_profile(model_name: str) -> OpenAIModelProfile:
    """The server of llama.cpp (https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md)."""
    facts: Facts = {
        **INLINED,
        **JSON_OUTPUT,
        'openai_strict_tools': False,
        'openai_max_tokens_field': 'max_tokens',
        'openai_joins_system_messages': True,
        'openai_documents': False,
        'openai_constraints': 'llamacpp',
    }
    return made_profile(model_name, facts)


def vllm_server_profile(model_name: str) -> OpenAIModelProfile:
    """The server of vLLM (https://docs.vllm.ai/en/stable/features/structured_outputs/)."""
    facts: Facts = {
        **JSON_OUTPUT,
        'openai_documents': False,
        'openai_joins_system_messages': True,
        'openai_thinking_field': 'reasoning',
        'openai_constraints': 'vllm',
    }
    name = bare_name(model_name)
    if re.match(r'qwen3(?!-coder|\.8)(?!.*-instruct)|gemma-4', name):
        facts |= THINKS | {'openai_thinking_off': 'none', 'openai_thinking_efforts': LOW_MEDIUM_HIGH}
    if re.match(r'qwen3.*-thinking', name):
        facts |= THINKS_ALWAYS | {'openai_thinking_off': None}
    return made_profile(model_name, facts)
