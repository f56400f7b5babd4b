"""Profiles of OpenAI-compatible services and servers: how they and their models differ from OpenAI's.

`make_profile` merges three layers: the defaults, the facts of the model's family (`FAMILIES`), and the facts of the
service, which its function gives. The later layer wins, field by field.
"""

from __future__ import annotations

import re
from dataclasses import replace

from . import Facts, collect_facts, merge_facts
from .anthropic import anthropic_model_profile
from .gemini import PENALTIES
from .history import NO_SYSTEM_PROMPTS
from .openai import SAMPLING, GeminiByOpenRouterSchema, OpenAIModelProfile, OpenAISchema, openai_model_profile
from .schema import INLINED, SchemaTransformer, inline_transformer
from .service_schemas import CerebrasSchema, DeepSeekSchema, FireworksSchema, GrokSchema, make_inlining
from .thinking import NO_LIMIT

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
    'make_profile',
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

_strict = OpenAISchema.transformer()
inline_strictly: SchemaTransformer = make_inlining(_strict)
"""The schemas of models that get no references. A schema is strict if OpenAI's strict mode keeps all of it."""

# ---------------------------------------------------------------------- families

LOW_HIGH_MAX = ('low', 'high', 'max')
LOW_MEDIUM_HIGH = ('low', 'medium', 'high')

JSON_OUTPUT: Facts = {'supports_json_schema_output': True, 'supports_json_object_output': True}
THINKS: Facts = {'supports_thinking': True}
THINKS_ALWAYS: Facts = {'supports_thinking': True, 'thinking_always_enabled': True, 'openai_thinking_efforts': ()}
LEADING_SPACE_IS_NOISE: Facts = {'ignore_streamed_leading_whitespace': True}
NO_STOP = frozenset({'stop_sequences'})

SYSTEM_FIRST: Facts = {'history_rules': {'system_prompts': 'first'}}
NO_PREFILL: Facts = {'history_rules': {'response_last': False}}
ALTERNATES: Facts = {'history_rules': {'system_prompts': 'first', 'alternates': True, 'response_first': False}}
CLAUDE_HISTORY: Facts = {'history_rules': {'blank_text': 'refused', 'trailing_whitespace': False}}

MISTRALS = r'(open-)?(mistral|ministral|magistral|codestral|devstral|mixtral|mathstral|pixtral|voxtral)'
"""The names of models by Mistral."""

MISTRAL_HISTORY: Facts = {
    'openai_joins_system_messages': True,
    'history_rules': {
        **ALTERNATES['history_rules'],  # vllm#6862, crush#279
        'call_ids': r'[a-zA-Z0-9]{9}',
        'call_id_format': '{:09d}',
        'user_after_result': False,  # opencode#7488, mistral-common#169, hermes-agent#20154
    },
}
"""The history rules of Mistral's tokenizer and templates, at any server: https://github.com/mistralai/mistral-common."""

FAMILIES: tuple[tuple[str, Facts], ...] = (
    (
        r'gpt-oss',
        {
            **JSON_OUTPUT,
            **LEADING_SPACE_IS_NOISE,
            **THINKS_ALWAYS,
            'json_schema_transformer': inline_strictly,
            'openai_forces_tools': False,
            'openai_thinking_efforts': LOW_MEDIUM_HIGH,
        },
    ),
    (r'llama|meta-|snowflake-llama', INLINED),
    (r'llama-?2', ALTERNATES),  # autogen#3597
    (MISTRALS, MISTRAL_HISTORY),
    (r'nova', INLINED),
    (r'gemma', INLINED),
    (r'(code|med|shield)?gemma(-?[123]|-\d+b|$)', ALTERNATES),  # suitenumerique/conversations#197
    (r'(code)?gemma(-?2|-\d+b|$)', NO_SYSTEM_PROMPTS),  # huggingface/chat-ui#1386
    (r'qwen|qwq', {**INLINED, **LEADING_SPACE_IS_NOISE}),
    (r'qwen-?3[.-]5', JSON_OUTPUT),
    (r'qwen-?3[.-][5-9]', {**SYSTEM_FIRST, 'openai_joins_system_messages': True}),  # vllm#41114, litellm#39852
    (r'deepseek-(r1|reasoner)|r1', {**THINKS_ALWAYS, **LEADING_SPACE_IS_NOISE}),
    (r'deepseek-(v4|flash)', {**THINKS, 'openai_thinking_efforts': LOW_HIGH_MAX}),
    (r'kimi|moonshot', LEADING_SPACE_IS_NOISE),
    (r'kimi-(k2\.[567]|k2-thinking|k3|thinking)', {**THINKS, 'openai_thinking_efforts': LOW_HIGH_MAX}),
    (r'magistral', THINKS_ALWAYS),
    (r'glm-5(\.|p|-)3', INLINED),  # it writes nested arguments as text if their schema is a reference
    (r'claude', {'supports_json_schema_output': True, **CLAUDE_HISTORY}),
    (r'claude-(opus|sonnet|haiku|fable|mythos)-(4[.-][6-9]|[5-9])', NO_PREFILL),  # opencode#13768, kilocode#8262
    (r'gemini', {**JSON_OUTPUT, 'openai_hides_thinking_tokens': True}),
    (r'gemini-(2\.5|[3-9])', {'unsupported_settings': PENALTIES}),  # profiles.gemini has the reports
    # https://docs.x.ai/docs/guides/reasoning: reasoning models refuse penalties and `stop`
    (r'grok', {**JSON_OUTPUT, 'unsupported_settings': NO_STOP | PENALTIES}),
    (r'grok-2', {'unsupported_settings': frozenset[str]()}),
    (r'grok-3(?!-mini)', {'unsupported_settings': PENALTIES}),  # n8n-io/n8n#14581, yym68686/uni-api#105
    (r'grok-4.*-non-reasoning', {'unsupported_settings': PENALTIES}),  # miaoxworld/NativeTavern#83
    (r'grok-3-mini', {**THINKS, 'openai_thinking_efforts': ('low', 'high')}),
    (r'grok-(4\.3|latest)', {**THINKS, 'openai_thinking_efforts': LOW_MEDIUM_HIGH, 'openai_thinking_off': 'none'}),
    (r'grok-(4\.[56]|build)', {**THINKS_ALWAYS, 'openai_thinking_efforts': LOW_MEDIUM_HIGH}),
    (r'grok-4\.7', {**THINKS_ALWAYS, 'openai_thinking_efforts': (*LOW_MEDIUM_HIGH, 'xhigh')}),
)
"""The facts of models at any service, by the beginning of the name. Every match adds its facts."""

OPENAI_NAMES = re.compile(r'gpt-\d|o\d|chatgpt|codex')


def bare_name(model_name: str) -> str:
    """Return a model's name in lower case, without its vendor and its tag: `qwen3` for `Qwen/Qwen3:8b`."""
    return model_name.lower().rpartition('/')[2].partition(':')[0]


def make_profile(model_name: str, service: Facts | None = None) -> OpenAIModelProfile:
    """Return the profile of a model at a service: the facts of its family, overridden by those of the service."""
    name = bare_name(model_name)
    if OPENAI_NAMES.match(name):
        profile = replace(
            openai_model_profile(name),
            openai_allowed_tools=False,
            openai_cache_points=None,
            openai_cache_key=False,
            openai_cache_ttls=None,
        )
    else:
        profile = OpenAIModelProfile(json_schema_transformer=_strict)
    family, service = collect_facts(FAMILIES, name), service or {}
    if name.startswith('claude'):
        claude = anthropic_model_profile(name)
        family['unsupported_settings'] = claude.unsupported_settings
        family['exclusive_settings'] = claude.exclusive_settings
    refused = family.get('unsupported_settings', profile.unsupported_settings)
    refused |= service.get('unsupported_settings', frozenset[str]())
    profile = replace(profile, **{**merge_facts(family, service), 'unsupported_settings': refused})
    if profile.json_schema_transformer is inline_transformer and profile.openai_strict_tools:
        profile = replace(profile, json_schema_transformer=inline_strictly)
    return profile


def _enforce(profile: OpenAIModelProfile, transform: SchemaTransformer) -> OpenAIModelProfile:
    """Return a profile whose schemas are those of a service, without references if the model gets none."""
    is_inlined = profile.json_schema_transformer in (inline_transformer, inline_strictly)
    return replace(profile, json_schema_transformer=make_inlining(transform) if is_inlined else transform)


# ---------------------------------------------------------------------- services


def plain_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at a hosted service without facts of its own."""
    return make_profile(model_name, JSON_OUTPUT)


def deepseek_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at DeepSeek: https://api-docs.deepseek.com/guides/thinking_mode."""
    reasoner = model_name == 'deepseek-reasoner'
    switchable = model_name.startswith(('deepseek-v4', 'deepseek-flash'))
    facts: Facts = {
        'supports_json_object_output': True,
        # `strict` is obeyed at the address /beta only, and ignored elsewhere: vercel/ai#19387, langchain#40031
        'openai_max_tokens_field': 'max_tokens',
        'openai_thinking_back': 'field',
        'openai_thinking_with_calls': reasoner or switchable,
        'openai_forces_tools': 'without_thinking' if switchable else not reasoner,
    }
    if reasoner:
        facts |= {'openai_thinking_efforts': ('low', 'medium', 'high', 'max'), **ALTERNATES}  # DeepSeek-R1#21
        # https://api-docs.deepseek.com/guides/reasoning_model, deepseek-ai/DeepSeek-R1#7, cline/cline#1348
        facts['unsupported_settings'] = SAMPLING - {'logit_bias'}
    if switchable:
        facts['openai_thinking_setting'] = 'thinking'
    return _enforce(make_profile(model_name, facts), _deepseek)


OPENROUTER_CACHES = re.compile(r'~?(anthropic/|google/gemini|openai/gpt-(5\.[6-9]|[6-9]))')
"""The models for which OpenRouter passes marks on: pydantic-ai#4392 and
https://openrouter.ai/docs/client-sdks/typescript/models/anthropiccachecontroldirective"""


CLAUDE_OR_GEMINI = re.compile(r'~?(anthropic/|google/gemini)')
"""The models that OpenRouter caches only up to marks. Most others are cached by their vendors:
https://openrouter.ai/docs/guides/best-practices/prompt-caching"""

CLAUDE_CACHE_TTLS = {300: '5m', 3600: '1h'}
"""Seconds -> the times of Claude's cache."""


def openrouter_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at OpenRouter: https://openrouter.ai/docs/guides/best-practices/reasoning-tokens."""
    facts: Facts = {
        **THINKS,
        'thinking_always_enabled': False,
        'supports_json_schema_output': True,
        'openai_max_tokens_field': 'max_tokens',
        'openai_thinking_back': 'details',
        'openai_thinking_setting': 'reasoning',
        'openai_thinking_efforts': ('minimal', *LOW_MEDIUM_HIGH, 'xhigh'),
        'openai_thinking_budgets': (1, NO_LIMIT),
        'openai_video_url': True,
        'openai_document_url': True,
    }
    if OPENROUTER_CACHES.match(model_name):
        facts['openai_cache_points'] = 'cache_control'
    if CLAUDE_OR_GEMINI.match(model_name):
        facts['openai_cache_ttls'] = CLAUDE_CACHE_TTLS if 'claude' in model_name else {300: '5m'}
    elif not model_name.startswith(('cohere/', 'mistralai/')):
        facts['caches_automatically'] = True
    if model_name.removeprefix('~').startswith('google/'):
        facts['json_schema_transformer'] = _gemini_by_openrouter
    return make_profile(model_name, facts)


_gemini_by_openrouter = GeminiByOpenRouterSchema.transformer()
_cerebras = CerebrasSchema.transformer()
_deepseek = DeepSeekSchema.transformer()
_fireworks = FireworksSchema.transformer()
_grok = GrokSchema.transformer()


def grok_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at xAI: https://docs.x.ai/developers/model-capabilities/text/reasoning."""
    return _enforce(make_profile(model_name, JSON_OUTPUT), _grok)


def perplexity_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at Perplexity: no tools, and one system message, which must be the first.

    https://docs.perplexity.ai/docs/sonar
    """
    refused = NO_STOP | {'logit_bias', 'logprobs', 'top_logprobs', 'seed', 'parallel_tool_calls', 'service_tier'}
    facts: Facts = {
        'supports_tools': False,
        'supports_json_schema_output': True,
        'default_structured_output_mode': 'native',
        'unsupported_settings': refused,
        'openai_max_tokens_field': 'max_tokens',
        'openai_joins_system_messages': True,
        'openai_thinking_back': 'drop',
        **ALTERNATES,  # perplexityai/api-discussion#265
    }
    return make_profile(model_name, facts)


def together_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at Together AI, whose DeepSeek V4 models cannot be forced to call a tool."""
    thinking = bare_name(model_name).startswith('deepseek-v4')
    return make_profile(model_name, {**JSON_OUTPUT, **({'openai_forces_tools': False} if thinking else {})})


def fireworks_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at Fireworks AI, whose names have `p` instead of a point: `glm-5p3`."""
    profile = make_profile(re.sub(r'(\d)p(\d)', r'\1.\2', model_name), JSON_OUTPUT)
    return _enforce(profile, _fireworks)


def cerebras_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at Cerebras: https://inference-docs.cerebras.ai/capabilities/reasoning."""
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
    return _enforce(make_profile(model_name.removeprefix('zai-'), facts), _cerebras)


def moonshotai_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at Moonshot AI.

    Thinking can be switched off for K2.5 and K2.6, has levels for K3, and is fixed for K2.7.
    """
    facts: Facts = {
        'supports_json_object_output': True,
        'openai_strict_tools': False,
        'openai_forces_tools': False,
        'openai_thinking_back': 'field',
        'history_rules': {'blank_text': 'refused'},  # lobehub#8419, litellm#42186
    }
    if re.match(r'kimi-k2\.[56]', model_name):
        facts |= {'openai_thinking_setting': 'thinking', 'openai_thinking_efforts': ()}
    if re.match(r'kimi-(k2\.7|k2-thinking|thinking)', model_name):
        facts |= THINKS_ALWAYS
    if model_name.startswith('kimi-k3'):
        facts |= {'thinking_always_enabled': True}
    if re.match(r'kimi-(k2\.[567]|k3)', model_name):
        facts |= {'unsupported_settings': PENALTIES | {'temperature', 'top_p'}}  # Moonshot fixes these values
    return make_profile(model_name, facts)


def zai_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at Z.ai: https://docs.z.ai/guides/capabilities/thinking-mode."""
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
    return make_profile(model_name, facts)


def alibaba_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at Alibaba Cloud: https://help.aliyun.com/zh/model-studio/deep-thinking."""
    facts: Facts = {'supports_json_object_output': True, 'openai_documents': False}
    if re.match(r'qwen(3|-plus|-flash|-turbo|-max)(?!.*(coder|instruct))', bare_name(model_name)):
        facts |= THINKS | {
            'openai_thinking_setting': 'enable_thinking',
            'openai_thinking_budgets': (1, 38_912),  # `thinking_budget`, same page: the longest of most models
        }
    return make_profile(model_name, facts)


OTHERS_AT_AZURE = re.compile(
    r'gpt-oss|llama|meta-|deepseek|mistral|ministral|magistral|codestral|cohere|grok|kimi|qwen|phi-'
)
"""The beginnings of the names of models at Azure that are not OpenAI's."""


def azure_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a deployment at Azure: that of OpenAI's model unless it has the name of another vendor's.

    Chat Completions accepts no documents (PDF) there.
    """
    name = model_name.lower()
    profile = make_profile(model_name) if OTHERS_AT_AZURE.match(name) else openai_model_profile(model_name)
    # models by Mistral accept only `max_tokens`, the older name
    field: Facts = {'openai_max_tokens_field': 'max_tokens'} if re.match(MISTRALS, name) else {}
    return replace(profile, openai_documents=False, openai_cache_points=None, openai_cache_ttls=None, **field)


def crusoe_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at Crusoe, which enforces schemas for every model."""
    return make_profile(model_name, JSON_OUTPUT)


def heroku_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at Heroku, whose names have `-` instead of a point: `glm-4-7`."""
    return make_profile(re.sub(r'^(glm-\d|kimi-k2)-(\d)', r'\1.\2', model_name))


def snowflake_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at Snowflake Cortex. Only models of OpenAI and Anthropic have tools and formats.

    https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api
    """
    facts: Facts = {'openai_strict_tools': False, 'openai_thinking_back': 'details', 'openai_ends_silently': True}
    if model_name.startswith('claude'):
        facts |= THINKS | {'openai_thinking_setting': 'reasoning.effort', 'openai_thinking_efforts': LOW_MEDIUM_HIGH}
    elif not model_name.startswith('openai-'):
        facts |= {
            'supports_tools': False,
            'supports_json_schema_output': False,
            'supports_json_object_output': False,
            'default_structured_output_mode': 'prompted',
        }
    return make_profile(model_name.removeprefix('openai-'), facts)


def bedrock_mantle_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model at Bedrock Mantle, whose names begin with the vendor: `openai.gpt-oss-120b`."""
    facts: Facts = {'openai_forces_tools': True, 'openai_reuses_call_ids': True}
    return make_profile(model_name.removeprefix('openai.'), facts)


# ---------------------------------------------------------------------- servers on the user's own machine


LOCAL_SERVER: Facts = {
    **INLINED,
    **JSON_OUTPUT,
    'openai_strict_tools': False,
    'openai_max_tokens_field': 'max_tokens',
    'openai_joins_system_messages': True,
    'openai_documents': False,
    **SYSTEM_FIRST,
}
"""The facts of LM Studio and of llama.cpp's server."""


def ollama_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model of Ollama, which enforces no schemas for its hosted models.

    https://docs.ollama.com/api/openai-compatibility
    """
    facts: Facts = {
        **JSON_OUTPUT,
        'supports_json_schema_output': not model_name.endswith(('-cloud', ':cloud')),
        'openai_strict_tools': False,
        'openai_max_tokens_field': 'max_tokens',  # it ignores `max_completion_tokens`: ollama/ollama#7125
        'openai_thinking_field': 'reasoning',
    }
    return make_profile(model_name, facts)


def local_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model of LM Studio, which has schemas but no JSON mode.

    https://lmstudio.ai/docs/developer/openai-compat
    """
    return make_profile(model_name, {**LOCAL_SERVER, 'supports_json_object_output': False})


def llamacpp_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model of llama.cpp's server.

    https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
    """
    return make_profile(model_name, {**LOCAL_SERVER, 'openai_constraints': 'llamacpp'})


def vllm_server_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of a model of vLLM's server: https://docs.vllm.ai/en/stable/features/structured_outputs."""
    facts: Facts = {
        **JSON_OUTPUT,
        'openai_documents': False,
        'openai_joins_system_messages': True,
        **SYSTEM_FIRST,
        'openai_thinking_field': 'reasoning',
        'openai_constraints': 'vllm',
    }
    name = bare_name(model_name)
    if re.match(r'qwen3(?!-coder|\.8)(?!.*-instruct)|gemma-4', name):
        facts |= THINKS | {'openai_thinking_off': 'none', 'openai_thinking_efforts': LOW_MEDIUM_HIGH}
    if re.match(r'qwen3.*-thinking', name):
        facts |= THINKS_ALWAYS | {'openai_thinking_off': None}
    return make_profile(model_name, facts)
