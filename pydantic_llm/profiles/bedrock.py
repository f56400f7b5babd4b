"""Profiles of the models behind Amazon Bedrock's Converse API.

https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html. The API
hides many differences between families; the others are here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from . import Facts, ModelProfile, collect_facts
from .anthropic import AnthropicSchema, Effort, anthropic_model_profile, make_claude_scale
from .history import NO_SYSTEM_PROMPTS
from .schema import INLINED
from .thinking import CANNOT_THINK, FIXED, ThinkingScale

__all__ = ('ALL', 'BedrockModelProfile', 'Kind', 'bedrock_model_profile')

Kind = Literal['text', 'image', 'document', 'video', 'audio']
"""A kind of content."""

ALL: frozenset[Kind] = frozenset({'text', 'image', 'document', 'video', 'audio'})
"""All kinds of content."""

NONE = frozenset[Kind]()


@dataclass(frozen=True, kw_only=True)
class BedrockModelProfile(ModelProfile):
    """The features of a model behind the Converse API.

    An ARN that does not name its model (an application inference profile, an imported model) gets the defaults: give
    `profile=bedrock_model_profile('anthropic.claude-sonnet-4-5')`, or any of these fields.
    """

    bedrock_content: frozenset[Kind] = frozenset({'text', 'image', 'document', 'video'})
    """The kinds of content that are sent; the API refuses those that the model does not accept."""

    bedrock_content_of_tools: frozenset[Kind] = frozenset({'text', 'image'})
    """The kinds of content that a tool result may have; other content follows it."""

    bedrock_content_beside_results: frozenset[Kind] = ALL
    """The kinds of content that one turn may have together with tool results."""

    bedrock_text_beside_calls: bool = True
    """True if a response may have both text and tool calls."""

    bedrock_answers_first: bool = False
    """True if a conversation may begin with a response."""

    bedrock_tool_choice: frozenset[Literal['any', 'tool']] = frozenset()
    """The tool choices that force a tool call: of any tool, or of a named one. If empty, the model chooses whether to
    call an output tool."""

    bedrock_tool_results: Literal['text', 'json'] = 'text'
    """The form of tool results: text, or JSON objects."""

    bedrock_result_status: bool = True
    """True if a tool result may have the status of a failure."""

    bedrock_strict_tools: bool = False
    """True if the schemas of tools can be enforced."""

    bedrock_parallel_switch: bool = False
    """True if parallel tool calls can be switched off."""

    bedrock_cache: frozenset[Literal['system', 'messages', 'tools']] = frozenset()
    """The parts of a request that cache points may follow."""

    bedrock_cache_hour: bool = False
    """True if content can be cached for an hour."""

    bedrock_top_k: Literal['top_k', 'topK', 'never'] = 'never'
    """The name of `top_k` among the model's own fields, as Claude or Nova has it."""

    bedrock_thinking: Literal['none', 'claude', 'nova', 'gpt', 'reasoning_effort', 'reasoning_config'] = 'none'
    """The form of the thinking setting: an object of Claude's, Nova's or GPT's, or a field with an effort."""

    bedrock_efforts: tuple[Effort, ...] = ()
    """The efforts that the model accepts, the lowest first."""

    bedrock_adaptive_thinking: bool = False
    """Claude: True if the model decides how long it thinks, without a budget."""

    bedrock_thinking_off: Literal['omit', 'disabled', 'between_tools', 'none', 'never'] = 'omit'
    """The way to switch thinking off: without a field, with a value of the model's own, or never."""

    bedrock_max_tokens: int = 64_000
    """The maximum number of tokens in one response, including a thinking budget."""

    bedrock_takes_thoughts: bool = False
    """True if signed thinking can be sent back. Other thinking is sent as text between tags."""

    bedrock_system_tools: frozenset[str] = frozenset()
    """The tools that the model runs itself, by their names in the API."""

    @property
    def thinking_scale(self) -> ThinkingScale:
        """The values of the setting `thinking` that the model accepts."""
        can_stop = self.bedrock_thinking_off != 'never'
        if self.bedrock_thinking == 'claude':
            return make_claude_scale(
                self,
                adaptive=self.bedrock_adaptive_thinking,
                efforts=self.bedrock_efforts,
                can_stop=can_stop,
                max_tokens=self.bedrock_max_tokens,
            )
        if self.bedrock_thinking == 'none':
            return CANNOT_THINK if can_stop else FIXED
        return ThinkingScale(levels=self.bedrock_efforts, default='medium', can_stop=can_stop)

    @property
    def enforces_tools(self) -> bool:
        """True if the schemas of tools can be enforced."""
        return self.bedrock_strict_tools


ANY_TOOL: Facts = {'bedrock_tool_choice': frozenset({'any', 'tool'})}
JSON_OUTPUT: Facts = {
    'supports_json_schema_output': True,
    'bedrock_strict_tools': True,
    'json_schema_transformer': AnthropicSchema.transformer(),
}
RESULTS_ALONE: Facts = {'bedrock_content_beside_results': NONE}
TEXT_ALONE: Facts = {'bedrock_content': frozenset({'text'}), 'bedrock_content_of_tools': frozenset({'text'})}
CALLS_AND_RESULTS_ALONE: Facts = {**RESULTS_ALONE, 'bedrock_text_beside_calls': False}
EFFORT: Facts = {
    'supports_thinking': True,
    'bedrock_thinking': 'reasoning_effort',
    'bedrock_efforts': ('low', 'medium', 'high'),
}
ALWAYS_THINKS: Facts = {'supports_thinking': True, 'thinking_always_enabled': True, 'bedrock_thinking_off': 'never'}
NO_TOOLS: Facts = {'supports_tools': False, 'default_structured_output_mode': 'prompted'}

FAMILIES: tuple[tuple[str, Facts], ...] = (
    (
        r'amazon\.nova',
        {**ANY_TOOL, **INLINED, 'bedrock_cache': frozenset({'system', 'messages'}), 'bedrock_top_k': 'topK'},
    ),
    (r'amazon\.nova-micro', TEXT_ALONE),
    (r'amazon\.nova-premier', {'bedrock_system_tools': frozenset({'nova_grounding'})}),
    (
        r'amazon\.nova-2',
        {
            **EFFORT,
            'bedrock_thinking': 'nova',
            'bedrock_system_tools': frozenset({'nova_grounding', 'nova_code_interpreter'}),
        },
    ),
    (r'amazon\.titan', {**NO_TOOLS, **TEXT_ALONE, **NO_SYSTEM_PROMPTS}),  # anything-llm#2486
    (
        r'meta\.',
        {
            **CALLS_AND_RESULTS_ALONE,
            **INLINED,
            'bedrock_content_of_tools': frozenset({'text', 'image', 'document'}),
        },
    ),
    (
        r'mistral\.',
        {
            **CALLS_AND_RESULTS_ALONE,
            'bedrock_tool_choice': frozenset({'any'}),
            'bedrock_tool_results': 'json',
            'bedrock_content_of_tools': frozenset({'text', 'document'}),
        },
    ),
    (r'mistral\.(magistral-small|ministral-3|mistral-large-3|voxtral)', JSON_OUTPUT),
    (r'mistral\.(mistral-7b|mixtral-8x7b)', {**NO_TOOLS, **NO_SYSTEM_PROMPTS}),  # instructor#1753
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
"""The facts of families, by the beginning of a name without its region. Every match adds its facts."""

CLAUDE: Facts = {
    'bedrock_content_of_tools': frozenset({'text', 'image', 'document'}),
    'bedrock_content_beside_results': frozenset({'text', 'image'}),
    'bedrock_answers_first': True,
    'bedrock_cache': frozenset({'system', 'messages', 'tools'}),
    'bedrock_top_k': 'top_k',
    'bedrock_thinking': 'claude',
    'bedrock_takes_thoughts': True,
}
"""The facts of every Claude at Bedrock, in addition to those of `profiles.anthropic`."""

OLD_CLAUDES = re.compile(r'claude-(instant|v?[1-3]|(opus|sonnet|haiku)-4(?!-[5-9]))')
"""The Claude models before version 4.5."""

NOT_STRICT_HERE = re.compile(r'claude-(opus-4-[178]|(opus|sonnet|haiku|fable)-5)')
"""The models whose schemas Anthropic enforces, and Bedrock does not."""

NAME_WITH_VENDOR = re.compile(
    r'(?:^|[./])((?:anthropic|amazon|meta|mistral|deepseek|openai|qwen|google|minimax|nvidia|writer|cohere|ai21|zai'
    r'|moonshot|moonshotai|xai|stability)\.[a-z0-9][a-z0-9.:-]*)'
)
"""A model's name, after its region (`us.`, `global.`) or in an ARN."""


def bedrock_model_profile(model_name: str) -> BedrockModelProfile:
    """Return the profile of a model, by its id, the id of an inference profile, or an ARN that names the model."""
    match = NAME_WITH_VENDOR.search(model_name.lower())
    name = match[1] if match else ''
    if name.startswith('anthropic.'):
        return _make_claude_profile(name)
    return BedrockModelProfile(**collect_facts(FAMILIES, name))


def _make_claude_profile(name: str) -> BedrockModelProfile:
    """Return the profile of a Claude, from Anthropic's own profile of it."""
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
        exclusive_settings=known.exclusive_settings,
        bedrock_tool_choice=frozenset({'any', 'tool'}) if known.anthropic_forces_tools else frozenset(),
        bedrock_strict_tools=strict,
        bedrock_parallel_switch=new,
        bedrock_cache_hour=new,
        bedrock_efforts=known.anthropic_efforts,
        bedrock_adaptive_thinking=known.anthropic_thinking_mode == 'adaptive',
        bedrock_thinking_off=known.anthropic_thinking_off,
        bedrock_max_tokens=known.anthropic_max_tokens,
        history_rules=known.history_rules,
    )
