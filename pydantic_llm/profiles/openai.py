"""What OpenAI's models can do, and in which ways a server of their API can differ from OpenAI's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..exceptions import UserError
from . import ModelProfile
from .schema import SchemaRewriter

__all__ = ('OpenAIModelProfile', 'OpenAISchema', 'openai_model_profile')

Node = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class OpenAIModelProfile(ModelProfile):
    """What a model behind the Chat Completions API can do, and what its server takes.

    Give any of these as `profile={'openai_max_tokens_field': 'max_tokens'}` for a server that is not known here.
    """

    openai_system_prompt_role: Literal['system', 'developer', 'user'] = 'system'
    """The role that system prompts and instructions are sent under."""

    openai_role_conversions: Mapping[str, str] | None = None
    """Other names for roles: `{'tool': 'user'}` for a server without tool messages."""

    openai_flatten_content: bool = False
    """Send content as one string, for servers that take no list of parts. Files cannot be sent then."""

    openai_max_tokens_field: Literal['max_completion_tokens', 'max_tokens'] = 'max_completion_tokens'
    """What the server calls the limit on what is written."""

    openai_strict_tools: bool = True
    """Whether the server knows `strict`."""

    openai_forces_tools: bool = True
    """Whether the model can be made to call a tool. Where it cannot, a needed output tool is left to its own choice."""

    openai_allowed_tools: bool = False
    """Whether the server knows `allowed_tools`; where it does not, the other tools are left out of the request."""

    openai_stream_usage: bool = True
    """Whether the server knows `stream_options.include_usage`."""

    openai_thinking_back: Literal['auto', 'field', 'tags', 'details', 'drop'] = 'auto'
    """How past thoughts go back: under the name they came by (else in tags), under one name, in tags, as
    `reasoning_details`, or not at all."""

    openai_thinking_field: str = 'reasoning_content'
    """The name for `openai_thinking_back='field'`, and the first name that is looked for in answers."""

    openai_thinking_with_calls: bool = False
    """Whether an answer with tool calls must carry the field even where there were no thoughts."""

    openai_thinking_setting: Literal['reasoning_effort', 'reasoning', 'thinking'] = 'reasoning_effort'
    """What the setting `thinking` becomes, where the model can think: an effort, OpenRouter's object, or Z.ai's."""

    openai_thinking_off: str | None = None
    """The effort that means no thinking at all; `None` where thinking cannot be switched off."""

    openai_reasoning: Literal['never', 'on_request', 'by_default', 'always'] = 'never'
    """When the model reasons before it answers. While it does, sampling settings are refused by OpenAI."""

    openai_video_url: bool = False
    """Whether videos can be sent."""

    openai_document_url: bool = False
    """Whether documents can be sent as addresses; where they cannot, they are downloaded and sent as bytes."""

    openai_documents: bool = True
    """Whether documents (PDF) can be sent at all. Text files are always sent as text."""

    openai_always_sends: Mapping[str, Any] | None = None
    """Fields of every request's body."""

    openai_ends_silently: bool = False
    """Whether the server ends a good answer without a finish reason (Snowflake)."""


SAMPLING = frozenset(
    {'temperature', 'top_p', 'presence_penalty', 'frequency_penalty', 'logit_bias', 'logprobs', 'top_logprobs'}
)
"""The settings that OpenAI refuses while a model reasons."""

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

LOOKAROUND = re.compile(r'\(\?<?[=!]')
TYPED = ('type', '$ref', 'anyOf', 'oneOf', 'allOf', 'enum', 'const')


class OpenAISchema(SchemaRewriter):
    """Schemas for OpenAI: made strict where that is asked for, and found to be strict or not where it is not."""

    drop = frozenset({'title', '$schema', 'discriminator'})

    def run(self, schema: Node) -> Any:
        """Rewrite a schema; one whose root is a reference gets the definition in its place."""
        return super().run(_root_definition(schema))

    def rewrite(self, node: Node, path: str) -> Node:
        """Change one node."""
        if '$ref' in node and len(node) > 1:
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


def _root_definition(schema: Node) -> Node:
    reference = schema.get('$ref')
    if not isinstance(reference, str) or not reference.startswith('#/$defs/'):
        return schema
    definition = schema.get('$defs', {}).get(reference.removeprefix('#/$defs/'), {})
    merged = {**{key: value for key, value in schema.items() if key != '$ref'}, **definition}
    return _renamed(merged, reference, '#')


def _renamed(value: Any, old: str, new: str) -> Any:
    match value:
        case dict():
            return {
                key: new if key == '$ref' and item == old else _renamed(item, old, new) for key, item in value.items()
            }  # pyright: ignore[reportUnknownVariableType] -- any JSON
        case list():
            return [_renamed(item, old, new) for item in value]  # pyright: ignore[reportUnknownVariableType] -- any JSON
        case _:
            return value


Reasoning = Literal['never', 'on_request', 'by_default', 'always']

REASONING: tuple[tuple[str, Reasoning], ...] = (
    (r'gpt-5-chat', 'never'),
    (r'gpt-5\.[123]-chat', 'always'),
    (r'gpt-.*-pro', 'always'),
    (r'gpt-5\.[1-4]', 'on_request'),
    (r'gpt-5\.[5-9]', 'by_default'),
    (r'gpt-6-astra|gpt-6\.1-sol', 'always'),
    (r'gpt-6', 'by_default'),
    (r'gpt-5|o\d', 'always'),
)
"""When OpenAI's models reason, by the beginning of their name; the first that fits. Those not named never do."""

_transformer = OpenAISchema.transformer()


def openai_model_profile(model_name: str) -> OpenAIModelProfile:
    """What one of OpenAI's models can do."""
    name = model_name.lower().rpartition('/')[2]
    reasoning = next((when for pattern, when in REASONING if re.match(pattern, name)), 'never')
    return OpenAIModelProfile(
        json_schema_transformer=_transformer,
        supports_json_schema_output=True,
        supports_json_object_output=True,
        supports_thinking=reasoning != 'never',
        thinking_always_enabled=reasoning == 'always',
        openai_reasoning=reasoning,
        openai_thinking_off='none' if reasoning in ('on_request', 'by_default') else None,
        openai_allowed_tools=True,
        openai_system_prompt_role='user' if name.startswith('o1-mini') else 'system',
        unsupported_settings=SAMPLING if reasoning == 'always' else frozenset(),
    )
