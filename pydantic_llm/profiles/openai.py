"""What OpenAI's models can do, and in which ways a server of their API can differ from OpenAI's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from ..exceptions import UserError
from . import ModelProfile
from .schema import Node, SchemaRewriter, TransformedSchema, inline_transformer

__all__ = ('GeminiByOpenRouterSchema', 'OpenAIModelProfile', 'OpenAISchema', 'ThinkingSetting', 'openai_model_profile')


ThinkingSetting = Literal['reasoning_effort', 'reasoning', 'reasoning.effort', 'thinking', 'enable_thinking']
"""A field of the body, or of an object in it, that says how long to think."""


@dataclass(frozen=True, kw_only=True)
class OpenAIModelProfile(ModelProfile):
    """What a model behind the Chat Completions API can do, and what its server takes.

    Give any of these as `profile={'openai_max_tokens_field': 'max_tokens'}` for a server that is not known here.
    """

    openai_system_prompt_role: Literal['system', 'developer', 'user'] = 'system'
    """The role that system prompts and instructions are sent under."""

    openai_role_conversions: Mapping[str, str] | None = None
    """Other names for roles: `{'tool': 'user'}` for a server without tool messages."""

    openai_flatten_content: bool | Literal['texts'] = False
    """Send content as one string, for servers that take no list of parts. Files cannot be sent then; they can with
    `'texts'`, which makes a string only of what is all text."""

    openai_max_tokens_field: Literal['max_completion_tokens', 'max_tokens'] = 'max_completion_tokens'
    """What the server calls the limit on what is written."""

    openai_strict_tools: bool = True
    """Whether the server knows `strict` for tools."""

    openai_strict_outputs: bool | None = None
    """Whether the server knows `strict` for outputs; `None` where that is as it is for tools."""

    openai_forces_tools: bool | Literal['without_thinking'] = True
    """Whether the model can be made to call a tool, or only with `thinking=False`. Where it cannot, a needed output
    tool is left to its own choice."""

    openai_allowed_tools: bool = False
    """Whether the server knows `allowed_tools`; where it does not, the other tools are left out of the request."""

    openai_stream_usage: bool = True
    """Whether the server knows `stream_options.include_usage`."""

    openai_thinking_back: Literal['auto', 'field', 'tags', 'details', 'chunks', 'drop'] = 'auto'
    """How past thoughts go back: under the name they came by (else in tags), under one name, in tags, as
    `reasoning_details`, as chunks of the content, or not at all."""

    openai_thinking_field: str = 'reasoning_content'
    """The name for `openai_thinking_back='field'`, and the first name that is looked for in answers."""

    openai_thinking_with_calls: bool = False
    """Whether an answer with tool calls must carry the field even where there were no thoughts."""

    openai_thinking_setting: ThinkingSetting = 'reasoning_effort'
    """What the setting `thinking` becomes, where the model can think: an effort, OpenRouter's object
    (`{'effort': ..., 'enabled': True}`), Snowflake's (`{'effort': ...}`), Z.ai's and DeepSeek's (`{'type': 'enabled'}`,
    with an effort beside it), or Alibaba's switch."""

    openai_thinking_efforts: tuple[str, ...] = ('minimal', 'low', 'medium', 'high', 'xhigh')
    """The efforts that the model knows, from the least to the most; the nearest is sent. Empty where there are none."""

    openai_thinking_off: str | None = None
    """The effort that means no thinking at all; `None` where thinking cannot be switched off by an effort."""

    openai_reasoning: Literal['never', 'on_request', 'by_default', 'always'] = 'never'
    """When the model reasons before it answers. While it does, sampling settings are refused by OpenAI."""

    openai_video_url: bool = False
    """Whether videos can be sent."""

    openai_document_url: bool = False
    """Whether documents can be sent as addresses; where they cannot, they are downloaded and sent as bytes."""

    openai_documents: bool = True
    """Whether documents (PDF) can be sent at all. Text files are always sent as text."""

    openai_audio: bool = True
    """Whether sound can be sent."""

    openai_audio_formats: tuple[str, ...] = ('mp3', 'wav')
    """The formats in which it can be sent."""

    openai_joins_system_messages: bool = False
    """Whether the system messages at the beginning are sent as one, for chat templates that refuse a second."""

    openai_constraints: Literal['json_schema', 'vllm', 'llamacpp', 'tgi'] = 'json_schema'
    """How the server is told of the setting `constraint`: a JSON schema by `response_format` and nothing else, any by
    vLLM's `structured_outputs`, a grammar as llama.cpp takes it, or a regular expression as Hugging Face's TGI does."""

    openai_always_sends: Mapping[str, Any] | None = None
    """Fields of every request's body."""

    openai_item_ids: bool = False
    """Responses: whether past items go back under the ids they came by, with the encrypted form of the reasoning."""

    openai_reuses_call_ids: bool = False
    """Responses: whether calls of different answers have the same ids, so that ours must hold the answer's too."""

    openai_phases: bool = False
    """Responses: whether past texts go back with their phase (commentary or final answer)."""

    openai_reasoning_context: Literal['auto', 'current_turn', 'all_turns'] | None = None
    """Responses: how much of past reasoning the model is shown again; `None` leaves it to the server."""

    openai_ends_silently: bool = False
    """Whether the server ends a good answer without a finish reason (Snowflake)."""


SAMPLING = frozenset(
    {'temperature', 'top_p', 'presence_penalty', 'frequency_penalty', 'logit_bias', 'logprobs', 'top_logprobs'}
)
"""The settings that OpenAI refuses while a model reasons."""

STOP = frozenset({'stop_sequences'})
NOTHING = frozenset[str]()

STRICT_FORMATS = frozenset({'date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'})
"""The string formats that strict mode enforces."""

NOT_STRICT = (
    'minLength',
    'maxLength',
    'patternProperties',
    'unevaluatedProperties',
    'propertyNames',
    'minProperties',
    'maxProperties',
    'unevaluatedItems',
    'contains',
    'minContains',
    'maxContains',
    'uniqueItems',
)
"""The keywords that strict mode refuses. https://platform.openai.com/docs/guides/structured-outputs"""

LOOKAROUND = re.compile(r'(?<!\\)(?:\\\\)*\(\?<?[=!]')
MAX_NESTING = 10
"""More levels of objects than this are not strict."""
MAX_PROPERTIES = 5000
"""More properties than this, in all objects together, are not strict."""
RESOLVED = re.compile(r'#(/(\$defs|definitions)/[^/]+)?')
"""The references that strict mode follows: to the root, and to a definition at its top."""
TYPED = ('type', '$ref', 'anyOf', 'oneOf', 'allOf', 'enum', 'const')


class OpenAISchema(SchemaRewriter):
    """Schemas for OpenAI: made strict where that is asked for, and found to be strict or not where it is not."""

    drop = frozenset({'title', '$schema', 'discriminator'})

    def run(self, schema: Node) -> TransformedSchema:
        """Rewrite a schema; one whose root is a reference gets the definition in its place."""
        done = super().run(_root_definition(schema))
        if self.strict is None and done.strict and _is_too_large(done.json_schema):
            return replace(done, strict=False)
        return done

    def rewrite(self, node: Node, path: str) -> Node:
        """Change one node."""
        if isinstance(reference := node.get('$ref'), str):
            if not RESOLVED.fullmatch(reference):
                self.compatible = False
            if len(node) > 1:
                node['anyOf'] = [{'$ref': node.pop('$ref')}]
        if 'default' in node:
            self._default(node, path)
        self._keywords(node, path)
        if 'oneOf' in node:
            self._one_of(node)
        match node.get('type'):
            case 'object':
                self._object(node, path)
            case 'array':
                self._array(node, path)
            case _:
                pass
        return node

    def _default(self, node: Node, path: str) -> None:
        if self.strict:
            del node['default']
            self.lose(path, 'default')
        else:
            self.compatible = False

    def _keywords(self, node: Node, path: str) -> None:
        refused = {key: node[key] for key in NOT_STRICT if key in node}
        if 'format' in node and node['format'] not in STRICT_FORMATS:
            refused['format'] = node['format']
        if LOOKAROUND.search(str(node.get('pattern', ''))):
            refused['pattern'] = node['pattern']
        if not refused:
            return
        self.compatible = False
        if self.strict:
            for key in refused:
                del node[key]
                self.lose(path, key)
            note = ', '.join(f'{key}={value}' for key, value in refused.items())
            node['description'] = f'{node["description"]} ({note})' if node.get('description') else note

    def _one_of(self, node: Node) -> None:
        if self.strict:
            node['anyOf'] = node.pop('oneOf')
        else:
            self.compatible = False

    def _object(self, node: Node, path: str) -> None:
        properties = node.setdefault('properties', {})
        more = node.get('additionalProperties', False)
        if self.strict:
            if more is not False:
                self.lose(path, 'additionalProperties')
            node['additionalProperties'] = False
            node['required'] = list(properties)
        elif self.strict is None:
            if more is False:
                node['additionalProperties'] = False
            else:
                self.compatible = False
            if 'required' not in node or not set(properties) <= set(node['required']):
                self.compatible = False

    def _array(self, node: Node, path: str) -> None:
        items = node.get('items')
        typed = isinstance(items, dict) and any(key in items for key in TYPED)
        if typed or node.get('prefixItems'):
            return
        if self.strict:
            raise UserError(
                f'A strict schema must say what the items of {path} are, and {node!r} does not: set strict=False'
            )
        self.compatible = False


def _is_too_large(schema: Node) -> bool:
    """Whether a schema, or one of its definitions, is nested deeper or has more properties than strict mode allows."""
    definitions: list[Node] = list(schema.get('$defs', {}).values())
    for part in [{key: value for key, value in schema.items() if key != '$defs'}, *definitions]:
        depths = [depth for depth, _ in _objects(part, 1)]
        if max(depths, default=0) > MAX_NESTING or sum(count for _, count in _objects(part, 1)) > MAX_PROPERTIES:
            return True
    return False


def _objects(node: Any, depth: int) -> Iterator[tuple[int, int]]:
    """How deep each object of a schema lies, and how many properties it has."""
    if isinstance(node, dict):
        schema = cast('Node', node)
        properties: Any = schema.get('properties')
        if isinstance(properties, dict):
            count = len(cast('Node', properties))
            yield depth, count
            depth += 1
        for child in schema.values():
            yield from _objects(child, depth)
    elif isinstance(node, list):
        for child in cast('list[object]', node):
            yield from _objects(child, depth)


def _root_definition(schema: Node) -> Node:
    reference = schema.get('$ref')
    if not isinstance(reference, str) or not reference.startswith('#/$defs/'):
        return schema
    definition: Node = schema.get('$defs', {}).get(reference.removeprefix('#/$defs/'), {})
    merged: Node = {**{key: value for key, value in schema.items() if key != '$ref'}, **definition}
    renamed: Node = _renamed(merged, reference, '#')
    return renamed


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        pairs = cast('Node', value).items()
        return {key: new if (key, item) == ('$ref', old) else _renamed(item, old, new) for key, item in pairs}
    if isinstance(value, list):
        return [_renamed(item, old, new) for item in cast('list[object]', value)]
    return value


class GeminiByOpenRouterSchema(SchemaRewriter):
    """Schemas for Gemini behind OpenRouter, which translates no references and knows `nullable` instead of null.

    Every such schema can be held to, so that tools are strict unless they say otherwise.
    """

    drop = frozenset({'title', '$schema', 'discriminator', 'examples', 'exclusiveMaximum', 'exclusiveMinimum'})

    def run(self, schema: Node) -> TransformedSchema:
        """Rewrite a schema, without its references."""
        return super().run(inline_transformer(schema, self.strict).json_schema)

    def rewrite(self, node: Node, path: str) -> Node:
        """Change one node."""
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
"""When OpenAI's models reason, by the beginning of their name; the first that fits."""

ALL_TURNS = re.compile(r'gpt-5\.[4-9]|gpt-6')
"""The models that are shown the reasoning of all turns again."""

PHASES = re.compile(r'gpt-5\.3-codex|gpt-5\.[4-9]|gpt-6')
"""The models that tell commentary from the final answer."""

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
"""How long OpenAI's models can be told to reason, from the least to the most; the first that fits."""

REFUSES_STOP = re.compile(r'o3(?!-mini)|o4|gpt-5(?!-chat|\.[5-9])')
"""The models that answer `stop` with status 400."""

_transformer = OpenAISchema.transformer()


def openai_model_profile(model_name: str) -> OpenAIModelProfile:
    """What one of OpenAI's models can do."""
    name = model_name.lower().rpartition('/')[2]
    reasoning: Reasoning = next(when for pattern, when in REASONING if re.match(pattern, name))
    efforts = next(efforts for pattern, efforts in EFFORTS if re.match(pattern, name))
    refused = SAMPLING if reasoning == 'always' else NOTHING
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
        openai_item_ids=reasoning != 'never',
        openai_phases=bool(PHASES.match(name)),
        openai_reasoning_context='all_turns' if ALL_TURNS.match(name) else None,
        openai_system_prompt_role='user' if name.startswith('o1-mini') else 'system',
        unsupported_settings=refused | (STOP if REFUSES_STOP.match(name) else NOTHING),
    )
