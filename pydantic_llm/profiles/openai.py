"""Profiles of OpenAI's models, and the fields in which other servers of OpenAI's API differ.

`OpenAIModelProfile` comes first, then the schemas of strict mode (`OpenAISchema`), then the facts of OpenAI's models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, cast

from . import ModelProfile
from .measures import Limits
from .schema import Node, SchemaRewriter, TransformedSchema, inline_transformer
from .subset import Subset, SubsetSchema
from .thinking import FIXED, LEVELS, ThinkingScale

__all__ = ('GeminiByOpenRouterSchema', 'OpenAIModelProfile', 'OpenAISchema', 'ThinkingSetting', 'openai_model_profile')


ThinkingSetting = Literal['reasoning_effort', 'reasoning', 'reasoning.effort', 'thinking', 'enable_thinking']
"""A field of the body, or of an object in it, that controls thinking."""


@dataclass(frozen=True, kw_only=True)
class OpenAIModelProfile(ModelProfile):
    """The features of a model behind OpenAI's APIs, and of its server.

    For a server that is not in the registry, give some of these fields: `profile={'openai_max_tokens_field':
    'max_tokens'}`.
    """

    openai_system_prompt_role: Literal['system', 'developer', 'user'] = 'system'
    """The role of system prompts and instructions."""

    openai_role_conversions: Mapping[str, str] | None = None
    """Roles to replace: `{'tool': 'user'}` for a server without tool messages."""

    openai_flatten_content: bool | Literal['texts'] = False
    """True to send content as one string, for servers that accept no list of parts, and then no files. With `'texts'`
    only content without files becomes a string."""

    openai_max_tokens_field: Literal['max_completion_tokens', 'max_tokens'] = 'max_completion_tokens'
    """The server's name of the `max_tokens` setting."""

    openai_strict_tools: bool = True
    """True if the server supports `strict` for tools."""

    openai_strict_outputs: bool | None = None
    """True if the server supports `strict` for outputs; `None`: as for tools."""

    openai_forces_tools: bool | Literal['without_thinking'] = True
    """True if the model can be forced to call a tool, or only with `thinking=False`. If not, it chooses whether to call
    an output tool."""

    openai_parallel_switch: bool = True
    """Chat Completions: True if the model accepts `parallel_tool_calls`."""

    openai_allowed_tools: bool = False
    """True if the server supports `allowed_tools`. If not, only the allowed tools are sent."""

    openai_stream_usage: bool = True
    """True if the server supports `stream_options.include_usage`."""

    openai_thinking_back: Literal['auto', 'field', 'tags', 'details', 'chunks', 'drop', 'any'] = 'auto'
    """The way to send past thinking back: in the field that it came in (else in tags), in `openai_thinking_field`, in
    tags, as `reasoning_details`, as chunks of the content, not at all, or as it came (else in the field)."""

    openai_thinking_field: str = 'reasoning_content'
    """The field for `openai_thinking_back='field'`, and the first field that is read in responses."""

    openai_thinking_with_calls: bool = False
    """True if a past response with tool calls must have the field even without thinking."""

    openai_thinking_setting: ThinkingSetting = 'reasoning_effort'
    """The field that the setting `thinking` becomes: an effort, the object of OpenRouter (`{'effort': ..., 'enabled':
    True}`), of Snowflake (`{'effort': ...}`), or of Z.ai and DeepSeek (`{'type': 'enabled'}`, with an effort next to
    it), or Alibaba's switch."""

    openai_thinking_efforts: tuple[str, ...] = ('minimal', 'low', 'medium', 'high', 'xhigh')
    """The efforts that the model accepts, the lowest first; the nearest one is sent. Empty if it accepts no effort."""

    openai_thinking_budgets: tuple[int, int] | None = None
    """The smallest and the largest number of tokens that the model accepts, if the server accepts one: as `max_tokens`
    of OpenRouter's object, as Alibaba's `thinking_budget`, or, next to `reasoning_effort`, as Claude's object."""

    openai_thinking_off: str | None = None
    """The effort that switches thinking off; `None` if no effort does."""

    openai_reasoning: Literal['never', 'on_request', 'by_default', 'always'] = 'never'
    """The condition under which the model reasons. OpenAI refuses sampling settings for requests with reasoning."""

    openai_video_url: bool = False
    """True if videos can be sent."""

    openai_document_url: bool = False
    """True if documents can be sent as URLs. If not, they are downloaded and sent as bytes."""

    openai_documents: bool = True
    """True if documents (PDF) can be sent. Text files are always sent as text."""

    openai_document_types: tuple[str, ...] | None = None
    """The media types of documents that the server accepts; `None` if they are unknown."""

    openai_image_types: tuple[str, ...] | None = None
    """The media types of images that the server accepts; `None` if they are unknown."""

    openai_audio: bool = True
    """True if audio can be sent."""

    openai_audio_formats: tuple[str, ...] = ('mp3', 'wav')
    """The formats in which audio can be sent."""

    openai_joins_system_messages: bool = False
    """True to join the system messages at the beginning, for chat templates that refuse a second one."""

    openai_constraints: Literal['json_schema', 'vllm', 'llamacpp', 'tgi'] = 'json_schema'
    """The form of the setting `constraint`: only JSON schemas, as `response_format`; any constraint, as vLLM's
    `structured_outputs`; grammars, as llama.cpp has them; or regular expressions, as Hugging Face's TGI has them."""

    openai_always_sends: Mapping[str, Any] | None = None
    """Fields that are added to the body of every request."""

    openai_item_ids: bool = False
    """Responses: True to send past items back with their ids, and with the encrypted reasoning."""

    openai_reuses_call_ids: bool = False
    """Responses: True if the server uses an id again for a tool call of another response, so that ours get a prefix."""

    openai_phases: bool = False
    """Responses: True to send past texts back with their phase: `commentary` or `final_answer`."""

    openai_reasoning_context: Literal['auto', 'current_turn', 'all_turns'] | None = None
    """Responses: the part of past reasoning that the model gets again; `None` leaves the choice to the server."""

    openai_hides_thinking_tokens: bool = False
    """True if only the total of the usage contains the tokens of thinking, as at Gemini's OpenAI endpoint."""

    openai_cache_points: Literal['breakpoint', 'cache_control'] | None = None
    """The form of a `CachePoint`: OpenAI's `prompt_cache_breakpoint`, or Anthropic's `cache_control`; `None` if the
    server has none."""

    openai_cache_key: bool = False
    """True if the server takes `prompt_cache_key`, by which it finds the machine that has cached a prefix."""

    openai_cache_ttls: Mapping[int, str] | None = None
    """Seconds -> the times for which the server can be asked to keep a prefix: values of `prompt_cache_retention`, or,
    with breakpoints, of `prompt_cache_options.ttl`."""

    openai_ends_silently: bool = False
    """True if the server ends complete responses without a finish reason, as Snowflake does."""

    @property
    def thinking_scale(self) -> ThinkingScale:
        """The values of the setting `thinking` that the model accepts."""
        scale, setting = self.effort_scale, self.openai_thinking_setting
        if scale is FIXED or setting == 'reasoning_effort':
            return replace(scale, budgets=self.openai_thinking_budgets)
        return replace(
            scale,
            levels=() if setting == 'enable_thinking' else scale.levels,
            budgets=self.openai_thinking_budgets,
            default=None if setting in ('thinking', 'enable_thinking') else scale.default,
            can_stop=not self.thinking_always_enabled,
        )

    @property
    def effort_scale(self) -> ThinkingScale:
        """The same for an API that has only an effort, as Responses does."""
        if not self.supports_thinking:
            return FIXED
        return ThinkingScale(
            levels=tuple(effort for effort in self.openai_thinking_efforts if effort in LEVELS),
            default='medium',
            can_stop=not self.thinking_always_enabled and self.openai_thinking_off is not None,
        )

    @property
    def enforces_tools(self) -> bool:
        """True if the server supports `strict` for tools."""
        return self.openai_strict_tools

    @property
    def enforces_outputs(self) -> bool:
        """True if the server supports `strict` for outputs."""
        return self.openai_strict_tools if self.openai_strict_outputs is None else self.openai_strict_outputs


SAMPLING = frozenset(
    {'temperature', 'top_p', 'presence_penalty', 'frequency_penalty', 'logit_bias', 'logprobs', 'top_logprobs'}
)
"""The settings that OpenAI refuses for requests with reasoning."""

SEARCH = re.compile(r'gpt-4o(-mini)?-search-preview')
"""The models that search the web for every response."""

REFUSED_BY_SEARCH = frozenset({'temperature', 'top_p', 'presence_penalty', 'frequency_penalty'})
"""The settings that search models refuse: ChatGPTNextWeb/NextChat#6569, vercel/ai#5647."""

IMAGE_TYPES = ('image/png', 'image/jpeg', 'image/gif', 'image/webp')
"""The media types of images that OpenAI accepts: https://platform.openai.com/docs/guides/images-vision,
STranslate/STranslate#277."""

DOCUMENT_TYPES = ('application/pdf',)
"""The media types of documents in chat completions: https://platform.openai.com/docs/guides/pdf-files."""

STOP = frozenset({'stop_sequences'})
NOTHING = frozenset[str]()

STRICT_FORMATS = frozenset({'date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'})
"""The string formats that strict mode enforces."""

NUMBERS = frozenset({'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'})
LENGTHS_OF_ARRAYS = frozenset({'minItems', 'maxItems'})

OPENAI_SUBSET = Subset(
    keywords=NUMBERS | LENGTHS_OF_ARRAYS | {'enum', 'const', 'pattern'},
    formats=STRICT_FORMATS,
    limits=Limits(depth=10, properties=5000, enum_values=1000, long_enum=(250, 15_000), text=120_000),
)
"""https://platform.openai.com/docs/guides/structured-outputs#supported-schemas. A keyword that is not listed there is
refused: `default` (dottxt-ai/outlines#1254), `examples`, `prefixItems` (pydantic-ai#7315), `oneOf`."""

LOOKAROUND = re.compile(r'(?<!\\)(?:\\\\)*\(\?<?[=!]')


class OpenAISchema(SubsetSchema):
    """Schemas for OpenAI: strict if that loses nothing, or if it is requested."""

    drop: ClassVar[frozenset[str]] = frozenset({'title', '$schema', 'discriminator'})
    subset = OPENAI_SUBSET

    def run(self, schema: Node) -> TransformedSchema:
        """Rewrite a schema, whose root must not be a reference."""
        return super().run(_resolve_root(schema))

    def rewrite(self, node: Node, path: str) -> Node:
        """Rewrite a node of a schema that is not enforced.

        The API refuses objects without properties (langchain-mcp-adapters#137) and lists without items
        (apify-mcp-server#36).
        """
        if node.get('type') == 'array':
            node.setdefault('items', {})
        if node.get('type') == 'object':
            properties = node.setdefault('properties', {})
            is_named = bool(properties) or path == '$'
            if self.strict is None and is_named and set(node.get('required', ())) <= set(properties):
                node.setdefault('additionalProperties', False)
        return node

    def annotate(self, kept: Node, notes: Node) -> Node:
        return {'anyOf': [kept], **notes} if '$ref' in kept and notes else kept | notes

    def is_enforced(self, keyword: str, value: Any) -> bool:
        if keyword == 'pattern' and LOOKAROUND.search(str(value)):
            return False
        return super().is_enforced(keyword, value)

    def collect_losses(self, node: Node, path: str) -> Node:
        """Report a default too: a model that must write every property never leaves one to its default."""
        if node.pop('default', _NO_DEFAULT) is not _NO_DEFAULT:
            self.lose(path, 'default')
        return super().collect_losses(node, path)

    @staticmethod
    def describe(description: str | None, keywords: Node) -> Node:
        note = ', '.join(f'{key}={value}' for key, value in keywords.items())
        if description and note:
            return {'description': f'{description} ({note})'}
        return {'description': text} if (text := description or note) else {}


_NO_DEFAULT = object()


def _resolve_root(schema: Node) -> Node:
    reference = schema.get('$ref')
    if not isinstance(reference, str) or not reference.startswith('#/$defs/'):
        return schema
    definition: Node = schema.get('$defs', {}).get(reference.removeprefix('#/$defs/'), {})
    merged: Node = {**{key: value for key, value in schema.items() if key != '$ref'}, **definition}
    renamed: Node = _replace_references(merged, reference, '#')
    return renamed


def _replace_references(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        pairs = cast('Node', value).items()
        return {
            key: new if (key, item) == ('$ref', old) else _replace_references(item, old, new) for key, item in pairs
        }
    if isinstance(value, list):
        return [_replace_references(item, old, new) for item in cast('list[object]', value)]
    return value


class GeminiByOpenRouterSchema(SchemaRewriter):
    """Schemas for Gemini behind OpenRouter, which supports no references, and `nullable` instead of the type null.

    OpenRouter enforces every such schema, so that tools are strict unless `strict` is False.
    """

    drop: ClassVar[frozenset[str]] = frozenset(
        {'title', '$schema', 'discriminator', 'examples', 'exclusiveMaximum', 'exclusiveMinimum'}
    )

    def run(self, schema: Node) -> TransformedSchema:
        return super().run(inline_transformer(schema, self.strict).json_schema)

    def rewrite(self, node: Node, path: str) -> Node:
        if 'const' in node:
            node['enum'] = [node.pop('const')]
        if 'enum' in node:
            node['type'], node['enum'] = 'string', [str(value) for value in node['enum']]
        if 'oneOf' in node and 'type' not in node:
            node['anyOf'] = node.pop('oneOf')
        if node.get('type') == 'string' and 'format' in node:
            note = f'format: {node.pop("format")}'
            node['description'] = f'{node["description"]} ({note})' if node.get('description') else note
        match node.get('anyOf'):
            case [other, {'type': 'null'}] | [{'type': 'null'}, other]:
                del node['anyOf']
                node = {**other, **node, 'nullable': True}
            case _:
                pass
        return node


# ---------------------------------------------------------------------- OpenAI's models

Reasoning = Literal['never', 'on_request', 'by_default', 'always']

REASONING: tuple[tuple[str, Reasoning], ...] = (
    (r'gpt-5-chat', 'never'),
    (r'gpt-5\.[123]-chat', 'always'),
    (r'gpt-.*-pro', 'always'),
    (r'gpt-5\.1-codex', 'always'),
    (r'gpt-5\.[1-4]', 'on_request'),
    (r'gpt-5\.[5-9]', 'by_default'),
    (r'gpt-6-astra|gpt-6\.1-sol', 'always'),
    (r'gpt-6', 'by_default'),
    (r'gpt-5|o\d', 'always'),
    (r'', 'never'),
)
"""The condition under which OpenAI's models reason, by the beginning of the name; the first match is used."""

ALL_TURNS = re.compile(r'gpt-5\.[4-9]|gpt-6')
"""The models that get the reasoning of all past turns again."""

PHASES = re.compile(r'gpt-5\.3-codex|gpt-5\.[4-9]|gpt-6')
"""The models that separate commentary from the `final_answer`."""

EFFORTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r'gpt-5-chat', ()),
    (r'gpt-5-pro', ('high',)),
    (r'gpt-5\.\d-chat', ('medium',)),
    (r'gpt-.*-pro', ('medium', 'high', 'xhigh')),
    (r'gpt-5\.1(?!-codex-max)', ('low', 'medium', 'high')),
    (r'gpt-5\.[1-5]', ('low', 'medium', 'high', 'xhigh')),
    (r'gpt-5\.|gpt-6', ('low', 'medium', 'high', 'xhigh', 'max')),
    (r'gpt-5', ('minimal', 'low', 'medium', 'high')),
    (r'o\d', ('low', 'medium', 'high')),
    (r'', ()),
)
"""The reasoning efforts of OpenAI's models, the lowest first, by the beginning of the name; the first match is used."""

REFUSES_PARALLEL_SWITCH = re.compile(r'o\d')
"""The models that refuse `parallel_tool_calls` in chat completions: langchain-ai/langchain#29704,
UKGovernmentBEIS/inspect_ai#1023, tensorzero/tensorzero#2805."""

BREAKPOINTS = re.compile(r'gpt-(5\.[6-9]|[6-9])')
"""The models that cache up to explicit breakpoints (`PromptCacheOptions` of the SDK)."""

CACHE_TTLS: tuple[tuple[str, Mapping[int, str] | None], ...] = (
    (r'gpt-(5\.[6-9]|[6-9])', {1800: '30m'}),
    (r'gpt-5\.5', {86_400: '24h'}),
    (r'gpt-(4\.1|5)', {300: 'in_memory', 86_400: '24h'}),
    (r'', None),
)
"""The times that the cache can be asked for, by the beginning of the name; the first match is used:
`PromptCacheOptions` and `prompt_cache_retention` of the SDK, https://developers.openai.com/api/docs/guides/prompt-caching"""

REFUSES_STOP = re.compile(r'o3(?!-mini)|o4|gpt-5(?!-chat|\.[5-9])')
"""The models that refuse `stop` with status 400."""

_transformer = OpenAISchema.transformer()


def openai_model_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of one of OpenAI's models."""
    name = model_name.lower().rpartition('/')[2]
    reasoning: Reasoning = next(when for pattern, when in REASONING if re.match(pattern, name))
    efforts = next(efforts for pattern, efforts in EFFORTS if re.match(pattern, name))
    refused = SAMPLING if reasoning == 'always' else REFUSED_BY_SEARCH if SEARCH.match(name) else NOTHING
    return OpenAIModelProfile(
        json_schema_transformer=_transformer,
        supports_json_schema_output=True,
        supports_json_object_output=True,
        supports_thinking=reasoning != 'never',
        thinking_always_enabled=reasoning == 'always',
        openai_reasoning=reasoning,
        openai_thinking_efforts=efforts,
        openai_thinking_off='none' if reasoning in ('on_request', 'by_default') else None,
        openai_allowed_tools=True,
        openai_document_types=DOCUMENT_TYPES,
        openai_image_types=IMAGE_TYPES,
        openai_parallel_switch=not REFUSES_PARALLEL_SWITCH.match(name),
        openai_item_ids=reasoning != 'never',
        openai_hides_thinking_tokens=name.startswith('gemini'),  # clarifai-python#978
        openai_phases=bool(PHASES.match(name)),
        openai_cache_points='breakpoint' if BREAKPOINTS.match(name) else None,
        openai_cache_key=True,
        openai_cache_ttls=next(ttls for pattern, ttls in CACHE_TTLS if re.match(pattern, name)),
        openai_reasoning_context='all_turns' if ALL_TURNS.match(name) else None,
        openai_system_prompt_role='user' if name.startswith('o1-mini') else 'system',
        unsupported_settings=refused | (STOP if REFUSES_STOP.match(name) else NOTHING),
    )
