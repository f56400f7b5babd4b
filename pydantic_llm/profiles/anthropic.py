"""What Anthropic's models can do, and the schemas that they can be held to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from . import ModelProfile
from .schema import Node, SchemaRewriter

__all__ = ('AnthropicModelProfile', 'AnthropicSchema', 'anthropic_model_profile')


Effort = Literal['low', 'medium', 'high', 'xhigh', 'max']
"""How much effort a model puts into an answer, in the API's words."""


@dataclass(frozen=True, kw_only=True)
class AnthropicModelProfile(ModelProfile):
    """What a model behind the Messages API can do. The defaults fit a server of the API that is not Anthropic's."""

    supports_thinking: bool = True
    """Whether it can think before it answers, and be told how long."""

    thinking_tags: tuple[str, str] = ('<thinking>', '</thinking>')
    """What opens and closes thoughts that are written into text."""

    anthropic_thinking_mode: Literal['budget', 'adaptive'] = 'budget'
    """Whether thinking gets a budget of tokens, or the model decides how long it thinks."""

    anthropic_thinking_off: Literal['omit', 'disabled', 'between_tools', 'never'] = 'omit'
    """How thinking is switched off: by asking for none, with a word of the API's, or not at all."""

    anthropic_efforts: tuple[Effort, ...] = ()
    """The levels of `output_config.effort` that it knows, the least first."""

    anthropic_strict_tools: bool = False
    """Whether it can be held to the schema of a tool."""

    anthropic_inline_system: bool = False
    """Whether a system prompt can stand in the middle of a conversation; elsewhere all of them come first."""

    anthropic_forces_tools: bool = True
    """Whether it can be made to call a tool. Where it cannot, a needed output tool is left to its own choice."""

    anthropic_max_tokens: int = 64_000
    """The most tokens that it can write in one answer."""

    anthropic_default_max_tokens: int = 4096
    """How many tokens it may write where `max_tokens` does not say, since the API wants to know."""

    anthropic_web_search: str = 'web_search_20250305'
    """Its version of the tool that searches the web."""

    anthropic_web_fetch: str = 'web_fetch_20250910'
    """Its version of the tool that reads a page."""

    anthropic_code_execution: str = 'code_execution_20250825'
    """Its version of the tool that runs code."""


SAMPLING = frozenset({'temperature', 'top_p', 'top_k'})
"""The settings that the newest models refuse."""

LOW_TO_HIGH: tuple[Effort, ...] = ('low', 'medium', 'high')
WITHOUT_XHIGH: tuple[Effort, ...] = (*LOW_TO_HIGH, 'max')
ALL_EFFORTS: tuple[Effort, ...] = (*LOW_TO_HIGH, 'xhigh', 'max')

DEFAULT_MAX_TOKENS = 16_384
"""How much an answer may hold where nobody says, for models that can write that much."""

_OLD = {'supports_thinking': False, 'anthropic_max_tokens': 4096}
_BUDGET = {'anthropic_thinking_mode': 'budget'}
_STRICT = {
    'supports_json_schema_output': True,
    'anthropic_strict_tools': True,
    'anthropic_default_max_tokens': DEFAULT_MAX_TOKENS,
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
"""What families can do, by the beginning of their name behind `claude-`; the first that fits. A name that is not known
is taken for a newer one."""


def anthropic_model_profile(model_name: str) -> AnthropicModelProfile:
    """What one of Anthropic's models can do, however a vendor spells its name (`us.anthropic.claude-...-v1:0`)."""
    _, claude, name = re.sub(r'[.@_]', '-', model_name.lower()).rpartition('claude-')
    if not claude:
        return AnthropicModelProfile(json_schema_transformer=_transformer)
    facts = next(facts for pattern, facts in FAMILIES if re.match(pattern, name))
    return AnthropicModelProfile(json_schema_transformer=_transformer, **facts)


# ---------------------------------------------------------------------- schemas


FORMATS = frozenset({'date-time', 'time', 'date', 'duration', 'email', 'hostname', 'uri', 'ipv4', 'ipv6', 'uuid'})
"""The string formats that a model can be held to."""

SAYS_LITTLE = frozenset(
    {'description', 'default', 'examples', 'discriminator', 'deprecated', 'readOnly', 'writeOnly', '$comment'}
)
"""Keywords that hold nobody to anything."""

CHOICES = {'anyOf': 'anyOf', 'oneOf': 'anyOf', 'allOf': 'allOf'}
"""The keywords that combine schemas, and those that the API has for them."""


class AnthropicSchema(SchemaRewriter):
    """Schemas for Anthropic: what a strict schema cannot say moves into the description, where the model reads it.

    https://platform.claude.com/docs/en/build-with-claude/structured-outputs. A schema is strict only where that is
    asked for, since the API limits how many strict schemas a request may hold.
    """

    drop = frozenset({'title', '$schema'})

    def rewrite(self, node: Node, path: str) -> Node:
        """Change one node."""
        if not self.strict:
            self.compatible = False
            return node
        rest = dict(node)
        kept: Node = {key: rest.pop(key) for key in ('$defs', 'definitions') if key in rest}
        if '$ref' in rest:
            kept['$ref'] = rest.pop('$ref')
            self._lose_all(rest, path)
            return kept
        kept |= _shape(rest)
        description = rest.pop('description', None)
        match kept.get('type'):
            case 'object':
                kept |= self._object(rest, path)
            case 'string':
                kept |= _kept(rest, 'format', rest.get('format') in FORMATS)
            case 'array':
                kept |= _kept(rest, 'items', 'items' in rest) | _kept(rest, 'minItems', rest.get('minItems') in (0, 1))
            case _:
                pass
        self._lose_all(rest, path)
        texts = [text for text in (description, _described(rest)) if text]
        return {**kept, 'description': '\n\n'.join(texts)} if texts else kept

    def _object(self, rest: Node, path: str) -> Node:
        if rest.pop('additionalProperties', False) is not False:
            self.lose(path, 'additionalProperties')
        kept: Node = {'properties': rest.pop('properties', {}), 'additionalProperties': False}
        return kept | _kept(rest, 'required', 'required' in rest)

    def _lose_all(self, rest: Node, path: str) -> None:
        for key in rest:
            if key not in SAYS_LITTLE:
                self.lose(path, key)


def _shape(rest: Node) -> Node:
    """What a node is: a choice of values, of schemas, or a type."""
    if _is_plain(rest.get('const', ())):
        rest['enum'] = [rest.pop('const')]
    kind = rest.pop('type', None)
    if rest.get('enum') and all(_is_plain(value) for value in rest['enum']):
        return {'enum': rest.pop('enum')}
    for key, wire in CHOICES.items():
        if key in rest:
            return {wire: rest.pop(key)}
    return {} if kind is None else {'type': kind}


def _kept(rest: Node, key: str, allowed: bool) -> Node:
    """The keyword if the API takes it; one that it does not take becomes the last of what is left."""
    if key not in rest:
        return {}
    value = rest.pop(key)
    if allowed:
        return {key: value}
    rest[key] = value
    return {}


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))


def _described(rest: Node) -> str:
    """What the schema cannot say, in words."""
    return '{' + ', '.join(f'{key}: {value}' for key, value in rest.items()) + '}' if rest else ''


_transformer = AnthropicSchema.transformer()
