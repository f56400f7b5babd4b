"""What the models at Amazon Bedrock can do behind its Converse API, by family.

https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html. The API
hides much of what sets families apart; what it does not hide is here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from . import ModelProfile
from .anthropic import AnthropicSchema, Effort, anthropic_model_profile
from .schema import inline_transformer

__all__ = ('ALL', 'BedrockModelProfile', 'Kind', 'bedrock_model_profile')

Kind = Literal['text', 'image', 'document', 'video', 'audio']
"""A kind of content."""

ALL: frozenset[Kind] = frozenset({'text', 'image', 'document', 'video', 'audio'})
"""The kinds of content that a user can send."""

NONE = frozenset[Kind]()


@dataclass(frozen=True, kw_only=True)
class BedrockModelProfile(ModelProfile):
    """What a model behind the Converse API can do.

    An ARN that does not name its model (an application inference profile, an imported model) says nothing: give
    `profile=bedrock_model_profile('anthropic.claude-sonnet-4-5')`, or any of these fields.
    """

    bedrock_content: frozenset[Kind] = frozenset({'text', 'image', 'document', 'video'})
    """The kinds of content that are sent to it; what a model does not take after all, the API refuses."""

    bedrock_content_of_tools: frozenset[Kind] = frozenset({'text', 'image'})
    """The kinds of content that a tool's result can hold; others follow it."""

    bedrock_content_beside_results: frozenset[Kind] = ALL
    """The kinds of content that can stand in one turn with the results of tools."""

    bedrock_text_beside_calls: bool = True
    """Whether an answer can hold text and calls of tools."""

    bedrock_answers_first: bool = False
    """Whether a conversation can begin with an answer of the model's."""

    bedrock_tool_choice: frozenset[Literal['any', 'tool']] = frozenset()
    """How it can be made to call a tool: any, or one by its name. Where it cannot, a needed output tool is left to its
    own choice."""

    bedrock_tool_results: Literal['text', 'json'] = 'text'
    """Whether what tools return goes as text, or as objects."""

    bedrock_result_status: bool = True
    """Whether it can be told that a tool failed."""

    bedrock_strict_tools: bool = False
    """Whether it can be held to the schema of a tool."""

    bedrock_parallel_switch: bool = False
    """Whether it can be told to call one tool at a time."""

    bedrock_cache: frozenset[Literal['system', 'messages', 'tools']] = frozenset()
    """Where cache points can stand."""

    bedrock_cache_hour: bool = False
    """Whether something can be cached for an hour."""

    bedrock_top_k: Literal['top_k', 'topK', 'never'] = 'never'
    """What `top_k` is called among the model's own fields: Claude's name, Nova's, or nothing."""

    bedrock_thinking: Literal['none', 'claude', 'nova', 'gpt', 'reasoning_effort', 'reasoning_config'] = 'none'
    """How it is told how long to think: by an object of Claude's, Nova's or GPT's, or by a field with an effort."""

    bedrock_efforts: tuple[Effort, ...] = ()
    """The efforts that it knows, the least first."""

    bedrock_adaptive_thinking: bool = False
    """Claude: whether the model decides how long it thinks, instead of a budget."""

    bedrock_thinking_off: Literal['omit', 'disabled', 'between_tools', 'none', 'never'] = 'omit'
    """How thinking is switched off: by not asking for it, with a word of the model's, or not at all."""

    bedrock_max_tokens: int = 64_000
    """The most tokens that it can write in one answer; a budget of thinking is part of it."""

    bedrock_takes_thoughts: bool = False
    """Whether it takes its own thoughts back, where they are signed; others go as text between tags."""

    bedrock_system_tools: frozenset[str] = frozenset()
    """The tools that it runs itself, by their names in the API."""


Facts = dict[str, Any]

ANY_TOOL: Facts = {'bedrock_tool_choice': frozenset({'any', 'tool'})}
JSON_OUTPUT: Facts = {
    'supports_json_schema_output': True,
    'bedrock_strict_tools': True,
    'json_schema_transformer': AnthropicSchema.transformer(),
}
RESULTS_ALONE: Facts = {'bedrock_content_beside_results': NONE}
TEXT_ALONE: Facts = {'bedrock_content': frozenset({'text'}), 'bedrock_content_of_tools': frozenset({'text'})}
CALLS_ALONE: Facts = {'bedrock_text_beside_calls': False}
EFFORT: Facts = {
    'supports_thinking': True,
    'bedrock_thinking': 'reasoning_effort',
    'bedrock_efforts': ('low', 'medium', 'high'),
}
ALWAYS_THINKS: Facts = {'supports_thinking': True, 'thinking_always_enabled': True, 'bedrock_thinking_off': 'never'}
NO_TOOLS: Facts = {'supports_tools': False, 'default_structured_output_mode': 'prompted'}
INLINED: Facts = {'json_schema_transformer': inline_transformer}

FAMILIES: tuple[tuple[str, Facts], ...] = (
    (
        r'amazon\.nova',
        {
            **ANY_TOOL,
            **INLINED,
            'bedrock_cache': frozenset({'system', 'messages'}),
            'bedrock_top_k': 'topK',
        },
    ),
    (r'amazon\.nova-micro', TEXT_ALONE),
    (r'amazon\.nova-premier', {'bedrock_system_tools': frozenset({'nova_grounding'})}),
    (
        r'amazon\.nova-2',
        {
            'supports_thinking': True,
            'bedrock_thinking': 'nova',
            'bedrock_efforts': ('low', 'medium', 'high'),
            'bedrock_system_tools': frozenset({'nova_grounding', 'nova_code_interpreter'}),
        },
    ),
    (r'amazon\.titan', {**NO_TOOLS, **TEXT_ALONE}),
    (
        r'meta\.',
        {
            **RESULTS_ALONE,
            **CALLS_ALONE,
            **INLINED,
            'bedrock_content_of_tools': frozenset({'text', 'image', 'document'}),
        },
    ),
    (
        r'mistral\.',
        {
            **RESULTS_ALONE,
            **CALLS_ALONE,
            'bedrock_tool_choice': frozenset({'any'}),
            'bedrock_tool_results': 'json',
            'bedrock_content_of_tools': frozenset({'text', 'document'}),
        },
    ),
    (r'mistral\.(magistral-small|ministral-3|mistral-large-3|voxtral)', JSON_OUTPUT),
    (r'mistral\.voxtral', {'bedrock_content': frozenset({'text', 'audio'})}),
    (r'writer\.', {**RESULTS_ALONE, 'bedrock_result_status': False}),
    (r'cohere\.|ai21\.', {'bedrock_content': frozenset({'text', 'document'})}),
    (r'deepseek\.r1', {**NO_TOOLS, **ALWAYS_THINKS}),
    (r'deepseek\.v3', {**ANY_TOOL, **JSON_OUTPUT, **EFFORT}),
    (r'openai\.gpt-oss', {**ANY_TOOL, **EFFORT, **ALWAYS_THINKS}),
    (
        r'openai\.gpt-\d',
        {
            **ANY_TOOL,
            'supports_thinking': True,
            'bedrock_thinking': 'gpt',
            'bedrock_efforts': ('low', 'medium', 'high', 'xhigh'),
            'bedrock_thinking_off': 'none',
            'bedrock_content_of_tools': frozenset({'text'}),
            'unsupported_settings': frozenset({'temperature', 'top_p'}),
        },
    ),
    (r'openai\.gpt-(6-astra|6\.1-sol)', ALWAYS_THINKS),
    (r'openai\.gpt-(5\.6|[6-9])', {'unsupported_settings': frozenset({'temperature', 'top_p', 'stop_sequences'})}),
    (r'xai\.grok', {**ANY_TOOL, **ALWAYS_THINKS, 'unsupported_settings': frozenset({'stop_sequences'})}),
    (r'qwen\.qwen3', {**ANY_TOOL, **JSON_OUTPUT, 'bedrock_answers_first': True}),
    (r'qwen\.', {'bedrock_content_of_tools': frozenset({'text'})}),
    (
        r'qwen\.qwen3(?!-coder|-vl|-next)',
        {**ALWAYS_THINKS, 'bedrock_thinking': 'reasoning_config', 'bedrock_efforts': ('low', 'high')},
    ),
    (r'google\.gemma-3-(12|27)b', JSON_OUTPUT),
    (r'minimax\.minimax-m2', JSON_OUTPUT),
    (r'minimax\.minimax-m2\.', ANY_TOOL),
    (r'nvidia\.nemotron-nano', JSON_OUTPUT),
    (r'nvidia\.nemotron-(nano|super)-3', ANY_TOOL),
    (r'(zai|moonshot(ai)?)\.', {**ANY_TOOL, **JSON_OUTPUT, 'bedrock_answers_first': True}),
    (r'moonshot(ai)?\.', {'bedrock_content_of_tools': frozenset({'text'})}),
)
"""What is known of families, by the beginning of a name without its region. Every row that fits adds its facts."""

CLAUDE: Facts = {
    'bedrock_content_of_tools': frozenset({'text', 'image', 'document'}),
    'bedrock_content_beside_results': frozenset({'text', 'image'}),
    'bedrock_answers_first': True,
    'bedrock_cache': frozenset({'system', 'messages', 'tools'}),
    'bedrock_top_k': 'top_k',
    'bedrock_thinking': 'claude',
    'bedrock_takes_thoughts': True,
}
"""What all Claudes can do here, beside what `profiles.anthropic` says of each."""

OLD_CLAUDES = re.compile(r'claude-(instant|v?[1-3]|(opus|sonnet|haiku)-4(?!-[5-9]))')
"""Those before 4.5."""

NOT_STRICT_HERE = re.compile(r'claude-(opus-4-[178]|(opus|sonnet|haiku|fable)-5)')
"""The models that Anthropic itself holds to a schema, and Bedrock does not."""

VENDORED = re.compile(
    r'(?:^|[./])((?:anthropic|amazon|meta|mistral|deepseek|openai|qwen|google|minimax|nvidia|writer|cohere|ai21|zai'
    r'|moonshot|moonshotai|xai|stability)\.[a-z0-9][a-z0-9.:-]*)'
)
"""A model's name behind its region (`us.`, `global.`), or in an ARN."""


def bedrock_model_profile(model_name: str) -> BedrockModelProfile:
    """What a model at Bedrock can do, by its id, that of an inference profile, or an ARN that names it."""
    found = VENDORED.search(model_name.lower())
    name = found[1] if found else ''
    if name.startswith('anthropic.'):
        return _claude(name)
    profile = BedrockModelProfile()
    for pattern, facts in FAMILIES:
        if re.match(pattern, name):
            profile = replace(profile, **facts)
    return profile


def _claude(name: str) -> BedrockModelProfile:
    """What a Claude can do: what Anthropic says, as far as it holds here."""
    known = anthropic_model_profile(name.replace('claude-v', 'claude-'))
    strict = known.anthropic_strict_tools and not NOT_STRICT_HERE.search(name)
    new = not OLD_CLAUDES.search(name)
    return BedrockModelProfile(
        **CLAUDE,
        supports_json_schema_output=strict,
        json_schema_transformer=known.json_schema_transformer,
        supports_thinking=known.supports_thinking,
        thinking_always_enabled=known.thinking_always_enabled,
        thinking_tags=known.thinking_tags,
        unsupported_settings=known.unsupported_settings,
        bedrock_tool_choice=frozenset({'any', 'tool'}) if known.anthropic_forces_tools else frozenset(),
        bedrock_strict_tools=strict,
        bedrock_parallel_switch=new,
        bedrock_cache_hour=new,
        bedrock_efforts=known.anthropic_efforts,
        bedrock_adaptive_thinking=known.anthropic_thinking_mode == 'adaptive',
        bedrock_thinking_off=known.anthropic_thinking_off,
        bedrock_max_tokens=known.anthropic_max_tokens,
    )
