"""Profiles of Anthropic's models, and the schemas that the Messages API can enforce."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from . import ModelProfile
from .measures import Limits
from .schema import Node
from .subset import Subset, SubsetSchema, is_scalar
from .thinking import CANNOT_THINK, ThinkingScale

__all__ = ('AnthropicModelProfile', 'AnthropicSchema', 'anthropic_model_profile')


Effort = Literal['low', 'medium', 'high', 'xhigh', 'max']
"""A level of effort, as the API names it."""


CLAUDE_TOKENS = {'minimal': 1024, 'low': 2048, 'medium': 10_000, 'high': 16_384, 'xhigh': 32_768}
"""The tokens of each level of `thinking`, for models with a budget. `'max'` is all but `RESPONSE_TOKENS`."""

MIN_BUDGET = 1024
"""The smallest budget that the API accepts, in tokens."""

RESPONSE_TOKENS = 4096
"""The tokens of the longest response that no budget takes."""


def make_claude_scale(
    profile: ModelProfile, *, adaptive: bool, efforts: tuple[str, ...], can_stop: bool, max_tokens: int
) -> ThinkingScale:
    """Return what a Claude accepts for the setting `thinking`, at any vendor: an effort, or a budget in tokens.

    https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking
    """
    if not profile.supports_thinking:
        return CANNOT_THINK
    if adaptive:
        return ThinkingScale(levels=efforts, can_stop=can_stop)
    budgets = (MIN_BUDGET, max(max_tokens - RESPONSE_TOKENS, MIN_BUDGET))
    return ThinkingScale(budgets=budgets, tokens=CLAUDE_TOKENS, default=CLAUDE_TOKENS['medium'], can_stop=can_stop)


@dataclass(frozen=True, kw_only=True)
class AnthropicModelProfile(ModelProfile):
    """The features of a model behind the Messages API. The defaults are for servers other than Anthropic's."""

    supports_thinking: bool = True

    thinking_tags: tuple[str, str] = ('<thinking>', '</thinking>')

    anthropic_thinking_mode: Literal['budget', 'adaptive'] = 'budget'
    """The limit of thinking: a budget of tokens, or the model's own decision."""

    anthropic_thinking_off: Literal['omit', 'disabled', 'between_tools', 'never'] = 'omit'
    """The way to switch thinking off: without a field, with `disabled`, so only between tools, or never."""

    anthropic_efforts: tuple[Effort, ...] = ()
    """The levels of `output_config.effort` that the model accepts, the lowest first."""

    anthropic_requires_signatures: bool = False
    """True if the model rejects thinking that it did not sign. Other models take their thinking back without one."""

    anthropic_unsupported_tools: frozenset[str] = frozenset()
    """The kinds of native tools that the server refuses."""

    anthropic_auto_cache: bool = True
    """True if the server takes `cache_control` for a whole request. If not, the last block is marked."""

    anthropic_has_files: bool = True
    """True if the server holds uploaded files."""

    anthropic_strict_tools: bool = False
    """True if the schemas of tools can be enforced."""

    anthropic_inline_system: bool = False
    """True if a system prompt may follow other messages. If not, all system prompts are sent first."""

    anthropic_forces_tools: bool = True
    """True if the model can be forced to call a tool. If not, it chooses whether to call an output tool."""

    anthropic_max_tokens: int = 64_000
    """The maximum number of tokens in one response."""

    anthropic_default_max_tokens: int = 4096
    """The value of `max_tokens`, which the API requires, if the setting is not given."""

    anthropic_web_search: str = 'web_search_20250305'
    """The version of the web search tool."""

    anthropic_web_fetch: str = 'web_fetch_20250910'
    """The version of the web fetch tool."""

    anthropic_code_execution: str = 'code_execution_20250825'
    """The version of the code execution tool."""

    @property
    def thinking_scale(self) -> ThinkingScale:
        """The values of the setting `thinking` that the model accepts."""
        return make_claude_scale(
            self,
            adaptive=self.anthropic_thinking_mode == 'adaptive',
            efforts=self.anthropic_efforts,
            can_stop=self.anthropic_thinking_off != 'never',
            max_tokens=self.anthropic_max_tokens,
        )

    @property
    def enforces_tools(self) -> bool:
        """True if the schemas of tools can be enforced."""
        return self.anthropic_strict_tools


SAMPLING = frozenset({'temperature', 'top_p', 'top_k'})
"""The settings that models from Opus 4.7 on refuse."""

ONE_OF_SAMPLING = ('temperature', 'top_p')
"""The settings of which Opus 4.1 and the models from 4.5 on refuse two together, at every vendor:
BerriAI/litellm#15097, aws-samples/bedrock-chat#979, open-webui/functions#9."""

LOW_TO_HIGH: tuple[Effort, ...] = ('low', 'medium', 'high')
WITHOUT_XHIGH: tuple[Effort, ...] = (*LOW_TO_HIGH, 'max')
ALL_EFFORTS: tuple[Effort, ...] = (*LOW_TO_HIGH, 'xhigh', 'max')

_OLD = {'supports_thinking': False, 'anthropic_max_tokens': 4096}
_BUDGET = {'anthropic_thinking_mode': 'budget'}
_STRICT = {
    'exclusive_settings': ONE_OF_SAMPLING,
    'supports_json_schema_output': True,
    'anthropic_strict_tools': True,
    'anthropic_default_max_tokens': 16_384,
}
_NEW_CODE = {'anthropic_code_execution': 'code_execution_20260120'}
_ADAPTIVE = {
    **_STRICT,
    **_NEW_CODE,
    'anthropic_thinking_mode': 'adaptive',
    'anthropic_max_tokens': 128_000,
    'anthropic_web_search': 'web_search_20260209',
    'anthropic_web_fetch': 'web_fetch_20260209',
    'anthropic_efforts': ALL_EFFORTS,
    # https://platform.claude.com/docs/en/about-claude/models/migration-guide: prefilling returns a 400 error
    'history_rules': {'response_last': False},
}
_NO_SAMPLING = {**_ADAPTIVE, 'unsupported_settings': SAMPLING}
_THINKS = {**_NO_SAMPLING, 'anthropic_thinking_off': 'disabled'}
_ALWAYS_THINKS = {**_NO_SAMPLING, 'anthropic_thinking_off': 'never', 'thinking_always_enabled': True}
_INLINE = {'anthropic_inline_system': True}
_FREE = {'anthropic_forces_tools': False}

FAMILIES: tuple[tuple[str, dict[str, Any]], ...] = (
    (r'(instant|2|3-(opus|sonnet|haiku))', _OLD),
    (r'3-5', {**_OLD, 'anthropic_max_tokens': 8192}),
    (r'3-7', _BUDGET),
    (r'(sonnet|haiku)-4-5', {**_BUDGET, **_STRICT}),
    (r'opus-4-5', {**_BUDGET, **_STRICT, **_NEW_CODE, 'anthropic_efforts': LOW_TO_HIGH}),
    (r'(opus|sonnet)-4-6', {**_ADAPTIVE, 'anthropic_efforts': WITHOUT_XHIGH}),
    (r'opus-4-7', _NO_SAMPLING),
    (r'opus-4-8', {**_NO_SAMPLING, **_INLINE}),
    (r'opus-4-1', {**_BUDGET, **_STRICT, 'anthropic_max_tokens': 32_000, 'anthropic_default_max_tokens': 4096}),
    (r'opus-4', {**_BUDGET, 'anthropic_max_tokens': 32_000}),
    (r'(sonnet|haiku)-4', _BUDGET),
    (r'opus-5-5', {**_ALWAYS_THINKS, **_INLINE, **_FREE}),
    (r'sonnet-5-5', {**_NO_SAMPLING, **_FREE, 'anthropic_thinking_off': 'between_tools'}),
    (r'(fable|mythos)-5-[12](?!\d)', {**_ALWAYS_THINKS, **_INLINE, **_FREE}),
    (r'(fable|mythos)', {**_ALWAYS_THINKS, **_INLINE}),
    (r'opus-5', {**_THINKS, **_INLINE}),
    (r'', _THINKS),
)
"""The facts of families, by the beginning of the name after `claude-`; the first match is used. An unknown name gets
the facts of the newest models."""


VERSION_FIRST = re.compile(r'^([4-9](?:-\d)?)-(opus|sonnet|haiku)')
"""The names of Snowflake and Heroku, from version 4 on: `claude-4-5-sonnet`."""


def anthropic_model_profile(model_name: str) -> AnthropicModelProfile:
    """Return the profile of a model, in any vendor's spelling of its name (`us.anthropic.claude-...-v1:0`)."""
    _, claude, name = re.sub(r'[.@_]', '-', model_name.lower()).rpartition('claude-')
    if not claude:
        return AnthropicModelProfile(json_schema_transformer=_transformer)
    name = VERSION_FIRST.sub(r'\2-\1', name)
    facts = next(facts for pattern, facts in FAMILIES if re.match(pattern, name))
    return AnthropicModelProfile(json_schema_transformer=_transformer, anthropic_requires_signatures=True, **facts)


# ---------------------------------------------------------------------- hosts


@dataclass(frozen=True, kw_only=True)
class ClaudeHost:
    """What the servers of one vendor refuse of the API, for every Claude model that they have."""

    settings: frozenset[str] = frozenset()
    """The settings that they refuse."""

    tools: frozenset[str] = frozenset()
    """The kinds of native tools that they refuse."""

    auto_cache: bool = True
    """True if they take `cache_control` for a whole request."""

    has_files: bool = True
    """True if they hold uploaded files."""

    def apply(self, profile: AnthropicModelProfile) -> AnthropicModelProfile:
        """Return the profile of a model at these servers, all of which check signatures."""
        return replace(
            profile,
            unsupported_settings=profile.unsupported_settings | self.settings,
            anthropic_unsupported_tools=self.tools,
            anthropic_auto_cache=self.auto_cache,
            anthropic_has_files=self.has_files,
            anthropic_requires_signatures=True,
        )


ANTHROPIC = ClaudeHost()
"""Anthropic, and its platform at other clouds (`AsyncAnthropicAWS`, `AsyncAnthropicFoundry`)."""

_REFUSED = frozenset({'anthropic_speed', 'anthropic_inference_geo', 'anthropic_container'})
"""https://platform.claude.com/docs/en/manage-claude/data-residency; fast mode and containers need betas that these
servers refuse: `anthropic_beta_headers_config.json` of litellm 1.109.1, which has a column for each."""

BEDROCK = ClaudeHost(
    # the fields of https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
    settings=_REFUSED | {'service_tier', 'anthropic_service_tier'},
    tools=frozenset({'web_search', 'web_fetch', 'code_execution', 'mcp_server'}),
    auto_cache=False,  # inspect_ai#3851, anthropic-sdk-python#939
    has_files=False,
)
"""Claude at Amazon Bedrock, by InvokeModel."""

MANTLE = replace(BEDROCK, settings=_REFUSED, tools=BEDROCK.tools - {'web_search'})
"""Claude at Amazon Bedrock's endpoint of the Messages API."""

VERTEX = ClaudeHost(
    settings=_REFUSED,
    tools=frozenset({'web_fetch', 'code_execution', 'mcp_server'}),
    auto_cache=False,  # vercel/ai#13986, langchain-google#1612
    has_files=False,
)
"""Claude at Google's Vertex AI."""


# ---------------------------------------------------------------------- schemas


FORMATS = frozenset({'date-time', 'time', 'date', 'duration', 'email', 'hostname', 'uri', 'ipv4', 'ipv6', 'uuid'})
"""The string formats that strict schemas enforce."""

ANTHROPIC_SUBSET = Subset(
    keywords=frozenset({'enum'}),
    formats=FORMATS,
    min_items=frozenset({0, 1}),
    optional=True,
    recursion=False,
    inferred=False,
    limits=Limits(optional=24, unions=16),
)
"""https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations. An object must be
closed: BerriAI/litellm#35811. The limits are those of all strict schemas of a request together."""


class AnthropicSchema(SubsetSchema):
    """Schemas for Anthropic: keywords that a strict schema cannot have move into the description.

    A schema is strict only if that is requested, since the API limits the number of strict schemas in a request.
    """

    drop: ClassVar[frozenset[str]] = frozenset({'title', '$schema'})
    subset = ANTHROPIC_SUBSET

    def enforce_shape(self, node: Node, path: str) -> Node:
        """Return the shape. A choice of values has no type, and a constant is such a choice."""
        if 'const' in node and is_scalar(node['const']):
            node['enum'] = [node.pop('const')]
        if 'enum' in node and self.is_enforced('enum', node['enum']):
            node.pop('type', None)
            return {'enum': node.pop('enum')}
        return super().enforce_shape(node, path)

    def enforce_all_of(self, schemas: list[Any], path: str) -> list[Node]:
        """Return the members of an intersection, none of which may be a reference."""
        members = [self.enforce(child, f'{path}.{index}') for index, child in enumerate(schemas)]
        if any('$ref' in member for member in members):
            self.obstacles.append(f'{path} is an intersection (allOf) of references')
        return members


_transformer = AnthropicSchema.transformer()
